"""One stream of a server as an object that is indexed, measured and gone through like a list, for plain scripts."""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

from blitz.data.points import Point, Points
from blitz.data.stream_records import InsertResult, StreamCommand, StreamRecord
from blitz.errors import ConfigError
from blitz.io.async_stream import AsyncStream
from blitz.io.callback_thread import CallbackThread
from blitz.io.stream_calls import PAGE_POINTS

if TYPE_CHECKING:
    from blitz.data.markers import Moment
    from blitz.io.subscription import Callback, Subscription

_T = TypeVar("_T")


class Run(Protocol):
    """Runs a call in the connection's thread, and waits for it."""

    def __call__(self, function: Callable[[], Awaitable[_T]], /) -> _T:
        """Return what it returns, raise what it raises."""
        ...


class Stream:
    """A stream, whether or not it exists yet: ``client["temperature"]``.

    ::

        stream = client["temperature"]
        if not stream.exists():
            stream.create({"type": "number"}, unit="°C")
        stream.insert(21.5)
        print(len(stream), stream[-1]["d"], stream[-60:].mean())

    What needs the stream raises :class:`~blitz.errors.StreamNotFound` where it does not exist. Calls and errors are
    those of :class:`~blitz.io.async_stream.AsyncStream`. May be used from several threads.

    :param client: whose connection it uses.
    """

    def __init__(self, client: object, run: Run, stream: AsyncStream) -> None:
        self._client = client
        self._run = run
        self._stream = stream

    def __repr__(self) -> str:
        return repr(self._stream).replace(type(self._stream).__name__, type(self).__name__, 1)

    @property
    def name(self) -> str:
        """What it is found by."""
        return self._stream.name

    def record(self) -> StreamRecord:
        """Return all that is known of it, in one request."""
        return self._run(self._stream.record)

    def exists(self) -> bool:
        """Whether the server has it."""
        return self._run(self._stream.exists)

    def create(
        self,
        schema: Mapping[str, Any] | None = None,
        nickname: str = "",
        description: str = "",
        unit: str = "",
        *,
        downlink: bool = False,
    ) -> StreamRecord:
        """Make it; each of its values must satisfy the JSON schema. With `downlink` it takes commands."""
        create = partial(self._stream.create, schema, nickname, description, unit, downlink=downlink)
        return self._run(create)

    def delete(self) -> None:
        """Delete it and its points for good."""
        self._run(self._stream.delete)

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of each value; empty where anything goes."""
        return self.record().schema_

    @property
    def nickname(self) -> str:
        """What people call it; may be set."""
        return self.record().nickname

    @nickname.setter
    def nickname(self, words: str) -> None:
        self._run(partial(self._stream.update, nickname=words))

    @property
    def description(self) -> str:
        """What it is about; may be set."""
        return self.record().description

    @description.setter
    def description(self, words: str) -> None:
        self._run(partial(self._stream.update, description=words))

    @property
    def unit(self) -> str:
        """The unit of values that are numbers; may be set."""
        return self.record().unit

    @unit.setter
    def unit(self, unit: str) -> None:
        self._run(partial(self._stream.update, unit=unit))

    @property
    def downlink(self) -> bool:
        """Whether it takes commands; may be set."""
        return self.record().downlink

    @downlink.setter
    def downlink(self, takes_commands: bool) -> None:
        self._run(partial(self._stream.update, downlink=bool(takes_commands)))

    def insert(self, value: Any, t: "Moment | None" = None) -> InsertResult:
        """Append a value, of now where no time is given."""
        return self._run(partial(self._stream.insert, value, t))

    def insert_array(self, points: Iterable[Mapping[str, Any]], restamp: bool = False) -> InsertResult:
        """Append points, dicts with ``t`` and ``d``, oldest first."""
        return self._run(partial(self._stream.insert_array, points, restamp))

    def length(self) -> int:
        """Return the number of points, as ``len()`` does."""
        return self._run(self._stream.length)

    def __len__(self) -> int:
        return self.length()

    def __bool__(self) -> bool:
        """Return True, also of a stream that is empty or does not exist: asking must not need the server."""
        return True

    @overload
    def __getitem__(self, place: int) -> Point: ...

    @overload
    def __getitem__(self, place: "slice[Any, Any, Any]") -> Points: ...

    def __getitem__(self, place: "int | slice[Any, Any, Any]") -> "Point | Points":
        """Return a point by its place, or those of a slice.

        :raises IndexError: if there is none at that place.
        """
        if isinstance(place, slice):
            return self._run(partial(self._stream.points_at, place))
        return self._run(partial(self._stream.point_at, place))

    def __call__(
        self,
        t1: "Moment | None" = None,
        t2: "Moment | None" = None,
        limit: int | None = None,
        i1: int | None = None,
        i2: int | None = None,
    ) -> Points:
        """Return points by time, ``t1 <= t < t2``, or by place, ``i1 <= place < i2``; the first `limit` of them."""
        return self._run(partial(self._stream, t1, t2, limit, i1, i2))

    def __iter__(self) -> Iterator[Point]:
        """Go through the points that there are now, with a page of them in memory at a time."""
        record = self.record()
        for first in range(0, record.point_count, PAGE_POINTS):
            yield from self._run(partial(self._stream.page, record, first))

    def subscribe(self, callback: "Callback", downlink: bool = False) -> None:
        """Let a function be called with what is inserted from now on: ``callback(name, points)``.

        It is called in a thread of its own, in order, one call at a time, and may use the client. With `downlink` it is
        called with commands, and its answer counts; see :meth:`.AsyncStream.subscribe`. A subscription keeps the client
        open until :meth:`unsubscribe`, the client's `close()`, or the end of the script.
        """
        if inspect.iscoroutinefunction(callback):
            raise ConfigError("A coroutine function cannot be called back in a thread: use blitz.AsyncClient for it.")

        async def begin() -> "Subscription":
            thread = CallbackThread(self.name, callback, self._client)
            try:
                return await self._stream.subscribe_by(thread, downlink)
            except BaseException:
                thread.close()
                raise

        self._run(begin)

    def unsubscribe(self, downlink: bool = False) -> None:
        """End this client's subscriptions of this stream; a call that is under way ends first, unless it asks."""
        for subscription in self._stream.subscriptions(downlink):
            thread = subscription.caller
            is_inside = isinstance(thread, CallbackThread) and thread.is_current
            self._run(partial(subscription.end, is_waited_for=not is_inside))
            if isinstance(thread, CallbackThread):
                thread.join()

    def send(self, value: Any, timeout: float = 10) -> StreamCommand:
        """Send a command to who listens to the stream, and return what became of it when it is over."""
        return self._run(partial(self._stream.send, value, timeout))
