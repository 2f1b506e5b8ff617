"""What has arrived and may be drawn: bounded arrays a source, however long the session is.

Knows neither Qt nor the network. Each source has a ring of its newest readings at full resolution, and an overview of
the whole session: minima and maxima of equal runs of readings, whose runs double in length when they become too many.
One thread uses it: arrival stores, a timer draws.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blitz.data.boards import Channel, Readings, channel_labels
from blitz.data.records import Gap, Source
from blitz.ui.windows import PlotWindow

RECENT_READINGS = 1 << 17
OVERVIEW_RUNS = 4096
SHORTEST_BREAK_S = 0.05
"""Steps below this are never a gap: messages of one read share a time where a device has no clock."""


@dataclass(frozen=True)
class LiveChannel:
    """One channel of one source of what is being followed."""

    source: Source
    column: int
    channel: Channel
    label: str

    @property
    def key(self) -> tuple[int, int]:
        """Source index and column: where its values stand."""
        return self.source.index, self.column


@dataclass(frozen=True, eq=False)
class Series:
    """Readings of one source: times in seconds since the Unix epoch (n,), values (n, n_channels), NaN = broken line."""

    times: NDArray[np.float64]
    values: NDArray[np.float64]


class LiveStore:
    """The live readings of one session, or of the preview.

    :param recent: how many readings a source keeps at full resolution.
    :param overview: how many runs of readings a source keeps at most as minimum and maximum.
    """

    def __init__(self, recent: int = RECENT_READINGS, overview: int = OVERVIEW_RUNS) -> None:
        self._recent = recent
        self._overview = overview
        self._rings: dict[int, _Ring] = {}
        self._overviews: dict[int, _Overview] = {}
        self.session_id: int | None = None
        self.sources: tuple[Source, ...] = ()
        self.channels: tuple[LiveChannel, ...] = ()
        self.version = 0
        """Rises with every change: a drawer that saw this version has nothing to do."""

    def clear(self) -> None:
        """Forget everything: nothing is followed."""
        self._rings.clear()
        self._overviews.clear()
        self.session_id = None
        self.sources = ()
        self.channels = ()
        self.version += 1

    def follow(self, session_id: int, sources: Iterable[Source]) -> None:
        """Set the source table. Another session than before begins empty; the same one keeps its readings."""
        if session_id != self.session_id:
            self.clear()
            self.session_id = session_id
        self.sources = tuple(sources)
        labels = channel_labels(self.sources)
        self.channels = tuple(
            LiveChannel(source, column, channel, labels[source.index, channel.name])
            for source in self.sources
            if source.definition is not None
            for column, channel in enumerate(source.definition.channels)
        )
        self.version += 1

    def add(self, readings: Readings) -> None:
        """Store readings of the followed session; those of another are dropped."""
        if readings.session_id != self.session_id or not len(readings):
            return
        index, width = readings.source.index, readings.values.shape[1]
        ring = self._rings.get(index)
        if ring is None or ring.width != width:
            ring = self._rings[index] = _Ring(self._recent, width)
            self._overviews[index] = _Overview(self._overview, width)
        times = readings.time_ns / 1e9
        ring.add(times, readings.values)
        self._overviews[index].add(times, readings.values)
        self.version += 1

    def mark_gap(self, gap: Gap) -> None:
        """Break the source's lines: messages are known to be missing here."""
        ring = self._rings.get(gap.source)
        if ring is None or not ring.count:
            return
        time = np.array([max(gap.from_ns / 1e9, ring.newest_time)])
        nothing = np.full((1, ring.width), np.nan)
        ring.add(time, nothing)
        self._overviews[gap.source].add(time, nothing)
        self.version += 1

    def count(self, source_index: int) -> int:
        """Return how many readings of a source are kept at full resolution."""
        ring = self._rings.get(source_index)
        return ring.count if ring else 0

    def last(self, source_index: int, count: int) -> Series:
        """Return the newest readings of a source, oldest first, without the marks of gaps."""
        ring = self._rings.get(source_index)
        if ring is None:
            return Series(np.empty(0), np.empty((0, 0)))
        times, values = ring.last(count + 8)
        known = ~np.isnan(values).all(axis=1)
        return Series(times[known][-count:], values[known][-count:])

    def newest_time(self) -> float | None:
        """Return the time of the newest reading of any source, in seconds since the Unix epoch."""
        times = [ring.newest_time for ring in self._rings.values() if ring.count]
        return max(times) if times else None

    def series(self, source_index: int, window: PlotWindow) -> Series:
        """Return what a window shows of a source, its line broken where readings are missing."""
        ring = self._rings.get(source_index)
        if ring is None or not ring.count:
            return Series(np.empty(0), np.empty((0, 0)))
        if window.count is not None:
            return with_breaks(*ring.last(window.count))
        newest = self.newest_time() or 0.0
        start = -np.inf if window.seconds is None else newest - window.seconds
        if ring.has_dropped and start < ring.oldest_time:
            return self._overviews[source_index].series(start)
        return with_breaks(*ring.since(start))


