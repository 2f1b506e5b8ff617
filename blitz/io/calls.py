"""What every call of the client library goes through.

Owns how a call becomes a request and an answer becomes records. The calls themselves stand in classes that derive from
:class:`Calls`, one a subject; :class:`blitz.AsyncClient` is all of them together.
"""

import contextlib
import getpass
import socket
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from blitz.errors import ServerError
from blitz.io.address import ServerAddress
from blitz.io.exchange import closed_error

_T = TypeVar("_T")
_SLOW_S = 15.0
"""A scan takes up to 5 s on the server, and a board's command, or its port, up to as long as the board likes."""

NOTHING: TypeAdapter[None] = TypeAdapter(None)


class Exchange(Protocol):
    """What sends requests: to one server (:class:`~blitz.io.exchange.HttpExchange`), or to one of several."""

    async def fetch_json(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, timeout_s: float | None = None
    ) -> tuple[int, Any]:
        """Send a request and return the status and the decoded answer."""
        ...

    async def fetch_block(self, path: str, params: Mapping[str, Any]) -> bytes:
        """Ask for an encoded block or table."""
        ...

    async def fetch_content(self, path: str, params: Mapping[str, Any], accept: str) -> tuple[str, bytes]:
        """Ask for bytes in one of several forms."""
        ...

    def not_understood(self, what: str, status: int) -> ServerError:
        """Return the error for an answer that is not in our language."""
        ...

    async def close(self) -> None:
        """Close the connections."""


class Calls:
    """A connection to one server, or to several over one store, and how they are asked.

    :param owner: who asks, where a call does not say.
    """

    def __init__(self, address: ServerAddress, timeout_s: float, owner: str, exchange: Exchange) -> None:
        self.address = address
        self.owner = owner
        self._timeout_s = timeout_s
        self._exchange = exchange
        self._is_closed = False
        self._is_known = False

    @property
    def is_closed(self) -> bool:
        """Whether the connection was closed."""
        return self._is_closed

    def _slow_s(self) -> float:
        return max(self._timeout_s, _SLOW_S)

    async def _ask(
        self,
        kind: TypeAdapter[_T],
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
    ) -> _T:
        if self._is_closed:
            raise closed_error(self.address)
        status, answer = await self._exchange.fetch_json(method, path, body, timeout_s)
        self._is_known = True
        return self._read(kind, answer, f"{method} {path}", status)

    def _read(self, kind: TypeAdapter[_T], answer: Any, what: str, status: int) -> _T:
        try:
            return kind.validate_python(answer)
        except ValidationError as error:
            raise self._exchange.not_understood(what, status) from error


def quoted(name: str) -> str:
    """Return a name as one part of a path."""
    return quote(name, safe="")


def default_owner() -> str:
    """Return who asks, when nobody says: user and machine."""
    user = "someone"
    with contextlib.suppress(OSError, KeyError, ImportError):
        user = getpass.getuser()
    return f"{user}@{socket.gethostname()}"
