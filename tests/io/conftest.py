"""A server that does what a test tells it to, faults included; the real one is the fixture `server`."""

import asyncio
import http
import json
import ssl
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from anyio.from_thread import start_blocking_portal
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

import blitz
from blitz.data.blocks import MessageBlock, Read
from blitz.data.records import Event, EventKind, SessionRecord, Source, StatusRecord, StoreRecord

STORE_ID = "5f0c2b1e-0000-4000-8000-000000000001"
STARTED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

Script = Callable[["Wire", dict[str, str]], Awaitable[None]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Wire:
    """The server's end of one live connection."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection

    async def status(self, session: SessionRecord | None = None, store_id: str = STORE_ID) -> None:
        await self.event(EventKind.STATUS, status=make_status(session, store_id))

    async def event(self, kind: EventKind, **fields: Any) -> None:
        await self.connection.send(Event(event=kind, **fields).to_json())

    async def sources(self, session_id: int) -> None:
        await self.event(
            EventKind.SOURCES, session_id=session_id, sources=(Source(index=0, name="sim1", link="pty", board_id="08"),)
        )

    async def block(self, session_id: int, first: int, stop: int) -> None:
        await self.connection.send(make_block(session_id, first, stop).encode())

    async def send(self, frame: str | bytes) -> None:
        await self.connection.send(frame)

    async def stopped(self, session_id: int) -> None:
        await self.event(EventKind.SESSION_STOPPED, session_id=session_id)

    async def cut(self) -> None:
        """End the connection as a pulled cable or a killed server does."""
        self.connection.transport.abort()
        await self.connection.wait_closed()

    async def hold(self) -> None:
        """Keep the connection until the client ends it."""
        await self.connection.wait_closed()


class ScriptedServer:
    """One script for each live connection that comes, in order; the last is used again and again."""

    def __init__(self) -> None:
        self.scripts: list[Script] = []
        self.queries: list[dict[str, str]] = []
        self.requests: list[tuple[str, Headers]] = []
        self.sessions: list[SessionRecord] = []
        self.running: SessionRecord | None = None
        self.answers: dict[str, Callable[[], Awaitable[tuple[int, str, bytes]]]] = {}
        self.more_headers: dict[str, dict[str, str]] = {}
        self.delays: list[asyncio.Event] = []
        self.server: Server | None = None
        self.port = 0
        self.tls: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}"

    def answer(
        self,
        path: str,
        status: int,
        content_type: str,
        body: bytes,
        delay: asyncio.Event | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.more_headers[path] = headers or {}
        if delay is not None:
            self.delays.append(delay)

        async def give() -> tuple[int, str, bytes]:
            if delay is not None:
                await delay.wait()
            return status, content_type, body

        self.answers[path] = give

    def refuse(self, path: str, status: int, code: str, detail: str, headers: dict[str, str] | None = None) -> None:
        problem = {"type": "about:blank", "title": code, "status": status, "code": code, "detail": detail}
        self.answer(path, status, "application/problem+json", json.dumps(problem).encode(), headers=headers)

    async def open(self) -> None:
        self.server = await serve(
            self._live,
            "127.0.0.1",
            self.port,
            process_request=self._request,
            compression=None,
            close_timeout=1,
            ssl=self.tls,
        )
        self.port = next(iter(self.server.sockets)).getsockname()[1]

    async def close(self) -> None:
        for delay in self.delays:
            delay.set()
        if self.server is not None:
            for connection in list(self.server.connections):
                connection.transport.abort()
            self.server.close()
            await self.server.wait_closed()
            self.server = None

    async def _live(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        query = dict(parse_qsl(urlsplit(connection.request.path).query))
        self.queries.append(query)
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        await script(Wire(connection), query)

    async def _request(self, connection: ServerConnection, request: Request) -> Response | None:
        path = urlsplit(request.path).path.removeprefix("/api/v1")
        self.requests.append((path, request.headers))
        if path in self.answers:
            status, content_type, body = await self.answers[path]()
        elif path == "/live":
            return None
        elif path == "/status":
            status, content_type = 200, "application/json"
            body = make_status(self.running).model_dump_json(exclude_none=True).encode()
        elif path == "/sessions":
            status, content_type = 200, "application/json"
            body = json.dumps([s.model_dump(mode="json", exclude_none=True) for s in self.sessions]).encode()
        else:
            status, content_type, body = 404, "text/html", b"<h1>Not found</h1>"
        headers = Headers({"Content-Type": content_type, "Content-Length": str(len(body)), "Connection": "close"})
        headers.update(self.more_headers.get(path, {}))
        return Response(status, http.HTTPStatus(status).phrase, headers, body)


class ServerThread:
    """A scripted server in a thread of its own, so that blocking and asynchronous clients can be tested alike."""

    def __init__(self, portal: Any, script: ScriptedServer) -> None:
        self._portal = portal
        self.script = script

    def __getattr__(self, name: str) -> Any:
        return getattr(self.script, name)

    def open(self) -> None:
        self._portal.call(self.script.open)

    def close(self) -> None:
        self._portal.call(self.script.close)


@pytest.fixture
def scripted() -> Iterator[ServerThread]:
    with start_blocking_portal(name="scripted server") as portal:
        thread = ServerThread(portal, ScriptedServer())
        thread.open()
        try:
            yield thread
        finally:
            thread.close()


def make_status(session: SessionRecord | None = None, store_id: str = STORE_ID) -> StatusRecord:
    return StatusRecord(version="0", store_id=store_id, now=STARTED, session=session, store=StoreRecord(is_up=True))


@pytest.fixture
def record() -> Callable[..., SessionRecord]:
    """Make a session's record."""
    return partial(SessionRecord, started_at=STARTED)


def make_block(session_id: int, first: int, stop: int) -> MessageBlock:
    messages = [b"%d" % number for number in range(first, stop)]
    return MessageBlock.from_reads(session_id, first, [Read(1_000_000 * first, 0, messages)], STORE_ID)


@pytest.fixture(scope="module")
def plain_server(run_server: Callable[..., Any]) -> Any:
    """A real server without devices; one a test module."""
    return run_server("--durability", "none")


@pytest.fixture
def db(plain_server: Any) -> Iterator[blitz.Client]:
    """A client of that server; the streams go with the test."""
    with blitz.Client(plain_server.url) as client:
        yield client
        for stream in client.streams():
            client[stream.name].delete()
