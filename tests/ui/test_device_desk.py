"""The order in which the window asks about a new device: a server that listens is told to end, and takes its time."""

import asyncio
from typing import Any

from blitz.errors import LinkError, ServerBusy
from blitz.ui.device_desk import DeviceDesk
from blitz.ui.feed import Feed

PORT = "/dev/ttyUSB0"


class ListeningServer:
    """As the real one: it listens to a port once at a time, until it is told to end."""

    def __init__(self) -> None:
        self.begun = 0
        self.is_busy = False
        self.told_to_end = asyncio.Event()

    async def examine(self, link: str, baud: int | None, seconds: float, *, keep_s: float) -> object:
        await asyncio.sleep(0)  # the way there
        if self.is_busy:
            raise ServerBusy(f"{link} is being listened to already.")
        self.begun, self.is_busy = self.begun + 1, True
        self.told_to_end.clear()
        try:
            await asyncio.wait_for(self.told_to_end.wait(), 0.05)
        except TimeoutError:
            return f"proposal {self.begun}"
        finally:
            await asyncio.sleep(0)  # it looks now and then
            self.is_busy = False
        raise LinkError(f"Listening to {link} was ended.")

    async def end_examining(self, link: str) -> None:
        for _ in range(3):  # the way there
            await asyncio.sleep(0)
        self.told_to_end.set()


async def ask_nothing() -> None:
    pass


def answers(feed: Feed, *, is_busy: bool) -> list[tuple[object, str]]:
    """Let the window listen again, while the server listens or not; return what the window is told."""
    told: list[tuple[object, str]] = []
    feed.device_examined.connect(lambda link, proposal, reason: told.append((proposal, reason)))

    async def play() -> None:
        server: Any = ListeningServer()
        desk = DeviceDesk(feed, lambda: server, ask_nothing)
        tasks = [asyncio.create_task(desk.listen_on(PORT, None))] if is_busy else []
        await asyncio.sleep(0.01)
        tasks.append(asyncio.create_task(desk.end_examining(PORT)))
        tasks.append(asyncio.create_task(desk.examine(PORT, None)))
        await asyncio.gather(*tasks)

    asyncio.run(play())
    return told


def test_listening_again_ends_what_was_before_and_then_begins(feed: Feed) -> None:
    assert answers(feed, is_busy=False) == [("proposal 1", "")]


def test_what_was_ended_says_nothing_any_more(feed: Feed) -> None:
    assert answers(feed, is_busy=True) == [("proposal 2", "")]
