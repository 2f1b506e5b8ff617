"""Markers over the curves: a line at a time, or a shade over a span, each with the beginning of its text."""

from datetime import datetime
from typing import Any

import pyqtgraph as pg
from PyQt5.QtCore import Qt
from PyQt5.QtGui import QColor

from blitz.data.records import Marker

MOST_MARKERS = 200
"""So many are drawn, the newest ones; lists have all of them."""
LABEL_LENGTH = 28
_HEIGHTS = (0.99, 0.93, 0.87, 0.81)
"""Where labels hang by turns, as a share of the plot's height: neighbours do not cover each other."""


class MarkerMarks:
    """Lines and shades of markers, in front of the curves' grid and behind nothing that could be clicked."""

    def __init__(self, plot: Any) -> None:
        self._plot = plot
        self._colour, self._ground = "#888888", "#ffffff"
        self._markers: tuple[Marker, ...] = ()
        self._marks: dict[tuple[Marker, float], Any] = {}

    @property
    def markers(self) -> tuple[Marker, ...]:
        """What is shown, by time."""
        return self._markers

    def set_colours(self, colour: str, ground: str) -> None:
        """Take over colours, of lines and behind labels; what is shown is drawn anew."""
        self._colour, self._ground = colour, ground
        markers = self._markers
        self.show(())
        self.show(markers)

    def show(self, markers: tuple[Marker, ...]) -> None:
        """Show exactly these markers."""
        if markers == self._markers:
            return
        self._markers = markers
        drawn = sorted(markers, key=lambda marker: (marker.from_ns, marker.id))[-MOST_MARKERS:]
        wanted = {(marker, _HEIGHTS[place % len(_HEIGHTS)]) for place, marker in enumerate(drawn)}
        for gone in self._marks.keys() - wanted:
            self._plot.removeItem(self._marks.pop(gone))
        for marker, height in wanted - self._marks.keys():
            self._marks[marker, height] = self._make(marker, height)

    def _make(self, marker: Marker, height: float) -> Any:
        line, shade, ground = QColor(self._colour), QColor(self._colour), QColor(self._ground)
        line.setAlpha(200)
        shade.setAlpha(30)
        ground.setAlpha(205)  # a curve behind a label stays visible
        pen = pg.mkPen(line, width=1)
        begin = marker.from_ns / 1e9
        if marker.to_ns is None:
            mark = pg.InfiniteLine(begin, angle=90, pen=pen)
            first = mark
        else:
            mark = pg.LinearRegionItem((begin, marker.to_ns / 1e9), movable=False, brush=shade, pen=pen)
            first = mark.lines[0]
        label = _Label(first, label_words(marker), position=height, color=self._colour, fill=ground)
        label.setToolTip(marker_words(marker))
        mark.setToolTip(marker_words(marker))
        mark.setAcceptedMouseButtons(Qt.NoButton)
        mark.setZValue(10)
        self._plot.addItem(mark, ignoreBounds=True)
        return mark


class _Label(pg.InfLineLabel):  # type: ignore[misc]
    """The text beside a marker's line: on the right of it, or on the left where there is no room."""

    def __init__(self, line: Any, text: str, **options: Any) -> None:
        # What a user has written is no format, which this class takes it for.
        super().__init__(line, text.replace("{", "{{").replace("}", "}}"), anchors=[(0, 0)] * 2, **options)

    def updatePosition(self) -> None:
        """Choose the side, and place the text there."""
        view = self.getViewBox()
        if isinstance(view, pg.ViewBox):
            begin, end = view.viewRange()[0]
            room = (end - self.line.value()) / (end - begin) * view.width()
            self.anchors = [(1 if room < self.textItem.boundingRect().width() else 0, 0)] * 2
        super().updatePosition()


def label_words(marker: Marker) -> str:
    """Return what stands beside a marker's line: one short line."""
    text = " ".join(marker.text.split())
    return text if len(text) <= LABEL_LENGTH else f"{text[: LABEL_LENGTH - 1].rstrip()}…"


def marker_words(marker: Marker) -> str:
    """Return all that is to be said of a marker: when, what, of which source, by whom."""
    of = f" · {marker.source}" if marker.source else ""
    by = f"\n{marker.who}" if marker.who else ""
    return f"{time_words(marker)}{of}\n{marker.text}{by}"


def time_words(marker: Marker) -> str:
    """Return when a marker is: a clock time, or two."""
    until = "" if marker.to_ns is None else f" to {_clock(marker.to_ns)}"
    return f"{_clock(marker.from_ns)}{until}"


def _clock(time_ns: int) -> str:
    moment = datetime.fromtimestamp(time_ns // 1_000_000_000).astimezone()
    return f"{moment:%H:%M:%S}.{time_ns // 1_000_000 % 1000:03}"
