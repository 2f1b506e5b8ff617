"""Reading Redis' lists in bulk, past redis-py's parser: a reply becomes an Arrow array, not an object a message.

Owns connections with one question under way each, and how arrivals are found for messages that are read in order.
"""

import secrets
from collections.abc import Sequence
from typing import Any, NoReturn

import hiredis
import numpy as np
import pyarrow as pa
import redis
from numpy.typing import NDArray

from blitz.data.blocks import GRID_MESSAGES
from blitz.data.bulk_replies import parse_arrays
from blitz.data.store_faults import translated
from blitz.data.store_keys import QUEUE_SOURCE
from blitz.errors import StoreUnavailable

ARRIVAL_DTYPE = np.dtype([("first", "<u8"), ("ns", "<i8"), ("source", "<u2"), ("count", "<u4")])
"""An entry of a session's arrivals, as :data:`blitz.data.store_keys.ARRIVAL` packs it."""

BUFFER_BYTES = 1 << 20
"""Of a buffer for replies, to begin with."""

_MESSAGES_AN_ARRIVAL = 32
"""Of fast devices; more entries are asked for where there are more."""
_LEAST_COUNT = 64
_MOST_AT_FIRST = 2048
"""The first messages wait for the first arrivals."""
_KEPT_BYTES = 8 << 20
"""A buffer that grew larger is let go of: most messages are short."""


class Lane:
    """A connection with at most one question under way, whose reply is read as one piece of memory."""

    def __init__(self, pool: "redis.ConnectionPool") -> None:
        self.pool = pool
        self._connection: Any = None
        self._end = self._mark = b""

    def ask(self, *command: Any) -> None:
        """Send a command. A question with an answer that nobody can guess stands behind it: there its reply ends."""
        try:
            if self._connection is None:
                self._connection = self.pool.get_connection()
                mark = secrets.token_hex(16).encode()
                self._end = b"$%d\r\n%s\r\n" % (len(mark), mark)
                self._mark = hiredis.pack_command(("ECHO", mark))  # type: ignore[arg-type]
            packed = hiredis.pack_command(command) + self._mark
            self._connection.send_packed_command([packed])
        except BaseException as error:  # noqa: BLE001 - raised again, in other words
            self._fail(error)

    def receive(self, buffer: bytearray, begin: int = 0) -> int:
        """Wait for the reply; return how many bytes it has. The buffer grows as it needs.

        :param begin: where in the buffer it goes; what stands before stays.
        """
        try:
            # redis-py has no way to read a reply past its parser; the connection's socket has been stable for years.
            receive = self._connection._sock.recv_into
            end = begin
            while True:
                if end == len(buffer):
                    buffer += bytes(len(buffer))
                received: int = receive(memoryview(buffer)[end:])
                if not received:
                    raise redis.ConnectionError("the connection was closed")
                end += received
                if end - begin >= len(self._end) and buffer.endswith(self._end, begin, end):
                    return end - len(self._end) - begin
        except BaseException as error:  # noqa: BLE001 - raised again, in other words
            self._fail(error)

    def release(self) -> None:
        """Give the connection back, when no question is under way; the next one takes one again."""
        if self._connection is not None:
            self.pool.release(self._connection)
            self._connection = None

    def close(self) -> None:
        """Close the connection; the next question opens it again."""
        if self._connection is not None:
            self._connection.disconnect()
            self.pool.release(self._connection)
            self._connection = None

    def _fail(self, error: BaseException) -> NoReturn:
        """Close the connection, and raise what went wrong as an error of ours."""
        self.close()
        with translated():
            if isinstance(error, TimeoutError):
                raise redis.TimeoutError(str(error)) from error
            if isinstance(error, OSError):
                raise redis.ConnectionError(str(error) or type(error).__name__) from error
            raise error


