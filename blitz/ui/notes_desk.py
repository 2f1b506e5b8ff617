"""What the window asks about markers and the words of sessions, on the worker thread's event loop."""

import logging
from collections.abc import Awaitable, Callable

import numpy as np

from blitz.data.database_client import DatabaseClient
from blitz.data.records import Marker
from blitz.data.session_words import SessionWords
from blitz.errors import BlitzError, EditConflict, RemoteError, SessionNotFound
from blitz.io.connection import AsyncClient
from blitz.io.sync_threads import run_in_thread
from blitz.ui.dialogs.marker import MarkerWords
from blitz.ui.feed import Feed

log = logging.getLogger(__name__)


class NotesDesk:
    """Asks the client of the server that the window is connected to.

    :param client: gives it, or raises a sentence where there is none.
    :param cache: gives the server's cache; None where none is open.
    :param list_sessions: tells the sessions anew, so that the window shows at once what came of a request.
    """

    def __init__(
        self,
        feed: Feed,
        client: Callable[[], AsyncClient],
        cache: Callable[[], DatabaseClient | None],
        list_sessions: Callable[[], Awaitable[None]],
    ) -> None:
        self._feed = feed
        self._client = client
        self._cache = cache
        self._list_sessions = list_sessions

    async def take(self, session_id: int, marker: Marker) -> None:
        """Show what became of a marker, and keep it in the copy here, of which plots and exports are made."""
        self._feed.marker_received.emit(session_id, marker)
        cache = self._cache()
        if cache is None:
            return
        try:
            await run_in_thread(cache.update_copy_marker, session_id, marker)
        except BlitzError as error:  # the next synchronisation brings it
            log.warning("Marker %d of session %d was not kept here: %s", marker.id, session_id, error)

    async def add(self, session_id: int, words: MarkerWords) -> None:
        """Write a marker; the server tells it to all windows, this one included."""
        until = None if words.to_ns is None else _exact(words.to_ns)
        marker = await self._client().add_marker(
            session_id, words.text, _exact(words.from_ns), until, words.source or None
        )
        await self.take(session_id, marker)

    async def edit(self, session_id: int, marker: Marker, words: MarkerWords) -> None:
        """Change a marker."""
        until = None if words.to_ns is None else _exact(words.to_ns)
        is_point = words.to_ns is None and marker.to_ns is not None
        await self._write(
            session_id,
            self._client().edit_marker(
                session_id,
                marker,
                text=words.text,
                at=_exact(words.from_ns),
                until=until,
                source=words.source,
                is_point=is_point,
            ),
        )

    async def delete(self, session_id: int, marker: Marker) -> None:
        """Delete a marker."""
        await self._write(session_id, self._client().delete_marker(session_id, marker))

    async def describe(self, session_id: int) -> None:
        """Tell all that is known of a session; from the cache, where the server does not have it."""
        cache = self._cache()
        try:
            record = await self._client().session(session_id)
        except (SessionNotFound, RemoteError):
            if cache is None:
                raise
            record = cache.session_record(session_id)
        else:
            if cache is not None:
                cache.update_copy_record(record)
        self._feed.session_described.emit(record)

    async def change(self, session_id: int, words: SessionWords) -> None:
        """Change a session's words."""
        await self._client().update_session(
            session_id, name=words.name, notes=words.notes, tags=words.tags, fields=words.fields or None
        )
        await self._list_sessions()

    async def _write(self, session_id: int, answer: Awaitable[Marker]) -> None:
        try:
            marker = await answer
        except EditConflict:
            # What is there now is shown beside the sentence.
            self._feed.markers_listed.emit(session_id, tuple(await self._client().markers(session_id)))
            raise
        await self.take(session_id, marker)


def _exact(time_ns: int) -> np.datetime64:
    return np.datetime64(time_ns, "ns")
