import json
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from blitz.data.series import Series
from blitz.data.transforms import (
    TRANSFORMS,
    BandPass,
    Derivative,
    HighPass,
    Integral,
    LowPass,
    MedianFilter,
    MovingAverage,
    Offset,
    Resample,
    Scale,
    Transform,
    Translate,
    chain,
    transform_from,
    transform_to_plain,
)
from blitz.errors import PackageMissing, SeriesError

BEGIN_NS = 1_790_000_000_000_000_000

EXAMPLES: list[Transform] = [
    Scale(2.5, unit="V"),
    Offset(-3),
    Translate(0.25),
    MovingAverage(5),
    MedianFilter(3),
    Derivative(),
    Integral(max_gap_s=1.0),
    LowPass(5),
    HighPass(5, order=2),
    BandPass(5, 8),
    Resample(0.02),
]


def series(values, step_s=0.01, times_s=None, **fields) -> Series:
    values = np.array(values, np.float64)
    times_s = np.arange(len(values)) * step_s if times_s is None else np.asarray(times_s, np.float64)
    time_ns = BEGIN_NS + np.rint(times_s * 1e9).astype(np.int64)
    named = {"session_id": 1, "source": "sim1", "channel": "a", "label": "a", "unit": "Pa"} | fields
    return Series(time_ns=time_ns, values=values, **named)


def noisy(count=400, step_s=0.01) -> Series:
    rng = np.random.default_rng(5)
    return series(np.sin(np.arange(count) * 0.05) + rng.normal(0, 0.2, count), step_s)


@pytest.mark.parametrize("transform", EXAMPLES, ids=lambda transform: type(transform).__name__)
def test_no_transform_changes_the_series_that_it_is_given(transform):
    original = noisy()
    original.values[7] = np.nan
    times, values = original.time_ns.copy(), original.values.copy()
    result = transform(original)
    assert result is not original
    assert not np.shares_memory(result.values, original.values)
    assert not (np.shares_memory(result.time_ns, original.time_ns) and result.time_ns.flags.writeable)
    assert np.array_equal(original.time_ns, times)
    assert np.array_equal(original.values, values, equal_nan=True)


@pytest.mark.parametrize("transform", EXAMPLES, ids=lambda transform: type(transform).__name__)
def test_a_transform_comes_back_from_json_as_it_was(transform):
    plain = json.loads(json.dumps(transform_to_plain(transform)))
    assert transform_from(plain) == transform


def test_each_kind_of_transform_has_an_example_here():
    assert {type(transform) for transform in EXAMPLES} == set(TRANSFORMS.values())


@pytest.mark.parametrize(
    ("plain", "words"),
    [
        ({"kind": "fourier"}, "There is no transform 'fourier'"),
        ({}, "There is no transform None"),
        ({"kind": "scale"}, "Its fields are: factor, unit"),
        ({"kind": "offset", "value": "x"}, "offset is 'x'"),
        ({"kind": "moving_average", "points": 4}, "no middle: give 3 or 5"),
        ({"kind": "derivative", "order": 2}, "Its fields are: none"),
        ({"kind": "band_pass", "low_hz": 3, "high_hz": 2}, "empty"),
        ({"kind": "low_pass", "frequency_hz": -1}, "above 0"),
        ({"kind": "resample", "step_s": float("nan")}, "finite"),
        ({"kind": "resample", "step_s": 1, "how": "cubic"}, "nearest, previous, linear"),
    ],
)
def test_what_is_no_transform_is_refused_with_the_reason(plain, words):
    with pytest.raises(SeriesError, match=words):
        transform_from(plain)


def test_only_known_transforms_are_saved():
    with pytest.raises(SeriesError, match="can be saved"):
        transform_to_plain(lambda series: series)


@pytest.mark.parametrize("transform", EXAMPLES[:7] + EXAMPLES[10:], ids=lambda transform: type(transform).__name__)
def test_an_empty_series_stays_empty_and_one_value_is_no_fault(transform):
    assert len(transform(series([]))) == 0
    one = transform(series([4.0]))
    assert len(one) == len(one.values) <= 1


@pytest.mark.parametrize("transform", EXAMPLES[3:], ids=lambda transform: type(transform).__name__)
def test_what_needs_all_values_refuses_a_thinned_series(transform):
    with pytest.raises(SeriesError, match="without max_points"):
        transform(series(np.arange(50.0), is_thinned=True))


