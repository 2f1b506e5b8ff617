"""Who may talk to the server at all: the check of Host, Origin and token, before any call is looked at.

A web page that an operator visits can make the browser send requests to this machine, and can even give them a name
of its own (DNS rebinding). So a request must name a host that is ours, and one that comes from a page must come from
our own page. Holds for HTTP and WebSocket alike.
"""

import hmac
import ipaddress
import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from blitz.config import LOOPBACK_HOSTS
from blitz.errors import AuthenticationError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

_OPEN_PATHS = ("/docs", "/redoc", "/openapi.json", "/static-offline-docs/", "/api/v1/health")
"""The API's own documentation tells nothing of this server; its health is for supervisors, which have no token."""


def problem(status: int, code: str, detail: str, **more: Any) -> dict[str, Any]:
    """Return RFC 9457 problem details."""
    return {
        "type": f"urn:blitz:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        **more,
    }


class Guard:
    """ASGI middleware that turns away requests from foreign pages and without the token.

    :param hosts: names and addresses of this server besides the loopback ones, without ports.
    :param token: what every request must bear; None asks for nothing.
    """

    def __init__(self, app: AsgiApp, hosts: Iterable[str] = (), token: str | None = None) -> None:
        self._app = app
        self._hosts = {host.lower() for host in (*LOOPBACK_HOSTS, *hosts)}
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] in ("http", "websocket"):
            refusal = self._refusal(scope)
            if refusal is not None:
                await _refuse(scope, receive, send, refusal)
                return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> dict[str, Any] | None:
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "")
        if not self._is_ours(_hostname(host)):
            return problem(
                421,
                "wrong_host",
                f"This server is not called {host!r}. If it should be, name it in its setting allowed_hosts "
                "(BLITZ_ALLOWED_HOSTS).",
            )
        origin = headers.get(b"origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return problem(403, "foreign_origin", f"Pages from {origin} may not talk to this server.")
        if self._token is not None and not scope["path"].startswith(_OPEN_PATHS):
            given = headers.get(b"authorization", "")
            if not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
                return problem(
                    401,
                    AuthenticationError.code,
                    "The token is missing or wrong. Give the server's, with BLITZ_TOKEN or as token.",
                )
        return None

    def _is_ours(self, hostname: str | None) -> bool:
        """An address is as good as a name of ours: only a name can be made to lead here by somebody else."""
        if hostname is None:
            return False
        try:
            ipaddress.ip_address(hostname)
        except ValueError:
            return hostname in self._hosts
        return True


def _hostname(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


async def _refuse(scope: Scope, receive: Receive, send: Send, refusal: dict[str, Any]) -> None:
    start = "http.response.start"
    body = "http.response.body"
    if scope["type"] == "websocket":
        await receive()
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 1008, "reason": refusal["code"]})
            return
        start, body = "websocket.http.response.start", "websocket.http.response.body"
    headers = [(b"content-type", b"application/problem+json")]
    if refusal["status"] == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": start, "status": refusal["status"], "headers": headers})
    await send({"type": body, "body": json.dumps(refusal).encode()})
