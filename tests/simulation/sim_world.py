"""A server with its store and its disk, and everything that can happen to them, driven by one seed.

The appender, the intake, the spool, the store's classes, and (in worlds that have one) the archive are the real ones;
each of their threads is a step here, so that one random number says who is next. After each step the promise is
checked; at the end everything is repaired, the spool drained, and what is then there is checked once more.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence

from sim_archive import read_archive
from sim_clock import governed
from sim_faults import Crash
from sim_promise import SPOOL, Broken
from sim_redis import TAKES_MEMORY, WRITES
from sim_server import SimServer
from sim_store import OUT_OF_MEMORY, READ_ONLY

from blitz.errors import ArchiveError, BlitzError, SessionNotFound, SessionRunning, SpoolError, StoreUnavailable

_OF_THE_SERVER = (
    "deliver",
    "append",
    "drain",
    "report",
    "look",
    "start_session",
    "stop_session",
    "follow_on",
    "archive",
    "tell_archive",
)
LONGEST_SLEEPS = 12
"""How often the appender tries again before this world repairs what keeps it from getting on."""


class World(SimServer):
    """One run. ``World(seed).run()`` raises :class:`~sim_promise.Broken` if the promise was broken."""

    # ---- the run ------------------------------------------------------------------------------------------------

    def run(self) -> None:
        with governed(self.clock, self.random), _quiet():
            self.clock.on_sleep = self._slept
            self._step(self.boot)
            self._step(self.start_session)
            steps, weights = zip(*self._steps(), strict=True)
            for step in self.random.choices(steps, weights, k=self.random.randrange(10, 60)):
                self._step(step)
            if self.random.random() < (0.6 if self.faults.spools else 0.2):
                self._step(self.fail_power)  # what was shown last is to survive it, too
            self.settle()

    def _steps(self) -> list[tuple[Callable[[], None], int]]:
        calm = self.random.random() < 0.2
        spools, hangs = self.faults.spools, self.faults.hangs
        return [
            (self.deliver, 30),
            (self.append, 30),
            (self.drain, 3 if spools else 8 if hangs else 20),
            (self.start_session, 6),
            (self.stop_session, 2),
            (self.follow_on, 9),
            (self.report, 4),
            (self.look, 4),
            (self.wait, 3),
            (self.others_queue, 3),
            (self.others_stop, 1),
            (self.catch_up, 4 if hangs else 2),
            (self.redis_dies, 0 if calm or hangs else 2),
            (self.redis_refuses, 0 if calm else 8 if spools else 2),
            (self.redis_hangs, 8 if hangs else 0),
            (self.repair_redis, 8),
            (self.fill_disk, 0 if calm else 1),
            (self.repair_disk, 4),
            (self.archive, 12 if self.has_archive else 0),
            (self.tell_archive, 6 if self.has_archive else 0),
            (self.restore, 1 if self.has_archive else 0),
            (self.others_delete, 1),
            (self.end_server, 1),
            (self.kill_server, 0 if calm else 8 if spools else 2),
            (self.fail_power, 0 if calm else 8 if spools else 1 if hangs else 2),
        ]

    def _step(self, step: Callable[[], None]) -> None:
        if not self.is_up and step.__name__ in _OF_THE_SERVER:
            step = self.boot
        self.note(step.__name__)
        try:
            step()
        except Crash:
            self._server_is_gone()
            if self.random.random() < (0.1 if self.faults.hangs else 0.4):
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
        while self.following is not None:
            self.follow_on()
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
            self.tell_archive()
            self.archive()
        self._check()
        if self.faults.was_late or self.faults.disk_has_failed:
            self.promise.gaps.clear()
        self.promise.check_settled(self.sim_store.redis)

    # ---- faults -----------------------------------------------------------------------------------------------

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

    def redis_hangs(self) -> None:
        self.faults.store_rate = 0.5

    def repair_redis(self) -> None:
        if self.faults.hangs:
            self.faults.store_rate = 0.0
        self.sim_store.redis.refuse(frozenset(), "")
        self.sim_store.start()

    def fill_disk(self) -> None:
        self.disk.capacity = self.disk.used + self.random.randrange(400)

    def repair_disk(self) -> None:
        self.disk.capacity = 1 << 30
        self.faults.is_lying = self.is_lying and self.random.random() < 0.5 and not self.faults.is_calm

    def catch_up(self) -> None:
        self.sim_store.catch_up()

    def _slept(self) -> None:
        """The appender waits for store or disk; one of them must come back some time."""
        self._sleeps += 1
        if self._sleeps > LONGEST_SLEEPS:
            self.note("the operator repairs disk and Redis")
            self.repair_disk()
            self.repair_redis()
            self.faults.disk_rate = 0.0
            self._drain_meanwhile()
        elif self.random.random() < 0.3:
            self.repair_redis()
        elif self.random.random() < 0.5:
            self._drain_meanwhile()

    def _drain_meanwhile(self) -> None:
        """The spool's thread goes on while the appender waits; not if that came in between two steps of this thread."""
        if self._is_draining and self._sleeps > LONGEST_SLEEPS:
            self.intake.spool.limit_bytes = 2 << 30
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


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
