"""Where a live connection goes: to the one server, or to one of several over the same store."""

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from blitz.errors import BlitzError
from blitz.io.address import ServerAddress


@dataclass(frozen=True)
class LiveHost:
    """A server, and what a connection to it needs."""

    address: ServerAddress
    headers: dict[str, str]
    tls: ssl.SSLContext | None
    sound: Callable[[], Awaitable[None]]
    """Makes sure, before the headers go out, that they go to whom they are for."""


class LiveHosts(Protocol):
    """Chooses the server of each new connection."""

    async def take(self, *, acquiring: bool = False) -> LiveHost:
        """Return the next one; rather the one that acquires, where that matters."""
        ...

    def lost(self, address: ServerAddress, error: BlitzError) -> bool:
        """Take note that a connection broke; return whether another server can be taken at once."""
        ...


class OneHost:
    """The one server there is."""

    def __init__(self, host: LiveHost) -> None:
        self._host = host

    async def take(self, *, acquiring: bool = False) -> LiveHost:
        """Return it."""
        return self._host

    def lost(self, address: ServerAddress, error: BlitzError) -> bool:
        """There is no other."""
        return False
