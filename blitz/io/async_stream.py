"""One stream of a server as an object, for asyncio: its points by place and time, subscriptions, commands."""

import operator
import time
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, overload

from blitz.data.blocks import MessageBlock
from blitz.data.plain_points import cut_points, plain_points, seconds_of
from blitz.data.points import Point, Points
from blitz.data.stream_records import CommandState, InsertResult, StreamCommand, StreamRecord, check_stream_name
from blitz.errors import ConfigError, SeriesError, SessionNotFound, StreamNotFound
from blitz.io.stream_calls import PAGE_POINTS
from blitz.io.subscription import Callback, Caller, LoopCaller, Subscription, read_commands

if TYPE_CHECKING:
    from blitz.data.markers import Moment
    from blitz.io.stream_calls import StreamCalls

_LOOK_BACK = 1_000
"""So many states of commands before the end are looked through for commands that still wait for an answer."""


class AsyncStream:
    """A stream, whether or not it exists yet: ``client["temperature"]``.

    ::

        stream = client["temperature"]
        if not await stream.exists():
            await stream.create({"type": "number"}, unit="°C")
        await stream.insert(21.5)
        last = await stream[-5:]

    What needs the stream raises :class:`~blitz.errors.StreamNotFound` where it does not exist. Places in it count from
    0, or from its end where they are below 0.
    """

    def __init__(self, calls: "StreamCalls", name: str) -> None:
        if not isinstance(name, str):
            raise ConfigError(f"A stream is found by its name, and {name!r} is none.")
        try:
            self.name = check_stream_name(name)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        self._calls = calls

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r} of {self._calls.address})"

    async def record(self) -> StreamRecord:
        """Return what is known of it: schema, nickname, description, unit, downlink, number of points."""
        return await self._calls.stream(self.name)

    async def exists(self) -> bool:
        """Whether the server has it."""
        try:
            await self.record()
        except StreamNotFound:
            return False
        return True

    async def create(
        self,
        schema: Mapping[str, Any] | None = None,
        nickname: str = "",
        description: str = "",
        unit: str = "",
        *,
        downlink: bool = False,
    ) -> StreamRecord:
        """Make it.

        :param schema: JSON schema that each value must satisfy, such as ``{"type": "number"}``.
        :param downlink: whether it takes commands.
        :raises StreamExists: if it is there.
        """
        create = self._calls.create_stream
        return await create(self.name, schema, nickname=nickname, description=description, unit=unit, downlink=downlink)

    async def update(
        self,
        *,
        nickname: str | None = None,
        description: str | None = None,
        unit: str | None = None,
        downlink: bool | None = None,
    ) -> StreamRecord:
        """Change what is known of it; None leaves it as it is."""
        update = self._calls.update_stream
        return await update(self.name, nickname=nickname, description=description, unit=unit, downlink=downlink)

    async def delete(self) -> None:
        """Delete it and its points for good."""
        await self._calls.delete_stream(self.name)

    async def length(self) -> int:
        """Return the number of points."""
        return (await self.record()).point_count

    async def insert(self, value: Any, t: "Moment | None" = None) -> InsertResult:
        """Append a value.

        :param t: when it was: seconds since the Unix epoch, or an aware datetime. None for now, or for the time of the
            newest point if that lies behind this computer's clock.
        :raises PointsRefused: if it is older than the newest point, or not what the schema allows.
        """
        point = {"t": time.time() if t is None else t, "d": value}
        return await self._calls.insert_points(self.name, [point], restamp=t is None)

    async def insert_array(self, points: Iterable[Mapping[str, Any]], restamp: bool = False) -> InsertResult:
        """Append points, dicts with ``t`` and ``d``, oldest first.

        What is more than 65536 points, or a megabyte, goes in several requests; each is stored as a whole or not.

        :param restamp: give points that are older than the newest of the stream its time, instead of refusing them.
        :raises PointsRefused: if one cannot be stored.
        """
        results = [
            await self._calls.insert_points(self.name, run, restamp=restamp) for run in cut_points(plain_points(points))
        ]
        if not results:
            return InsertResult(first=await self.length(), count=0)
        count, restamped = sum(result.count for result in results), sum(result.restamped for result in results)
        return InsertResult(first=results[0].first, count=count, restamped=restamped)

    @overload
    def __getitem__(self, place: int) -> Awaitable[Point]: ...

    @overload
    def __getitem__(self, place: "slice[Any, Any, Any]") -> Awaitable[Points]: ...

    def __getitem__(self, place: "int | slice[Any, Any, Any]") -> Awaitable[Any]:
        """Return, to be awaited, a point by its place, or those of a slice: ``await stream[-5:]``.

        :raises IndexError: if there is none at that place.
        """
        return self.points_at(place) if isinstance(place, slice) else self.point_at(place)

    async def __call__(
        self,
        t1: "Moment | None" = None,
        t2: "Moment | None" = None,
        limit: int | None = None,
        i1: int | None = None,
        i2: int | None = None,
    ) -> Points:
        """Return points by time, ``t1 <= t < t2``, or by place, ``i1 <= place < i2``.

        :param limit: so many at most, the first of them.
        :raises SeriesError: if both kinds are given, or the limit is below 0.
        """
        if limit is not None and limit < 0:
            raise SeriesError(f"The limit is {limit}: give a number of points.")
        if t1 is None and t2 is None:
            points = await self.points_at(slice(i1, i2), limit)
        elif i1 is not None or i2 is not None:
            raise SeriesError("Give times, t1 and t2, or places, i1 and i2, and not both.")
        else:
            start, stop = (None if moment is None else seconds_of(moment) for moment in (t1, t2))
            found = await self._calls.stream_range(self.name, t1=start, t2=stop, limit=limit)
            points = await self._calls.stream_points(found.id, found.first, found.stop)
        return points

    async def __aiter__(self) -> AsyncIterator[Point]:
        """Go through the points that there are now, with a page of them in memory at a time."""
        record = await self.record()
        for first in range(0, record.point_count, PAGE_POINTS):
            for point in await self.page(record, first):
                yield point

    async def page(self, record: StreamRecord, first: int) -> Points:
        """Return the points from a place on, as many as come in one answer, and as there were when it was looked at."""
        return await self._calls.stream_points(record.id, first, min(first + PAGE_POINTS, record.point_count))

    async def subscribe(self, callback: Callback, downlink: bool = False) -> Subscription:
        """Let a function be called with what is inserted from now on: ``callback(name, points)``.

        It is called on the event loop, in order, one call at a time; where it returns something to be awaited, that is
        waited for before the next. What it raises is logged, and the subscription goes on. A lost connection is made
        anew, and goes on behind the last point.

        :param downlink: call it with the commands to the stream instead, each as a list of one point. True answers that
            it was done, and puts the command's value into the stream; a list of points puts in those; False or None
            does not answer, and the command times out; an exception answers that it failed.
        :returns: what :meth:`unsubscribe` ends, too.
        """
        return await self.subscribe_by(LoopCaller(callback), downlink)

    async def subscribe_by(self, caller: Caller, downlink: bool = False) -> Subscription:
        """Do as :meth:`subscribe`, with something that runs the callback in its own way."""
        record = await self.record()
        if downlink and not record.downlink:
            raise ConfigError(f"The stream {self.name} takes no commands: let it, by update(downlink=True), before.")
        first = -_LOOK_BACK if downlink else record.point_count
        return Subscription(self._calls, record, caller, first, is_downlink=downlink)

    async def unsubscribe(self, downlink: bool = False) -> None:
        """End this client's subscriptions of this stream; a call that is under way ends first."""
        for subscription in self.subscriptions(downlink):
            await subscription.end()

    def subscriptions(self, downlink: bool = False) -> list[Subscription]:
        """Return those of this client and this stream."""
        found = list(self._calls.subscriptions)  # of a plain script, another thread changes it
        return [each for each in found if each.name == self.name and each.is_downlink == downlink]

    async def send(self, value: Any, timeout: float = 10) -> StreamCommand:
        """Send a command to who listens to the stream, and return what became of it when it is over.

        :param timeout: seconds after which it counts as not answered.
        :returns: its ``state`` is acknowledged, failed or timed_out, and ``reason`` says why it failed.
        """
        record = await self.record()
        sent = await self._calls.send_command(self.name, value, timeout)
        async with self._calls.follow_messages(record.downlink_id, -_LOOK_BACK) as states:
            with suppress(SessionNotFound):
                async for entry in states:
                    for state in read_commands(entry) if isinstance(entry, MessageBlock) else ():
                        if state.id == sent.id and state.state is not CommandState.SENT:
                            return state
        raise StreamNotFound(f"The stream {self.name} was deleted while a command waited for its answer.")

    async def point_at(self, place: int) -> Point:
        """Return the point at a place; see :meth:`__getitem__`."""
        place = operator.index(place)
        record = await self.record()
        index = place + record.point_count if place < 0 else place
        points = Points()
        if 0 <= index < record.point_count:
            points = await self._calls.stream_points(record.id, index, index + 1)
        if not points:
            raise IndexError(f"Point {place} of stream {self.name} was asked for; it has {record.point_count}.")
        return points[0]

    async def points_at(self, place: "slice[Any, Any, Any]", limit: int | None = None) -> Points:
        """Return the points of a slice, the first `limit` of them."""
        record = await self.record()
        places = range(record.point_count)[place][:limit]
        if not places:
            return Points()
        first, stop = min(places[0], places[-1]), max(places[0], places[-1]) + 1
        points = await self._calls.stream_points(record.id, first, stop)
        return points[:: places.step]
