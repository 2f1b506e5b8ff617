"""What tables with fixed, named columns have in common: their heads."""

from collections.abc import Sequence
from typing import Any

from PyQt5.QtCore import QAbstractTableModel, QModelIndex, Qt


class ColumnsModel(QAbstractTableModel):
    """A table whose columns have names; numbers, and their names, stand on the right."""

    column_names: Sequence[str] = ()
    number_columns: Sequence[int] = ()

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """The named columns."""
        return 0 if parent.isValid() else len(self.column_names)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.DisplayRole) -> Any:
        """Return the name of a column."""
        if orientation != Qt.Horizontal or not 0 <= section < len(self.column_names):
            return None
        if role == Qt.DisplayRole:
            return self.column_names[section]
        if role == Qt.TextAlignmentRole:
            return int((Qt.AlignRight if section in self.number_columns else Qt.AlignLeft) | Qt.AlignVCenter)
        return None
