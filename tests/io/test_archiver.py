"""The archiver with its real worker process on a real Redis: memory kept, crashes survived, requests answered."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blitz.data.archive_reach import Reach
from blitz.data.archive_records import ArchiveCheck
from blitz.data.blocks import GRID_MESSAGES, Read
from blitz.data.database import DatabaseServer
from blitz.errors import ArchiveError, SessionNotFound
from blitz.io.archiver import Archiver, ArchiverOptions

COUNT = 12 * GRID_MESSAGES
PAYLOAD = b"%028d"


class Notices:
    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, severity: str, text: str, source: None) -> None:
        self.texts.append(text)


@pytest.fixture
def notices() -> Notices:
    return Notices()


@pytest.fixture
def run_archiver(store: DatabaseServer, tmp_path: Path, notices: Notices) -> Iterator[Callable[..., Archiver]]:
    archivers = []

    def run(
        budget_bytes: int = 0,
        is_on: bool = True,
        idle_s: float = 30.0,
        reach: Callable[[], Reach | None] | None = None,
    ) -> Archiver:
        options = ArchiverOptions(tmp_path / "archive", is_on, budget_bytes, idle_s, again_s=0.1)
        archiver = Archiver(store, options, notices, reach)
        archivers.append(archiver)
        archiver.start()
        return archiver

    yield run
    for archiver in archivers:
        archiver.stop()


def wait_until(condition: Callable[[], object], what: str) -> None:
    deadline_s = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline_s, what
        time.sleep(0.02)


def record(store: DatabaseServer, count: int = COUNT, *, stop: bool = True) -> int:
    session_id = store.start_session("long")
    writer = store.writer(session_id)
    for begin in range(0, count, 4096):
        writer.append([Read(1_000 + begin, 0, [PAYLOAD % seq for seq in range(begin, min(begin + 4096, count))])])
    writer.close()
    if stop:
        store.stop_session()
    return session_id


def archived(store: DatabaseServer, session_id: int) -> int:
    return store.session(session_id).archived_count


def check(store: DatabaseServer, session_id: int, count: int = COUNT) -> None:
    assert store.get_all_from_session(session_id) == [str(PAYLOAD % seq, "ascii") for seq in range(count)]


def workers() -> list[int]:
    """The worker processes that this process has started and that live."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        if b"blitz.io.worker" in words and parent == os.getpid():
            found.append(int(path.name))
    return found


def test_messages_move_when_the_memory_fills_and_not_before(
    store: DatabaseServer, run_archiver: Callable[..., Archiver]
) -> None:
    budget = 20_000_000
    archiver = run_archiver(budget)
    small = record(store, 1_000)
    assert archiver.status().sessions == ()
    assert workers() == []
    large = record(store, 20 * GRID_MESSAGES)
    wait_until(lambda: archived(store, large) == 20 * GRID_MESSAGES, "the session did not move")
    wait_until(lambda: archiver.status().moved_messages == 20 * GRID_MESSAGES + 1_000, "the server was not told")
    status = archiver.status()
    assert {session.session_id for session in status.sessions} == {small, large}
    assert status.redis_used_bytes < budget * 0.4
    check(store, large, 20 * GRID_MESSAGES)


def test_a_running_session_keeps_its_newest_messages_in_memory(
    store: DatabaseServer, run_archiver: Callable[..., Archiver]
) -> None:
    session_id = record(store, 20 * GRID_MESSAGES, stop=False)
    run_archiver(25_000_000)  # they take 11 MB: more than makes them move, less than takes the newest, too
    wait_until(lambda: archived(store, session_id) == 12 * GRID_MESSAGES, "the session did not move")
    check(store, session_id, 20 * GRID_MESSAGES)


