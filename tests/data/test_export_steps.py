"""Rows at even steps of time, compared with a way that is slow and plain."""

import itertools
import math
from collections.abc import Iterator

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from blitz.data import export_steps
from blitz.data.export_parts import Part
from blitz.data.export_steps import at_steps

STEP_NS = 1000
ROWS = st.lists(
    st.tuples(st.integers(-5000, 5000), st.integers(0, 2), st.one_of(st.just(math.nan), st.integers(-9, 9))),
    max_size=60,
)


def parts_of(rows: list[tuple[int, int, float]], cuts: list[int]) -> Iterator[Part]:
    """Cut rows, each with a value of one of three channels, into parts."""
    places = [0, *sorted(cut % (len(rows) + 1) for cut in cuts), len(rows)]
    for begin, end in itertools.pairwise(places):
        values = np.full((3, end - begin), np.nan)
        for place, (_, column, value) in enumerate(rows[begin:end]):
            values[column, place] = value
        yield Part(np.array([row[0] for row in rows[begin:end]], np.int64), values, end)


def plain(rows: list[tuple[int, int, float]]) -> dict[int, list[float]]:
    """Return by time what stands at each step."""
    found: dict[int, list[float]] = {}
    nearest: dict[tuple[int, int], int] = {}
    for time_ns, column, value in rows:
        step = (time_ns + STEP_NS // 2) // STEP_NS * STEP_NS
        if math.isnan(value):
            continue
        cells = found.setdefault(step, [math.nan] * 3)
        if abs(time_ns - step) < nearest.get((step, column), STEP_NS):
            nearest[step, column] = abs(time_ns - step)
            cells[column] = value
    return dict(sorted(found.items()))


@given(rows=ROWS, cuts=st.lists(st.integers(0, 100), max_size=5))
def test_steps_have_the_nearest_values_however_the_rows_are_cut(
    rows: list[tuple[int, int, float]], cuts: list[int]
) -> None:
    rows = sorted(rows, key=lambda row: row[0])
    found: dict[int, list[float]] = {}
    for part in at_steps(parts_of(rows, cuts), STEP_NS):
        found |= dict(zip(part.time_ns.tolist(), part.values.T.tolist(), strict=True))
    expected = plain(rows)
    assert list(found) == list(expected)
    assert np.array_equal(list(found.values()), list(expected.values()), equal_nan=True)


def test_a_late_device_finds_its_rows_as_long_as_not_too_many_wait() -> None:
    early = [(step * STEP_NS, 0, float(step)) for step in range(50)]
    late = [(step * STEP_NS, 1, -float(step)) for step in range(50)]
    parts = list(at_steps(parts_of([*late[:1], *early, *late[1:]], [10, 30, 51]), STEP_NS))
    rows = np.concatenate([part.values for part in parts], axis=1)
    assert rows[0].tolist() == list(range(50))
    assert rows[1].tolist() == [-float(step) for step in range(50)]


def test_a_device_that_has_ended_does_not_keep_all_rows_waiting(monkeypatch: object) -> None:
    rows = [(0, 1, 1.0), *((step * STEP_NS, 0, float(step)) for step in range(200_000))]
    most = 0
    written = 0
    for part in at_steps(parts_of(rows, list(range(0, 200_000, 10_000))), STEP_NS):
        written += len(part.time_ns)
        most = max(most, part.done - written)
    assert written == 200_000
    assert most <= export_steps._MOST_WAITING + 10_001
