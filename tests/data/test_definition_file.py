"""Definitions as TOML files."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blitz.data.board_definition import (
    BoardDefinition,
    Channel,
    Clock,
    Command,
    Format,
    load_definitions,
    read_definition,
)
from blitz.data.definition_file import to_toml, write_definition
from blitz.data.framing_rule import FramingKind, FramingRule
from blitz.errors import ConfigError, ExportError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
SENDABLE = st.text(st.characters(max_codepoint=0xFF), min_size=1, max_size=20)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def definitions(draw: st.DrawFn) -> BoardDefinition:
    names = draw(st.lists(TEXT, max_size=4, unique=True))
    channels = tuple(
        Channel(
            name=name,
            column=number,
            scale=draw(NUMBERS),
            unit=draw(TEXT),
            polynomial=tuple(draw(st.lists(NUMBERS, max_size=3))),
            table=draw(st.sampled_from([(), ((0.0, 1.5), (10.0, -3.0))])),
            label=draw(TEXT),
            shown=draw(st.booleans()),
        )
        for number, name in enumerate(names)
    )
    return BoardDefinition(
        id="printer",
        name=draw(TEXT),
        format=Format.COLUMNS,
        separator=draw(st.sampled_from(["", "\t", ";"])),
        clock=draw(st.sampled_from([None, Clock(column=0), Clock(column=0, unit="us", wraps_at=None)])),
        channels=channels,
        commands=(Command(name="TARE", send="t\x1b", ending="\r\n", answer="^ok$"), Command(name="go", send="g")),
        on_connect=tuple(draw(st.lists(SENDABLE, max_size=2))),
        framing=draw(st.sampled_from([None, FramingRule(kind=FramingKind.COBS, checksum="CRC-16/MODBUS")])),
    )


@given(definitions())
def test_a_definition_that_was_written_is_read_as_it_was(tmp_path: Path, definition: BoardDefinition) -> None:
    write_definition(definition, tmp_path / "a.toml")
    assert read_definition(tmp_path / "a.toml") == definition


@pytest.mark.parametrize("definition", load_definitions().values(), ids=lambda definition: definition.id)
def test_built_in_definitions_survive_being_written(tmp_path: Path, definition: BoardDefinition) -> None:
    write_definition(definition, tmp_path / "a.toml")
    assert read_definition(tmp_path / "a.toml") == definition


def test_only_what_is_not_as_usual_is_written() -> None:
    channel = Channel(name="kg", column=0)
    text = to_toml(BoardDefinition(id="scale", name="Scale", format=Format.COLUMNS, channels=(channel,)))
    assert text == 'id = "scale"\nname = "Scale"\nformat = "columns"\n\n[[channels]]\nname = "kg"\ncolumn = 0\n'


def test_a_clock_that_never_wraps_survives_json_without_empty_fields() -> None:
    clock = Clock(column=0, wraps_at=None)
    assert Clock.model_validate_json(clock.model_dump_json(exclude_none=True)) == clock


def test_files_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    definition = next(iter(load_definitions().values()))
    with pytest.raises(ExportError, match=r"Cannot write .*: no such file or directory"):
        write_definition(definition, tmp_path / "none" / "a.toml")
    with pytest.raises(ConfigError, match=r"Cannot read the board definition .*none\.toml: no such file or directory"):
        read_definition(tmp_path / "none.toml")
    (tmp_path / "a.toml").write_text("id = 5")
    with pytest.raises(ConfigError, match="is wrong: id: "):
        read_definition(tmp_path / "a.toml")
