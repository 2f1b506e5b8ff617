"""Transforms that need a point, and at most its neighbours: scale, offset, translate, derivative, integral. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blitz.data.aligning import usual_gap_ns
from blitz.data.series import Series
from blitz.data.transforms_checks import (
    renewed,
    require_all_points,
    require_number,
    require_positive,
    seconds_since_first,
)
from blitz.errors import SeriesError


@dataclass(frozen=True)
class Scale:
    """Each value times a factor.

    :param unit: of the result; None keeps the unit.
    """

    factor: float
    unit: str | None = None

    def __post_init__(self) -> None:
        require_number("The factor", self.factor)

    def __call__(self, series: Series) -> Series:
        """Return the scaled series."""
        return renewed(series, series.values * self.factor, unit=self.unit)


@dataclass(frozen=True)
class Offset:
    """Each value plus a number."""

    value: float

    def __post_init__(self) -> None:
        require_number("The offset", self.value)

    def __call__(self, series: Series) -> Series:
        """Return the series with the number added."""
        return renewed(series, series.values + self.value)


@dataclass(frozen=True)
class Translate:
    """Each time later by some seconds, earlier where they are negative."""

    seconds: float

    def __post_init__(self) -> None:
        require_number("The translation", self.seconds)
        if abs(self.seconds) > 3e9:
            raise SeriesError(f"A translation by {self.seconds!r} s is more than 95 years.")

    def __call__(self, series: Series) -> Series:
        """Return the series at its new times."""
        return renewed(series, series.values.copy(), time_ns=series.time_ns + round(self.seconds * 1e9))


@dataclass(frozen=True)
class Derivative:
    """How fast a value changes, a second.

    Second order on uneven times (the formula of :func:`numpy.gradient`), first order at the ends and beside a NaN,
    which stays one. Values of one and the same time count as one, their mean.
    """

    def __call__(self, series: Series) -> Series:
        """Return the derivative; its unit is the unit a second."""
        require_all_points(series)
        is_new = np.diff(series.time_ns, prepend=series.time_ns[:1] - 1) > 0
        times, place = series.time_ns[is_new], np.cumsum(is_new) - 1
        is_value = ~np.isnan(series.values)
        count = np.bincount(place[is_value], minlength=len(times))
        total = np.bincount(place[is_value], series.values[is_value], minlength=len(times))
        with np.errstate(invalid="ignore", divide="ignore"):
            slopes = _slopes(seconds_since_first(times), total / count)
        return renewed(series, np.where(is_value, slopes[place], np.nan), unit=f"{series.unit or '1'}/s")


def _slopes(time_s: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the slope at each point of rising times, from those of its neighbours that are there."""
    between = np.diff(values) / np.diff(time_s)
    before, behind = np.append(np.nan, between), np.append(between, np.nan)
    before_s, behind_s = np.diff(time_s, prepend=np.nan), np.diff(time_s, append=np.nan)
    # Each side's slope counts the more, the nearer its neighbour is.
    both = (before * behind_s + behind * before_s) / (before_s + behind_s)
    return np.where(np.isnan(before), behind, np.where(np.isnan(behind), before, both))


@dataclass(frozen=True)
class Integral:
    """The area under the curve since its first value, by trapezoids, 0 at the first.

    A NaN stays one, and is bridged by a straight line from the value before to the one behind.

    :param max_gap_s: what lies between two values farther apart than this adds nothing; None: five usual steps.
    """

    max_gap_s: float | None = None

    def __post_init__(self) -> None:
        if self.max_gap_s is not None:
            require_positive("max_gap_s", self.max_gap_s)

    def __call__(self, series: Series) -> Series:
        """Return the running integral; its unit is the unit times seconds."""
        require_all_points(series)
        is_value = ~np.isnan(series.values)
        time_s, values = seconds_since_first(series.time_ns)[is_value], series.values[is_value]
        steps_s = np.diff(time_s)
        areas = steps_s * (values[1:] / 2 + values[:-1] / 2)
        areas[steps_s > (usual_gap_ns(series) / 1e9 if self.max_gap_s is None else self.max_gap_s)] = 0
        integral = np.full(len(series), np.nan)
        integral[is_value] = np.concatenate([np.zeros(min(len(values), 1)), np.cumsum(areas)])
        return renewed(series, integral, unit=f"{series.unit}·s" if series.unit else "s")
