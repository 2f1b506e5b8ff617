"""Parts of a session's overview, exact to the reading: coarse levels in the middle, single readings at the edges."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from blitz.data.blocks import GRID_MESSAGES
from blitz.data.boards import Readings
from blitz.data.pyramid_format import Pyramid
from blitz.data.pyramid_runs import Runs, covering, in_columns, single_runs
from blitz.data.series_request import Range

_MOST_RECENT = 4

Read = Callable[[int, int, set[int]], Iterator[list[Readings]]]
"""Decodes messages: from a seq, up to but without a seq, of certain sources; it may give more."""

Points = tuple[NDArray[np.int64], NDArray[np.float64]]


class PyramidReader:
    """Answers what lies in a range, from the overview and from as few messages as possible."""

    def __init__(self, pyramid: Pyramid, read: Read) -> None:
        self._pyramid = pyramid
        self._read = read

    def seqs(self, index: int, wanted: Range) -> tuple[int, int]:
        """Return sequence numbers, first and stop, between which all wanted readings of a source lie; equal if none."""
        source = self._pyramid.sources.get(index)
        if source is None:
            return 0, 0
        lowest = source.levels[0]
        start, stop = _touched(lowest, wanted)
        if start >= stop:
            return 0, 0
        behind = int(lowest.first_seq[stop]) if stop < len(lowest) else self._pyramid.message_count
        first = max(int(lowest.first_seq[start]), wanted.first)
        return first, max(first, behind if wanted.stop is None else min(behind, wanted.stop))

    def count_runs(self, index: int, wanted: Range) -> int:
        """Return how many of a source's shortest runs are touched."""
        source = self._pyramid.sources.get(index)
        if source is None:
            return 0
        start, stop = _touched(source.levels[0], wanted)
        return max(stop - start, 0)

    def runs(self, index: int, wanted: Range, fewest: int) -> list[Runs]:
        """Return what is wanted of a source as runs, in order; a run at an edge is cut down to its readings.

        :param fewest: no coarser runs than needed to have so many.
        """
        source = self._pyramid.sources.get(index)
        if source is None:
            return []
        lowest = source.levels[0]
        touched = _touched(lowest, wanted)
        if touched[0] >= touched[1]:
            return []
        start, stop = _inside(lowest, wanted, touched, self._pyramid.message_count)
        if start >= stop:
            return self._singles(index, wanted, touched)
        parts = self._singles(index, wanted, (touched[0], start))
        parts += covering(source.levels, start, stop, fewest)
        return parts + self._singles(index, wanted, (stop, touched[1]))

    def around(self, index: int, wanted: Range) -> tuple[int, int]:
        """Return start and stop of the shortest runs that a time touches, and one beyond each edge."""
        source = self._pyramid.sources.get(index)
        if source is None:
            return 0, 0
        start, stop = _touched(source.levels[0], wanted)
        return max(start - 1, 0), min(max(start, stop) + 1, len(source.levels[0]))

    def seqs_of_runs(self, index: int, start: int, stop: int) -> tuple[int, int]:
        """Return between which sequence numbers the readings of a source's shortest runs lie."""
        source = self._pyramid.sources.get(index)
        if source is None or start >= stop:
            return 0, 0
        first_seq = source.levels[0].first_seq
        return int(first_seq[start]), int(first_seq[stop]) if stop < len(first_seq) else self._pyramid.message_count

    def covering(self, index: int, start: int, stop: int, fewest: int) -> list[Runs]:
        """Return a source's shortest runs start to stop, as coarser ones where there are many."""
        source = self._pyramid.sources.get(index)
        return [] if source is None or start >= stop else covering(source.levels, start, stop, fewest)

    def begin_of_last(self, indices: Sequence[int], wanted: Range) -> int:
        """Return the seq of the first of the last so many readings of a device, through all of its rows."""
        left = wanted.last or 0
        for index in reversed(indices):
            first, stop = self._places(index, wanted)
            if stop - first >= left:
                return self._seq_at(index, stop - left)
            left -= stop - first
        return wanted.first

    def _places(self, index: int, wanted: Range) -> tuple[int, int]:
        """Return which of a source's readings are wanted, first and stop, counted from its first one."""
        source = self._pyramid.sources.get(index)
        touched = (0, 0) if source is None else _touched(source.levels[0], wanted)
        if source is None or touched[0] >= touched[1]:
            return 0, 0
        lowest = source.levels[0]
        inside = _inside(lowest, wanted, touched, self._pyramid.message_count)
        ends = np.append(lowest.first_place[touched[0] + 1 : touched[1] + 1], source.size.readings)
        first, stop = int(lowest.first_place[touched[0]]), int(ends[touched[1] - touched[0] - 1])
        if inside[0] > touched[0]:
            later = replace(wanted, stop_ns=Range().stop_ns, stop=None)
            first = int(ends[0]) - len(self._seqs_of(index, later, (touched[0], touched[0] + 1)))
        if inside[1] < touched[1]:
            earlier = replace(wanted, start_ns=Range().start_ns, first=0)
            stop = int(lowest.first_place[touched[1] - 1])
            stop += len(self._seqs_of(index, earlier, (touched[1] - 1, touched[1])))
        return first, max(first, stop)

    def _seq_at(self, index: int, place: int) -> int:
        """Return the seq of a source's reading, counted from its first one; behind the last: of the session's end."""
        source = self._pyramid.sources.get(index)
        if source is None or place >= source.size.readings:
            return self._pyramid.message_count
        lowest = source.levels[0]
        run = int(np.searchsorted(lowest.first_place, place, "right")) - 1
        return int(self._seqs_of(index, Range(), (run, run + 1))[place - int(lowest.first_place[run])])

    def _singles(self, index: int, wanted: Range, runs: tuple[int, int]) -> list[Runs]:
        parts = []
        for readings, here in self._cut(index, wanted, runs):
            before_ns = int(readings.time_ns[here.start - 1]) if here.start else None
            parts.append(single_runs(readings.time_ns[here], readings.seq[here], readings.values[here], before_ns))
        return parts

    def _seqs_of(self, index: int, wanted: Range, runs: tuple[int, int]) -> NDArray[np.int64]:
        parts = [readings.seq[here] for readings, here in self._cut(index, wanted, runs)]
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def _cut(self, index: int, wanted: Range, runs: tuple[int, int]) -> Iterator[tuple[Readings, slice]]:
        if runs[0] >= runs[1]:
            return
        first, stop = self.seqs_of_runs(index, *runs)
        limited = stop if wanted.stop is None else min(stop, wanted.stop)
        narrowed = replace(wanted, first=max(first, wanted.first), stop=limited)
        for decoded in self._read(first, stop, {index}):
            for readings in decoded:
                here = wanted_part(readings, narrowed)
                if readings.source.index == index and here.start < here.stop:
                    yield readings, here


