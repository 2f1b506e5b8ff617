"""Moving messages from the store to the archive and back, so that a crash at any moment loses and doubles nothing.

The order is the promise: a segment is written, synchronised, read back, and only then does the store let go of these
messages; ``first`` in the store says where that border lies, and is the truth. What a crash leaves is either a
temporary file, which is removed, or a segment of messages that the store still has, which is compared and then written
once more in its place.

:class:`Archiving` is driven by one thread, and is made anew after a crash. It touches the world through
:class:`~blitz.data.disk.Disk` and :class:`Store` only; any of their calls may raise, and any call may be the last one
before a crash. There is one :class:`Archiving` a store at a time.

Messages of a session are read on from segment to segment: the store may have read the next ones before it lets go of
those before them.
"""

import logging
import sys
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from blitz.data.archive import Archive
from blitz.data.archive_files import Segment
from blitz.data.archive_plan import Extent, Limits, Piece, movable_end, next_piece
from blitz.data.archive_reach import Reach
from blitz.data.blocks import MessageBlock
from blitz.errors import ArchiveError

log = logging.getLogger(__name__)


class Store(Protocol):
    """Where the newest messages are: Redis, or a simulation of it. Every method may raise StoreUnavailable.

    Others append to the running session, stop it and delete sessions at any moment; nobody else trims or puts back.
    """

    def extents(self) -> Sequence[Extent]:
        """Return what the store itself holds of each session, those with no messages there included.

        A trim whose reply was lost has happened by now, or never does.
        """

    def exists(self, session_id: int) -> bool:
        """Say whether there is such a session, in the trash or not."""

    def blocks(self, session_id: int, first: int, stop: int) -> Generator[MessageBlock]:
        """Yield the messages with first <= seq < stop, cut on the grid; fewer if they are not all there.

        Each step may be a question of its own: what is asked is not deleted by appends, nor changed. It goes on when
        those that were yielded are trimmed, and comes to its end when any others are asked for, or are put back.
        """

    def trim(self, session_id: int, first: int, stop: int) -> bool:
        """Drop the messages with first <= seq < stop and set the session's first to stop, in one step.

        Done twice it is done once: True if the first is stop afterwards. False, and nothing happened, if the session
        does not exist, or the store's messages of it do not begin at `first`.
        """

    def put_back(self, block: MessageBlock) -> bool:
        """Put messages before those that the store has of the session, and set the first to theirs, in one step.

        False, and nothing happened, if the session does not exist or its first is not the block's end.
        """


@dataclass(frozen=True)
class Moved:
    """One segment's worth of messages that lie in the archive now."""

    session_id: int
    first: int
    stop: int
    size_bytes: int


class _Reading:
    """Messages of a session that are read for one segment after the other."""

    def __init__(self, piece: Piece, stop: int, blocks: Generator[MessageBlock]) -> None:
        self._session_id = piece.session_id
        self._next_seq = piece.first
        self._stop = stop
        self._blocks = blocks

    def covers(self, piece: Piece) -> bool:
        """Say whether the piece's messages are what comes next."""
        return (piece.session_id, piece.first) == (self._session_id, self._next_seq) and piece.stop <= self._stop

    def until(self, stop: int) -> Iterator[MessageBlock]:
        """Yield what comes next and ends with a place where the store cuts; fewer if they are not all there."""
        while self._next_seq < stop and (block := next(self._blocks, None)) is not None:
            self._next_seq = block.next_seq
            yield block

    def close(self) -> None:
        """Read no more."""
        self._blocks.close()


