import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blitz.data.points import Points
from blitz.errors import BlockError, SeriesError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
POINTS = st.lists(st.fixed_dictionaries({"t": st.floats(0, 4e9), "d": VALUES}), max_size=20)


def points(*values: Any) -> Points:
    return Points({"t": float(n), "d": value} for n, value in enumerate(values))


def test_slices_are_points_and_single_ones_are_dicts() -> None:
    some = points(1, 2, 3, 4)
    assert type(some[1:]) is Points
    assert some[1:].sum() == 9
    assert some[-1] == {"t": 3.0, "d": 4}
    assert some[::-2].d() == [4, 2]
    assert some == [{"t": 0.0, "d": 1}, {"t": 1.0, "d": 2}, {"t": 2.0, "d": 3}, {"t": 3.0, "d": 4}]
    assert some.t() == [0.0, 1.0, 2.0, 3.0]


def test_sum_is_exact_for_whole_numbers_and_rounded_once_for_others() -> None:
    assert points(1 << 60, 1).sum() == (1 << 60) + 1
    assert points(1e16, 1.0, -1e16).sum() == 1.0
    assert points().sum() == 0
    assert points(True, False, True).sum() == 2
    assert points(True, False).mean() == 0.5


def test_mean_of_huge_numbers_is_no_overflow() -> None:
    assert points(1.5e308, 1.5e308).mean() == pytest.approx(1.5e308)
    assert points(1.5e308, 1.5e308).sum() == math.inf


@pytest.mark.parametrize("name", ["sum", "mean", "min", "max"])
@pytest.mark.parametrize("value", ["warm", None, [1], {"x": 1}])
def test_a_value_that_is_no_number_is_named(name: str, value: Any) -> None:
    with pytest.raises(SeriesError, match=rf"{name}\(\) needs numbers, but point 1, at 1\.0 s, is .+\.$"):
        getattr(points(1, value, 3), name)()


@pytest.mark.parametrize("name", ["mean", "min", "max"])
def test_of_no_points_there_is_no_mean(name: str) -> None:
    with pytest.raises(SeriesError, match="no points"):
        getattr(points(), name)()


def test_shifted_points_are_copies() -> None:
    some = points("a", "b")
    later = some.shifted(10)
    assert later.t() == [10.0, 11.0]
    assert some.t() == [0.0, 1.0]
    assert type(later) is Points
    for wrong in (math.nan, math.inf, "1"):
        with pytest.raises(SeriesError, match="finite number of seconds"):
            some.shifted(wrong)  # type: ignore[arg-type]


@given(POINTS, POINTS)
def test_merged_points_are_by_time_and_equal_times_keep_their_order(one: list[Any], other: list[Any]) -> None:
    ours = Points(sorted(({**point, "from": (0, n)} for n, point in enumerate(one)), key=lambda point: point["t"]))
    others = sorted(({**point, "from": (1, n)} for n, point in enumerate(other)), key=lambda point: point["t"])
    merged = ours.merged(others)
    assert merged == sorted([*ours, *others], key=lambda point: (point["t"], point["from"]))


@given(POINTS)
def test_points_are_read_as_they_were_written(some: list[Any]) -> None:
    messages = [json.dumps(point, separators=(",", ":"), ensure_ascii=False).encode() for point in some]
    assert Points.from_messages(messages) == some


@pytest.mark.parametrize(
    "wrong",
    [b"", b"512,498", b'{"t":1}', b'{"t":1,"d":2},{"t":1,"d":2}', b'\xff{"t":1,"d":2}', b"[1]", b"[" * 200_000],
)
def test_a_message_that_is_no_point_is_named(wrong: bytes) -> None:
    with pytest.raises(BlockError, match="Message 8 of the stream is no point but b'"):
        Points.from_messages([b'{"t":1,"d":2}', wrong, b'{"t":1,"d":2}'], 7)
