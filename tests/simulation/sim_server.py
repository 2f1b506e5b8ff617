"""A server on a simulated bench: the real appender, intake, spool and archive, each of their threads a step.

Knows how a server begins, takes up what an earlier one left, records, and ends; what goes wrong meanwhile, and what
other programs do, is in :mod:`sim_world`.
"""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from random import Random
from typing import Any

from sim_archive import archiving
from sim_client import connect
from sim_clock import SimClock
from sim_disk import SimDisk
from sim_faults import Crash, Faults
from sim_promise import KEYS, SPOOL, Broken, Promise
from sim_store import SimStore

from blitz.data.archive_reach import Reach
from blitz.data.archiving import Archiving
from blitz.data.blocks import Read
from blitz.data.database_server import DatabaseServer
from blitz.data.records import Gap, SessionRecord, Source, TimelineEntry, TimelineKind
from blitz.data.spool import Spool
from blitz.io.appender import Appender
from blitz.io.archive_reach import archive_reach
from blitz.io.intake import Intake
from blitz.io.taking_up import begun_session

SOURCES = 3


class SimServer:
    """A server, its disk and its Redis; also what its appender and its intake tell.

    :param seed: decides everything.
    :param tell: given a line for each thing that happens.
    """

    def __init__(self, seed: int, tell: Callable[[str], None] | None = None) -> None:
        self.random = random = Random(seed)
        self._tell = tell
        self.clock = SimClock()
        self.faults = Faults(random, self.note, self._meanwhile)
        self.is_lying = seed % 10 == 9
        """A world whose disk says that it has synchronised and has not, at times."""
        self.has_archive = seed % 5 == 3
        self.resumes = random.random() < 0.8
        self.disk = SimDisk(self.faults.disk_step, random)
        self.sim_store = SimStore(self.faults.store_step, random, self.clock.now_ms, self.faults.promptness)
        self.promise = Promise()
        self._honest: dict[int, int] = {}
        self._others = connect(self.sim_store)
        self._numbers = [0] * SOURCES
        self._queued = 0
        self._changed = 0
        self._gap: Gap | None = None
        self._sleeps = 0
        self._ends: dict[int, Future[SessionRecord]] = {}
        self._is_draining = False
        self._is_server_dead = False
        """The server died, although the archive's process was acting."""
        self._acting = ""
        """What the server is doing: where its other thread may come in between."""
        self.session: int | None = None
        """What the server records, as it knows."""
        self.following: int | None = None
        """What is about to follow that."""
        self._changed_over: set[int] = set()
        """Sources that deliver to it already."""
        self.store: DatabaseServer
        self.intake: Intake
        self.appender: Appender
        self.archiving: Archiving | None = None
        self._reach = Reach()
        """How far the archive may go, as it was told last."""
        self.is_up = False

    def _meanwhile(self) -> None:
        """What comes in between two steps of a thread."""

    def note(self, *words: Any) -> None:
        if self._tell is not None:
            self._tell(f"{self.clock.elapsed_ns / 1e9:9.3f}  {' '.join(map(str, words))}")

    # ---- the server's life --------------------------------------------------------------------------------------

    def boot(self) -> None:
        """A new process: recovery, as the server does it; only while Redis answers."""
        if self.is_up:
            return
        self.disk.reboot()
        self.faults.new_life()
        self._is_server_dead = False
        self.session = None
        self._ends = {}
        self.archiving = None
        self._reach = Reach()
        self.store = connect(self.sim_store)
        limit_bytes = self.random.choice((2 << 30, 2 << 30, 2000))
        spool = Spool(self.disk, SPOOL, limit_bytes, segment_bytes=self.random.choice((200, 1000, 8 << 20)))
        self.intake = Intake(self.store, spool, self)
        self.appender = Appender(self.intake, self, _source)
        self.appender._tell = _tell_at_once  # type: ignore[method-assign]
        self.intake.recover()
        self.following = None
        running = begun_session(self.store, self.intake.spool, self._empty_spool)
        if running is not None and self.resumes:
            self._take_up(running)
        elif running is not None:
            self._empty_spool()
            self.store.close_interrupted()
        self.is_up = True

    def _empty_spool(self) -> None:
        while self.intake.drain():
            pass

    def _take_up(self, session_id: int) -> None:
        self.store.fence(session_id)
        record = self.store.session(session_id)
        arrivals = {**self.store.last_arrivals(session_id), **self.intake.spool.last_arrivals(session_id)}
        self.appender.open_session(record, max(arrivals.values(), default=0))
        self.session = session_id

    def _server_is_gone(self) -> None:
        self.faults.is_dead = True
        self.is_up = False
        self.session = self.following = None

    def kill_server(self) -> None:
        if self.is_up:
            self._server_is_gone()

    def end_server(self) -> None:
        """SIGTERM, the session being left for the next one."""
        if self.is_up:
            self.append()
            self.intake.stop()
            self._server_is_gone()

    # ---- what the server's threads do ---------------------------------------------------------------------------

    def deliver(self) -> None:
        """A link reads something."""
        if self.session is None:
            return
        source = self.random.randrange(SOURCES)
        messages = []
        for _ in range(self.random.choice((1, 1, 2, 3))):
            self._numbers[source] += 1
            message = b"%d:%d" % (source, self._numbers[source])
            self.promise.sent[message] = (source, self._numbers[source])
            messages.append(message)
        to = self.following if self.following is not None and source in self._changed_over else self.session
        self.appender.put(to, Read(self.clock.time_ns(), source, messages))

    def append(self) -> None:
        self._sleeps = 0
        if self.appender._items:
            with self._as("append"):
                self.appender._work(self.appender._take())

    def drain(self) -> None:
        if self.intake.is_spooling and not self._is_draining:
            self._is_draining = True
            try:
                with self._as("drain"):
                    self.intake.drain()
            finally:
                self._is_draining = False

    @contextlib.contextmanager
    def _as(self, acting: str) -> Iterator[None]:
        was, self._acting = self._acting, acting
        try:
            yield
        finally:
            self._acting = was

    def archive(self) -> None:
        """The archive's process takes a step; it may die alone."""
        if not self.is_up:
            return
        try:
            with self._as("archive"):
                if self.archiving is None:
                    begun = archiving(self.store, self.disk)
                    begun.begin()
                    self.archiving = begun
                moved = self.archiving.step(is_tight=self.random.random() < 0.5, reach=self._reach)
                if moved is not None:
                    self.note("  archived", moved)
        except Crash:
            self.archiving = None
            if self._is_server_dead or self.random.random() < 0.5:
                raise
            self.note("  only the archive's process died")
            self.faults.new_life()

    def tell_archive(self) -> None:
        """The archive's process is told how far it may go; it may have been told long ago."""
        self._reach = archive_reach(self.intake, self.store)

    def restore(self) -> None:
        """Somebody wants archived messages in memory again."""
        keys = self.sim_store.redis.keys
        borders = {n: int(keys.get(KEYS.first(n).encode(), 0)) for n in self.promise.published}
        archived = [session_id for session_id, border in borders.items() if border]
        if self.archiving is not None and archived:
            session_id = self.random.choice(archived)
            with self._as("archive"):
                first = self.archiving.restore_step(session_id, borders[session_id])
            self.note("  restored session", session_id, "from", first)

    def look(self) -> None:
        """Housekeeping: follow what other programs did."""
        if self.intake.is_spooling or self.following is not None:
            return
        running = self.store.running_session()
        if any(not end.done() for end in self._ends.values()):
            return
        if running is None or running != self.session:
            self.session = None
            if running is not None:
                self._take_up(running)
        else:
            self.intake.look(running, self.store.count_messages)

    def start_session(self) -> None:
        if self.is_up and self.session is None and not self.intake.is_spooling:
            with contextlib.suppress(RuntimeError):
                self._take_up(self.store.start_session("", "", "", [_source(0)]))

    def follow_on(self) -> None:
        """A session follows the running one: it is prepared, sources change over one by one, and then it runs."""
        if self.session is None or any(not end.done() for end in self._ends.values()):
            return
        if self.following is None:
            self._prepare_next(self.session)
        elif len(self._changed_over) < SOURCES:
            self._changed_over.add(self.random.randrange(SOURCES))
        else:
            self._ends[self.session] = self.appender.close_session(self.session, "", self.following)
            self.appender.show(self.following)
            self.session, self.following = self.following, None

    def _prepare_next(self, session_id: int) -> None:
        if self.intake.is_spooling:
            return
        self.store.ping()
        next_id = self.store.reserve_session()
        started_at = datetime.fromtimestamp(self.clock.time_ns() / 1e9, UTC)
        record = SessionRecord(id=next_id, started_at=started_at, is_running=True, message_count=0)
        self.appender.prepare_session(session_id, record)
        self.note("  session", next_id, "follows session", session_id)
        self._changed_over = set()
        self.following = next_id

    def stop_session(self) -> None:
        if self.session is not None and self.following is None:
            self._ends[self.session] = self.appender.close_session(self.session)
            self.session = None

    def report(self) -> None:
        """A gap, more of one that is known, or an entry of the time line."""
        if self.session is None:
            return
        self._changed += 1
        at_ns = self.clock.time_ns() + self._changed
        if self.random.random() < 0.5:
            self._gap = Gap(source=0, seq=0, from_ns=at_ns, to_ns=at_ns, reason="away")
            self.appender.put_gap(self.session, self._gap)
        elif self._gap is not None and self.random.random() < 0.5:
            self._gap = self._gap.model_copy(update={"recovered": self._gap.recovered + 1})
            self.appender.put_gap(self.session, self._gap)
        else:
            entry = TimelineEntry(kind=TimelineKind.SERVER, time_ns=at_ns, text=f"entry {self._changed};")
            self.appender.put_entry(self.session, entry)

    def wait(self) -> None:
        self.clock.sleep(self.random.random())

    # ---- what appender and intake tell --------------------------------------------------------------------------

    def publish(self, session_id: int, first_seq: int, reads: Sequence[Read], count: int) -> None:
        messages = [message for read in reads for message in read.messages]
        self.note("  published from seq", first_seq, *messages)
        self.promise.publish(session_id, first_seq, messages)

    def add_source(self, session_id: int, source: Source) -> None:
        pass

    def gap_recorded(self, session_id: int, gap: Gap) -> None:
        known = self.promise.gaps.get((session_id, gap.from_ns), 0)
        self.promise.gaps[session_id, gap.from_ns] = max(known, gap.recovered)

    def entry_recorded(self, session_id: int, entry: TimelineEntry) -> None:
        self.promise.changes.append((session_id, "entry", entry.text))

    def session_closed(self, session_id: int, message_count: int, closed: "Future[SessionRecord]") -> None:
        self.note("  closed session", session_id)
        self.promise.changes.append((session_id, "close", "closed"))
        closed.set_result(None)  # type: ignore[arg-type]

    def session_lost(self, session_id: int) -> None:
        if self.session == session_id and self.following is None:  # else the next one runs in a moment
            self.session = None

    def intake_changed(self, error: str | None) -> None:
        self.note("  intake:", error or "goes on")

    def store_changed(self, error: str | None) -> None:
        self.note("  store:", error or "has everything")

    def moved_up(self, session_id: int, next_seq: int) -> None:
        """What comes next is at an earlier place."""

    def messages_lost(self, session_id: int, seq: int, count: int, why: str) -> None:
        if self.is_lying:
            self.promise.renumbered.add(session_id)  # what follows moves up, and that is told
        elif session_id not in self.promise.renumbered:
            raise Broken(f"the intake missed {count} messages of session {session_id} at seq {seq}: {why}")


def _tell_at_once(session_id: int, tell: Callable[[], None]) -> None:
    """What is safe is promised, although viewers are shown it later."""
    tell()


def _source(index: int) -> Source:
    return Source(index=index, name=f"bench{index}", link="/dev/ttyUSB0", board_id=None)
