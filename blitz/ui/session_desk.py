"""What the window asks about sessions and their copies in the cache, on the worker thread's event loop."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from blitz.data.database_client import DatabaseClient
from blitz.data.records import Notice, SessionRecord
from blitz.data.sync_changes import Change, CopyState, ListChanges
from blitz.errors import BlitzError, CacheError, ConfigError
from blitz.io.connection import AsyncClient
from blitz.io.sync_rounds import chosen_sessions, last_success, refresh_list, wanted_sessions
from blitz.io.sync_threads import run_in_thread
from blitz.ui.copy_sizes import CopySizes
from blitz.ui.downloads import Downloads, Watch
from blitz.ui.feed import Feed, RequestFailure, SessionList

log = logging.getLogger(__name__)


class SessionDesk:
    """Asks the client of the server that the window is connected to.

    :param client: gives it, or raises a sentence where there is none.
    :param cache: gives the server's cache; None where none is open.
    """

    def __init__(
        self, feed: Feed, client: Callable[[], AsyncClient], cache: Callable[[], DatabaseClient | None]
    ) -> None:
        self._feed = feed
        self._client = client
        self._cache = cache
        self._listing = asyncio.Lock()
        self._showing = asyncio.Lock()
        self._records: tuple[SessionRecord, ...] | None = None
        """What the server listed last."""
        self.downloads = Downloads(feed, self._copy)
        self.listed_running: int | None = None
        """The running session of the last list."""
        self._sizes = CopySizes(feed)

    async def tell(self) -> None:
        """Tell the server's sessions, and those that only the cache has left."""
        async with self._listing:
            client, cache = self._client(), self._cache()
            if cache is None:
                return
            listed = None
            with self._unless_changed(cache):
                records, changes = await refresh_list(client, cache)
                self.listed_running = next((record.id for record in records if record.is_running), None)
                listed = await self._show(cache, records)
                self.tell_replaced(changes)
        if listed is not None:
            with self._unless_changed(cache):
                await self._sizes.tell(cache, listed)

    async def tell_here(self) -> None:
        """Tell what is here by now, beside what the server listed last: it is not asked, and may be away."""
        cache, records = self._cache(), self._records
        if cache is not None and records is not None:
            with self._unless_changed(cache):
                await self._sizes.tell(cache, await self._show(cache, records))

    async def tell_again(self) -> None:
        """Tell the sessions, or that they are not up to date."""
        try:
            await self.tell()
        except BlitzError as error:
            self._feed.request_failed.emit(RequestFailure("The list of sessions is not up to date", error))

    def tell_replaced(self, changes: ListChanges) -> None:
        """Say which copies were set aside, since the server has other sessions under their ids."""
        for kept_id in changes.of(Change.REPLACED):
            words = (
                f"A session of the server is another one than the copy here, under the same id: "
                f"that copy is kept as session {kept_id}."
            )
            self._feed.notice_received.emit(Notice(severity="warning", text=words, time=datetime.now(UTC)))

    async def find(self, words: str) -> None:
        """Tell in which sessions words are: the server knows all markers, the cache what only this computer has."""
        found: set[int] = set()
        if (cache := self._cache()) is not None:
            found.update(record.id for record in await run_in_thread(cache.search_sessions, words))
        try:
            found.update(record.id for record in await self._client().sessions(words))
        except BlitzError as error:
            log.info("The server was not asked for sessions with %r: %s", words, error)
        self._feed.sessions_found.emit(words, frozenset(found))

    async def rename(self, session_id: int, name: str, notes: str | None) -> None:
        """Change a session's name and notes."""
        await self._client().update_session(session_id, name=name, notes=notes)
        await self.tell_again()

    async def delete(self, session_id: int) -> None:
        """Move a session to the server's trash, then delete it here."""
        # No list in between: it would show the session as one that only the cache has left.
        async with self._listing:
            await self._client().delete(session_id)
            if (cache := self._cache()) is not None:
                cache.delete_session(session_id)
        await self.tell_again()

    async def delete_local(self, session_id: int) -> None:
        """Delete what is cached of a session."""
        if (cache := self._cache()) is not None:
            cache.clear_session_data(session_id)
        await self.tell_here()

    async def download(self, session_id: int) -> None:
        """Bring a session into the cache, when its turn comes."""
        if not await self.downloads.fetch(session_id):
            return
        try:
            await self.tell()
        except BlitzError as error:  # it is here, whatever became of the server since
            log.info("The sessions are not listed anew: %s", error)
            await self.tell_here()
        self._feed.download_finished.emit(session_id)

    async def choose(self, session_id: int, is_chosen: bool) -> None:
        """Keep a session in the cache: bring it now, and what is new of it later; or no longer."""
        cache = self._cache()
        if cache is None:
            return
        await run_in_thread(cache.choose_session, session_id, is_chosen)
        await self.tell_here()
        if is_chosen and session_id in await run_in_thread(wanted_sessions, cache, "chosen"):
            await self.download(session_id)

    async def cancel_download(self, session_id: int) -> None:
        """Stop a download; what has come stays for going on later."""
        self.downloads.cancel(session_id)

    async def _show(self, cache: DatabaseClient, records: tuple[SessionRecord, ...]) -> SessionList:
        async with self._showing:  # or an older list could come after a newer one
            listed = await run_in_thread(_list_all, cache, records)
            self._records = records
            self._feed.sessions_listed.emit(listed)
        return listed

    @contextmanager
    def _unless_changed(self, cache: DatabaseClient) -> Iterator[None]:
        """Where another cache was chosen meanwhile, this one is closed, and what was asked of it is over."""
        try:
            yield
        except CacheError:
            if cache is self._cache():
                raise

    async def _copy(self, session_id: int, watch: Watch) -> None:
        client, cache = self._client(), self._cache()
        if cache is None:
            raise ConfigError("There is no cache to download into: connect to the server first.")
        await client.download(session_id, cache, watch=watch)


def _list_all(cache: DatabaseClient, records: tuple[SessionRecord, ...]) -> SessionList:
    """Return the server's sessions, and those that only the cache has left, of which all that is left is here."""
    states = cache.copy_states()
    known = {record.id for record in records}
    readable = {session_id for session_id, state in states.items() if state is not CopyState.PART}
    gone = [record for record in cache.session_records() if record.id not in known and record.id in readable]
    older = frozenset(session_id for session_id, state in states.items() if state is CopyState.OLDER)
    return SessionList(
        records=(*records, *gone),
        local_ids=frozenset(readable - (older & known)),  # of what the server has, all is brought first
        gone_ids=frozenset(record.id for record in gone),
        older_ids=older,
        chosen_ids=frozenset(chosen_sessions(cache)),
        synchronised_at=last_success(cache),
    )
