"""The alarms of a whole session, to be looked up by time: which are active then, which were before. Pure."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from blitz.data.alarm_records import AlarmCrossing
from blitz.data.alarm_rule import AlarmRule, Severity

MOST_SPANS = 20_000
"""More are joined, neighbours of one rule, so that memory is bounded whatever chatters."""
FEWEST_EACH = 16
FOR_EVER = np.iinfo(np.int64).max
_RANK = {Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.INFO: 2}


class AlarmSpan(NamedTuple):
    """From when an alarm would have been raised until it would have been over."""

    rule_id: str
    from_ns: int
    to_ns: int | None
    """None: it was not over at the session's end."""
    seq: int
    """The message that made it; -1: it was that none came."""
    value: float | None
    times: int = 1
    """It was raised so often within the span; more than once only where there are more than can be kept."""


class CourseMaker:
    """Takes crossings as they are found, in the order of each rule's."""

    def __init__(self, rules: Mapping[str, AlarmRule]) -> None:
        self._rules = dict(rules)
        self._most = max(MOST_SPANS // max(1, len(self._rules)), FEWEST_EACH)
        self._open: dict[str, AlarmCrossing] = {}
        self._spans: dict[str, list[AlarmSpan]] = {}
        self._joined: dict[str, int] = {}
        """By rule: so many spans are one, once there were too many."""

    def take(self, crossings: Iterable[AlarmCrossing]) -> None:
        """Take what comes next."""
        for each in crossings:
            if each.is_raised:
                self._open[each.rule_id] = each
            elif (begin := self._open.pop(each.rule_id, None)) is not None:
                self._add(_span(begin, each.time_ns))

    def course(self) -> "AlarmCourse":
        """Return the session's alarms, when all was taken."""
        spans = [span for kept in self._spans.values() for span in kept]
        return AlarmCourse(self._rules, [*spans, *(_span(begin, None) for begin in self._open.values())])

    def _add(self, span: AlarmSpan) -> None:
        kept = self._spans.setdefault(span.rule_id, [])
        most = self._joined.setdefault(span.rule_id, 1)
        if kept and kept[-1].times + span.times <= most:
            kept[-1] = _join(kept[-1], span)
            return
        kept.append(span)
        if len(kept) > self._most:
            pairs = zip(kept[::2], [*kept[1::2], None], strict=False)
            self._spans[span.rule_id] = [one if two is None else _join(one, two) for one, two in pairs]
            self._joined[span.rule_id] = 2 * most


class AlarmCourse:
    """What would have been raised, and when.

    :param rules: by id.
    """

    def __init__(self, rules: Mapping[str, AlarmRule], spans: Iterable[AlarmSpan]) -> None:
        self.rules = dict(rules)
        self.spans = tuple(sorted(spans, key=lambda span: (span.from_ns, span.rule_id)))
        """By their beginning."""
        self.begins: NDArray[np.int64] = np.array([span.from_ns for span in self.spans], np.int64)
        self.ends: NDArray[np.int64] = np.array(
            [FOR_EVER if span.to_ns is None else span.to_ns for span in self.spans], np.int64
        )
        self._sorted_ends = np.sort(self.ends)
        self._starts = np.unique(self.begins)

    @property
    def count(self) -> int:
        """How often alarms would have been raised in the session."""
        return sum(span.times for span in self.spans)

    def place(self, at_ns: int) -> tuple[int, int]:
        """Return how many have begun, and how many are over, at a time: while it is the same, all that is shown is."""
        begun, over = self.begins.searchsorted(at_ns, "right"), self._sorted_ends.searchsorted(at_ns, "right")
        return int(begun), int(over)

    def active(self, at_ns: int) -> list[AlarmSpan]:
        """Return what is an alarm at a time, what matters most first, of that the newest."""
        places = np.flatnonzero((self.begins <= at_ns) & (self.ends > at_ns))
        found = [self.spans[place] for place in places]
        return sorted(found, key=lambda span: (self.rank(span), -span.from_ns))

    def begun(self, at_ns: int, most: int) -> list[AlarmSpan]:
        """Return what was raised up to a time, the newest first, so many at most."""
        stop = int(self.begins.searchsorted(at_ns, "right"))
        return list(reversed(self.spans[max(0, stop - most) : stop]))

    def next_ns(self, at_ns: int) -> int | None:
        """Return when the next alarm is raised behind a time; None where there is none."""
        place = int(self._starts.searchsorted(at_ns, "right"))
        return int(self._starts[place]) if place < len(self._starts) else None

    def previous_ns(self, at_ns: int) -> int | None:
        """Return when the last alarm was raised before a time; None where there is none."""
        place = int(self._starts.searchsorted(at_ns)) - 1
        return int(self._starts[place]) if place >= 0 else None

    def rank(self, span: AlarmSpan) -> int:
        """Return how much an alarm matters: 0 the most."""
        return _RANK[self.rules[span.rule_id].severity]


def _span(begin: AlarmCrossing, to_ns: int | None) -> AlarmSpan:
    return AlarmSpan(begin.rule_id, begin.time_ns, to_ns, begin.seq, begin.value)


def _join(one: AlarmSpan, two: AlarmSpan) -> AlarmSpan:
    return one._replace(to_ns=two.to_ns, times=one.times + two.times)
