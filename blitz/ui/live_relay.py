"""Passing on the live views of a server, the sessions' and the preview's, on the worker thread's event loop."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Literal

from blitz.data.blocks import MessageBlock
from blitz.data.records import Event, EventKind
from blitz.errors import BlitzError
from blitz.io.connection import AsyncClient
from blitz.io.live_stream import Decoding
from blitz.ui.feed import Feed

log = logging.getLogger(__name__)

CATCH_UP_MESSAGES = 60_000
"""So many messages before the end are fetched when connecting to a running session, to fill the plot at once."""
PREVIEW_MESSAGES = 2_000


async def relay(
    feed: Feed,
    client: AsyncClient,
    pass_on: Callable[[Event], Awaitable[None]],
    keep: Callable[[MessageBlock], None],
) -> None:
    """Follow sessions and preview until the connection ends for good.

    :param pass_on: is given what the sessions' view tells besides sources and readings; it speaks for the connection.
    :param keep: is given the sessions' messages as they came, behind their readings; it returns at once.
    :raises BlitzError: when it ends.
    """
    preview = asyncio.create_task(_follow(feed, client, "preview", -PREVIEW_MESSAGES, None, None), name="blitz preview")
    try:
        await _follow(feed, client, None, -CATCH_UP_MESSAGES, pass_on, keep)
    finally:
        preview.cancel()
        with contextlib.suppress(asyncio.CancelledError, BlitzError):
            await preview


async def _follow(
    feed: Feed,
    client: AsyncClient,
    session: Literal["preview"] | None,
    first: int,
    pass_on: Callable[[Event], Awaitable[None]] | None,
    keep: Callable[[MessageBlock], None] | None,
) -> None:
    decoding = Decoding()
    async with client.live(session, first, raw=True) as stream:
        async for entry in stream:
            if isinstance(entry, MessageBlock):
                feed.raw_received.emit(entry)
                for readings in decoding.translate(entry):
                    feed.readings_received.emit(readings)
                if keep is not None:
                    keep(entry)
                continue
            decoding.learn(entry)
            if entry.event is EventKind.SOURCES and entry.session_id is not None:
                feed.sources_received.emit(entry.session_id, entry.sources or ())
                if session is None:
                    await _tell_notes(feed, client, entry.session_id)
            elif pass_on is not None:
                await pass_on(entry)


async def _tell_notes(feed: Feed, client: AsyncClient, session_id: int) -> None:
    """Pass on gaps and markers from before this window looked."""
    try:
        record = await client.session(session_id)
    except BlitzError as error:
        log.info("Cannot ask for gaps and markers of session %d: %s", session_id, error)
        return
    for gap in record.gaps:
        feed.gap_received.emit(session_id, gap)
    feed.markers_listed.emit(session_id, record.markers)
