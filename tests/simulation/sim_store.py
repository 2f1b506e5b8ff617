"""A Redis server in memory that goes wrong as real ones do.

What can go wrong with one conversation (the commands
that a client sends in one piece) is decided by the function ``step``, which is asked before each.
"""

from collections.abc import Callable
from random import Random
from typing import Any

import redis
from sim_redis import SimRedis

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


class Session:
    """What Redis knows of one connection."""

    def __init__(self) -> None:
        self.queued: list[list[bytes]] | None = None
        self.is_spoiled = False
        self.watched: dict[bytes, int] = {}


class SimStore:
    """A Redis that acknowledges what it has written to its disk, dies, comes back, and is slow.

    :param step: see :data:`Step`.
    :param promptness: how likely a late command is executed before the next conversation.
    """

    def __init__(self, step: Step, random: Random, now_ms: Callable[[], int], promptness: float = 0.5) -> None:
        self.redis = SimRedis(now_ms)
        self.is_up = True
        self._step = step
        self._random = random
        self._promptness = promptness
        self._late: list[tuple[Session, list[list[bytes]]]] = []

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

    def converse(self, session: Session, commands: list[list[bytes]]) -> tuple[list[Any], int]:
        """Execute commands; return their replies (errors are among them) and how many of these arrive.

        :raises redis.ConnectionError: if nothing arrives.
        """
        fault = self._step("store")
        if fault == "refuse" or not self.is_up:
            raise redis.ConnectionError("simulated: refused")
        if fault == "late":
            self._late.append((session, commands))
            raise redis.TimeoutError("simulated: timed out")
        if self._late and self._random.random() < self._promptness:
            self.catch_up()
        if fault == "crash":
            self._execute(session, commands[: self._random.randrange(len(commands) + 1)])
            self.die()
            raise redis.ConnectionError("simulated: Redis died")
        replies = self._execute(session, commands)
        if fault == "part":
            self._step("die")
        return replies, self._random.randrange(len(replies)) if fault == "lose" else len(replies)

    def _execute(self, session: Session, commands: list[list[bytes]]) -> list[Any]:
        return [self._execute_one(session, *command) for command in commands]

    def _execute_one(self, session: Session, name: bytes, *arguments: bytes) -> Any:
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

    def _commit(self, session: Session) -> Any:
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
