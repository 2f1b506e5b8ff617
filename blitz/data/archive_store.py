"""The archive's view of Redis: how long sessions are, their messages in bulk, and the border that moves.

Implements :class:`blitz.data.archiving.Store`. Reading goes past redis-py's parser: a reply becomes an Arrow array
without a Python object a message. Used by one thread; only the archive's worker has one.
"""

import secrets
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final

import hiredis
import numpy as np
import pyarrow as pa
import redis
from numpy.typing import NDArray

from blitz.data.archive_plan import Extent
from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.bulk_replies import parse_array
from blitz.data.store_keys import ARRIVAL, MILLISECOND_NS, QUEUE_SOURCE, StoreKeys
from blitz.data.store_reader import translated

_LANES = 4
_BLOCKS_AHEAD = 2
_BUFFER_BYTES = 1 << 20
_REPLY_BYTES = 1 << 18
_FIRST_COUNT = 1024
_SESSIONS_AT_ONCE = 500
_VALUES_A_COMMAND = 2000
_ARRIVAL_DTYPE = np.dtype([("first", "<u8"), ("ns", "<i8"), ("source", "<u2"), ("count", "<u4")])

RESTORED_FIELD: Final = "restored"
"""Of a session's meta hash: somebody wanted its messages in memory again; they are archived last."""

_TRIM_SCRIPT: Final = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local first, stop = tonumber(redis.call('GET', KEYS[2]) or '0'), tonumber(ARGV[2])
if first == stop then return 1 end
if first ~= tonumber(ARGV[1]) or redis.call('LLEN', KEYS[3]) < stop - first then return 0 end
local low, high = 0, redis.call('LLEN', KEYS[4])
while low < high do
  local middle = math.floor((low + high) / 2)
  local begin, _, _, count = struct.unpack('<I8i8I2I4', redis.call('LINDEX', KEYS[4], middle))
  if begin + count <= stop then low = middle + 1 else high = middle end
