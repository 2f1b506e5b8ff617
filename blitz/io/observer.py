"""What became durable, examined: what is missing of it, how the devices' clocks run, how reads are bunched.

One more viewer of the running session, in a thread of its own: it may lag, it never holds acquisition. It completes
gaps that links have reported with what is missing in them, finds those that no link could see, and at the session's
end writes the accounts and the verdict.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

import numpy as np

from blitz.data.blocks import MessageBlock
from blitz.data.records import Account, Gap, SessionRecord, Source
from blitz.data.source_examiner import SourceExaminer
from blitz.errors import BlitzError

log = logging.getLogger(__name__)

LOOK_S = 1.0
EXAMINE_AT_ONCE = 16_384
CLOSE_S = 3.0
"""What could not be examined in this time after Stop is counted as unexamined."""


class Reporter(Protocol):
    """Who is told what was found; called from the observer's thread."""

    def store_gap(self, session_id: int, gap: Gap) -> None:
        """Store a gap, or what is known of one now."""

    def warn(self, source: str, text: str) -> None:
        """Tell the operator."""

    def finish_session(self, record: SessionRecord) -> SessionRecord:
        """All is examined that can be: write the accounts, tell that the session is over, return all of it."""


class Observer:
    """Examines the running session once a second.

    :param read: gives messages of a session, (session, first, stop), from memory or from the store.
    :param end_of: tells where the session's messages end now; None if it is not the running one.
    """

    def __init__(
        self,
        read: Callable[[int, int, int], MessageBlock],
        end_of: Callable[[int], int | None],
        reporter: Reporter,
    ) -> None:
        self._read = read
        self._end_of = end_of
        self._reporter = reporter
        self._lock = threading.Lock()
        """Guards the examiners: status asks them from other threads."""
        self._changed = threading.Condition()
        self._session_id: int | None = None
        self._cursor = 0
        self._examiners: dict[int, SourceExaminer] = {}
        self._closing: list[tuple[SessionRecord, Callable[[SessionRecord], None]]] = []
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, wait_s: float = 10.0) -> None:
        """End, behind all sessions that are being closed; a store that hangs is waited for that long."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(wait_s)

    def open_session(self, session_id: int, first_seq: int = 0) -> None:
        """Examine another session from that message on."""
        with self._lock:
            self._session_id, self._cursor = session_id, first_seq
            self._examiners = {}

    def add_source(self, source: Source) -> None:
        """Know what a source's messages mean."""
        with self._lock:
            self._examiners[source.index] = SourceExaminer(source)

    def add_gap(self, session_id: int, gap: Gap) -> None:
        """A link has reported a gap, which is stored."""
        with self._lock:
            examiner = self._examiners.get(gap.source)
            if session_id == self._session_id and examiner is not None:
                examiner.gaps.add(gap)

    def complete(self, account: Account) -> Account:
        """Add to an account what was found."""
        with self._lock:
            examiner = self._examiners.get(account.source)
            return account if examiner is None else examiner.complete(account)

    def gaps(self) -> list[Gap]:
        """Return all gaps of the session, as far as they are known here."""
        with self._lock:
            gaps = [gap for examiner in self._examiners.values() for gap in examiner.gaps.all()]
        return sorted(gaps, key=lambda gap: gap.from_ns)

    def finish(self, record: SessionRecord, done: Callable[[SessionRecord], None]) -> None:
        """The session is over: examine the rest, then have it written down, and tell the caller."""
        with self._changed:
            self._closing.append((record, done))
            self._changed.notify_all()

    def finish_now(self, record: SessionRecord) -> None:
        """The same, for a session of an earlier server, before this one's thread has begun."""
        self._finish(record)

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._closing and not self._is_stopping:
                    self._changed.wait(LOOK_S)
                closing, self._closing = self._closing, []
                is_last = self._is_stopping and not closing
            try:
                for record, done in closing:
                    done(self._finish(record))
                self._look()
            except BlitzError as error:
                log.debug("The observer waits: %s", error)
            except Exception:
                log.exception("The observer failed once; what it was looking at is not examined")
            if is_last:
                return

    def _finish(self, record: SessionRecord) -> SessionRecord:
        try:
            if record.id == self._session_id:
                self._examine(record.id, record.message_count, time.monotonic() + CLOSE_S)
                with self._lock:
                    for examiner in self._examiners.values():
                        examiner.unexamined += max(record.message_count - self._cursor, 0)
                        for gap in _closed(examiner):
                            self._reporter.store_gap(record.id, gap)
        except BlitzError as error:
            log.warning("Session %s could not be examined to its end: %s", record.id, error)
        except Exception:
            log.exception("Session %s could not be examined to its end, by a fault of ours", record.id)
        return self._reporter.finish_session(record)

    def _look(self) -> None:
        session_id = self._session_id
        end = None if session_id is None else self._end_of(session_id)
        if session_id is not None and end is not None:
            self._examine(session_id, end, time.monotonic() + LOOK_S)

    def _examine(self, session_id: int, stop: int, deadline_s: float) -> None:
        while self._cursor < stop and time.monotonic() < deadline_s:
            block = self._read(session_id, self._cursor, min(stop, self._cursor + EXAMINE_AT_ONCE))
            if not len(block):
                break
            found: list[Gap] = []
            warnings: list[tuple[str, str]] = []
            with self._lock:
                if session_id != self._session_id:
                    return
                for row in np.flatnonzero(np.bincount(block.source)).tolist():
                    examiner = self._examiners.get(row)
                    if examiner is not None:
                        found += _examined(examiner, block)
                        warnings += [(examiner.source.name, text) for text in examiner.take_warnings()]
                self._cursor = block.next_seq
            for gap in found:
                self._reporter.store_gap(session_id, gap)
            for name, text in warnings:
                self._reporter.warn(name, text)


def _examined(examiner: SourceExaminer, block: MessageBlock) -> list[Gap]:
    """Examine a source's messages; what goes wrong with one source does not touch the others."""
    if not examiner.has_failed:
        try:
            return examiner.examine(block)
        except Exception:
            examiner.has_failed = True
            log.exception("Messages of %s are not examined from here on, by a fault of ours", examiner.source.name)
    examiner.unexamined += int(np.count_nonzero(block.source == examiner.source.index))
    return []


def _closed(examiner: SourceExaminer) -> list[Gap]:
    try:
        return [] if examiner.has_failed else examiner.close()
    except Exception:
        examiner.has_failed = True
        log.exception("What %s is missing could not be told at the end, by a fault of ours", examiner.source.name)
        return []
