"""The client library: what a server offers, as calls with typed answers.

Owns live views and downloads; the calls that are a request and an answer stand in the modules ``*_calls`` beside it.
One :class:`AsyncClient` belongs to one event loop; for plain blocking scripts there is :class:`blitz.Client`. Imports
nothing of the server's and nothing that only Unix has.
"""

import asyncio
import weakref
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, overload

from blitz.config import DEFAULT_HOST, DEFAULT_PORT
from blitz.data.blocks import MessageBlock
from blitz.data.records import SessionRecord, StatusRecord
from blitz.errors import BlitzError, ConfigError, ServerBusy
from blitz.io.address import Host, ServerAddress
from blitz.io.alarm_calls import AlarmCalls
from blitz.io.archive_calls import ArchiveCalls
from blitz.io.calls import default_owner
from blitz.io.device_calls import DeviceCalls
from blitz.io.exchange import HttpExchange, closed_error
from blitz.io.hook_calls import HookCalls
from blitz.io.host_list import parse_hosts
from blitz.io.host_pool import HostPool, check_database
from blitz.io.live_cursor import LiveCursor, Wanted
from blitz.io.live_hosts import LiveHost, LiveHosts, OneHost
from blitz.io.live_mailbox import LiveMailbox
from blitz.io.live_reader import LiveOptions, LiveReader
from blitz.io.live_stream import Decoding, LiveStream, Translation, Untranslated
from blitz.io.notes_calls import NotesCalls
from blitz.io.plan_calls import PlanCalls
from blitz.io.query_calls import QueryCalls
from blitz.io.readings_calls import ReadingsCalls
from blitz.io.retention_calls import RetentionCalls
from blitz.io.session_calls import SessionCalls
from blitz.io.token_calls import TokenCalls
from blitz.io.trash_calls import TrashCalls

if TYPE_CHECKING:
    from blitz.data.boards import Readings
    from blitz.data.database_client import DatabaseClient
    from blitz.data.sync import Progress

_BUSY_ATTEMPTS = 10
_BUSY_WAIT_S = 2.0


