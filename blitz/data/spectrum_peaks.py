"""The peaks of a spectrum, and series made fit for one. Pure; scipy is imported when it is used."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from blitz.data.aligning import usual_gap_ns
from blitz.data.optional_packages import optional_package
from blitz.data.series import Series
from blitz.data.spectra import Spectrum
from blitz.data.transforms_checks import even_rate_hz, require_all_points
from blitz.data.transforms_filter import Resample
from blitz.errors import SeriesError

MOST_POINTS = 1 << 20
"""So many values a spectrum is made of at most, where nobody says otherwise: a tenth of a second of computing."""
_OVER_NOISE = 5.0
"""An amplitude so many times the median is no noise: of 100 000 amplitudes of noise, the largest is four times it."""
_LEAST_SHARE = 1e-3
"""Of the highest amplitude: what is lower is what is left of it beside it."""
_FEWEST_POINTS = 16
_FEWEST_PERIODS = 2
"""A drift over the whole stretch looks like a wave of one period; what came twice may be one."""


@dataclass(frozen=True)
class Peak:
    """A frequency that stands out.

    :param frequency_hz: between the frequencies of the spectrum, to a few hundredths of their distance for one sine.
    :param value: in the spectrum's unit; an amplitude is that of the sine, to 1 %.
    """

    frequency_hz: float
    value: float


@dataclass(frozen=True, eq=False)
class EvenSeries:
    """A series that a spectrum can be made of.

    :param remarks: sentences that say what was done to it; none where nothing was.
    """

    series: Series
    remarks: tuple[str, ...] = ()


def spectrum_peaks(spectrum: Spectrum, most: int = 5) -> tuple[Peak, ...]:
    """Return the peaks that stand out of the noise, the highest first.

    A peak's place is the top of a parabola through the logarithms of its three highest values (Smith, Serra: PARSHL,
    1987).
    """
    signal = optional_package("scipy.signal", "Finding peaks", "blitz[analysis]")
    values = spectrum.values
    if len(values) < 3:
        return ()
    over, share = (_OVER_NOISE**2, _LEAST_SHARE**2) if spectrum.is_density else (_OVER_NOISE, _LEAST_SHARE)
    least = max(over * float(np.median(values)), share * float(values.max()))
    places, _ = signal.find_peaks(values, height=max(least, np.finfo(float).tiny))
    places = places[places >= _FEWEST_PERIODS]
    highest = places[np.argsort(-values[places], kind="stable")][:most]
    return tuple(sorted((_peak(spectrum, int(place)) for place in highest), key=lambda peak: -peak.value))


def even_series(series: Series, most: int = MOST_POINTS) -> EvenSeries:
    """Return a series, or a part of it, at even times: as it is where its times are even, else resampled.

    Where it has holes, steps of more than five usual ones, it is the longest stretch without one.

    :param most: so many values at most, the first ones.
    :raises SeriesError: if there are too few values.
    """
    require_all_points(series)
    remarks = []
    if len(series) > most:
        remarks.append(f"The first {most} of {len(series)} values are used.")
        series = _part(series, slice(0, most))
    is_value = np.isfinite(series.values)
    if int(is_value.sum()) < _FEWEST_POINTS:
        count = int(is_value.sum())
        raise SeriesError(f"{series.label!r} has {count} values here: a spectrum needs at least {_FEWEST_POINTS}.")
    known = _part(series, is_value)
    stretch, holes = _longest_stretch(known)
    if holes:
        whole_s, part_s = _length_s(known), _length_s(stretch)
        words = "1 hole" if holes == 1 else f"{holes} holes"
        remarks.append(
            f"There are {words}: the longest stretch without one is used, {part_s:.4g} s of {whole_s:.4g} s."
        )
    if len(stretch) < _FEWEST_POINTS:
        raise SeriesError(f"{series.label!r} has no stretch of {_FEWEST_POINTS} values without a hole here.")
    try:
        even_rate_hz(stretch)
    except SeriesError:
        step_s = _step_s(stretch)
        even = Resample(step_s)(stretch)
        even = _part(even, np.isfinite(even.values))
        remarks.append(f"Its times are uneven: resampled every {step_s:.6g} s.")
        even_rate_hz(even)
        return EvenSeries(even, tuple(remarks))
    return EvenSeries(stretch, tuple(remarks))


def _peak(spectrum: Spectrum, place: int) -> Peak:
    values = spectrum.values
    beside = values[place - 1 : place + 2]
    step_hz = float(spectrum.frequency_hz[1] - spectrum.frequency_hz[0])
    moved, top = 0.0, float(values[place])
    if (beside > 0).all():
        left, middle, right = np.log(beside).tolist()
        bend = left - 2 * middle + right
        if bend < 0:
            moved = 0.5 * (left - right) / bend
            top = float(np.exp(middle - 0.25 * (left - right) * moved))
    if spectrum.window == "hann" and not spectrum.is_density and abs(moved) < 1:
        top = float(values[place] * (1 - moved**2) / np.sinc(moved))  # how high the window is so far from its middle
    return Peak(float(spectrum.frequency_hz[place]) + moved * step_hz, top)


def _longest_stretch(series: Series) -> tuple[Series, int]:
    """Return the longest stretch, by its values, without a hole, and how many holes there are."""
    limit_ns = usual_gap_ns(series)
    cuts = np.flatnonzero(np.diff(series.time_ns) > limit_ns) + 1 if limit_ns else np.empty(0, np.intp)
    if not len(cuts):
        return series, 0
    edges = np.concatenate([[0], cuts, [len(series)]])
    longest = int(np.argmax(np.diff(edges)))
    return _part(series, slice(int(edges[longest]), int(edges[longest + 1]))), len(cuts)


def _step_s(series: Series) -> float:
    """Return the step of even times that has about as many values as the series: several may come at one time."""
    step_s = _length_s(series) / (len(series) - 1)
    steps_s = np.diff(series.time_ns) / 1e9
    usual_s = float(np.median(steps_s))
    return usual_s if usual_s > 0 and abs(usual_s - step_s) < 0.5 * step_s else step_s


def _length_s(series: Series) -> float:
    return float(series.time_ns[-1] - series.time_ns[0]) / 1e9


def _part(series: Series, wanted: slice | NDArray[np.bool_]) -> Series:
    return replace(series, time_ns=series.time_ns[wanted], values=series.values[wanted])
