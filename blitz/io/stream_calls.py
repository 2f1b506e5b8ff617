"""The client library's calls about streams: what scripts log outside recordings, and commands to what listens to them.

Owns what is a request and an answer each. A stream as an object, with indexing and subscriptions, is
:class:`~blitz.io.async_stream.AsyncStream`.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from pydantic import TypeAdapter

from blitz.data.blocks import MessageBlock
from blitz.data.plain_points import plain_points, plain_value
from blitz.data.points import Point, Points
from blitz.data.stream_records import InsertResult, PointRange, StreamCommand, StreamRecord
from blitz.errors import PointsRefused, ServerBusy, SessionNotFound, StreamNotFound
from blitz.io.address import ServerAddress
from blitz.io.calls import NOTHING, Calls, Exchange, quoted

if TYPE_CHECKING:
    from blitz.io.async_stream import AsyncStream
    from blitz.io.live_stream import LiveStream
    from blitz.io.subscription import Subscription

PAGE_POINTS = 65_536
"""So many messages come in one answer at most."""
_BUSY_ATTEMPTS = 10
_BUSY_WAIT_S = 2.0
_REASON_LENGTH = 2_000

_STREAM = TypeAdapter(StreamRecord)
_STREAMS = TypeAdapter(list[StreamRecord])
_INSERTED = TypeAdapter(InsertResult)
_RANGE = TypeAdapter(PointRange)
_COMMAND = TypeAdapter(StreamCommand)
_COMMANDS = TypeAdapter(list[StreamCommand])


class StreamCalls(Calls):
    """Making, listing, changing and deleting streams, their points and commands.

    Every call that names a stream raises :class:`~blitz.errors.StreamNotFound` where there is none of that name.
    """

    def __init__(self, address: ServerAddress, timeout_s: float, owner: str, exchange: Exchange) -> None:
        super().__init__(address, timeout_s, owner, exchange)
        self.subscriptions: set[Subscription] = set()
        """Those of this client that have not ended."""

    def __getitem__(self, name: str) -> "AsyncStream":
        """Return a stream by its name, whether or not it exists yet."""
        from blitz.io.async_stream import AsyncStream

        return AsyncStream(self, name)

    async def streams(self) -> list[StreamRecord]:
        """Return the streams of the store, by name."""
        return await self._ask(_STREAMS, "GET", "/streams")

    async def stream(self, name: str) -> StreamRecord:
        """Return what is known of a stream."""
        return await self._ask(_STREAM, "GET", _path(name))

    async def create_stream(
        self,
        name: str,
        schema: Mapping[str, Any] | None = None,
        *,
        nickname: str = "",
        description: str = "",
        unit: str = "",
        downlink: bool = False,
    ) -> StreamRecord:
        """Make a stream.

        :param name: 1 to 200 printable characters, without slashes.
        :param schema: JSON schema that each value must satisfy; anything goes where there is none.
        :param unit: of values that are numbers.
        :param downlink: whether commands can be sent to who listens to it.
        :raises StreamExists: if there is one of that name.
        :raises ServerError: if the name or the schema is none.
        """
        body = {"name": name, "schema": dict(schema or {}), "nickname": nickname, "description": description}
        return await self._ask(_STREAM, "POST", "/streams", body | {"unit": unit, "downlink": downlink})

    async def update_stream(
        self,
        name: str,
        *,
        nickname: str | None = None,
        description: str | None = None,
        unit: str | None = None,
        downlink: bool | None = None,
    ) -> StreamRecord:
        """Change what is known of a stream; None leaves it as it is."""
        wishes = {"nickname": nickname, "description": description, "unit": unit, "downlink": downlink}
        body = {field: wish for field, wish in wishes.items() if wish is not None}
        return await self._ask(_STREAM, "PATCH", _path(name), body)

    async def delete_stream(self, name: str) -> None:
        """Delete a stream and its points for good."""
        await self._ask(NOTHING, "DELETE", _path(name))

    async def insert_points(
        self,
        name: str,
        points: Iterable[Mapping[str, Any]],
        *,
        writer: str = "",
        batch: int | None = None,
        restamp: bool = False,
        partial: bool = False,
    ) -> InsertResult:
        """Append points to a stream, in one request: all of them, or none.

        :param points: dicts with ``t``, seconds since the Unix epoch, and ``d``, a value that JSON has; at most 65536.
        :param writer: who numbers its batches; with `batch`, a repeated request stores nothing and is answered as
            the first one was.
        :param batch: rises from one request of this writer to the next.
        :param restamp: give points that are older than the newest of the stream its time, instead of refusing them.
        :param partial: store those that can be stored, and report the others.
        :raises PointsRefused: if one cannot be stored, without `partial`.
        """
        body: dict[str, Any] = {"points": plain_points(points), "restamp": restamp, "partial": partial}
        if batch is not None:
            body |= {"writer": writer, "batch": batch}
        return await self._ask(_INSERTED, "POST", f"{_path(name)}/points", body, self._slow_s())

    async def stream_range(
        self, name: str, *, t1: float | None = None, t2: float | None = None, limit: int | None = None
    ) -> PointRange:
        """Return where the points of a time lie, ``t1 <= t < t2`` in seconds: the stream's id, first, stop."""
        wishes = {"t1": t1, "t2": t2, "limit": limit}
        query = urlencode({field: wish for field, wish in wishes.items() if wish is not None})
        return await self._ask(_RANGE, "GET", f"{_path(name)}/range{'?' if query else ''}{query}")

    async def stream_points(self, stream_id: int, first: int, stop: int) -> Points:
        """Return the points at the places ``first <= place < stop``, fewer where the stream ends before.

        :raises StreamNotFound: if it was deleted.
        :raises BlockError: if what lies there is no point.
        """
        points = Points()
        while first < stop:
            block = await self.stream_messages(stream_id, first, stop - first)
            if not len(block):
                break
            points.extend(Points.from_messages(block.messages(), block.first_seq))
            first = block.next_seq
        return points

    async def send_command(self, name: str, value: Any, timeout_s: float = 10.0) -> StreamCommand:
        """Send a command to who listens to a stream, and return it without waiting for what becomes of it.

        :raises ServerError: if the stream takes no commands.
        :raises PointsRefused: if the value is none that its schema allows.
        """
        try:
            body = {"d": plain_value(value), "timeout_s": timeout_s}
        except (ValueError, RecursionError) as error:
            raise PointsRefused(f"The command was not sent: {error}") from error
        return await self._ask(_COMMAND, "POST", f"{_path(name)}/commands", body)

    async def stream_commands(self, name: str, first: int | None = None) -> list[StreamCommand]:
        """Return the commands of a stream as they are now, oldest first, 1000 at most.

        :param first: from this id on; None for the newest.
        """
        return await self._ask(_COMMANDS, "GET", f"{_path(name)}/commands{'' if first is None else f'?first={first}'}")

    async def answer_command(
        self,
        name: str,
        command_id: int,
        *,
        is_done: bool = True,
        points: Sequence[Point] | None = None,
        reason: str = "",
    ) -> StreamCommand:
        """Say what became of a command.

        :param is_done: it was done: the points, or the command's own value, go into the stream; else it failed.
        :param reason: why it failed, cut where it is very long.
        :raises CommandOver: if it was answered before, or too late.
        :raises PointsRefused: if the points cannot be stored.
        """
        body: dict[str, Any] = {"state": "acknowledged" if is_done else "failed", "reason": reason[:_REASON_LENGTH]}
        body["points"] = None if points is None else plain_points(points)
        return await self._ask(_COMMAND, "POST", f"{_path(name)}/commands/{int(command_id)}/answer", body)

    async def stream_messages(self, stream_id: int, first: int, count: int = PAGE_POINTS) -> MessageBlock:
        """Return points, or states of commands, as they are stored, at most 65536 of them.

        :raises StreamNotFound: if it was deleted.
        """
        path, params = f"/sessions/{int(stream_id)}/messages", {"first": first, "count": min(count, PAGE_POINTS)}
        for attempt in range(1, _BUSY_ATTEMPTS + 1):
            try:
                return MessageBlock.decode(await self._exchange.fetch_block(path, params))
            except SessionNotFound as error:
                raise StreamNotFound("This stream was deleted while it was read.") from error
            except ServerBusy as error:  # its room is taken by other large answers
                if attempt == _BUSY_ATTEMPTS:
                    raise
                await asyncio.sleep(error.retry_after_s or _BUSY_WAIT_S)
        raise AssertionError("not reached")

    def follow_messages(self, session_id: int, first: int) -> "LiveStream[MessageBlock]":
        """Return what a stream has from a place on, and what comes, as it is stored; see AsyncClient.live()."""
        raise NotImplementedError


def _path(name: str) -> str:
    return f"/streams/{quoted(name)}"
