"""What lies behind the curves: gaps as shades with a tooltip, limits as faint bands."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pyqtgraph as pg
from PyQt5.QtCore import Qt
from PyQt5.QtGui import QColor

from blitz.data.records import Gap
from blitz.ui.formats import gap_words

MOST_GAPS = 200
"""So many are marked, the longest ones; all of them break their lines."""

Limits = tuple[str, float | None, float | None]
"""Colour, lower and upper limit."""


class GapMarks:
    """Shades over the times of gaps."""

    def __init__(self, plot: Any) -> None:
        self._plot = plot
        self._colour = "#888888"
        self._gaps: tuple[Gap, ...] = ()
        self._names: Mapping[int, str] = {}
        self._marks: dict[Gap, Any] = {}

    def set_colour(self, colour: str) -> None:
        """Take over a colour; what is shown is drawn anew."""
        self._colour = colour
        gaps = self._gaps
        self.show(())
        self.show(gaps, self._names)

    def show(self, gaps: tuple[Gap, ...], names: Mapping[int, str] | None = None) -> None:
        """Show exactly these gaps.

        :param names: of the boards, by source index.
        """
        self._names = names or self._names
        if gaps == self._gaps:
            return
        self._gaps = gaps
        longest = sorted(gaps, key=lambda gap: gap.from_ns - gap.to_ns)[:MOST_GAPS]
        for gone in self._marks.keys() - set(longest):
            self._plot.removeItem(self._marks.pop(gone))
        for gap in longest:
            if gap not in self._marks:
                self._marks[gap] = self._make(gap)

    def _make(self, gap: Gap) -> Any:
        begin, end = gap.from_ns / 1e9, max(gap.from_ns, gap.to_ns) / 1e9
        shade, edge = QColor(self._colour), QColor(self._colour)
        shade.setAlpha(28)
        edge.setAlpha(70)
        mark = pg.LinearRegionItem((begin, end), movable=False, brush=shade, pen=pg.mkPen(edge))
        mark.setZValue(-20)
        since = datetime.fromtimestamp(begin).astimezone().strftime("%H:%M:%S")
        of = f" of {self._names[gap.source]}" if gap.source in self._names else ""
        mark.setToolTip(f"Gap{of} at {since}: {gap_words(gap)}")
        self._plot.addItem(mark, ignoreBounds=True)
        return mark


class LimitBands:
    """A faint band between a channel's limits, in its colour, and a dashed line at each."""

    def __init__(self, plot: Any) -> None:
        self._plot = plot
        self._shown: frozenset[Limits] = frozenset()
        self._drawn: list[Any] = []

    def show(self, limits: frozenset[Limits]) -> None:
        """Show exactly these limits."""
        if limits == self._shown:
            return
        self._shown = limits
        for drawn in self._drawn:
            self._plot.removeItem(drawn)
        self._drawn = [part for colour, low, high in limits for part in _band(colour, low, high)]
        for drawn in self._drawn:
            drawn.setZValue(-30)
            self._plot.addItem(drawn, ignoreBounds=True)


def _band(colour: str, low: float | None, high: float | None) -> list[Any]:
    faint, line = QColor(colour), QColor(colour)
    faint.setAlpha(20)
    line.setAlpha(130)
    pen = pg.mkPen(line, style=Qt.DashLine)
    parts = [pg.InfiniteLine(limit, angle=0, pen=pen) for limit in (low, high) if limit is not None]
    if low is not None and high is not None:
        band = pg.LinearRegionItem(
            (low, high), orientation="horizontal", movable=False, brush=faint, pen=pg.mkPen(None)
        )
        parts.append(band)
    return parts
