"""A Redis server in memory that goes wrong as real ones do, and the store's real classes on top of it.

Only the sockets are simulated: :class:`~blitz.data.database_server.DatabaseServer` and
:class:`~blitz.data.store_writer.SessionWriter` are the real ones. What can go wrong with one conversation (the commands
that a client sends in one piece) is decided by the function ``step``, which is asked before each.
"""

from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any
from unittest import mock

import hiredis
import redis
from sim_redis import SimRedis, parse

from blitz.data.database_server import DatabaseServer

Step = Callable[[str], str | None]
"""Told of each conversation; may raise. It answers what shall go wrong:

``"refuse"``    no connection; nothing is executed
``"lose"``      executed; the replies, or the last of them, are lost
``"late"``      given up; executed later, perhaps behind what a new connection brought
``"crash"``     Redis dies after some of the commands; a transaction is executed wholly or not at all
``"part"``      our own process dies after all was executed
"""

OUT_OF_MEMORY = "OOM command not allowed when used memory > 'maxmemory'."
READ_ONLY = "MISCONF Errors writing to the AOF file: No space left on device"

_ERRORS: dict[str, type[redis.RedisError]] = {"OOM": redis.exceptions.OutOfMemoryError}


class _Session:
    """What Redis knows of one connection."""

    def __init__(self) -> None:
        self.queued: list[list[bytes]] | None = None
        self.is_spoiled = False
        self.watched: dict[bytes, int] = {}


class SimStore:
    """A Redis that acknowledges what it has written to its disk, dies, comes back, and is slow.

    :param step: see :data:`Step`.
    """

    def __init__(self, step: Step, random: Random, now_ms: Callable[[], int]) -> None:
        self.redis = SimRedis(now_ms)
        self.is_up = True
        self._step = step
        self._random = random
        self._late: list[tuple[_Session, list[list[bytes]]]] = []

    def die(self) -> None:
        """Redis is gone, and with it what it had not read yet."""
        self.is_up = False
        self._late.clear()

    def start(self) -> None:
        """Redis is there again, with all that it had acknowledged."""
        self.is_up = True

    def catch_up(self) -> None:
        """Execute what came from connections that were given up."""
        late, self._late = self._late, []
        for session, commands in late:
            self._execute(session, commands)

    def converse(self, session: _Session, commands: list[list[bytes]]) -> tuple[list[Any], int]:
        """Execute commands; return their replies (errors are among them) and how many of these arrive.

        :raises redis.ConnectionError: if nothing arrives.
        """
        fault = self._step("store")
        if fault == "refuse" or not self.is_up:
            raise redis.ConnectionError("simulated: refused")
        if fault == "late":
            self._late.append((session, commands))
            raise redis.TimeoutError("simulated: timed out")
        if self._late and self._random.random() < 0.5:
            self.catch_up()
        if fault == "crash":
            self._execute(session, commands[: self._random.randrange(len(commands) + 1)])
            self.die()
            raise redis.ConnectionError("simulated: Redis died")
        replies = self._execute(session, commands)
        if fault == "part":
            self._step("die")
        return replies, self._random.randrange(len(replies)) if fault == "lose" else len(replies)

    def _execute(self, session: _Session, commands: list[list[bytes]]) -> list[Any]:
        return [self._execute_one(session, *command) for command in commands]

    def _execute_one(self, session: _Session, name: bytes, *arguments: bytes) -> Any:
        if name == b"EXEC":
            return self._commit(session)
        if name == b"MULTI":
            session.queued, session.is_spoiled = [], False
            return b"OK"
        if name == b"WATCH":
            versions = self.redis.versions
            session.watched.update((key, versions.get(key, 0)) for key in arguments if key not in session.watched)
            return b"OK"
        if session.queued is not None:
            if name in self.redis.refused:
                session.is_spoiled = True
                return _error(self.redis.why_refused)
            session.queued.append([name, *arguments])
            return b"QUEUED"
        return self._reply(name, *arguments)

    def _commit(self, session: _Session) -> Any:
        queued, watched = session.queued or [], session.watched
        session.queued, session.watched = None, {}
        if session.is_spoiled:
            session.is_spoiled = False
            return redis.exceptions.ExecAbortError("EXECABORT Transaction discarded because of previous errors.")
        versions = self.redis.versions
        if any(versions.get(key, 0) != version for key, version in watched.items()):
            return None
        return [self._reply(*command) for command in queued]

    def _reply(self, name: bytes, *arguments: bytes) -> Any:
        try:
            return self.redis.execute(name, *arguments)
        except redis.ResponseError as error:
            return _error(str(error))


