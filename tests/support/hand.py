"""The hand of somebody who sees the window for the first time: it finds things by their words, and counts what it does.

Clicks and keys go to the window under the pointer, or to the one that has the keyboard, as from the platform; they are
counted where they arrive. Seconds are those of the keystroke-level model (Card, Moran and Newell, 1980) and the time
for which the program was waited for.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from PyQt5.QtCore import QEvent, QModelIndex, QObject, QPoint, Qt
from PyQt5.QtGui import QGuiApplication, QWindow
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QApplication,
    QComboBox,
    QLabel,
    QTabBar,
    QTableView,
    QWidget,
)

KEY_S, POINT_S, CLICK_S, HOMING_S, THOUGHT_S = 0.28, 1.1, 0.1, 0.4, 1.35


_Kind = TypeVar("_Kind", bound=QWidget)


@dataclass
class Effort:
    """What a task took."""

    clicks: int = 0
    keys: int = 0
    homings: int = 0
    """From the mouse to the keyboard, and back."""
    thoughts: int = 0
    waited_s: float = 0.0

    @property
    def seconds(self) -> float:
        """How long it takes somebody who knows the way; each click has its pointing."""
        by_mouse = self.clicks * (POINT_S + CLICK_S)
        return by_mouse + self.keys * KEY_S + self.homings * HOMING_S + self.thoughts * THOUGHT_S + self.waited_s


class Hand(QObject):
    """One hand, which begins at the mouse.

    :param wait: processes events until something is so.
    """

    def __init__(self, application: QApplication, wait: Callable[[Callable[[], object]], None]) -> None:
        super().__init__()
        self._wait = wait
        self._application = application
        self._is_typing = False
        self.effort = Effort()
        application.installEventFilter(self)

    def leave(self) -> None:
        """Count nothing any more."""
        self._application.removeEventFilter(self)

    def begin(self) -> None:
        """Count from here on."""
        self.effort, self._is_typing = Effort(), False

    def eventFilter(self, receiver: QObject | None, event: QEvent | None) -> bool:
        """Count what comes to windows: widgets get each event again, some several times."""
        if event is not None and isinstance(receiver, QWindow):
            self.effort.clicks += event.type() in (QEvent.MouseButtonPress, QEvent.MouseButtonDblClick)
            self.effort.keys += event.type() == QEvent.KeyPress
        return False

    def wait(self, is_so: Callable[[], object]) -> None:
        """Wait for the program."""
        began_s = time.monotonic()
        self._wait(is_so)
        self.effort.waited_s += time.monotonic() - began_s

    # ---- the mouse --------------------------------------------------------------------------------------------

    def tab(self, words: str) -> None:
        """Click the tab with these words."""
        for bar in self._seen(QTabBar):
            for place in range(bar.count()):
                if _plain(bar.tabText(place)) == words:
                    self.click(bar, bar.tabRect(place).center())
                    return
        raise AssertionError(f"no tab {words!r} is to be seen")

    def press(self, words: str) -> None:
        """Click the button with these words, when it can be."""
        self.wait(lambda: any(_plain(button.text()) == words for button in self._seen(QAbstractButton)))
        button = next(button for button in self._seen(QAbstractButton) if _plain(button.text()) == words)
        self.wait(button.isEnabled)
        self.click(button, button.rect().center())

    def field(self, words: str) -> None:
        """Click the field that these words stand beside."""
        buddy = self._beside(words)
        self.click(buddy, buddy.rect().center())

    def choose(self, label: str, words: str) -> None:
        """Open the box beside a label, and click one of what it offers."""
        box = self._beside(label)
        assert isinstance(box, QComboBox)
        self.field(label)
        self.wait(lambda: QApplication.activePopupWidget() is not None)
        self._click_entry(box.view(), words, Qt.NoModifier)
        self.wait(lambda: QApplication.activePopupWidget() is None)

    def row(self, words: str, modifier: Qt.KeyboardModifier = Qt.NoModifier) -> None:
        """Click the row of a list or a table in which these words are."""
        self.wait(lambda: any(_place(view, words) is not None for view in self._seen(QAbstractItemView)))
        view = next(view for view in self._seen(QAbstractItemView) if _place(view, words) is not None)
        if modifier == Qt.ControlModifier:
            self.key(Qt.Key_Control)
            self._is_typing = False  # the other hand
        self._click_entry(view, words, modifier)

    def click(self, widget: QWidget, place: QPoint, modifier: Qt.KeyboardModifier = Qt.NoModifier) -> None:
        """Think, point, and click what is there, whatever it is."""
        self._home(is_typing=False)
        self.effort.thoughts += 1
        window = widget.window().windowHandle()
        within = widget.mapTo(widget.window(), place)
        assert window.isExposed()
        QTest.mouseMove(window, within)
        QTest.mouseClick(window, Qt.LeftButton, modifier, within)

    # ---- the keyboard -----------------------------------------------------------------------------------------

    def write(self, text: str) -> None:
        """Think, and type into what has the keyboard."""
        self.effort.thoughts += 1
        for letter in text:
            self.key(letter)

    def key(self, key: Qt.Key | str) -> None:
        """Press one key."""
        self._home(is_typing=True)
        QTest.keyPress(QGuiApplication.focusWindow(), key)
        if (window := QGuiApplication.focusWindow()) is not None:  # another one, where the key closed a dialog
            QTest.keyRelease(window, key)

    # ---- what is to be seen -----------------------------------------------------------------------------------

    def _home(self, *, is_typing: bool) -> None:
        self.effort.homings += self._is_typing != is_typing
        self._is_typing = is_typing

    def _seen(self, kind: type[_Kind]) -> list[_Kind]:
        """Return what is to be seen in the window that has the keyboard."""
        window = QApplication.activeWindow()
        return [] if window is None else [widget for widget in window.findChildren(kind) if widget.isVisible()]

    def _beside(self, words: str) -> QWidget:
        label = next(label for label in self._seen(QLabel) if _plain(label.text()) == words and label.buddy())
        return label.buddy()

    def _click_entry(self, view: QAbstractItemView, words: str, modifier: Qt.KeyboardModifier) -> None:
        index = _place(view, words)
        assert index is not None, f"no entry {words!r}"
        self.click(view.viewport(), view.visualRect(index).center(), modifier)


def _plain(words: str) -> str:
    return words.replace("&", "")


def _place(view: QAbstractItemView, words: str) -> QModelIndex | None:
    """Return where in a list or table these words stand, as somebody sees them."""
    model = view.model()
    columns = model.columnCount() if isinstance(view, QTableView) else 1
    for row in range(model.rowCount()):
        for index in (model.index(row, column) for column in range(columns)):
            if index.data() == words and view.viewport().rect().contains(view.visualRect(index).center()):
                return index
    return None
