"""What a script gives as points, as it goes over the wire: finite numbers, and values that JSON has. Pure."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

import numpy as np

from blitz.data.markers import Moment, unix_ns
from blitz.data.points import Point
from blitz.errors import PointsRefused

MOST_POINTS = 65_536
"""So many go in one request at most."""
MOST_BYTES = 900_000
"""A request has room for a megabyte; what else stands in it is little."""
_PLAIN = (str, int, bool, type(None))
_FIRST_CUT = 8_192


def seconds_of(moment: Moment) -> float:
    """Return a time in seconds since the Unix epoch.

    >>> seconds_of(1_700_000_000.123456)
    1700000000.123456
    >>> seconds_of(np.datetime64("2026-11-22T05:00"))
    1795323600.0

    :raises ValueError: if it has no time zone, or is none.
    """
    if isinstance(moment, datetime | np.datetime64):
        return unix_ns(moment) / 1e9
    if isinstance(moment, bool) or not isinstance(moment, int | float | np.number):
        raise ValueError(f"{moment!r} is no time: give seconds since 1970, or a datetime with its time zone.")
    return float(moment)


def plain_points(points: Iterable[Mapping[str, Any]]) -> list[Point]:
    """Return points as they are sent: times in seconds, values as JSON has them, arrays as lists.

    >>> plain_points([{"t": 1, "d": np.float32(0.5)}, {"t": 2, "d": {"x": np.arange(2)}}])
    [{'t': 1.0, 'd': 0.5}, {'t': 2.0, 'd': {'x': [0, 1]}}]

    :raises PointsRefused: if one has no time or no value, or one that JSON has no word for.
    """
    plain: list[Point] = []
    for index, point in enumerate(points):
        try:
            t, d = point["t"], point["d"]
        except (KeyError, TypeError, IndexError) as error:
            raise PointsRefused(f'Point {index} is no dict with "t" and "d": {point!r:.80}.') from error
        try:
            seconds = seconds_of(t)
            if not math.isfinite(seconds):
                raise ValueError(f"{t!r} is no time")
            plain.append({"t": seconds, "d": d if type(d) in _PLAIN else plain_value(d)})
        except (ValueError, OverflowError, RecursionError) as error:
            raise PointsRefused(f"Point {index} cannot be stored: {error}") from error
    return plain


def plain_value(value: Any) -> Any:
    """Return a value as JSON has it: arrays, tuples and sets of numpy as lists and numbers.

    :raises ValueError: if JSON has no word for it.
    """
    if type(value) in _PLAIN:
        return value
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufUO":
        return plain_value(value.tolist())
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value!r} is no number that JSON has; None stands for a missing one.")
        return float(value)
    if isinstance(value, _PLAIN):  # of a kind of their own, such as an enum's
        return json.loads(json.dumps(value))
    if isinstance(value, list | tuple):
        return [plain_value(part) for part in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {str(key): plain_value(part) for key, part in value.items()}
    raise ValueError(
        f"{value!r:.80} is of type {type(value).__name__}, which JSON has not: "
        "give a number, a text, True or False, None, or lists and dicts of them."
    )


def cut_points(points: list[Point], most_bytes: int = MOST_BYTES) -> Iterator[list[Point]]:
    """Cut points into runs that a request has room for, in order.

    >>> [len(run) for run in cut_points([{"t": 1.0, "d": "x" * 50}] * 8, most_bytes=300)]
    [4, 4]
    """
    for first in range(0, len(points), _FIRST_CUT):
        yield from _halved(points[first : first + _FIRST_CUT], most_bytes)


def _halved(points: list[Point], most_bytes: int) -> Iterator[list[Point]]:
    if len(points) < 2 or len(json.dumps(points)) <= most_bytes:
        yield points
        return
    middle = len(points) // 2
    yield from _halved(points[:middle], most_bytes)
    yield from _halved(points[middle:], most_bytes)
