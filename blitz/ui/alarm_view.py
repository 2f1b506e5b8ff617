"""What the window knows of alarms, and what it asks of the server about them. Immutable values; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from blitz.data.alarm_records import AlarmChange, AlarmCounts, AlarmOccurrence, AlarmState, KeptRule, count_alarms
from blitz.data.alarm_rule import AlarmRule, Severity
from blitz.data.hook_records import HookRecord

HISTORY_COUNT = 200
"""So many alarms that were are shown."""
_RANK = {Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.INFO: 2}


@dataclass(frozen=True)
class AlarmView:
    """All that is shown of alarms. None where the server has none: it is older than they are."""

    present: tuple[AlarmOccurrence, ...] = ()
    """Active, or over and seen by nobody; newest first."""
    history: tuple[AlarmOccurrence, ...] = ()
    """All that were, newest first, the present ones included."""
    rules: tuple[KeptRule, ...] = ()
    hooks: tuple[HookRecord, ...] = ()
    """Whom the server can tell."""
    pending: frozenset[str] = frozenset()
    """Ids of rules whose on delay runs."""

    @property
    def counts(self) -> AlarmCounts:
        """How many there are now."""
        return count_alarms(self.present)

    @property
    def worst(self) -> AlarmOccurrence | None:
        """What matters most of what nobody has seen: the highest severity, the newest of them."""
        unseen = [each for each in self.present if is_unseen(each)]
        return min(unseen, key=lambda each: (_RANK[each.severity], -each.raised_ns), default=None)

    def state_of(self, rule: KeptRule) -> AlarmState:
        """How a rule stands: what matters most of its alarms, or else whether its on delay runs."""
        states = [each.state for each in self.present if each.rule_id == rule.id]
        order = (AlarmState.ACTIVE, AlarmState.ACKNOWLEDGED, AlarmState.LATCHED)
        found = next((state for state in order if state in states), None)
        return found or (AlarmState.PENDING if rule.id in self.pending else AlarmState.NORMAL)

    def changed(self, change: AlarmChange) -> "AlarmView":
        """Return what is known after a change."""
        told = change.occurrence
        if told is None:
            return self
        present = _with(self.present, told) if told.is_present else tuple(e for e in self.present if e.id != told.id)
        return replace(self, present=present, history=_with(self.history, told)[:HISTORY_COUNT])


def is_unseen(occurrence: AlarmOccurrence) -> bool:
    """Whether somebody should still look at it."""
    return occurrence.state in (AlarmState.ACTIVE, AlarmState.LATCHED)


def _with(known: tuple[AlarmOccurrence, ...], told: AlarmOccurrence) -> tuple[AlarmOccurrence, ...]:
    rest = [each for each in known if each.id != told.id]
    return tuple(sorted([told, *rest], key=lambda each: each.id, reverse=True))


@dataclass(frozen=True)
class AlarmWish:
    """Something that is asked of the server; told whether it was done as ``alarm_answered``."""

    @property
    def failure(self) -> str:
        """What the operator reads where it was not done."""
        return "Alarms are as before"


@dataclass(frozen=True)
class Acknowledge(AlarmWish):
    """Say that an alarm was seen; None: all."""

    alarm_id: int | None = None
    note: str = ""

    @property
    def failure(self) -> str:
        """What the operator reads where it was not done."""
        return "The alarm was not acknowledged" if self.alarm_id is not None else "The alarms were not acknowledged"


@dataclass(frozen=True)
class AddRule(AlarmWish):
    """Keep a new rule."""

    rule: AlarmRule

    @property
    def failure(self) -> str:
        """What the operator reads where it was not done."""
        return f"The alarm “{self.rule.name}” was not made"


@dataclass(frozen=True)
class ChangeRule(AlarmWish):
    """Change fields of a rule."""

    kept: KeptRule
    changes: Mapping[str, Any] = field(hash=False)

    @property
    def failure(self) -> str:
        """What the operator reads where it was not done."""
        return f"The alarm “{self.kept.rule.name}” is as before"


@dataclass(frozen=True)
class ConfirmRule(AlarmWish):
    """Say that a rule, as it stands, is to send what moves or heats something."""

    kept: KeptRule

    @property
    def failure(self) -> str:
        """What the operator reads where it was not done."""
        return f"The alarm “{self.kept.rule.name}” was not confirmed"


@dataclass(frozen=True)
class RemoveRule(AlarmWish):
    """Keep a rule no longer."""

    kept: KeptRule

    @property
    def failure(self) -> str:
        """What the operator reads where it was not done."""
        return f"The alarm “{self.kept.rule.name}” was not deleted"


@dataclass(frozen=True)
class TryMail(AlarmWish):
    """Let the server send one e-mail to somebody, as a test; it keeps nothing of it."""

    name: str
    fields: Mapping[str, Any] = field(hash=False, repr=False)


@dataclass(frozen=True)
class AddMail(AlarmWish):
    """Let the server send e-mails to somebody."""

    name: str
    fields: Mapping[str, Any] = field(hash=False, repr=False)

    @property
    def failure(self) -> str:
        """What the operator reads where it was not done."""
        return f"E-mails to {', '.join(self.fields.get('to', ()))} were not set up"
