"""What the window asks about streams, on the worker thread's event loop: lists, what is recorded, commands."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from blitz.data.blocks import MessageBlock
from blitz.data.points import Points
from blitz.data.stream_records import CommandState, StreamCommand, StreamRecord
from blitz.errors import BlitzError
from blitz.io.connection import AsyncClient
from blitz.io.subscription import read_commands
from blitz.ui.desk import Desk
from blitz.ui.feed import Feed
from blitz.ui.models.streams import StreamView

_AT_ONCE = 8
"""So many newest points are asked for at a time."""
_LOOK_BACK = 100


class StreamsDesk(Desk):
    """Lists streams, and sends commands to their downlinks."""

    def __init__(
        self, feed: Feed, client: Callable[[], AsyncClient], ask_status: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(feed, client, ask_status)
        self._is_listing = False

    async def tell(self) -> None:
        """Tell all streams with their newest points; None where the server does not say."""
        if self._is_listing:
            return
        self._is_listing = True
        try:
            client, limit = self._client(), asyncio.Semaphore(_AT_ONCE)
            streams = await client.streams()
            views = await asyncio.gather(*(_view(client, stream, limit) for stream in streams))
            self._feed.streams_listed.emit(tuple(views))
        except BlitzError:
            self._feed.streams_listed.emit(None)
        finally:
            self._is_listing = False

    async def record(self, source: str, is_recorded: bool) -> None:
        """Let the points of a stream that is shown go into sessions, or no longer."""
        await self._client().update_source(source, is_recorded=is_recorded)
        await self._ask_status()

    async def send(self, name: str, value: Any) -> None:
        """Send a command to whoever serves a stream's downlink; each state that it gets is told."""
        try:
            client = self._client()
            stream = await client.stream(name)
            command = await client.send_command(name, value)
            self._feed.stream_command_told.emit(name, command, "")
            self._feed.stream_command_told.emit(name, await _outcome(client, stream, command), "")
        except BlitzError as error:
            self._feed.stream_command_told.emit(name, None, str(error))


async def _view(client: AsyncClient, stream: StreamRecord, limit: asyncio.Semaphore) -> StreamView:
    points = Points()
    if stream.point_count:
        async with limit:
            points = await client.stream_points(stream.id, stream.point_count - 1, stream.point_count)
    return StreamView(stream, points[-1]["d"] if points else None)


async def _outcome(client: AsyncClient, stream: StreamRecord, command: StreamCommand) -> StreamCommand:
    """Wait until a command is over."""
    async with client.follow_messages(stream.downlink_id, -_LOOK_BACK) as states:
        async for entry in states:
            for state in read_commands(entry) if isinstance(entry, MessageBlock) else ():
                if state.id == command.id and state.state is not CommandState.SENT:
                    return state
    return command
