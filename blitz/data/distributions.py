"""How values are spread, and two channels against each other. Pure."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from blitz.data.aligning import at_times, usual_gap_ns
from blitz.data.series import Series
from blitz.data.transforms_checks import require_all_points
from blitz.errors import SeriesError

MOST_BINS = 256


@dataclass(frozen=True, eq=False)
class Histogram:
    """How many values lie where.

    :param edges: float64, shape (n + 1,), rising evenly; a value on an edge counts above it, on the last one below.
    :param counts: int64, shape (n,).
    :param left_out: values that are NaN or infinite.
    """

    label: str
    unit: str
    edges: NDArray[np.float64] = field(repr=False)
    counts: NDArray[np.int64] = field(repr=False)
    left_out: int = 0


@dataclass(frozen=True, eq=False)
class Pairs:
    """Two channels against each other, at the times of the first.

    :param time_ns: int64, shape (n,).
    :param x: float64, shape (n,), NaN where one of both has no value near enough.
    """

    x_label: str
    x_unit: str
    y_label: str
    y_unit: str
    time_ns: NDArray[np.int64] = field(repr=False)
    x: NDArray[np.float64] = field(repr=False)
    y: NDArray[np.float64] = field(repr=False)
    is_aligned: bool = False
    """Whether the second channel had other times, and stands on straight lines between its values."""


def histogram(series: Series, bins: int | None = None) -> Histogram:
    """Return how many values lie where.

    :param bins: None: by the rule of Freedman and Diaconis, twice the interquartile range over the cube root of the
        count, :data:`MOST_BINS` at most; and no finer than values differ that are whole multiples of a step.
    :raises SeriesError: if there is no value, or the number of bins has no meaning.
    """
    require_all_points(series)
    values = series.values[np.isfinite(series.values)]
    if not len(values):
        raise SeriesError(f"{series.label!r} has no value here.")
    if bins is not None and (isinstance(bins, bool) or not isinstance(bins, int) or not 1 <= bins <= 100_000):
        raise SeriesError(f"A histogram of {bins!r} bins is not possible: give a whole number from 1 to 100000.")
    low, high = float(values.min()), float(values.max())
    left_out = len(series) - len(values)
    if not high > low:
        half = max(abs(low) * 1e-6, 0.5)
        return Histogram(
            series.label, series.unit, np.array([low - half, low + half]), np.array([len(values)]), left_out
        )
    if bins is None:
        found = _steps(values)
        if found is not None:
            edges = low - found / 2 + found * np.arange(round((high - low) / found) + 2, dtype=np.float64)
            counts = np.histogram(values, edges)[0].astype(np.int64)
            return Histogram(series.label, series.unit, edges, counts, left_out)
        bins = _bins(values, high - low)
    edges = np.linspace(low, high, bins + 1)
    return Histogram(
        series.label, series.unit, edges, np.histogram(values, edges)[0].astype(np.int64, copy=False), left_out
    )


def pairs(x: Series, y: Series, max_gap_s: float | None = None) -> Pairs:
    """Return the values of two channels that belong to one time.

    :param max_gap_s: the longest gap of the second channel that is bridged; None: five usual steps.
    :raises SeriesError: if one of them is thinned.
    """
    require_all_points(x)
    require_all_points(y)
    if np.array_equal(x.time_ns, y.time_ns):
        found, is_aligned = y.values, False
    else:
        max_gap_ns = usual_gap_ns(y) if max_gap_s is None else round(max_gap_s * 1e9)
        found, is_aligned = at_times(y, x.time_ns, "linear", max_gap_ns), True
    is_pair = np.isfinite(x.values) & np.isfinite(found)
    own, other = np.where(is_pair, x.values, np.nan), np.where(is_pair, found, np.nan)
    return Pairs(x.label, x.unit, y.label, y.unit, x.time_ns, own, other, is_aligned)


def _bins(values: NDArray[np.float64], width: float) -> int:
    low, high = np.percentile(values, [25, 75]).tolist()
    step = 2 * (high - low) / len(values) ** (1 / 3)
    if not step > 0:  # half of the values are one: Sturges' rule does not look at them
        return min(math.ceil(math.log2(len(values))) + 1, MOST_BINS)
    return int(max(1, min(math.ceil(width / step), MOST_BINS)))


def _steps(values: NDArray[np.float64]) -> float | None:
    """Return the step of which all values are multiples apart, where there are few: counts, switches."""
    known = np.unique(values[: 1 << 12])
    if not 2 <= len(known) <= MOST_BINS // 4:
        return None
    known = np.unique(values)
    if not 2 <= len(known) <= MOST_BINS // 4:
        return None
    gaps = np.diff(known)
    step = float(gaps.min())
    places = (known - known[0]) / step
    if places[-1] > MOST_BINS or np.abs(places - np.rint(places)).max() > 1e-3:
        return None
    return step
