import numpy as np
import pandas as pd
import pytest

from blitz.data.distributions import MOST_BINS, histogram, pairs
from blitz.data.series import Series
from blitz.errors import SeriesError

BEGIN_NS = 1_790_000_000_000_000_000


def series(values, step_ns=10_000_000, first_ns=0, label="a") -> Series:
    values = np.array(values, np.float64)
    time_ns = BEGIN_NS + first_ns + step_ns * np.arange(len(values))
    return Series(1, "s", label, label, "V", time_ns, values)


def test_a_histogram_is_that_of_numpy_by_the_rule_of_freedman_and_diaconis() -> None:
    values = np.random.default_rng(1).normal(3, 2, 5000)
    found = histogram(series([*values, np.nan, np.inf]))
    counts, edges = np.histogram(values, "fd")
    np.testing.assert_array_equal(found.counts, counts)
    np.testing.assert_allclose(found.edges, edges)
    assert found.left_out == 2


def test_outliers_make_no_more_bins_than_can_be_seen() -> None:
    values = np.append(np.random.default_rng(1).normal(0, 1, 5000), 1e9)
    found = histogram(series(values))
    assert len(found.counts) == MOST_BINS
    assert found.counts.sum() == 5001


def test_whole_numbers_have_a_bin_each() -> None:
    values = np.random.default_rng(1).integers(10, 20, 5000)
    found = histogram(series(values))
    counts = pd.Series(values).value_counts().sort_index()
    np.testing.assert_array_equal(found.counts, counts)
    np.testing.assert_allclose((found.edges[1:] + found.edges[:-1]) / 2, counts.index)


@pytest.mark.parametrize("values", [[5.0, 5, 5], [0.0]])
def test_one_value_is_one_bin(values) -> None:
    found = histogram(series(values))
    assert found.counts.tolist() == [len(values)]
    assert found.edges[0] < values[0] < found.edges[1]


def test_values_of_which_most_are_one_still_have_bins() -> None:
    found = histogram(series([*[0.0] * 1000, *np.random.default_rng(1).normal(5, 1, 200)]))
    assert found.counts.sum() == 1200
    assert 2 < len(found.counts) <= MOST_BINS


def test_a_histogram_of_nothing_or_of_no_bins_is_refused() -> None:
    with pytest.raises(SeriesError, match="no value"):
        histogram(series([np.nan]))
    with pytest.raises(SeriesError, match="0 bins"):
        histogram(series([1.0, 2.0]), 0)


def test_channels_of_one_message_are_paired_as_they_are() -> None:
    found = pairs(series([1, 2, np.nan]), series([4, np.nan, 6], label="b"))
    np.testing.assert_array_equal(found.x, [1, np.nan, np.nan])
    np.testing.assert_array_equal(found.y, [4, np.nan, np.nan])
    assert not found.is_aligned


def test_channels_of_other_times_are_paired_as_pandas_interpolates_but_not_over_holes() -> None:
    x, y = series(np.arange(300)), series(np.arange(200) ** 1.5, 13_000_000, 4_000_000, "b")
    found = pairs(x, y)
    own, other = x.time_ns - BEGIN_NS, y.time_ns - BEGIN_NS
    merged = pd.Series(y.values, other).reindex(np.union1d(own, other)).interpolate("index")
    known = merged.loc[own].to_numpy()
    is_between = (x.time_ns >= y.time_ns[0]) & (x.time_ns <= y.time_ns[-1])
    np.testing.assert_allclose(found.y, np.where(is_between, known, np.nan), rtol=1e-9)
    assert found.is_aligned
    kept = (np.arange(200) < 50) | (np.arange(200) > 120)
    holed = Series(1, "s", "b", "b", "V", y.time_ns[kept], y.values[kept])
    assert np.isnan(pairs(x, holed).y[100])
