"""The appender's batches, with a real Redis."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path

import pytest
from waiting import wait_until

from blitz.data.blocks import PREVIEW_ID, Read
from blitz.data.database_server import DatabaseServer
from blitz.data.disk import LocalDisk
from blitz.data.records import Gap, SessionRecord, Source
from blitz.data.spool import Spool
from blitz.io import appender as module
from blitz.io.appender import Appender
from blitz.io.intake import Intake

DEADLINE_S = 30.0
FOR_EVER_S = 3600.0


class Viewer:
    """Is shown what became durable."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def publish(self, session_id: int, first_seq: int, reads: Sequence[Read], count: int) -> None:
        assert sum(self.batches) == first_seq
        self.batches.append(count)

    def add_source(self, session_id: int, source: Source) -> None:
        pass

    def gap_recorded(self, session_id: int, gap: Gap) -> None:
        pass

    def session_closed(self, session_id: int, message_count: int, closed: "Future[SessionRecord]") -> None:
        closed.set_result(SessionRecord(id=session_id, started_at=datetime.now(UTC), message_count=message_count))

    def session_lost(self, session_id: int) -> None:
        pass

    def intake_changed(self, error: str | None) -> None:
        pass

    def store_changed(self, error: str | None) -> None:
        pass

    def moved_up(self, session_id: int, next_seq: int) -> None:
        """What comes next is at an earlier place."""

    def messages_lost(self, session_id: int, seq: int, count: int, why: str) -> None:
        raise AssertionError(why)


class Recording:
    """An appender with a session that runs."""

    def __init__(self, store: DatabaseServer, folder: Path) -> None:
        self.store = store
        self.viewer = Viewer()
        source = Source(index=0, name="bench", link="/dev/ttyUSB0", board_id=None)
        self.intake = Intake(self.store, Spool(LocalDisk(), folder), self.viewer)
        self.appender = Appender(self.intake, self.viewer, lambda row: source)
        self.session_id = self.store.start_session("", "", "", [source])
        self.appender.open_session(self.store.session(self.session_id))
        self.put_count = 0

    def put(self, count: int) -> None:
        messages = [b"%08d" % n for n in range(self.put_count, self.put_count + count)]
        self.put_count += count
        assert self.appender.put(self.session_id, Read(time.time_ns(), 0, messages))

    def wait_for(self, batches: list[int]) -> None:
        wait_until(lambda: len(self.viewer.batches) >= len(batches))
        assert self.viewer.batches == batches

    def stored(self) -> list[bytes]:
        return self.store.messages(self.session_id, 0, self.put_count + 1).messages()


@pytest.fixture
def recording(store: DatabaseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recording]:
    """Gathers for longer than any test waits: what gets through does not wait."""
    monkeypatch.setattr(module, "GATHER_S", FOR_EVER_S)
    recording = Recording(store, tmp_path)
    recording.appender.start()
    yield recording
    recording.appender.stop()


def test_a_message_that_comes_alone_is_appended_at_once_and_those_behind_it_gather(recording: Recording) -> None:
    recording.put(1)
    recording.wait_for([1])
    recording.put(2)
    recording.put(3)
    recording.appender.close_session(recording.session_id).result(DEADLINE_S)
    assert recording.viewer.batches == [1, 5]
    assert recording.stored() == [b"%08d" % n for n in range(6)]


def test_much_that_waits_does_not_gather_any_longer(recording: Recording) -> None:
    recording.put(1)
    recording.wait_for([1])
    recording.put(1)
    recording.put(module.FULL_MESSAGES)
    recording.wait_for([1, module.FULL_MESSAGES + 1])


def test_a_few_large_messages_do_not_gather_either(recording: Recording) -> None:
    recording.put(1)
    recording.wait_for([1])
    recording.appender.put(recording.session_id, Read(time.time_ns(), 0, [bytes(module.FULL_BYTES)] * 2))
    recording.wait_for([1, 2])


