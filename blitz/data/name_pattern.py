"""Names of sessions by a pattern, such as ``{date}_{sample}_{n}``.

Pure: the clock and the names that there are already are given.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from blitz.data.session_words import NAME_LENGTH, check_field_name

_PLACE: Final = re.compile(r"\{([^{}]*)\}")
_COUNT: Final = "n"
_OWN: Final = ("date", "time", "owner", _COUNT)
_NOTHING: Final = "\0"


class NamePattern:
    """A pattern with ``{date}``, ``{time}``, ``{owner}``, ``{n}`` and own fields, ``{sample}`` for one.

    ``{n}`` counts, from 1, the sessions whose names are alike but for it: with the date in the pattern, those of a day.
    A field that was left empty is left out with the sign before it. An empty pattern makes no names.

    :raises ValueError: if a place in braces cannot be, or a brace stands alone.

    >>> pattern = NamePattern("{date}_{sample}_{n}")
    >>> noon = datetime(2026, 11, 22, 12)
    >>> pattern.fill(noon, fields={"sample": "brass"}, names=["2026-11-22_brass_1", "2026-11-22_copper_7"])
    '2026-11-22_brass_2'
    >>> pattern.fill(noon)
    '2026-11-22_1'
    """

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        self.places: tuple[str, ...] = tuple(_PLACE.findall(self.text))
        if re.search(r"[{}]", _PLACE.sub("", self.text)):
            raise ValueError(f"{text!r} has a brace that stands alone: write places as {{date}}.")
        for place in self.places:
            if place not in _OWN:
                check_field_name(place)

    @property
    def counts(self) -> bool:
        """Whether the names of other sessions matter."""
        return _COUNT in self.places

    @property
    def fields(self) -> tuple[str, ...]:
        """The own fields that it uses."""
        return tuple(place for place in self.places if place not in _OWN)

    def fill(
        self,
        now: datetime,
        owner: str = "",
        fields: Mapping[str, str] | None = None,
        names: Iterable[str] = (),
    ) -> str:
        """Return the name of a session that begins now, at most 200 characters.

        :param now: as clocks at the server show it.
        :param names: of all sessions.
        """
        values = {**(fields or {}), "date": f"{now:%Y-%m-%d}", "time": f"{now:%H-%M-%S}", "owner": owner}
        parts = _PLACE.split(self.text)  # words and places by turns
        filled = "".join(
            part if place % 2 == 0 else "{n}" if part == _COUNT else values.get(part, "").strip() or _NOTHING
            for place, part in enumerate(parts)
        )
        filled = re.sub(rf"[-_ .,:/]*{_NOTHING}", "", filled).lstrip("-_ .,:/")
        if self.counts:
            filled = filled.replace("{n}", str(_next_count(filled, names)))
        return filled[:NAME_LENGTH]


def _next_count(filled: str, names: Iterable[str]) -> int:
    alike = re.compile(r"(\d{1,9})".join(map(re.escape, filled.split("{n}", 1))).replace(re.escape("{n}"), r"\d+"))
    return max((int(found[1]) for found in map(alike.fullmatch, names) if found), default=0) + 1