def test_messages_move_as_far_as_the_server_says(store: DatabaseServer, run_archiver: Callable[..., Archiver]) -> None:
    first, second = record(store), record(store)
    reaches: list[Reach | None] = [Reach(first)]
    run_archiver(1_000_000, reach=lambda: reaches[-1])
    wait_until(lambda: archived(store, first) == COUNT, "the session did not move")
    assert archived(store, second) == 0
    reaches.append(Reach(second, {second: 3 * GRID_MESSAGES}))
    wait_until(lambda: archived(store, second) == 2 * GRID_MESSAGES, "the session did not move as far as it may")
    reaches.append(Reach(second))
    wait_until(lambda: archived(store, second) == COUNT, "the session did not move wholly")
    check(store, second)


def test_a_worker_that_is_told_all_the_time_ends_when_idle(
    store: DatabaseServer, run_archiver: Callable[..., Archiver]
) -> None:
    archiver = run_archiver(idle_s=0.2, reach=Reach)
    assert archiver.verify() == ArchiveCheck()
    wait_until(lambda: not workers(), "the worker did not end")


def test_nothing_moves_where_the_archive_is_off(store: DatabaseServer, run_archiver: Callable[..., Archiver]) -> None:
    session_id = record(store)
    archiver = run_archiver(1_000_000, is_on=False)
    assert archiver.verify() == ArchiveCheck()  # the worker has begun, and looked at the memory
    assert archived(store, session_id) == 0


def test_a_worker_that_is_killed_is_started_again(store: DatabaseServer, run_archiver: Callable[..., Archiver]) -> None:
    archiver = run_archiver(20_000_000)
    ids = []
    for _ in range(3):
        ids.append(record(store, 20 * GRID_MESSAGES))
        wait_until(workers, "no worker was started")
        for process_id in workers():
            os.kill(process_id, signal.SIGKILL)
    wait_until(lambda: all(archived(store, session_id) for session_id in ids), "the sessions did not move")
    for session_id in ids:
        check(store, session_id, 20 * GRID_MESSAGES)
    assert archiver.verify().faults == ()


def test_the_worker_ends_when_it_has_nothing_to_do(
    store: DatabaseServer, run_archiver: Callable[..., Archiver]
) -> None:
    archiver = run_archiver(idle_s=0.1)
    assert archiver.verify() == ArchiveCheck()
    wait_until(lambda: not workers(), "the worker stays")
    assert archiver.verify() == ArchiveCheck()


def test_the_worker_ends_with_the_server(store: DatabaseServer, run_archiver: Callable[..., Archiver]) -> None:
    archiver = run_archiver()
    archiver.verify()
    assert workers()
    archiver.stop()
    assert not workers()


def test_damage_and_absence_are_told_with_the_file(
    store: DatabaseServer, run_archiver: Callable[..., Archiver], tmp_path: Path
) -> None:
    first, second = record(store), record(store)
    archiver = run_archiver(10_000_000)
    wait_until(lambda: archived(store, first) and archived(store, second), "the sessions did not move")
    files = {
        session_id: sorted((tmp_path / "archive" / f"session_{session_id}").iterdir()) for session_id in (first, second)
    }
    whole = archiver.verify()
    assert (whole.files, whole.messages, whole.faults) == (2, 2 * COUNT, ())
    files[first][0].write_bytes(files[first][0].read_bytes()[:-200])
    files[second][0].unlink()
    broken = archiver.verify()
    assert [fault.session_id for fault in broken.faults] == [first, second]
    assert str(files[first][0]) in broken.faults[0].text
    assert f"Messages 0 to {COUNT - 1} of session {second} are in no file" in broken.faults[1].text
    assert archiver.verify(only=second).faults == broken.faults[1:]
    with pytest.raises(ArchiveError, match="damaged"):
        store.messages(first, 0, 10)
    with pytest.raises(ArchiveError):
        archiver.restore(second)


