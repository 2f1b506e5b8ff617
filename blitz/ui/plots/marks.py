"""What lies behind the curves: gaps as shades with a tooltip, limits as faint bands."""

from collections.abc import Mapping
from datetime import datetime

import numpy as np
from PyQt5.QtCore import QPointF, QRectF, Qt
from PyQt5.QtGui import QColor, QPainter, QPen

from blitz.data.records import Gap
from blitz.ui.formats import gap_words
from blitz.ui.plots.span import Span

MOST_TOLD = 4
"""So many gaps below the mouse are told in words."""
NEAR_PIXELS = 3

Limits = tuple[str, float | None, float | None]
"""Colour, lower and upper limit."""


class GapShades:
    """Where messages are missing: a shade from top to bottom, and what is known of it below the mouse."""

    def __init__(self) -> None:
        self._gaps: tuple[Gap, ...] = ()
        self._names: Mapping[int, str] = {}
        self._begins = self._ends = np.empty(0)

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What is shown."""
        return self._gaps

    def show(self, gaps: tuple[Gap, ...], names: Mapping[int, str] | None = None) -> bool:
        """Show exactly these gaps; returns whether that is something else than before.

        :param names: of the boards, by source index.
        """
        self._names = names or self._names
        if gaps == self._gaps:
            return False
        self._gaps = gaps
        self._begins = np.array([gap.from_ns for gap in gaps]) / 1e9
        self._ends = np.array([max(gap.from_ns, gap.to_ns) for gap in gaps]) / 1e9
        return True

    def paint(self, painter: QPainter, area: QRectF, times: Span, colour: str, sources: frozenset[int] | None) -> None:
        """Shade the gaps of these sources; None shades all. Those that share a pixel are one shade."""
        shade, edge = QColor(colour), QColor(colour)
        shade.setAlpha(28)
        edge.setAlpha(70)
        painter.setPen(QPen(edge, 0))
        for left, right in self._stretches(times, sources):
            painter.fillRect(QRectF(left, area.top(), max(1.0, right - left), area.height()), shade)
            for x in (left, right):
                painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))

    def words_at(self, times: Span, x: float, sources: frozenset[int] | None) -> str:
        """Say what is known of the gaps at a pixel, a line each; empty where there is none."""
        low, high = times.value(x - NEAR_PIXELS), times.value(x + NEAR_PIXELS)
        found = [self._gaps[place] for place in np.flatnonzero((self._begins <= high) & (self._ends >= low))]
        found = [gap for gap in found if sources is None or gap.source in sources]
        lines = [self._words(gap) for gap in found[:MOST_TOLD]]
        return "\n".join([*lines, *([f"and {len(found) - MOST_TOLD} more"] if len(found) > MOST_TOLD else [])])

    def _words(self, gap: Gap) -> str:
        since = datetime.fromtimestamp(gap.from_ns / 1e9).astimezone().strftime("%H:%M:%S")
        of = f" of {self._names[gap.source]}" if gap.source in self._names else ""
        return f"Gap{of} at {since}\n{gap_words(gap, 'readings')}"

    def _stretches(self, times: Span, sources: frozenset[int] | None) -> list[tuple[float, float]]:
        inside = (self._begins <= times.high) & (self._ends >= times.low)
        places = [n for n in np.flatnonzero(inside) if sources is None or self._gaps[n].source in sources]
        lefts, rights = times.pixels(self._begins[places]), times.pixels(self._ends[places])
        joined: list[tuple[float, float]] = []
        for left, right in sorted(zip(lefts.tolist(), rights.tolist(), strict=True)):
            if joined and left < joined[-1][1] + 1:
                joined[-1] = joined[-1][0], max(right, joined[-1][1])
            else:
                joined.append((left, right))
        return joined


def paint_limits(painter: QPainter, area: QRectF, values: Span, limits: Limits) -> None:
    """Draw a faint band between a channel's limits, in its colour, and a dashed line at each."""
    colour, low, high = limits
    line, faint = QColor(colour), QColor(colour)
    line.setAlpha(130)
    faint.setAlpha(20)
    pixels = [values.pixel(limit) for limit in (low, high) if limit is not None]
    if len(pixels) == 2:
        painter.fillRect(QRectF(area.left(), pixels[1], area.width(), pixels[0] - pixels[1]).intersected(area), faint)
    painter.setPen(QPen(line, 0, Qt.DashLine))
    for y in pixels:
        if area.top() <= y <= area.bottom():
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
