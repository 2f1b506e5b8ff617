"""Copying a session from a server into the cache, through a cursor: the next seq that is wanted.

The same cursor serves a download, one that goes on after an interruption, a late joiner and the live view: whoever
delivers messages, :class:`SyncCursor` stores those that come next, and says what is missing. Knows nothing of the
network: it is given a function that fetches messages, and one that lets slow calls run where they hold up nobody.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.cache_engine import cache_path
from blitz.data.database_client import DatabaseClient
from blitz.data.models import Session
from blitz.data.records import SessionRecord
from blitz.data.sync_progress import Progress, ProgressMeter
from blitz.errors import BlockError, CacheError

__all__ = ["FETCH_MESSAGES", "Progress", "SyncCursor", "cache_path", "download", "fetch_next", "is_here", "next_run"]

log = logging.getLogger(__name__)

_T = TypeVar("_T")

FETCH_MESSAGES = 4 * GRID_MESSAGES
"""So many messages are asked for at once: what a server gives at most."""

Fetch = Callable[[int, int], Awaitable[Sequence[MessageBlock]]]
"""``await fetch(first, count)``: messages from seq ``first`` on, at most ``count`` of them, in blocks of any length."""


class Run(Protocol):
    """``await run(call, *arguments)``: what the call returns, wherever it runs; it ends even if nobody waits."""

    def __call__(self, call: Callable[..., _T], /, *arguments: Any) -> Awaitable[_T]:
        """Let it run."""
        ...


async def run_here(call: Callable[..., _T], *arguments: Any) -> _T:
    """Let a call run in the calling thread."""
    return call(*arguments)


class SyncCursor:
    """Where a session's copy goes on. Its calls write to the cache and block; one thread at a time.

    :param session: as the server tells of it; its message count may grow.
    """

    def __init__(self, cache: DatabaseClient, session: SessionRecord) -> None:
        self.cache = cache
        self.session = session
        self.next_seq = cache.begin_download(session)
        """What is wanted next."""

    def take(self, blocks: Sequence[MessageBlock]) -> int:
        """Store what comes next of these blocks, which follow each other, in one transaction; return what is wanted.

        :raises BlockError: if messages between would be missing.
        :raises CacheError: if the cache cannot be written, or the session was deleted meanwhile.
        """
        self.next_seq = self.cache.store_blocks(self.session.id, blocks)
        return self.next_seq

    def finish(self, session: SessionRecord) -> None:
        """Make the copy the session's copy, if it has as many messages as ``session`` says.

        :raises BlockError: if messages are missing.
        """
        self.cache.finish_download(session)
        log.info("Session %d is in the cache: %d messages", session.id, session.message_count)


async def download(
    session: SessionRecord,
    fetch: Fetch,
    cache: DatabaseClient,
    progress: Callable[[int, int], None] | None = None,
    *,
    watch: Callable[[Progress], None] | None = None,
    run: Run = run_here,
) -> None:
    """Bring a session's messages, as many as ``session.message_count`` says, into the cache.

    Goes on where an earlier download of the same session was interrupted. However it ends, by an error or by the
    cancellation of its task, what has come stays for the next time, and an older copy stays in use until the new one
    is whole.

    :param fetch: asked for consecutive runs, each as :func:`next_run` says; a shorter answer is asked on from.
    :param progress: called with (messages there, messages in all), first with what was there already.
    :param watch: called as often, with bytes and the time left, too.
    :param run: where the cache is written; else in the calling thread.
    :raises BlockError: if the server's messages have a hole, or end too early.
    :raises CacheError: if the cache cannot be written.
    """
    cursor = await run(SyncCursor, cache, session)
    meter = ProgressMeter(session.message_count, cursor.next_seq)
    _report(progress, watch, meter.progress)
    try:
        while cursor.next_seq < session.message_count:
            begin = cursor.next_seq
            blocks = await fetch_next(fetch, session, begin)
            await run(cursor.take, blocks)
            received_bytes = sum(block.raw.nbytes for block in blocks)
            _report(progress, watch, meter.add(cursor.next_seq - begin, received_bytes))
        await run(cursor.finish, session)
    except CacheError:
        if not await run(is_here, cache, session):  # another download has finished it meanwhile
            raise


def is_here(cache: DatabaseClient, session: SessionRecord) -> bool:
    """Whether all that a server tells of a session is in the cache."""
    row = cache.get(Session, {"ref_id": session.id, "time_started": session.started_ms})
    return row is not None and row.available and row.number_of_readings >= session.message_count


async def fetch_next(fetch: Fetch, session: SessionRecord, next_seq: int) -> Sequence[MessageBlock]:
    """Fetch what comes next, and see that it is that.

    :raises BlockError: if it is something else, or nothing.
    """
    blocks = await fetch(*next_run(next_seq, session.message_count))
    if not any(map(len, blocks)) or blocks[0].first_seq != next_seq:
        raise BlockError(
            f"Session {session.id} has {session.message_count} messages, and the server did not send those from "
            f"{next_seq} on. Start the download again; it goes on there."
        )
    return blocks


def next_run(next_seq: int, message_count: int) -> tuple[int, int]:
    """Return from where on, and how many, messages are asked for next: up to a border of the grid, or the end.

    >>> next_run(0, 100_000), next_run(65_536, 100_000), next_run(16_390, 100_000)
    ((0, 65536), (65536, 34464), (16390, 49146))
    """
    stop = min((next_seq // FETCH_MESSAGES + 1) * FETCH_MESSAGES, message_count)
    return next_seq, stop - next_seq


def _report(
    progress: Callable[[int, int], None] | None, watch: Callable[[Progress], None] | None, now: Progress
) -> None:
    if progress is not None:
        progress(now.done, now.total)
    if watch is not None:
        watch(now)
