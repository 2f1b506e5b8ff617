"""What a source's channels were at a time, as a crosshair tells it. Pure."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from blitz.ui.lines import Series, longest_step

AROUND = 32
"""So many readings before and after a time tell what was usual there."""
ChannelExtremes = tuple[float, float]
"""Lowest and highest value of a channel; the same where a single reading is known."""
Extremes = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Lowest and highest value of each channel; the same where a single reading is known."""


def reading_at(series: Series, at_s: float) -> Extremes | None:
    """Return the last reading at or before a time; None before the first one, and where readings are missing.

    Behind the newest reading it counts as long as a line goes on without one.

    >>> series = Series(np.array([1.0, 2.0, 2.0, 9.0]), np.array([[5.0], [6.0], [np.nan], [7.0]]))
    >>> [None if (found := reading_at(series, at)) is None else float(found[0][0]) for at in (0.5, 1.9, 2.0, 2.1, 9.0)]
    [None, 5.0, 6.0, None, 7.0]
    """
    place = int(np.searchsorted(series.times, at_s, "right")) - 1
    while place > 0 and series.times[place] == at_s and np.isnan(series.values[place]).all():
        place -= 1  # the break behind this reading has its time
    if place < 0 or np.isnan(series.values[place]).all():
        return None
    if place == len(series.times) - 1:
        limit = longest_step(np.diff(series.times))
        if limit is not None and at_s - series.times[place] > limit:
            return None
    first = max(0, place - 1) if series.is_coarse else place
    return series.values[first], series.values[place]


def channel_at(series: Series, column: int, at_s: float) -> ChannelExtremes | None:
    """Return what :func:`reading_at` does, of one channel; None also where it has no number."""
    found = reading_at(series, at_s)
    return None if found is None else of_column(found, column)


def of_column(found: Extremes, column: int) -> ChannelExtremes | None:
    """Return one channel's part; None where it has no number."""
    if column >= len(found[0]) or np.isnan(found[1][column]):
        return None
    return float(found[0][column]), float(found[1][column])


def around(series: Series, at_s: float) -> Series:
    """Return a few readings before and after a time."""
    place = int(np.searchsorted(series.times, at_s, "right"))
    part = slice(max(0, place - AROUND), place + AROUND)
    return Series(series.times[part], series.values[part], series.is_coarse)


def extremes_before(
    times: NDArray[np.float64], values: NDArray[np.float64], at_s: float, span_s: float
) -> ChannelExtremes | None:
    """Return the extremes of what a curve draws in the time before, else the last value before that.

    >>> times, values = np.array([1.0, 1.1, 5.0]), np.array([3.0, 4.0, np.nan])
    >>> extremes_before(times, values, 1.1, 0.2), extremes_before(times, values, 2.0, 0.2)
    ((3.0, 4.0), (4.0, 4.0))
    >>> extremes_before(times, values, 6.0, 0.2), extremes_before(times, values, 0.9, 0.2)
    (None, None)
    """
    stop = int(np.searchsorted(times, at_s, "right"))
    first = min(int(np.searchsorted(times, at_s - span_s)), stop - 1)
    part = values[max(first, 0) : stop]
    known = part[~np.isnan(part)]
    return (float(known.min()), float(known.max())) if len(known) else None


def next_time(all_series: Iterable[Series], at_s: float) -> float | None:
    """Return the time of the next reading of any source; None if there is none."""
    found = [series.times[np.searchsorted(series.times, at_s, "right") :][:1] for series in all_series]
    return min((float(times[0]) for times in found if len(times)), default=None)


def previous_time(all_series: Iterable[Series], at_s: float) -> float | None:
    """Return the time of the reading before, of any source; None if there is none."""
    found = [series.times[: np.searchsorted(series.times, at_s)][-1:] for series in all_series]
    return max((float(times[0]) for times in found if len(times)), default=None)
