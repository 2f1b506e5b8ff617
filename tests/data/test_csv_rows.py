"""Rows of CSV files, cut out of bytes: whole, cut anywhere, and one byte at a time."""

import csv
import io
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blitz.data.csv_rows import RowCutter, hash_rows


def cut(text: bytes, *borders: int, limit_bytes: int = 1 << 18) -> tuple[list[bytes], list[bytes]]:
    """Return the rows and what was too long."""
    cutter = RowCutter(limit_bytes)
    places = [0, *sorted(border % (len(text) + 1) for border in borders), len(text)]
    rows = [row for begin, end in pairwise(places) for row in cutter.feed(text[begin:end])]
    assert len(cutter.pending) <= limit_bytes
    return rows + cutter.flush(), cutter.too_long


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (b"1,2\n3,4\n", [b"1,2", b"3,4"]),
        (b"1,2\r\n3,4\r5,6\n\r\n\n7", [b"1,2", b"3,4", b"5,6", b"7"]),
        (b'1,"a\nb"\n2,"c\r\nd""\n"\n', [b'1,"a\nb"', b'2,"c\r\nd""\n"']),
        (b'"a\n,b";2\n3\n', [b'"a\n,b";2', b"3"]),
        (b'5" of pipe\n6" of pipe\n', [b'5" of pipe', b'6" of pipe']),
        (b'"",""\n"","\n"\n', [b'"",""', b'"","\n"']),
        (b'1,"never closed\n2,3\n4,5', [b'1,"never closed', b"2,3", b"4,5"]),
        (b"1,2\0\0\n\0\0\0", [b"1,2"]),
        (b"\xff\xfe\x85,\x0b\x0c\n\xe2\x80\xa8", [b"\xff\xfe\x85,\x0b\x0c", b"\xe2\x80\xa8"]),
        (b"", []),
    ],
)
def test_rows_are_what_stands_between_line_endings_outside_of_quotation_marks(text: bytes, rows: list[bytes]) -> None:
    assert cut(text) == (rows, [])
    assert cut(text, *range(len(text))) == (rows, [])


parts = st.sampled_from([b"1", b"2.5", b",", b'"', b'""', b',"', b'",', b"\n", b"\r", b"\r\n", b"\0", b"abcdefgh"])


@given(st.lists(parts, max_size=60).map(b"".join), st.lists(st.integers(0, 500), max_size=8), st.integers(3, 40))
def test_wherever_the_bytes_are_cut_the_rows_are_the_same(text: bytes, borders: list[int], limit_bytes: int) -> None:
    whole = cut(text, limit_bytes=limit_bytes)
    assert cut(text, *borders, limit_bytes=limit_bytes) == whole
    assert cut(text, *range(len(text)), limit_bytes=limit_bytes) == whole
    assert all(len(row) <= limit_bytes for row in whole[0])
    assert all(len(row) == limit_bytes + 1 for row in whole[1])


cells = st.lists(st.lists(st.text("a1,;\"\n\r '", max_size=6), min_size=2, max_size=4), max_size=8)


@given(cells)
def test_what_a_program_writes_as_a_table_is_cut_into_its_rows(table: list[list[str]]) -> None:
    rows = []
    for row in table:
        line = io.StringIO()
        csv.writer(line, quoting=csv.QUOTE_ALL, lineterminator="").writerow(row)
        rows.append(line.getvalue().encode())
    assert cut(b"\r\n".join(rows)) == (rows, [])


def test_a_row_that_is_too_long_is_none_and_the_next_one_is_whole() -> None:
    assert cut(b"1,2\n" + b"x" * 100 + b"\n3,4\n", limit_bytes=10) == ([b"1,2", b"3,4"], [b"x" * 11])
    assert cut(b"1\n" + b'"' + b"x\n" * 9 + b"3\n", limit_bytes=10)[0] == [b"1", b'"x', *[b"x"] * 8, b"3"]


def test_the_pending_bytes_are_what_a_cutter_that_begins_there_is_fed() -> None:
    text = b'1,2\n3,"a\nb"\n4,"c\nd'
    cutter = RowCutter()
    rows = cutter.feed(text)
    assert cutter.is_between
    assert RowCutter().feed(cutter.pending + b'"\n') == [b'4,"c\nd"']
    assert rows == [b"1,2", b'3,"a\nb"']


def test_rows_that_are_equal_have_one_hash() -> None:
    hashes = hash_rows([b"1,2", b"1,3", b"1,2"])
    assert hashes[:8] == hashes[16:] != hashes[8:16]