def _error(text: str) -> redis.RedisError:
    return _ERRORS.get(text.partition(" ")[0], redis.ResponseError)(text)


class SimConnection:
    """As much of redis-py's connection as the writer uses."""

    def __init__(self, store: SimStore) -> None:
        self._store = store
        self._session = _Session()
        self._replies: list[Any] = []
        self._lost: redis.RedisError | None = None

    def send_packed_command(self, packed: Sequence[bytes]) -> None:
        commands = parse(packed)
        try:
            replies, arriving = self._store.converse(self._session, commands)
        except redis.ConnectionError:
            self.disconnect()
            raise
        except redis.TimeoutError as error:  # which shows when the reply is waited for
            self._replies, self._lost = [], error
            return
        self._replies = replies[:arriving][::-1]
        self._lost = redis.ConnectionError("simulated: connection lost") if arriving < len(commands) else None

    def read_response(self) -> Any:
        if not self._replies:
            error = self._lost or redis.ConnectionError("simulated: closed")
            self.disconnect()
            raise error
        reply = self._replies.pop()
        if isinstance(reply, redis.RedisError):
            raise reply
        return reply

    def disconnect(self) -> None:
        self._session, self._replies, self._lost = _Session(), [], None


class SimPool:
    """Gives connections."""

    def __init__(self, store: SimStore) -> None:
        self._store = store

    def get_connection(self) -> SimConnection:
        connection = SimConnection(self._store)
        if not self._store.is_up:
            raise redis.ConnectionError("simulated: refused")
        return connection

    def release(self, connection: SimConnection) -> None:
        connection.disconnect()


class SimClient:
    """As much of redis-py's client as the store's classes use: it tries a lost connection once more, as theirs does."""

    def __init__(self, store: SimStore) -> None:
        self._store = store
        self.connection_pool = SimPool(store)

    def execute_command(self, *command: Any) -> Any:
        (reply,) = self.converse([command])
        if isinstance(reply, redis.RedisError):
            raise reply
        return reply

    def pipeline(self, transaction: bool = True) -> "SimPipeline":
        return SimPipeline(self, transaction)

    def close(self) -> None:
        """Close the connections."""

    def converse(self, commands: Sequence[Sequence[Any]], session: _Session | None = None, tries: int = 2) -> list[Any]:
        """Send commands and return all replies, errors among them; a new connection where none is given."""
        packed = parse([b"".join(hiredis.pack_command(tuple(command)) for command in commands)])
        while True:
            tries -= 1
            try:
                replies, arriving = self._store.converse(session or _Session(), packed)
                if arriving < len(packed):
                    raise redis.ConnectionError("simulated: connection lost")
            except (redis.ConnectionError, redis.TimeoutError):
                if not tries:
                    raise
            else:
                return [
                    _CALLBACKS.get(command[0], _same)(reply) for command, reply in zip(packed, replies, strict=True)
                ]


