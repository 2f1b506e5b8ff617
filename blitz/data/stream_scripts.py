"""What must be atomic about streams, as scripts for Redis; the keys are those of :mod:`blitz.data.store_keys`."""

from typing import Final

CREATE_STREAM_SCRIPT: Final = """
local known = redis.call('HGET', KEYS[1], ARGV[2])
if known then
  local token = redis.call('HGET', ARGV[1] .. 'session_' .. known .. '_meta', 'start_token')
  return token == ARGV[3] and 1 or 0
end
local id, downlink_id = redis.call('INCR', KEYS[2]), redis.call('INCR', KEYS[2])
local base, downlink = ARGV[1] .. 'session_' .. id, ARGV[1] .. 'session_' .. downlink_id
redis.call('HSET', KEYS[1], ARGV[2], id)
redis.call('SET', base .. '_start', ARGV[4])
redis.call('HSET', base .. '_meta', 'kind', 'stream', 'name', ARGV[2], 'start_token', ARGV[3],
           'downlink_id', downlink_id, unpack(ARGV, 6))
redis.call('SET', downlink .. '_start', ARGV[4])
redis.call('HSET', downlink .. '_meta', 'kind', 'stream', 'name', ARGV[2], 'downlink_of', id, 'source:0', ARGV[5])
return 1
"""
"""KEYS: streams, session_last. ARGV: prefix, name, this call's token, start in ms, the downlink's source, fields and
values of the stream's meta hash. Returns 0 where there is a stream of that name, unless this call has made it."""

DELETE_STREAM_SCRIPT: Final = """
local id = redis.call('HGET', KEYS[1], ARGV[2])
if not id then return false end
local downlink_id = redis.call('HGET', ARGV[1] .. 'session_' .. id .. '_meta', 'downlink_id')
redis.call('HDEL', KEYS[1], ARGV[2])
for _, gone in ipairs({id, downlink_id}) do
  local base = ARGV[1] .. 'session_' .. gone
  redis.call('UNLINK', base, base .. '_first', base .. '_arrivals', base .. '_start', base .. '_end',
             base .. '_meta', base .. '_markers')
end
return {id, downlink_id}
"""
"""KEYS: streams. ARGV: prefix, name. Returns the ids of the stream and its downlink, or false."""

_PUSH: Final = """
local function later(one, other)
  local low, high = struct.unpack('<I4I4', one)
  local other_low, other_high = struct.unpack('<I4I4', other)
  if high == other_high then return low > other_low end
  return high > other_high
end
local function push(base, arrived, messages)
  local first = tonumber(redis.call('GET', base .. '_first') or 0) + redis.call('LLEN', base)
  if #messages == 0 then return first end
  local entry = redis.call('LINDEX', base .. '_arrivals', -1)
  if entry then
    local last = string.sub(entry, 9, 16)
    if later(last, arrived) then arrived = last end
  end
  for begin = 1, #messages, 4000 do
    redis.call('RPUSH', base, unpack(messages, begin, math.min(begin + 3999, #messages)))
  end
  redis.call('RPUSH', base .. '_arrivals', struct.pack('<I8', first) .. arrived .. struct.pack('<I2I4', 0, #messages))
  return first
end
"""
"""``push`` puts messages behind those of a session, as one read of its source 0, and returns the place of the first.
Times of arrival are eight bytes each, too many for Lua's numbers; they never fall."""

_PUSH_STATE: Final = """
local function push_state(down, arrived, message, member, field)
  redis.call('HDEL', down .. '_meta', field)
  redis.call('ZREM', KEYS[#KEYS], member)
  return push(down, arrived, {message}) + 1
end
local function now_ms()
  local now = redis.call('TIME')
  return now[1] * 1000 + math.floor(now[2] / 1000)
end
"""
"""``push_state`` ends a command, whose deadline is in the last key, and returns how long its session is."""