class RecentBlocks:
    """Remembers the blocks that were decoded last: many sources have their edges in the same ones.

    :param read: decodes messages of all sources that are looked at, those of whole blocks.
    """

    def __init__(self, read: Callable[[int, int], Iterator[list[Readings]]]) -> None:
        self._read = read
        self._recent: dict[int, list[list[Readings]]] = {}

    def read(self, first: int, stop: int, only: set[int]) -> Iterator[list[Readings]]:
        """Return at least the messages from one seq up to another, of at least these sources."""
        for number in range(first // GRID_MESSAGES, -(-stop // GRID_MESSAGES)):
            known = self._recent.pop(number, None)
            if known is None:
                known = list(self._read(number * GRID_MESSAGES, (number + 1) * GRID_MESSAGES))
            self._recent[number] = known
            if len(self._recent) > _MOST_RECENT:
                del self._recent[next(iter(self._recent))]
            yield from known


def wanted_part(readings: Readings, wanted: Range) -> slice:
    """Return which readings of a block are wanted."""
    begin, end = np.searchsorted(readings.time_ns, [wanted.start_ns, wanted.stop_ns]).tolist()
    if wanted.first:
        begin = max(begin, int(np.searchsorted(readings.seq, wanted.first)))
    if wanted.stop is not None:
        end = min(end, int(np.searchsorted(readings.seq, wanted.stop)))
    return slice(begin, max(begin, end))


def in_order(parts: Sequence[Runs]) -> Runs:
    """Join runs of the rows of one device. They have clocks of their own, which may differ by a little."""
    runs = Runs.joined(parts)
    if np.any(np.diff(runs.first_seq) < 0):
        runs = runs.take(np.argsort(runs.first_seq, kind="stable"))
    if np.any(runs.first_ns[1:] < runs.last_ns[:-1]):
        both = np.maximum.accumulate(np.stack([runs.first_ns, runs.last_ns], axis=1).ravel())
        runs = replace(runs, first_ns=both[0::2], last_ns=both[1::2])
    return runs


def thinned(parts: Sequence[Runs], most: int) -> list[Points]:
    """Return a curve a channel, with at most so many points: the extremes of each column, and a NaN where it holds one.

    The smallest value stands at the time of the column's first reading, the largest at that of its last.

    :param parts: runs that follow each other; at least one part.
    """
    has_nan = any(part.has_nan.any() for part in parts)
    columns = in_columns(parts, most // 3 if has_nan else most // 2)
    is_single = columns.first_ns == columns.last_ns
    times = np.stack([columns.first_ns, columns.last_ns, columns.last_ns], axis=1)
    curves = []
    for low, high, has_nan in zip(columns.low, columns.high, columns.has_nan, strict=True):
        is_value = ~np.isnan(low)
        values = np.stack([low, high, np.full(len(low), np.nan)], axis=1).astype(np.float64)
        is_kept = np.stack([is_value, is_value & ~(is_single & (low == high)), has_nan], axis=1)
        curves.append((times[is_kept], values[is_kept]))
    return curves


def _touched(lowest: Runs, wanted: Range) -> tuple[int, int]:
    """Return start and stop of the runs in which wanted readings can lie."""
    start = int(np.searchsorted(lowest.last_ns, wanted.start_ns))
    stop = int(np.searchsorted(lowest.first_ns, wanted.stop_ns))
    if wanted.first:
        start = max(start, int(np.searchsorted(lowest.first_seq, wanted.first, "right")) - 1)
    if wanted.stop is not None:
        stop = min(stop, int(np.searchsorted(lowest.first_seq, wanted.stop)))
    return start, stop


def _inside(lowest: Runs, wanted: Range, touched: tuple[int, int], message_count: int) -> tuple[int, int]:
    """Return start and stop of the runs of which every reading is wanted: at most one less at each end."""
    start, stop = touched
    if lowest.first_ns[start] < wanted.start_ns or lowest.first_seq[start] < wanted.first:
        start += 1
    behind = lowest.first_seq[stop] if stop < len(lowest) else message_count
    if lowest.last_ns[stop - 1] >= wanted.stop_ns or (wanted.stop is not None and behind > wanted.stop):
        stop -= 1
    return start, stop
