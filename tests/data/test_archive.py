"""The archive's files: written whole or not at all, read block by block, and damage named."""

import contextlib
import errno
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from blitz.data.archive import Archive
from blitz.data.archive_files import Segment
from blitz.data.archive_plan import Piece
from blitz.data.blocks import MessageBlock, Read
from blitz.data.disk import DiskFile, LocalDisk
from blitz.errors import ArchiveError, StoreUnavailable

GRID = 16
NO_LIMIT = 1 << 40


def block(first: int, stop: int, session_id: int = 1) -> MessageBlock:
    reads = [Read(1_000 * seq, seq % 3, [b"m%d" % seq]) for seq in range(first, stop)]
    return MessageBlock.from_reads(session_id, first, reads, "store-1")


def blocks(first: int, stop: int, session_id: int = 1) -> Iterator[MessageBlock]:
    for begin in range(first, stop, GRID):
        yield block(begin, min(begin + GRID, stop), session_id)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    archive = Archive(tmp_path / "archive", "store-1")
    archive.claim()
    return archive


def written(archive: Archive, first: int, stop: int, session_id: int = 1) -> Segment:
    segment = archive.write(Piece(session_id, first, stop), blocks(first, stop, session_id), NO_LIMIT)
    assert segment is not None
    return segment


def test_what_was_written_is_read_in_any_part(archive: Archive) -> None:
    written(archive, 0, 64)
    written(archive, 64, 100)
    for first, stop in [(0, 100), (0, 1), (15, 17), (60, 70), (99, 100), (64, 100)]:
        read = archive.read(1, first, stop)
        expected = MessageBlock.concatenate(list(blocks(0, 100))).between(first, stop)
        assert read.checksum == expected.checksum
        assert read.store_id == "store-1"


def test_any_program_that_reads_arrow_files_reads_a_segment(archive: Archive) -> None:
    segment = written(archive, 0, 40)
    with pa.ipc.open_file(segment.path) as file:
        table = file.read_all()
    assert table["raw"].to_pylist() == [b"m%d" % seq for seq in range(40)]
    assert table["arrived_ns"].to_pylist() == [1_000 * seq for seq in range(40)]


def test_segments_end_at_the_limit_of_bytes(archive: Archive) -> None:
    segment = archive.write(Piece(1, 0, 64), blocks(0, 64), limit_bytes=38 + 4 * GRID)
    assert segment is not None
    assert (segment.first, segment.stop) == (0, GRID)


def test_a_segment_of_messages_that_are_not_all_there_is_not_written(archive: Archive) -> None:
    assert archive.write(Piece(1, 0, 64), blocks(0, 48), NO_LIMIT) is None
    assert archive.write(Piece(1, 0, 64), iter(()), NO_LIMIT) is None
    assert archive.segments(1) == []
    assert list((archive.folder / "session_1").iterdir()) == []


def test_blocks_that_do_not_follow_each_other_are_refused(archive: Archive) -> None:
    with pytest.raises(ArchiveError, match="behind seq 16 the store gave messages from seq 32"):
        archive.write(Piece(1, 0, 48), [block(0, 16), block(32, 48)], NO_LIMIT)
    assert list((archive.folder / "session_1").iterdir()) == []


def test_a_missing_message_is_an_error_that_names_folder_and_remedy(archive: Archive) -> None:
    written(archive, 0, 32)
    with pytest.raises(ArchiveError, match=r"Message 32 of session 1 is in no file of .*session_1.*backup"):
        archive.read(1, 30, 40)


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 0x40
    path.write_bytes(content)


@pytest.mark.parametrize("where", [0.3, 0.5, 0.7])
def test_a_flipped_bit_is_found_in_messages_and_index(archive: Archive, where: float) -> None:
    segment = written(archive, 0, 64)
    flip(segment.path, int(segment.path.stat().st_size * where))
    fresh = Archive(archive.folder, "store-1")
    with pytest.raises(ArchiveError, match=str(segment.path)):
        fresh.verify(segment)


def test_every_bit_of_the_messages_counts(archive: Archive) -> None:
    segment = written(archive, 0, 32)
    content = segment.path.read_bytes()
    expected = [b"m%d" % seq for seq in range(32)]
    for position in range(0, len(content), 7):
        flip(segment.path, position)
        fresh = Archive(archive.folder, "store-1")
        with contextlib.suppress(ArchiveError):
            assert fresh.read(1, 0, 32).messages() == expected  # what says nothing of messages may be flipped
        segment.path.write_bytes(content)


@pytest.mark.parametrize("keep", [0, 5, 100, -8, -1])
def test_a_file_that_was_cut_short_is_found(archive: Archive, keep: int) -> None:
    segment = written(archive, 0, 64)
    segment.path.write_bytes(segment.path.read_bytes()[:keep])
    with pytest.raises(ArchiveError, match=str(segment.path)):
        Archive(archive.folder, "store-1").read(1, 0, 64)


def test_a_damaged_block_harms_no_other_one(archive: Archive) -> None:
    segment = written(archive, 0, 64)
    middle = segment.path.stat().st_size // 4
    flip(segment.path, middle)
    fresh = Archive(archive.folder, "store-1")
    readable = []
    for first in range(0, 64, GRID):
        with contextlib.suppress(ArchiveError):
            readable.append(fresh.read(1, first, first + GRID).messages() == block(first, first + GRID).messages())
    assert readable == [True] * 3
    with pytest.raises(ArchiveError, match=r"messages from seq \d+ to \d+ are not what was written"):
        fresh.read(1, 0, 64)


