"""Points as a logger takes and keeps them: checked against their stream's schema, and packed. Pure.

Many points of one stream are packed as one row: the times as float64, the values as one JSON array. So a hundred
thousand of them cost less than as many rows.
"""

import json
import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite
from operator import gt
from typing import Any

from blitz.data.plain_points import plain_points, plain_value
from blitz.data.points import Point
from blitz.data.stream_schema import compile_schema
from blitz.errors import PointsRefused

ROW_POINTS = 1000
"""So many points stand in one row at most."""


@dataclass(frozen=True)
class PackedPoints:
    """Points of one stream, one behind the other."""

    times: bytes
    """float64 each, little-endian."""
    values: str
    """A JSON array."""
    count: int
    oldest_t: float
    newest_t: float


def encode_value(schema: str, value: Any) -> str:
    """Return a value as JSON.

    :param schema: as :func:`~blitz.data.stream_schema.encode_schema` returns it.
    :raises PointsRefused: if it is against the schema, or nothing that JSON has.

    >>> encode_value('{"type":"number"}', 20.5)
    '20.5'
    """
    try:
        plain = plain_value(value)
    except (ValueError, OverflowError, RecursionError) as error:
        raise PointsRefused(str(error)) from error
    fault = compile_schema(schema)(plain)
    if fault is not None:
        raise PointsRefused(fault)
    return _encode(plain)


def pack_points(schema: str, points: Iterable[Mapping[str, Any]], *, any_order: bool = False) -> list[PackedPoints]:
    """Return what a script gives, ``{"t": seconds, "d": value}`` each, as rows.

    :raises PointsRefused: naming the first that is wrong, or is older than the one before it.

    >>> [row.count for row in pack_points("{}", [{"t": t, "d": "on"} for t in range(1500)])]
    [1000, 500]
    """
    try:
        points = points if isinstance(points, list) else list(points)
    except TypeError:
        raise PointsRefused(f"{points!r:.80} is no list of points.") from None
    times, values = _columns(points) or _columns_of_any(points)
    check = compile_schema(schema)
    for index, fault in enumerate(map(check, values)):
        if fault is not None:
            raise PointsRefused(f"Point {index}: {fault}")
    if not any_order and any(map(gt, times, times[1:])):
        index = next(index for index, (earlier, later) in enumerate(pairwise(times), 1) if later < earlier)
        raise PointsRefused(
            f"Point {index} has the time {times[index]!r}, but the one before it {times[index - 1]!r}: give points in "
            "the order of their times."
        )
    try:
        return list(_rows(times, values))
    except ValueError:  # what is not finite, and was not looked for
        return list(_rows(*_columns_of_any(points)))


def pack_rows(points: Sequence[Point]) -> Iterator[PackedPoints]:
    """Return points that were checked before as rows."""
    return _rows([point["t"] for point in points], [point["d"] for point in points])


def unpack(times: bytes, values: str) -> list[Point]:
    """Return the points of a row.

    >>> row = next(pack_rows([{"t": 1, "d": "on"}, {"t": 2.5, "d": None}]))
    >>> unpack(row.times, row.values)
    [{'t': 1.0, 'd': 'on'}, {'t': 2.5, 'd': None}]
    """
    seconds = array("d")
    seconds.frombytes(times)
    return [{"t": t, "d": d} for t, d in zip(_turned(seconds), json.loads(values), strict=True)]


def _columns(points: list[Mapping[str, Any]]) -> tuple[list[float], list[Any]] | None:
    """Return times and values, where they are what most are: a tenth of the time that looking at each takes."""
    try:
        times, values = [point["t"] for point in points], [point["d"] for point in points]
    except (KeyError, TypeError, IndexError):
        return None
    if {float, int}.issuperset(map(type, times)) and _SIMPLE.issuperset(map(type, values)):
        with suppress(OverflowError):
            return (times, values) if all(map(isfinite, times)) else None
    return None


def _columns_of_any(points: list[Mapping[str, Any]]) -> tuple[list[float], list[Any]]:
    plain = plain_points(points)
    return [point["t"] for point in plain], [point["d"] for point in plain]


def _rows(times: list[float], values: list[Any]) -> Iterator[PackedPoints]:
    for first in range(0, len(times), ROW_POINTS):
        some, content = array("d", times[first : first + ROW_POINTS]), values[first : first + ROW_POINTS]
        oldest_t, newest_t = min(some), max(some)
        yield PackedPoints(_turned(some).tobytes(), _encode(content), len(content), oldest_t, newest_t)


def _turned(times: "array[float]") -> "array[float]":
    if sys.byteorder == "big":
        times.byteswap()
    return times


_SIMPLE = frozenset({float, int, str, bool, type(None)})
_encode = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode
