"""Appending to a running session: in order, once, and only while it is the running one.

Every append is one MULTI guarded by a WATCH that was armed together with the previous append, so that it costs no
extra round trip: if anybody stopped the session or appended to it in between, nothing is stored and the new state is
read instead. See docs/decisions/0001-watched-append.md.
"""

import logging
import uuid
from collections.abc import Sequence
from typing import Any

import redis

from blitz.data.blocks import Read
from blitz.data.store_keys import ARRIVAL, StoreKeys
from blitz.errors import NoSession, StoreUnavailable

log = logging.getLogger(__name__)

_VALUES_A_COMMAND = 2000


class SessionWriter:
    """Appends reads to one session. Used by one thread; ``DatabaseServer.writer`` makes it.

    :param pool: gives a connection that is this writer's own.
    :param name: tells writers of one session apart; a writer with an old name goes on where that one stopped.
    """

    def __init__(self, pool: "redis.ConnectionPool", keys: StoreKeys, session_id: int, name: str | None = None) -> None:
        self.session_id = session_id
        self.name = name or uuid.uuid4().hex
        self._keys = keys
        self._pool = pool
        self._batch_field = f"batch:{self.name}"
        self._batch = 0
        self._next_seq = 0
        self._connection: Any = None

    def append(self, reads: Sequence[Read]) -> int:
        """Append the reads' messages and return the sequence number of the first.

        After :class:`StoreUnavailable` the same reads may be given again: whether they had landed is looked up by the
        batch's number, so that they are stored once.

        :raises NoSession: if the session does not run any more; nothing was stored.
        :raises StoreUnavailable: if Redis does not answer or refuses to write.
        """
        batch = self._batch + 1
        try:
            if self._connection is None:
                landed_at = self._connect(batch)
                if landed_at is not None:
                    self._batch = batch
                    return landed_at
            while True:
                first_seq = self._next_seq
                if self._execute(reads, batch, first_seq):
                    self._batch = batch
                    return first_seq
        except NoSession:
            self.close()
            raise
        except (redis.RedisError, OSError) as error:
            self.close()
            raise StoreUnavailable(f"Cannot store messages of session {self.session_id} in Redis: {error}") from error

    def close(self) -> None:
        """Give the connection back. The writer may be used again."""
        if self._connection is not None:
            self._connection.disconnect()
            self._pool.release(self._connection)
            self._connection = None

    def _connect(self, batch: int) -> int | None:
        """Arm the watch; return where this batch begins if it is in the store already."""
        self._connection = self._pool.get_connection()
        keys = self._keys
        commands = [*self._arm_commands(), ("HGET", keys.meta(self.session_id), self._batch_field)]
        *state, last_batch = self._converse(commands)
        self._read_state(state)
        if last_batch is not None:
            number, _, first_seq = last_batch.partition(b":")
            if int(number) == batch:
                return int(first_seq)
        return None

    def _arm_commands(self) -> list[tuple[Any, ...]]:
        keys, session_id = self._keys, self.session_id
        messages = keys.messages(session_id)
        return [
            ("WATCH", keys.session, messages),
            ("GET", keys.session),
            ("GET", keys.first(session_id)),
            ("LLEN", messages),
        ]

    def _read_state(self, replies: Sequence[Any]) -> None:
        _, running, first, length = replies
        self._next_seq = int(first or 0) + int(length)
        if running is None or int(running) != self.session_id:
            raise NoSession(f"Session {self.session_id} does not run any more.")

    def _execute(self, reads: Sequence[Read], batch: int, first_seq: int) -> bool:
        """Try one guarded append; False if the session changed meanwhile and nothing was stored."""
        keys, session_id = self._keys, self.session_id
        messages: list[bytes] = []
        arrivals: list[bytes] = []
        for arrived_ns, source, lines in reads:
            arrivals.append(ARRIVAL.pack(first_seq + len(messages), arrived_ns, source, len(lines)))
            messages.extend(lines)
        commands: list[tuple[Any, ...]] = [("MULTI",)]
        for key, values in ((keys.messages(session_id), messages), (keys.arrivals(session_id), arrivals)):
            for start in range(0, len(values), _VALUES_A_COMMAND):
                commands.append(("RPUSH", key, *values[start : start + _VALUES_A_COMMAND]))
        commands.append(("HSET", keys.meta(session_id), self._batch_field, f"{batch}:{first_seq}"))
        commands.append(("EXEC",))
        position = len(commands) - 1
        replies = self._converse(commands + self._arm_commands())
        is_stored = replies[position] is not None
        if is_stored:
            # A session that was stopped right behind this append is found by the next one.
            self._next_seq = first_seq + len(messages)
            running, first, length = replies[position + 2 :]
            if running is None or int(first or 0) + int(length) != self._next_seq:
                self.close()
        else:
            self._read_state(replies[position + 1 :])
        return is_stored

    def _converse(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        """Send all commands at once and read all replies; raise the first error among them."""
        connection = self._connection
        connection.send_packed_command(connection.pack_commands(commands))
        replies: list[Any] = []
        first_error: redis.ResponseError | None = None
        for _ in commands:
            try:
                replies.append(connection.read_response())
            except redis.ResponseError as error:
                first_error = first_error or error
        if first_error is not None:
            raise first_error
        return replies
