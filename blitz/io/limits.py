"""What one client may take of the server: connections, size and time of requests, and how long it may take nothing.

uvicorn has limits neither for the time in which a request arrives nor for a client that does not read. Its two
protocols, HTTP and WebSocket, are extended here by both; :class:`Admission` is the part that needs no connection:
sizes of bodies and the number of viewers. Everything runs on the event loop.
"""

import asyncio
import logging
import socket
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from blitz.config import ServerSettings
from blitz.errors import ServerBusy
from blitz.io.connection_watch import Handshakes, StallWatch
from blitz.io.lanes import DROP, RETRY_AFTER_S
from blitz.io.refusal import AsgiApp, Receive, Refusal, Scope, Send, encode, refuse

log = logging.getLogger(__name__)

_VIEWER_MESSAGE_BYTES = 4096
_VIEWER_ALLOWANCE_BYTES = 32_768
_VIEWER_BYTES_PER_S = 256
"""A viewer has nothing to say but that it leaves, and answers to pings."""
_KERNEL_BUFFER_BYTES = 256 << 10
_SURPLUS = 4
"""So many times the largest body are read, and thrown away, so that a client can read why it was refused."""
_HEAD_BYTES = 512 << 10
"""More than asyncio reads at once: it is h11 that says whether a head is too large."""
_LONGEST_PING_S = 20.0
_LINGER_S = 0.5


@dataclass(frozen=True)
class Limits:
    """The settings of the same names."""

    max_connections: int = 500
    max_viewers: int = 200
    max_request_bytes: int = 1 << 20
    request_timeout_s: float = 30.0
    viewer_timeout_s: float = 600.0
    refused: Counter[str] = field(default_factory=Counter, compare=False)
    """Connections refused for want of room, since these limits hold."""
    handshakes: Handshakes = field(default_factory=Handshakes, compare=False)

    @classmethod
    def from_settings(cls, settings: ServerSettings) -> "Limits":
        """Take them from the server's settings."""
        return cls(
            settings.max_connections,
            settings.max_viewers,
            settings.max_request_kb * 1024,
            settings.request_timeout_s,
            settings.viewer_timeout_s,
        )

    def uvicorn_options(self) -> dict[str, Any]:
        """Return what ``uvicorn.Config`` must be given for these limits to hold."""
        return {
            "http": partial(LimitedHttp, self),
            "ws": partial(LimitedViewer, self),
            "ws_max_size": _VIEWER_MESSAGE_BYTES,
            "ws_per_message_deflate": False,
            # A slow viewer reads its ping late, behind the blocks: LimitedViewer decides whether it takes anything.
            "ws_ping_interval": min(_LONGEST_PING_S, self.viewer_timeout_s / 2),
            "ws_ping_timeout": self.viewer_timeout_s,
            "backlog": 128,
            # Else whoever is on this machine could say to come from any address.
            "proxy_headers": False,
        }


def busy(detail: str) -> Refusal:
    """Return the refusal of a client for which there is no room."""
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, ServerBusy.code, detail, RETRY_AFTER_S)


class LimitedHttp(H11Protocol):
    """An HTTP connection on which a request must arrive in time, and an answer must be taken.

    Where all connections are in use, a newcomer takes the place of the one that has waited longest for a request to
    arrive; only where all are at work it is told to come again.
    """

    def __init__(self, limits: Limits, *arguments: Any, **options: Any) -> None:
        if not limits.handshakes.begin(self, limits.max_connections):
            limits.refused["handshakes"] += 1
            raise ConnectionRefusedError  # asyncio drops the connection
        super().__init__(*arguments, **options)
        self._limits = limits
        self._arrival: asyncio.TimerHandle | None = None
        self._request_bytes = 0
        self._watch: StallWatch | None = None
        self._waits_since_s = self.loop.time()
        self._is_ended = False

    @property
    def _is_at_work(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or refuse it."""
        self._limits.handshakes.end(self)
        super().connection_made(transport)
        _bound_kernel_buffer(transport)
        self._watch = StallWatch(transport, self.loop, self._limits.request_timeout_s, transport.abort)
        if len(self.connections) > self._limits.max_connections and not self._displace_another():
            self._limits.refused["connections"] += 1
            self._end(busy(f"All {self._limits.max_connections} connections of this server are in use."))
            return
        self._expect_request()

    def _displace_another(self) -> bool:
        waiting = [
            other
            for other in self.connections
            if isinstance(other, LimitedHttp)
            and other is not self
            and not other._is_at_work
            and not other.transport.is_closing()
        ]
        if not waiting:
            return False
        oldest = min(waiting, key=lambda other: other._waits_since_s)
        oldest.transport.abort()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._request_arrived()
        if self._watch is not None:
            self._watch.stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes of a request."""
        if self._is_ended or self.transport.is_closing():
            return
        if self._arrival is None and not self._is_at_work:
            self._expect_request()
        self._request_bytes += len(data)
        if self._request_bytes > _SURPLUS * self._limits.max_request_bytes + _HEAD_BYTES:
            self._end(Refusal(413, "too_large", self._too_large()))
            return
        super().data_received(data)
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._request_arrived()

    def handle_events(self) -> None:
        """Begin with requests that have arrived."""
        super().handle_events()
        if self.scope is not None:
            self.scope["state"][DROP] = self.transport.abort

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand the connection over to the other protocol."""
        self._request_arrived()
        if self._watch is not None:
            self._watch.stop()
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._waits_since_s = self.loop.time()
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, or whose head is too large."""
        self._end(Refusal(400, "invalid", "This is not a valid HTTP request, or its head is too large."))

    def _expect_request(self) -> None:
        self._request_bytes = 0
        self._arrival = self.loop.call_later(self._limits.request_timeout_s, self._too_slow)

    def _request_arrived(self) -> None:
        self._request_bytes = 0
        if self._arrival is not None:
            self._arrival.cancel()
            self._arrival = None

    def _too_slow(self) -> None:
        self._arrival = None
        self._end(Refusal(408, "too_slow", f"The request did not arrive in {self._limits.request_timeout_s:g} s."))

    def _too_large(self) -> str:
        return f"A request's body may have {self._limits.max_request_bytes // 1024} kB at most."

    def _end(self, refusal: Refusal) -> None:
        """Say why, if nothing was said yet, and close: a little later, or the reason would go under with the rest."""
        self._request_arrived()
        self._is_ended = True
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.transport.is_closing():
            return
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE, h11.ERROR):
            self.transport.write(_as_http(refusal))
        is_crowded = len(self.connections) > 2 * self._limits.max_connections
        self.loop.call_later(0.0 if is_crowded else _LINGER_S, self.transport.close)


