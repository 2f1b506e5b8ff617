"""The page for a phone: what stands in the folder ``page``, served as it is to whoever asks.

It tells nothing of this server: what it shows, it asks for with the token of whoever looks. It needs no other server,
and its policy lets the browser run nothing but its own files.
"""

import hashlib
from importlib.resources import files
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Header, Response
from starlette.exceptions import HTTPException

_TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}
_POLICY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",  # kept, and asked for each time: another version of the server has another page
}


class _File(NamedTuple):
    content: bytes
    kind: str
    tag: str


def page_calls() -> APIRouter:
    """Return the calls, ``/`` and ``/page/{name}``."""
    calls = APIRouter(include_in_schema=False)
    folder = files("blitz.io") / "page"
    there = {
        path.name: _File(path.read_bytes(), _TYPES[path.name.rpartition(".")[2]], _tag(path.read_bytes()))
        for path in folder.iterdir()
        if path.name.rpartition(".")[2] in _TYPES
    }

    @calls.get("/")
    async def read_page(if_none_match: Annotated[str, Header()] = "") -> Response:
        """Return the page."""
        return _answer(there["index.html"], if_none_match)

    @calls.get("/page/{name}")
    async def read_part(name: str, if_none_match: Annotated[str, Header()] = "") -> Response:
        """Return what the page consists of."""
        if name not in there:
            raise HTTPException(404)
        return _answer(there[name], if_none_match)

    return calls


def _answer(file: _File, known: str) -> Response:
    headers = _POLICY | {"ETag": file.tag}
    if file.tag in known:
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.kind, headers=headers)


def _tag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:20]}"'
