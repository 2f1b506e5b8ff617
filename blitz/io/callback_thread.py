"""A thread for each subscription of a plain script, in which its callback runs: it may wait, and use the client.

Owns the thread. What it is called with, and what becomes of the answer, is :mod:`.subscription`'s business.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import NamedTuple

from blitz.data.points import Points
from blitz.io.subscription import Callback, Outcome


class _Job(NamedTuple):
    name: str
    points: Points
    tell: Callable[[Outcome], None]


class CallbackThread:
    """Runs one callback in a thread of its own, one call at a time.

    :param owner: what must not be collected while the callback may still be called.
    """

    def __init__(self, name: str, callback: Callback, owner: object) -> None:
        self._callback = callback
        self._owner: object | None = owner
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        # A script that ends without saying so does not wait for it.
        self._thread = threading.Thread(target=self._run, name=f"blitz subscription {name}", daemon=True)
        self._thread.start()

    @property
    def is_current(self) -> bool:
        """Whether it is the callback that asks."""
        return threading.current_thread() is self._thread

    async def call(self, name: str, points: Points) -> Outcome:
        """Let the callback be called there, and wait for its end."""
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[Outcome] = loop.create_future()

        def settle(answer: Outcome) -> None:
            if not outcome.done():  # else nobody waits any more
                outcome.set_result(answer)

        def tell(answer: Outcome) -> None:
            with suppress(RuntimeError):  # the client was closed, and its loop is gone
                loop.call_soon_threadsafe(settle, answer)

        self._jobs.put(_Job(name, points, tell))
        return await outcome

    def close(self) -> None:
        """Call no more; a second time is allowed."""
        self._owner = None
        self._jobs.put(None)

    def join(self) -> None:
        """Wait for the end of the call that is under way, unless it is that one which asks."""
        if not self.is_current:
            self._thread.join()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                outcome = Outcome(self._callback(job.name, job.points))
            except BaseException as error:  # noqa: BLE001 - told by who asked; also SystemExit, which ends no thread here
                outcome = Outcome(error=error)
            job.tell(outcome)
            del job, outcome
