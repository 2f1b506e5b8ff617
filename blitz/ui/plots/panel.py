"""One panel of a plot: its curves behind a grid, a value axis on the left, perhaps another on the right."""

import math
from dataclasses import dataclass, field

from PyQt5.QtCore import QLineF, QPointF, QRectF, Qt
from PyQt5.QtGui import QColor, QFontMetricsF, QPainter, QPen

from blitz.ui.plots.bands import paint_band
from blitz.ui.plots.curves import Curve, any_of
from blitz.ui.plots.legend import Legend
from blitz.ui.plots.marks import GapShades, paint_limits
from blitz.ui.plots.span import Span
from blitz.ui.plots.strokes import Stroke, colour_of
from blitz.ui.plots.unit_axes import PanelPlan
from blitz.ui.plots.value_axis import Tick, ValueAxis
from blitz.ui.theme import Theme

LABEL_GAP = 7.0
"""Between a value axis and its labels."""
_LEFT = int(Qt.AlignLeft | Qt.AlignVCenter)
_RIGHT = int(Qt.AlignRight | Qt.AlignVCenter)
_GRID_ALPHA = 48
_UNITLESS = "no unit"
"""The title of an axis beside another that has a unit."""
_OVERHANG = 3.0
"""Labels of a value axis reach so many pixels beyond it."""


@dataclass
class Side:
    """A value axis of a panel with what is drawn by it."""

    axis: ValueAxis
    unit: str
    strokes: list[Stroke] = field(default_factory=list)
    title: str = ""
    """What stands above it."""

    def span(self, area: QRectF) -> Span:
        """Return where its values are drawn."""
        return Span(*self.axis.range, area.bottom(), area.top())

    def ticks(self, area: QRectF, metrics: QFontMetricsF) -> tuple[Tick, ...]:
        """Return round values; in a low panel there is no room for all of their labels."""
        return self.axis.ticks(max(2, int(area.height() / (2.0 * metrics.height()))))

    def label_width(self, area: QRectF, metrics: QFontMetricsF) -> float:
        """Return how wide the labels are."""
        words = [self.title, *(tick.label for tick in self.ticks(area, metrics))]
        return max(metrics.horizontalAdvance(word) for word in words)


