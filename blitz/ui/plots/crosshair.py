"""A time that the operator points at, with the mouse or by keys, and what the channels were then."""

from collections.abc import Callable, Iterable

from PyQt5.QtCore import QObject, pyqtSignal

from blitz.data.boards import Channel
from blitz.ui.formats import MISSING, fitting_decimals, format_value
from blitz.ui.lines import Series
from blitz.ui.plots.panels import PlotPanels
from blitz.ui.readings_at import ChannelExtremes, next_time, previous_time


class Crosshair(QObject):
    """Belongs to one plot: a line over all its panels."""

    moved = pyqtSignal()
    """It is at another time, or nowhere."""

    def __init__(self, plot: PlotPanels) -> None:
        super().__init__(plot)
        self._plot = plot
        self.at_s: float | None = None
        """Where it is, in seconds since the Unix epoch; None: nowhere."""
        plot.hovered.connect(self.point_at)

    def point_at(self, at_s: float | None) -> None:
        """Move it."""
        if at_s != self.at_s:
            self.at_s = at_s
            self._plot.show_cursor(at_s)
            self.moved.emit()

    def step(self, direction: int, around: Callable[[float], Iterable[Series]]) -> None:
        """Move to the next reading of any channel, or to the one before; from nowhere, to the last one in view.

        :param direction: 1 or -1.
        :param around: gives the readings around a time.
        """
        low, high = self._plot.time_range
        begin = high if self.at_s is None or not low <= self.at_s <= high else self.at_s
        found = (next_time if direction > 0 else previous_time)(around(begin), begin)
        if found is None:
            return
        if not low <= found <= high:
            self._plot.shift(0.5 * direction)
        self.point_at(found)


def value_words(channel: Channel, found: ChannelExtremes | None) -> str:
    """Return what a legend says of a channel at a time: its value with the unit, or the extremes of a run."""
    if found is None:
        return MISSING
    decimals = fitting_decimals(channel, found)
    low, high = (format_value(value, decimals) for value in found)
    return f"{low if low == high else f'{low} … {high}'} {channel.unit}".rstrip()
