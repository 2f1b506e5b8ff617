"""The status bar: server, boards, store, version, as the server tells them; and work of this program's own."""

import math

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QPushButton, QStatusBar, QWidget

from blitz.data.cache_places import CachePlace
from blitz.data.records import LinkState, Role, RoomRecord, StatusRecord, StoreRecord
from blitz.ui.feed import Connection, ConnectionState
from blitz.ui.formats import format_bytes, format_count, room_words
from blitz.ui.recording_words import losses_of
from blitz.ui.rights import Rights
from blitz.ui.theme import SPACE
from blitz.ui.widgets.elided import ElidedLabel
from blitz.ui.widgets.states import set_state

MANY_WAITING = 100
"""A few messages are always on their way to the store: no news."""

_CONNECTION_WORDS = {
    Connection.OFFLINE: "Not connected",
    Connection.CONNECTING: "Connecting",
    Connection.ONLINE: "Connected",
    Connection.WAITING: "Reconnecting",
}
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
        self._state = ConnectionState(Connection.OFFLINE)
        self._next_try_s: float | None = None
        self._tries = 0
        # Long words must not widen the window; their tooltips have all of them.
        self.connection = ElidedLabel(least=1)
        self.boards, self.account, self.store = ElidedLabel(), ElidedLabel(), ElidedLabel()
        self.cache = ElidedLabel()
        self.version = QLabel()
        self.activity = Activity()
        self.setContentsMargins(SPACE, 2, SPACE, 2)
        self.addWidget(self.connection)
        # Of their own, not of the words: what is red is the words.
        self._bars = {label: QLabel("│") for label in (self.boards, self.account, self.store, self.cache)}
        for label, bar in self._bars.items():
            self.addWidget(bar)
            self.addWidget(label)
        self.addPermanentWidget(self.activity)
        self.addPermanentWidget(self.version)
        self._say(self.cache, "")
        self.show_connection(ConnectionState(Connection.OFFLINE))

    def show_cache(self, place: CachePlace) -> None:
        """Say which cache sessions go into, where it is not the usual one."""
        self._say(self.cache, f"Cache: {place.name or place}" if place.name or not place.is_usual else "")
        self.cache.set_tip(f"Sessions are kept in {place.words}. Another one: Server, Cache")

    def show_connection(self, state: ConnectionState) -> None:
        """Say how the connection is doing."""
        if (state.connection, state.address) != (self._state.connection, self._state.address):
            self._next_try_s, self._tries = None, 0
        self._state = state
        self._show_connection(None)
        if state.connection is not Connection.ONLINE:
            for label in (self.boards, self.account, self.store):
                self._say(label, "")
            self.version.setText("")

    def show_next_try(self, next_try_s: float | None, now_s: float) -> None:
        """Say when a server that is away is tried again, and how often that was done; both by the monotonic clock."""
        if self._state.connection not in (Connection.CONNECTING, Connection.WAITING):
            return
        if next_try_s is not None and next_try_s != self._next_try_s:
            self._next_try_s = next_try_s
            self._tries += 1
        self._show_connection(None if next_try_s is None else next_try_s - now_s)

    def _show_connection(self, left_s: float | None) -> None:
        state = self._state
        words = _CONNECTION_WORDS[state.connection]
        if self._tries:
            words += f", try {self._tries + 1}"
            words += " now" if left_s is None else f" in {max(1, math.ceil(left_s))} s"
        parts = [words]
        if state.reason and state.connection is not Connection.CONNECTING:  # there the line below the head says why
            parts.append(state.reason)
        elif state.address and state.connection is not Connection.OFFLINE:
            parts.append(state.address.partition("://")[2] or state.address)
        self.connection.setText(" · ".join(parts))
        is_fine = state.connection in (Connection.ONLINE, Connection.OFFLINE)  # nobody wants one there
        set_state(self.connection, "" if is_fine else "bad")

    def show_status(self, status: StatusRecord) -> None:
        """Say how boards and store are doing."""
        fine = sum(board.state in (LinkState.READY, LinkState.RECORDING) for board in status.boards)
        total = len(status.boards)
        words = {0: "No boards", 1: "1 board ready"}.get(total, f"{total} boards ready")
        if fine < total:
            words = f"{fine} of {total} boards ready"
        self._say(self.boards, words, is_bad=fine < total)
        self._show_account(status)
        self._say(self.store, _store_words(status.store), is_bad=not status.store.is_up)
        self.store.set_tip(
            f"Durability: {status.store.durability}. An append takes {status.store.append_ms:.1f} ms. "
            f"Waiting to be stored: {format_count(status.store.waiting_messages)} messages."
            f"{_room_tip(status.room)}"
        )
        self.version.setText(" · ".join(part for part in (self._role, f"Server {status.version}") if part))

    def show_rights(self, rights: Rights) -> None:
        """Say, from the next status on, as whom the operator works, where not everything is allowed."""
        words = [part for part in (rights.name, rights.role.value) if part]
        self._role = "" if rights.role is Role.ADMIN else ", ".join(words)

    def _show_account(self, status: StatusRecord) -> None:
        """Say in a line, while a session runs, whether all that was sent is in it."""
        session = status.session
        losses = losses_of(status)
        if session is None or not losses.by_source:
            self._say(self.account, "")
            return
        # Where it does not balance, that is among the words.
        self._say(self.account, losses.words.removesuffix(", account balances"), is_bad=losses.is_bad)
        self.account.set_tip("\n".join(losses.by_source))

    def _say(self, label: ElidedLabel, words: str, *, is_bad: bool = False) -> None:
        """Show a part and the bar before it; without words neither."""
        label.setText(words)
        set_state(label, "bad" if is_bad else "")
        label.setVisible(bool(words))
        self._bars[label].setVisible(bool(words))


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