class Panel:
    """Where it lies and what it shows; the widget that it is part of lays it out."""

    def __init__(self) -> None:
        self.area = QRectF()
        """Of the curves, in the widget's pixels."""
        self.strip = QRectF()
        """Above it: legend and units."""
        self.legend = Legend()
        self.sides: tuple[Side, ...] = ()
        """Left, and right where there is one."""

    def take(self, plan: PanelPlan, axes: dict[object, ValueAxis]) -> None:
        """Show what a plan says."""
        known = {id(side.axis): side for side in self.sides}
        asked = ((axes[axis.key], axis.unit) for axis in plan.axes)
        self.sides = tuple(known.get(id(axis)) or Side(axis, unit) for axis, unit in asked)
        for side in self.sides:
            side.title = side.unit or (_UNITLESS if len(self.sides) > 1 else "")
        self.legend.show(plan.listed)

    @property
    def curves(self) -> tuple[Curve, ...]:
        """What is drawn in it."""
        return tuple(stroke.curve for side in self.sides for stroke in side.strokes)

    @property
    def sources(self) -> frozenset[int] | None:
        """The sources of its curves; None where one is of nobody's."""
        found = {curve.source for curve in self.curves}
        return None if None in found or not found else frozenset(source for source in found if source is not None)

    def axis_at(self, place: QPointF) -> ValueAxis | None:
        """Return the value axis beside the curves at a place."""
        if not self.area.top() <= place.y() <= self.area.bottom() or not self.sides:
            return None
        if place.x() < self.area.left():
            return self.sides[0].axis
        return self.sides[-1].axis if place.x() > self.area.right() and len(self.sides) > 1 else None

    def paint_back(self, painter: QPainter, times: Span, columns: list[float], gaps: GapShades, theme: Theme) -> None:
        """Draw what lies behind the curves: gaps, limits, the grid."""
        gaps.paint(painter, self.area, times, theme.warning, self.sources)
        for side in self.sides:
            limits = {(colour_of(s.curve, theme), *s.curve.limits) for s in side.strokes if any_of(s.curve.limits)}
            for one in sorted(limits, key=str):
                paint_limits(painter, self.area, side.span(self.area), one)
            for stroke in side.strokes:
                if any(stroke.curve.tolerance):
                    paint_band(painter, stroke, times, side.span(self.area), colour_of(stroke.curve, theme))
        self._paint_grid(painter, times, columns, theme)

    def paint_curves(self, painter: QPainter, times: Span, *, is_smooth: bool) -> None:
        """Draw the curves."""
        for side in self.sides:
            values = side.span(self.area)
            for stroke in side.strokes:
                stroke.paint(painter, times, values, is_smooth=is_smooth)
        painter.setRenderHint(QPainter.Antialiasing, False)

    def paint_axes(self, painter: QPainter, theme: Theme) -> None:
        """Draw the value axes, their labels and units."""
        metrics = QFontMetricsF(painter.font())
        painter.setPen(QPen(QColor(theme.grid), 0))
        painter.drawLine(self.area.topLeft(), self.area.bottomLeft())
        painter.drawLine(self.area.bottomLeft(), self.area.bottomRight())
        if len(self.sides) > 1:
            painter.drawLine(self.area.topRight(), self.area.bottomRight())
        painter.setPen(QColor(theme.muted))
        area = self.area.adjusted(0, -_OVERHANG, 0, _OVERHANG)
        for side, is_right in zip(self.sides, (False, True), strict=False):
            span, free = side.span(self.area), math.inf
            for tick in side.ticks(self.area, metrics):
                y = span.pixel(tick.position)
                place = self._beside(y - metrics.height() / 2, metrics.height(), is_right)
                # The outermost labels move inwards: units of neighbours stand above and below.
                place.moveBottom(min(max(place.bottom(), area.top() + place.height()), area.bottom()))
                if area.top() <= y <= area.bottom() and place.bottom() <= free:
                    free = place.top()
                    painter.drawText(place, _LEFT if is_right else _RIGHT, tick.label)
        self._paint_units(painter, metrics, theme)

    def _paint_units(self, painter: QPainter, metrics: QFontMetricsF, theme: Theme) -> None:
        font = painter.font()
        font.setBold(True)
        painter.setFont(font)
        for side, is_right in zip(self.sides, (False, True), strict=False):
            place = self._beside(self.strip.bottom() - metrics.height() - 4, metrics.height(), is_right)
            colours = {colour_of(stroke.curve, theme) for stroke in side.strokes}
            is_of_one = len(colours) == 1 and len(self.sides) > 1
            painter.setPen(QColor(colours.pop() if is_of_one else theme.muted))
            painter.drawText(place, _LEFT if is_right else _RIGHT, side.title)
        font.setBold(False)
        painter.setFont(font)

    def _beside(self, top: float, height: float, is_right: bool) -> QRectF:
        if is_right:
            return QRectF(self.area.right() + LABEL_GAP, top, 400, height)
        return QRectF(self.area.left() - LABEL_GAP - 400, top, 400, height)

    def _paint_grid(self, painter: QPainter, times: Span, columns: list[float], theme: Theme) -> None:
        faint = QColor(theme.grid)
        faint.setAlpha(_GRID_ALPHA)
        painter.setPen(QPen(faint, 0))
        area = self.area
        lines = [QLineF(x, area.top(), x, area.bottom()) for x in columns]
        if self.sides:
            metrics = QFontMetricsF(painter.font())
            span = self.sides[0].span(area)
            rows = [span.pixel(tick.position) for tick in self.sides[0].ticks(area, metrics)]
            lines += [QLineF(area.left(), y, area.right(), y) for y in rows]
        painter.drawLines(lines)
