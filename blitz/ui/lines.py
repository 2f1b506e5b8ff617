"""Readings as lines: broken where some are missing, thinned out to strokes where there are more than columns.

Pure. Every reading stands with the sequence number of its message, so that a gap that is told late still breaks the
line where it was.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blitz.data.pyramid_runs import Runs
from blitz.data.records import Gap

SHORTEST_BREAK_S = 0.25
"""Steps below this are never a gap: where a device has no clock, its messages have the times at which they came."""

_NOWHERE = np.empty(0, np.intp)


@dataclass(frozen=True, eq=False)
class Series:
    """Readings of one source: times in seconds since the Unix epoch (n,), values (n, n_channels), NaN = broken line."""

    times: NDArray[np.float64]
    values: NDArray[np.float64]
    is_coarse: bool = False
    """Whether each two rows are the minimum and the maximum of a run of readings, at the time of its first."""


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
    limit = longest_step(steps)
    return _NOWHERE if limit is None else np.flatnonzero(steps > limit) + 1


def longest_step(steps: NDArray[np.float64]) -> float | None:
    """Return how long a line goes on without a reading; None where no step says what is usual."""
    rising = steps[-4096:][steps[-4096:] > 0]
    return max(3 * float(np.median(rising)), SHORTEST_BREAK_S) if len(rising) else None


def _broken(times: NDArray[np.float64], values: NDArray[np.float64], places: NDArray[np.intp]) -> Series:
    if not len(places):
        return Series(times, values)
    return Series(np.insert(times, places, times[places - 1]), np.insert(values, places, np.nan, axis=0))


def line_of(runs: Runs, gaps: Iterable[Gap]) -> Series:
    """Return single readings as a line, broken at gaps, and wherever readings are missing by their times."""
    times = runs.first_ns / 1e9
    return with_breaks(times, runs.low.T.astype(np.float64, copy=False), gap_places(gaps, runs.first_seq, times))


def strokes_of(runs: Runs, gaps: Iterable[Gap]) -> Series:
    """Return the minimum and the maximum of each run, broken likewise; what is missing in a run is missing before it.

    Where a channel has no value in a run, its line is broken behind it.
    """
    times = runs.first_ns / 1e9
    limit = _longest_gap_s(runs)
    holes = _NOWHERE if limit is None else np.flatnonzero(runs.longest_s[1:] > limit) + 1
    rows = [runs.low, runs.high]
    if runs.has_nan.any():
        rows.append(np.where(runs.has_nan, np.nan, runs.high))
    values = np.empty((len(runs.low), len(runs), len(rows)))
    for place, row in enumerate(rows):
        values[:, :, place] = row
    flat = values.reshape(len(runs.low), -1)
    breaks = np.union1d(holes, gap_places(gaps, runs.first_seq, times)) * len(rows)
    whole = _broken(np.repeat(times, len(rows)), flat.T, breaks)
    return Series(whole.times, whole.values, is_coarse=len(rows) == 2)


def in_columns(runs: Runs, column_ns: int) -> Runs:
    """Make one run of those that begin in the same column; columns lie on a grid of their own, whatever is shown.

    A picture that moves along does not flicker then.
    """
    cells = runs.first_ns // max(column_ns, 1)
    return runs.grouped(np.flatnonzero(np.diff(cells, prepend=cells[:1] - 1)))


def _longest_gap_s(runs: Runs) -> float | None:
    readings = np.diff(runs.first_place)
    return longest_step(np.diff(runs.first_ns) / 1e9 / np.maximum(readings, 1))


@dataclass(frozen=True, eq=False)
class Extremes:
    """Smallest and largest reading of each channel so far, NaN before the first: low and high (n_channels,)."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @classmethod
    def none(cls, width: int) -> "Extremes":
        """Return those of no reading at all."""
        return cls(np.full(width, np.nan), np.full(width, np.nan))

    def with_values(self, values: NDArray[np.float64]) -> "Extremes":
        """Return those of these readings, too: values (n, n_channels), n at least 1."""
        return self.joined(Extremes(np.fmin.reduce(values, axis=0), np.fmax.reduce(values, axis=0)))

    def joined(self, other: "Extremes") -> "Extremes":
        """Return those of both."""
        return Extremes(np.fmin(self.low, other.low), np.fmax(self.high, other.high))

    def moved(self, column: int, to: "Extremes") -> "Extremes":
        """Put one channel's into other arrays; returns them without it."""
        low, high = self.low.copy(), self.high.copy()
        to.low[column], to.high[column] = low[column], high[column]
        low[column] = high[column] = np.nan
        return Extremes(low, high)

    def converted(self, factor: NDArray[np.float64], offset: NDArray[np.float64]) -> "Extremes":
        """Return those of the readings ``value * factor + offset``."""
        one, other = self.low * factor + offset, self.high * factor + offset
        return Extremes(np.fmin(one, other), np.fmax(one, other))
