"""The console's table: those of the kept messages that pass the filter, oldest first.

The model looks at a snapshot of the ring, which it changes for a newer one when it is refreshed; rows are numbers in an
array, and only cells that somebody looks at become text.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from textwrap import wrap
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PyQt5.QtCore import QModelIndex, QObject, Qt
from PyQt5.QtGui import QColor, QFont

from blitz.ui.formats import format_count
from blitz.ui.message_pattern import MessagePattern
from blitz.ui.models.columns import ColumnsModel
from blitz.ui.raw_messages import Kind, Line, Part, RawRing, Snapshot
from blitz.ui.theme import LIGHT, Theme

COLUMNS = ("Time", "Board", "Seq", "Text", "Hex")
TIME, BOARD, SEQ, TEXT, HEX = range(5)
_MOST_SHOWN = 2048
"""Bytes of a message that the table shows; copies and files have all of it."""
_TOOLTIP_WIDTH = 72
_PICTURES = {code: 0x2400 + code for code in range(32)} | {127: 0x2421}
_MARKS = {Kind.SENT: "→ sent", Kind.ANSWER: "← answer"}
_NO_ROWS = np.empty(0, np.int64)


class ConsoleModel(ColumnsModel):
    """One row a line that passes the filter.

    :param ring: what is kept; it may go on while the model is paused.
    """

    column_names = COLUMNS
    number_columns = (SEQ,)

    def __init__(self, ring: RawRing, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._ring = ring
        self._snapshot = Snapshot()
        self._rows: NDArray[np.int64] = _NO_ROWS
        self._pattern = MessagePattern("")
        self._board = ""
        self.is_paused = False
        self.theme: Theme = LIGHT
        self.fixed_font: QFont | None = None

    @property
    def waiting(self) -> int:
        """How many lines came while the model was paused."""
        return self._ring.next_row - self._snapshot.next_row if self.is_paused else 0

    @property
    def kept(self) -> int:
        """How many lines there are, shown or not."""
        return self._snapshot.next_row - self._snapshot.first_row

    @property
    def boards(self) -> tuple[str, ...]:
        """The boards whose lines there are."""
        return self._snapshot.boards

    @property
    def words(self) -> str:
        """What there is, for people."""
        words = f"{format_count(self.kept)} {'message' if self.kept == 1 else 'messages'} here"
        if len(self._rows) != self.kept:
            words += f", {format_count(len(self._rows))} shown"
        if self.is_paused:
            words += f"; paused, {format_count(self.waiting)} came meanwhile"
        return words

    def refresh(self) -> int:
        """Take over what came, unless paused.

        :returns: how many rows went at the top.
        """
        if self.is_paused:
            return 0
        before, now = self._snapshot, self._ring.snapshot()
        if now.next_row == before.next_row and now.first_row == before.first_row:
            self._snapshot = now
            return 0
        added = self._passing(now.since(before.next_row), now)
        dropped = int(np.searchsorted(self._rows, now.first_row))
        if dropped == len(self._rows):
            self._reset(now, added)
            return dropped
        if dropped:
            self.beginRemoveRows(QModelIndex(), 0, dropped - 1)
            self._rows = self._rows[dropped:]
            self.endRemoveRows()
        self._snapshot = now
        if len(added):
            count = len(self._rows)
            self.beginInsertRows(QModelIndex(), count, count + len(added) - 1)
            self._rows = np.concatenate((self._rows, added))
            self.endInsertRows()
        return dropped

    def filter(self, pattern: MessagePattern, board: str = "") -> None:
        """Show what has the words, of one board or of all; also while paused."""
        if (pattern, board) == (self._pattern, self._board):
            return
        self._pattern, self._board = pattern, board
        self._reset(self._snapshot, self._passing(self._snapshot.parts, self._snapshot))

    def clear(self) -> None:
        """Forget all lines."""
        self._ring.clear()
        self._reset(self._ring.snapshot(), _NO_ROWS)

    def find(self, pattern: MessagePattern) -> NDArray[np.int64]:
        """Return which of the shown rows have the words, from the top."""
        found = [part.row + np.flatnonzero(pattern.matches(part.raw)) for part in self._snapshot.parts]
        return np.flatnonzero(np.isin(self._rows, np.concatenate(found or [_NO_ROWS]), assume_unique=True))

    def line(self, row: int) -> Line:
        """Return what a row shows."""
        return self._snapshot.line(int(self._rows[row]))

    def writer(self, rows: Iterable[int] | None = None) -> "LineWriter":
        """Return what writes these rows, or all shown, also later and in another thread."""
        chosen = self._rows if rows is None else self._rows[np.fromiter(rows, np.int64)]
        return LineWriter(self._snapshot, chosen)

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """One row a shown line."""
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Return what a cell shows."""
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        column = index.column()
        if role == Qt.DisplayRole:
            return cell_text(self.line(index.row()), column)
        if role == Qt.ToolTipRole and column in (TEXT, HEX):
            return "\n".join(wrap(cell_text(self.line(index.row()), column), _TOOLTIP_WIDTH))
        if role == Qt.TextAlignmentRole and column == SEQ:
            return int(Qt.AlignRight | Qt.AlignVCenter)
        if role == Qt.FontRole:
            return self.fixed_font
        if role == Qt.ForegroundRole:
            return self._colour(self.line(index.row()).kind, column)
        return None

    def _colour(self, kind: Kind, column: int) -> QColor | None:
        if kind is Kind.SENT:
            return QColor(self.theme.accent)
        if kind is Kind.ANSWER:
            return QColor(self.theme.okay)
        return QColor(self.theme.muted) if column in (TIME, SEQ) else None

    def _reset(self, snapshot: Snapshot, rows: NDArray[np.int64]) -> None:
        self.beginResetModel()
        self._snapshot, self._rows = snapshot, rows
        self.endResetModel()

    def _passing(self, parts: Iterable[Part], snapshot: Snapshot) -> NDArray[np.int64]:
        wanted = snapshot.boards.index(self._board) if self._board in snapshot.boards else None
        rows = []
        for part in parts:
            passing = self._pattern.matches(part.raw)
            if self._board:
                passing &= part.board == wanted if wanted is not None else False
            rows.append(part.row + np.flatnonzero(passing))
        return np.concatenate(rows) if rows else _NO_ROWS


