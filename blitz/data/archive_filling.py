"""Putting a closed session's blocks into the archive as they come, without Redis: what a large restore does.

Knows nothing of where the blocks come from. What is the store's is left to the caller: an archived session counts once
its ``first`` says so.
"""

from collections.abc import Collection, Sequence

from blitz.data.archive import Archive
from blitz.data.archive_plan import Piece
from blitz.data.backup_format import SavedSession
from blitz.data.blocks import MessageBlock

_SEGMENT_BLOCKS = 16
_SEGMENT_BYTES = 16 << 20
_REDIS_MESSAGE_BYTES = 50
"""What a message takes in Redis beside its bytes, twice: while the append-only file is rewritten."""


class SegmentFilling:
    """The segments of one session. Its blocks come in order; a segment at a time is in memory.

    :param archive: claimed already, and without this session.
    """

    def __init__(self, archive: Archive, session_id: int) -> None:
        self._archive = archive
        self._session_id = session_id
        self._blocks: list[MessageBlock] = []
        self._size_bytes = 0

    def take(self, block: MessageBlock) -> None:
        """Take in the next block.

        :raises ArchiveError: if a segment cannot be written.
        """
        self._blocks.append(block)
        self._size_bytes += block.raw.nbytes
        if len(self._blocks) >= _SEGMENT_BLOCKS or self._size_bytes >= _SEGMENT_BYTES:
            self.finish()

    def finish(self) -> None:
        """Write what there is.

        :raises ArchiveError: if it cannot be written.
        """
        if self._blocks:
            piece = Piece(self._session_id, self._blocks[0].first_seq, self._blocks[-1].next_seq)
            self._archive.write(piece, self._blocks, 2 * self._size_bytes + 1)
            self._blocks, self._size_bytes = [], 0


def beyond_memory(sessions: Sequence[SavedSession], memory_bytes: int) -> Collection[int]:
    """Return which sessions go to the archive: the newest stay in Redis, as many as fit into half of its memory."""
    room, archived = memory_bytes / 2, set()
    for session in sorted(sessions, key=lambda session: session.id, reverse=True):
        room -= session.byte_count + session.message_count * _REDIS_MESSAGE_BYTES
        if room < 0 and session.message_count:
            archived.add(session.id)
    return archived
