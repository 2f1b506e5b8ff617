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

APPEND_POINTS_SCRIPT: Final = (
    _POINTS
    + """
local base, mode, batch_field, batch, token = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local meta = base .. '_meta'
if redis.call('EXISTS', base .. '_start') == 0 then return {0} end
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
local first, count, old, newest = push_points(base, mode, ARGV[5], ARGV[6], ARGV[7], 8)
if not first then return {3, 0, 0, old, newest} end
local answer = string.format('%.0f:%.0f:%.0f:', first, count, old) .. (newest or '')
if batch_field ~= '' then redis.call('HSET', meta, batch_field, batch .. ':' .. answer) end
redis.call('HSET', meta, 'recent', string.sub(recent .. token .. '=' .. answer .. ';', -2000))
return {1, first, count, old, newest or ''}
"""
)
"""KEYS: session_N. ARGV: mode, ``batch:WRITER`` or '', the batch's number, this call's token, the points' times, the
newest of them as text, when they arrived, the points' messages. Modes: 'all' stores all or nothing, 'partial' leaves
out what is too old, 'restamp' gives it the newest time.

Returns {1, place of the first, how many were stored, how many were too old, the newest time before}; 2 instead of 1
where that batch is there already, a later one, too, then with a count of 0; 3 where nothing was stored as not all can
be; {0} where there is no such stream. A second time with one token, after a lost reply, it returns the same again."""
