"""Timed runs with simulated boards and a real Redis: nothing is lost where one session follows another."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from waiting import wait_until

from blitz.config import SerialPort
from blitz.data.boards import load_definitions
from blitz.data.database_server import DatabaseServer
from blitz.data.plan_store import PlanStore
from blitz.data.records import ENOUGH_MESSAGES, FOLLOWED, TIME_OVER, LinkState, RunWishes, SessionPlan, SessionRecord
from blitz.errors import NoSession, PlanNotFound, StoreUnavailable
from blitz.io import blitz_device
from blitz.io.acquisition import Acquisition, AcquisitionOptions
from blitz.io.devices import DeviceOptions
from blitz.io.simulator import SimulatedBoard, message_number

BAUD = 921_600


@pytest.fixture
def plans() -> Iterator[PlanStore]:
    with PlanStore(":memory:") as plans:
        yield plans


@pytest.fixture(autouse=True)
def quick_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """No simulated board needs two seconds to boot."""
    monkeypatch.setattr(blitz_device, "LISTEN_S", 0.2)


@contextmanager
def acquiring(
    store: DatabaseServer, *ports: str, plans: PlanStore | None = None, **options: object
) -> Iterator[Acquisition]:
    devices = DeviceOptions([SerialPort(port, BAUD) for port in ports], scan_usb="off")
    acquisition = Acquisition(store, load_definitions(), AcquisitionOptions(devices, **options), None, plans)  # type: ignore[arg-type]
    acquisition.start()
    try:
        yield acquisition
    finally:
        acquisition.stop()


def known(acquisition: Acquisition) -> bool:
    return all(board.state in (LinkState.READY, LinkState.RECORDING) for board in acquisition.boards())


def numbers(store: DatabaseServer, session_id: int, source: int) -> list[int]:
    block = store.messages(session_id, 0, 100_000)
    return [message_number(m) for m, index in zip(block.messages(), block.source, strict=True) if index == source]


def sessions(store: DatabaseServer) -> list[SessionRecord]:
    """Oldest first, whole."""
    return [store.session(record.id) for record in reversed(store.sessions())]


def is_the_last(acquisition: Acquisition) -> bool:
    """Let no session follow the one that runs; say whether it still ran."""
    running = acquisition.running()
    with suppress(NoSession):
        return running is not None and bool(acquisition.planner.change(running.id, {"repeat_every_s": None}))
    return False


def test_sessions_of_a_run_follow_one_another_without_a_message_lost(store: DatabaseServer) -> None:
    with ExitStack() as stack:
        boards = [
            stack.enter_context(SimulatedBoard("08", rate_hz=300, ring=400, silence_s=0.1, baud=BAUD)),
            stack.enter_context(SimulatedBoard("09", rate_hz=100, ring=400, silence_s=0.1, baud=BAUD)),
            stack.enter_context(SimulatedBoard("08", rate_hz=500, streaming=True, silence_s=0.1, baud=BAUD)),
        ]
        acquisition = stack.enter_context(acquiring(store, *(board.path for board in boards)))
        acquisition.devices.scan()
        wait_until(lambda: known(acquisition))
        first = acquisition.start_session(
            "soak", "a note", "ann", tags=["t"], fields={"sample": "brass"}, run=RunWishes(repeat_every_s=1.0)
        )
        wait_until(lambda: len(store.available_sessions()) >= 4)
        wait_until(lambda: is_the_last(acquisition))
        wait_until(lambda: all(numbers(store, store.running_session() or 0, source) for source in range(3)))
        acquisition.stop_session(None)
        run = sessions(store)
        assert [record.id for record in run] == sorted(record.id for record in run)
        assert [record.name for record in run] == ["soak", *(f"soak_{n}" for n in range(2, len(run) + 1))]
        assert {(r.notes, r.owner, r.tags, r.fields["sample"]) for r in run} == {("a note", "ann", ("t",), "brass")}
        assert [record.stop_reason for record in run] == [FOLLOWED] * (len(run) - 1) + [""]
        assert all("no gaps, nothing lost, account balances" in record.verdict for record in run), [
            record.verdict for record in run
        ]
        assert first.plan is not None
        assert first.plan.next_at is not None
        for source in range(3):
            parts = [numbers(store, record.id, source) for record in run]
            assert all(parts)
            together = [number for part in parts for number in part]
            assert together == list(range(together[0], together[0] + len(together)))
        for before, after in pairwise(run):
            assert before.plan is not None
            assert before.stopped_at is not None
            assert after.started_at - before.stopped_at < timedelta(seconds=5)
            last = store.messages(before.id, before.message_count - 1, 1)
            begin = store.messages(after.id, 0, 1)
            assert int(begin.arrived_ns[0]) >= int(last.arrived_ns[0]) - 200_000_000


def test_a_run_ends_after_its_time_and_says_so(store: DatabaseServer) -> None:
    with acquiring(store) as acquisition:
        session = acquisition.start_session("s", run=RunWishes(duration_s=0.5))
        assert session.plan is not None
        assert session.plan.ends_at is not None
        wait_until(lambda: acquisition.running() is None)
        assert store.session(session.id).stop_reason == TIME_OVER


def test_a_run_ends_with_the_number_of_messages_over_all_of_its_sessions(store: DatabaseServer) -> None:
    with (
        SimulatedBoard("08", rate_hz=200, ring=400, silence_s=0.1, baud=BAUD) as board,
        acquiring(store, board.path) as acquisition,
    ):
        acquisition.devices.scan()
        wait_until(lambda: known(acquisition))
        acquisition.start_session("s", run=RunWishes(message_count=500, repeat_every_s=1.0))
        wait_until(lambda: len(store.available_sessions()) > 1 and acquisition.running() is None)
        run = sessions(store)
        count = sum(record.message_count for record in run)
        assert 500 <= count < 5000
        assert run[-1].stop_reason == ENOUGH_MESSAGES
        assert len(run) >= 2


def test_the_end_of_a_running_session_can_be_put_off_taken_away_and_set(store: DatabaseServer) -> None:
    with acquiring(store) as acquisition:
        session = acquisition.start_session("s", run=RunWishes(duration_s=3600))
        changed = acquisition.planner.change(session.id, {"left_s": 7200.0})
        assert changed.plan is not None
        assert changed.plan.ends_at is not None
        assert 7100 < (changed.plan.ends_at - datetime.now(UTC)).total_seconds() <= 7200
        assert store.session(session.id).plan == changed.plan
        assert acquisition.planner.change(session.id, {"left_s": None}).plan is None
        assert store.session(session.id).plan is None
        with pytest.raises(NoSession):
            acquisition.planner.change(session.id + 1, {"left_s": 1.0})
        acquisition.planner.change(session.id, {"left_s": 0.1})
        wait_until(lambda: acquisition.running() is None)
        assert store.session(session.id).stop_reason == TIME_OVER


def test_a_planned_start_takes_place_with_its_words_and_its_end(store: DatabaseServer, plans: PlanStore) -> None:
    with acquiring(store, plans=plans) as acquisition:
        planned = acquisition.planner.plan_start(
            datetime.now(UTC) + timedelta(seconds=2), RunWishes(duration_s=600), name="night", owner="ann", tags=["t"]
        )
        assert acquisition.status().planned == (planned,)
        wait_until(lambda: acquisition.running() is not None)
        running = acquisition.running()
        assert running is not None
        assert (running.name, running.owner, running.tags) == ("night", "ann", ("t",))
        assert running.plan is not None
        assert running.plan.ends_at == planned.start_at + timedelta(seconds=600)
        wait_until(lambda: not acquisition.status().planned)
        assert plans.planned() == []


def test_a_planned_start_waits_for_the_session_that_runs_and_can_be_cancelled(store: DatabaseServer) -> None:
    with acquiring(store) as acquisition:
        running = acquisition.start_session("s", owner="bob")
        planned = acquisition.planner.plan_start(datetime.now(UTC) + timedelta(seconds=0.2), RunWishes(), name="next")
        wait_until(lambda: acquisition.status().planned[0].waits)
        assert acquisition.status().planned[0].waits == f"Session {running.id} is being recorded by bob."
        other = acquisition.planner.plan_start(datetime.now(UTC) + timedelta(hours=1), RunWishes())
        acquisition.planner.starts.cancel(other.id)
        with pytest.raises(PlanNotFound):
            acquisition.planner.starts.cancel(other.id)
        acquisition.stop_session(None)
        wait_until(lambda: acquisition.running() is not None)
        following = acquisition.running()
        assert following is not None
        assert following.name == "next"
        assert planned.id != other.id


@pytest.mark.parametrize("duration_s", [600.0, None])
def test_a_start_that_was_missed_while_the_server_was_down_takes_place_late(
    store: DatabaseServer, plans: PlanStore, duration_s: float | None
) -> None:
    with acquiring(store, plans=plans) as acquisition:
        acquisition.planner.stop(10)  # as if the server had been killed
        acquisition.planner.plan_start(datetime.now(UTC) + timedelta(seconds=0.5), RunWishes(duration_s=duration_s))
        wait_until(lambda: acquisition.planner.starts.all()[0].start_at < datetime.now(UTC))
    with acquiring(store, plans=plans) as acquisition:
        wait_until(lambda: acquisition.running() is not None)


def test_a_start_whose_time_is_over_when_the_server_comes_back_is_missed_and_told(
    store: DatabaseServer, plans: PlanStore
) -> None:
    with acquiring(store, plans=plans) as acquisition:
        acquisition.planner.stop(10)
        planned = acquisition.planner.plan_start(
            datetime.now(UTC) + timedelta(seconds=0.3), RunWishes(duration_s=0.3), name="short"
        )
        wait_until(lambda: planned.start_at + timedelta(seconds=0.5) < datetime.now(UTC))
    with acquiring(store, plans=plans) as acquisition:
        wait_until(lambda: any("was missed" in notice.text for notice in acquisition.notices))
        assert acquisition.running() is None
        assert acquisition.status().planned == ()


def test_a_resumed_session_ends_by_the_time_of_day(store: DatabaseServer) -> None:
    with acquiring(store, on_stop="keep") as acquisition:
        acquisition.planner.stop(10)
        session = acquisition.start_session("s", run=RunWishes(duration_s=1.5))
    assert store.running_session() == session.id
    with acquiring(store) as acquisition:
        wait_until(lambda: acquisition.running() is None)
        assert store.session(session.id).stop_reason == TIME_OVER
        assert session.plan is not None
        assert session.plan.ends_at is not None
        assert datetime.now(UTC) >= session.plan.ends_at


def test_boards_that_are_away_or_lent_out_when_a_session_follows_come_back_into_it(
    store: DatabaseServer, tmp_path: Path
) -> None:
    link = tmp_path / "bench"
    with ExitStack() as stack:
        steady = stack.enter_context(SimulatedBoard("08", rate_hz=200, ring=400, silence_s=0.1, baud=BAUD))
        lent = stack.enter_context(SimulatedBoard("09", rate_hz=100, ring=400, silence_s=0.1, baud=BAUD))
        with SimulatedBoard("08", rate_hz=100, ring=400, silence_s=0.1, baud=BAUD, link_path=link):
            acquisition = stack.enter_context(acquiring(store, steady.path, lent.path, str(link)))
            acquisition.devices.scan()
            wait_until(lambda: known(acquisition))
            first = acquisition.start_session("s")
            wait_until(lambda: (acquisition.running() or first).message_count > 100)
        wait_until(lambda: state(acquisition, "bench") is LinkState.AWAY)
        name = next(board.name for board in acquisition.boards() if board.link == lent.path)
        acquisition.devices.release(name, 300, "ann")
        second = acquisition.follow_on(first.id, SessionPlan(part=1), FOLLOWED)
        acquisition.devices.retake(name, "ann")
        stack.enter_context(SimulatedBoard("08", rate_hz=100, ring=400, silence_s=0.1, baud=BAUD, link_path=link))
        wait_until(lambda: known(acquisition))
        wait_until(lambda: len({*store.messages(second.id, 0, 100_000).source.tolist()}) == 3)
        acquisition.stop_session(None)
        run = sessions(store)
        assert [record.id for record in run] == [first.id, second.id]
        assert all("account balances" in record.verdict for record in run)
        together = [number for record in run for number in numbers(store, record.id, 0)]
        assert together == list(range(together[0], together[0] + len(together)))
        gaps = {(record.id, gap.source, gap.reason) for record in run for gap in record.gaps}
        assert (first.id, 1, "released") in gaps
        assert (second.id, 1, "released") in gaps


def test_a_run_goes_on_in_its_session_while_redis_is_away(
    store: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        SimulatedBoard("08", rate_hz=200, ring=400, silence_s=0.1, baud=BAUD) as board,
        acquiring(store, board.path) as acquisition,
    ):
        acquisition.devices.scan()
        wait_until(lambda: known(acquisition))
        first = acquisition.start_session("s")
        wait_until(lambda: (acquisition.running() or first).message_count > 50)
        with monkeypatch.context() as away:
            away.setattr(acquisition, "_check_store", refuse)
            with pytest.raises(StoreUnavailable):
                acquisition.follow_on(first.id, SessionPlan(), FOLLOWED)
        count = (acquisition.running() or first).message_count
        wait_until(lambda: (acquisition.running() or first).message_count > count + 50)
        acquisition.stop_session(None)
        (record,) = sessions(store)
        assert set(np.diff(numbers(store, record.id, 0))) == {1}


def state(acquisition: Acquisition, name: str) -> LinkState:
    return next(board.state for board in acquisition.boards() if board.name == name)


def refuse() -> None:
    raise StoreUnavailable("Redis is away.")


@pytest.mark.parametrize("step_s", [3600, -3600])
def test_a_clock_that_was_set_makes_no_gap_where_the_next_session_begins(store: DatabaseServer, step_s: int) -> None:
    with (
        SimulatedBoard("08", rate_hz=200, ring=400, silence_s=0.1, baud=BAUD) as board,
        acquiring(store, board.path) as acquisition,
    ):
        acquisition.devices.scan()
        wait_until(lambda: known(acquisition))
        first = acquisition.start_session("s")
        acquisition._anchor_ns -= step_s * 1_000_000_000  # as if the clock had been set since
        wait_until(lambda: (acquisition.running() or first).message_count > 50)
        second = acquisition.follow_on(first.id, SessionPlan(), FOLLOWED)
        wait_until(lambda: store.count_messages(second.id) > 50)
        acquisition.stop_session(None)
        arrived_ns = store.messages(second.id, 0, 100_000).arrived_ns
        assert np.diff(arrived_ns).min() >= 0
        assert np.diff(arrived_ns).max() < 1_800 * 1_000_000_000
        is_on_time = abs(time.time_ns() - int(arrived_ns[0])) < 1_800 * 1_000_000_000
        assert is_on_time is (step_s > 0), "a clock that was set back counts from the next Start on"
        assert "no gaps" in store.session(second.id).verdict
