"""The pages of the window as tabs: some that are always there, and some that can be closed."""

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QPushButton, QTabBar, QTabWidget, QWidget

_LONGEST_TITLE = 28


class PageTabs(QTabWidget):
    """Pages that were opened get a cross, and are deleted when they are closed."""

    page_closed = pyqtSignal(object)
    """The page, which is about to be deleted"""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._opened: set[QWidget] = set()
        self.setDocumentMode(True)
        self.tabBar().setDrawBase(False)
        self.setFocusPolicy(Qt.StrongFocus)

    def open(self, page: QWidget, title: str) -> None:
        """Show a page in a tab of its own, which can be closed."""
        place = self.addTab(page, title if len(title) <= _LONGEST_TITLE else f"{title[: _LONGEST_TITLE - 1]}…")
        self._opened.add(page)
        self.setTabToolTip(place, title)
        button = QPushButton("×")
        button.setProperty("kind", "close")
        button.setToolTip(f"Close “{title}” (Ctrl+W)")
        button.setAccessibleName("Close")
        button.clicked.connect(lambda: self.close_page(page))
        self.tabBar().setTabButton(place, QTabBar.RightSide, button)
        self.setCurrentIndex(place)

    def close_page(self, page: QWidget | None) -> None:
        """Close a page that was opened; one that is always there stays."""
        if page in self._opened:
            self._opened.remove(page)
            self.removeTab(self.indexOf(page))
            self.page_closed.emit(page)
            page.deleteLater()

    def pages(self) -> list[QWidget]:
        """Return all pages, from left to right."""
        return [self.widget(place) for place in range(self.count())]