_POINTS: Final = (
    _PUSH
    + """
local function push_points(base, mode, times, newest_text, arrived, begin)
  local newest = redis.call('HGET', base .. '_meta', 'newest_t')
  local count, old = #ARGV - begin + 1, 0
  if newest and count > 0 then
    local limit, high = tonumber(newest), count
    while old < high do
      local middle = math.floor((old + high) / 2)
      if struct.unpack('<d', times, middle * 8 + 1) < limit then old = middle + 1 else high = middle end
    end
  end
  if old > 0 and mode == 'all' then return nil, 0, old, newest end
  local messages = {}
  if mode == 'restamp' then
    for place = begin, begin + old - 1 do
      messages[#messages + 1] = '{"t":' .. newest .. string.sub(ARGV[place], (string.find(ARGV[place], ',', 1, true)))
    end
  end
  for place = begin + old, #ARGV do messages[#messages + 1] = ARGV[place] end
  local first = push(base, arrived, messages)
  if old < count then redis.call('HSET', base .. '_meta', 'newest_t', newest_text) end
  return first, #messages, old, newest
end
"""
)
"""``push_points`` stores points, which stand in ARGV from ``begin`` on, and whose times never fall: the first ``old``
of them are older than the newest of the stream. Returns the place of the first, how many were stored, ``old``, and
that time as text; no place where nothing was stored, as all had to be."""

MOST_WRITERS: Final = 4_096

_WRITERS: Final = """
local function forget_writers(meta)
  local known = redis.call('HGETALL', meta)
  local writers = {}
  for place = 1, #known, 2 do
    if string.sub(known[place], 1, 6) == 'batch:' then
      writers[#writers + 1] = {known[place], tonumber(string.match(known[place + 1], '^%d+:(%d+)'))}
    end
  end
  table.sort(writers, function(one, other) return one[2] < other[2] end)
  for place = 1, #writers - MOST / 2 do redis.call('HDEL', meta, writers[place][1]) end
end
""".replace("MOST", str(MOST_WRITERS))
"""``forget_writers`` leaves half of the most writers that are remembered: those that have stored something last."""

APPEND_POINTS_SCRIPT: Final = (
    _POINTS
    + _WRITERS
    + f"local most_writers = {MOST_WRITERS}"
    + """
local base, mode, batch_field, batch, token = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local meta = base .. '_meta'
if redis.call('HGET', meta, 'start_token') ~= ARGV[8] then return {0} end
local recent = redis.call('HGET', meta, 'recent') or ''
local told = string.match(recent, token .. '=([^;]*);')
if told then
  local first, count, old, newest = string.match(told, '^(%d+):(%d+):(%d+):(.*)$')
  return {1, tonumber(first), tonumber(count), tonumber(old), newest}
end
if batch_field ~= '' then
  local known = redis.call('HGET', meta, batch_field)
  if known then
    local number, first, count, old, newest = string.match(known, '^(%d+):(%d+):(%d+):(%d+):(.*)$')
    if tonumber(number) > tonumber(batch) then return {2, tonumber(first), 0, 0, newest} end
    if tonumber(number) == tonumber(batch) then
      return {2, tonumber(first), tonumber(count), tonumber(old), newest}
    end
  end
end
local first, count, old, newest = push_points(base, mode, ARGV[5], ARGV[6], ARGV[7], 9)
if not first then return {3, 0, 0, old, newest} end
local answer = string.format('%.0f:%.0f:%.0f:', first, count, old) .. (newest or '')
if batch_field ~= '' and redis.call('HSET', meta, batch_field, batch .. ':' .. answer) == 1 then
  if redis.call('HLEN', meta) > most_writers then forget_writers(meta) end
end
redis.call('HSET', meta, 'recent', string.sub(recent .. token .. '=' .. answer .. ';', -2000))
return {1, first, count, old, newest or ''}
"""
)
"""KEYS: session_N. ARGV: mode, ``batch:WRITER`` or '', the batch's number, this call's token, the points' times, the
newest of them as text, when they arrived, the token of the call that made the stream, the points' messages. Modes:
'all' stores all or nothing, 'partial' leaves out what is too old, 'restamp' gives it the newest time.

Returns {1, place of the first, how many were stored, how many were too old, the newest time before}; 2 instead of 1
where that batch is there already, a later one, too, then with a count of 0; 3 where nothing was stored as not all can
be; {0} where there is no such stream. A second time with one token, after a lost reply, it returns the same again."""

