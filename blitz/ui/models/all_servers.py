"""The tables of all servers: one row a server, and one a session of any of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from PyQt5.QtCore import QModelIndex, QObject, Qt
from PyQt5.QtGui import QFont

from blitz.data.records import LinkState, SessionRecord, StatusRecord
from blitz.io.address import ServerAddress
from blitz.ui.formats import (
    MISSING,
    format_age,
    format_bytes,
    format_count,
    format_duration,
    format_moment,
    format_rate,
    loss_words,
    room_words,
)
from blitz.ui.models.columns import ColumnsModel
from blitz.ui.models.sessions import session_title, state_words
from blitz.ui.servers_watch import ServerNow

SERVER, STATE, RECORDING, SINCE, RATE, LOST, BOARDS, ROOM = range(8)
_SERVER_COLUMNS = ("Server", "State", "Recording", "For", "Rate", "Lost", "Boards", "Room")
OF, NUMBER, NAME, STARTED, TOOK, MESSAGES, HOW = range(7)
_SESSION_COLUMNS = ("Server", "No.", "Name", "Started", "Took", "Messages", "State")
_WELL = (LinkState.READY, LinkState.RECORDING)


@dataclass(frozen=True)
class ServerRow:
    """A server that is known, and how it is."""

    server: ServerAddress
    name: str
    origin: str
    """From where it is known: a profile, connected to before, found on the network."""
    now: ServerNow | None = None
    """None: it has not been heard of yet."""
    is_current: bool = False
    """Whether the window is connected to it."""
    is_stored: bool = False
    """Whether it is in the window's own list, where it can be changed and removed."""

    @property
    def address(self) -> str:
        """Where it is, as text without the token."""
        return str(self.server)

    @property
    def status(self) -> StatusRecord | None:
        """What it said last, while it answers."""
        return self.now.status if self.now is not None and not self.now.error else None


@dataclass(frozen=True)
class SessionRow:
    """A session of one of the servers."""

    row: ServerRow
    record: SessionRecord

    @property
    def key(self) -> tuple[str, int]:
        """What tells it apart from all others: ids are each server's own."""
        return self.row.address, self.record.id


class ServersModel(ColumnsModel):
    """One row a server."""

    column_names = _SERVER_COLUMNS
    number_columns = (SINCE, RATE)

    def __init__(self, font: QFont, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._font = font
        self.rows: list[ServerRow] = []

    def show(self, rows: Sequence[ServerRow]) -> None:
        """Take over what is known; the selection stays where the servers are the same ones."""
        if [row.address for row in rows] == [row.address for row in self.rows]:
            self.rows = list(rows)
            if rows:
                self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(_SERVER_COLUMNS) - 1))
            return
        self.beginResetModel()
        self.rows = list(rows)
        self.endResetModel()

    def row_of(self, address: str) -> int | None:
        """Return in which row a server is."""
        return next((number for number, row in enumerate(self.rows) if row.address == address), None)

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """One row a server."""
        return 0 if parent.isValid() else len(self.rows)

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Return what a cell shows."""
        if not index.isValid() or index.row() >= len(self.rows):
            return None
        row, column = self.rows[index.row()], index.column()
        if role == Qt.DisplayRole:
            return server_text(row, column, datetime.now(UTC))
        if role == Qt.ToolTipRole:
            return _server_tip(row, column)
        if role == Qt.TextAlignmentRole and column in self.number_columns:
            return int(Qt.AlignRight | Qt.AlignVCenter)
        if role == Qt.FontRole:
            if column == SERVER and row.is_current:
                bold = QFont(self._font)
                bold.setBold(True)
                return bold
            return self._font if column in self.number_columns else None
        return None


class AllSessionsModel(ColumnsModel):
    """One row a session, what began last first."""

    column_names = _SESSION_COLUMNS
    number_columns = (NUMBER, TOOK, MESSAGES)

    def __init__(self, font: QFont, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._font = font
        self.rows: list[SessionRow] = []

    def show(self, servers: Sequence[ServerRow], words: str = "") -> None:
        """Take over the sessions of these servers, as far as their words have all of those that are looked for."""
        wanted = words.casefold().split()
        rows = [SessionRow(row, record) for row in servers for record in _records(row)]
        rows = [row for row in rows if all(word in _searched(row) for word in wanted)]
        rows.sort(key=lambda row: row.record.started_at, reverse=True)
        if [row.key for row in rows] == [row.key for row in self.rows]:
            self.rows = rows
            if rows:
                self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(_SESSION_COLUMNS) - 1))
            return
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def row_of(self, key: tuple[str, int]) -> int | None:
        """Return in which row a session is."""
        return next((number for number, row in enumerate(self.rows) if row.key == key), None)

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """One row a session."""
        return 0 if parent.isValid() else len(self.rows)

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Return what a cell shows."""
        if not index.isValid() or index.row() >= len(self.rows):
            return None
        row, column = self.rows[index.row()], index.column()
        if role in (Qt.DisplayRole, Qt.ToolTipRole):
            return session_text(row, column, datetime.now(UTC))
        if role == Qt.TextAlignmentRole and column in self.number_columns:
            return int(Qt.AlignRight | Qt.AlignVCenter)
        if role == Qt.FontRole and column in (*self.number_columns, STARTED):
            return self._font
        return None


