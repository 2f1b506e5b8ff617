"""Readings gathered over spans of time: how many, their mean, smallest and largest.

Pure. Spans are even steps since 1970, or the columns of a picture. What is gathered in parts is put together again by
:func:`merged_spans`, so that nobody needs to hold a session whole.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blitz.errors import SeriesError

_MOST_COLUMNS = 20_000


@dataclass(frozen=True, eq=False)
class Spans:
    """One channel over spans of time; spans without a value are left out.

    :param time_ns: int64, shape (n,), when each span begins, rising.
    :param count: int64, shape (n,), values in it, NaN not counted; at least 1.
    :param mean: float64, shape (n,); so are minimum and maximum.
    """

    label: str
    source: str
    unit: str
    time_ns: NDArray[np.int64] = field(repr=False)
    count: NDArray[np.int64] = field(repr=False)
    mean: NDArray[np.float64] = field(repr=False)
    minimum: NDArray[np.float64] = field(repr=False)
    maximum: NDArray[np.float64] = field(repr=False)

    @property
    def time(self) -> NDArray[Any]:
        """When each span begins, as datetime64[ns], UTC, shape (n,)."""
        return self.time_ns.view("datetime64[ns]")

    def __len__(self) -> int:
        return len(self.time_ns)


class Steps:
    """Even spans that begin at whole multiples of a step since 1970."""

    def __init__(self, step_ns: int) -> None:
        if step_ns < 1:
            raise SeriesError("A step is at least a nanosecond, 1e-9 s.")
        self._step_ns = step_ns

    def begins(self, time_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return when the span begins in which each time lies."""
        return time_ns // self._step_ns * self._step_ns


class Columns:
    """A time divided evenly into the columns of a picture; a time outside counts to the first or the last one."""

    def __init__(self, start_ns: int, stop_ns: int, columns: int) -> None:
        if not 1 <= columns <= _MOST_COLUMNS:
            raise SeriesError(f"A picture of {columns} columns is not possible: ask for 1 to {_MOST_COLUMNS}.")
        if stop_ns <= start_ns:
            raise SeriesError("The picture's time is empty: its stop must be later than its start.")
        span_ns = stop_ns - start_ns
        self._begins_ns = np.array([start_ns + span_ns * column // columns for column in range(columns)], np.int64)

    def begins(self, time_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return when the column begins in which each time lies."""
        column = np.searchsorted(self._begins_ns, time_ns, "right") - 1
        return self._begins_ns[np.maximum(column, 0)]


def gathered(
    label: str,
    source: str,
    unit: str,
    time_ns: NDArray[np.int64],
    values: NDArray[np.float64],
    division: Steps | Columns,
) -> Spans:
    """Return what a run of readings is over the spans of a division; times never fall."""
    is_value = ~np.isnan(values)
    time_ns, values = time_ns[is_value], values[is_value]
    begins = division.begins(time_ns)
    starts = np.flatnonzero(np.diff(begins, prepend=begins[0] - 1 if len(begins) else 0))
    if not len(starts):
        return _no_spans(label, source, unit)
    counts = np.diff(starts, append=len(values))
    with np.errstate(all="ignore"):
        base = values[starts]
        mean = base + np.add.reduceat(values - np.repeat(base, counts), starts) / counts
    minimum, maximum = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    return Spans(label, source, unit, begins[starts], counts.astype(np.int64), mean, minimum, maximum)


def merged_spans(parts: Iterable[Spans]) -> Spans:
    """Put together what was gathered of one channel in parts; there must be one.

    >>> first = gathered("a", "s", "V", np.array([1, 2, 13]), np.array([1.0, 5.0, 7.0]), Steps(10))
    >>> then = gathered("a", "s", "V", np.array([14, 25]), np.array([9.0, 0.0]), Steps(10))
    >>> whole = merged_spans([first, then])
    >>> whole.time_ns.tolist(), whole.count.tolist(), whole.mean.tolist()
    ([0, 10, 20], [2, 2, 1], [3.0, 8.0, 0.0])
    """
    found = list(parts)
    if len(found) == 1:
        return found[0]
    begins = np.concatenate([part.time_ns for part in found])
    order = np.argsort(begins, kind="stable")
    begins = begins[order]
    starts = np.flatnonzero(np.diff(begins, prepend=begins[0] - 1 if len(begins) else 0))
    if not len(starts):
        return found[0]
    count, mean, minimum, maximum = (
        np.concatenate([getattr(part, name) for part in found])[order]
        for name in ("count", "mean", "minimum", "maximum")
    )
    total = np.add.reduceat(count, starts)
    of_span = np.diff(starts, append=len(begins))
    with np.errstate(all="ignore"):
        base = mean[starts]
        mean = base + np.add.reduceat((mean - np.repeat(base, of_span)) * count, starts) / total
    return Spans(
        found[0].label,
        found[0].source,
        found[0].unit,
        begins[starts],
        total,
        mean,
        np.minimum.reduceat(minimum, starts),
        np.maximum.reduceat(maximum, starts),
    )


def _no_spans(label: str, source: str, unit: str) -> Spans:
    none, nothing = np.empty(0, np.int64), np.empty(0)
    return Spans(label, source, unit, none, none, nothing, nothing, nothing)
