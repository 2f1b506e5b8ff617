"""Appending to a running session: in order, once, and only while it is the running one.

Every append is one MULTI guarded by a WATCH that was armed together with the previous append, so that it costs no
extra round trip: if anybody stopped the session or appended to it in between, nothing is stored and the new state is
read instead. See docs/decisions/0001-watched-append.md.
"""

import logging
import uuid
from collections.abc import Sequence
from typing import Any, Final

import hiredis
import redis

from blitz.data.blocks import Read
from blitz.data.store_faults import reason_of
from blitz.data.store_keys import ARRIVAL, StoreKeys
from blitz.errors import NoSession, StoreUnavailable

log = logging.getLogger(__name__)

_VALUES_A_COMMAND = 2000

FENCE_SCRIPT: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
return 1
"""
"""KEYS: session. ARGV: the id of the running session. Touches what every writer watches, so that no append that was
armed before can land any more. Returns 1, or 0 where that session does not run."""


class SessionWriter:
    """Appends reads to one session. Used by one thread; ``DatabaseServer.writer`` makes it.

    :param pool: gives a connection that is this writer's own.
    :param name: tells the writers of one session apart; chosen by itself where none is given.
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

    @property
    def next_seq(self) -> int:
        """Where the list ended when it was last looked at: the place of a batch whose reply was lost, if it landed."""
        return self._next_seq

    def append(self, reads: Sequence[Read], number: int | None = None) -> int:
        """Append the reads' messages and return the sequence number of the first.

        After :class:`StoreUnavailable` the same reads may be given again: whether they had landed is looked up by the
        batch's number, so that they are stored once.

        :param number: the batch's, above those before it; by itself the next one.

        :raises NoSession: if the session does not run any more; nothing was stored.
        :raises StoreUnavailable: if Redis does not answer or refuses to write.
        """
        batch = self._batch + 1 if number is None else number
        try:
            first_seq = self._connect(batch) if self._connection is None else None
            while first_seq is None:
                first_seq = self._execute(reads, batch)
        except NoSession:
            self.close()
            raise
        except (redis.RedisError, OSError) as error:
            self.close()
            reason = reason_of(error)
            raise StoreUnavailable(f"Cannot store messages of session {self.session_id} in Redis: {reason}.") from error
        self._batch = batch
        return first_seq

    def close(self) -> None:
        """Give the connection back. The writer may be used again."""
        if self._connection is not None:
            self._connection.disconnect()
            self._pool.release(self._connection)
            self._connection = None

    def _connect(self, batch: int) -> int | None:
        """Arm the watch; return where this batch begins if it is in the store already."""
        self._connection = self._pool.get_connection()
        return self._look(self._converse(self._arm_commands()), batch)

    def _arm_commands(self) -> list[tuple[Any, ...]]:
        keys, session_id = self._keys, self.session_id
        messages = keys.messages(session_id)
        return [
            ("WATCH", keys.session, messages),
            ("GET", keys.session),
            ("GET", keys.first(session_id)),
            ("LLEN", messages),
            ("HGET", keys.meta(session_id), self._batch_field),
        ]

    def _look(self, replies: Sequence[Any], batch: int) -> int | None:
        """Take in the state that the watch guards; return where the batch begins if it is in the store already.

        It can be, although its reply never came: Redis may have executed it later than we gave up waiting.
        """
        _, running, first, length, last_batch = replies
        self._next_seq = int(first or 0) + int(length)
        is_running = running is not None and int(running) == self.session_id
        if last_batch is not None:
            number, _, landed_at = last_batch.partition(b":")
            if int(number) == batch:
                if not is_running:
                    self.close()  # the next append finds that out by itself
                return int(landed_at)
        if not is_running:
            raise NoSession(f"Session {self.session_id} does not run any more.")
        return None

    def _execute(self, reads: Sequence[Read], batch: int) -> int | None:
        """Try one guarded append; None if the session changed meanwhile and nothing was stored."""
        first_seq = self._next_seq
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
        outcome, state = replies[position], replies[position + 1 :]
        if outcome is None:
            return self._look(state, batch)
        for reply in outcome:
            if isinstance(reply, redis.ResponseError):
                raise reply
        self._next_seq = first_seq + len(messages)
        _, running, first, length, _ = state
        is_running = running is not None and int(running) == self.session_id
        if not is_running or int(first or 0) + int(length) != self._next_seq:
            self.close()  # it was stopped, or grew, right behind this append: the next one looks anew
        return first_seq

    def _converse(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        """Send all commands at once and read all replies; raise the first error among them."""
        connection = self._connection
        # As the connection packs them, in a quarter of the time, and sent in one piece: Redis wakes up once.
        connection.send_packed_command([b"".join(map(hiredis.pack_command, commands))])
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
