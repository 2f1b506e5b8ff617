"""Each role tried against each call: a call without a row in the table fails here."""

import asyncio
import json
import re
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import httpx
import pytest
from fastapi.routing import APIWebSocketRoute, iter_route_contexts
from starlette.routing import Mount, WebSocketRoute
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from blitz import AsyncClient, Client
from blitz.data.access_records import TokenRecord
from blitz.data.audit import AuditStore
from blitz.data.records import Role
from blitz.data.tokens import TokenStore
from blitz.errors import Forbidden, UnknownToken
from blitz.io.address import ServerAddress
from blitz.io.api import create_app
from blitz.io.audit_trail import AuditTrail
from blitz.io.guard import Guard
from blitz.io.roles import OPEN_ON_LOOPBACK, ROLES, WEBSOCKET, may, needed_role
from blitz.io.token_book import STALE_S, TokenBook

SETTING = "the-setting-token-of-an-admin"
EVERYBODY = (None, Role.VIEWER, Role.OPERATOR, Role.ADMIN)
ROWS = sorted(ROLES, key=str)


def example(template: str) -> str:
    """A path that fits a template."""
    return re.sub(r"\{[^}]*\}", "7", template)


def routes() -> set[tuple[str, str]]:
    """Method and template of each call of the application."""
    app = create_app(MagicMock(), MagicMock())
    found: set[tuple[str, str]] = set()
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        assert context.path is not None
        if isinstance(route, Mount):
            found.add(("GET", f"{context.path}/{{path:path}}"))
        elif isinstance(route, WebSocketRoute | APIWebSocketRoute):
            found.add((WEBSOCKET, context.path))
        else:
            found |= {(method, context.path) for method in context.methods or () if method != "HEAD"}
    return found


def test_each_call_has_a_row() -> None:
    """A call that is not in the table is for admins only, and unheard-of to the others: give it a row."""
    without_a_row = routes() - set(ROLES)
    assert not without_a_row, f"calls without a row in blitz/io/roles.py: {sorted(without_a_row)}"


def test_the_calls_of_a_real_server_have_rows(server: Any) -> None:
    schema = httpx.get(f"{server.url}/openapi.json", trust_env=False, timeout=60).json()
    calls = {(method.upper(), path) for path, methods in schema["paths"].items() for method in methods}
    assert ("POST", "/api/v1/sessions") in calls
    assert not calls - set(ROLES)


def test_what_changes_something_needs_more_than_a_viewer() -> None:
    for (method, template), role in ROLES.items():
        if method not in ("GET", WEBSOCKET) and template != "/api/v1/query":  # SQL that can only read
            assert role in (Role.OPERATOR, Role.ADMIN), template
        if role is None:
            assert not template.startswith("/api/") or template == "/api/v1/health"
    for path in ("/tokens", "/audit"):
        assert needed_role("GET", f"/api/v1{path}") is Role.ADMIN


def test_the_table_finds_what_the_router_would() -> None:
    assert needed_role("GET", "/api/v1/audit\n") is Role.ADMIN  # the router's pattern takes a line feed, too
    assert needed_role("HEAD", "/docs") is None
    for path in ("/api/v1/audit/", "//api/v1/audit", "/api/v1/Audit", "/api/v1/tokens/1/2", ""):
        with pytest.raises(LookupError):
            needed_role("GET", path)


class Guarded:
    """A guard before an application that notes whatever gets to it."""

    def __init__(self) -> None:
        self.tokens = TokenStore(":memory:")
        self.audit = AuditStore(":memory:")
        self.trail = AuditTrail(self.audit)
        self.by_role: dict[Role | None, str | None] = {None: None}
        self.by_role |= {role: self.tokens.create(role, f"a {role}")[1] for role in Role}
        self.arrived: list[dict[str, Any]] = []

    def guard(self, **options: Any) -> Guard:
        options = {"is_loopback": False, "book": TokenBook(self.tokens), "trail": self.trail} | options
        return Guard(self._app, ("bench",), options.pop("token", None), **options)

    def close(self) -> None:
        self.trail.stop()
        self.audit.close()
        self.tokens.close()

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        self.arrived.append(dict(scope))
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            while (await receive())["type"] != "websocket.disconnect":
                pass
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def guarded() -> Iterator[Guarded]:
    guarded = Guarded()
    yield guarded
    guarded.close()


