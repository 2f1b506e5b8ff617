"""What the live view keeps of one source: the newest readings in full, all of them as coarser and coarser runs.

Pure. Each level holds runs of :data:`FACTOR` runs of the level below, and only the newest of them, so that memory is
bounded, however long the session; the present can be drawn at any width without touching more than a few runs a
column of pixels, and what is long ago is there, coarser.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blitz.data.pyramid_runs import Runs, single_runs

FACTOR = 4
"""So many runs are one of the next level."""

_LEAST_RUNS, _MOST_RUNS, _VALUES = 1 << 14, 1 << 15, 1 << 19
"""A level keeps so many runs, fewer where there are many channels; at least eight a column of a wide screen."""

_FEWEST_A_COLUMN = 2
"""A view takes the coarsest level that has so many runs for each of its columns."""


class LiveLevels:
    """The levels of a source with so many channels.

    :param recent: how many readings are kept in full, at least.
    :param runs: how many runs a level above keeps; None chooses by the channels.
    """

    def __init__(self, channels: int, recent: int, runs: int | None = None) -> None:
        self.channels = channels
        self._recent = recent
        self._runs = runs or min(max(_VALUES // max(channels, 1), _LEAST_RUNS), _MOST_RUNS)
        self._levels = [_Level(recent, channels)]

    @property
    def count(self) -> int:
        """How many readings are kept in full."""
        return len(self._levels[0].runs)

    @property
    def readings(self) -> Runs:
        """Those kept in full, a run each."""
        return self._levels[0].runs

    @property
    def first_ns(self) -> int:
        """Time of the oldest reading that a run tells of; there must be one."""
        return min(int(level.runs.first_ns[0]) for level in self._levels if len(level.runs))

    @property
    def newest_ns(self) -> int:
        """Time of the newest reading; there must be one."""
        return int(self._levels[0].runs.last_ns[-1])

    def around(self, at_ns: int, count: int) -> Runs:
        """Return the finest runs there are before and after a time, so many on each side where there are."""
        finest = next(
            (level.runs for level in self._levels if len(level.runs) and level.runs.first_ns[0] <= at_ns), None
        )
        runs = finest if finest is not None else self._levels[-1].runs
        place = int(np.searchsorted(runs.first_ns, at_ns, "right"))
        return runs.part(max(place - count, 0), min(place + count, len(runs)))

    def add(self, time_ns: NDArray[np.int64], seq: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Add readings behind those there are.

        :param time_ns: shape (n,), never falling, and not before those there are.
        :param values: shape (n, channels).
        """
        step = max(self._recent // 2, FACTOR)
        for start in range(0, len(time_ns), step):
            part = slice(start, start + step)
            newest = self._levels[0].runs.last_ns[-1:]
            before_ns = int(newest[0]) if len(newest) else None
            runs = single_runs(time_ns[part], seq[part], values[part], before_ns)
            places = np.arange(len(runs)) + self._levels[0].stop
            self._levels[0].add(replace(runs, first_place=places))
            self._fold()

    def between(self, low_ns: int, high_ns: int, columns: int) -> list[Runs]:
        """Return runs that show a range of times, one beyond each edge where there is one; in order, without overlap.

        :param columns: of pixels; where there are more readings, there are at least twice as many runs as columns, and
            not many more, as long as they are kept.
        """
        top = self._level_for(low_ns, high_ns, _FEWEST_A_COLUMN * columns)
        parts: list[Runs] = []
        stop = self._levels[top].stop * FACTOR**top  # counted in readings, as begin is
        for number in range(top, len(self._levels)):
            level, length = self._levels[number], FACTOR**number
            # What is older is shown by the next level, whose runs must end where these begin.
            unit = length * FACTOR if number + 1 < len(self._levels) else length
            begin = -(-level.start * length // unit) * unit
            part = level.places(begin // length, stop // length)
            parts.insert(0, _seen(part, low_ns, high_ns))
            if len(part) and part.first_ns[0] <= low_ns:
                break
            stop = begin
        for number in reversed(range(top)):
            # What is newer is in no run of the level above yet.
            part = self._levels[number].places(self._levels[number + 1].stop * FACTOR, self._levels[number].stop)
            parts.append(_seen(part, low_ns, high_ns))
        parts = [part for part in parts if len(part)]
        # Of what lies beyond an edge, only what is next to it.
        while len(parts) > 1 and parts[1].last_ns[0] < low_ns:
            del parts[0]
        while len(parts) > 1 and parts[-2].first_ns[-1] > high_ns:
            del parts[-1]
        return parts

    def convert(self, factor: NDArray[np.float64], offset: NDArray[np.float64]) -> None:
        """Turn every value into ``value * factor + offset``, each of shape (channels,)."""
        for level in self._levels:
            level.convert(factor[:, np.newaxis], offset[:, np.newaxis])

    def _level_for(self, low_ns: int, high_ns: int, fewest: int) -> int:
        """Return the coarsest level that has so many runs in a range; the lowest where none has."""
        top = 0
        for number, level in enumerate(self._levels):
            begin, end = np.searchsorted(level.runs.first_ns, (low_ns, high_ns))
            if end - begin >= fewest:
                top = number
        return top

    def _fold(self) -> None:
        number = 0
        while number < len(self._levels):
            level = self._levels[number]
            whole = level.stop // FACTOR
            if whole > level.folded:
                if number + 1 == len(self._levels):
                    # Each reaches further back than the one below, so that it can go on where that one begins.
                    capacity = max(self._runs, level.capacity // FACTOR + 2 * FACTOR)
                    self._levels.append(_Level(capacity, self.channels))
                group = level.places(level.folded * FACTOR, whole * FACTOR)
                self._levels[number + 1].add(group.grouped(np.arange(0, len(group), FACTOR)))
                level.folded = whole
            number += 1


class _Level:
    """The newest runs of one length, in arrays with room at the end, so that every range is one slice."""

    def __init__(self, capacity: int, channels: int) -> None:
        self.capacity = capacity
        self._channels = channels
        self._room = self._make(min(capacity, 1024))
        self._begin = self._end = 0
        self.stop = 0
        """How many runs there have been."""
        self.folded = 0
        """How many runs of the next level have been made of them."""

    @property
    def start(self) -> int:
        """The place of the oldest run that is kept, counted from the first there was."""
        return self.stop - (self._end - self._begin)

    @property
    def runs(self) -> Runs:
        """All that are kept."""
        return self._room.part(self._begin, self._end)

    def places(self, start: int, stop: int) -> Runs:
        """Return the runs from one place to another, as far as they are kept."""
        shift = self._begin - self.start
        return self._room.part(max(start, self.start) + shift, max(stop, start, self.start) + shift)

    def add(self, runs: Runs) -> None:
        """Put runs behind those there are; the oldest make room."""
        count = len(runs)
        if self._end + count > len(self._room):
            self._move(count)
        for column, more in zip(_columns(self._room), _columns(runs), strict=True):
            column[..., self._end : self._end + count] = more
        self._end += count
        self.stop += count
        self._begin = max(self._begin, self._end - max(self.capacity, count))

    def convert(self, factor: NDArray[np.float64], offset: NDArray[np.float64]) -> None:
        """Turn every value into ``value * factor + offset``."""
        runs = self.runs
        one, other = runs.low * factor + offset, runs.high * factor + offset
        runs.low[...], runs.high[...] = np.fmin(one, other), np.fmax(one, other)

    def _move(self, count: int) -> None:
        kept = self._room.part(max(self._begin, self._end + count - max(self.capacity, count)), self._end)
        needed = len(kept) + count
        room = len(self._room)
        # A quarter of room: each run is moved four times at most, whatever the size of what comes.
        if needed > room - room // 5:
            room = max(min(2 * needed, self.capacity + self.capacity // 4), needed)
        before, self._room = kept, self._make(room)
        for column, old in zip(_columns(self._room), _columns(before), strict=True):
            column[..., : len(before)] = old
        self._begin, self._end = 0, len(before)

    def _make(self, size: int) -> Runs:
        return Runs(
            np.zeros(size, np.int64),
            np.zeros(size, np.int64),
            np.zeros(size, np.int64),
            np.zeros(size, np.int64),
            np.zeros(size),
            np.zeros((self._channels, size)),
            np.zeros((self._channels, size)),
            np.zeros((self._channels, size), bool),
        )


def _columns(runs: Runs) -> tuple[NDArray[Any], ...]:
    return (*runs.along_runs, runs.low, runs.high, runs.has_nan)


def _seen(runs: Runs, low_ns: int, high_ns: int) -> Runs:
    """Leave out what is not seen, except one run beyond each edge."""
    start = int(np.searchsorted(runs.last_ns, low_ns)) - 1
    stop = int(np.searchsorted(runs.first_ns, high_ns, "right")) + 1
    return runs.part(max(start, 0), min(stop, len(runs)))
