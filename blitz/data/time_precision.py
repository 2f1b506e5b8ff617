"""In which unit times are answered: seconds since the Unix epoch, or a part of them. Pure."""

from enum import StrEnum


class TimePrecision(StrEnum):
    """The unit of a time."""

    SECOND = "s"
    MILLISECOND = "ms"
    MICROSECOND = "us"
    NANOSECOND = "ns"


SECOND, MILLISECOND, MICROSECOND, NANOSECOND = TimePrecision


def from_microseconds(time_us: int, precision: TimePrecision) -> int | float:
    """Return a time in that unit: a whole number, but for parts of a second where seconds are wanted.

    >>> from_microseconds(1_700_000_000_000_000, SECOND), from_microseconds(1_500_000, SECOND)
    (1700000000, 1.5)
    >>> [from_microseconds(1_500_400, unit) for unit in (MILLISECOND, MICROSECOND, NANOSECOND)]
    [1500, 1500400, 1500400000]
    """
    if precision is SECOND:
        seconds, rest_us = divmod(time_us, 1_000_000)
        return time_us / 1e6 if rest_us else seconds
    if precision is MILLISECOND:
        return round(time_us / 1000)
    return time_us if precision is MICROSECOND else time_us * 1000
