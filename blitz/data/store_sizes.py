"""How much the store holds: Redis' memory and files, and what each session takes.

Owns which questions to Redis tell that. What follows from the numbers is decided in :mod:`blitz.data.room` and
:mod:`blitz.data.retention`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import redis

from blitz.data.store_faults import translated
from blitz.data.store_keys import StoreKeys

_ENTRIES_SAMPLED = 20


@dataclass(frozen=True)
class StoreMemory:
    """What Redis says of its memory and of its files."""

    used_bytes: int
    limit_bytes: int = 0
    """Redis' own ``maxmemory``; 0 where there is none."""
    evicts: bool = False
    """Whether Redis throws away keys, and with them messages, when it reaches the limit."""
    file_bytes: int = 0
    """The append-only file at present; 0 where it is off."""


class StoreSizes:
    """Asks a store how large it is. May be used from several threads.

    Every method raises :class:`~blitz.errors.StoreUnavailable` if Redis does not answer.
    """

    def __init__(self, client: "redis.Redis", keys: StoreKeys, archived_bytes: Callable[[int], int]) -> None:
        self._redis = client
        self._keys = keys
        self._archived_bytes = archived_bytes

    def memory(self) -> StoreMemory:
        """Return what Redis takes at present."""
        memory, persistence = self._info("memory"), self._info("persistence")
        limit_bytes = int(memory.get("maxmemory", 0))
        return StoreMemory(
            used_bytes=int(memory.get("used_memory", 0)),
            limit_bytes=limit_bytes,
            evicts=limit_bytes > 0 and memory.get("maxmemory_policy", "noeviction") != "noeviction",
            file_bytes=int(persistence.get("aof_current_size", 0)),
        )

    def sessions(self, session_ids: Sequence[int]) -> list[int]:
        """Return about how many bytes each session takes, in Redis and in the archive."""
        if not session_ids:
            return []
        pipeline = self._redis.pipeline(transaction=False)
        for session_id in session_ids:
            for key in (self._keys.messages(session_id), self._keys.arrivals(session_id), self._keys.meta(session_id)):
                pipeline.execute_command("MEMORY USAGE", key, "SAMPLES", _ENTRIES_SAMPLED)  # type: ignore[no-untyped-call]
        with translated():
            replies = [int(reply or 0) for reply in pipeline.execute()]
        return [
            sum(replies[3 * position : 3 * position + 3]) + self._archived_bytes(session_id)
            for position, session_id in enumerate(session_ids)
        ]

    def shrink_files(self) -> None:
        """Let Redis write its append-only file anew, so that what was deleted leaves the disk, too.

        Redis does it in a process of its own. Where it refuses, for one because it does so already, nothing is lost:
        it does it by itself when the file has doubled.
        """
        with translated():
            try:
                self._redis.execute_command("BGREWRITEAOF")  # type: ignore[no-untyped-call]
            except redis.ResponseError:
                return

    def _info(self, section: str) -> dict[str, Any]:
        with translated():
            answer: dict[str, Any] = self._redis.info(section)
        return answer