SEND_COMMAND_SCRIPT: Final = (
    _PUSH
    + _PUSH_STATE
    + """
local down, base, token = KEYS[1], KEYS[2], ARGV[1]
local meta = down .. '_meta'
if redis.call('HGET', base .. '_meta', 'start_token') ~= ARGV[5] then return {0} end
local recent = redis.call('HGET', meta, 'recent') or ''
local told = string.match(recent, token .. '=([^;]*);')
if told then
  local id, length = string.match(told, '^(%d+):(%d+)$')
  return {1, tonumber(id), tonumber(length)}
end
if redis.call('HGET', base .. '_meta', 'downlink') ~= '1' then return {2} end
local id = redis.call('HINCRBY', meta, 'command_last', 1)
redis.call('HSET', meta, 'open:' .. id, ARGV[4])
redis.call('ZADD', KEYS[3], now_ms() + tonumber(ARGV[3]), string.match(down, 'session_(%d+)$') .. ':' .. id)
local length = push(down, ARGV[2], {'{"id":' .. id .. ',' .. ARGV[4]}) + 1
local answer = string.format('%s=%.0f:%.0f;', token, id, length)
redis.call('HSET', meta, 'recent', string.sub(recent .. answer, -2000))
return {1, id, length}
"""
)
"""KEYS: the downlink's session_N, the stream's, stream_deadlines. ARGV: this call's token, when it arrived, the time
that it has in ms, the command as JSON behind its id, the token of the call that made the stream. Returns {1, its id,
how long its session is}, {0} where there is no such stream, {2} where it takes no commands."""

ANSWER_COMMAND_SCRIPT: Final = (
    _POINTS
    + _PUSH_STATE
    + """
local down, base, member, field, done, arrived = KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3], ARGV[5]
if redis.call('HEXISTS', down .. '_meta', field) == 0 then
  for _, message in ipairs(redis.call('LRANGE', down, -100, -1)) do
    if message == done then return {1, 0, 0, 0, ''} end
  end
  return {0, 0, 0, 0, ''}
end
local deadline = redis.call('ZSCORE', KEYS[3], member)
if not deadline or tonumber(deadline) <= now_ms() then
  return {2, push_state(down, arrived, ARGV[4], member, field), 0, 0, ''}
end
local length = 0
if ARGV[6] ~= '' then
  local first, count, old, newest = push_points(base, ARGV[6], ARGV[7], ARGV[8], arrived, 9)
  if not first then return {3, 0, 0, old, newest} end
  length = first + count
end
return {1, push_state(down, arrived, done, member, field), length, 0, ''}
"""
)
"""KEYS: the downlink's session_N, the stream's, stream_deadlines. ARGV: the command in the set of deadlines, its field
in the meta hash, its message as it is answered, its message if its time is over, when the answer arrived, then as
:data:`APPEND_POINTS_SCRIPT` the mode ('' for no points), times, the newest, the points' messages. Returns {outcome, how
long the downlink's session is, how long the stream is, how many points were too old, the newest time}: 1 answered, now
or by this call before; 0 over already; 2 its time was over; 3 the points cannot be stored, and nothing was."""

EXPIRE_COMMAND_SCRIPT: Final = (
    _PUSH
    + _PUSH_STATE
    + """
if redis.call('HEXISTS', KEYS[1] .. '_meta', ARGV[2]) == 0 or ARGV[3] == '' then
  redis.call('ZREM', KEYS[2], ARGV[1])
  return 0
end
return push_state(KEYS[1], ARGV[4], ARGV[3], ARGV[1], ARGV[2])
"""
)
"""KEYS: the downlink's session_N, stream_deadlines. ARGV: the command in the set of deadlines, its field in the meta
hash, its message, or '' where it was over already, when that was. Returns how long its session is;
0 where it was over."""
