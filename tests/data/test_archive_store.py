"""The archive's view of a real Redis, and reading sessions across the border between Redis and archive."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from blitz.data.archive import Archive
from blitz.data.archive_plan import Extent, Limits
from blitz.data.archive_reading import Lanes, Reading, Stretch
from blitz.data.archive_store import ArchiveStore
from blitz.data.archiving import Archiving
from blitz.data.blocks import GRID_MESSAGES, Read
from blitz.data.bulk_reading import BulkReader
from blitz.data.database import DatabaseServer
from blitz.data.store_keys import QUEUE_SOURCE
from blitz.errors import ArchiveError, SessionNotFound, StoreUnavailable

EAGER = Limits(keep_messages=GRID_MESSAGES, least_blocks=1)
COUNT = 40_000


@pytest.fixture
def moving(store: DatabaseServer) -> Iterator[ArchiveStore]:
    moving = store.archive_store()
    yield moving
    moving.close()


@pytest.fixture
def archive(store: DatabaseServer, tmp_path: Path) -> Archive:
    store.set_archive_folder(tmp_path / "archive")
    return Archive(tmp_path / "archive", store.store_id)


def message(seq: int) -> bytes:
    """Of different lengths, some of them looking like Redis' own words."""
    return b"%d\r\n$3" % seq if seq % 1000 == 0 else b"%x" % (seq * seq)


def record(store: DatabaseServer, count: int = COUNT, per_read: int = 37) -> int:
    session_id = store.start_session("long")
    writer = store.writer(session_id)
    for begin in range(0, count, 5_000):
        end = min(begin + 5_000, count)
        reads = [
            Read(
                1_000_000 + first,
                first // per_read % 3,
                [message(seq) for seq in range(first, min(first + per_read, end))],
            )
            for first in range(begin, end, per_read)
        ]
        writer.append(reads)
    writer.close()
    return session_id


def move(moving: ArchiveStore, archive: Archive, limits: Limits = EAGER) -> None:
    archiving = Archiving(moving, archive, limits)
    archiving.begin()
    while archiving.step() is not None:
        pass


def test_bulk_reading_gives_what_ordinary_reading_gives(store: DatabaseServer, moving: ArchiveStore) -> None:
    session_id = record(store)
    store.queue("queued")
    blocks = list(moving.blocks(session_id, 0, COUNT + 1))
    assert [block.first_seq % GRID_MESSAGES for block in blocks] == [0] * len(blocks)
    for block in blocks:
        assert block.checksum == store.messages(session_id, block.first_seq, len(block)).checksum
    assert blocks[-1].next_seq == COUNT + 1
    assert blocks[-1].source[-1] == QUEUE_SOURCE


def test_reading_beyond_the_end_gives_what_is_there(store: DatabaseServer, moving: ArchiveStore) -> None:
    session_id = record(store)
    blocks = list(moving.blocks(session_id, 0, COUNT + 3 * GRID_MESSAGES))
    assert [each for block in blocks for each in block.messages()] == [message(seq) for seq in range(COUNT)]


def test_long_messages_are_read_as_they_are(store: DatabaseServer, moving: ArchiveStore) -> None:
    messages = [b"%d" % seq * (seq % 7 * 5_000 + 1) for seq in range(200)]
    session_id = store.start_session("long messages")
    writer = store.writer(session_id)
    writer.append([Read(1_000_000, 0, messages)])
    writer.close()
    (block,) = moving.blocks(session_id, 0, len(messages))
    assert block.messages() == messages


def test_messages_without_arrivals_have_the_session_s_start(store: DatabaseServer, moving: ArchiveStore) -> None:
    session_id = record(store, 1_000)
    with redis.Redis.from_url(store.url) as raw:
        raw.rpush(f"session_{session_id}", b"by hand")
    (block,) = moving.blocks(session_id, 0, 2_000)
    assert block.checksum == store.messages(session_id, 0, 2_000).checksum
    assert len(block) == 1_001


def test_reading_of_a_session_that_does_not_exist_yields_nothing(moving: ArchiveStore) -> None:
    assert list(moving.blocks(7, 0, 100)) == []
    assert not moving.exists(7)


