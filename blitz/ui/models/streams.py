"""The table of the server's streams, with what becomes of them in this window."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PyQt5.QtCore import QModelIndex, QObject, Qt
from PyQt5.QtGui import QFont

from blitz.data.records import BoardRecord
from blitz.data.source_config import STREAM
from blitz.data.stream_records import StreamRecord
from blitz.ui.formats import MISSING, format_age
from blitz.ui.models.columns import ColumnsModel

COLUMNS = ("Stream", "Newest value", "Age", "Points", "Shown")
NAME, VALUE, AGE, POINTS, SHOWN = range(len(COLUMNS))
NOT_SHOWN, SHOWN_ONLY, RECORDED = "not shown", "shown only", "shown and recorded"
_LONGEST = 60


@dataclass(frozen=True)
class StreamView:
    """A stream and the value of its newest point."""

    record: StreamRecord
    newest: Any = None

    @property
    def name(self) -> str:
        """What it is found by."""
        return self.record.name

    @property
    def link(self) -> str:
        """The link of a source that it is."""
        return STREAM + self.record.name


class StreamsModel(ColumnsModel):
    """One row a stream; those that are not shown come first."""

    column_names = COLUMNS
    number_columns = (VALUE, AGE, POINTS)

    def __init__(self, font: QFont, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._font = font
        self._listed: tuple[StreamView, ...] = ()
        self._boards: dict[str, BoardRecord] = {}
        self.streams: list[StreamView] = []

    def show(self, streams: tuple[StreamView, ...]) -> None:
        """Take over what the server has."""
        self._listed = streams
        self._sort()

    def show_boards(self, boards: Sequence[BoardRecord]) -> None:
        """Take over which of them are sources."""
        self._boards = {board.link: board for board in boards if board.link.startswith(STREAM)}
        self._sort()

    def board(self, stream: StreamView) -> BoardRecord | None:
        """Return the source that a stream is; None if it is not shown."""
        return self._boards.get(stream.link)

    def row_of(self, name: str) -> int | None:
        """Return where a stream stands."""
        return next((row for row, stream in enumerate(self.streams) if stream.name == name), None)

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """One row a stream."""
        return 0 if parent.isValid() else len(self.streams)

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Return what a cell shows."""
        if not index.isValid() or index.row() >= len(self.streams):
            return None
        stream, column = self.streams[index.row()], index.column()
        if role == Qt.DisplayRole:
            return self._text(stream, column)
        if role == Qt.ToolTipRole:
            about = [stream.record.description] if column == NAME and stream.record.description else []
            return "\n".join([value_words(stream, 1000) if column == VALUE else self._text(stream, column), *about])
        if role == Qt.TextAlignmentRole and column in self.number_columns:
            return int(Qt.AlignRight | Qt.AlignVCenter)
        return self._font if role == Qt.FontRole and column in self.number_columns else None

    def _sort(self) -> None:
        order = sorted(self._listed, key=lambda stream: (stream.link in self._boards, stream.name))
        is_same = [stream.name for stream in order] == [stream.name for stream in self.streams]
        if not is_same:
            self.beginResetModel()
        self.streams = order
        if not is_same:
            self.endResetModel()
        elif order:
            self.dataChanged.emit(self.index(0, 0), self.index(len(order) - 1, len(COLUMNS) - 1))

    def _text(self, stream: StreamView, column: int) -> str:
        record = stream.record
        if column == NAME:
            return f"{record.nickname} ({record.name})" if record.nickname else record.name
        if column == VALUE:
            return value_words(stream)
        if column == AGE:
            return MISSING if record.newest_t is None else format_age(max(time.time() - record.newest_t, 0.0))
        if column == POINTS:
            return str(record.point_count)
        board = self.board(stream)
        if board is None:
            return NOT_SHOWN
        name = "" if board.name == stream.name else f" as {board.name}"
        return (RECORDED if board.is_recorded else SHOWN_ONLY) + name


def value_words(stream: StreamView, most: int = _LONGEST) -> str:
    """Write the newest value of a stream, with its unit where it is a number.

    >>> from datetime import UTC, datetime
    >>> record = StreamRecord(id=1, name="room", unit="°C", created_at=datetime.now(UTC), point_count=1)
    >>> value_words(StreamView(record, 21.5)), value_words(StreamView(record, {"open": True}))
    ('21.5 °C', '{"open": true}')
    """
    if not stream.record.point_count:
        return MISSING
    value = stream.newest
    words = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if isinstance(value, int | float) and not isinstance(value, bool):
        words = f"{value:g} {stream.record.unit}".strip()
    return words if len(words) <= most else words[: most - 1] + "…"
