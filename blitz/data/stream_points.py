"""Points of streams on their way into the store: checked, put in order and encoded, without looking at the store. Pure.

A message is ``{"t":seconds,"d":value}``. What only the store knows, the time of its newest point, is compared there,
in the script that stores: as the points that are left here never fall in time, those that are too old for the store
are the first so many of them.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from blitz.data.stream_records import RefusedPoint
from blitz.data.stream_schema import Check
from blitz.errors import PointsRefused

_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_FIELDS = {"t", "d"}


@dataclass
class CheckedPoints:
    """What is left of a call's points, in order; ``times`` never fall."""

    messages: list[bytes] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    """Where each stood in the call."""
    is_restamped: list[bool] = field(default_factory=list)
    refused: list[RefusedPoint] = field(default_factory=list)

    def arguments(self) -> list[Any]:
        """Return what scripts are told before the messages: the times, as doubles, and the newest of them, as text."""
        return [np.asarray(self.times, "<f8").tobytes(), repr(self.times[-1]) if self.times else ""]

    def refusal(self) -> PointsRefused:
        """Return the error that names the first that was refused."""
        point = self.refused[0]
        return PointsRefused(f"No point was stored, as point {point.index}, counted from 0, cannot be: {point.reason}")

    def too_old(self, count: int, newest_t: float) -> list[RefusedPoint]:
        """Return the first so many as refused, as they are older than what the stream has."""
        return [
            RefusedPoint(index=place, t=time, reason=_older(newest_t))
            for place, time in zip(self.places[:count], self.times[:count], strict=True)
        ]

    def count_restamped(self, by_store: int) -> int:
        """Return how many have another time than they came with, the first of them by the store's newest."""
        return by_store + sum(self.is_restamped[by_store:])


def check_points(
    points: Sequence[Any], check: Check, *, restamp: bool = False, stop_at_first: bool = False
) -> CheckedPoints:
    """Check points as they came in a call: mappings of ``t``, Unix seconds, and ``d``, anything that JSON can say.

    :param restamp: a point that is older than one before it gets that one's time, instead of being refused.
    :param stop_at_first: one that is refused is enough: the others are not looked at.

    >>> checked = check_points([{"t": 2, "d": 7}, {"t": 1, "d": 8}], lambda value: None)
    >>> checked.messages, checked.refused[0].reason
    ([b'{"t":2.0,"d":7}'], 'It is older than the newest point of the stream, of 2.0.')
    """
    checked = CheckedPoints()
    newest_t = -math.inf
    for place, point in enumerate(points):
        time: float | None = None
        restamped = False
        try:
            time, value = _read(point)
            if time < newest_t:
                if not restamp:
                    raise ValueError(_older(newest_t))
                time, restamped = newest_t, True
            if (fault := check(value)) is not None:
                raise ValueError(fault)
            text = encode_point(time, value)
        except ValueError as error:
            checked.refused.append(RefusedPoint(index=place, t=time, reason=str(error)))
            if stop_at_first:
                break
            continue
        newest_t = time
        checked.messages.append(text)
        checked.times.append(time)
        checked.places.append(place)
        checked.is_restamped.append(restamped)
    return checked


def encode_point(time: float, value: Any) -> bytes:
    """Return the message of a point.

    :raises ValueError: if the value has a number that is not finite, or is nested too deeply.
    """
    try:
        return b'{"t":%b,"d":%b}' % (repr(time).encode(), _encode(value).encode())
    except RecursionError:
        raise ValueError("It is nested too deeply.") from None
    except ValueError:
        raise ValueError("It has a number that is not finite, which JSON cannot say.") from None


def time_of(message: bytes) -> float:
    """Return the time of a point from its message.

    >>> time_of(b'{"t":1.5,"d":[1,2]}')
    1.5
    """
    return float(message[message.index(b":") + 1 : message.index(b",")])


def _read(point: Any) -> tuple[float, Any]:
    """Return a point's time and value.

    :raises ValueError: if it is no point.
    """
    if not isinstance(point, dict) or point.keys() != _FIELDS:
        raise ValueError("It is no point: that is an object of t, in Unix seconds, and d.")
    time = point["t"]
    if isinstance(time, bool) or not isinstance(time, int | float):
        raise ValueError("Its t is no number: that is its time in Unix seconds.")
    try:
        time = float(time)
    except OverflowError:
        time = math.inf
    if not math.isfinite(time):
        raise ValueError("Its t is not finite.")
    return time, point["d"]


def _older(newest_t: float) -> str:
    return f"It is older than the newest point of the stream, of {newest_t!r}."
