"""Being called with each point of a stream, or each command to it, as it comes.

Owns the task that follows a stream, and what a callback's answer does to a command. How the callback is run, on the
event loop or in a thread of its own, is :data:`Caller`'s business. What is followed, and how a lost connection goes on
behind the last point, is that of :mod:`.live_reader`.
"""

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from blitz.data.blocks import MessageBlock
from blitz.data.points import Points
from blitz.data.records import Event
from blitz.data.stream_records import CommandState, StreamCommand, StreamRecord
from blitz.errors import (
    BlitzError,
    BlockError,
    CommandOver,
    PointsRefused,
    RemoteError,
    RequestTimeout,
    ServerBusy,
    ServerUnreachable,
    SessionNotFound,
    StoreUnavailable,
    StreamNotFound,
)

if TYPE_CHECKING:
    from blitz.io.stream_calls import StreamCalls

log = logging.getLogger(__name__)

_T = TypeVar("_T")
_AGAIN_S = 0.25
_PASSING = (ServerUnreachable, RequestTimeout, ServerBusy, StoreUnavailable)
"""What waiting mends."""

Callback = Callable[[str, Points], Any]
"""Called with the stream's name and points; what it returns matters for commands only."""


class Outcome(NamedTuple):
    """What a callback has returned, or raised."""

    answer: Any = None
    error: BaseException | None = None


class Caller(Protocol):
    """Runs a callback."""

    async def call(self, name: str, points: Points) -> Outcome:
        """Run it and wait for its end; what it raises is returned."""
        ...

    def close(self) -> None:
        """Nothing is called any more."""


class LoopCaller:
    """Runs a callback, a plain function or a coroutine function, on the event loop."""

    def __init__(self, callback: Callback) -> None:
        self._callback = callback

    async def call(self, name: str, points: Points) -> Outcome:
        """Run it, and wait for what it returns where that can be waited for."""
        try:
            answer = self._callback(name, points)
            return Outcome(await answer if inspect.isawaitable(answer) else answer)
        except Exception as error:  # noqa: BLE001 - told by who asked
            return Outcome(error=error)

    def close(self) -> None:
        """Nothing to do."""


