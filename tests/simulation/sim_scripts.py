"""The store's scripts, in real Lua, with what Redis gives to scripts: ``redis.call`` and ``struct.unpack``."""

import functools
import struct
from collections.abc import Callable, Sequence
from typing import Any

import redis
from lupa import lua51

Call = Callable[..., Any]
"""Executes a command, given as bytes, and returns its reply."""

_LUA = lua51.LuaRuntime(encoding=None, register_eval=False, unpack_returned_tuples=True)
_PACKED = {b"I8": "Q", b"i8": "q", b"I4": "I", b"i4": "i", b"I2": "H", b"I1": "B"}
_running: list[Call] = []


def run_script(call: Call, script: bytes, keys: Sequence[bytes], arguments: Sequence[bytes]) -> Any:
    """Run a script and return what it returns, as Redis replies.

    :raises redis.ResponseError: if one of its commands fails, or the script itself.
    """
    _running.append(call)
    try:
        return _from_lua(_compiled(script)(_LUA.table_from(keys), _LUA.table_from(arguments)))
    except lua51.LuaError as error:
        raise redis.ResponseError(str(error)) from error
    finally:
        _running.pop()


def _call_redis(name: bytes, *arguments: Any) -> tuple[bool, Any]:
    """Execute a command for the script that is running.

    One function for all, and errors as values: Lua keeps what it is given of Python's objects, and may take another
    that Python put in its place later for it.
    """
    texts = (b"%d" % a if isinstance(a, int) else b"%.17g" % a if isinstance(a, float) else a for a in arguments)
    try:
        reply = _running[-1](name.upper(), *texts)
    except redis.ResponseError as error:
        return False, str(error).encode()
    if reply is None:
        return True, False
    if isinstance(reply, list):
        return True, _LUA.table_from([False if part is None else part for part in reply])
    return True, reply


@functools.cache
def _compiled(script: bytes) -> Any:
    return _LUA.execute(b"return function(KEYS, ARGV)\n" + script + b"\nend")


@functools.cache
def _layout(text: bytes) -> struct.Struct:
    return struct.Struct(text[:1].decode() + "".join(_PACKED[text[i : i + 2]] for i in range(1, len(text), 2)))


def _unpack_struct(layout: bytes, packed: bytes) -> tuple[int, ...]:
    return (*_layout(layout).unpack_from(packed), _layout(layout).size + 1)


_LUA.globals()[b"call_redis"], _LUA.globals()[b"struct"] = _call_redis, _LUA.table_from({b"unpack": _unpack_struct})
_LUA.execute(b"""redis = {call = function(...)
  local is_done, reply = call_redis(...)
  if is_done then return reply end
  error(reply, 0)
end}""")


def _from_lua(value: Any) -> Any:
    """Convert what a script returned as Redis does: false is nil, a number loses its fraction, a table is an array."""
    if value is None or value is False:
        return None
    if value is True:
        return 1
    if isinstance(value, float):
        return int(value)
    if isinstance(value, bytes | int):
        return value
    elements = []
    for index in range(1, len(value) + 1):
        if value[index] is None:
            break
        elements.append(_from_lua(value[index]))
    return elements
