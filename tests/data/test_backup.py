"""Backups: all keys come back, whatever the store does meanwhile; a file that is not whole changes nothing."""

import io
import json
import random
import sqlite3
import tarfile
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from blitz.data import backup_format, store_copying
from blitz.data.archive import Archive
from blitz.data.archive_plan import Limits
from blitz.data.archiving import Archiving
from blitz.data.backup import verify_backup, write_backup
from blitz.data.backup_format import BackupReader, SavedBlock
from blitz.data.blocks import GRID_MESSAGES, Read
from blitz.data.database import DatabaseServer
from blitz.data.records import TimelineEntry, TimelineKind
from blitz.data.restoring import restore_backup
from blitz.data.source_store import SourceStore
from blitz.data.store_schema import SCHEMA_VERSION, migrate
from blitz.errors import BackupError, SessionNotFound, StoreInUse, StoreTooNew
from blitz.io.certificate import private_certificate

Keys = dict[bytes, Any]


@pytest.fixture
def store(redis_url: str) -> Iterator[DatabaseServer]:
    store = DatabaseServer(redis_url, "one:")
    migrate(store)
    yield store
    store.close()


def record(store: DatabaseServer, count: int, *, seed: int = 1, stop: bool = True) -> int:
    """A session with reads of all sizes; some follow each other with the same time and source."""
    chance = random.Random(seed)
    number = store.start_session(f"run {seed}", notes="23 °C", owner="ann@bench")
    writer = store.writer(number)
    now_ns, seq = 1_700_000_000_000_000_000, 0
    while seq < count:
        reads = []
        for _ in range(50):
            size = min(chance.choice((1, 1, 2, 7, 300)), count - seq)
            if not size:
                break
            now_ns += chance.choice((0, 0, 1_000_000))
            reads.append(Read(now_ns, chance.choice((0, 1)), [b"m%d \xff\x00" % n for n in range(seq, seq + size)]))
            seq += size
        writer.append(reads)
    writer.close()
    store.add_entry(number, TimelineEntry(kind=TimelineKind.COMMAND, time_ns=now_ns, text="Sent 'hello'."))
    if stop:
        store.stop_session()
    return number


def dump(store: DatabaseServer) -> Keys:
    """All keys of a store, without their prefix, the lease and the running session."""
    prefix = store.keys.prefix.encode()
    found: Keys = {}
    for key in store.client.scan_iter(match=prefix + b"*"):
        kind = store.client.type(key)
        name = key.removeprefix(prefix)
        if kind == b"string":
            found[name] = store.client.get(key)
        elif kind == b"hash":
            found[name] = store.client.hgetall(key)
        elif kind == b"list":
            found[name] = store.client.lrange(key, 0, -1)
        else:
            found[name] = store.client.zrange(key, 0, -1, withscores=True)
    return found


def test_all_keys_come_back_as_they_were(store: DatabaseServer, other: DatabaseServer, tmp_path: Path) -> None:
    record(store, 3 * GRID_MESSAGES + 17, seed=1)
    record(store, 0, seed=2)
    store.delete_session(record(store, 5, seed=3))
    record(store, GRID_MESSAGES, seed=4)
    saved = write_backup(store, tmp_path / "b.tar")
    assert [(session.id, session.message_count) for session in saved.sessions] == [
        (1, 3 * GRID_MESSAGES + 17),
        (2, 0),
        (4, GRID_MESSAGES),
    ]
    assert saved.store.session_last == 4
    assert restore_backup(tmp_path / "b.tar", other) == saved
    assert dump(other) == dump(store)
    assert other.store_id == saved.store.store_id
    assert other.start_session() == 5


def test_a_session_in_the_trash_is_saved_and_stays_there(
    store: DatabaseServer, other: DatabaseServer, tmp_path: Path
) -> None:
    number = record(store, 40)
    record(store, 3, seed=2)
    store.trash.put(number, 1_800_000_000_000)
    saved = write_backup(store, tmp_path / "b.tar")
    assert list(saved.store.trash) == [number]
    restore_backup(tmp_path / "b.tar", other)
    assert dump(other) == dump(store)
    assert other.available_sessions() == [2]
    other.trash.restore(number)
    assert len(other.get_all_from_session(number)) == 40


