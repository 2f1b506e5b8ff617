"""Lanes: how many calls of a kind may be at work at one time, so that those which wait starve none of the others.

A call that waits for a board or for Redis takes a worker thread for as long. Each kind has threads of its own; who
finds none is queued on the event loop, where it costs nearly nothing, and told to come again if its turn does not come.
Large answers are another thing to be short of: :class:`Answers` bounds the memory of those that are under way.
"""

import functools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, ParamSpec, TypeVar
from weakref import WeakValueDictionary

import anyio
import anyio.to_thread
from fastapi import Response

from blitz.errors import ServerBusy
from blitz.io.refusal import Receive, Scope, Send

_P = ParamSpec("_P")
_T = TypeVar("_T")

RETRY_AFTER_S = 2
"""When a client that was refused for want of room may ask again."""
TURN_S = 10.0
"""How long a call waits for its turn."""
DROP = "drop"
"""Where a request's state has what ends its connection at once."""
_PIECE_BYTES = 64 << 10
_ANSWERS_BYTES = 64 << 20
_SLOWEST_BYTES_PER_S = 64 << 10
_LOADING_THREADS = 3
_MESSAGE_BYTES = 100


class Lane:
    """Worker threads for one kind of calls.

    :param threads: at work at one time.
    :param of_each: of them, for one board; None sets no such limit.
    """

    def __init__(self, name: str, threads: int, of_each: int | None = None) -> None:
        self._name = name
        self._of_each = of_each
        self._limiter = anyio.CapacityLimiter(threads)
        self._named: WeakValueDictionary[str, anyio.CapacityLimiter] = WeakValueDictionary()

    async def run(self, call: Callable[[], _T], board: str | None = None) -> _T:
        """Do it in a worker thread, when its turn comes.

        :raises ServerBusy: if it does not come in time.
        """
        async with self._turn(board), _taken(self._limiter, self._name):
            # The turn is ours already: the thread must not be waited for a second time.
            return await anyio.to_thread.run_sync(call, limiter=anyio.CapacityLimiter(1))

    def __call__(self, call: Callable[_P, _T]) -> Callable[_P, Any]:
        """Let an endpoint of the HTTP interface run in this lane."""

        @functools.wraps(call)
        async def run(*arguments: _P.args, **fields: _P.kwargs) -> _T:
            name = fields.get("name") or fields.get("source")
            board = name if isinstance(name, str) else None
            return await self.run(functools.partial(call, *arguments, **fields), board)

        return run

    @asynccontextmanager
    async def _turn(self, board: str | None) -> AsyncIterator[None]:
        if board is None or self._of_each is None:
            yield
            return
        limiter = self._named.get(board)
        if limiter is None:
            limiter = self._named[board] = anyio.CapacityLimiter(self._of_each)
        async with _taken(limiter, f"{self._name} {board!r}"):
            yield


@asynccontextmanager
async def _taken(limiter: anyio.CapacityLimiter, name: str) -> AsyncIterator[None]:
    with anyio.move_on_after(TURN_S) as scope:
        await limiter.acquire()
    if scope.cancelled_caught:
        raise ServerBusy(f"The server is busy with other calls of {name}. Try again in a few seconds.")
    try:
        yield
    finally:
        limiter.release()


@dataclass(frozen=True)
class Lanes:
    """The lanes of one server. Calls that are in none run in the common threads, 40 of them."""

    memory: Lane = field(default_factory=lambda: Lane("what the server knows", 8))
    """What is answered from memory, whatever Redis and the boards do."""
    sessions: Lane = field(default_factory=lambda: Lane("sessions", 8))
    """Start and Stop."""
    boards: Lane = field(default_factory=lambda: Lane("board", 32, of_each=4))
    """What waits for a board."""
    readings: Lane = field(default_factory=lambda: Lane("decoded readings", 2))
    """What decodes a part of a session."""
    streams: Lane = field(default_factory=lambda: Lane("streams", 8))
    """What stores points of streams."""
    answers: "Answers" = field(default_factory=lambda: Answers())


class Answers:
    """The memory of large answers: those being made, and those that clients are taking.

    One client address may have half of it, so that slow readers do not stop the others.
    """

    def __init__(self, limit_bytes: int = _ANSWERS_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._free = anyio.Condition()
        self._bytes_by_client: dict[str, int] = {}
        self._loading = Lane("messages", _LOADING_THREADS)

    async def make(
        self, make: Callable[[], Response], messages: int, client: str, lane: Lane | None = None
    ) -> Response:
        """Make an answer in a worker thread, when there is room for it.

        :param messages: how many it will hold at most.
        :param lane: in which it is made, instead of that for messages.
        :raises ServerBusy: if there is no room in time.
        """
        weight = min(messages * _MESSAGE_BYTES, self._limit_bytes // 2)
        with anyio.move_on_after(TURN_S) as scope:
            async with self._free:
                while not self._has_room(weight, client):
                    await self._free.wait()
                self._bytes_by_client[client] = self._bytes_by_client.get(client, 0) + weight
        if scope.cancelled_caught:
            raise ServerBusy("Too many large answers are under way to slow clients. Try again in a few seconds.")
        try:
            answer = await (lane or self._loading).run(make)
        except BaseException:
            await self._release(weight, client)
            raise
        surplus = max(len(answer.body) - weight, 0)  # long messages: what is made already is let through
        self._bytes_by_client[client] += surplus
        weight += surplus
        return _HeldAnswer(answer, functools.partial(self._release, weight, client))

    def _has_room(self, weight: int, client: str) -> bool:
        of_client = self._bytes_by_client.get(client, 0)
        is_alone = not self._bytes_by_client
        fits = sum(self._bytes_by_client.values()) + weight <= self._limit_bytes
        return is_alone or (fits and of_client + weight <= self._limit_bytes // 2)

    async def _release(self, weight: int, client: str) -> None:
        with anyio.CancelScope(shield=True):
            async with self._free:
                self._bytes_by_client[client] -= weight
                if not self._bytes_by_client[client]:
                    del self._bytes_by_client[client]
                self._free.notify_all()


class _HeldAnswer(Response):
    """An answer that goes out piece by piece, each when the one before is taken, and must be taken in time."""

    def __init__(self, answer: Response, taken: Callable[[], Any]) -> None:
        super().__init__(answer.body, answer.status_code)
        self.raw_headers = answer.raw_headers
        self._taken = taken

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = memoryview(self.body)
        try:
            with anyio.move_on_after(TURN_S + len(body) / _SLOWEST_BYTES_PER_S) as in_time:
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                for begin in range(0, len(body), _PIECE_BYTES):
                    piece = bytes(body[begin : begin + _PIECE_BYTES])
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            if in_time.cancelled_caught:
                scope["state"][DROP]()  # see blitz.io.limits; there is no other way to say it in ASGI
                await receive()
        finally:
            await self._taken()
