"""Preparing what is written next while something is written: decoding, spelling and writing at the same time."""

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

S = TypeVar("S")
P = TypeVar("P")

_AHEAD = 3
"""Parts that are made and not yet taken, at most; one more is being made."""


def prepared_ahead(parts: Iterator[S], prepare: Callable[[S], P]) -> Generator[tuple[S, P], None, None]:
    """Give each part with what ``prepare`` makes of it, in order, working ahead in threads.

    ``parts`` is gone through in one thread of its own; ``prepare`` runs in two at once. What they raise is raised
    here. Close the iterator to stop early: it waits until its threads have ended.
    """
    ready: queue.Queue[tuple[S, Future[P]] | BaseException | None] = queue.Queue(_AHEAD)
    is_over = threading.Event()

    def put(found: tuple[S, Future[P]] | BaseException | None) -> None:
        while not is_over.is_set():
            with suppress(queue.Full):
                ready.put(found, timeout=0.1)
                return

    def go_through(pool: ThreadPoolExecutor) -> None:
        try:
            for part in parts:
                put((part, pool.submit(prepare, part)))
                if is_over.is_set():
                    break
        except BaseException as error:  # noqa: BLE001 - raised again where the parts are taken
            put(error)
        else:
            put(None)
        finally:
            if isinstance(parts, Generator):
                parts.close()

    with ThreadPoolExecutor(2, "blitz-export-prepare") as pool:
        reader = threading.Thread(target=go_through, args=(pool,), name="blitz-export-read")
        reader.start()
        try:
            while (found := ready.get()) is not None:
                if isinstance(found, BaseException):
                    raise found
                yield found[0], found[1].result()
        finally:
            is_over.set()
            reader.join()
