"""The recent messages of one session, in memory: what viewers at the live edge are served from."""

import threading
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from blitz.data.blocks import MessageBlock, Read

_RECENT_MESSAGES = 131_072
_RECENT_BYTES = 32 << 20


class _Chunk(NamedTuple):
    first_seq: int
    reads: Sequence[Read]
    message_count: int
    byte_count: int


class Feed:
    """The recent messages of one session. Filled by the appender, read on the event loop."""

    def __init__(self, session_id: int, store_id: str) -> None:
        self.session_id = session_id
        self.store_id = store_id
        self.next_seq = 0
        self.first_seq = 0
        """The oldest message that is still here."""
        self._chunks: deque[_Chunk] = deque()
        self._bytes = 0
        self._lock = threading.Lock()

    def append(self, first_seq: int, reads: Sequence[Read], count: int) -> None:
        """Add what has just become durable."""
        byte_count = sum(len(read.messages) * len(read.messages[0]) for read in reads if read.messages)
        with self._lock:
            if first_seq + count <= self.next_seq:
                return  # shown already, by advance
            if first_seq != self.next_seq:  # another program appended in between: the store has those
                self._chunks.clear()
                self._bytes = 0
                self.first_seq = first_seq
            self._chunks.append(_Chunk(first_seq, reads, count, byte_count))
            self._bytes += byte_count
            self.next_seq = first_seq + count
            while len(self._chunks) > 1 and (
                self.next_seq - self.first_seq > _RECENT_MESSAGES or self._bytes > _RECENT_BYTES
            ):
                self._bytes -= self._chunks.popleft().byte_count
                self.first_seq = self._chunks[0].first_seq

    def advance(self, next_seq: int) -> bool:
        """Go on to where the store's list ends, if another program made it longer; False if it did not."""
        with self._lock:
            if next_seq <= self.next_seq:
                return False
            self._chunks.clear()
            self._bytes = 0
            self.first_seq = self.next_seq = next_seq
        return True

    def rewind(self, next_seq: int) -> None:
        """Forget what is here and go on at an earlier message."""
        with self._lock:
            if next_seq < self.next_seq:
                self._chunks.clear()
                self._bytes = 0
                self.first_seq = self.next_seq = next_seq

    def reads_since(self, arrived_ns: int) -> list[Read]:
        """Return what is here and came at that time or later, in its order."""
        with self._lock:
            chunks = list(self._chunks)
        return [read for chunk in chunks for read in chunk.reads if read.arrived_ns >= arrived_ns]

    def block(self, first: int, stop: int) -> MessageBlock | None:
        """Return the messages with first <= seq < stop; None if they are not all here any more."""
        chosen: list[_Chunk] = []
        with self._lock:
            if first < self.first_seq or stop > self.next_seq:
                return None
            for chunk in reversed(self._chunks):
                if chunk.first_seq < stop:
                    chosen.append(chunk)
                if chunk.first_seq <= first:
                    break
        chosen.reverse()
        reads = [read for chunk in chosen for read in chunk.reads]
        begin = chosen[0].first_seq if chosen else first
        return MessageBlock.from_reads(self.session_id, begin, reads, self.store_id).between(first, stop)