def test_a_chain_applies_its_transforms_in_order_and_is_the_series_itself_without_any():
    original = series([1.0, 2.0, 3.0])
    result = chain(original, [Offset(1), Scale(10, unit="kPa"), Translate(-1)])
    assert result.values.tolist() == [20, 30, 40]
    assert result.unit == "kPa"
    assert (result.time_ns - original.time_ns).tolist() == [-1_000_000_000] * 3
    assert chain(original, []) is original


def test_a_moving_average_is_that_of_pandas_within_and_shrinks_evenly_at_the_ends():
    original = noisy(200)
    original.values[[3, 90, 91, 92, 93, 94, 95, 96, 150]] = np.nan
    result = MovingAverage(7)(original).values
    expected = pd.Series(original.values).rolling(7, center=True, min_periods=1).mean().to_numpy().copy()
    expected[np.isnan(original.values)] = np.nan
    np.testing.assert_allclose(result[3:-3], expected[3:-3], rtol=1e-12)
    assert result[0] == original.values[0]
    assert result[1] == pytest.approx(np.mean(original.values[:3]))
    assert result[-2] == pytest.approx(np.mean(original.values[-3:]))


@pytest.mark.parametrize("points", [1, 3, 9, 101, 999])
def test_a_line_is_its_own_moving_average_and_its_own_median_up_to_both_ends(points):
    line = series(np.arange(100) * 0.5 + 7)
    np.testing.assert_allclose(MovingAverage(points)(line).values, line.values, rtol=1e-12)
    np.testing.assert_allclose(MedianFilter(points)(line).values, line.values, rtol=1e-12)


def test_one_huge_value_spoils_a_moving_average_only_where_the_window_holds_it():
    values = np.full(100, 0.1)
    values[50] = 1e300
    result = MovingAverage(5)(series(values)).values
    np.testing.assert_allclose(np.delete(result, slice(48, 53)), 0.1, rtol=1e-15)
    values[50], values[52] = np.inf, -np.inf
    result = MovingAverage(5)(series(values)).values
    assert np.isposinf(result[48])
    assert np.isnan(result[51])
    np.testing.assert_allclose(np.delete(result, slice(48, 55)), 0.1, rtol=1e-15)


