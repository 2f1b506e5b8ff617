"""The archive: older messages of sessions, in files that are written once.

One folder holds the archive of one store. A session has a folder in it, ``session_N``, with segments
``FIRST-NEXT.arrow`` (:mod:`blitz.data.archive_segment`): the messages with FIRST <= seq < NEXT. How far a session's
archive counts, the store says; what is beyond that is left by a crash and means nothing. When messages move is the
business of :mod:`blitz.data.archiving`.
"""

import bisect
import re
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

from blitz.data.archive_files import UNFINISHED, Segment, is_equal, told, write_at_once, write_segment
from blitz.data.archive_plan import Piece
from blitz.data.archive_segment import BlockPlace, SegmentIndex, read_block, read_index
from blitz.data.blocks import MessageBlock
from blitz.data.disk import Disk, LocalDisk
from blitz.errors import ArchiveError, BlitzError

_K = TypeVar("_K")
_V = TypeVar("_V")
_SEGMENT = re.compile(r"(\d+)-(\d+)\.arrow")
_SESSION = re.compile(r"session_(\d+)")
_STORE_FILE = "store_id"
_KEPT_BLOCKS = 4
_KEPT_INDEXES = 64


class Archive:
    """The archive of one store. What is asked may be asked from several threads; one writes.

    :param folder: need not exist; then nothing is archived.
    :param store_id: of the store that the messages come from; a segment of another one is refused.
    """

    def __init__(self, folder: Path, store_id: str, disk: Disk | None = None) -> None:
        self.folder = folder
        self.store_id = store_id
        self._disk: Disk = disk or LocalDisk()
        self._lock = threading.Lock()
        self._listed: dict[int, list[Segment]] = {}
        self._indexes: OrderedDict[Path, SegmentIndex] = OrderedDict()
        self._blocks: OrderedDict[tuple[Path, int], MessageBlock] = OrderedDict()

    # ---- reading --------------------------------------------------------------------------------------------------

    def sessions(self) -> list[int]:
        """Return the ids of the sessions that have a folder here, in order."""
        with told(self.folder, "read"):
            names = self._disk.names(self.folder)
        return sorted(int(found[1]) for name in names if (found := _SESSION.fullmatch(name)))

    def segments(self, session_id: int) -> list[Segment]:
        """Return a session's segments by their first messages; also those that are beyond what counts."""
        folder = self._session_folder(session_id)
        with told(folder, "read"):
            names = self._disk.names(folder)
        found = [(int(match[1]), int(match[2]), name) for name in names if (match := _SEGMENT.fullmatch(name))]
        segments = [Segment(folder / name, session_id, first, stop) for first, stop, name in sorted(found)]
        with self._lock:
            self._listed[session_id] = segments
        return segments

    def covering(self, session_id: int, seq: int) -> Segment:
        """Return the segment with a message.

        :raises ArchiveError: if there is none.
        """
        with self._lock:
            listed = self._listed.get(session_id, [])
        for segments in (listed, None):
            segments = self.segments(session_id) if segments is None else segments
            position = bisect.bisect_right(segments, seq, key=lambda segment: segment.first) - 1
            if position >= 0 and seq < segments[position].stop:
                return segments[position]
        raise ArchiveError(
            f"Message {seq} of session {session_id} is in no file of {self._session_folder(session_id)}: it was "
            "removed, or the disk is not mounted. Bring the folder back from a backup."
        )

    def read(self, session_id: int, first: int, stop: int) -> MessageBlock:
        """Return the messages with first <= seq < stop, of which there must be at least one.

        :raises ArchiveError: if one of them is missing or damaged.
        """
        parts: list[MessageBlock] = []
        while first < stop:
            part = self.read_block(self.covering(session_id, first), first).between(first, stop)
            parts.append(part)
            first = part.next_seq
        return parts[0] if len(parts) == 1 else MessageBlock.concatenate(parts)

    def read_block(self, segment: Segment, seq: int) -> MessageBlock:
        """Return the block of a segment that has a message.

        :raises ArchiveError: if the segment is missing or damaged.
        """
        for is_last in (False, True):
            try:
                index = self._index(segment)
                position = bisect.bisect_right(index.places, seq, key=lambda place: place.first) - 1
                return self._block(segment, index, index.places[position])
            except ArchiveError:
                # It may have been replaced since its index was read.
                if is_last or not self._forget(segment.path):
                    raise
        raise AssertionError

    def size_bytes(self, segment: Segment) -> int:
        """Return how much a segment takes on disk."""
        with told(segment.path, "read"):
            return self._disk.size(segment.path)

    def raw_bytes(self, segment: Segment) -> int:
        """Return how many bytes its messages have, as devices sent them."""
        return self._index(segment).raw_bytes

    def verify(self, segment: Segment) -> None:
        """Read all of a segment from disk.

        :raises ArchiveError: naming the file and what is damaged.
        """
        for _ in self._verified_blocks(segment):
            pass

    def holds(self, segment: Segment, blocks: Iterable[MessageBlock]) -> bool:
        """Say whether a segment is whole and has exactly these messages."""
        expected = iter(blocks)
        rest: MessageBlock | None = None
        try:
            for block in self._verified_blocks(segment):
                seq = block.first_seq
                while seq < block.next_seq:
                    rest = next(expected, None) if rest is None or seq >= rest.next_seq else rest
                    if rest is None or not rest.first_seq <= seq < rest.next_seq:
                        return False
                    part, other = rest.between(seq, block.next_seq), block.between(seq, rest.next_seq)
                    if not is_equal(part, other):
                        return False
                    seq = part.next_seq
        except ArchiveError:
            return False
        return True

    def is_ours(self) -> bool:
        """Say whether the folder is this store's archive: the archiving has claimed it."""
        try:
            return self._owner() == self.store_id
        except ArchiveError:
            return False

    # ---- writing --------------------------------------------------------------------------------------------------

    def claim(self) -> None:
        """Make the folder this store's archive.

        :raises ArchiveError: if it is another store's, or cannot be written.
        """
        with told(self.folder, "use"):
            self._disk.make_folder(self.folder)
            # A power failure may have left it empty; each segment names its store as well.
            is_new = _STORE_FILE not in self._disk.names(self.folder) or not self._owner()
            if is_new:
                write_at_once(self._disk, self.folder / _STORE_FILE, self.store_id.encode())
        if not is_new and (owner := self._owner()) != self.store_id:
            raise ArchiveError(
                f"{self.folder} is the archive of another store ({owner}). Name another folder with --archive-dir."
            )

    def write(self, piece: Piece, blocks: Iterable[MessageBlock], limit_bytes: int) -> Segment | None:
        """Write messages as a segment, and read it back; it is there for good when this returns.

        :param blocks: the piece's messages.
        :param limit_bytes: the segment ends with the block that reaches so many bytes of messages.
        :returns: None, and nothing is written, if the messages are not all there.
        :raises ArchiveError: if it cannot be written.
        """
        folder = self._session_folder(piece.session_id)
        part = folder / f"{piece.first:016}{UNFINISHED}"
        try:
            with told(folder, "write"):
                self._disk.make_folder(folder)
                stop = write_segment(self._disk, part, self.store_id, piece, blocks, limit_bytes)
                if stop is None:
                    self._disk.remove(part)
                    return None
                segment = Segment(folder / f"{piece.first:016}-{stop:016}.arrow", piece.session_id, piece.first, stop)
                self._disk.replace(part, segment.path)
                self._disk.sync_folder(folder)
        except BlitzError:
            with suppress(OSError):
                self._disk.remove(part)
            raise
        self._forget(segment.path)
        return segment

    def remove(self, session_id: int) -> None:
        """Remove all of a session's segments."""
        folder = self._session_folder(session_id)
        with told(folder, "remove"):
            self._disk.remove_folder(folder)
        with self._lock:
            self._listed.pop(session_id, None)

    def remove_segment(self, segment: Segment) -> None:
        """Remove one segment."""
        with told(segment.path, "remove"):
            self._disk.remove(segment.path)
        self._forget(segment.path)
        with self._lock:
            self._listed.pop(segment.session_id, None)

    def remove_unfinished(self) -> list[Path]:
        """Remove what was being written when a crash came; return what it was."""
        removed = []
        for session_id in self.sessions():
            folder = self._session_folder(session_id)
            with told(folder, "use"):
                for name in self._disk.names(folder):
                    if name.endswith(UNFINISHED):
                        self._disk.remove(folder / name)
                        removed.append(folder / name)
        return removed

    # ---- below: how -----------------------------------------------------------------------------------------------

    def _owner(self) -> str:
        path = self.folder / _STORE_FILE
        with told(path, "read"):
            return self._disk.read(path).decode("ascii", "replace").strip("\0 \r\n")

    def _session_folder(self, session_id: int) -> Path:
        return self.folder / f"session_{session_id}"

    def _index(self, segment: Segment, *, is_fresh: bool = False) -> SegmentIndex:
        with self._lock:
            index = None if is_fresh else self._indexes.get(segment.path)
        if index is None:
            with told(segment.path, "read"):
                index = read_index(partial(self._disk.read, segment.path), self._disk.size(segment.path))
            if (index.session_id, index.first, index.stop) != (segment.session_id, segment.first, segment.stop):
                raise ArchiveError(f"{segment.path} is damaged: it holds other messages than its name says.")
            if index.store_id != self.store_id:
                raise ArchiveError(f"{segment.path} belongs to another store, {index.store_id}.")
            with self._lock:
                _keep(self._indexes, segment.path, index, _KEPT_INDEXES)
        return index

    def _block(self, segment: Segment, index: SegmentIndex, place: BlockPlace) -> MessageBlock:
        key = (segment.path, place.first)
        with self._lock:
            block = self._blocks.get(key)
        if block is None:
            with told(segment.path, "read"):
                block = read_block(partial(self._disk.read, segment.path), index, place)
            with self._lock:
                _keep(self._blocks, key, block, _KEPT_BLOCKS)
        return block

    def _verified_blocks(self, segment: Segment) -> Iterator[MessageBlock]:
        """Yield all blocks of a segment, read from disk."""
        index = self._index(segment, is_fresh=True)
        for place in index.places:
            with told(segment.path, "read"):
                block = read_block(partial(self._disk.read, segment.path), index, place)
            yield block

    def _forget(self, path: Path) -> bool:
        """Forget what was read of a file; return whether anything was."""
        with self._lock:
            known = self._indexes.pop(path, None)
            for key in [key for key in self._blocks if key[0] == path]:
                del self._blocks[key]
            for session_id in [id for id, listed in self._listed.items() if any(s.path == path for s in listed)]:
                del self._listed[session_id]
        return known is not None


def _keep(kept: "OrderedDict[_K, _V]", key: _K, value: _V, limit: int) -> None:
    kept[key] = value
    while len(kept) > limit:
        kept.popitem(last=False)
