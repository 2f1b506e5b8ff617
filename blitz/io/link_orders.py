"""What other threads want of a link's thread: commands to the device, and changes that must fall between two reads."""

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import suppress

from blitz.errors import BlitzError
from blitz.io.device import WireCommand

Answer = Future[str | None]


class CommandQueue:
    """Commands to one device, in order, each with the future of its answer."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[tuple[WireCommand, Answer]] = queue.SimpleQueue()

    @property
    def is_empty(self) -> bool:
        """Whether no command waits."""
        return self._waiting.empty()

    def put(self, command: WireCommand) -> Answer:
        """Queue a command."""
        answer: Answer = Future()
        self._waiting.put((command, answer))
        return answer

    def take(self) -> Iterator[tuple[WireCommand, Answer]]:
        """Yield the commands that wait and that nobody has given up; each is under way from then on."""
        with suppress(queue.Empty):  # the thread's end and whoever sends may both be at it
            while True:
                command, answer = self._waiting.get_nowait()
                if answer.set_running_or_notify_cancel():
                    yield command, answer

    def refuse(self, error: BlitzError) -> None:
        """Tell all who wait that their commands are not sent."""
        for _, answer in self.take():
            answer.set_exception(error)


class Changes:
    """Changes to a link that its own thread makes, between two reads."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[tuple[Callable[[], None], threading.Event]] = queue.SimpleQueue()
        self._turn = threading.Lock()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to change."""
        return self._waiting.empty()

    def put(self, change: Callable[[], None]) -> threading.Event:
        """Queue a change; the event is set when it was made."""
        made = threading.Event()
        self._waiting.put((change, made))
        return made

    def make(self) -> None:
        """Make all that wait."""
        with self._turn, suppress(queue.Empty):
            while True:
                change, made = self._waiting.get_nowait()
                try:
                    change()
                finally:
                    made.set()
