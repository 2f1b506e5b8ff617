"""What a :class:`~blitz.ui.plots.figure_plot.FigurePlot` paints: axes, curves, bars, points, notes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from PyQt5.QtCore import QLineF, QPointF, QRect, QRectF, Qt
from PyQt5.QtGui import QColor, QFontMetricsF, QPainter, QPen, QPolygonF
from pyqtgraph import functions

from blitz.data.overview import min_max
from blitz.ui.plots.span import Span
from blitz.ui.plots.strokes import on_pixels
from blitz.ui.plots.value_axis import Tick, round_ticks
from blitz.ui.theme import SPACE, Theme

_GRID_ALPHA = 48
_BAR_ALPHA = 150
_REACH = 24.0
"""Pixels from the mouse within which a point is told."""


class Shape(Enum):
    """How values are drawn."""

    LINE = "line"
    BARS = "bars"
    """``x`` are their edges, one more than values."""
    DOTS = "dots"


@dataclass(frozen=True, eq=False)
class FigureCurve:
    """What one curve shows; NaN breaks its line."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    colour: str
    label: str = ""
    shape: Shape = Shape.LINE
    opacity: int = 255


@dataclass(frozen=True)
class FigureNote:
    """Words at a point."""

    x: float
    y: float
    text: str


def seen_values(curves: Sequence[FigureCurve], x_range: tuple[float, float], *, is_log: bool) -> tuple[float, float]:
    """Return the lowest and highest value in view, 0 included where there are bars; powers of ten with ``is_log``."""
    lows, highs = [], []
    for curve in curves:
        x = curve.x[:-1] if curve.shape is Shape.BARS else curve.x
        edge = curve.x[1:] if curve.shape is Shape.BARS else curve.x
        y = scaled(curve.y, is_log=is_log)
        inside = y[(edge >= x_range[0]) & (x <= x_range[1]) & np.isfinite(y)]
        if len(inside):
            lows.append(0.0 if curve.shape is Shape.BARS and not is_log else float(inside.min()))
            highs.append(float(inside.max()))
    if not lows:
        return 0.0, 1.0
    low, high = min(lows), max(highs)
    # Of what is computed as 0, nobody wants to see where the rounding ends.
    return (max(low, high - 8), high) if is_log else (low, high)


def scaled(values: NDArray[np.float64], *, is_log: bool) -> NDArray[np.float64]:
    """Return values as they stand on the left axis."""
    if not is_log:
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log10(values)
    return np.where(np.isfinite(logs), logs, np.nan)


def axis_ticks(span: Span, room: int, *, is_log: bool) -> tuple[Tick, ...]:
    """Return round values; with ``is_log`` powers of ten."""
    if not is_log:
        return round_ticks(span.low, span.high, room)
    first, last = math.ceil(span.low), math.floor(span.high)
    step = max(1, math.ceil((last - first + 1) / max(room, 1)))
    return tuple(Tick(float(n), f"{10.0**n:g}") for n in range(first, last + 1) if n % step == 0)


def paint_ground(painter: QPainter, whole: QRect, theme: Theme, *, has_focus: bool) -> None:
    """Paint what lies behind everything."""
    painter.fillRect(whole, QColor(theme.base))
    painter.setPen(QPen(QColor(theme.accent if has_focus else theme.border), 1))
    painter.drawRect(whole.adjusted(0, 0, -1, -1))


