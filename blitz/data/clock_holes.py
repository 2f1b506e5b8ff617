"""Holes in the clock of a device that sends at regular times. Pure."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from blitz.data.hole import Hole

_ENOUGH = 8
_ENOUGH_TO_JUDGE = 256
_MEMORY = 2048
_CHUNK = 16_384
_FOLLOWERS = 4
_REGULAR = 0.85
_RARE = 0.005
_WIDE_MEMORY = 64


class _Rows(NamedTuple):
    place: NDArray[np.int64]
    """Counts the source's messages, those without a clock included."""
    seq: NDArray[np.int64]
    time_ns: NDArray[np.int64]
    device_ns: NDArray[np.int64]
    arrived_ns: NDArray[np.int64]
    is_restart: NDArray[np.int64]

    def behind(self, other: "_Rows | None") -> "_Rows":
        return self if other is None else _Rows(*(np.concatenate(pair) for pair in zip(other, self, strict=True)))

    def between(self, start: int, stop: int | None) -> "_Rows":
        return _Rows(*(column[start:stop] for column in self))

    def chosen(self, are_chosen: NDArray[np.bool_]) -> "_Rows":
        return _Rows(*(column[are_chosen] for column in self))


class ClockHoles:
    """Follows the clock of one source.

    :param resolution_ns: the unit of the device's clock: steps are only known to within it.
    """

    def __init__(self, resolution_ns: int) -> None:
        self._resolution_ns = resolution_ns
        self._tail: _Rows | None = None
        self._count = 0
        self._recent = np.empty(0, np.int64)
        self.period_ns: int | None = None
        self.is_regular = False
        self._tolerance_ns = 0.0
        self._period_error_ns = 0.0
        self._has_clock = False
        self._wide = _WideSteps()

    def examine(
        self,
        seq: NDArray[np.int64],
        time_ns: NDArray[np.int64],
        arrived_ns: NDArray[np.int64],
        is_restart: NDArray[np.bool_] | None,
        device_ns: NDArray[np.int64] | None,
    ) -> list[Hole]:
        """Find the holes before these messages, except before the last four."""
        self._has_clock |= device_ns is not None or not np.array_equal(time_ns, arrived_ns)
        place = np.arange(self._count, self._count + len(seq))
        self._count += len(seq)
        restarts = np.zeros(len(seq), np.int64) if is_restart is None else is_restart.astype(np.int64)
        rows = _Rows(place, seq, time_ns, time_ns if device_ns is None else device_ns, arrived_ns, restarts)
        if device_ns is not None and int(device_ns.min()) < 0:
            rows = rows.chosen(device_ns >= 0)
        rows = rows.behind(self._tail)
        found: list[Hole] = []
        last = len(rows.seq) - 1 - _FOLLOWERS
        for start in range(0, max(last, 0), _CHUNK):
            stop = min(start + _CHUNK, last)
            found += self._examine_chunk(rows.between(start, stop + 1 + _FOLLOWERS))
        self._tail = rows.between(max(last, 0), None)
        return found

    def skip(self, count: int) -> None:
        """Let messages pass: whether there is a hole before or between them is not asked."""
        self._tail = None
        self._count += count

    def longest_usual_ns(self) -> int | None:
        """Return the longest of the latest steps but for the rarest; None until there are some."""
        return int(np.quantile(self._recent, 0.99, method="lower")) if len(self._recent) >= _ENOUGH else None

    def _examine_chunk(self, rows: _Rows) -> list[Hole]:
        """Judge all steps but the last four."""
        steps = np.diff(rows.device_ns)
        is_step = (rows.is_restart[1:] == 0) & (steps >= 0)
        judged = slice(0, len(steps) - _FOLLOWERS)
        self._recent = np.concatenate((self._recent, steps[judged][is_step[judged]]))[-_CHUNK:]
        are_rare = self._learn(self._recent)
        self._recent = self._recent[-_MEMORY:]
        if are_rare is None or self.period_ns is None or not self.is_regular:
            return []
        period, resolution = self.period_ns, self._resolution_ns
        is_wide = is_step & (steps >= 1.6 * period) & (steps > period + 2.5 * resolution)
        if not is_wide.any():
            return []
        # A device that has become slower is not losing: after a hole it goes on at its period.
        totals = np.concatenate(([0], np.cumsum(np.abs(steps - period) <= period / 4 + resolution)))
        followers = totals[1 + _FOLLOWERS :] - totals[1:-_FOLLOWERS]
        wide = np.flatnonzero(is_wide[judged] & (followers * 2 >= _FOLLOWERS))
        counts = np.rint(steps[wide] / period)
        is_whole = np.abs(steps[wide] - counts * period) <= self._tolerance_ns + counts * self._period_error_ns
        # A message whose clock cannot be read is there all the same.
        lost = counts.astype(np.int64) - (rows.place[wide + 1] - rows.place[wide])
        are_overruns = self._are_overruns(rows, wide, period)
        is_hole = self._wide.judge(rows.place[wide], is_whole, are_overruns, are_rare) & is_whole & (lost > 0)
        return [
            Hole(int(rows.seq[at + 1]), int(rows.time_ns[at]), int(rows.time_ns[at + 1]), missing, "clock")
            for at, missing in zip(wide[is_hole].tolist(), lost[is_hole].tolist(), strict=True)
        ]

    def _learn(self, steps: NDArray[np.int64]) -> bool | None:
        """Estimate the period; return whether wide steps are rare, or None if there are too few steps."""
        if len(steps) < _ENOUGH:
            return None
        resolution = self._resolution_ns
        median = float(np.median(steps))
        near = steps[np.abs(steps - median) <= median / 4 + resolution]
        if not len(near):  # half of the steps are much shorter than the other half, and none is in the middle
            median = float(steps[steps < median].max())
            near = steps[np.abs(steps - median) <= median / 4 + resolution]
        period = float(near.mean())
        if period < 2 * resolution:
            # Several messages a tick: what is counted is how many there are in the ticks that have some.
            period = float(steps[steps <= median + 4 * resolution].mean())
        self.is_regular = self._has_clock and bool(
            np.count_nonzero(np.abs(steps - period) <= period / 4 + resolution) >= _REGULAR * len(steps) and period > 0
        )
        deviation = float(np.quantile(np.abs(near - near.mean()), 0.9))
        self._tolerance_ns = min(1.5 * resolution + 2 * deviation, period / 5 + resolution)
        self._period_error_ns = resolution / len(near)
        if not self.is_regular and steps.any():
            # Many may come in one read; what is longer than many polls is a pause.
            period = float(steps[steps <= 20 * np.median(steps[steps > 0])].mean())
        self.period_ns = round(period) or None
        if len(steps) < _ENOUGH_TO_JUDGE:
            return None
        wide = np.count_nonzero((steps >= 1.6 * period) & (steps > period + 2.5 * resolution))
        return bool(wide <= max(_RARE * len(steps), 1 if len(steps) < 512 else 3))

    def _are_overruns(self, rows: _Rows, wide: NDArray[np.int64], period_ns: int) -> NDArray[np.bool_]:
        """Tell where a board's ring ran over: the message before was fresh when it came, the one behind was old."""
        limit_ns = 3 * period_ns + 2 * self._resolution_ns
        late_ns = rows.arrived_ns - rows.time_ns
        return (late_ns[wide] <= limit_ns) & (late_ns[wide + 1] > limit_ns)


