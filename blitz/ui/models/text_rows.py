"""A table of texts that are computed elsewhere."""

from collections.abc import Sequence
from typing import Any

from PyQt5.QtCore import QModelIndex, QObject, Qt
from PyQt5.QtGui import QFont

from blitz.ui.models.columns import ColumnsModel


class TextRows(ColumnsModel):
    """Shows rows as they are given.

    :param names: of the columns.
    :param numbers: the columns that stand on the right.
    :param tips: what the heads of columns mean, by column.
    """

    def __init__(
        self,
        names: Sequence[str],
        numbers: Sequence[int],
        tips: dict[int, str] | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.column_names, self.number_columns = names, numbers
        self._tips = tips or {}
        self.rows: tuple[tuple[str, ...], ...] = ()
        self.number_font: QFont | None = None

    @property
    def text(self) -> str:
        """All of it with the heads, cells parted by tabs, as spreadsheets take it."""
        return "\n".join("\t".join(row) for row in (tuple(self.column_names), *self.rows))

    def show(self, rows: Sequence[tuple[str, ...]]) -> None:
        """Take over the rows; those that are selected stay so where there are as many as before."""
        if len(rows) == len(self.rows):
            self.rows = tuple(rows)
            if rows:
                self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(self.column_names) - 1))
            return
        self.beginResetModel()
        self.rows = tuple(rows)
        self.endResetModel()

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """As many as were given."""
        return 0 if parent.isValid() else len(self.rows)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.DisplayRole) -> Any:
        """Return the name of a column, what it means as tooltip."""
        if role == Qt.ToolTipRole and orientation == Qt.Horizontal:
            return self._tips.get(section)
        return super().headerData(section, orientation, role)

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Return what a cell shows."""
        if not index.isValid() or index.row() >= len(self.rows):
            return None
        if role in (Qt.DisplayRole, Qt.ToolTipRole):
            return self.rows[index.row()][index.column()]
        if index.column() in self.number_columns:
            if role == Qt.TextAlignmentRole:
                return int(Qt.AlignRight | Qt.AlignVCenter)
            if role == Qt.FontRole:
                return self.number_font
        return None
