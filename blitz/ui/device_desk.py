"""What the window asks about devices that are no sources yet, on the worker thread's event loop."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Callable

from blitz.data.source_config import SourceConfig
from blitz.errors import BlitzError, SourceUnavailable
from blitz.io.connection import AsyncClient
from blitz.ui.desk import Desk
from blitz.ui.feed import Feed

FIRST_S = 3.0
"""Boards that are reset by the opening of their port are silent for up to two seconds."""
MORE_S = 0.6
KEEP_S = 10.0


class DeviceDesk(Desk):
    """Listens to devices, and adds them.

    A server listens to a device once at a time: what is asked of one goes there in the order in which it was asked.
    """

    def __init__(
        self, feed: Feed, client: Callable[[], AsyncClient], ask_status: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(feed, client, ask_status)
        self._endings: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._listenings: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._ended: defaultdict[str, int] = defaultdict(int)
        """How often each link was ended: what was asked before says nothing any more."""

    async def examine(self, link: str, baud: int | None) -> None:
        """Let the server listen to a device; the proposal, or why there is none, is told."""
        await self._examine(link, baud, FIRST_S)

    async def listen_on(self, link: str, baud: int | None) -> None:
        """Let it go on listening; what has come since is told."""
        await self._examine(link, baud, MORE_S)

    async def end_examining(self, link: str) -> None:
        """Let the server close the port."""
        self._ended[link] += 1
        async with self._endings[link]:
            with contextlib.suppress(BlitzError):  # it does so by itself
                await self._client().end_examining(link)

    async def _examine(self, link: str, baud: int | None, seconds: float) -> None:
        proposal, reason, ended = None, "", self._ended[link]
        async with self._endings[link]:
            pass  # an end that was asked for before must not end this
        try:
            async with self._listenings[link]:
                proposal = await self._client().examine(link, baud, seconds, keep_s=KEEP_S)
        except BlitzError as error:
            reason = str(error)
        if ended == self._ended[link]:
            self._feed.device_examined.emit(link, proposal, reason)

    async def add(self, source: SourceConfig, later: bool = False) -> None:
        """Configure a source; whether that was done is told.

        :param later: whether it can be opened now or not.
        """
        await self.end_examining(source.link)
        try:
            await self._client().add_source(source, later=later)
        except SourceUnavailable as error:
            self._feed.source_unavailable.emit(source, str(error))
            return
        except BlitzError as error:
            self._feed.source_answered.emit(source.name, str(error))
            return
        self._feed.source_answered.emit(source.name, "")
        await self._ask_status()

    async def ignore(self, port: str) -> None:
        """Ask no more about a device that was found."""
        await self._client().ignore(port)
        await self._ask_status()
