"""The alarms of a server: rules, what was raised, who has seen it; and who is told.

Puts together the tables, the thread that has messages evaluated (:mod:`blitz.io.alarm_feeder`), hooks and actions. Its
calls may come from any thread; they wait for the disk.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from blitz.data.alarm_records import (
    AlarmChange,
    AlarmCounts,
    AlarmCrossing,
    AlarmOccurrence,
    AlarmState,
    KeptRule,
    count_alarms,
)
from blitz.data.alarm_rule import (
    AlarmRule,
    CommandAction,
    check_commands,
    confirmed,
    default_id,
    moves_something,
    rules_in_force,
    unconfirmed,
)
from blitz.data.alarm_rule_store import AlarmRuleStore, own_rule, renamed
from blitz.data.alarm_store import AlarmStore
from blitz.data.alarm_words import cleared_telling, raised_telling
from blitz.data.board_definition import BoardDefinition
from blitz.data.database_server import DatabaseServer
from blitz.data.hook_records import Telling
from blitz.data.model_faults import first_fault
from blitz.data.records import Event, EventKind
from blitz.data.source_kinds import is_steady
from blitz.errors import BlitzError, ConfigError, UnknownSource
from blitz.io import protocol
from blitz.io.acquisition import Acquisition
from blitz.io.alarm_actions import AlarmActions
from blitz.io.alarm_feeder import AlarmFeeder

log = logging.getLogger(__name__)

CONFIRM_AGAIN_S = 1.0
"""A second confirmation that comes sooner is a click too many, and no second look."""
_SILENT_LINKS = ("replay:",)
"""A recording that is over has nothing more to say."""

TellHooks = Callable[[Telling, Sequence[str] | None], None]


class Alarms:
    """Rules and occurrences of one server.

    :param store: the sessions, into which markers go.
    :param tell_hooks: tells those who are to be told, by the hooks' names; None: all who want alarms.
    :param hook_names: gives the names of the hooks that there are.
    """

    def __init__(
        self,
        acquisition: Acquisition,
        store: DatabaseServer,
        rules: AlarmRuleStore,
        kept: AlarmStore,
        tell_hooks: TellHooks = lambda telling, names: None,
        hook_names: Callable[[], Sequence[str]] = lambda: (),
    ) -> None:
        self._acquisition = acquisition
        self._rules = rules
        self._kept = kept
        self._tell_hooks = tell_hooks
        self._hook_names = hook_names
        self._lock = threading.RLock()
        """Held from a change of the tables until it is known here: what is told is in their order."""
        self._present = {each.id: each for each in kept.present()}
        self._made = {each.id: each for each in rules.rules()}
        self.counts = count_alarms(list(self._present.values()))
        """How many alarms there are now; read without waiting for the disk."""
        self._actions = AlarmActions(acquisition, store, self._add_done)
        acquisition.devices.renamed = self._source_renamed
        self.feeder = AlarmFeeder(acquisition, kept, self)

    def start(self) -> None:
        """Begin to evaluate; the acquisition was started."""
        self._actions.start()
        self.feeder.start()

    def stop(self) -> None:
        """End; a second time does nothing."""
        self.feeder.stop()
        self._actions.stop()

    # ---- rules --------------------------------------------------------------------------------------------------

    def rules(self) -> list[KeptRule]:
        """Return all rules and how they stand: those that were made, and the one of each source about no data."""
        sources = self._sources()
        with self._lock:
            made = list(self._made.values())
            covered = {each.rule.source for each in made if each.rule.condition.kind == "no_data" and _counts(each)}
            own = [self._own(name, sources) for name in sorted(sources) if name not in covered]
            present = list(self._present.values())
        return [self._with_state(each, present) for each in (*made, *own)]

    def in_force(self, *, is_beginning: bool = False) -> dict[str, AlarmRule]:
        """Return the rules that are evaluated now, by id.

        :param is_beginning: not all devices may be there yet: what the server before had raised of them stands.
        """
        sources = {name for name, is_steady in self._sources().items() if is_steady}
        with self._lock:
            made = dict(self._made)
            if is_beginning:
                sources |= {each.source for each in self._present.values() if each.rule_id == default_id(each.source)}
        switched_off = [each.rule.source for each in made.values() if each.is_default and not each.rule.is_enabled]
        return rules_in_force({key: each.rule for key, each in made.items()}, sources, switched_off)

    def add(self, rule: AlarmRule, who: str, *, later: bool = False) -> KeptRule:
        """Keep another rule and evaluate it from now on.

        :param later: its source or channel need not be there yet.
        :raises UnknownSource: if there is no such source.
        :raises ValueError: if it has no such channel, or an action cannot be done.
        :raises AlarmRuleExists: if there is a rule of that name.
        """
        rule = unconfirmed(rule)
        self._check(rule, later=later)
        with self._lock:
            kept = self._rules.add(rule, who)
            self._made[kept.id] = kept
        log.info("Alarm rule %r was added by %s", rule.name, who or "an unnamed client")
        return self._rules_changed(kept)

    def change(
        self, rule_id: str, changes: Mapping[str, Any], version: int | None, who: str, *, later: bool = False
    ) -> KeptRule:
        """Change a rule; what is absent stays. What it had raised is over, if it watches something else now.

        :raises AlarmRuleNotFound: if there is none with that id.
        :raises EditConflict: if somebody else has changed it meanwhile.
        :raises ConfigError: if a field is wrong.
        """

        def new(before: AlarmRule) -> AlarmRule:
            fields = before.model_dump() | {name: value for name, value in changes.items() if name != "confirmed_twice"}
            try:
                after = AlarmRule.model_validate(fields)
            except ValidationError as error:
                raise ConfigError(f"The rule cannot be that: {first_fault(error)}.") from error
            self._check(after, later=later or (after.source, after.channel) == (before.source, before.channel))
            return after

        return self._change(rule_id, version, new, who)

    def confirm(self, rule_id: str, version: int | None, who: str) -> KeptRule:
        """Say that a rule, as it stands, is to send what moves or heats something; needed twice.

        :raises ValueError: if the second time comes at once, or there is nothing to confirm.
        """
        now = datetime.now(UTC)

        def new(before: AlarmRule) -> AlarmRule:
            if not self._moving(before):
                raise ValueError(f"The rule {before.name!r} moves nothing: there is nothing to confirm.")
            if any((now - each.at).total_seconds() < CONFIRM_AGAIN_S for each in before.confirmed_twice):
                raise ValueError("It was confirmed a moment ago. Look at the rule once more, then confirm it again.")
            return confirmed(before, who or "an unnamed client", now)

        return self._change(rule_id, version, new, who)

    def remove(self, rule_id: str, who: str) -> None:
        """Forget a rule; what it had raised is over. A source's own rule is then as it was at first.

        :raises AlarmRuleNotFound: if there is none with that id.
        """
        with self._lock:
            kept = self._rules.remove(rule_id)
            self._made.pop(rule_id, None)
        log.info("Alarm rule %r was removed by %s", kept.rule.name, who or "an unnamed client")
        self._rules_changed(kept)

    def _change(self, rule_id: str, version: int | None, new: Callable[[AlarmRule], AlarmRule], who: str) -> KeptRule:
        with self._lock:
            kept = self._rules.change(rule_id, version, new, who, self._own)
            self._made[kept.id] = kept
        return self._rules_changed(kept)

    def _source_renamed(self, before: str, after: str) -> None:
        """Let rules follow a source that has another name now."""
        with self._lock:
            concerned = [each for each in self._made.values() if renamed(each.rule, before, after) != each.rule]
            for kept in concerned:
                del self._made[kept.id]
                try:
                    moved = self._rules.rename_source(kept.id, before, after)
                except BlitzError as error:
                    log.warning("The rule %r does not follow %r to %r: %s", kept.rule.name, before, after, error)
                    continue
                self._made[moved.id] = moved
        if concerned:
            self._rules_changed(concerned[0])

    def _rules_changed(self, kept: KeptRule) -> KeptRule:
        self.feeder.rules_changed()
        self._post(AlarmChange(what="rules", counts=self.counts))
        return self._with_state(kept, self.present())

    # ---- what was raised ----------------------------------------------------------------------------------------

    def present(self) -> list[AlarmOccurrence]:
        """Return what operators are shown now, newest first, from memory."""
        with self._lock:
            return sorted(self._present.values(), key=lambda each: -each.id)

    def history(self, before: int | None, count: int, rule_id: str) -> list[AlarmOccurrence]:
        """Return a page of all that was raised, newest first."""
        return self._kept.history(before, count, rule_id)

    def acknowledge(self, alarm_id: int, who: str, note: str) -> AlarmOccurrence:
        """Somebody has seen an alarm; return it as it is now.

        :raises AlarmNotFound: if there is none with that id.
        """
        with self._lock:
            occurrence, is_news = self._kept.acknowledge(alarm_id, who, note, datetime.now(UTC))
            if is_news:
                self._take("acknowledged", occurrence)
        return occurrence

    def acknowledge_all(self, who: str, note: str) -> list[AlarmOccurrence]:
        """Somebody has seen all that is shown; return what nobody had seen before."""
        with self._lock:
            seen = self._kept.acknowledge_all(who, note, datetime.now(UTC))
            for occurrence in seen:
                self._take("acknowledged", occurrence)
        return seen

    def counts_now(self) -> AlarmCounts:
        """Return how many alarms there are, and which rules may soon raise one; from memory."""
        return self.counts.model_copy(update={"pending": self.feeder.pending_rules})

    # ---- from the feeder's thread -------------------------------------------------------------------------------

    def commit(
        self,
        crossings: Sequence[AlarmCrossing],
        rules: Mapping[str, AlarmRule],
        place: Mapping[str, Any] | None,
    ) -> None:
        """Write down what was crossed and up to where was looked; then tell everybody what is new."""
        with self._lock:
            told, given_up = self._kept.commit(crossings, rules, place, self._unit)
            for crossing, occurrence in told:
                self._take("raised" if crossing.is_raised else "cleared", occurrence)
            for occurrence in given_up:
                self._take("acknowledged", occurrence)
        for crossing, occurrence in told:
            log.info("Alarm %s: %s", "raised" if crossing.is_raised else "over", occurrence.words)
            if crossing.is_raised:
                self._actions.put(occurrence)
            if self._is_told(occurrence):
                telling = raised_telling(occurrence) if crossing.is_raised else cleared_telling(occurrence, crossing)
                self._tell_hooks(telling, occurrence.rule.hooks)

    def clear_others(self, rules: Mapping[str, AlarmRule]) -> None:
        """What rules had raised that are evaluated no more is over."""
        with self._lock:
            gone = {each.rule_id for each in self._present.values() if each.cleared_at is None} - set(rules)
            for rule_id in gone:
                for occurrence in self._kept.clear(rule_id, datetime.now(UTC)):
                    self._take("cleared", occurrence)

    # ---- below: how ---------------------------------------------------------------------------------------------

    def _take(self, what: Any, occurrence: AlarmOccurrence) -> None:
        if occurrence.is_present:
            self._present[occurrence.id] = occurrence
        else:
            self._present.pop(occurrence.id, None)
        self.counts = count_alarms(list(self._present.values()))
        self._post(AlarmChange(what=what, occurrence=occurrence, counts=self.counts))

    def _post(self, change: AlarmChange) -> None:
        self._acquisition.post(Event(event=EventKind.ALARM, alarm=change))

    def _add_done(self, alarm_id: int, sentence: str) -> None:
        with self._lock:
            occurrence = self._kept.add_done(alarm_id, sentence)
            if alarm_id in self._present:
                self._present[alarm_id] = occurrence
        log.info("Alarm %r: %s", occurrence.rule.name, sentence)

    def _is_told(self, occurrence: AlarmOccurrence) -> bool:
        """Whether hooks are: a source that says nothing is told by them anyway, where nobody has said otherwise."""
        return occurrence.rule_id in self._made or occurrence.rule.hooks is not None

    def _sources(self) -> dict[str, bool]:
        """Return the names of the sources, and of which something is to come as long as they are there."""
        links = self._acquisition.devices.links()
        return {each.name: is_steady(each.config.link) for each in links if not each.port.startswith(_SILENT_LINKS)}

    def _own(self, name: str, sources: Mapping[str, bool] | None = None) -> KeptRule:
        """Return the rule that a source has by itself; switched off where it may be silent for as long as it likes."""
        known = self._sources() if sources is None else sources
        return own_rule(name, is_steady=known.get(name, True))

    def _definitions(self) -> dict[str, BoardDefinition | None]:
        return {link.name: link.definition for link in self._acquisition.devices.links()}

    def _unit(self, rule: AlarmRule) -> str:
        definition = self._definitions().get(rule.source)
        channels = () if definition is None else definition.channels
        return next((channel.unit for channel in channels if channel.name == rule.channel), "")

    def _check(self, rule: AlarmRule, *, later: bool) -> None:
        if not later and (fault := self._fault(rule, self._definitions())):
            raise UnknownSource(fault)
        unknown = sorted(set(rule.hooks or ()) - set(self._hook_names()))
        if unknown:
            raise ConfigError(f"There is no hook {unknown[0]!r} to tell. 'blitz hooks' lists those that there are.")
        now = datetime.now(UTC)
        as_if = confirmed(confirmed(rule, "x", now), "x", datetime.fromtimestamp(0, UTC))
        check_commands(as_if, self._definitions(), protocol.moves_something)

    def _fault(self, rule: AlarmRule, definitions: Mapping[str, BoardDefinition | None]) -> str:
        if rule.source not in definitions:
            return f"There is no source {rule.source!r}. 'blitz boards' lists those that there are."
        definition = definitions[rule.source]
        if not rule.channel:
            return ""
        names = [] if definition is None else [channel.name for channel in definition.channels]
        if not names:
            return f"It is not known what {rule.source!r} sends: it has no channels yet."
        if rule.channel not in names:
            return f"{rule.source!r} has no channel {rule.channel!r}, but {', '.join(names)}."
        return ""

    def _moving(self, rule: AlarmRule) -> list[CommandAction]:
        definitions = self._definitions()
        return [
            action
            for action in rule.actions
            if isinstance(action, CommandAction)
            and moves_something(action, definitions.get(action.board), protocol.moves_something)
        ]

    def _with_state(self, kept: KeptRule, present: Sequence[AlarmOccurrence]) -> KeptRule:
        of_rule = [each.state for each in present if each.rule_id == kept.id]
        order = (AlarmState.ACTIVE, AlarmState.ACKNOWLEDGED, AlarmState.LATCHED)
        otherwise = AlarmState.PENDING if kept.id in self.feeder.pending_rules else AlarmState.NORMAL
        state = next((state for state in order if state in of_rule), otherwise)
        fault = self._fault(kept.rule, self._definitions())
        moving = self._moving(kept.rule)
        must_confirm = max(0, 2 - kept.rule.confirmations) if moving else 0
        if must_confirm and not fault:
            fault = f"{moving[0].command!r} moves or heats something: it is sent when the rule was confirmed twice."
        return kept.model_copy(update={"state": state, "fault": fault, "must_confirm": must_confirm})


def _counts(kept: KeptRule) -> bool:
    """Whether a rule about no data stands for a source's own."""
    return kept.is_default or kept.rule.is_enabled
