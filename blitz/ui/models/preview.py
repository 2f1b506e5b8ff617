"""The last messages of a board as a definition that is typed reads them: the newest on top, what is wrong marked."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from PyQt5.QtCore import QModelIndex, QObject, Qt
from PyQt5.QtGui import QColor, QFont

from blitz.data.board_definition import BoardDefinition
from blitz.data.records import BadFrameRecord
from blitz.ui.definition_preview import PreviewRow, shown_raw
from blitz.ui.models.columns import ColumnsModel
from blitz.ui.theme import LIGHT, Theme

TIME, MESSAGE, PROBLEM = range(3)
_FIRST_CHANNEL = 3


class PreviewModel(ColumnsModel):
    """One row a message or bad frame."""

    def __init__(self, font: QFont, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._font = font
        self._is_text = True
        self._rows: tuple[PreviewRow | BadFrameRecord, ...] = ()
        self.theme: Theme = LIGHT
        self._set_columns(())

    @property
    def has_problems(self) -> bool:
        """Whether anything shown is wrong."""
        return any(isinstance(row, BadFrameRecord) or _problem(row) for row in self._rows)

    @property
    def problem_count(self) -> int:
        """How many messages have no value, or not all."""
        return sum(1 for row in self._rows if isinstance(row, PreviewRow) and _problem(row))

    def show(
        self,
        definition: BoardDefinition | None,
        rows: Sequence[PreviewRow],
        bad: Sequence[BadFrameRecord],
        *,
        is_text: bool,
    ) -> None:
        """Show messages, oldest first, and frames that were none; they stand by their times."""
        titles = _titles(definition)
        both: list[PreviewRow | BadFrameRecord] = [*rows, *bad]
        both.sort(key=_time_ns)
        both.reverse()  # messages of one read have one time: the last of them is the newest
        if titles == tuple(self.column_names[_FIRST_CHANNEL:]) and len(both) == len(self._rows):
            self._rows, self._is_text = tuple(both), is_text
            if both:
                self.dataChanged.emit(self.index(0, 0), self.index(len(both) - 1, self.columnCount() - 1))
            return
        self.beginResetModel()
        self._set_columns(titles)
        self._rows, self._is_text = tuple(both), is_text
        self.endResetModel()

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """One row a message or bad frame."""
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Return what a cell shows; a tooltip says why a value is missing."""
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        row, column = self._rows[index.row()], index.column()
        if role == Qt.DisplayRole:
            return self._words(row, column)
        if role == Qt.ToolTipRole:
            return self._tooltip(row, column)
        if role == Qt.FontRole:
            return self._font if column != PROBLEM else None
        if role == Qt.TextAlignmentRole and column >= _FIRST_CHANNEL:
            return int(Qt.AlignRight | Qt.AlignVCenter)
        if role == Qt.BackgroundRole:
            return QColor(self.theme.error_back) if self._is_wrong(row, column) else None
        if role == Qt.ForegroundRole and column == PROBLEM:
            return QColor(self.theme.recording)
        return None

    def _set_columns(self, titles: tuple[str, ...]) -> None:
        self.column_names = ("Time", "Message", "Problem", *titles)
        self.number_columns = range(_FIRST_CHANNEL, _FIRST_CHANNEL + len(titles))

    def _words(self, row: PreviewRow | BadFrameRecord, column: int) -> str:
        if column == TIME:
            return datetime.fromtimestamp(_time_ns(row) / 1e9).astimezone().strftime("%H:%M:%S.%f")[:-3]
        if isinstance(row, BadFrameRecord):
            raw = shown_raw(bytes.fromhex(row.raw), is_text=self._is_text)
            return {MESSAGE: raw, PROBLEM: f"bad frame: {row.reason}"}.get(column, "")
        if column == MESSAGE:
            return shown_raw(row.message.raw, is_text=self._is_text)
        if column == PROBLEM:
            return _problem(row)
        place = column - _FIRST_CHANNEL
        return row.cells[place].text if place < len(row.cells) else ""

    def _tooltip(self, row: PreviewRow | BadFrameRecord, column: int) -> str:
        if column == MESSAGE:
            raw = bytes.fromhex(row.raw) if isinstance(row, BadFrameRecord) else row.message.raw
            return f"{shown_raw(raw, is_text=True)}\n{shown_raw(raw, is_text=False)}"
        place = column - _FIRST_CHANNEL
        if isinstance(row, PreviewRow) and 0 <= place < len(row.cells):
            return row.cells[place].fault
        return self._words(row, column)

    def _is_wrong(self, row: PreviewRow | BadFrameRecord, column: int) -> bool:
        if isinstance(row, BadFrameRecord) or row.fault:
            return True
        place = column - _FIRST_CHANNEL
        return 0 <= place < len(row.cells) and bool(row.cells[place].fault)


def _titles(definition: BoardDefinition | None) -> tuple[str, ...]:
    channels = definition.channels if definition else ()
    return tuple(f"{part.display_name} [{part.unit}]" if part.unit else part.display_name for part in channels)


def _time_ns(row: PreviewRow | BadFrameRecord) -> int:
    return row.time_ns if isinstance(row, BadFrameRecord) else row.message.arrived_ns


def _problem(row: PreviewRow | BadFrameRecord) -> str:
    if isinstance(row, BadFrameRecord) or row.fault:
        return row.fault if isinstance(row, PreviewRow) else row.reason
    faults = [cell.fault for cell in row.cells if cell.fault]
    return "; ".join(faults)
