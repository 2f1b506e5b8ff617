"""Asking for the next runs while one is being stored: a download is not one round trip after another."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from blitz.data.blocks import MessageBlock
from blitz.data.sync import Fetch, next_run

_RUNS_AHEAD = 1
"""Enough to hide the server's work and our own; a run of 65536 messages has a few megabytes."""


class ReadAhead:
    """Wraps a `fetch(first, count)`: what probably comes next is asked for already.

    :param message_count: nothing is asked for beyond it.
    """

    def __init__(self, fetch: Fetch, message_count: int) -> None:
        self._fetch = fetch
        self._message_count = message_count
        self._under_way: dict[tuple[int, int], asyncio.Task[Sequence[MessageBlock]]] = {}

    async def fetch(self, first: int, count: int) -> Sequence[MessageBlock]:
        """Return the blocks, and have the following ones fetched meanwhile."""
        wanted = (first, count)
        if wanted not in self._under_way:
            await self.close()
        part = wanted
        for _ in range(_RUNS_AHEAD + 1):
            if part not in self._under_way:
                self._under_way[part] = asyncio.create_task(self._call(*part))
            part = next_run(sum(part), self._message_count)
            if part[1] <= 0:
                break
        return await self._under_way.pop(wanted)

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = list(self._under_way.values())
        self._under_way.clear()
        for task in tasks:
            task.cancel()
        # Faults of blocks that nobody asked for yet are nobody's.
        await asyncio.gather(*tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _call(self, first: int, count: int) -> Sequence[MessageBlock]:
        return await self._fetch(first, count)
