"""Durations and moments as operators type them, and read them."""

import re
from datetime import datetime, timedelta

import typer

_UNITS_S = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([dhms])")
_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2})?")


def parse_duration(text: str, option: str) -> float:
    """Read a duration such as ``90``, ``10m`` or ``1h30m``; return seconds.

    :raises typer.BadParameter: if it is none, naming the option.

    >>> parse_duration("1h30m", "--for"), parse_duration("90", "--for")
    (5400.0, 90.0)
    """
    word = text.strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", word):
        seconds = float(word)
    elif re.fullmatch(rf"({_PART.pattern}\s*)+", word):
        seconds = sum(float(number) * _UNITS_S[unit] for number, unit in _PART.findall(word))
    else:
        raise typer.BadParameter(
            f"{text!r} is no duration such as 90 (seconds), 10m, 4h, 1h30m or 2d.", param_hint=option
        )
    if seconds <= 0:
        raise typer.BadParameter("it must be longer than nothing.", param_hint=option)
    return seconds


def parse_moment(text: str, option: str, now: datetime) -> datetime:
    """Read a moment: ``14:00``, today or else tomorrow; ``2026-11-22T14:00``; or ``+10m`` from now.

    :param now: with a time zone, which is taken for what is typed without one.
    :raises typer.BadParameter: if it is none, naming the option.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    >>> f"{parse_moment('11:30', '--at', noon):%d %H:%M}", f"{parse_moment('+90', '--at', noon):%H:%M:%S}"
    ('23 11:30', '12:01:30')
    """
    word = text.strip()
    if word.startswith("+"):
        return now + timedelta(seconds=parse_duration(word[1:], option))
    try:
        if _CLOCK.fullmatch(word):
            hour, minute, *second = map(int, word.split(":"))
            moment = now.replace(hour=hour, minute=minute, second=second[0] if second else 0, microsecond=0)
            return moment if moment > now else moment + timedelta(days=1)
        moment = datetime.fromisoformat(word)
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=now.tzinfo)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is no moment such as 14:00, 2026-11-22T14:00 or +10m.", param_hint=option
        ) from None
