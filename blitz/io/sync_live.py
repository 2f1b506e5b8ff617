"""The running session's copy in the cache, fed with what the live view gets anyway; what is missing is fetched.

At Stop all but the last second of it is here. Blocks wait for their turn in bounded memory: where storing cannot keep
up, or a late joiner's beginning is still on its way, the oldest are let go, and fetched again later.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from blitz.data.blocks import PREVIEW_ID, MessageBlock
from blitz.data.database_client import DatabaseClient
from blitz.data.sync import FETCH_MESSAGES, Fetch, SyncCursor, fetch_next, is_here
from blitz.errors import BlitzError, CacheError, RequestTimeout, ServerBusy, ServerUnreachable, StoreUnavailable
from blitz.io.connection import AsyncClient
from blitz.io.sync_threads import run_in_thread

log = logging.getLogger(__name__)

_MOST_WAITING = 4 * FETCH_MESSAGES
_ATTEMPTS = 5
"""For a session that has ended, and that the server, which answers, does not give."""
_AWAY = (ServerUnreachable, RequestTimeout, ServerBusy, StoreUnavailable)
_LONGEST_WAIT_S = 10.0
_MOST_DOUBLINGS = 10


class LiveCopy:
    """Stores the running session about once a second, in worker threads.

    Everything but :meth:`take` and :meth:`end`, which return at once, happens in :meth:`run`.

    :param cache: returns the cache, which may become another one.
    :param told_whole: awaited with a session's id when all of it is here.
    :param period_s: what comes within that time is stored in one transaction.
    """

    def __init__(
        self,
        client: AsyncClient,
        cache: Callable[[], DatabaseClient | None],
        told_whole: Callable[[int], Awaitable[None]],
        period_s: float = 1.0,
    ) -> None:
        self._client = client
        self._cache = cache
        self._told_whole = told_whole
        self._period_s = period_s
        self._waiting: deque[MessageBlock] = deque()
        self._waiting_messages = 0
        self._session_id: int | None = None
        self._ended: deque[int] = deque()
        self._cursor: SyncCursor | None = None
        self._failures = 0
        self._absences = 0
        self._has_work = asyncio.Event()
        self._has_end = asyncio.Event()

    def take(self, block: MessageBlock) -> None:
        """Note what the live view got."""
        if block.session_id == PREVIEW_ID or not len(block):
            return
        if block.session_id != self._session_id:
            if self._session_id is not None:
                self.end(self._session_id)
            self._session_id = block.session_id
        if self._waiting and self._waiting[-1].next_seq != block.first_seq:
            self._drop_waiting()
        self._waiting.append(block)
        self._waiting_messages += len(block)
        while self._waiting_messages > _MOST_WAITING:
            self._waiting_messages -= len(self._waiting.popleft())
        self._has_work.set()

    def end(self, session_id: int) -> None:
        """Note that a session has ended: what is missing of it is fetched, and its copy becomes available."""
        if self._session_id == session_id:
            self._session_id = None
        if session_id not in self._ended:
            self._ended.append(session_id)
        self._has_end.set()
        self._has_work.set()

    async def run(self) -> None:
        """Store what comes, until cancelled."""
        while True:
            await self._has_work.wait()
            self._has_work.clear()
            try:
                await self._work()
                self._failures = self._absences = 0
            except BlitzError as error:
                self._give_up_or_wait(error)
            # Longer and longer while the server is away; it may be so for the rest of the day.
            wait_s = min(self._period_s * 2**self._absences, max(self._period_s, _LONGEST_WAIT_S))
            # Not wait_for: before Python 3.12 it loses a cancellation that comes when the waiting has just ended.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._has_end.wait()
            self._has_end.clear()

    async def _work(self) -> None:
        while self._ended:
            session_id = self._ended[0]
            await self._finish(session_id)
            self._ended.popleft()
            await self._told_whole(session_id)
        if self._session_id is not None:
            await self._store(self._session_id)

    async def _store(self, session_id: int) -> None:
        cursor = await self._begin(session_id)
        while cursor is not None and self._waiting and self._waiting[0].session_id == session_id:
            missing_until = self._waiting[0].first_seq
            if cursor.next_seq < missing_until:
                session = cursor.session.model_copy(update={"message_count": missing_until})
                blocks = list(await fetch_next(self._fetching(session_id), session, cursor.next_seq))
            else:
                blocks = self._take_waiting(session_id)
            await run_in_thread(cursor.take, blocks)

    async def _finish(self, session_id: int) -> None:
        session, cache = await self._client.session(session_id), self._cache()
        if cache is None or await run_in_thread(is_here, cache, session):  # a download was faster
            self._cursor = None
            self._take_waiting(session_id)
            return
        await self._store(session_id)
        cursor = await self._begin(session_id)
        if cursor is None:
            return
        while cursor.next_seq < session.message_count:
            blocks = await fetch_next(self._fetching(session_id), session, cursor.next_seq)
            await run_in_thread(cursor.take, blocks)
        if not session.is_running:
            await run_in_thread(cursor.finish, session)
        self._cursor = None

    async def _begin(self, session_id: int) -> SyncCursor | None:
        cache = self._cache()
        if cache is None:
            return None
        cursor = self._cursor
        if cursor is None or cursor.session.id != session_id or cursor.cache is not cache:
            session = await self._client.session(session_id)
            self._cursor = await run_in_thread(SyncCursor, cache, session)
        return self._cursor

    def _fetching(self, session_id: int) -> Fetch:
        async def fetch(first: int, count: int) -> Sequence[MessageBlock]:
            return await self._client.grid_blocks(session_id, first, count)

        return fetch

    def _take_waiting(self, session_id: int) -> list[MessageBlock]:
        blocks = []
        while self._waiting and self._waiting[0].session_id == session_id:
            blocks.append(self._waiting.popleft())
            self._waiting_messages -= len(blocks[-1])
        return blocks

    def _drop_waiting(self) -> None:
        """What is of an ended session stays: it is wanted first."""
        while self._waiting and self._waiting[-1].session_id == self._session_id:
            self._waiting_messages -= len(self._waiting.pop())

    def _give_up_or_wait(self, error: BlitzError) -> None:
        """Begin anew where another download has finished the copy; leave a session alone that cannot be had.

        A server that is away is asked until it is back: whoever runs this ends it with the connection.
        """
        self._cursor = None
        if isinstance(error, _AWAY):
            self._absences, self._failures = min(self._absences + 1, _MOST_DOUBLINGS), 0
        else:
            self._absences, self._failures = 0, self._failures + 1
        # The first can be that a download of the same session has ended; a full disk is told once.
        level = logging.WARNING if isinstance(error, CacheError) and self._failures == 2 else logging.DEBUG
        log.log(level, "The running session is not copied into the cache at present: %s", error)
        if self._failures >= _ATTEMPTS and self._ended:
            self._take_waiting(self._ended.popleft())  # forgotten: a download brings the rest
            self._failures = 0
            self._has_work.set()
        if self._ended:
            self._has_work.set()
