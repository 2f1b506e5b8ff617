"""Files of the archive: what is written, read back and found missing, and how the disk's errors are told.

Owns what happens to one file. Which files there are, and which counts, is the business of :mod:`blitz.data.archive`.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from blitz.data.archive_plan import Piece
from blitz.data.archive_segment import SegmentEncoder
from blitz.data.blocks import MessageBlock
from blitz.data.disk import Disk
from blitz.errors import ArchiveError, BlitzError

UNFINISHED = ".part"
"""How the names of files end that are being written."""


@dataclass(frozen=True)
class Segment:
    """A file with the messages first <= seq < stop of a session."""

    path: Path
    session_id: int
    first: int
    stop: int


def write_segment(
    disk: Disk, path: Path, store_id: str, piece: Piece, blocks: Iterable[MessageBlock], limit_bytes: int
) -> int | None:
    """Write messages to a file and read it back; return where they end, None if some are not there."""
    disk.remove(path)
    encoder, stop = SegmentEncoder(store_id, piece.session_id), piece.first
    written: list[bytes] = []
    file = disk.open(path)
    try:
        for block in blocks:
            if not len(block):
                continue
            written.append(encoder.add(block))
            file.write(written[-1])
            stop = block.next_seq
            if encoder.raw_bytes >= limit_bytes:
                break
        if stop != piece.stop and (stop == piece.first or encoder.raw_bytes < limit_bytes):
            return None
        written.append(encoder.finish())
        file.write(written[-1])
        file.sync()
    finally:
        file.close()
    offset = 0
    for chunk in written:
        if disk.read(path, offset, len(chunk)) != chunk:
            raise ArchiveError(f"{path} does not hold what was written to it. Is the disk failing?")
        offset += len(chunk)
    return stop


def write_at_once(disk: Disk, path: Path, content: bytes) -> None:
    """Write a small file, which is there whole or not at all."""
    part = path.with_suffix(UNFINISHED)
    disk.remove(part)
    file = disk.open(part)
    try:
        file.write(content)
        file.sync()
    finally:
        file.close()
    disk.replace(part, path)
    disk.sync_folder(path.parent)


def missing_ranges(segments: Iterable[Segment], stop: int) -> list[tuple[int, int]]:
    """Return what of the messages 0 <= seq < stop is in none of the segments, as (first, stop).

    >>> missing_ranges([Segment(Path("a"), 1, 10, 20), Segment(Path("b"), 1, 30, 40)], 50)
    [(0, 10), (20, 30), (40, 50)]
    """
    missing, seq = [], 0
    for segment in sorted(segments, key=lambda segment: segment.first):
        if seq < min(segment.first, stop):
            missing.append((seq, min(segment.first, stop)))
        seq = max(seq, segment.stop)
    if seq < stop:
        missing.append((seq, stop))
    return missing


def is_equal(block: MessageBlock, other: MessageBlock) -> bool:
    """Say whether two blocks hold the same messages."""
    return (
        (block.first_seq, len(block)) == (other.first_seq, len(other))
        and bool((block.arrived_ns == other.arrived_ns).all())
        and bool((block.source == other.source).all())
        and bool(block.raw.equals(other.raw))
    )


@contextmanager
def told(path: Path, what: str) -> Iterator[None]:
    """Turn the disk's errors into ours."""
    try:
        yield
    except BlitzError:
        raise
    except ValueError as error:  # of the segment's bytes
        raise ArchiveError(f"{path} is damaged: {error}.") from error
    except FileNotFoundError as error:
        raise ArchiveError(f"{path} is missing. Bring it back from a backup, or delete the session.") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ArchiveError(f"Cannot {what} {path}: {reason}.") from error