def test_a_file_under_a_wrong_name_is_refused(archive: Archive) -> None:
    segment = written(archive, 0, 32)
    segment.path.rename(segment.path.with_name(f"{32:016}-{64:016}.arrow"))
    with pytest.raises(ArchiveError, match="other messages than its name says"):
        archive.read(1, 32, 40)


def test_a_segment_of_another_store_is_refused(archive: Archive) -> None:
    written(archive, 0, 32)
    with pytest.raises(ArchiveError, match="belongs to another store"):
        Archive(archive.folder, "store-2").read(1, 0, 32)


def test_a_folder_is_the_archive_of_one_store(archive: Archive) -> None:
    archive.claim()
    assert archive.is_ours()
    other = Archive(archive.folder, "store-2")
    assert not other.is_ours()
    with pytest.raises(ArchiveError, match="is the archive of another store"):
        other.claim()
    assert not Archive(archive.folder / "none", "store-1").is_ours()


def test_what_was_not_finished_is_removed(archive: Archive) -> None:
    written(archive, 0, 32)
    part = archive.folder / "session_1" / "0000000000000032.part"
    part.write_bytes(b"half")
    assert archive.remove_unfinished() == [part]
    assert [path.suffix for path in (archive.folder / "session_1").iterdir()] == [".arrow"]


def test_a_segment_that_was_replaced_is_read_anew(archive: Archive) -> None:
    segment = written(archive, 0, 32)
    assert archive.read(1, 3, 4).messages() == [b"m3"]
    other = MessageBlock.from_reads(1, 0, [Read(seq, 0, [b"another %d" % seq]) for seq in range(32)], "store-1")
    Archive(archive.folder, "store-1").write(Piece(1, 0, 32), [other.between(0, 16), other.between(16, 32)], NO_LIMIT)
    assert archive.read(1, 20, 21).messages() == [b"another 20"]
    assert segment.path.exists()


def test_a_segment_is_compared_with_messages_however_they_are_cut(archive: Archive) -> None:
    segment = written(archive, 0, 50)
    whole = MessageBlock.concatenate(list(blocks(0, 50)))
    assert archive.holds(segment, [whole])
    assert archive.holds(segment, [whole.between(0, 7), whole.between(7, 41), whole.between(41, 50)])
    assert not archive.holds(segment, [whole.between(0, 49)])
    assert not archive.holds(segment, [whole.between(1, 50)])
    assert not archive.holds(segment, [])
    reads = [Read(1_000 * seq, seq % 3, [b"m%d" % (seq if seq != 33 else 0)]) for seq in range(50)]
    assert not archive.holds(segment, [MessageBlock.from_reads(1, 0, reads, "store-1")])


class FullFile:
    def __init__(self, file: DiskFile) -> None:
        self._file = file

    @property
    def size(self) -> int:
        return self._file.size

    def write(self, chunk: bytes) -> None:
        self._file.write(chunk[: len(chunk) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    def sync(self) -> None:
        self._file.sync()

    def truncate(self, size: int) -> None:
        self._file.truncate(size)

    def close(self) -> None:
        self._file.close()


class FullDisk(LocalDisk):
    def open(self, path: Path) -> DiskFile:
        return FullFile(super().open(path))


class LyingDisk(LocalDisk):
    def read(self, path: Path, offset: int = 0, size: int = -1) -> bytes:
        return super().read(path, offset, size).replace(b"ARROW1", b"ARROW2")


def test_a_full_disk_is_said_and_leaves_nothing(archive: Archive) -> None:
    full = Archive(archive.folder, "store-1", FullDisk())
    with pytest.raises(ArchiveError, match=r"Cannot write .*session_1: no space left on device"):
        full.write(Piece(1, 0, 32), blocks(0, 32), NO_LIMIT)
    assert list((archive.folder / "session_1").iterdir()) == []


def test_what_the_disk_does_not_give_back_does_not_count(archive: Archive) -> None:
    with pytest.raises(ArchiveError, match="does not hold what was written"):
        Archive(archive.folder, "store-1", LyingDisk()).write(Piece(1, 0, 32), blocks(0, 32), NO_LIMIT)
    assert list((archive.folder / "session_1").iterdir()) == []


def test_an_error_of_the_store_passes_and_leaves_nothing(archive: Archive) -> None:
    def failing() -> Iterator[MessageBlock]:
        yield block(0, 16)
        raise StoreUnavailable("away")

    with pytest.raises(StoreUnavailable, match="away"):
        archive.write(Piece(1, 0, 32), failing(), NO_LIMIT)
    assert list((archive.folder / "session_1").iterdir()) == []


@pytest.mark.parametrize("ask", [lambda archive: archive.read(7, 0, 1), lambda archive: archive.covering(7, 0)])
def test_a_session_without_files_has_no_messages(archive: Archive, ask: Callable[[Archive], object]) -> None:
    assert archive.segments(7) == []
    with pytest.raises(ArchiveError):
        ask(archive)
