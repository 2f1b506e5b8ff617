"""The table of caches."""

from typing import Any

from PyQt5.QtCore import QModelIndex, QObject, Qt
from PyQt5.QtGui import QFont

from blitz.data.cache_listing import ListedCache
from blitz.ui.formats import MISSING, format_bytes, format_count
from blitz.ui.models.columns import ColumnsModel

COLUMNS = ("Name", "Sessions", "Only here", "Size", "Server", "Where", "Description")
NAME, SESSIONS, ONLY_HERE, SIZE, SERVER, WHERE, DESCRIPTION = range(7)
_NUMBERS = (SESSIONS, ONLY_HERE, SIZE)


class CachesModel(ColumnsModel):
    """One row a cache, the named ones first."""

    column_names = COLUMNS
    number_columns = _NUMBERS

    def __init__(self, font: QFont, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.caches: tuple[ListedCache, ...] = ()
        self._used = ""
        self._number_font = font

    def show(self, caches: tuple[ListedCache, ...], used: str) -> None:
        """Take over the list.

        :param used: where the cache is that is in use.
        """
        self.beginResetModel()
        self.caches, self._used = caches, used
        self.endResetModel()

    def is_used(self, listed: ListedCache) -> bool:
        """Whether the window works with it now."""
        return bool(self._used) and str(listed.place.address) == self._used

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """One row a cache."""
        return 0 if parent.isValid() else len(self.caches)

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Return what a cell shows."""
        if not index.isValid() or index.row() >= len(self.caches):
            return None
        listed, column = self.caches[index.row()], index.column()
        if role == Qt.DisplayRole:
            return self._text(listed, column)
        if role == Qt.ToolTipRole:
            return listed.facts.problem or self._text(listed, column)
        if role == Qt.TextAlignmentRole and column in _NUMBERS:
            return int(Qt.AlignRight | Qt.AlignVCenter)
        if role == Qt.FontRole and column in _NUMBERS:
            return self._number_font
        return None

    def _text(self, listed: ListedCache, column: int) -> str:
        facts = listed.facts
        if column == NAME:
            used = ", in use" if self.is_used(listed) else ""
            return f"{listed.place.name or 'usual'}{used}"
        if column == WHERE:
            return str(listed.place)
        if column == DESCRIPTION:
            return facts.problem or listed.description
        if facts.problem:
            return MISSING
        if column == SESSIONS:
            return format_count(facts.sessions)
        if column == ONLY_HERE:
            return format_count(facts.only_here)
        if column == SIZE:
            return MISSING if facts.size_bytes is None else format_bytes(facts.size_bytes)
        return listed.server_words.partition("://")[2] or listed.server_words