async def ask(
    guard: Guard, method: str, path: str, token: str | None, address: str = "10.0.0.7", **headers: str
) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Send a request; return status, problem details and headers of the answer."""
    sent: list[dict[str, Any]] = []
    fields = [(b"host", b"bench:8999")]
    fields += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    if token is not None:
        fields.append((b"authorization", f"Bearer {token}".encode()))
    scope: dict[str, Any] = {"type": "http", "method": method, "path": path, "headers": fields}
    if method == WEBSOCKET:
        scope |= {"type": "websocket", "extensions": {"websocket.http.response": {}}}
    scope["client"] = (address, 50000)
    incoming = iter(({"type": "websocket.connect"}, {"type": "websocket.disconnect"}))

    async def receive() -> dict[str, Any]:
        return next(incoming) if method == WEBSOCKET else {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    await guard(scope, receive, send)
    first = sent[0]
    status = 101 if first["type"] == "websocket.accept" else int(first["status"])
    body = sent[1].get("body", b"") if len(sent) > 1 else b""
    answered = {name.decode(): value.decode() for name, value in first.get("headers", ())}
    return status, json.loads(body or b"{}"), answered


@pytest.mark.parametrize(("method", "template"), ROWS)
def test_each_role_is_tried_against_each_call(guarded: Guarded, method: str, template: str) -> None:
    needed = ROLES[method, template]

    async def try_all() -> None:
        guard = guarded.guard()
        for role in EVERYBODY:
            guarded.arrived.clear()
            status, details, _ = await ask(guard, method, example(template), guarded.by_role[role])
            if may(role, needed):
                assert status == (101 if method == WEBSOCKET else 200), role
                assert len(guarded.arrived) == 1
            else:
                assert not guarded.arrived, role
                expected = (401, "authentication") if role is None else (403, "forbidden")
                assert (status, details["code"]) == expected
                if role is not None:
                    assert f"needs the role {needed}" in details["detail"]

    asyncio.run(try_all())


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW", WEBSOCKET])
def test_an_unlisted_call_is_unheard_of_for_all_but_admins(guarded: Guarded, method: str) -> None:
    async def try_all() -> None:
        guard = guarded.guard()
        for role, expected in zip(EVERYBODY, (401, 404, 404, 101 if method == WEBSOCKET else 200), strict=True):
            assert (await ask(guard, method, "/api/v1/unheard-of", guarded.by_role[role]))[0] == expected

    asyncio.run(try_all())


def run(coroutine: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(coroutine())  # type: ignore[arg-type]


def test_on_loopback_everybody_is_an_admin_but_a_token_counts(guarded: Guarded) -> None:
    async def check() -> None:
        guard = guarded.guard(is_loopback=True)
        assert (await ask(guard, "GET", "/api/v1/audit", None))[0] == 200
        assert (await ask(guard, "GET", "/api/v1/audit", guarded.by_role[Role.VIEWER]))[0] == 403
        assert (await ask(guard, "GET", "/api/v1/audit", "blz_wrong"))[0] == 401

    run(check)


def test_the_setting_token_is_an_admins_and_needed_on_loopback_too(guarded: Guarded) -> None:
    async def check() -> None:
        guard = guarded.guard(is_loopback=True, token=SETTING)
        assert (await ask(guard, "GET", "/api/v1/audit", None))[0] == 401
        assert (await ask(guard, "GET", "/api/v1/audit", SETTING))[0] == 200
        assert (await ask(guard, "GET", "/api/v1/status", SETTING[:-1]))[0] == 401
        for path in OPEN_ON_LOOPBACK:
            assert (await ask(guard, "GET", path, None))[0] == 200
            assert (await ask(guarded.guard(), "GET", path, None))[0] == 401

    run(check)


def test_a_tokens_name_goes_before_what_the_asker_calls_itself(guarded: Guarded) -> None:
    async def check() -> None:
        name = {"X_Blitz_Owner": "the%20boss"}
        await ask(guarded.guard(), "GET", "/api/v1/status", guarded.by_role[Role.OPERATOR], **name)
        await ask(guarded.guard(is_loopback=True), "GET", "/api/v1/status", None, **name)

    run(check)
    with_token, without = guarded.arrived
    owners = [value for key, value in with_token["headers"] if key.lower() == b"x-blitz-owner"]
    assert owners == [b"a%20operator"]
    assert (b"X-Blitz-Owner", b"the%20boss") in without["headers"]
    assert without["blitz.asker"].name == "the boss"


def test_a_token_is_taken_as_soon_as_it_is_made_and_refused_once_it_is_revoked(guarded: Guarded) -> None:
    async def check() -> None:
        guard = guarded.guard()
        record, token = guarded.tokens.create(Role.VIEWER)
        assert (await ask(guard, "GET", "/api/v1/status", token))[0] == 200
        guarded.tokens.revoke(record.id)
        deadline_s = asyncio.get_running_loop().time() + 30
        while (await ask(guard, "GET", "/api/v1/status", token))[0] != 401:
            assert asyncio.get_running_loop().time() < deadline_s
            await asyncio.sleep(0.05)
        while guarded.tokens.tokens()[-1].last_used_at is None:
            assert asyncio.get_running_loop().time() < deadline_s
            await asyncio.sleep(0.05)

    run(check)


def test_no_request_waits_for_whoever_writes_the_tables(guarded: Guarded, tmp_path: Path) -> None:
    async def check() -> None:
        guard = guarded.guard(book=TokenBook(tokens))
        writing = sqlite3.connect(tokens.path, isolation_level=None)
        writing.execute("BEGIN EXCLUSIVE")
        began_s = asyncio.get_running_loop().time()
        for _ in range(3):
            assert (await ask(guard, "GET", "/api/v1/status", token))[0] == 200
            await asyncio.sleep(STALE_S)
        assert asyncio.get_running_loop().time() - began_s < 10  # who waits for the writer gives up after ten
        writing.execute("ROLLBACK")
        writing.close()

    with TokenStore(tmp_path / "server.db") as tokens:
        _, token = tokens.create(Role.VIEWER)
        run(check)


def test_wrong_tokens_are_slowed_where_they_come_from_and_nowhere_else(guarded: Guarded) -> None:
    async def check() -> None:
        guard = guarded.guard(token=SETTING)
        answers = [await ask(guard, "GET", "/api/v1/status", f"blz_{n}") for n in range(20)]
        codes = [(status, details["code"]) for status, details, _ in answers]
        assert codes[:5] == [(401, "authentication")] * 5
        assert codes[-1] == (429, "busy")
        assert 1 <= int(answers[-1][2]["retry-after"]) <= 31
        viewer = guarded.by_role[Role.VIEWER]
        assert (await ask(guard, "GET", "/api/v1/status", viewer))[0] == 200, "nobody guesses such a token"
        assert (await ask(guard, "GET", "/api/v1/status", SETTING))[0] == 429, "a chosen one waits with the wrong ones"
        assert (await ask(guard, "GET", "/api/v1/status", SETTING, "10.0.0.8"))[0] == 200
        assert (await ask(guard, "GET", "/api/v1/status", "blz_x", "10.0.0.8"))[0] == 401

    run(check)


def test_what_is_changed_and_what_is_refused_stands_in_the_audit_trail(
    guarded: Guarded, caplog: pytest.LogCaptureFixture
) -> None:
    async def check() -> None:
        guard = guarded.guard()
        operator, viewer = guarded.by_role[Role.OPERATOR], guarded.by_role[Role.VIEWER]
        await ask(guard, "POST", "/api/v1/sessions/7/stop", operator)
        await ask(guard, "GET", "/api/v1/status", operator)
        await ask(guard, "POST", "/api/v1/query", viewer)  # it can only read
        await ask(guard, "POST", "/api/v1/sessions/8/stop", viewer)
        for number in range(30):
            await ask(guard, "DELETE", "/api/v1/sessions/9\n", f"blz_secret{number}", "10.0.0.9")

    run(check)
    guarded.trail.stop()
    rows = [(row.who, row.origin, row.what, row.status, row.outcome, row.count > 1) for row in guarded.audit.last(100)]
    assert rows[0] == ("a operator", "10.0.0.7", "POST /api/v1/sessions/7/stop", 200, "done", False)
    assert rows[1] == ("a viewer", "10.0.0.7", "POST /api/v1/sessions/8/stop", 403, "forbidden", False)
    assert rows[2] == ("", "10.0.0.9", "DELETE /api/v1/sessions/9?", 401, "refused", False)
    assert len(rows) == 5 + (rows[-1][5] and rows[-2][5])
    assert sum(row.count for row in guarded.audit.last(100)) == 32
    warnings = [record.getMessage() for record in caplog.records if "Refused" in record.getMessage()]
    assert len(warnings) == 1
    assert "secret" not in caplog.text


def test_points_put_in_again_and_again_are_told_together(guarded: Guarded) -> None:
    async def check() -> None:
        guard, operator = guarded.guard(), guarded.by_role[Role.OPERATOR]
        for number in range(20):
            await ask(guard, "POST", f"/api/v1/streams/oven{number % 2}/points", operator)

    run(check)
    guarded.trail.stop()
    assert [(row.what, row.count) for row in guarded.audit.last(100)] == [
        ("POST /api/v1/streams/oven0/points", 1),
        ("POST /api/v1/streams/…/points", 19),
    ]


def test_a_live_connection_ends_when_its_token_is_revoked(guarded: Guarded) -> None:
    record, token = guarded.tokens.create(Role.VIEWER)
    sent: list[dict[str, Any]] = []

    async def check() -> None:
        connected = asyncio.Event()
        never = asyncio.Event()

        async def receive() -> dict[str, Any]:
            if connected.is_set():
                await never.wait()
            connected.set()
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"host", b"bench"), (b"authorization", f"Bearer {token}".encode())]
        scope = {"type": "websocket", "path": "/api/v1/live", "headers": headers, "client": ("10.0.0.7", 1)}
        live = asyncio.create_task(guarded.guard()(scope, receive, send))
        await asyncio.wait_for(connected.wait(), 30)
        guarded.tokens.revoke(record.id)
        await asyncio.wait_for(live, 30)

    run(check)
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.close"]


def _read_on(connection: ClientConnection) -> None:
    while True:
        connection.recv(30)


def test_the_roles_of_a_real_server_hold_on_http_and_websocket(server: Any) -> None:
    with httpx.Client(base_url=f"{server.url}/api/v1", trust_env=False, timeout=60) as http:
        assert http.get("/whoami").json() == {"name": "local", "role": "admin"}
        made = {role: http.post("/tokens", json={"role": role, "name": f"a {role}"}).json() for role in Role}
        assert http.post("/tokens", json={"role": "emperor"}).status_code == 422
        host = httpx.URL(server.url)
        assert made[Role.VIEWER]["link"] == f"blitz://127.0.0.1:{host.port}/#{made[Role.VIEWER]['token']}"

        def bearing(role: Role) -> dict[str, str]:
            return {"authorization": f"Bearer {made[role]['token']}"}

        viewer = bearing(Role.VIEWER)
        assert http.get("/whoami", headers=viewer).json() == {"name": "a viewer", "role": "viewer"}
        refused = http.post("/sessions", json={}, headers=viewer)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert http.get("/status", headers=viewer).json().get("session") is None
        started = http.post("/sessions", json={"owner": "the boss"}, headers=bearing(Role.OPERATOR)).json()
        assert started["session"]["owner"] == "a operator"
        http.post(f"/sessions/{started['session']['id']}/stop", headers=bearing(Role.OPERATOR)).raise_for_status()
        assert http.get("/audit", headers=bearing(Role.OPERATOR)).status_code == 403

        live = server.url.replace("http://", "ws://") + "/api/v1/live"
        with connect(live, proxy=None, open_timeout=30, additional_headers=viewer) as connection:
            connection.recv(30)
            revoked = http.delete(f"/tokens/{made[Role.VIEWER]['record']['id']}").json()
            assert revoked["revoked_at"]
            with pytest.raises(ConnectionClosed):
                _read_on(connection)
        with (
            pytest.raises(InvalidStatus) as turned_away,
            connect(live, proxy=None, open_timeout=30, additional_headers=viewer),
        ):
            pass
        assert turned_away.value.response.status_code == 401
        assert http.delete("/tokens/999").json()["code"] == "unknown_token"
        assert http.delete(f"/tokens/{1 << 64}").status_code == 422

        whats = [(row["who"], row["what"], row["status"]) for row in http.get("/audit").json()]
        assert ("a viewer", "POST /api/v1/sessions", 403) in whats
        assert ("a operator", f"POST /api/v1/sessions {started['session']['id']}", 201) in whats
        assert ("local", f"POST /api/v1/tokens {made['viewer']['record']['id']}, a viewer, viewer", 201) in whats
    assert made[Role.VIEWER]["token"].encode() not in server.log_path.read_bytes()


def test_tokens_are_made_listed_and_revoked_by_the_client_library(server: Any) -> None:
    async def make_two(link: str) -> list[TokenRecord]:
        async with AsyncClient(link) as client:
            await client.create_token("operator", "bench")
            unnamed = await client.create_token(Role.VIEWER)
            with pytest.raises(ValueError):
                await client.create_token("emperor")
            assert (await client.revoke_token(unnamed.record.id)).revoked_at is not None
            return [token for token in await client.tokens() if token.id >= unnamed.record.id - 1]

    with Client(server.url) as client:
        made = client.create_token("admin", "the boss")
        address = ServerAddress.parse(made.link)
        assert (str(address), address.token) == (server.url, made.token)
        listed = asyncio.run(make_two(made.link))
        assert [(token.role, bool(token.revoked_at)) for token in listed] == [("operator", False), ("viewer", True)]
        assert listed[0].name == "bench"
        assert listed[1].name.startswith("viewer of ")
        assert made.record.id in [token.id for token in client.tokens()]
        with Client(server.url, token=client.create_token("viewer").token) as viewer:
            assert viewer.whoami().role is Role.VIEWER
            with pytest.raises(Forbidden):
                viewer.create_token("viewer")
        assert client.revoke_token(made.record.id).revoked_at is not None
        with pytest.raises(UnknownToken):
            client.revoke_token(10**6)
