"""How a request is turned away before the application sees it: RFC 9457 problem details, on HTTP and WebSocket."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any, NamedTuple

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

ASKER = "blitz.asker"
"""Where the scope of a request that was let in says who asks: an :class:`~blitz.io.token_check.Asker`."""

SUBJECT = "blitz.subject"
"""Where that scope has a list for the name of what the call has made, for the audit trail: it is not in the path."""

_POLICY_VIOLATION = 1008


class Refusal(NamedTuple):
    """Why a request is turned away."""

    status: int
    code: str
    detail: str
    retry_s: float = 0.0
    """After which time it may be tried again, where that would help."""


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


async def refuse(scope: Scope, receive: Receive, send: Send, refusal: Refusal) -> None:
    """Answer a request, or a live connection that is being made, with a refusal."""
    start = "http.response.start"
    body = "http.response.body"
    if scope["type"] == "websocket":
        await receive()
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": refusal.code})
            return
        start, body = "websocket.http.response.start", "websocket.http.response.body"
    encoded, headers = encode(refusal)
    await send({"type": start, "status": refusal.status, "headers": headers})
    await send({"type": body, "body": encoded})


def encode(refusal: Refusal) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Return the body and the headers of the answer."""
    encoded = json.dumps(problem(refusal.status, refusal.code, refusal.detail)).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", b"%d" % len(encoded))]
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        headers.append((b"www-authenticate", b"Bearer"))
    if refusal.retry_s:
        headers.append((b"retry-after", b"%d" % max(1, round(refusal.retry_s + 0.5))))
    return encoded, headers
