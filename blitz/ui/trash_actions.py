"""What can be done with deleted sessions: undo, look into the trash, restore, delete for good. Asks the operator."""

from PyQt5.QtCore import QObject
from PyQt5.QtWidgets import QMessageBox, QWidget

from blitz.data.records import SessionRecord
from blitz.ui.feed import Connection, ConnectionState, Feed
from blitz.ui.formats import format_count, format_moment
from blitz.ui.models.sessions import session_title
from blitz.ui.pages.trash_page import TrashPage
from blitz.ui.rights import Rights
from blitz.ui.widgets.notices import NoticeAction, NoticesArea

UNDO_MS = 15_000


class TrashActions(QObject):
    """Knows what is in the trash as the server told it last, and fills the page that shows it."""

    def __init__(self, feed: Feed, notices: NoticesArea, window: QWidget) -> None:
        super().__init__(window)
        self._feed = feed
        self._notices = notices
        self._window = window
        self._records: tuple[SessionRecord, ...] | None = None
        self._rights = Rights()
        self.page: TrashPage | None = None
        feed.trash_listed.connect(self._take_trash)
        feed.session_trashed.connect(self._offer_undo)
        feed.connection_changed.connect(self._take_connection)

    def make_page(self) -> TrashPage:
        """Return a page that shows the trash from now on."""
        page = self.page = TrashPage()
        page.restore_requested.connect(lambda record: self._feed.restore_session(record.id))
        page.delete_requested.connect(self._ask_for_good)
        page.show_rights(self._rights)
        page.show_trash(self._records)
        self._feed.refresh_trash()
        return page

    def forget_page(self, page: QWidget) -> None:
        """Fill a page no more that was closed."""
        if page is self.page:
            self.page = None

    def show_rights(self, rights: Rights) -> None:
        """Take over what the operator may do."""
        self._rights = rights
        if self.page is not None:
            self.page.show_rights(rights)

    def _take_trash(self, records: tuple[SessionRecord, ...] | None) -> None:
        self._records = records
        if self.page is not None:
            self.page.show_trash(records)

    def _take_connection(self, state: ConnectionState) -> None:
        if state.connection is Connection.OFFLINE:
            self._take_trash(None)

    def _offer_undo(self, record: SessionRecord) -> None:
        undo = NoticeAction("Undo", lambda: self._feed.restore_session(record.id), is_final=True)
        self._notices.tell("info", f"“{session_title(record)}” was moved to the trash.", undo, for_ms=UNDO_MS)

    def _ask_for_good(self, record: SessionRecord) -> None:
        box = QMessageBox(self._window)
        box.setIcon(QMessageBox.Warning)
        box.setWindowTitle("Delete for good")
        box.setText(f"Delete “{session_title(record)}” for good?")
        box.setInformativeText(
            f"Session {record.id} of {format_moment(record.started_at)} has {format_count(record.message_count)} "
            "messages. Nobody can bring them back."
        )
        delete = box.addButton("Delete for good", QMessageBox.DestructiveRole)
        cancel = box.addButton(QMessageBox.Cancel)
        box.setDefaultButton(cancel)
        box.setEscapeButton(cancel)

        def answer() -> None:
            if box.clickedButton() is delete:
                self._feed.delete_for_good(record.id)
            box.deleteLater()

        box.finished.connect(answer)
        box.open()
        # A default button alone does not have the focus: Enter would press the first one.
        cancel.setFocus()
