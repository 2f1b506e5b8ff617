"""The acquisition: the devices, the appender, the intake, the observer, and the session that is recorded.

Owns what is recorded and what the server can say of itself. Calls may come from any thread; those that wait for
devices or for the store say so. Viewers are told through the hub and never waited for.
"""

import contextlib
import json
import logging
import shutil
import tempfile
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import blitz
from blitz.config import Durability
from blitz.data.archive_reach import Reach
from blitz.data.blocks import PREVIEW_ID, MessageBlock, Read
from blitz.data.board_definition import BoardDefinition
from blitz.data.database_server import DatabaseServer
from blitz.data.disk import LocalDisk
from blitz.data.markers import with_marker
from blitz.data.name_pattern import NamePattern
from blitz.data.records import (
    Account,
    BoardRecord,
    Event,
    EventKind,
    Gap,
    LinkState,
    Marker,
    Notice,
    SessionRecord,
    Source,
    StatusRecord,
    StoreRecord,
    TimelineEntry,
    TimelineKind,
)
from blitz.data.session_words import check_field_name, check_required
from blitz.data.source_store import SourceStore
from blitz.data.spool import Spool
from blitz.data.spool_records import Change, ChangeKind
from blitz.data.spools import Spools
from blitz.errors import ConfigError, NoSession, SessionNotFound, SpoolError, StoreInUse, StoreUnavailable
from blitz.io.accounting import Accounting
from blitz.io.appender import Appender
from blitz.io.archive_reach import archive_reach
from blitz.io.clock_watch import STEP_NS, ClockWatch
from blitz.io.delivery import Identified, Severity
from blitz.io.device_link import DeviceLink
from blitz.io.devices import DeviceOptions, Devices
from blitz.io.housekeeping import Housekeeping
from blitz.io.intake import Intake
from blitz.io.live import LiveHub
from blitz.io.resume import Resumption
from blitz.io.room_options import FlowMeter, Load, RoomOptions
from blitz.io.room_watch import RoomWatch
from blitz.io.store_watch import StoreWatch

log = logging.getLogger(__name__)

