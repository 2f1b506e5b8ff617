"""What people are told of an alarm by e-mail and other hooks. Pure."""

from datetime import datetime

from blitz.data.alarm_records import AlarmCrossing, AlarmOccurrence
from blitz.data.hook_config import HookEvent
from blitz.data.hook_records import Telling


def raised_telling(occurrence: AlarmOccurrence) -> Telling:
    """Return what is told when an alarm is raised."""
    rule = occurrence.rule
    value = "" if occurrence.value is None else f" ({_value(occurrence, occurrence.value)})"
    sentences = [
        f"{rule.severity.value.capitalize()} alarm: {occurrence.words}.",
        f"It was raised at {_clock(occurrence.raised_at)}.",
    ]
    if occurrence.session_id is not None:
        sentences.append(f"Session {occurrence.session_id}, message {occurrence.seq}.")
    if rule.advice:
        sentences.append(rule.advice)
    if rule.is_latched:
        sentences.append("It stays in sight until somebody acknowledges it.")
    return Telling(
        event=HookEvent.ALARM,
        title=f"{rule.severity.value.capitalize()}: {rule.name}{value}",
        text=" ".join(sentences),
        source=occurrence.source,
        session_id=occurrence.session_id,
        subject=f"rule {occurrence.rule_id}",
    )


def cleared_telling(occurrence: AlarmOccurrence, crossing: AlarmCrossing) -> Telling:
    """Return what is told when it is over."""
    rule = occurrence.rule
    now = "" if crossing.value is None else f" ({_value(occurrence, crossing.value)})"
    lasted = ""
    if occurrence.cleared_at is not None:
        lasted = f" It lasted {_span((occurrence.cleared_at - occurrence.raised_at).total_seconds())}."
    return Telling(
        event=HookEvent.ALARM_OVER,
        title=f"Back to normal: {rule.name}{now}",
        text=f"Back to normal{now}: {occurrence.rule.words(occurrence.unit)}.{lasted} "
        f"It was raised at {_clock(occurrence.raised_at)}. Severity: {rule.severity.value}.",
        source=occurrence.source,
        session_id=occurrence.session_id,
        subject=f"rule {occurrence.rule_id}",
    )


def _value(occurrence: AlarmOccurrence, value: float) -> str:
    return f"{value:g} {occurrence.unit}".strip()


def _clock(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _span(seconds: float) -> str:
    """Return a span as people say it.

    >>> [_span(seconds) for seconds in (0.25, 12.3, 95, 7300)]
    ['0.2 s', '12 s', '1 min 35 s', '2 h 1 min']
    """
    whole = int(seconds)
    if whole < 10:
        return f"{seconds:.1f} s"
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole // 60 % 60} min"
