"""What a server wants to know of a new session, and what was said last. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from blitz.data.name_pattern import NamePattern
from blitz.data.records import StatusRecord


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

    def remember(self, fields: dict[str, str]) -> None:
        """Keep what was said, to propose it again."""
        self.said = {**self.said, **fields}

    def example(self, names: Iterable[str]) -> str:
        """Return the name that the server is likely to make now.

        :param names: of the sessions that are known.
        """
        return self._names().fill(datetime.now().astimezone(), names=names)

    def _names(self) -> NamePattern:
        try:
            return NamePattern(self.pattern)
        except ValueError:  # a newer server's
            return NamePattern("")
