"""A report's plots, drawn as SVG: curves of one unit over the time of day and the time since the start. Pure.

Lengths are in units of the drawing, of which :data:`WIDTH` are the width of a page.
"""

import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo

import markupsafe
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from blitz.data.report_axis import clock_ticks, elapsed_ticks, value_ticks
from blitz.data.report_curves import Span
from blitz.data.report_words import clean_text, elided, moment_of, zone_words

WIDTH = 1000.0
_HEIGHT = 220.0
_TOP, _RIGHT, _BOTTOM = 40.0, 16.0, 44.0
_CHARACTER = 8.6
"""About the width of a digit."""
_CAPTION_LENGTH = 28
_FEWEST_NS = 1_000
_LABEL_ROOM = 26.0
_SMALLEST, _LARGEST = 1e-290, sys.float_info.max
"""What an axis can tell apart, and where it ends."""
COLORS = ("#0072b2", "#d55e00", "#009e73", "#a0527e", "#b07d00", "#2b2b2b", "#3b9bd6", "#7a5c3e")
"""After Okabe and Ito, whose colours everybody can tell apart; darker, for paper."""


@dataclass(frozen=True)
class Curve:
    """One channel in a plot.

    :param time_ns: shape (n,), never falling.
    :param values: shape (n,), NaN where the curve is broken, nowhere infinite.
    :param limits: values that are drawn as lines where they lie within the plot.
    """

    label: str
    color: str
    time_ns: NDArray[np.int64] = field(repr=False)
    values: NDArray[np.float64] = field(repr=False)
    limits: tuple[float, ...] = ()


@dataclass(frozen=True)
class Flag:
    """A marker: a moment, or a span, and the number that it has in the report's list."""

    from_ns: int
    to_ns: int | None
    words: str


@dataclass(frozen=True)
class TimeWindow:
    """What of the time is drawn, and how it is told.

    :param origin_ns: what the time since the start is counted from.
    :param zone: of the time of day; None is that of this computer.
    """

    start_ns: int
    stop_ns: int
    origin_ns: int
    zone: tzinfo | None = None


def plot_svg(
    title: str,
    caption: str,
    curves: Sequence[Curve],
    window: TimeWindow,
    gaps: Iterable[Span] = (),
    absent: Iterable[Span] = (),
    flags: Sequence[Flag] = (),
    left: float = 0.0,
) -> Markup:
    """Draw curves that share a value axis.

    :param title: what the drawing is, for those who hear it read.
    :param caption: of the value axis.
    :param gaps: time in which readings are known to be missing, shaded.
    :param absent: time that the report cannot tell of, hatched.
    :param left: room for the value axis, as :func:`axis_room` tells, so that drawings below each other have one time.
    """
    low, high = _extent(curves)
    ticks = value_ticks(low, high)
    left = max(left, _room(ticks))
    frame = _Frame(window, low, high, left, WIDTH - _RIGHT - left)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {_TOP + _HEIGHT + _BOTTOM:g}" role="img">',
        f"<title>{_text(title)}</title>",
        frame.bands(absent, "absent"),
        frame.bands(gaps, "gap"),
        frame.value_axis(ticks, caption),
        frame.time_axes(),
        frame.flags(flags),
        f'<svg x="{left:g}" y="{_TOP:g}" width="{frame.width:g}" height="{_HEIGHT:g}" overflow="hidden">',
        *(part for curve in curves for part in frame.curve(curve)),
        "</svg>",
        f'<rect class="frame" x="{left:g}" y="{_TOP:g}" width="{frame.width:g}" height="{_HEIGHT:g}"/>',
    ]
    if not any(np.isfinite(curve.values).any() for curve in curves):
        middle = f'x="{left + frame.width / 2:g}" y="{_TOP + _HEIGHT / 2:g}"'
        parts.append(f'<text {middle} text-anchor="middle">no readings in this time</text>')
    return Markup("\n".join([*filter(None, parts), "</svg>"]))  # every text in it was escaped


def axis_room(curves: Sequence[Curve]) -> float:
    """Return how much room the value axis of these curves takes."""
    return _room(value_ticks(*_extent(curves)))


def _room(ticks: Sequence[tuple[float, str]]) -> float:
    return 34.0 + _CHARACTER * max((len(words) for _, words in ticks), default=1)


def _text(words: str) -> Markup:
    return markupsafe.escape(clean_text(words))


def _extent(curves: Sequence[Curve]) -> tuple[float, float]:
    """Return what the value axis goes from and to, some room included."""
    finite = [curve.values[np.isfinite(curve.values)] for curve in curves]
    low = min((float(values.min()) for values in finite if len(values)), default=0.0)
    high = max((float(values.max()) for values in finite if len(values)), default=1.0)
    room, largest = 0.05 * high - 0.05 * low, max(abs(low), abs(high))
    if room <= max(1e-12 * largest, _SMALLEST):
        room = 0.05 * largest if largest > 100 * _SMALLEST else 1.0
    return max(low - room, -_LARGEST), min(high + room, _LARGEST)


