"""Sessions that follow one another where the store fails in that very moment: the run goes on, and loses nothing."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from waiting import wait_until

from blitz.config import SerialPort
from blitz.data.boards import load_definitions
from blitz.data.database_server import DatabaseServer
from blitz.data.plan_store import PlanStore
from blitz.data.records import FOLLOWED, LinkState, RunWishes, SessionPlan, SessionRecord
from blitz.errors import NoSession, StoreUnavailable
from blitz.io import acquisition_sessions, blitz_device
from blitz.io.acquisition import Acquisition, AcquisitionOptions
from blitz.io.devices import DeviceOptions
from blitz.io.simulator import SimulatedBoard, message_number

BAUD = 921_600


@contextmanager
def acquiring(store: DatabaseServer, *ports: str, plans: PlanStore | None = None) -> Iterator[Acquisition]:
    devices = DeviceOptions([SerialPort(port, BAUD) for port in ports], scan_usb="off")
    acquisition = Acquisition(store, load_definitions(), AcquisitionOptions(devices), None, plans)
    acquisition.start()
    try:
        yield acquisition
    finally:
        acquisition.stop()


@pytest.fixture
def recording(store: DatabaseServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Acquisition, SessionRecord]]:
    """A board whose messages are numbered, and a session that has some."""
    monkeypatch.setattr(blitz_device, "LISTEN_S", 0.2)
    with (
        SimulatedBoard("08", rate_hz=200, ring=4000, silence_s=0.1, baud=BAUD) as board,
        acquiring(store, board.path) as acquisition,
    ):
        acquisition.devices.scan()
        wait_until(lambda: all(b.state in (LinkState.READY, LinkState.RECORDING) for b in acquisition.boards()))
        session = acquisition.start_session("s")
        wait_until(lambda: store.count_messages(session.id) > 50)
        yield acquisition, session


def assert_nothing_lost(store: DatabaseServer, session_count: int) -> None:
    run = [store.session(record.id) for record in reversed(store.sessions())]
    assert len(run) == session_count
    assert all("no gaps, nothing lost, account balances" in record.verdict for record in run)
    parts = [store.messages(record.id, 0, 100_000).messages() for record in run]
    together = [message_number(message) for part in parts for message in part]
    assert together == list(range(together[0], together[0] + len(together)))


def test_a_session_goes_on_where_the_next_cannot_be_given_a_name(
    store: DatabaseServer, recording: tuple[Acquisition, SessionRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    acquisition, first = recording

    def refuse(*_: object) -> str:
        raise StoreUnavailable("Redis is away.")

    with monkeypatch.context() as away:
        away.setattr(acquisition, "_default_name", refuse)
        with pytest.raises(StoreUnavailable):
            acquisition.follow_on(first.id, SessionPlan(), FOLLOWED)
    running = acquisition.running()
    assert running is not None
    assert running.id == first.id
    acquisition.stop_session(None)
    assert_nothing_lost(store, 1)


def test_who_stops_a_session_that_was_followed_just_now_means_the_run(store: DatabaseServer) -> None:
    with acquiring(store) as acquisition:
        first = acquisition.start_session("s", run=RunWishes(repeat_every_s=3600))
        assert first.plan is not None
        second = acquisition.follow_on(first.id, first.plan, FOLLOWED)
        assert acquisition.stop_session(first.id).id == second.id
        assert acquisition.running() is None
        with pytest.raises(NoSession, match="There is nothing to stop"):
            acquisition.stop_session(first.id)


def test_who_stops_a_session_that_was_followed_long_ago_is_told_which_one_runs(
    store: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acquisition_sessions, "JUST_NOW_S", 0.0)
    with acquiring(store) as acquisition:
        first = acquisition.start_session("s", run=RunWishes(repeat_every_s=3600))
        assert first.plan is not None
        second = acquisition.follow_on(first.id, first.plan, FOLLOWED)
        with pytest.raises(NoSession, match=f"Session {second.id} is recorded now"):
            acquisition.stop_session(first.id)
        acquisition.stop_session(second.id)
