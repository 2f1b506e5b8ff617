"""What each reading says of an alarm's condition: it holds, it does not, or neither. Pure.

A *sign* is +1 where the condition begins to hold, -1 where it holds no longer, 0 in between: inside the hysteresis, or
where there is nothing to compare.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blitz.data.alarm_condition import (
    BandCondition,
    EqualCondition,
    LevelCondition,
    RateCondition,
    ReferenceCondition,
)

_INF = float("inf")
_SLOTS = 64
"""A rate's window is remembered by so many readings: rates are over a window and at most a 64th of it more."""

Signs = NDArray[np.int8]


@dataclass(frozen=True)
class Bounds:
    """Level, band and equality alike: the condition holds outside ``low`` to ``high``, or inside.

    :param low_back: with ``high_back``: from where on it holds no longer.
    """

    low: float
    high: float
    low_back: float
    high_back: float
    is_inside: bool

    def signs(self, values: NDArray[np.float64]) -> Signs:
        """Return the signs of values, shape (n,); 0 where one is NaN."""
        if self.is_inside:
            holds = (values >= self.low) & (values <= self.high)
            is_back = (values < self.low_back) | (values > self.high_back)
        else:
            holds = (values < self.low) | (values > self.high)
            is_back = (values >= self.low_back) & (values <= self.high_back)
        return holds.astype(np.int8) - is_back.astype(np.int8)


def bounds_of(condition: object) -> Bounds | None:
    """Return a condition's bounds; None where it has none."""
    match condition:
        case LevelCondition():
            low = -_INF if condition.below is None else condition.below
            high = _INF if condition.above is None else condition.above
            return Bounds(low, high, low + condition.hysteresis, high - condition.hysteresis, is_inside=False)
        case BandCondition():
            back = -condition.hysteresis if condition.is_inside else condition.hysteresis
            low, high = condition.low, condition.high
            return Bounds(low, high, low + back, high - back, condition.is_inside)
        case EqualCondition():
            back = condition.hysteresis if condition.is_different else -condition.hysteresis
            low, high = condition.value - condition.tolerance, condition.value + condition.tolerance
            return Bounds(low, high, low + back, high - back, not condition.is_different)
    return None