class AsyncClient(
    SessionCalls,
    PlanCalls,
    DeviceCalls,
    TrashCalls,
    RetentionCalls,
    ArchiveCalls,
    HookCalls,
    AlarmCalls,
    NotesCalls,
    ReadingsCalls,
    QueryCalls,
    TokenCalls,
):
    """A connection to one Blitz server, or to several over one store.

    ::

        async with AsyncClient() as client:
            session = await client.start("warm-up")
            async for readings in client.live():
                print(readings)

    :param hostlist: one ``(host, port)``, a URL such as ``http://bench1:8999``, or the link that ``blitz token create``
        prints, ``blitz://host:port/#TOKEN&FINGERPRINT``.
        Or a list of several such, of servers over one store: ``(host, port, {"weight": 3})`` is chosen three times as
        often as one of weight 1, ``(host, port, {"backup": True})`` only where no other is available. A call that
        fails at one host goes on at another, where that is safe.
    :param token: what the server asks for, where it listens beyond its own machine; that of a link goes before it.
    :param fingerprint: SHA-256 of the server's certificate, where it is a private one; that of a link goes before it.
    :param username: who asks, where a call does not say; user and machine when not given.
    :param password: another name for `token`.
    :param dbname: the store that is meant: the server's Redis prefix without braces and colon. A store without prefix
        is the only one of its server, and goes by any name.
    :param loop: accepted for scripts that were written for other clients; the running loop is used.
    :param keepalive: send a ping every 45 s on a live connection, for routers that forget silent ones, and ask each of
        several hosts as often whether it is there.
    :param timeout: seconds that a request may take, after which it is given up with RequestTimeout.
    :param inactive_time: seconds of silence after which a live connection counts as lost; and for which one of several
        hosts rests that does not answer.
    :param max_wait_retry: a lost live connection, or one of several hosts that cannot be reached, is tried again after
        1, 2, 4, 8 … seconds, at most this many.

    Every call raises :class:`~blitz.errors.ServerUnreachable` where nothing answers,
    :class:`~blitz.errors.AuthenticationError` where the token is missing or wrong, :class:`~blitz.errors.Forbidden`
    where its role may not do that, :class:`~blitz.errors.CertificateMismatch` where the server cannot be trusted,
    :class:`~blitz.errors.ServerBusy` where it has no room for one more, and what it names itself.
    """

    def __init__(
        self,
        hostlist: str | ServerAddress | Sequence[Host | str | ServerAddress] = ((DEFAULT_HOST, DEFAULT_PORT),),
        *,
        token: str | None = None,
        fingerprint: str | None = None,
        username: str | None = None,
        password: str | None = None,
        dbname: str | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
        keepalive: bool = True,
        timeout: float = 10,
        inactive_time: float = 30,
        max_wait_retry: float = 90,
    ) -> None:
        for name, seconds in (
            ("timeout", timeout),
            ("inactive_time", inactive_time),
            ("max_wait_retry", max_wait_retry),
        ):
            if not seconds > 0:
                raise ConfigError(f"{name} is {seconds!r}: give a number of seconds above 0.")
        hosts = parse_hosts(hostlist, token=token or password, fingerprint=fingerprint)
        address, owner = hosts[0].address, username or default_owner()
        self._database = dbname or ""
        self._pool: HostPool | None = None
        if len(hosts) > 1:
            self._pool = HostPool(
                hosts,
                float(timeout),
                owner=owner,
                database=self._database,
                keepalive=keepalive,
                inactive_s=float(inactive_time),
                max_wait_s=float(max_wait_retry),
            )
            self._hosts: LiveHosts = self._pool
            super().__init__(address, float(timeout), owner, self._pool)
        else:
            one = HttpExchange(address, float(timeout), owner)
            self._hosts = OneHost(LiveHost(address, one.headers, one.tls, one.sound))
            super().__init__(address, float(timeout), owner, one)
        self._keepalive = keepalive
        self._inactive_s = float(inactive_time)
        self._max_wait_s = float(max_wait_retry)
        self._streams: weakref.WeakSet[LiveStream[Any]] = weakref.WeakSet()
        self._live_tasks: set[asyncio.Task[None]] = set()
        self.next_try_s: float | None = None
        """While a live connection is lost: when it is tried again, by ``time.monotonic``; None: just now."""

    def try_now(self) -> None:
        """Try live connections that were lost again at once, instead of waiting."""
        for stream in list(self._streams):
            stream.try_now()

    async def connect(self, timeout: float | None = None) -> list[StatusRecord | BlitzError]:
        """Ask the servers for their status, to see that they are there; calls connect by themselves, too.

        :param timeout: seconds, instead of the client's own.
        :returns: one result a host, in the order of the list: its status, or the error. Of a single host, an error is
            raised.
        :raises DatabaseNotFound: if the single host has another database than `dbname`.
        """
        if self._is_closed:
            raise closed_error(self.address)
        if self._pool is None:
            status = await self._status(timeout)
            check_database(self.address, self._database, status)
            return [status]
        results = await self._pool.connect(timeout)
        self._is_known = self._is_known or any(isinstance(result, StatusRecord) for result in results)
        return results

    async def connect_any(self) -> None:
        """Do as :meth:`connect`, and see that one host at least is there.

        :raises PoolError: if none of several is; of a single host, its own error.
        """
        results = await self.connect()
        if self._pool is not None and not any(isinstance(result, StatusRecord) for result in results):
            await self._pool.take()  # which says why there is none

    async def close(self) -> None:
        """End live views, subscriptions and connections; a second time is allowed. Recording on the server goes on."""
        self._is_closed = True
        for subscription in list(self.subscriptions):
            await subscription.cancel()
        for stream in list(self._streams):
            await stream.aclose()
        if self._live_tasks:  # of streams that were forgotten, on their way to their end
            await asyncio.wait(self._live_tasks)
        await self._exchange.close()

    async def __aenter__(self) -> Self:
        try:
            await self.connect_any()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @overload
    def live(
        self,
        session: Wanted = None,
        first: int | None = None,
        *,
        raw: Literal[False] = False,
        latest: bool = False,
        reconnect: bool = True,
    ) -> LiveStream["Readings"]: ...

    @overload
    def live(
        self,
        session: Wanted = None,
        first: int | None = None,
        *,
        raw: Literal[True],
        latest: bool = False,
        reconnect: bool = True,
    ) -> LiveStream[MessageBlock]: ...

    def live(
        self,
        session: Wanted = None,
        first: int | None = None,
        *,
        raw: bool = False,
        latest: bool = False,
        reconnect: bool = True,
    ) -> LiveStream[Any]:
        """Return an asynchronous iterator over what is recorded, as it comes, and over events.

        :param session: an id, "preview" (what boards send while nothing is recorded), or None: the running session,
            then the next one, and so on.
        :param first: sequence number to begin with; negative for as many before the end; None for the end.
        :param raw: yield :class:`~blitz.data.blocks.MessageBlock`, as sent by the devices, instead of
            :class:`~blitz.data.boards.Readings` in physical units.
        :param latest: when the consumer lags, drop what is old and deliver the newest block only. Otherwise nothing
            is dropped: the server sends as fast as the consumer takes.
        :param reconnect: when a connection is lost, go on at the cursor as soon as the server is back, with the events
            ``disconnected`` and ``reconnected`` in the stream; otherwise raise ServerUnreachable. A server that has
            never answered this client raises ServerUnreachable in any case.

        Must be called on the client's event loop.
        """
        if self._is_closed:
            raise closed_error(self.address)
        options = LiveOptions(
            hosts=self._hosts,
            keepalive=self._keepalive,
            timeout_s=self._timeout_s,
            inactive_s=self._inactive_s,
            max_wait_s=self._max_wait_s,
            reconnect=reconnect,
            is_known=self._is_known,
            tell_wait=self._note_next_try,
        )
        mailbox = LiveMailbox(latest=latest)
        cursor = LiveCursor(session, first)
        reader = LiveReader(self.address, cursor, mailbox, options, self._newer_sessions)
        translation: Translation[Any] = Untranslated() if raw else Decoding()
        stream = LiveStream(reader, mailbox, translation, self._live_tasks)
        self._streams.add(stream)
        return stream

    def follow_messages(self, session_id: int, first: int) -> LiveStream[MessageBlock]:
        """Return what a stream has from a place on, and what comes, as it is stored; see :meth:`live`."""
        return self.live(session_id, first, raw=True)

    async def download(
        self,
        session_id: int,
        cache: "DatabaseClient",
        progress: Callable[[int, int], None] | None = None,
        *,
        watch: "Callable[[Progress], None] | None" = None,
    ) -> SessionRecord:
        """Copy a session into a cache; an interrupted download goes on where it was.

        Cancelling the task leaves what is there, and an older copy, as they are. The cache is written in a worker
        thread; several downloads may run beside each other.

        :param progress: called with (messages there, messages in all) after each run of messages.
        :param watch: called as often with :class:`~blitz.data.sync.Progress`: bytes and time left, too.
        :raises CacheMismatch: if the cache belongs to another server.
        :raises SessionNotFound: if there is none with that id.
        """
        from blitz.data.sync import download
        from blitz.io.read_ahead import ReadAhead
        from blitz.io.sync_threads import run_in_thread

        status = await self._status()
        session = await self.session(session_id)
        await run_in_thread(cache.bind_store, status.store_id)

        async def fetch(first: int, count: int) -> Sequence[MessageBlock]:
            for _ in range(_BUSY_ATTEMPTS - 1):
                try:
                    return await self.grid_blocks(session.id, first, count)
                except ServerBusy as error:  # its room is taken by other large answers, perhaps our own
                    await asyncio.sleep(error.retry_after_s or _BUSY_WAIT_S)
            return await self.grid_blocks(session.id, first, count)

        async with ReadAhead(fetch, session.message_count) as read_ahead:
            await download(session, read_ahead.fetch, cache, progress, watch=watch, run=run_in_thread)
        return session

    def _note_next_try(self, at_s: float | None) -> None:
        self.next_try_s = at_s

    async def _newer_sessions(self, session_id: int) -> list[SessionRecord]:
        return sorted((s for s in await self.sessions() if s.id > session_id), key=lambda s: s.id)
