import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blitz.data.aligning import aligned, at_times, usual_gap_ns
from blitz.data.series import Series, SeriesSet
from blitz.errors import PackageMissing, SeriesError

BEGIN_S = 1_790_000_000
S = 1_000_000_000


def series(times_s, values, label="a", unit="Pa", source="sim1") -> Series:
    times = np.rint(np.asarray(times_s, np.float64) * 1e9).astype(np.int64) + BEGIN_S * S
    return Series(3, source, label, label, unit, times, np.array(values, np.float64))


def at(one, times_s, how, gap_s=1.0):
    wanted = np.rint(np.asarray(times_s) * 1e9).astype(np.int64) + BEGIN_S * S
    return at_times(one, wanted, how, round(gap_s * 1e9)).tolist()


def test_each_way_takes_the_value_that_it_names():
    one = series([0, 1, 2], [10, 20, 40])
    assert at(one, [0, 0.4, 0.5, 0.6, 2], "nearest") == [10, 10, 10, 20, 40]
    assert at(one, [0, 0.4, 0.999999999, 1, 2], "previous") == [10, 10, 10, 20, 40]
    assert at(one, [0, 0.5, 1.25, 2], "linear") == [10, 15, 25, 40]


def test_no_way_invents_values_within_a_long_gap_or_outside():
    one = series([0, 1, 11, 12], [0, 1, 11, 12])
    nan = pytest.approx(float("nan"), nan_ok=True)
    assert at(one, [-0.4, -0.6, 1.5, 1.6, 10.4, 10.5, 12.5, 12.6], "nearest") == [0, nan, 1, nan, nan, 11, 12, nan]
    assert at(one, [-0.1, 2, 2.1, 10.9, 13, 13.1], "previous") == [nan, 1, nan, nan, 12, nan]
    assert at(one, [-0.1, 0.5, 1, 1.1, 10.9, 11, 12, 12.1], "linear") == [nan, 0.5, 1, nan, nan, 11, 12, nan]
    assert at(one, [6], "linear", 10) == [6]


def test_nan_counts_as_nothing_there_and_the_last_of_several_at_one_time_counts():
    one = series([0, 1, 2, 2, 3], [0, np.nan, 5, 6, 7])
    assert at(one, [1, 2], "linear", 2) == [2.5, 6]
    assert at(one, [1, 2.4], "previous", 2) == [0, 6]
    assert at(one, [2, 2.4], "nearest") == [6, 6]


@pytest.mark.parametrize("how", ["nearest", "previous", "linear"])
def test_empty_series_and_single_values_are_no_fault(how):
    assert np.isnan(at(series([], []), [1, 2], how)).all()
    assert at(series([1], [5]), [1], how) == [5]
    assert np.isnan(at(series([1], [np.nan]), [1], how)).all()
    assert len(aligned([], 1.0, how)) == 0
    assert aligned([series([], [])], 1.0, how).values.shape == (0, 1)
    assert aligned([series([1], [5])], 1.0, how).values.tolist() == [[5]]


@given(
    st.lists(st.tuples(st.integers(0, 2000), st.floats(-1e3, 1e3)), min_size=2, max_size=30),
    st.lists(st.integers(-100, 2100), min_size=1, max_size=30),
)
def test_alignment_agrees_with_numpy_and_pandas(points, wanted):
    points = sorted(dict(points).items())
    times, values = np.array([time for time, _ in points], np.int64), np.array([value for _, value in points])
    wanted_ns = np.array(sorted(wanted), np.int64)
    one = Series(1, "s", "a", "a", "", times, values)
    line = at_times(one, wanted_ns, "linear", 10_000)
    inside = (wanted_ns >= times[0]) & (wanted_ns <= times[-1])
    np.testing.assert_allclose(line[inside], np.interp(wanted_ns, times, values)[inside], rtol=1e-9, atol=1e-9)
    assert np.isnan(line[~inside]).all()
    known = pd.DataFrame({"t": times, "v": values})
    for how, direction, reach in (("previous", "backward", 70), ("nearest", "nearest", 35)):
        expected = pd.merge_asof(pd.DataFrame({"t": wanted_ns}), known, on="t", direction=direction, tolerance=reach)
        np.testing.assert_array_equal(at_times(one, wanted_ns, how, 70), expected["v"].to_numpy())


