"""A definition as it is typed: single changes to its text, what is wrong and where, what it makes of messages."""

from typing import Any

import pytest

from blitz.data.board_definition import BoardDefinition, load_definitions
from blitz.data.definition_file import to_toml
from blitz.ui.definition_preview import Cell, RawMessage, preview
from blitz.ui.definition_text import moved_part, read_text, with_field, with_part, without_part

TEXT = """# A scale.
id = "scale"
name = "Scale"  # on the bench
format = "columns"

[[channels]]
name = "weight"
column = 0  # grams

# the probe
[[channels]]
name = "temperature"
column = 1

[[commands]]
name = "TARE"
send = "t"
"""


def changed(text: str, *changes: tuple[tuple[str | int, ...], Any]) -> str:
    for place, value in changes:
        text = with_field(text, place, value)
    return text


def test_one_field_is_changed_and_all_else_stays() -> None:
    assert with_field(TEXT, ("channels", 0, "name"), "mass") == TEXT.replace('"weight"', '"mass"')
    assert with_field(TEXT, ("name",), "Balance") == TEXT.replace('"Scale"', '"Balance"')
    added = with_field(TEXT, ("channels", 0, "unit"), "g")
    assert added == TEXT.replace("# grams\n", '# grams\nunit = "g"\n')
    assert with_field(added, ("channels", 0, "unit"), None) == TEXT
    assert with_field(TEXT, ("channels", 0, "unit"), None) == TEXT
    framed = changed(TEXT, (("framing", "kind"), "cobs"), (("framing", "checksum"), "XOR-8"))
    assert 'framing = { kind = "cobs", checksum = "XOR-8" }\n\n[[channels]]' in framed
    assert changed(framed, (("framing", "checksum"), None), (("framing", "kind"), None)) == TEXT


def test_a_range_is_typed_number_by_number() -> None:
    text = changed(TEXT, (("commands", 0, "send"), "t{value}"), (("commands", 0, "parameter", "min"), 0))
    assert [fault.sentence for fault in read_text(text).faults] == ["Commands 'TARE', parameter, max: it is missing."]
    text = with_field(text, ("commands", 0, "parameter", "max"), 5)
    assert text.endswith("parameter = { min = 0, max = 5 }\n")
    definition = read_text(text).definition
    assert definition is not None
    assert definition.commands[0].with_value(3).send == "t3"


def test_parts_are_added_moved_and_removed() -> None:
    text = with_part(TEXT, "channels", {"name": "flow", "column": 2})
    assert [part["name"] for part in read_text(text).parts("channels")] == ["weight", "temperature", "flow"]
    assert text.index('"flow"') < text.index("[[commands]]")
    text = moved_part(text, "channels", 2, -1)
    assert [part["name"] for part in read_text(text).parts("channels")] == ["weight", "flow", "temperature"]
    assert moved_part(text, "channels", 0, -1) == text
    for _ in range(3):
        text = without_part(text, "channels", 0)
    found = read_text(text)
    assert found.definition is not None
    assert found.definition.channels == ()
    assert read_text(with_part(text, "channels", {"name": "a", "column": 0})).definition is not None


def test_channels_in_one_line_are_changed_too() -> None:
    text = 'id = "a"\nname = "A"\nformat = "columns"\nchannels = [{ name = "weight", column = 0 }]\n'
    text = with_field(text, ("channels", 0, "unit"), "g")
    text = with_part(text, "channels", {"name": "t", "column": 1})
    definition = read_text(text).definition
    assert definition is not None
    assert [(channel.name, channel.unit) for channel in definition.channels] == [("weight", "g"), ("t", "")]


@pytest.mark.parametrize("board_id", sorted(load_definitions()))
def test_what_is_written_of_a_known_board_is_read_as_the_same(board_id: str) -> None:
    known = load_definitions()[board_id]
    found = read_text(to_toml(known), known)
    assert (found.definition, found.faults) == (known, ())


