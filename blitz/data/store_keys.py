"""The names of the store's keys, the layout of an arrivals entry, and the scripts that must be atomic.

The table of keys stands in docs/architecture.md. The scripts build key names from the prefix: with a prefix in braces
all keys lie in one slot, so that this holds on a Redis Cluster too.
"""

import struct
from typing import Final

ARRIVAL: Final = struct.Struct("<QqHI")
"""One read: first_seq u64, arrived_ns i64, source u16, count u32, little-endian and packed."""

QUEUE_SOURCE: Final = 65535
"""The row of messages that programs put in with ``DatabaseServer.queue``; boards count from 0."""

MILLISECOND_NS: Final = 1_000_000

RESTORED_FIELD: Final = "restored"
"""Of a session's meta hash: how often messages were put back, as somebody wanted them in memory again. They are
archived last, and readers know by it that a border which is where it was may have moved to and fro."""


class StoreKeys:
    """Key names under one prefix."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.store_id = f"{prefix}store_id"
        self.schema = f"{prefix}schema"
        self.server = f"{prefix}server"
        self.session = f"{prefix}session"
        self.session_last = f"{prefix}session_last"
        self.session_prepared = f"{prefix}session_prepared"
        self.sessions = f"{prefix}sessions"
        self.trash = f"{prefix}trash"
        self.streams = f"{prefix}streams"
        self.stream_deadlines = f"{prefix}stream_deadlines"
        self.archive = f"{prefix}archive"
        self.archive_fence = f"{prefix}archive_fence"

    def messages(self, session_id: int) -> str:
        """The list of raw messages, oldest first."""
        return f"{self.prefix}session_{session_id}"

    def first(self, session_id: int) -> str:
        """The sequence number of the list's first element; absent counts as 0."""
        return f"{self.prefix}session_{session_id}_first"

    def arrivals(self, session_id: int) -> str:
        """The list of reads, each packed as :data:`ARRIVAL`."""
        return f"{self.prefix}session_{session_id}_arrivals"

    def start(self, session_id: int) -> str:
        """Start in milliseconds since the Unix epoch."""
        return f"{self.prefix}session_{session_id}_start"

    def end(self, session_id: int) -> str:
        """End in milliseconds since the Unix epoch; absent while the session runs."""
        return f"{self.prefix}session_{session_id}_end"

    def markers(self, session_id: int) -> str:
        """The list of what stands on the session's time line, as JSON."""
        return f"{self.prefix}session_{session_id}_markers"

    def meta(self, session_id: int) -> str:
        """The hash of everything else: name, notes, owner, ``source:N``, ``gap:NS:N``, ``account:N``…"""
        return f"{self.prefix}session_{session_id}_meta"


_DROP: Final = """
local function drop(id)
  local base = ARGV[1] .. 'session_' .. id
  redis.call('UNLINK', base, base .. '_first', base .. '_arrivals', base .. '_start', base .. '_end',
             base .. '_meta', base .. '_markers')
end
"""

START_SCRIPT: Final = """
local running = redis.call('GET', KEYS[1])
if running then
  local token = redis.call('HGET', ARGV[1] .. 'session_' .. running .. '_meta', 'start_token')
  return {token == ARGV[3] and 1 or 0, running}
end
local id = redis.call('INCR', KEYS[2])
if id == 1 then
  for _, older in ipairs(redis.call('LRANGE', KEYS[3], 0, -1)) do id = math.max(id, tonumber(older) + 1) end
  redis.call('SET', KEYS[2], id)
end
redis.call('SET', KEYS[1], id)
redis.call('LPUSH', KEYS[3], id)
local base = ARGV[1] .. 'session_' .. id
redis.call('SET', base .. '_start', ARGV[2])
redis.call('HSET', base .. '_meta', 'start_token', unpack(ARGV, 3))
return {1, id}
"""
"""KEYS: session, session_last, sessions. ARGV: prefix, start in ms, this call's token, meta fields and values.
Blitz 0.2 kept no ``session_last``: an id that is in the list is not given again.
Returns {1, new id}, or {0, id of the running session}. A second time with one token, after a lost reply, it returns
{1, id} again."""

STOP_SCRIPT: Final = """
local running = redis.call('GET', KEYS[1])
if not running or (ARGV[2] ~= '' and running ~= ARGV[2]) then return false end
redis.call('DEL', KEYS[1])
local base = ARGV[1] .. 'session_' .. running
redis.call('SET', base .. '_end', ARGV[3])
if ARGV[4] == '1' then redis.call('HSET', base .. '_meta', 'interrupted', '1') end
if ARGV[5] ~= '' then redis.call('HSET', base .. '_meta', 'stop_reason', ARGV[5]) end
return running
"""
"""KEYS: session. ARGV: prefix, the id expected or '', end in ms, '1' if interrupted, why it was stopped by the server
itself or ''. Returns the id or false. What frees memory comes first: Redis then lets a script finish even where its
memory is full."""

