"""What rules say of a session that is over, as the server would have: by its own times, from its start. Pure.

The evaluation is the server's, given what it would have been given: readings, arrivals for rules about no data, markers
at their times, and since when a source need not deliver.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from blitz.data.alarm_evaluation import AlarmEvaluation
from blitz.data.alarm_records import AlarmCrossing
from blitz.data.alarm_rule import AlarmRule
from blitz.data.blocks import MessageBlock
from blitz.data.boards import Readings
from blitz.data.records import Gap, Marker, SessionRecord, Source
from blitz.data.session_tape import Stretch

EXCUSES = ("released", "disabled", "the server was restarted")
"""Reasons of gaps in which nobody expected a source to deliver."""

Crossings = list[AlarmCrossing]


class SessionAlarms:
    """Evaluates rules over a session, block by block in their order, from the first one on.

    :param rules: by id; those that are not enabled say nothing.
    :param session: with its sources, gaps and markers.
    """

    def __init__(self, rules: Mapping[str, AlarmRule], session: SessionRecord) -> None:
        self._session_id = session.id
        self._rows: dict[str, list[int]] = {}
        for source in session.sources:
            self._rows.setdefault(source.name, []).append(source.index)
        silent = {key: rule for key, rule in rules.items() if rule.condition.kind == "no_data"}
        self._silence, self._values = AlarmEvaluation(), AlarmEvaluation()
        self._has_silent = bool(silent)
        started_ns = round(session.started_at.timestamp() * 1e9)
        self._silence.set_rules(silent, started_ns)
        self._values.set_rules({key: rule for key, rule in rules.items() if key not in silent}, started_ns)
        for evaluation in (self._silence, self._values):
            evaluation.begin_session(session.id, started_ns)
        self._expect(self._rows, True, started_ns)
        moments = [*self._marks(session.markers), *self._excuses(session)]
        self._moments = sorted(moments, key=lambda moment: moment[0])
        """What happened besides, by time."""

    def take(self, block: MessageBlock, readings: Sequence[Readings]) -> Crossings:
        """Evaluate the next block.

        :param readings: what it means, of each source that has a definition.
        """
        found: Crossings = []
        rest: Stretch | None = Stretch(block, tuple(readings))
        while rest is not None and len(rest.block):
            if self._moments and self._moments[0][0] < int(rest.block.arrived_ns[-1]):
                time_ns, happen = self._moments.pop(0)
                before, rest = rest.cut(time_ns)
                if before is not None:
                    found += self._evaluate(before)
                found += happen()
            else:
                found += self._evaluate(rest)
                rest = None
        return found

    def end(self, stopped_ns: int) -> Crossings:
        """Let the time pass to the session's end: delays end, and silence is an alarm."""
        found: Crossings = []
        for time_ns, happen in self._moments:
            if time_ns <= stopped_ns:
                found += happen()
        self._moments = []
        return found + self._advance(stopped_ns)

    def _evaluate(self, stretch: Stretch) -> Crossings:
        found = [each for part in stretch.readings for each in self._values.take_readings(part)]
        return found + self._listen(stretch.block) if self._has_silent else found

    def _listen(self, block: MessageBlock) -> Crossings:
        """Rules about no data look at arrivals alone: any message counts, whatever is in it."""
        found: Crossings = []
        for name, rows in self._rows.items():
            places = np.flatnonzero(np.isin(block.source, rows))
            if len(places):
                time_ns = np.maximum.accumulate(block.arrived_ns[places])
                nothing = np.zeros((len(places), 1))
                found += self._silence.take(name, ("",), self._session_id, block.first_seq + places, time_ns, nothing)
        return found

    def _advance(self, now_ns: int) -> Crossings:
        return [*self._values.advance(now_ns + 1, 0.0), *self._silence.advance(now_ns + 1, 0.0)]

    def _expect(self, names: Iterable[str], is_expected: bool, now_ns: int) -> Crossings:
        evaluations = (self._values, self._silence)
        return [each for name in names for one in evaluations for each in one.expect(name, is_expected, now_ns)]

    def _marks(self, markers: Iterable[Marker]) -> list[tuple[int, Callable[[], Crossings]]]:
        def put(marker: Marker) -> Callable[[], Crossings]:
            def happen() -> Crossings:
                self._values.add_marker(marker.text, marker.from_ns)
                return []

            return happen

        return [(marker.from_ns, put(marker)) for marker in markers]

    def _excuses(self, session: SessionRecord) -> list[tuple[int, Callable[[], Crossings]]]:
        names = {source.index: source.name for source in session.sources}

        def turn(name: str, is_expected: bool, time_ns: int) -> Callable[[], Crossings]:
            return lambda: self._expect((name,), is_expected, time_ns)

        found = []
        for gap in session.gaps:
            if gap.source in names and is_excused(gap):
                name = names[gap.source]
                found += [(gap.from_ns, turn(name, False, gap.from_ns)), (gap.to_ns, turn(name, True, gap.to_ns))]
        return found


def is_excused(gap: Gap) -> bool:
    """Whether nothing was to come from the source then: it was lent or disabled, or the server was not there."""
    return gap.reason.startswith(EXCUSES)


def concerns(rule: AlarmRule, sources: Iterable[Source]) -> bool:
    """Whether a session of these sources has what a rule watches."""
    own = [source for source in sources if source.name == rule.source]
    if not rule.channel:
        return bool(own)
    definitions = [source.definition for source in own if source.definition is not None]
    return any(channel.name == rule.channel for definition in definitions for channel in definition.channels)
