"""A recorded session that lies under the live one, with a tolerance: where the live one should be. Knows no widget.

Its moment is laid upon that of what is followed: the start of both, or a marker that both have. A short session is kept
reading by reading, a long one by the extremes of short spans.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from blitz.data.aligning import TYPICAL_STEPS
from blitz.data.overview import min_max
from blitz.data.records import Marker
from blitz.data.session_differences import Tolerance
from blitz.data.session_moments import AtMarker, AtStart, marker_ns
from blitz.errors import SeriesError
from blitz.ui.comparison import started_ns
from blitz.ui.history import History
from blitz.ui.models.sessions import session_title
from blitz.ui.plots.curves import Curve

POINTS = 1 << 15
"""Of a channel of a long session: the extremes of half as many spans."""


@dataclass(frozen=True, eq=False)
class ReferenceLine:
    """One channel of the reference.

    :param times: seconds since the session's moment, shape (n,), never falling.
    :param values: shape (n,), NaN where readings are missing.
    :param longest_s: readings that are farther apart say nothing of what lies between.
    """

    times: NDArray[np.float64]
    values: NDArray[np.float64]
    longest_s: float

    def between(self, low: float, high: float) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
        """Return what a view shows, one point beyond each edge included."""
        part = slice(max(int(self.times.searchsorted(low)) - 1, 0), int(self.times.searchsorted(high, "right")) + 1)
        return self.times[part], self.values[part]

    def band(self, at: NDArray[np.float64], tolerance: Tolerance) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
        """Return the lowest and the highest value that is tolerated at times; NaN where the reference says nothing.

        :param at: seconds since the moment, shape (n,).
        """
        low, high = np.full(len(at), np.nan), np.full(len(at), np.nan)
        if not len(self.times):
            return low, high
        right = np.clip(self.times.searchsorted(at, "right"), 0, len(self.times) - 1)
        left = np.maximum(self.times.searchsorted(at, "right") - 1, 0)
        apart = self.times[right] - self.times[left]
        is_inside = (at >= self.times[0]) & (at <= self.times[-1]) & (apart <= self.longest_s)
        share = np.where(apart > 0, (at - self.times[left]) / np.where(apart > 0, apart, 1), 0.0)
        before, behind = self.values[left], self.values[right]
        at_value = at == self.times[left]
        expected = np.where(at_value, before, before + (behind - before) * share)
        is_known = is_inside & ~np.isnan(expected)
        reach = tolerance.around(expected)
        low[is_known], high[is_known] = (expected - reach)[is_known], (expected + reach)[is_known]
        return low, high


@dataclass(frozen=True, eq=False)
class LiveReference:
    """A session, its channels by label, and what is tolerated.

    :param align: at which moment both sessions are laid upon each other.
    """

    history: History
    lines: Mapping[str, ReferenceLine] = field(repr=False)
    tolerance: Tolerance
    align: AtStart | AtMarker = field(default_factory=AtStart)

    @property
    def title(self) -> str:
        """The session as people know it."""
        return session_title(self.history.record)

    def zero_s(self, started_s: float | None, markers: tuple[Marker, ...]) -> float | None:
        """Return where the moment is in what is followed, in seconds since the Unix epoch; None: not yet.

        :param started_s: when that began.
        :param markers: that it has; of several with the same text the first counts.
        """
        if isinstance(self.align, AtStart):
            return started_s
        try:
            return marker_ns(markers, self.align.text) / 1e9
        except SeriesError:
            return None

    def outside(self, label: str, since_s: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.int8]:
        """Return which values left the tolerance: 1 above, -1 below, 0 within or where nothing is known.

        :param since_s: seconds since the moment, shape (n,).
        """
        line = self.lines.get(label)
        if line is None or self.tolerance.is_none:
            return np.zeros(len(values), np.int8)
        low, high = line.band(since_s, self.tolerance)
        with np.errstate(invalid="ignore"):
            return (values > high).astype(np.int8) - (values < low).astype(np.int8)

    def curve(self, label: str, unit: str, colour_index: int, zero_s: float, low: float, high: float) -> Curve | None:
        """Return what of a channel's reference a view shows; None where the session does not have it.

        :param low: left edge, in seconds since the Unix epoch.
        """
        line = self.lines.get(label)
        if line is None:
            return None
        times, values = line.between(low - zero_s, high - zero_s)
        band = (self.tolerance.absolute, self.tolerance.relative)
        key = ("reference", label)
        return Curve(key, label, colour_index, times + zero_s, values, is_faint=True, unit=unit, tolerance=band)


def make_reference(history: History, align: AtStart | AtMarker, tolerance: Tolerance) -> LiveReference:
    """Return a session as a reference; takes a moment, in any thread.

    :raises SeriesError: if the session does not have the marker.
    """
    markers = history.record.markers
    zero_ns = marker_ns(markers, align.text) if isinstance(align, AtMarker) else started_ns(history)
    lines: dict[str, ReferenceLine] = {}
    limits = history.time_limits
    for channel in history.channels if limits is not None else ():
        assert limits is not None
        series = history.series.get(channel.source.index) or history.between(channel.source.index, *limits, POINTS // 2)
        if series is None or channel.column >= series.values.shape[1]:
            continue
        times, values = series.times - zero_ns / 1e9, series.values[:, channel.column]
        if not history.is_quick:
            times, values = min_max(times, values, POINTS // 2)
        known = lines.get(channel.label)
        if known is not None:  # a definition was changed in mid-session
            times, values = _joined(known, times, values)
        steps = np.diff(times[~np.isnan(values)])
        steps = steps[steps > 0]
        longest_s = TYPICAL_STEPS * float(np.median(steps)) if len(steps) else 0.0
        lines[channel.label] = ReferenceLine(times, values, longest_s)
    return LiveReference(history, lines, tolerance, align)


def _joined(
    known: ReferenceLine, times: NDArray[np.float64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    joined = np.concatenate([known.times, times])
    order = np.argsort(joined, kind="stable")
    return joined[order], np.concatenate([known.values, values])[order]
