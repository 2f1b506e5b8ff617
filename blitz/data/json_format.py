"""Messages that are JSON objects.

Pure. All objects of a block are parsed in one call (measured: five times as fast as one by one); a block in which one
is broken is parsed one by one.
"""

import json
import math
from collections.abc import Sequence
from itertools import compress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blitz.data.board_definition import BoardDefinition
from blitz.data.layout import Decoded, Rows
from blitz.data.text_numbers import number_of

_BETWEEN = b",-0.28125e-77,"
"""Stands between two objects where many are parsed at once, so that two broken ones never pass for others."""

_BETWEEN_VALUE = float(_BETWEEN.strip(b","))

_RUN = 1024
"""Messages parsed at once. More are slower: Python's garbage collector goes through all objects that are alive."""

_PLAIN = {int, float, bool, type(None)}


class JsonLayout:
    """Decodes one definition's messages.

    A channel's key names what lies within with dots: ``imu.x`` is ``x`` of the object ``imu``, ``v.0`` the first of the
    array ``v``. Where that is not there, the whole is a key, dots included. True and false are 1 and 0; a text that is
    a number counts as one; null, and everything else, is NaN.
    """

    def __init__(self, definition: BoardDefinition) -> None:
        parts = [*definition.channels, *([definition.clock] if definition.clock else [])]
        self._keys = [str(part.column) for part in parts]
        self._has_clock = definition.clock is not None

    def decode(self, rows: Rows) -> Decoded:
        """Decode messages; one that is no object is a row of NaN."""
        messages = rows.messages()
        numbers = np.empty((len(self._keys), len(rows)))
        for start in range(0, len(rows), _RUN):
            objects = _parsed(messages[start : start + _RUN])
            for row, key in enumerate(self._keys):
                numbers[row, start : start + _RUN] = _column(objects, key)
        return Decoded(numbers[:-1].T, numbers[-1]) if self._has_clock else Decoded(numbers.T)


def find(value: Any, key: str) -> Any:
    """Return what lies at a dotted key, or None.

    >>> find({"imu": {"x": 1, "v": [2, 3]}, "a.b": 4}, "imu.v.1"), find({"a.b": 4}, "a.b")
    (3, 4)
    """
    if isinstance(value, list):
        place, dot, rest = key.partition(".")
        if not (place.isdecimal() and len(place) < 7 and int(place) < len(value)):
            return None
        return find(value[int(place)], rest) if dot else value[int(place)]
    if not isinstance(value, dict):
        return None
    head, dot, rest = key.partition(".")
    if dot and head in value:
        found = find(value[head], rest)
        if found is not None:
            return found
    return value.get(key)


def _parsed(messages: Sequence[bytes]) -> list[dict[str, Any]]:
    """Parse messages; what is no object becomes an empty one."""
    looks_whole = [message[:1] == b"{" and message[-1:] == b"}" for message in messages]
    if all(looks_whole):
        return _parsed_together(messages)
    together = iter(_parsed_together(list(compress(messages, looks_whole))))
    return [
        next(together) if is_whole else _object(message)
        for message, is_whole in zip(messages, looks_whole, strict=True)
    ]


def _parsed_together(messages: Sequence[bytes]) -> list[dict[str, Any]]:
    text = _BETWEEN.join(messages)
    if messages and text.count(_BETWEEN) == len(messages) - 1:
        try:
            found = json.loads(f"[{text.decode()}]")
        except (ValueError, RecursionError):
            found = []
        objects: list[dict[str, Any]] = found[::2]
        if found[1::2] == [_BETWEEN_VALUE] * (len(messages) - 1) and set(map(type, objects)) == {dict}:
            return objects
    return [_object(message) for message in messages]


def _object(message: bytes) -> dict[str, Any]:
    try:
        text = message.decode()
    except UnicodeDecodeError:
        text = message.decode("latin-1")
    try:
        found = json.loads(text, parse_int=float)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _column(objects: Sequence[dict[str, Any]], key: str) -> NDArray[np.float64]:
    found = _found_alike(objects, key)
    if found is None or None in found:
        found = [find(parsed, key) for parsed in objects]
    if set(map(type, found)) <= _PLAIN:
        try:
            return np.array(found, np.float64)
        except OverflowError:
            pass
    return np.fromiter(map(_number, found), np.float64, len(found))


def _found_alike(objects: Sequence[Any], key: str) -> Sequence[Any] | None:
    """Look at a key level by level, all objects at once; None unless all of them have it in the same way."""
    level = objects
    for name in key.split("."):
        kinds = set(map(type, level))
        if kinds not in ({dict}, {list}):
            return None
        try:
            place = int(name) if kinds == {list} and name.isdecimal() else name
            level = [outer[place] for outer in level]
        except (LookupError, TypeError, ValueError):
            return None
    return level


def _number(value: Any) -> float:
    if isinstance(value, str):
        return number_of(value.encode(errors="replace"))
    if isinstance(value, int | float):
        try:
            return float(value)
        except OverflowError:
            return math.nan
    return math.nan
