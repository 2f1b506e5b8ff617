"""Series of several boards at common times, without inventing values where there are none for long.

Pure. Times are whole nanoseconds throughout: a float holds today's only to a quarter of a microsecond.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from blitz.data.series import Series
from blitz.data.transforms_checks import require_positive
from blitz.errors import SeriesError

How = Literal["nearest", "previous", "linear"]

TYPICAL_STEPS = 5
"""A gap longer than so many of a series' usual steps is not bridged, unless somebody says otherwise."""

_MOST_VALUES = 200_000_000


@dataclass(frozen=True, eq=False)
class Aligned:
    """Several channels at common times.

    :param time_ns: int64, shape (n,), nanoseconds since the Unix epoch, rising evenly by the step.
    :param values: float64, shape (n, channels), NaN where a channel has no value near enough.
    """

    labels: tuple[str, ...]
    units: tuple[str, ...]
    step_s: float
    how: How
    time_ns: NDArray[np.int64] = field(repr=False)
    values: NDArray[np.float64] = field(repr=False)

    @property
    def time(self) -> NDArray[Any]:
        """The times as datetime64[ns], UTC, shape (n,)."""
        return self.time_ns.view("datetime64[ns]")

    def __len__(self) -> int:
        return len(self.time_ns)

    def __getitem__(self, label: str) -> NDArray[np.float64]:
        """Return one channel's values, shape (n,)."""
        if label not in self.labels:
            raise SeriesError(f"There is no channel {label!r} here. There are: {', '.join(self.labels)}.")
        return self.values[:, self.labels.index(label)]

    def to_arrow(self) -> Any:
        """Return a :class:`pyarrow.Table`: a column ``time``, and one a channel with its unit in the field."""
        from blitz.data.frames import aligned_table

        return aligned_table(self)

    def to_pandas(self) -> Any:
        """Return a :class:`pandas.DataFrame`: a column a channel, indexed by time; units in ``attrs["units"]``."""
        from blitz.data.frames import wide_pandas

        return wide_pandas(self.to_arrow())

    def to_polars(self) -> Any:
        """Return a :class:`polars.DataFrame`: a column ``time``, and one a channel."""
        from blitz.data.frames import as_polars

        return as_polars(self.to_arrow())


def aligned(
    series: Iterable[Series],
    step_s: float,
    how: How = "nearest",
    *,
    max_gap_s: float | None = None,
    start_ns: int | None = None,
    stop_ns: int | None = None,
) -> Aligned:
    """Return series at common times, one each step.

    :param step_s: between two times, which are whole multiples of it since 1970: whole seconds where it is 1.
    :param how: see :func:`at_times`.
    :param max_gap_s: see :func:`at_times`; None: five usual steps of each series.
    :param start_ns: the first time, instead of the first multiple that a series has reached.
    :param stop_ns: no time is later; None: the end of the last series.
    :raises SeriesError: if an argument has no meaning, or the result would be too large.
    """
    chosen = list(series)
    require_positive("step_s", step_s)
    if max_gap_s is not None:
        require_positive("max_gap_s", max_gap_s)
    grid_ns = _grid([each.time_ns for each in chosen if len(each)], round(step_s * 1e9), start_ns, stop_ns, len(chosen))
    values = np.full((len(grid_ns), len(chosen)), np.nan)
    for column, each in enumerate(chosen):
        max_gap_ns = usual_gap_ns(each) if max_gap_s is None else round(max_gap_s * 1e9)
        values[:, column] = at_times(each, grid_ns, how, max_gap_ns)
    labels, units = tuple(each.label for each in chosen), tuple(each.unit for each in chosen)
    return Aligned(labels, units, step_s, how, grid_ns, values)


def at_times(series: Series, wanted_ns: NDArray[np.int64], how: How, max_gap_ns: int) -> NDArray[np.float64]:
    """Return a series' values at other times; NaN in the series counts as nothing there.

    - ``nearest``: the value that is nearest in time, at most half of the longest gap away, the earlier of two.
    - ``previous``: the last value before or at the time, at most the longest gap old.
    - ``linear``: on the straight line between the values before and behind, if they are not farther apart than the
      longest gap; nothing before the first value and behind the last.

    :param wanted_ns: int64, shape (n,), in any order.
    :returns: float64, shape (n,), NaN where there is none.
    :raises SeriesError: if there is no such way.
    """
    check_how(how)
    is_value = ~np.isnan(series.values)
    time_ns, values = series.time_ns[is_value], series.values[is_value]
    if not len(values):
        return np.full(len(wanted_ns), np.nan)
    last = len(values) - 1
    behind = np.searchsorted(time_ns, wanted_ns, "right")
    left, right = np.maximum(behind - 1, 0), np.minimum(behind, last)
    # Where there is none on one side, the other one stands on both.
    since_left, until_right = wanted_ns - time_ns[left], time_ns[right] - wanted_ns
    if how == "previous":
        return np.where((behind > 0) & (since_left <= max_gap_ns), values[left], np.nan)
    if how == "nearest":
        is_left_nearer = np.abs(since_left) <= np.abs(until_right)
        nearest = np.where(is_left_nearer, values[left], values[right])
        distance = np.where(is_left_nearer, np.abs(since_left), np.abs(until_right))
        return np.where(distance <= max_gap_ns // 2, nearest, np.nan)
    gap_ns = since_left + until_right
    is_between = (behind > 0) & (behind <= last) & (gap_ns <= max_gap_ns)
    share = np.where(is_between, since_left / np.maximum(gap_ns, 1), 0)
    with np.errstate(invalid="ignore", over="ignore"):
        line = values[left] * (1 - share) + values[right] * share
    at_value = (behind > 0) & (since_left == 0)
    return np.where(at_value, values[left], np.where(is_between, line, np.nan))


def check_how(how: object) -> None:
    """Raise SeriesError unless it is a way to bring values to other times."""
    if how not in get_args(How):
        raise SeriesError(f"Values cannot be aligned by {how!r}. The ways are: {', '.join(get_args(How))}.")


def usual_gap_ns(series: Series) -> int:
    """Return how far apart two values may be at most for what lies between them to be known, by default."""
    steps = np.diff(series.time_ns[~np.isnan(series.values)])
    steps = steps[steps > 0]
    return int(np.median(steps)) * TYPICAL_STEPS if len(steps) else 0


def _grid(
    times: list[NDArray[np.int64]], step_ns: int, start_ns: int | None, stop_ns: int | None, columns: int
) -> NDArray[np.int64]:
    if step_ns < 1:
        raise SeriesError("A step is at least a nanosecond, 1e-9 s.")
    if not times and (start_ns is None or stop_ns is None):
        return np.empty(0, np.int64)
    first = -(-min(int(each[0]) for each in times) // step_ns) * step_ns if start_ns is None else int(start_ns)
    last = max(int(each[-1]) for each in times) if stop_ns is None else int(stop_ns)
    count = max((last - first) // step_ns + 1, 0)
    if count * columns > _MOST_VALUES:
        raise SeriesError(
            f"Steps of {step_ns / 1e9:g} s over {(last - first) / 1e9:.6g} s would be {count} times for {columns} "
            "channels: choose a larger step or a shorter range."
        )
    return first + step_ns * np.arange(count, dtype=np.int64)
