import dataclasses
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blitz.data.range_statistics import RunningStatistics, statistics_of
from blitz.data.series import Series, SeriesSet
from blitz.data.session_statistics import session_statistics
from blitz.errors import SeriesError

BEGIN_NS = 1_790_000_000_000_000_000


def series(values, step_ns=10_000_000, **fields) -> Series:
    values = np.array(values, np.float64)
    return Series(1, "s", "a", "a", "Pa", BEGIN_NS + step_ns * np.arange(len(values)), values, **fields)


def streamed(values, cuts):
    one = series(values)
    running = RunningStatistics("a", "Pa")
    for part in np.split(np.arange(len(values)), cuts):
        running.add(one.time_ns[part], one.values[part])
    return running.result()


def test_statistics_are_those_of_pandas():
    values = np.random.default_rng(1).normal(3, 2, 1000)
    values[[0, 5, 999]] = np.nan
    found, known = statistics_of(series(values)), pd.Series(values)
    assert found.count == known.count() == 997
    assert found.nan_count == 3
    assert found.mean == pytest.approx(known.mean(), rel=1e-12)
    assert found.standard_deviation == pytest.approx(known.std(), rel=1e-12)
    assert (found.minimum, found.maximum) == (known.min(), known.max())
    assert found.minimum_ns == BEGIN_NS + 10_000_000 * known.idxmin()
    assert found.maximum_ns == BEGIN_NS + 10_000_000 * known.idxmax()
    assert found.median == known.median()
    assert found.rms == pytest.approx(math.sqrt((known**2).mean()), rel=1e-12)
    assert (found.first, found.last) == (values[1], values[998])
    assert found.first_ns == BEGIN_NS + 10_000_000
    assert found.rate_hz == pytest.approx(996 / 9.97)
    assert found.unit == "Pa"
    assert found.minimum_at is not None
    assert found.minimum_at.tzinfo is not None


def test_a_small_deviation_on_a_large_offset_is_kept_also_block_by_block():
    noise = np.random.default_rng(2).normal(0, 1e-3, 100_000)
    values = noise + 1e9
    exact = float(np.std(values - 1e9, ddof=1))
    whole, parts = statistics_of(series(values)), streamed(values, range(997, 100_000, 997))
    assert whole.standard_deviation == pytest.approx(exact, rel=1e-6)
    assert parts.standard_deviation == pytest.approx(exact, rel=1e-6)
    assert parts.mean - 1e9 == pytest.approx(float(np.mean(values - 1e9)), abs=1e-6)


finite = st.floats(-1e6, 1e6)


@given(st.lists(st.one_of(finite, st.just(math.nan)), max_size=50), st.lists(st.integers(0, 50), max_size=4))
def test_statistics_block_by_block_are_those_at_once_but_for_the_median(values, cuts):
    whole, parts = statistics_of(series(values)), streamed(values, sorted(cuts))
    assert parts.median is None
    for name in ("count", "nan_count", "minimum_ns", "maximum_ns", "first_ns", "last_ns"):
        assert getattr(parts, name) == getattr(whole, name)
    for name in ("mean", "standard_deviation", "minimum", "maximum", "rms", "first", "last", "rate_hz"):
        assert getattr(parts, name) == pytest.approx(getattr(whole, name), rel=1e-9, abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("values", [[], [math.nan, math.nan]])
def test_without_values_the_numbers_are_nan_and_the_times_none(values):
    found = statistics_of(series(values))
    assert (found.count, found.nan_count) == (0, len(values))
    assert found.minimum_at is None
    assert all(math.isnan(getattr(found, name)) for name in ("mean", "minimum", "rms", "first", "rate_hz", "median"))


def test_of_one_value_the_deviation_and_the_rate_are_not_known():
    found = statistics_of(series([-4.0]))
    assert (found.mean, found.rms, found.median, found.minimum) == (-4, 4, -4, -4)
    assert math.isnan(found.standard_deviation)
    assert math.isnan(found.rate_hz)


def test_infinite_values_are_no_fault():
    found = statistics_of(series([1, math.inf, 2]))
    assert found.maximum == math.inf
    assert found.count == 3
    assert not math.isfinite(found.mean)


def test_a_set_has_the_statistics_of_each_channel_and_none_of_thinned_ones():
    assert SeriesSet([series([1, 3])]).statistics()["a"].mean == 2
    with pytest.raises(SeriesError, match="without max_points"):
        SeriesSet([series([1, 3], is_thinned=True)]).statistics()


def test_a_cached_session_is_described_block_by_block_as_at_once(cache, example):
    example(40_000).fill(cache)
    whole = cache.series(7)
    start, stop = whole["first"].time[1000], whole["first"].time[9000]
    for wanted in ({}, {"channels": "second"}, {"start": start, "stop": stop}, {"first": 17_000, "count": 3}):
        found, known = session_statistics(cache, 7, **wanted), cache.series(7, **wanted).statistics()
        assert list(found) == list(known)
        for label, one in known.items():
            for field in dataclasses.fields(one):
                if field.name != "median":
                    value = getattr(one, field.name)
                    is_float = isinstance(value, float)
                    expected = pytest.approx(value, rel=1e-9, nan_ok=True) if is_float else value
                    assert getattr(found[label], field.name) == expected
    with pytest.raises(SeriesError, match="no channel"):
        session_statistics(cache, 7, "third")
