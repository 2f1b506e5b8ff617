"""The peaks of a spectrum, and series made fit for one. Pure; scipy is imported when it is used."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from blitz.data.aligning import usual_gap_ns
from blitz.data.optional_packages import optional_package
from blitz.data.series import Series
from blitz.data.spectra import Spectrum
from blitz.data.transforms_checks import count_words, even_rate_hz, require_all_points, seconds_since_first
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
_FARTHEST = 0.5
"""A time may be so many steps from where it would be if times were even: a quarter of the fastest wave."""
_LEAST_KEPT = 0.25
"""What is left of a wave between uneven times is made up for, as long as it is not less than this."""
_OFFSETS = 2048
_FREQUENCIES = 512


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
    :param kept: what straight lines between uneven times have left of a wave's amplitude, at evenly rising frequencies
        from 0 to half the rate; None where there are no such lines.
    """

    series: Series
    remarks: tuple[str, ...] = ()
    kept: NDArray[np.float64] | None = None

    def restored(self, spectrum: Spectrum) -> Spectrum:
        """Return a spectrum of the series with the amplitudes that the channel had at its own, uneven times.

        A straight line between two values cuts off the wave between them, the more, the farther apart they are: what
        is 0.8 of an amplitude on average is divided by 0.8, up to four times the amplitude.
        """
        if self.kept is None:
            return spectrum
        places = np.linspace(0, spectrum.rate_hz / 2, len(self.kept))
        kept = np.interp(spectrum.frequency_hz, places, np.maximum(self.kept, _LEAST_KEPT))
        return replace(spectrum, values=spectrum.values / kept ** (2 if spectrum.is_density else 1))


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
        words = count_words(int(is_value.sum()))
        raise SeriesError(f"{series.label!r} has {words} here: a spectrum needs at least {_FEWEST_POINTS}.")
    known = _part(series, is_value)
    stretch, holes = _longest_stretch(known)
    if holes:
        whole_s, part_s = _length_s(known), _length_s(stretch)
        words = "1 hole" if holes == 1 else f"{holes} holes"
        remarks.append(f"{words}: the longest part without one is used, {part_s:.4g} s of {whole_s:.4g} s.")
    if len(stretch) < _FEWEST_POINTS:
        raise SeriesError(f"{series.label!r} has no stretch of {_FEWEST_POINTS} values without a hole here.")
    if _is_even(stretch):
        return EvenSeries(stretch, tuple(remarks))
    step_s = _step_s(stretch)
    even = Resample(step_s)(stretch)
    even = _part(even, np.isfinite(even.values))
    remarks.append(f"Its times are uneven: resampled every {step_s:.6g} s, and amplitudes set right for that.")
    return EvenSeries(even, tuple(remarks), _kept(stretch.time_ns, even.time_ns, even_rate_hz(even)))


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


def _is_even(series: Series) -> bool:
    """Tell whether each value can be taken for one of an even series, not only each step for one of its steps."""
    try:
        rate_hz = even_rate_hz(series)
    except SeriesError:
        return False
    places = seconds_since_first(series.time_ns) * rate_hz
    return bool(np.abs(places - np.arange(len(series))).max() <= _FARTHEST)


def _kept(time_ns: NDArray[np.int64], even_ns: NDArray[np.int64], rate_hz: float) -> NDArray[np.float64]:
    """Return what linear interpolation has left of waves, see :class:`EvenSeries`.

    Each value is a mean of the two beside it, weighted by how near they are: a filter, of which this is the frequency
    response, averaged over all values.
    """
    behind = np.searchsorted(time_ns, even_ns, "right")
    before_s = (even_ns - time_ns[behind - 1]) / 1e9
    behind_s = (time_ns[np.minimum(behind, len(time_ns) - 1)] - even_ns) / 1e9
    share = np.where(before_s > 0, before_s / np.maximum(before_s + behind_s, 1e-12), 0)
    offsets_s = np.concatenate([-before_s, np.where(share > 0, behind_s, 0)])
    weights = np.concatenate([1 - share, share])
    width_s = max(float(np.abs(offsets_s).max()), 1e-9) / (_OFFSETS // 2)
    sums = np.bincount(np.rint(offsets_s / width_s).astype(np.int64) + _OFFSETS // 2, weights)
    found_s = width_s * (np.arange(len(sums)) - _OFFSETS // 2)
    frequency_hz = np.linspace(0, rate_hz / 2, _FREQUENCIES)
    response = np.exp(2j * np.pi * np.outer(frequency_hz, found_s)) @ sums
    return np.asarray(np.abs(response) / len(even_ns), np.float64)


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
