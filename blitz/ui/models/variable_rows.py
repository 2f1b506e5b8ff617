"""The rows of the table of variables: a head above each board's channels where there are several boards, and a filter.

Shows another model's channels and changes nothing of them.
"""

from typing import Any

from PyQt5.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt
from PyQt5.QtGui import QColor, QFont

from blitz.data.records import Source
from blitz.ui.models.variables import CHANNEL, COLUMNS, LIMITS, LOOK_ROLE, TREND, CellLook, VariablesModel

GROUP_ROLE = int(Qt.UserRole) + 2
"""True for the head of a board."""


class VariableRows(QAbstractTableModel):
    """Each row is a channel of a :class:`VariablesModel`, or the head of a board."""

    def __init__(self, variables: VariablesModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._variables = variables
        self._words: tuple[str, ...] = ()
        self._rows: list[int | Source] = []
        self.is_narrow = False
        """Whether limits are told by their sign alone, and heads without room are left out."""
        variables.modelAboutToBeReset.connect(self.beginResetModel)
        variables.modelReset.connect(self._end_reset)
        variables.dataChanged.connect(self._pass_on)
        self._choose()

    @property
    def heads(self) -> list[int]:
        """The rows that are heads of boards."""
        return [row for row, what in enumerate(self._rows) if isinstance(what, Source)]

    def filter(self, text: str) -> None:
        """Show the channels only whose name, unit or board has all these words."""
        self.beginResetModel()
        self._words = tuple(text.casefold().split())
        self._choose()
        self.endResetModel()

    def row_of(self, source: str, column: int) -> int | None:
        """Return in which row a board's channel stands; None where it is not shown."""
        channels = self._variables.channels
        for row, what in enumerate(self._rows):
            if isinstance(what, int) and (channels[what].source.name, channels[what].column) == (source, column):
                return row
        return None

    def origin(self, index: QModelIndex) -> QModelIndex:
        """Return where a cell stands in the model of variables; not valid for a head."""
        what = self._rows[index.row()] if index.isValid() and index.row() < len(self._rows) else None
        return self._variables.index(what, index.column()) if isinstance(what, int) else QModelIndex()

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """Channels and heads."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        """The columns of variables."""
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.DisplayRole) -> Any:
        """Return what the model of variables says of a column."""
        if self.is_narrow and section in (LIMITS, TREND) and role == Qt.DisplayRole:
            return ""
        return self._variables.headerData(section, orientation, role)

    def flags(self, index: QModelIndex) -> Qt.ItemFlags:
        """A head cannot be chosen."""
        origin = self.origin(index)
        return self._variables.flags(origin) if origin.isValid() else Qt.ItemFlags(Qt.ItemIsEnabled)

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Return what a cell shows."""
        if role == LOOK_ROLE and index.isValid() and index.row() < len(self._rows):
            return self._look(self._rows[index.row()], index.column())
        origin = self.origin(index)
        if origin.isValid():
            value = self._variables.data(origin, role)
            return value[:1] if self.is_narrow and role == Qt.DisplayRole and index.column() == LIMITS else value
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        source = self._rows[index.row()]
        return self._head(source, role) if isinstance(source, Source) and index.column() == CHANNEL else None

    def setData(self, index: QModelIndex, value: Any, role: int = Qt.EditRole) -> bool:
        """Change the channel."""
        origin = self.origin(index)
        return origin.isValid() and self._variables.setData(origin, value, role)

    def _look(self, what: int | Source, column: int) -> CellLook:
        if isinstance(what, int):
            look = self._variables.look(what, column)
            return look._replace(text=look.text[:1]) if self.is_narrow and column == LIMITS else look
        return CellLook(self._head(what, Qt.DisplayRole), self._head(what, Qt.ForegroundRole), is_head=True)

    def _head(self, source: Source, role: int) -> Any:
        if role == GROUP_ROLE:
            return True
        if role in (Qt.DisplayRole, Qt.ToolTipRole):
            kind = f"  ·  {source.definition.name}" if source.definition is not None else ""
            return f"{source.name}{kind}"
        if role == Qt.FontRole:
            font = QFont()
            font.setBold(True)
            return font
        return QColor(self._variables.theme.muted) if role == Qt.ForegroundRole else None

    def _choose(self) -> None:
        self._rows = []
        channels = self._variables.channels
        has_heads = len({row.source.name for row in channels}) > 1
        before = None
        for place, row in enumerate(channels):
            text = f"{row.label} {row.channel.name} {row.channel.unit} {row.source.name}".casefold()
            if not all(word in text for word in self._words):
                continue
            if has_heads and row.source.name != before:
                self._rows.append(row.source)
                before = row.source.name
            self._rows.append(place)

    def _end_reset(self) -> None:
        self._choose()
        self.endResetModel()

    def _pass_on(self, first: QModelIndex, last: QModelIndex, roles: list[int]) -> None:
        if self._rows:
            here, there = self.index(0, first.column()), self.index(len(self._rows) - 1, last.column())
            self.dataChanged.emit(here, there, roles)
