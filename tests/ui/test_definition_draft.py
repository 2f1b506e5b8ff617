"""A definition while it is typed: what it becomes, and what is said where it is wrong."""

import dataclasses
from typing import Any

import pytest

from blitz.data.board_definition import BoardDefinition, Channel
from blitz.ui.definition_draft import ChannelDraft, DefinitionDraft, DraftError

PRINTED = BoardDefinition.model_validate(
    {
        "id": "printed",
        "name": "Printed",
        "format": "columns",
        "channels": [{"name": f"column_{n + 1}", "column": n} for n in range(3)],
        "commands": [{"name": "TARE", "send": "t"}],
    }
)


def test_an_untouched_draft_is_the_definition_itself() -> None:
    assert DefinitionDraft.of(PRINTED).build() == PRINTED
    rich = Channel(
        name="p", column=0, zero=1.5, scale=-0.1, divisor=4, unit="kPa", valid_low=-1, limit_high=3, label="Pressure",
        color="#aa00bb", decimals=2, shown=False, counts_messages=True,
    )  # fmt: skip
    assert ChannelDraft.of(rich).build(rich, 0) == rich


def test_what_is_typed_is_in_the_definition() -> None:
    draft = DefinitionDraft.of(PRINTED).with_channel(0, name=" pressure ", unit=" kPa ", zero="−2", scale="0,25")
    draft = draft.with_channel(2, label="Flow", color="#00ff00", decimals="3", valid_low="0", limit_high="1e3")
    definition = draft.build()
    first, _, third = definition.channels
    assert (first.name, first.unit, first.zero, first.scale, first.column) == ("pressure", "kPa", -2, 0.25, 0)
    assert (third.label, third.color, third.decimals) == ("Flow", "#00ff00", 3)
    assert (third.valid_low, third.valid_high, third.limit_high) == (0, None, 1000)
    assert definition.commands == PRINTED.commands
    assert draft.with_channel(1, counts_messages=True).build().channels[1].counts_messages


def test_scale_and_divisor_are_one_number_until_another_is_typed() -> None:
    base = Channel(name="p", column=0, zero=2_000_000, divisor=1_000_000, unit="kPa")
    draft = ChannelDraft.of(base)
    assert draft.scale == "1e-06"
    assert draft.build(base, 0) == base
    typed = dataclasses.replace(draft, scale="2e-6").build(base, 0)
    assert (typed.scale, typed.divisor, typed.zero) == (2e-6, 1, 2_000_000)


def test_an_emptied_zero_and_scale_are_the_usual_ones() -> None:
    channel = DefinitionDraft.of(PRINTED).with_channel(0, zero="", scale=" ").channel(0)
    assert channel is not None
    assert (channel.zero, channel.scale) == (0, 1)


@pytest.mark.parametrize(
    ("row", "fields", "sentence", "field"),
    [
        (1, {"name": "  "}, "Channel 2 has no name.", "name"),
        (2, {"name": "column_1"}, "Channels 1 and 3 are both called column_1.", "name"),
        (0, {"zero": "x"}, "“x”, the zero of column_1, is not a number.", "zero"),
        (0, {"scale": "0"}, "The scale of column_1 is 0: every value would be 0.", "scale"),
        (1, {"scale": "nan"}, "“nan”, the scale of column_2, is not a number.", "scale"),
        (1, {"color": "red"}, "“red”, the colour of column_2, is not like #1f77b4.", "color"),
        (1, {"decimals": "13"}, "“13”, the decimals of column_2, is not 0 to 12.", "decimals"),
        (1, {"valid_low": "3", "valid_high": "2"}, "Channel 'column_2' has valid range from 3 up to 2.", "valid_low"),
        (1, {"limit_low": "3", "limit_high": "3"}, "Channel 'column_2' has limits from 3 up to 3.", "limit_low"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence_with_its_place(row: int, fields: Any, sentence: str, field: str) -> None:
    with pytest.raises(DraftError) as caught:
        DefinitionDraft.of(PRINTED).with_channel(row, **fields).build()
    assert str(caught.value) == sentence
    assert (caught.value.row, caught.value.field) == (row, field)


def test_what_the_model_finds_is_said_in_our_words() -> None:
    base = Channel(name="p", column=0).model_copy(update={"bits": 99})
    with pytest.raises(DraftError) as caught:
        ChannelDraft.of(base).build(base, 0)
    assert str(caught.value) == "Bits: 99 should be less than or equal to 64."
