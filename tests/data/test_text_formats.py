"""Separated columns and label:value pairs. Large blocks take another way than small ones: both are held against a
plain reading of each line."""

import re
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from blitz.data import text_formats
from blitz.data.blocks import MessageBlock, Read
from blitz.data.board_definition import BoardDefinition
from blitz.data.boards import SessionDecoder
from blitz.data.records import Source

NAN = float("nan")
NUMBER = re.compile(rb"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
SPACE = b" \t\n\r\x0b\x0c"

FIELDS = [b"0", b"512", b"-7", b"+5", b"1.5", b"5.", b".5", b"1e3", b"-2.5E-3", b" 42", b"42 ", b" 4 ", b"", b" ", b"-"]
FIELDS += [b"nan", b"inf", b"-Infinity", b"NaN", b"1e999", b"1e-999", b"1_000", b"0x1f", b"12:30:05", b"2024-05-01"]
FIELDS += [
    b"+-5",
    b"- 5",
    b"5 5",
    b"temp",
    b"E",
    b"\xb5A",
    b"\xef\xbb\xbf1",
    b"1\x00",
    b'"3"',
    b"\x0b5",
    b"1,5",
    b"007",
]
FIELDS += [b"3;", b"null", b"N/A", b"--", b"1.2.3", b"\xef\xbc\x91", b"1e", b"e5", b"true", b"1\n2", b"1\r", b"a:1"]
SEPARATORS = [b"", b",", b"\t", b";", b" ", b"::", b"|"]
LABELS = [b"temp", b"hum", b" hum", b"room temp", b"", b"a:b", b"t\xe9", b"1", b"temp "]


def decode(definition: BoardDefinition, lines: Sequence[bytes], *, as_table: bool) -> NDArray[np.float64]:
    source = Source(index=0, name="device", link="port", definition=definition)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("ARROW_FIELDS", "ARROW_PAIRS"):
            patch.setattr(text_formats, name, 0 if as_table else 1 << 60)
        decoded = SessionDecoder([source]).decode(MessageBlock.from_reads(1, 0, [Read(5, 0, list(lines))]))
    return decoded[0].values if decoded else np.empty((0, len(definition.channels)))


def columns(*numbers: int, separator: str = "", **more: object) -> BoardDefinition:
    channels = [{"name": f"c{place}", "column": number} for place, number in enumerate(numbers)]
    return BoardDefinition.model_validate(
        {"id": "any", "name": "any", "format": "columns", "channels": channels, "separator": separator, **more}
    )


def pairs(*labels: str, separator: str = "") -> BoardDefinition:
    channels = [{"name": f"c{place}", "column": label} for place, label in enumerate(labels)]
    return BoardDefinition.model_validate(
        {"id": "any", "name": "any", "format": "pairs", "channels": channels, "separator": separator}
    )


def plain_number(field: bytes) -> float:
    field = field.strip(SPACE)
    number = float(field) if NUMBER.fullmatch(field) else NAN
    return number if np.isfinite(number) else NAN


def plain_separator(line: bytes) -> tuple[bytes, bytes]:
    """The separator that a line has, and the line to cut with it."""
    trimmed = line.rstrip(SPACE + b";")
    if b";" in trimmed:
        return b";", line
    cut = trimmed if b";" in line else line
    return next((separator for separator in (b",", b"\t") if separator in line), b" "), cut


def plain_fields(line: bytes, separator: bytes) -> list[bytes]:
    if not separator:
        separator, line = plain_separator(line)
    if separator == b" ":
        return [field for field in re.split(rb"[ \t\n\r\x0b\x0c]+", line) if field]
    return line.split(separator)


def plain_columns(definition: BoardDefinition, lines: Sequence[bytes]) -> list[list[float]]:
    numbers = [int(channel.column or 0) for channel in definition.channels]
    rows = []
    for line in lines:
        fields = plain_fields(line, definition.separator.encode())
        is_short = len(fields) <= max(numbers)
        rows.append([NAN if is_short else plain_number(fields[number]) for number in numbers])
    return rows


def plain_pairs(definition: BoardDefinition, lines: Sequence[bytes]) -> list[list[float]]:
    rows = []
    for line in lines:
        separator = definition.separator.encode() or plain_separator(line)[0]
        found = {}
        if separator == b" ":
            line = re.sub(rb"[ \t\n\r\x0b\x0c]*:[ \t\n\r\x0b\x0c]*", b":", line)
        for field in plain_fields(line, definition.separator.encode()):
            if b":" in field:
                label, value = field.split(b":", 1)
                found[label.strip(SPACE)] = plain_number(value)
        row = []
        for channel in definition.channels:
            label = str(channel.column).strip()
            row.append(found.get(label.encode(), found.get(label.encode("latin-1"), NAN)))
        rows.append(row)
    return rows


@st.composite
def blocks(draw: st.DrawFn, cells: st.SearchStrategy[bytes]) -> list[bytes]:
    """Lines of one kind, as a device prints them, with others between."""
    separator = draw(st.sampled_from([b",", b", ", b"\t", b" ", b"  ", b";", b"; ", b",\t", b"::"]))
    width = draw(st.integers(1, 4))
    usual = draw(st.lists(st.lists(cells, min_size=width, max_size=width).map(separator.join), max_size=6))
    others = st.one_of(
        st.lists(cells, max_size=5).map(separator.join),
        st.lists(st.sampled_from(FIELDS), max_size=4).map(b",".join),
        st.binary(max_size=12),
        st.sampled_from(
            [b"", b"a,b,c", b"temp;hum", b"ready.", b"1,2,3;", b"1;2;", b" 1 2", b"1 2 ", b"\xef\xbb\xbf1,2"]
        ),
    )
    for place, line in draw(st.lists(st.tuples(st.integers(0, 6), others), max_size=3)):
        usual.insert(place, line)
    return usual


def usual_numbers() -> st.SearchStrategy[bytes]:
    return st.one_of(st.integers(-999, 999).map(b"%d".__mod__), st.floats(-1e6, 1e6).map(lambda n: f"{n:.3g}".encode()))


@given(
    lines=st.one_of(blocks(usual_numbers()), blocks(st.sampled_from(FIELDS)), blocks(st.sampled_from(FIELDS[:15]))),
    separator=st.sampled_from(SEPARATORS),
    numbers=st.lists(st.integers(0, 4), min_size=1, max_size=3),
)
@example(lines=[b"1,2", b"\xef\xbb\xbf1,2"], separator=b",", numbers=[0])
@example(lines=[b"\xef\xbb\xbf1,2", b"3,4"], separator=b",", numbers=[0])
@example(lines=[b"512", b"", b"513"], separator=b"", numbers=[0])
@example(lines=[b"1;2;3", b"1;2;", b";2;3"], separator=b"", numbers=[0, 2])
def test_columns_are_read_alike_in_small_blocks_and_in_large_ones(
    lines: list[bytes], separator: bytes, numbers: list[int]
) -> None:
    definition = columns(*numbers, separator=separator.decode())
    expected = np.array(plain_columns(definition, lines)).reshape(len(lines), len(numbers))
    assert np.array_equal(decode(definition, lines, as_table=False), expected, equal_nan=True)
    assert np.array_equal(decode(definition, lines, as_table=True), expected, equal_nan=True)


def _pair_cells() -> st.SearchStrategy[bytes]:
    colon = st.sampled_from([b":", b":", b": ", b" :", b":  ", b"\t: "])
    labels, values = st.sampled_from(LABELS), st.one_of(usual_numbers(), st.sampled_from(FIELDS))
    return st.one_of(
        st.tuples(st.sampled_from([b"temp", b"hum"]), usual_numbers()).map(b":".join),
        st.tuples(labels, colon, values).map(b"".join),
        st.sampled_from(FIELDS),
    )


def _even_pairs() -> st.SearchStrategy[bytes]:
    return usual_numbers().map(b"temp:".__add__)


@given(
    lines=st.one_of(blocks(_pair_cells()), blocks(_even_pairs())),
    separator=st.sampled_from(SEPARATORS),
    labels=st.lists(st.sampled_from(["temp", "hum", "room temp", "té", "gone"]), min_size=1, max_size=3),
)
@example(lines=[b"temp:1,hum:2", b"temp,1:hum:2", b"hum:2,temp:1"], separator=b"", labels=["temp", "hum"])
@example(lines=[b"temp:1 temp:2", b"temp:3 temp:"], separator=b"", labels=["temp"])
def test_pairs_are_read_alike_in_small_blocks_and_in_large_ones(
    lines: list[bytes], separator: bytes, labels: list[str]
) -> None:
    definition = pairs(*labels, separator=separator.decode())
    expected = np.array(plain_pairs(definition, lines)).reshape(len(lines), len(labels))
    assert np.array_equal(decode(definition, lines, as_table=False), expected, equal_nan=True)
    assert np.array_equal(decode(definition, lines, as_table=True), expected, equal_nan=True)


@pytest.fixture(params=[False, True], ids=["line by line", "as a table"])
def as_table(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.mark.parametrize(
    "line", [b"512,498,730", b"512;498;730", b"512\t498\t730", b"512 498 730", b" 512,  498 ,730 "]
)
def test_the_separator_is_found_out(line: bytes, as_table: bool) -> None:
    assert decode(columns(0, 1, 2), [line, line], as_table=as_table).tolist() == [[512, 498, 730]] * 2


def test_headers_and_other_lines_are_rows_of_nan_wherever_they_stand(as_table: bool) -> None:
    lines = [b"time,temp", b"1,21.5", b"2,21.6", b"Restarting...", b"time,temp", b"98", b"3,21.7"]
    values = decode(columns(0, 1), lines, as_table=as_table)
    assert np.isnan(values).all(axis=1).tolist() == [True, False, False, True, True, True, False]
    assert values[[1, 2, 6]].tolist() == [[1, 21.5], [2, 21.6], [3, 21.7]]


def test_what_stands_between_quotation_marks_is_one_field(as_table: bool) -> None:
    lines = [
        b'1,"a, b",21.5',
        b'2,"c ""d"", e\r\nf",21.6',
        b'"3",g,"21.7"',
        b'4,5" of pipe,21.8',
        b'5,"never closed,21.9',
    ]
    values = decode(columns(0, 2, separator=","), lines, as_table=as_table)
    assert values[:4].tolist() == [[1, 21.5], [2, 21.6], [3, 21.7], [4, 21.8]]
    assert np.isnan(values[4]).all()


def test_thousands_of_fields_are_read(as_table: bool) -> None:
    lines = [b",".join(b"%d" % (row * place) for place in range(3000)) for row in range(4)]
    values = decode(columns(0, 1500, 2999), lines, as_table=as_table)
    assert values.tolist() == [[0, row * 1500, row * 2999] for row in range(4)]


def test_only_the_columns_that_are_named_need_to_be_numbers(as_table: bool) -> None:
    lines = [b"12:30:05,OK,21.5", b"12:30:06,OK,21.6"]
    assert decode(columns(2), lines, as_table=as_table).tolist() == [[21.5], [21.6]]


def test_a_large_block_gives_what_its_parts_give() -> None:
    lines = [b"%d, %.2f,%d" % (number, number / 7, -number) for number in range(3000)]
    lines[1000] = b"a,b,c"
    definition = columns(0, 1, 2)
    source = Source(index=0, name="device", link="port", definition=definition)
    whole = MessageBlock.from_reads(1, 0, [Read(5, 0, lines)])
    (readings,) = SessionDecoder([source]).decode(whole)
    parts = [SessionDecoder([source]).decode(whole.between(at, at + 50))[0].values for at in range(0, 3000, 50)]
    assert np.array_equal(readings.values, np.concatenate(parts), equal_nan=True)
    assert np.isnan(readings.values).any(axis=1).nonzero()[0].tolist() == [1000]


def test_other_sources_between_do_not_disturb() -> None:
    definition = columns(0, 1)
    sources = [Source(index=index, name=f"s{index}", link="port", definition=definition) for index in (0, 3)]
    reads = [Read(number, 3 * (number % 2), [b"%d,%d" % (number, number * 2)]) for number in range(3000)]
    first, second = SessionDecoder(sources).decode(MessageBlock.from_reads(1, 10, reads))
    assert first.values[:, 0].tolist() == list(range(0, 3000, 2))
    assert second.values[:, 1].tolist() == list(range(2, 6002, 4))
    assert second.seq[0] == 11


@pytest.mark.parametrize(
    "line",
    [b"temp:21.5,hum:40", b"temp:21.5 hum:40", b"temp:21.5\thum:40", b"temp: 21.5  hum: 40", b"hum:40;temp:21.5"],
)
def test_pairs_are_separated_by_whatever_the_line_has(line: bytes, as_table: bool) -> None:
    assert decode(pairs("temp", "hum"), [line, line], as_table=as_table).tolist() == [[21.5, 40]] * 2


def test_a_value_without_its_label_is_left_out(as_table: bool) -> None:
    assert np.array_equal(
        decode(pairs("temp", "hum"), [b"7,temp:21.5", b"hum:40,3"], as_table=as_table),
        [[21.5, NAN], [NAN, 40]],
        equal_nan=True,
    )


def test_labels_are_found_in_utf_8_and_in_latin_1(as_table: bool) -> None:
    lines = [f"Temp_°C:{number}".encode(encoding) for number in (1, 2) for encoding in ("utf-8", "latin-1")]
    assert decode(pairs("Temp_°C"), lines, as_table=as_table).ravel().tolist() == [1, 1, 2, 2]
