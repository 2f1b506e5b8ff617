"""The table of keys: where, which, and what they do."""

from typing import Any

from PyQt5.QtCore import QModelIndex, QObject, Qt

from blitz.ui.models.columns import ColumnsModel
from blitz.ui.shortcuts import ShortcutLine, find_shortcuts

COLUMNS = ("Where", "Key", "What it does")


class ShortcutsModel(ColumnsModel):
    """One row a line that has the words that are looked for."""

    column_names = COLUMNS

    def __init__(self, lines: list[ShortcutLine], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._all = lines
        self.lines = lines
        """What the rows show."""

    def find(self, words: str) -> None:
        """Show the lines that have all of the words."""
        self.beginResetModel()
        self.lines = find_shortcuts(self._all, words)
        self.endResetModel()

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """One row a line."""
        return 0 if parent.isValid() else len(self.lines)

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Return what a cell shows; a place stands once above its lines."""
        if role != Qt.DisplayRole or not index.isValid() or index.row() >= len(self.lines):
            return None
        line = self.lines[index.row()]
        if index.column() == 0:
            is_first = index.row() == 0 or self.lines[index.row() - 1].place != line.place
            return line.place if is_first else ""
        return line.keys if index.column() == 1 else line.words
