import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blitz.data.board_definition import BoardDefinition, Format
from blitz.data.boards import layout_of
from blitz.data.layout import Rows
from blitz.io.doctor import guess_definition


def guess(*lines: str | bytes) -> BoardDefinition:
    definition = guess_definition([line.encode() if isinstance(line, str) else line for line in lines])
    assert definition is not None
    return definition


def names(definition: BoardDefinition) -> list[str]:
    return [channel.name for channel in definition.channels]


@pytest.mark.parametrize(
    ("lines", "separator", "name"),
    [
        (["512,498,730", "513,497,731"], ",", "3 columns, comma"),
        (["2, 498, 730", "513, 497, 731", "514, 496, 732"], ",", "3 columns, comma"),
        (["1;2.5;-3e2", "1;2.5;-3e2"], ";", "3 columns, semicolon"),
        (["1\t2\t3", "4\t5\t6"], "\t", "3 columns, tab"),
        (["1  2   3", "4 5 6"], " ", "3 columns, spaces"),
        (["1,2,3,", "4,5,6,", "4,5,6,"], ",", "3 columns, comma"),
        (["512", "513"], "", "1 column"),
        (["1,2,3", "nan,5,", "7,8,9"], ",", "3 columns, comma"),
    ],
)
def test_separated_numbers_become_columns(lines: list[str], separator: str, name: str) -> None:
    definition = guess(*lines)
    assert (definition.id, definition.format, definition.separator, definition.name) == (
        "columns",
        Format.COLUMNS,
        separator,
        name,
    )
    count = int(name.split()[0])
    assert [channel.column for channel in definition.channels] == list(range(count))
    assert names(definition) == [f"column_{number}" for number in range(1, count + 1)]
    assert definition == guess(*lines)


def test_first_line_without_its_beginning_does_no_harm() -> None:
    assert names(guess("8,730", "512,498,730", "513,497,731")) == ["column_1", "column_2", "column_3"]
    assert names(guess("p:21.5,hum:40", "temp:21.5,hum:40", "temp:21.6,hum:40")) == ["temp", "hum"]
    assert names(guess('p":21.5}', '{"temp":21.5}', '{"temp":21.6}')) == ["temp"]
    assert names(guess("p,hum", "1,2", "1,2")) == ["p", "hum"]
    assert names(guess("730", "a,b,c", "1,2,3", "4,5,6")) == ["a", "b", "c"]


def test_header_names_the_columns_and_their_units() -> None:
    definition = guess("# temp (°C), hum [%]", "21.5,40", "21.5,41")
    assert [(channel.name, channel.unit) for channel in definition.channels] == [("temp", "°C"), ("hum", "%")]


def test_units_are_read_from_parentheses_and_brackets() -> None:
    definition = guess('"temp (C)";hum [%];p', "21.5;40;1", "21.5;41;1", "21.5;42;1")
    assert [(channel.name, channel.unit) for channel in definition.channels] == [("temp", "C"), ("hum", "%"), ("p", "")]
    assert guess("temp [°C],p".encode("latin-1"), "1,2", "3,4").channels[0].unit == "°C"


def test_names_that_come_twice_are_numbered() -> None:
    assert names(guess("a,a,a_2", "1,2,3", "4,5,6")) == ["a", "a_2", "a_2_2"]


def test_greeting_before_the_numbers_is_no_header() -> None:
    assert names(guess("Ready", "512", "513", "514")) == ["column_1"]
    assert names(guess("Starting ADC", "v1.2", "512,1", "513,2", "514,2")) == ["column_1", "column_2"]
    assert names(guess("temperature", "21.5", "21.6")) == ["temperature"]


def test_text_columns_are_left_out() -> None:
    definition = guess("12:30:05,A,21.5,40", "12:30:06,A,21.6,41", "12:30:07,B,21.6,41")
    assert [channel.column for channel in definition.channels] == [2, 3]
    assert names(definition) == ["column_3", "column_4"]
    assert names(guess("21.5 C", "21.6 C")) == ["column_1"]


