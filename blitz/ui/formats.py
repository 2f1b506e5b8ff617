"""How numbers, times and durations are written on screen. Pure."""

import math
from collections.abc import Iterable
from datetime import datetime

from blitz.data.boards import Channel
from blitz.data.records import Account, Gap, RoomRecord

MISSING = "–"
"""What stands where there is no value."""
_SPANS = (("minute", 60, 90), ("hour", 3600, 48), ("day", 86_400, 730))
"""Units of long times, in seconds, and up to how many of them are told."""


def channel_decimals(channel: Channel) -> int:
    """Return how many decimals a channel's values need: as chosen, else from its smallest step (at most 6)."""
    if channel.decimals is not None:
        return channel.decimals
    if channel.table or channel.polynomial or channel.type in ("f32", "f64"):
        return 3
    step = abs(channel.scale / channel.divisor)
    if step == 0 or (step.is_integer() and channel.zero.is_integer()):
        return 0
    return min(6, max(1, math.ceil(-math.log10(step) - 1e-9)))


def fitting_decimals(channel: Channel, values: Iterable[float], at_least: int = 0) -> int:
    """Return how many decimals to show of these values.

    Numbers that come as text have no smallest step: there the values tell.

    :param at_least: how many are shown already: a last digit that happens to be 0 must not make a column jump.
    """
    decimals = channel_decimals(channel)
    if channel.column is None or channel.decimals is not None:
        return decimals
    return max(decimals, at_least, seen_decimals(values))


def seen_decimals(values: Iterable[float]) -> int:
    """Return how many decimals values have, at most 6, as far as their first six digits tell.

    >>> seen_decimals([23.01, 4.5, 100 / 3]), seen_decimals([]), seen_decimals([1e9, float("nan")])
    (4, 0, 0)
    """
    texts = (f"{value:.6g}" for value in values if math.isfinite(value) and 1e-6 <= abs(value) < 1e6)
    return max((min(6, len(text.partition(".")[2])) for text in texts if "e" not in text), default=0)


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


def message_words(count: int) -> str:
    """Write how many messages.

    >>> message_words(1), message_words(20)
    ('1 message', '20 messages')
    """
    return f"{format_count(count)} message{'' if count == 1 else 's'}"


def format_rate(rate_hz: float) -> str:
    """Write a rate of messages."""
    return f"{rate_hz:.1f}/s" if rate_hz < 100 else f"{format_count(round(rate_hz))}/s"


def format_bytes(count: int) -> str:
    """Write a size.

    >>> format_bytes(0), format_bytes(1_500_000), format_bytes(12_000_000_000)
    ('0 kB', '1.5 MB', '12 GB')
    """
    for unit, size in (("GB", 10**9), ("MB", 10**6)):
        if count >= size:
            value = count / size
            return f"{value:.1f} {unit}" if value < 10 else f"{format_count(round(value))} {unit}"
    return f"{count / 1000:.0f} kB"


def format_span(seconds: float) -> str:
    """Write a long time roughly, as people say it.

    >>> format_span(50), format_span(7000), format_span(20 * 3600), format_span(9e6), format_span(1e9)
    ('1 minute', '2 hours', '20 hours', '104 days', '32 years')
    """
    unit, length_s = next(
        ((unit, length_s) for unit, length_s, most in _SPANS if seconds < most * length_s), ("year", 31_557_600)
    )
    count = max(1, round(seconds / length_s))
    return f"{format_count(count)} {unit}{'' if count == 1 else 's'}"


def room_words(room: RoomRecord) -> str:
    """Say how long there is room for messages; empty where no end is in sight.

    >>> room_words(RoomRecord(full_in_s=30 * 3600, limited_by="disk"))
    'room for about 30 hours'
    """
    if room.level == "full" or room.full_in_s == 0:
        return "no room left"
    return f"room for about {format_span(room.full_in_s)}" if room.full_in_s is not None else ""


def format_moment(moment: datetime) -> str:
    """Write a date and time in the operator's time zone."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def format_start(moment: datetime, now: datetime) -> str:
    """Write when something began, as people say it, to the minute; both in the operator's time zone.

    >>> noon = datetime(2026, 3, 1, 12, 0)
    >>> [format_start(noon, noon.replace(day=day)) for day in (1, 2, 3)]
    ['today 12:00', 'yesterday 12:00', '2026-03-01 12:00']
    """
    days = (now.date() - moment.date()).days
    day = {0: "today", 1: "yesterday"}.get(days, f"{moment:%Y-%m-%d}")
    return f"{day} {moment:%H:%M}"


def gap_words(gap: Gap, missing: str = "messages") -> str:
    """Say what is known of a gap, and what is missing there: in a plot, a channel's readings.

    >>> gap_words(Gap(source=0, seq=9, from_ns=0, to_ns=47 * 10**9, reason="unplugged", lost=470, recovered=60))
    '47 s, unplugged, about 470 messages missing, 60 recovered'
    """
    seconds = (gap.to_ns - gap.from_ns) / 1e9
    words = [format_age(seconds), gap.reason] if seconds > 0 else [gap.reason]
    if gap.lost is not None:
        words.append(f"{'' if gap.is_exact else 'about '}{format_count(gap.lost)} {missing} missing")
    if gap.recovered:
        words.append(f"{format_count(gap.recovered)} recovered")
    return ", ".join(words)


def loss_words(accounts: Iterable[Account]) -> str:
    """Say in a line what was lost, by the accounts.

    >>> loss_words([Account(source=0)]), loss_words([Account(source=0, lost=3, is_lost_exact=True)])
    ('nothing lost', '3 lost, account balances')
    """
    accounts = tuple(accounts)
    lost, gaps = sum(account.lost for account in accounts), sum(account.gaps for account in accounts)
    words = [f"{format_count(gaps)} {'gap' if gaps == 1 else 'gaps'}"] if gaps else []
    if lost:
        is_exact = all(account.is_lost_exact for account in accounts if account.lost)
        words.append(f"{'' if is_exact else 'about '}{format_count(lost)} lost")
    elif all(account.is_lost_exact or account.recovered for account in accounts if account.gaps):
        words.append("nothing lost")
    else:
        words.append("loss not known yet")  # without numbers or a clock it is estimated at the end
    for what, count in (
        ("recovered", sum(account.recovered for account in accounts)),
        ("dropped, the store was away", sum(account.messages_dropped for account in accounts)),
        ("bad frames", sum(account.bad_frames for account in accounts)),
    ):
        if count:
            words.append(f"{format_count(count)} {what.removesuffix('s') if count == 1 else what}")
    faulty = [account.name for account in accounts if not account.is_balanced]
    if faulty:
        words.append(f"account of {', '.join(faulty)} does not balance")
    elif words != ["nothing lost"]:
        words.append("account balances")
    return ", ".join(words)


def file_stem(title: str) -> str:
    """Turn a title into a file's name that every system takes, without its ending.

    >>> file_stem("Pump: 40 %")
    'Pump- 40'
    """
    kept = "".join(char if char.isalnum() or char in " -_.,()" else "-" for char in title).strip(" .-")
    return kept or "session"