def server_text(row: ServerRow, column: int, now: datetime) -> str:
    """Return what a cell of a server says."""
    status = row.status
    if column == SERVER:
        return row.name
    if column == STATE:
        return state_text(row.now, now)
    if status is None:
        return ""
    session = status.session
    if column == RECORDING:
        return f"“{session_title(session)}”" if session is not None else "not recorded"
    if column == SINCE:
        # By the server's own clock: ours may be another one.
        return format_duration((status.now - session.started_at).total_seconds()) if session is not None else ""
    if column == RATE:
        return format_rate(status.rate_hz)
    if column == LOST:
        accounts = [board.account for board in status.boards if board.account is not None]
        return loss_words(accounts) if session is not None and accounts else ""
    if column == BOARDS:
        return _boards_text(status)
    return _room_text(status)


def state_text(now: ServerNow | None, at: datetime) -> str:
    """Say how a server is."""
    if now is None:
        return "asking…"
    if now.is_refused:
        return "does not let us in"
    if now.error:
        since = now.away_since
        return "away" if since is None else f"away for {format_age((at - since).total_seconds())}"
    status = now.status
    if status is not None and not status.store.is_up:
        return "store away"
    return "answers"


def session_text(row: SessionRow, column: int, now: datetime) -> str:
    """Return what a cell of a session says."""
    record = row.record
    if column == OF:
        return row.row.name
    if column == NUMBER:
        return str(record.id)
    if column == NAME:
        return session_title(record)
    if column == STARTED:
        return format_moment(record.started_at)
    if column == TOOK:
        end = record.stopped_at or (row.row.status.now if row.row.status is not None else now)
        return format_duration((end - record.started_at).total_seconds())
    if column == MESSAGES:
        return format_count(record.message_count)
    return state_words(record)


def _server_tip(row: ServerRow, column: int) -> str:
    if column == STATE and row.now is not None and row.now.error:
        return row.now.error
    status = row.status
    if column == BOARDS and status is not None:
        return "\n".join(f"{board.name}: {board.state.value}" for board in status.boards)
    if column == ROOM and status is not None and status.room is not None and status.room.text:
        return status.room.text
    version = f", Blitz {status.version}" if status is not None else ""
    return f"{row.address} ({row.origin}{version})"


def _boards_text(status: StatusRecord) -> str:
    if not status.acquires:
        return "serves only"
    well = sum(board.state in _WELL for board in status.boards)
    count = len(status.boards)
    if not count:
        return "none"
    return f"{count}" if well == count else f"{well} of {count} well"


def _room_text(status: StatusRecord) -> str:
    room = status.room
    if room is None:
        return MISSING
    return room_words(room).removeprefix("room for ") or f"{format_bytes(room.disk_free_bytes)} free"


def _records(row: ServerRow) -> list[SessionRecord]:
    if row.now is None:
        return []
    running = row.status.session if row.status is not None else None
    # The status tells of the running session each second, the list only now and then.
    return [running if running is not None and record.id == running.id else record for record in row.now.sessions]


def _searched(row: SessionRow) -> str:
    record = row.record
    return " ".join((row.row.name, record.name, record.notes, record.owner, *record.tags)).casefold()
