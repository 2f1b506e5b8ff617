"""What the window asks of recording, on the worker thread's event loop: start, stop, timed runs, expected sources."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from blitz.data.records import RunWishes, StatusRecord
from blitz.data.session_words import SessionWords
from blitz.errors import BlitzError
from blitz.io.connection import AsyncClient
from blitz.ui.desk import Desk
from blitz.ui.feed import Feed

log = logging.getLogger(__name__)


class RecordingDesk(Desk):
    """What starts and stops sessions, now and later, one after another."""

    def __init__(
        self, feed: Feed, client: Callable[[], AsyncClient], ask_status: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(feed, client, ask_status)
        self._turn = asyncio.Lock()
        self._told_for: object = None

    async def start(
        self, name: str, notes: str, words: SessionWords | None = None, run: RunWishes | None = None
    ) -> None:
        """Begin a session, after what was asked before of starting and stopping."""
        words, run = words or SessionWords(), run or RunWishes()
        async with self._turn:
            await self._client().start(
                name, notes, tags=words.tags or (), fields=words.fields, **run.model_dump(exclude_none=True)
            )
            await self._ask_status()

    async def stop(self, session_id: int | None) -> None:
        """End the session, after what was asked before of starting and stopping."""
        async with self._turn:
            await self._client().stop(session_id)
            await self._ask_status()

    async def plan(
        self, start_at: datetime, name: str, notes: str, words: SessionWords | None, run: RunWishes | None
    ) -> None:
        """Let the server start a session at a time."""
        words, run = words or SessionWords(), run or RunWishes()
        async with self._turn:
            await self._client().plan_start(
                start_at, name, notes, tags=words.tags or (), fields=words.fields, **run.model_dump(exclude_none=True)
            )
            await self._ask_status()

    async def cancel_planned(self, plan_id: int) -> None:
        """Do not start a planned session."""
        await self._client().cancel_planned(plan_id)
        await self._ask_status()

    async def change_plan(self, session_id: int, changes: Mapping[str, float | int | None]) -> None:
        """Change when the running session stops by itself."""
        await self._client().change_plan(session_id, **changes)
        await self._ask_status()

    async def tell_expected(self, status: StatusRecord) -> None:
        """Tell which sources should be there, if that may have changed since it was told last.

        Those of the last session, and those that were added by name: a USB device that was found by itself, and was
        in no session, need not be there.
        """
        running = status.session.id if status.session is not None else None
        present = (status.store_id, running, tuple(board.name for board in status.boards))
        if present == self._told_for:
            return
        try:
            client = self._client()
            configured = await client.sources()
            newest = next(iter(await client.sessions()), None)
            last = await client.session(newest.id) if newest is not None else None
        except BlitzError as error:
            log.info("Cannot ask which sources are expected: %s", error)
            return
        self._told_for = present
        added = {config.name for config in configured if config.identity is None}
        known = {config.name for config in configured}
        used = {source.name for source in last.sources} if last is not None else set()
        self._feed.expected_told.emit(frozenset(added | (used & known)))
