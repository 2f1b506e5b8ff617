"""Several independent servers by name, each with a store of its own.

Not to be mixed up with several hosts of one store, which one client asks as if they were one.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self, TypeVar

from blitz.data.profiles import read_profiles
from blitz.data.records import BoardRecord, Event, SessionRecord, StatusRecord
from blitz.errors import BlitzError, ConfigError
from blitz.io.address import Host, ServerAddress
from blitz.io.connection import AsyncClient
from blitz.io.live_cursor import Wanted

if TYPE_CHECKING:
    from blitz.data.blocks import MessageBlock
    from blitz.data.boards import Readings

_T = TypeVar("_T")
_WAITING = 8


class Named(NamedTuple):
    """What came from one of several servers."""

    server: str
    entry: "Readings | MessageBlock | Event | BlitzError"
    """An error is the last of its server: its live view has ended."""


class Servers(Mapping[str, AsyncClient]):
    """The clients of several independent servers, by name.

    ::

        async with blitz.Servers({"bench1": "http://bench1:8999", "bench2": "http://bench2:8999"}) as servers:
            await servers["bench1"].start("warm-up")
            print(await servers.sessions())
            async for server, entry in servers.live():
                print(server, entry)

    What is asked of all answers by name, errors included: one server that is away hides nothing of the others.

    :param places: of each server what :class:`blitz.AsyncClient` takes, or such a client.
    :param options: for all clients that are made here, such as ``timeout``.
    :raises ConfigError: if there is none, or an address is none.
    """

    def __init__(
        self,
        places: Mapping[str, str | ServerAddress | Sequence[Host | str | ServerAddress] | AsyncClient],
        **options: Any,
    ) -> None:
        if not places:
            raise ConfigError('Give at least one server: Servers({"bench1": "http://bench1:8999"}).')
        self._clients = {
            name: place if isinstance(place, AsyncClient) else AsyncClient(place, **options)
            for name, place in places.items()
        }

    @classmethod
    def from_profiles(cls, *names: str, **options: Any) -> Self:
        """Make clients of the servers that ``blitz profile add`` has noted, each by the name of its profile.

        :param names: of profiles; all, when none is given.
        :raises ConfigError: if there is no such profile, or none at all, or one names no address.
        """
        profiles = read_profiles()
        chosen = [profiles.named(name) for name in names] or list(profiles.by_name.values())
        if not chosen:
            raise ConfigError("There are no profiles. 'blitz profile add NAME LINK' notes one.")
        places = {
            each.name: ServerAddress.parse(each.server, token=each.token, fingerprint=each.fingerprint)
            for each in chosen
        }
        return cls(places, **options)

    def __getitem__(self, name: str) -> AsyncClient:
        return self._clients[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._clients)

    def __len__(self) -> int:
        return len(self._clients)

    async def each(self, call: Callable[[AsyncClient], Awaitable[_T]]) -> dict[str, _T | BlitzError]:
        """Ask all servers at once, and return by name what each said, or why it did not.

        ::

            rates = await servers.each(lambda client: client.status())
        """

        async def ask(client: AsyncClient) -> _T | BlitzError:
            try:
                return await call(client)
            except BlitzError as error:
                return error

        answers = await asyncio.gather(*map(ask, self._clients.values()))
        return dict(zip(self._clients, answers, strict=True))

    async def connect(self, timeout: float | None = None) -> dict[str, StatusRecord | BlitzError]:
        """Ask all servers for their status, to see that they are there."""

        async def first(client: AsyncClient) -> StatusRecord:
            results = await client.connect(timeout)
            for result in results:
                if isinstance(result, StatusRecord):
                    return result
            assert isinstance(results[0], BlitzError)
            raise results[0]

        return await self.each(first)

    async def sessions(self, search: str = "") -> dict[str, list[SessionRecord] | BlitzError]:
        """Return the sessions of all servers, newest first; an id means a session of its own server only."""
        return await self.each(lambda client: client.sessions(search))

    async def boards(self) -> dict[str, list[BoardRecord] | BlitzError]:
        """Return the devices that each server sees."""
        return await self.each(lambda client: client.boards())

    async def live(
        self, session: Wanted = None, *, raw: bool = False, latest: bool = False, reconnect: bool = True
    ) -> AsyncIterator[Named]:
        """Iterate over what all servers record, as it comes, each entry with its server's name.

        A slow consumer holds back the sending, not the recording. Ends when the views of all have ended. To be left
        early, use it in ``contextlib.aclosing``.

        :param session: as for :meth:`blitz.AsyncClient.live`; "preview", or None for the running session.
        """
        entries: asyncio.Queue[Named | None] = asyncio.Queue(_WAITING)

        async def read(name: str, client: AsyncClient) -> None:
            options: dict[str, Any] = {"raw": raw, "latest": latest, "reconnect": reconnect}
            try:
                async with client.live(session, **options) as stream:
                    async for entry in stream:
                        await entries.put(Named(name, entry))
            except BlitzError as error:
                await entries.put(Named(name, error))
            await entries.put(None)

        readers = [asyncio.create_task(read(name, client)) for name, client in self._clients.items()]
        left = len(readers)
        try:
            while left:
                entry = await entries.get()
                if entry is None:
                    left -= 1
                else:
                    yield entry
        finally:
            for reader in readers:
                reader.cancel()
            await asyncio.gather(*readers, return_exceptions=True)

    async def close(self) -> None:
        """Close all clients; a second time is allowed."""
        for client in self._clients.values():
            await client.close()

    async def __aenter__(self) -> Self:
        try:
            await self.connect()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
