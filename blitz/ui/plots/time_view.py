"""A stretch of time that is moved and zoomed: the part of a plot that knows nothing of curves."""

import math
import time

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QWidget

from blitz.ui.plots.span import TimeLimits


class TimeView(QWidget):
    """Times are seconds since the Unix epoch."""

    moved = pyqtSignal(float, float)
    """Times of the left and right edge, whoever chose them."""
    range_chosen = pyqtSignal(float, float)
    """The operator moved or zoomed in time; that is shown already."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._times = (time.time() - 30, time.time())
        self._limits = TimeLimits()

    @property
    def time_range(self) -> tuple[float, float]:
        """Times of the left and right edge."""
        return self._times

    def show_times(self, low: float, high: float) -> None:
        """Show the times from low to high, as far as :meth:`limit_times` lets them."""
        times = self._limits.fit(low, high)
        if times == self._times or not math.isfinite(high - low):
            return
        self._times = times
        self.update()
        self.moved.emit(*times)

    def limit_times(self, low: float, high: float, least_s: float = 1e-3) -> None:
        """Set how far may be moved and zoomed.

        :param least_s: no less time than this is shown.
        """
        self._limits = TimeLimits(low, high, least_s)
        self.show_times(*self._times)

    def choose_times(self, low: float, high: float) -> None:
        """Show times as the operator wishes, and tell of it."""
        before = self._times
        self.show_times(low, high)
        if self._times != before:
            self.range_chosen.emit(*self._times)

    def zoom(self, factor: float, around: float | None = None) -> None:
        """Show ``factor`` times as much time; what is at ``around`` (the middle) stays where it is."""
        low, high = self._times
        fixed = (low + high) / 2 if around is None else around
        self.choose_times(fixed - (fixed - low) * factor, fixed + (high - fixed) * factor)

    def shift(self, share: float) -> None:
        """Move by a share of what is shown."""
        low, high = self._times
        self.choose_times(low + (high - low) * share, high + (high - low) * share)
