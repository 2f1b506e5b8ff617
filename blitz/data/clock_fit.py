"""Where a device's time lies in ours: the line that lies closest under all arrivals.

Pure. A message arrives when it was logged or later, never earlier. Over device time, arrival minus device time is
therefore a cloud above a line whose slope is the drift of the device's clock. The line is the edge of the cloud's lower
convex hull at its middle (Moon, Skelly and Towsley, "Estimation and Removal of Clock Skew", 1999): late arrivals,
however many and however late, lie above it and do not bend it. What all arrivals have in common, the smallest latency
of the way, cannot be seen.
"""

import itertools
import statistics
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from blitz.data.delay_spread import DelaySpread

_MOST_NS = 1 << 61
LEAP_NS = 1_000_000_000
"""A clock that is ahead of the line by more was set forward; one that stays behind by more has lost time."""

_BUCKETS = 16
_FIRST_BUCKET_NS = 250_000_000
_LONGEST_BUCKET_NS = 32_000_000_000
"""The line follows the last eight and a half minutes: long against jitter, short against the weather."""

_RECENT_BUCKETS = 5
_RECENT_NS = 120_000_000_000
"""The line is raised to its latest buckets when they have been above it for two minutes: drift changes."""

_LOST_NS = 10_000_000_000
_MOST_SLOPE = 0.05
_UNKNOWN_SLOPE = 0.005
"""What ceramic resonators are wrong by. A slope over 0.05 is no clock's: what bent the line was something else."""

_STATE = (
    *("slope", "slope_uncertainty", "_inherited", "lost_time", "_begin_ns", "_length_ns", "_bucket", "_bucket_end_ns"),
    *("_centre_ns", "_floor_ns", "_open_read", "_reads", "uncertainty_ns", "_points", "_lowest"),
)


class _Point(NamedTuple):
    bucket: int
    device_ns: int
    ahead_ns: int

    @property
    def arrived_ns(self) -> int:
        return self.device_ns + self.ahead_ns


