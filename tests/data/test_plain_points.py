import math
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Any

import numpy as np
import pytest

from blitz.data.plain_points import cut_points, plain_points, plain_value, seconds_of
from blitz.errors import PointsRefused


class Light(StrEnum):
    ON = "on"


class Level(IntEnum):
    HIGH = 3


def test_times_are_seconds_datetimes_or_numpy_times() -> None:
    assert seconds_of(datetime(2026, 11, 22, 5, tzinfo=UTC)) == 1_795_323_600.0
    assert seconds_of(np.datetime64("2026-11-22T05:00:00.5")) == 1_795_323_600.5
    assert seconds_of(np.float32(2.5)) == 2.5
    assert seconds_of(1_700_000_000.1234567) == 1_700_000_000.1234567
    for wrong in ("now", None, True, datetime(2026, 11, 22)):
        with pytest.raises(ValueError, match="no time"):
            seconds_of(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (True, True),
        (None, None),
        (1 << 70, 1 << 70),
        (np.float64(0.1), 0.1),
        (np.int32(7), 7),
        (np.bool_(True), True),
        (np.str_("warm"), "warm"),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        ((1, 2), [1, 2]),
        (Light.ON, "on"),
        (Level.HIGH, 3),
        ({"rgb": (1, np.int8(2), 3)}, {"rgb": [1, 2, 3]}),
    ],
)
def test_values_become_what_json_has(value: Any, plain: Any) -> None:
    found = plain_value(value)
    assert found == plain
    assert type(found) is type(plain)


@pytest.mark.parametrize(
    ("point", "words"),
    [
        ({"t": 1}, 'no dict with "t" and "d"'),
        (5, 'no dict with "t" and "d"'),
        ({"t": math.nan, "d": 1}, "no time"),
        ({"t": math.inf, "d": 1}, "no time"),
        ({"t": "1", "d": 1}, "no time"),
        ({"t": 1, "d": math.nan}, "None stands for a missing one"),
        ({"t": 1, "d": [1, -math.inf]}, "no number that JSON has"),
        ({"t": 1, "d": np.array([1, np.nan])}, "no number that JSON has"),
        ({"t": 1, "d": {1: 2}}, "type dict, which JSON has not"),
        ({"t": 1, "d": b"on"}, "type bytes, which JSON has not"),
        ({"t": 1, "d": 1j}, "type complex"),
        ({"t": 1, "d": np.datetime64("2026-01-01")}, "type datetime64"),
        ({"t": 10**400, "d": 1}, "cannot be stored"),
    ],
)
def test_what_cannot_be_stored_is_named_by_its_place(point: Any, words: str) -> None:
    with pytest.raises(PointsRefused, match=f"^Point 1 .*{words}"):
        plain_points([{"t": 0, "d": 0}, point])


def test_a_value_that_contains_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(PointsRefused, match="Point 0 cannot be stored"):
        plain_points([{"t": 0, "d": endless}])


def test_points_are_cut_in_order_into_what_a_request_has_room_for() -> None:
    points = [{"t": float(n), "d": "x" * (n % 7 * 100)} for n in range(20_000)]
    runs = list(cut_points(points))
    assert [point for run in runs for point in run] == points
    assert max(map(len, runs)) <= 8192
    assert list(cut_points([])) == []
    assert [len(run) for run in cut_points([{"t": 1.0, "d": "x" * 2_000_000}])] == [1]