class BulkReader:
    """Reads parts of lists, for several threads at once."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self._buffers: list[bytearray] = []

    def elements(self, key: str, start: int, stop: int) -> Any:
        """Return the elements at start <= position < stop that there are, as an Arrow binary array."""
        if stop <= start:
            return pa.array([], pa.binary())
        try:
            return self._ask("LRANGE", key, start, stop - 1)
        except StoreUnavailable as error:
            if not isinstance(error.__cause__, redis.ConnectionError):
                raise
            return self._ask("LRANGE", key, start, stop - 1)  # as the client does it: Redis was started anew

    def _ask(self, *command: Any) -> Any:
        lane = Lane(self._client.connection_pool)
        buffer = self._buffers.pop() if self._buffers else bytearray(BUFFER_BYTES)
        lane.ask(*command)
        size = lane.receive(buffer)
        lane.release()
        reply = read_replies(buffer, [size])
        if len(buffer) <= _KEPT_BYTES:
            self._buffers.append(buffer)
        return reply


def read_replies(buffer: bytearray, ends: Sequence[int]) -> Any:
    """Return the elements of received replies as one Arrow binary array, which has nothing of the buffer.

    :param ends: where each of them ends; the next one begins there.
    """
    with translated():
        try:
            return parse_arrays(memoryview(buffer)[: ends[-1]], ends)
        except hiredis.ReplyError as error:
            raise redis.ResponseError(str(error)) from error


def read_whole_replies(buffer: bytearray, ends: Sequence[int], counts: Sequence[int]) -> Any:
    """Return the elements of received replies, up to the first reply that has fewer than were asked for.

    Others were answered later, perhaps, when the list was longer: what they have must not move up.
    """
    replied = read_replies(buffer, ends)
    if len(replied) == sum(counts):
        return replied
    parts = []
    for begin, end, count in zip([0, *ends[:-1]], ends, counts, strict=True):
        parts.append(read_replies(buffer[begin:end], [end - begin]))
        if len(parts[-1]) < count:
            break
    return pa.concat_arrays(parts)


class Arrivals:
    """Finds the arrivals of messages that are read in order, from the beginning of the list.

    What will be needed is asked for ahead, from the beginning on.

    :param lane: nobody else uses it meanwhile.
    :param buffer: for replies; others may use it between the calls.
    :param first: of the messages first <= seq < stop, which will be read.
    """

    def __init__(self, lane: Lane, buffer: bytearray, key: str, started_ns: int, first: int, stop: int) -> None:
        self._lane = lane
        self._buffer = buffer
        self._key = key
        self._started_ns = started_ns
        self._stop = stop
        self._entries = np.empty(0, ARRIVAL_DTYPE)
        self._firsts = np.empty(0, np.int64)  # of the entries, side by side: they are searched for each block
        self._position = 0
        self._count = min(max((stop - first) // _MESSAGES_AN_ARRIVAL, _LEAST_COUNT), _MOST_AT_FIRST)
        self._is_asked = False
        self._is_more = True
        self._ask()

    def close(self) -> None:
        """Close the connection if a question is under way: its reply would be taken for another's."""
        if self._is_asked:
            self._lane.close()

    def columns(self, first: int, stop: int) -> tuple[NDArray[np.int64], NDArray[np.uint16]]:
        """Return when messages arrived and from which source; those without an entry were queued by programs."""
        return arrival_columns(self._covering(first, stop), first, stop, self._started_ns)

    def _covering(self, first: int, stop: int) -> NDArray[Any]:
        """Return the entries that messages of this range may belong to; those before it are forgotten."""
        while self._is_asked and self._reaches() < stop:
            self._receive()
        # Entries follow each other: all that end by here stand before the first one that begins behind here.
        begin = max(int(np.searchsorted(self._firsts, first, "right")) - 1, 0)
        self._entries, self._firsts = self._entries[begin:], self._firsts[begin:]
        return self._entries[: int(np.searchsorted(self._firsts, stop))]

    def _ask(self) -> None:
        self._lane.ask("LRANGE", self._key, self._position, self._position + self._count - 1)
        self._is_asked = True

    def settle(self) -> None:
        """Wait until no question is under way."""
        if self._is_asked:
            self._take()

    def go_on(self, dropped: int) -> None:
        """Ask for what comes next, now that the list has lost so many entries at its beginning, which were read."""
        self._position -= dropped
        if self._is_more and not self._is_asked:
            self._ask()

    def _receive(self) -> None:
        self._take()
        if self._is_more:
            self._ask()

    def _take(self) -> None:
        replied = read_replies(self._buffer, [self._lane.receive(self._buffer)])
        self._is_asked = False
        self._entries = np.concatenate([self._entries, np.frombuffer(joined_bytes(replied), ARRIVAL_DTYPE)])
        self._firsts = self._entries["first"].astype(np.int64)
        self._position += len(replied)
        self._is_more = len(replied) == self._count and self._reaches() < self._stop
        if self._is_more:
            self._count = min(2 * self._count, GRID_MESSAGES)

    def _reaches(self) -> int:
        """Return the message behind the last one of the entries."""
        last = self._entries[-1:]
        return int(last["first"][0]) + int(last["count"][0]) if len(last) else 0


def arrival_columns(
    entries: NDArray[Any], first: int, stop: int, started_ns: int
) -> tuple[NDArray[np.int64], NDArray[np.uint16]]:
    """Return when messages arrived and from which source; those without an entry were queued by programs.

    :param entries: those that cover first <= seq < stop, as :data:`ARRIVAL_DTYPE` has them.
    :param started_ns: when the session began: what queued messages are given.
    """
    count = stop - first
    begins = entries["first"].astype(np.int64) - first
    # Not numpy.clip, which first asks what the type can hold.
    starts = np.minimum(np.maximum(begins, 0), count)
    stops = np.minimum(np.maximum(begins + entries["count"], 0), count)
    if len(entries) and starts[0] == 0 and stops[-1] == count and np.array_equal(starts[1:], stops[:-1]):
        lengths = stops - starts
        return np.repeat(entries["ns"], lengths), np.repeat(entries["source"], lengths)
    arrived_ns = np.full(count, started_ns, np.int64)
    source = np.full(count, QUEUE_SOURCE, np.uint16)
    for begin, end, entry in zip(starts.tolist(), stops.tolist(), entries, strict=True):
        arrived_ns[begin:end], source[begin:end] = entry["ns"], entry["source"]
    return arrived_ns, source


def joined_bytes(array: Any) -> Any:
    """Return the bytes of an Arrow binary array end to end."""
    if not len(array):
        return b""
    _, offsets, content = array.buffers()
    begin, end = np.frombuffer(offsets, np.int32)[[array.offset, array.offset + len(array)]]
    return memoryview(content)[begin:end]
