"""How many bytes copies of sessions take here, measured once each, on the worker thread's event loop."""

from blitz.data.database_client import DatabaseClient
from blitz.io.sync_threads import run_in_thread
from blitz.ui.feed import Feed, SessionList

_TOLD_AT_ONCE = 200
"""So many are measured before the window is told: of a large cache the first ones are there at once."""


class CopySizes:
    """Tells the sizes by the feed's signal; those of copies that have not changed are not measured again."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._known: dict[tuple[int, int, int], int] = {}

    async def tell(self, cache: DatabaseClient, listed: SessionList) -> None:
        """Measure what is here and not known yet, newest first."""
        wanted = {
            record.id: (record.id, record.started_ms, record.message_count)
            for record in listed.records
            if record.id in listed.local_ids and not record.is_running
        }
        sizes = {session_id: self._known[key] for session_id, key in wanted.items() if key in self._known}
        self._feed.sizes_measured.emit(dict(sizes))
        missing = [session_id for session_id in wanted if session_id not in sizes]
        for begin in range(0, len(missing), _TOLD_AT_ONCE):
            part = missing[begin : begin + _TOLD_AT_ONCE]
            found = await run_in_thread(_measure, cache, part)
            self._known.update({wanted[session_id]: size for session_id, size in found.items()})
            sizes |= found
            self._feed.sizes_measured.emit(dict(sizes))


def _measure(cache: DatabaseClient, session_ids: list[int]) -> dict[int, int]:
    return {session_id: cache.copy_bytes(session_id) for session_id in session_ids}
