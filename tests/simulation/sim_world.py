"""A server with its store and its disk, and everything that can happen to them, driven by one seed.

The appender, the intake, the spool, the store's classes, and (in worlds that have one) the archive are the real ones;
each of their threads is a step here, so that one random number says who is next. After each step the promise is
checked; at the end everything is repaired, the spool drained, and what is then there is checked once more.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from random import Random
from typing import Any

from sim_archive import archiving, read_archive
from sim_clock import SimClock, governed
from sim_disk import SimDisk
from sim_faults import Crash, Faults
from sim_promise import KEYS, SPOOL, Broken, Promise
from sim_redis import TAKES_MEMORY, WRITES
from sim_store import OUT_OF_MEMORY, READ_ONLY, SimStore, connect

from blitz.data.archiving import Archiving
from blitz.data.blocks import Read
from blitz.data.database_server import DatabaseServer
from blitz.data.records import Gap, SessionRecord, Source, TimelineEntry, TimelineKind
from blitz.data.spool import Spool
from blitz.errors import ArchiveError, BlitzError, SessionNotFound, SessionRunning, SpoolError, StoreUnavailable
from blitz.io.appender import Appender
from blitz.io.intake import Intake

SOURCES = 3
_OF_THE_SERVER = ("deliver", "append", "drain", "report", "look", "start_session", "stop_session", "archive")
LONGEST_SLEEPS = 12
"""How often the appender tries again before this world repairs what keeps it from getting on."""


class World:
    """One run. ``World(seed).run()`` raises :class:`Broken` if the promise was broken.

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
        self.sim_store = SimStore(self.faults.store_step, random, self.clock.now_ms)
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
        self.store: DatabaseServer
        self.intake: Intake
        self.appender: Appender
        self.archiving: Archiving | None = None
        self.is_up = False

    def note(self, *words: Any) -> None:
        if self._tell is not None:
            self._tell(f"{self.clock.elapsed_ns / 1e9:9.3f}  {' '.join(map(str, words))}")

    # ---- the run ------------------------------------------------------------------------------------------------

    def run(self) -> None:
        with governed(self.clock, self.random), _quiet():
            self.clock.on_sleep = self._slept
            self._step(self.boot)
            self._step(self.start_session)
            steps, weights = zip(*self._steps(), strict=True)
            for step in self.random.choices(steps, weights, k=self.random.randrange(10, 60)):
                self._step(step)
            self.settle()

    def _steps(self) -> list[tuple[Callable[[], None], int]]:
        calm = self.random.random() < 0.2
        return [
            (self.deliver, 30),
            (self.append, 30),
            (self.drain, 20),
            (self.start_session, 6),
            (self.stop_session, 2),
            (self.report, 4),
            (self.look, 4),
            (self.wait, 3),
            (self.others_queue, 3),
            (self.others_stop, 1),
            (self.catch_up, 2),
            (self.redis_dies, 0 if calm else 2),
            (self.redis_refuses, 0 if calm else 2),
            (self.repair_redis, 8),
            (self.fill_disk, 0 if calm else 1),
            (self.repair_disk, 4),
            (self.archive, 12 if self.has_archive else 0),
            (self.restore, 1 if self.has_archive else 0),
            (self.others_delete, 1),
            (self.end_server, 1),
            (self.kill_server, 0 if calm else 2),
            (self.fail_power, 0 if calm else 2),
        ]

    def _step(self, step: Callable[[], None]) -> None:
        if not self.is_up and step.__name__ in _OF_THE_SERVER:
            step = self.boot
        self.note(step.__name__)
        try:
            step()
        except Crash:
            self._server_is_gone()
            if self.random.random() < 0.4:
                self.note("  it was a power failure")
                self.fail_power()
        except (StoreUnavailable, SpoolError, ArchiveError, SessionNotFound) as error:
            self.note("  ", type(error).__name__, error)
        self._check()
        if self.is_lying and not self.disk.has_unsynchronised:
            self._honest = {session_id: len(shown) for session_id, shown in self.promise.published.items()}

    def _check(self) -> None:
        self.promise.check(self.sim_store.redis, self.disk, self._read_archive)

    def _read_archive(self, session_id: int, first: int, stop: int) -> Sequence[bytes]:
        store_id = self.sim_store.redis.keys[b"store_id"].decode()
        with self.faults.nothing_fails():
            return read_archive(self.disk, store_id, session_id, first, stop)

    def settle(self) -> None:
        """Repair everything and let the server finish."""
        self.note("everything is repaired")
        self.faults.is_calm = True
        self.repair_redis()
        self.repair_disk()
        self.catch_up()
        if not self.is_up:
            self.boot()
        self.append()
        for _ in range(200):
            if not self.intake.drain():
                break
        else:
            raise Broken("the spool does not become empty")
        if any(self.disk.contents(SPOOL)) and not self.faults.disk_has_failed:
            raise Broken("the spool is empty, and files are left")
        self.promise.archived.clear()
        if self.has_archive:
            self.archive()
        self._check()
        if self.faults.was_late or self.faults.disk_has_failed:
            self.promise.gaps.clear()
        self.promise.check_settled(self.sim_store.redis)

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
        self.store = connect(self.sim_store)
        limit_bytes = self.random.choice((2 << 30, 2 << 30, 2000))
        spool = Spool(self.disk, SPOOL, limit_bytes, segment_bytes=self.random.choice((200, 1000, 8 << 20)))
        self.intake = Intake(self.store, spool, self)
        self.appender = Appender(self.intake, self, _source)
        self.intake.recover()
        running = self.store.running_session()
        if running is not None and self.intake.spool.is_closed(running):
            self._empty_spool()
            running = None
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
        self.session = None

    def kill_server(self) -> None:
        if self.is_up:
            self._server_is_gone()

    def end_server(self) -> None:
        """SIGTERM, the session being left for the next one."""
        if self.is_up:
            self.append()
            self.intake.stop()
            self._server_is_gone()

    def fail_power(self) -> None:
        """Server and Redis die, and what was not synchronised is in doubt."""
        self._server_is_gone()
        self.sim_store.die()
        self.disk.fail_power()
        self.promise.archived.clear()
        if self.is_lying:
            self._forget_what_was_lied_about()
        self.sim_store.start()

    def _forget_what_was_lied_about(self) -> None:
        for session_id, shown in self.promise.published.items():
            kept = self._honest.get(session_id, 0)
            self.promise.published[session_id] = dict(list(shown.items())[:kept])
        self.promise.changes.clear()
        self.promise.gaps.clear()

    def redis_dies(self) -> None:
        self.sim_store.die()

    def redis_refuses(self) -> None:
        refused, text = self.random.choice(((TAKES_MEMORY, OUT_OF_MEMORY), (WRITES, READ_ONLY)))
        self.sim_store.redis.refuse(refused, text)

    def repair_redis(self) -> None:
        self.sim_store.redis.refuse(frozenset(), "")
        self.sim_store.start()

    def fill_disk(self) -> None:
        self.disk.capacity = self.disk.used + self.random.randrange(400)

    def repair_disk(self) -> None:
        self.disk.capacity = 1 << 30
        self.faults.is_lying = self.is_lying and self.random.random() < 0.5 and not self.faults.is_calm

    def catch_up(self) -> None:
        self.sim_store.catch_up()

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
        self.appender.put(self.session, Read(self.clock.time_ns(), source, messages))

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
        redis = self.sim_store.redis
        if not self.is_up or self.promise.is_overtaken(redis, self.disk):
            return
        if self.session is not None and redis.keys.get(b"session") != b"%d" % self.session:
            return  # another program has stopped it this very second, which the server has yet to find out
        try:
            with self._as("archive"):
                if self.archiving is None:
                    begun = archiving(self.store, self.disk)
                    begun.begin()
                    self.archiving = begun
                moved = self.archiving.step(is_tight=self.random.random() < 0.5)
                if moved is not None:
                    self.note("  archived", moved)
        except Crash:
            self.archiving = None
            if self._is_server_dead or self.random.random() < 0.5:
                raise
            self.note("  only the archive's process died")
            self.faults.new_life()

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
        if self.intake.is_spooling:
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

    def stop_session(self) -> None:
        if self.session is not None:
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

    def _slept(self) -> None:
        """The appender waits for store or disk; one of them must come back some time."""
        self._sleeps += 1
        if self._sleeps > LONGEST_SLEEPS:
            self.note("the operator repairs disk and Redis")
            self.repair_disk()
            self.repair_redis()
            self.faults.disk_rate = 0.0
        elif self.random.random() < 0.3:
            self.repair_redis()
        elif self.random.random() < 0.5:
            self.note("    meanwhile")
            with contextlib.suppress(BlitzError):
                self.drain()

    # ---- other programs -----------------------------------------------------------------------------------------

    def _meanwhile(self) -> None:
        """What comes in between two steps of a thread: other programs, another thread, another process."""
        if self._acting and self.random.random() < 0.5:
            acting, self._acting = self._acting, ""
            self.note("    meanwhile")
            try:
                self._other_thread(acting)
            except BlitzError as error:
                self.note("    ", type(error).__name__, error)
            except Crash:
                self._is_server_dead = True
                raise
            finally:
                self._acting = acting
        else:
            acts = (self.others_queue, self.others_queue, self.others_stop, self.others_delete, self.catch_up)
            self.faults.others(self.random.choice(acts))

    def _other_thread(self, acting: str) -> None:
        """Let a thread do a step that would not have to wait for a lock."""
        intake = self.intake
        if intake._lock._is_owned() or intake.spool._lock._is_owned():
            return
        if acting == "drain":
            self.append()
        elif acting == "append":
            self.drain()
        elif acting == "archive":
            self.random.choice((self.append, self.drain))()

    def others_queue(self) -> None:
        self._queued += 1
        message = b"queued %d" % self._queued
        self.promise.queued.add(message)
        with contextlib.suppress(StoreUnavailable):
            self.faults.others(lambda: self._queue(message))

    def _queue(self, message: bytes) -> None:
        running = self._others.running_session()
        if self._others.queue(message) is not None and running is not None:
            self.note("  another program queued", message)
            self.promise.queued_safely[message] = running

    def others_stop(self) -> None:
        with contextlib.suppress(StoreUnavailable):
            self.faults.others(self._others.stop_session)

    def others_delete(self) -> None:
        self.faults.others(self._delete)

    def _delete(self) -> None:
        with contextlib.suppress(StoreUnavailable, SessionRunning):
            closed = [session_id for session_id in self._others.available_sessions() if session_id != self.session]
            if closed:
                session_id = self.random.choice(closed)
                self._others.delete_session(session_id)
                self.note("  another program deleted session", session_id)
                self.promise.archived.pop(session_id, None)

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
        if self.session == session_id:
            self.session = None

    def intake_changed(self, error: str | None) -> None:
        self.note("  intake:", error or "goes on")

    def store_changed(self, error: str | None) -> None:
        self.note("  store:", error or "has everything")

    def messages_lost(self, session_id: int, seq: int, count: int, why: str) -> None:
        if not self.is_lying:
            raise Broken(f"the intake missed {count} messages of session {session_id} at seq {seq}: {why}")


def _source(index: int) -> Source:
    return Source(index=index, name=f"bench{index}", link="/dev/ttyUSB0", board_id=None)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
