"""The client library for plain scripts: the calls of :class:`~blitz.io.connection.AsyncClient`, each waiting.

Owns the thread in which the connection lives (anyio's portal). May be used from several threads at once.
"""

import _thread
import sys
import threading
import weakref
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import wait
from contextlib import AbstractContextManager, suppress
from functools import partial
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeAlias, TypeVar, overload

from anyio.from_thread import BlockingPortal, start_blocking_portal

from blitz.config import DEFAULT_HOST, DEFAULT_PORT
from blitz.data.blocks import MessageBlock
from blitz.data.records import Event, Notice, SessionRecord, StatusRecord
from blitz.errors import BlitzError, RemoteError
from blitz.io.address import Host, ServerAddress
from blitz.io.blocking_alarm_calls import BlockingAlarmCalls
from blitz.io.blocking_archive_calls import BlockingArchiveCalls
from blitz.io.blocking_calls import BlockingDeviceCalls
from blitz.io.blocking_hook_calls import BlockingHookCalls
from blitz.io.blocking_notes_calls import BlockingNotesCalls
from blitz.io.blocking_plan_calls import BlockingPlanCalls
from blitz.io.blocking_query_calls import BlockingQueryCalls
from blitz.io.blocking_readings_calls import BlockingReadingsCalls
from blitz.io.blocking_retention_calls import BlockingRetentionCalls
from blitz.io.blocking_stream_calls import BlockingStreamCalls
from blitz.io.blocking_token_calls import BlockingTokenCalls
from blitz.io.blocking_trash_calls import BlockingTrashCalls
from blitz.io.connection import AsyncClient
from blitz.io.exchange import closed_error
from blitz.io.live_cursor import Wanted
from blitz.io.live_stream import LiveStream

if TYPE_CHECKING:
    from blitz.data.boards import Readings
    from blitz.data.database_client import DatabaseClient

_T = TypeVar("_T")
_R = TypeVar("_R", "Readings", MessageBlock)
_WAKE_S = 0.5 if sys.platform == "win32" else None
"""On Windows Ctrl-C does not interrupt a wait for a lock: wake up now and then, to see it."""


class Client(
    BlockingPlanCalls,
    BlockingDeviceCalls,
    BlockingTrashCalls,
    BlockingRetentionCalls,
    BlockingArchiveCalls,
    BlockingHookCalls,
    BlockingAlarmCalls,
    BlockingNotesCalls,
    BlockingReadingsCalls,
    BlockingQueryCalls,
    BlockingStreamCalls,
    BlockingTokenCalls,
):
    """A connection to one Blitz server, or to several over one store, for scripts without an event loop.

    ::

        with Client("http://bench1:8999") as client:
            client.start("warm-up")
            for entry in client.live():
                print(entry)

    Arguments, calls and errors are those of :class:`blitz.AsyncClient`.
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
        loop: object = None,
        keepalive: bool = True,
        timeout: float = 10,
        inactive_time: float = 30,
        max_wait_retry: float = 90,
    ) -> None:
        self._client = AsyncClient(
            hostlist,
            token=token,
            fingerprint=fingerprint,
            username=username,
            password=password,
            dbname=dbname,
            keepalive=keepalive,
            timeout=timeout,
            inactive_time=inactive_time,
            max_wait_retry=max_wait_retry,
        )
        self._lock = threading.Lock()
        self._context: AbstractContextManager[BlockingPortal] | None = None
        self._portal: BlockingPortal | None = None
        self._is_closed = False
        self._end_if_forgotten: weakref.finalize[..., Client] | None = None

    @property
    def address(self) -> ServerAddress:
        """Where the server is."""
        return self._client.address

    @property
    def is_closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._is_closed

    def connect(self, timeout: float | None = None) -> list[StatusRecord | BlitzError]:
        """Ask the servers for their status, to see that they are there; calls connect by themselves, too."""
        return self._call(partial(self._client.connect, timeout))

    def close(self) -> None:
        """End live views, in whatever thread they wait, subscriptions and connections; a second time is allowed.

        A callback that is under way ends first, unless it is that one which closes the client.
        """
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            if self._end_if_forgotten is not None:
                self._end_if_forgotten.detach()
            context, portal = self._context, self._portal
        callback_threads = self._callback_threads()
        if context is not None and portal is not None:
            _end(self._client, context, portal)
        for thread in callback_threads:
            thread.join()

    def __enter__(self) -> Self:
        try:
            self._call(self._client.connect_any)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def status(self) -> StatusRecord:
        """Return the server in one look: its session, store and boards."""
        return self._call(self._client.status)

    def notices(self) -> list[Notice]:
        """Return what an operator should have read, oldest first."""
        return self._call(self._client.notices)

    def sessions(self, search: str = "") -> list[SessionRecord]:
        """Return all sessions, or those that a search finds, newest first, without their sources and gaps."""
        return self._call(partial(self._client.sessions, search))

    def session(self, session_id: int) -> SessionRecord:
        """Return one session, with sources and gaps."""
        return self._call(partial(self._client.session, session_id))

    def start(
        self,
        name: str = "",
        notes: str = "",
        owner: str | None = None,
        join: bool = False,
        *,
        tags: Sequence[str] = (),
        fields: Mapping[str, str] | None = None,
        duration_s: float | None = None,
        message_count: int | None = None,
        repeat_every_s: float | None = None,
    ) -> SessionRecord:
        """Start a session; with `join`, return the one that runs already."""
        start = partial(self._client.start, name, notes, owner, join, tags=tags, fields=fields)
        return self._call(
            partial(start, duration_s=duration_s, message_count=message_count, repeat_every_s=repeat_every_s)
        )

    def stop(self, session_id: int | None = None) -> SessionRecord:
        """Stop the running session, or the one named if it is the one that runs, and return it."""
        return self._call(partial(self._client.stop, session_id))

    def update_session(
        self,
        session_id: int,
        *,
        name: str | None = None,
        notes: str | None = None,
        starred: bool | None = None,
        tags: Sequence[str] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> SessionRecord:
        """Change a session's name, notes, star, tags or fields; None leaves them as they are."""
        change = partial(self._client.update_session, session_id, name=name, notes=notes, starred=starred)
        return self._call(partial(change, tags=tags, fields=fields))

    def delete(self, session_id: int) -> None:
        """Move a session to the server's trash, out of which :meth:`restore` takes it; copies in caches stay."""
        self._call(partial(self._client.delete, session_id))

    def messages(self, session_id: int | Literal["preview"], first: int = 0, count: int = 16384) -> MessageBlock:
        """Return messages of a session as one block; it is shorter, or empty, at the session's end."""
        return self._call(partial(self._client.messages, session_id, first, count))

    def download(
        self,
        session_id: int,
        cache: "DatabaseClient",
        progress: Callable[[int, int], None] | None = None,
    ) -> SessionRecord:
        """Copy a session into a cache. `progress` is called in the connection's thread."""
        return self._call(partial(self._client.download, session_id, cache, progress))

    @overload
    def live(
        self,
        session: Wanted = None,
        first: int | None = None,
        *,
        raw: Literal[False] = False,
        latest: bool = False,
        reconnect: bool = True,
    ) -> "BlockingStream[Readings]": ...

    @overload
    def live(
        self,
        session: Wanted = None,
        first: int | None = None,
        *,
        raw: Literal[True],
        latest: bool = False,
        reconnect: bool = True,
    ) -> "BlockingStream[MessageBlock]": ...

    def live(
        self,
        session: Wanted = None,
        first: int | None = None,
        *,
        raw: bool = False,
        latest: bool = False,
        reconnect: bool = True,
    ) -> "BlockingStream[Any]":
        """Return an iterator over what is recorded, as it comes, and over events; see AsyncClient.live()."""

        async def open_stream() -> LiveStream[Any]:
            options: dict[str, Any] = {"raw": raw, "latest": latest, "reconnect": reconnect}
            return self._client.live(session, first, **options)

        return BlockingStream(self, self._call(open_stream))

    @property
    def _calls(self) -> AsyncClient:
        return self._client

    def _call(self, function: Callable[[], Awaitable[_T]]) -> _T:
        """Run a call in the connection's thread; Ctrl-C cancels it there, too."""
        with self._lock:
            if self._is_closed:
                raise closed_error(self.address)
            if self._portal is None:
                self._context, self._portal = _start()
                # A script that ends without close() would wait for this thread at a time when it runs no more.
                self._end_if_forgotten = weakref.finalize(
                    self, _end_forgotten, self._client, self._context, self._portal
                )
            future = self._portal.start_task_soon(function)
        try:
            while not wait([future], _WAKE_S).done:
                pass
            return future.result()
        except BaseException:
            future.cancel()
            raise