def test_two_boards_stand_at_common_whole_steps():
    fast = series(np.arange(0.03, 2, 0.01), np.arange(0.03, 2, 0.01), "fast")
    slow = series([0.2, 0.7, 1.2, 1.7], [2, 7, 12, 17], "slow", "K", "sim2")
    both = SeriesSet([fast, slow]).aligned(0.1, "linear")
    assert both.labels == ("fast", "slow")
    assert both.units == ("Pa", "K")
    assert (both.time_ns % (S // 10)).tolist() == [0] * len(both)
    seconds = both.time_ns / 1e9 - BEGIN_S
    np.testing.assert_allclose(seconds, np.arange(1, 20) * 0.1, atol=1e-6)
    np.testing.assert_allclose(both["fast"], seconds, atol=1e-6)
    assert np.isnan(both["slow"][seconds < 0.19]).all()
    np.testing.assert_allclose(both["slow"][1:17], seconds[1:17] * 10, rtol=1e-6)
    with pytest.raises(SeriesError, match=r"no channel 'other' here. There are: fast, slow"):
        both["other"]


def test_the_gap_by_default_is_five_usual_steps_of_each_channel():
    one = series([0, 0.1, 0.2, 0.3, 0.9, 1.0, 1.1], range(7))
    assert usual_gap_ns(one) == pytest.approx(0.5e9)
    values = SeriesSet([one]).aligned(0.1, "linear")["a"]
    assert np.isnan(values[4:9]).all()
    assert not np.isnan(SeriesSet([one]).aligned(0.1, "linear", max_gap_s=0.7)["a"]).any()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0,), "above 0"),
        ((float("nan"),), "finite"),
        ((1, "cubic"), "nearest, previous, linear"),
        ((1e-10,), "nanosecond"),
        ((1e-7,), "larger step"),
    ],
)
def test_an_alignment_without_meaning_is_refused(arguments, words):
    with pytest.raises(SeriesError, match=words):
        SeriesSet([series([0, 3600], [1, 2])]).aligned(*arguments)


def test_a_long_table_has_a_row_a_reading_with_unit_and_time():
    both = SeriesSet([series([0, 1], [1, np.nan], "a, é"), series([0.5], [7], "b", "K", "sim2")])
    table = both.to_arrow()
    assert table.column_names == ["session", "source", "channel", "unit", "time", "value"]
    assert table.schema.field("time").type == pa.timestamp("ns", "UTC")
    assert table["channel"].to_pylist() == ["a, é", "a, é", "b"]
    assert table["unit"].to_pylist() == ["Pa", "Pa", "K"]
    assert table["source"].to_pylist() == ["sim1", "sim1", "sim2"]
    assert table["value"].to_pylist() == [1, pytest.approx(np.nan, nan_ok=True), 7]
    frame = both.to_pandas()
    assert frame["time"].iloc[2] == pd.Timestamp(BEGIN_S + 0.5, unit="s", tz="UTC")
    assert frame[frame["channel"] == "b"]["value"].tolist() == [7]
    polars = both.to_polars()
    assert polars["time"].dtype == pl.Datetime("ns", "UTC")
    assert polars.filter(pl.col("channel") == "b")["value"].to_list() == [7]


def test_a_wide_table_joins_boards_by_time_and_keeps_units():
    one = series([0, 1, 1, 2], [1, 2, 3, np.nan], "a")
    other = series([0, 1, 1, 2], [5, 6, 7, 8], "time")
    third = series([1, 1.5], [10, 11], "c", "K", "sim2")
    table = SeriesSet([one, other, third]).to_arrow(wide=True)
    assert table.column_names == ["time", "a", "time (channel)", "c"]
    seconds = [round(time / 1e9 - BEGIN_S, 3) for time in table["time"].cast(pa.int64()).to_pylist()]
    assert seconds == [0, 1, 1, 1.5, 2]
    assert table["a"].to_pylist()[:4] == [1, 2, 3, None]
    assert np.isnan(table["a"][4].as_py())
    assert table["c"].to_pylist() == [None, 10, None, 11, None]
    assert table.schema.field("c").metadata == {b"unit": b"K"}
    frame = SeriesSet([one, other, third]).to_pandas(wide=True)
    assert frame.attrs["units"] == {"a": "Pa", "time (channel)": "Pa", "c": "K"}
    assert frame.index.name == "time"
    assert str(frame.index.dtype) == "datetime64[ns, UTC]"
    assert frame["c"].dropna().tolist() == [10, 11]
    assert SeriesSet([one, third]).to_polars(wide=True).columns == ["time", "a", "c"]


def test_series_of_one_board_share_their_rows_even_where_times_repeat():
    one, other = series([0, 0, 0], [1, 2, 3], "a"), series([0, 0, 0], [4, 5, 6], "b")
    assert SeriesSet([one, other]).to_arrow(wide=True)["b"].to_pylist() == [4, 5, 6]


def test_tables_of_nothing_have_their_columns():
    assert SeriesSet().to_arrow().num_rows == 0
    assert SeriesSet().to_arrow(wide=True).column_names == ["time"]
    assert len(SeriesSet([series([], [])]).to_pandas(wide=True)) == 0
    assert SeriesSet([series([], [])]).to_polars().shape == (0, 6)


def test_aligned_channels_go_to_every_library():
    both = SeriesSet([series([0, 1, 2], [1, 2, 3]), series([0, 1, 2], [4, 5, 6], "b", "K")]).aligned(1.0)
    assert both.to_arrow()["b"].to_pylist() == [4, 5, 6]
    assert both.to_pandas().attrs["units"] == {"a": "Pa", "b": "K"}
    assert both.to_pandas().loc[pd.Timestamp(BEGIN_S + 1, unit="s", tz="UTC"), "b"] == 5
    assert both.to_polars()["a"].to_list() == [1, 2, 3]
    assert both.time[0] == np.datetime64(BEGIN_S, "s")


@pytest.mark.parametrize("package", ["pandas", "polars"])
def test_a_missing_library_is_told_with_the_way_to_install_it(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(PackageMissing, match="pip install"):
        getattr(SeriesSet(), f"to_{package}")()
