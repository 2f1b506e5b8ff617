"""The planner with clocks that a test sets, and a recorder that only notes what it is told."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from waiting import wait_until

from blitz.data.records import ENOUGH_MESSAGES, TIME_OVER, Event, RunWishes, SessionPlan, SessionRecord
from blitz.data.run_plans import plan_run
from blitz.errors import FieldsMissing, StoreUnavailable
from blitz.io import run_planner as module
from blitz.io.run_planner import RunPlanner

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Clocks:
    """The time of day, which may be set, and the one that only goes on."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.day = NOON

    def wait(self, seconds: float) -> None:
        self.now_s += seconds
        self.day += timedelta(seconds=seconds)

    def set(self, seconds: float) -> None:
        self.day += timedelta(seconds=seconds)


class Recorder:
    """Notes what the planner wants."""

    def __init__(self) -> None:
        self.session: SessionRecord | None = None
        self.done: list[str] = []
        self.notices: list[str] = []
        self.planner: RunPlanner | None = None
        self.is_away = False

    required_fields = ("sample",)

    def running(self) -> SessionRecord | None:
        return self.session

    def start_session(
        self,
        name: str = "",
        notes: str = "",
        owner: str = "",
        *,
        tags: Sequence[str] = (),
        fields: Mapping[str, str] | None = None,
        plan: SessionPlan | None = None,
    ) -> SessionRecord:
        if self.is_away:
            raise StoreUnavailable("Redis is away.")
        self.session = SessionRecord(id=1, name=name, started_at=NOON, is_running=True, plan=plan)
        self.done.append(f"start {name}")
        assert self.planner is not None
        self.planner.take(self.session)
        return self.session

    def stop_session(self, session_id: int | None, reason: str = "") -> SessionRecord:
        assert self.session is not None
        session, self.session = self.session, None
        self.done.append(reason)
        assert self.planner is not None
        self.planner.forget(session.id)
        return session

    def follow_on(self, session_id: int, plan: SessionPlan, reason: str) -> SessionRecord:
        self.done.append("follow on")
        return self.keep_plan(session_id, None)

    def keep_plan(self, session_id: int, plan: SessionPlan | None) -> SessionRecord:
        assert self.session is not None
        self.session = self.session.model_copy(update={"plan": plan})
        return self.session

    def notice(self, severity: str, text: str, source: str | None) -> None:
        self.notices.append(text)

    def post(self, event: Event) -> None: ...


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def planner(clocks: Clocks, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunPlanner]:
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    monkeypatch.setattr(module, "RETRY_S", 0.01)
    planner = RunPlanner(recorder, None, lambda: clocks.now_s, lambda: clocks.day)
    recorder.planner = planner
    planner.start()
    yield planner
    planner.stop(30)


def begin(recorder: Recorder, wishes: RunWishes, now: datetime = NOON) -> None:
    recorder.start_session("s", plan=plan_run(wishes, "s", now, now))


def ends_at(recorder: Recorder) -> datetime | None:
    return recorder.session.plan.ends_at if recorder.session is not None and recorder.session.plan else None


@pytest.mark.parametrize("step_s", [7200.0, -7200.0])
def test_a_clock_that_is_set_ends_no_run_early_or_late_and_the_end_that_is_shown_moves(
    planner: RunPlanner, clocks: Clocks, recorder: Recorder, step_s: float
) -> None:
    begin(recorder, RunWishes(duration_s=3600))
    clocks.wait(600)
    clocks.set(step_s)
    wait_until(lambda: ends_at(recorder) == NOON + timedelta(seconds=3600 + step_s))
    clocks.wait(2999)
    planner.wake()
    wait_until(lambda: not planner._is_woken)
    assert recorder.session is not None
    clocks.wait(2)
    wait_until(lambda: recorder.done == ["start s", TIME_OVER])


def test_a_planned_start_goes_by_the_time_of_day(planner: RunPlanner, clocks: Clocks, recorder: Recorder) -> None:
    with pytest.raises(FieldsMissing, match="sample"):
        planner.plan_start(NOON + timedelta(hours=2), RunWishes(), name="night")
    planner.plan_start(NOON + timedelta(hours=2), RunWishes(), name="night", fields={"sample": "brass"})
    assert recorder.done == []
    clocks.set(7200)
    wait_until(lambda: recorder.done == ["start night"])
    wait_until(lambda: planner.starts.all() == ())


def test_a_planned_start_waits_for_redis_and_says_so_once(
    planner: RunPlanner, clocks: Clocks, recorder: Recorder
) -> None:
    recorder.is_away = True
    planner.plan_start(NOON + timedelta(minutes=1), RunWishes(duration_s=600), name="night", fields={"sample": "x"})
    clocks.wait(61)
    wait_until(lambda: planner.starts.all()[0].waits == "Redis is away.")
    clocks.wait(60)
    recorder.is_away = False
    wait_until(lambda: recorder.done == ["start night"])
    assert ends_at(recorder) == NOON + timedelta(minutes=11)
    assert len(recorder.notices) == 1
    assert "cannot begin yet. Redis is away." in recorder.notices[0]


def test_a_run_ends_at_its_number_of_messages_when_it_is_woken(planner: RunPlanner, recorder: Recorder) -> None:
    begin(recorder, RunWishes(message_count=10))
    assert planner.wanted_count == 10
    assert recorder.session is not None
    recorder.session = recorder.session.model_copy(update={"message_count": 10})
    planner.wake()
    wait_until(lambda: recorder.done == ["start s", ENOUGH_MESSAGES])
    assert planner.wanted_count == float("inf")


def test_a_fault_ends_no_planner(
    planner: RunPlanner,
    clocks: Clocks,
    recorder: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    failed = threading.Event()

    def fail(*_: object) -> SessionRecord:
        failed.set()
        raise RuntimeError("a fault of ours")

    with monkeypatch.context() as faulty:
        faulty.setattr(recorder, "stop_session", fail)
        begin(recorder, RunWishes(duration_s=1))
        clocks.wait(2)
        assert failed.wait(30)
    wait_until(lambda: clocks.wait(1) or recorder.done == ["start s", TIME_OVER])
    assert any("The planner failed once" in record.message for record in caplog.records)
