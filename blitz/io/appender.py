"""The appender: one thread that makes safe what the links read, in order, and then shows it to viewers.

While one append is on its way the next one gathers, and so it does for a moment behind one: each costs a write to
disk, however little it brings. A message that comes alone is appended at once. The appender never waits for a viewer
and never parses a value. What the intake says is safe, in the store or in the spool, is published; nothing else is.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, TypeVar

from blitz.data.blocks import PREVIEW_ID, Read
from blitz.data.records import Gap, SessionRecord, Source, TimelineEntry
from blitz.data.spool_records import Change, ChangeKind
from blitz.data.store_keys import MILLISECOND_NS
from blitz.errors import SpoolError, StoreUnavailable
from blitz.io.intake import Intake
from blitz.io.lateness import Lateness

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
MESSAGE_MS = 0.002
"""What a message costs by itself, which appending less often does not spare."""
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

    def kept_before(self, since_ns: int) -> list[Read]:
        """Return what was published of the preview since a time."""

    def adopted(self, session_id: int, reads: Sequence[Read], shown: int) -> None:
        """A session gets what came for the preview before it. :param shown: how many of it viewers have seen there."""

    def session_closed(self, session_id: int, message_count: int, closed: "Future[SessionRecord]") -> None:
        """A session was stopped, and all its messages were published before; resolves the future in its time."""

    def session_lost(self, session_id: int) -> None:
        """A session was stopped or deleted by another program while messages were still coming."""

    def intake_changed(self, error: str | None) -> None:
        """Neither store nor spool takes anything (a sentence), or one does again (None)."""


@dataclass
class _GapItem:
    session_id: int
    gap: Gap


@dataclass
class _CloseItem:
    session_id: int
    reason: str
    followed_by: int | None = None
    closed: "Future[SessionRecord]" = field(default_factory=Future)


@dataclass
class _ReadItem:
    session_id: int
    read: Read
    put_s: float


@dataclass
class _EntryItem:
    session_id: int
    entry: TimelineEntry


@dataclass
class _ShowItem:
    session_id: int


@dataclass
class _AdoptItem:
    session_id: int
    since_ns: int
    sources: frozenset[int]


_Item = _ReadItem | _GapItem | _EntryItem | _CloseItem | _ShowItem | _AdoptItem


class Appender:
    """Queue and thread in front of store and spool.

    :param find_source: gives the row with an index, for the session's source table.
    """

    def __init__(self, intake: Intake, publisher: Publisher, find_source: Callable[[int], Source]) -> None:
        self.lateness = Lateness()
        """How long recorded messages waited here until they were safe."""
        self.beat_s = time.monotonic()
        """When the thread last did something, by the monotonic clock; it does at least once a second."""
        self.append_ms = 0.0
        """How long an append takes, smoothed."""
        self.waiting_messages = 0
        self.failure: BaseException | None = None
        self._intake = intake
        self._publisher = publisher
        self._find_source = find_source
        self._items: list[_Item] = []
        self._taken: list[_Item] = []
        self._has_ended = False
        self._waiting_bytes = 0
        self._unseen: dict[int, list[Callable[[], None]]] = {}
        """Of each session that follows, while viewers look at one before: what they are shown of it in its time."""
        self._changed = threading.Condition()
        self._is_urgent = threading.Event()
        self._is_stopping = False
        self._known_sources: dict[int, set[int]] = {PREVIEW_ID: set()}
        self._last_ns: dict[int, int] = {}
        self._preview_seq = 0
        self._adopting: tuple[int, set[int]] | None = None
        """The session that gets what still comes for the preview, and the sources of which it does."""
        self._gap_seqs: dict[tuple[int, int, int], int] = {}
        self._interval_s = 0.0
        self._thread = threading.Thread(target=self._run, name="appender", daemon=True)

    # ---- from other threads -----------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Append what is waiting, then end; a disk that takes nothing is not waited for."""
        with self._changed:
            self._is_stopping = True
            self._is_urgent.set()
            self._changed.notify_all()
        if self._thread.is_alive():  # else it was never started, or has ended by a fault
            self._thread.join(15.0)
        if self.failure is not None:
            raise self.failure

    def open_session(self, session: SessionRecord, last_ns: int = 0) -> None:
        """Prepare for a session, as it is in the store; called before anything is put for it.

        :param last_ns: when its last message came, if it has any.
        """
        self._unseen.clear()
        self._known_sources[session.id] = {source.index for source in session.sources}
        self._last_ns[session.id] = last_ns
        self._intake.open_session(session.id, session.message_count)
        self._last_ns.pop(PREVIEW_ID, None)  # the clock has been anchored anew, and may have been set back

    def prepare_session(self, before_id: int, session: SessionRecord) -> None:
        """Prepare for the session that follows the running one; called before anything is put for it.

        What comes for it is made safe as ever, and shown when :meth:`show` is called.

        :raises SpoolError: if neither store nor spool takes that it begins; the running session goes on.
        """
        self._intake.prepare(before_id, session)
        self._known_sources[session.id] = {source.index for source in session.sources}
        self._last_ns[session.id] = 0
        with self._changed:
            self._unseen[session.id] = []

    def adopt(self, session_id: int, since_ns: int, sources: frozenset[int]) -> None:
        """Let a session that has just been opened begin with what came for the preview since a time.

        So does what comes until a source delivers to the session itself: nothing is missing in between.

        :param sources: their rows; of others nothing is taken.
        """
        self._put_item(_AdoptItem(session_id, since_ns, sources))

    def show(self, session_id: int) -> None:
        """Viewers look at the session that follows: show them what is safe of it, and what comes."""
        self._put_item(_ShowItem(session_id))

    def put(self, session_id: int, read: Read) -> bool:
        """Queue one read; False if the queue stayed full for a second and the messages were dropped."""
        weight = _weight(read)
        with self._changed:
            if self._has_ended:
                return False
            if self._is_full() and not self._changed.wait_for(
                lambda: not self._is_full() or self._is_stopping, PUT_WAIT_S
            ):
                return False
            self._items.append(_ReadItem(session_id, read, time.monotonic()))
            self._waiting_bytes += weight
            self.waiting_messages += len(read.messages)
            if self.waiting_messages >= FULL_MESSAGES or self._waiting_bytes >= FULL_BYTES:
                self._is_urgent.set()
            self._changed.notify_all()
        return True

    def _is_full(self) -> bool:
        return self._waiting_bytes > WAITING_LIMIT_BYTES

    def put_gap(self, session_id: int, gap: Gap) -> None:
        """Queue a gap; its ``seq`` is set when its turn comes."""
        self._put_item(_GapItem(session_id, gap))

    def put_entry(self, session_id: int, entry: TimelineEntry) -> None:
        """Queue an entry of the session's time line; its ``seq`` is set when its turn comes."""
        self._put_item(_EntryItem(session_id, entry))

    def close_session(
        self, session_id: int, reason: str = "", followed_by: int | None = None
    ) -> "Future[SessionRecord]":
        """Stop the session behind all that is queued; the future gives its final record.

        :param reason: why the server stops it by itself, as a sentence.
        :param followed_by: the session that was prepared, and runs from then on.
        """
        item = _CloseItem(session_id, reason, followed_by)
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
        except SpoolError as error:  # which is waited for until it is time to end
            lost = f"{self.waiting_messages} messages could not be stored and are lost"
            self.failure = StoreUnavailable(f"{lost}. {error}")
        except Exception as error:
            self.failure = error
            log.exception("The appender ended; nothing is stored any more")
            self._publisher.intake_changed(f"The appender ended by a fault of ours: {error!r}. Restart the server.")
        finally:
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
                self.beat_s = time.monotonic()
            self.beat_s = time.monotonic()  # also where there is always something waiting, and none of it is stored
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
        if unseen := set(self._unseen):  # links change over one by one: each append is for one session
            items = sorted(items, key=lambda item: item.session_id if item.session_id in unseen else 0)
        reads: list[Read] = []
        count, put_s = 0, 0.0
        session_id = PREVIEW_ID
        for item in items:
            is_read = isinstance(item, _ReadItem)
            if isinstance(item, _ReadItem) and self._adopting is not None:
                self._redirect(item, self._adopting)
            if reads and (not is_read or item.session_id != session_id or count >= BATCH_MESSAGES):
                self._append(session_id, reads, count, put_s)
                reads, count = [], 0
            if isinstance(item, _ReadItem):
                session_id = item.session_id
                put_s = put_s if reads else item.put_s
                reads.append(item.read)
                count += len(item.read.messages)
            elif isinstance(item, _GapItem):
                self._record_gap(item)
            elif isinstance(item, _EntryItem):
                self._record_entry(item)
            elif isinstance(item, _CloseItem):
                self._close(item)
            elif isinstance(item, _AdoptItem):
                self._adopt(item)
            else:
                self._show_all(item.session_id)
        if reads:
            self._append(session_id, reads, count, put_s)

    def _adopt(self, item: _AdoptItem) -> None:
        """Begin the session with what the preview holds."""
        self._adopting = item.session_id, set(item.sources)
        kept = [read for read in self._publisher.kept_before(item.since_ns) if read.source in item.sources]
        while kept:
            count, stop = 0, 0
            while stop < len(kept) and count < BATCH_MESSAGES:
                count += len(kept[stop].messages)
                stop += 1
            part, kept = kept[:stop], kept[stop:]
            with self._changed:
                self.waiting_messages += count  # it is taken off when they are safe
            self._publisher.adopted(item.session_id, part, count)
            self._append(item.session_id, part, count, time.monotonic())

    def _redirect(self, item: _ReadItem, adopting: tuple[int, set[int]]) -> None:
        """Give a read of the preview to the session that begins, unless its source delivers there itself by now."""
        session_id, sources = adopting
        if item.session_id == session_id:
            sources.discard(item.read.source)
        elif item.session_id == PREVIEW_ID and item.read.source in sources:
            item.session_id = session_id
            self._publisher.adopted(session_id, [item.read], 0)
        if not sources:
            self._adopting = None

    def _append(self, session_id: int, reads: list[Read], count: int, put_s: float) -> None:
        reads = self._in_order(session_id, reads)
        for source in {read.source for read in reads} - self._known_sources.setdefault(session_id, set()):
            self._announce(session_id, self._find_source(source))
        if session_id == PREVIEW_ID:
            first_seq: int | None = self._preview_seq
            self._preview_seq += count
        else:
            first_seq = self._make_safe(session_id, reads)
            self.lateness.add(time.monotonic() - put_s, count)
        with self._changed:
            self.waiting_messages -= count
        if first_seq is not None:
            self._tell(session_id, partial(self._publisher.publish, session_id, first_seq, reads, count))

    def _tell(self, session_id: int, tell: Callable[[], None]) -> None:
        """Show what is safe, or keep it until viewers look at its session."""
        unseen = self._unseen.get(session_id)
        if unseen is None:
            tell()
        else:
            unseen.append(tell)

    def _show_all(self, session_id: int) -> None:
        for tell in self._unseen.pop(session_id, []):
            tell()

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
            self._put(Change(session_id, ChangeKind.SOURCE, source.model_dump_json()))
        self._known_sources[session_id].add(source.index)
        self._tell(session_id, partial(self._publisher.add_source, session_id, source))

    def _make_safe(self, session_id: int, reads: list[Read]) -> int | None:
        """Append, however long it takes; None if the session is not running any more."""
        started_s, was_spooling = time.monotonic(), self._intake.is_spooling
        first_seq = self._insist(lambda: self._intake.append(session_id, reads))
        if first_seq is None:
            log.warning("Session %s does not run any more: %s reads were not stored", session_id, len(reads))
            self._publisher.session_lost(session_id)
            return None
        if self._intake.is_spooling == was_spooling:  # else it was waited for a store that went away
            message_count = sum(len(read.messages) for read in reads)
            self._note_duration((time.monotonic() - started_s) * 1000 - message_count * MESSAGE_MS)
        return first_seq

    def _note_duration(self, duration_ms: float) -> None:
        """Where writing to disk is slow, append less often: larger batches spare the disk."""
        self.append_ms += (max(duration_ms, 0.0) - self.append_ms) * 0.1
        was_slow = self._interval_s > 0
        is_slow = self.append_ms > (SLOW_APPEND_MS / 2 if was_slow else SLOW_APPEND_MS)
        self._interval_s = min(5 * self.append_ms / 1000, LONGEST_INTERVAL_S) if is_slow else 0.0
        if is_slow and not was_slow:
            log.debug(
                "Appends take %.0f ms: the batch interval rises to %.0f ms", self.append_ms, self._interval_s * 1000
            )

    def _put(self, change: Change) -> bool:
        return self._insist(lambda: self._intake.put(change))

    def _insist(self, call: Callable[[], _T]) -> _T:
        """Try again until store or spool takes it, saying so once."""
        attempt = 0
        while True:
            self.beat_s = time.monotonic()
            try:
                result = call()
            except SpoolError as error:
                if attempt == 0:
                    self._publisher.intake_changed(str(error))
                if self._is_stopping and attempt > len(_RETRY_S):
                    raise
                time.sleep(_RETRY_S[min(attempt, len(_RETRY_S) - 1)])
                attempt += 1
            else:
                if attempt:
                    self._publisher.intake_changed(None)
                return result

    def _record_gap(self, item: _GapItem) -> None:
        if item.gap.source not in self._known_sources.setdefault(item.session_id, set()):
            self._announce(item.session_id, self._find_source(item.gap.source))  # it begins with being away
        # A gap that is told of again, with more of it known, stays where it was.
        key = (item.session_id, item.gap.source, item.gap.from_ns)
        seq = self._gap_seqs.setdefault(key, self._intake.next_seq(item.session_id) or 0)
        gap = item.gap.model_copy(update={"seq": seq})
        self._put(Change(item.session_id, ChangeKind.GAP, gap.model_dump_json()))
        self._tell(item.session_id, partial(self._publisher.gap_recorded, item.session_id, gap))

    def _record_entry(self, item: _EntryItem) -> None:
        seq = self._intake.next_seq(item.session_id)
        entry = item.entry if seq is None else item.entry.model_copy(update={"seq": seq})
        self._put(Change(item.session_id, ChangeKind.ENTRY, entry.model_dump_json(exclude_defaults=True)))
        self._tell(item.session_id, partial(self._publisher.entry_recorded, item.session_id, entry))

    def _close(self, item: _CloseItem) -> None:
        session_id = item.session_id
        end: dict[str, Any] = {"stopped_ms": time.time_ns() // MILLISECOND_NS, "stop_reason": item.reason}
        if item.followed_by is not None:
            end["followed_by"] = item.followed_by
        try:
            self._put(Change(session_id, ChangeKind.CLOSE, json.dumps(end)))
        except SpoolError as error:
            item.closed.set_exception(StoreUnavailable(f"Session {session_id} is left open: {error}"))
            return
        message_count = self._intake.next_seq(session_id) or 0
        self._adopting = None
        self._known_sources.pop(session_id, None)
        self._last_ns.pop(session_id, None)
        self._gap_seqs = {key: seq for key, seq in self._gap_seqs.items() if key[0] != session_id}
        if item.followed_by is not None:
            self._intake.follow()
        self._publisher.session_closed(session_id, message_count, item.closed)


def _weight(read: Read) -> int:
    return len(read.messages) * (len(read.messages[0]) + 64)