PREPARE_SCRIPT: Final = """
local following = ARGV[1] .. 'session_' .. ARGV[3]
if redis.call('GET', KEYS[1]) == ARGV[3] or redis.call('EXISTS', following .. '_end') == 1 then return 0 end
local last = tonumber(redis.call('GET', KEYS[2]) or 0)
if last >= tonumber(ARGV[3]) and redis.call('EXISTS', following .. '_start') == 0 then return 0 end
redis.call('SET', KEYS[2], ARGV[3])
redis.call('SET', following .. '_start', ARGV[4])
redis.call('HSET', following .. '_meta', 'follows', ARGV[2], unpack(ARGV, 5))
return 1
"""
"""KEYS: session, session_prepared. ARGV: prefix, id of the session before, id of the one that follows, its start in ms,
its meta fields and values. Prepares a session, which takes messages and is in no list before it runs. One that runs,
ran, or was deleted since stays as it is: this may come a second time, and late."""

FOLLOW_SCRIPT: Final = """
local running = redis.call('GET', KEYS[1])
local base = ARGV[1] .. 'session_'
local before, following = base .. ARGV[2], base .. ARGV[3]
local has_begun = running == ARGV[3] or redis.call('EXISTS', following .. '_end') == 1
if running == ARGV[2] then
  redis.call('DEL', KEYS[1])
  redis.call('SET', before .. '_end', ARGV[4])
  if ARGV[5] ~= '' then redis.call('HSET', before .. '_meta', 'stop_reason', ARGV[5]) end
  running = false
end
if has_begun or redis.call('EXISTS', following .. '_start') == 0 then return 0 end
redis.call('LPUSH', KEYS[2], ARGV[3])
if running then
  redis.call('SET', following .. '_end', ARGV[4])
  return 0
end
redis.call('SET', KEYS[1], ARGV[3])
return 1
"""
"""KEYS: session, sessions. ARGV: prefix, id of the session before, id of the one that follows, end in ms, why or ''.
Stops the one and lets the other run, in one step; where another program has begun a third, the other is over at once.
A second time it does nothing. Returns 1 if the other began to run."""

DELETE_SCRIPT: Final = (
    _DROP
    + """
if redis.call('GET', KEYS[1]) == ARGV[2] then return -1 end
local meta = ARGV[1] .. 'session_' .. ARGV[2] .. '_meta'
if ARGV[3] ~= '' then
  local since = redis.call('ZSCORE', KEYS[3], ARGV[2])
  if not since then return 0 end
  if ARGV[3] == 'purge' then
    if tonumber(since) > tonumber(ARGV[4]) or redis.call('HEXISTS', meta, 'starred') == 1 then return 0 end
  end
end
if redis.call('LREM', KEYS[2], 0, ARGV[2]) + redis.call('ZREM', KEYS[3], ARGV[2]) == 0 then return 0 end
drop(ARGV[2])
return 1
"""
)
"""KEYS: session, sessions, trash. ARGV: prefix, id, '' for wherever it is, 'trash' for only if it is in the trash,
'purge' for only if it is there, not starred, and was put there at ARGV[4] ms or before.
Returns 1, 0 where there is no such session, -1 where it runs."""

FLUSH_SCRIPT: Final = (
    _DROP
    + """
for _, id in ipairs(redis.call('LRANGE', KEYS[2], 0, -1)) do drop(id) end
for _, id in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do drop(id) end
for _, id in ipairs(redis.call('HVALS', KEYS[4])) do
  local downlink = redis.call('HGET', ARGV[1] .. 'session_' .. id .. '_meta', 'downlink_id')
  if downlink then drop(downlink) end
  drop(id)
end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5])
return 1
"""
)
"""KEYS: session, sessions, trash, streams, stream_deadlines. ARGV: prefix. Ids given out and the store's id stay."""

RENEW_SCRIPT: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""
"""KEYS: server. ARGV: our lease, time to live in ms (0 gives it up). Returns 1 while it was ours."""

META_SCRIPT: Final = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[2], unpack(ARGV))
return 1
"""
"""KEYS: session_N_start, session_N_meta. ARGV: fields and values. Returns 0 for a session that does not exist."""

PUSH_SCRIPT: Final = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
for _, entry in ipairs(redis.call('LRANGE', KEYS[2], -100, -1)) do
  if entry == ARGV[1] then return 1 end
end
return redis.call('RPUSH', KEYS[2], ARGV[1])
"""
"""KEYS: session_N_start, a list of the session. ARGV: what to put behind it, once however often it is asked for.
Returns 0 for a session that is gone."""
