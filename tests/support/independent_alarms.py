"""When an alarm begins and ends, worked out reading by reading from an exported channel, as the documents say it."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd

SILENT_NS = 2_000_000_000
"""Three usual periods of sources that say something more often than every 0.6 s are less: then it is this."""
Sign = Callable[[int, float], int]
"""What a reading says: 1 it is an alarm, -1 it is none, 0 that it stays as it was."""


def crossings(
    column: pd.Series,
    sign: Sign,
    *,
    end_ns: int,
    on_delay_s: float = 0,
    off_delay_s: float = 0,
    on_nan: str = "ignore",
    on_gap: str = "hold",
    excused: tuple[int, int] = (0, 0),
) -> list[tuple[int, bool]]:
    """Return when the alarm is raised and cleared.

    :param column: all readings of the channel, those without a value too.
    :param excused: in this time nobody expected anything.
    """
    said = {"alarm": 1, "normal": -1}
    events: list[tuple[int, int]] = []
    before: int | None = None
    for time_ns, value in [*zip(column.index.tolist(), column.tolist(), strict=True), (end_ns + 1, None)]:
        if before is not None and time_ns - before > SILENT_NS and not before <= excused[0] <= time_ns:
            events.append((before + SILENT_NS, said.get(on_gap, 0)))
        if value is not None:
            events.append((time_ns, said.get(on_nan, 0) if np.isnan(value) else sign(time_ns, value)))
        before = time_ns
    events.append((end_ns, 0))
    return _walk(events, round(on_delay_s * 1e9), round(off_delay_s * 1e9))


def no_data(arrivals: Iterable[int], end_ns: int, after_ns: int, excused: tuple[int, int]) -> list[tuple[int, bool]]:
    """Return when a source is silent for too long, and when it is back."""
    events: list[tuple[int, int]] = []
    before: int | None = None
    for time_ns in [*arrivals, end_ns + 1]:
        if before is not None and time_ns - before > after_ns and not before <= excused[0] <= time_ns:
            events.append((before + after_ns, 1))
        if time_ns <= end_ns:
            events.append((time_ns, -1))
        before = time_ns
    return _walk(events, 0, 0)


def _walk(events: list[tuple[int, int]], on_delay_ns: int, off_delay_ns: int) -> list[tuple[int, bool]]:
    found: list[tuple[int, bool]] = []
    holds = is_raised = False
    since: int | None = None
    for time_ns, sign in events:
        if since is not None and since + (on_delay_ns if holds else off_delay_ns) <= time_ns:
            found.append((since + (on_delay_ns if holds else off_delay_ns), holds))
            is_raised, since = holds, None
        if sign and (sign > 0) != holds:
            holds = sign > 0
            since = None if holds == is_raised else time_ns
            if since is not None and not (on_delay_ns if holds else off_delay_ns):
                found.append((time_ns, holds))
                is_raised, since = holds, None
    return found


def outside(low: float, high: float, hysteresis: float = 0) -> Sign:
    """Return the sign of a value that should lie from one number to another."""

    def sign(_: int, value: float) -> int:
        if value < low or value > high:
            return 1
        return -1 if low + hysteresis <= value <= high - hysteresis else 0

    return sign


def inside(low: float, high: float, hysteresis: float = 0) -> Sign:
    """Return the sign of a value that should not lie between two numbers."""

    def sign(_: int, value: float) -> int:
        if low <= value <= high:
            return 1
        return -1 if value < low - hysteresis or value > high + hysteresis else 0

    return sign


def rates(column: pd.Series, window_s: float) -> pd.Series:
    """Return how fast a channel changes: since the newest remembered reading that is at least a window old.

    Of each 64th of the window the first reading is remembered; what was before a gap is not.
    """
    window_ns = round(window_s * 1e9)
    found: list[float] = []
    known: list[tuple[int, float]] = []
    before: int | None = None
    for time_ns, value in zip(column.index.tolist(), column.tolist(), strict=True):
        if before is not None and time_ns - before > SILENT_NS:
            known = []
        before = time_ns
        slot = window_ns // 64
        if not np.isnan(value) and (not known or time_ns // slot != known[-1][0] // slot):
            known.append((time_ns, value))
        old = [each for each in known[-200:] if each[0] <= time_ns - window_ns]
        found.append((value - old[-1][1]) / (time_ns - old[-1][0]) * 1e9 if old else np.nan)
    return pd.Series(found, index=column.index)


def off_course(times_s: Any, values: Any, zero_ns: Any, absolute: float, relative: float, hysteresis: float) -> Sign:
    """Return the sign of a value that should follow a course, from a moment on.

    :param zero_ns: gives the moment that counts at a time; None before it.
    """

    def sign(time_ns: int, value: float) -> int:
        zero = zero_ns(time_ns)
        if zero is None or not times_s[0] <= (time_ns - zero) / 1e9 <= times_s[-1]:
            return 0
        course = np.interp((time_ns - zero) / 1e9, times_s, values)
        allowed = max(absolute, relative * abs(course))
        distance = abs(value - course)
        return 1 if distance > allowed else -1 if distance <= allowed - hysteresis else 0

    return sign
