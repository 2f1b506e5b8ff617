"""What streams are taken for when they are read as boards."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from blitz.data.blocks import MessageBlock, Read
from blitz.data.boards import SessionDecoder
from blitz.data.records import Source
from blitz.data.stream_definition import MOST_CHANNELS, stream_definition
from blitz.data.stream_points import encode_point
from blitz.data.stream_records import StreamRecord


def stream(name: str = "room", **fields: Any) -> StreamRecord:
    return StreamRecord(**{"id": 1, "name": name, "created_at": datetime.now(UTC)} | fields)


def channels(record: StreamRecord, *values: Any) -> list[tuple[str, str]] | None:
    found = stream_definition(record, [encode_point(1.0, value) for value in values])
    return None if found is None else [(channel.name, channel.unit) for channel in found.channels]


@pytest.mark.parametrize(
    ("schema", "values", "expected"),
    [
        ({}, (), None),
        ({"type": "number"}, (), [("room", "V")]),
        ({"type": ["integer", "null"]}, (), [("room", "V")]),
        ({"type": "boolean"}, (), [("room", "")]),
        ({"type": "string"}, ("open",), []),
        ({}, (21.5,), [("room", "V")]),
        ({}, (None, 3), [("room", "V")]),
        ({}, ("on",), []),
        ({}, ({"a": 1}, {"a": 2, "b": {"c": True}}), [("a", "V"), ("b.c", "")]),
        ({}, ([1, 2],), [("0", "V"), ("1", "V")]),
        ({}, (5, {"": 1, "room": 2}), [("room", "V"), ("d.", "V")]),
        ({"type": "object"}, ({"x": 1},), [("x", "V")]),
        (
            {"type": "object", "properties": {"x": {"type": "number"}, "note": {"type": "string"}}},
            ({"y": 1},),
            [("x", "V")],
        ),
    ],
)
def test_each_number_of_a_value_is_a_channel(
    schema: dict[str, Any], values: tuple[Any, ...], expected: list[tuple[str, str]] | None
) -> None:
    assert channels(stream(unit="V", schema=schema), *values) == expected


def test_a_thousand_numbers_are_no_thousand_channels() -> None:
    assert len(channels(stream(), list(range(1000))) or []) == MOST_CHANNELS


def test_names_that_no_definition_may_have_as_its_id_are_made_one() -> None:
    found = stream_definition(stream("→ 3", nickname="Flow", schema={"type": "number"}))
    assert found is not None
    assert (found.id, found.name, found.channels[0].name, found.channels[0].label) == ("3", "Flow", "→ 3", "Flow")


def test_points_are_decoded_with_their_values_and_their_times() -> None:
    record = stream(schema={})
    values = [{"v": 1.5, "on": True}, {"v": None, "on": False}, {"on": 1, "v": -2}]
    points = [encode_point(1000 + 0.5 * place, value) for place, value in enumerate(values)]
    source = Source(index=0, name="room", link="stream:room", definition=stream_definition(record, points))
    arrived_ns = 1_001_000_000_000
    block = MessageBlock.from_reads(7, 0, [Read(arrived_ns, 0, points)], "")
    (readings,) = SessionDecoder([source]).decode(block)
    assert np.array_equal(readings.values, [[1.5, 1], [np.nan, 0], [-2, 1]], equal_nan=True)
    assert readings.time_ns.tolist() == [arrived_ns - 1_000_000_000, arrived_ns - 500_000_000, arrived_ns]
