"""The page for a phone: shows its link, and lets an admin have tokens made for it."""

from PyQt5.QtCore import QObject
from PyQt5.QtWidgets import QWidget

from blitz.data.access_records import IssuedToken, WhoRecord
from blitz.ui.dialogs.phone_page import PhonePageDialog
from blitz.ui.feed import Connection, ConnectionState, Feed
from blitz.ui.rights import Rights
from blitz.ui.servers import Servers
from blitz.ui.widgets.notices import NoticesArea

_TOLD_MS = 15_000


class PhoneActions(QObject):
    """Wires the dialog to the feed; it is closed when the window leaves its server."""

    def __init__(self, feed: Feed, servers: Servers, notices: NoticesArea, window: QWidget) -> None:
        super().__init__(window)
        self._feed = feed
        self._servers = servers
        self._notices = notices
        self._window = window
        self._address = ""
        self._rights: Rights | None = None
        """None until the server says whom it takes this window for."""
        self.dialog: PhonePageDialog | None = None
        servers.connecting.connect(self._close)
        feed.connection_changed.connect(self._take_connection)
        feed.identity_received.connect(self._take_identity)
        feed.token_answered.connect(self._take_token)

    def ask(self) -> None:
        """Show the link; a second time, bring it to the front."""
        if self.dialog is not None:
            self.dialog.raise_()
            self.dialog.activateWindow()
            return
        server = self._servers.connected_to(self._address)
        if server is None or self._rights is None:
            self._notices.tell("info", "Connect to a server first: it has the page for a phone.", for_ms=_TOLD_MS)
            return
        dialog = self.dialog = PhonePageDialog(server, self._rights, self._window)
        dialog.token_requested.connect(self._feed.make_token)
        dialog.finished.connect(self._leave)
        dialog.show()

    def _close(self) -> None:
        """What is shown is of the server before, or of another token."""
        if self.dialog is not None:
            self.dialog.reject()

    def _leave(self) -> None:
        dialog, self.dialog = self.dialog, None
        if dialog is not None:
            dialog.deleteLater()

    def _take_connection(self, state: ConnectionState) -> None:
        address = "" if state.connection is Connection.OFFLINE else state.address
        if address != self._address:
            self._address, self._rights = address, None
        if not address:
            self._close()

    def _take_identity(self, who: WhoRecord) -> None:
        self._rights = Rights.of(who)
        if self.dialog is not None:
            self.dialog.show_rights(self._rights)

    def _take_token(self, issued: IssuedToken | None, reason: str) -> None:
        if self.dialog is not None and self.dialog.is_waiting:
            self.dialog.take_token(issued, reason)
        elif issued is not None:  # nobody can see it any more
            self._notices.tell(
                "warning",
                f"Token {issued.record.id}, “{issued.record.name}”, was made when its dialog was closed already. "
                f"“blitz token revoke {issued.record.id}” on the server's machine makes it worthless.",
            )