TAKE_UP_S = 0.5
DRAIN_S = 5.0
CLOSE_S = 8.0  # with the draining: less than clients wait for an answer
LAST_DRAIN_S = 2.5
"""For the boards when the server ends: all of it takes five seconds at most."""
INTAKE_TIMEOUT_S = 2.0
"""A store that takes longer than that to take messages is away: they go to the spool."""
LEASE_EVERY_S = 3
HOUSE_STOP_S = 0.5
"""Longer than that it waits for a store that hangs, and may be left to that."""
ACCOUNTS_EVERY_S = 10
"""How often accounts are written down: what a restarted server goes on from."""
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
    spool_dir: Path | None = None
    """Where messages go while Redis is away; None takes a temporary folder, which no restart finds."""
    spool_limit_bytes: int = 2 << 30
    after_crash: Literal["resume", "close"] = "resume"
    on_stop: Literal["close", "keep"] = "close"
    room: RoomOptions | None = None
    """What is watched for room; None watches nothing."""
    session_name: str = ""
    """The pattern of the name that a session without one gets."""
    required_fields: tuple[str, ...] = ()
    """Own fields that every new session must have."""

    def __post_init__(self) -> None:
        """Refuse what could never be.

        :raises ConfigError: naming the setting.
        """
        try:
            NamePattern(self.session_name)
        except ValueError as error:
            raise ConfigError(f"The setting session_name: {error}") from error
        try:
            for name in self.required_fields:
                check_field_name(name)
        except ValueError as error:
            raise ConfigError(f"The setting required_fields: {error}") from error


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
        self.hub = LiveHub(self.store_id, self.messages, self.session_record, self.status)
        self._store = store
        self._options = options
        folder = options.spool_dir or Path(tempfile.gettempdir()) / f"blitz-spool-{uuid.uuid4().hex}"
        self._spools = Spools(folder)
        self._own_folder = None if options.spool_dir else folder
        self._intake_store = store.with_timeout(INTAKE_TIMEOUT_S)
        spool = Spool(LocalDisk(), self._spools.of_store(self.store_id), options.spool_limit_bytes)
        self.intake = Intake(self._intake_store, spool, self)
        kept = kept or SourceStore(":memory:")
        self.devices = Devices(definitions, kept, options.devices, self, self.record, self._account)
        self.appender = Appender(self.intake, self, self.devices.source)
        self._accounting = Accounting(self.devices, self.intake, self._read_block, self.hub.next_seq, self)
        self._clock_watch = ClockWatch()
        self.room = None if options.room is None else RoomWatch(self._intake_store.sizes, options.room, self.notice)
        self._flow = FlowMeter()
        self.is_archiving_possible: Callable[[], bool] = lambda: True
        """Whether the archive can take messages out of Redis."""
        self._session: SessionRecord | None = None
        self._session_lock = threading.Lock()
        self._state_lock = threading.Lock()
        self._notices: deque[Notice] = deque(maxlen=_NOTICES_KEPT)
        self._closing: Future[SessionRecord] | None = None
        self._watch = StoreWatch(
            self._intake_store,
            is_private=options.is_private_store,
            revive=options.revive_store,
            changed=self._store_changed,
        )
        self._anchor_ns = time.time_ns() - time.monotonic_ns()
        self._telling = Housekeeping("status")
        self._telling.add(self._tell_status)  # also while housekeeping waits for a store that hangs
        self.housekeeping = Housekeeping()
        for chore in (self.devices.find_new, self._look_at_clock):
            self.housekeeping.add(chore)
        self.housekeeping.add(self._keep_accounts, ACCOUNTS_EVERY_S)
        for chore in (self._look_at_room, self._watch.look, self.follow_store):
            self.housekeeping.add(chore)
        self.housekeeping.add(self._renew_lease, LEASE_EVERY_S)

    # ---- life -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take the lease, close what a crash left open, open the ports.

        :raises StoreInUse: if another server acquires into this store.
        """
        self._watch.take_lease()
        self.intake.recover()
        for sentence in self._spools.of_others(self.store_id):
            self.notice("warning", sentence, None)
        running = self._store.running_session()
        if running is not None and self.intake.spool.is_closed(running):
            self._empty_spool()
            running = None
        resumed: SessionRecord | None = None
        if running is not None and self._options.after_crash == "resume":
            self._store.fence(running)
            resumed = self._resume(self._store.session(running))
        elif running is not None:
            self._empty_spool()
            self._close_interrupted()
        self.intake.start()
        self.appender.start()
        self._accounting.observer.start()
        if resumed is not None:
            self._tell_resumed(resumed)
        self.devices.start()
        self.housekeeping.start()
        self._telling.start()

    def _empty_spool(self) -> None:
        while self.intake.is_spooling and self.intake.drain():
            pass

    def _close_interrupted(self) -> None:
        interrupted = self._store.close_interrupted()
        if interrupted is None:
            return
        record = self._store.session(interrupted)
        line = "interrupted: the server ended unexpectedly, no account was made"
        if record.accounts:
            line = "interrupted: the server ended unexpectedly, the account is that of a few seconds before"
        self._store.set_fields(interrupted, {"verdict": line})
        self.notice(
            "warning",
            f"Session {interrupted} was being recorded when the server ended unexpectedly. It is closed and marked "
            f"as interrupted; its {record.message_count} messages are all there.",
            None,
        )

    def _resume(self, record: SessionRecord) -> SessionRecord:
        """Go on with a session that an earlier server was recording; return it as it is now."""
        spool = self.intake.spool
        count = max(record.message_count, spool.next_seq(record.id) or 0)
        gaps = spool.gaps(record.id, record.gaps)
        record = record.model_copy(update={"message_count": count, "resumed": record.resumed + 1, "gaps": gaps})
        reads = self._store.last_reads(record.id)
        arrivals = {source: arrived_ns for _, arrived_ns, source, _ in reads} | spool.last_arrivals(record.id)
        resumption = Resumption.of(record, arrivals, reads)
        self._anchor_ns = max(time.time_ns(), resumption.last_ns) - time.monotonic_ns()
        self.devices.resume(record.id, resumption.missed(), record.sources)
        self._follow(record, resumption)
        return record

    def _tell_resumed(self, record: SessionRecord) -> None:
        fields = {"resumed": str(record.resumed)}
        self.intake.put(Change(record.id, ChangeKind.FIELDS, json.dumps(fields)))
        text = (
            f"The server was restarted and goes on with session {record.id}, which has {record.message_count} messages."
        )
        self.record(TimelineKind.SERVER, text)
        self.notice("warning", text, None)
        behind_ns = self.now_ns() - time.time_ns()
        if behind_ns >= STEP_NS:
            self._tell_of_clock(
                f"The computer's clock is {behind_ns / 1e9:.3f} s behind the session: it was set back, or began with a "
                "wrong time. Times go on from the session's last message, as if the server had not been away."
            )

    def stop(self) -> None:
        """Stop a running session in good order, close the ports, give the lease up; a second time does nothing.

        It takes five seconds at most. With the option ``on_stop="keep"`` the session is left running in the store.
        """
        if self.housekeeping.is_stopping:
            return
        self._telling.stop(HOUSE_STOP_S)
        self.housekeeping.stop(HOUSE_STOP_S)
        is_kept = self._session is not None and self._options.on_stop == "keep"
        if is_kept:
            log.info("The session is left running: the next server goes on with it")
        else:
            self._stop_last_session()
        self.devices.stop(leaves_logging=is_kept)
        try:
            self.appender.stop()
        except StoreUnavailable as error:
            self.ended_incomplete = True
            log.error("%s", error)
        try:
            self._keep_accounts()
        except SpoolError as error:
            log.warning("The accounts of the session could not be kept: %s", error)
        self._accounting.observer.stop(1.0 if self.intake.is_spooling else 10.0)
        self.intake.stop()
        try:
            if not self.intake.is_spooling:  # else it runs out by itself
                self._watch.release_lease()
        except StoreUnavailable as error:
            log.warning("The lease could not be given up: %s", error)
        self._intake_store.close()
        if self._own_folder is not None:
            shutil.rmtree(self._own_folder, ignore_errors=True)

    def _stop_last_session(self) -> None:
        try:
            self.stop_session(None, drain_s=LAST_DRAIN_S)
        except NoSession:
            pass
        except (StoreUnavailable, SpoolError) as error:
            self.ended_incomplete = True
            log.error("The session is left open, and gone on with at the next start: %s", error)

    # ---- sessions -----------------------------------------------------------------------------------------------

    def start_session(
        self,
        name: str = "",
        notes: str = "",
        owner: str = "",
        *,
        tags: Sequence[str] = (),
        fields: Mapping[str, str] | None = None,
    ) -> SessionRecord:
        """Start recording; boards follow at once, each with its answer to START.

        What devices send after it has returned is in the session.

        :param name: where it is empty, one is made by the pattern that is configured.
        :raises SessionRunning: if a session runs already.
        :raises FieldsMissing: if a field that every session must have is empty.
        :raises ValueError: if tags or fields cannot be.
        :raises StoreUnavailable: if Redis is away.
        :raises StoreFull: if no room is left for messages.
        :raises StoreInUse: if another server has taken over this store.
        """
        fields = fields or {}
        with self._session_lock:
            if self._session is None:
                check_required(self._options.required_fields, fields)
            if self._watch.is_standing_by:
                raise StoreInUse("Another server acquires into this store now. Stop one of the two.")
            if self.intake.is_spooling:
                raise StoreUnavailable(
                    f"{self.intake.spooled_messages} messages wait in the spool until Redis has taken them. "
                    "Start again when the server says that this is over."
                )
            if self.room is not None:
                self.room.check_start()
            self._intake_store.ping()  # what was emptied gives out ids that clients have sessions of
            self._anchor_ns = time.time_ns() - time.monotonic_ns()
            name = name.strip() or self._default_name(owner, fields)
            sources = self.devices.present_sources()
            session_id = self._store.start_session(name, notes, owner, sources, tags=tags, fields=fields)
            record = self._store.session(session_id)
            self._follow(record)
            self._wait_until_taken_up(session_id)
            log.info("Session %s started by %s", session_id, owner or "an unnamed client")
            return record

    def _wait_until_taken_up(self, session_id: int) -> None:
        """Let what devices say from now on be the session's, as whoever started it expects."""
        deadline_s = time.monotonic() + TAKE_UP_S
        for link in self.devices.links():
            if link.state in (LinkState.READY, LinkState.RECORDING):
                link.delivery.wait_until_taken_up(session_id, deadline_s)

    def _default_name(self, owner: str, fields: Mapping[str, str]) -> str:
        pattern = NamePattern(self._options.session_name)
        names: list[str] = []
        if pattern.counts:
            names = self._store.notes.names(self._store.available_sessions())
            names += [record.name for record in self._store.trash.sessions()]
        return pattern.fill(datetime.now().astimezone(), owner, fields, names)

    def _follow(self, record: SessionRecord, resumption: Resumption | None = None) -> None:
        """Record into a session that runs in the store."""
        self.hub.open_session(record.id, record.sources)
        self.hub.advance(record.id, record.message_count)
        self._accounting.open(record, resumption)
        self.appender.open_session(record, 0 if resumption is None else resumption.last_ns)
        with self._state_lock:
            self._session = record
        self.hub.post(Event(event=EventKind.SESSION_STARTED, session_id=record.id, session=record.brief()))
        with self._state_lock:
            # Who lets a session go does it under this lock, too: an older one must not take boards from a newer.
            if self._session is not None and self._session.id == record.id:
                self.devices.deliver_to(record.id)

    def stop_session(self, session_id: int | None, reason: str = "", drain_s: float = DRAIN_S) -> SessionRecord:
        """Stop recording: fetch what the boards still hold, then close the session. Waits for both.

        While Redis is away that is as good: the session's end waits in the spool, behind its messages.

        :param session_id: None means the running one.
        :param reason: why the server stops it by itself, as a sentence.
        :param drain_s: how long boards may take.
        :raises NoSession: if it does not run.
        :raises StoreUnavailable: if neither Redis nor the spool takes anything; it is closed when one does.
        """
        with self._session_lock:
            running = self._session
            if running is None or session_id not in (None, running.id):
                which = "No session runs" if session_id is None else f"Session {session_id} does not run"
                raise NoSession(f"{which}. There is nothing to stop.")
            self.devices.deliver_to(PREVIEW_ID)
            began_s = time.monotonic()
            deadline_s = began_s + drain_s
            for link in self.devices.links():
                if not link.delivery.wait_until_released(running.id, deadline_s):
                    self.notice("warning", f"{link.name} did not finish within {drain_s:g} s of Stop.", link.name)
            if self._closing is None or self._closing.done():
                self._closing = self.appender.close_session(running.id, reason)
            wait_s = CLOSE_S - DRAIN_S + drain_s
            try:
                return self._closing.result(max(began_s + wait_s - time.monotonic(), 1.0))
            except FutureTimeoutError:
                raise StoreUnavailable(
                    f"Session {running.id} takes no more messages, but neither Redis nor the spool on disk takes those "
                    "that are left: the session is closed as soon as one of them does."
                ) from None

    def change_session(self, session_id: int, words: Mapping[str, Any], who: str = "") -> SessionRecord:
        """Change a session's words as :meth:`DatabaseServer.update_session` does, and tell viewers.

        :raises FieldsMissing: if a field that every session must have would be empty.
        """
        fields = words.get("fields") or {}
        required = [name for name in self._options.required_fields if name in fields]
        check_required(required, fields)
        record = self._store.update_session(session_id, **words, who=who)
        self.announce_changed(record)
        return record

    def present_ns(self, session_id: int) -> int:
        """Return the present time of a session that is recorded.

        :raises ValueError: if it is not: whatever is noted of it needs a time.
        """
        running = self._session
        if running is None or running.id != session_id:
            self._store.notes.markers(session_id)  # which says it if there is no such session
            raise ValueError(f"Session {session_id} is not being recorded: give the time of the marker.")
        return self.now_ns()

    def announce_marker(self, session_id: int, marker: Marker) -> None:
        """Tell viewers of a marker that was written, changed or deleted."""
        with self._state_lock:
            running = self._session
            if running is not None and running.id == session_id:
                self._session = running.model_copy(update={"markers": with_marker(running.markers, marker)})
        self.hub.post(Event(event=EventKind.MARKER, session_id=session_id, marker=marker))

    def announce_changed(self, record: SessionRecord) -> None:
        """Tell viewers of new words."""
        with self._state_lock:
            if self._session is not None and self._session.id == record.id:
                self._session = record
        self.hub.post(Event(event=EventKind.SESSION_CHANGED, session_id=record.id, session=record.brief()))

    # ---- what links tell (see delivery.Sink) ------------------------------------------------------------------

    def identify(self, name: str, link: str, board_id: str | None, heard: Sequence[bytes]) -> Identified:
        """Return the source row of a device and what its messages mean."""
        return self.devices.identify(name, link, board_id, heard)

    def deliver(self, session_id: int, source: int, arrived_ns: int, messages: Sequence[bytes]) -> bool:
        """Take messages; False if they had to be dropped."""
        self._flow.add(messages)
        return self.appender.put(session_id, Read(arrived_ns, source, messages))

    def report_gap(
        self, session_id: int, source: int, from_ns: int, to_ns: int, reason: str, recovered: int = 0
    ) -> None:
        """Record that messages are missing, or what is known of a gap by now."""
        gap = Gap(source=source, seq=0, from_ns=from_ns, to_ns=to_ns, reason=reason, recovered=recovered)
        self.appender.put_gap(session_id, gap)

    def close_account(self, session_id: int, account: Account) -> None:
        """Take the account of what a session got of a source."""
        self._accounting.book.close(session_id, account)

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
            self.appender.put_entry(session.id, entry)
        else:
            self.hub.post(Event(event=EventKind.TIMELINE, entry=entry))

    def now_ns(self) -> int:
        """Return Unix time in ns from the monotonic clock, anchored at the session's start, or when it was resumed."""
        return self._anchor_ns + time.monotonic_ns()

    # ---- what the appender tells (see appender.Publisher) ---------------------------------------------------------

    def publish(self, session_id: int, first_seq: int, reads: Sequence[Read], count: int) -> None:
        """Show what became durable."""
        self._accounting.append(session_id, reads)
        self.hub.publish(session_id, first_seq, reads, count)

    def add_source(self, session_id: int, source: Source) -> None:
        """Show a new row of a source table."""
        if session_id != PREVIEW_ID:
            self._accounting.observer.add_source(source)
        self.hub.add_source(session_id, source)

    def gap_recorded(self, session_id: int, gap: Gap) -> None:
        """Show a gap."""
        self._accounting.observer.add_gap(session_id, gap)
        self.hub.post(Event(event=EventKind.GAP, session_id=session_id, gap=gap))

    def entry_recorded(self, session_id: int, entry: TimelineEntry) -> None:
        """Show an entry of the time line."""
        self.hub.post(Event(event=EventKind.TIMELINE, session_id=session_id, entry=entry))

    def session_closed(self, session_id: int, message_count: int, closed: "Future[SessionRecord]") -> None:
        """All messages of the session are safe and shown: let the observer finish with it."""
        try:
            record = self.session_record(session_id)
        except (SessionNotFound, StoreUnavailable) as error:
            closed.set_exception(error)
            return
        if record.is_running:  # its end waits in the spool
            end = {"is_running": False, "stopped_at": datetime.now(UTC), "message_count": message_count}
            record = record.model_copy(update=end)
        self._accounting.observer.finish(record, closed.set_result)

    def intake_changed(self, error: str | None) -> None:
        """Neither store nor spool takes anything, or one does again."""
        self._watch.report("intake", error)

    # ---- what the intake tells (see intake.Listener) --------------------------------------------------------------

    def messages_lost(self, session_id: int, seq: int, count: int, why: str) -> None:
        """What had been safe is not there any more."""
        self.notice("error", f"Session {session_id}, from message {seq} on: {why}.", None)

    def moved_up(self, session_id: int, next_seq: int) -> None:
        """Show what comes where the store has it."""
        self.hub.rewind(session_id, next_seq)

    # ---- what the observer tells (see observer.Reporter) ----------------------------------------------------------

    def store_gap(self, session_id: int, gap: Gap) -> None:
        """Store a gap that messages show, or what is missing in one that is known."""
        self.intake.put(Change(session_id, ChangeKind.GAP, gap.model_dump_json()))
        self.hub.post(Event(event=EventKind.GAP, session_id=session_id, gap=gap))

    def warn(self, source: str, text: str) -> None:
        """Tell the operator."""
        self.notice("warning", text, source)

    def finish_session(self, record: SessionRecord) -> SessionRecord:
        """The session is over, and all that can be known of it is known: write it down and tell viewers."""
        record = self._accounting.finish(record)
        with self._state_lock:
            if self._session is not None and self._session.id == record.id:
                self._session = None
            for link in self.devices.links():
                if link.delivery.wanted == record.id:  # it was plugged in while the others were drained
                    self.devices.deliver_to(PREVIEW_ID)
        log.info("Session %s stopped with %s messages: %s", record.id, record.message_count, record.verdict)
        self.hub.post(Event(event=EventKind.SESSION_STOPPED, session_id=record.id, session=record.brief()))
        return record

    def _keep_accounts(self) -> None:
        if self._session is not None:
            self._accounting.keep(self._session.id)

    def _account(self, link: DeviceLink) -> Account | None:
        session = self._session
        return self._accounting.of_link(link, None if session is None else session.id)

    def _read_block(self, session_id: int, first: int, stop: int) -> MessageBlock:
        recent = self.hub.recent_block(session_id, first, stop)
        return recent if recent is not None else self.messages(session_id, first, stop - first)

    def messages(self, session_id: int, first: int, count: int) -> MessageBlock:
        """Return the messages with first <= seq < first + count that are safe, wherever they are; perhaps none.

        :raises SessionNotFound: if there is no such session.
        :raises StoreUnavailable: if they are in Redis, which is away.
        """
        begin = self.intake.first_spooled(session_id)
        block = self.intake.messages(session_id, first, count, self.store_id)
        if begin is not None and first < begin:
            count = min(count, begin - first)  # what the store has beyond came from other programs, and will move
        return self._store.messages(session_id, first, count) if block is None else block

    def session_record(self, session_id: int) -> SessionRecord:
        """Return one session, with what the spool holds of it; the running one also while Redis is away.

        :raises SessionNotFound: if there is none with that id.
        :raises StoreUnavailable: if Redis is away.
        """
        running = self._session
        if running is None or running.id != session_id:
            return self._with_all_messages(self._store.session(session_id))
        if not self.intake.is_spooling:
            with contextlib.suppress(StoreUnavailable):
                return self._with_all_messages(self._intake_store.session(session_id))
        update = {
            "sources": self.hub.sources(session_id),
            "accounts": tuple(self._accounting.of_session(session_id)),
            "gaps": tuple(self._accounting.observer.gaps()),
        }
        return self._with_all_messages(running.model_copy(update=update))

    def session_list(self) -> list[SessionRecord]:
        """Return all sessions, newest first, briefly.

        :raises StoreUnavailable: if Redis is away.
        """
        return [self._with_all_messages(record) for record in self._store.sessions()]

    def _with_all_messages(self, record: SessionRecord) -> SessionRecord:
        """Count those that are in the spool, too."""
        safe = self.intake.next_seq(record.id) if record.is_running else None
        return record if safe is None else record.model_copy(update={"message_count": max(record.message_count, safe)})

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
        """The store refuses messages, or has taken all that the spool held."""
        self._watch.report("spool", error)

    def _store_changed(self, error: str | None) -> None:
        is_recording = self._session is not None or self.intake.is_spooling
        if error is not None:
            hint = " Its own words stand in redis.log in the data folder." if self._options.is_private_store else ""
            kept = (
                " What boards send is kept on disk, in the spool, and enters the session later." if is_recording else ""
            )
            text = f"{error}{hint}{kept}"
            self.notice("error", text, None)
        else:
            text = "Redis answers again and has everything." if is_recording else "Redis answers again."
            self.notice("info", text, None)
        if self._session is not None:
            self.record(TimelineKind.SERVER, text)

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
                append_ms=round(self.appender.append_ms, 2),
                waiting_messages=self.appender.waiting_messages,
                spooled_messages=self.intake.spooled_messages if self.intake.is_spooling else 0,
                spooled_bytes=self.intake.spool.size_bytes,
                spooling_since=self.intake.spooling_since,
                error=self._watch.error,
            ),
            boards=boards,
            rate_hz=round(sum(board.rate_hz for board in boards), 1),
            preview=self._options.devices.preview,
            room=None if self.room is None else self.room.record,
            required_fields=self._options.required_fields,
            session_name=self._options.session_name,
        )

    # ---- housekeeping ---------------------------------------------------------------------------------------------

    def _tell_status(self) -> None:
        for link in self.devices.links():
            link.measure_rate()
        if self.hub.viewer_count:
            self.hub.post(Event(event=EventKind.STATUS, status=self.status()))

    def _look_at_clock(self) -> None:
        step = self._clock_watch.look()
        if step is not None:
            self._tell_of_clock(step)

    def _tell_of_clock(self, sentence: str) -> None:
        self.notice("warning", sentence, None)
        self.record(TimelineKind.CLOCK_STEP, sentence)

    def _look_at_room(self) -> None:
        """Measure the room, and stop the session in good order before nothing fits any more."""
        if self.room is None:
            return
        session = self._session
        bytes_per_s, messages_per_s = self._flow.rates()
        load = Load(
            bytes_per_s=bytes_per_s,
            messages_per_s=messages_per_s,
            is_recording=session is not None,
            spool_bytes=self.intake.spool.size_bytes,
            store_error=self._watch.error,
            is_archiving_possible=self.is_archiving_possible(),
        )
        self.room.look(load)
        reason = self.room.stop_reason
        is_closing = self._closing is not None and not self._closing.done()
        if reason is not None and session is not None and not is_closing:
            self.notice("error", f"Session {session.id} is stopped by the server. {reason}", None)
            with contextlib.suppress(StoreUnavailable):
                self._renew_lease()  # which must not run out meanwhile
            with contextlib.suppress(NoSession):
                self.stop_session(session.id, reason)

    def follow_store(self) -> None:
        """Follow what other programs do in the store: start a session, queue messages, stop it."""
        is_ours = not self._watch.is_standing_by and self._watch.error is None
        if not is_ours or self.intake.is_spooling or not self._session_lock.acquire(blocking=False):
            return  # not ours, or behind the spool, or a session is being started or stopped right now
        try:
            session, running = self._session, self._intake_store.running_session()
            if self._closing is not None and not self._closing.done():
                pass  # the appender is about to stop it
            elif session is None and running is not None:
                log.info("Session %s was started by another program", running)
                self._follow(self._store.session(running))
            elif session is not None and running != session.id:
                self.session_lost(session.id)
            elif session is not None:
                end = self.intake.look(session.id, self._intake_store.count_messages)
                if end is not None:
                    self.hub.advance(session.id, end)
        finally:
            self._session_lock.release()

    def archive_reach(self) -> Reach | None:
        """Return how far the archive may go; None while a session is being started or stopped.

        :raises StoreUnavailable: if Redis does not answer.
        """
        if not self._session_lock.acquire(blocking=False):
            return None
        try:
            return archive_reach(self.intake, self._intake_store)
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