def test_every_way_of_reading_answers_across_the_border(
    store: DatabaseServer, moving: ArchiveStore, archive: Archive
) -> None:
    session_id = record(store)
    before = store.messages(session_id, 0, COUNT)
    texts = store.get_all_from_session(session_id)
    move(moving, archive)
    assert moving.extents() == [Extent(session_id, GRID_MESSAGES, COUNT, is_running=True)]
    store.stop_session()
    after = store.messages(session_id, 0, COUNT)
    assert after.checksum == before.checksum
    for first, count in [(0, 10), (16_380, 10), (16_384, 5), (39_990, 100), (COUNT, 10), (5, 0)]:
        block = store.messages(session_id, first, count)
        assert block.first_seq == first
        assert block.checksum == before.between(first, first + count).checksum
    assert store.get_all_from_session(session_id) == texts
    assert store.count_messages(session_id) == COUNT
    assert store.session(session_id).archived_count == GRID_MESSAGES
    assert store.session(session_id).message_count == COUNT
    move(moving, archive)
    assert store.session(session_id).archived_count == COUNT
    assert store.messages(session_id, 0, COUNT).checksum == before.checksum
    assert store.get_all_from_session(session_id) == texts
    assert store.get_latest_from_session(session_id) == texts[-1]
    assert store.sizes.sessions([session_id])[0] > 10_000
    with redis.Redis.from_url(store.url) as raw:
        assert raw.llen(f"session_{session_id}") == raw.llen(f"session_{session_id}_arrivals") == 0


def test_the_last_ten_may_lie_on_both_sides(store: DatabaseServer, moving: ArchiveStore, archive: Archive) -> None:
    session_id = record(store, GRID_MESSAGES + 4)
    expected = store.get_ten_from_session()
    assert len(expected) == 10
    move(moving, archive, Limits(keep_messages=0, least_blocks=1))
    assert store.session(session_id).archived_count == GRID_MESSAGES
    assert store.get_ten_from_session() == expected


def test_a_writer_goes_on_while_its_session_is_archived(
    store: DatabaseServer, moving: ArchiveStore, archive: Archive
) -> None:
    session_id = record(store)
    writer = store.writer(session_id)
    assert writer.append([Read(2_000_000, 0, [b"before"])]) == COUNT
    move(moving, archive)
    assert writer.append([Read(2_000_001, 0, [b"after", b"wards"])]) == COUNT + 1
    writer.close()
    assert store.messages(session_id, COUNT - 1, 10).messages()[1:] == [b"before", b"after", b"wards"]
    assert store.messages(session_id, COUNT - 1, 10).arrived_ns.tolist()[1:] == [2_000_000, 2_000_001, 2_000_001]


def test_a_read_that_crosses_the_border_keeps_its_arrival(
    store: DatabaseServer, moving: ArchiveStore, archive: Archive
) -> None:
    session_id = store.start_session()
    writer = store.writer(session_id)
    writer.append([Read(5_000_000, 4, [message(seq) for seq in range(3 * GRID_MESSAGES)])])
    writer.close()
    before = store.messages(session_id, 0, 3 * GRID_MESSAGES)
    move(moving, archive)
    assert store.session(session_id).archived_count == 2 * GRID_MESSAGES
    assert store.messages(session_id, 0, 3 * GRID_MESSAGES).checksum == before.checksum


