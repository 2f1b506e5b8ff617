"""Between the task that reads a live connection and the one that uses it: a place for very few entries."""

import asyncio
from collections import deque

from blitz.data.blocks import MessageBlock
from blitz.data.records import Event, EventKind

Entry = MessageBlock | Event
_CAPACITY = 2
_MAX_EVENTS = 1000
"""With `latest`, events wait for a consumer that lags; a program that is stopped for hours must not fill its memory."""


class LiveMailbox:
    """Hands entries over, in order, within one event loop.

    :param latest: while entries wait, a new block replaces older ones, and a new status the older status; otherwise
        :meth:`put` waits for the consumer, so that nothing is dropped and nothing piles up.
    """

    def __init__(self, *, latest: bool) -> None:
        self._latest = latest
        self._entries: deque[Entry] = deque()
        self._changed = asyncio.Condition()
        self._is_finished = False
        self._error: BaseException | None = None

    async def put(self, entry: Entry) -> None:
        """Leave an entry for the consumer."""
        async with self._changed:
            if self._latest:
                self._drop_older_than(entry)
            else:
                await self._changed.wait_for(lambda: len(self._entries) < _CAPACITY)
            self._entries.append(entry)
            self._changed.notify_all()

    async def finish(self, error: BaseException | None = None) -> None:
        """Say that nothing more comes, or why; what waits is still delivered first."""
        async with self._changed:
            self._is_finished = True
            self._error = error
            self._changed.notify_all()

    async def discard(self) -> None:
        """Forget what waits, and end."""
        self._entries.clear()
        await self.finish()

    async def get(self) -> Entry:
        """Take the oldest entry, waiting for it.

        :raises StopAsyncIteration: when nothing more comes.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._entries or self._is_finished)
            if self._entries:
                entry = self._entries.popleft()
                self._changed.notify_all()
                return entry
            # Told once; whoever asks again is told that it is over.
            error, self._error = self._error, None
            raise error or StopAsyncIteration

    def _drop_older_than(self, entry: Entry) -> None:
        def is_outdated(older: Entry) -> bool:
            if isinstance(entry, MessageBlock):
                return isinstance(older, MessageBlock)
            is_status = entry.event is EventKind.STATUS
            return is_status and isinstance(older, Event) and older.event is EventKind.STATUS

        kept = [older for older in self._entries if not is_outdated(older)]
        self._entries = deque(kept[-(_MAX_EVENTS - 1) :])
