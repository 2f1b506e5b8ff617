import numpy as np
import pytest

from blitz.data.series import Series
from blitz.data.spectra import fft, welch
from blitz.data.spectrum_peaks import even_series, spectrum_peaks
from blitz.errors import SeriesError

BEGIN_NS = 1_790_000_000_000_000_000


def series(time_s, values, **fields) -> Series:
    time_ns = BEGIN_NS + np.rint(np.asarray(time_s) * 1e9).astype(np.int64)
    return Series(1, "sim1", "a", "a", "V", time_ns, np.array(values, np.float64), **fields)


def two_sines(time_s):
    return 40 + 3 * np.sin(2 * np.pi * 12.34 * time_s) + 0.5 * np.sin(2 * np.pi * 50.07 * time_s + 1)


@pytest.mark.parametrize("rate_hz", [200.0, 333.3])
def test_peaks_stand_at_their_frequencies_with_their_amplitudes(rate_hz: float) -> None:
    time_s = np.arange(4000) / rate_hz
    noise = np.random.default_rng(1).normal(0, 0.2, len(time_s))
    peaks = spectrum_peaks(fft(series(time_s, two_sines(time_s) + noise)))
    step_hz = rate_hz / 4000
    assert [peak.frequency_hz for peak in peaks] == pytest.approx([12.34, 50.07], abs=step_hz / 10)
    assert [peak.value for peak in peaks] == pytest.approx([3, 0.5], rel=0.02)


@pytest.mark.parametrize("shift", [0, 0.13, 0.25, 0.5, 0.77])
def test_a_frequency_between_two_is_found_wherever_it_is(shift: float) -> None:
    time_s = np.arange(1024) / 1024
    (peak,) = spectrum_peaks(fft(series(time_s, 2 * np.sin(2 * np.pi * (100 + shift) * time_s))))
    assert peak.frequency_hz == pytest.approx(100 + shift, abs=0.02)
    assert peak.value == pytest.approx(2, rel=0.01)


def test_noise_has_no_peaks_and_an_averaged_spectrum_has_those_of_the_signal() -> None:
    time_s = np.arange(50_000) / 1000
    noise = np.random.default_rng(2).normal(size=len(time_s))
    assert spectrum_peaks(fft(series(time_s, noise))) == ()
    assert spectrum_peaks(welch(series(time_s, noise))) == ()
    (peak,) = spectrum_peaks(welch(series(time_s, noise + np.sin(2 * np.pi * 60.2 * time_s))))
    assert peak.frequency_hz == pytest.approx(60.2, abs=0.1)
    assert spectrum_peaks(fft(series(time_s, np.full(len(time_s), 3.0)))) == ()


def test_a_drift_is_no_peak() -> None:
    time_s = np.arange(5000) / 100
    peaks = spectrum_peaks(fft(series(time_s, 3 * np.sin(2 * np.pi * 12.34 * time_s) + time_s)))
    assert [peak.frequency_hz for peak in peaks] == pytest.approx([12.34], abs=0.01)


def test_an_even_series_stays_as_it_is() -> None:
    time_s = np.arange(500) / 100
    found = even_series(series(time_s, two_sines(time_s)))
    assert found.remarks == ()
    assert len(found.series) == 500


def test_an_uneven_one_is_resampled_and_says_so() -> None:
    rng = np.random.default_rng(3)
    time_s = np.cumsum(rng.choice([0.001, 0.004, 0.01, 0.012], 5000))
    found = even_series(series(time_s, two_sines(time_s)))
    assert len(found.remarks) == 1
    assert found.remarks[0].startswith("Its times are uneven: resampled every 0.00")
    assert spectrum_peaks(fft(found.series))[0].frequency_hz == pytest.approx(12.34, abs=0.05)


def test_of_a_series_with_holes_the_longest_stretch_is_taken_and_of_a_long_one_the_beginning() -> None:
    time_s = np.arange(3000) / 100
    kept = ((time_s < 10) | (time_s >= 12)) & ((time_s < 25) | (time_s >= 26))
    found = even_series(series(time_s[kept], two_sines(time_s[kept])))
    assert found.remarks == ("2 holes: the longest part without one is used, 12.99 s of 29.99 s.",)
    assert len(found.series) == 1300
    found = even_series(series(time_s, two_sines(time_s)), most=1000)
    assert found.remarks == ("The first 1000 of 3000 values are used.",)


def test_messages_that_came_together_at_one_time_are_spread_evenly() -> None:
    time_s = np.arange(4000) / 200
    arrived_s = np.ceil(time_s / 0.05) * 0.05
    found = even_series(series(arrived_s, two_sines(time_s)))
    assert "resampled every 0.005" in found.remarks[0]


def test_too_few_values_are_refused() -> None:
    with pytest.raises(SeriesError, match="at least 16"):
        even_series(series(np.arange(10), np.full(10, 1.0)))
    with pytest.raises(SeriesError, match="at least 16"):
        even_series(series(np.arange(100), np.full(100, np.nan)))