class Subscription:
    """A task that calls back, in order, one call after the other, until :meth:`end` or the client's end.

    :param first: the place in the stream, or among its commands' states, that comes first.
    """

    def __init__(
        self, calls: "StreamCalls", record: StreamRecord, caller: Caller, first: int, *, is_downlink: bool
    ) -> None:
        self.name = record.name
        self.is_downlink = is_downlink
        self.caller = caller
        self._calls = calls
        self._session_id = record.downlink_id if is_downlink else record.id
        self._is_ending = False
        self._live = calls.follow_messages(self._session_id, first)
        take = self._take_commands if is_downlink else self._take_points
        self._task = asyncio.create_task(self._run(take), name=f"blitz subscription {self.name}")
        calls.subscriptions.add(self)
        self._task.add_done_callback(self._note_end)  # also where it was cancelled before it began

    async def end(self, *, is_waited_for: bool = True) -> None:
        """End it; a call that is under way ends first, unless it is that one which ends the subscription.

        :param is_waited_for: False where the callback waits for this.
        """
        self._is_ending = True
        await self._live.aclose()
        if is_waited_for and asyncio.current_task() is not self._task:
            await asyncio.wait([self._task])

    async def cancel(self) -> None:
        """End it at once, with the client."""
        if asyncio.current_task() is not self._task:
            self._task.cancel()
            await asyncio.wait([self._task])
            await self._live.aclose()
        else:
            await self.end()

    def _note_end(self, _: "asyncio.Task[None]") -> None:
        self._calls.subscriptions.discard(self)
        self.caller.close()

    async def _run(self, take: Callable[[MessageBlock], Awaitable[None]]) -> None:
        try:
            async for entry in self._live:
                if not isinstance(entry, Event):
                    await self._take(entry, take)
                if self._is_ending:
                    break
        except (SessionNotFound, StreamNotFound):
            log.error("The subscription to stream %s has ended: it was deleted.", self.name)
        except BlitzError as error:
            log.error("The subscription to stream %s has ended: %s", self.name, error)
        except Exception:
            log.exception("The subscription to stream %s has ended by a fault of our own", self.name)
        finally:
            await self._live.aclose()

    async def _take(self, block: MessageBlock, take: Callable[[MessageBlock], Awaitable[None]]) -> None:
        try:
            await take(block)
        except BlockError as error:
            log.error("A subscription leaves out messages of stream %s: %s", self.name, error)

    async def _take_points(self, block: MessageBlock) -> None:
        await self._call(Points.from_messages(block.messages(), block.first_seq))

    async def _call(self, points: Points) -> Outcome:
        outcome = await self.caller.call(self.name, points)
        if outcome.error is not None and not self._calls.is_closed:
            log.error("The callback of stream %s failed", self.name, exc_info=outcome.error)
        return outcome

    async def _take_commands(self, block: MessageBlock) -> None:
        for command in open_commands(block):
            if self._is_ending:
                return
            try:
                if await self._is_open(command):
                    await self._obey(command)
            except (RemoteError, StoreUnavailable) as error:
                log.warning("A command to stream %s was not answered: %s", self.name, error)

    async def _is_open(self, command: StreamCommand) -> bool:
        """Ask whether it still waits: a callback may have taken its time before, or the server may have been away."""
        ask = partial(self._calls.stream_commands, self.name, command.id)
        since = await self._insist(ask, command.timeout_s)
        return any(each.id == command.id and each.state is CommandState.SENT for each in since)

    async def _insist(self, ask: Callable[[], Awaitable[_T]], for_s: float) -> _T:
        """Ask again while the server is away, for as long as a command waits."""
        deadline_s = time.monotonic() + for_s
        while True:
            try:
                return await ask()
            except _PASSING:
                if self._is_ending or time.monotonic() > deadline_s:
                    raise
            await asyncio.sleep(_AGAIN_S)

    async def _obey(self, command: StreamCommand) -> None:
        outcome = await self._call(Points([{"t": command.t, "d": command.d}]))
        answer = outcome.answer
        if outcome.error is not None:
            await self._answer(command, reason=_words(outcome.error))
        elif answer is True:
            await self._answer(command)
        elif isinstance(answer, list):
            await self._answer(command, points=answer)
        elif answer is not None and answer is not False:
            reason = f"The callback returned {answer!r:.80}, which is neither True nor False nor a list of points."
            log.error("%s", reason)
            await self._answer(command, reason=reason)

    async def _answer(self, command: StreamCommand, points: list[Any] | None = None, reason: str = "") -> None:
        try:
            try:
                await self._tell(command, points, reason)
            except PointsRefused as error:
                log.error("A command to stream %s was done, but its points cannot be stored: %s", self.name, error)
                await self._tell(command, None, f"It was done, but its points cannot be stored: {error}")
        except CommandOver as error:
            log.warning("A command to stream %s was answered too late: %s", self.name, error)

    async def _tell(self, command: StreamCommand, points: list[Any] | None, reason: str) -> None:
        answer = partial(self._calls.answer_command, self.name, command.id)
        told = partial(answer, is_done=not reason, points=points, reason=reason)
        is_repeated = False

        async def tell() -> None:
            nonlocal is_repeated
            try:
                await told()
            except CommandOver:
                if not is_repeated:  # else it was told before, and the server's word was lost
                    raise
            finally:
                is_repeated = True

        await self._insist(tell, command.timeout_s)


def read_commands(block: MessageBlock) -> list[StreamCommand]:
    """Return the states of commands that a block holds.

    :raises BlockError: if one of its messages is none.
    """
    try:
        return [StreamCommand.model_validate_json(message) for message in block.messages()]
    except ValueError as error:
        raise BlockError(f"A message from {block.first_seq} on is no command: {error}") from error


def open_commands(block: MessageBlock) -> list[StreamCommand]:
    """Return the commands that nobody has answered as far as a block goes, oldest first."""
    newest = {command.id: command for command in read_commands(block)}
    return [command for command in newest.values() if command.state is CommandState.SENT]


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
