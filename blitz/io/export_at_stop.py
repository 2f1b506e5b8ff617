"""A thread that exports sessions by themselves when they stop, and tries again until it works.

Owns the thread and its copy of the cache; what is exported and when stands in :mod:`blitz.data.export_at_stop`.
"""

import logging
import math
import queue
import threading
import time
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from blitz.data.database_client import DatabaseClient
from blitz.data.export_at_stop import ExportsAtStop, Outcome
from blitz.data.export_rule import ExportRule
from blitz.data.records import SessionRecord
from blitz.errors import BlitzError
from blitz.io.sync_threads import run_in_thread

log = logging.getLogger(__name__)

_LONGEST_WAIT_S = 1.0
_AFTER_FAULT_S = 15.0
"""To the next look at a cache that could not be used."""


class _Use(NamedTuple):
    """The order to work with a cache."""

    address: Path | str


_Order = Callable[[ExportsAtStop], None]


class ExportThread:
    """Exports beside everything else; its methods return at once, and may be called from any thread.

    :param rule: where to, and how.
    :param tell: called in the thread with what came of each attempt.
    :param fetch: called in the thread with a session that must be downloaded first.
    """

    def __init__(self, rule: ExportRule, tell: Callable[[Outcome], None], fetch: Callable[[int], None]) -> None:
        self._rule = rule
        self._tell = tell
        self._fetch = fetch
        self._orders: queue.SimpleQueue[_Order | _Use | None] = queue.SimpleQueue()
        self._is_over = threading.Event()
        self._cache: DatabaseClient | None = None
        self._exports: ExportsAtStop | None = None
        self._next_at_s = math.inf
        self._thread = threading.Thread(target=self._run, name="blitz export at stop", daemon=True)
        self._thread.start()

    def use_cache(self, address: Path | str) -> None:
        """Export from this cache, a file or a URL, from now on, what was left over included."""
        self._orders.put(_Use(address))

    def see(self, records: Iterable[SessionRecord]) -> None:
        """Take in sessions as the server tells them."""
        told = tuple(records)
        self._orders.put(lambda exports: _ignore(exports.see(told)))

    def stopped(self, record: SessionRecord) -> None:
        """Export a session that has stopped."""
        self._orders.put(lambda exports: exports.stopped(record))

    def retry(self, session_id: int | None = None) -> None:
        """Try a session again at once; without one, look whether something is due."""
        self._orders.put(lambda exports: None if session_id is None else exports.retry(session_id))

    def close(self) -> None:
        """End the thread; what is under way is tried again at the next start."""
        self._is_over.set()
        self._orders.put(None)
        self._thread.join(10)

    def _run(self) -> None:
        try:
            while not self._is_over.is_set():
                is_told = self._wait_and_obey()
                if self._exports is not None and (is_told or time.monotonic() >= self._next_at_s):
                    self._try_what_is_due(self._exports)
        finally:
            if self._cache is not None:
                self._cache.close()

    def _wait_and_obey(self) -> bool:
        """Return whether there was something to obey."""
        try:
            order = self._orders.get(timeout=_LONGEST_WAIT_S)
        except queue.Empty:
            return False
        try:
            if isinstance(order, _Use):
                self._open(order.address)
            elif order is not None and self._exports is not None:
                order(self._exports)
        except BlitzError as error:
            log.warning("Exports at Stop: %s", error)
        except Exception:
            log.exception("Exports at Stop")
        return True

    def _open(self, address: Path | str) -> None:
        if self._cache is not None:
            self._cache.close()
            self._cache = self._exports = None
        self._cache = DatabaseClient(path=address)
        self._exports = ExportsAtStop(self._cache, self._rule)

    def _try_what_is_due(self, exports: ExportsAtStop) -> None:
        self._next_at_s = time.monotonic() + _AFTER_FAULT_S
        try:
            for due in exports.due():
                outcome = exports.attempt(due, is_cancelled=self._is_over.is_set)
                if self._is_over.is_set():
                    return
                if outcome is not None and outcome.is_wanted:
                    self._fetch(due.session_id)
                elif outcome is not None:
                    self._tell(outcome)
            next_in_s = exports.next_in_s()
            self._next_at_s = math.inf if next_in_s is None else time.monotonic() + next_in_s
        except BlitzError as error:
            log.warning("Exports at Stop: %s", error)
        except Exception:
            log.exception("Exports at Stop")


async def export_stopped(
    cache: DatabaseClient,
    rule: ExportRule,
    records: Iterable[SessionRecord],
    bring: Callable[[int], Awaitable[object]],
    is_cancelled: Callable[[], bool] | None = None,
) -> list[Outcome]:
    """Export what has stopped and is due, for a program that looks again and again; return what came of it.

    :param records: the server's sessions.
    :param bring: downloads a session.
    :param is_cancelled: asked once a part, in another thread.
    """
    exports = ExportsAtStop(cache, rule)
    attempt = partial(exports.attempt, is_cancelled=is_cancelled)
    await run_in_thread(exports.see, records)
    outcomes = []
    for due in await run_in_thread(exports.due):
        outcome = await run_in_thread(attempt, due)
        if outcome is not None and outcome.is_wanted:
            try:
                await bring(due.session_id)
            except BlitzError as error:
                log.info("Session %d cannot be exported yet: %s", due.session_id, error)
                continue
            await run_in_thread(exports.retry, due.session_id)
            outcome = await run_in_thread(attempt, outcome.export.model_copy(update={"next_try_ms": 0}))
        if outcome is not None:
            outcomes.append(outcome)
    return outcomes


def _ignore(_: object) -> None:
    """An order returns nothing."""