@pytest.mark.parametrize(
    "lines",
    [
        ["temp:21.5,hum:40", "temp:21.6,hum:41"],
        ["temp: 21.5\thum: 40", "temp: 21.6\thum: 41"],
        ["temp:21.5 hum:40", "temp:21.6 hum:nan"],
        ["Ready", "temp:21.5, hum:40,", "temp:21.6, hum:-41.5e-3,", "temp:21.6, hum:41,"],
    ],
)
def test_labels_name_the_channels(lines: list[str]) -> None:
    definition = guess(*lines)
    assert (definition.id, definition.format) == ("pairs", Format.PAIRS)
    assert [channel.column for channel in definition.channels] == names(definition) == ["temp", "hum"]


def test_json_keys_name_the_channels() -> None:
    definition = guess(
        '{"name":"x","imu":{"x":1,"y":-2.5},"v":[1,2],"ok":true}', '{"name":"x","imu":{"x":1,"y":2},"v":[1,2]}'
    )
    assert (definition.id, definition.format) == ("json", Format.JSON)
    assert [channel.column for channel in definition.channels] == ["imu.x", "imu.y", "v.0", "v.1"]


@pytest.mark.parametrize(
    ("lines", "unit", "wraps"),
    [
        (["time,a", "100,1", "200,1", "300,1"], "ms", True),
        (["time_ms,a", "1,1", "2,1", "3,1"], "ms", True),
        (["millis:100 a:1", "millis:200 a:1", "millis:300 a:1"], "ms", True),
        (["t [us];a", "100;1", "200;1", "300;1"], "us", True),
        (["time (s),a", "0.1,1", "0.2,1", "0.3,1"], "s", False),
        (["t,a", "0.1,1", "0.2,1", "0.35,1"], "s", False),
        (["timestamp:1767225600123,a:1", "timestamp:1767225600223,a:1", "timestamp:1767225600323,a:1"], "ms", False),
    ],
)  # fmt: skip
def test_a_column_that_is_called_a_clock_and_rises_is_the_clock(lines: list[str], unit: str, wraps: bool) -> None:
    definition = guess(*lines)
    assert definition.clock is not None
    assert (definition.clock.unit, bool(definition.clock.wraps_at)) == (unit, wraps)
    assert names(definition) == ["a"]


@pytest.mark.parametrize(
    "lines",
    [
        ["time,a", "300,1", "200,1", "300,1"],
        ["100,1", "200,1", "300,1"],
        ["s,a", "100,1", "200,1", "300,1"],
        ["time,a", "1,1", "2,1", "3,1"],
    ],
)
def test_in_doubt_there_is_no_clock(lines: list[str]) -> None:
    definition = guess(*lines)
    assert definition.clock is None
    assert len(definition.channels) == 2


def test_a_column_that_is_called_a_counter_and_rises_by_one_counts_messages() -> None:
    lines = ["seq,a", *(f"{number},{number}" for number in range(5))]
    assert [channel.counts_messages for channel in guess(*lines).channels] == [True, False]
    assert not guess(*lines[:3]).channels[0].counts_messages


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [""],
        ["512,498,730"],
        ["Setup...", "WiFi connected", "Ready"],
        ["Sensor 1 ready", "Sensor 2 ready", "Sensor 3 ready"],
        ["loop took 20 ms", "loop took 21 ms", "loop took 20 ms"],
        ["loop 5", "loop 6", "loop 7"],
        ["Hello, world", "Hello, world"],
        ["08ff00000c801951951950000000"] * 3,
        ["0900000000001951951950000000"] * 3,
        [b"\x00\xff\x80", b"\x13\x02", b"\xfe"],
        ['{"name":"x"}', '{"name":"y"}'],
        ["{" * 4000] * 3,
        ["connecting to 10.0.0.1: try 1", "connecting to 10.0.0.1: try 2"],
    ],
)
def test_lines_that_are_none_of_these_have_no_definition(lines: list[str | bytes]) -> None:
    assert guess_definition([line.encode() if isinstance(line, str) else line for line in lines]) is None


def decoded(definition: BoardDefinition, lines: list[bytes]) -> list[list[float]]:
    rows: list[list[float]] = layout_of(definition).decode(Rows.of_messages(lines)).numbers.tolist()
    return rows


NUMBERS = st.one_of(
    st.integers(-(10**9), 10**9), st.floats(-1e6, 1e6, allow_nan=False).map(lambda number: round(number, 3))
)
LABELS = st.lists(st.from_regex(r"[A-Za-z_][A-Za-z_0-9]{0,9}", fullmatch=True), min_size=2, max_size=6, unique=True)


