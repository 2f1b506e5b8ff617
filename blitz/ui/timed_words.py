"""What is said of timed runs: how long until a session stops, the next one follows, or a planned one starts. Pure."""

from dataclasses import dataclass
from datetime import datetime

from blitz.data.records import PlannedStart, SessionRecord
from blitz.ui.formats import format_count, format_duration
from blitz.ui.recording_words import long_words


@dataclass(frozen=True)
class Countdown:
    """What the server will do by itself with the running session.

    ``share`` tells how much of it is over, 0 to 1.
    """

    caption: str
    figure: str
    share: float
    sentences: tuple[str, ...]


def countdown_of(session: SessionRecord, now_s: float) -> Countdown | None:
    """Return what is left of a running session; None if it runs until somebody stops it.

    :param now_s: the server's time.
    """
    plan = session.plan
    if plan is None:
        return None
    ends: list[Countdown] = []
    if plan.ends_at is not None:
        left_s = max(0.0, plan.ends_at.timestamp() - now_s)
        whole_s = plan.duration_s or max(1.0, (plan.ends_at - session.started_at).total_seconds())
        at = moment_words(plan.ends_at, now_s)
        ends.append(_say("Stops in", left_words(left_s), 1 - left_s / whole_s, f"It is stopped at {at}."))
    if plan.message_count is not None:
        left = max(0, plan.message_count - session.message_count)
        words = f"It is stopped at {format_count(plan.message_count)} messages."
        ends.append(_say("Messages to go", format_count(left), session.message_count / plan.message_count, words))
    ends.sort(key=lambda end: -end.share)
    if plan.next_at is not None:
        left_s = max(0.0, plan.next_at.timestamp() - now_s)
        whole_s = plan.repeat_every_s or max(1.0, (plan.next_at - session.started_at).total_seconds())
        at = moment_words(plan.next_at, now_s)
        ends.append(_say("Next session in", left_words(left_s), 1 - left_s / whole_s, f"The next one follows at {at}."))
    if not ends:
        return None
    first = ends[0]
    return Countdown(first.caption, first.figure, first.share, tuple(words for end in ends for words in end.sentences))


def planned_words(planned: PlannedStart, now_s: float) -> str:
    """Say when a planned session starts.

    :param now_s: the server's time.
    """
    name = f"“{planned.name}”" if planned.name else "A session"
    left_s = planned.start_at.timestamp() - now_s
    if planned.waits:
        return f"{name} waits: {planned.waits}"
    left = f"in {left_words(left_s)}" if left_s < 3600 else f"in {long_words(left_s)}"
    return f"{name} starts at {moment_words(planned.start_at, now_s)} ({left})"


def left_words(seconds: float) -> str:
    """Write what is left of a time.

    >>> left_words(751), left_words(14350), left_words(-3)
    ('12:31', '3:59:10', '0:00')
    """
    if seconds >= 3600:
        return format_duration(seconds)
    whole = max(0, int(seconds))
    return f"{whole // 60}:{whole % 60:02}"


def moment_words(moment: datetime, now_s: float) -> str:
    """Write a time of the day, with its date where that is another one than today's."""
    local = moment.astimezone()
    is_today = local.date() == datetime.fromtimestamp(now_s).astimezone().date()
    return f"{local:%H:%M}" if is_today else f"{local:%Y-%m-%d %H:%M}"


def _say(caption: str, figure: str, share: float, sentence: str) -> Countdown:
    return Countdown(caption, figure, min(1.0, max(0.0, share)), (sentence,))
