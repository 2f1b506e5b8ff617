"""The store on a real Redis: every documented method, and what is atomic about them."""

import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from blitz.data.blocks import Read
from blitz.data.boards import BoardDefinition, Channel
from blitz.data.database import DatabaseServer
from blitz.data.records import Gap, Source
from blitz.data.store_keys import QUEUE_SOURCE
from blitz.errors import (
    ConfigError,
    NoSession,
    SessionNotFound,
    SessionRunning,
    StoreInUse,
    StoreUnavailable,
)


@pytest.fixture
def raw(redis_url: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def test_a_new_store_is_empty(store: DatabaseServer) -> None:
    assert store.available_sessions() == []
    assert store.build_client_session_list() == []
    assert store.get_ten_from_session() == []
    assert store.running_session() is None


def test_sessions_are_numbered_and_listed_newest_first(store: DatabaseServer, raw: redis.Redis) -> None:
    before_ms = time.time_ns() // 1_000_000
    assert store.start_session() == 1
    assert store.running_session() == 1
    assert raw.get("session") == b"1"
    store.stop_session()
    assert store.start_session() == 2
    assert store.available_sessions() == [2, 1]
    (second, first) = store.build_client_session_list()
    assert second == [2, second[1], None, 0]
    assert first[0] == 1
    assert all(isinstance(value, int) for value in first)
    assert before_ms <= first[1] <= first[2] <= second[1]  # type: ignore[operator]
    assert raw.get("session_1_start") == str(first[1]).encode()
    assert raw.get("session_1_end") == str(first[2]).encode()
    assert raw.get("session_2_end") is None


def test_queued_messages_come_back_as_text_in_order(store: DatabaseServer, raw: redis.Redis) -> None:
    session_id = store.start_session()
    lines = [f"08a0{n:08x}0123456789abcdef" for n in range(25)]
    assert [store.queue(line) for line in lines] == list(range(25))
    assert store.get_all_from_session(session_id) == lines
    assert store.get_ten_from_session() == lines[-10:]
    assert store.get_latest_from_session(session_id) == lines[-1]
    assert raw.lrange("session_1", 0, 1) == [lines[0].encode(), lines[1].encode()]
    assert store.build_client_session_list()[0][3] == 25


def test_a_message_is_one_character_a_byte(store: DatabaseServer) -> None:
    session_id = store.start_session()
    store.queue(b"\x00\xff\xb0C")
    store.queue("\x00\xff°C")
    assert store.get_all_from_session(session_id) == ["\x00\xff°C", "\x00\xff°C"]
    with pytest.raises(ValueError, match="latin-1"):
        store.queue("5 €")
    assert len(store.get_all_from_session(session_id)) == 2


def test_queueing_without_a_session_warns_and_stores_nothing(
    store: DatabaseServer, raw: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert store.queue("08a0") is None
    assert "No session runs" in caplog.text
    store.start_session()
    store.queue("kept")
    store.stop_session()
    keys = set(raw.keys())
    assert store.queue("08a0") is None
    assert set(raw.keys()) == keys
    assert store.get_all_from_session(1) == ["kept"]


def test_ten_from_session_are_the_running_sessions(store: DatabaseServer) -> None:
    first = store.start_session()
    store.queue("old")
    store.stop_session()
    assert store.get_ten_from_session() == []
    second = store.start_session()
    assert store.get_latest_from_session(second) == ""
    assert store.get_latest_from_session(99) == ""
    assert store.get_all_from_session(99) == []
    store.queue("new")
    assert store.get_ten_from_session() == ["new"]
    assert store.get_latest_from_session(first) == "old"


def test_stopping_twice_does_nothing_the_second_time(store: DatabaseServer) -> None:
    store.start_session()
    store.stop_session()
    stopped = store.build_client_session_list()
    store.stop_session()
    assert store.build_client_session_list() == stopped


def test_only_one_session_runs(store: DatabaseServer) -> None:
    store.start_session()
    with pytest.raises(SessionRunning, match="Session 1"):
        store.start_session()
    assert store.available_sessions() == [1]


def test_a_start_whose_reply_was_lost_is_not_refused_the_second_time(
    store: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = store._script

    def twice(*arguments: Any) -> Any:
        script(*arguments)
        return script(*arguments)

    monkeypatch.setattr(store, "_script", twice)
    assert store.start_session("once") == 1
    assert store.available_sessions() == [1]
    with pytest.raises(SessionRunning):
        store.start_session("another")


def test_a_deleted_session_leaves_nothing_and_its_id_is_not_used_again(store: DatabaseServer, raw: redis.Redis) -> None:
    store.start_session()
    store.queue("x")
    with pytest.raises(SessionRunning, match="Stop it first"):
        store.delete_session(1)
    store.stop_session()
    store.delete_session(1)
    assert [key for key in raw.scan_iter() if key.startswith(b"session_1")] == []
    assert store.available_sessions() == []
    with pytest.raises(SessionNotFound):
        store.delete_session(1)
    assert store.start_session() == 2


def test_flush_removes_our_keys_only(redis_url: str, raw: redis.Redis) -> None:
    raw.set("session_notes_of_another_program", "keep")
    raw.set("other", "keep")
    mine, other = DatabaseServer(redis_url), DatabaseServer(redis_url, prefix="{bench2}:")
    for store in (mine, other):
        store.start_session()
        store.queue("x")
    store_id = mine.store_id
    mine.flush()
    assert mine.available_sessions() == []
    assert mine.running_session() is None
    assert mine.queue("x") is None
    assert {key for key in raw.scan_iter() if not key.startswith(b"{bench2}:")} == {
        b"session_notes_of_another_program",
        b"other",
        b"session_last",
        b"store_id",
    }
    assert other.get_ten_from_session() == ["x"]
    assert mine.start_session() == 2
    assert mine.store_id == store_id != other.store_id
    mine.close()
    other.close()


def test_thousands_are_appended_in_one_go_and_read_as_blocks(store: DatabaseServer) -> None:
    session_id = store.start_session()
    writer = store.writer(session_id)
    reads = [Read(1_000 + n, n % 3, [b"%d-%d" % (n, m) for m in range(n % 7 + 1)]) for n in range(3000)]
    assert writer.append(reads[:1000]) == 0
    total = sum(len(read.messages) for read in reads[:1000])
    assert writer.append(reads[1000:]) == total
    expected = [(read.arrived_ns, read.source, message) for read in reads for message in read.messages]
    for first, count in [
        (0, 100),
        (0, len(expected)),
        (4321, 1),
        (4321, 5000),
        (len(expected) - 3, 10),
        (10**6, 5),
        (7, 0),
    ]:
        block = store.messages(session_id, first, count)
        rows = list(zip(block.arrived_ns.tolist(), block.source.tolist(), block.messages(), strict=True))
        assert rows == expected[first : first + count]
        assert block.first_seq == first
        assert block.store_id == store.store_id
    writer.close()
    with pytest.raises(SessionNotFound):
        store.messages(99, 0, 10)


def test_a_writer_and_queueing_programs_share_a_session_in_one_order(store: DatabaseServer, redis_url: str) -> None:
    session_id = store.start_session()

    def append_many() -> None:
        writer = store.writer(session_id)
        for n in range(200):
            writer.append([Read(time.time_ns(), 0, [b"w%d" % n, b"v%d" % n])])
        writer.close()

    def queue_many(letter: str) -> None:
        program = DatabaseServer(redis_url)
        for n in range(200):
            program.queue(f"{letter}{n}")
        program.close()

    threads = [threading.Thread(target=append_many)]
    threads += [threading.Thread(target=queue_many, args=(letter,)) for letter in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    block = store.messages(session_id, 0, 10_000)
    messages = block.messages()
    assert len(messages) == 800
    for letter in "wvab":
        assert [m for m in messages if m.startswith(letter.encode())] == [
            b"%s%d" % (letter.encode(), n) for n in range(200)
        ]
    from_queue = [message[:1] in b"ab" for message in messages]
    assert (block.source == QUEUE_SOURCE).tolist() == from_queue


def test_a_writer_stores_nothing_once_the_session_is_stopped(store: DatabaseServer) -> None:
    session_id = store.start_session()
    writer = store.writer(session_id)
    writer.append([Read(1, 0, [b"in"])])
    store.stop_session()
    for _ in range(2):
        with pytest.raises(NoSession):
            writer.append([Read(2, 0, [b"out"])])
    store.start_session()
    with pytest.raises(NoSession):
        writer.append([Read(2, 0, [b"out"])])
    assert store.get_all_from_session(1) == ["in"]
    assert store.get_all_from_session(2) == []


def test_a_batch_whose_reply_was_lost_is_stored_once(store: DatabaseServer) -> None:
    session_id = store.start_session()
    writer = store.writer(session_id)
    writer.append([Read(1, 0, [b"one"])])
    again = store.writer(session_id, writer.name)
    again._batch = 1
    reads = [Read(2, 0, [b"two"]), Read(3, 0, [b"three"])]
    assert writer.append(reads) == 1  # landed, but suppose that nobody heard of it
    assert again.append(reads) == 1
    assert again.append([Read(4, 0, [b"four"])]) == 3
    assert store.get_all_from_session(session_id) == ["one", "two", "three", "four"]
    writer.close()
    again.close()


def test_a_batch_that_redis_executes_later_than_we_gave_up_waiting_is_stored_once(store: DatabaseServer) -> None:
    """A paused Redis: our retry has looked and armed its watch, then the first try comes out of a socket's buffer."""
    session_id = store.start_session()
    first_try = store.writer(session_id)
    retry = store.writer(session_id, first_try.name)
    reads = [Read(1, 0, [b"one"]), Read(2, 0, [b"two"])]
    assert retry._connect(1) is None
    assert first_try.append(reads) == 0
    assert retry.append(reads) == 0
    assert store.get_all_from_session(session_id) == ["one", "two"]
    assert retry.append([Read(3, 0, [b"three"])]) == 2
    first_try.close()
    retry.close()


def test_a_batch_that_landed_is_not_lost_when_the_session_was_stopped_meanwhile(store: DatabaseServer) -> None:
    session_id = store.start_session()
    writer = store.writer(session_id)
    again = store.writer(session_id, writer.name)
    writer.append([Read(1, 0, [b"one"])])
    store.stop_session()
    assert again.append([Read(1, 0, [b"one"])]) == 0
    with pytest.raises(NoSession):
        again.append([Read(2, 0, [b"two"])])
    writer.close()


def test_a_cut_connection_is_an_error_and_the_same_reads_may_be_given_again(store: DatabaseServer) -> None:
    session_id = store.start_session()
    writer = store.writer(session_id)
    writer.append([Read(1, 0, [b"one"])])
    writer._connection._sock.close()
    with pytest.raises(StoreUnavailable):
        writer.append([Read(2, 0, [b"two"])])
    assert writer.append([Read(2, 0, [b"two"])]) == 1
    assert store.get_all_from_session(session_id) == ["one", "two"]
    writer.close()


def test_a_sessions_record_has_sources_gaps_and_what_the_operator_wrote(store: DatabaseServer) -> None:
    definition = BoardDefinition(id="08", name="Basic", channels=(Channel(name="a", bit=0, bits=12),))
    sources = [Source(index=n, name=f"sim{n}", link="/dev/x", board_id="08", definition=definition) for n in (0, 1)]
    session_id = store.start_session("First light", "notes", "ada@lab", sources[:1])
    store.add_source(session_id, sources[1])
    gap = Gap(source=1, seq=7, from_ns=10, to_ns=20, reason="unplugged")
    store.add_gap(session_id, gap)
    record = store.session(session_id)
    assert (record.name, record.notes, record.owner) == ("First light", "notes", "ada@lab")
    assert record.sources == tuple(sources)
    assert record.gaps == (gap,)
    assert record.is_running
    assert store.update_session(session_id, name="Zweites Licht °").name == "Zweites Licht °"
    (listed,) = store.sessions()
    assert (listed.name, listed.notes, listed.sources) == ("Zweites Licht °", "notes", ())
    with pytest.raises(SessionNotFound):
        store.session(99)
    with pytest.raises(SessionNotFound):
        store.update_session(99, name="x")


def test_what_is_written_about_a_deleted_session_leaves_nothing(store: DatabaseServer, raw: redis.Redis) -> None:
    store.start_session()
    store.flush()
    store.add_gap(1, Gap(source=0, seq=0, from_ns=1, to_ns=2, reason="unplugged"))
    store.add_source(1, Source(index=0, name="sim1", link="/dev/x"))
    assert [key for key in raw.scan_iter() if key.startswith(b"session_1")] == []


def test_a_session_that_is_deleted_while_it_is_read_is_an_error_not_a_false_block(
    store: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = store.start_session()
    writer = store.writer(session_id)
    writer.append([Read(1, 0, [b"one"])])
    writer.close()
    arrivals = store._reader._arrivals

    def delete_first(*arguments: Any) -> Any:
        store.flush()
        return arrivals(*arguments)

    monkeypatch.setattr(store._reader, "_arrivals", delete_first)
    with pytest.raises(SessionNotFound):
        store.messages(session_id, 0, 10)


def test_an_interrupted_session_is_closed_at_its_last_message(store: DatabaseServer) -> None:
    assert store.close_interrupted() is None
    session_id = store.start_session()
    writer = store.writer(session_id)
    arrived_ns = time.time_ns() + 5_000_000_000
    writer.append([Read(arrived_ns, 0, [b"last"])])
    assert store.close_interrupted() == session_id
    record = store.session(session_id)
    assert record.interrupted
    assert not record.is_running
    assert record.stopped_ms == arrived_ns // 1_000_000
    assert store.queue("late") is None
    with pytest.raises(NoSession):
        writer.append([Read(2, 0, [b"late"])])


def test_the_lease_lets_one_server_acquire(store: DatabaseServer, redis_url: str) -> None:
    second = DatabaseServer(redis_url)
    lease = store.take_lease("lab:12")
    with pytest.raises(StoreInUse, match="lab:12"):
        second.take_lease("lab:13")
    assert store.renew_lease(lease)
    taken = second.take_lease("lab:13", is_exclusive=True)
    assert not store.renew_lease(lease)
    store.release_lease(lease)
    assert second.renew_lease(taken)
    second.release_lease(taken)
    store.take_lease("lab:12")
    other = DatabaseServer(redis_url, prefix="bench2:")
    assert other.take_lease("lab:14")
    other.close()
    second.close()


def test_a_redis_that_is_not_there_is_a_sentence() -> None:
    store = DatabaseServer("redis://127.0.0.1:1/0")
    with pytest.raises(StoreUnavailable, match=r"[^.]\. Is it running"):
        store.available_sessions()
    with pytest.raises(ConfigError, match="bogus://x"):
        DatabaseServer("bogus://x")


def test_a_session_may_have_more_rows_than_a_script_takes_at_once(store: DatabaseServer) -> None:
    session_id = store.start_session()
    store.set_fields(session_id, {f"account:{row}": f'{{"source": {row}}}' for row in range(65_535)})
    assert store.client.hlen(f"session_{session_id}_meta") >= 65_535


def test_a_password_is_not_shown() -> None:
    store = DatabaseServer("redis://:s3cret@127.0.0.1:6379/0")
    assert store.address == "redis://:***@127.0.0.1:6379/0"
    assert DatabaseServer("unix:///run/redis.sock").address == "unix:///run/redis.sock"
    assert DatabaseServer("redis://me:s3@cr:et@lab:6379/0").address == "redis://me:***@lab:6379/0"
    assert DatabaseServer("unix:///run/redis.sock?db=1&password=s3cret").address.endswith("?db=1&password=***")
    with pytest.raises(ConfigError, match=r"'http://me:\*\*\*@lab' is not the address"):
        DatabaseServer("http://me:s3cret@lab")


def test_the_address_comes_from_the_environment(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert DatabaseServer().url == "redis://localhost:6379/0"
    monkeypatch.setenv("BLITZ_REDIS_URL", redis_url)
    store = DatabaseServer()
    assert store.start_session() == 1
    store.close()
