"""Messages that were safe in the spool, put into a session's list in a real Redis."""

import uuid

import pytest

from blitz.data.blocks import Read
from blitz.data.database_server import DatabaseServer
from blitz.data.spool_records import Batch
from blitz.errors import SessionNotFound

WRITER = uuid.UUID(int=7).hex


def batch(session_id: int, first_seq: int, number: int, *messages: bytes, arrived_ns: int = 1_000) -> Batch:
    return Batch(session_id, first_seq, WRITER, number, [Read(arrived_ns, 0, list(messages))])


def test_batches_are_placed_in_order_and_once_however_often_they_are_placed(store: DatabaseServer) -> None:
    session_id = store.start_session()
    batches = [batch(session_id, 0, 1, b"a", b"b"), batch(session_id, 2, 2, b"c")]
    for _ in range(3):
        assert store.place(batches) == 0
    assert store.get_all_from_session(session_id) == ["a", "b", "c"]


def test_a_batch_that_landed_although_its_reply_was_lost_is_not_placed_again(store: DatabaseServer) -> None:
    session_id = store.start_session()
    writer = store.writer(session_id, WRITER)
    writer.append([Read(1, 0, [b"a", b"b"])], 1)
    writer.close()
    store.place([batch(session_id, 0, 1, b"a", b"b"), batch(session_id, 2, 2, b"c")])
    assert store.get_all_from_session(session_id) == ["a", "b", "c"]


def test_a_batch_that_stands_twice_in_the_spool_is_placed_once(store: DatabaseServer) -> None:
    session_id = store.start_session()
    store.place([batch(session_id, 0, 1, b"a"), batch(session_id, 0, 1, b"a"), batch(session_id, 1, 2, b"b")])
    assert store.get_all_from_session(session_id) == ["a", "b"]


def test_what_other_programs_queued_meanwhile_comes_behind(store: DatabaseServer) -> None:
    session_id = store.start_session()
    store.place([batch(session_id, 0, 1, b"a", arrived_ns=5)])
    assert store.queue("foreign 1") == 1
    assert store.queue("foreign 2") == 2
    latest_ns = 1 << 62
    store.place([batch(session_id, 1, 2, b"b", b"c", arrived_ns=latest_ns)])
    assert store.get_all_from_session(session_id) == ["a", "b", "c", "foreign 1", "foreign 2"]
    block = store.messages(session_id, 0, 10)
    assert block.source.tolist() == [0, 0, 0, 65535, 65535]
    assert block.arrived_ns.tolist() == [5, latest_ns, latest_ns, latest_ns, latest_ns]
    store.place([batch(session_id, 3, 3, b"d", arrived_ns=latest_ns)])
    assert store.get_all_from_session(session_id) == ["a", "b", "c", "d", "foreign 1", "foreign 2"]
    assert store.queue("foreign 3") == 6


def test_what_others_pushed_without_an_arrival_is_moved_too(store: DatabaseServer) -> None:
    session_id = store.start_session()
    store.client.rpush(f"session_{session_id}", "pushed 1")
    store.queue("queued")
    store.client.rpush(f"session_{session_id}", "pushed 2", "pushed 3")
    store.place([batch(session_id, 0, 1, b"a", b"b")])
    assert store.get_all_from_session(session_id) == ["a", "b", "pushed 1", "queued", "pushed 2", "pushed 3"]
    assert store.messages(session_id, 0, 10).source.tolist() == [0, 0, 65535, 65535, 65535, 65535]


def test_what_others_put_in_as_one_is_moved_from_its_middle_where_the_archive_ends_there(store: DatabaseServer) -> None:
    session_id = store.start_session()
    writer = store.writer(session_id, WRITER[::-1])
    writer.append([Read(1_000, 3, [b"x", b"y", b"z"])])
    writer.close()
    assert store.archive_store().trim(session_id, 0, 2)
    store.place([batch(session_id, 0, 1, b"a", b"b")])
    assert store.client.lrange(f"session_{session_id}", 0, -1) == [b"a", b"b", b"z"]
    block = store.messages(session_id, 2, 10)
    assert (block.messages(), block.source.tolist()) == ([b"a", b"b", b"z"], [0, 0, 3])


def test_only_foreign_messages_can_be_moved_from_the_very_beginning(store: DatabaseServer) -> None:
    session_id = store.start_session()
    store.queue("foreign")
    store.place([batch(session_id, 0, 1, b"a")])
    assert store.get_all_from_session(session_id) == ["a", "foreign"]


def test_what_the_store_has_lost_is_told_and_the_rest_moves_up(store: DatabaseServer) -> None:
    session_id = store.start_session()
    store.place([batch(session_id, 0, 1, b"a")])
    assert store.place([batch(session_id, 4, 2, b"e")]) == 3
    assert store.place([batch(session_id, 5, 3, b"f")]) == 3
    assert store.get_all_from_session(session_id) == ["a", "e", "f"]


def test_a_session_that_is_over_still_gets_what_was_safe_before(store: DatabaseServer) -> None:
    session_id = store.start_session()
    store.stop_session()
    store.start_session()
    store.place([batch(session_id, 0, 1, b"a")])
    assert store.get_all_from_session(session_id) == ["a"]


def test_a_session_that_was_deleted_gets_nothing(store: DatabaseServer) -> None:
    session_id = store.start_session()
    store.stop_session()
    store.delete_session(session_id)
    with pytest.raises(SessionNotFound):
        store.place([batch(session_id, 0, 1, b"a")])
    assert not store.client.keys(f"*session_{session_id}*")
