"""Copying a session from a server into the cache, through a cursor: the next seq that is wanted.

Knows nothing of the network: it is given a function that fetches messages.
"""

import logging
from collections.abc import Awaitable, Callable

from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.cache_engine import cache_path
from blitz.data.database_client import DatabaseClient
from blitz.data.records import SessionRecord
from blitz.errors import BlockError

__all__ = ["cache_path", "download"]

log = logging.getLogger(__name__)

Fetch = Callable[[int, int], Awaitable[MessageBlock]]
"""``await fetch(first, count)``: messages from seq ``first`` on, at most ``count`` of them."""


async def download(
    session: SessionRecord,
    fetch: Fetch,
    cache: DatabaseClient,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Bring a session's messages, as many as ``session.message_count`` says, into the cache.

    Goes on where an earlier download of the same session was interrupted. However it ends, by an error or by the
    cancellation of its task, what has come stays for the next time, and an older copy stays in use until the new one
    is whole. The cache is written by the calling thread.

    :param fetch: asked for consecutive runs, each up to the next multiple of 16384; a shorter answer is asked on from.
    :param progress: called with (messages there, messages in all), first with what was there already.
    :raises BlockError: if the server's messages have a hole, or end too early.
    :raises CacheError: if the cache cannot be written.
    """
    next_seq = cache.begin_download(session)
    _report(progress, next_seq, session)
    while next_seq < session.message_count:
        stop = min((next_seq // GRID_MESSAGES + 1) * GRID_MESSAGES, session.message_count)
        block = await fetch(next_seq, stop - next_seq)
        if not len(block) or block.first_seq != next_seq:
            raise BlockError(
                f"Session {session.id} has {session.message_count} messages, and the server did not send those from "
                f"{next_seq} on. Start the download again; it goes on there."
            )
        cache.store_block(session.id, block)
        next_seq = block.next_seq
        _report(progress, next_seq, session)
    cache.finish_download(session)
    log.info("Session %d is in the cache: %d messages", session.id, session.message_count)


def _report(progress: Callable[[int, int], None] | None, count: int, session: SessionRecord) -> None:
    if progress is not None:
        progress(min(count, session.message_count), session.message_count)
