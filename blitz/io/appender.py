"""The appender: one thread that puts what the links read into the store, in order, and then shows it to viewers.

While one append is on its way to the store the next one gathers, and so it does for a moment behind one: each costs a
write to disk, however little it brings. A message that comes alone is appended at once. The appender never waits for
a viewer and never parses a value. What the store has acknowledged is published; nothing else is.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from blitz.data.blocks import PREVIEW_ID, Read
from blitz.data.database_server import DatabaseServer
from blitz.data.records import Gap, SessionRecord, Source, TimelineEntry
from blitz.data.store_writer import SessionWriter
from blitz.errors import NoSession, SessionNotFound, StoreUnavailable

log = logging.getLogger(__name__)

_T = TypeVar("_T")

BATCH_MESSAGES = 8192
GATHER_S = 0.015
"""From one append to the next at least, unless much is waiting: viewers look as often."""
MANY_MESSAGES = 200
GATHER_MANY_S = 0.05
"""The same where so many have come meanwhile, 13 000 a second: appending them more often is what would cost most."""
FULL_MESSAGES = 4096
FULL_BYTES = 1 << 20
"""What waits for no time."""
WAITING_LIMIT_BYTES = 64 << 20
PUT_WAIT_S = 1.0
SLOW_APPEND_MS = 5.0
LONGEST_INTERVAL_S = 0.25
_RETRY_S = (0.05, 0.1, 0.2, 0.5, 1.0)


class Publisher(Protocol):
    """Who is told what became durable; called from the appender's thread."""

    def publish(self, session_id: int, first_seq: int, reads: Sequence[Read], count: int) -> None:
        """Show messages."""

    def add_source(self, session_id: int, source: Source) -> None:
        """Show a new row of a source table."""

    def gap_recorded(self, session_id: int, gap: Gap) -> None:
        """Show a gap."""

    def entry_recorded(self, session_id: int, entry: TimelineEntry) -> None:
        """Show an entry of a session's time line."""

    def session_closed(self, record: SessionRecord, closed: "Future[SessionRecord]") -> None:
        """A session was stopped, and all its messages were published before; resolves the future in its time."""

    def session_lost(self, session_id: int) -> None:
        """A session was stopped or deleted by another program while messages were still coming."""

    def store_changed(self, error: str | None) -> None:
        """The store went away (a sentence) or came back (None)."""


@dataclass
class _GapItem:
    session_id: int
    gap: Gap


@dataclass
class _CloseItem:
    session_id: int
    closed: "Future[SessionRecord]" = field(default_factory=Future)


@dataclass
class _ReadItem:
    session_id: int
    read: Read


@dataclass
class _EntryItem:
    session_id: int
    entry: TimelineEntry


_Item = _ReadItem | _GapItem | _EntryItem | _CloseItem


