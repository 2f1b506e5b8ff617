"""Slope and integral, compared with scipy and pandas, also block by block and over gaps, restarts and uneven steps."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from blitz.data.range_statistics import RangeStatistics, RunningStatistics, statistics_of
from blitz.data.series import Series
from blitz.data.session_statistics import session_statistics

BEGIN_NS = 1_790_000_000_000_000_000


def series(time_ns, values) -> Series:
    return Series(1, "s", "a", "a", "Pa", np.array(time_ns, np.int64), np.array(values, np.float64))


def streamed(one: Series, cuts) -> RangeStatistics:
    running = RunningStatistics("a", "Pa")
    for part in np.split(np.arange(len(one)), cuts):
        running.add(one.time_ns[part], one.values[part])
    return running.result()


def uneven(count: int, seed: int) -> Series:
    """Steps of 5 to 15 ms, three holes of minutes, a device that begins anew, values missing here and there."""
    rng = np.random.default_rng(seed)
    steps_ns = rng.integers(5_000_000, 15_000_000, count)
    steps_ns[[count // 5, count // 2, count - 7]] = [61_000_000_000, 200_000_000_000, 90_000_000_000]
    steps_ns[rng.integers(0, count, 30)] = 0
    values = 1e6 + 3 * np.arange(count) + rng.normal(0, 50, count)
    values[count // 2 :] -= 5000
    values[rng.integers(0, count, count // 20)] = np.nan
    return series(BEGIN_NS + np.cumsum(steps_ns), values)


def known_integral(one: Series) -> float:
    """Compute it as one would with pandas and scipy: a trapezoid a stretch without a hole."""
    frame = pd.DataFrame({"t": (one.time_ns - one.time_ns[0]) / 1e9, "v": one.values}).dropna()
    steps = frame["t"].diff()
    stretch = (steps > 5 * steps[steps > 0].median()).cumsum()
    return sum(integrate.trapezoid(part["v"], part["t"]) for _, part in frame.groupby(stretch))


@pytest.mark.parametrize("seed", range(3))
def test_slope_and_integral_are_those_of_scipy_over_holes_restarts_and_uneven_steps(seed: int) -> None:
    one = uneven(20_000, seed)
    is_value = ~np.isnan(one.values)
    known = stats.linregress((one.time_ns[is_value] - BEGIN_NS) / 1e9, one.values[is_value])
    for found in (statistics_of(one), streamed(one, range(997, 20_000, 997))):
        assert found.slope == pytest.approx(known.slope, rel=1e-9)
        assert found.integral == pytest.approx(known_integral(one), rel=1e-9)


finite = st.floats(-1e6, 1e6)
steps = st.sampled_from([0, 1, 1_000_000, 10_000_000, 11_000_000, 10_000_000_000])


@given(st.lists(st.tuples(steps, st.one_of(finite, st.just(math.nan))), max_size=40), st.lists(st.integers(0, 40)))
def test_they_are_the_same_however_the_values_are_cut(points, cuts) -> None:
    one = series(BEGIN_NS + np.cumsum([step for step, _ in points]), [value for _, value in points])
    whole, parts = statistics_of(one), streamed(one, sorted(cuts))
    # What belongs to a nearly upright line is as uncertain as its run is short.
    steep = max((abs(one.values[~np.isnan(one.values)])).max(initial=0), 1)
    assert parts.integral == pytest.approx(whole.integral, rel=1e-9, abs=1e-6, nan_ok=True)
    if len(one) and (one.time_ns[-1] - one.time_ns[0]) > 1_000_000:
        assert parts.slope == pytest.approx(whole.slope, rel=1e-6, abs=1e-3 * steep, nan_ok=True)


def test_a_slope_on_a_large_offset_is_kept() -> None:
    time_s = np.arange(100_000) / 100
    one = series(BEGIN_NS + np.rint(time_s * 1e9), 1e9 + 0.001 * time_s)
    exact = stats.linregress(time_s, one.values - 1e9).slope
    assert streamed(one, range(997, 100_000, 997)).slope == pytest.approx(exact, rel=1e-6)


def test_without_two_values_or_two_times_nothing_is_invented() -> None:
    assert math.isnan(statistics_of(series([1], [2.0])).slope)
    assert math.isnan(statistics_of(series([1], [2.0])).integral)
    found = statistics_of(series([5, 5, 5], [1.0, 2.0, 3.0]))
    assert math.isnan(found.slope)
    assert found.integral == 0


def test_a_missing_value_is_bridged_and_a_hole_is_not() -> None:
    time_ns = BEGIN_NS + np.array([0, 1, 2, 3, 4, 10, 11]) * 1_000_000_000
    assert statistics_of(series(time_ns, [1, 1, math.nan, 1, 1, 1, 1])).integral == pytest.approx(5)


def test_a_cached_session_has_them_too(cache, example) -> None:
    example(40_000).fill(cache)
    whole, found = cache.series(7)["angle, set"], session_statistics(cache, 7)["angle, set"]
    assert found.slope == pytest.approx(stats.linregress((whole.time_ns - whole.time_ns[0]) / 1e9, whole.values).slope)
    assert found.integral == pytest.approx(known_integral(whole))
