"""Alarm rules over readings: which alarms begin and end, and when. Pure.

Readings come source by source, in their order, cut in any way; the same comes out as message by message. What is told
is told once: after a restart it goes on from :meth:`AlarmEvaluation.state`, which is to be stored together with what
was told. Times are the readings' own. While none come, the clock of the caller takes their place
(:meth:`AlarmEvaluation.advance`), for delays that are over and sources that are silent.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blitz.data.alarm_records import AlarmCrossing, AlarmState
from blitz.data.alarm_rule import AlarmRule
from blitz.data.alarm_source import Portion, SourceWatch
from blitz.data.alarm_watch import RuleWatch
from blitz.data.blocks import PREVIEW_ID
from blitz.data.boards import Readings

SETTLE_S = 0.5
"""A reading may come so late, and is still counted as of its time before :meth:`AlarmEvaluation.advance` goes on."""


class AlarmEvaluation:
    """Evaluates rules.

    :param state: what :meth:`state` of an earlier one returned; its rules are to be given again.
    """

    def __init__(self, state: Mapping[str, Any] | None = None) -> None:
        self._watches: dict[str, RuleWatch] = {}
        self._sources: dict[str, SourceWatch] = {}
        self._session: tuple[int, int] | None = None
        self._kept: dict[str, Any] = {}
        """Where rules stood that were not given again yet."""
        if state is not None:
            self._session = None if state["session"] is None else tuple(state["session"])
            self._kept = dict(state["rules"])
            for name, each in state["sources"].items():
                self._source(name).restore(each)

    @property
    def session_id(self) -> int | None:
        """The session that runs, as far as it was told."""
        return None if self._session is None else self._session[0]

    def set_rules(self, rules: Mapping[str, AlarmRule], now_ns: int) -> list[AlarmCrossing]:
        """Evaluate these rules from now on, by id; those that are not enabled are left out.

        A rule goes on where it stands unless something of it has changed that decides when it is an alarm. An alarm
        of a rule that is changed or gone is over now.
        """
        crossings: list[AlarmCrossing] = []
        before, self._watches = self._watches, {}
        for rule_id, rule in rules.items():
            if not rule.is_enabled:
                continue
            watch = RuleWatch(rule_id, rule, len(self._watches))
            known = before.get(rule_id)
            state = self._kept.get(rule_id) if known is None else known.state()
            if state is not None and state["watched"] == watch.watched:
                watch.restore(state)
                before.pop(rule_id, None)
                self._kept.pop(rule_id, None)
            elif watch.reference is not None and self._session is not None:
                watch.reference.begin(self._session[1])
            self._watches[rule_id] = watch
        for watch in before.values():
            crossings += self._source(watch.rule.source).reset(watch, now_ns)
        for rule_id, state in self._kept.items():
            if state["is_raised"]:
                crossings.append(AlarmCrossing(rule_id, False, now_ns, 0, -1, None))
        self._kept = {}
        by_source: dict[str, list[RuleWatch]] = {name: [] for name in self._sources}
        for watch in self._watches.values():
            by_source.setdefault(watch.rule.source, []).append(watch)
        for name, watches in by_source.items():
            self._source(name).set_watches(watches)
        return crossings

    def begin_session(self, session_id: int, started_ns: int) -> list[AlarmCrossing]:
        """A session is recorded from now on; one that was, is over."""
        crossings = [] if self._session is None else self.end_session(started_ns)
        self._session = session_id, started_ns
        for source in self._sources.values():
            source.begin_session(started_ns)
        for watch in self._watches.values():
            if watch.reference is not None:
                watch.reference.begin(started_ns)
        return crossings

    def end_session(self, now_ns: int) -> list[AlarmCrossing]:
        """Nothing is recorded any more: alarms that are about recording are over."""
        self._session = None
        crossings = []
        for watch in self._watches.values():
            if watch.rule.needs_session:
                crossings += self._source(watch.rule.source).reset(watch, now_ns)
            if watch.reference is not None:
                watch.reference.begin(None)
        for source in self._sources.values():
            source.end_session()
        return crossings

    def add_marker(self, text: str, time_ns: int) -> None:
        """A marker was put into the running session."""
        for watch in self._watches.values():
            if watch.reference is not None and self._session is not None:
                watch.reference.mark(text, time_ns)

    def expect(self, source: str, is_expected: bool, now_ns: int) -> list[AlarmCrossing]:
        """A source is to deliver from now on, or need not: it is disabled, lent, or not asked while nothing runs.

        Also for a source that may have been silent only because nobody was there to listen, after a restart.
        """
        return self._source(source).expect(is_expected, now_ns)

    def take(
        self,
        source: str,
        channels: Sequence[str],
        session_id: int,
        seq: NDArray[np.int64],
        time_ns: NDArray[np.int64],
        values: NDArray[np.float64],
    ) -> list[AlarmCrossing]:
        """Evaluate the next readings of a source.

        :param channels: names of the columns.
        :param session_id: 0 for the preview.
        :param seq: int64, shape (n,), rising.
        :param time_ns: int64, shape (n,), nanoseconds since the Unix epoch, not falling.
        :param values: float64, shape (n, channels).
        :returns: what changed, in order.
        """
        if not len(seq):
            return []
        is_recording = session_id != PREVIEW_ID and self._session is not None
        return self._source(source).take(channels, Portion(session_id, seq, time_ns, values), is_recording)

    def take_readings(self, readings: Readings) -> list[AlarmCrossing]:
        """Evaluate what one source has in a block."""
        channels = tuple(channel.name for channel in readings.channels)
        name, session_id = readings.source.name, readings.session_id
        return self.take(name, channels, session_id, readings.seq, readings.time_ns, readings.values)

    def advance(self, now_ns: int, settle_s: float = SETTLE_S) -> list[AlarmCrossing]:
        """Let the time pass for sources from which nothing comes: delays end, and silence is an alarm.

        What is told so is the same as if the next reading had told it. A reading that comes later than ``settle_s``
        after its time, and after something was told of a later time, counts as of then.
        """
        settle_ns = round(settle_s * 1e9)
        return [each for source in self._sources.values() for each in source.advance(now_ns, settle_ns)]

    def states(self) -> dict[str, AlarmState]:
        """Return how each rule stands, by id: normal, pending or active."""
        return {
            rule_id: AlarmState.ACTIVE if each.is_raised else AlarmState.PENDING if each.holds else AlarmState.NORMAL
            for rule_id, each in self._watches.items()
        }

    def missing(self) -> list[str]:
        """Return ids of the rules whose channel their source does not have, as far as readings have told."""
        return [rule_id for each in self._sources.values() for rule_id in each.missing]

    def state(self) -> dict[str, Any]:
        """Return where everything stands, fit for JSON."""
        return {
            "session": self._session,
            "sources": {name: each.state() for name, each in self._sources.items()},
            "rules": {rule_id: each.state() for rule_id, each in self._watches.items()} | self._kept,
        }

    def _source(self, name: str) -> SourceWatch:
        if name not in self._sources:
            self._sources[name] = SourceWatch(name)
            if self._session is not None:
                self._sources[name].begin_session(self._session[1])
        return self._sources[name]