class Appender:
    """Queue and thread in front of the store.

    :param find_source: gives the row with an index, for the session's source table.
    """

    def __init__(self, store: DatabaseServer, publisher: Publisher, find_source: Callable[[int], Source]) -> None:
        self.append_ms = 0.0
        """How long an append takes, smoothed."""
        self.waiting_messages = 0
        self.failure: BaseException | None = None
        self._store = store
        self._publisher = publisher
        self._find_source = find_source
        self._items: list[_Item] = []
        self._taken: list[_Item] = []
        self._has_ended = False
        self._waiting_bytes = 0
        self._changed = threading.Condition()
        self._is_urgent = threading.Event()
        self._is_stopping = False
        self._writer: SessionWriter | None = None
        self._known_sources: dict[int, set[int]] = {PREVIEW_ID: set()}
        self._last_ns: dict[int, int] = {}
        self._preview_seq = 0
        self._next_seqs: dict[int, int] = {}
        self._gap_seqs: dict[tuple[int, int], int] = {}
        self._interval_s = 0.0
        self._thread = threading.Thread(target=self._run, name="appender", daemon=True)

    # ---- from other threads -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Append what is waiting, then end; a store that is away is not waited for."""
        with self._changed:
            self._is_stopping = True
            self._is_urgent.set()
            self._changed.notify_all()
        if self._thread.is_alive():  # else it was never started, or has ended by a fault
            self._thread.join(15.0)
        if self.failure is not None:
            raise self.failure

    def open_session(self, session: SessionRecord) -> None:
        """Prepare for a session, as it is in the store; called before anything is put for it."""
        self._known_sources[session.id] = {source.index for source in session.sources}
        self._next_seqs[session.id] = session.message_count
        self._last_ns.pop(PREVIEW_ID, None)  # the clock has been anchored anew, and may have been set back

    def put(self, session_id: int, read: Read) -> bool:
        """Queue one read; False if the queue stayed full for a second and the messages were dropped."""
        weight = len(read.messages) * (len(read.messages[0]) + 64)
        with self._changed:
            if self._has_ended:
                return False
            if self._waiting_bytes > WAITING_LIMIT_BYTES and not self._changed.wait_for(
                lambda: self._waiting_bytes <= WAITING_LIMIT_BYTES or self._is_stopping, PUT_WAIT_S
            ):
                return False
            self._items.append(_ReadItem(session_id, read))
            self._waiting_bytes += weight
            self.waiting_messages += len(read.messages)
            if self.waiting_messages >= FULL_MESSAGES or self._waiting_bytes >= FULL_BYTES:
                self._is_urgent.set()
            self._changed.notify_all()
        return True

    def put_gap(self, session_id: int, gap: Gap) -> None:
        """Queue a gap; its ``seq`` is set when its turn comes."""
        self._put_item(_GapItem(session_id, gap))

    def put_entry(self, session_id: int, entry: TimelineEntry) -> None:
        """Queue an entry of the session's time line; its ``seq`` is set when its turn comes."""
        self._put_item(_EntryItem(session_id, entry))

    def close_session(self, session_id: int) -> "Future[SessionRecord]":
        """Stop the session in the store behind all that is queued; the future gives its final record."""
        item = _CloseItem(session_id)
        self._put_item(item)
        if self._has_ended:
            self._refuse_the_rest()
        return item.closed

    def _put_item(self, item: _Item) -> None:
        with self._changed:
            self._items.append(item)
            self._is_urgent.set()
            self._changed.notify_all()

    # ---- the thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while items := self._take():
                began_s = time.monotonic()
                self._work(items)
                self._gather(began_s)
        except StoreUnavailable as error:  # which is waited for until it is time to end
            lost = f"{self.waiting_messages} messages could not be stored and are lost"
            self.failure = StoreUnavailable(f"{lost}. {error}")
        except Exception as error:
            self.failure = error
            log.exception("The appender ended; nothing is stored any more")
            self._publisher.store_changed(f"The appender ended by a fault of ours: {error!r}. Restart the server.")
        finally:
            if self._writer is not None:
                self._writer.close()
            self._refuse_the_rest()

    def _refuse_the_rest(self) -> None:
        """Nothing is stored any more: tell those who wait for a session to be closed."""
        with self._changed:
            self._has_ended = True
            items, self._items = self._items, []
        for item in (*self._taken, *items):
            if isinstance(item, _CloseItem) and not item.closed.done():
                item.closed.set_exception(StoreUnavailable(f"Session {item.session_id} is left open: {self.failure}"))

    def _take(self) -> list[_Item]:
        """Return all that is waiting; nothing when it is time to end."""
        with self._changed:
            while not self._items and not self._is_stopping:
                self._changed.wait(1.0)
            self._taken, self._items = self._items, []
            self._waiting_bytes = 0
            if not self._is_stopping:
                self._is_urgent.clear()
            self._changed.notify_all()
        return self._taken

    def _gather(self, began_s: float) -> None:
        """Let messages come together for the next append.

        :param began_s: when the last one began, by the monotonic clock.
        """
        self._is_urgent.wait(max(began_s + GATHER_S - time.monotonic(), 0.0))
        if self.waiting_messages >= MANY_MESSAGES:
            self._is_urgent.wait(max(began_s + GATHER_MANY_S - time.monotonic(), 0.0))
        if self._interval_s and not self._is_stopping:
            time.sleep(self._interval_s)

    def _work(self, items: list[_Item]) -> None:
        reads: list[Read] = []
        count = 0
        session_id = PREVIEW_ID
        for item in items:
            is_read = isinstance(item, _ReadItem)
            if reads and (not is_read or item.session_id != session_id or count >= BATCH_MESSAGES):
                self._append(session_id, reads, count)
                reads, count = [], 0
            if isinstance(item, _ReadItem):
                session_id = item.session_id
                reads.append(item.read)
                count += len(item.read.messages)
            elif isinstance(item, _GapItem):
                self._record_gap(item)
            elif isinstance(item, _EntryItem):
                self._record_entry(item)
            else:
                self._close(item)
        if reads:
            self._append(session_id, reads, count)

    def _append(self, session_id: int, reads: list[Read], count: int) -> None:
        reads = self._in_order(session_id, reads)
        for source in {read.source for read in reads} - self._known_sources.setdefault(session_id, set()):
            self._announce(session_id, self._find_source(source))
        first_seq = self._preview_seq if session_id == PREVIEW_ID else self._store_reads(session_id, reads)
        with self._changed:
            self.waiting_messages -= count
        if first_seq is None:
            return
        if session_id == PREVIEW_ID:
            self._preview_seq += count
        else:
            self._next_seqs[session_id] = first_seq + count
        self._publisher.publish(session_id, first_seq, reads, count)

    def _in_order(self, session_id: int, reads: list[Read]) -> list[Read]:
        """Two links stamp on their own and queue in another order: arrivals must not fall within a session."""
        last_ns = self._last_ns.get(session_id, 0)
        for position, read in enumerate(reads):
            if read.arrived_ns < last_ns:
                reads[position] = read._replace(arrived_ns=last_ns)
            else:
                last_ns = read.arrived_ns
        self._last_ns[session_id] = last_ns
        return reads

    def _announce(self, session_id: int, source: Source) -> None:
        if session_id != PREVIEW_ID:
            self._insist(lambda: self._store.add_source(session_id, source))
        self._known_sources[session_id].add(source.index)
        self._publisher.add_source(session_id, source)

    def _store_reads(self, session_id: int, reads: list[Read]) -> int | None:
        """Append to the store, however long it takes; None if the session is not running any more."""
        if self._writer is None or self._writer.session_id != session_id:
            if self._writer is not None:
                self._writer.close()
            self._writer = self._store.writer(session_id)
        writer = self._writer
        started_s = 0.0

        def append() -> int:
            nonlocal started_s
            started_s = time.monotonic()  # of the attempt that succeeds: time away is no slow disk
            return writer.append(reads)

        try:
            first_seq = self._insist(append)
        except NoSession:
            log.debug("Session %s does not run any more: %d reads dropped", session_id, len(reads))
            self._publisher.session_lost(session_id)
            return None
        self._note_duration((time.monotonic() - started_s) * 1000)
        return first_seq

    def _note_duration(self, duration_ms: float) -> None:
        """Where writing to disk is slow, append less often: larger batches spare the disk."""
        self.append_ms += (duration_ms - self.append_ms) * 0.1
        was_slow = self._interval_s > 0
        is_slow = self.append_ms > (SLOW_APPEND_MS / 2 if was_slow else SLOW_APPEND_MS)
        self._interval_s = min(5 * self.append_ms / 1000, LONGEST_INTERVAL_S) if is_slow else 0.0
        if is_slow and not was_slow:
            log.info(
                "Appends take %.0f ms: the batch interval rises to %.0f ms", self.append_ms, self._interval_s * 1000
            )

    def _insist(self, call: Callable[[], _T]) -> _T:
        """Try again until the store answers, saying so once."""
        attempt = 0
        while True:
            try:
                result = call()
            except StoreUnavailable as error:
                if attempt == 0:
                    self._publisher.store_changed(str(error))
                if self._is_stopping and attempt > len(_RETRY_S):
                    raise
                time.sleep(_RETRY_S[min(attempt, len(_RETRY_S) - 1)])
                attempt += 1
            else:
                if attempt:
                    self._publisher.store_changed(None)
                return result

    def _record_gap(self, item: _GapItem) -> None:
        if item.gap.source not in self._known_sources.setdefault(item.session_id, set()):
            self._announce(item.session_id, self._find_source(item.gap.source))  # it begins with being away
        # A gap that is told of again, with more of it known, stays where it was.
        key = (item.gap.source, item.gap.from_ns)
        seq = self._gap_seqs.setdefault(key, self._next_seqs.get(item.session_id, 0))
        gap = item.gap.model_copy(update={"seq": seq})
        self._insist(lambda: self._store.add_gap(item.session_id, gap))
        self._publisher.gap_recorded(item.session_id, gap)

    def _record_entry(self, item: _EntryItem) -> None:
        seq = self._next_seqs.get(item.session_id, item.entry.seq)
        entry = item.entry.model_copy(update={"seq": seq})
        self._insist(lambda: self._store.add_entry(item.session_id, entry))
        self._publisher.entry_recorded(item.session_id, entry)

    def _close(self, item: _CloseItem) -> None:
        session_id = item.session_id
        try:
            self._insist(lambda: self._store.close_session(session_id))
            record = self._insist(lambda: self._store.session(session_id))
        except (StoreUnavailable, SessionNotFound) as error:
            item.closed.set_exception(error)
            return
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._known_sources.pop(session_id, None)
        self._last_ns.pop(session_id, None)
        self._next_seqs.pop(session_id, None)
        self._gap_seqs.clear()
        self._publisher.session_closed(record, item.closed)
