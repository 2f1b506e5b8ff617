"""What the points of a stream mean when they are read as a board's messages. Pure.

A point is the JSON object ``{"t": seconds, "d": value}``. Its time is a clock that never wraps; each number in its
value is a channel. Which there are is told by the stream's schema, else by its points.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from blitz.data.board_definition import BoardDefinition, Channel, Clock, Format
from blitz.data.stream_records import StreamRecord

MOST_CHANNELS = 64
"""An array of thousands of numbers is no thousand curves."""
_DEEPEST = 8
_NUMBERS = {"number", "integer", "boolean"}


def stream_definition(stream: StreamRecord, points: Sequence[bytes] = ()) -> BoardDefinition | None:
    """Return the definition of a stream's points; None as long as nothing tells what its values are.

    A number is one channel with the stream's name, an object has a channel for each number in it, named as it is
    within; true and false are 1 and 0. A value without numbers, such as a text, has no channel: it is recorded all the
    same.

    :param points: some of its messages, for a stream whose schema does not say what its values are.

    >>> from datetime import UTC, datetime
    >>> stream = StreamRecord(id=1, name="room", unit="°C", created_at=datetime.now(UTC))
    >>> found = stream_definition(stream, [b'{"t":1.5,"d":{"in":21.5,"door":{"open":true}}}'])
    >>> [(channel.name, channel.column, channel.unit) for channel in found.channels]
    [('in', 'd.in', '°C'), ('door.open', 'd.door.open', '')]
    """
    places = dict(_in_schema(stream.schema_, "d"))
    if not places and not _kinds(stream.schema_) <= {"string", "null"}:
        values = list(_values(points))
        if not values:
            return None
        for value in values:
            for column, has_unit in _in_value(value, "d"):
                places[column] = places.get(column, False) or has_unit
    channels: dict[str, Channel] = {}
    for column, has_unit in list(places.items())[:MOST_CHANNELS]:
        name = stream.name if column == "d" else column.removeprefix("d.") or column
        label, unit = stream.nickname if column == "d" else "", stream.unit if has_unit else ""
        channels.setdefault(name, Channel(name=name, label=label, column=column, unit=unit))
    return BoardDefinition(
        id=_short_name(stream.name),
        name=stream.nickname or stream.name,
        format=Format.JSON,
        has_clock=False,
        clock=Clock(unit="s", wraps_at=0, column="t"),
        channels=tuple(channels.values()),
    )


def _values(points: Iterable[bytes]) -> Iterator[Any]:
    for point in points:
        try:
            found = json.loads(point)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict) and "d" in found:
            yield found["d"]


def _in_value(value: Any, column: str, depth: int = 0) -> Iterator[tuple[str, bool]]:
    """Yield where numbers are, and whether they are in the stream's unit: true and false are in none."""
    if isinstance(value, bool | int | float):
        yield column, not isinstance(value, bool)
    elif isinstance(value, dict) and depth < _DEEPEST:
        for name, part in value.items():
            yield from _in_value(part, f"{column}.{name}", depth + 1)
    elif isinstance(value, list) and depth < _DEEPEST:
        for place, part in enumerate(value[:MOST_CHANNELS]):
            yield from _in_value(part, f"{column}.{place}", depth + 1)


def _in_schema(schema: Any, column: str, depth: int = 0) -> Iterator[tuple[str, bool]]:
    """Yield the same, as far as a schema says what must or may be there."""
    if not isinstance(schema, Mapping) or depth >= _DEEPEST:
        return
    named = _kinds(schema)
    if named & _NUMBERS:
        yield column, named & _NUMBERS != {"boolean"}
    elif "object" in named and isinstance(schema.get("properties"), Mapping):
        for name, part in schema["properties"].items():
            yield from _in_schema(part, f"{column}.{name}", depth + 1)


def _kinds(schema: Mapping[str, Any]) -> set[str]:
    """Return the types that a schema allows; any, if it names none."""
    kinds = schema.get("type")
    return {kinds} if isinstance(kinds, str) else set(kinds) if isinstance(kinds, list) else {"any"}


def _short_name(name: str) -> str:
    """Return what an id of a definition may be.

    >>> _short_name("Füllstand 3"), _short_name("→")
    ('f_llstand_3', 'stream')
    """
    return re.sub(r"[^a-z0-9_-]+", "_", name.lower()).strip("_-")[:40] or "stream"
