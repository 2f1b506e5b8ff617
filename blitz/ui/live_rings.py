"""Where the live store keeps one source's readings: the newest in full, all of them as an overview.

Knows neither Qt nor the network. Every reading stands with the sequence number of its message, so that a gap that is
told late still breaks the line where it was.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blitz.data.records import Gap

SHORTEST_BREAK_S = 0.05
"""Steps below this are never a gap: messages of one read share a time where a device has no clock."""

_NOWHERE = np.empty(0, np.intp)


@dataclass(frozen=True, eq=False)
class Series:
    """Readings of one source: times in seconds since the Unix epoch (n,), values (n, n_channels), NaN = broken line."""

    times: NDArray[np.float64]
    values: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Run:
    """Consecutive readings of one source: seq (n,), times in seconds (n,), values (n, n_channels)."""

    seqs: NDArray[np.int64]
    times: NDArray[np.float64]
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.times)

    def part(self, places: slice) -> "Run":
        """Return a slice of it; the arrays are not copied."""
        return Run(self.seqs[places], self.times[places], self.values[places])

    def broken(self, gaps: Iterable[Gap]) -> Series:
        """Return it with its line broken at gaps, and wherever readings are missing by their times."""
        return with_breaks(self.times, self.values, gap_places(gaps, self.seqs, self.times))


def gap_places(gaps: Iterable[Gap], seqs: NDArray[np.int64], times: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return before which readings gaps lie; a gap of which all was recovered is none.

    :param seqs: of the readings, rising.
    :param times: of the readings, in seconds; where a gap does not know its seq, its time says.
    """
    counted = [gap for gap in gaps if gap.lost != 0 or not (gap.is_exact or gap.recovered)]
    if not counted:
        return _NOWHERE
    gap_seqs = np.array([gap.seq for gap in counted])
    gap_times = np.array([gap.from_ns for gap in counted]) / 1e9
    found = np.where(gap_seqs > 0, np.searchsorted(seqs, gap_seqs), np.searchsorted(times, gap_times, "right"))
    known = np.unique(found)
    return known[(known > 0) & (known < len(times))]


def with_breaks(times: NDArray[np.float64], values: NDArray[np.float64], places: NDArray[np.intp] = _NOWHERE) -> Series:
    """Break the line where more than three usual periods passed between two readings.

    :param places: readings before which it is broken, too.
    """
    return _broken(times, values, np.union1d(places, _holes(times)))


def _holes(times: NDArray[np.float64]) -> NDArray[np.intp]:
    steps = np.diff(times)
    rising = steps[-4096:][steps[-4096:] > 0]
    if not len(rising):
        return _NOWHERE
    limit = max(3 * float(np.median(rising)), SHORTEST_BREAK_S)
    return np.flatnonzero(steps > limit) + 1


def _broken(times: NDArray[np.float64], values: NDArray[np.float64], places: NDArray[np.intp]) -> Series:
    if not len(places):
        return Series(times, values)
    return Series(np.insert(times, places, times[places - 1]), np.insert(values, places, np.nan, axis=0))


class Ring:
    """The newest readings in arrays of twice the capacity, so that every range is one slice."""

    def __init__(self, capacity: int, width: int) -> None:
        self.width = width
        self._capacity = capacity
        size = min(2 * capacity, 1024)
        self._run = Run(np.empty(size, np.int64), np.empty(size), np.empty((size, width)))
        self._start = 0
        self._stop = 0
        self.has_dropped = False

    @property
    def count(self) -> int:
        """How many readings it holds."""
        return self._stop - self._start

    @property
    def newest_time(self) -> float:
        """Time of the newest reading, in seconds."""
        return float(self._run.times[self._stop - 1])

    @property
    def oldest_time(self) -> float:
        """Time of the oldest reading that it holds, in seconds."""
        return float(self._run.times[self._start])

    def add(self, run: Run) -> None:
        """Add readings behind those there are; the oldest make room."""
        if len(run) > self._capacity:
            self.has_dropped = True
            run = run.part(slice(-self._capacity, None))
        self._make_room(len(run))
        _put(run, self._run, self._stop)
        self._stop += len(run)
        if self.count > self._capacity:
            self._start = self._stop - self._capacity
            self.has_dropped = True

    def last(self, count: int) -> Run:
        """Return the newest readings, oldest first."""
        return self._run.part(slice(max(self._start, self._stop - count), self._stop))

    def since(self, time: float) -> Run:
        """Return the readings from a time on."""
        start = self._start + int(np.searchsorted(self._run.times[self._start : self._stop], time))
        return self._run.part(slice(start, self._stop))

    def convert(self, factor: NDArray[np.float64], offset: NDArray[np.float64]) -> None:
        """Turn every value into ``value * factor + offset``."""
        kept = self._run.values[self._start : self._stop]
        kept *= factor
        kept += offset

    def _make_room(self, count: int) -> None:
        if self._stop + count <= len(self._run):
            return
        kept = self._run.part(slice(self._start, self._stop))
        size = max(min(2 * self._capacity, max(2 * (len(kept) + count), 1024)), len(kept) + count)
        self._run = Run(np.empty(size, np.int64), np.empty(size), np.empty((size, self.width)))
        _put(kept, self._run, 0)
        self._start, self._stop = 0, len(kept)


