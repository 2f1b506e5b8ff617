import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blitz.data.overview import min_max

VALUES = st.floats(-1e6, 1e6) | st.just(float("nan"))


def test_a_curve_that_fits_is_returned_as_it_is() -> None:
    time, values = np.arange(20.0), np.arange(20.0)
    thinned = min_max(time, values, 10)
    assert thinned[0] is time
    assert thinned[1] is values


def test_a_single_spike_among_a_million_points_stays() -> None:
    values = np.zeros(1_000_000)
    values[123_456] = 7
    values[654_321] = -7
    time, thinned = min_max(np.arange(len(values)), values, 1000)
    assert len(time) <= 2000
    assert time[thinned == 7].tolist() == [123_456]
    assert time[thinned == -7].tolist() == [654_321]


def test_a_sparse_stretch_keeps_its_share_of_the_columns() -> None:
    time = np.concatenate([np.linspace(0, 1, 100_000), np.linspace(1, 1000, 1000)])
    thinned, _ = min_max(time, np.sin(time), 500)
    assert (thinned > 1).sum() > 900


def test_nanoseconds_since_the_epoch_are_time_too() -> None:
    time = 1_700_000_000_000_000_000 + np.arange(10_000) * 1_000_000
    thinned, _ = min_max(time, np.arange(10_000.0), 100)
    assert thinned.dtype == np.int64
    assert (thinned[0], thinned[-1]) == (time[0], time[-1])


def test_a_break_stays_a_break() -> None:
    values = np.ones(10_000)
    values[5000] = np.nan
    time, thinned = min_max(np.arange(10_000), values, 100)
    assert time[np.isnan(thinned)].tolist() == [5000]


def test_a_single_value_between_two_breaks_leads_nowhere() -> None:
    values = np.ones(10_000)
    values[5001] = 9  # alone: the largest of its column
    values[[5000, 5002]] = np.nan
    time = np.arange(10_000.0)
    time[5003:] += 3000  # nothing for long
    _, thinned = min_max(time, values, 100)
    place = int(np.flatnonzero(thinned == 9)[0])
    assert np.isnan(thinned[[place - 1, place + 1]]).all()


def test_a_curve_of_nothing_but_breaks_has_a_break_a_column() -> None:
    _, thinned = min_max(np.arange(1000), np.full(1000, np.nan), 30)
    assert np.isnan(thinned).all()
    assert 0 < len(thinned) <= 60


def test_points_at_one_time_are_one_column() -> None:
    time, thinned = min_max(np.zeros(100), np.arange(100.0), 10)
    assert (time.tolist(), thinned.tolist()) == ([0, 0], [0, 99])


def test_fewer_than_two_columns_are_refused() -> None:
    with pytest.raises(ValueError, match="needs 2"):
        min_max(np.arange(10), np.arange(10.0), 1)


@given(
    points=st.lists(st.tuples(st.integers(0, 5), VALUES), min_size=1, max_size=300),
    width=st.integers(2, 40),
)
def test_an_overview_keeps_extremes_order_and_breaks(points: list[tuple[int, float]], width: int) -> None:
    time = np.cumsum(np.array([pause for pause, _ in points]))
    values = np.array([value for _, value in points])
    thinned_time, thinned = min_max(time, values, width)
    assert len(thinned) <= 2 * width
    assert (np.diff(thinned_time) >= 0).all()
    assert np.isnan(thinned).any() == np.isnan(values).any()
    if not np.isnan(values).all():
        assert np.nanmin(thinned) == np.nanmin(values)
        assert np.nanmax(thinned) == np.nanmax(values)
    pairs = (
        set(zip(time.tolist(), values[~np.isnan(values)].tolist(), strict=False))
        if not np.isnan(values).any()
        else None
    )
    assert pairs is None or set(zip(thinned_time.tolist(), thinned.tolist(), strict=True)) <= pairs
