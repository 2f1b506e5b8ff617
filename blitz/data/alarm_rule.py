"""An alarm rule: what is watched, when it is an alarm, and what is done then. Pure.

**Motors.** A rule may send a command that moves or heats something only after it was confirmed twice, as it stands:
any change makes both confirmations void. Whether a command is such a one says :func:`moves_something`.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from blitz.data.alarm_condition import LONGEST_S, Condition, NoDataCondition, ReferenceCondition
from blitz.data.board_definition import BoardDefinition, is_sendable

MOST_ACTIONS = 10
MOST_BEFORE_S = 3600.0
DEFAULT_PREFIX = "no_data:"
"""Begins the id of the rule that each source has by itself; its name follows."""


class Severity(StrEnum):
    """How much an alarm matters."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class MarkerAction(_Part):
    """Put a marker into the running session, where the alarm began; nothing where none runs."""

    kind: Literal["marker"] = "marker"
    text: str = Field(default="", max_length=1_000, description="empty: what the alarm says")


class StartAction(_Part):
    """Start a session; nothing where one runs."""

    kind: Literal["start"] = "start"
    name: str = Field(default="", max_length=200, description="empty: as the server names sessions")
    before_s: float = Field(
        default=0.0, ge=0, le=MOST_BEFORE_S, description="so much of what came before it is kept with the session"
    )


class StopAction(_Part):
    """Stop the running session."""

    kind: Literal["stop"] = "stop"


class CommandAction(_Part):
    """Send a command to a board."""

    kind: Literal["command"] = "command"
    board: str = Field(min_length=1, max_length=60, description="the source's name")
    command: str = Field(min_length=1, max_length=200, description="the name of one of its commands, or a line")
    value: float | None = Field(default=None, description="of a command that takes one")


Action = Annotated[MarkerAction | StartAction | StopAction | CommandAction, Field(discriminator="kind")]


class Confirmation(_Part):
    """Somebody wants the rule to move something."""

    who: str = Field(min_length=1)
    at: AwareDatetime
    of: str = Field(description="the rule as it was then, see AlarmRule.fingerprint")


