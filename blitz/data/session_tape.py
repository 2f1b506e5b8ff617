"""A cached session as a tape: its messages with what they mean, as they arrived, from any time on."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.boards import Readings
from blitz.data.reading_blocks import decoded_blocks
from blitz.data.records import Source
from blitz.errors import SessionNotFound

if TYPE_CHECKING:
    from blitz.data.session_overviews import SessionOverviews


class Stretch(NamedTuple):
    """Consecutive messages and what they mean.

    :param readings: of each source that has a definition, in the order of seq.
    """

    block: MessageBlock
    readings: tuple[Readings, ...]

    def cut(self, until_ns: int) -> "tuple[Stretch | None, Stretch | None]":
        """Return what had arrived by a time, and what came later; None where that is nothing."""
        count = int(self.block.arrived_ns.searchsorted(until_ns, "right"))
        if not count:
            return None, self
        if count == len(self.block):
            return self, None
        seq = self.block.first_seq + count
        return self._between(self.block.first_seq, seq), self._between(seq, self.block.next_seq)

    def _between(self, first: int, stop: int) -> "Stretch":
        parts = (_readings_between(readings, first, stop) for readings in self.readings)
        return Stretch(self.block.between(first, stop), tuple(part for part in parts if len(part)))


class SessionTape:
    """Reads one session of a cache, which must stay open; usable in any thread.

    :param version: of the definitions, 0 for those of the recording; None for the newest.
    :raises SessionNotFound: if the session is not downloaded, or has no messages or no such version.
    """

    def __init__(self, cache: "SessionOverviews", session_id: int, version: int | None = None) -> None:
        opened = cache.open_session(session_id, version)
        self._cache = cache
        self.version = version
        self.session_id = session_id
        self.sources: tuple[Source, ...] = opened.sources
        self.message_count = opened.key.message_count
        if not self.message_count:
            raise SessionNotFound(f"Session {session_id} has no messages: there is nothing to play.")
        self.first_ns = int(self._block(0).arrived_ns[0])
        """When the first message arrived, nanoseconds since the Unix epoch."""
        self.last_ns = int(self._block(self.message_count - 1).arrived_ns[-1])
        """When the last one did."""

    def seq_at(self, time_ns: int) -> int:
        """Return the first message that arrived at a time or later; where there is none, the number of messages."""
        low, high = 0, -(-self.message_count // GRID_MESSAGES)
        while low < high:  # the first block whose last message is not earlier
            middle = (low + high) // 2
            last = min((middle + 1) * GRID_MESSAGES, self.message_count) - 1
            if int(self._block(last).arrived_ns[-1]) < time_ns:
                low = middle + 1
            else:
                high = middle
        if low * GRID_MESSAGES >= self.message_count:
            return self.message_count
        block = self._block(low * GRID_MESSAGES)
        return block.first_seq + int(block.arrived_ns.searchsorted(time_ns))

    def play(self, first: int) -> Iterator[Stretch]:
        """Iterate over the session from a message on, in the memory of a few blocks.

        :raises BlockError: while iterating, at a block that is damaged.
        :raises CacheError: while iterating, if the copy was replaced or deleted meanwhile.
        """
        for block, readings in decoded_blocks(self._cache, self.session_id, version=self.version, first=first):
            yield Stretch(block, tuple(readings))

    def _block(self, seq: int) -> MessageBlock:
        """Return the block of the grid that holds a message, whole, up to the session's end."""
        first = seq // GRID_MESSAGES * GRID_MESSAGES
        return next(self._cache.session_blocks(self.session_id, first, first + GRID_MESSAGES))


def _readings_between(readings: Readings, first: int, stop: int) -> Readings:
    start, end = readings.seq.searchsorted([first, stop]).tolist()
    part = slice(start, end)
    return replace(
        readings,
        seq=readings.seq[part],
        time_ns=readings.time_ns[part],
        values=readings.values[part],
        uncertainty_ns=readings.uncertainty_ns[part],
    )
