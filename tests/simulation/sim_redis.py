"""A Redis in memory: the commands that Blitz uses, with real transactions, watches and Lua, and nothing else.

It is what :mod:`sim_store` injects faults into. ``test_sim_store.py`` runs the same operations against it and against
a real Redis, and compares all keys.
"""

import fnmatch
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import hiredis
import redis
from sim_scripts import run_script


class SortedSet(dict[bytes, float]):
    """Members and their scores."""


_KINDS = {bytes: b"string", list: b"list", dict: b"hash", SortedSet: b"zset"}

WRITES = frozenset(
    b"SET SETNX INCR INCRBY DECRBY LPUSH RPUSH LTRIM LREM LSET HSET HSETNX HDEL HINCRBY DEL UNLINK ZADD ZREM SADD SREM "
    b"PEXPIRE EXPIRE PERSIST RENAME".split()
)
"""What is refused where Redis refuses to write; a script that has written something may finish."""

TAKES_MEMORY = WRITES - frozenset(b"LTRIM LREM HDEL DEL UNLINK ZREM SREM PEXPIRE EXPIRE PERSIST RENAME".split())
"""What is refused where Redis has no memory left."""


class SimRedis:
    """All keys, and the commands.

    :param now_ms: milliseconds since the Unix epoch, for keys that expire.
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.keys: dict[bytes, Any] = {}
        self.expires: dict[bytes, int] = {}
        self.versions: dict[bytes, int] = {}
        """How often each key was changed, for WATCH. Survives deletion."""
        self.refused: frozenset[bytes] = frozenset()
        """Names of commands that are refused at present: out of memory, read-only."""
        self.why_refused = ""
        self._now_ms = now_ms
        self._commands: dict[bytes, Callable[..., Any]] = {
            name.removeprefix("_do_").upper().encode(): getattr(self, name)
            for name in dir(self)
            if name.startswith("_do_")
        }

    def refuse(self, names: frozenset[bytes], why: str) -> None:
        """Refuse these commands from now on."""
        self.refused, self.why_refused = names, why

    def execute(self, name: bytes, *arguments: bytes) -> Any:
        """Execute one command and return its reply, as the protocol has it: bytes, int, None, a list; b"OK".

        :raises redis.ResponseError: as Redis answers errors.
        """
        if name in self.refused:
            raise redis.ResponseError(self.why_refused)
        command = self._commands.get(name)
        if command is None:
            raise NotImplementedError(f"the simulated Redis does not know {name!r}: add it to sim_redis.py")
        if self.expires:
            self._expire()
        return command(*arguments)

    def _expire(self) -> None:
        now_ms = self._now_ms()
        for key in [key for key, at_ms in self.expires.items() if at_ms <= now_ms]:
            self._drop(key)

    def _touch(self, key: bytes) -> None:
        self.versions[key] = self.versions.get(key, 0) + 1

    def _drop(self, key: bytes) -> bool:
        self.expires.pop(key, None)
        if self.keys.pop(key, None) is None:
            return False
        self._touch(key)
        return True

    def _get(self, key: bytes, kind: type[Any]) -> Any:
        value = self.keys.get(key)
        if value is not None and type(value) is not kind:
            _wrong_kind()
        return value

    def _made(self, key: bytes, kind: type[Any]) -> Any:
        """Return a collection that is about to be changed, making it if it is not there."""
        value = self._get(key, kind)
        if value is None:
            value = self.keys[key] = kind()
        self._touch(key)
        return value

    # ---- strings ------------------------------------------------------------------------------------------------

    def _do_ping(self) -> bytes:
        return b"PONG"

    def _do_echo(self, text: bytes) -> bytes:
        return text

    def _do_get(self, key: bytes) -> bytes | None:
        value: bytes | None = self._get(key, bytes)
        return value

    def _do_mget(self, *keys: bytes) -> list[bytes | None]:
        return [value if type(value := self.keys.get(key)) is bytes else None for key in keys]

    def _do_set(self, key: bytes, value: bytes, *options: bytes) -> bytes | None:
        words = [option.upper() for option in options]
        if (b"NX" in words and key in self.keys) or (b"XX" in words and key not in self.keys):
            return None
        self._drop(key)
        self.keys[key] = value
        if b"PX" in words:
            self.expires[key] = self._now_ms() + int(options[words.index(b"PX") + 1])
        self._touch(key)
        return b"OK"

    def _do_incr(self, key: bytes) -> int:
        return self._do_incrby(key, b"1")

    def _do_incrby(self, key: bytes, step: bytes) -> int:
        number = int(self._get(key, bytes) or 0) + int(step)
        self.keys[key] = b"%d" % number
        self._touch(key)
        return number

    # ---- any kind -----------------------------------------------------------------------------------------------

    def _do_exists(self, *keys: bytes) -> int:
        return sum(key in self.keys for key in keys)

    def _do_del(self, *keys: bytes) -> int:
        return sum([self._drop(key) for key in keys])

    _do_unlink = _do_del

    def _do_flushall(self) -> bytes:
        for key in list(self.keys):
            self._drop(key)
        return b"OK"

    def _do_type(self, key: bytes) -> bytes:
        return _KINDS[type(self.keys[key])] if key in self.keys else b"none"

    def _do_keys(self, pattern: bytes) -> list[bytes]:
        return [key for key in self.keys if fnmatch.fnmatchcase(key.decode(), pattern.decode())]

    def _do_pexpire(self, key: bytes, after_ms: bytes) -> int:
        if key not in self.keys:
            return 0
        self.expires[key] = self._now_ms() + int(after_ms)
        self._touch(key)
        self._expire()
        return 1

    def _do_pttl(self, key: bytes) -> int:
        if key not in self.keys:
            return -2
        return self.expires[key] - self._now_ms() if key in self.expires else -1

    # ---- lists --------------------------------------------------------------------------------------------------

    def _do_llen(self, key: bytes) -> int:
        return len(self._get(key, list) or ())

    def _do_rpush(self, key: bytes, *values: bytes) -> int:
        elements: list[bytes] = self._made(key, list)
        elements.extend(values)
        return len(elements)

    def _do_lpush(self, key: bytes, *values: bytes) -> int:
        elements: list[bytes] = self._made(key, list)
        elements[:0] = reversed(values)
        return len(elements)

    def _do_lindex(self, key: bytes, index: bytes) -> bytes | None:
        elements = self._get(key, list) or ()
        try:
            return elements[int(index)]  # type: ignore[no-any-return]
        except IndexError:
            return None

    def _do_lrange(self, key: bytes, start: bytes, stop: bytes) -> list[bytes]:
        elements = self._get(key, list) or []
        return elements[_range(len(elements), start, stop)]  # type: ignore[no-any-return]

    def _do_ltrim(self, key: bytes, start: bytes, stop: bytes) -> bytes:
        elements = self._get(key, list)
        if elements is not None:
            kept = elements[_range(len(elements), start, stop)]
            self.keys[key] = kept
            self._touch(key)
            if not kept:
                self.keys.pop(key)
        return b"OK"

    def _do_lset(self, key: bytes, index: bytes, value: bytes) -> bytes:
        elements = self._get(key, list)
        if elements is None:
            raise redis.ResponseError("no such key")
        if not -len(elements) <= int(index) < len(elements):
            raise redis.ResponseError("index out of range")
        elements[int(index)] = value
        self._touch(key)
        return b"OK"

    def _do_linsert(self, key: bytes, where: bytes, pivot: bytes, value: bytes) -> int:
        elements = self._get(key, list)
        if elements is None:
            return 0
        if pivot not in elements:
            return -1
        elements.insert(elements.index(pivot) + (where.upper() == b"AFTER"), value)
        self._touch(key)
        return len(elements)

    def _do_lrem(self, key: bytes, count: bytes, value: bytes) -> int:
        elements = self._get(key, list) or []
        kept = [element for element in elements if element != value]
        removed = len(elements) - len(kept)
        assert int(count) == 0
        if removed:
            self.keys[key] = kept
            self._touch(key)
            if not kept:
                self.keys.pop(key)
        return removed

    # ---- hashes, sorted sets, sets ------------------------------------------------------------------------------

    def _do_hset(self, key: bytes, *pairs: bytes) -> int:
        if not pairs or len(pairs) % 2:
            raise redis.ResponseError("wrong number of arguments for 'hset' command")
        fields: dict[bytes, bytes] = self._made(key, dict)
        before = len(fields)
        fields.update(zip(pairs[::2], pairs[1::2], strict=True))
        return len(fields) - before

    def _do_hsetnx(self, key: bytes, field: bytes, value: bytes) -> int:
        if field in (self._get(key, dict) or ()):
            return 0
        self._made(key, dict)[field] = value
        return 1

    def _do_hincrby(self, key: bytes, field: bytes, amount: bytes) -> int:
        fields: dict[bytes, bytes] = self._made(key, dict)
        fields[field] = b"%d" % (int(fields.get(field, 0)) + int(amount))
        return int(fields[field])

    def _do_hget(self, key: bytes, field: bytes) -> bytes | None:
        return (self._get(key, dict) or {}).get(field)  # type: ignore[no-any-return]

    def _do_hmget(self, key: bytes, *fields: bytes) -> list[bytes | None]:
        there = self._get(key, dict) or {}
        return [there.get(field) for field in fields]

    def _do_hgetall(self, key: bytes) -> list[bytes]:
        return [part for pair in (self._get(key, dict) or {}).items() for part in pair]

    def _do_hvals(self, key: bytes) -> list[bytes]:
        return list((self._get(key, dict) or {}).values())

    def _do_hexists(self, key: bytes, field: bytes) -> int:
        return int(field in (self._get(key, dict) or ()))

    def _do_hlen(self, key: bytes) -> int:
        return len(self._get(key, dict) or ())

    def _do_hdel(self, key: bytes, *fields: bytes) -> int:
        return self._take_out(key, self._get(key, dict), fields)

    def _take_out(self, key: bytes, there: dict[bytes, Any] | None, members: Sequence[bytes]) -> int:
        removed = 0 if there is None else sum([there.pop(member, None) is not None for member in members])
        if removed:
            self._touch(key)
            if not there:
                self.keys.pop(key)
        return removed

    def _do_zadd(self, key: bytes, score: bytes, member: bytes) -> int:
        members: SortedSet = self._made(key, SortedSet)
        is_new = member not in members
        members[member] = float(score)
        return int(is_new)

    def _do_zscore(self, key: bytes, member: bytes) -> bytes | None:
        score = (self._get(key, SortedSet) or {}).get(member)
        return None if score is None else b"%.17g" % score

    def _do_zrem(self, key: bytes, *members: bytes) -> int:
        return self._take_out(key, self._get(key, SortedSet), members)

    def _do_zrange(self, key: bytes, start: bytes, stop: bytes) -> list[bytes]:
        members = self._get(key, SortedSet) or {}
        return sorted(members, key=lambda member: (members[member], member))[_range(len(members), start, stop)]

    def _do_zrevrange(self, key: bytes, start: bytes, stop: bytes) -> list[bytes]:
        return self._do_zrange(key, b"0", b"-1")[::-1][_range(self._do_zcard(key), start, stop)]

    def _do_zrangebyscore(self, key: bytes, least: bytes, most: bytes) -> list[bytes]:
        members = self._get(key, SortedSet) or {}
        return [m for m in self._do_zrange(key, b"0", b"-1") if float(least) <= members[m] <= float(most)]

    def _do_zcard(self, key: bytes) -> int:
        return len(self._get(key, SortedSet) or ())

    # ---- scripts ------------------------------------------------------------------------------------------------

    def _do_eval(self, script: bytes, key_count: bytes, *arguments: bytes) -> Any:
        count, refused = int(key_count), self.refused
        try:
            return run_script(self._call, script, arguments[:count], arguments[count:])
        finally:
            self.refused = refused

    def _call(self, name: bytes, *arguments: bytes) -> Any:
        """Execute a command of a script; a script that has written something may finish, whatever is refused."""
        reply = self.execute(name, *arguments)
        if self.refused and name in WRITES:
            self.refused = frozenset()
        return reply


def _range(length: int, start: bytes, stop: bytes) -> slice:
    first, last = int(start), int(stop)
    first = max(first + length, 0) if first < 0 else first
    last = last + length if last < 0 else last
    return slice(first, max(last + 1, 0))


def _wrong_kind() -> NoReturn:
    raise redis.ResponseError("WRONGTYPE Operation against a key holding the wrong kind of value")


def parse(packed: Sequence[bytes]) -> list[list[bytes]]:
    """Return the commands in what a client sent."""
    reader = hiredis.Reader()
    for chunk in packed:
        reader.feed(chunk)
    commands = []
    while True:
        command = reader.gets()
        if command is False:
            return commands
        commands.append(command)
