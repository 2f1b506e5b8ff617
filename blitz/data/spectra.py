"""Spectra of series: what frequencies they hold. Pure; scipy is imported when it is used.

Both take an evenly sampled series without a hole; up to a tenth of its values may be NaN and is bridged by straight
lines. The mean is taken off before.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from blitz.data.optional_packages import optional_package
from blitz.data.series import Series
from blitz.data.transforms_checks import bridged, even_rate_hz, require_all_points
from blitz.errors import SeriesError

_SEGMENT_POINTS = 1024
_LARGEST_MISSING_SHARE = 0.1


@dataclass(frozen=True, eq=False)
class Spectrum:
    """How much of a channel is at which frequency.

    :param unit: of the values: the channel's for amplitudes, its square a hertz for a density.
    :param rate_hz: of the series; the last frequency is half of it.
    :param frequency_hz: float64, shape (n,), rising evenly from 0.
    :param values: float64, shape (n,), none negative.
    :param window: by which the series was weighted.
    :param is_density: whether values are powers a hertz rather than amplitudes.
    """

    label: str
    unit: str
    rate_hz: float
    frequency_hz: NDArray[np.float64] = field(repr=False)
    values: NDArray[np.float64] = field(repr=False)
    window: str = ""
    is_density: bool = False

    def __len__(self) -> int:
        return len(self.frequency_hz)


def fft(series: Series, window: str = "hann") -> Spectrum:
    """Return amplitudes by frequency: a sine of amplitude 3 at one of the frequencies stands there as 3.

    :param window: one of :func:`scipy.signal.get_window`; ``boxcar`` for none.
    :raises SeriesError: if the series is uneven, too short, or has too few values.
    """
    values, rate_hz = _prepared(series)
    weights = _weights(window, len(values))
    amplitudes = np.abs(np.fft.rfft(values * weights)).astype(np.float64) * (2 / float(weights.sum()))
    amplitudes[0] /= 2
    if len(values) % 2 == 0:
        amplitudes[-1] /= 2  # half the rate, as 0, has no twin among the negative frequencies
    frequency_hz = (np.arange(len(amplitudes)) * (rate_hz / len(values))).astype(np.float64)
    return Spectrum(series.label, series.unit, rate_hz, frequency_hz, amplitudes, window)


def welch(series: Series, segment_points: int = _SEGMENT_POINTS, window: str = "hann") -> Spectrum:
    """Return the power spectral density, averaged over segments that overlap by half: noise is seen as it is.

    :param segment_points: the more, the finer the frequencies, and the fewer the segments; at most the series' length.
    :raises SeriesError: if the series is uneven, too short, or has too few values.
    """
    if isinstance(segment_points, bool) or not isinstance(segment_points, int) or segment_points < 2:
        raise SeriesError(f"A segment of {segment_points!r} points is not possible: give a whole number from 2 on.")
    signal = optional_package("scipy.signal", "A spectrum", "blitz[analysis]")
    values, rate_hz = _prepared(series)
    weights = _weights(window, min(segment_points, len(values)))
    frequency_hz, density = signal.welch(values, rate_hz, weights)
    unit = f"({series.unit})²/Hz" if series.unit else "1/Hz"
    return Spectrum(series.label, unit, rate_hz, frequency_hz, density, window, is_density=True)


def _prepared(series: Series) -> tuple[NDArray[np.float64], float]:
    require_all_points(series)
    rate_hz = even_rate_hz(series)
    values, is_missing = bridged(series)
    missing = int(is_missing.sum())
    if missing > _LARGEST_MISSING_SHARE * len(values):
        raise SeriesError(
            f"{missing} of {len(values)} values of {series.label!r} are missing here, too many for a spectrum."
        )
    return values - values.mean(), rate_hz


def _weights(window: str, points: int) -> NDArray[np.float64]:
    signal = optional_package("scipy.signal", "A spectrum", "blitz[analysis]")
    try:
        weights: NDArray[np.float64] = signal.get_window(window, points)
    except (ValueError, TypeError) as error:
        raise SeriesError(f"There is no window {window!r} that needs no more than its name: {error}.") from error
    return weights
