"""A strip below the slider of a playback: when in the session alarms would have been raised."""

import numpy as np
from numpy.typing import NDArray
from PyQt5.QtCore import QEvent, QRectF, QSize, Qt, pyqtSignal
from PyQt5.QtGui import QColor, QHelpEvent, QMouseEvent, QPainter, QPaintEvent
from PyQt5.QtWidgets import QSizePolicy, QStyle, QToolTip, QWidget

from blitz.data.alarm_rule import Severity
from blitz.ui.models.alarms import severity_colour
from blitz.ui.played_alarms import PlayedAlarms
from blitz.ui.theme import LIGHT, Theme

_HEIGHT = 6
_NEAR_PIXELS = 3
_RANKS = (Severity.INFO, Severity.WARNING, Severity.CRITICAL)
"""What matters most is painted last."""


class AlarmStrip(QWidget):
    """As long as the slider above it; hidden where there is nothing to show."""

    chosen = pyqtSignal(object)
    """int, a time that was clicked, nanoseconds since the Unix epoch"""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._played: PlayedAlarms | None = None
        self._first_ns, self._last_ns = 0, 1
        self._theme = LIGHT
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
        self.setAccessibleName("Alarms in the session")
        self.hide()

    def show_played(self, played: PlayedAlarms | None, first_ns: int = 0, last_ns: int = 1) -> None:
        """Show the alarms of a session from its first to its last message; None: none."""
        self._played, self._first_ns, self._last_ns = played, first_ns, max(last_ns, first_ns + 1)
        self.setVisible(played is not None and played.course.count > 0)
        self.update()

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self._theme = theme
        self.update()

    def columns(self, severity: Severity) -> list[tuple[int, int]]:
        """Return which pixels stand for alarms of a severity: first and last column, joined where they touch."""
        if self._played is None:
            return []
        course = self._played.course
        places = [n for n, span in enumerate(course.spans) if course.rules[span.rule_id].severity is severity]
        lefts = self._pixels(course.begins[places])
        rights = np.maximum(self._pixels(np.minimum(course.ends[places], self._last_ns)), lefts)
        joined: list[tuple[int, int]] = []
        for left, right in zip(lefts.tolist(), rights.tolist(), strict=True):
            if joined and left <= joined[-1][1] + 1:
                joined[-1] = joined[-1][0], max(right, joined[-1][1])
            else:
                joined.append((left, right))
        return joined

    def sizeHint(self) -> QSize:
        """A thin line."""
        return QSize(80, _HEIGHT)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the alarms."""
        painter = QPainter(self)
        for severity in _RANKS:
            colour = QColor(severity_colour(severity, self._theme))
            for left, right in self.columns(severity):
                painter.fillRect(QRectF(left - 1, 0, right - left + 2, self.height()), colour)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go to what was clicked."""
        if event.button() == Qt.LeftButton:
            self.chosen.emit(self._time(event.x()))

    def event(self, event: QEvent) -> bool:
        """Say which alarms there are below the mouse."""
        if event.type() == QEvent.ToolTip and isinstance(event, QHelpEvent) and self._played is not None:
            low_ns, high_ns = self._time(event.x() - _NEAR_PIXELS), self._time(event.x() + _NEAR_PIXELS)
            words = self._played.words_between(low_ns, high_ns)
            QToolTip.showText(event.globalPos(), words, self) if words else QToolTip.hideText()
            return True
        return super().event(event)

    def _margin(self) -> int:
        """The slider's handle is as wide: its middle does not reach the edges."""
        return self.style().pixelMetric(QStyle.PM_SliderLength) // 2

    def _pixels(self, time_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        shares = np.clip((time_ns - self._first_ns) / (self._last_ns - self._first_ns), 0.0, 1.0)
        return np.rint(self._margin() + shares * (self.width() - 2 * self._margin())).astype(np.int64)

    def _time(self, x: int) -> int:
        share = (x - self._margin()) / max(1, self.width() - 2 * self._margin())
        return self._first_ns + round(min(max(share, 0.0), 1.0) * (self._last_ns - self._first_ns))
