"""The sessions that a search finds, in the order of a column."""

from typing import Any

from PyQt5.QtCore import QModelIndex, QSortFilterProxyModel, Qt

from blitz.data.session_search import SessionSearch
from blitz.ui.models.sessions import SessionsModel


class FoundSessions(QSortFilterProxyModel):
    """Between the list and its table; all are found where nothing is looked for."""

    _search = SessionSearch("")
    _found: frozenset[int] = frozenset()

    def search_for(self, text: str) -> None:
        """Show only the sessions that a search finds in what the list knows of them."""
        self._search, self._found = SessionSearch(text), frozenset()
        self.invalidateFilter()

    def take_found(self, session_ids: frozenset[int]) -> None:
        """Show those, too, that were found in what the list does not know, such as markers."""
        self._found = session_ids
        self.invalidateFilter()

    def filterAcceptsRow(self, row: int, parent: QModelIndex) -> bool:
        """Whether a session is shown."""
        model = self.sourceModel()
        assert isinstance(model, SessionsModel)
        record = model.record(row)
        return record.id in self._found or self._search.matches(record)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.DisplayRole) -> Any:
        """Return a column's title, with an arrow where it gives the order."""
        text = super().headerData(section, orientation, role)
        if role == Qt.DisplayRole and orientation == Qt.Horizontal and section == self.sortColumn():
            return f"{text} {'▴' if self.sortOrder() == Qt.AscendingOrder else '▾'}"
        return text
