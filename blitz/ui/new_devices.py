"""Devices that are new: offered when the server finds them, added by hand, listened to, named, accepted."""

from functools import partial

from PyQt5.QtCore import QObject
from PyQt5.QtWidgets import QMessageBox, QWidget

from blitz.data.access_records import WhoRecord
from blitz.data.records import FoundDevice, Role, StatusRecord
from blitz.data.source_config import SourceConfig
from blitz.io.source_naming import free_name
from blitz.ui.dialogs.add_device import AddDeviceDialog, DeviceKind, DevicePlace
from blitz.ui.dialogs.new_device import NewDeviceDialog
from blitz.ui.feed import Connection, ConnectionState, Feed
from blitz.ui.pages.boards_page import BoardsPage
from blitz.ui.rights import Rights
from blitz.ui.theme import Appearance
from blitz.ui.widgets.notices import NoticesArea
from blitz.ui.widgets.offer_bar import Offer, OfferBar

LISTEN, IGNORE = "listen", "ignore"


class NewDevices(QObject):
    """Wires the bar of offers, the page of boards and the dialogs to the feed."""

    def __init__(
        self, feed: Feed, appearance: Appearance, notices: NoticesArea, page: BoardsPage, window: QWidget
    ) -> None:
        super().__init__(window)
        self._feed = feed
        self._appearance = appearance
        self._notices = notices
        self._page = page
        self._window = window
        self._rights = Rights()
        self._status: StatusRecord | None = None
        self._to_edit = ""
        self.offers = OfferBar(self._choose)
        page.new_device_requested.connect(self.ask)
        page.add.show()
        feed.status_received.connect(self._take_status)
        feed.connection_changed.connect(self._take_connection)
        feed.identity_received.connect(self._take_identity)
        feed.source_answered.connect(self._take_answer)
        feed.source_unavailable.connect(self._ask_for_later)

    def ask(self) -> None:
        """Let the operator say where a device is."""
        dialog = AddDeviceDialog(self._status.found if self._status else (), self._window)
        dialog.accepted.connect(lambda: self._take_place(dialog.device))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def listen(self, link: str, title: str, baud: int | None = None) -> NewDeviceDialog:
        """Let the server listen to a device, and show what it takes it for."""
        dialog = NewDeviceDialog(link, title, self._free_name(link), self._appearance.theme, self._window)
        dialog.show_session(is_recording=self._status is not None and self._status.session is not None)
        dialog.listen_requested.connect(partial(self._examine, dialog, baud))
        dialog.source_accepted.connect(self._feed.add_source)
        dialog.edit_requested.connect(self._add_and_edit)
        dialog.more_requested.connect(partial(self._feed.listen_on, link))
        dialog.rejected.connect(partial(self._feed.end_examining, link))
        dialog.rejected.connect(dialog.deleteLater)
        self._feed.device_examined.connect(dialog.take_examined)
        self._feed.source_answered.connect(dialog.take_answer)
        self._appearance.changed.connect(dialog.set_theme)
        dialog.open()
        self._feed.examine_device(link, baud)
        return dialog

    def _examine(self, dialog: NewDeviceDialog, baud: int | None) -> None:
        dialog.show_listening()
        self._feed.end_examining(dialog.link)
        self._feed.examine_device(dialog.link, baud)

    def _take_place(self, place: DevicePlace) -> None:
        if place.kind in (DeviceKind.REPLAY, DeviceKind.FILE):
            name = self._free_name(place.link)
            self._feed.add_source(SourceConfig(name=name, link=place.link, protocol="stream"))
            return
        self.listen(place.link, place.link.removeprefix("socket://"), place.baud)

    def _add_and_edit(self, source: SourceConfig) -> None:
        self._to_edit = source.name
        self._feed.add_source(source)

    def _choose(self, offer: Offer, what: str) -> None:
        if what == IGNORE:
            self._feed.ignore_found(offer.board)
            return
        title = offer.sentence.partition(". ")[0].removeprefix("New: ")
        self.listen(offer.board, title)

    def _free_name(self, link: str) -> str:
        return free_name(link, {board.name for board in self._status.boards} if self._status else ())

    def _take_status(self, status: StatusRecord) -> None:
        self._status = status
        self._show_offers()
        if self._to_edit and any(board.name == self._to_edit for board in status.boards):
            name, self._to_edit = self._to_edit, ""
            self._page.definition_requested.emit(name)

    def _take_connection(self, state: ConnectionState) -> None:
        if state.connection is not Connection.ONLINE:
            self._status = None
            self._show_offers()

    def _take_identity(self, who: WhoRecord) -> None:
        self._rights = Rights.of(who)
        self._show_offers()

    def _take_answer(self, name: str, reason: str) -> None:
        if reason and name == self._to_edit:
            self._to_edit = ""
        if reason and not any(dialog.name.text().strip() == name for dialog in self._dialogs()):
            self._notices.tell("error", f"{name} was not added: {reason}")

    def _ask_for_later(self, source: SourceConfig, reason: str) -> None:
        """Ask whether what cannot be opened now is added all the same."""
        reason = reason.partition(" If it is to be read")[0]
        why = reason.partition("was not added: ")[2] or reason
        box = QMessageBox(
            *(QMessageBox.Question, f"Add {source.name}", f"{source.name} cannot be opened now. Add it all the same?"),
            parent=self._window,
        )
        box.setInformativeText(f"{why}\n\nAdded all the same, it is read as soon as it is there.")
        add = box.addButton("Add", QMessageBox.AcceptRole)
        cancel = box.addButton(QMessageBox.Cancel)
        box.setDefaultButton(cancel)
        box.setEscapeButton(cancel)

        def answer() -> None:
            if box.clickedButton() is add:
                self._feed.add_source(source, True)
            else:
                self._feed.source_answered.emit(source.name, why)
            box.deleteLater()

        box.finished.connect(answer)
        box.open()
        # A default button alone does not have the focus: Enter would press the first one.
        cancel.setFocus()

    def _dialogs(self) -> list[NewDeviceDialog]:
        return self._window.findChildren(NewDeviceDialog)

    def _show_offers(self) -> None:
        found = self._status.found if self._status and not self._rights.refusal(Role.OPERATOR) else ()
        self.offers.show_offers([found_offer(device) for device in found if not device.is_ignored])


def found_offer(device: FoundDevice) -> Offer:
    """Return the question whether a device that was found is listened to."""
    return Offer(
        f"{device.port} {device.usb_place} {device.serial_number}",
        device.port,
        "info",
        f"New: {device.words}. Listen? It may reset the device. Nothing is recorded yet.",
        (("&Listen", LISTEN), ("Not this one", IGNORE)),
        can_wait=True,
    )
