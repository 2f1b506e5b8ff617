"""One alarm rule, followed: hysteresis, delays, and when it is raised and cleared. Pure.

Whether the condition holds changes at *flips*: readings that say so, or moments from which on nothing came. A delay
that is over before a flip counts first, whoever learns of it when: so the stream may be cut anywhere.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from blitz.data.alarm_condition import NoDataCondition, RateCondition, ReferenceCondition
from blitz.data.alarm_rule import AlarmRule
from blitz.data.alarm_signs import ReferenceSigns, Signs, bounds_of
from blitz.data.alarm_silence import Silence

_WATCHED = {
    "source",
    "channel",
    "condition",
    "on_delay_s",
    "off_delay_s",
    "only_recording",
    "on_nan",
    "on_gap",
}
"""A change of anything else leaves an alarm as it stands."""


class Flip(NamedTuple):
    """The condition begins to hold, or ends."""

    at: int
    """The reading that says so; or before which nothing came for too long."""
    is_reading: bool
    inner_ns: int
    holds: bool


class Change(NamedTuple):
    """The alarm is raised or cleared; in the order of what has led to it."""

    at: int
    is_reading: bool
    inner_ns: int
    is_raised: bool


class RuleWatch:
    """Where one rule stands.

    :param order: its place among all rules: which of two comes first that change at one reading.
    """

    def __init__(self, rule_id: str, rule: AlarmRule, order: int = 0) -> None:
        self.id = rule_id
        self.rule = rule
        self.order = order
        self.holds = False
        """The condition holds, hysteresis included."""
        self.is_raised = False
        self.since_ns: int | None = None
        """Inner time since when the two differ: a delay runs."""
        self.bounds = bounds_of(rule.condition)
        self.window_ns = round(rule.condition.window_s * 1e9) if isinstance(rule.condition, RateCondition) else None
        """Of a rate; else None."""
        self.reference = ReferenceSigns(rule.condition) if isinstance(rule.condition, ReferenceCondition) else None
        self.is_no_data = isinstance(rule.condition, NoDataCondition)
        after_s = rule.condition.after_s if isinstance(rule.condition, NoDataCondition) else None
        self.after_ns = None if after_s is None else round(after_s * 1e9)
        self.on_delay_ns, self.off_delay_ns = round(rule.on_delay_s * 1e9), round(rule.off_delay_s * 1e9)
        self.watched = watched(rule)

    @property
    def due_ns(self) -> int | None:
        """Inner time at which the delay is over that runs now."""
        if self.since_ns is None:
            return None
        return self.since_ns + (self.on_delay_ns if self.holds else self.off_delay_ns)

    @property
    def gap_holds(self) -> bool | None:
        """What a silence of the source makes of the condition; None: nothing."""
        if self.is_no_data:
            return True
        return {"hold": None, "alarm": True, "normal": False}[self.rule.on_gap]

    def signs(
        self, time_ns: NDArray[np.int64], values: NDArray[np.float64], rates: NDArray[np.float64] | None = None
    ) -> Signs:
        """Return what readings say of the condition, NaN included as the rule says.

        :param values: of the rule's channel, shape (n,).
        :param rates: how fast it changes, where the rule is about that.
        """
        if self.bounds is not None:
            signs = self.bounds.signs(values if rates is None else rates)
        elif self.reference is not None:
            signs = self.reference.signs(time_ns, values)
        else:
            return np.full(len(values), -1, np.int8)
        if self.rule.on_nan != "ignore":
            signs[np.isnan(values)] = 1 if self.rule.on_nan == "alarm" else -1
        return signs

    def flips(self, signs: Signs, inner_ns: NDArray[np.int64], silences: Sequence[Silence] = ()) -> list[Flip]:
        """Return where readings turn the condition, and silences among them."""
        (said,) = signs.nonzero()
        holds = signs[said] > 0
        is_turn = np.empty(len(said), np.bool_)
        is_turn[:1] = holds[:1] != self.holds
        np.not_equal(holds[1:], holds[:-1], out=is_turn[1:])
        turns = said[is_turn]
        silent = self.gap_holds
        if silent is None or not silences:
            return _reading_flips(turns, signs, inner_ns)
        # What a reading says behind a silence may turn what the silence has made of the condition.
        behind = np.searchsorted(said, [silence.at for silence in silences])
        turns = np.union1d(turns, said[behind[behind < len(said)]])
        found = [Flip(silence.at, False, silence.due_ns, silent) for silence in silences]
        return sorted([*found, *_reading_flips(turns, signs, inner_ns)])

    def walk(self, flips: list[Flip], end_ns: int, index_of: Callable[[int], int]) -> list[Change]:
        """Follow the condition over flips, and then to an inner time.

        :param flips: in order of index, silences before readings.
        :param index_of: which reading is the first at an inner time or later.
        """
        changes: list[Change] = []
        for flip in flips:
            self._end_delay(flip.inner_ns, index_of, changes)
            if flip.holds == self.holds:
                continue
            self.holds = flip.holds
            self.since_ns = None if self.holds == self.is_raised else flip.inner_ns
            if self.since_ns is not None and self.due_ns == flip.inner_ns:
                self._turn(changes, flip.at, flip.is_reading, flip.inner_ns)
        self._end_delay(end_ns, index_of, changes)
        return changes

    def reset(self) -> bool:
        """Begin anew; tell whether the alarm was raised."""
        was_raised = self.is_raised
        self.holds, self.is_raised, self.since_ns = False, False, None
        return was_raised

    def state(self) -> dict[str, Any]:
        """Return where it stands, fit for JSON."""
        state: dict[str, Any] = {"holds": self.holds, "is_raised": self.is_raised, "since_ns": self.since_ns}
        state["watched"] = self.watched
        if self.reference is not None:
            state["reference"] = self.reference.state()
        return state

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state` of the same rule returned."""
        self.holds, self.is_raised, self.since_ns = state["holds"], state["is_raised"], state["since_ns"]
        if self.reference is not None:
            self.reference.restore(state["reference"])

    def _end_delay(self, inner_ns: int, index_of: Callable[[int], int], changes: list[Change]) -> None:
        due_ns = self.due_ns
        if due_ns is not None and due_ns <= inner_ns:
            self._turn(changes, index_of(due_ns), False, due_ns)

    def _turn(self, changes: list[Change], index: int, is_reading: bool, inner_ns: int) -> None:
        self.is_raised, self.since_ns = self.holds, None
        changes.append(Change(index, is_reading, inner_ns, self.is_raised))


def _reading_flips(turns: NDArray[np.intp], signs: Signs, inner_ns: NDArray[np.int64]) -> list[Flip]:
    if not len(turns):
        return []
    return [
        Flip(index, True, ns, sign > 0)
        for index, ns, sign in zip(turns.tolist(), inner_ns[turns].tolist(), signs[turns].tolist(), strict=True)
    ]


def watched(rule: AlarmRule) -> str:
    """Return what of a rule decides when it is an alarm, as a short text."""
    return hashlib.blake2b(rule.model_dump_json(include=_WATCHED).encode(), digest_size=16).hexdigest()
