"""Moving messages to the archive and back, with a crash between any two steps: nothing is lost or doubled."""

import os
import random
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest

from blitz.data.archive import Archive
from blitz.data.archive_plan import Extent, Limits
from blitz.data.archiving import Archiving
from blitz.data.blocks import MessageBlock, Read
from blitz.data.disk import DiskFile, LocalDisk
from blitz.errors import ArchiveError, StoreUnavailable

SMALL = Limits(grid_messages=8, keep_messages=16, segment_blocks=3, least_blocks=1)


class CrashError(BaseException):
    pass


class Steps:
    """Counts what touches the world, and crashes at a chosen step."""

    def __init__(self) -> None:
        self.count = 0
        self.crash_at = -1

    def take(self) -> None:
        self.count += 1
        if self.count == self.crash_at:
            raise CrashError


class SmallStore:
    """Sessions in memory, as the archiving sees them."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self.messages: dict[int, list[bytes]] = {}
        self.first: dict[int, int] = {}
        self.running: int | None = None
        self.restored: set[int] = set()
        self.loses_reply = False

    def add(self, session_id: int, count: int) -> None:
        known = self.messages.setdefault(session_id, [])
        first = self.first.setdefault(session_id, 0)
        known += [b"%d:%d" % (session_id, seq) for seq in range(first + len(known), first + len(known) + count)]

    def extents(self) -> Sequence[Extent]:
        self._steps.take()
        return [self._extent(session_id) for session_id in self.messages]

    def _extent(self, session_id: int) -> Extent:
        first = self.first[session_id]
        stop = first + len(self.messages[session_id])
        return Extent(session_id, first, stop, session_id == self.running, session_id in self.restored)

    def exists(self, session_id: int) -> bool:
        self._steps.take()
        return session_id in self.messages

    def blocks(self, session_id: int, first: int, stop: int) -> Generator[MessageBlock]:
        while first < stop and session_id in self.messages:
            self._steps.take()
            end = min((first // 8 + 1) * 8, stop)
            base = self.first[session_id]
            raw = self.messages[session_id][first - base : end - base]
            yield MessageBlock.from_reads(session_id, first, [Read(7, 0, raw)], "store")
            first = end

    def trim(self, session_id: int, first: int, stop: int) -> bool:
        self._steps.take()
        if session_id not in self.messages:
            return False
        if self.first[session_id] == first:
            del self.messages[session_id][: stop - first]
            self.first[session_id] = stop
        self._steps.take()
        if self.loses_reply:
            self.loses_reply = False
            raise StoreUnavailable("the reply was lost")
        return self.first[session_id] == stop

    def put_back(self, block: MessageBlock) -> bool:
        self._steps.take()
        if self.first.get(block.session_id) != block.next_seq:
            return False
        self.messages[block.session_id][:0] = block.messages()
        self.first[block.session_id] = block.first_seq
        self.restored.add(block.session_id)
        self._steps.take()
        return True

    def delete(self, session_id: int) -> None:
        del self.messages[session_id], self.first[session_id]


class SteppingFile:
    def __init__(self, file: DiskFile, steps: Steps) -> None:
        self._file, self._steps = file, steps

    @property
    def size(self) -> int:
        return self._file.size

    def write(self, chunk: bytes) -> None:
        self._file.write(chunk[: len(chunk) // 2])
        self._steps.take()
        self._file.write(chunk[len(chunk) // 2 :])

    def sync(self) -> None:
        self._steps.take()

    def truncate(self, size: int) -> None:
        self._file.truncate(size)

    def close(self) -> None:
        self._file.close()


class SteppingDisk(LocalDisk):
    def __init__(self, steps: Steps) -> None:
        super().__init__()
        self._steps = steps
        self.lasting: set[Path] = set()
        """Folders whose names survive a power failure."""

    def open(self, path: Path) -> DiskFile:
        self._steps.take()
        return SteppingFile(super().open(path), self._steps)

    def replace(self, source: Path, target: Path) -> None:
        self._steps.take()
        super().replace(source, target)
        self.lasting.discard(target.parent)
        self._steps.take()

    def remove(self, path: Path) -> None:
        self._steps.take()
        super().remove(path)

    def sync_folder(self, folder: Path) -> None:
        self._steps.take()
        self.lasting.add(folder)


class Bench:
    def __init__(self, folder: Path) -> None:
        self.steps = Steps()
        self.store = SmallStore(self.steps)
        self.archive = Archive(folder, "store", SteppingDisk(self.steps))
        self.archiving = Archiving(self.store, self.archive, SMALL)

    def start_again(self) -> list[str]:
        self.archive = Archive(self.archive.folder, "store", SteppingDisk(self.steps))
        self.archiving = Archiving(self.store, self.archive, SMALL)
        return self.archiving.begin()

    def move_all(self) -> None:
        while self.archiving.step() is not None:
            pass

    def check(self, session_id: int, count: int) -> None:
        """Every message is there once, in order: in the archive below the border, in the store above."""
        first = self.store.first[session_id]
        archived = self.archive.read(session_id, 0, first).messages() if first else []
        assert archived + self.store.messages[session_id] == [b"%d:%d" % (session_id, seq) for seq in range(count)]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    bench = Bench(tmp_path / "archive")
    bench.archiving.begin()
    return bench


def test_a_closed_session_goes_to_its_end_and_a_running_one_keeps_its_newest(bench: Bench) -> None:
    bench.store.add(1, 50)
    bench.store.add(2, 50)
    bench.store.running = 2
    bench.move_all()
    assert bench.store.first == {1: 50, 2: 32}
    bench.check(1, 50)
    bench.check(2, 50)
    bench.store.add(2, 30)
    bench.move_all()
    bench.store.running = None
    bench.move_all()
    assert bench.store.first == {1: 50, 2: 80}
    bench.check(2, 80)


@pytest.mark.parametrize("crash_at", range(1, 60))
def test_a_crash_at_any_step_loses_and_doubles_nothing(bench: Bench, crash_at: int) -> None:
    bench.store.add(1, 43)
    bench.store.running = 2
    bench.store.add(2, 43)
    bench.steps.count, bench.steps.crash_at = 0, crash_at
    try:
        bench.move_all()
    except CrashError:
        bench.steps.crash_at = -1
        bench.check(1, 43)
        bench.store.add(2, 9)
        bench.start_again()
        bench.move_all()
    else:
        bench.store.add(2, 9)
    bench.check(1, 43)
    bench.check(2, 52)
    assert bench.store.first[1] == 43
    for session_id in (1, 2):
        segments = bench.archive.segments(session_id)
        assert [segment.stop for segment in segments[:-1]] == [segment.first for segment in segments[1:]]


def test_a_file_from_before_a_crash_is_never_away_and_lasts_before_the_store_lets_go(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.store.add(1, 16)
    bench.archiving.step()
    (segment,) = bench.archive.segments(1)
    bench.store.messages[1] = [b"1:%d" % seq for seq in range(16)]
    bench.store.first[1] = 0
    bench.start_again()
    disk = bench.archive._disk
    assert isinstance(disk, SteppingDisk)
    trim = bench.store.trim

    def trim_what_lasts(session_id: int, first: int, stop: int) -> bool:
        assert segment.path.parent in disk.lasting
        return trim(session_id, first, stop)

    monkeypatch.setattr(bench.store, "trim", trim_what_lasts)
    monkeypatch.setattr(bench.archive, "remove_segment", lambda _: pytest.fail("a late trim would lose messages"))
    bench.move_all()
    bench.check(1, 16)


def test_a_file_with_other_messages_is_not_used(bench: Bench) -> None:
    bench.store.add(1, 16)
    bench.archiving.step()
    bench.store.messages[1] = [b"other"] * 20
    bench.store.first[1] = 0
    bench.start_again()
    bench.move_all()
    assert bench.archive.read(1, 0, 20).messages() == [b"other"] * 20
    assert len(bench.archive.segments(1)) == 1


def test_a_lost_reply_of_the_store_does_no_harm(bench: Bench) -> None:
    bench.store.add(1, 40)
    bench.store.loses_reply = True
    with pytest.raises(StoreUnavailable):
        bench.move_all()
    bench.check(1, 40)
    bench.move_all()
    bench.check(1, 40)
    assert bench.store.first[1] == 40


def test_a_session_that_is_deleted_while_it_moves_leaves_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.store.add(1, 40)
    original = bench.store.trim

    def trim(session_id: int, first: int, stop: int) -> bool:
        bench.store.delete(1)
        return original(session_id, first, stop)

    monkeypatch.setattr(bench.store, "trim", trim)
    assert bench.archiving.step() is None
    assert bench.archive.sessions() == []


def test_starting_removes_the_archive_of_sessions_that_are_gone(bench: Bench) -> None:
    bench.store.add(1, 16)
    bench.store.add(2, 16)
    bench.move_all()
    bench.store.delete(1)
    assert bench.start_again() == ["Removed the archive of session 1, which was deleted"]
    assert bench.archive.sessions() == [2]


def test_another_store_removes_nothing(bench: Bench) -> None:
    bench.store.add(1, 16)
    bench.move_all()
    other = Archiving(SmallStore(Steps()), Archive(bench.archive.folder, "another"), SMALL)
    with pytest.raises(ArchiveError, match="another store"):
        other.begin()
    bench.check(1, 16)


@pytest.mark.parametrize("crash_at", range(1, 40))
def test_a_crash_while_a_session_is_restored_loses_and_doubles_nothing(bench: Bench, crash_at: int) -> None:
    bench.store.add(1, 43)
    bench.move_all()
    bench.steps.count, bench.steps.crash_at = 0, crash_at
    try:
        while bench.store.first[1]:
            bench.archiving.restore_step(1, bench.store.first[1])
    except CrashError:
        bench.steps.crash_at = -1
        bench.check(1, 43)
        bench.start_again()
        while bench.store.first[1]:
            bench.archiving.restore_step(1, bench.store.first[1])
    bench.check(1, 43)
    bench.steps.crash_at = -1
    bench.move_all()
    bench.check(1, 43)


def test_what_was_restored_goes_last(bench: Bench) -> None:
    bench.store.add(1, 16)
    bench.move_all()
    bench.archiving.restore_step(1, 16)
    bench.store.add(2, 16)
    moved = bench.archiving.step()
    assert moved is not None
    assert moved.session_id == 2


@pytest.mark.parametrize("seed", range(2000 if os.environ.get("BLITZ_SOAK") else 10))
def test_random_work_with_crashes_keeps_every_message(bench: Bench, seed: int) -> None:
    choose = random.Random(seed)
    bench.store.add(1, 0)
    bench.store.running = 1
    total = 0
    for _ in range(60):
        bench.steps.count, bench.steps.crash_at = 0, choose.choice([-1, choose.randrange(1, 40)])
        try:
            what = choose.random()
            if what < 0.5:
                count = choose.randrange(30)
                total += count
                bench.store.add(1, count)
            elif what < 0.9:
                bench.archiving.step(is_tight=choose.random() < 0.5)
            elif bench.store.first[1]:
                bench.archiving.restore_step(1, bench.store.first[1])
        except CrashError:
            bench.steps.crash_at = -1
            bench.start_again()
        bench.steps.crash_at = -1
        bench.check(1, total)
