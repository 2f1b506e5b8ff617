"""What the names and the numbers of a text column say: channel names, units, clocks and message counters.

Pure. Owns the judgement only; what a line's columns are is the business of :mod:`blitz.io.doctor_text`.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from blitz.data.board_definition import Channel, Clock

_NAME_LIMIT = 60
_UNIT = re.compile(r"^(?P<name>.*?)\s*[(\[](?P<unit>[^()\[\]]{1,16})[)\]]$")
_CLOCK_UNITS: dict[str, Literal["s", "ms", "us"]] = {
    "ms": "ms",
    "msec": "ms",
    "millis": "ms",
    "milliseconds": "ms",
    "us": "us",
    "µs": "us",
    "μs": "us",
    "usec": "us",
    "micros": "us",
    "microseconds": "us",
    "s": "s",
    "sec": "s",
    "secs": "s",
    "seconds": "s",
}
_CLOCK_NAMES = frozenset({"time", "t", "timestamp", "ts", "uptime", "clock", "elapsed", "device_time", "tstamp"})
_COUNTER_NAMES = frozenset(
    {"seq", "sequence", "counter", "count", "index", "idx", "n", "i", "no", "nr", "number", "id"}
    | {"sample", "packet", "packets", "message", "msg", "frame", "line"}
)
_WRAP = 1 << 32
_LONGEST_STEP_MS = 60_000
_UNIX_S = (1e9, 1e10)
_UNIX_MS = (1e12, 1e13)
_FEWEST_COUNTED = 4


class Title(NamedTuple):
    """What a header, a label or a key calls a channel."""

    name: str
    unit: str = ""


def read_title(text: str) -> Title:
    """Take a unit in brackets off a name.

    >>> read_title(" temp  [°C]"), read_title('"hum"')
    (Title(name='temp', unit='°C'), Title(name='hum', unit=''))
    """
    text = clean(text.strip().strip("\"'"))
    found = _UNIT.match(text)
    if found is None or not found["name"]:
        return Title(text)
    return Title(found["name"], found["unit"].strip())


def clean(text: str) -> str:
    """Make one short line of printable characters of a name that a device sent."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split())[:_NAME_LIMIT].strip()


def unique_titles(titles: Iterable[Title], stem: str = "column") -> list[Title]:
    """Name what has no name, and number what has a name that came before.

    >>> [title.name for title in unique_titles([Title("a"), Title(""), Title("a")])]
    ['a', 'column_2', 'a_2']
    """
    seen: set[str] = set()
    unique = []
    for place, title in enumerate(titles, 1):
        name = base = title.name or f"{stem}_{place}"
        count = 1
        while name in seen:
            count += 1
            name = f"{base}_{count}"
        seen.add(name)
        unique.append(Title(name, title.unit))
    return unique


def make_clock(column: int | str, title: Title, numbers: Sequence[float]) -> Clock | None:
    """Return the clock that a column is, if its name says so and its numbers rise like one; None when in doubt."""
    if not _is_rising(numbers):
        return None
    name = title.name.lower().removesuffix("()").strip()
    last_word = re.split(r"[\s_.-]", name)[-1]
    is_named = name in _CLOCK_NAMES or name.startswith(("time", "uptime", "timestamp"))
    unit = _CLOCK_UNITS.get(title.unit.lower()) if is_named else None
    unit = unit or _CLOCK_UNITS.get(name)
    if unit is None and is_named:
        unit = _CLOCK_UNITS.get(last_word) or _unit_by_numbers(numbers)
    if name == "s" and unit == "s":  # as often a sensor as the seconds
        return None
    if unit is None:
        return None
    is_counting = all(number == int(number) for number in numbers) and numbers[-1] < _WRAP and unit != "s"
    return Clock(column=column, unit=unit, wraps_at=_WRAP if is_counting else None)


def counts_messages(title: Title, numbers: Sequence[float]) -> bool:
    """Whether a column is called a counter and rises by one in each of several messages."""
    return title.name.lower() in _COUNTER_NAMES and rises_by_one(numbers)


def rises_by_one(numbers: Sequence[float]) -> bool:
    """Whether each of several numbers is one more than the number before it."""
    return len(numbers) >= _FEWEST_COUNTED and all(after - before == 1 for before, after in pairwise(numbers))


def make_channel(column: int | str, title: Title, numbers: Sequence[float]) -> Channel:
    """Return the channel that a column is."""
    return Channel(name=title.name, column=column, unit=title.unit, counts_messages=counts_messages(title, numbers))


def _unit_by_numbers(numbers: Sequence[float]) -> Literal["s", "ms"] | None:
    """Tell seconds from milliseconds where a clock has no unit: fractions are of seconds, whole numbers are not."""
    if _UNIX_S[0] <= numbers[0] < _UNIX_S[1]:
        return "s"
    if _UNIX_MS[0] <= numbers[0] < _UNIX_MS[1]:
        return "ms"
    if any(number != int(number) for number in numbers):
        return "s"
    steps = sorted(after - before for before, after in pairwise(numbers))
    return "ms" if 1 < steps[len(steps) // 2] <= _LONGEST_STEP_MS else None


def _is_rising(numbers: Sequence[float]) -> bool:
    is_never_falling = all(after >= before for before, after in pairwise(numbers))
    return len(numbers) > 1 and is_never_falling and numbers[-1] > numbers[0] >= 0