class ClockFit:
    """The line of one run of a device's clock, from one beginning of the clock to the next.

    Arrivals are kept as the lowest of each bucket of time; buckets double in length as the run gets longer. Between
    two buckets the line is lowered to each read that lies below it; with each new bucket it is fitted anew.

    :param spread: gets the delay of each read; shared by the fits of one clock.
    :param former: the run before: the crystal is the same, so its drift is believed until this run knows better.
    """

    def __init__(self, tick_ns: int, spread: DelaySpread, arrived_ns: int, former: "ClockFit | None" = None) -> None:
        self._tick_ns = tick_ns
        self._spread = spread
        self.slope: float = former.slope if former else 0.0
        self.slope_uncertainty: float | None = former.slope_uncertainty if former else None
        self._inherited = self.slope_uncertainty
        self.lost_time = 0
        self._points: list[_Point] = []
        self._begin_ns = arrived_ns
        self._length_ns = _FIRST_BUCKET_NS
        self._bucket = 0
        self._bucket_end_ns = arrived_ns + self._length_ns
        self._lowest: tuple[int, _Point] | None = None
        self._centre_ns: int | None = None
        self._floor_ns: int | None = None
        self._open_read: tuple[int, int] | None = None
        self._reads = 0
        self.uncertainty_ns = tick_ns + 3 * spread.typical_ns

    def state(self) -> dict[str, Any]:
        """Return what it knows, the spread apart, fit for JSON."""
        return {name: getattr(self, name) for name in _STATE}

    @classmethod
    def from_state(cls, tick_ns: int, spread: DelaySpread, state: Mapping[str, Any]) -> Self:
        """Make it again from what :meth:`state` returned."""
        fit = cls(tick_ns, spread, state["_begin_ns"])
        for name in _STATE:
            setattr(fit, name, state[name])
        fit._points = [_Point(*point) for point in state["_points"]]
        if state["_lowest"] is not None:
            low_ns, point = state["_lowest"]
            fit._lowest = (low_ns, _Point(*point))
        if state["_open_read"] is not None:
            began_ns, low_ns = state["_open_read"]
            fit._open_read = (began_ns, low_ns)
        return fit

    def is_met_by(self, device_ns: int, arrived_ns: int) -> bool:
        """Tell whether a message lies where this clock would have it, within a tenth of a second."""
        if self._floor_ns is None or self._centre_ns is None:
            return False
        stretch_ns = round(self.slope * (device_ns - self._centre_ns))
        return abs(arrived_ns - device_ns - stretch_ns - self._floor_ns) <= LEAP_NS // 10

    def place(
        self,
        device_ns: NDArray[np.int64],
        arrived_ns: NDArray[np.int64],
        times_ns: NDArray[np.int64],
        uncertainty_ns: NDArray[np.int64],
        may_leap: bool,
    ) -> int:
        """Write the messages' times and uncertainties.

        :param may_leap: False where the first read is known to belong to this run of the clock.
        :returns: how many messages were placed: fewer than given if a later read shows that the clock was set forward.
        """
        count, done = len(arrived_ns), 0
        last_ns = int(arrived_ns[-1])
        while done < count:
            first_ns = int(arrived_ns[done])
            if first_ns >= self._bucket_end_ns:
                self._begin_bucket(first_ns)
            stop = count
            if last_ns >= self._bucket_end_ns:
                stop = max(done + 1, done + int(np.searchsorted(arrived_ns[done:], self._bucket_end_ns)))
            times, placed = self._place_in_bucket(device_ns[done:stop], arrived_ns[done:stop], may_leap)
            may_leap = True
            times_ns[done : done + placed] = times
            uncertainty_ns[done : done + placed] = min(self.uncertainty_ns, _MOST_NS)
            done += placed
            if done < stop:
                return done
        return count

    def _place_in_bucket(
        self, device_ns: NDArray[np.int64], arrived_ns: NDArray[np.int64], may_leap: bool
    ) -> tuple[NDArray[np.int64], int]:
        if self._centre_ns is None:
            self._centre_ns = int(device_ns[0])
        times_ns = device_ns
        if self.slope:
            stretch_ns = self.slope * (device_ns - self._centre_ns)
            times_ns = device_ns + np.rint(stretch_ns, out=stretch_ns).astype(np.int64)
        ahead_ns = arrived_ns - times_ns
        begins = _read_begins(arrived_ns)
        reads_ns = ahead_ns if begins is None else np.minimum.reduceat(ahead_ns, begins)
        smallest_ns = _smallest_so_far(reads_ns, self._floor_ns)
        known_ns = self._floor_ns if may_leap and self._floor_ns is not None else int(reads_ns[0])
        if known_ns - int(smallest_ns[-1]) > LEAP_NS:
            falls_ns = np.concatenate(([known_ns], smallest_ns[:-1])) - reads_ns
            leaps = np.flatnonzero(falls_ns > LEAP_NS)
            if len(leaps):
                reads = int(leaps[0])
                if not reads:
                    return times_ns[:0], 0
                stop = reads if begins is None else int(begins[reads])
                device_ns, times_ns, arrived_ns, ahead_ns = (
                    column[:stop] for column in (device_ns, times_ns, arrived_ns, ahead_ns)
                )
                reads_ns, smallest_ns = reads_ns[:reads], smallest_ns[:reads]
                begins = None if begins is None else begins[:reads]
        self._keep_lowest(device_ns, arrived_ns, ahead_ns)
        self._count_reads(int(arrived_ns[0]), int(arrived_ns[-1]), reads_ns, smallest_ns)
        self._floor_ns = int(smallest_ns[-1])
        if begins is not None:
            smallest_ns = np.repeat(smallest_ns, np.diff(begins, append=len(times_ns)))
        return times_ns + smallest_ns, len(times_ns)

    def _keep_lowest(
        self, device_ns: NDArray[np.int64], arrived_ns: NDArray[np.int64], ahead_ns: NDArray[np.int64]
    ) -> None:
        place = int(ahead_ns.argmin())
        low_ns = int(ahead_ns[place])
        if self._lowest is None or low_ns < self._lowest[0]:
            device = int(device_ns[place])
            self._lowest = (low_ns, _Point(self._bucket, device, int(arrived_ns[place]) - device))

    def _count_reads(
        self, first_ns: int, last_ns: int, reads_ns: NDArray[np.int64], smallest_ns: NDArray[np.int64]
    ) -> None:
        """Count each read's delay once, when the read is over: a block may end within one."""
        first_low_ns = int(reads_ns[0])
        if self._open_read is not None and self._open_read[0] == first_ns:
            first_low_ns = min(first_low_ns, self._open_read[1])
        else:
            self._close_read()
        if len(reads_ns) > 1:
            self._spread.add_one(first_low_ns - int(smallest_ns[0]))
            self._spread.add(reads_ns[1:-1] - smallest_ns[1:-1])
            self._reads += len(reads_ns) - 1
            self._open_read = (last_ns, int(reads_ns[-1]))
        else:
            self._open_read = (last_ns, first_low_ns)

    def _close_read(self) -> None:
        if self._open_read is not None and self._floor_ns is not None:
            self._spread.add_one(self._open_read[1] - self._floor_ns)
            self._reads += 1
        self._open_read = None

    def _begin_bucket(self, arrived_ns: int) -> None:
        self._close_read()
        self._spread.learn()
        if self._lowest is not None:
            self._points.append(self._lowest[1])
            self._drop_before_lost_time()
            self._make_room()
            self._fit(arrived_ns)
        self._lowest = None
        self._bucket = (arrived_ns - self._begin_ns) // self._length_ns
        self._bucket_end_ns = self._begin_ns + (self._bucket + 1) * self._length_ns

    def _make_room(self) -> None:
        while len(self._points) > _BUCKETS and self._length_ns < _LONGEST_BUCKET_NS:
            self._length_ns *= 2
            merged: list[_Point] = []
            for _, pair in itertools.groupby(self._points, lambda point: point.bucket // 2):
                lowest = min(pair, key=lambda point: point.ahead_ns - self.slope * (point.device_ns - self._origin_ns))
                merged.append(lowest._replace(bucket=lowest.bucket // 2))
            self._points = merged
        del self._points[:-_BUCKETS]

    @property
    def _origin_ns(self) -> int:
        return self._centre_ns or 0

    def _drop_before_lost_time(self) -> None:
        """Forget what lies before a clock that stood still, or began anew unseen, and has been steady since."""
        late: list[int] = []
        for point in reversed(self._points):
            stretch_ns = round(self.slope * (point.device_ns - self._origin_ns))
            behind_ns = point.ahead_ns - stretch_ns - (self._floor_ns or 0)
            if behind_ns <= LEAP_NS:
                break
            late.append(behind_ns)
        if len(late) < 3 or len(late) == len(self._points) or max(late) - min(late) > min(late) // 20:
            return
        since = self._points[-len(late) :]
        if since[-1].arrived_ns - since[0].arrived_ns >= _LOST_NS:
            self._points = since
            self._inherited = self.slope_uncertainty
            self._reads = len(since)
            self.lost_time += 1

    def _fit(self, now_ns: int) -> None:
        last = self._points[-1]
        x = [float(point.device_ns - last.device_ns) for point in self._points]
        y = [float(point.ahead_ns - last.ahead_ns) for point in self._points]
        span_ns = max(x) - min(x)
        reach = self._choose_slope(x, y, span_ns)
        above_ns = [b - self.slope * a for a, b in zip(x, y, strict=True)]
        recent = above_ns
        if last.arrived_ns - self._points[-_RECENT_BUCKETS:][0].arrived_ns >= _RECENT_NS:
            recent = above_ns[-_RECENT_BUCKETS:]
        low_ns = min(recent)
        self._centre_ns = last.device_ns
        self._floor_ns = last.ahead_ns + round(low_ns)
        # Drift that changes lifts the latest buckets off the line, and will go on doing so.
        latest_ns = statistics.median(above_ns[-3:])
        growth_ns = max(latest_ns - statistics.median(above_ns[-6:-3]), 0) if len(above_ns) >= 6 else 0
        lookahead_ns = span_ns / 2 + now_ns - last.arrived_ns + self._length_ns
        self.uncertainty_ns = round(
            self._tick_ns
            + max(2 * statistics.median(recent) - low_ns, latest_ns + growth_ns)
            - low_ns
            + reach * lookahead_ns
            + 3 * self._spread.typical_ns / max(self._reads, 1)
        )

    def _choose_slope(self, x: list[float], y: list[float], span_ns: float) -> float:
        """Choose the slope; return what it may be wrong by."""
        if len(x) >= 4 and span_ns >= 2e9:
            slope = _middle_slope(x, y)
            above_ns = sorted(b - slope * a for a, b in zip(x, y, strict=True))
            reach = (3 * (above_ns[len(x) // 2] - above_ns[0]) + self._tick_ns) / span_ns
            if self._inherited is None:
                is_good = abs(slope) > reach or (span_ns >= 60e9 and reach <= _UNKNOWN_SLOPE / 5)
            else:
                is_good = reach <= 2 * self._inherited or span_ns >= 256e9
            if is_good and abs(slope) <= _MOST_SLOPE:
                self.slope, self.slope_uncertainty, self._inherited = slope, reach, None
            elif self._inherited is None:
                self.slope, self.slope_uncertainty = 0.0, None
                return min(abs(slope) + reach, _UNKNOWN_SLOPE)
        return _UNKNOWN_SLOPE if self.slope_uncertainty is None else self.slope_uncertainty


def _read_begins(arrived_ns: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Return where reads begin: messages of one read have one arrival. None where each message is a read."""
    differs = arrived_ns[1:] != arrived_ns[:-1]
    return None if differs.all() else np.concatenate(([0], np.flatnonzero(differs) + 1))


def _smallest_so_far(reads_ns: NDArray[np.int64], floor_ns: int | None) -> NDArray[np.int64]:
    if floor_ns is None:
        return np.minimum.accumulate(reads_ns)
    if int(reads_ns.min()) >= floor_ns:  # of most: the line has been lowered to the lowest read before
        return np.full(len(reads_ns), floor_ns)
    return np.minimum(np.minimum.accumulate(reads_ns), floor_ns)


def _middle_slope(x: list[float], y: list[float]) -> float:
    """Return the slope of the lower convex hull at the mean of x.

    >>> _middle_slope([0.0, 1.0, 2.0, 3.0], [5.0, 0.5, 9.0, 1.5])
    0.5
    """
    hull: list[tuple[float, float]] = []
    for here in sorted(zip(x, y, strict=True)):
        if hull and hull[-1][0] == here[0]:
            continue
        while len(hull) >= 2:
            (ax, ay), (bx, by) = hull[-2], hull[-1]
            if (bx - ax) * (here[1] - ay) > (by - ay) * (here[0] - ax):
                break
            hull.pop()
        hull.append(here)
    middle = sum(x) / len(x)
    for (ax, ay), (bx, by) in itertools.pairwise(hull):
        if bx >= middle:
            return (by - ay) / (bx - ax)
    return 0.0