def test_a_session_is_brought_back_if_there_is_room(
    store: DatabaseServer, run_archiver: Callable[..., Archiver], tmp_path: Path
) -> None:
    session_id = record(store)
    archiver = run_archiver(10_000_000)
    wait_until(lambda: archived(store, session_id), "the session did not move")
    with pytest.raises(ArchiveError, match=r"needs about \d+ MB in Redis' memory"):
        archiver.restore(session_id)
    archiver.stop()
    roomy = run_archiver(200_000_000)
    while roomy.restore(session_id).archived_count:
        pass
    assert archived(store, session_id) == 0
    check(store, session_id)
    with pytest.raises(SessionNotFound):
        roomy.restore(99)


def test_trouble_is_told_once_and_so_is_its_end(
    store: DatabaseServer, run_archiver: Callable[..., Archiver], tmp_path: Path, notices: Notices
) -> None:
    folder = tmp_path / "archive"
    folder.mkdir()
    (folder / "store_id").write_text("another")
    session_id = record(store)
    archiver = run_archiver(10_000_000)
    wait_until(lambda: notices.texts, "nothing was told")
    assert "is the archive of another store (another)" in notices.texts[0]
    assert archiver.status().trouble is not None
    (folder / "store_id").unlink()
    wait_until(lambda: archived(store, session_id), "the session did not move")
    wait_until(lambda: len(notices.texts) > 1, "the end was not told")
    assert notices.texts[1:] == ["Messages move to the archive again."]


def test_what_a_crash_left_is_removed_at_the_start(
    store: DatabaseServer, run_archiver: Callable[..., Archiver], tmp_path: Path
) -> None:
    session_id = record(store)
    archiver = run_archiver(10_000_000)
    wait_until(lambda: archived(store, session_id), "the session did not move")
    archiver.stop()
    part = tmp_path / "archive" / f"session_{session_id}" / f"{COUNT:016}.part"
    part.write_bytes(b"half")
    gone = tmp_path / "archive" / "session_77"
    gone.mkdir()
    run_archiver()
    wait_until(lambda: not part.exists() and not gone.exists(), "it is still there")
    check(store, session_id)


def test_appending_and_archiving_at_once_keep_every_message(
    store: DatabaseServer, run_archiver: Callable[..., Archiver]
) -> None:
    run_archiver(12_000_000)
    session_id = store.start_session()
    writer = store.writer(session_id)
    count = moved = 0
    while moved <= 8 * GRID_MESSAGES:
        writer.append([Read(1_000 + count, 0, [PAYLOAD % seq for seq in range(count, count + 500)])])
        count += 500
        if count % 50_000 == 0:
            if count - moved > 1_000_000:
                wait_until(lambda before=moved: archived(store, session_id) > before, "nothing moved")
            moved = archived(store, session_id)
    writer.close()
    store.stop_session()
    check(store, session_id, count)


def test_streams_move_too_and_are_counted_and_verified(
    store: DatabaseServer, run_archiver: Callable[..., Archiver]
) -> None:
    made = store.streams.create("long")
    for begin in range(0, 18 * GRID_MESSAGES, 2 * GRID_MESSAGES):
        points = [{"t": place, "d": "x" * 40} for place in range(begin, begin + 2 * GRID_MESSAGES)]
        store.streams.append("long", points)
    reach = Reach(store.newest_session(), {})
    archiver = run_archiver(budget_bytes=2 * store.sizes.memory().used_bytes, reach=lambda: reach)
    wait_until(lambda: archiver.status().moved_messages, "nothing moved")
    wait_until(lambda: not archiver.status().is_moving, "it did not end")
    [archived] = archiver.status().sessions
    assert (archived.session_id, archived.name, archived.message_count) == (made.id, "long", 18 * GRID_MESSAGES)
    assert archived.archived_count >= 8 * GRID_MESSAGES
    assert archiver.totals() == (archived.file_bytes, archived.archived_count)
    assert store.streams.range("long", t1=5).first == 5
    check = archiver.verify(only=made.id)
    assert (check.messages, check.faults) == (archived.archived_count, ())
