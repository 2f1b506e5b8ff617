"""Transforms over a window that slides along: moving average and median. Pure.

The window has its middle at the point. At the ends it shrinks on both sides alike, so that a line stays the line that
it is up to its last point. A NaN within it is left out; a point that is NaN itself stays NaN.
"""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from blitz.data.series import Series
from blitz.data.transforms_checks import renewed, require_all_points, require_window

_AVERAGE_POINTS = 10_000_001
_MEDIAN_POINTS = 10_001
_SORTED_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class MovingAverage:
    """The mean of a point and its neighbours.

    :param points: of the window, an odd number.
    """

    points: int

    def __post_init__(self) -> None:
        require_window(self.points, _AVERAGE_POINTS)

    def __call__(self, series: Series) -> Series:
        """Return the smoothed series."""
        require_all_points(series)
        is_value = ~np.isnan(series.values)
        half = _half_width(self.points, len(series))
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            means = _window_sums(np.where(is_value, series.values, 0), half) / _window_sums(
                is_value.astype(float), half
            )
        return renewed(series, np.where(is_value, means, np.nan))


@dataclass(frozen=True)
class MedianFilter:
    """The median of a point and its neighbours: single outliers disappear, edges stay.

    :param points: of the window, an odd number.
    """

    points: int

    def __post_init__(self) -> None:
        require_window(self.points, _MEDIAN_POINTS)

    def __call__(self, series: Series) -> Series:
        """Return the filtered series."""
        require_all_points(series)
        values = series.values
        half = _half_width(self.points, len(series))
        medians = np.empty(len(series))
        for place in range(half):
            medians[place] = _medians(values[np.newaxis, : 2 * place + 1])[0]
            medians[-1 - place] = _medians(values[np.newaxis, len(values) - 2 * place - 1 :])[0]
        width = 2 * half + 1
        if len(values):
            windows = sliding_window_view(values, width)
            at_once = max(_SORTED_AT_ONCE // width, 1)
            for begin in range(0, len(windows), at_once):
                some = windows[begin : begin + at_once]
                medians[half + begin : half + begin + len(some)] = _medians(some)
        return renewed(series, np.where(np.isnan(values), np.nan, medians))


def _half_width(points: int, length: int) -> int:
    """Return how many neighbours a window has on each side, no more than the middle of the series has."""
    return min(points // 2, max(length - 1, 0) // 2)


def _window_sums(values: NDArray[np.float64], half: int) -> NDArray[np.float64]:
    """Return the sum of each window, made only of what is in it: nothing far away, however large, takes digits away.

    The series is cut into pieces as long as the window: each window is the end of one piece and the beginning of the
    next, so that running sums from both ends of the pieces are enough.
    """
    width, length = 2 * half + 1, len(values)
    if not length:
        return values.copy()
    sums = np.empty(length)
    if half:
        sums[:half] = np.cumsum(values[: 2 * half])[: 2 * half : 2]
        sums[length - half :] = np.cumsum(values[::-1][: 2 * half])[: 2 * half : 2][::-1]
    pieces = np.append(values, np.zeros(-length % width)).reshape(-1, width)
    from_begin = np.cumsum(pieces, axis=1).ravel()
    to_end = np.cumsum(pieces[:, ::-1], axis=1)[:, ::-1].ravel()
    starts = np.arange(length - width + 1)
    over_edge = np.where(starts % width == 0, 0, from_begin[starts + width - 1])
    sums[half : length - half] = to_end[starts] + over_edge
    return sums


def _medians(windows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the median of each row, NaN left out."""
    ordered = np.sort(windows, axis=1)  # NaN come last
    counts = windows.shape[1] - np.isnan(ordered).sum(axis=1)
    rows = np.arange(len(windows))
    lower, upper = ordered[rows, np.maximum(counts - 1, 0) // 2], ordered[rows, counts // 2]
    with np.errstate(invalid="ignore"):
        medians: NDArray[np.float64] = np.where(lower == upper, lower, lower / 2 + upper / 2)
    return medians
