"""Stretches of a channel around the times at which it passed a level, laid over each other. Pure."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blitz.data.series import Series
from blitz.data.triggers import Edge, Trigger, trigger_times

MOST_SWEEPS = 20
"""So many are laid over each other: with more, none can be told apart."""
MOST_SWEEP_POINTS = 100_000
_HYSTERESIS = 0.05


@dataclass(frozen=True)
class TriggerWish:
    """What an operator wants to see.

    :param level: None: the middle between the smallest and the largest value.
    :param hysteresis: None: a twentieth of what lies between the smallest and the largest value.
    :param before_s: how long before the trigger is shown.
    :param after_s: and how long behind it.
    """

    level: float | None = None
    edge: Edge = Edge.RISING
    hysteresis: float | None = None
    hold_off_s: float = 0.0
    before_s: float = 0.2
    after_s: float = 0.8

    def trigger(self, limits: tuple[float, float], max_gap_ns: int = 0) -> Trigger:
        """Return what is to be looked for in a channel with this smallest and this largest value.

        :param max_gap_ns: across a longer step nobody knows when the level was passed; 0: a step is never too long.
        """
        low, high = limits
        level = (low + high) / 2 if self.level is None else self.level
        hysteresis = _HYSTERESIS * (high - low) if self.hysteresis is None else self.hysteresis
        return Trigger(level, self.edge, hysteresis, self.hold_off_s, max_gap_ns / 1e9 or None)


@dataclass(frozen=True, eq=False)
class Sweep:
    """What was around one trigger.

    :param time_ns: of the trigger, since the Unix epoch.
    :param offsets_s: float64, shape (n,), seconds since the trigger.
    :param is_whole: whether its end had come.
    """

    time_ns: int
    offsets_s: NDArray[np.float64]
    values: NDArray[np.float64]
    is_whole: bool = True


def find_sweeps(series: Series, trigger: Trigger, wish: TriggerWish) -> tuple[tuple[Sweep, ...], int]:
    """Return what was around the last triggers of a series, oldest first, and how many triggers there were.

    :raises SeriesError: if the series is thinned.
    """
    times_ns = trigger_times(series, trigger)
    last = times_ns[-MOST_SWEEPS:].tolist()
    return tuple(cut_sweep(series.time_ns, series.values, at_ns, wish) for at_ns in last), len(times_ns)


def cut_sweep(time_ns: NDArray[np.int64], values: NDArray[np.float64], at_ns: int, wish: TriggerWish) -> Sweep:
    """Cut out what was around a trigger."""
    edges = at_ns - _ns(wish.before_s), at_ns + _ns(wish.after_s)
    begin, end = np.searchsorted(time_ns, edges[0]), np.searchsorted(time_ns, edges[1], "right")
    end = min(end, begin + MOST_SWEEP_POINTS)
    is_whole = bool(len(time_ns)) and int(time_ns[-1]) >= edges[1]
    return Sweep(at_ns, (time_ns[begin:end] - at_ns) / 1e9, values[begin:end].copy(), is_whole)


def opacity(place: int, count: int) -> int:
    """Return how much of its colour the n-th of so many sweeps has, of 255: the newest is bright.

    >>> opacity(4, 5), opacity(0, 5)
    (255, 45)
    """
    return 255 if place == count - 1 else round(45 + 75 * place / max(count - 1, 1))


def _ns(seconds: float) -> int:
    return round(seconds * 1e9) if math.isfinite(seconds) else 0
