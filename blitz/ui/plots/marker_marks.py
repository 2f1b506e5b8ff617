"""Markers over the curves: a line at a time, or a shade over a span, each with the beginning of its text."""

from datetime import datetime

from PyQt5.QtCore import QPointF, QRectF, Qt
from PyQt5.QtGui import QColor, QFontMetricsF, QPainter, QPen

from blitz.data.alarm_rule import Severity
from blitz.data.records import Marker
from blitz.ui.plots.span import Span
from blitz.ui.theme import Theme

MOST_MARKERS = 200
"""So many are drawn, the newest ones; lists have all of them."""
LABEL_LENGTH = 28
LABEL_ROWS = 4
"""Labels hang in so many rows by turns: neighbours do not cover each other."""
NEAR_PIXELS = 3
MOST_TOLD = 4


class AlarmMark(Marker):
    """An alarm of a session that is played back, shown as a marker in the colour of its severity."""

    severity: Severity


class MarkerFlags:
    """Markers as lines and shades through every panel, and their labels in the uppermost one."""

    def __init__(self) -> None:
        self._markers: tuple[Marker, ...] = ()
        self._drawn: tuple[tuple[Marker, int], ...] = ()

    @property
    def markers(self) -> tuple[Marker, ...]:
        """What is shown, by time."""
        return self._markers

    def show(self, markers: tuple[Marker, ...]) -> bool:
        """Show exactly these markers; returns whether that is something else than before."""
        if markers == self._markers:
            return False
        self._markers = markers
        newest = sorted(markers, key=lambda marker: (marker.from_ns, marker.id))[-MOST_MARKERS:]
        self._drawn = tuple((marker, place % LABEL_ROWS) for place, marker in enumerate(newest))
        return True

    def paint_lines(self, painter: QPainter, area: QRectF, times: Span, theme: Theme) -> None:
        """Draw a line at each marker's time, and a shade over its span."""
        for marker, _ in self._visible(times):
            line, shade = QColor(_colour(marker, theme)), QColor(_colour(marker, theme))
            line.setAlpha(200)
            shade.setAlpha(30)
            painter.setPen(QPen(line, 0))
            left, right = _pixels(marker, times)
            if right > left:
                painter.fillRect(QRectF(left, area.top(), right - left, area.height()), shade)
            for x in {left, right}:
                painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()))

    def paint_labels(self, painter: QPainter, area: QRectF, times: Span, theme: Theme) -> None:
        """Write the beginning of each marker's text beside its line; a curve behind it stays visible."""
        ground = QColor(theme.base)
        ground.setAlpha(205)
        for marker, place in self.labels(area, times, QFontMetricsF(painter.font())):
            painter.fillRect(place, ground)
            painter.setPen(QColor(_colour(marker, theme)))
            painter.drawText(place, Qt.AlignCenter, label_words(marker))

    def labels(self, area: QRectF, times: Span, metrics: QFontMetricsF) -> list[tuple[Marker, QRectF]]:
        """Return where labels stand: right of their line, or left of it where there is no room."""
        placed = []
        for marker, row in self._visible(times):
            x = _pixels(marker, times)[0]
            width, height = metrics.horizontalAdvance(label_words(marker)) + 8, metrics.height() + 2
            if not area.left() - 1 <= x <= area.right() + 1 or height * (row + 1) > area.height():
                continue
            left = x + 1 if x + 1 + width <= area.right() else max(area.left(), x - 1 - width)
            placed.append((marker, QRectF(left, area.top() + 2 + row * (height + 2), width, height)))
        return placed

    def words_at(self, area: QRectF, times: Span, place: QPointF, metrics: QFontMetricsF) -> str:
        """Return all that is to be said of the markers at a place; empty where there is none."""
        under = [marker for marker, label in self.labels(area, times, metrics) if label.contains(place)]
        for marker, _ in self._visible(times):
            left, right = _pixels(marker, times)
            if left - NEAR_PIXELS <= place.x() <= right + NEAR_PIXELS and marker not in under:
                under.append(marker)
        return "\n".join(marker_words(marker) for marker in under[:MOST_TOLD])

    def _visible(self, times: Span) -> list[tuple[Marker, int]]:
        # As floats, seconds since 1970 are exact to less than a microsecond: one at an edge is in view.
        low, high = times.low * 1e9 - 1000, times.high * 1e9 + 1000
        return [
            (mark, row) for mark, row in self._drawn if mark.from_ns <= high and (mark.to_ns or mark.from_ns) >= low
        ]


def _colour(marker: Marker, theme: Theme) -> str:
    if not isinstance(marker, AlarmMark):
        return theme.accent
    return {Severity.CRITICAL: theme.recording, Severity.WARNING: theme.warning}.get(marker.severity, theme.accent)


def _pixels(marker: Marker, times: Span) -> tuple[float, float]:
    begin = times.pixel(marker.from_ns / 1e9)
    return begin, begin if marker.to_ns is None else times.pixel(marker.to_ns / 1e9)


def label_words(marker: Marker) -> str:
    """Return what stands beside a marker's line: one short line."""
    text = " ".join(marker.text.split())
    return text if len(text) <= LABEL_LENGTH else f"{text[: LABEL_LENGTH - 1].rstrip()}…"


def marker_words(marker: Marker) -> str:
    """Return all that is to be said of a marker: when, what, of which source, by whom."""
    of = " · alarm, silenced" if isinstance(marker, AlarmMark) else f" · {marker.source}" if marker.source else ""
    by = f"\n{marker.who}" if marker.who else ""
    return f"{time_words(marker)}{of}\n{marker.text}{by}"


def time_words(marker: Marker) -> str:
    """Return when a marker is: a clock time, or two."""
    until = "" if marker.to_ns is None else f" to {_clock(marker.to_ns)}"
    return f"{_clock(marker.from_ns)}{until}"


def _clock(time_ns: int) -> str:
    moment = datetime.fromtimestamp(time_ns // 1_000_000_000).astimezone()
    return f"{moment:%H:%M:%S}.{time_ns // 1_000_000 % 1000:03}"
