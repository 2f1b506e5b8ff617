"""The acquisition: the devices, the appender, the observer, and the session that is recorded.

Owns what is recorded and what the server can say of itself. Calls may come from any thread; those that wait for
devices or for the store say so. Viewers are told through the hub and never waited for.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from datetime import UTC, datetime

import blitz
from blitz.config import Durability
from blitz.data.blocks import PREVIEW_ID, MessageBlock, Read
from blitz.data.board_definition import BoardDefinition
from blitz.data.database_server import DatabaseServer
from blitz.data.records import (
    Account,
    BoardRecord,
    Event,
    EventKind,
    Gap,
    Notice,
    SessionRecord,
    Source,
    StatusRecord,
    StoreRecord,
    TimelineEntry,
    TimelineKind,
)
from blitz.data.source_store import SourceStore
from blitz.errors import NoSession, SessionNotFound, StoreInUse, StoreUnavailable
from blitz.io.account_book import AccountBook, verdict
from blitz.io.appender import Appender
from blitz.io.clock_watch import ClockWatch
from blitz.io.delivery import Identified, Severity
from blitz.io.device_link import DeviceLink
from blitz.io.devices import DeviceOptions, Devices
from blitz.io.ledger import join_accounts
from blitz.io.live import LiveHub
from blitz.io.observer import Observer
from blitz.io.store_watch import StoreWatch

log = logging.getLogger(__name__)

DRAIN_S = 5.0
CLOSE_S = 8.0  # with the draining: less than clients wait for an answer
_NOTICES_KEPT = 200
_LEVELS: dict[Severity, int] = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


@dataclass(frozen=True)
class AcquisitionOptions:
    """How the acquisition is run; the settings of the same names."""

    devices: DeviceOptions = field(default_factory=DeviceOptions)
    durability: Durability = "always"
    is_private_store: bool = True
    revive_store: Callable[[], bool] | None = None
    """Starts a private Redis again that has died; says whether it had."""


class Acquisition:
    """Boards in, sessions out.

    :param definitions: board definitions by id; those in force go into each session's source table.
    :param kept: sources and definitions that outlive the server; in memory where none is given.
    """

    def __init__(
        self,
        store: DatabaseServer,
        definitions: Mapping[str, BoardDefinition],
        options: AcquisitionOptions,
        kept: SourceStore | None = None,
    ) -> None:
        self.store_id = store.store_id
        self.ended_incomplete = False
        """Whether :meth:`stop` found the store away: a session stayed open, or messages were lost."""
        self.hub = LiveHub(self.store_id, store.messages, store.session, self.status)
        self._store = store
        self._options = options
        kept = kept or SourceStore(":memory:")
        self.devices = Devices(definitions, kept, options.devices, self, self.record, self._account)
        self._appender = Appender(store, self, self.devices.source)
        self._book = AccountBook()
        self._observer = Observer(self._read_block, self.hub.next_seq, self)
        self._clock_watch = ClockWatch()
        self._session: SessionRecord | None = None
        self._session_lock = threading.Lock()
        self._state_lock = threading.Lock()
        self._notices: deque[Notice] = deque(maxlen=_NOTICES_KEPT)
        self._closing: Future[SessionRecord] | None = None
        self._watch = StoreWatch(
            store, is_private=options.is_private_store, revive=options.revive_store, changed=self._store_changed
        )
        self._anchor_ns = time.time_ns() - time.monotonic_ns()
        self._housekeeping_stop = threading.Event()
        self._housekeeping = threading.Thread(target=self._keep_house, name="housekeeping", daemon=True)

    # ---- life -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take the lease, close what a crash left open, open the ports.

        :raises StoreInUse: if another server acquires into this store.
        """
        self._watch.take_lease()
        interrupted = self._store.close_interrupted()
        if interrupted is not None:
            count = self._store.session(interrupted).message_count
            self._store.set_accounts(interrupted, [], "interrupted: the server ended unexpectedly, no account was made")
            self.notice(
                "warning",
                f"Session {interrupted} was being recorded when the server ended unexpectedly. It is closed and marked "
                f"as interrupted; its {count} messages are all there.",
                None,
            )
        self._appender.start()
        self._observer.start()
        self.devices.start()
        self._housekeeping.start()

    def stop(self) -> None:
        """Stop a running session in good order, close the ports, give the lease up; a second time does nothing."""
        if self._housekeeping_stop.is_set():
            return
        self._housekeeping_stop.set()
        if self._housekeeping.is_alive():
            self._housekeeping.join(5.0)
        try:
            self.stop_session(None)
        except NoSession:
            pass
        except StoreUnavailable:
            self.ended_incomplete = True
            log.error("Redis is away: the session is left open, and marked as interrupted at the next start.")
        self.devices.stop()
        try:
            self._appender.stop()
            self._observer.stop()
            self._watch.release_lease()
        except StoreUnavailable as error:
            self.ended_incomplete = True
            log.error("%s", error)

    # ---- sessions -----------------------------------------------------------------------------------------------

    def start_session(self, name: str = "", notes: str = "", owner: str = "") -> SessionRecord:
        """Start recording; boards follow at once, each with its answer to START.

        :raises SessionRunning: if a session runs already.
        :raises StoreUnavailable: if Redis is away.
        :raises StoreInUse: if another server has taken over this store.
        """
        with self._session_lock:
            if self._watch.is_standing_by:
                raise StoreInUse("Another server acquires into this store now. Stop one of the two.")
            self._anchor_ns = time.time_ns() - time.monotonic_ns()
            session_id = self._store.start_session(name, notes, owner, self.devices.present_sources())
            record = self._store.session(session_id)
            self._follow(record)
            log.info("Session %s started by %s", session_id, owner or "an unnamed client")
            return record

    def _follow(self, record: SessionRecord) -> None:
        """Record into a session that runs in the store."""
        self.hub.open_session(record.id, record.sources)
        self._book.open(record.id)
        self._observer.open_session(record.id, record.message_count)
        for source in record.sources:
            self._observer.add_source(source)
        self._appender.open_session(record)
        with self._state_lock:
            self._session = record
        self.hub.post(Event(event=EventKind.SESSION_STARTED, session_id=record.id, session=record.brief()))
        with self._state_lock:
            # Who lets a session go does it under this lock, too: an older one must not take boards from a newer.
            if self._session is not None and self._session.id == record.id:
                self.devices.deliver_to(record.id)

    def stop_session(self, session_id: int | None) -> SessionRecord:
        """Stop recording: fetch what the boards still hold, then close the session. Waits for both.

        :param session_id: None means the running one.
        :raises NoSession: if it does not run.
        :raises StoreUnavailable: if Redis is away; the session is closed when it is back.
        """
        with self._session_lock:
            running = self._session
            if running is None or session_id not in (None, running.id):
                which = "No session runs" if session_id is None else f"Session {session_id} does not run"
                raise NoSession(f"{which}. There is nothing to stop.")
            self.devices.deliver_to(PREVIEW_ID)
            began_s = time.monotonic()
            deadline_s = began_s + DRAIN_S
            for link in self.devices.links():
                if not link.delivery.wait_until_released(running.id, deadline_s):
                    self.notice("warning", f"{link.name} did not finish within {DRAIN_S:g} s of Stop.", link.name)
            if self._closing is None or self._closing.done():
                self._closing = self._appender.close_session(running.id)
            # A store that is known to be away is not waited for; the appender goes on trying.
            wait_s = CLOSE_S if self._watch.error is None else 1.0
            try:
                return self._closing.result(max(began_s + wait_s - time.monotonic(), 1.0))
            except FutureTimeoutError:
                raise StoreUnavailable(
                    f"Session {running.id} takes no more messages, but Redis is away or slow: the session is closed "
                    "as soon as Redis has taken all of it."
                ) from None

    def announce_changed(self, record: SessionRecord) -> None:
        """Tell viewers of a new name or notes."""
        with self._state_lock:
            if self._session is not None and self._session.id == record.id:
                self._session = record
        self.hub.post(Event(event=EventKind.SESSION_CHANGED, session_id=record.id, session=record.brief()))

    def announce_deleted(self, session_id: int) -> None:
        """Tell viewers that a session is gone."""
        self.hub.post(Event(event=EventKind.SESSION_DELETED, session_id=session_id))

    # ---- what links tell (see delivery.Sink) ------------------------------------------------------------------

    def identify(self, name: str, link: str, board_id: str | None, heard: Sequence[bytes]) -> Identified:
        """Return the source row of a device and what its messages mean."""
        return self.devices.identify(name, link, board_id, heard)

    def deliver(self, session_id: int, source: int, arrived_ns: int, messages: Sequence[bytes]) -> bool:
        """Take messages; False if they had to be dropped."""
        return self._appender.put(session_id, Read(arrived_ns, source, messages))

    def report_gap(
        self, session_id: int, source: int, from_ns: int, to_ns: int, reason: str, recovered: int = 0
    ) -> None:
        """Record that messages are missing, or what is known of a gap by now."""
        gap = Gap(source=source, seq=0, from_ns=from_ns, to_ns=to_ns, reason=reason, recovered=recovered)
        self._appender.put_gap(session_id, gap)

    def close_account(self, session_id: int, account: Account) -> None:
        """Take the account of what a session got of a source."""
        self._book.close(session_id, account)

    def notice(self, severity: Severity, text: str, source: str | None) -> None:
        """Tell the operator, and the log."""
        log.log(_LEVELS[severity], "%s", text)
        notice = Notice(severity=severity, text=text, time=datetime.now(UTC), source=source)
        self._notices.append(notice)
        self.hub.post(Event(event=EventKind.NOTICE, notice=notice))

    def link_changed(self, board: BoardRecord) -> None:
        """Tell viewers how a board is doing now."""
        log.info("%s is %s%s", board.name, board.state.value, f": {board.error}" if board.error else "")
        self.hub.post(Event(event=EventKind.LINK_CHANGED, board=board))

    def record(
        self,
        kind: TimelineKind,
        text: str,
        *,
        source: str | None = None,
        who: str = "",
        sent: str | None = None,
        answer: str | None = None,
        error: str | None = None,
    ) -> None:
        """Put something that happened on the running session's time line, and tell viewers."""
        session = self._session
        seq = 0 if session is None else self.hub.next_seq(session.id) or 0
        entry = TimelineEntry(
            kind=kind,
            time_ns=self.now_ns(),
            seq=seq,
            source=source,
            who=who,
            text=text,
            sent=sent,
            answer=answer,
            error=error,
        )
        if session is not None:
            self._appender.put_entry(session.id, entry)
        else:
            self.hub.post(Event(event=EventKind.TIMELINE, entry=entry))

    def now_ns(self) -> int:
        """Return Unix time in ns from the monotonic clock, anchored at the session's start."""
        return self._anchor_ns + time.monotonic_ns()

    # ---- what the appender tells (see appender.Publisher) ---------------------------------------------------------

    def publish(self, session_id: int, first_seq: int, reads: Sequence[Read], count: int) -> None:
        """Show what became durable."""
        self._book.append(session_id, reads)
        self.hub.publish(session_id, first_seq, reads, count)

    def add_source(self, session_id: int, source: Source) -> None:
        """Show a new row of a source table."""
        if session_id != PREVIEW_ID:
            self._observer.add_source(source)
        self.hub.add_source(session_id, source)

    def gap_recorded(self, session_id: int, gap: Gap) -> None:
        """Show a gap."""
        self._observer.add_gap(session_id, gap)
        self.hub.post(Event(event=EventKind.GAP, session_id=session_id, gap=gap))

    def entry_recorded(self, session_id: int, entry: TimelineEntry) -> None:
        """Show an entry of the time line."""
        self.hub.post(Event(event=EventKind.TIMELINE, session_id=session_id, entry=entry))

    def session_closed(self, record: SessionRecord, closed: "Future[SessionRecord]") -> None:
        """All messages of the session are stored and shown: let the observer finish with it."""
        self._observer.finish(record, closed.set_result)

    # ---- what the observer tells (see observer.Reporter) ----------------------------------------------------------

    def store_gap(self, session_id: int, gap: Gap) -> None:
        """Store a gap that messages show, or what is missing in one that is known."""
        self._store.add_gap(session_id, gap)
        self.hub.post(Event(event=EventKind.GAP, session_id=session_id, gap=gap))

    def warn(self, source: str, text: str) -> None:
        """Tell the operator."""
        self.notice("warning", text, source)

    def finish_session(self, record: SessionRecord) -> SessionRecord:
        """The session is over, and all that can be known of it is known: write it down and tell viewers."""
        accounts = self._accounts(record.id)
        line = verdict(accounts, self._observer.gaps(), record)
        try:
            self._store.set_accounts(record.id, accounts, line)
        except StoreUnavailable as error:
            log.warning("The accounts of session %s could not be stored: %s", record.id, error)
        record = record.model_copy(update={"accounts": tuple(accounts), "verdict": line})
        with self._state_lock:
            if self._session is not None and self._session.id == record.id:
                self._session = None
            for link in self.devices.links():
                if link.delivery.wanted == record.id:  # it was plugged in while the others were drained
                    self.devices.deliver_to(PREVIEW_ID)
        log.info("Session %s stopped with %s messages: %s", record.id, record.message_count, line)
        self.hub.post(Event(event=EventKind.SESSION_STOPPED, session_id=record.id, session=record.brief()))
        return record

    def _accounts(self, session_id: int, name: str | None = None) -> list[Account]:
        """Return the accounts by row: of one device in the running session, or of all when it is over."""
        live = {link.delivery.row: link for link in self.devices.links() if link.delivery.active == session_id}
        rows = self._book.rows(session_id) | {row for row in live if row is not None}
        accounts = []
        for row in sorted(rows):
            owner = self.devices.name_of(row)
            if owner is None:
                continue  # messages of other programs
            if name is not None and owner != name:
                continue
            open_account = live[row].delivery.account() if row in live else None
            account = self._book.account(session_id, owner, row, open_account, is_running=name is not None)
            accounts.append(self._observer.complete(account))
        return accounts

    def _account(self, link: DeviceLink) -> Account | None:
        row, active, session = link.delivery.row, link.delivery.active, self._session
        if row is None:
            return None
        if active is None and session is not None:  # a recording at its end
            active = session.id
        if active and (accounts := self._accounts(active, link.name)):
            return join_accounts(accounts)
        return self._book.account(active or PREVIEW_ID, link.name, row, link.delivery.account())

    def _read_block(self, session_id: int, first: int, stop: int) -> MessageBlock:
        recent = self.hub.recent_block(session_id, first, stop)
        return recent if recent is not None else self._store.messages(session_id, first, stop - first)

    def session_lost(self, session_id: int) -> None:
        """Another program stopped the session: stop delivering to it."""
        self._let_go(session_id, f"Session {session_id} was stopped by another program.")

    def _let_go(self, session_id: int, why: str) -> None:
        with self._state_lock:
            if self._session is None or self._session.id != session_id:
                return
            self._session = None
            self.devices.deliver_to(PREVIEW_ID)
        self.notice("warning", why, None)
        try:
            record = self._store.session(session_id).brief()
        except (SessionNotFound, StoreUnavailable):
            record = None
        self.hub.post(Event(event=EventKind.SESSION_STOPPED, session_id=session_id, session=record))

    def store_changed(self, error: str | None) -> None:
        """The store refuses what the appender brings, or takes it again."""
        self._watch.report("appender", error)

    def _store_changed(self, error: str | None) -> None:
        if error is not None:
            hint = " Its own words stand in redis.log in the data folder." if self._options.is_private_store else ""
            self.notice("error", f"{error}{hint} What boards send is kept in memory for now.", None)
        else:
            self.notice("info", "The store answers again.", None)

    # ---- what the server says of itself ---------------------------------------------------------------------------

    @property
    def notices(self) -> list[Notice]:
        """The last notices, oldest first."""
        return list(self._notices)

    def boards(self) -> list[BoardRecord]:
        """Return how all devices are doing."""
        return self.devices.boards()

    def status(self) -> StatusRecord:
        """Return everything in one look, from memory."""
        with self._state_lock:
            session = self._session
        if session is not None:
            count = self.hub.next_seq(session.id) or 0
            session = session.brief().model_copy(update={"message_count": count})
        boards = tuple(self.boards())
        return StatusRecord(
            version=blitz.__version__,
            store_id=self.store_id,
            now=datetime.now(UTC),
            session=session,
            store=StoreRecord(
                is_up=self._watch.error is None,
                is_private=self._options.is_private_store,
                durability=self._options.durability if self._options.is_private_store else "external",
                append_ms=round(self._appender.append_ms, 2),
                waiting_messages=self._appender.waiting_messages,
                error=self._watch.error,
            ),
            boards=boards,
            rate_hz=round(sum(board.rate_hz for board in boards), 1),
            preview=self._options.devices.preview,
        )

    def _keep_house(self) -> None:
        """Once a second: rates, status for viewers, new ports; every third: the lease."""
        round_number = 0
        while not self._housekeeping_stop.wait(1.0):
            round_number += 1
            try:
                for link in self.devices.links():
                    link.measure_rate()
                if self.hub.viewer_count:
                    self.hub.post(Event(event=EventKind.STATUS, status=self.status()))
                self.devices.find_new()
                step = self._clock_watch.look()
                if step is not None:
                    self.notice("warning", step, None)
                    self.record(TimelineKind.CLOCK_STEP, step)
                self._watch.look()
                self.follow_store()
                if round_number % 3 == 0:
                    self._renew_lease()
            except StoreUnavailable as error:
                log.debug("Housekeeping: %s", error)
            except Exception:
                log.exception("Housekeeping failed once")

    def follow_store(self) -> None:
        """Follow what other programs do in the store: start a session, queue messages, stop it."""
        if self._watch.is_standing_by or not self._session_lock.acquire(blocking=False):
            return  # not ours, or a session is being started or stopped right now
        try:
            session, running = self._session, self._store.running_session()
            if self._closing is not None and not self._closing.done():
                pass  # the appender is about to stop it
            elif session is None and running is not None:
                log.info("Session %s was started by another program", running)
                self._follow(self._store.session(running))
            elif session is not None and running != session.id:
                self.session_lost(session.id)
            elif session is not None:
                self.hub.advance(session.id, self._store.count_messages(session.id))
        finally:
            self._session_lock.release()

    def _renew_lease(self) -> None:
        taken_by = self._watch.renew_lease()
        if taken_by is not None:
            why = f"{taken_by} This server stops recording until that one is gone."
            if self._session is None:
                self.notice("error", why, None)
            else:
                self._let_go(self._session.id, why)
