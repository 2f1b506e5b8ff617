"""What is planned of runs: from what was wished to the moments at which the server does something. Pure.

A run is one session, or several that follow one another without a break. Moments are given; who reads clocks, and
keeps what is planned, is :mod:`blitz.io.run_planner`.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from blitz.data.records import PlannedStart, RunWishes, SessionPlan
from blitz.data.session_words import NAME_LENGTH

PATIENCE: Final = timedelta(hours=1)
"""How late a planned start may be that has no duration."""
FURTHEST: Final = timedelta(days=3 * 366)
TOO_SHORT: Final = timedelta(seconds=1)
"""No session follows for so short a rest of a run."""


def plan_run(wishes: RunWishes, name: str, begin: datetime, now: datetime) -> SessionPlan | None:
    """Return the plan of a run's first session; None where it goes on until somebody stops it.

    :param begin: when the run begins, or should have begun.
    :param now: when it does begin.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    >>> plan = plan_run(RunWishes(duration_s=600), "", noon, noon)
    >>> f"{plan.ends_at:%H:%M}"
    '12:10'
    """
    if wishes.is_open:
        return None
    every = wishes.repeat_every_s
    return SessionPlan(
        ends_at=None if wishes.duration_s is None else begin + timedelta(seconds=wishes.duration_s),
        duration_s=wishes.duration_s,
        message_count=wishes.message_count,
        next_at=None if every is None else now + timedelta(seconds=every),
        repeat_every_s=every,
        name=name,
    )


def following_plan(plan: SessionPlan, message_count: int, now: datetime) -> SessionPlan:
    """Return the plan of the session that follows: moments that have passed are left out.

    :param message_count: messages that the session before has.
    """
    every = timedelta(seconds=plan.repeat_every_s or 0.0)
    next_at = plan.next_at
    if next_at is not None and every:
        missed = max((now - next_at) // every, 0)
        next_at += (missed + 1) * every
    left = None if plan.message_count is None else max(plan.message_count - message_count, 1)
    return plan.model_copy(update={"next_at": next_at, "message_count": left, "part": plan.part + 1})


def changed_plan(
    plan: SessionPlan | None, changes: Mapping[str, float | int | None], name: str, started_at: datetime, now: datetime
) -> SessionPlan | None:
    """Return a running session's plan as it is after changes; None where nothing is planned any more.

    :param changes: ``left_s``, ``message_count``, ``repeat_every_s``; None takes something away.
    :param name: for the sessions that follow, where there was no plan.
    """
    plan = plan or SessionPlan(name=name)
    fields: dict[str, object] = {}
    if "left_s" in changes:
        left_s = changes["left_s"]
        ends_at = None if left_s is None else now + timedelta(seconds=left_s)
        began_at = started_at
        if plan.ends_at is not None and plan.duration_s is not None:
            began_at = plan.ends_at - timedelta(seconds=plan.duration_s)
        fields |= {"ends_at": ends_at, "duration_s": ends_at and (ends_at - began_at).total_seconds()}
    if "message_count" in changes:
        fields["message_count"] = changes["message_count"]
    if "repeat_every_s" in changes:
        every_s = changes["repeat_every_s"]
        fields["repeat_every_s"] = every_s
        fields["next_at"] = (
            None if every_s is None else max(started_at, now - timedelta(seconds=every_s)) + timedelta(seconds=every_s)
        )
    plan = plan.model_copy(update=fields)
    return None if plan.ends_at is None and plan.message_count is None and plan.next_at is None else plan


def moved_plan(plan: SessionPlan, step: timedelta) -> SessionPlan:
    """Return the plan after the clock was set: what is left stays what it was."""
    return plan.model_copy(
        update={
            "ends_at": None if plan.ends_at is None else plan.ends_at + step,
            "next_at": None if plan.next_at is None else plan.next_at + step,
        }
    )


def is_followed(plan: SessionPlan) -> bool:
    """Whether another session comes behind this one, by plan."""
    return plan.next_at is not None and (plan.ends_at is None or plan.ends_at > plan.next_at + TOO_SHORT)


def name_of_next(plan: SessionPlan) -> str:
    """Return the name of the session that has this plan; empty where the server makes one by its pattern.

    >>> name_of_next(SessionPlan(name="soak", part=2)), name_of_next(SessionPlan(part=2))
    ('soak_2', '')
    """
    if not plan.name or plan.part == 1:
        return plan.name
    number = f"_{plan.part}"
    return plan.name[: NAME_LENGTH - len(number)] + number


def is_missed(planned: PlannedStart, now: datetime) -> bool:
    """Whether it is too late for a planned start."""
    return now >= last_moment(planned)


def last_moment(planned: PlannedStart) -> datetime:
    """Return until when a planned start may be late."""
    duration_s = planned.run.duration_s
    return planned.start_at + (PATIENCE if duration_s is None else timedelta(seconds=duration_s))


def check_start_at(start_at: datetime, now: datetime) -> None:
    """:raises ValueError: if nothing can be planned for that moment."""
    if start_at <= now:
        raise ValueError(f"Nothing can be planned for {start_at:%Y-%m-%d %H:%M:%S}, which has passed on the server.")
    if start_at > now + FURTHEST:
        raise ValueError(f"{start_at:%Y-%m-%d} is too far away: plan at most three years ahead.")
