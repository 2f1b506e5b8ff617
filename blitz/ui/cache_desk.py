"""The cache that sessions go into and come from: the one that was chosen, else the usual one of the server.

On the worker thread's event loop; caches are opened in other threads, since a database may be far away. Only one is
open at a time, and it belongs to the server that the window is connected to: two servers number their sessions alike.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from blitz.data.cache_engine import cache_path
from blitz.data.cache_places import CachePlace
from blitz.data.cache_setup import bind
from blitz.data.database_client import DatabaseClient
from blitz.data.records import Notice
from blitz.errors import BlitzError, CacheMismatch
from blitz.io.sync_threads import run_in_thread
from blitz.ui.feed import Feed

log = logging.getLogger(__name__)

_MAKE_ONE = "Server, Cache, New… makes one for this server."


class CacheDesk:
    """Opens the cache of a server, and changes it.

    :param folder: of the usual caches.
    :param chosen: None: the usual ones.
    """

    def __init__(self, feed: Feed, folder: Path, chosen: CachePlace | None = None) -> None:
        self._feed = feed
        self._folder = folder
        self._chosen = chosen
        self._opening = asyncio.Lock()
        self._store_id: str | None = None
        self._server = ""
        self.cache: DatabaseClient | None = None
        """The one that is open."""
        self.place: CachePlace | None = None
        """Where that is; it stays when the cache is closed."""

    async def open_for(self, store_id: str, server: str) -> None:
        """Open the cache for a server that was reached; where the chosen one cannot be used, its usual one.

        :raises CacheError: if neither can be used.
        """
        async with self._opening:
            if self.cache is not None and store_id == self._store_id:
                return
            usual = self._usual(store_id)
            if self._chosen is not None:
                try:
                    self._put(self._chosen, await run_in_thread(_open, self._chosen, store_id, server))
                    self._store_id, self._server = store_id, server
                    return
                except BlitzError as error:
                    self._warn(error)
            self._put(usual, await run_in_thread(_open, usual, store_id, server))
            self._store_id, self._server = store_id, server

    async def use(self, place: CachePlace | None, leave_old: Callable[[], Awaitable[None]]) -> bool:
        """Use another cache from now on; without a server, from the next connection on.

        :param place: None: the usual one of the server.
        :param leave_old: awaited when the other one is open, before the old one is closed.
        :returns: whether it is used already.
        :raises CacheError: if it cannot be used, or belongs to another server; everything is as before.
        """
        async with self._opening:
            is_at_server = self._store_id is not None
            if self._store_id is not None:
                wanted = place or self._usual(self._store_id)
                if self.cache is None or self.place is None or wanted.address != self.place.address:
                    cache = await run_in_thread(_open, wanted, self._store_id, self._server)
                    await leave_old()
                    self._put(wanted, cache)
            self._chosen = place
        self._feed.cache_chosen.emit(place)
        return is_at_server

    def leave(self) -> None:
        """The server is left: what is open stays so until another one is reached."""
        self._store_id = None

    def close(self) -> None:
        """Close what is open."""
        if self.cache is not None:
            self.cache.close()
            self.cache = None

    def _put(self, place: CachePlace, cache: DatabaseClient) -> None:
        is_another = self.place is None or place.address != self.place.address
        self.close()
        self.cache, self.place = cache, place
        self._feed.cache_told.emit(place)
        if is_another:
            self._feed.cache_opened.emit(place.address)

    def _usual(self, store_id: str) -> CachePlace:
        return CachePlace(cache_path(self._folder, store_id), is_usual=True)

    def _warn(self, error: BlitzError) -> None:
        log.warning("The chosen cache is not used: %s", error)
        words = f"{error} Until then sessions go to the usual cache of this server."
        if not isinstance(error, CacheMismatch):
            words = f"{error} Until it is chosen again (Server, Cache), sessions go to the usual cache of this server."
        self._feed.notice_received.emit(Notice(severity="warning", text=words, time=datetime.now(UTC)))


def _open(place: CachePlace, store_id: str, server: str) -> DatabaseClient:
    cache = place.open()
    try:
        bind(place, cache, store_id, server, _MAKE_ONE)
    except BaseException:
        cache.close()
        raise
    return cache
