"""When a server that was started for one client ends by itself."""

import asyncio

from blitz.io.idle_end import wait_until_idle


async def _wait(needed: list[bool]) -> int:
    """Return how often it looked; the last answer holds on."""
    looked = 0

    def is_needed() -> bool:
        nonlocal looked
        looked += 1
        return needed[min(looked, len(needed)) - 1]

    await asyncio.wait_for(wait_until_idle(is_needed, 0.05, look_s=0.01), 30)
    return looked


def test_a_server_that_nobody_needs_ends_after_a_while() -> None:
    assert asyncio.run(_wait([False])) >= 1


def test_as_long_as_somebody_needs_it_the_server_goes_on() -> None:
    assert asyncio.run(_wait([True] * 20 + [False])) > 20


def test_a_short_break_does_not_end_it() -> None:
    assert asyncio.run(_wait([True, False, True, False, True, False])) > 5
