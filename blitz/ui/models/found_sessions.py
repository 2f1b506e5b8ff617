"""The sessions that a search finds, in the order of a column."""

from datetime import date, datetime, timedelta
from enum import Enum
from typing import Any

from PyQt5.QtCore import QModelIndex, QSortFilterProxyModel, Qt

from blitz.data.session_search import SessionSearch
from blitz.ui.models.sessions import SessionsModel


class Period(Enum):
    """When a session began, by this computer's calendar: from how many days ago to how many days ago."""

    ANY = ("Any day", None, 0)
    TODAY = ("Today", 0, 0)
    YESTERDAY = ("Yesterday", 1, 1)
    WEEK = ("7 days", 6, 0)
    MONTH = ("31 days", 30, 0)

    def __init__(self, label: str, first_days_ago: int | None, last_days_ago: int) -> None:
        self.label = label
        self._first_days_ago = first_days_ago
        self._last_days_ago = last_days_ago

    def contains(self, day: date, today: date) -> bool:
        """Whether a day is in it.

        >>> [period.label for period in Period if period.contains(date(2026, 3, 1), date(2026, 3, 2))]
        ['Any day', 'Yesterday', '7 days', '31 days']
        """
        if self._first_days_ago is None:
            return True
        first, last = (today - timedelta(days) for days in (self._first_days_ago, self._last_days_ago))
        return first <= day <= last


class FoundSessions(QSortFilterProxyModel):
    """Between the list and its table; all are found where nothing is looked for."""

    _search = SessionSearch("")
    _found: frozenset[int] = frozenset()
    period = Period.ANY

    def show_period(self, period: Period) -> None:
        """Show only the sessions that began then."""
        self.period = period
        self.invalidateFilter()

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
        if self.period is not Period.ANY:
            day = record.started_at.astimezone().date()
            if not self.period.contains(day, datetime.now().astimezone().date()):
                return False
        return record.id in self._found or self._search.matches(record)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.DisplayRole) -> Any:
        """Return a column's title, with an arrow where it gives the order."""
        text = super().headerData(section, orientation, role)
        if role == Qt.DisplayRole and orientation == Qt.Horizontal and section == self.sortColumn():
            return f"{text} {'▴' if self.sortOrder() == Qt.AscendingOrder else '▾'}"
        return text
