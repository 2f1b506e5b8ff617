"""Retention: which sessions go, and why.

Pure: sessions, sizes, the disk's free room and the clock in; a plan out. What the plan says is carried out by
:mod:`blitz.io.session_keeper`, through the trash. A session goes to the trash because it is old, or because it is the
oldest while room is short; out of the trash, for good, because its time there is over, or because room is short. What
goes to the trash in one plan is never purged by the same plan: there is time to take it out. Nothing that runs is
touched, and nothing that is starred is deleted for good.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import AwareDatetime, Field

from blitz.data.records import Record, SessionRecord
from blitz.data.room import size_words

GIGABYTE = 1_000_000_000


@dataclass(frozen=True)
class RetentionRule:
    """What is kept; the settings of these names."""

    keep_days: float | None = None
    keep_starred: bool = True
    keep_free_gb: float | None = None
    trash_days: float = 30.0

    @property
    def is_set(self) -> bool:
        """Whether sessions go by themselves."""
        return self.keep_days is not None or self.keep_free_gb is not None

    def describe(self) -> str:
        """Return the rule as a sentence.

        >>> RetentionRule(keep_days=90, keep_free_gb=10).describe()
        'Sessions older than 90 days go to the trash; so do the oldest when less than 10 GB is free. Starred sessions \
are kept. The trash is purged after 30 days.'
        """
        parts = []
        if self.keep_days is not None:
            parts.append(f"Sessions older than {_days(self.keep_days)} go to the trash")
        if self.keep_free_gb is not None:
            room = f"when less than {self.keep_free_gb:g} GB is free"
            parts.append(f"so do the oldest {room}" if parts else f"The oldest sessions go to the trash {room}")
        if not parts:
            parts = ["No session goes by itself: neither keep_days nor keep_free_gb is set"]
        starred = "Starred sessions are kept. " if self.keep_starred else ""
        return f"{'; '.join(parts)}. {starred}The trash is purged after {_days(self.trash_days)}."


class RetentionAction(StrEnum):
    """What becomes of a session."""

    TRASH = "trash"
    """To the trash, from which it can be restored."""
    PURGE = "purge"
    """Out of the trash, for good."""


class RetentionStep(Record):
    """One session that goes."""

    session: SessionRecord
    action: RetentionAction
    reason: str = Field(description="why, as a sentence")
    bytes: int = Field(description="about what it takes, in Redis and in the archive")


class RetentionPlan(Record):
    """What retention does at one moment, or would do."""

    rule: str = Field(description="the rule as a sentence")
    made_at: AwareDatetime
    free_bytes: int = Field(description="of the disk that is fullest")
    steps: tuple[RetentionStep, ...] = ()
    freed_bytes: int = Field(0, description="about what becomes free at once: sessions purged from the trash")
    trashed_bytes: int = Field(0, description="about what becomes free when those that go to the trash are purged")

    def describe(self) -> str:
        """Return what it comes to, as a sentence."""
        if not self.steps:
            return "Nothing goes."
        trashed = sum(step.action is RetentionAction.TRASH for step in self.steps)
        purged = len(self.steps) - trashed
        parts = []
        if trashed:
            parts.append(f"{_sessions(trashed)} to the trash ({size_words(self.trashed_bytes)})")
        if purged:
            parts.append(f"{_sessions(purged)} out of the trash for good, which frees {size_words(self.freed_bytes)}")
        return f"{', '.join(parts)}."


@dataclass(frozen=True)
class Kept:
    """A session and what it takes."""

    session: SessionRecord
    bytes: int


def plan_retention(
    rule: RetentionRule, sessions: Sequence[Kept], trash: Sequence[Kept], free_bytes: int, now: datetime
) -> RetentionPlan:
    """Decide what goes.

    :param sessions: all that are not in the trash, in any order.
    :param trash: all that are, each with the moment of its deletion.
    :param free_bytes: what is free on the disk that is fullest.
    """
    steps = [*_purge_old(rule, trash, now)]
    purged = {step.session.id for step in steps}
    missing = 0.0
    if rule.keep_free_gb is not None:
        missing = rule.keep_free_gb * GIGABYTE - free_bytes - sum(step.bytes for step in steps)
        for step in _purge_for_room(rule, [kept for kept in trash if kept.session.id not in purged], missing):
            steps.append(step)
            missing -= step.bytes
    trashed = [*_trash_old(rule, sessions, now)]
    gone = {step.session.id for step in trashed}
    missing -= sum(step.bytes for step in trashed)
    if rule.keep_free_gb is not None:
        trashed += _trash_for_room(rule, [kept for kept in sessions if kept.session.id not in gone], missing)
    return RetentionPlan(
        rule=rule.describe(),
        made_at=now,
        free_bytes=free_bytes,
        steps=(*steps, *trashed),
        freed_bytes=sum(step.bytes for step in steps),
        trashed_bytes=sum(step.bytes for step in trashed),
    )


def _purge_old(rule: RetentionRule, trash: Iterable[Kept], now: datetime) -> Iterable[RetentionStep]:
    limit = now - timedelta(days=rule.trash_days)
    for kept in sorted(filter(_may_be_purged, trash), key=_trashed_at):
        if _trashed_at(kept) <= limit:
            yield _step(kept, RetentionAction.PURGE, f"It has been in the trash for {_days(rule.trash_days)} or more.")


def _purge_for_room(rule: RetentionRule, trash: Iterable[Kept], missing: float) -> Iterable[RetentionStep]:
    for kept in sorted(filter(_may_be_purged, trash), key=_trashed_at):
        if missing <= 0:
            return
        missing -= kept.bytes
        yield _step(kept, RetentionAction.PURGE, f"{_short(rule)}, and it has been in the trash for longest.")


def _trash_old(rule: RetentionRule, sessions: Iterable[Kept], now: datetime) -> Iterable[RetentionStep]:
    if rule.keep_days is None:
        return
    limit = now - timedelta(days=rule.keep_days)
    for kept in sorted(sessions, key=_ended_at):
        if _may_go(rule, kept) and _ended_at(kept) <= limit:
            yield _step(kept, RetentionAction.TRASH, f"It is older than {_days(rule.keep_days)}.")


def _trash_for_room(rule: RetentionRule, sessions: Iterable[Kept], missing: float) -> Iterable[RetentionStep]:
    for kept in sorted(sessions, key=_ended_at):
        if missing <= 0:
            return
        if _may_go(rule, kept):
            missing -= kept.bytes
            yield _step(kept, RetentionAction.TRASH, f"{_short(rule)}, and it is the oldest.")


def _may_go(rule: RetentionRule, kept: Kept) -> bool:
    session = kept.session
    if session.is_running or session.stopped_at is None:
        return False
    return not (session.starred and rule.keep_starred)


def _may_be_purged(kept: Kept) -> bool:
    return not kept.session.starred and not kept.session.is_running and kept.session.trashed_at is not None


def _ended_at(kept: Kept) -> datetime:
    return kept.session.stopped_at or kept.session.started_at


def _trashed_at(kept: Kept) -> datetime:
    assert kept.session.trashed_at is not None
    return kept.session.trashed_at


def _step(kept: Kept, action: RetentionAction, reason: str) -> RetentionStep:
    return RetentionStep(session=kept.session.brief(), action=action, reason=reason, bytes=kept.bytes)


def _short(rule: RetentionRule) -> str:
    return f"Less than {rule.keep_free_gb:g} GB is free"


def _sessions(count: int) -> str:
    return f"{count} session{'s' if count != 1 else ''}"


def _days(days: float) -> str:
    return f"{days:g} day{'s' if days != 1 else ''}"
