"""The line between a plot's bar and its curves: what is shown, what it is not, what was just marked."""

from collections.abc import Callable

from PyQt5.QtCore import Qt, QTimer
from PyQt5.QtGui import QResizeEvent
from PyQt5.QtWidgets import QHBoxLayout, QLabel, QPushButton, QWidget

from blitz.ui.theme import SPACE
from blitz.ui.widgets.elided import ElidedLabel

TOLD_MS = 30_000
"""So long stands what was just done."""
_HEIGHT = 28


class PlotStrip(QWidget):
    """Keeps its height with whatever it says, so that the picture below never jumps."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.badge = QLabel()
        self.badge.setProperty("kind", "badge")
        self.badge.hide()
        self.words = ElidedLabel()
        self.words.setProperty("kind", "muted")
        self.follow = QPushButton("&Follow")
        self.follow.setProperty("kind", "follow")
        self.follow.setToolTip("Return to the present, and move along with it (End or F)")
        self.follow.setFocusPolicy(Qt.TabFocus)
        self.follow.hide()
        self.told = ElidedLabel(least=120)
        self.told.hide()
        self.act = QPushButton()
        self.act.setProperty("kind", "small")
        self.act.hide()
        self.act.clicked.connect(self._run)
        self._action: Callable[[], object] | None = None
        self._end = QTimer(self)
        self._end.setSingleShot(True)
        self._end.setInterval(TOLD_MS)
        self._end.timeout.connect(self.forget)
        self.setFixedHeight(_HEIGHT)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 2)
        row.setSpacing(SPACE)
        row.addWidget(self.badge)
        row.addWidget(self.words)
        row.addWidget(self.follow)
        row.addStretch(1)
        row.addWidget(self.told)
        row.addWidget(self.act)

    @property
    def badge_text(self) -> str:
        """What the curves are not; empty where they are all that they seem."""
        return self.badge.text()

    def show_badge(self, text: str) -> None:
        """Say what the curves are not; an empty text says nothing."""
        if text != self.badge.text():
            self.badge.setText(text)
        self.badge.setVisible(bool(text))

    def show_words(self, text: str) -> None:
        """Say what is shown."""
        self.words.setText(text)
        self._make_room()

    def tell(self, text: str, label: str = "", action: Callable[[], object] | None = None) -> None:
        """Say for a while what was done.

        :param label: of a button beside it; a click on it ends the words.
        """
        self.told.setText(text)
        self.told.show()
        self._action = action
        self.act.setText(label)
        self.act.setVisible(action is not None)
        self._make_room()
        self._end.start()

    def forget(self) -> None:
        """Say no longer what was done."""
        self._end.stop()
        self._action = None
        self.told.hide()
        self.act.hide()
        self._make_room()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Let go of what has no room any more."""
        super().resizeEvent(event)
        self._make_room()

    def _make_room(self) -> None:
        """Leave out what is shown while what was done, which stands for a while, would be cut for it."""
        parts = (self.badge, self.words, self.follow, self.told, self.act)
        shown = [part for part in parts if part is self.words or not part.isHidden()]
        needed = sum(part.sizeHint().width() + SPACE for part in shown)
        self.words.setVisible(self.told.isHidden() or needed <= self.width())

    def _run(self) -> None:
        action = self._action
        self.forget()
        if action is not None:
            action()
