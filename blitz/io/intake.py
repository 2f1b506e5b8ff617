"""The way to safety: messages and changes go to the store, or to the spool on disk while the store is away.

What :meth:`Intake.append` has returned from is safe, has its sequence number for good, and may be shown. While the
spool holds anything everything new goes behind it, and a thread of its own puts the oldest into the store, in order
and once, until the store has all of it. No step knows what came of an earlier one but by what store and disk say:
a crash between any two loses nothing that was safe.
"""

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from blitz.data.blocks import MessageBlock, Read
from blitz.data.records import Gap, SessionRecord, Source, TimelineEntry
from blitz.data.spool import Spool
from blitz.data.spool_records import Batch, Change, ChangeKind, SpoolRecord
from blitz.errors import BlitzError, NoSession, SessionNotFound, StoreChanged, StoreUnavailable
from blitz.io.placing_writer import PlacingWriter

log = logging.getLogger(__name__)

RETRY_S = (0.1, 0.2, 0.5, 1.0)
DRAIN_BYTES = 1 << 20
_SESSIONS_KEPT = 8
STOP_DRAIN_S = 1.0
"""What the store has not taken by then when the server ends stays in the spool, and goes in at the next start."""
_HANGS_S = 0.3
"""An end does not wait for a store that has not even said by then that it is there."""


class Writer(Protocol):
    """Appends to one running session. See :class:`~blitz.data.store_writer.SessionWriter`."""

    name: str
    session_id: int

    @property
    def next_seq(self) -> int:
        """Where the list ended when the writer last looked."""

    def append(self, reads: Sequence[Read], number: int) -> int:
        """Append, once for each number, and return the first message's sequence number."""

    def close(self) -> None:
        """Give the connection back."""


class IntakeStore(Protocol):
    """What is asked of the store. See :class:`~blitz.data.database_server.DatabaseServer`."""

    def writer(self, session_id: int, name: str | None = None) -> Writer:
        """Return what appends to a session."""

    def ping(self) -> None:
        """Ask for a sign of life, and whether it is the same store."""

    def place(self, batches: Sequence[Batch]) -> int:
        """Put batches into the session's list, at their places, each once; return how many messages were lost."""

    def add_source(self, session_id: int, source: Source) -> None:
        """Put a row into the source table."""

    def add_gap(self, session_id: int, gap: Gap) -> None:
        """Record a gap."""

    def add_entry(self, session_id: int, entry: TimelineEntry) -> None:
        """Put an entry on the time line, once."""

    def set_fields(self, session_id: int, fields: dict[str, str]) -> None:
        """Write fields of the session."""

    def close_session(
        self,
        session_id: int | None = None,
        stopped_ms: int | None = None,
        *,
        is_interrupted: bool = False,
        reason: str = "",
    ) -> int | None:
        """Stop the session, if it is the running one."""

    def prepare_session(self, before_id: int, record: SessionRecord) -> None:
        """Make ready the session that follows: it takes messages, and runs not yet."""

    def follow_session(self, before_id: int, next_id: int, stopped_ms: int, reason: str = "") -> bool:
        """Stop the running session and let the one that was prepared run."""


class Listener(Protocol):
    """Who is told how it goes; may be called from any thread."""

    def store_changed(self, error: str | None) -> None:
        """The store went away (a sentence), or has taken all that was in the spool (None)."""

    def messages_lost(self, session_id: int, seq: int, count: int, why: str) -> None:
        """The store, or the spool's disk, has lost messages that had been safe."""

    def moved_up(self, session_id: int, next_seq: int) -> None:
        """What comes next is at an earlier place than was shown last, since messages were lost."""