class Archiving:
    """Moves messages, a segment at a time.

    :param limits: how segments are cut; the store's blocks must be cut on the same grid.
    """

    def __init__(self, store: Store, archive: Archive, limits: Limits | None = None) -> None:
        self._store = store
        self._archive = archive
        self._limits = limits or Limits()
        self._extents: dict[int, Extent] = {}
        self._reading: _Reading | None = None

    def begin(self) -> list[str]:
        """Make the archive this store's, and remove what a crash left; to be called once, first.

        :returns: a sentence about each thing that was removed.
        :raises ArchiveError: if the folder is another store's archive, or cannot be used.
        """
        self._archive.claim()
        done = [f"Removed {path}, which was not finished" for path in self._archive.remove_unfinished()]
        for session_id in self._archive.sessions():
            if not self._store.exists(session_id):
                self._archive.remove(session_id)
                done.append(f"Removed the archive of session {session_id}, which was deleted")
        return done

    def step(self, *, is_tight: bool = False, reach: Reach | None = None) -> Moved | None:
        """Move the next segment; None if there is nothing to move now.

        :param reach: how far it may go; None where no server records.
        :raises ArchiveError: if the archive cannot be written.
        :raises StoreUnavailable: if the store does not answer.
        """
        piece = next_piece(self._extents.values(), self._limits, is_tight=is_tight)
        if piece is None:
            self.rest()
            extents = self._store.extents()
            within = extents if reach is None else reach.within(extents)
            self._extents = {extent.session_id: extent for extent in within}
            piece = next_piece(self._extents.values(), self._limits, is_tight=is_tight)
        if piece is None:
            return None
        extent = self._extents.pop(piece.session_id)  # it is only known again when all went well
        moved = None
        try:
            moved = self._move(piece, extent, movable_end(extent, self._limits, is_tight=is_tight))
        finally:
            if moved is None:
                self.rest()
        if moved is None:
            self._extents = {}
            return None
        self._extents[piece.session_id] = replace(extent, first=moved.stop)
        return moved

    def rest(self) -> None:
        """Let go of what was read ahead: no step follows for now."""
        if self._reading is not None:
            self._reading.close()
            self._reading = None

    def restore_step(self, session_id: int, first: int) -> int:
        """Put the newest archived messages of a session back into the store, a block of them.

        :param first: where the store's messages begin at present; above 0.
        :returns: where they begin now.
        :raises ArchiveError: if a segment is missing or damaged.
        """
        self.rest()
        self._extents = {}
        segment = self._archive.covering(session_id, first - 1)
        block = self._archive.read_block(segment, first - 1).between(segment.first, first)
        if not self._store.put_back(block):
            return first
        if block.first_seq == segment.first:
            self._archive.remove_segment(segment)
        return block.first_seq

    def _move(self, piece: Piece, extent: Extent, end: int) -> Moved | None:
        try:
            segment = self._archived(piece, extent, end)
        except ArchiveError:
            if self._store.exists(piece.session_id):
                raise
            segment = None  # it was deleted under us, files and all
        if segment is not None and self._store.trim(piece.session_id, segment.first, segment.stop):
            return Moved(segment.session_id, segment.first, segment.stop, self._archive.size_bytes(segment))
        if not self._store.exists(piece.session_id):
            self._archive.remove(piece.session_id)
        return None

    def _archived(self, piece: Piece, extent: Extent, end: int) -> Segment | None:
        """Write a segment, unless a crash left it; read for it up to `end`, as others will follow."""
        if self._reading is None or not self._reading.covers(piece):
            self.rest()
            segment = self._adopt(piece, extent)
            if segment is not None:
                return segment
            self._reading = _Reading(piece, end, self._store.blocks(piece.session_id, piece.first, end))
        return self._archive.write(piece, self._reading.until(piece.stop), self._limits.segment_bytes)

    def _adopt(self, piece: Piece, extent: Extent) -> Segment | None:
        """Use a segment that was written before a crash; remove what else lies beyond the border.

        All that is beyond the border is in the store, whatever these files say.
        """
        adopted = None
        for segment in self._archive.segments(piece.session_id):
            if segment.first < piece.first:
                continue
            if adopted is None and segment.first == piece.first and self._is_same(segment, extent):
                adopted = segment
            else:
                log.info("Removing %s: the store has these messages", segment.path)
                self._archive.remove_segment(segment)
        return None if adopted is None else self._write_again(adopted)

    def _write_again(self, segment: Segment) -> Segment | None:
        """Put a segment in its own place: nobody can tell whether the crash came before its name was synchronised."""
        blocks = self._store.blocks(segment.session_id, segment.first, segment.stop)
        return self._archive.write(Piece(segment.session_id, segment.first, segment.stop), blocks, sys.maxsize)

    def _is_same(self, segment: Segment, extent: Extent) -> bool:
        """Say whether a segment is whole and holds what the store holds, up to a place where it may be cut."""
        grid = self._limits.grid_messages
        is_cut_well = segment.stop % grid == 0 or (segment.stop == extent.stop and not extent.is_running)
        if segment.stop > extent.stop or not is_cut_well:
            return False
        return self._archive.holds(segment, self._store.blocks(segment.session_id, segment.first, segment.stop))
