"""Streams are lost nowhere: not in a backup, not in the archive; and they go where all is to go."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blitz.data.archive import Archive
from blitz.data.archive_plan import Limits
from blitz.data.archive_reach import Reach
from blitz.data.archiving import Archiving
from blitz.data.backup import verify_backup, write_backup
from blitz.data.blocks import GRID_MESSAGES
from blitz.data.database_server import DatabaseServer
from blitz.data.restoring import restore_backup
from blitz.data.store_schema import migrate
from blitz.errors import BackupError, SessionNotFound, StreamNotFound

COUNT = 3 * GRID_MESSAGES + 100


@pytest.fixture
def store(redis_url: str) -> Iterator[DatabaseServer]:
    store = DatabaseServer(redis_url, "one:")
    migrate(store)
    yield store
    store.close()


def fill(store: DatabaseServer, name: str, count: int, first: int = 0) -> None:
    for begin in range(first, first + count, 20_000):
        stop = min(begin + 20_000, first + count)
        store.streams.append(name, [{"t": place / 4, "d": place} for place in range(begin, stop)])


def values(store: DatabaseServer, name: str) -> list[Any]:
    record = store.streams.stream(name)
    found: list[Any] = []
    while len(found) < record.point_count:
        found += [json.loads(message)["d"] for message in store.messages(record.id, len(found), 50_000).messages()]
    return found


def move_all(store: DatabaseServer, folder: Path, keep: int = GRID_MESSAGES) -> Archive:
    store.set_archive_folder(folder)
    archive = Archive(folder, store.store_id)
    moving = store.archive_store()
    archiving = Archiving(moving, archive, Limits(keep_messages=keep, least_blocks=1))
    archiving.begin()
    while archiving.step(reach=Reach(store.newest_session(), {})):
        pass
    moving.close()
    return archive


def test_older_points_go_to_the_archive_and_are_found_and_followed_by_newer_ones(
    store: DatabaseServer, tmp_path: Path
) -> None:
    made = store.streams.create("a")
    fill(store, "a", COUNT)
    archive = move_all(store, tmp_path / "archive")
    assert store.session(made.id).archived_count == 2 * GRID_MESSAGES
    assert archive.sessions() == [made.id]
    assert store.streams.stream("a").point_count == COUNT
    assert store.streams.range("a", t1=1, t2=2).first == 4
    assert store.streams.range("a", t1=5_000).first == 20_000
    fill(store, "a", GRID_MESSAGES, COUNT)
    move_all(store, tmp_path / "archive")
    assert store.session(made.id).archived_count == 3 * GRID_MESSAGES
    assert values(store, "a") == list(range(COUNT + GRID_MESSAGES))
    assert store.streams.lengths([made.id, made.downlink_id, 99]) == [COUNT + GRID_MESSAGES, 0, None]
    store.streams.delete("a")
    assert archive.sessions() == []


def test_the_newest_points_stay_in_memory_as_those_of_a_running_session(store: DatabaseServer, tmp_path: Path) -> None:
    made = store.streams.create("a")
    fill(store, "a", COUNT)
    move_all(store, tmp_path / "archive", Limits().keep_messages)
    assert store.session(made.id).archived_count == 0


def test_a_backup_holds_streams_with_all_that_is_known_of_them(
    store: DatabaseServer, other: DatabaseServer, tmp_path: Path
) -> None:
    made = store.streams.create("µ 1", schema={"type": "integer"}, unit="°C", downlink=True)
    store.streams.append("µ 1", [{"t": 1, "d": 1}, {"t": 2.5, "d": 2}], writer="logger", batch=7)
    number = store.start_session("beside")
    store.stop_session()
    saved = write_backup(store, tmp_path / "b.tar")
    assert verify_backup(tmp_path / "b.tar") == saved
    assert [session.id for session in saved.sessions] == [made.id, made.downlink_id, number]
    restore_backup(tmp_path / "b.tar", other)
    assert other.streams.streams() == store.streams.streams()
    assert values(other, "µ 1") == [1, 2]
    assert other.available_sessions() == [number]
    assert other.session(made.id).stopped_at is None
    again = other.streams.append("µ 1", [{"t": 1, "d": 1}, {"t": 2.5, "d": 2}], writer="logger", batch=7)
    assert (again.repeated, again.first) == (True, 0)
    assert other.streams.append("µ 1", [{"t": 3, "d": 3}]).first == 2
    assert other.streams.create("b").id > number
    with pytest.raises(BackupError, match="sessions already"):
        restore_backup(tmp_path / "b.tar", other)


def test_a_stream_of_which_a_part_lies_in_the_archive_is_saved_whole(
    store: DatabaseServer, other: DatabaseServer, tmp_path: Path
) -> None:
    store.streams.create("a")
    fill(store, "a", COUNT)
    move_all(store, tmp_path / "archive")
    write_backup(store, tmp_path / "b.tar")
    restore_backup(tmp_path / "b.tar", other)
    assert values(other, "a") == list(range(COUNT))


@pytest.mark.parametrize("count", [COUNT, 3 * GRID_MESSAGES, 20, GRID_MESSAGES])
def test_a_restore_that_does_not_fit_into_memory_leaves_the_newest_points_there(
    store: DatabaseServer, other: DatabaseServer, tmp_path: Path, count: int
) -> None:
    made = store.streams.create("a")
    fill(store, "a", count)
    write_backup(store, tmp_path / "b.tar")
    other.set_archive_folder(tmp_path / "archive")
    restore_backup(tmp_path / "b.tar", other, memory_bytes=1)
    archived = other.session(made.id).archived_count
    assert archived == max(0, (count - 1) // GRID_MESSAGES * GRID_MESSAGES)
    fill(other, "a", GRID_MESSAGES, count)
    assert values(other, "a") == list(range(count + GRID_MESSAGES))
    record = other.streams.stream("a")
    block = other.messages(made.id, 0, record.point_count)
    assert (block.arrived_ns[1:] >= block.arrived_ns[:-1]).all()
    move_all(other, tmp_path / "archive")
    assert values(other, "a") == list(range(count + GRID_MESSAGES))


def test_a_stream_deleted_while_a_backup_is_made_is_left_out(
    store: DatabaseServer, other: DatabaseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from blitz.data import backup

    store.streams.create("a")
    store.streams.create("b")
    snapshot = backup.store_snapshot

    def delete_then(*arguments: Any) -> Any:
        found = snapshot(*arguments)
        store.streams.delete("a")
        return found

    monkeypatch.setattr(backup, "store_snapshot", delete_then)
    saved = write_backup(store, tmp_path / "b.tar")
    assert list(saved.store.streams) == ["b"]
    restore_backup(tmp_path / "b.tar", other)
    assert [stream.name for stream in other.streams.streams()] == ["b"]


def test_flush_deletes_streams_too(store: DatabaseServer) -> None:
    made = store.streams.create("a")
    store.streams.append("a", [{"t": 1, "d": 1}])
    store.flush()
    assert store.streams.streams() == []
    assert not [key for key in store.client.scan_iter() if b"session_%d" % made.id in key or b"streams" in key]
    with pytest.raises(StreamNotFound):
        store.streams.append("a", [{"t": 1, "d": 1}])
    assert store.streams.create("a").id > made.downlink_id


def test_notes_of_sessions_cannot_be_written_to_a_stream(store: DatabaseServer) -> None:
    made = store.streams.create("a")
    before = store.client.hgetall(store.keys.meta(made.id))
    with pytest.raises(SessionNotFound, match="is the stream 'a'"):
        store.update_session(made.id, name="another")
    with pytest.raises(SessionNotFound, match="is the stream 'a'"):
        store.notes.add_marker(made.downlink_id, "here", 1)
    assert store.client.hgetall(store.keys.meta(made.id)) == before
    assert store.notes.markers(made.id) == ()


def test_what_a_stream_takes_is_told_as_of_a_session(store: DatabaseServer, tmp_path: Path) -> None:
    made = store.streams.create("a")
    fill(store, "a", COUNT)
    [before] = store.sizes.sessions([made.id])
    assert before > 20 * COUNT
    move_all(store, tmp_path / "archive")
    [after] = store.sizes.sessions([made.id])
    assert 0 < after < before
