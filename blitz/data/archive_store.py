"""The archive's view of Redis: how long sessions are, their messages in bulk, and the border that moves.

Implements :class:`blitz.data.archiving.Store`. Used by one thread; only the archive's worker has one.
"""

from collections.abc import Generator, Sequence
from typing import Any, Final

import numpy as np
import redis

from blitz.data.archive_plan import Extent
from blitz.data.archive_reading import Lanes, Reading, Stretch
from blitz.data.blocks import MessageBlock
from blitz.data.bulk_reading import ARRIVAL_DTYPE
from blitz.data.store_faults import translated
from blitz.data.store_keys import ARRIVAL, MILLISECOND_NS, RESTORED_FIELD, StoreKeys
from blitz.data.stream_listing import sessions_of_streams

_NOTHING = 0
_SESSIONS_AT_ONCE = 500
_VALUES_A_COMMAND = 2000

_TRIM_SCRIPT: Final = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local first, stop = tonumber(redis.call('GET', KEYS[2]) or '0'), tonumber(ARGV[2])
if first == stop then return -1 end
if redis.call('GET', KEYS[5]) ~= ARGV[3] then return 0 end
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
return 1 + low
"""
"""KEYS: session_N_start, session_N_first, session_N, session_N_arrivals, archive_fence. ARGV: first, stop, fence.
Returns one more than how many arrivals went; -1 if first is stop already; 0 if nothing happened.
What frees memory comes first: Redis lets a script that has done so finish, even where its memory is full."""


_FENCE_SCRIPT: Final = """
local fence = tonumber(redis.call('GET', KEYS[1]) or '0') + 1
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[1], fence)
return fence
"""
"""KEYS: archive_fence. Returns a number that was never there. A trim with an earlier one, which Redis, hanging, has not
executed yet, does nothing from now on: what it would let go of may be written anew. DEL makes it pass where memory is
full."""


class ArchiveStore:
    """What :class:`~blitz.data.archiving.Archiving` needs of Redis.

    :param client: an ordinary client; gives connections, too.
    """

    def __init__(self, client: "redis.Redis", keys: StoreKeys, store_id: str) -> None:
        self._redis = client
        self._keys = keys
        self._store_id = store_id
        self._lanes = Lanes.of(client.connection_pool)
        self._reading: Reading | None = None
        self._fence = 0

    def close(self) -> None:
        """Close the connections. The object may be used again."""
        self._end_reading()
        self._lanes.close()

    def memory(self) -> tuple[int, int]:
        """Return how many bytes Redis uses, and how many it may use, 0 for as many as there are."""
        with translated():
            answer: Any = self._redis.info("memory")
        return int(answer["used_memory"]), int(answer.get("maxmemory", 0))

    def extents(self) -> Sequence[Extent]:
        """Return what Redis holds of each session that has messages there: streams and those in the trash, too.

        No trim that was asked for before is executed from now on.
        """
        self._set_fence()
        running = self._execute("GET", self._keys.session)
        ids = self._execute("LRANGE", self._keys.sessions, 0, -1) + self._execute("ZRANGE", self._keys.trash, 0, -1)
        ids += sessions_of_streams(self._redis, self._keys)
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

    def blocks(self, session_id: int, first: int, stop: int) -> Generator[MessageBlock]:
        """Yield messages, cut on the grid; fewer if they are not all there. It ends where others are asked for.

        Redis sends the next ones while the caller works on those it has.
        """
        self._end_reading()
        base = int(self._execute("GET", self._keys.first(session_id)) or 0)
        started = self._execute("GET", self._keys.start(session_id))
        if started is None or first < base:
            return
        keys = self._keys.messages(session_id), self._keys.arrivals(session_id)
        stretch = Stretch(session_id, first, stop, base, int(started) * MILLISECOND_NS, *keys, self._store_id)
        reading = self._reading = Reading(self._lanes, stretch)
        try:
            yield from reading
        finally:
            if self._reading is reading:
                self._end_reading()

    def trim(self, session_id: int, first: int, stop: int) -> bool:
        """Drop messages that lie in the archive, with their arrivals, and move the border, in one step."""
        if not self._fence:
            self._set_fence()
        keys = self._keys
        names = [keys.start(session_id), keys.first(session_id), keys.messages(session_id), keys.arrivals(session_id)]
        names.append(keys.archive_fence)

        def ask() -> int:
            return int(self._execute("EVAL", _TRIM_SCRIPT, len(names), *names, first, stop, self._fence))

        if self._reading is None or not self._reading.outlasts(session_id, stop):
            self._end_reading()
            return bool(ask())
        answer = _NOTHING
        try:
            answer = self._reading.trim(stop, ask)
        finally:
            if answer <= _NOTHING:
                self._end_reading()
        return bool(answer)

    def put_back(self, block: MessageBlock) -> bool:
        """Put messages before those that are there, with their arrivals, and move the border, in one step."""
        keys, session_id = self._keys, block.session_id
        self._end_reading()
        self._set_fence()  # a trim that is executed late must not take away what comes back
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
            pipeline.hincrby(keys.meta(session_id), RESTORED_FIELD, 1)
            try:
                pipeline.execute()
            except redis.WatchError:
                return False
        return True

    # ---- below: how -----------------------------------------------------------------------------------------------

    def _end_reading(self) -> None:
        if self._reading is not None:
            reading, self._reading = self._reading, None
            reading.close()

    def _set_fence(self) -> None:
        self._fence = int(self._execute("EVAL", _FENCE_SCRIPT, 1, self._keys.archive_fence))

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

    def _execute(self, *command: Any) -> Any:
        with translated():
            return self._redis.execute_command(*command)  # type: ignore[no-untyped-call]


def _packed_arrivals(block: MessageBlock) -> list[bytes]:
    """Return arrivals entries for a block: one for each run of messages with the same arrival and source."""
    if not len(block):
        return []
    changes = (np.diff(block.arrived_ns) != 0) | (np.diff(block.source.astype(np.int64)) != 0)
    starts = np.concatenate([[0], np.flatnonzero(changes) + 1])
    entries = np.empty(len(starts), ARRIVAL_DTYPE)
    entries["first"] = block.first_seq + starts
    entries["ns"], entries["source"] = block.arrived_ns[starts], block.source[starts]
    entries["count"] = np.diff(np.append(starts, len(block)))
    packed = entries.tobytes()
    return [packed[begin : begin + ARRIVAL.size] for begin in range(0, len(packed), ARRIVAL.size)]
