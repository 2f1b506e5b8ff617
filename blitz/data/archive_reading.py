"""Reading a session's older messages out of Redis, which works ahead of the one who archives them.

One reading goes over as many segments as there are. Questions are under way on a dozen connections, each for no more
than Redis hands to the system at once: so Redis answers the next ones while the messages of the last are compressed and
written, and neither waits for the other. A thread that reads ahead of the one that writes costs more than it hides.
Redis counts a list's places from what it still has, so that a trim happens while no question is under way.
"""

import math
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.bulk_reading import BUFFER_BYTES, Arrivals, Lane, read_whole_replies

LANES = 12
_REPLY_BYTES = 60_000
"""Of a reply, about: Redis writes 64 KB at once, and comes back for more when somebody has taken what it wrote."""
_PARSED_BYTES = 1 << 20
"""Replies are parsed together up to so much: each time costs a few dozen calls."""
_FIRST_COUNT = 64


class Lanes(NamedTuple):
    """The connections of readings, of which there is one at a time, and the buffer for what comes on them."""

    messages: Sequence[Lane]
    arrivals: Lane
    buffer: bytearray

    @classmethod
    def of(cls, pool: Any) -> "Lanes":
        """Return them, not connected yet."""
        return cls([Lane(pool) for _ in range(LANES)], Lane(pool), bytearray(BUFFER_BYTES))

    def close(self) -> None:
        """Close the connections; the next question opens them again."""
        for lane in (*self.messages, self.arrivals):
            lane.close()


class Stretch(NamedTuple):
    """What is read: the messages first <= seq < stop of a session.

    :param base: the message at the list's place 0.
    :param started_ns: when the session began, for messages without an arrival.
    """

    session_id: int
    first: int
    stop: int
    base: int
    started_ns: int
    messages_key: str
    arrivals_key: str
    store_id: str


class Reading:
    """Blocks, cut on the grid; fewer if the messages are not all there."""

    def __init__(self, lanes: Lanes, stretch: Stretch) -> None:
        self._stretch = stretch
        self._buffer = lanes.buffer
        self._replies = _Replies(lanes.messages, stretch)
        self._arrivals = Arrivals(
            lanes.arrivals, lanes.buffer, stretch.arrivals_key, stretch.started_ns, stretch.first, stretch.stop
        )
        self._next_seq = stretch.first
        self._blocks = self._read()

    def __iter__(self) -> Iterator[MessageBlock]:
        """Yield the blocks."""
        for block in self._blocks:
            self._next_seq = block.next_seq
            yield block

    def outlasts(self, session_id: int, first: int) -> bool:
        """Say whether this goes on when the session's messages begin with `first`: what goes then has been read."""
        return self._stretch.session_id == session_id and first <= self._next_seq

    def trim(self, first: int, ask: Callable[[], int]) -> int:
        """Let Redis trim the session's lists.

        :param first: of the messages that it keeps; this reading outlasts it.
        :param ask: returns one more than how many arrivals went, or 0 if nothing happened, or less.
        :returns: what `ask` returned. Where that is 0 or less, or an error, this reading is of no more use.
        """
        self._replies.settle()
        self._arrivals.settle()
        answer = ask()
        if answer > 0:
            self._replies.go_on(first)
            self._arrivals.go_on(answer - 1)
        return answer

    def close(self) -> None:
        """Close the connections with a question under way: its reply would be taken for another's."""
        self._blocks.close()
        self._replies.close()
        self._arrivals.close()

    def _read(self) -> Generator[MessageBlock]:
        parts: list[Any] = []
        seq, stop = self._stretch.first, self._stretch.stop
        for raw in self._raw():
            parts.append(raw)
            end = seq + sum(map(len, parts))
            if end % GRID_MESSAGES and end != stop:
                continue
            yield self._block(seq, parts)
            seq, parts = end, []
        if parts:
            yield self._block(seq, parts)

    def _block(self, first: int, parts: Sequence[Any]) -> MessageBlock:
        raw = parts[0] if len(parts) == 1 else pa.concat_arrays(parts)
        arrived_ns, source = self._arrivals.columns(first, first + len(raw))
        return MessageBlock(self._stretch.session_id, first, arrived_ns, source, raw, self._stretch.store_id)

    def _raw(self) -> Iterator[Any]:
        """Yield the raw messages as Arrow arrays, each within one block of the grid."""
        while (received := self._replies.receive(self._buffer)) is not None:
            ends, counts = received
            raw = read_whole_replies(self._buffer, ends, counts)
            if len(raw):
                yield raw
            if len(raw) < sum(counts):
                return