class LimitedViewer(WebSocketsSansIOProtocol):
    """A WebSocket connection whose viewer must take something now and then, and has little to say."""

    def __init__(self, limits: Limits, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._limits = limits
        self._watch: StallWatch | None = None
        self._began_s = self.loop.time()
        self._told_bytes = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over a connection."""
        super().connection_made(transport)
        stream = cast(asyncio.Transport, transport)
        self._watch = StallWatch(stream, self.loop, self._limits.viewer_timeout_s, self._drop)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        if self._watch is not None:
            self._watch.stop()
        super().connection_lost(exc)

    def resume_writing(self) -> None:
        """The viewer has taken what was waiting."""
        if self._watch is not None:
            self._watch.note_taken()
        super().resume_writing()

    def data_received(self, data: bytes) -> None:
        """Take what a viewer says, unless it says too much."""
        if self.handshake_complete:
            self._told_bytes += len(data)
            allowed = _VIEWER_ALLOWANCE_BYTES + _VIEWER_BYTES_PER_S * (self.loop.time() - self._began_s)
            if self._told_bytes > allowed:
                log.debug("A viewer at %s sends too much: dropped", self.client)
                self.transport.abort()
                return
        super().data_received(data)

    def send_receive_event_to_app(self) -> None:
        """Nothing is expected from a viewer: what it says is dropped, and never decoded."""
        self.frames = []

    def keepalive_timeout(self) -> None:
        """Drop a viewer that did not answer a ping, unless it is only behind."""
        if self._watch is not None and 0 < self._watch.idle_s < self._limits.viewer_timeout_s:
            self.pong_timer = self.loop.call_later(self._limits.viewer_timeout_s, self.keepalive_timeout)
        else:
            self._drop()

    def shutdown(self) -> None:
        """End with the server; who takes nothing is not waited for."""
        super().shutdown()
        if self.transport.get_write_buffer_size():
            self.loop.call_later(1.0, self.transport.abort)

    def _drop(self) -> None:
        log.info("A viewer at %s has taken nothing for %g s: dropped", self.client, self._limits.viewer_timeout_s)
        self.transport.abort()


class Admission:
    """ASGI middleware that bounds the bodies of requests and the number of viewers. Belongs behind the guard."""

    def __init__(self, app: AsgiApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits
        self.viewer_count = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "websocket":
            await self._admit_viewer(scope, receive, send)
        elif scope["type"] == "http":
            await self._admit_request(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _admit_viewer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.viewer_count >= self._limits.max_viewers:
            self._limits.refused["viewers"] += 1
            refusal = busy(f"{self._limits.max_viewers} live connections are open already, and no more are allowed.")
            await refuse(scope, receive, send, refusal)
            return
        self.viewer_count += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self.viewer_count -= 1

    async def _admit_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = self._limits.max_request_bytes
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        too_large = Refusal(413, "too_large", f"A request's body may have {limit // 1024} kB at most.")
        if not length.isdigit() or int(length[:20]) > limit:
            await refuse(scope, receive, send, too_large)
            return
        received, has_begun, is_refused = 0, False, False

        async def bounded_receive() -> Any:
            nonlocal received, is_refused
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                is_refused = True
                return {"type": "http.disconnect"}
            return message

        async def bounded_send(message: Any) -> None:
            nonlocal has_begun
            if not is_refused:
                has_begun = True
                await send(message)

        await self._app(scope, bounded_receive, bounded_send)
        if is_refused and not has_begun:
            await refuse(scope, receive, send, too_large)


def _as_http(refusal: Refusal) -> bytes:
    """Return an answer for a connection that has no request, as it goes over the wire."""
    body, headers = encode(refusal)
    headers.append((b"connection", b"close"))
    status = HTTPStatus(refusal.status)
    lines = [b"HTTP/1.1 %d %s" % (status, status.phrase.encode()), *(b"%s: %s" % pair for pair in headers)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _bound_kernel_buffer(transport: asyncio.Transport) -> None:
    """Else Linux keeps up to four megabytes for each client that does not read."""
    connection = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BUFFER_BYTES)
