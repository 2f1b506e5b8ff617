"""Everything that happened while the window was open, newest first, bounded. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

MOST_EVENTS = 10_000
_SAME_MATTER = timedelta(seconds=5)


class Severity(Enum):
    """How bad it is; the value is the word that stands in the table."""

    INFO = "Note"
    WARNING = "Warning"
    ERROR = "Error"

    @classmethod
    def of(cls, word: str) -> "Severity":
        """Return the severity that a notice names."""
        return {"error": cls.ERROR, "warning": cls.WARNING}.get(word, cls.INFO)

    @property
    def is_trouble(self) -> bool:
        """Whether the operator should have read it."""
        return self is not Severity.INFO


@dataclass(frozen=True)
class EventLine:
    """One thing that happened.

    :param source: what it is about, for people: a board's name, or the server.
    :param board: the board's name, where there is a page that shows it.
    :param data_s: the time in the data that it is about, where there is one.
    :param key: later news with the same key take the line's place; nothing: there will be none.
    """

    time: datetime
    severity: Severity
    source: str
    text: str
    board: str = ""
    data_s: float | None = None
    key: tuple[object, ...] = ()
    is_read: bool = False
    count: int = 1

    def has(self, words: str) -> bool:
        """Whether all of the words are in it, in upper or lower case."""
        text = f"{self.severity.value} {self.source} {self.text}".casefold()
        return all(word in text for word in words.casefold().split())


class EventLog:
    """Lines, newest first; a line that comes again raises the count of the one that is there.

    :param most: how many are kept; the oldest go.
    """

    def __init__(self, most: int = MOST_EVENTS) -> None:
        self._most = most
        self._lines: list[EventLine] = []
        self._keyed: dict[tuple[object, ...], EventLine] = {}

    @property
    def lines(self) -> tuple[EventLine, ...]:
        """All that is here, newest first."""
        return tuple(self._lines)

    @property
    def unread(self) -> int:
        """Warnings and errors that nobody has seen."""
        return sum(line.severity.is_trouble and not line.is_read for line in self._lines)

    def add(self, line: EventLine) -> None:
        """Add a line, or take it for news of one that is here."""
        known = self._keyed.get(line.key) if line.key else None
        if known is not None:
            self._replace(known, replace(line, is_read=known.is_read and known.severity is line.severity))
            return
        same = self._of_same_matter(line)
        if same is not None:
            longer = max(same.text, line.text, key=len)
            worse = max((same.severity, line.severity), key=list(Severity).index)
            is_again = same.text == line.text
            self._replace(same, replace(same, text=longer, severity=worse, count=same.count + is_again))
            return
        self._lines.insert(0, line)
        if line.key:
            self._keyed[line.key] = line
        for old in self._lines[self._most :]:
            self._keyed.pop(old.key, None)
        del self._lines[self._most :]

    def dismiss(self, lines: Iterable[EventLine]) -> None:
        """Forget lines."""
        gone = {id(line) for line in lines}
        for line in self._lines:
            if id(line) in gone:
                self._keyed.pop(line.key, None)
        self._lines = [line for line in self._lines if id(line) not in gone]

    def read_all(self) -> None:
        """Somebody has looked."""
        if any(not line.is_read for line in self._lines):
            self._lines = [line if line.is_read else replace(line, is_read=True) for line in self._lines]
            self._keyed = {line.key: line for line in self._lines if line.key}

    def _of_same_matter(self, line: EventLine) -> EventLine | None:
        """Two parts of the server often tell of one thing, one of them with what to do."""
        for known in self._lines[:20]:
            is_near = abs(line.time - known.time) <= _SAME_MATTER
            first, second = known.text.rstrip("."), line.text.rstrip(".")
            if is_near and known.source == line.source and (first in second or second in first):
                return known
        return None

    def _replace(self, known: EventLine, line: EventLine) -> None:
        place = next(place for place, each in enumerate(self._lines) if each is known)
        self._lines[place] = line
        if known.key:
            self._keyed[known.key] = line
