import numpy as np
import pytest
from scipy import signal

from blitz.data.series import Series
from blitz.data.spectra import fft, welch
from blitz.errors import SeriesError

BEGIN_NS = 1_790_000_000_000_000_000


def series(values, rate_hz=200.0, unit="V", **fields) -> Series:
    values = np.array(values, np.float64)
    time_ns = BEGIN_NS + np.rint(np.arange(len(values)) * 1e9 / rate_hz).astype(np.int64)
    return Series(1, "sim1", "a", "a", unit, time_ns, values, **fields)


@pytest.mark.parametrize("window", ["hann", "boxcar"])
@pytest.mark.parametrize("count", [1000, 1001])
def test_a_sine_stands_at_its_frequency_with_its_amplitude(window, count):
    frequency_hz = 200 * 60 / count
    spectrum = fft(series(5000 + 3 * np.sin(2 * np.pi * frequency_hz * np.arange(count) / 200)), window)
    peak = int(spectrum.values.argmax())
    assert spectrum.frequency_hz[peak] == pytest.approx(frequency_hz)
    assert spectrum.values[peak] == pytest.approx(3)
    assert spectrum.values[0] == pytest.approx(0, abs=1e-9)
    assert spectrum.unit == "V"
    assert spectrum.rate_hz == pytest.approx(200)
    assert len(spectrum) == count // 2 + 1


def test_half_the_rate_is_not_counted_twice():
    spectrum = fft(series([1.0, -1.0] * 500), "boxcar")
    assert spectrum.values[-1] == pytest.approx(1)


def test_welch_is_that_of_scipy_and_says_its_unit():
    values = np.random.default_rng(1).normal(size=8000)
    spectrum = welch(series(values), 512)
    frequency_hz, density = signal.welch(values - values.mean(), 200, nperseg=512)
    np.testing.assert_allclose(spectrum.frequency_hz, frequency_hz, rtol=1e-6)
    np.testing.assert_allclose(spectrum.values, density, rtol=1e-6)
    assert spectrum.unit == "(V)²/Hz"
    assert spectrum.values.sum() * 200 / 512 == pytest.approx(1, rel=0.1)  # the variance
    assert len(welch(series(values[:100]), 512)) == 51


def test_few_missing_values_are_bridged_and_many_refused():
    values = 3 * np.sin(2 * np.pi * 10 * np.arange(1000) / 200)
    values[[50, 51, 700]] = np.nan
    assert fft(series(values)).values.max() == pytest.approx(3, rel=0.02)
    values[300:500] = np.nan
    with pytest.raises(SeriesError, match="203 of 1000 values"):
        fft(series(values))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: fft(series([])), "has no value here"),
        (lambda: fft(series([1.0])), "has 1 value here"),
        (lambda: welch(series([np.nan] * 50)), "no value"),
        (lambda: fft(series(range(50)), "square"), "no window 'square'"),
        (lambda: welch(series(range(50)), 1), "segment of 1 points"),
        (lambda: fft(series(range(50), is_thinned=True)), "without max_points"),
    ],
)
def test_a_spectrum_that_cannot_be_says_why(call, words):
    with pytest.raises(SeriesError, match=words):
        call()
