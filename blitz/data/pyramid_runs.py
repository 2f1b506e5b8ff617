"""Runs of readings and their extremes: what a min/max pyramid is made of, and how a screen's columns are made of it.

Pure. A run is up to :data:`FACTOR` ** k consecutive readings of one source; a single reading is a run, too.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FACTOR = 16


@dataclass(frozen=True, eq=False)
class Runs:
    """Consecutive runs of readings of one source, n of them, with m channels.

    :param first_ns: time of each run's first reading, int64, shape (n,).
    :param last_ns: time of each run's last reading.
    :param first_seq: sequence number of its first message.
    :param first_place: how many readings of the source came before.
    :param longest_s: the longest time between two readings in it, that before its first one included; float.
    :param low: smallest value, float32 or float64, shape (m, n), NaN where there is none, which ``has_nan`` tells, too.
    :param high: largest value.
    :param has_nan: bool, shape (m, n): whether a reading of it has no value.
    """

    first_ns: NDArray[np.int64]
    last_ns: NDArray[np.int64]
    first_seq: NDArray[np.int64]
    first_place: NDArray[np.int64]
    longest_s: NDArray[np.floating]
    low: NDArray[np.floating]
    high: NDArray[np.floating]
    has_nan: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.first_ns)

    def part(self, start: int, stop: int) -> "Runs":
        """Return the runs start to stop; nothing is copied."""
        here = slice(start, stop)
        return Runs(
            *(column[here] for column in self.along_runs),
            *(column[:, here] for column in (self.low, self.high, self.has_nan)),
        )

    def channels(self, columns: Sequence[int]) -> "Runs":
        """Return the same runs with these channels; nothing is copied where these are all of them."""
        chosen = list(columns)
        if chosen == list(range(len(self.low))):
            return self
        return Runs(*self.along_runs, *(column[chosen] for column in (self.low, self.high, self.has_nan)))

    def take(self, places: NDArray[np.intp]) -> "Runs":
        """Return the runs at these places."""
        return Runs(
            *(column[places] for column in self.along_runs),
            *(column[:, places] for column in (self.low, self.high, self.has_nan)),
        )

    @property
    def along_runs(self) -> tuple[NDArray[Any], ...]:
        """The columns that have one value a run, whatever the channels: the first five."""
        return self.first_ns, self.last_ns, self.first_seq, self.first_place, self.longest_s

    @classmethod
    def joined(cls, parts: Sequence["Runs"]) -> "Runs":
        """Join runs that follow each other; at least one part."""
        if len(parts) == 1:
            return parts[0]
        along = [np.concatenate(columns) for columns in zip(*(part.along_runs for part in parts), strict=True)]
        across = [
            np.concatenate([getattr(part, name) for part in parts], axis=1) for name in ("low", "high", "has_nan")
        ]
        return cls(*along, *across)

    def grouped(self, starts: NDArray[np.intp]) -> "Runs":
        """Make one run of the runs between two starts; the first start is 0."""
        if not len(starts):
            return self
        stops = np.append(starts[1:], len(self)) - 1
        smallest: np.ufunc = np.minimum
        largest: np.ufunc = np.maximum
        has_nan = np.zeros((len(self.has_nan), len(starts)), bool)
        if self.has_nan.any():  # seldom, and then it takes twice as long
            smallest, largest = np.fmin, np.fmax
            has_nan = np.logical_or.reduceat(self.has_nan, starts, axis=1)
        return Runs(
            self.first_ns[starts],
            self.last_ns[stops],
            self.first_seq[starts],
            self.first_place[starts],
            np.maximum.reduceat(self.longest_s, starts),
            smallest.reduceat(self.low, starts, axis=1),
            largest.reduceat(self.high, starts, axis=1),
            has_nan,
        )


@dataclass(frozen=True, eq=False)
class Extremes:
    """The values of one block's runs, before their times are known: as :class:`Runs` has them, float64."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]
    has_nan: NDArray[np.bool_]


