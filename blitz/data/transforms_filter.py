"""Transforms that need an even rate: low-, high- and band-pass, and the resampling that makes one. Pure.

Butterworth filters, forward and backward (:func:`scipy.signal.sosfiltfilt`): nothing is shifted in time. scipy is
imported when one is used.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from blitz.data.aligning import How, aligned, check_how
from blitz.data.optional_packages import optional_package
from blitz.data.series import Series
from blitz.data.transforms_checks import (
    bridged,
    count_words,
    even_rate_hz,
    renewed,
    require_all_points,
    require_positive,
)
from blitz.errors import SeriesError

_HIGHEST_ORDER = 12


@dataclass(frozen=True)
class Resample:
    """Values at even times, whole multiples of the step since 1970; see :func:`blitz.data.aligning.at_times`.

    :param max_gap_s: what lies within a longer gap is NaN; None: five usual steps of the series.
    """

    step_s: float
    how: How = "linear"
    max_gap_s: float | None = None

    def __post_init__(self) -> None:
        require_positive("step_s", self.step_s)
        check_how(self.how)
        if self.max_gap_s is not None:
            require_positive("max_gap_s", self.max_gap_s)

    def __call__(self, series: Series) -> Series:
        """Return the series at even times."""
        require_all_points(series)
        even = aligned([series], self.step_s, self.how, max_gap_s=self.max_gap_s)
        return renewed(series, even.values[:, 0].copy(), time_ns=even.time_ns)


@dataclass(frozen=True)
class LowPass:
    """Keep what is slower than a frequency, at which the amplitude is halved: forward and backward both filter.

    Values that are NaN are bridged for it by straight lines, and are NaN again in the result.
    """

    frequency_hz: float
    order: int = 4

    def __post_init__(self) -> None:
        _check([self.frequency_hz], self.order)

    def __call__(self, series: Series) -> Series:
        """Return the filtered series."""
        return _filtered(series, [self.frequency_hz], self.order, "lowpass")


@dataclass(frozen=True)
class HighPass:
    """Keep what is faster than a frequency; see :class:`LowPass`."""

    frequency_hz: float
    order: int = 4

    def __post_init__(self) -> None:
        _check([self.frequency_hz], self.order)

    def __call__(self, series: Series) -> Series:
        """Return the filtered series."""
        return _filtered(series, [self.frequency_hz], self.order, "highpass")


@dataclass(frozen=True)
class BandPass:
    """Keep what lies between two frequencies; see :class:`LowPass`."""

    low_hz: float
    high_hz: float
    order: int = 4

    def __post_init__(self) -> None:
        _check([self.low_hz, self.high_hz], self.order)

    def __call__(self, series: Series) -> Series:
        """Return the filtered series."""
        return _filtered(series, [self.low_hz, self.high_hz], self.order, "bandpass")


def _check(edges_hz: Sequence[float], order: int) -> None:
    for edge_hz in edges_hz:
        require_positive("A filter's frequency", edge_hz)
    if list(edges_hz) != sorted(set(edges_hz)):
        raise SeriesError(f"A band from {edges_hz[0]:g} Hz to {edges_hz[-1]:g} Hz is empty.")
    if isinstance(order, bool) or not isinstance(order, int) or not 1 <= order <= _HIGHEST_ORDER:
        raise SeriesError(f"A filter of order {order!r} is not possible: give a whole number from 1 to 12.")


def _filtered(
    series: Series, edges_hz: Sequence[float], order: int, kind: Literal["lowpass", "highpass", "bandpass"]
) -> Series:
    signal = optional_package("scipy.signal", "A filter", "blitz[analysis]")
    require_all_points(series)
    rate_hz = even_rate_hz(series)
    if edges_hz[-1] >= rate_hz / 2:
        raise SeriesError(
            f"A filter at {edges_hz[-1]:g} Hz needs more than {2 * edges_hz[-1]:g} values a second; {series.label!r} "
            f"has {rate_hz:.6g}."
        )
    edges = edges_hz[0] if len(edges_hz) == 1 else list(edges_hz)
    sections = signal.butter(order, edges, kind, fs=rate_hz, output="sos")
    settling = 3 * (2 * len(sections) + 1 - min((sections[:, 2] == 0).sum(), (sections[:, 5] == 0).sum()))
    if len(series) <= settling:
        words = count_words(len(series))
        raise SeriesError(f"{series.label!r} has {words} here; a filter of order {order} needs more than {settling}.")
    values, is_missing = bridged(series)
    filtered = signal.sosfiltfilt(sections, values)
    return renewed(series, np.where(is_missing, np.nan, filtered))
