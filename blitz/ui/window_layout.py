"""Where everything stood when the window was closed: its place, the side panel, the tab shown, tables' columns."""

from collections.abc import Mapping

from PyQt5.QtCore import QByteArray
from PyQt5.QtWidgets import QSplitter, QTableView, QWidget

from blitz.ui.page_tabs import PageTabs
from blitz.ui.preferences import Preferences


class WindowLayout:
    """Restores and remembers; what cannot be restored is left as it is.

    :param tables: by a name that does not change; a table that got another number of columns begins anew.
    """

    def __init__(
        self,
        preferences: Preferences,
        window: QWidget,
        tabs: PageTabs,
        splitter: QSplitter,
        tables: Mapping[str, QTableView],
    ) -> None:
        self._preferences = preferences
        self._window = window
        self._tabs = tabs
        self._splitter = splitter
        self._tables = tables

    def restore(self) -> None:
        """Put everything back to its place."""
        place = self._preferences.place
        if (geometry := place("window")) is not None:
            self._window.restoreGeometry(geometry)
        if (side := place("live_side")) is not None:
            self._splitter.restoreState(side)
        for name, table in self._tables.items():
            if (columns := place(_columns_key(name, table))) is not None:
                table.horizontalHeader().restoreState(columns)
        if (shown := place("tab")) is not None:
            title = bytes(shown).decode()
            titles = [self._tabs.tabText(index) for index in range(self._tabs.count())]
            if title in titles:
                self._tabs.setCurrentIndex(titles.index(title))

    def remember(self) -> None:
        """Keep where everything is."""
        keep = self._preferences.remember_place
        keep("window", self._window.saveGeometry())
        keep("live_side", self._splitter.saveState())
        for name, table in self._tables.items():
            keep(_columns_key(name, table), table.horizontalHeader().saveState())
        keep("tab", QByteArray(self._tabs.tabText(self._tabs.currentIndex()).encode()))


def _columns_key(name: str, table: QTableView) -> str:
    return f"columns/{name}/{table.model().columnCount()}"
