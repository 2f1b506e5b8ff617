"""Carrying out a request of the window, whose errors are values."""

import logging
from collections.abc import Awaitable

from blitz.errors import BlitzError
from blitz.ui.feed import Feed, RequestFailure

log = logging.getLogger(__name__)


async def report(
    feed: Feed,
    action: str,
    request: Awaitable[None],
    session_id: int | None = None,
    *,
    is_of_recording: bool = False,
) -> None:
    """Carry out a request; an error becomes the feed's ``request_failed``."""
    try:
        await request
    except BlitzError as error:
        feed.request_failed.emit(RequestFailure(action, error, session_id, is_of_recording))
    except Exception as error:
        log.exception("%s", action)
        apology = RuntimeError(f"this is a fault in Blitz, sorry ({error}); the log has the details")
        feed.request_failed.emit(RequestFailure(action, apology, session_id, is_of_recording))