def test_messages_are_read_on_while_redis_lets_go_of_those_before(
    store: DatabaseServer, moving: ArchiveStore, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 6 * GRID_MESSAGES + 5
    session_id = record(store, count, per_read=3)  # more arrivals than are asked for at first
    expected = store.messages(session_id, 0, count)
    begun: list[int] = []
    begin = Reading.__init__

    def counted(reading: Reading, lanes: Lanes, stretch: Stretch) -> None:
        begun.append(stretch.first)
        begin(reading, lanes, stretch)

    monkeypatch.setattr(Reading, "__init__", counted)
    store.stop_session()
    move(moving, archive, Limits(segment_blocks=1))
    assert begun == [0]
    assert [segment.first for segment in archive.segments(session_id)] == list(range(0, count, GRID_MESSAGES))
    assert store.messages(session_id, 0, count).checksum == expected.checksum
    with redis.Redis.from_url(store.url) as raw:
        assert raw.llen(f"session_{session_id}") == raw.llen(f"session_{session_id}_arrivals") == 0


def test_what_is_read_ahead_is_let_go_of_where_something_else_moved_the_border(
    store: DatabaseServer, moving: ArchiveStore
) -> None:
    session_id = record(store, 4 * GRID_MESSAGES)
    blocks = moving.blocks(session_id, 0, 4 * GRID_MESSAGES)
    assert next(blocks).next_seq == GRID_MESSAGES
    with contextlib.closing(store.archive_store()) as other:
        assert other.trim(session_id, 0, GRID_MESSAGES)
        assert moving.trim(session_id, 0, GRID_MESSAGES)  # as the session is; how many arrivals went, nobody knows
        assert list(blocks) == []
        blocks = moving.blocks(session_id, GRID_MESSAGES, 4 * GRID_MESSAGES)
        next(blocks)
        assert moving.trim(session_id, GRID_MESSAGES, 3 * GRID_MESSAGES)  # beyond what was taken
        assert list(blocks) == []


def test_a_session_that_is_deleted_between_two_segments_ends_its_reading(
    store: DatabaseServer, moving: ArchiveStore, archive: Archive
) -> None:
    session_id = record(store, 3 * GRID_MESSAGES)
    store.stop_session()
    other_id = store.start_session("other")
    store.queue("x")
    store.stop_session()
    archiving = Archiving(moving, archive, Limits(segment_blocks=1))
    archiving.begin()
    assert archiving.step() is not None
    store.delete_session(session_id)
    assert archiving.step() is None
    assert archiving.step() is not None
    assert archive.sessions() == [other_id]
    assert store.get_all_from_session(other_id) == ["x"]


def test_redis_that_goes_away_between_two_segments_is_an_error_and_the_next_step_reads_anew(
    store: DatabaseServer, moving: ArchiveStore, archive: Archive
) -> None:
    session_id = record(store, 4 * GRID_MESSAGES)
    expected = store.messages(session_id, 0, 4 * GRID_MESSAGES)
    store.stop_session()
    archiving = Archiving(moving, archive, Limits(segment_blocks=1))
    archiving.begin()
    assert archiving.step() is not None
    with redis.Redis.from_url(store.url) as raw:
        raw.client_kill_filter(_type="normal", skipme=True)
    steps = 0
    while True:
        try:
            if archiving.step() is None:
                break
        except StoreUnavailable:
            steps += 1
            assert steps < 10
    assert store.session(session_id).archived_count == 4 * GRID_MESSAGES
    assert store.messages(session_id, 0, 4 * GRID_MESSAGES).checksum == expected.checksum


def test_restoring_puts_everything_back_as_it_was(
    store: DatabaseServer, moving: ArchiveStore, archive: Archive
) -> None:
    session_id = record(store)
    before = store.messages(session_id, 0, COUNT)
    move(moving, archive)
    archiving = Archiving(moving, archive)
    while first := moving.extent(session_id).first:
        archiving.restore_step(session_id, first)
        assert store.messages(session_id, 0, COUNT).checksum == before.checksum
    assert archive.segments(session_id) == []
    assert moving.extents() == [Extent(session_id, 0, COUNT, is_running=True, was_restored=True)]
    with redis.Redis.from_url(store.url) as raw:
        assert raw.llen(f"session_{session_id}") == COUNT
    move(moving, archive)
    assert store.messages(session_id, 0, COUNT).checksum == before.checksum


def test_the_border_only_moves_from_where_it_is(store: DatabaseServer, moving: ArchiveStore) -> None:
    session_id = record(store, 1_000)
    assert not moving.trim(session_id, 5, 100)
    assert not moving.trim(session_id, 0, 1_001)
    assert not moving.trim(99, 0, 10)
    assert store.session(session_id).archived_count == 0
    assert moving.trim(session_id, 0, 100)
    assert moving.trim(session_id, 0, 100)
    assert store.session(session_id).archived_count == 100
    assert store.count_messages(session_id) == 1_000


def test_a_trim_that_redis_executes_late_does_nothing(store: DatabaseServer, moving: ArchiveStore) -> None:
    session_id = record(store, 1_000)
    moving.extents()
    with contextlib.closing(store.archive_store()) as after_a_crash:
        after_a_crash.extents()
        assert not moving.trim(session_id, 0, 100)
        assert after_a_crash.trim(session_id, 0, 100)
        assert moving.trim(session_id, 0, 100)  # as the session is: done once


def test_messages_move_out_of_a_redis_whose_memory_is_full(
    store: DatabaseServer, moving: ArchiveStore, archive: Archive
) -> None:
    session_id = record(store)
    with redis.Redis.from_url(store.url) as raw:
        raw.config_set("maxmemory", 1_000_000)
        try:
            with pytest.raises(redis.ResponseError, match="maxmemory"):
                raw.set("more", "x")
            move(moving, archive)
            assert store.session(session_id).archived_count == GRID_MESSAGES
        finally:
            raw.config_set("maxmemory", 0)


def test_deleting_and_flushing_remove_the_files(store: DatabaseServer, moving: ArchiveStore, archive: Archive) -> None:
    ids = []
    for _ in range(3):
        ids.append(record(store, 100))
        store.stop_session()
    move(moving, archive)
    store.delete_session(ids[0])
    assert archive.sessions() == ids[1:]
    store.trash.put(ids[1], 1)
    assert archive.sessions() == ids[1:]
    store.trash.delete(ids[1])
    assert archive.sessions() == ids[2:]
    store.flush()
    assert archive.sessions() == []


def test_sessions_in_the_trash_are_archived_and_come_back(
    store: DatabaseServer, moving: ArchiveStore, archive: Archive
) -> None:
    session_id = record(store, 100)
    store.stop_session()
    store.trash.put(session_id, 1)
    move(moving, archive)
    store.trash.restore(session_id)
    assert store.session(session_id).archived_count == 100
    assert len(store.get_all_from_session(session_id)) == 100


def test_files_that_are_missing_are_an_error_in_a_sentence(
    store: DatabaseServer, moving: ArchiveStore, archive: Archive
) -> None:
    session_id = record(store)
    move(moving, archive)
    for segment in archive.segments(session_id):
        segment.path.unlink()
    with pytest.raises(ArchiveError, match=r"Message 0 of session 1 is in no file of"):
        store.messages(session_id, 0, 10)
    with pytest.raises(ArchiveError):
        store.get_all_from_session(session_id)
    assert len(store.messages(session_id, GRID_MESSAGES, 10)) == 10


def test_a_store_that_does_not_say_where_its_archive_is_says_so(
    store: DatabaseServer, moving: ArchiveStore, archive: Archive, redis_url: str
) -> None:
    session_id = record(store)
    move(moving, archive)
    with redis.Redis.from_url(store.url) as raw:
        raw.delete("archive")
    other = DatabaseServer(redis_url)
    with pytest.raises(ArchiveError, match="does not say where it is"):
        other.messages(session_id, 0, 10)
    other.close()
    named = DatabaseServer(redis_url, archive_dir=archive.folder)
    assert len(named.messages(session_id, 0, 10)) == 10
    named.close()


def test_reading_while_messages_move_to_and_fro_finds_each_of_them(
    store: DatabaseServer, moving: ArchiveStore, archive: Archive
) -> None:
    session_id = record(store)
    expected = store.messages(session_id, 0, COUNT)
    ended = threading.Event()
    failures: list[str] = []

    def read() -> None:
        first = 0
        while not ended.is_set():
            first = (first + 7_919) % (COUNT - 3_000)
            block = store.messages(session_id, first, 3_000)
            if block.checksum != expected.between(first, first + 3_000).checksum:
                failures.append(f"messages from {first} on")
            if store.count_messages(session_id) != COUNT or store.session(session_id).message_count != COUNT:
                failures.append("the count")

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(3):
            move(moving, archive)
            archiving = Archiving(moving, archive, EAGER)
            while first := moving.extent(session_id).first:
                archiving.restore_step(session_id, first)
    finally:
        ended.set()
        for reader in readers:
            reader.join()
    assert failures == []


def test_reading_starts_anew_where_its_messages_went_to_the_archive_and_came_back_meanwhile(
    store: DatabaseServer, moving: ArchiveStore, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = record(store)
    expected = store.messages(session_id, 10_000, 3_000)
    read = BulkReader.elements
    keys: list[str] = []

    def read_amid_moves(reader: BulkReader, key: str, start: int, stop: int) -> Any:
        if keys:
            keys.append(key)
            return read(reader, key, start, stop)
        keys.append(key)
        move(moving, archive)
        try:
            return read(reader, key, start, stop)
        finally:
            archiving = Archiving(moving, archive, EAGER)
            while first := moving.extent(session_id).first:
                archiving.restore_step(session_id, first)

    monkeypatch.setattr(BulkReader, "elements", read_amid_moves)
    assert store.messages(session_id, 10_000, 3_000).checksum == expected.checksum
    assert keys.count(store.keys.messages(session_id)) == 2


def test_a_session_that_is_deleted_is_not_found_on_either_side(
    store: DatabaseServer, moving: ArchiveStore, archive: Archive
) -> None:
    session_id = record(store)
    move(moving, archive)
    store.stop_session()
    store.delete_session(session_id)
    with pytest.raises(SessionNotFound):
        store.messages(session_id, 0, 10)
    assert store.get_all_from_session(session_id) == []
    assert store.get_latest_from_session(session_id) == ""
