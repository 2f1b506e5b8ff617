"""Preparing what is written next while something is written: decoding, spelling and writing at the same time.

The thread that writes may be interrupted by Ctrl-C at any moment, also within threading's own code, whose locks would
then stay as they are. So all that it shares with the other threads are simple queues, which an interruption leaves
whole, and another thread starts those that work.
"""

import _thread
import itertools
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

S = TypeVar("S")
P = TypeVar("P")

_AHEAD = 8
"""Parts that are being made, or are made and not yet taken, at most."""
_START_S = 1.0
"""So long is waited for threads of which nobody knows whether they were started: an interruption came just then."""


def prepared_ahead(
    parts: Iterator[S],
    prepare: Callable[[S], P],
    *,
    threads: int = 1,
    meanwhile: Callable[[], object] = lambda: None,
) -> Generator[tuple[S, P], None, None]:
    """Give each part with what ``prepare`` makes of it, in order, working ahead in threads.

    What the threads raise is raised here. Close the iterator to stop early: it waits until its threads have ended.

    :param parts: gone through in one thread at a time; the one that took a part prepares it, too, as long as it lies in
        the processor's cache.
    :param threads: one where preparing takes little: two would wait for each other.
    :param meanwhile: called once, while the first part is being made.
    """
    ahead = _Ahead(parts, prepare, threads)
    early: dict[int, tuple[S, P] | BaseException | None] = {}
    try:
        ahead.begin()
        meanwhile()
        for number in itertools.count():
            while number not in early:
                early.update([ahead.ready.get()])
            found = early.pop(number)
            if found is None:
                return
            if isinstance(found, BaseException):
                raise found
            ahead.make_more()
            yield found
    finally:
        try:
            ahead.end()
        finally:  # all of it, if the first was interrupted
            ahead.end()


class _Ahead(Generic[S, P]):
    """The threads, and what goes between them and the one that writes."""

    def __init__(self, parts: Iterator[S], prepare: Callable[[S], P], threads: int) -> None:
        self._parts, self._prepare, self._thread_count = parts, prepare, threads
        self.ready: SimpleQueue[tuple[int, tuple[S, P] | BaseException | None]] = SimpleQueue()
        """Parts by their number, in the order in which they were made; behind the last one, None or what went wrong."""
        self._room: SimpleQueue[bool] = SimpleQueue()
        self._begun: SimpleQueue[None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._turn = threading.Lock()
        self._taken = 0
        self._may_have_begun = self._has_begun = self._is_over = False

    def begin(self) -> None:
        """Start the threads."""
        for _ in range(_AHEAD):
            self.make_more()
        self._may_have_begun = True
        _thread.start_new_thread(self._start, ())
        self._has_begun = True

    def make_more(self) -> None:
        """Have one part more made."""
        self._room.put(True)

    def end(self) -> None:
        """Wait until the threads have ended; may be called again."""
        self._is_over = True
        for _ in range(self._thread_count):
            self._room.put(False)
        if self._may_have_begun:
            with suppress(Empty):
                self._begun.get(timeout=None if self._has_begun else _START_S)
        for thread in self._threads:
            thread.join()
        if isinstance(self._parts, Generator):
            self._parts.close()

    def _start(self) -> None:
        try:
            for number in range(self._thread_count):
                thread = threading.Thread(target=self._work, name=f"blitz-export-{number}", daemon=False)
                thread.start()
                self._threads.append(thread)
        except BaseException as error:  # noqa: BLE001 - raised again where the parts are taken
            self.ready.put((0, error))
        for _ in range(2):  # for each call of end()
            self._begun.put(None)

    def _work(self) -> None:
        while self._room.get() and not self._is_over:
            with self._turn:
                number = self._taken
                self._taken += 1
                try:
                    part = next(self._parts)
                except BaseException as error:  # noqa: BLE001 - raised again where the parts are taken
                    self.ready.put((number, None if isinstance(error, StopIteration) else error))
                    return
            try:
                self.ready.put((number, (part, self._prepare(part))))
            except BaseException as error:  # noqa: BLE001 - raised again where the parts are taken
                self.ready.put((number, error))
                return
