"""Differences of sessions, and the moments at which they are laid upon each other, against pandas and numpy."""

import itertools
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blitz.data.aligning import usual_gap_ns
from blitz.data.records import Marker
from blitz.data.series import Series
from blitz.data.session_differences import Tolerance, difference_parts, differences, numbers_of
from blitz.data.session_moments import common_texts, crossing_ns, marker_ns
from blitz.errors import SeriesError

S = 1_000_000_000
BEGIN_NS = 1_790_000_000 * S
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def series(time_ns, values) -> Series:
    return Series(3, "sim1", "a", "a", "Pa", np.asarray(time_ns, np.int64), np.asarray(values, np.float64))


def uneven(seed: int, begin_ns: int, count: int = 4000) -> Series:
    """A session with uneven steps, two gaps, a time that stands still at a restart, and values that are missing."""
    random = np.random.default_rng(seed)
    steps = random.integers(5_000_000, 15_000_000, count)
    steps[[count // 4, count // 2]] = 3 * S
    steps[count // 3] = 0
    values = 100 * np.sin(np.arange(count) / 90) + random.normal(0, 1, count)
    values[random.integers(0, count, count // 50)] = np.nan
    return series(begin_ns + np.cumsum(steps), values)


def part_of(whole: Series):
    def read(begin_ns: int, end_ns: int) -> Series:
        first, stop = np.searchsorted(whole.time_ns, [begin_ns, end_ns])
        return series(whole.time_ns[first:stop], whole.values[first:stop])

    return read


def test_differences_agree_with_pandas_on_sessions_with_gaps_restarts_and_uneven_steps():
    reference, other = uneven(1, BEGIN_NS), uneven(2, BEGIN_NS + 86_400 * S + 123)
    shift = -86_400 * S
    found = differences(other, reference, shift)
    # Independently: on the union of all times, linearly by the clock, and taken away again across longer gaps.
    # A float holds times of today to a quarter of a microsecond only: they count from the start there.
    times = reference.time_ns - BEGIN_NS
    known = pd.Series(other.values, index=other.time_ns + shift - BEGIN_NS).dropna()
    known.index -= known.index.duplicated("last")  # of two at one time the first ends the line that comes to it
    union = np.union1d(known.index, times)
    line = known.reindex(union).interpolate("index", limit_area="inside")
    ahead = pd.Series(known.index, index=known.index).reindex(union)
    is_bridged = (ahead.bfill() - ahead.ffill()) <= usual_gap_ns(other)
    expected = line.where(is_bridged)[times].to_numpy() - reference.values
    np.testing.assert_array_equal(np.isnan(found.difference), np.isnan(expected))
    np.testing.assert_allclose(found.difference, expected, atol=1e-6)
    tolerance = Tolerance(20.0, 0.3)
    numbers = numbers_of([found], tolerance)
    frame = pd.DataFrame({"d": expected, "r": reference.values}).dropna()
    assert numbers.count == len(frame) > 3000
    assert numbers.missing == int((~np.isnan(reference.values)).sum()) - len(frame) > 0
    assert numbers.mean == pytest.approx(frame.d.mean(), rel=1e-6)
    assert numbers.rms == pytest.approx(np.sqrt((frame.d**2).mean()), rel=1e-6)
    place = int(frame.d.abs().idxmax())
    assert (numbers.largest, numbers.largest_ns) == (pytest.approx(expected[place]), int(reference.time_ns[place]))
    outside = (frame.d.abs() > np.maximum(20, 0.3 * frame.r.abs())).mean()
    assert numbers.outside_share == pytest.approx(outside)
    assert 0 < outside < 1


@pytest.mark.parametrize("how", ["linear", "nearest", "previous"])
def test_parts_are_what_the_whole_is(how):
    reference, other = uneven(3, BEGIN_NS), uneven(4, BEGIN_NS + 500)
    gap = usual_gap_ns(other)
    whole = differences(other, reference, 77, how, gap)
    first, last = int(reference.time_ns[0]), int(reference.time_ns[-1])
    edges = [first + (last + 1 - first) * place // 22 for place in range(23)]
    parts = list(difference_parts(part_of(other), part_of(reference), edges, 77, gap, how))
    for place in range(3):
        np.testing.assert_array_equal(np.concatenate([part[place] for part in parts]), whole[place])
    cut, once = numbers_of(parts, Tolerance(5)), numbers_of([whole], Tolerance(5))
    assert (cut.count, cut.missing, cut.outside, cut.largest_ns) == (
        once.count,
        once.missing,
        once.outside,
        once.largest_ns,
    )
    assert (cut.mean, cut.rms) == pytest.approx((once.mean, once.rms))


def test_sessions_that_do_not_overlap_have_no_differences():
    reference, other = series([0, S, 2 * S], [1, 2, 3]), series([100 * S, 101 * S], [1, 2])
    numbers = numbers_of([differences(other, reference, 0)], Tolerance(1))
    assert (numbers.count, numbers.missing, numbers.outside, numbers.outside_share) == (0, 3, 0, None)
    assert np.isnan(numbers.mean)
    assert numbers.largest_ns is None
    assert numbers_of([]).outside is None
    empty = series([], [])
    assert len(differences(other, empty, 0).difference) == 0
    assert np.isnan(differences(empty, reference, 0).difference).all()


def test_a_value_at_the_edge_of_the_tolerance_is_inside():
    reference = series([0, S, 2 * S], [10, 10, 10])
    numbers = numbers_of([differences(series([0, S, 2 * S], [11, 9, 12]), reference, 0)], Tolerance(0, 0.1))
    assert (numbers.outside, numbers.largest, numbers.largest_ns) == (1, 2, 2 * S)
    assert numbers.mean == pytest.approx(2 / 3)
    assert numbers_of([differences(reference, reference, 0)], Tolerance()).outside is None


def test_what_has_no_meaning_is_refused():
    one = series([0, 1], [1, 2])
    thinned = Series(3, "s", "a", "a", "", one.time_ns, one.values, is_thinned=True)
    for pair in ((one, thinned), (thinned, one)):
        with pytest.raises(SeriesError, match="Thinned"):
            differences(*pair, 0)
    for wrong in ((-1, 0), (0, float("nan")), (float("inf"), 0)):
        with pytest.raises(SeriesError, match="tolerance"):
            Tolerance(*wrong)
    with pytest.raises(SeriesError, match="rising or falling"):
        crossing_ns([], 1, "up", 1)


def test_markers_are_found_by_their_words():
    def marker(number: int, text: str, at: int) -> Marker:
        return Marker(id=number, text=text, from_ns=at, changed_at=NOW)

    today = [marker(1, "Valve open ", 50), marker(2, "valve OPEN", 20), marker(3, "hot", 70)]
    assert marker_ns(today, "valve open") == 20
    with pytest.raises(SeriesError, match="no marker “cold”"):
        marker_ns(today, "cold")
    assert common_texts([today, [marker(1, "HOT", 5), marker(2, "valve open", 9)]]) == ("valve OPEN", "hot")
    assert common_texts([today, []]) == ()
    assert common_texts([]) == ()


def test_a_crossing_lies_on_the_line_between_two_values_and_not_within_a_gap():
    up = series([0, 10, 20, 30], [0, 1, 3, 0])
    assert crossing_ns([up], 2, "rising", 10) == 15
    assert crossing_ns([up], 1, "rising", 10) == 10
    assert crossing_ns([up], 0, "rising", 10) is None  # it is there already
    assert crossing_ns([up], 2, "falling", 10) == 23
    assert crossing_ns([up], 2, "rising", 9) is None
    assert crossing_ns([up], 5, "rising", 10) is None
    assert crossing_ns([series([0, 10, 20], [0, np.nan, 4])], 2, "rising", 20) == 10
    assert crossing_ns([], 2, "rising", 20) is None


@given(st.lists(st.sampled_from([-2.0, -1.0, 1.0, 2.0, float("nan")]), max_size=30), st.integers(1, 29), st.booleans())
def test_a_crossing_is_found_however_the_session_is_cut(values, cut, is_falling):
    time_ns = np.arange(len(values)) * 10
    edge = "falling" if is_falling else "rising"
    whole = crossing_ns([series(time_ns, values)], 0.0, edge, 25)
    parts = [series(time_ns[:cut], values[:cut]), series(time_ns[cut:], values[cut:])]
    assert crossing_ns(parts, 0.0, edge, 25) == whole
    known = [(t, v if not is_falling else -v) for t, v in zip(time_ns.tolist(), values, strict=True) if v == v]
    naive = [(t0, t1, v0, v1) for (t0, v0), (t1, v1) in itertools.pairwise(known) if v0 < 0 <= v1 and t1 - t0 <= 25]
    if not naive:
        assert whole is None
    else:
        t0, t1, v0, v1 = naive[0]
        assert whole == pytest.approx(t0 + (t1 - t0) * -v0 / (v1 - v0), abs=0.51)
