"""What the window asks about devices that are no sources yet, on the worker thread's event loop."""

import contextlib

from blitz.data.source_config import SourceConfig
from blitz.errors import BlitzError
from blitz.ui.desk import Desk

FIRST_S = 3.0
"""Boards that are reset by the opening of their port are silent for up to two seconds."""
MORE_S = 0.6
KEEP_S = 10.0


class DeviceDesk(Desk):
    """Listens to devices, and adds them."""

    async def examine(self, link: str, baud: int | None) -> None:
        """Let the server listen to a device; the proposal, or why there is none, is told."""
        await self._examine(link, baud, FIRST_S)

    async def listen_on(self, link: str, baud: int | None) -> None:
        """Let it go on listening; what has come since is told."""
        await self._examine(link, baud, MORE_S)

    async def end_examining(self, link: str) -> None:
        """Let the server close the port."""
        with contextlib.suppress(BlitzError):  # it does so by itself
            await self._client().end_examining(link)

    async def _examine(self, link: str, baud: int | None, seconds: float) -> None:
        proposal, reason = None, ""
        try:
            proposal = await self._client().examine(link, baud, seconds, keep_s=KEEP_S)
        except BlitzError as error:
            reason = str(error)
        self._feed.device_examined.emit(link, proposal, reason)

    async def add(self, source: SourceConfig) -> None:
        """Configure a source; whether that was done is told."""
        await self.end_examining(source.link)
        try:
            await self._client().add_source(source)
        except BlitzError as error:
            self._feed.source_answered.emit(source.name, str(error))
            return
        self._feed.source_answered.emit(source.name, "")
        await self._ask_status()

    async def ignore(self, port: str) -> None:
        """Ask no more about a device that was found."""
        await self._client().ignore(port)
        await self._ask_status()