def paint_axes(
    painter: QPainter, area: QRectF, x: Span, y: Span, titles: tuple[str, str], theme: Theme, *, is_log: bool
) -> None:
    """Draw grid, axes, their labels and what they count in."""
    metrics = QFontMetricsF(painter.font())
    below = round_ticks(x.low, x.high, max(2, int(area.width() / 70)))
    beside = axis_ticks(y, max(2, int(area.height() / (2 * metrics.height()))), is_log=is_log)
    faint = QColor(theme.grid)
    faint.setAlpha(_GRID_ALPHA)
    painter.setPen(QPen(faint, 0))
    columns, rows = [x.pixel(tick.position) for tick in below], [y.pixel(tick.position) for tick in beside]
    painter.drawLines([QLineF(at, area.top(), at, area.bottom()) for at in columns])
    painter.drawLines([QLineF(area.left(), at, area.right(), at) for at in rows])
    painter.setPen(QPen(QColor(theme.grid), 0))
    painter.drawLines([QLineF(area.topLeft(), area.bottomLeft()), QLineF(area.bottomLeft(), area.bottomRight())])
    painter.setPen(QColor(theme.muted))
    height = metrics.height()
    for at, tick in zip(columns, below, strict=True):
        painter.drawText(QRectF(at - 60, area.bottom() + 3, 120, height), Qt.AlignCenter, tick.label)
    for at, tick in zip(rows, beside, strict=True):
        place = QRectF(0, at - height / 2, area.left() - 6, height)
        painter.drawText(place, int(Qt.AlignRight | Qt.AlignVCenter), tick.label)
    bottom = QRectF(area.left(), area.bottom() + 3 + height, area.width(), height)
    painter.drawText(bottom, int(Qt.AlignRight | Qt.AlignVCenter), titles[0])
    top = QRectF(SPACE, area.top() - height - 4, area.right() - SPACE, height)
    painter.drawText(top, int(Qt.AlignLeft | Qt.AlignVCenter), titles[1])


def paint_curve(painter: QPainter, curve: FigureCurve, x: Span, y: Span, *, is_log: bool) -> None:
    """Draw one curve."""
    colour = QColor(curve.colour)
    colour.setAlpha(curve.opacity)
    if curve.shape is Shape.BARS:
        _paint_bars(painter, curve, x, y, colour, is_log=is_log)
        return
    values = scaled(curve.y, is_log=is_log)
    if curve.shape is Shape.DOTS:
        _paint_dots(painter, curve.x, values, x, y, colour)
        return
    begin = max(int(np.searchsorted(curve.x, x.low)) - 1, 0)
    end = int(np.searchsorted(curve.x, x.high, "right")) + 1
    at, values = curve.x[begin:end], values[begin:end]
    columns = max(64, int(abs(x.last - x.first)))
    if len(at) > 4 * columns:
        at, values = min_max(at, values, columns)
    pen = QPen(colour, 1)
    pen.setCosmetic(True)
    painter.setPen(pen)
    is_smooth = len(at) <= 4000
    places = x.pixels(at), y.pixels(values)
    painter.setRenderHint(QPainter.Antialiasing, is_smooth)
    painter.drawPath(functions.arrayToQPath(*(places if is_smooth else on_pixels(painter, *places)), connect="finite"))
    painter.setRenderHint(QPainter.Antialiasing, False)


def paint_notes(
    painter: QPainter, area: QRectF, notes: Sequence[FigureNote], x: Span, y: Span, theme: Theme, *, is_log: bool
) -> None:
    """Write words at points, where they do not hide each other; the first ones count most."""
    metrics = QFontMetricsF(painter.font())
    taken: list[QRectF] = []
    for note in notes:
        value = float(scaled(np.array([note.y]), is_log=is_log)[0])
        if not x.low <= note.x <= x.high or not math.isfinite(value):
            continue
        at = QPointF(x.pixel(note.x), y.pixel(value))
        painter.setPen(QPen(QColor(theme.text), 5, Qt.SolidLine, Qt.RoundCap))
        painter.drawPoint(at)
        width, height = metrics.horizontalAdvance(note.text) + 4, metrics.height()
        place = QRectF(at.x() + 6, at.y() - height - 1, width, height)
        if place.right() > area.right():
            place.moveRight(at.x() - 6)
        place.moveTop(min(max(place.top(), area.top()), area.bottom() - height))
        if any(place.intersects(other) for other in taken):
            continue
        taken.append(place)
        painter.setPen(QColor(theme.text))
        painter.drawText(place, Qt.AlignCenter, note.text)


