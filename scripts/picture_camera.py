"""Takes pictures of a window with all that floats over it: dialogs, lists that drop down, tooltips."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PyQt5.QtCore import QPoint, QRect, Qt
from PyQt5.QtGui import QColor, QPainter, QPixmap
from PyQt5.QtWidgets import QApplication, QDialog, QWidget

from blitz.ui.main_window import MainWindow
from blitz.ui.theme import ThemeChoice

_TITLE_PX = 30
_SETTLE_S = 0.5


@dataclass(frozen=True)
class Look:
    """A size and a theme."""

    width: int
    height: int
    theme: ThemeChoice

    @property
    def words(self) -> str:
        """What stands in a file's name."""
        return f"{self.width}_{self.theme.name.lower()}"


class Camera:
    """Takes each state in every look.

    :param looks: with one only, files bear the name of the state alone.
    """

    def __init__(self, application: QApplication, window: MainWindow, folder: Path, looks: list[Look]) -> None:
        self._application = application
        self._window = window
        self._folder = folder
        self._looks = looks

    def dress(self, look: Look) -> None:
        """Give the window a size and a theme."""
        if self._window.appearance.choice is not look.theme:
            self._window.choose_theme(look.theme)
        self._window.resize(look.width, look.height)

    def take(
        self, name: str, before: Callable[[], object] | None = None, after: Callable[[], object] | None = None
    ) -> None:
        """Take a state.

        :param before: brings it about, after each change of size and theme.
        :param after: undoes that.
        """
        for look in self._looks:
            self.dress(look)
            self.run_for(_SETTLE_S)
            if before is not None:
                before()
                self.run_for(0.1)
            path = self._folder / (f"{name}.png" if len(self._looks) == 1 else f"{name}_{look.words}.png")
            self._compose().save(str(path))
            print(path, flush=True)
            if after is not None:
                after()
        if len(self._looks) > 1:
            self.dress(self._looks[0])

    def run_for(self, seconds: float) -> None:
        """Let the window live."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self._application.processEvents()
            time.sleep(0.005)

    def _compose(self) -> QPixmap:
        picture = self._window.grab()
        painter = QPainter(picture)
        for part in self._floating():
            grabbed = part.grab()
            if isinstance(part, QDialog):
                place = QPoint(
                    (self._window.width() - part.width()) // 2,
                    max((self._window.height() - part.height() + _TITLE_PX) // 2, _TITLE_PX),
                )
                self._frame(painter, part, QRect(place, part.size()))
            else:
                place = part.pos() - self._window.pos()
            painter.drawPixmap(place, grabbed)
        painter.end()
        return picture

    def _floating(self) -> Iterator[QWidget]:
        for part in sorted(self._application.topLevelWidgets(), key=_depth):
            if part.isVisible() and part is not self._window and part.width() > 1:
                yield part

    def _frame(self, painter: QPainter, dialog: QWidget, place: QRect) -> None:
        """Draw what a window manager would: a bar with the title, an edge."""
        theme = self._window.appearance.theme
        outer = place.adjusted(-1, -_TITLE_PX, 0, 0)
        painter.fillRect(outer, QColor(theme.raised))
        painter.setPen(QColor(theme.muted))
        painter.drawRect(outer)
        painter.setPen(QColor(theme.text))
        painter.drawText(
            QRect(outer.left(), outer.top(), outer.width(), _TITLE_PX), Qt.AlignCenter, dialog.windowTitle()
        )


def _depth(part: QWidget) -> int:
    """Return how many windows a window stands upon: those it came from lie below it."""
    parent = part.parentWidget()
    return 0 if parent is None else 1 + _depth(parent)