@pytest.mark.parametrize(
    ("old", "new", "line", "place", "sentence"),
    [
        ("column = 1", 'column = "x"', 11, ("channels", 1), "Channel 'temperature' needs its column, a number from 0."),
        ("column = 1", "columm = 1", 13, ("channels", 1, "columm"), "Did you mean 'column'?"),
        ('"temperature"', '"weight"', 11, ("channels", 1), "There are 2 channels 'weight'."),
        ('send = "t"', "send = 5", 17, ("commands", 0, "send"), "5 is no text. Write it in quotation marks."),
        ('format = "columns"', 'format = "rows"', 4, ("format",), "'rows' is not"),
        ('id = "scale"', 'id = "The scale"', 2, ("id",), "is not a short name"),
        ("column = 1", 'column = 1\nunit = " °C"', 11, ("channels", 1), "The unit ' °C' of channel"),
        ("column = 1", "column = ", 13, (), "Invalid value."),
        ("column = 1", "column = 1\ncolumn = 2", 14, (), "Cannot overwrite a value."),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_field(
    old: str, new: str, line: int, place: tuple[str | int, ...], sentence: str
) -> None:
    found = read_text(TEXT.replace(old, new))
    assert found.definition is None
    assert (found.faults[0].line, found.faults[0].place) == (line, place)
    assert sentence in found.faults[0].sentence
    assert found.fault_at(place) == found.faults[0].sentence


def test_a_key_of_the_whole_definition_that_is_missing_is_not_looked_for_in_a_channel() -> None:
    faults = read_text(TEXT.replace('name = "Scale"', 'nmae = "Scale"')).faults
    assert [(fault.line, fault.sentence) for fault in faults] == [
        (1, "Name: it is missing."),
        (3, "Nmae: there is no 'nmae' here. Did you mean 'name'?"),
    ]


def decoded(fields: dict[str, Any], *messages: bytes) -> list[tuple[list[str], str]]:
    definition = BoardDefinition.model_validate({"id": "a", "name": "A", **fields})
    rows = preview(definition, [RawMessage(n, raw) for n, raw in enumerate(messages)])
    return [
        ([cell.text for cell in row.cells], row.fault or " ".join(cell.fault for cell in row.cells)) for row in rows
    ]


def test_columns_are_decoded_as_typed() -> None:
    channels = [
        {"name": "a", "column": 0, "scale": 0.5, "zero": 10},
        {"name": "b", "column": 2, "valid_high": 50, "decimals": 2},
    ]
    assert decoded({"format": "columns", "channels": channels}, b"512,OK,21.5", b"512,1", b"x,1,", b"8,1,60") == [
        (["251.0", "21.50"], " "),
        (["–", "–"], "2 fields, and the channels need 3"),
        (["–", "–"], "field 0 is 'x', no number; and 1 more"),
        (["-1.0", "–"], " 60 is more than valid_high, 50"),
    ]


def test_pairs_and_json_say_what_is_there_instead() -> None:
    pairs = {"format": "pairs", "channels": [{"name": "a", "column": "temp"}, {"name": "b", "column": "hum"}]}
    assert decoded(pairs, b"temp:21.5,hum:40", b"hum:x,tmp:3") == [
        (["21.5", "40"], " "),
        (["–", "–"], "no label 'temp'; there are 'hum', 'tmp'; and 1 more"),
    ]
    parsed = {"format": "json", "channels": [{"name": "a", "column": "imu.x"}]}
    assert decoded(parsed, b'{"imu": {"x": 1.5}}', b'{"imu": {"y": 1}}', b'{"imu": {"x": "on"}}', b"[1]", b"{") == [
        (["1.5"], ""),
        (["–"], "no key 'imu.x'; there is 'imu'"),
        (["–"], "imu.x is 'on', no number"),
        (["–"], "JSON, but no object in { }"),
        (["–"], "no JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
    ]


def test_binary_and_blitz_messages_say_what_is_missing() -> None:
    binary = {"format": "struct", "channels": [{"name": "a", "offset": 1, "type": "i16"}]}
    assert decoded(binary, b"\x00\xff\xff", b"\x00\x01") == [(["-1"], ""), (["–"], "2 bytes, and the channels need 3")]
    motor = load_definitions()["09"]
    rows = preview(
        motor, [RawMessage(0, raw) for raw in (b"09a000000001000a00140019" + b"0" * 4, b"0940", b"0g", b"08a0")]
    )
    assert [cell.text for cell in rows[0].cells] == ["10", "20", "25"]
    assert [row.fault for row in rows[1:]] == [
        "4 digits, and the channels need 28",
        "'g' is no hex digit",
        "begins with '08', not with '09': another board's",
    ]


def test_no_message_and_no_channel_make_no_fault() -> None:
    empty = BoardDefinition(id="a", name="A", format="columns", channels=())
    assert preview(empty, ()) == ()
    assert preview(empty, [RawMessage(0, b"1")])[0].cells == ()
    assert Cell("1").fault == ""
