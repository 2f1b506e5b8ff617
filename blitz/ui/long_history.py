"""A historic session that is too long to be decoded into memory: each view is read through its overview."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from blitz.data.boards import Readings
from blitz.data.database_client import DatabaseClient
from blitz.data.pyramid_format import Pyramid
from blitz.data.pyramid_reading import PyramidReader, in_order
from blitz.data.pyramid_runs import Runs, column_starts
from blitz.data.reading_blocks import decode_part
from blitz.data.records import Gap
from blitz.data.series_request import Range
from blitz.data.session_overviews import OpenedSession
from blitz.ui.history import History, join_readings
from blitz.ui.lines import SHORTEST_BREAK_S, Series, gap_places

_MOST_MESSAGES = 1 << 16
"""With few runs in view, up to so many messages are decoded for it, in a few hundredths of a second."""


@dataclass(frozen=True, eq=False, kw_only=True)
class LongHistory(History):
    """A session behind its overview; :meth:`between` takes some milliseconds, and may be called in any thread."""

    cache: DatabaseClient
    opened: OpenedSession
    pyramid: Pyramid

    @property
    def is_quick(self) -> bool:
        """Whether views come at once."""
        return False

    @cached_property
    def time_limits(self) -> tuple[float, float] | None:
        """Times of the first and the last reading, in seconds since the Unix epoch; None without readings."""
        levels = [source.levels[-1] for source in self.pyramid.sources.values() if source.size.readings]
        if not levels:
            return None
        return min(float(level.first_ns[0]) for level in levels) / 1e9, max(
            float(level.last_ns[-1]) for level in levels
        ) / 1e9

    def between(self, source_index: int, low: float, high: float, columns: int) -> Series | None:
        """Return what a view needs of a source: every reading, or the extremes of each column.

        :param low: left edge in seconds since the Unix epoch; what lies next beyond each edge is returned, too.
        :param columns: of pixels.
        """
        if source_index in self.computed:
            return super().between(source_index, low, high, columns)
        rows = [index for index in sorted(self.pyramid.sources) if self.row_of(index) == source_index]
        if not rows:
            return None
        gaps = [gap for gap in self.record.gaps if self.row_of(gap.source) == source_index]
        reader = PyramidReader(self.pyramid, self._read)
        wanted = Range(round(low * 1e9), round(high * 1e9) + 1)
        # What is next to the view in a row that has nothing in it may be far away.
        rows = [index for index in rows if reader.count_runs(index, wanted)] or rows
        near = {index: reader.around(index, wanted) for index in rows}
        spans = [reader.seqs_of_runs(index, *near[index]) for index in rows]
        spans = [(first, stop) for first, stop in spans if first < stop]
        runs = sum(stop - start for start, stop in near.values())
        messages = max((stop for _, stop in spans), default=0) - min((first for first, _ in spans), default=0)
        if spans and (runs < columns // 8 or (runs < columns and messages <= _MOST_MESSAGES)):
            first, stop = min(first for first, _ in spans), max(stop for _, stop in spans)
            parts = [readings for decoded in self._read(first, stop, set(rows)) for readings in decoded]
            return join_readings(parts, gaps)
        found = [part for index in rows for part in reader.covering(index, *near[index], 2 * columns)]
        return strokes(in_order(found), gaps, columns) if found else None

    def close(self) -> None:
        """Let go of the cache."""
        self.cache.close()

    def _read(self, first: int, stop: int | None, only: Collection[int]) -> Iterator[list[Readings]]:
        return (decoded for _, decoded in decode_part(self.cache, self.opened, self.pyramid, first, stop, only))


def strokes(runs: Runs, gaps: Collection[Gap], columns: int) -> Series:
    """Return smallest and largest value of each column of pixels, and breaks where readings are missing.

    A column in which readings are missing shows its extremes on both sides of the hole.
    """
    limit_s = max(3 * _usual_step_s(runs), SHORTEST_BREAK_S)
    columned = runs.grouped(column_starts(runs.first_ns, columns))
    first_s, last_s = columned.first_ns / 1e9, columned.last_ns / 1e9
    is_holed = columned.longest_s > limit_s
    is_holed[gap_places(gaps, columned.first_seq, first_s) - 1] = True
    low, high = columned.low.T, columned.high.T
    nothing = np.full(low.shape, np.nan)
    broken = np.where(columned.has_nan.T | is_holed[:, np.newaxis], np.nan, low)
    has_break = is_holed | columned.has_nan.any(axis=0)
    always = np.ones(len(columned), bool)
    # A hole that was found before a column's first reading and one within it are not told apart.
    times = np.stack([first_s, first_s, first_s, first_s, last_s, last_s], axis=1)
    values = np.stack([nothing, low, high, broken, low, high], axis=1)
    is_kept = np.stack([is_holed, always, is_holed, has_break, is_holed, always], axis=1)
    return Series(times[is_kept], values[is_kept].astype(np.float64))


def _usual_step_s(runs: Runs) -> float:
    readings = np.diff(runs.first_place)
    is_next = readings > 0  # a device's rows are counted apart
    if not is_next.any():
        return 0.0
    steps_ns: NDArray[np.float64] = np.diff(runs.first_ns)[is_next] / readings[is_next]
    return float(np.median(steps_ns)) / 1e9
