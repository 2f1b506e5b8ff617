"""The trash of the store: sessions that were deleted and can still be restored.

A session in the trash keeps its keys and archive files; only its id has moved from the list ``sessions`` to the
sorted set ``trash``, with the moment in ms. Owns what is atomic about that move and the way back. Which sessions go,
and when, is decided in :mod:`blitz.data.retention`; how one is deleted for good, by the store.
"""

from collections.abc import Sequence
from typing import Any, Final, Literal, Protocol

import redis

from blitz.data.records import SessionRecord
from blitz.data.store_faults import translated
from blitz.data.store_reader import StoreReader, in_trash, not_found
from blitz.errors import SessionNotFound, SessionRunning

TRASH_SCRIPT: Final = """
if redis.call('GET', KEYS[1]) == ARGV[2] then return -1 end
if redis.call('LREM', KEYS[2], 0, ARGV[2]) == 0 then
  return redis.call('ZSCORE', KEYS[3], ARGV[2]) and 2 or 0
end
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[2])
redis.call('HSET', ARGV[1] .. 'session_' .. ARGV[2] .. '_meta', 'trashed_at', ARGV[3])
return 1
"""
"""KEYS: session, sessions, trash. ARGV: prefix, id, now in ms.
Returns 1, 2 where it is in the trash already, 0 where there is no such session, -1 where it runs."""

RESTORE_SCRIPT: Final = """
if redis.call('ZREM', KEYS[2], ARGV[2]) == 0 then return 0 end
redis.call('HDEL', ARGV[1] .. 'session_' .. ARGV[2] .. '_meta', 'trashed_at')
for _, id in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  if tonumber(id) < tonumber(ARGV[2]) then
    redis.call('LINSERT', KEYS[1], 'BEFORE', id, ARGV[2])
    return 1
  end
end
redis.call('RPUSH', KEYS[1], ARGV[2])
return 1
"""
"""KEYS: sessions, trash. ARGV: prefix, id. Puts the id where it belongs: newest first. Returns 0 if it is not there."""

Condition = Literal["trash", "purge"]


class Remover(Protocol):
    """Deletes a session for good."""

    def __call__(self, session_id: int, condition: Condition, before_ms: int) -> bool:
        """Delete a session and its archive files, if the condition holds in that moment; say whether it did."""


class SessionTrash:
    """Sessions that were deleted, until they are restored or purged. May be used from several threads.

    Every method raises :class:`~blitz.errors.StoreUnavailable` if Redis does not answer.
    """

    def __init__(self, client: "redis.Redis", reader: StoreReader, remove: Remover) -> None:
        self._redis = client
        self._reader = reader
        self._keys = reader.keys
        self._remove = remove

    def sessions(self) -> list[SessionRecord]:
        """Return what is in the trash, what was put there last coming first."""
        return self._records(self._execute("ZREVRANGE", self._keys.trash, 0, -1))

    def put(self, session_id: int, now_ms: int) -> None:
        """Move a session to the trash.

        :raises SessionRunning: if it is the running one.
        :raises SessionNotFound: if there is none with that id, or it is in the trash already.
        """
        keys = self._keys
        outcome = self._execute(
            "EVAL", TRASH_SCRIPT, 3, keys.session, keys.sessions, keys.trash, keys.prefix, session_id, now_ms
        )
        if outcome == -1:
            raise SessionRunning(f"Session {session_id} is being recorded and cannot be deleted. Stop it first.")
        if outcome == 2:
            raise in_trash(session_id)
        if outcome == 0:
            raise not_found(session_id)

    def restore(self, session_id: int) -> None:
        """Take a session out of the trash; it stands where it stood before.

        :raises SessionNotFound: if it is not in the trash.
        """
        keys = self._keys
        if not self._execute("EVAL", RESTORE_SCRIPT, 2, keys.sessions, keys.trash, keys.prefix, session_id):
            raise _not_in_trash(session_id)

    def delete(self, session_id: int) -> None:
        """Delete a session that is in the trash for good, a starred one, too. Its id is not used again.

        :raises SessionNotFound: if it is not in the trash.
        """
        if not self._remove(session_id, "trash", 0):
            raise _not_in_trash(session_id)

    def purge(self, before_ms: int) -> list[SessionRecord]:
        """Delete for good what was put into the trash at that moment or before, but never a starred one.

        :returns: what was deleted, oldest in the trash first.
        """
        records = self._records(self._execute("ZRANGEBYSCORE", self._keys.trash, "-inf", before_ms))
        return [record for record in records if not record.starred and self.purge_one(record.id, before_ms)]

    def purge_one(self, session_id: int, before_ms: int) -> bool:
        """Delete a session for good if it is still in the trash since that moment, and not starred."""
        return self._remove(session_id, "purge", before_ms)

    def _records(self, ids: Sequence[bytes]) -> list[SessionRecord]:
        return self._reader.records([int(session_id) for session_id in ids], is_complete=False)

    def _execute(self, *command: Any) -> Any:
        with translated():
            return self._redis.execute_command(*command)  # type: ignore[no-untyped-call]


def _not_in_trash(session_id: int) -> SessionNotFound:
    return SessionNotFound(f"Session {session_id} is not in the trash. 'blitz trash list' shows what is.")
