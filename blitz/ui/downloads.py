"""Downloads under way: a few beside each other, each can be cancelled. On the worker thread's event loop."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from blitz.data.sync_progress import Progress
from blitz.errors import BlitzError
from blitz.ui.feed import Feed, RequestFailure

Watch = Callable[[Progress], None]
AT_ONCE = 3
"""So many sessions are brought beside each other."""
_PROGRESS_S = 0.05
"""The window is told of progress at most so often."""


class Downloads:
    """Tells progress and a bad end by the feed's signals.

    :param copy_session: brings a session into the cache, calling back with how far it is.
    """

    def __init__(self, feed: Feed, copy_session: Callable[[int, Watch], Awaitable[None]]) -> None:
        self._feed = feed
        self._copy_session = copy_session
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def fetch(self, session_id: int, *, is_asked: bool = True) -> bool:
        """Download a session, when its turn comes; returns whether it is whole now.

        :param is_asked: somebody waits for it, and is told when it fails; else the error is raised.
        """
        if session_id in self._tasks:
            return False
        task = asyncio.create_task(self._wait_and_copy(session_id), name=f"blitz download {session_id}")
        self._tasks[session_id] = task
        self._feed.download_progressed.emit(session_id, 0, 0)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            self._feed.download_cancelled.emit(session_id)
            if not task.done():  # not the download, but who waits for it was cancelled
                raise
            return False
        except BlitzError as error:
            self._feed.download_cancelled.emit(session_id)
            if not is_asked:
                raise
            self._feed.request_failed.emit(
                RequestFailure(f"Session {session_id} was not downloaded", error, session_id)
            )
            return False
        finally:
            self._tasks.pop(session_id, None)
        return True

    def cancel(self, session_id: int) -> None:
        """Stop a download; what has come stays for going on later."""
        task = self._tasks.get(session_id)
        if task is not None:
            task.cancel()

    async def cancel_all(self) -> None:
        """Stop every download and wait for its end."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _wait_and_copy(self, session_id: int) -> None:
        async with self._turn:
            told_at = 0.0

            def watch(progress: Progress) -> None:
                nonlocal told_at
                now = time.monotonic()
                if progress.done >= progress.total or now - told_at >= _PROGRESS_S:
                    told_at = now
                    self._feed.download_progressed.emit(session_id, progress.done, progress.total)
                    self._feed.download_measured.emit(session_id, progress)

            await self._copy_session(session_id, watch)
