"""What server and client tell each other of alarms: rules as they are kept, occurrences, and what changed. Pure."""

from enum import StrEnum
from typing import Literal, NamedTuple

from pydantic import AwareDatetime, Field

from blitz.data.alarm_rule import AlarmRule, Severity
from blitz.data.record import Record


class AlarmState(StrEnum):
    """How a rule stands."""

    NORMAL = "normal"
    PENDING = "pending"
    """Its condition holds, not yet for as long as it must."""
    ACTIVE = "active"
    ACKNOWLEDGED = "acknowledged"
    """Active, and somebody has seen it."""
    LATCHED = "latched"
    """Back to normal, and nobody has seen it."""


class AlarmCrossing(NamedTuple):
    """What evaluation tells: a rule's alarm begins or ends."""

    rule_id: str
    is_raised: bool
    time_ns: int
    """When it was, by the readings' time."""
    session_id: int
    """Of the message; 0 is the preview."""
    seq: int
    """The newest message then that says anything of it; -1 where none has come."""
    value: float | None
    """Its value; None where it has none."""


class KeptRule(Record):
    """A rule as the server keeps it."""

    id: str
    rule: AlarmRule
    is_default: bool = Field(default=False, description="the rule that a source has without anyone making it")
    version: int = Field(default=1, description="counts its changes; a change must name the one it is based on")
    who: str = Field(default="", description="who wrote this version")
    changed_at: AwareDatetime | None = None
    state: AlarmState = AlarmState.NORMAL
    fault: str = Field(default="", description="why it cannot be evaluated at present, as a sentence; else empty")
    must_confirm: int = Field(
        default=0, description="so often it must still be confirmed before it sends what moves or heats something"
    )


class AlarmOccurrence(Record):
    """One time that a rule's alarm was raised."""

    id: int
    rule_id: str
    rule: AlarmRule = Field(description="as it was then")
    source: str
    channel: str = ""
    unit: str = ""
    session_id: int | None = Field(default=None, description="absent: nothing was recorded")
    seq: int | None = Field(default=None, description="the message that made it; absent: it was that none came")
    value: float | None = None
    raised_at: AwareDatetime
    raised_ns: int = Field(description="the same, exactly, since the Unix epoch")
    cleared_at: AwareDatetime | None = Field(default=None, description="when it was back to normal")
    acknowledged_at: AwareDatetime | None = None
    acknowledged_by: str = ""
    note: str = Field(default="", description="what whoever acknowledged it wrote")
    done: tuple[str, ...] = Field(default=(), description="what came of its actions, a sentence each")

    @property
    def severity(self) -> Severity:
        """How much it matters."""
        return self.rule.severity

    @property
    def state(self) -> AlarmState:
        """How it stands: an occurrence is never pending."""
        if self.cleared_at is None:
            return AlarmState.ACTIVE if self.acknowledged_at is None else AlarmState.ACKNOWLEDGED
        is_latched = self.rule.is_latched and self.acknowledged_at is None
        return AlarmState.LATCHED if is_latched else AlarmState.NORMAL

    @property
    def is_present(self) -> bool:
        """Whether an operator is shown it among the present alarms."""
        return self.state is not AlarmState.NORMAL

    @property
    def words(self) -> str:
        """What people read: what is watched, the limit, and the value that crossed it."""
        said = self.rule.words(self.unit)
        if self.rule.name not in (said, self.rule.words()):  # a rule that nobody named is called what it watches
            said = f"{self.rule.name}: {said}"
        return said if self.value is None else f"{said} ({self.value:g} {self.unit}".rstrip() + ")"


class AlarmCounts(Record):
    """How many alarms there are now."""

    unacknowledged: int = Field(default=0, description="active or latched, and nobody has seen them")
    active: int = Field(default=0, description="their condition holds, acknowledged or not")
    worst: Severity | None = Field(default=None, description="the highest severity of those nobody has seen")
    pending: tuple[str, ...] = Field(
        default=(), description="in the status: ids of rules whose condition holds, not yet for as long as it must"
    )


class AlarmChange(Record):
    """What clients hear: of one occurrence, or that rules have changed."""

    what: Literal["raised", "cleared", "acknowledged", "rules"]
    occurrence: AlarmOccurrence | None = Field(default=None, description="as it is now; absent for rules")
    counts: AlarmCounts = AlarmCounts()
    is_playback: bool = Field(default=False, description="of a session that is played back: silent")


_ORDER = (Severity.INFO, Severity.WARNING, Severity.CRITICAL)


def count_alarms(occurrences: "tuple[AlarmOccurrence, ...] | list[AlarmOccurrence]") -> AlarmCounts:
    """Return how many of them there are now."""
    unseen = [each for each in occurrences if each.state in (AlarmState.ACTIVE, AlarmState.LATCHED)]
    return AlarmCounts(
        unacknowledged=len(unseen),
        active=sum(each.cleared_at is None for each in occurrences),
        worst=max((each.severity for each in unseen), key=_ORDER.index, default=None),
    )
