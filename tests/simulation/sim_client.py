"""The store's real classes on a simulated Redis: as much of redis-py as they use, and nothing of the network.

:class:`~blitz.data.database_server.DatabaseServer` and :class:`~blitz.data.store_writer.SessionWriter` are the real
ones. What redis-py does by itself is done here, too: a lost connection is tried once more, unless keys are watched.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any
from unittest import mock

import hiredis
import redis
from sim_redis import parse
from sim_store import Session, SimStore

from blitz.data.database_server import DatabaseServer


class SimConnection:
    """As much of redis-py's connection as the writer uses, and of its socket as bulk reading does."""

    def __init__(self, store: SimStore) -> None:
        self._store = store
        self._session = Session()
        self._replies: list[Any] = []
        self._lost: redis.RedisError | None = None
        self._sock = self
        self._unread = b""

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

    def recv_into(self, buffer: memoryview) -> int:
        if not self._unread and self._replies:
            self._unread = _packed(self._replies.pop())
        if not self._unread:
            raise TimeoutError if isinstance(self._lost, redis.TimeoutError) else ConnectionResetError
        piece, self._unread = self._unread[: len(buffer)], self._unread[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)

    def disconnect(self) -> None:
        self._session, self._replies, self._lost, self._unread = Session(), [], None, b""


def _packed(reply: Any) -> bytes:
    """Return a reply as it comes over the network."""
    if isinstance(reply, bytes):
        return b"$%d\r\n%s\r\n" % (len(reply), reply)
    if isinstance(reply, list):
        return b"*%d\r\n" % len(reply) + b"".join(map(_packed, reply))
    return f"-{reply}\r\n".encode()


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

    def converse(self, commands: Sequence[Sequence[Any]], session: Session | None = None, tries: int = 2) -> list[Any]:
        """Send commands and return all replies, errors among them; a new connection where none is given."""
        packed = parse([b"".join(hiredis.pack_command(tuple(command)) for command in commands)])
        while True:
            tries -= 1
            try:
                replies, arriving = self._store.converse(session or Session(), packed)
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
        self._watching: Session | None = None
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
            self._watching = Session()
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
            replies = self._client.converse(sent, watching or Session(), tries=2 if watching is None else 1)
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

    def from_url(*_: object, **__: object) -> SimClient:  # as a mock it would take a quarter of a world's time
        return SimClient(store)

    with mock.patch.object(redis.Redis, "from_url", from_url):
        return DatabaseServer("redis://simulated", prefix)