@given(st.data(), st.sampled_from([",", ";", "\t", " ", ", ", "  "]), st.integers(2, 6), st.integers(3, 10))
def test_the_decoder_reads_what_was_printed_in_columns(
    draw: st.DataObject, separator: str, width: int, count: int
) -> None:
    rows = draw.draw(st.lists(st.lists(NUMBERS, min_size=width, max_size=width), min_size=count, max_size=count))
    lines = [separator.join(map(repr, row)).encode() for row in rows]
    definition = guess_definition(lines)
    assert definition is not None
    assert [channel.column for channel in definition.channels] == list(range(width))
    assert decoded(definition, lines) == rows


@given(st.data(), LABELS, st.sampled_from(["{}:{}", "{}: {}"]), st.sampled_from([",", ", ", "\t", " ", ";"]))
def test_the_decoder_reads_what_was_printed_as_pairs(
    draw: st.DataObject, labels: list[str], form: str, separator: str
) -> None:
    shape = st.lists(NUMBERS, min_size=len(labels), max_size=len(labels))
    rows = draw.draw(st.lists(shape, min_size=3, max_size=8))
    lines = [
        separator.join(form.format(*pair) for pair in zip(labels, map(repr, row), strict=True)).encode() for row in rows
    ]
    definition = guess_definition(lines)
    assert definition is not None
    of_label = dict(zip(labels, zip(*rows, strict=True), strict=True))
    read = decoded(definition, lines)
    for place, channel in enumerate(definition.channels):
        assert [row[place] for row in read] == list(of_label[str(channel.column)])
    assert len(definition.channels) + (definition.clock is not None) == len(labels)


VALUES = st.recursive(
    st.one_of(NUMBERS, st.booleans(), st.none(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
    max_leaves=8,
)


@pytest.mark.parametrize(
    "lines",
    [
        [b"time,x", b"1,2", b"2,3", b"1e999,4"],
        [b'{"time":1,"a":1}', b'{"time":2,"a":2}', b'{"time":Infinity,"a":3}'],
        [b'{"a":' + b"1" * 400 + b"}"] * 3,
        [b'{"time":' + digits * 5000 + b',"a":2}' for digits in (b"1", b"2", b"3")],
    ],
)
def test_numbers_that_nothing_can_hold_are_no_numbers(lines: list[bytes]) -> None:
    assert guess(*lines).channels


def test_digits_that_the_decoder_does_not_read_are_none() -> None:
    assert guess_definition(["١٢,٣".encode()] * 5) is None


@pytest.mark.parametrize("line", [b"a" * 4000 + b":", b"a " * 2000 + b":", b"a" + b" " * 4000 + b"x"])
def test_long_lines_are_read_quickly(line: bytes) -> None:
    began_s = time.process_time()
    assert guess_definition([line] * 20) is None
    assert time.process_time() - began_s < 2  # 2.5 s and more where the time grows with the square of the length


@given(st.lists(st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)), max_size=10))
def test_any_lines_have_a_definition_or_none(lines: list[bytes]) -> None:
    definition = guess_definition(lines)
    assert definition == guess_definition(lines)
    if definition is not None:
        decoded(definition, lines)


@given(st.lists(st.dictionaries(st.text(max_size=5), VALUES, min_size=1, max_size=5), min_size=3, max_size=6))
def test_any_json_objects_have_a_definition_or_none(objects: list[dict[str, object]]) -> None:
    lines = [json.dumps(each).encode() for each in objects]
    definition = guess_definition(lines)
    if definition is not None:
        assert definition.format is Format.JSON
        decoded(definition, lines)


def test_json_texts_that_are_numbers_become_channels() -> None:
    assert names(guess(*[json.dumps({"t": "21.5", "unit": "C"})] * 4)) == ["t"]


def test_what_decoding_takes_for_no_number_becomes_no_channel() -> None:
    assert guess_definition([json.dumps({"a": "0\x1f"}).encode()] * 4) is None
    assert names(guess(*[json.dumps({"a": "0\x1f", "b": "7 "})] * 4)) == ["b"]