def test_many_messages_gather_for_longer_than_a_few(
    store: DatabaseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GATHER_MANY_S", FOR_EVER_S)
    recording = Recording(store, tmp_path)
    recording.put(1)
    recording.appender.start()
    recording.wait_for([1])
    recording.put(1)
    recording.wait_for([1, 1])
    recording.put(module.MANY_MESSAGES)
    recording.appender.stop()
    assert recording.viewer.batches == [1, 1, module.MANY_MESSAGES]


def test_an_appender_that_is_stopped_appends_what_waits_without_gathering(recording: Recording) -> None:
    recording.put(1)
    recording.wait_for([1])
    recording.put(1)
    recording.appender.stop()
    assert recording.viewer.batches == [1, 1]
    assert recording.stored() == [b"00000000", b"00000001"]


def test_a_row_that_begins_with_a_gap_is_in_the_table_before_it(store: DatabaseServer, tmp_path: Path) -> None:
    recording = Recording(store, tmp_path)
    recording.appender.start()
    late = Source(index=3, name="late", link="/dev/ttyUSB1", board_id=None)
    recording.appender._find_source = lambda row: late
    recording.appender.put_gap(recording.session_id, Gap(source=3, seq=0, from_ns=1, to_ns=2, reason="unplugged"))
    recording.appender.stop()
    session = recording.store.session(recording.session_id)
    assert [source.name for source in session.sources] == ["bench", "late"]
    assert [gap.source for gap in session.gaps] == [3]


def test_a_preview_without_a_pause_is_a_sign_of_life(store: DatabaseServer, tmp_path: Path) -> None:
    recording = Recording(store, tmp_path)
    appender = recording.appender
    for number in range(3):  # before it has begun: it never waits for any
        appender.put(PREVIEW_ID, Read(time.time_ns(), 0, [b"%08d" % number]))
    appender.beat_s = 0.0
    appender._take()
    assert appender.beat_s > 0


def test_what_comes_for_a_session_that_follows_is_safe_at_once_and_shown_in_its_time(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GATHER_S", 0.0)
    store, appender = recording.store, recording.appender
    recording.put(3)
    next_id = store.reserve_session()
    following = SessionRecord(id=next_id, name="next", started_at=datetime.now(UTC), is_running=True, message_count=0)
    appender.prepare_session(recording.session_id, following)
    now_ns = time.time_ns()
    for number in range(4):
        assert appender.put(next_id, Read(now_ns + number, 0, [b"%08d" % number]))
        recording.put(1)
    wait_until(lambda: store.count_messages(next_id) == 4)
    wait_until(lambda: store.count_messages(recording.session_id) == 7)
    assert store.running_session() == recording.session_id
    assert store.available_sessions() == [recording.session_id]
    assert appender.waiting_messages == 0
    assert sum(recording.viewer.batches) == 7
    appender.close_session(recording.session_id, "", next_id).result(DEADLINE_S)
    assert store.running_session() == next_id
    assert store.available_sessions() == [next_id, recording.session_id]
    assert appender.put(next_id, Read(now_ns + 9, 0, [b"later"]))
    wait_until(lambda: store.count_messages(next_id) == 5)
    assert sum(recording.viewer.batches) == 7
    recording.viewer.batches.clear()
    appender.show(next_id)
    wait_until(lambda: sum(recording.viewer.batches) == 5)
    appender.close_session(next_id).result(DEADLINE_S)
    block = store.messages(next_id, 0, 10)
    assert block.messages() == [*(b"%08d" % number for number in range(4)), b"later"]
    assert (block.arrived_ns - now_ns).tolist() == [0, 1, 2, 3, 9]


def test_a_session_is_shown_in_its_time_where_the_one_before_was_shown_late(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GATHER_S", 0.0)
    store, appender, first_id = recording.store, recording.appender, recording.session_id
    second_id, third_id = store.reserve_session(), store.reserve_session()
    now_ns = time.time_ns()

    def prepare(before_id: int, next_id: int) -> None:
        following = SessionRecord(id=next_id, started_at=datetime.now(UTC), is_running=True, message_count=0)
        appender.prepare_session(before_id, following)

    prepare(first_id, second_id)
    assert appender.put(second_id, Read(now_ns, 0, [b"1", b"2"]))
    appender.close_session(first_id, "", second_id).result(DEADLINE_S)
    prepare(second_id, third_id)  # the store was slow: the appender comes to show the second one only now
    appender.show(second_id)
    assert appender.put(third_id, Read(now_ns + 2, 0, [b"4", b"5", b"6", b"7"]))
    assert appender.put(second_id, Read(now_ns + 1, 0, [b"3"]))
    wait_until(lambda: store.count_messages(third_id) == 4)
    appender.close_session(second_id, "", third_id).result(DEADLINE_S)
    assert sum(recording.viewer.batches) == 3
    recording.viewer.batches.clear()
    appender.show(third_id)
    wait_until(lambda: sum(recording.viewer.batches) == 4)
    appender.close_session(third_id).result(DEADLINE_S)