class Intake:
    """Store and spool as one. ``append`` is for one thread; all else may be called from any.

    :param name_writer: gives the writer of a session a name that nobody had before, 32 hex digits.
    """

    def __init__(
        self,
        store: IntakeStore,
        spool: Spool,
        listener: Listener,
        name_writer: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self.spooling_since: datetime | None = None
        self.spool = spool
        self._store = store
        self._listener = listener
        self._name_writer = name_writer
        self._lock = threading.RLock()
        """Held while it is decided whether store or spool gets something, and while the spool does."""
        self._direct = threading.Lock()
        """Held while messages are on their way to the store."""
        self._is_spooling = False
        self._has_more = threading.Condition(self._lock)
        self._writers: dict[int, _Numbered] = {}
        """Of the running session, and of the one that is about to follow it."""
        self._prepared: int | None = None
        """The session that is about to follow."""
        self._next_seqs: dict[int, int] = {}
        self._lost: dict[int, int] = {}
        self._is_stopping = False
        self._asked_s: float | None = None
        """Since when the store has not answered whether it is there."""
        self._thread = threading.Thread(target=self._run, name="spool", daemon=True)

    # ---- life -------------------------------------------------------------------------------------------------

    def recover(self) -> None:
        """Take up what an earlier server left in the spool; before anything else.

        :raises SpoolError: if the spool cannot be read.
        """
        for sentence in self.spool.recover():
            log.warning("%s", sentence)
        if not self.spool.is_empty:
            log.info("%s messages that an earlier server left in the spool go into the store", self.spool.message_count)
            with self._lock:
                self._begin_spooling(None)

    def start(self) -> None:
        """Begin to put into the store what the spool holds, whenever it holds anything."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is in the spool then stays there for the next start."""
        with self._lock:
            self._is_stopping = True
            self._has_more.notify_all()
        # Longer than that it waits for a store that hangs: what it takes after all, it takes once.
        until_s = time.monotonic() + STOP_DRAIN_S + 0.25
        while self._thread.is_alive() and time.monotonic() < until_s and not self._store_hangs():
            self._thread.join(0.05)
        with self._direct:
            self._close_writers()
        self.spool.close()
        if not self.spool.is_empty:
            log.warning(
                "%s messages stay in the spool; they go into the store at the next start", self.spooled_messages
            )

    # ---- what it holds ----------------------------------------------------------------------------------------

    @property
    def is_spooling(self) -> bool:
        """Whether what comes goes to the spool."""
        return self._is_spooling

    @property
    def spooled_messages(self) -> int:
        """Messages that are safe on disk and not in the store yet."""
        return self.spool.message_count

    def messages(self, session_id: int, first: int, count: int, store_id: str) -> MessageBlock | None:
        """Return messages that are in the spool; None if the first of them is not."""
        return self.spool.messages(session_id, first, count, store_id) if self._is_spooling else None

    def first_spooled(self, session_id: int) -> int | None:
        """Return from where on the messages of a session are in the spool; None if none are."""
        return self.spool.first_seq(session_id) if self._is_spooling else None

    def next_seq(self, session_id: int) -> int | None:
        """Return where the messages of a session end that are safe, if it is known here."""
        with self._lock:
            return self._next_seqs.get(session_id)

    # ---- in -----------------------------------------------------------------------------------------------------

    def open_session(self, session_id: int, next_seq: int) -> None:
        """Prepare for a session of which the store has that many messages; the spool may have more."""
        with self._direct, self._lock:
            self._prepared = None
            self._close_writers()
            # That of a session before stays: messages of it may still come, and must not begin at 0.
            self._next_seqs.pop(session_id, None)
            self._next_seqs[session_id] = max(next_seq, self.spool.next_seq(session_id) or 0)
            self._keep_few()

    def prepare(self, before_id: int, record: SessionRecord) -> None:
        """Prepare the session that follows the running one: what comes for it is safe, whatever becomes of the store.

        :raises SpoolError: if neither store nor spool takes that; the running session goes on.
        """
        self.put(Change(before_id, ChangeKind.PREPARE, record.model_dump_json()))
        with self._direct, self._lock:
            self._prepared = record.id
            self._next_seqs[record.id] = 0
            self._keep_few()

    def follow(self) -> None:
        """The session that was prepared runs, or will when the spool is in the store: append as to any other."""
        with self._direct:
            self._prepared = None
            self._close_writers()

    def _keep_few(self) -> None:
        if len(self._next_seqs) > _SESSIONS_KEPT:
            del self._next_seqs[next(iter(self._next_seqs))]

    def append(self, session_id: int, reads: Sequence[Read]) -> int | None:
        """Make messages safe; return the first one's sequence number, or None if the session is over.

        :raises SpoolError: if neither store nor spool takes them; the same messages may be given again.
        """
        with self._direct:
            numbered = self._writer_of(session_id)
            writer, number = numbered.writer, numbered.number + 1
            while True:
                failure: StoreUnavailable | None = None
                if not self._is_spooling:
                    try:
                        first_seq = writer.append(reads, number)
                    except NoSession:
                        failure = self._changed_store()
                        if failure is None:
                            return None
                    except StoreUnavailable as error:
                        failure = error
                        self._reach(session_id, writer.next_seq)
                    else:
                        numbered.number = number
                        self._notice_loss(session_id, first_seq)
                        self._next_seqs[session_id] = first_seq + _count(reads)
                        return first_seq
                with self._lock:
                    if failure is not None:
                        self._begin_spooling(str(failure))
                    if self._is_spooling:  # else it has become empty in this very moment
                        batch = Batch(session_id, self._next_seqs.get(session_id, 0), writer.name, number, reads)
                        self._spool(batch)
                        numbered.number = number
                        return batch.first_seq

    def _changed_store(self) -> StoreChanged | None:
        """Return why it means nothing that the session does not run: the store is not the one in which it did."""
        try:
            self._store.ping()
        except StoreChanged as error:
            return error
        except StoreUnavailable:
            return None
        return None

    def _spool(self, batch: Batch) -> None:
        self.spool.append(batch)
        self._next_seqs[batch.session_id] = batch.next_seq
        self._has_more.notify_all()

    def put(self, change: Change) -> bool:
        """Make a change safe; return whether the store has it already.

        :raises SpoolError: if neither store nor spool takes it; it may be given again.
        """
        while True:
            failure = None
            if not self._is_spooling:
                try:
                    if change.kind is ChangeKind.CLOSE:
                        self._store.ping()  # in an emptied one the session does not run, as if it had been stopped
                    self._carry_out(change)
                    return True
                except StoreUnavailable as error:
                    failure = error
            with self._lock:
                if failure is not None:
                    self._begin_spooling(str(failure))
                if self._is_spooling:  # else it has become empty in this very moment
                    self.spool.append(change)
                    self._has_more.notify_all()
                    return False

    def look(self, session_id: int, count: Callable[[int], int]) -> int | None:
        """Look how long a session is in the store: other programs queue messages, too.

        :param count: asks the store.
        :returns: None while messages are on their way, so that nobody can tell.
        """
        if not self._direct.acquire(timeout=0.05):
            return None
        try:
            if self._is_spooling:
                return None
            self._reach(session_id, count(session_id))
            return self._next_seqs[session_id]
        finally:
            self._direct.release()

    def ends(self, count: Callable[[int], int]) -> dict[int, int]:
        """Return where messages that are not in the store yet begin, or would, of each session that may get some.

        They never begin earlier from now on, unless the store loses what it has.

        :param count: asks the store how long a session is.
        """
        for session_id in list(self._next_seqs):
            self.look(session_id, count)
        with self._lock:
            return self._next_seqs | self.spool.first_seqs()

    # ---- from the spool into the store --------------------------------------------------------------------------

    def drain(self) -> bool:
        """Put the oldest records into the store: one step; False when the spool is empty and the store is used again.

        :raises StoreUnavailable: if the store does not take them.
        :raises SpoolError: if they cannot be read.
        """
        records = self.spool.oldest(DRAIN_BYTES)
        self._asked_s = time.monotonic()
        self._store.ping()
        self._asked_s = None
        done = self._carry_out_first(records) if records else 0
        with self._lock:
            if done:
                self.spool.drop(done)
            if self.spool.is_empty:
                self._end_spooling()
            return self._is_spooling

    def _carry_out_first(self, records: Sequence[SpoolRecord]) -> int:
        """Put the first record, or the batches that belong together, into the store; return how many those are."""
        first = records[0]
        if isinstance(first, Change):
            self._carry_out(first)
            return 1
        batches: list[Batch] = []
        for record in records:
            if not isinstance(record, Batch) or (record.session_id, record.writer) != (first.session_id, first.writer):
                break
            batches.append(record)
        try:
            missing = self._store.place(batches)
        except SessionNotFound:
            count = sum(batch.count for batch in batches)
            log.warning("Session %s was deleted: %s messages of the spool are dropped", first.session_id, count)
        else:
            if missing > self._lost.get(first.session_id, 0):
                self._tell_loss(first.session_id, first.first_seq, missing - self._lost.get(first.session_id, 0))
                self._lost[first.session_id] = missing
        return len(batches)

    def _carry_out(self, change: Change) -> None:
        store, session_id, body = self._store, change.session_id, change.body
        if change.kind is ChangeKind.SOURCE:
            store.add_source(session_id, Source.model_validate_json(body))
        elif change.kind is ChangeKind.GAP:
            store.add_gap(session_id, Gap.model_validate_json(body))
        elif change.kind is ChangeKind.ENTRY:
            store.add_entry(session_id, TimelineEntry.model_validate_json(body))
        elif change.kind is ChangeKind.FIELDS:
            store.set_fields(session_id, json.loads(body))
        elif change.kind is ChangeKind.PREPARE:
            store.prepare_session(session_id, SessionRecord.model_validate_json(body))
        else:
            end = json.loads(body)
            stopped_ms, reason, followed_by = end["stopped_ms"], end["stop_reason"], end.get("followed_by")
            if followed_by is None:
                store.close_session(session_id, stopped_ms, reason=reason)
            else:
                store.follow_session(session_id, followed_by, stopped_ms, reason)

    def _run(self) -> None:
        attempt = 0
        stop_s = 0.0
        while True:
            with self._lock:
                while not self._is_spooling and not self._is_stopping:
                    self._has_more.wait(1.0)
                if self._is_stopping:
                    stop_s = stop_s or time.monotonic() + STOP_DRAIN_S
                    if not self._is_spooling or attempt or time.monotonic() > stop_s:
                        return
            try:
                self.drain()
                attempt = 0
                continue
            except BlitzError as error:
                log.debug("The spool waits: %s", error)
                self._listener.store_changed(str(error))  # may be another reason than the one why it began
            except Exception:
                log.exception("The spool failed once; it goes on in a moment")
            with self._lock:
                if not self._is_stopping:
                    self._has_more.wait_for(lambda: self._is_stopping, RETRY_S[min(attempt, len(RETRY_S) - 1)])
            attempt += 1

    # ---- below: how -----------------------------------------------------------------------------------------------

    def _store_hangs(self) -> bool:
        asked_s = self._asked_s
        return asked_s is not None and time.monotonic() - asked_s > _HANGS_S

    def _begin_spooling(self, why: str | None) -> None:
        """Use the spool from now on.

        :param why: what is wrong with the store; None where nothing is.
        """
        if not self._is_spooling:
            self._is_spooling = True
            self.spooling_since = datetime.now(UTC)
            if why is not None:
                self._listener.store_changed(why)
            self._has_more.notify_all()

    def _end_spooling(self) -> None:
        if self._is_spooling:
            self._is_spooling = False
            self.spooling_since = None
            for session_id, count in self._lost.items():
                if session_id in self._next_seqs:
                    self._next_seqs[session_id] -= count
                    self._listener.moved_up(session_id, self._next_seqs[session_id])
            self._lost.clear()
            self._listener.store_changed(None)

    def _writer_of(self, session_id: int) -> "_Numbered":
        if session_id not in self._writers:
            name = self._name_writer()
            if session_id == self._prepared:
                writer: Writer = PlacingWriter(self._store, session_id, name, lambda: self._next_seqs[session_id])
            else:
                self._close_writers(but=self._prepared)
                writer = self._store.writer(session_id, name)
            self._writers[session_id] = _Numbered(writer)
        return self._writers[session_id]

    def _close_writers(self, but: int | None = None) -> None:
        for session_id in self._writers.keys() - {but}:
            self._writers.pop(session_id).writer.close()

    def _reach(self, session_id: int, seq: int) -> None:
        self._next_seqs[session_id] = max(self._next_seqs.get(session_id, 0), seq)

    def _notice_loss(self, session_id: int, first_seq: int) -> None:
        expected = self._next_seqs.get(session_id, 0)
        if first_seq < expected:
            self._tell_loss(session_id, first_seq, expected - first_seq)
            self._listener.moved_up(session_id, first_seq)

    def _tell_loss(self, session_id: int, seq: int, count: int) -> None:
        why = f"{count} messages that had been safe were lost by Redis or by the disk"
        self._listener.messages_lost(session_id, seq, count, why)


@dataclass
class _Numbered:
    """A writer and the number of its last batch."""

    writer: Writer
    number: int = 0


def _count(reads: Sequence[Read]) -> int:
    return sum(len(read.messages) for read in reads)
