"""Reading a session's older messages out of Redis, ahead of the one who archives them.

One reading goes over as many segments as there are: while the archive synchronises a segment, reads it back and lets
Redis let go of it, the messages of the next one are on their way. Redis counts a list's places from what it still has,
so that a trim happens in the thread that reads, while no question is under way.
"""

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import pyarrow as pa

from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.bulk_reading import BUFFER_BYTES, Arrivals, Lane, read_whole_replies

LANES = 3
_BLOCKS_AHEAD = 16
_BYTES_AHEAD = 8 << 20
"""Of messages that nobody has taken yet, about: what comes while a segment is synchronised."""
_LEAST_AHEAD = 2
_REPLY_BYTES = 1 << 20
"""Of a reply, about. Redis would wait less for us with replies below 64 KB, which it writes at once, on many lanes;
but so many take a third more of our processor time, and moving whole segments is slower."""
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
    """Blocks, cut on the grid; fewer if the messages are not all there. Driven by one thread, it has its own."""

    def __init__(self, lanes: Lanes, stretch: Stretch) -> None:
        self._stretch = stretch
        self._buffer = lanes.buffer
        self._replies = _Replies(lanes.messages, stretch)
        self._arrivals = Arrivals(
            lanes.arrivals, lanes.buffer, stretch.arrivals_key, stretch.started_ns, stretch.first, stretch.stop
        )
        self._next_seq = stretch.first
        self._blocks = self._read()
        self._changed = threading.Condition()
        self._ready: deque[MessageBlock] = deque()
        self._ready_bytes = 0
        self._trimming: Callable[[], int] | None = None
        self._answer: int | None = None
        self._error: BaseException | None = None
        self._is_read = self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="archive-fetch", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[MessageBlock]:
        """Yield the blocks. Most of the time that making them takes, and of the caller's, is not Python's."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ready or self._is_over)
                if not self._ready:
                    self._raise()
                    return
                block = self._ready.popleft()
                self._ready_bytes -= block.raw.nbytes
                self._next_seq = block.next_seq
                self._changed.notify_all()
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
        with self._changed:
            self._answer, self._trimming = None, partial(self._trim, first, ask)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._answer is not None or self._error is not None or self._is_closed)
            self._raise()
            return self._answer or 0

    def close(self) -> None:
        """End the thread. A connection with a question under way is closed: its reply would be taken for another's."""
        with self._changed:
            self._is_closed = True
            self._ready.clear()
            self._changed.notify_all()
        self._thread.join()
        self._blocks.close()
        self._replies.close()
        self._arrivals.close()

    @property
    def _is_over(self) -> bool:
        return self._is_read or self._is_closed or self._error is not None

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    # ---- below: in the thread -------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while (task := self._next_task()) is not None:
                task()
        except BaseException as error:  # noqa: BLE001 - raised again, in the caller's thread
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _next_task(self) -> Callable[[], None] | None:
        """Wait until there is something to do: to trim goes before to read."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or self._trimming or self._may_read)
            if self._is_closed:
                return None
            return self._trim_now if self._trimming else self._read_next

    @property
    def _may_read(self) -> bool:
        is_enough = self._ready_bytes >= _BYTES_AHEAD or len(self._ready) >= _BLOCKS_AHEAD
        return not self._is_read and (not is_enough or len(self._ready) < _LEAST_AHEAD)

    def _read_next(self) -> None:
        block = next(self._blocks, None)
        with self._changed:
            if block is None:
                self._is_read = True
            elif not self._is_closed:
                self._ready.append(block)
                self._ready_bytes += block.raw.nbytes
            self._changed.notify_all()

    def _trim_now(self) -> None:
        trimming, self._trimming = self._trimming, None
        assert trimming is not None
        answer = trimming()
        with self._changed:
            self._answer = answer
            self._changed.notify_all()

    def _trim(self, first: int, ask: Callable[[], int]) -> int:
        self._replies.settle()
        self._arrivals.settle()
        answer = ask()
        if answer > 0:
            self._replies.go_on(first)
            self._arrivals.go_on(answer - 1)
        return answer

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
            self._count = max(1, min(GRID_MESSAGES, _REPLY_BYTES * count // max(size, 1)))
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
            reply = bytearray(BUFFER_BYTES)
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
