"""Slow calls of the cache, in worker threads: the event loop goes on, and what was begun ends."""

import asyncio
import functools
from collections.abc import Callable
from typing import Any, TypeVar

_T = TypeVar("_T")


async def run_in_thread(call: Callable[..., _T], *arguments: Any) -> _T:
    """Let a call run in a worker thread, and return what it returns.

    Where the waiting task is cancelled, the call is waited for first: nobody must close the cache below it.
    """
    working = asyncio.get_running_loop().run_in_executor(None, functools.partial(call, *arguments))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        await asyncio.wait([working])
        if not working.cancelled():
            working.exception()  # looked at: nobody else will
        raise
