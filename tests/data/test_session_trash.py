"""The trash, in a real Redis: what goes in comes out as it was, or never again."""

import random
import threading
from collections.abc import Iterator

import pytest
import redis

from blitz.data.blocks import Read
from blitz.data.database_server import DatabaseServer
from blitz.errors import SessionNotFound, SessionRunning


@pytest.fixture(params=["", "{bench}:"])
def store(redis_url: str, request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    server = DatabaseServer(redis_url, request.param)
    yield server
    server.close()


def record_session(store: DatabaseServer, *messages: str, name: str = "") -> int:
    session_id = store.start_session(name)
    for message in messages:
        store.queue(message)
    store.stop_session()
    return session_id


def keys_of(store: DatabaseServer, session_id: int) -> list[bytes]:
    return sorted(store.client.keys(f"*session_{session_id}*"))


def test_a_session_in_the_trash_cannot_be_read_and_comes_back_as_it_was(store: DatabaseServer) -> None:
    first, second, third = (record_session(store, f"a{n}", f"b{n}", name=f"run {n}") for n in range(3))
    before = store.session(second)
    store.trash.put(second, 1_700_000_000_123)

    assert store.available_sessions() == [third, first]
    for read in (lambda: store.session(second), lambda: store.messages(second, 0, 10)):
        with pytest.raises(SessionNotFound, match=rf"Session {second} is in the trash. 'blitz trash restore {second}'"):
            read()
    (trashed,) = store.trash.sessions()
    assert (trashed.id, trashed.name, trashed.message_count) == (second, "run 1", 2)
    assert trashed.trashed_at is not None
    assert round(trashed.trashed_at.timestamp() * 1000) == 1_700_000_000_123
    with pytest.raises(SessionNotFound):
        store.update_session(second, name="new")

    store.trash.restore(second)
    assert store.available_sessions() == [third, second, first]
    assert store.session(second) == before
    assert store.messages(second, 0, 10).messages() == [b"a1", b"b1"]
    assert store.trash.sessions() == []


def test_what_is_not_there_is_refused_with_a_sentence(store: DatabaseServer) -> None:
    session_id = record_session(store, "x")
    with pytest.raises(SessionNotFound, match="There is no session 99"):
        store.trash.put(99, 1)
    with pytest.raises(SessionNotFound, match="is not in the trash"):
        store.trash.restore(session_id)
    with pytest.raises(SessionNotFound, match="is not in the trash"):
        store.trash.delete(session_id)
    store.trash.put(session_id, 1)
    with pytest.raises(SessionNotFound, match="is in the trash"):
        store.trash.put(session_id, 2)
    running = store.start_session()
    with pytest.raises(SessionRunning):
        store.trash.put(running, 1)
    assert store.available_sessions() == [running]


def test_deleting_for_good_leaves_no_key_and_no_id_is_used_again(store: DatabaseServer) -> None:
    by_hand, from_trash, starred = (record_session(store, "x") for _ in range(3))
    store.update_session(starred, starred=True)
    for session_id in (by_hand, from_trash, starred):
        store.trash.put(session_id, 5)
    store.delete_session(by_hand)
    store.trash.delete(from_trash)
    store.trash.delete(starred)
    for session_id in (by_hand, from_trash, starred):
        assert keys_of(store, session_id) == []
        with pytest.raises(SessionNotFound):
            store.delete_session(session_id)
    assert store.trash.sessions() == []
    assert store.start_session() == starred + 1


def test_purging_takes_what_is_old_and_never_a_starred_session(store: DatabaseServer) -> None:
    old, starred, young, listed = (record_session(store, "x") for _ in range(4))
    store.update_session(starred, starred=True)
    store.trash.put(old, 1000)
    store.trash.put(starred, 1000)
    store.trash.put(young, 2001)
    assert [record.id for record in store.trash.purge(2000)] == [old]
    assert [record.id for record in store.trash.sessions()] == [young, starred]
    assert store.available_sessions() == [listed]
    assert not store.trash.purge_one(starred, 2000)
    assert not store.trash.purge_one(listed, 10**15)
    assert keys_of(store, listed)
    assert store.trash.purge_one(young, 2001)


def test_flush_empties_the_trash_too(store: DatabaseServer) -> None:
    session_id = record_session(store, "x")
    store.trash.put(session_id, 1)
    other = record_session(store, "y")
    store.flush()
    assert store.trash.sessions() == store.sessions() == []
    assert keys_of(store, session_id) == keys_of(store, other) == []


def test_a_star_is_set_and_taken_away_and_stands_in_lists(store: DatabaseServer) -> None:
    session_id = record_session(store, "x")
    assert not store.session(session_id).starred
    assert store.update_session(session_id, starred=True, name="kept").starred
    (listed,) = store.sessions()
    assert (listed.starred, listed.name) == (True, "kept")
    assert store.update_session(session_id, name="still").starred
    assert not store.update_session(session_id, starred=False).starred
    with pytest.raises(SessionNotFound):
        store.update_session(99, starred=False)


def test_order_is_kept_however_sessions_come_and_go(store: DatabaseServer) -> None:
    dice = random.Random(20)
    listed = [record_session(store, "x") for _ in range(12)]
    trashed: list[int] = []
    for _ in range(150):
        source, target, move = (
            (listed, trashed, lambda number: store.trash.put(number, dice.randrange(10**12)))
            if dice.random() < 0.5
            else (trashed, listed, store.trash.restore)
        )
        if source:
            number = dice.choice(source)
            move(number)
            source.remove(number)
            target.append(number)
        assert store.available_sessions() == sorted(listed, reverse=True)
    assert {record.id for record in store.trash.sessions()} == set(trashed)


def test_of_many_who_delete_and_restore_at_once_each_session_is_in_one_place(store: DatabaseServer) -> None:
    ids = [record_session(store, "x") for _ in range(4)]

    def shuffle(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(60):
            try:
                number = dice.choice(ids)
                store.trash.put(number, 7) if dice.random() < 0.5 else store.trash.restore(number)
            except SessionNotFound:
                pass

    threads = [threading.Thread(target=shuffle, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    listed, trashed = store.available_sessions(), [record.id for record in store.trash.sessions()]
    assert sorted(listed + trashed) == ids
    assert listed == sorted(listed, reverse=True)
    assert all(record.trashed_at is None for record in store.sessions())


def test_sizes_tell_which_session_is_large(store: DatabaseServer) -> None:
    small = record_session(store, "x")
    large = store.start_session()
    writer = store.writer(large)
    writer.append([Read(1, 0, [b"%028d" % number for number in range(20_000)])])
    writer.close()
    store.stop_session()
    sizes = store.sizes.sessions([small, large, 999])
    assert sizes[0] < 5000
    assert 400_000 < sizes[1] < 2_000_000
    assert sizes[2] == 0


def test_the_memory_of_redis_is_told_with_its_limit(store: DatabaseServer) -> None:
    memory = store.sizes.memory()
    assert memory.used_bytes > 100_000
    client = redis.Redis.from_url(store.url)
    before = client.config_get("maxmemory*")
    try:
        client.config_set("maxmemory", 300_000_000)
        memory = store.sizes.memory()
        assert (memory.limit_bytes, memory.evicts) == (300_000_000, False)
        client.config_set("maxmemory-policy", "allkeys-lru")
        assert store.sizes.memory().evicts
    finally:
        client.config_set("maxmemory-policy", before["maxmemory-policy"])
        client.config_set("maxmemory", before["maxmemory"])
        client.close()
    store.sizes.shrink_files()
