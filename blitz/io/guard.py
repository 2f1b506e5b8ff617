"""Who may talk to the server at all, and what each may do: decided before any call is looked at.

A web page that an operator visits can make the browser send requests to this machine, and can even give them a name
of its own (DNS rebinding). So a request must name a host that is ours, and one that comes from a page must come from
our own page. Then comes the token, and what its role allows. Holds for HTTP and WebSocket alike.
"""

import json
from collections.abc import Iterable, MutableMapping
from contextlib import suppress
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import anyio

from blitz.data.audit import AuditEntry, Outcome, now_ms
from blitz.data.records import Role
from blitz.data.source_records import OWNER_HEADER
from blitz.errors import AuthenticationError, Forbidden
from blitz.io.audit_trail import AuditTrail
from blitz.io.page_origin import OwnNames
from blitz.io.refusal import ASKER, SUBJECT, AsgiApp, Receive, Refusal, Scope, Send, problem, refuse
from blitz.io.roles import OPEN_ON_LOOPBACK, WEBSOCKET, changes_nothing, is_putting_in_data, may, needed_role
from blitz.io.token_book import TokenBook
from blitz.io.token_check import Asker, TokenCheck

__all__ = ["Guard", "Receive", "Scope", "Send", "problem"]

_OWNER = OWNER_HEADER.lower().encode()
_SHOWN_PATH = 200
_POINTS = "POST /api/v1/streams/…/points"
_POLICY_VIOLATION = 1008
_REVOKED = json.dumps(
    {"code": AuthenticationError.code, "detail": "The token was revoked. Ask an admin for a new link."}
)
"""Problem details, as short as the reason of a WebSocket's end must be."""


class Guard:
    """ASGI middleware that turns away foreign pages, strangers, and calls that the asker's role does not allow.

    :param hosts: names and addresses of this server besides the loopback ones, without ports.
    :param token: one more token, of an admin; None: there is none.
    :param book: the tokens that were made.
    :param trail: where what is changed and what is refused is kept.
    :param is_loopback: only programs of this machine can connect: without a token they are admins, unless the setting
        ``token`` says otherwise.
    """

    def __init__(
        self,
        app: AsgiApp,
        hosts: Iterable[str] = (),
        token: str | None = None,
        *,
        book: TokenBook | None = None,
        trail: AuditTrail | None = None,
        is_loopback: bool = True,
    ) -> None:
        self._app = app
        self._names = OwnNames(hosts)
        self._book = book
        self._trail = trail
        self._is_loopback = is_loopback
        self._tokens = TokenCheck(token, book, is_token_needed=token is not None or not is_loopback)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        method = WEBSOCKET if scope["type"] == "websocket" else scope["method"]
        needed, is_known = _needed(method, scope["path"])
        asker: Asker | None = None
        refusal = self._names.refusal(headers)
        if refusal is None and not self._is_open(needed, is_known, scope["path"]):
            admitted = await self._tokens.admit(headers, _address(scope))
            if isinstance(admitted, Refusal):
                refusal = admitted
            else:
                asker = admitted
                refusal = None if may(asker.role, needed) else _forbidden(asker, needed, is_known, method, scope)
        if refusal is not None:
            self._note_refusal(scope, method, asker, refusal)
            await refuse(scope, receive, send, refusal)
            return
        if asker is not None:
            scope[ASKER] = asker
            if asker.bearer is not None:
                _set_owner(scope, asker.bearer.name)
        if scope["type"] == "websocket":
            await self._serve_live(scope, receive, send, asker)
        elif changes_nothing(method, needed):
            await self._app(scope, receive, send)
        else:
            await self._serve_change(scope, receive, send, asker)

    def _is_open(self, needed: Role | None, is_known: bool, path: str) -> bool:
        return is_known and (needed is None or (self._is_loopback and path in OPEN_ON_LOOPBACK))

    async def _serve_live(self, scope: Scope, receive: Receive, send: Send, asker: Asker | None) -> None:
        """Pass a live connection on; it ends when its token is revoked."""
        if self._book is None or asker is None or asker.bearer is None:
            await self._app(scope, receive, send)
            return
        with anyio.CancelScope() as watched, self._book.watch(asker.bearer, watched.cancel):
            await self._app(scope, receive, send)
        if watched.cancelled_caught:
            with suppress(RuntimeError):  # it was closed already
                await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": _REVOKED})

    async def _serve_change(self, scope: Scope, receive: Receive, send: Send, asker: Asker | None) -> None:
        """Pass a call on that may change something, and note it."""
        status = 0

        async def send_and_look(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        begun_ms = now_ms()
        subject: list[str] = []
        scope[SUBJECT] = subject
        try:
            await self._app(scope, receive, send_and_look)
        finally:
            if self._trail is not None:
                outcome = Outcome.DONE if 0 < status < 400 else Outcome.FAILED
                entry = _entry(begun_ms, scope, scope["method"], asker, status, outcome)
                entry = replace(entry, what=" ".join((entry.what, *subject)))
                if is_putting_in_data(scope["method"], scope["path"]):
                    self._trail.note_data(entry, _POINTS)
                else:
                    self._trail.note(entry)

    def _note_refusal(self, scope: Scope, method: str, asker: Asker | None, refusal: Refusal) -> None:
        if self._trail is None or refusal.status == 404:
            return
        outcome = Outcome.REFUSED if asker is None else Outcome.FORBIDDEN
        entry = _entry(now_ms(), scope, method, asker, refusal.status, outcome)
        self._trail.note_refusal(entry, refusal.code)


def _needed(method: str, path: str) -> tuple[Role | None, bool]:
    """Return the role, and whether there is such a call: what is not in the table, only admins get to."""
    try:
        return needed_role(method, path), True
    except LookupError:
        return Role.ADMIN, False


def _forbidden(asker: Asker, needed: Role | None, is_known: bool, method: str, scope: Scope) -> Refusal:
    if not is_known:
        return Refusal(404, "not_found", f"{method} {scope['path']}: Not Found.")
    return Refusal(
        403,
        Forbidden.code,
        f"This needs the role {needed}, and the token {asker.name!r} has the role {asker.role}. "
        f"Ask an admin for a link made with 'blitz token create --role {needed}'.",
    )


def _set_owner(scope: Scope, name: str) -> None:
    """With a token, its name is who: nobody acts under another name."""
    others = [(key, value) for key, value in scope["headers"] if key.lower() != _OWNER]
    scope["headers"] = [*others, (_OWNER, quote(name).encode())]


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else "local"


def _entry(begun_ms: int, scope: Scope, method: str, asker: Asker | None, status: int, outcome: Outcome) -> AuditEntry:
    path = "".join(char if char.isprintable() else "?" for char in scope["path"][:_SHOWN_PATH])
    return AuditEntry(begun_ms, asker.name if asker else "", _address(scope), f"{method} {path}", status, outcome)
