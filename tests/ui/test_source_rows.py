"""Rows of a source table that show the same device: renamed, converted, or told apart."""

from datetime import UTC, datetime
from typing import Any

import numpy as np

from blitz.data.board_definition import BoardDefinition, Channel
from blitz.data.calibration_facts import Calibration
from blitz.data.records import Source
from blitz.ui.source_rows import find_conversion, latest_rows, shown_rows


def columns(*names: str, **fields: Any) -> BoardDefinition:
    channels = tuple(Channel(name=name, column=place, **fields) for place, name in enumerate(names))
    return BoardDefinition.model_validate({"id": "scale", "name": "Scale", "format": "columns", "channels": channels})


def row(index: int, definition: BoardDefinition | None, name: str = "ttyUSB0") -> Source:
    return Source(index=index, name=name, link="/dev/ttyUSB0", definition=definition)


def test_of_rows_with_one_name_the_last_is_live_in_the_order_of_names() -> None:
    rows = (row(0, None, "ttyUSB1"), row(1, columns("a")), row(2, columns("b"), "ttyUSB1"))
    assert [source.index for source in latest_rows(rows)] == [1, 2]


def test_a_renamed_row_goes_on_with_the_older_one() -> None:
    shown = shown_rows([row(0, columns("column_1")), row(1, columns("pressure", unit="kPa", color="#aa0000"))])
    assert {index: shown[index].row for index in shown} == {0: 1, 1: 1}
    assert shown[0].conversion.is_identity


def test_values_are_converted_over_several_changes_of_zero_and_scale() -> None:
    rows = [row(0, columns("a")), row(1, columns("a", zero=100, scale=0.5)), row(2, columns("a", zero=90, divisor=10))]
    shown = shown_rows(rows)
    assert shown[0].row == shown[1].row == 2
    assert shown[0].conversion.apply(np.array([[512.0]])).tolist() == [[42.2]]
    assert shown[1].conversion.apply(np.array([[206.0]])).tolist() == [[42.2]]


def test_without_conversion_only_renamed_rows_are_joined() -> None:
    rows = [row(0, columns("column_1")), row(1, columns("a")), row(2, columns("a", scale=2))]
    shown = shown_rows(rows, converted=False)
    assert {index: shown[index].row for index in shown} == {0: 1, 1: 1, 2: 2}


def test_other_places_formats_and_numbers_of_channels_stand_by_themselves() -> None:
    here = columns("a", "b")
    assert find_conversion(here, columns("a")) is None
    elsewhere = here.model_copy(update={"channels": (here.channels[0], Channel(name="b", column=4))})
    assert find_conversion(here, elsewhere) is None
    assert find_conversion(here, columns("a", "b", table=((0, 0), (1, 2)))) is None
    assert find_conversion(columns("a", scale=0.0), columns("a")) is None
    shown = shown_rows([row(0, here), row(1, columns("a"))])
    assert (shown[0].row, shown[1].row) == (0, 1)


def test_a_row_without_a_definition_is_passed_over() -> None:
    shown = shown_rows([row(0, None), row(1, columns("a")), row(2, columns("b"))])
    assert {index: shown[index].row for index in shown} == {1: 2, 2: 2}


def test_a_calibrated_channel_goes_on_with_what_it_was_before() -> None:
    facts = Calibration(at=datetime(2026, 11, 23, tzinfo=UTC), who="ada")
    conversion = find_conversion(columns("a"), columns("a", zero=102, scale=10 / 820, calibration=facts))
    assert conversion is not None
    assert conversion.apply(np.array([[102.0], [512.0]])).ravel().tolist() == [0, 5]