class Overview:
    """Minimum and maximum of equal runs of readings; runs are joined in pairs when there are too many."""

    def __init__(self, capacity: int, width: int) -> None:
        self._capacity = capacity
        self._stride = 1
        self._count = 0
        self._seqs = np.empty(capacity, np.int64)
        self._times = np.empty(capacity)
        self._low = np.empty((capacity, width))
        self._high = np.empty((capacity, width))
        self._pending: list[Run] = []
        self._pending_count = 0

    def add(self, run: Run) -> None:
        """Add readings behind those there are."""
        self._pending.append(run)
        self._pending_count += len(run)
        if self._pending_count < self._stride:
            return
        left = _join(self._pending)
        while len(left) >= self._stride:
            runs = min(len(left) // self._stride, self._capacity - self._count)
            self._append(left.part(slice(0, runs * self._stride)), runs)
            left = left.part(slice(runs * self._stride, None))
            if self._count == self._capacity:
                self._join_pairs()
        # A copy, so that a few readings do not hold the whole array.
        self._pending = [Run(left.seqs.copy(), left.times.copy(), left.values.copy())] if len(left) else []
        self._pending_count = len(left)

    def series(self, start: float, gaps: Iterable[Gap]) -> Series:
        """Return the extremes of each run from a time on, and what no run holds yet, broken at gaps."""
        first = int(np.searchsorted(self._times[: self._count], start))
        runs = slice(first, self._count)
        tail = _join(self._pending) if self._pending else Run(self._seqs[:0], self._times[:0], self._low[:0])
        seqs, times = np.append(self._seqs[runs], tail.seqs), np.append(self._times[runs], tail.times)
        extremes = np.concatenate(
            [np.stack([self._low[runs], self._high[runs]], axis=1), np.stack([tail.values, tail.values], axis=1)]
        )
        # Runs and single readings have periods of their own.
        known = self._count - first
        holes = np.union1d(_holes(times[: known + 1]), _holes(tail.times) + known)
        whole = _broken(times, extremes, np.union1d(holes, gap_places(gaps, seqs, times)))
        return Series(np.repeat(whole.times, 2), whole.values.reshape(-1, self._low.shape[1]))

    def convert(self, factor: NDArray[np.float64], offset: NDArray[np.float64]) -> None:
        """Turn every value into ``value * factor + offset``."""
        used = slice(0, self._count)
        one, other = self._low[used] * factor + offset, self._high[used] * factor + offset
        self._low[used], self._high[used] = np.fmin(one, other), np.fmax(one, other)
        self._pending = [Run(part.seqs, part.times, part.values * factor + offset) for part in self._pending]

    def _append(self, run: Run, count: int) -> None:
        here = slice(self._count, self._count + count)
        grouped = run.values.reshape(count, self._stride, run.values.shape[1])
        self._seqs[here] = run.seqs[:: self._stride]
        self._times[here] = run.times[:: self._stride]
        self._low[here] = np.fmin.reduce(grouped, axis=1)
        self._high[here] = np.fmax.reduce(grouped, axis=1)
        self._count += count

    def _join_pairs(self) -> None:
        half = self._count // 2
        for array in (self._seqs, self._times):
            array[:half] = array[0 : 2 * half : 2]
        self._low[:half] = np.fmin(self._low[0 : 2 * half : 2], self._low[1 : 2 * half : 2])
        self._high[:half] = np.fmax(self._high[0 : 2 * half : 2], self._high[1 : 2 * half : 2])
        self._count = half
        self._stride *= 2


def _put(run: Run, into: Run, place: int) -> None:
    here = slice(place, place + len(run))
    into.seqs[here], into.times[here], into.values[here] = run.seqs, run.times, run.values


def _join(runs: list[Run]) -> Run:
    return Run(
        np.concatenate([run.seqs for run in runs]),
        np.concatenate([run.times for run in runs]),
        np.concatenate([run.values for run in runs]),
    )