def nearest_point(
    curves: Sequence[FigureCurve], x: Span, y: Span, place: QPointF, *, is_log: bool
) -> tuple[float, float, FigureCurve] | None:
    """Return the point, or the bar, that is nearest to a place: where it lies, its value, its curve."""
    best: tuple[float, float, float, FigureCurve] | None = None
    for curve in curves:
        centres = (curve.x[1:] + curve.x[:-1]) / 2 if curve.shape is Shape.BARS else curve.x
        if curve.shape is not Shape.DOTS:  # along the curve only the column counts: of many, its largest value
            near = np.abs(x.pixels(centres) - place.x())
            shown = np.flatnonzero(np.isfinite(curve.y) & (near <= max(float(near.min(initial=np.inf)), 1.5)))
            if not len(shown):
                continue
            found = int(shown[np.argmax(curve.y[shown])])
            distance = float(near[found])
        else:
            far = np.hypot(x.pixels(centres) - place.x(), y.pixels(scaled(curve.y, is_log=is_log)) - place.y())
            if not np.isfinite(far).any():
                continue
            found = int(np.nanargmin(far))
            distance = float(far[found])
        if distance <= _REACH and (best is None or distance < best[0]):
            best = distance, float(centres[found]), float(curve.y[found]), curve
    return None if best is None else best[1:]


def paint_readout(
    painter: QPainter,
    area: QRectF,
    found: tuple[float, float, FigureCurve],
    titles: tuple[str, str],
    x: Span,
    y: Span,
    theme: Theme,
    *,
    is_log: bool,
) -> None:
    """Mark a point, and say above the curves where it is."""
    at_x, value, curve = found
    at = QPointF(x.pixel(at_x), y.pixel(float(scaled(np.array([value]), is_log=is_log)[0])))
    painter.setPen(QPen(QColor(curve.colour), 7, Qt.SolidLine, Qt.RoundCap))
    painter.drawPoint(at)
    words = f"{at_x:.6g} {_unit(titles[0])}   {value:.6g} {_unit(titles[1])}"
    metrics = QFontMetricsF(painter.font())
    place = QRectF(0, area.top() - metrics.height() - 4, metrics.horizontalAdvance(words) + 8, metrics.height())
    place.moveRight(area.right())
    painter.fillRect(place, QColor(theme.base))
    painter.setPen(QColor(theme.text))
    painter.drawText(place, Qt.AlignCenter, words)


def _unit(title: str) -> str:
    """Return the unit in a title's brackets.

    >>> _unit("Frequency [Hz]"), _unit("Readings")
    ('Hz', '')
    """
    return title.rpartition("[")[2].rstrip("]") if title.endswith("]") else ""


def _paint_bars(painter: QPainter, curve: FigureCurve, x: Span, y: Span, colour: QColor, *, is_log: bool) -> None:
    edges, tops = x.pixels(curve.x), y.pixels(scaled(curve.y, is_log=is_log))
    bottom = y.pixel(y.low if is_log else max(0.0, y.low))
    fill = QColor(colour)
    fill.setAlpha(min(colour.alpha(), _BAR_ALPHA))
    for left, right, top in zip(edges[:-1].tolist(), edges[1:].tolist(), tops.tolist(), strict=True):
        if math.isfinite(top) and top < bottom:
            painter.fillRect(QRectF(left, top, max(right - left - 1, 1), bottom - top), fill)


def _paint_dots(
    painter: QPainter, at: NDArray[np.float64], values: NDArray[np.float64], x: Span, y: Span, colour: QColor
) -> None:
    is_shown = np.isfinite(at) & np.isfinite(values)
    columns, rows = np.rint(x.pixels(at[is_shown])), np.rint(y.pixels(values[is_shown]))
    inside = (columns >= min(x.first, x.last)) & (columns <= max(x.first, x.last))
    # Of many that fall on one pixel, one is enough.
    pixels = np.unique(columns[inside].astype(np.int64) * 65536 + rows[inside].astype(np.int64))
    size = 6 if len(pixels) < 50 else 3 if len(pixels) < 5000 else 2
    painter.setPen(QPen(colour, size, Qt.SolidLine, Qt.RoundCap if size > 2 else Qt.SquareCap))
    painter.drawPoints(QPolygonF([QPointF(p // 65536, p % 65536) for p in pixels.tolist()]))
