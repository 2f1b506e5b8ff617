"""Changing and removing servers of the list, wherever that is shown."""

from PyQt5.QtCore import QObject
from PyQt5.QtWidgets import QMessageBox, QWidget

from blitz.ui.dialogs.known_server import KnownServerDialog
from blitz.ui.preferences import Preferences
from blitz.ui.servers import Servers


class ServerEdits(QObject):
    """Asks the operator; the list is kept by :class:`~blitz.ui.servers.Servers`."""

    def __init__(self, servers: Servers, preferences: Preferences, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._servers = servers
        self._preferences = preferences

    def change(self, address: str, window: QWidget) -> None:
        """Let name, address, token and certificate be written anew.

        :param window: over which it is asked.
        """
        known = self._preferences.known_server(address)
        if known is None:
            return
        others = [other for other in self._preferences.servers if other != address]
        dialog = KnownServerDialog(known, others, window)
        dialog.accepted.connect(lambda: self._servers.change(address, dialog.server, dialog.name.text().strip()))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def remove(self, address: str, window: QWidget) -> None:
        """Ask, then remember a server no longer.

        :param window: over which it is asked.
        """
        known = self._preferences.known_server(address)
        if known is None:
            return
        box = QMessageBox(window)
        box.setIcon(QMessageBox.Question)
        box.setWindowTitle("Remove a server")
        box.setText(f"Remove {known.name or address} from the list?")
        token = ", its token in this computer's key ring goes, too" if known.is_token_kept else ""
        box.setInformativeText(
            f"{address} is remembered no longer{token}. Nothing changes on the server, and what was brought here from "
            "it stays."
        )
        remove = box.addButton("Remove", QMessageBox.DestructiveRole)
        cancel = box.addButton(QMessageBox.Cancel)
        box.setDefaultButton(cancel)
        box.setEscapeButton(cancel)

        def answer() -> None:
            if box.clickedButton() is remove:
                self._servers.forget(address)
            box.deleteLater()

        box.finished.connect(answer)
        box.open()
        cancel.setFocus()  # a default button alone does not have it
