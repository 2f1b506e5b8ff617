"""One page on the whole screen: everything around it is hidden, except notices, and comes back with Esc."""

from PyQt5.QtCore import QEvent, QObject, Qt, pyqtSignal
from PyQt5.QtWidgets import QMainWindow, QShortcut, QTabWidget, QWidget

_ANY_HEIGHT = (1 << 24) - 1
"""Qt's QWIDGETSIZE_MAX."""


class FullScreen(QObject):
    """Hides the menu bar, the tabs' bar and widgets, while a page has the screen; another page ends it.

    :param around: what is hidden besides.
    """

    changed = pyqtSignal(bool)

    def __init__(self, window: QMainWindow, tabs: QTabWidget, page: QWidget, around: tuple[QWidget, ...]) -> None:
        super().__init__(window)
        self._window = window
        self._tabs = tabs
        self._page = page
        self._around = around
        self._hidden: list[QWidget] = []
        self.is_on = False
        self._escape = QShortcut(Qt.Key_Escape, window)
        self._escape.setEnabled(False)
        self._escape.activated.connect(self.leave)
        tabs.currentChanged.connect(self._take_page)
        window.installEventFilter(self)

    def toggle(self) -> None:
        """Show the page on the whole screen, or the window as it was."""
        if self.is_on:
            self.leave()
        else:
            self.enter()

    def enter(self) -> None:
        """Show the page on the whole screen."""
        if self.is_on:
            return
        self._tabs.setCurrentWidget(self._page)
        self._hidden = [widget for widget in (*self._around, self._tabs.tabBar()) if not widget.isHidden()]
        for widget in self._hidden:
            widget.hide()
        # Hidden, it would take the shortcuts of its menus along.
        self._window.menuBar().setMaximumHeight(0)
        self._show(is_on=True)

    def leave(self) -> None:
        """Show the window as it was."""
        if not self.is_on:
            return
        for widget in self._hidden:
            widget.show()
        self._window.menuBar().setMaximumHeight(_ANY_HEIGHT)
        self._show(is_on=False)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """A window that closes must not come back without its bars."""
        if event.type() == QEvent.Close:
            self.leave()
        return super().eventFilter(watched, event)

    def _show(self, *, is_on: bool) -> None:
        self.is_on = is_on
        self._escape.setEnabled(is_on)
        self._window.setWindowState(self._window.windowState() ^ Qt.WindowFullScreen)
        self._page.setFocus()
        self.changed.emit(is_on)

    def _take_page(self) -> None:
        if self._tabs.currentWidget() is not self._page:
            self.leave()
