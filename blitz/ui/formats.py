"""How numbers, times and durations are written on screen. Pure."""

import math
from datetime import datetime

from blitz.data.boards import Channel

MISSING = "–"
"""What stands where there is no value."""


def channel_decimals(channel: Channel) -> int:
    """Return how many decimals a channel's values need, from the size of its smallest step (at most 6)."""
    step = abs(channel.scale / channel.divisor) if channel.divisor else 1.0
    if step == 0 or (step.is_integer() and channel.zero.is_integer()):
        return 0
    return min(6, max(1, math.ceil(-math.log10(step) - 1e-9)))


def format_value(value: float, decimals: int) -> str:
    """Write a reading.

    >>> format_value(2.5, 2), format_value(float("nan"), 0)
    ('2.50', '–')
    """
    return f"{value:.{decimals}f}" if math.isfinite(value) else MISSING


def format_duration(seconds: float) -> str:
    """Write a length of time as hours, minutes and seconds.

    >>> format_duration(3725.9)
    '1:02:05'
    """
    whole = max(0, int(seconds))
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"


def format_age(seconds: float) -> str:
    """Write how long ago something was: tenths below ten seconds, then s, min, h.

    >>> format_age(0.42), format_age(42), format_age(90), format_age(7200)
    ('0.4 s', '42 s', '2 min', '2.0 h')
    """
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def format_count(count: int) -> str:
    """Write a count with thin spaces between thousands.

    >>> format_count(1234567).split()
    ['1', '234', '567']
    """
    return f"{count:,}".replace(",", "\u202f")


def format_rate(rate_hz: float) -> str:
    """Write a rate of messages."""
    return f"{rate_hz:.1f}/s" if rate_hz < 100 else f"{format_count(round(rate_hz))}/s"


def format_moment(moment: datetime) -> str:
    """Write a date and time in the operator's time zone."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