@given(
    st.lists(st.one_of(st.floats(-1e6, 1e6), st.just(float("nan"))), max_size=40),
    st.integers(0, 8).map(lambda half: 2 * half + 1),
)
def test_windows_hold_what_they_should(values, points):
    array = np.array(values, np.float64)
    means, medians = MovingAverage(points)(series(array)).values, MedianFilter(points)(series(array)).values
    for place in range(len(array)):
        half = min(points // 2, place, len(array) - 1 - place)
        window = array[place - half : place + half + 1]
        if np.isnan(array[place]):
            assert np.isnan(means[place])
            assert np.isnan(medians[place])
        else:
            np.testing.assert_allclose(means[place], np.nanmean(window), rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(medians[place], np.nanmedian(window), rtol=1e-12, atol=1e-12)


def test_a_median_removes_an_outlier_as_scipy_does():
    original = noisy(100)
    original.values[40] = 1e9
    result = MedianFilter(5)(original).values
    np.testing.assert_allclose(result[2:-2], signal.medfilt(original.values, 5)[2:-2])


def test_a_derivative_on_uneven_times_is_that_of_numpy():
    rng = np.random.default_rng(2)
    times_s = np.cumsum(rng.uniform(0.001, 0.1, 300))
    original = series(np.sin(times_s), times_s=times_s)
    result = Derivative()(original)
    np.testing.assert_allclose(result.values, np.gradient(original.values, times_s), rtol=1e-5)
    np.testing.assert_allclose(result.values[1:-1], np.cos(times_s)[1:-1], atol=2e-3)
    assert result.unit == "Pa/s"


def test_a_derivative_takes_values_of_one_time_as_one_and_stops_at_nan():
    original = series([0, 2, 4, np.nan, 9, 11], times_s=[0, 1, 1, 2, 3, 4])
    result = Derivative()(original).values
    # at 1 s the mean is 3; beside NaN only the other side counts
    assert result[0] == 3
    assert result[1] == result[2] == 3
    assert np.isnan(result[3])
    assert result[4] == result[5] == 2
    assert np.isnan(Derivative()(series([5.0])).values[0])


def test_an_integral_is_scipys_trapezoids_bridges_nan_and_skips_long_gaps():
    from scipy.integrate import cumulative_trapezoid

    rng = np.random.default_rng(3)
    times_s = np.cumsum(rng.uniform(0.001, 0.1, 300))
    original = series(rng.normal(size=300), times_s=times_s)
    expected = cumulative_trapezoid(original.values, times_s, initial=0)
    np.testing.assert_allclose(Integral()(original).values, expected, atol=1e-6)
    assert Integral()(original).unit == "Pa·s"
    holed = series([1, np.nan, 3, 3], times_s=[0, 1, 2, 12])
    np.testing.assert_allclose(Integral()(holed).values, [0, np.nan, 4, 34])
    np.testing.assert_allclose(Integral(max_gap_s=5)(holed).values, [0, np.nan, 4, 4])


@pytest.mark.parametrize(
    ("transform", "arguments"),
    [
        (LowPass(10), (4, 10, "lowpass")),
        (HighPass(10, order=2), (2, 10, "highpass")),
        (BandPass(5, 20, order=3), (3, [5, 20], "bandpass")),
    ],
)
def test_filters_are_those_of_scipy(transform, arguments):
    original = noisy(500)
    sections = signal.butter(*arguments, fs=100, output="sos")
    np.testing.assert_allclose(
        transform(original).values, signal.sosfiltfilt(sections, original.values), rtol=1e-6, atol=1e-9
    )


def test_a_low_pass_keeps_the_slow_sine_and_its_place_in_time_also_through_nan():
    times_s = np.arange(2000) * 0.005
    slow, fast = np.sin(2 * np.pi * times_s), 0.5 * np.sin(2 * np.pi * 60 * times_s)
    original = series(slow + fast, step_s=0.005)
    original.values[[500, 501, 1200]] = np.nan
    result = LowPass(10)(original).values
    assert np.flatnonzero(np.isnan(result)).tolist() == [500, 501, 1200]
    assert np.nanmax(np.abs(result - slow)[100:-100]) < 0.15  # beside what is missing
    assert np.abs(result - slow)[700:1000].max() < 1e-3


def test_a_clock_of_whole_milliseconds_is_even_enough_for_a_filter():
    times_s = np.floor(np.arange(1000) * 1000 / 600) / 1000
    assert len(LowPass(50)(series(np.ones(1000), times_s=times_s))) == 1000


def test_a_filter_refuses_uneven_times_and_says_what_to_do():
    times_s = np.arange(300) * 0.01
    times_s[150:] += 1
    with pytest.raises(SeriesError, match=r"not sampled evenly.*step “Resample” with 0\.01 s before it"):
        LowPass(5)(series(np.ones(300), times_s=times_s))
    with pytest.raises(SeriesError, match="one time"):
        LowPass(5)(series(np.ones(300), times_s=np.zeros(300)))
    bursts = np.repeat(np.arange(100) * 0.05, 3)
    with pytest.raises(SeriesError, match="not sampled evenly"):
        LowPass(5)(series(np.ones(300), times_s=bursts))


def test_a_resampled_series_can_be_filtered():
    rng = np.random.default_rng(4)
    times_s = np.cumsum(rng.uniform(0.002, 0.018, 1000))
    result = chain(series(np.sin(times_s), times_s=times_s), [Resample(0.01), LowPass(5)])
    inner = slice(100, -100)
    seconds = (result.time_ns - BEGIN_NS) / 1e9
    np.testing.assert_allclose(result.values[inner], np.sin(seconds)[inner], atol=0.01)
    assert set(np.diff(result.time_ns).tolist()) == {10_000_000}


@pytest.mark.parametrize(
    ("values", "transform", "words"),
    [
        ([], LowPass(5), "has no value"),
        ([1.0], LowPass(5), "1 value here"),
        ([1.0] * 10, LowPass(5), "needs more than 15"),
        ([1.0] * 100, LowPass(60), "needs more than 120 values a second"),
        ([float("nan")] * 100, LowPass(5), "no value here"),
    ],
)
def test_a_filter_that_cannot_be_says_why(values, transform, words):
    with pytest.raises(SeriesError, match=words):
        transform(series(values))


def test_a_missing_scipy_is_told_with_the_way_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.signal", None)
    with pytest.raises(PackageMissing, match=r'pip install "blitz\[analysis\]"'):
        LowPass(5)(noisy())