class AlarmRule(_Part):
    """What is watched, when it is an alarm, and what is done then.

    >>> rule = AlarmRule(name="Too hot", source="oven", channel="temp", condition={"kind": "level", "above": 90})
    >>> rule.words("°C")
    'oven temp above 90 °C'
    """

    name: str = Field(min_length=1, max_length=80, description="unique on the server")
    is_enabled: bool = True
    severity: Severity = Severity.WARNING
    source: str = Field(min_length=1, max_length=60)
    channel: str = Field(default="", max_length=200, description="its name in the definition; of no_data: empty")
    condition: Condition
    on_delay_s: float = Field(
        default=0.0, ge=0, le=LONGEST_S, description="it is raised when the condition has held for so long"
    )
    off_delay_s: float = Field(
        default=0.0, ge=0, le=LONGEST_S, description="it is over when the condition has not held for so long"
    )
    only_recording: bool = Field(default=False, description="only while a session is recorded")
    on_nan: Literal["ignore", "alarm", "normal"] = Field(
        default="ignore", description="a message without a value of the channel: what it counts as"
    )
    on_gap: Literal["hold", "alarm", "normal"] = Field(
        default="hold", description="nothing from the source for three usual periods: what that counts as"
    )
    is_latched: bool = Field(default=True, description="stays in sight until it is acknowledged, also when it is over")
    advice: str = Field(default="", max_length=1_000, description="what is to be done, for whoever is told")
    actions: tuple[Action, ...] = Field(default=(), max_length=MOST_ACTIONS, description="done when it is raised")
    hooks: tuple[str, ...] | None = Field(default=None, description="who is told; absent: all hooks that want alarms")
    confirmed_twice: tuple[Confirmation, ...] = Field(
        default=(), max_length=2, description="set by the server: needed for commands that move something"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.name != self.name.strip() or not self.name.isprintable():
            raise ValueError(f"{self.name!r} is no name: it begins or ends with a space, or cannot be printed")
        if isinstance(self.condition, NoDataCondition):
            if self.channel:
                raise ValueError(f"no data is said of the whole source: leave the channel {self.channel!r} out")
        elif not self.channel:
            raise ValueError("the channel is missing: only a rule about no data goes without one")
        kinds = [action.kind for action in self.actions]
        if "start" in kinds and "stop" in kinds:
            raise ValueError("an alarm can start a session or stop one, not both")
        if self.only_recording and "start" in kinds:
            raise ValueError("a rule that holds only while a session is recorded cannot start one")
        for kind in ("start", "stop"):
            if kinds.count(kind) > 1:
                raise ValueError(f"the action {kind!r} stands there {kinds.count(kind)} times")
        return self

    @property
    def needs_session(self) -> bool:
        """Whether it is evaluated only while a session is recorded; a reference has no beginning without one."""
        return self.only_recording or isinstance(self.condition, ReferenceCondition)

    @property
    def fingerprint(self) -> str:
        """What the rule says, confirmations left out, as a short text that changes with anything in it."""
        said = self.model_dump_json(exclude={"confirmed_twice"})
        return hashlib.blake2b(said.encode(), digest_size=16).hexdigest()

    @property
    def is_confirmed_twice(self) -> bool:
        """Whether it was confirmed twice as it stands now, at two moments."""
        return self.confirmations >= 2

    @property
    def confirmations(self) -> int:
        """At how many moments it was confirmed as it stands now."""
        return len({each.at for each in self.confirmed_twice if each.of == self.fingerprint})

    def words(self, unit: str = "") -> str:
        """Return what is watched and when it is an alarm, for people."""
        delay = f" for {self.on_delay_s:g} s" if self.on_delay_s else ""
        whose = self.source if self.channel in ("", self.source) else f"{self.source} {self.channel}"
        return f"{whose} {self.condition.words(unit)}{delay}"


def confirmed(rule: AlarmRule, who: str, at: datetime) -> AlarmRule:
    """Return the rule with one more confirmation; those of an earlier wording are dropped."""
    held = [each for each in rule.confirmed_twice if each.of == rule.fingerprint and each.at != at]
    latest = Confirmation(who=who, at=at, of=rule.fingerprint)
    return rule.model_copy(update={"confirmed_twice": (*held, latest)[-2:]})


def unconfirmed(rule: AlarmRule) -> AlarmRule:
    """Return the rule without confirmations, as it must come from whoever writes it."""
    return rule.model_copy(update={"confirmed_twice": ()})


def moves_something(action: CommandAction, definition: BoardDefinition | None, moves: Callable[[bytes], bool]) -> bool:
    """Whether a command moves or heats something.

    It does if the board's definition says so of a command of that name, if what is sent is such a command in whatever
    words, or if the line is an instruction to a motor of the Blitz protocol.

    :param definition: the board's; None where it is not known: then only the line tells.
    :param moves: says of a line whether it is an instruction to a motor.
    """
    named = definition.command(action.command) if definition is not None else None
    if named is not None and named.is_actuator:
        return True
    payload = action.command.encode("latin-1", "replace")
    if named is not None:
        try:
            payload = named.with_value(action.value).payload
        except ValueError:
            return True  # nobody knows what it would be: check_command says what is wrong
    actuators = [known for known in definition.commands if known.is_actuator] if definition is not None else []
    lines = [payload.strip(), *(line.strip() for line in payload.splitlines())]
    return any(moves(line) or any(known.is_said_by(line) for known in actuators) for line in lines)


def check_commands(
    rule: AlarmRule, definitions: Mapping[str, BoardDefinition | None], moves: Callable[[bytes], bool]
) -> None:
    """Check what a rule would send.

    :param definitions: by source name; of a source that is not there nothing can be sent.
    :raises ValueError: if a command cannot be sent, or moves something and was not confirmed twice.
    """
    for action in rule.actions:
        if not isinstance(action, CommandAction):
            continue
        if action.board not in definitions:
            raise ValueError(f"there is no source {action.board!r} to send {action.command!r} to")
        definition = definitions[action.board]
        named = definition.command(action.command) if definition is not None else None
        if named is not None:
            named.with_value(action.value)
        elif action.value is not None:
            raise ValueError(f"{action.board} has no command {action.command!r} that takes a value")
        elif not is_sendable(action.command):
            raise ValueError(f"{action.command!r} cannot be sent: of text, only characters of latin-1 can")
        if moves_something(action, definition, moves) and not rule.is_confirmed_twice:
            raise ValueError(
                f"{action.command!r} moves or heats something at {action.board}: the rule must be confirmed twice, "
                "and again after each change"
            )


def default_rule(source: str) -> AlarmRule:
    """Return the rule that each source has without anyone making it: nothing comes from it."""
    name = f"No data from {source}"
    return AlarmRule(name=name, source=source, condition=NoDataCondition(), severity=Severity.WARNING)


def default_id(source: str) -> str:
    """Return the id of a source's own rule."""
    return DEFAULT_PREFIX + source


def rules_in_force(
    rules: Mapping[str, AlarmRule], sources: Iterable[str], without_default: Collection[str] = ()
) -> dict[str, AlarmRule]:
    """Return all rules that are evaluated, by id.

    Each source has its own rule about no data, unless it was switched off there, or a rule that somebody made says the
    same of it.

    :param rules: those that were made, by id.
    :param without_default: sources whose own rule was switched off.
    """
    chosen = {key: rule for key, rule in rules.items() if rule.is_enabled}
    covered = {rule.source for rule in chosen.values() if isinstance(rule.condition, NoDataCondition)}
    for source in sources:
        if source not in covered and source not in without_default:
            chosen[default_id(source)] = default_rule(source)
    return chosen
