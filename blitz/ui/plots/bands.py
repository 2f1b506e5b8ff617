"""The band of what is tolerated around a curve."""

import numpy as np
from numpy.typing import NDArray
from PyQt5.QtCore import QPointF, Qt
from PyQt5.QtGui import QColor, QPainter, QPen, QPolygonF

from blitz.ui.plots.span import Span
from blitz.ui.plots.strokes import Stroke

_ALPHA = 46
_EDGE_ALPHA = 130

Envelope = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]
"""Pixels, lower and upper values."""


def paint_band(painter: QPainter, stroke: Stroke, times: Span, values: Span, colour: str) -> None:
    """Fill what lies within a curve's tolerance, with a thin line at each edge."""
    fill, line = QColor(colour), QColor(colour)
    fill.setAlpha(_ALPHA)
    line.setAlpha(_EDGE_ALPHA)
    for x, low, high in envelopes(times.pixels(stroke.times), stroke.values, stroke.curve.tolerance):
        upper = [QPointF(*point) for point in zip(x.tolist(), values.pixels(high).tolist(), strict=True)]
        lower = [QPointF(*point) for point in zip(x.tolist(), values.pixels(low).tolist(), strict=True)]
        painter.setPen(Qt.NoPen)
        painter.setBrush(fill)
        painter.drawPolygon(QPolygonF([*upper, *reversed(lower)]))
        painter.setBrush(Qt.NoBrush)
        painter.setPen(QPen(line, 0))
        painter.drawPolyline(QPolygonF(upper))
        painter.drawPolyline(QPolygonF(lower))


def envelopes(x: NDArray[np.float64], values: NDArray[np.float64], tolerance: tuple[float, float]) -> list[Envelope]:
    """Return the band around a curve, a piece for each stretch without a break; one point a column of pixels.

    :param tolerance: in the values' unit, and as a share of the value; the larger one counts.

    >>> x, values = np.array([0.2, 0.8, 1.5, 2.0, 3.0]), np.array([1.0, 3.0, 2.0, np.nan, 4.0])
    >>> [(low.tolist(), high.tolist()) for _, low, high in envelopes(x, values, (0.5, 0.0))]
    [([0.5, 1.5], [3.5, 2.5]), ([3.5], [4.5])]
    """
    known = np.isfinite(values)
    reach = np.maximum(tolerance[0], tolerance[1] * np.abs(values))
    begins = np.flatnonzero(known & ~np.concatenate(([False], known[:-1])))
    ends = np.flatnonzero(known & ~np.concatenate((known[1:], [False]))) + 1
    found = []
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        part = slice(begin, end)
        starts = np.flatnonzero(np.diff(np.floor(x[part]), prepend=np.nan) != 0)
        low = np.fmin.reduceat(values[part] - reach[part], starts)
        high = np.fmax.reduceat(values[part] + reach[part], starts)
        found.append((x[part][starts], low, high))
    return found