class _Frame:
    """Puts moments and values where they belong. Places of curves are within the frame, all others in the drawing."""

    def __init__(self, window: TimeWindow, low: float, high: float, left: float, width: float) -> None:
        self._window = window
        self._low, self._high = low, high
        self._left = left
        self.width = width
        self._span_ns = max(window.stop_ns - window.start_ns, _FEWEST_NS)

    def x(self, time_ns: int) -> float:
        """Return where a moment is, from the frame's left edge, within the frame."""
        return min(max((time_ns - self._window.start_ns) / self._span_ns, 0.0), 1.0) * self.width

    def y(self, value: float) -> float:
        """Return where a value is, from the frame's top."""
        return (self._high / 2 - value / 2) / (self._high / 2 - self._low / 2) * _HEIGHT

    def curve(self, curve: Curve) -> list[str]:
        """Return the lines of a channel."""
        color = _text(curve.color)
        lines = [
            f'<path class="limit" stroke="{color}" d="M0 {self.y(limit):.1f}H{self.width:g}"/>'
            for limit in curve.limits
            if self._low < limit < self._high
        ]
        path = self._path(curve)
        return [*lines, f'<path class="curve" stroke="{color}" d="{path}"/>'] if path else lines

    def _path(self, curve: Curve) -> str:
        across = (curve.time_ns - self._window.start_ns) / self._span_ns * self.width
        down = (self._high / 2 - curve.values / 2) / (self._high / 2 - self._low / 2) * _HEIGHT
        words: list[str] = []
        is_down = False
        before = ""
        for x, y in zip(across.tolist(), down.tolist(), strict=True):
            if math.isnan(y):
                is_down, before = False, ""
                continue
            place = f"{x:.1f} {y:.1f}"
            # The first point alone is a dot: a line of no length with round ends.
            words += [] if place == before else [f"L{place}" if is_down else f"M{place}h0"]
            is_down, before = True, place
        return "".join(words)

    def bands(self, spans: Iterable[Span], kind: str) -> str:
        """Return spans of time, those that touch on paper as one."""
        merged: list[list[float]] = []
        for begin, end in sorted(spans):
            if end < self._window.start_ns or begin > self._window.stop_ns:
                continue
            left, right = self.x(begin), self.x(end)
            right = max(right, left + 1.0)
            if merged and left <= merged[-1][1] + 0.5:
                merged[-1][1] = max(merged[-1][1], right)
            else:
                merged.append([left, right])
        if not merged:
            return ""
        path = "".join(
            f"M{self._left + left:.1f} {_TOP:g}h{right - left:.1f}v{_HEIGHT:g}h{left - right:.1f}z"
            for left, right in merged
        )
        return f'<path class="{kind}" d="{path}"/>'

    def value_axis(self, ticks: Sequence[tuple[float, str]], caption: str) -> str:
        """Return lines across, their numbers, and what they are numbers of."""
        lines = "".join(f"M{self._left:g} {_TOP + self.y(at):.1f}h{self.width:g}" for at, _ in ticks)
        numbers = (
            f'<text x="{self._left - 6:g}" y="{_TOP + self.y(at) + 5:.1f}" text-anchor="end">{_text(words)}</text>'
            for at, words in ticks
        )
        y = _TOP + _HEIGHT / 2
        words = _text(elided(caption, _CAPTION_LENGTH))
        name = f'<text transform="translate(15 {y:g}) rotate(-90)" text-anchor="middle">{words}</text>'
        return f'<path class="grid" d="{lines}"/>{"".join(numbers)}{name if caption else ""}'

    def time_axes(self) -> str:
        """Return the time of day below, and the time since the start above."""
        window = self._window
        clock = clock_ticks(window.start_ns, window.stop_ns, window.zone, 7)
        elapsed = elapsed_ticks(window.start_ns, window.stop_ns, window.origin_ns, 9)
        below, above = _TOP + _HEIGHT, _TOP
        lines = [f"M{self._left + self.x(tick.at_ns):.1f} {below:g}v6" for tick in clock]
        lines += [f"M{self._left + self.x(tick.at_ns):.1f} {above:g}v-6" for tick in elapsed]
        words = [self._time_words(tick.at_ns, tick.words, below + 22) for tick in clock]
        words += [self._time_words(tick.at_ns, tick.words, above - 10) for tick in elapsed]
        days = list(
            dict.fromkeys(f"{moment_of(each, window.zone):%Y-%m-%d}" for each in (window.start_ns, window.stop_ns))
        )
        date = f"{' to '.join(days)}, {zone_words(window.start_ns, window.zone)}"
        words.append(
            f'<text class="date" x="{self._left + self.width / 2:g}" y="{below + 40:g}" text-anchor="middle">'
            f"{_text(date)}</text>"
        )
        return f'<path class="tick" d="{"".join(lines)}"/>{"".join(words)}'

    def _time_words(self, time_ns: int, words: str, y: float) -> str:
        """Write below or above a tick; near an edge so that nothing is cut."""
        x = self._left + self.x(time_ns)
        half = _CHARACTER * len(words) / 2
        x = min(max(x, self._left - 4), WIDTH - half)
        return f'<text x="{x:.1f}" y="{y:g}" text-anchor="middle">{_text(words)}</text>'

    def flags(self, flags: Sequence[Flag]) -> str:
        """Return markers as lines, those over a span as bands; numbers where there is room for them."""
        window = self._window
        inside = [
            flag for flag in flags if flag.from_ns <= window.stop_ns and (flag.to_ns or flag.from_ns) >= window.start_ns
        ]
        spans = [(flag.from_ns, flag.to_ns) for flag in inside if flag.to_ns is not None]
        places = [(self.x(max(flag.from_ns, window.start_ns)), flag.words) for flag in inside]
        if not places:
            return ""
        lines = sorted({f"M{self._left + x:.1f} {_TOP:g}v{_HEIGHT:g}" for x, _ in places})
        numbers = []
        free = -_LABEL_ROOM
        for x, words in sorted(places):
            if x >= free:
                place = f'x="{self._left + min(x + 3, self.width - _LABEL_ROOM):.1f}" y="{_TOP + 15:g}"'
                numbers.append(f'<text class="flag" {place}>{_text(words)}</text>')
                free = x + _CHARACTER * len(words) + 6
        return f'{self.bands(spans, "span")}<path class="marker" d="{"".join(lines)}"/>{"".join(numbers)}'
