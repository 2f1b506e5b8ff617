"""Runs of readings: how they are made columns of a screen."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blitz.data.pyramid_runs import Runs, column_starts, in_columns, single_runs


def _runs(seed: int, count: int, share_without_value: float) -> Runs:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(count, 2))
    values[rng.random((count, 2)) < share_without_value] = np.nan
    time_ns = np.cumsum(rng.integers(0, 3, count) * rng.integers(0, 50, count))
    return single_runs(time_ns, np.arange(count), values)


def _assert_same(one: Runs, other: Runs) -> None:
    for name in ("first_ns", "last_ns", "first_seq", "first_place", "longest_s", "low", "high", "has_nan"):
        assert np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True), name


@given(
    seed=st.integers(0, 2**32),
    count=st.integers(1, 400),
    columns=st.integers(1, 60),
    cuts=st.lists(st.floats(0, 1), max_size=5),
    share_without_value=st.sampled_from([0, 0.1, 1]),
)
def test_columns_do_not_depend_on_the_parts_that_the_runs_came_in(
    seed: int, count: int, columns: int, cuts: list[float], share_without_value: float
) -> None:
    runs = _runs(seed, count, share_without_value)
    bounds = sorted({0, count, *(round(cut * count) for cut in cuts)})
    parts = [runs.part(start, stop) for start, stop in itertools.pairwise(bounds)]
    _assert_same(in_columns(parts, columns), runs.grouped(column_starts(runs.first_ns, columns)))


@pytest.mark.parametrize("share_without_value", [0.0, 0.3, 1.0])
def test_runs_that_become_one_have_the_extremes_of_the_readings_that_have_a_value(share_without_value: float) -> None:
    runs = _runs(1, 100, share_without_value)
    above = runs.grouped(np.arange(0, 100, 16))
    for place, start in enumerate(range(0, 100, 16)):
        for channel, values in enumerate(runs.low[:, start : start + 16]):
            known = values[~np.isnan(values)]
            assert above.has_nan[channel, place] == (len(known) < len(values))
            lowest, highest = (known.min(), known.max()) if len(known) else (np.nan, np.nan)
            assert np.array_equal(above.low[channel, place], lowest, equal_nan=True)
            assert np.array_equal(above.high[channel, place], highest, equal_nan=True)
