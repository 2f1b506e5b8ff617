"""The connection's side of the feed: everything that happens on the worker thread's event loop.

Knows the client library and the cache that downloads are written into; of Qt only the feed's signals, which may be
emitted from any thread.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from blitz.data.blocks import PREVIEW_ID
from blitz.data.cache_places import CachePlace
from blitz.data.database_client import DatabaseClient
from blitz.data.records import Event, EventKind, Notice, StatusRecord
from blitz.errors import (
    AuthenticationError,
    BlitzError,
    CacheError,
    CertificateMismatch,
    ConfigError,
    Forbidden,
    ServerBusy,
)
from blitz.io.address import ServerAddress
from blitz.io.connection import AsyncClient
from blitz.io.sync_live import LiveCopy
from blitz.io.sync_rounds import SyncMode, synchronise
from blitz.ui.alarm_desk import AlarmDesk
from blitz.ui.board_desk import BoardDesk
from blitz.ui.cache_desk import CacheDesk
from blitz.ui.device_desk import DeviceDesk
from blitz.ui.feed import Connection, ConnectionState, Feed, RequestFailure
from blitz.ui.live_relay import relay
from blitz.ui.notes_desk import NotesDesk
from blitz.ui.recording_desk import RecordingDesk
from blitz.ui.report import report
from blitz.ui.session_desk import SessionDesk
from blitz.ui.streams_desk import StreamsDesk
from blitz.ui.token_desk import TokenDesk
from blitz.ui.trash_desk import TrashDesk

log = logging.getLogger(__name__)

_LONGEST_WAIT_S = 15.0
_MOST_TOLD = 1000
_OVERTAKEN_S = 10.0
_LIST_CHANGES = (
    EventKind.SESSION_STARTED,
    EventKind.SESSION_STOPPED,
    EventKind.SESSION_CHANGED,
    EventKind.SESSION_DELETED,
    EventKind.SESSION_RESTORED,
)
_TRASH_CHANGES = (EventKind.SESSION_DELETED, EventKind.SESSION_RESTORED)
_HOPELESS = (AuthenticationError, CertificateMismatch, ConfigError, Forbidden)
"""What waiting does not mend."""

MakeClient = Callable[[ServerAddress], AsyncClient]


class ServerDesk:
    """One server at a time. Every method runs on the loop that the desk was made in."""

    def __init__(
        self,
        feed: Feed,
        cache_dir: Path,
        make_client: MakeClient,
        sync_mode: SyncMode = "off",
        sync_period_s: float = 300.0,
        cache: CachePlace | None = None,
    ) -> None:
        self._feed = feed
        self._sync_mode: SyncMode = sync_mode
        self._sync_period_s = sync_period_s
        self._sync_changed = asyncio.Event()
        self._live_copy: LiveCopy | None = None
        self.caches = CacheDesk(feed, cache_dir, cache)
        self._make_client = make_client
        self._client: AsyncClient | None = None
        self._serving: asyncio.Task[None] | None = None
        self._switching = asyncio.Lock()
        self._told: deque[Notice] = deque(maxlen=_MOST_TOLD)
        self._version_words = ""
        self._is_live = False
        """Whether events have come by themselves since the server was connected to."""
        self._shown_at: datetime | None = None
        """Of the last status that was passed on, by the server's clock."""
        self._hurry = asyncio.Event()
        self._first_try_s: float | None = None
        self.boards = BoardDesk(feed, self._known_client, self._tell_status)
        """What is asked of boards."""
        self.devices = DeviceDesk(feed, self._known_client, self._tell_status)
        """What is asked about devices that are no sources yet."""
        self.streams = StreamsDesk(feed, self._known_client, self._tell_status)
        """What is asked about streams."""
        self.recording = RecordingDesk(feed, self._known_client, self._tell_status)
        """What is asked of recording."""
        self.sessions = SessionDesk(feed, self._known_client, lambda: self.caches.cache)
        """What is asked about sessions and their copies here."""
        self.trash = TrashDesk(feed, self._known_client, self.sessions.tell_again)
        """What is asked about the trash, and stars."""
        self.alarms = AlarmDesk(feed, self._known_client)
        """What is asked about alarms."""
        self.tokens = TokenDesk(feed, self._known_client)
        """What is asked about tokens."""
        self.notes = NotesDesk(feed, self._known_client, lambda: self.caches.cache, self.sessions.tell_again)
        """What is asked about markers and words."""

    async def connect(self, server: ServerAddress) -> None:
        """Leave the present server and go on trying to reach another one."""
        async with self._switching:
            await self._leave()
            self._begin_serving(server)

    async def disconnect(self) -> None:
        """Leave the server."""
        async with self._switching:
            await self._leave()
            self._tell(Connection.OFFLINE)

    async def close(self) -> None:
        """Leave the server and close the cache."""
        async with self._switching:
            await self._leave()
            self.caches.close()

    @property
    def next_try_s(self) -> float | None:
        """When a connection is tried again that is waited for; may be asked from any thread."""
        client = self._client
        return self._first_try_s or (client.next_try_s if client is not None else None)

    async def use_cache(self, place: CachePlace | None) -> None:
        """Let sessions go into another cache, and come from it; the live view goes on meanwhile.

        Downloads under way are cancelled, and can be resumed in the cache that they were for.

        :param place: None: the usual one of the server.
        :raises CacheError: if it cannot be used; everything is as before.
        """
        async with self._switching:
            is_used = await self.caches.use(place, self.sessions.downloads.cancel_all)
        if is_used:
            await self.sessions.tell_here()
            self._sync_changed.set()
            await self.sessions.tell_again()

    async def retry_now(self) -> None:
        """Try a connection that is waited for again at once."""
        self._hurry.set()
        if self._client is not None:
            self._client.try_now()

    async def delete(self, session_id: int) -> None:
        """Move a session to the server's trash, then delete it here."""
        await self.sessions.delete(session_id)
        await self.trash.tell_deleted(session_id)

    def _begin_serving(self, server: ServerAddress) -> None:
        self._serving = asyncio.create_task(
            report(self._feed, f"The connection to {server} ended", self._serve(server)), name="blitz server"
        )

    async def _serve(self, server: ServerAddress) -> None:
        address = str(server)
        try:
            client = self._client = self._make_client(server)
        except BlitzError as error:
            self._give_up(address, error)
            return
        wait_s, reason = 1.0, ""
        while True:
            self._tell(Connection.CONNECTING, address, reason)
            try:
                status = (await client.connect(timeout=5))[0]
                if isinstance(status, BlitzError):
                    raise status
                who = await client.whoami()
                await self.caches.open_for(status.store_id, address)
                self._tell(Connection.ONLINE, address)
                self._feed.identity_received.emit(who)
                self._shown_at = None
                self._show_status(status)
                await self.recording.tell_expected(status)
                wait_s = 1.0
                await self._follow_all(client, address)
                return
            except _HOPELESS as error:
                self._give_up(address, error)
                return
            except ServerBusy as error:
                reason, asked_s = str(error), error.retry_after_s or 0.0
            except BlitzError as error:
                reason, asked_s = str(error), 0.0
            self._tell(Connection.CONNECTING, address, reason)
            self._first_try_s = time.monotonic() + max(wait_s, asked_s)
            self._hurry.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(wait_s, asked_s)):
                    await self._hurry.wait()
            self._first_try_s = None
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def _give_up(self, address: str, error: BlitzError) -> None:
        self._tell(Connection.OFFLINE, address)
        self._feed.request_failed.emit(RequestFailure(f"Not connected to {address}", error, address=address))

    async def _follow_all(self, client: AsyncClient, address: str) -> None:
        self._is_live = False
        self._tell_version(client)
        live_copy = LiveCopy(client, lambda: self.caches.cache, self._tell_whole)
        background = [asyncio.create_task(live_copy.run(), name="blitz live copy")]
        background.append(asyncio.create_task(self._synchronise(client), name="blitz sync"))
        self._live_copy = live_copy
        try:
            await relay(self._feed, client, partial(self._pass_on, address), live_copy.take)
        except BlitzError as error:
            if not isinstance(error, _HOPELESS):
                await self._tell_lists_without_live()
            raise
        finally:
            self._live_copy = None
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)

    async def _tell_whole(self, session_id: int) -> None:
        """The running session has ended, and is here."""
        await self.sessions.tell_again()

    def synchronise_by(self, mode: SyncMode, period_s: float) -> None:
        """Bring other sessions from now on, or at other times."""
        if (mode, period_s) != (self._sync_mode, self._sync_period_s):
            self._sync_mode, self._sync_period_s = mode, period_s
            self._sync_changed.set()

    async def _synchronise(self, client: AsyncClient) -> None:
        """Bring what is wanted, again and again; a server that is away is asked the next time."""
        while True:
            self._sync_changed.clear()
            cache = self.caches.cache
            try:
                if cache is not None and self._sync_mode != "off":
                    bring = partial(self._bring_into, cache)
                    outcome = await synchronise(client, cache, self._sync_mode, bring=bring)
                    for session_id, error in outcome.failed:
                        log.warning("Session %d was not synchronised: %s", session_id, error)
                    self.sessions.tell_replaced(outcome.changes)
                    await self.sessions.tell_again()
                    for session_id in outcome.brought:
                        self._feed.download_finished.emit(session_id)
            except BlitzError as error:
                log.info("Not synchronised: %s", error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._sync_period_s):
                    await self._sync_changed.wait()

    async def _bring_into(self, cache: DatabaseClient, session_id: int) -> None:
        if cache is not self.caches.cache:
            raise CacheError("Another cache was chosen meanwhile.")
        await self.sessions.downloads.fetch(session_id, is_asked=False)

    async def _pass_on(self, address: str, event: Event) -> None:
        feed = self._feed
        if event.event is EventKind.STATUS and event.status is not None:
            is_new = self._show_status(event.status)
            if is_new:
                await self.recording.tell_expected(event.status)
            running = event.status.session.id if event.status.session else None
            if not self._is_live:
                # Not before: what happens between the lists and the beginning of the live view is no event.
                self._is_live = await self._tell_lists()
            elif is_new and running != self.sessions.listed_running:
                await self.sessions.tell_again()
        elif event.event is EventKind.GAP and event.gap is not None and event.session_id is not None:
            feed.gap_received.emit(event.session_id, event.gap)
        elif event.event is EventKind.MARKER and event.marker is not None and event.session_id is not None:
            await self.notes.take(event.session_id, event.marker)
        elif event.event is EventKind.LINK_CHANGED and event.board is not None:
            feed.link_changed.emit(event.board)
        elif event.event is EventKind.ALARM and event.alarm is not None:
            await self.alarms.take(event.alarm)
        elif event.event is EventKind.TIMELINE and event.entry is not None:
            feed.timeline_received.emit(event.session_id or PREVIEW_ID, event.entry)
        elif event.event is EventKind.NOTICE and event.notice is not None:
            self._told.append(event.notice)
            feed.notice_received.emit(event.notice)
        elif event.event is EventKind.DISCONNECTED:
            self._tell(Connection.WAITING, address, event.notice.text if event.notice else "")
            await self._tell_lists_without_live()
        elif event.event is EventKind.RECONNECTED:
            self._tell(Connection.ONLINE, address)
            await self._come_back()
        elif event.event is EventKind.SESSION_STARTED and event.session is not None:
            feed.session_started.emit(event.session)
        elif event.event is EventKind.SESSION_STOPPED and event.session is not None:
            feed.session_stopped.emit(event.session)
            if self._live_copy is not None:
                self._live_copy.end(event.session.id)
        if event.event in _LIST_CHANGES:
            await self.sessions.tell_again()
        if event.event in _TRASH_CHANGES:
            with contextlib.suppress(BlitzError):
                await self.trash.tell()

    async def _come_back(self) -> None:
        try:
            status = await self._ask_status()
            client = self._known_client()
            await self.caches.open_for(status.store_id, str(client.address))
            self._tell_version(client)
            self._feed.identity_received.emit(await client.whoami())
        except BlitzError as error:
            log.info("Cannot ask the server that came back: %s", error)
        if self._is_live and not await self._tell_lists():
            await self.sessions.tell_again()

    async def _tell_lists_without_live(self) -> None:
        """Show what there is where no live view has begun: something on the way may refuse it, and it alone."""
        if not self._is_live:
            await self._tell_lists()

    async def _tell_lists(self) -> bool:
        """Ask for what events tell only the changes of; return whether the server answered."""
        try:
            await self._tell_notices(self._known_client())
            await self.trash.tell()
            await self.alarms.tell()
            await self.sessions.tell()
        except BlitzError as error:
            log.info("Cannot ask the server again: %s", error)
            return False
        return True

    def _tell_version(self, client: AsyncClient) -> None:
        """Say it once of each server that its version is another one."""
        before, self._version_words = self._version_words, client.version_words
        if client.version_words and client.version_words != before:
            self._feed.notice_received.emit(
                Notice(severity="warning", text=client.version_words, time=datetime.now(UTC))
            )

    async def _tell_notices(self, client: AsyncClient) -> None:
        """Pass on what the server noted meanwhile."""
        for notice in await client.notices():
            if notice not in self._told:
                self._told.append(notice)
                self._feed.notice_received.emit(notice)

    async def _ask_status(self) -> StatusRecord:
        status = await self._known_client().status()
        self._show_status(status)
        return status

    def _show_status(self, status: StatusRecord) -> bool:
        """Pass on how the server is doing; return whether that is new.

        What was asked for and what comes by itself go different ways: one may overtake the other. Where the server's
        clock was set back by more than a moment, nothing was overtaken.
        """
        if self._shown_at is not None and 0 < (self._shown_at - status.now).total_seconds() < _OVERTAKEN_S:
            return False
        self._shown_at = status.now
        self._feed.status_received.emit(status)
        return True

    async def _tell_status(self) -> None:
        """Show what came of a request: that one is done, also where this fails, and the status comes by itself."""
        try:
            await self._ask_status()
        except BlitzError as error:
            log.info("The status was not asked: %s", error)

    async def _leave(self) -> None:
        self._first_try_s = None
        await self.sessions.downloads.cancel_all()
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.gather(self._serving, return_exceptions=True)
            self._serving = None
        if self._client is not None:
            await self._client.close()
            self._client = None
            self._version_words = ""
        self.caches.leave()

    def _known_client(self) -> AsyncClient:
        if self._client is None:
            raise ConfigError("There is no server: connect to one first.")
        return self._client

    def _tell(self, connection: Connection, address: str = "", reason: str = "") -> None:
        self._feed.connection_changed.emit(ConnectionState(connection, address, reason))