def run_extremes(values: NDArray[np.float64]) -> Extremes:
    """Return the extremes of runs of :data:`FACTOR` readings; the last run may be shorter.

    :param values: shape (n, m).
    """
    count, channels = values.shape
    runs = -(-count // FACTOR)
    is_nan = np.isnan(values)
    has_nan = np.zeros((channels, runs), bool)
    if is_nan.any():
        has_nan = np.logical_or.reduceat(is_nan, np.arange(0, count, FACTOR), axis=0).T
    if count % FACTOR:
        values = np.concatenate([values, np.full((runs * FACTOR - count, channels), np.nan)])
    by_place = values.reshape(runs, FACTOR, channels).transpose(1, 2, 0)
    low = np.ascontiguousarray(by_place[0])
    high = low.copy()
    # Sixteen passes over whole columns: several times as fast as to reduce along the short axis.
    for place in range(1, FACTOR):
        np.fmin(low, by_place[place], out=low)
        np.fmax(high, by_place[place], out=high)
    return Extremes(low, high, has_nan)


def timed_runs(
    extremes: Extremes, time_ns: NDArray[np.int64], seq: NDArray[np.int64], first_place: int, before_ns: int | None
) -> Runs:
    """Put extremes and times of one block's readings together.

    :param first_place: how many readings of the source came before.
    :param before_ns: time of the source's reading before these.
    """
    starts = np.arange(0, len(time_ns), FACTOR)
    stops = np.minimum(starts + FACTOR, len(time_ns)) - 1
    steps_ns = np.diff(time_ns, prepend=int(time_ns[0]) if before_ns is None else before_ns)
    longest_s = np.maximum.reduceat(steps_ns, starts) / 1e9
    places = first_place + starts
    return Runs(
        time_ns[starts],
        time_ns[stops],
        seq[starts],
        places,
        longest_s,
        extremes.low,
        extremes.high,
        extremes.has_nan,
    )


def single_runs(
    time_ns: NDArray[np.int64], seq: NDArray[np.int64], values: NDArray[np.float64], before_ns: int | None = None
) -> Runs:
    """Make a run of each reading; their places are not told.

    :param values: shape (n, m).
    """
    turned = np.ascontiguousarray(values.T)
    if before_ns is None:
        before_ns = int(time_ns[0]) if len(time_ns) else 0
    steps_ns = np.diff(time_ns, prepend=before_ns)
    places = np.zeros(len(time_ns), np.int64)
    return Runs(time_ns, time_ns, seq, places, steps_ns / 1e9, turned, turned, np.isnan(turned))


def covering(levels: Sequence[Runs], start: int, stop: int, fewest: int) -> list[Runs]:
    """Return parts of levels that cover runs of the lowest level exactly, coarse ones where there are many.

    :param start: the first of the lowest level's runs.
    :param stop: behind the last one.
    :param fewest: no coarser level than one with so many runs.
    """
    top = 0
    while top + 1 < len(levels) and (stop - start) // FACTOR ** (top + 1) >= fewest:
        top += 1
    left: list[Runs] = []
    right: list[Runs] = []
    for number in range(top):
        level = levels[number]
        aligned_start = min(-(-start // FACTOR) * FACTOR, stop)
        # The last run of a level is shorter where the level below ends.
        aligned_stop = stop if stop == len(level) else max(stop // FACTOR * FACTOR, aligned_start)
        left.append(level.part(start, aligned_start))
        right.append(level.part(aligned_stop, stop))
        start, stop = aligned_start // FACTOR, -(-aligned_stop // FACTOR)
        if aligned_start >= aligned_stop:
            start = stop
            break
    middle = [levels[top].part(start, stop)] if start < stop else []
    return [part for part in (*left, *middle, *reversed(right)) if len(part)]


def in_columns(parts: Sequence[Runs], columns: int) -> Runs:
    """Join runs that follow each other, at least one part, and make one of those in each of :func:`column_starts`.

    They are not copied, which for many would take longest: each part is grouped for itself, then those columns that
    have runs in two parts.
    """
    begins = np.cumsum([0, *map(len, parts)])
    starts = column_starts(np.concatenate([part.first_ns for part in parts]), columns)
    cuts = np.sort(np.concatenate([starts, begins[:-1]]))
    cuts = cuts[np.diff(cuts, prepend=-1) > 0]
    of_parts = np.searchsorted(cuts, begins)
    grouped = [
        part.grouped(cuts[low:high] - begin)
        for part, begin, (low, high) in zip(parts, begins, itertools.pairwise(of_parts), strict=False)
    ]
    return Runs.joined(grouped).grouped(np.searchsorted(cuts, starts))


def column_starts(first_ns: NDArray[np.int64], columns: int) -> NDArray[np.intp]:
    """Return which runs begin a column; columns divide the time evenly, and those that hold no run are left out."""
    if not len(first_ns):
        return np.empty(0, np.intp)
    edges = np.linspace(0, float(first_ns[-1] - first_ns[0]), columns, endpoint=False)
    starts: NDArray[np.intp] = np.searchsorted(first_ns, first_ns[0] + edges.astype(np.int64))
    return starts[np.diff(starts, prepend=-1) > 0]
