"""The status bar: server, boards, store, version, as the server tells them; and work of this program's own."""

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QStatusBar, QWidget

from blitz.data.records import LinkState, Role, RoomRecord, StatusRecord, StoreRecord
from blitz.ui.feed import Connection, ConnectionState
from blitz.ui.formats import format_bytes, format_count, loss_words, room_words
from blitz.ui.rights import Rights
from blitz.ui.theme import SPACE

MANY_WAITING = 100
"""A few messages are always on their way to the store: no news."""

_DURABILITY = {
    "always": "every append on disk",
    "everysec": "on disk each second",
    "none": "in memory only",
    "external": "durable as its own Redis is",
}


class StatusLine(QStatusBar):
    """The bar below the window."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._role = ""
        self.setSizeGripEnabled(False)
        self.connection = QLabel()
        self.boards = QLabel()
        self.account = QLabel()
        self.store = QLabel()
        self.version = QLabel()
        self.activity = Activity()
        self.setContentsMargins(SPACE, 2, SPACE, 2)
        # A long reason must not widen the window; its tooltip has all of it.
        self.connection.setMinimumWidth(1)
        for label in (self.connection, self.boards, self.account, self.store):
            self.addWidget(label)
        self.addPermanentWidget(self.activity)
        self.addPermanentWidget(self.version)
        self.show_connection(ConnectionState(Connection.OFFLINE))

    def show_connection(self, state: ConnectionState) -> None:
        """Say how the connection is doing."""
        parts = [state.connection.value]
        if state.reason:
            parts.append(state.reason)
        elif state.address and state.connection is not Connection.OFFLINE:
            parts.append(state.address)
        _say(self.connection, " · ".join(parts), "" if state.connection is Connection.ONLINE else "bad")
        self.connection.setToolTip(self.connection.text())
        if state.connection is not Connection.ONLINE:
            for label in (self.boards, self.account, self.store, self.version):
                label.clear()

    def show_status(self, status: StatusRecord) -> None:
        """Say how boards and store are doing."""
        fine = sum(board.state in (LinkState.READY, LinkState.RECORDING) for board in status.boards)
        total = len(status.boards)
        words = f"{fine} of {total} boards ready" if total else "No boards"
        _say(self.boards, f"│  {words}", "bad" if fine < total else "")
        self._show_account(status)
        _say(self.store, f"│  {_store_words(status.store)}", "" if status.store.is_up else "bad")
        self.store.setToolTip(
            f"Durability: {status.store.durability}. An append takes {status.store.append_ms:.1f} ms. "
            f"Waiting to be stored: {format_count(status.store.waiting_messages)} messages."
            f"{_room_tip(status.room)}"
        )
        _say(self.version, " · ".join(part for part in (self._role, f"Server {status.version}") if part), "")

    def show_rights(self, rights: Rights) -> None:
        """Say, from the next status on, as whom the operator works, where not everything is allowed."""
        words = [part for part in (rights.name, rights.role.value) if part]
        self._role = "" if rights.role is Role.ADMIN else ", ".join(words)

    def _show_account(self, status: StatusRecord) -> None:
        """Say in a line, while a session runs, whether all that was sent is in it."""
        session = status.session
        self.account.setVisible(session is not None)
        if session is None:
            return
        accounts = session.accounts or tuple(board.account for board in status.boards if board.account is not None)
        words = f", {loss_words(accounts)}" if accounts else ""
        is_bad = any(
            account.lost or account.gaps or account.messages_dropped or not account.is_balanced for account in accounts
        )
        away = [board.name for board in status.boards if board.state in (LinkState.AWAY, LinkState.RELEASED)]
        if away and not is_bad:  # its gap is known only when it is over
            words, is_bad = f", {', '.join(away)} away", True
        _say(self.account, f"│  {format_count(session.message_count)} messages{words}", "bad" if is_bad else "")
        self.account.setToolTip(
            "\n".join(f"{account.name}: {loss_words([account])}" for account in accounts) or "No account is kept yet"
        )


class Activity(QWidget):
    """What this program does in the background, with a bar and a way to cancel it."""

    cancelled = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._words = QLabel()
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedSize(140, 6)
        cancel = QPushButton("Cancel")
        cancel.setProperty("kind", "quiet")
        cancel.clicked.connect(self.cancelled)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, SPACE, 0)
        for widget in (self._words, self._bar, cancel):
            row.addWidget(widget)
        self.hide()

    def show_work(self, words: str, done: int, total: int) -> None:
        """Say what is being done and how far it is."""
        self._words.setText(words)
        self._bar.setRange(0, 1000)
        self._bar.setValue(round(1000 * done / total) if total else 0)
        self.show()


def _store_words(store: StoreRecord) -> str:
    if not store.is_up and store.spooling_since is not None:
        return f"Store is away, {format_count(store.spooled_messages)} messages safe on disk"
    if not store.is_up:
        return f"Store is away: {store.error or 'no answer'}"
    if store.waiting_messages >= MANY_WAITING:
        return f"Store is up, {format_count(store.waiting_messages)} messages waiting"
    return f"Store is up, {_DURABILITY[store.durability]}"


def _room_tip(room: RoomRecord | None) -> str:
    if room is None:
        return ""
    budget = f" of {format_bytes(room.redis_budget_bytes)}" if room.redis_budget_bytes else ""
    lines = [
        f"Redis: {format_bytes(room.redis_used_bytes)}{budget}",
        f"Archive: {format_bytes(room.archive_bytes)}",
        f"Free on disk: {format_bytes(room.disk_free_bytes)}, and {format_bytes(room.disk_reserve_bytes)} in reserve",
    ]
    if room_words(room):
        lines.append(
            f"{room_words(room).capitalize()}{f', until the {room.limited_by} is full' if room.limited_by else ''}"
        )
    return "\n" + "\n".join(lines)


def _say(label: QLabel, text: str, state: str) -> None:
    label.setText(text)
    if label.property("state") != state:
        label.setProperty("state", state)
        label.style().unpolish(label)
        label.style().polish(label)
