"""Which rows of a file that was written anew are known, and whether it is the known file at all."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blitz.io import csv_known
from blitz.io.csv_known import RUN_ROWS, Known, count_same, resembles
from blitz.io.csv_log import Place, Places, RowLog, digest_of


def packed(numbers: list[int]) -> bytes:
    return np.array(numbers, np.uint64).tobytes()


def log_of(folder: Path, numbers: list[int]) -> RowLog:
    log = RowLog(folder / "0.rows")
    log.cut(0)
    log.append(packed(numbers))
    return log


@pytest.mark.parametrize("most_in_memory", [1 << 20, 0])
@given(
    known=st.lists(st.integers(0, 9), min_size=1, max_size=30),
    pieces=st.lists(st.lists(st.integers(0, 11), max_size=12), max_size=4),
)
def test_known_rows_are_a_multiset(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    most_in_memory: int,
    known: list[int],
    pieces: list[list[int]],
) -> None:
    monkeypatch.setattr(csv_known, "_IN_MEMORY", most_in_memory)
    log = log_of(tmp_path, known)
    rows, left = Known(log, 0), Counter(known)
    log.close()
    for piece in pieces:
        expected = []
        for number in piece:
            expected.append(left[number] > 0)
            left[number] -= left[number] > 0
        assert rows.take(packed(piece)) == expected
    assert rows.left == left.total()


@pytest.mark.parametrize(
    ("rows", "answer"),
    [
        ([0, 99], True),
        ([5, 6, 7, 8], None),
        ([*range(5, 5 + RUN_ROWS), 99], True),
        ([38, 39, 99], True),
        ([39], True),
        ([5, 6, 99], False),
        ([99, 0, 1, 2], False),
        ([], None),
    ],
)
def test_a_file_is_the_known_one_if_it_begins_so(tmp_path: Path, rows: list[int], answer: bool | None) -> None:
    log = log_of(tmp_path, list(range(40)))
    assert resembles(log, packed(rows)) is answer
    log.close()


@given(st.lists(st.integers(0, 2), max_size=20), st.lists(st.integers(0, 2), max_size=20))
def test_the_rows_that_are_the_same_are_counted(one: list[int], other: list[int]) -> None:
    same = next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), None)
    assert count_same(packed(one), packed(other)) == (min(len(one), len(other)) if same is None else same)


def test_records_that_a_crash_has_cut_off_are_dropped_and_places_are_found(tmp_path: Path) -> None:
    path = tmp_path / "0.rows"
    path.write_bytes(packed([1, 2]) + b"abc")
    log = RowLog(path)
    log.append(packed([3]))
    log.close()
    assert (len(log), log.read(0, 9)) == (3, packed([1, 2, 3]))
    log.close()
    places = Places(tmp_path / "0.places")
    content = b"h\n1\n2\n3\n4\n"
    for place in (Place(0, 2, digest_of(b"h\n")), Place(0, 2, digest_of(b"")), Place(3, 8, digest_of(content[2:8]))):
        places.append(place)
    assert [places.before(row) for row in (0, 2, 3, 9)] == [1, 1, 2, 2]
    assert all(places.fit(lambda begin, size: content[begin : begin + size], index) for index in range(4))
    assert not places.fit(lambda begin, size: content[begin : begin + size - 1], 2)
    places.close()
