"""Curves over time, decimated to the screen before they are drawn."""

import time
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg
from numpy.typing import NDArray
from PyQt5.QtCore import Qt
from PyQt5.QtGui import QColor

from blitz.data.overview import min_max
from blitz.data.records import Gap, Marker
from blitz.ui.live_store import LiveChannel
from blitz.ui.plots.marker_marks import MarkerMarks
from blitz.ui.plots.marks import GapMarks, LimitBands
from blitz.ui.plots.time_axis import TimeAxis
from blitz.ui.theme import Theme

DOT_PIXELS = 8
"""Where readings are at least so far apart, each gets a dot."""

_FAINT = 150
"""How much of its colour a curve has that is there to be compared with, of 255."""

MOST_SMOOTH_POINTS = 12_000
"""Up to so many points in all, lines are smoothed: beyond, it costs half as much again as painting them (measured)."""


@dataclass(frozen=True, eq=False)
class Curve:
    """What one curve shows: times in seconds since the Unix epoch, values with NaN where the line breaks."""

    key: Hashable
    label: str
    colour_index: int
    times: NDArray[np.float64]
    values: NDArray[np.float64]
    colour: str = ""
    """As #rrggbb, where the channel has one of its own."""
    limits: tuple[float | None, float | None] = (None, None)
    is_faint: bool = False
    """Drawn thin, dashed and without dots, to be compared with."""


class TimePlot(pg.PlotWidget):  # type: ignore[misc]  # pyqtgraph is untyped
    """A grid, a time axis, curves with their limits, and what is known of gaps."""

    def __init__(self) -> None:
        self.time_axis = TimeAxis()
        super().__init__(axisItems={"bottom": self.time_axis})
        self._drawn: dict[Hashable, tuple[Any, tuple[object, ...]]] = {}
        self._theme: Theme | None = None
        self._gaps = GapMarks(self.getPlotItem())
        self._limits = LimitBands(self.getPlotItem())
        self._markers = MarkerMarks(self.getPlotItem())
        plot = self.getPlotItem()
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.showGrid(x=True, y=True, alpha=0.14)
        plot.setContentsMargins(4, 12, 16, 4)
        plot.getAxis("left").setWidth(64)
        plot.getAxis("left").enableAutoSIPrefix(False)
        self.setFrameShape(pg.QtWidgets.QFrame.NoFrame)
        self.setAntialiasing(False)
        # Times around 1970 cannot be shown as local time everywhere.
        self.setXRange(time.time() - 30, time.time(), padding=0)

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self._theme = theme
        self.setBackground(theme.base)
        for side in ("left", "bottom"):
            axis = self.getPlotItem().getAxis(side)
            axis.setPen(pg.mkPen(theme.grid))
            axis.setTextPen(pg.mkPen(theme.muted))
        for curve, _ in self._drawn.values():
            self.removeItem(curve)
        self._drawn.clear()
        self._gaps.set_colour(theme.warning)
        self._markers.set_colours(theme.accent, theme.base)

    def show_gaps(self, gaps: tuple[Gap, ...], names: Mapping[int, str] | None = None) -> None:
        """Mark where messages are known to be missing; a tooltip says of which board, how many, and why.

        :param names: of the boards, by source index.
        """
        self._gaps.show(gaps, names)

    def show_markers(self, markers: tuple[Marker, ...]) -> None:
        """Show operators' notes at their times."""
        self._markers.show(markers)

    @property
    def markers(self) -> tuple[Marker, ...]:
        """The markers that are shown."""
        return self._markers.markers

    @property
    def columns(self) -> int:
        """How many columns of pixels the plot has."""
        return max(64, int(self.getViewBox().width() * self.devicePixelRatioF()))

    def draw(self, curves: list[Curve], span_s: float) -> tuple[float, float] | None:
        """Show exactly these curves.

        :param span_s: how much time the plot shows.
        :returns: their lowest and highest value, None where there is none.
        """
        columns = self.columns
        wanted = {curve.key for curve in curves}
        for key in [key for key in self._drawn if key not in wanted]:
            self.removeItem(self._drawn.pop(key)[0])
        thinned = [min_max(curve.times, curve.values, columns) for curve in curves]
        is_smooth = sum(len(times) for times, _ in thinned) <= MOST_SMOOTH_POINTS
        for curve, (times, values) in zip(curves, thinned, strict=True):
            has_dots = len(times) > 0 and (times[-1] - times[0]) * columns >= DOT_PIXELS * (len(times) - 1) * span_s
            self._set(curve, times, values, has_dots, is_smooth)
        self._limits.show(frozenset((self._colour(curve), *curve.limits) for curve in curves if any_of(curve.limits)))
        return value_limits([values for _, values in thinned])

    def _colour(self, curve: Curve) -> str:
        return curve.colour or (self._theme.channel_colour(curve.colour_index) if self._theme else "#888888")

    def _set(
        self, curve: Curve, times: NDArray[np.float64], values: NDArray[np.float64], has_dots: bool, is_smooth: bool
    ) -> None:
        drawn, style = self._drawn.get(curve.key, (None, ()))
        colour = self._colour(curve)
        # Beyond the palette's eight colours the line tells them apart.
        dash = Qt.SolidLine if curve.colour or curve.colour_index < 8 else Qt.DashLine
        if curve.is_faint:
            dash, has_dots = Qt.DashLine, False
        wanted = (colour, dash, has_dots)
        if drawn is None:
            drawn = pg.PlotDataItem(connect="finite")
            self.addItem(drawn)
        if style != wanted:
            shade = QColor(colour)
            shade.setAlpha(_FAINT if curve.is_faint else 255)
            drawn.setPen(pg.mkPen(shade, width=1, style=dash))
            drawn.setSymbol("o" if has_dots else None)
            drawn.setSymbolSize(5)
            drawn.setSymbolPen(None)
            drawn.setSymbolBrush(colour)
        self._drawn[curve.key] = (drawn, wanted)
        drawn.setData(times, values, antialias=is_smooth)


def channel_curve(
    channel: LiveChannel, colour_index: int, times: NDArray[np.float64], values: NDArray[np.float64]
) -> Curve:
    """Return a channel's curve, as its definition wants it drawn."""
    limits = (channel.channel.limit_low, channel.channel.limit_high)
    return Curve(channel.key, channel.label, colour_index, times, values, channel.channel.color, limits)


def fitting_range(
    low: float, high: float, shown: tuple[float, float] | None, margin: float = 0.08
) -> tuple[float, float]:
    """Return a value axis for values from low to high.

    The one shown stays as long as it fits well: an axis at rest reads better.

    >>> fitting_range(0, 9, (-1.0, 11.0))
    (-1.0, 11.0)
    """
    span = high - low
    if shown is not None:
        inside = shown[0] <= low and high <= shown[1]
        if inside and span >= 0.6 * (shown[1] - shown[0]):
            return shown
    pad = span * margin if span > 0 else max(abs(high) * 0.05, 0.5)
    return low - pad, high + pad


def any_of(limits: tuple[float | None, float | None]) -> bool:
    """Whether there is a limit."""
    return limits != (None, None)


def value_limits(curves: list[NDArray[np.float64]]) -> tuple[float, float] | None:
    """Return the lowest and highest value of curves; None where there is none."""
    known = [finite for finite in (values[np.isfinite(values)] for values in curves) if len(finite)]
    return (min(float(v.min()) for v in known), max(float(v.max()) for v in known)) if known else None
