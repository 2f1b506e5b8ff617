"""Whoever is told of a trouble that comes and goes is told of it now and then, and how often it was. Pure.

Of one subject, an alarm rule or a source, the first trouble is told at once, and so is its end. What comes again soon
is counted; when the time is over, the newest of it is told, so that what was told last is how it stands.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from blitz.data.hook_config import RECOVERIES
from blitz.data.hook_records import Telling


@dataclass
class _Subject:
    due_s: float
    """When the next may be told."""
    in_trouble: bool
    """What was told last is a trouble, and not its end."""
    held: Telling | None = None
    """The newest that was not told."""
    count: int = 0
    """So many troubles were not told,"""
    ends: int = 0
    """and so many ends of one."""
    since: datetime | None = None


class HookCalm:
    """For one hook.

    :param every_s: of one subject not more than one trouble is told in so long; 0: each is told.
    """

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._subjects: dict[str, _Subject] = {}

    @property
    def held_count(self) -> int:
        """How many subjects have something that is told later."""
        return sum(each.held is not None for each in self._subjects.values())

    def take(self, tellings: Iterable[Telling], now_s: float) -> list[Telling]:
        """Take what happens; return what is to be told now.

        :param now_s: of a clock that nobody sets.
        """
        return [told for telling in tellings for told in self._take(telling, now_s)]

    def release(self, now_s: float, *, is_end: bool = False) -> list[Telling]:
        """Return what was held and is to be told by now.

        :param is_end: nothing will be told any more: tell all of it.
        """
        told = []
        for key, subject in list(self._subjects.items()):
            if now_s < subject.due_s and not is_end:
                continue
            if subject.held is None:
                del self._subjects[key]
                continue
            told.append(_counted(subject, self._every_s))
            self._subjects[key] = _Subject(now_s + self._every_s, subject.held.event not in RECOVERIES)
        return told

    def _take(self, telling: Telling, now_s: float) -> list[Telling]:
        if not telling.subject or self._every_s <= 0:
            return [telling]
        is_end = telling.event in RECOVERIES
        subject = self._subjects.get(telling.subject)
        if subject is None or (now_s >= subject.due_s and subject.held is None):
            self._subjects[telling.subject] = _Subject(now_s + self._every_s, not is_end)
            return [telling]
        if subject.held is None and subject.in_trouble and is_end:
            subject.in_trouble = False
            return [telling]
        subject.held = telling
        subject.since = subject.since or telling.time
        if is_end:
            subject.ends += 1
        else:
            subject.count += 1
        return []


def _counted(subject: _Subject, every_s: float) -> Telling:
    """Return the newest telling of a subject, which says how often it was."""
    telling = subject.held
    assert telling is not None
    is_told = telling.event not in RECOVERIES or not subject.count
    more = (subject.count or subject.ends) - is_told
    if not more or subject.since is None:
        return telling
    clock = subject.since.astimezone().strftime("%H:%M")
    often = f"{more} {'time' if more == 1 else 'times'}"
    words = f"{often} more since {clock}"
    span = f"{every_s / 60:g} min" if every_s >= 60 else f"{every_s:g} s"
    text = f"{telling.text} It came {words}; it is told at most every {span}."
    return telling.model_copy(update={"title": f"{telling.title}, and {words}", "text": text, "left_out": more})
