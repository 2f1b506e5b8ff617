"""Which sessions go by rule, and which never do."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from blitz.data.records import SessionRecord
from blitz.data.retention import GIGABYTE, Kept, RetentionAction, RetentionPlan, RetentionRule, plan_retention

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def kept(
    session_id: int,
    days_old: float = 1.0,
    gigabytes: float = 1.0,
    *,
    starred: bool = False,
    running: bool = False,
    trashed_days_ago: float | None = None,
) -> Kept:
    stopped_at = NOW - timedelta(days=days_old)
    record = SessionRecord(
        id=session_id,
        started_at=stopped_at - timedelta(hours=1),
        stopped_at=None if running else stopped_at,
        is_running=running,
        starred=starred,
        trashed_at=None if trashed_days_ago is None else NOW - timedelta(days=trashed_days_ago),
    )
    return Kept(record, int(gigabytes * GIGABYTE))


def going(plan: RetentionPlan) -> list[tuple[int, str]]:
    return [(step.session.id, step.action.value) for step in plan.steps]


def test_without_a_rule_nothing_goes_but_what_was_in_the_trash_for_long() -> None:
    plan = plan_retention(
        RetentionRule(), [kept(1, 4000)], [kept(2, trashed_days_ago=31), kept(3, trashed_days_ago=29)], 0, NOW
    )
    assert going(plan) == [(2, "purge")]
    assert plan.steps[0].reason == "It has been in the trash for 30 days or more."
    assert (plan.freed_bytes, plan.trashed_bytes) == (GIGABYTE, 0)
    assert plan.describe() == "1 session out of the trash for good, which frees 1.0 GB."


def test_old_sessions_go_to_the_trash_oldest_first() -> None:
    sessions = [kept(3, 10), kept(2, 91), kept(1, 200), kept(4, 300, starred=True), kept(5, 400, running=True)]
    plan = plan_retention(RetentionRule(keep_days=90), sessions, [], 0, NOW)
    assert going(plan) == [(1, "trash"), (2, "trash")]
    assert plan.steps[0].reason == "It is older than 90 days."
    assert plan.trashed_bytes == 2 * GIGABYTE
    assert plan.describe() == "2 sessions to the trash (2.0 GB)."


def test_stars_can_be_left_out_of_the_rule_and_still_nothing_starred_is_purged() -> None:
    rule = RetentionRule(keep_days=90, keep_starred=False, keep_free_gb=1000)
    plan = plan_retention(rule, [kept(1, 200, starred=True)], [kept(2, starred=True, trashed_days_ago=90)], 0, NOW)
    assert going(plan) == [(1, "trash")]


def test_when_room_is_short_the_trash_is_purged_first_and_no_more_than_needed() -> None:
    trash = [kept(1, trashed_days_ago=3), kept(2, trashed_days_ago=5), kept(3, trashed_days_ago=1)]
    plan = plan_retention(RetentionRule(keep_free_gb=10), [kept(9, 50)], trash, int(8.5 * GIGABYTE), NOW)
    assert going(plan) == [(2, "purge"), (1, "purge")]
    assert plan.steps[0].reason == "Less than 10 GB is free, and it has been in the trash for longest."


def test_when_the_trash_is_not_enough_the_oldest_sessions_go_there_and_stay_for_a_while() -> None:
    sessions = [kept(5, 1), kept(4, 2), kept(3, 30)]
    plan = plan_retention(
        RetentionRule(keep_free_gb=10), sessions, [kept(1, trashed_days_ago=1)], int(7.5 * GIGABYTE), NOW
    )
    assert going(plan) == [(1, "purge"), (3, "trash"), (4, "trash")]
    assert plan.steps[1].reason == "Less than 10 GB is free, and it is the oldest."
    assert (
        plan.describe() == "2 sessions to the trash (2.0 GB), 1 session out of the trash for good, which frees 1.0 GB."
    )


def test_with_room_enough_nothing_goes() -> None:
    plan = plan_retention(
        RetentionRule(keep_free_gb=10), [kept(1, 500)], [kept(2, trashed_days_ago=5)], 10 * GIGABYTE, NOW
    )
    assert plan.steps == ()
    assert plan.describe() == "Nothing goes."


def test_the_rule_is_a_sentence() -> None:
    assert RetentionRule().describe().startswith("No session goes by itself")
    text = RetentionRule(keep_free_gb=0.5, keep_starred=False, trash_days=1).describe()
    assert text == "The oldest sessions go to the trash when less than 0.5 GB is free. The trash is purged after 1 day."


rules = st.builds(
    RetentionRule,
    keep_days=st.one_of(st.none(), st.floats(0.01, 1000)),
    keep_starred=st.booleans(),
    keep_free_gb=st.one_of(st.none(), st.floats(0.01, 100)),
    trash_days=st.floats(0, 100),
)
sizes = st.floats(0, 20)
ages = st.floats(0, 2000)


@st.composite
def stores(draw: st.DrawFn) -> tuple[list[Kept], list[Kept]]:
    session = st.tuples(ages, sizes, st.booleans())
    sessions = [
        kept(number, age, size, starred=starred)
        for number, (age, size, starred) in enumerate(draw(st.lists(session, max_size=12)), 1)
    ]
    if draw(st.booleans()):
        sessions.append(kept(100, 0, draw(sizes), starred=draw(st.booleans()), running=True))
    trash = [
        kept(number, age, size, starred=starred, trashed_days_ago=draw(ages))
        for number, (age, size, starred) in enumerate(draw(st.lists(session, max_size=12)), 1000)
    ]
    return sessions, trash


@given(rules, stores(), st.floats(0, 120))
def test_no_rule_touches_what_runs_or_purges_what_is_starred(
    rule: RetentionRule, store: tuple[list[Kept], list[Kept]], free_gb: float
) -> None:
    sessions, trash = store
    plan = plan_retention(rule, sessions, trash, int(free_gb * GIGABYTE), NOW)
    listed, thrown = ({part.session.id for part in parts} for parts in store)
    ids = [step.session.id for step in plan.steps]
    assert len(ids) == len(set(ids))
    for step in plan.steps:
        assert not step.session.is_running
        assert step.reason.endswith(".")
        if step.action is RetentionAction.PURGE:
            assert step.session.id in thrown
            assert not step.session.starred
        else:
            assert step.session.id in listed
            assert not (step.session.starred and rule.keep_starred)
            assert rule.is_set
    by_action = {action: sum(s.bytes for s in plan.steps if s.action is action) for action in RetentionAction}
    assert (plan.freed_bytes, plan.trashed_bytes) == (
        by_action[RetentionAction.PURGE],
        by_action[RetentionAction.TRASH],
    )


@given(rules, stores(), st.floats(0, 120))
def test_no_more_goes_for_room_than_is_needed(
    rule: RetentionRule, store: tuple[list[Kept], list[Kept]], free_gb: float
) -> None:
    sessions, trash = store
    free = int(free_gb * GIGABYTE)
    plan = plan_retention(rule, sessions, trash, free, NOW)
    for_room = [step for step in plan.steps if "is free" in step.reason]
    if rule.keep_free_gb is None:
        assert not for_room
        return
    if for_room:
        # Without the last of them it would not have been enough.
        others = sum(step.bytes for step in plan.steps if step is not for_room[-1])
        if for_room[-1].action is RetentionAction.PURGE:
            others = sum(s.bytes for s in plan.steps if s.action is RetentionAction.PURGE and s is not for_room[-1])
        assert free + others < rule.keep_free_gb * GIGABYTE
    gone = {step.session.id for step in plan.steps}
    left = [k for k in trash if k.session.id not in gone and not k.session.starred]
    if left:
        assert free + plan.freed_bytes >= rule.keep_free_gb * GIGABYTE - 1


@given(rules, stores())
def test_a_plan_that_was_carried_out_needs_no_second_one_for_age(
    rule: RetentionRule, store: tuple[list[Kept], list[Kept]]
) -> None:
    sessions, trash = store
    plan = plan_retention(rule, sessions, trash, 10**15, NOW)
    gone = {step.session.id for step in plan.steps}
    again = plan_retention(
        rule,
        [k for k in sessions if k.session.id not in gone],
        [k for k in trash if k.session.id not in gone],
        10**15,
        NOW,
    )
    assert again.steps == ()