class RateSigns:
    """A rate of change, followed from block to block.

    The rate at a reading is that since the newest remembered reading that is at least a window old. Of each 64th of
    the window the first reading is remembered; what was before a gap is forgotten.
    """

    def __init__(self, condition: RateCondition) -> None:
        self._condition = condition
        self._window_ns = round(condition.window_s * 1e9)
        self._slot_ns = max(self._window_ns // _SLOTS, 1)
        self._times = np.empty(0, np.int64)
        self._values = np.empty(0)

    def signs(self, inner_ns: NDArray[np.int64], values: NDArray[np.float64], gaps: Sequence[int]) -> Signs:
        """Return the signs of the next readings, shape (n,).

        :param gaps: indices of readings before which nothing came for too long, rising.
        """
        if not gaps:
            return self._follow(inner_ns, values)
        bounds = [0, *gaps, len(values)]
        parts = []
        for number, (first, stop) in enumerate(itertools.pairwise(bounds)):
            if number:
                self.forget()
            parts.append(self._follow(inner_ns[first:stop], values[first:stop]))
        return np.concatenate(parts)

    def forget(self) -> None:
        """Begin anew: the next readings have none before them."""
        self._times, self._values = self._times[:0], self._values[:0]

    def state(self) -> dict[str, Any]:
        """Return what is remembered, fit for JSON."""
        return {"times": self._times.tolist(), "values": self._values.tolist()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state` returned."""
        self._times, self._values = np.array(state["times"], np.int64), np.array(state["values"], np.float64)

    def _follow(self, inner_ns: NDArray[np.int64], values: NDArray[np.float64]) -> Signs:
        if not len(values):
            return np.zeros(0, np.int8)
        self._remember(inner_ns, values)
        place = np.searchsorted(self._times, inner_ns - self._window_ns, "right") - 1
        if int(place[-1]) < 0:
            return np.zeros(len(values), np.int8)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            rate = (values - self._values[place]) / (inner_ns - self._times[place]) * 1e9
        rate[place < 0] = np.nan
        condition = self._condition
        if condition.direction == "falling":
            rate = -rate
        elif condition.direction == "either":
            rate = np.abs(rate)
        holds, is_back = rate > condition.above_per_s, rate <= condition.above_per_s - condition.hysteresis
        needed = max(int(place[-1]), 0)
        self._times, self._values = self._times[needed:], self._values[needed:]
        return holds.astype(np.int8) - is_back.astype(np.int8)

    def _remember(self, inner_ns: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        is_value = ~np.isnan(values)
        if not is_value.all():
            inner_ns, values = inner_ns[is_value], values[is_value]
        if not len(values):
            return
        slots = inner_ns // self._slot_ns
        before = int(self._times[-1]) // self._slot_ns if len(self._times) else -1
        first = np.flatnonzero(np.diff(slots, prepend=before))
        if len(first):
            self._times = np.concatenate((self._times, inner_ns[first]))
            self._values = np.concatenate((self._values, values[first]))


class ReferenceSigns:
    """How far a channel is from a stored course, from a moment of the session on."""

    def __init__(self, condition: ReferenceCondition) -> None:
        self._condition = condition
        self._times_s = np.array(condition.times_s)
        self._values = np.array(condition.values)
        self._moment_ns: int | None = None
        self._before: float | None = None

    def begin(self, started_ns: int | None) -> None:
        """A session begins; None: it is over."""
        self._moment_ns = started_ns if self._condition.align == "start" else None
        self._before = None

    def mark(self, text: str, time_ns: int) -> None:
        """A marker was put into the session."""
        if self._condition.align == "marker" and text.strip() == self._condition.marker.strip():
            self._moment_ns = time_ns

    def signs(self, time_ns: NDArray[np.int64], values: NDArray[np.float64]) -> Signs:
        """Return the signs of the session's next readings, shape (n,)."""
        begin = 0
        if self._condition.align == "trigger" and self._moment_ns is None:
            crossing = self._crossing(values)
            if crossing is not None:
                begin, self._moment_ns = crossing, int(time_ns[crossing])
        if self._moment_ns is None:
            return np.zeros(len(values), np.int8)
        condition = self._condition
        course = np.interp((time_ns - self._moment_ns) / 1e9, self._times_s, self._values, np.nan, np.nan)
        allowed = np.full(len(values), condition.absolute or 0.0)
        if condition.relative is not None:
            allowed = np.maximum(allowed, condition.relative * np.abs(course))
        with np.errstate(invalid="ignore"):
            distance = np.abs(values - course)
        signs: Signs = (distance > allowed).astype(np.int8) - (distance <= allowed - condition.hysteresis)
        signs[:begin] = 0
        return signs

    def state(self) -> dict[str, Any]:
        """Return what is remembered, fit for JSON."""
        return {"moment_ns": self._moment_ns, "before": self._before}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state` returned."""
        self._moment_ns, self._before = state["moment_ns"], state["before"]

    def _crossing(self, values: NDArray[np.float64]) -> int | None:
        """Return the first reading that has crossed the trigger's level."""
        given = np.flatnonzero(~np.isnan(values))
        if not len(given):
            return None
        now = values[given]
        first = now[0] if self._before is None else self._before
        before = np.concatenate(([first], now[:-1]))
        level = self._condition.level or 0.0
        is_rising = self._condition.edge == "rising"
        has_crossed = (before < level) & (now >= level) if is_rising else (before > level) & (now <= level)
        self._before = float(now[-1])
        found = np.flatnonzero(has_crossed)
        return int(given[found[0]]) if len(found) else None
