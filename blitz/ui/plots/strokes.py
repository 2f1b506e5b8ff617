"""How a curve is painted: the pen that tells it apart, its line broken where readings are missing, its dots."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PyQt5.QtCore import QPointF, QRectF, Qt
from PyQt5.QtGui import QColor, QPaintEngine, QPainter, QPen, QPolygonF
from pyqtgraph import functions

from blitz.data.overview import min_max
from blitz.ui.plots.curves import DOT_PIXELS, Curve
from blitz.ui.plots.span import Span
from blitz.ui.theme import Theme

DOT_WIDTH = 5
_TALL = 8.0
"""Pixels from point to point; longer lines side by side fill an area, where smoothing shows nothing and costs most."""
_FILLING = 30.0
"""From here on a curve is an area, which :func:`upright` lines paint in half the time."""
FAINT = 150
"""How much of its colour a curve has that is there to be compared with, of 255."""
DASHES = (Qt.SolidLine, Qt.DashLine, Qt.DotLine, Qt.DashDotLine)
"""Colours repeat after eight channels; then the line tells them apart."""


def colour_of(curve: Curve, theme: Theme) -> str:
    """Return a curve's colour: its own, or its place's in the palette."""
    return curve.colour or theme.channel_colour(curve.colour_index)


def pen_of(curve: Curve, theme: Theme) -> QPen:
    """Return a curve's pen, one pixel wide whatever the screen's density: wider ones cost several times as much."""
    colour = QColor(colour_of(curve, theme))
    dash = DASHES[curve.colour_index // len(theme.channels) % len(DASHES)]
    if curve.is_faint:
        colour.setAlpha(FAINT)
        dash = Qt.DashLine
    pen = QPen(colour, theme.curve_width, Qt.SolidLine if curve.colour and not curve.is_faint else dash)
    pen.setCosmetic(True)
    return pen


@dataclass
class Stroke:
    """A curve as it is drawn: thinned to the screen's columns."""

    curve: Curve
    times: NDArray[np.float64]
    values: NDArray[np.float64]
    pen: QPen
    has_dots: bool
    _placed: object = field(default=None, repr=False)
    _path: Any = field(default=None, repr=False)
    _is_smooth: bool = field(default=False, repr=False)

    def paint(self, painter: QPainter, times: Span, values: Span, *, is_smooth: bool) -> None:
        """Draw it where the spans say.

        :param is_smooth: whether there is time to smooth lines; those that fill an area are never smoothed.
        """
        if not len(self.times):
            return
        pixels = _pixels_a_unit(painter)
        if self._placed != (times, values, is_smooth, pixels):
            self._placed = times, values, is_smooth, pixels
            x, y = times.pixels(self.times), values.pixels(self.values)
            height = float(np.nansum(np.abs(np.diff(y)))) / len(y)
            self._is_smooth = is_smooth and height <= _TALL
            if height > _FILLING:
                x, y = upright(x, y)
            if not self._is_smooth:
                x, y = on_pixels(painter, x, y)
            self._path = functions.arrayToQPath(x, y, connect="finite")
        painter.setPen(self.pen)
        painter.setRenderHint(QPainter.Antialiasing, self._is_smooth)
        painter.drawPath(self._path)
        if self.has_dots:
            self._paint_dots(painter, times, values)

    def _paint_dots(self, painter: QPainter, times: Span, values: Span) -> None:
        inside = np.isfinite(self.values) & (self.times >= times.low) & (self.times <= times.high)
        x, y = times.pixels(self.times[inside]), values.pixels(self.values[inside])
        painter.setPen(QPen(self.pen.color(), DOT_WIDTH, Qt.SolidLine, Qt.RoundCap))
        painter.drawPoints(QPolygonF([QPointF(*point) for point in zip(x.tolist(), y.tolist(), strict=True)]))


def on_pixels(
    painter: QPainter, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the points of a line that is not smoothed at whole pixels, where it is painted in pixels.

    Qt leaves pixels out where such a line has points between them: it would look broken.
    """
    pixels = _pixels_a_unit(painter)
    return (np.round(x * pixels) / pixels, np.round(y * pixels) / pixels) if pixels else (x, y)


def _pixels_a_unit(painter: QPainter) -> float:
    """Return how many pixels a unit has where it is painted; 0 in drawings that know no pixels."""
    engine = painter.paintEngine()
    is_raster = engine is not None and engine.type() == QPaintEngine.Raster
    return abs(painter.deviceTransform().m11()) if is_raster else 0.0


def upright(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return one line a column of pixels, up and down in turn, from its lowest to its highest point.

    From the end of one the way to the next is short: the slanted lines from top to bottom that stood between them
    painted the same area once more. Breaks stay where they are.

    >>> upright(np.array([0.0, 0.5, 1.0, 1.5, 2.0]), np.array([1.0, 9.0, 2.0, 8.0, np.nan]))[1]
    array([ 1.,  9.,  8.,  2., nan, nan])
    """
    column = np.floor(x)
    is_new = (column[1:] != column[:-1]) | np.isnan(y[1:]) | np.isnan(y[:-1])
    begins = np.flatnonzero(np.concatenate(([True], is_new)))
    low, high = np.fmin.reduceat(y, begins), np.fmax.reduceat(y, begins)
    ends = np.column_stack((low, high))
    ends[1::2] = ends[1::2, ::-1]
    return np.repeat(x[begins], 2), ends.ravel()


def thin(curve: Curve, columns: int, span_s: float, pen_for: Callable[[Curve], QPen]) -> Stroke:
    """Return what of a curve a plot shows that has so many columns of pixels for so much time."""
    times, values = curve.times, curve.values
    # Up to three points a column, thinning takes longer than it saves; those of the live store are thinned already.
    if len(times) > 3 * columns:
        # The overview has half as many columns where there are breaks: as many are wanted.
        times, values = min_max(times, values, columns * 2 if np.isnan(values).any() else columns)
    has_dots = not curve.is_faint and _has_room_for_dots(times, columns, span_s)
    return Stroke(curve, times, values, pen_for(curve), has_dots)


def _has_room_for_dots(times: NDArray[np.float64], columns: int, span_s: float) -> bool:
    """Tell whether readings usually stand so far apart: beside a gap, their mean distance says nothing."""
    if len(times) < 2:
        return len(times) > 0
    least_s = DOT_PIXELS * span_s / columns
    return bool(times[-1] - times[0] >= least_s * (len(times) - 1) and np.median(np.diff(times)) >= least_s)


def paint_sample(painter: QPainter, pen: QPen, place: QRectF, *, is_off: bool = False) -> None:
    """Draw a short piece of a line, as legends show it, twice as wide as a curve."""
    wide = QPen(pen)
    wide.setWidth(1 if is_off else 3)
    wide.setCapStyle(Qt.FlatCap)
    wide.setCosmetic(False)
    if wide.style() != Qt.SolidLine:
        wide.setDashPattern({Qt.DashLine: [2.0, 1.0], Qt.DotLine: [1.0, 1.0]}.get(wide.style(), [2.0, 1.0, 1.0, 1.0]))
    painter.setPen(wide)
    middle = place.center().y()
    painter.drawLine(QPointF(place.left(), middle), QPointF(place.right(), middle))