_Portal: TypeAlias = tuple[AbstractContextManager[BlockingPortal], BlockingPortal]


def _start() -> _Portal:
    """Start the connection's thread, from a helper: Ctrl-C amid anyio's start would wait for that thread for ever.

    Ctrl-C may come at any moment here, too, also while a thread is started by :mod:`threading`: so the helper is a bare
    thread, and is told over a simple queue whether anybody takes what it has started.
    """
    started: SimpleQueue[_Portal | BaseException] = SimpleQueue()
    is_taken: SimpleQueue[bool] = SimpleQueue()

    def start() -> None:
        try:
            context = start_blocking_portal(name="blitz client")
            portal = context.__enter__()
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            started.put(error)
            return
        started.put((context, portal))
        if not is_taken.get():
            context.__exit__(None, None, None)

    found: _Portal | BaseException | None = None
    try:
        _thread.start_new_thread(start, ())
        while found is None:
            with suppress(Empty):
                found = started.get(timeout=_WAKE_S)
    finally:
        try:
            is_taken.put(found is not None)
        finally:  # if the first was interrupted
            is_taken.put(found is not None)
    if isinstance(found, BaseException):
        raise found
    return found


def _end(client: AsyncClient, context: AbstractContextManager[BlockingPortal], portal: BlockingPortal) -> None:
    try:
        portal.call(client.close)
    finally:
        context.__exit__(None, None, None)


def _end_forgotten(
    client: AsyncClient, context: AbstractContextManager[BlockingPortal], portal: BlockingPortal
) -> None:
    with suppress(RuntimeError):  # collected in the portal's own thread, which ends with the program
        _end(client, context, portal)


class BlockingStream(Generic[_R]):
    """An iterator over a live connection; :meth:`close` may come from another thread and ends a waiting one."""

    def __init__(self, client: Client, stream: LiveStream[_R]) -> None:
        self._client = client
        self._stream: LiveStream[_R] = stream
        self._is_closed = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> "_R | Event":
        if self._is_closed or self._client.is_closed:
            raise StopIteration
        try:
            entry: _R | Event | None = self._client._call(self._next)
        except RemoteError:
            if not self._client.is_closed:
                raise
            entry = None
        if entry is None:
            raise StopIteration
        return entry

    def close(self) -> None:
        """End the connection and the iteration; a second time is allowed."""
        if not self._is_closed and not self._client.is_closed:
            self._client._call(self._stream.aclose)
        self._is_closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def _next(self) -> "_R | Event | None":
        try:
            return await anext(self._stream)
        except StopAsyncIteration:
            return None