class LineWriter:
    """Some lines as text with tabs between the columns; whole messages, the time with its date."""

    def __init__(self, snapshot: Snapshot, rows: NDArray[np.int64]) -> None:
        self._snapshot = snapshot
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def lines(self, columns: Iterable[int]) -> Iterator[str]:
        """Iterate over a head and the lines, without ends of line."""
        columns = tuple(columns)
        yield "\t".join(COLUMNS[column].lower() for column in columns)
        for row in self._rows:
            line = self._snapshot.line(int(row))
            yield "\t".join(_file_text(line, column) for column in columns)


def cell_text(line: Line, column: int) -> str:
    """Write a cell of the table."""
    if column == TIME:
        return _moment(line).strftime("%H:%M:%S.%f")[:-3]
    if column == BOARD:
        return line.board
    if column == SEQ:
        return _MARKS.get(line.kind, str(line.seq))
    more = " …" if len(line.raw) > _MOST_SHOWN else ""
    shown = line.raw[:_MOST_SHOWN]
    return (visible_text(shown) if column == TEXT else hex_text(shown)) + more


def visible_text(raw: bytes) -> str:
    r"""Write bytes as text, control characters as their pictures, what is no text as its bytes.

    >>> visible_text(b"T=23.5\t\r"), visible_text(b"\xff ok")
    ('T=23.5␉␍', '\\xff ok')
    """
    return raw.decode("utf-8", "backslashreplace").translate(_PICTURES)


def hex_text(raw: bytes) -> str:
    """Write bytes as hex.

    >>> hex_text(b"T=2")
    '54 3D 32'
    """
    return raw.hex(" ").upper()


def _moment(line: Line) -> datetime:
    return datetime.fromtimestamp(line.arrived_ns // 1_000_000 / 1000)


def _file_text(line: Line, column: int) -> str:
    if column == TIME:
        return _moment(line).astimezone().isoformat(timespec="milliseconds")
    if column == TEXT:
        return visible_text(line.raw)
    return hex_text(line.raw) if column == HEX else cell_text(line, column)
