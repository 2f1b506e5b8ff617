"""What each reading says of an alarm's condition: it holds, it does not, or neither. Pure.

A *sign* is +1 where the condition begins to hold, -1 where it holds no longer, 0 in between: inside the hysteresis, or
where there is nothing to compare.
"""

from collections.abc import Mapping
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

Signs = NDArray[np.int8]


@dataclass(frozen=True)
class Bounds:
    """Level, band, equality and rate alike: the condition holds outside ``low`` to ``high``, or inside.

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
    """Return the bounds of a value, or of a rate; None where a condition has none."""
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
        case RateCondition():
            limit, back = condition.above_per_s, condition.hysteresis
            low = -_INF if condition.direction == "rising" else -limit
            high = _INF if condition.direction == "falling" else limit
            return Bounds(low, high, low + back, high - back, is_inside=False)
    return None


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
        course = self._course((time_ns - self._moment_ns) / 1e9)
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

    def _course(self, since_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where the channel should be, NaN where the course says nothing."""
        course: NDArray[np.float64] = np.interp(since_s, self._times_s, self._values, np.nan, np.nan)
        if self._condition.longest_s is not None:
            behind = np.clip(np.searchsorted(self._times_s, since_s), 1, len(self._times_s) - 1)
            is_gap = np.diff(self._times_s) > self._condition.longest_s
            course[is_gap[behind - 1] & (since_s > self._times_s[behind - 1]) & (since_s < self._times_s[behind])] = (
                np.nan
            )
        return course

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