end
redis.call('LTRIM', KEYS[3], stop - first, -1)
redis.call('LTRIM', KEYS[4], low, -1)
redis.call('SET', KEYS[2], ARGV[2])
return 1
"""
"""KEYS: session_N_start, session_N_first, session_N, session_N_arrivals. ARGV: first, stop. Returns 1 if first is stop.
What frees memory comes first: Redis lets a script that has done so finish, even where its memory is full."""


class ArchiveStore:
    """What :class:`~blitz.data.archiving.Archiving` needs of Redis.

    :param client: an ordinary client; gives connections, too.
    """

    def __init__(self, client: "redis.Redis", keys: StoreKeys, store_id: str) -> None:
        self._redis = client
        self._keys = keys
        self._store_id = store_id
        self._lanes = [_Lane(client.connection_pool) for _ in range(_LANES)]
        self._count = _FIRST_COUNT

    def close(self) -> None:
        """Close the connections. The object may be used again."""
        for lane in self._lanes:
            lane.close()

    def memory(self) -> tuple[int, int]:
        """Return how many bytes Redis uses, and how many it may use, 0 for as many as there are."""
        with translated():
            answer: Any = self._redis.info("memory")
        return int(answer["used_memory"]), int(answer.get("maxmemory", 0))

    def extents(self) -> Sequence[Extent]:
        """Return what Redis holds of each session that has messages there, those in the trash included."""
        running = self._execute("GET", self._keys.session)
        ids = self._execute("LRANGE", self._keys.sessions, 0, -1) + self._execute("ZRANGE", self._keys.trash, 0, -1)
        found: list[Extent] = []
        for begin in range(0, len(ids), _SESSIONS_AT_ONCE):
            found += self._extents_of(
                [int(session_id) for session_id in ids[begin : begin + _SESSIONS_AT_ONCE]], running
            )
        return [extent for extent in found if extent.stop > extent.first]

    def extent(self, session_id: int) -> Extent:
        """Return what Redis holds of one session."""
        return self._extents_of([session_id], self._execute("GET", self._keys.session))[0]

    def exists(self, session_id: int) -> bool:
        """Say whether there is such a session, in the trash or not."""
        return bool(self._execute("EXISTS", self._keys.start(session_id)))

    def blocks(self, session_id: int, first: int, stop: int) -> Iterator[MessageBlock]:
        """Yield messages, cut on the grid; fewer if they are not all there.

        The next ones are fetched by a thread of its own while the caller works on those that it has.
        """
        fetched = self._blocks(session_id, first, stop)
        pool = ThreadPoolExecutor(1, "archive-fetch")
        try:
            waiting = deque(pool.submit(next, fetched, None) for _ in range(_BLOCKS_AHEAD))
            while (block := waiting.popleft().result()) is not None:
                waiting.append(pool.submit(next, fetched, None))
                yield block
        finally:
            pool.shutdown(cancel_futures=True)
            fetched.close()

    def _blocks(self, session_id: int, first: int, stop: int) -> Generator[MessageBlock, None, None]:
        base = int(self._execute("GET", self._keys.first(session_id)) or 0)
        started = self._execute("GET", self._keys.start(session_id))
        if started is None or first < base:
            return
        arrivals = _Arrivals(self._lanes[0].pool, self._keys.arrivals(session_id), int(started) * MILLISECOND_NS)
        parts: list[Any] = []
        seq = first
        try:
            for raw in self._raw(self._keys.messages(session_id), base, first, stop):
                parts.append(raw)
                end = seq + sum(map(len, parts))
                if end % GRID_MESSAGES and end != stop:
                    continue
                yield self._block(session_id, seq, parts, arrivals)
                seq, parts = end, []
            if parts:
                yield self._block(session_id, seq, parts, arrivals)
        finally:
            arrivals.close()

    def _block(self, session_id: int, first: int, parts: Sequence[Any], arrivals: "_Arrivals") -> MessageBlock:
        raw = parts[0] if len(parts) == 1 else pa.concat_arrays(parts)
        arrived_ns, source = arrivals.columns(first, first + len(raw))
        return MessageBlock(session_id, first, arrived_ns, source, raw, self._store_id)

    def trim(self, session_id: int, first: int, stop: int) -> bool:
        """Drop messages that lie in the archive, with their arrivals, and move the border, in one step."""
        keys = self._keys
        names = [keys.start(session_id), keys.first(session_id), keys.messages(session_id), keys.arrivals(session_id)]
        return bool(self._execute("EVAL", _TRIM_SCRIPT, len(names), *names, first, stop))

    def put_back(self, block: MessageBlock) -> bool:
        """Put messages before those that are there, with their arrivals, and move the border, in one step."""
        keys, session_id = self._keys, block.session_id
        with translated(), self._redis.pipeline(transaction=True) as pipeline:
            pipeline.watch(keys.first(session_id), keys.start(session_id))  # type: ignore[no-untyped-call]
            first: Any = pipeline.get(keys.first(session_id))
            if not pipeline.exists(keys.start(session_id)) or int(first or 0) != block.next_seq:
                return False
            oldest: Any = pipeline.lindex(keys.arrivals(session_id), 0)
            known_from = ARRIVAL.unpack(oldest)[0] if oldest else block.next_seq
            pipeline.multi()
            messages = block.messages()[::-1]
            for begin in range(0, len(messages), _VALUES_A_COMMAND):
                pipeline.lpush(keys.messages(session_id), *messages[begin : begin + _VALUES_A_COMMAND])
            arrivals = _packed_arrivals(block.between(block.first_seq, known_from))[::-1]
            for begin in range(0, len(arrivals), _VALUES_A_COMMAND):
                pipeline.lpush(keys.arrivals(session_id), *arrivals[begin : begin + _VALUES_A_COMMAND])
            pipeline.set(keys.first(session_id), block.first_seq)
            pipeline.hset(keys.meta(session_id), RESTORED_FIELD, "1")
            try:
                pipeline.execute()
            except redis.WatchError:
                return False
        return True

    # ---- below: how -----------------------------------------------------------------------------------------------

    def _extents_of(self, ids: Sequence[int], running: bytes | None) -> list[Extent]:
        pipeline = self._redis.pipeline(transaction=True)
        for session_id in ids:
            pipeline.get(self._keys.first(session_id))
            pipeline.llen(self._keys.messages(session_id))
            pipeline.exists(self._keys.end(session_id))
            pipeline.hexists(self._keys.meta(session_id), RESTORED_FIELD)
        with translated():
            replies = pipeline.execute()
        extents = []
        for position, session_id in enumerate(ids):
            first, length, has_end, was_restored = replies[4 * position : 4 * position + 4]
            begin = int(first or 0)
            is_running = not has_end or (running is not None and int(running) == session_id)
            extents.append(Extent(session_id, begin, begin + int(length), is_running, bool(was_restored)))
        return extents

    def _raw(self, key: str, base: int, first: int, stop: int) -> Iterator[Any]:
        """Yield the raw messages as Arrow arrays, each within one block of the grid; Redis works ahead."""
        waiting: deque[tuple[_Lane, int]] = deque()
        seq = first
        try:
            while seq < stop or waiting:
                while seq < stop and len(waiting) < _LANES:
                    lane = next(lane for lane in self._lanes if all(lane is not other for other, _ in waiting))
                    count = min(self._count, stop - seq, GRID_MESSAGES - seq % GRID_MESSAGES)
                    lane.ask("LRANGE", key, seq - base, seq - base + count - 1)
                    waiting.append((lane, count))
                    seq += count
                lane, count = waiting[0]
                raw = lane.take()
                waiting.popleft()
                if len(raw):
                    self._count = max(64, min(GRID_MESSAGES, _REPLY_BYTES // (raw.nbytes // len(raw) + 1)))
                    yield raw
                if len(raw) < count:
                    return
        finally:
            for lane, _ in waiting:  # their replies would be taken for others'
                lane.close()

    def _execute(self, *command: Any) -> Any:
        with translated():
            return self._redis.execute_command(*command)  # type: ignore[no-untyped-call]


class _Lane:
    """A connection with at most one question under way, whose reply is read as one piece of memory."""

    def __init__(self, pool: "redis.ConnectionPool") -> None:
        self.pool = pool
        self._connection: Any = None
        self._buffer = bytearray(_BUFFER_BYTES)
        self._end = b""

    def ask(self, *command: Any) -> None:
        """Send a command. A question with an answer that nobody can guess stands behind it: there its reply ends."""
        mark = secrets.token_hex(16).encode()
        self._end = b"$%d\r\n%s\r\n" % (len(mark), mark)
        with translated(), self._closed_on_error():
            if self._connection is None:
                self._connection = self.pool.get_connection()
            packed = hiredis.pack_command(command) + hiredis.pack_command(("ECHO", mark))  # type: ignore[arg-type]
            self._connection.send_packed_command([packed])

    def take(self) -> Any:
        """Wait for the reply and return its elements as an Arrow binary array."""
        with translated(), self._closed_on_error():
            size = self._receive()
            try:
                return parse_array(memoryview(self._buffer)[: size - len(self._end)])
            except hiredis.ReplyError as error:
                raise redis.ResponseError(str(error)) from error

    def close(self) -> None:
        """Close the connection; the next question opens it again."""
        if self._connection is not None:
            self._connection.disconnect()
            self.pool.release(self._connection)
            self._connection = None

    def _receive(self) -> int:
        # redis-py has no way to read a reply past its parser; the connection's socket has been stable for ten years.
        receive = self._connection._sock.recv_into
        size = 0
        while True:
            if size == len(self._buffer):
                self._buffer += bytes(len(self._buffer))
            received: int = receive(memoryview(self._buffer)[size:])
            if not received:
                raise redis.ConnectionError("the connection was closed")
            size += received
            if self._buffer[max(size - len(self._end), 0) : size] == self._end:
                return size

    @contextmanager
    def _closed_on_error(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.close()
            raise redis.ConnectionError(str(error) or type(error).__name__) from error
        except BaseException:
            self.close()
            raise


class _Arrivals:
    """Finds the arrivals of messages that are read in order, from the beginning of the list."""

    def __init__(self, pool: "redis.ConnectionPool", key: str, started_ns: int) -> None:
        self._lane = _Lane(pool)
        self._key = key
        self._started_ns = started_ns
        self._entries = np.empty(0, _ARRIVAL_DTYPE)
        self._position = 0
        self._count = _FIRST_COUNT
        self._is_at_end = False

    def close(self) -> None:
        self._lane.close()

    def columns(self, first: int, stop: int) -> tuple[NDArray[np.int64], NDArray[np.uint16]]:
        """Return when messages arrived and from which source; those without an entry were queued by programs."""
        entries = self._covering(first, stop)
        count = stop - first
        begins = entries["first"].astype(np.int64) - first
        starts, stops = np.clip(begins, 0, count), np.clip(begins + entries["count"], 0, count)
        if len(entries) and starts[0] == 0 and stops[-1] == count and np.array_equal(starts[1:], stops[:-1]):
            lengths = stops - starts
            return np.repeat(entries["ns"], lengths), np.repeat(entries["source"], lengths)
        arrived_ns = np.full(count, self._started_ns, np.int64)
        source = np.full(count, QUEUE_SOURCE, np.uint16)
        for begin, end, entry in zip(starts.tolist(), stops.tolist(), entries, strict=True):
            arrived_ns[begin:end], source[begin:end] = entry["ns"], entry["source"]
        return arrived_ns, source

    def _covering(self, first: int, stop: int) -> NDArray[Any]:
        """Return the entries that messages of this range may belong to; those before it are forgotten."""
        while not self._is_at_end and self._reaches() < stop:
            self._lane.ask("LRANGE", self._key, self._position, self._position + self._count - 1)
            replied = self._lane.take()
            self._position += len(replied)
            self._is_at_end = len(replied) < self._count
            self._count = min(2 * self._count, GRID_MESSAGES)
            self._entries = np.concatenate([self._entries, np.frombuffer(_bytes(replied), _ARRIVAL_DTYPE)])
        # Entries follow each other: all that end by here stand before the first one that begins behind here.
        begin = max(int(np.searchsorted(self._entries["first"], first, "right")) - 1, 0)
        self._entries = self._entries[begin:]
        return self._entries[: int(np.searchsorted(self._entries["first"], stop))]

    def _reaches(self) -> int:
        """Return the message behind the last one of the entries."""
        last = self._entries[-1:]
        return int(last["first"][0]) + int(last["count"][0]) if len(last) else 0


def _bytes(array: Any) -> Any:
    """Return the bytes of an Arrow binary array end to end."""
    if not len(array):
        return b""
    _, offsets, content = array.buffers()
    begin, end = np.frombuffer(offsets, np.int32)[[array.offset, array.offset + len(array)]]
    return memoryview(content)[begin:end]


def _packed_arrivals(block: MessageBlock) -> list[bytes]:
    """Return arrivals entries for a block: one for each run of messages with the same arrival and source."""
    if not len(block):
        return []
    changes = (np.diff(block.arrived_ns) != 0) | (np.diff(block.source.astype(np.int64)) != 0)
    starts = np.concatenate([[0], np.flatnonzero(changes) + 1])
    entries = np.empty(len(starts), _ARRIVAL_DTYPE)
    entries["first"] = block.first_seq + starts
    entries["ns"], entries["source"] = block.arrived_ns[starts], block.source[starts]
    entries["count"] = np.diff(np.append(starts, len(block)))
    packed = entries.tobytes()
    return [packed[begin : begin + ARRIVAL.size] for begin in range(0, len(packed), ARRIVAL.size)]
