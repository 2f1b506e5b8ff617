"""What a script iterates over: readings, blocks and events of a live connection."""

import asyncio
import weakref
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from blitz.data.blocks import MessageBlock
from blitz.data.records import Event, EventKind
from blitz.io.live_mailbox import LiveMailbox
from blitz.io.live_reader import LiveReader

if TYPE_CHECKING:
    from blitz.data.boards import Readings, SessionDecoder

_T = TypeVar("_T", "Readings", MessageBlock)


class LiveStream(Generic[_T]):
    """An asynchronous iterator over what a server records, and what happens meanwhile.

    It reads ahead by a few blocks at most: a consumer that takes its time holds back the server's sending to it, not
    the acquisition. Waiting for the next entry may be cancelled without loss (``asyncio.wait_for(anext(stream), 1)``).
    Ends with the session that was asked for, with :meth:`aclose`, or with the client.
    """

    def __init__(self, reader: LiveReader, mailbox: LiveMailbox, *, raw: bool) -> None:
        self._mailbox = mailbox
        self._raw = raw
        self._decoder: SessionDecoder | None = None
        self._decoded_id: int | None = None
        self._ready: deque[_T] = deque()
        self._task = asyncio.create_task(reader.run(), name="blitz live connection")
        # A loop that is left with `break` forgets the stream without closing it; the task knows only the reader.
        loop = asyncio.get_running_loop()
        self._abandon: weakref.finalize[..., LiveStream[_T]] = weakref.finalize(self, _cancel, loop, self._task)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> "_T | Event":
        while not self._ready:
            entry = await self._mailbox.get()
            if isinstance(entry, Event):
                self._learn_sources(entry)
                return entry
            if self._raw:
                return entry
            if self._decoder is not None:
                self._ready.extend(self._decoder.decode(entry))
        return self._ready.popleft()

    async def aclose(self) -> None:
        """End the connection and the iteration, also one that waits in another task; a second time is allowed."""
        self._abandon.detach()
        self._ready.clear()
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._mailbox.discard()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _learn_sources(self, event: Event) -> None:
        if self._raw or event.event is not EventKind.SOURCES or event.sources is None:
            return
        from blitz.data.boards import SessionDecoder

        if self._decoder is None or event.session_id != self._decoded_id:
            self._decoder = SessionDecoder(event.sources)
            self._decoded_id = event.session_id
        else:
            self._decoder.update(event.sources)


def _cancel(loop: asyncio.AbstractEventLoop, task: "asyncio.Task[None]") -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(task.cancel)
