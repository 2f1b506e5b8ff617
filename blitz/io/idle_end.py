"""The end of a server that was started for one client: when nobody looks and nothing is recorded any more.

Such a server needs nobody to end it: not a client that crashed, nor one that was closed while a session ran.
"""

import asyncio
import logging
from collections.abc import Callable

log = logging.getLogger(__name__)

LOOK_S = 1.0


async def wait_until_idle(is_needed: Callable[[], bool], idle_s: float, look_s: float = LOOK_S) -> None:
    """Return when the server was not needed for so long without a break; time in which the machine slept may count.

    :param is_needed: tells from memory whether there is a session, a plan for one, or somebody who asks.
    """
    loop = asyncio.get_running_loop()
    needed_s = loop.time()
    while loop.time() - needed_s < idle_s:
        await asyncio.sleep(min(look_s, idle_s))
        if is_needed():
            needed_s = loop.time()
    log.info("Nobody looked and nothing was recorded for %g s: ending", idle_s)