def with_breaks(times: NDArray[np.float64], values: NDArray[np.float64]) -> Series:
    """Break the line where more than three usual periods passed between two readings."""
    steps = np.diff(times)
    rising = steps[-4096:][steps[-4096:] > 0]
    if not len(rising):
        return Series(times, values)
    limit = max(3 * float(np.median(rising)), SHORTEST_BREAK_S)
    after = np.flatnonzero(steps > limit) + 1
    if not len(after):
        return Series(times, values)
    return Series(np.insert(times, after, times[after - 1]), np.insert(values, after, np.nan, axis=0))


class _Ring:
    """The newest readings in arrays of twice the capacity, so that every range is one slice."""

    def __init__(self, capacity: int, width: int) -> None:
        self.width = width
        self._capacity = capacity
        self._times = np.empty(min(2 * capacity, 1024))
        self._values = np.empty((len(self._times), width))
        self._start = 0
        self._stop = 0
        self.has_dropped = False

    @property
    def count(self) -> int:
        return self._stop - self._start

    @property
    def newest_time(self) -> float:
        return float(self._times[self._stop - 1])

    @property
    def oldest_time(self) -> float:
        return float(self._times[self._start])

    def add(self, times: NDArray[np.float64], values: NDArray[np.float64]) -> None:
        if len(times) > self._capacity:
            self.has_dropped = True
            times, values = times[-self._capacity :], values[-self._capacity :]
        self._make_room(len(times))
        self._times[self._stop : self._stop + len(times)] = times
        self._values[self._stop : self._stop + len(times)] = values
        self._stop += len(times)
        if self.count > self._capacity:
            self._start = self._stop - self._capacity
            self.has_dropped = True

    def last(self, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        start = max(self._start, self._stop - count)
        return self._times[start : self._stop], self._values[start : self._stop]

    def since(self, time: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        start = self._start + int(np.searchsorted(self._times[self._start : self._stop], time))
        return self._times[start : self._stop], self._values[start : self._stop]

    def _make_room(self, count: int) -> None:
        if self._stop + count <= len(self._times):
            return
        kept = self.count
        size = min(2 * self._capacity, max(2 * (kept + count), 1024))
        times, values = np.empty(max(size, kept + count)), np.empty((max(size, kept + count), self.width))
        times[:kept] = self._times[self._start : self._stop]
        values[:kept] = self._values[self._start : self._stop]
        self._times, self._values, self._start, self._stop = times, values, 0, kept


class _Overview:
    """Minimum and maximum of equal runs of readings; runs are joined in pairs when there are too many."""

    def __init__(self, capacity: int, width: int) -> None:
        self._capacity = capacity
        self._stride = 1
        self._count = 0
        self._times = np.empty(capacity)
        self._low = np.empty((capacity, width))
        self._high = np.empty((capacity, width))
        self._is_broken = np.zeros(capacity, np.bool_)
        self._pending: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
        self._pending_count = 0

    def add(self, times: NDArray[np.float64], values: NDArray[np.float64]) -> None:
        self._pending.append((times, values))
        self._pending_count += len(times)
        if self._pending_count < self._stride:
            return
        times = np.concatenate([part[0] for part in self._pending])
        values = np.concatenate([part[1] for part in self._pending])
        while len(times) >= self._stride:
            runs = min(len(times) // self._stride, self._capacity - self._count)
            used = runs * self._stride
            self._append(times[:used], values[:used], runs)
            times, values = times[used:], values[used:]
            if self._count == self._capacity:
                self._join_pairs()
        self._pending = [(times.copy(), values.copy())] if len(times) else []
        self._pending_count = len(times)

    def series(self, start: float) -> Series:
        first = int(np.searchsorted(self._times[: self._count], start))
        runs = self._count - first
        broken = self._is_broken[first : self._count]
        times = np.repeat(self._times[first : self._count], 2)
        values = np.empty((2 * runs, self._low.shape[1]))
        values[0::2] = self._low[first : self._count]
        values[1::2] = self._high[first : self._count]
        breaks = 2 * np.flatnonzero(broken)
        times = np.insert(times, breaks, times[breaks])
        values = np.insert(values, breaks, np.nan, axis=0)
        tail = [(t, v) for t, v in self._pending if len(t)]
        return Series(np.concatenate([times, *(t for t, _ in tail)]), np.concatenate([values, *(v for _, v in tail)]))

    def _append(self, times: NDArray[np.float64], values: NDArray[np.float64], runs: int) -> None:
        here = slice(self._count, self._count + runs)
        grouped = values.reshape(runs, self._stride, values.shape[1])
        self._times[here] = times[:: self._stride]
        self._low[here] = np.fmin.reduce(grouped, axis=1)
        self._high[here] = np.fmax.reduce(grouped, axis=1)
        self._is_broken[here] = np.any(np.all(np.isnan(grouped), axis=2), axis=1)
        self._count += runs

    def _join_pairs(self) -> None:
        half = self._count // 2
        self._times[:half] = self._times[0 : 2 * half : 2]
        self._low[:half] = np.fmin(self._low[0 : 2 * half : 2], self._low[1 : 2 * half : 2])
        self._high[:half] = np.fmax(self._high[0 : 2 * half : 2], self._high[1 : 2 * half : 2])
        self._is_broken[:half] = self._is_broken[0 : 2 * half : 2] | self._is_broken[1 : 2 * half : 2]
        self._count = half
        self._stride *= 2
