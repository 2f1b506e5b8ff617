"""What is planned of runs, and what is kept of it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from blitz.data.plan_store import MOST_PLANNED, PlanStore
from blitz.data.records import PlannedStart, RunWishes, SessionPlan
from blitz.data.run_plans import (
    changed_plan,
    check_start_at,
    following_plan,
    is_followed,
    is_missed,
    moved_plan,
    name_of_next,
    plan_run,
)
from blitz.errors import ConfigError, PlanNotFound

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def after(**span: float) -> datetime:
    return NOON + timedelta(**span)


def plan(name: str = "", **wishes: float) -> SessionPlan:
    made = plan_run(RunWishes(**wishes), name, NOON, NOON)
    assert made is not None
    return made


def test_a_run_that_is_not_limited_has_no_plan() -> None:
    assert plan_run(RunWishes(), "x", NOON, NOON) is None


def test_a_run_that_began_late_ends_when_it_was_to_end() -> None:
    made = plan_run(RunWishes(duration_s=3600, repeat_every_s=600), "", NOON, after(minutes=20))
    assert made is not None
    assert (made.ends_at, made.next_at) == (after(minutes=60), after(minutes=30))


def test_sessions_follow_on_a_grid_and_those_that_were_missed_are_left_out() -> None:
    made = plan(repeat_every_s=600)
    second = following_plan(made, 7, after(minutes=10, seconds=1))
    assert (second.next_at, second.part) == (after(minutes=20), 2)
    later = following_plan(second, 7, after(minutes=47))
    assert (later.next_at, later.part) == (after(minutes=50), 3)


def test_the_number_of_messages_is_of_all_sessions_together() -> None:
    made = plan(message_count=1000, repeat_every_s=600)
    second = following_plan(made, 700, after(minutes=10))
    assert second.message_count == 300
    assert following_plan(second, 300, after(minutes=20)).message_count == 1


def test_no_session_follows_for_the_last_moment_of_a_run() -> None:
    assert is_followed(plan(repeat_every_s=600))
    assert is_followed(plan(repeat_every_s=600, duration_s=1300))
    assert not is_followed(plan(repeat_every_s=600, duration_s=600))
    assert not is_followed(plan(duration_s=600))


def test_names_count_where_one_was_given() -> None:
    second = following_plan(plan("soak", repeat_every_s=600), 0, after(minutes=10))
    assert name_of_next(second) == "soak_2"
    assert name_of_next(following_plan(plan(repeat_every_s=600), 0, NOON)) == ""
    assert len(name_of_next(following_plan(plan(200 * "x", repeat_every_s=600), 0, NOON))) == 200


def test_an_end_is_put_off_taken_away_and_set() -> None:
    made = changed_plan(None, {"left_s": 60.0}, "s", NOON, after(minutes=10))
    assert made is not None
    assert (made.ends_at, made.duration_s, made.name) == (after(minutes=11), 660.0, "s")
    longer = changed_plan(made, {"left_s": 600.0, "message_count": 9}, "s", NOON, after(minutes=10))
    assert longer is not None
    assert (longer.ends_at, longer.duration_s, longer.message_count) == (after(minutes=20), 1200.0, 9)
    assert changed_plan(longer, {"left_s": None, "message_count": None}, "s", NOON, NOON) is None


def test_sessions_that_are_to_follow_do_so_in_full_steps_from_the_beginning_or_from_now() -> None:
    soon = changed_plan(None, {"repeat_every_s": 600.0}, "s", NOON, after(minutes=4))
    assert soon is not None
    assert soon.next_at == after(minutes=10)
    late = changed_plan(None, {"repeat_every_s": 600.0}, "s", NOON, after(minutes=40))
    assert late is not None
    assert late.next_at == after(minutes=40)


def test_moments_move_with_the_clock() -> None:
    moved = moved_plan(plan(duration_s=600, repeat_every_s=60), timedelta(hours=1))
    assert (moved.ends_at, moved.next_at) == (after(minutes=70), after(minutes=61))


def test_a_start_may_be_late_by_less_than_its_duration_or_an_hour() -> None:
    short = PlannedStart(id=1, start_at=NOON, run=RunWishes(duration_s=60))
    assert [is_missed(short, after(seconds=s)) for s in (59, 60)] == [False, True]
    endless = PlannedStart(id=1, start_at=NOON)
    assert [is_missed(endless, after(minutes=m)) for m in (59, 60)] == [False, True]


def test_what_has_passed_or_is_years_away_cannot_be_planned() -> None:
    check_start_at(after(days=1000), NOON)
    for moment in (NOON, after(days=-1), after(days=2000)):
        with pytest.raises(ValueError, match="plan"):
            check_start_at(moment, NOON)


def test_planned_starts_are_kept_with_numbers_that_are_never_used_again(tmp_path: Path) -> None:
    run = RunWishes(duration_s=9)
    wanted = PlannedStart(id=0, start_at=NOON, name="night", tags=("t",), fields={"a": "b"}, run=run)
    with PlanStore(tmp_path / "server.db") as plans:
        first = plans.add(wanted)
        second = plans.add(wanted.model_copy(update={"follows": 7, "plan": plan(duration_s=9)}))
        assert first == wanted.model_copy(update={"id": first.id})
        plans.remove(second.id)
    with PlanStore(tmp_path / "server.db") as plans:
        assert plans.planned() == [first]
        assert plans.add(wanted).id > second.id
        with pytest.raises(PlanNotFound):
            plans.remove(second.id)


def test_not_too_many_are_planned() -> None:
    wanted = PlannedStart(id=0, start_at=NOON)
    with PlanStore(":memory:") as plans:
        for _ in range(MOST_PLANNED):
            plans.add(wanted)
        with pytest.raises(ConfigError, match="Cancel some"):
            plans.add(wanted)