class _WideSteps:
    """Judges wide steps by what a source's wide steps have been like so far."""

    def __init__(self) -> None:
        self._seen = 0
        self._whole = 0
        self._overruns = 0
        self._places: list[int] = []

    def judge(
        self, places: NDArray[np.int64], are_whole: NDArray[np.bool_], are_overruns: NDArray[np.bool_], are_rare: bool
    ) -> NDArray[np.bool_]:
        """Tell which wide steps are losses.

        A device that pauses goes on at any time; of one that loses messages, whole periods are missing. Frequent wide
        steps are losses only where a board's ring ran over; else they are the pauses of a device that sends in bursts.
        """
        seen = self._seen + np.arange(1, len(places) + 1)
        whole = self._whole + np.cumsum(are_whole)
        overruns = self._overruns + np.cumsum(are_overruns)
        if len(places):
            self._seen, self._whole, self._overruns = int(seen[-1]), int(whole[-1]), int(overruns[-1])
            if self._seen > _WIDE_MEMORY:
                self._seen, self._whole, self._overruns = self._seen // 2, self._whole // 2, self._overruns // 2
        if not are_rare:
            return (seen >= 8) & (overruns >= 0.6 * seen)
        are_habit = np.array([self._is_habit(place) for place in places.tolist()], np.bool_)
        return ((seen < 4) | (whole >= 0.7 * seen)) & ~are_habit

    def _is_habit(self, place: int) -> bool:
        """Tell whether the last steps came after equally many messages: so pauses a device that writes to a card."""
        self._places = [*self._places[-3:], place]
        counts = np.diff(self._places).tolist()
        return len(counts) == 3 and max(counts) - min(counts) <= 1 + max(counts) // 50
