"""What a server wants to know of a new session, what was said last, and what to propose. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from blitz.data.name_pattern import NamePattern
from blitz.data.records import SessionRecord, StatusRecord

_COUNTED = re.compile(r"(.*?)([ _-]?)(\d{1,9})")


@dataclass(frozen=True)
class Proposal:
    """What “same as last time” fills in."""

    name: str
    tags: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Starting:
    """As the server's status tells it.

    >>> Starting("{date}_{sample}_{n}", ("operator",)).asked_fields
    {'operator': '', 'sample': ''}
    """

    pattern: str = ""
    required_fields: tuple[str, ...] = ()
    said: dict[str, str] = field(default_factory=dict)
    """What stood in the own fields at the last start."""

    @property
    def makes_names(self) -> bool:
        """Whether the server makes names of sessions that are given none."""
        return bool(self._names().text)

    @property
    def asked_fields(self) -> dict[str, str]:
        """The own fields to be asked for, and what to propose."""
        return {name: self.said.get(name, "") for name in dict.fromkeys((*self.required_fields, *self._names().fields))}

    def follow(self, status: StatusRecord) -> "Starting":
        """Return what holds from now on."""
        if (status.session_name, status.required_fields) == (self.pattern, self.required_fields):
            return self
        return replace(self, pattern=status.session_name, required_fields=status.required_fields)

    def remember(self, fields: Mapping[str, str]) -> None:
        """Keep what was said, to propose it again."""
        self.said = {**self.said, **fields}

    def recall(self, records: Iterable[SessionRecord], own_name: str) -> None:
        """Propose what stood in the last session of the same operator, where nothing was said since.

        :param records: newest first.
        """
        last = next((record for record in records if record.owner == own_name), None)
        if last is not None:
            self.said = {**last.fields, **self.said}

    def default_name(self, names: Iterable[str]) -> str:
        """Return the name of a session that is given none.

        :param names: of the sessions that are known.
        """
        if not self.makes_names:
            return default_session_name()
        return self._names().fill(datetime.now().astimezone(), fields=self.said, names=names)

    def same_as(self, record: SessionRecord, names: Iterable[str]) -> Proposal:
        """Return what another session like an earlier one is called, and what is said of it."""
        names = tuple(names)
        made = (self.default_name(names), default_session_name())
        is_made = any(_without_digits(record.name) == _without_digits(name) for name in made)
        name = "" if is_made or not record.name else next_name(record.name, names)
        return Proposal(name, record.tags, record.fields)

    def _names(self) -> NamePattern:
        try:
            return NamePattern(self.pattern)
        except ValueError:  # a newer server's
            return NamePattern("")


def next_name(name: str, names: Iterable[str]) -> str:
    """Return the name of one more session of a kind: with the next number behind it.

    >>> next_name("pump test", ["pump test", "pump test 2"]), next_name("run_07", ["run_07"])
    ('pump test 3', 'run_08')
    """
    counted = _COUNTED.fullmatch(name)
    base, sign, number = counted.groups() if counted else (name, " ", "1")
    alike = re.compile(re.escape(base + sign) + r"(\d{1,9})")
    last = max((int(found[1]) for found in map(alike.fullmatch, names) if found), default=0)
    return f"{base}{sign}{max(last, int(number)) + 1:0{len(number)}}"


def default_session_name() -> str:
    """Return the name of a session that no one named: date and time."""
    return datetime.now().astimezone().strftime("Session %Y-%m-%d %H:%M")


def _without_digits(name: str) -> str:
    return re.sub(r"\d+", "", name)
