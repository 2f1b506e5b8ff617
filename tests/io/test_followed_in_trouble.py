"""Redis is killed at each step from one session of a run to the next: each message is in one of the two, once."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from own_redis import running_redis
from waiting import wait_until

from blitz.config import SerialPort
from blitz.data.boards import load_definitions
from blitz.data.database_server import DatabaseServer
from blitz.data.records import FOLLOWED, LinkState, SessionPlan, SessionRecord
from blitz.errors import StoreUnavailable
from blitz.io import blitz_device
from blitz.io.acquisition import Acquisition, AcquisitionOptions
from blitz.io.devices import DeviceOptions
from blitz.io.simulator import SimulatedBoard, message_number

BAUD = 921_600

STEPS = (
    "appender.prepare_session before",
    "_intake_store.prepare_session after",
    "appender.prepare_session after",
    "devices.follow_on after",
    "_close_followed before",
    "_intake_store.follow_session after",
    "_accounting.finish before",
    "_accounting.finish after",
    "appender.show after",
)
"""A call of the acquisition, or of a part of it: Redis dies before it, or in it, so that its answer never comes."""


@dataclass
class Bench:
    """An acquisition with two boards whose messages are numbered, and a Redis that the test kills."""

    acquisition: Acquisition
    store: DatabaseServer
    kill: Callable[[], None]
    begin: Callable[[], object]
    restart: Callable[[], Acquisition]


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(blitz_device, "LISTEN_S", 0.2)
    with ExitStack() as stack:
        process = [stack.enter_context(running_redis(tmp_path))]
        store = DatabaseServer(f"unix://{tmp_path}/redis.sock")
        stack.callback(store.close)
        ports = [
            stack.enter_context(SimulatedBoard("08", rate_hz=200, ring=4000, silence_s=0.1, baud=BAUD)).path,
            stack.enter_context(
                SimulatedBoard("09", rate_hz=300, ring=4000, silence_s=0.1, baud=BAUD, streaming=True)
            ).path,
        ]
        options = AcquisitionOptions(
            DeviceOptions([SerialPort(port, BAUD) for port in ports], scan_usb="off"),
            spool_dir=tmp_path / "spool",
            on_stop="keep",
        )
        acquisition = Acquisition(store, load_definitions(), options)
        acquisition.start()
        stack.callback(acquisition.stop)

        def kill() -> None:
            process[-1].kill()
            process[-1].wait()

        def begin() -> None:
            process.append(stack.enter_context(running_redis(tmp_path)))

        def restart() -> Acquisition:
            acquisition.stop()  # which leaves the session as it is
            again = Acquisition(store, load_definitions(), options)
            again.start()
            stack.callback(again.stop)
            return again

        yield Bench(acquisition, store, kill, begin, restart)


def start(bench: Bench) -> SessionRecord:
    acquisition = bench.acquisition
    acquisition.devices.scan()
    wait_until(lambda: all(b.state in (LinkState.READY, LinkState.RECORDING) for b in acquisition.boards()))
    session = acquisition.start_session("soak", owner="ann")
    wait_until(lambda: count_of(acquisition) > 100)
    return session


def count_of(acquisition: Acquisition) -> int:
    running = acquisition.running()
    return 0 if running is None else running.message_count


def intercept(
    acquisition: Acquisition, step: str, fail: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> Callable[[], int]:
    """Let ``fail`` be called at a step, once; return what tells how often it was."""
    path, when = step.split()
    *parts, name = path.split(".")
    part: Any = acquisition
    for attribute in parts:
        part = getattr(part, attribute)
    call, calls = getattr(part, name), []

    def failing(*words: Any, **more: Any) -> Any:
        if calls:
            return call(*words, **more)
        calls.append(when)
        if when == "before":
            fail()
            return call(*words, **more)
        answer = call(*words, **more)
        fail()
        if "store" in path:
            raise StoreUnavailable("Redis died before it answered.")
        return answer

    monkeypatch.setattr(part, name, failing)
    return lambda: len(calls)


def numbers(store: DatabaseServer, record: SessionRecord, source: int) -> list[int]:
    block = store.messages(record.id, 0, 1_000_000)
    assert len(block) == record.message_count
    return [message_number(m) for m, row in zip(block.messages(), block.source, strict=True) if row == source]


def assert_nothing_lost(store: DatabaseServer, count: int) -> None:
    run = [store.session(record.id) for record in reversed(store.sessions())]
    assert len(run) == count
    assert all(
        "account balances" in record.verdict and "lost" not in record.verdict.replace("nothing lost", "")
        for record in run
    ), [record.verdict for record in run]
    assert all(not record.gaps for record in run)
    assert [record.stop_reason for record in run] == [FOLLOWED] * (count - 1) + [""]
    assert all(not record.is_running and record.stopped_at is not None for record in run)
    for source in range(2):
        parts = [numbers(store, record, source) for record in run]
        assert all(parts)
        together = [number for part in parts for number in part]
        assert together == list(range(together[0], together[0] + len(together)))


@pytest.mark.parametrize("step", STEPS)
def test_redis_dies_while_one_session_follows_another_and_stays_away(
    bench: Bench, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    acquisition = bench.acquisition
    first = start(bench)
    calls = intercept(acquisition, step, bench.kill, monkeypatch)
    second = acquisition.follow_on(first.id, SessionPlan(name="soak"), FOLLOWED)
    assert calls() == 1
    assert second.id == first.id + 1
    wait_until(lambda: acquisition.intake.first_spooled(second.id) is not None)
    begin = acquisition.intake.first_spooled(second.id) or 0  # what had entered Redis before it died is read later
    assert begin < 100
    wait_until(lambda: count_of(acquisition) >= begin + 300)
    shown = acquisition.messages(second.id, begin, 300).messages()
    assert len(shown) == 300, "they are shown from the spool"
    bench.begin()
    wait_until(lambda: acquisition.status().store.spooling_since is None and acquisition.status().store.is_up)
    assert bench.store.running_session() == second.id
    assert bench.store.messages(second.id, begin, 300).messages() == shown
    third = acquisition.follow_on(second.id, SessionPlan(name="soak", part=2), FOLLOWED)
    wait_until(lambda: count_of(acquisition) > 50)
    acquisition.stop_session(third.id)
    assert_nothing_lost(bench.store, 3)
    assert not list(bench.store.client.scan_iter(f"session_{third.id + 1}*"))


def test_redis_dies_before_the_next_session_has_an_id_and_the_run_goes_on_in_the_one_that_runs(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    acquisition = bench.acquisition
    first = start(bench)
    intercept(acquisition, "_store.reserve_session before", bench.kill, monkeypatch)
    with pytest.raises(StoreUnavailable):
        acquisition.follow_on(first.id, SessionPlan(), FOLLOWED)
    count = count_of(acquisition)
    wait_until(lambda: count_of(acquisition) > count + 100)
    bench.begin()
    wait_until(lambda: acquisition.status().store.spooling_since is None and acquisition.status().store.is_up)
    second = acquisition.follow_on(first.id, SessionPlan(), FOLLOWED)
    wait_until(lambda: count_of(acquisition) > 50)
    acquisition.stop_session(second.id)
    assert_nothing_lost(bench.store, 2)


@pytest.mark.parametrize("is_away", [False, True], ids=["server", "server and Redis"])
def test_a_server_that_dies_while_one_session_follows_another_goes_on_with_the_next(
    bench: Bench, is_away: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    acquisition = bench.acquisition
    first = start(bench)

    def die(session_id: int, reason: str, followed_by: int) -> int:
        if is_away:
            bench.kill()
            wait_until(lambda: (acquisition.intake.spool.next_seq(followed_by) or 0) > 50)
        wait_until(lambda: (acquisition.intake.next_seq(followed_by) or 0) > 50)
        raise RuntimeError("The server dies.")

    monkeypatch.setattr(acquisition, "_close_followed", die)
    with pytest.raises(RuntimeError):
        acquisition.follow_on(first.id, SessionPlan(name="soak", part=1), FOLLOWED)
    if is_away:
        acquisition.stop()
        bench.begin()
    again = bench.restart()
    running = again.running()
    assert running is not None
    assert (running.id, running.name, running.owner) == (first.id + 1, "soak_2", "ann")
    over = bench.store.session(first.id)
    assert (over.is_running, over.stop_reason) == (False, FOLLOWED)
    assert "nothing lost, account balances, the server was restarted once" in over.verdict
    count = running.message_count
    assert count > 50
    wait_until(lambda: count_of(again) > count + 100)
    stopped = again.stop_session(None)
    assert "account balances" in stopped.verdict
    assert {gap.reason for gap in stopped.gaps} == {"the server was restarted"}
    for source in range(2):
        together = [number for record in (over, stopped) for number in numbers(bench.store, record, source)]
        assert all(later > earlier for earlier, later in pairwise(together))
        border = len(numbers(bench.store, over, source))
        assert together[border] == together[border - 1] + 1, "nothing is missing between the two"
