"""The choice of how much of the live values the plot shows: the usual windows side by side, the others in a menu."""

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtGui import QKeySequence
from PyQt5.QtWidgets import QAction, QActionGroup, QButtonGroup, QHBoxLayout, QMenu, QPushButton, QWidget

from blitz.ui.theme import SPACE
from blitz.ui.widgets.segments import join_segments
from blitz.ui.windows import DEFAULT_WINDOW, USUAL_WINDOWS, PlotWindow


class WindowChoice(QWidget):
    """One is always chosen."""

    chosen = pyqtSignal(object)
    """PlotWindow, by a click"""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.window_shown = DEFAULT_WINDOW
        self.buttons: dict[PlotWindow, QPushButton] = {}
        self.actions_by_window: dict[PlotWindow, QAction] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self._group = QButtonGroup(self)
        for window in USUAL_WINDOWS:
            button = QPushButton(window.label)
            button.setCheckable(True)
            button.setToolTip(f"Show {window.words} ({window_key(window)})")
            button.clicked.connect(lambda _=False, chosen=window: self._choose(chosen))
            self._group.addButton(button)
            self.buttons[window] = button
        self._others = QActionGroup(self)
        menu = QMenu(self)
        for window in PlotWindow:
            if window not in USUAL_WINDOWS:
                menu.addAction(self._make_action(window))
        self.more = QPushButton()
        self.more.setCheckable(True)
        self.more.setAccessibleName("Other windows")
        self.more.setToolTip("Show another part: by count, an hour, or all there is")
        self.more.setMenu(menu)
        join_segments(row, [*self.buttons.values(), self.more])
        # All labels fit without the bar being moved about.
        widest = max(self.fontMetrics().horizontalAdvance(f"{window.label} ▾") for window in PlotWindow)
        self.more.setMinimumWidth(widest + 3 * SPACE)
        self.show_window(DEFAULT_WINDOW)

    def show_window(self, window: PlotWindow) -> None:
        """Show what is chosen."""
        self.window_shown = window
        is_usual = window in self.buttons
        self._group.setExclusive(False)
        for usual, button in self.buttons.items():
            button.setChecked(usual is window)
        self._group.setExclusive(is_usual)
        for other, action in self.actions_by_window.items():
            action.setChecked(other is window)
        self.more.setText(f"{'Other' if is_usual else window.label} ▾")
        self.more.setChecked(not is_usual)

    def _make_action(self, window: PlotWindow) -> QAction:
        words = window.words
        action = QAction(f"{words[0].upper()}{words[1:]}\t{window_key(window)}", self)
        action.setCheckable(True)
        action.triggered.connect(lambda _=False: self._choose(window))
        self._others.addAction(action)
        self.actions_by_window[window] = action
        return action

    def _choose(self, window: PlotWindow) -> None:
        self.show_window(window)
        self.chosen.emit(window)


def window_key(window: PlotWindow) -> str:
    """Return the shortcut of a window, as people read it."""
    return QKeySequence(f"Alt+{list(PlotWindow).index(window) + 1}").toString(QKeySequence.NativeText)