class SimPipeline:
    """Commands that are sent at once; behind ``watch`` each by itself, until ``multi``."""

    def __init__(self, client: SimClient, is_transaction: bool) -> None:
        self._client = client
        self._is_transaction = is_transaction
        self._commands: list[tuple[Any, ...]] = []
        self._watching: _Session | None = None
        self._is_gathering = True

    def __getattr__(self, name: str) -> Callable[..., Any]:
        word = _WORDS.get(name, name.upper())

        def add(*arguments: Any) -> Any:
            return self.execute_command(word, *_flat(arguments))

        return add

    def hset(self, key: str, field: Any = None, value: Any = None, mapping: Any = None) -> Any:
        pairs = [] if field is None else [field, value]
        return self.execute_command("HSET", key, *pairs, *_flat((mapping or {}).items()))

    def watch(self, *keys: str) -> None:
        self._is_gathering = False
        if self._watching is None:
            self._watching = _Session()
        self._immediately("WATCH", *keys)

    def multi(self) -> None:
        self._is_gathering = True

    def execute_command(self, *command: Any) -> Any:
        if not self._is_gathering:
            return self._immediately(*command)
        self._commands.append(command)
        return self

    def _immediately(self, *command: Any) -> Any:
        assert self._watching is not None
        was_watching = bool(self._watching.watched)
        try:
            (reply,) = self._client.converse([command], self._watching, tries=1 if was_watching else 2)
        except (redis.ConnectionError, redis.TimeoutError) as error:
            self.reset()
            if was_watching:
                raise redis.WatchError("simulated: connection lost while watching") from error
            raise
        if isinstance(reply, redis.RedisError):
            raise reply
        return reply

    def __enter__(self) -> "SimPipeline":
        return self

    def __exit__(self, *error: object) -> None:
        self.reset()

    def reset(self) -> None:
        self._commands, self._watching, self._is_gathering = [], None, True

    def execute(self) -> list[Any]:
        commands, watching = self._commands, self._watching
        if not commands and watching is None:
            return []
        is_transaction = self._is_transaction or watching is not None
        sent = [("MULTI",), *commands, ("EXEC",)] if is_transaction else commands
        try:
            replies = self._client.converse(sent, watching or _Session(), tries=2 if watching is None else 1)
        except (redis.ConnectionError, redis.TimeoutError) as error:
            if watching is not None:
                raise redis.WatchError("simulated: connection lost while watching") from error
            raise
        finally:
            self.reset()
        _raise_first_error(replies)
        if is_transaction:
            if replies[-1] is None:
                raise redis.WatchError("Watched variable changed.")
            _raise_first_error(replies[-1])
            replies = [
                _CALLBACKS.get(str(command[0]).encode(), _same)(reply)
                for command, reply in zip(commands, replies[-1], strict=True)
            ]
        return replies


_WORDS = {"delete": "DEL"}


def _flat(arguments: Iterable[Any]) -> list[Any]:
    flat: list[Any] = []
    for argument in arguments:
        flat += argument if isinstance(argument, list | tuple) else [argument]
    return flat


def _raise_first_error(replies: Sequence[Any]) -> None:
    for reply in replies:
        if isinstance(reply, redis.RedisError):
            raise reply


def _same(reply: Any) -> Any:
    return reply


def _pairs(reply: Any) -> Any:
    return dict(zip(reply[::2], reply[1::2], strict=True)) if isinstance(reply, list) else reply


def _is_ok(reply: Any) -> Any:
    return True if reply == b"OK" else reply


_CALLBACKS: dict[bytes, Callable[[Any], Any]] = {
    b"HGETALL": _pairs,
    b"SET": _is_ok,
    b"LTRIM": _is_ok,
    b"MULTI": _is_ok,
    b"PING": lambda reply: reply == b"PONG",
}
"""What redis-py makes of replies."""


def connect(store: SimStore, prefix: str = "") -> DatabaseServer:
    """Return the store's real class, connected with a simulated Redis."""
    with mock.patch.object(redis.Redis, "from_url", return_value=SimClient(store)):
        return DatabaseServer("redis://simulated", prefix)
