"""The alarms of a session that is played back: found once, then looked up by the place that is played. No widget."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from blitz.data.alarm_course import AlarmCourse, AlarmSpan, CourseMaker
from blitz.data.alarm_records import AlarmOccurrence, KeptRule
from blitz.data.alarm_rule import AlarmRule
from blitz.data.database_client import DatabaseClient
from blitz.data.records import SessionRecord, Source
from blitz.data.session_alarms import SessionAlarms, concerns
from blitz.data.session_tape import SessionTape
from blitz.ui.formats import format_count
from blitz.ui.plots.marker_marks import AlarmMark

MOST_LISTED = 200
MOST_MARKED = 100
"""So many are marked in the plot, the newest ones."""


@dataclass(frozen=True)
class PlayedRules:
    """The server's rules, as far as they say something of a session.

    :param lacking: how many watch what the session does not have.
    """

    rules: Mapping[str, AlarmRule]
    lacking: int

    @classmethod
    def of(cls, kept: tuple[KeptRule, ...], sources: tuple[Source, ...]) -> "PlayedRules":
        """Choose those that are switched on and concern a session of these sources."""
        wanted = [each for each in kept if each.rule.is_enabled]
        chosen = {each.id: each.rule for each in wanted if concerns(each.rule, sources)}
        return cls(chosen, sum(not each.is_default and each.id not in chosen for each in wanted))


class PlayedAlarms:
    """What would have been raised in a session.

    :param end_ns: when the session ended.
    """

    def __init__(self, course: AlarmCourse, session_id: int, sources: tuple[Source, ...], end_ns: int) -> None:
        self.course = course
        self.end_ns = end_ns
        self._session_id = session_id
        self._units = {
            (source.name, channel.name): channel.unit
            for source in sources
            if source.definition is not None
            for channel in source.definition.channels
        }

    def active(self, at_ns: int) -> list[AlarmOccurrence]:
        """Return what is an alarm at a time, what matters most first."""
        return [self._occurrence(span, at_ns, number) for number, span in enumerate(self.course.active(at_ns))]

    def begun(self, at_ns: int) -> tuple[AlarmOccurrence, ...]:
        """Return what was raised up to a time, the newest first."""
        spans = self.course.begun(at_ns, MOST_LISTED)
        return tuple(self._occurrence(span, at_ns, number) for number, span in enumerate(spans))

    def marks(self, at_ns: int) -> tuple[AlarmMark, ...]:
        """Return marks for the plot: of what was raised up to a time."""
        found = []
        for number, span in enumerate(self.course.begun(at_ns, MOST_MARKED)):
            rule = self.course.rules[span.rule_id]
            found.append(
                AlarmMark(
                    id=-1 - number,
                    from_ns=span.from_ns,
                    to_ns=span.to_ns if span.to_ns is not None and span.to_ns <= at_ns else None,
                    text=rule.name,
                    changed_at=_moment(span.from_ns),
                    severity=rule.severity,
                )
            )
        return tuple(found)

    def words_between(self, low_ns: int, high_ns: int, most: int = 5) -> str:
        """Say which alarms there are in a stretch of the session, a line each; empty where there are none."""
        course = self.course
        places = ((course.begins <= high_ns) & (course.ends >= low_ns)).nonzero()[0].tolist()
        lines = [self._line(course.spans[place]) for place in places[:most]]
        return "\n".join([*lines, *([f"and {format_count(len(places) - most)} more"] if len(places) > most else [])])

    def _line(self, span: AlarmSpan) -> str:
        rule = self.course.rules[span.rule_id]
        over = "" if span.to_ns is None else f" to {_moment(span.to_ns).astimezone():%H:%M:%S}"
        times = f" ({format_count(span.times)} times)" if span.times > 1 else ""
        return f"{rule.name}: {_moment(span.from_ns).astimezone():%H:%M:%S}{over}{times}"

    def _occurrence(self, span: AlarmSpan, at_ns: int, number: int) -> AlarmOccurrence:
        rule = self.course.rules[span.rule_id]
        is_over = span.to_ns is not None and span.to_ns <= at_ns
        return AlarmOccurrence(
            id=-1 - number,
            rule_id=span.rule_id,
            rule=rule.model_copy(update={"is_latched": False}),
            source=rule.source,
            channel=rule.channel,
            unit=self._units.get((rule.source, rule.channel), ""),
            session_id=self._session_id,
            seq=None if span.seq < 0 else span.seq,
            value=span.value,
            raised_at=_moment(span.from_ns),
            raised_ns=span.from_ns,
            cleared_at=_moment(span.to_ns) if is_over and span.to_ns is not None else None,
            done=(f"Raised {format_count(span.times)} times until then.",) if span.times > 1 else (),
        )


def find_alarms(
    path: Path,
    record: SessionRecord,
    version: int | None,
    rules: Mapping[str, AlarmRule],
    progress: Callable[[int, int], None],
    is_cancelled: Callable[[], bool],
) -> PlayedAlarms | None:
    """Evaluate rules over a whole session of a cache, in the memory of a few blocks; None if that was cancelled.

    :param record: the session, with the sources, markers and gaps that count.
    :param version: of the definitions.
    """
    with DatabaseClient(path=str(path)) as cache:
        tape = SessionTape(cache, record.id, version)
        alarms, maker = SessionAlarms(rules, record), CourseMaker(rules)
        for stretch in tape.play(0):
            if is_cancelled():
                return None
            maker.take(alarms.take(stretch.block, stretch.readings))
            progress(stretch.block.next_seq, tape.message_count)
        stopped_ns = 0 if record.stopped_at is None else round(record.stopped_at.timestamp() * 1e9)
        end_ns = max(stopped_ns, tape.last_ns)
        maker.take(alarms.end(end_ns))
        return PlayedAlarms(maker.course(), record.id, record.sources, end_ns)


def _moment(time_ns: int) -> datetime:
    return datetime.fromtimestamp(time_ns / 1e9, UTC)
