"""What a script iterates over: readings, blocks and events of a live connection."""

import asyncio
import weakref
from collections import deque
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar

from blitz.data.blocks import MessageBlock
from blitz.data.records import Event, EventKind
from blitz.io.live_mailbox import LiveMailbox
from blitz.io.live_reader import LiveReader

if TYPE_CHECKING:
    from blitz.data.boards import Readings, SessionDecoder

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)


class Translation(Protocol[_T_co]):
    """What becomes of blocks before a consumer sees them."""

    def learn(self, event: Event) -> None:
        """Take note of an event."""

    def translate(self, block: MessageBlock) -> Iterable[_T_co]:
        """Return what the consumer gets for a block."""
        ...


class Untranslated:
    """Blocks as the server sent them."""

    def learn(self, event: Event) -> None:
        """Nothing to learn."""

    def translate(self, block: MessageBlock) -> Iterable[MessageBlock]:
        """Return the block itself."""
        return (block,)


class Decoding:
    """Readings in physical units, by the definitions in the session's source table."""

    def __init__(self) -> None:
        self._decoder: SessionDecoder | None = None
        self._session_id: int | None = None

    def learn(self, event: Event) -> None:
        """Take over a source table; within a session the device clocks go on."""
        if event.event is not EventKind.SOURCES or event.sources is None:
            return
        from blitz.data.boards import SessionDecoder

        if self._decoder is None or event.session_id != self._session_id:
            self._decoder = SessionDecoder(event.sources)
            self._session_id = event.session_id
        else:
            self._decoder.update(event.sources)

    def translate(self, block: MessageBlock) -> "Iterable[Readings]":
        """Return one :class:`~blitz.data.boards.Readings` a source that has messages in the block."""
        return self._decoder.decode(block) if self._decoder is not None else ()


class LiveStream(Generic[_T]):
    """An asynchronous iterator over what a server records, and what happens meanwhile.

    It reads ahead by a few blocks at most: a consumer that takes its time holds back the server's sending to it, not
    the acquisition. Waiting for the next entry may be cancelled without loss (``asyncio.wait_for(anext(stream), 1)``).
    Ends with the session that was asked for, with :meth:`aclose`, or with the client.

    :param tasks: the client's live connections; this one's task is among them until it has ended, also where the
        stream itself was forgotten.
    """

    def __init__(
        self,
        reader: LiveReader,
        mailbox: LiveMailbox,
        translation: Translation[_T],
        tasks: "set[asyncio.Task[None]]",
    ) -> None:
        self._reader = reader
        self._mailbox = mailbox
        self._translation = translation
        self._ready: deque[_T] = deque()
        self._task = asyncio.create_task(reader.run(), name="blitz live connection")
        tasks.add(self._task)
        self._task.add_done_callback(tasks.discard)
        # A loop that is left with `break` forgets the stream without closing it; the task knows only the reader.
        loop = asyncio.get_running_loop()
        self._abandon: weakref.finalize[..., LiveStream[_T]] = weakref.finalize(self, _cancel, loop, self._task)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> _T | Event:
        while not self._ready:
            entry = await self._mailbox.get()
            if isinstance(entry, Event):
                self._translation.learn(entry)
                return entry
            self._ready.extend(self._translation.translate(entry))
        return self._ready.popleft()

    def try_now(self) -> None:
        """Try a lost connection again at once, instead of waiting."""
        self._reader.try_now()

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


def _cancel(loop: asyncio.AbstractEventLoop, task: "asyncio.Task[None]") -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(task.cancel)
