"""Where a channel passes a level: as an oscilloscope triggers. Pure.

Values may come in any pieces: what is found does not depend on how they are cut.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from blitz.data.series import Series
from blitz.data.transforms_checks import require_all_points, require_number
from blitz.errors import SeriesError


class Edge(Enum):
    """Which way a level is passed."""

    RISING = "rising"
    FALLING = "falling"


@dataclass(frozen=True)
class Trigger:
    """A level, and what counts as passing it.

    :param hysteresis: so far on the other side of the level a value must have been before: noise triggers once.
    :param hold_off_s: what passes the level within so long after the last one that counted does not count.
    :param max_gap_s: behind a longer step without a value it is not known where the channel came from: it must first be
        on the other side again. None: a step is never too long.
    """

    level: float
    edge: Edge = Edge.RISING
    hysteresis: float = 0.0
    hold_off_s: float = 0.0
    max_gap_s: float | None = None

    def __post_init__(self) -> None:
        require_number("The level", self.level)
        for name, value in (("hysteresis", self.hysteresis), ("hold-off", self.hold_off_s), ("gap", self.max_gap_s)):
            if value is not None:
                require_number(f"The {name}", value)
                if value < 0:
                    raise SeriesError(f"The {name} is {value!r}: give 0 or more.")


class TriggerFinder:
    """Finds where one channel passes the level, in values that are added in the order of their times."""

    def __init__(self, trigger: Trigger) -> None:
        self.trigger = trigger
        self._last: tuple[int, float] | None = None
        self._side = 0
        """-1: it has been on the side that it must come from; 1: it passed, or is beyond; 0: not known."""
        self._fired_ns: int | None = None

    def add(self, time_ns: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return when the level was passed, int64, shape (n,): on the straight line between the values beside it.

        A NaN counts as no value: the values before and behind it follow each other.
        """
        is_value = ~np.isnan(values)
        if not is_value.all():
            time_ns, values = time_ns[is_value], values[is_value]
        if not len(values):
            return np.empty(0, np.int64)
        sign = 1.0 if self.trigger.edge is Edge.RISING else -1.0
        over = (values - self.trigger.level) * sign
        sides = np.zeros(len(over), np.int8)
        far = self.trigger.hysteresis
        sides[over <= -far if far else over < 0] = -1
        sides[over >= 0] = 1
        known_ns = time_ns if self._last is None else np.concatenate([[self._last[0]], time_ns])
        known = over if self._last is None else np.concatenate([[self._last[1]], over])
        shift = len(known) - len(over)
        filled = self._filled(sides, np.diff(known_ns), shift)
        before = np.concatenate([[self._side], filled[:-1]])
        before[self._after_gap(np.diff(known_ns), shift, len(over))] = 0
        places = np.flatnonzero((filled == 1) & (before == -1)) + shift
        self._side, self._last = int(filled[-1]), (int(time_ns[-1]), float(over[-1]))
        return self._accepted(_passed(known_ns, known, places))

    def _filled(self, sides: NDArray[np.int8], steps_ns: NDArray[np.int64], shift: int) -> NDArray[np.int8]:
        """Put into values between the sides what the last one before them was on; nothing is known behind a gap."""
        is_known = sides != 0
        is_known[self._after_gap(steps_ns, shift, len(sides))] = True
        place = np.where(is_known, np.arange(len(sides)), -1)
        place = np.maximum.accumulate(place)
        filled = np.where(place >= 0, sides[place], np.int8(self._side))
        return np.asarray(filled, np.int8)

    def _after_gap(self, steps_ns: NDArray[np.int64], shift: int, count: int) -> NDArray[np.intp]:
        if self.trigger.max_gap_s is None:
            return np.empty(0, np.intp)
        after = np.flatnonzero(steps_ns > round(self.trigger.max_gap_s * 1e9)) + 1 - shift
        return after[(after >= 0) & (after < count)]

    def _accepted(self, found_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        hold_ns = round(self.trigger.hold_off_s * 1e9)
        if not hold_ns:
            return found_ns
        accepted: list[int] = []
        place = 0
        while place < len(found_ns):
            if self._fired_ns is not None:
                place = max(place, int(np.searchsorted(found_ns, self._fired_ns + hold_ns)))
                if place >= len(found_ns):
                    break
            self._fired_ns = int(found_ns[place])
            accepted.append(self._fired_ns)
            place += 1
        return np.array(accepted, np.int64)


def trigger_times(series: Series, trigger: Trigger) -> NDArray[np.int64]:
    """Return when a series passed a level, nanoseconds since the Unix epoch, int64, shape (n,).

    :raises SeriesError: if the series is thinned.
    """
    require_all_points(series)
    return TriggerFinder(trigger).add(series.time_ns, series.values)


def _passed(time_ns: NDArray[np.int64], over: NDArray[np.float64], places: NDArray[np.intp]) -> NDArray[np.int64]:
    """Return when straight lines to the values at these places pass 0."""
    before, behind = over[places - 1], over[places]
    with np.errstate(all="ignore"):
        share = np.nan_to_num(-before / (behind - before), nan=1.0, posinf=1.0, neginf=1.0)
    steps_ns = time_ns[places] - time_ns[places - 1]
    # Within the hysteresis the line may begin beyond the level: then it is the value itself.
    return np.asarray(time_ns[places - 1] + np.rint(steps_ns * np.clip(share, 0, 1)).astype(np.int64), np.int64)
