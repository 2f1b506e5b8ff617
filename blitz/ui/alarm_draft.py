"""What is typed of an alarm rule, and the rule that it makes. Pure."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from blitz.data.alarm_rule import AlarmRule, CommandAction
from blitz.data.board_definition import Channel
from blitz.data.model_faults import first_fault
from blitz.data.records import BoardRecord
from blitz.ui.definition_draft import parse_number


@dataclass(frozen=True)
class Watched:
    """What a rule can be about: a channel, or a whole source where the channel is empty."""

    source: str
    channel: str = ""
    unit: str = ""
    label: str = ""

    @property
    def words(self) -> str:
        """What people read."""
        return f"{self.source}: {self.label or self.channel or 'the whole source'}"


@dataclass(frozen=True)
class Kind:
    """One way of being alarming.

    :param fields: names and labels of its numbers, the main ones.
    :param fixed: what else it has.
    """

    words: str
    kind: str
    fields: tuple[tuple[str, str], ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def is_of(self, condition: Mapping[str, Any]) -> bool:
        """Whether a condition is of this kind."""
        given = all(condition.get(name) is not None for name, _ in self.fields) or self.kind == "no_data"
        return condition["kind"] == self.kind and given and all(condition[n] == v for n, v in self.fixed.items())

    def unit_words(self, unit: str) -> str:
        """Return what its numbers are counted in, for a channel of a unit.

        >>> [KINDS[place].unit_words(unit) for place, unit in ((0, "°C"), (4, "°C"), (4, ""), (9, "°C"))]
        ['°C', '°C/s', 'a second', '']
        """
        if self.kind == "no_data":
            return ""
        return unit if self.kind != "rate" else f"{unit}/s" if unit else "a second"


_WINDOW = ("window_s", "measured over, s")
_RATE = (("above_per_s", "limit"), _WINDOW)
KINDS = (
    Kind("is above", "level", (("above", "limit"),)),
    Kind("is below", "level", (("below", "limit"),)),
    Kind("is outside", "band", (("low", "from"), ("high", "to")), {"is_inside": False}),
    Kind("is inside", "band", (("low", "from"), ("high", "to")), {"is_inside": True}),
    Kind("rises faster than", "rate", _RATE, {"direction": "rising"}),
    Kind("falls faster than", "rate", _RATE, {"direction": "falling"}),
    Kind("changes faster than", "rate", _RATE, {"direction": "either"}),
    Kind("equals", "equal", (("value", "value"), ("tolerance", "give or take")), {"is_different": False}),
    Kind("differs from", "equal", (("value", "value"), ("tolerance", "give or take")), {"is_different": True}),
    Kind("does not come", "no_data", (("after_s", "for, s"),)),
)
UNITLESS = ("window_s", "after_s")
"""Numbers that are seconds, whatever the channel's unit is."""
EMPTY_WORDS = {"tolerance": "0", "window_s": "1", "after_s": "three usual periods"}
"""What holds where a number is left empty."""
_OPTIONAL = {"tolerance": 0.0, "window_s": 1.0, "after_s": None}


def kind_of(rule: AlarmRule) -> Kind | None:
    """Return the kind of a rule's condition; None where the form has none for it, as for a reference."""
    condition = rule.condition.model_dump()
    if condition["kind"] == "level" and condition["above"] is not None and condition["below"] is not None:
        return None
    return next((kind for kind in KINDS if kind.is_of(condition)), None)


def make_rule(
    kind: Kind | None, numbers: Mapping[str, str], hysteresis: str, fields: Mapping[str, Any], was: AlarmRule | None
) -> AlarmRule:
    """Return the rule that was typed.

    :param kind: None: the condition stays what it was.
    :param numbers: the texts of its numbers, by name.
    :param fields: all other fields of the rule; an empty name is made of what is watched.
    :raises ValueError: with a sentence for the operator.
    """
    condition: dict[str, Any]
    if kind is None:
        if was is None:
            raise ValueError("Choose when it is an alarm.")
        condition = was.condition.model_dump()
    else:
        condition = {"kind": kind.kind, **kind.fixed}
        for name, label in kind.fields:
            condition[name] = _number(numbers.get(name, ""), label, _OPTIONAL.get(name, math.nan))
        if kind.kind != "no_data":
            condition["hysteresis"] = _number(hysteresis, "hysteresis", 0.0)
    given = {**({} if was is None else was.model_dump(exclude={"confirmed_twice"})), **fields, "condition": condition}
    if condition["kind"] == "no_data":
        given["channel"] = ""
    try:
        rule = AlarmRule.model_validate({**given, "name": given["name"] or "…"})
        return rule if given["name"] else rule.model_copy(update={"name": rule.words()[:80].strip()})
    except ValidationError as error:
        sentence = first_fault(error, known=AlarmRule.model_fields)
        raise ValueError(f"{sentence[:1].upper()}{sentence[1:]}.") from error


def propose_level(channel: Channel, low: float, high: float) -> float | None:
    """Return an upper limit that what was seen so far does not exceed; None where nothing was seen.

    :param low: with ``high``: the smallest and the largest reading; NaN where there was none.

    >>> propose_level(Channel(name="p"), 99.1, 101.4), propose_level(Channel(name="p", limit_high=5), 1, 2)
    (102.0, 5.0)
    """
    if channel.limit_high is not None:
        return channel.limit_high
    if not (math.isfinite(low) and math.isfinite(high)):
        return None
    span = high - low or abs(high) or 1.0
    step = 10.0 ** math.floor(math.log10(span) - 0.3)
    decimals = max(0, -math.floor(math.log10(step)))
    return round(math.ceil((high + 0.2 * span) / step) * step, decimals)


def sent_words(action: CommandAction) -> str:
    """Say what an alarm sends, and to which board.

    >>> sent_words(CommandAction(kind="command", board="valve", command="open", value=40))
    '“open 40” to valve'
    """
    value = "" if action.value is None else f" {action.value:g}"
    return f"“{action.command}{value}” to {action.board}"


def list_watched(boards: Iterable[BoardRecord]) -> tuple[Watched, ...]:
    """Return all that a rule can be about: each source's channels, then the source itself."""
    found = []
    for board in boards:
        channels = board.definition.channels if board.definition is not None else ()
        found += [Watched(board.name, each.name, each.unit, each.display_name) for each in channels]
        found.append(Watched(board.name))
    return tuple(found)


def _number(text: str, label: str, default: float | None) -> float | None:
    if not text.strip():
        if default is None or not math.isnan(default):
            return default
        raise ValueError(f"The number for “{label}” is missing.")
    number = parse_number(text)
    if number is None or not math.isfinite(number):
        raise ValueError(f"“{text.strip()}” is not a number ({label}).")
    return number