class _Replies:
    """Receives a list's elements, some replies at a time, while Redis works on the next ones."""

    def __init__(self, lanes: Sequence[Lane], stretch: Stretch) -> None:
        self._free = list(lanes)
        self._waiting: deque[tuple[Lane, int]] = deque()
        self._settled: deque[tuple[memoryview, int]] = deque()
        """Replies that were received before there was a use for them; older than those that are waited for."""
        self._key = stretch.messages_key
        self._base = stretch.base
        self._seq = self._received = stretch.first
        self._stop = stretch.stop
        self._count = 0
        """Elements to ask for at once, as many as make a reply of the right size; 0 until the first one tells it."""

    def receive(self, buffer: bytearray) -> tuple[list[int], list[int]] | None:
        """Receive some replies, end to end; return where each ends, and how many elements each should have.

        They are of one block of the grid. None at the end.
        """
        self._ask_ahead()
        ends: list[int] = []
        counts: list[int] = []
        while (self._settled or self._waiting) and (not ends or ends[-1] < _PARSED_BYTES):
            begin = ends[-1] if ends else 0
            size, count = self._receive_next(buffer, begin)
            self._count = _even_share(size / count)
            self._ask_ahead()
            ends.append(begin + size)
            counts.append(count)
            self._received += count
            if self._received % GRID_MESSAGES == 0:
                break
        return (ends, counts) if ends else None

    def settle(self) -> None:
        """Wait until no question is under way."""
        while self._waiting:
            lane, count = self._waiting[0]
            reply = bytearray(2 * _REPLY_BYTES)
            size = lane.receive(reply)
            self._settled.append((memoryview(reply)[:size], count))
            self._free.append(self._waiting.popleft()[0])

    def go_on(self, base: int) -> None:
        """Ask for what comes next, now that another message is at the list's place 0."""
        self._base = base
        self._ask_ahead()

    def close(self) -> None:
        """Close the lanes with a question under way."""
        for lane, _ in self._waiting:
            lane.close()

    def _receive_next(self, buffer: bytearray, begin: int) -> tuple[int, int]:
        if self._settled:
            reply, count = self._settled.popleft()
            buffer[begin : begin + len(reply)] = reply
            return len(reply), count
        lane, count = self._waiting[0]
        size = lane.receive(buffer, begin)
        self._free.append(self._waiting.popleft()[0])
        return size, count

    def _ask_ahead(self) -> None:
        while self._seq < self._stop and self._free and (self._count or not self._waiting):
            lane, count = self._free.pop(), self._count or _FIRST_COUNT
            count = min(count, self._stop - self._seq, GRID_MESSAGES - self._seq % GRID_MESSAGES)
            begin = self._seq - self._base
            self._waiting.append((lane, count))
            lane.ask("LRANGE", self._key, begin, begin + count - 1)
            self._seq += count


def _even_share(message_bytes: float) -> int:
    """Return how many elements to ask for at once: equal parts of a block, which are parsed faster than others."""
    replies = math.ceil(message_bytes * GRID_MESSAGES / _REPLY_BYTES)
    return math.ceil(GRID_MESSAGES / min(max(replies, 1), GRID_MESSAGES))
