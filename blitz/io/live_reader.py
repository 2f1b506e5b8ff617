"""Reading a live connection, for as long as it takes: frames in, entries for the consumer out.

Owns the WebSocket, its reconnects and their waits. Where to go on is the cursor's business (:mod:`.live_cursor`),
what messages mean the consumer's (:mod:`.live_stream`).
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus

from blitz.data.blocks import MessageBlock
from blitz.data.records import Event, EventKind, Notice, SessionRecord
from blitz.errors import (
    BlitzError,
    BlockError,
    PoolError,
    RemoteError,
    RequestTimeout,
    ServerBusy,
    ServerError,
    ServerUnreachable,
    SessionNotFound,
    StoreUnavailable,
)
from blitz.io.address import ServerAddress
from blitz.io.exchange import RETRY_AFTER, describe_os_error, problem, unreachable
from blitz.io.live_cursor import LiveCursor
from blitz.io.live_hosts import LiveHosts
from blitz.io.live_mailbox import LiveMailbox
from blitz.io.pinning import tls_fault

log = logging.getLogger(__name__)
_wire_log = logging.getLogger("websockets.client")

KEEPALIVE_S = 45.0
FIRST_WAIT_S = 1.0
_MAX_FRAME_BYTES = 256 << 20
_WAITING_FRAMES = 2
"""Frames that the library reads ahead; behind them TCP holds the server back, whose later blocks then grow."""
_CLOSE_S = 1.0
_NORMAL, _POLICY = 1000, 1008
_LEAVING_CODES = (1001, 1012)
"""Going away, and service restart: what servers send when they are stopped."""
_TRY_LATER = 1013
_PRIVATE_CODES = range(4000, 5000)


class _DiscreetLog(logging.LoggerAdapter[logging.Logger]):
    """What the library logs at level debug, without the header that bears the token."""

    def log(self, level: int, msg: object, *args: object, **options: Any) -> None:
        """Pass it on, unless it is that header."""
        if not any(isinstance(part, str) and part.lower() == "authorization" for part in args):
            super().log(level, msg, *args, **options)


@dataclass(frozen=True)
class LiveOptions:
    """How a live connection is kept; the meanings are those of :class:`~blitz.io.connection.AsyncClient`."""

    hosts: LiveHosts
    keepalive: bool
    timeout_s: float
    inactive_s: float
    max_wait_s: float
    reconnect: bool
    is_known: bool
    """The server has answered before: its absence is a fault that passes, not a wrong address."""
    tell_wait: Callable[[float | None], object] = lambda _: None
    """Told, while a connection is lost, when it is tried again (`time.monotonic`), and None when that is so."""


class LiveReader:
    """Reads from the cursor on, over as many connections as it takes.

    :param newer_sessions: returns the sessions that began after the one with the given id, oldest first.
    """

    def __init__(
        self,
        address: ServerAddress,
        cursor: LiveCursor,
        mailbox: LiveMailbox,
        options: LiveOptions,
        newer_sessions: Callable[[int], Awaitable[list[SessionRecord]]],
    ) -> None:
        self._address = address
        self._cursor = cursor
        self._mailbox = mailbox
        self._options = options
        self._newer_sessions = newer_sessions
        self._was_connected = options.is_known
        self._is_away = False
        self._wait_s = FIRST_WAIT_S
        self._status_count = 0
        self._store_id: str | None = None
        self._announced_id: int | None = None
        self._caught_up: SessionRecord | None = None
        self._hurry = asyncio.Event()

    def try_now(self) -> None:
        """Go on at once with a connection that is waited for."""
        self._hurry.set()

    async def run(self) -> None:
        """Read until the end; then, or on an error that waiting does not mend, finish the mailbox."""
        try:
            while not self._cursor.is_finished:
                try:
                    await self._read_once()
                except BlitzError as error:
                    if not self._is_passing(error):
                        raise
                    await self._wait(error)
        except BlitzError as error:
            await self._mailbox.finish(error)
        except Exception as error:
            log.exception("The live connection to %s ended by a fault of our own", self._address)
            await self._mailbox.finish(error)
        else:
            await self._mailbox.finish()

    async def _read_once(self) -> None:
        """Read one connection to its end; returns where a new one simply goes on."""
        await self._catch_up()
        query = self._cursor.query()
        try:
            websocket = await self._open(query)
        except SessionNotFound:
            if not self._cursor.is_following:
                raise
            self._cursor.leave()
            return
        try:
            if self._is_away:
                self._is_away = False
                await self._mailbox.put(Event(event=EventKind.RECONNECTED))
            if self._caught_up is not None:
                session, self._caught_up = self._caught_up, None
                await self._mailbox.put(Event(event=EventKind.SESSION_STARTED, session_id=session.id, session=session))
            await self._read_frames(websocket, is_for_one="session" in query)
        except ConnectionClosed as error:
            self._judge_close(error)
        finally:
            self._cursor.disconnect()
            try:
                await websocket.close()
            finally:
                # Cancelled while it said goodbye: the socket must not stay open.
                websocket.transport.abort()

    async def _catch_up(self) -> None:
        """After a followed session ended, go on with the next that was recorded while nobody watched."""
        cursor = self._cursor
        if not cursor.is_following or cursor.session_id is not None or cursor.done_id is None:
            return
        newer = await self._newer_sessions(cursor.done_id)
        if not newer:
            return
        cursor.follow(newer[0].id)
        if self._announced_id != newer[0].id:
            self._announced_id = newer[0].id
            self._caught_up = newer[0]

    async def _open(self, query: dict[str, str]) -> ClientConnection:
        options = self._options
        self._status_count = 0
        host = await options.hosts.take(acquiring=self._cursor.is_preview)
        self._address = host.address
        await host.sound()
        try:
            websocket = await connect(
                self._address.live_url(query),
                additional_headers=host.headers,
                ssl=host.tls,
                compression=None,
                proxy=None,
                open_timeout=options.timeout_s,
                close_timeout=_CLOSE_S,
                # A pong may wait behind blocks that the consumer has not taken yet: silence is judged by _receive.
                ping_interval=KEEPALIVE_S if options.keepalive else None,
                ping_timeout=None,
                max_size=_MAX_FRAME_BYTES,
                max_queue=_WAITING_FRAMES,
                logger=_DiscreetLog(_wire_log),
            )
        except InvalidStatus as error:
            raise self._refusal(error) from error
        except TimeoutError as error:
            raise unreachable(self._address, f"no answer within {options.timeout_s:g} s") from error
        except OSError as error:
            raise tls_fault(self._address, error) or unreachable(self._address, describe_os_error(error)) from error
        except (InvalidMessage, EOFError) as error:
            raise unreachable(self._address, "it closed the connection before answering") from error
        except InvalidHandshake as error:
            raise RemoteError(f"{self._address} refuses a live connection: {error}.") from error
        self._was_connected = True
        return websocket

    async def _read_frames(self, websocket: ClientConnection, *, is_for_one: bool) -> None:
        """:param is_for_one: the connection was opened for one session, by its id, and ends with it."""
        while not self._cursor.is_finished:
            frame = await self._receive(websocket)
            if isinstance(frame, bytes):
                block = self._cursor.advance(MessageBlock.decode(frame))
                if block is not None:
                    self._wait_s = FIRST_WAIT_S
                    await self._mailbox.put(block)
            else:
                await self._take_event(frame)
                if is_for_one and self._cursor.is_following and self._cursor.session_id is None:
                    return

    async def _receive(self, websocket: ClientConnection) -> str | bytes:
        """Return the next frame. A server sends its status each second, so long silence means that it is gone."""
        try:
            async with asyncio.timeout(self._options.inactive_s):
                return await websocket.recv()
        except TimeoutError as error:
            raise self._lost(f"nothing came for {self._options.inactive_s:g} s") from error

    async def _take_event(self, frame: str) -> None:
        try:
            event = Event.model_validate_json(frame)
        except ValidationError:
            # A newer server may tell what this version has no word for.
            log.debug("Skipped an unknown event: %.200r", frame)
            return
        if event.event is EventKind.STATUS and event.status is not None:
            self._check_store(event.status.store_id)
            self._status_count += 1
            if self._status_count > 1:
                self._wait_s = FIRST_WAIT_S
        elif event.event is EventKind.SESSION_STARTED:
            self._announced_id = event.session.id if event.session else event.session_id
        self._cursor.observe(event)
        await self._mailbox.put(event)

    def _check_store(self, store_id: str) -> None:
        if self._store_id not in (None, store_id):
            raise RemoteError(
                f"Another store answers at {self._address} now ({store_id} instead of {self._store_id}). "
                "Connect anew to follow it."
            )
        self._store_id = store_id

    def _judge_close(self, error: ConnectionClosed) -> None:
        """A server that goes away comes back; one that sends us away does not."""
        if self._cursor.is_finished:
            return
        close = error.rcvd
        if close is None:
            raise self._lost("the connection broke") from error
        if close.code == _NORMAL:
            raise self._lost("the server ended it") from error
        if close.code in _LEAVING_CODES:
            raise self._lost("the server is shutting down") from error
        if close.code == _TRY_LATER:
            raise ServerBusy(f"{self._address} has no room for this live connection now.") from error
        if close.code == _POLICY or close.code in _PRIVATE_CODES:
            refusal = problem(close.reason.encode(), close.code)
            raise refusal or RemoteError(
                f"{self._address} ended the live connection: {close.reason or 'no reason given'} (code {close.code})."
            ) from error
        raise self._lost(f"the server closed it with code {close.code} {close.reason}".rstrip()) from error

    def _refusal(self, error: InvalidStatus) -> BlitzError:
        response = error.response
        refusal = problem(bytes(response.body), response.status_code, response.headers.get(RETRY_AFTER))
        if refusal is not None:
            return refusal
        if response.status_code >= 500:
            return unreachable(self._address, f"it answers with HTTP status {response.status_code}")
        return RemoteError(
            f"{self._address} refuses a live connection (HTTP status {response.status_code}). "
            "Check that a Blitz server of the same version runs at this address, and the token."
        )

    def _lost(self, reason: str) -> ServerUnreachable:
        return ServerUnreachable(f"The connection to {self._address} was lost: {reason}.")

    def _is_passing(self, error: BlitzError) -> bool:
        """Whether waiting may mend it. A server that never answered at all is more likely a wrong address."""
        if isinstance(error, ServerBusy):
            return self._options.reconnect
        if not (self._options.reconnect and self._was_connected):
            return False
        if isinstance(error, ServerError):
            return error.status >= 500
        return isinstance(error, ServerUnreachable | RequestTimeout | StoreUnavailable | BlockError)

    async def _wait(self, error: BlitzError) -> None:
        if not self._is_away:
            self._is_away = True
            log.info("%s", error)
            text = f"{error} Trying again until the server is back."
            notice = Notice(severity="warning", text=text, time=datetime.now(UTC))
            await self._mailbox.put(Event(event=EventKind.DISCONNECTED, notice=notice))
        if not isinstance(error, PoolError) and self._options.hosts.lost(self._address, error):
            return
        asked_s = error.retry_after_s if isinstance(error, ServerBusy) else None
        wait_s = max(self._wait_s, asked_s or 0.0)
        self._options.tell_wait(time.monotonic() + wait_s)
        self._hurry.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await self._hurry.wait()
        self._options.tell_wait(None)
        self._wait_s = min(2 * self._wait_s, self._options.max_wait_s)