def test_a_store_of_version_1_is_saved_and_migrated_after_the_restore(
    store: DatabaseServer, other: DatabaseServer, tmp_path: Path, load_store: Callable[[DatabaseServer, int], None]
) -> None:
    store.client.delete(store.keys.schema)
    load_store(store, 1)
    saved = write_backup(store, tmp_path / "b.tar")
    assert saved.store.schema_version == 1
    restore_backup(tmp_path / "b.tar", other)
    assert other.client.get(other.keys.schema) is None
    assert len(migrate(other)) == SCHEMA_VERSION - 1
    assert other.session(1).notes == "Zwölf °C, first try"


def test_a_running_session_is_restored_closed_and_interrupted_at_its_last_message(
    store: DatabaseServer, other: DatabaseServer, tmp_path: Path
) -> None:
    number = record(store, 1000, stop=False)
    saved = write_backup(store, tmp_path / "b.tar")
    assert saved.sessions[0].is_running
    last_ns = int(store.messages(number, 999, 1).arrived_ns[0])
    store.queue("later")
    restore_backup(tmp_path / "b.tar", other)
    back = other.session(number)
    assert (back.message_count, back.is_running, back.interrupted) == (1000, False, True)
    assert back.stopped_ms == max(last_ns // 1_000_000, back.started_ms)
    assert other.running_session() is None
    assert store.session(number).is_running


def test_a_running_session_without_a_message_is_closed_at_its_start(
    store: DatabaseServer, other: DatabaseServer, tmp_path: Path
) -> None:
    number = store.start_session()
    write_backup(store, tmp_path / "b.tar")
    restore_backup(tmp_path / "b.tar", other)
    assert other.session(number).stopped_ms == store.session(number).started_ms


def test_what_is_recorded_meanwhile_gives_a_beginning_of_the_session(
    store: DatabaseServer, other: DatabaseServer, tmp_path: Path
) -> None:
    number = record(store, 2000, stop=False)
    is_over = threading.Event()

    def go_on() -> None:
        writer = store.writer(number)
        sent = 0
        while not is_over.is_set():
            writer.append([Read(1_800_000_000_000_000_000 + sent, 0, [b"on %d" % sent] * 3)])
            sent += 1
        writer.close()

    recording = threading.Thread(target=go_on)
    recording.start()
    try:
        counts = []
        for n in range(5):
            (session,) = write_backup(store, tmp_path / f"b{n}.tar").sessions
            counts.append(session.message_count)
    finally:
        is_over.set()
        recording.join()
    assert counts == sorted(counts)
    restore_backup(tmp_path / "b4.tar", other)
    back = other.get_all_from_session(number)
    assert len(back) == counts[-1] >= 2000
    assert back == store.get_all_from_session(number)[: len(back)]


def test_a_session_deleted_meanwhile_is_left_out_and_said(
    store: DatabaseServer, other: DatabaseServer, tmp_path: Path
) -> None:
    first, second, third = record(store, GRID_MESSAGES + 5), record(store, 2 * GRID_MESSAGES, seed=2), record(store, 9)

    def delete_it(done: int, total: int) -> None:
        if done > GRID_MESSAGES + 5 and second in store.available_sessions():
            store.delete_session(second)

    saved = write_backup(store, tmp_path / "b.tar", progress=delete_it)
    assert [session.id for session in saved.sessions] == [first, third]
    (left,) = saved.left_out
    assert (left.id, left.is_deleted, left.reason) == (second, True, "it was deleted meanwhile")
    restore_backup(tmp_path / "b.tar", other)
    assert other.available_sessions() == [third, first]
    with pytest.raises(SessionNotFound):
        other.messages(second, 0, 1)
    assert dump(other) == dump(store)


def test_messages_that_the_archive_trimmed_meanwhile_keep_their_reads(
    store: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of reads loses its beginning between two blocks: its indexes move, and what is asked for is found."""
    number = record(store, 3 * GRID_MESSAGES)
    keys = store_copying.session_snapshot(store, number)
    whole = store.client.lrange(store.keys.arrivals(number), 0, -1)
    found: list[bytes] = []
    blocks = [store.messages(number, first, GRID_MESSAGES) for first in range(0, keys.message_count, GRID_MESSAGES)]
    cursor = store_copying._ReadsCursor(store.client, store.keys, number)
    for block in blocks:
        reads = cursor.reads_of(block)
        assert reads is not None  # reads that follow each other with one time and source
        found += [reads[at : at + 22] for at in range(0, len(reads), 22)]
        store.client.ltrim(store.keys.arrivals(number), 100, -1)
    assert found == whole


def test_reads_are_told_by_the_blocks_where_only_the_archive_has_them(
    store: DatabaseServer, other: DatabaseServer, tmp_path: Path
) -> None:
    number = record(store, 2 * GRID_MESSAGES + 50)
    before = [store.messages(number, first, GRID_MESSAGES) for first in (0, GRID_MESSAGES, 2 * GRID_MESSAGES)]
    store.client.ltrim(store.keys.arrivals(number), 300, -1)
    keys = store_copying.session_snapshot(store, number)
    cursor = store_copying._ReadsCursor(store.client, store.keys, number)
    store_copying.put_session(other, keys)
    for block in before:
        store_copying.put_block(other, SavedBlock(block, cursor.reads_of(block)))
    after = [other.messages(number, first, GRID_MESSAGES) for first in (0, GRID_MESSAGES, 2 * GRID_MESSAGES)]
    assert [block.checksum for block in after] == [block.checksum for block in before]


def test_messages_that_another_program_pushed_without_a_read_come_back(
    store: DatabaseServer, other: DatabaseServer, tmp_path: Path
) -> None:
    number = record(store, 10)
    store.client.rpush(store.keys.messages(number), b"a stranger")
    write_backup(store, tmp_path / "b.tar")
    restore_backup(tmp_path / "b.tar", other)
    assert other.messages(number, 0, 20).checksum == store.messages(number, 0, 20).checksum


def test_the_servers_tables_and_its_certificate_are_saved_while_they_are_in_use(
    store: DatabaseServer, other: DatabaseServer, tmp_path: Path
) -> None:
    private_certificate(tmp_path / "here")
    with SourceStore(tmp_path / "here" / "server.db"):
        with sqlite3.connect(tmp_path / "here" / "server.db") as tables:
            tables.execute("INSERT INTO source (name, config) VALUES ('scale', '{}')")
        tables.close()
        saved = write_backup(store, tmp_path / "b.tar", tmp_path / "here")
    assert list(saved.files) == ["server.db", "tls/certificate.pem", "tls/key.pem"]
    restore_backup(tmp_path / "b.tar", other, tmp_path / "there")
    SourceStore(tmp_path / "there" / "server.db").close()
    tables = sqlite3.connect(tmp_path / "there" / "server.db")
    assert tables.execute("SELECT name FROM source").fetchall() == [("scale",)]
    tables.close()
    before, after = (private_certificate(tmp_path / folder).fingerprint for folder in ("here", "there"))
    assert after == before
    for name in ("server.db", "tls", "tls/key.pem"):
        assert (tmp_path / "there" / name).stat().st_mode & 0o77 == 0
    assert (tmp_path / "b.tar").stat().st_mode & 0o77 == 0


def test_an_existing_file_is_replaced_only_when_that_is_said(store: DatabaseServer, tmp_path: Path) -> None:
    record(store, 5)
    path = tmp_path / "b.tar"
    path.write_text("precious")
    with pytest.raises(BackupError, match="is there already"):
        write_backup(store, path)
    assert path.read_text() == "precious"
    write_backup(store, path, force=True)
    assert verify_backup(path).message_count == 5
    assert [each.name for each in tmp_path.iterdir()] == ["b.tar"]


def test_a_file_that_cannot_be_written_is_said_in_a_sentence(store: DatabaseServer, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match=r"Cannot write the backup .*no such file or directory"):
        write_backup(store, tmp_path / "nowhere" / "b.tar")


def test_a_store_that_was_never_used_has_no_backup(other: DatabaseServer, tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="nothing to save"):
        write_backup(other, tmp_path / "b.tar")


def test_a_newer_store_is_not_saved(store: DatabaseServer, tmp_path: Path) -> None:
    store.client.set(store.keys.schema, SCHEMA_VERSION + 1)
    with pytest.raises(StoreTooNew):
        write_backup(store, tmp_path / "b.tar")
    assert not list(tmp_path.iterdir())


def test_a_fault_in_the_middle_leaves_no_file(store: DatabaseServer, tmp_path: Path) -> None:
    record(store, 5)

    def fail(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_backup(store, tmp_path / "b.tar", progress=fail)
    assert not list(tmp_path.iterdir())


@pytest.fixture
def backup(store: DatabaseServer, tmp_path: Path) -> Path:
    record(store, 300)
    record(store, 20, seed=2)
    (tmp_path / "here").mkdir()
    SourceStore(tmp_path / "here" / "server.db").close()
    write_backup(store, tmp_path / "b.tar", tmp_path / "here")
    return tmp_path / "b.tar"


def refused(path: Path, other: DatabaseServer, tmp_path: Path, words: str) -> None:
    """Neither verified nor restored, and nothing is changed."""
    with pytest.raises(BackupError, match=words):
        verify_backup(path)
    with pytest.raises(BackupError, match=words):
        restore_backup(path, other, tmp_path / "there")
    assert dump(other) == {}
    assert not (tmp_path / "there").exists()


def test_a_backup_cut_anywhere_is_refused(backup: Path, other: DatabaseServer, tmp_path: Path) -> None:
    whole = backup.read_bytes()
    cut = tmp_path / "cut.tar"
    manifest_at = whole.rindex(b"manifest.json")
    places = random.Random(7).sample(range(600, manifest_at), 20)
    for place in (*places, manifest_at, manifest_at + 600):
        cut.write_bytes(whole[:place])
        refused(cut, other, tmp_path, "is damaged")
    for place in (0, 1, 511, 512):
        cut.write_bytes(whole[:place])
        refused(cut, other, tmp_path, "is not a backup|is damaged")


def test_a_backup_with_a_changed_byte_is_refused(backup: Path, other: DatabaseServer, tmp_path: Path) -> None:
    whole = backup.read_bytes()
    spoiled = tmp_path / "spoiled.tar"
    with tarfile.open(backup) as tar:
        members = [(member.name, member.offset_data, member.size) for member in tar.getmembers()]
    chance = random.Random(11)
    for name, offset, size in members[1:]:
        for place in chance.sample(range(offset, offset + size), 3):
            content = bytearray(whole)
            content[place] ^= 1 << chance.randrange(8)
            spoiled.write_bytes(content)
            try:
                verify_backup(spoiled)
            except BackupError as error:
                assert "damaged" in str(error) or "missing" in str(error), error  # noqa: PT017
            else:  # padding inside an Arrow message means nothing, nor do the last bits of compressed reads
                if name.endswith(".reads"):
                    unpacked = [zlib.decompress(bytes(part[offset : offset + size])) for part in (whole, content)]
                    assert unpacked[0] == unpacked[1]
                else:
                    assert name.endswith(".arrow"), name


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"\x00" * 20_000, random.Random(3).randbytes(5000)],
    ids=["empty", "text", "zeros", "any"],
)
def test_a_foreign_file_is_refused(content: bytes, other: DatabaseServer, tmp_path: Path) -> None:
    (tmp_path / "foreign").write_bytes(content)
    refused(tmp_path / "foreign", other, tmp_path, "is not a backup made by Blitz")


def test_a_file_that_is_not_there_is_said(other: DatabaseServer, tmp_path: Path) -> None:
    refused(tmp_path / "nothing", other, tmp_path, "Cannot read .*no such file")
    refused(tmp_path, other, tmp_path, "Cannot read .*is a directory")


def rewritten(backup: Path, change: Callable[[tarfile.TarInfo, bytes], tuple[tarfile.TarInfo, bytes] | None]) -> Path:
    """The backup with its members changed."""
    target = backup.with_name("changed.tar")
    with tarfile.open(backup) as source, tarfile.open(target, "w") as out:
        for member in source.getmembers():
            file = source.extractfile(member)
            assert file is not None
            changed = change(member, file.read())
            if changed is not None:
                changed[0].size = len(changed[1])
                out.addfile(changed[0], io.BytesIO(changed[1]))
    return target


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "folder/../../evil", "folder/redis", "session_1/../x.arrow"])
def test_names_that_lead_elsewhere_are_refused(name: str, backup: Path, other: DatabaseServer, tmp_path: Path) -> None:
    def rename(member: tarfile.TarInfo, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
        if member.name == "folder/server.db":
            member.name = name
        return member, content

    refused(rewritten(backup, rename), other, tmp_path, "does not belong there")


def test_links_are_refused(backup: Path, other: DatabaseServer, tmp_path: Path) -> None:
    def link(member: tarfile.TarInfo, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
        if member.name == "folder/server.db":
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            content = b""
        return member, content

    refused(rewritten(backup, link), other, tmp_path, "is not a file")


@pytest.mark.parametrize("name", ["session_1/keys.json", "session_1/0000000000000000.arrow", "folder/server.db"])
def test_a_part_that_was_taken_out_is_missed(name: str, backup: Path, other: DatabaseServer, tmp_path: Path) -> None:
    changed = rewritten(backup, lambda member, content: None if member.name == name else (member, content))
    refused(changed, other, tmp_path, "damaged|not the session")


def test_a_newer_backup_is_refused(backup: Path, other: DatabaseServer, tmp_path: Path) -> None:
    def newer(member: tarfile.TarInfo, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
        if member.name == "blitz-backup.json":
            header = json.loads(content) | {"version": backup_format.FORMAT_VERSION + 1, "blitz_version": "9.9"}
            content = json.dumps(header).encode()
        return member, content

    refused(rewritten(backup, newer), other, tmp_path, "newer Blitz .9.9")


def test_a_backup_of_a_newer_store_is_refused(
    backup: Path, other: DatabaseServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blitz.data.store_schema.SCHEMA_VERSION", 1)
    with pytest.raises(StoreTooNew, match="holds a store of a newer Blitz"):
        restore_backup(backup, other)
    assert dump(other) == {}


def test_a_store_with_sessions_is_not_restored_into(backup: Path, store: DatabaseServer, tmp_path: Path) -> None:
    before = dump(store)
    with pytest.raises(BackupError, match="has sessions already"):
        restore_backup(backup, store)
    assert dump(store) == before


def test_a_store_with_a_server_is_not_restored_into(backup: Path, other: DatabaseServer) -> None:
    lease = other.take_lease("bench 4")
    with pytest.raises(BackupError, match="A Blitz server uses the store"):
        restore_backup(backup, other)
    other.release_lease(lease)
    restore_backup(backup, other)


def test_no_server_can_take_the_store_while_it_is_restored_into(backup: Path, other: DatabaseServer) -> None:
    refusals = []

    def try_it(done: int, total: int) -> None:
        if other.client.exists(other.keys.start(1)):
            with pytest.raises(StoreInUse, match="blitz restore"):
                other.take_lease("bench 4")
            refusals.append(done)

    restore_backup(backup, other, progress=try_it)
    assert refusals
    other.release_lease(other.take_lease("bench 4"))


def test_tables_that_are_there_are_not_replaced(backup: Path, other: DatabaseServer, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "server.db").write_text("precious")
    with pytest.raises(BackupError, match="is there already"):
        restore_backup(backup, other, tmp_path / "there")
    assert (tmp_path / "there" / "server.db").read_text() == "precious"
    assert dump(other) == {}


def test_a_restore_that_is_broken_off_leaves_nothing(backup: Path, other: DatabaseServer, tmp_path: Path) -> None:
    def stop_late(done: int, total: int) -> None:
        if other.client.exists(other.keys.start(2)):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore_backup(backup, other, tmp_path / "there", stop_late)
    assert dump(other) == {}
    assert not list((tmp_path / "there").iterdir())


def test_what_a_killed_restore_left_is_replaced(backup: Path, store: DatabaseServer, other: DatabaseServer) -> None:
    other.client.rpush(other.keys.messages(1), b"half", b"a", b"session")
    other.client.set(other.keys.start(1), 5)
    restore_backup(backup, other)
    assert dump(other) == dump(store)


def test_ids_that_were_given_out_are_not_given_again(backup: Path, other: DatabaseServer) -> None:
    other.client.set(other.keys.session_last, 17)
    restore_backup(backup, other)
    assert other.start_session() == 18


def test_memory_does_not_grow_with_the_file(store: DatabaseServer, tmp_path: Path) -> None:
    record(store, 4 * GRID_MESSAGES)
    write_backup(store, tmp_path / "b.tar")
    reader = BackupReader(tmp_path / "b.tar")
    sizes = [len(part.block) for part in reader.parts() if isinstance(part, SavedBlock)]
    assert sizes == [GRID_MESSAGES] * 4


def test_sessions_beyond_memory_go_to_the_archive_and_read_the_same(
    store: DatabaseServer, redis_url: str, tmp_path: Path
) -> None:
    first = record(store, 18 * GRID_MESSAGES + 5)
    second = record(store, 300, seed=2)
    store.trash.put(record(store, 700, seed=3), 1_800_000_000_000)
    third = record(store, 3000, seed=4)
    write_backup(store, tmp_path / "b.tar")
    target = DatabaseServer(redis_url, "two:", tmp_path / "archive")
    try:
        restore_backup(tmp_path / "b.tar", target, memory_bytes=2 * 3000 * 70)
        assert target.client.llen(target.keys.messages(first)) == 0
        assert [target.session(number).archived_count for number in (first, second, third)] == [
            18 * GRID_MESSAGES + 5,
            300,
            0,
        ]
        assert len(list((tmp_path / "archive" / f"session_{first}").iterdir())) == 2
        for number in (first, second, third):
            assert target.get_all_from_session(number) == store.get_all_from_session(number)
        again = write_backup(target, tmp_path / "again.tar")
        assert again.sessions == verify_backup(tmp_path / "b.tar").sessions
        assert target.start_session() == 5
    finally:
        target.close()


def test_what_moves_to_the_archive_meanwhile_is_saved_all_the_same(
    redis_url: str, other: DatabaseServer, tmp_path: Path
) -> None:
    store = DatabaseServer(redis_url, "one:", tmp_path / "archive")
    try:
        migrate(store)
        closed = record(store, 5 * GRID_MESSAGES + 40)
        running = record(store, 4 * GRID_MESSAGES + 3, seed=2, stop=False)
        before = {number: store.get_all_from_session(number) for number in (closed, running)}
        limits = Limits(keep_messages=GRID_MESSAGES, segment_blocks=2, least_blocks=1)
        archiving = Archiving(store.archive_store(), Archive(tmp_path / "archive", store.store_id), limits)
        archiving.begin()
        moved = []

        def move(done: int, total: int) -> None:
            store.queue("and on")
            moved.append(archiving.step())

        saved = write_backup(store, tmp_path / "b.tar", progress=move)
        assert len([each for each in moved if each is not None]) >= 5
        assert store.session(closed).archived_count == 5 * GRID_MESSAGES + 40
        assert store.session(running).archived_count >= 2 * GRID_MESSAGES
        assert [session.id for session in saved.sessions] == [closed, running]
        restore_backup(tmp_path / "b.tar", other)
        assert other.get_all_from_session(closed) == before[closed]
        back = other.get_all_from_session(running)
        assert back[: len(before[running])] == before[running]
        assert set(back[len(before[running]) :]) == {"and on"}
        for number, messages in before.items():
            whole = store.messages(number, 0, len(messages))
            assert other.messages(number, 0, len(messages)).checksum == whole.checksum
    finally:
        store.close()


def test_a_restore_into_the_archive_that_is_broken_off_leaves_nothing(
    backup: Path, redis_url: str, tmp_path: Path
) -> None:
    target = DatabaseServer(redis_url, "two:", tmp_path / "archive")

    def stop_late(done: int, total: int) -> None:
        if target.client.exists(target.keys.start(2)):
            raise KeyboardInterrupt

    try:
        with pytest.raises(KeyboardInterrupt):
            restore_backup(backup, target, None, stop_late, memory_bytes=1)
        assert dump(target) == {}
        assert not list((tmp_path / "archive").glob("session_*"))
        restore_backup(backup, target, memory_bytes=1)
        with pytest.raises(BackupError, match="has sessions already"):
            restore_backup(backup, target, memory_bytes=1)
    finally:
        target.close()


def test_a_session_whose_archive_is_damaged_is_left_out_and_named(backup: Path, redis_url: str, tmp_path: Path) -> None:
    target = DatabaseServer(redis_url, "two:", tmp_path / "archive")
    try:
        restore_backup(backup, target, memory_bytes=1)
        target.close()
        (segment,) = (tmp_path / "archive" / "session_1").iterdir()
        content = segment.read_bytes()
        segment.write_bytes(content[: len(content) // 2])
        target = DatabaseServer(redis_url, "two:", tmp_path / "archive")  # it has read nothing of it yet
        saved = write_backup(target, tmp_path / "again.tar")
        assert [session.id for session in saved.sessions] == [2]
        (left,) = saved.left_out
        assert (left.id, left.is_deleted) == (1, False)
        assert "is damaged" in left.reason
        assert saved.store.sessions == (2,)
    finally:
        target.close()
