"""The acquisition: the devices, the appender, the intake, the observer, and the session that is recorded.

Owns what is recorded and what the server can say of itself. Calls may come from any thread; those that wait for
devices or for the store say so. Viewers are told through the hub and never waited for.
"""

import json
import logging
import shutil
import tempfile
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from blitz.data.alarm_records import AlarmCounts
from blitz.data.blocks import PREVIEW_ID
from blitz.data.board_definition import BoardDefinition
from blitz.data.database_server import DatabaseServer
from blitz.data.disk import LocalDisk
from blitz.data.plan_store import PlanStore
from blitz.data.records import (
    Notice,
    SessionRecord,
    TimelineKind,
)
from blitz.data.source_store import SourceStore
from blitz.data.spool import Spool
from blitz.data.spool_records import Change, ChangeKind
from blitz.data.spools import Spools
from blitz.data.store_faults import translated
from blitz.errors import (
    NoSession,
    SessionNotFound,
    SpoolError,
    StoreUnavailable,
)
from blitz.io.accounting import Accounting
from blitz.io.acquisition_chores import AcquisitionChores
from blitz.io.acquisition_following import LAST_DRAIN_S
from blitz.io.acquisition_options import AcquisitionOptions
from blitz.io.acquisition_parts import ClockChange
from blitz.io.appender import Appender
from blitz.io.calibration_watch import CalibrationWatch
from blitz.io.clock_watch import STEP_NS, ClockWatch
from blitz.io.command_timing import CommandTiming
from blitz.io.devices import Devices
from blitz.io.housekeeping import Housekeeping
from blitz.io.intake import Intake
from blitz.io.kind_links import KindSources
from blitz.io.live import LiveHub
from blitz.io.resume import Resumption
from blitz.io.room_options import FlowMeter
from blitz.io.room_watch import RoomWatch
from blitz.io.run_planner import RunPlanner
from blitz.io.store_watch import StoreWatch
from blitz.io.stream_link import PointReader
from blitz.io.stream_sources import Sessions, StreamSources
from blitz.io.taking_up import begun_session

log = logging.getLogger(__name__)

INTAKE_TIMEOUT_S = 2.0
"""A store that takes longer than that to take messages is away: they go to the spool."""
LEASE_EVERY_S = 3
HOUSE_STOP_S = 0.5
"""Longer than that it waits for a store that hangs, and may be left to that."""
ACCOUNTS_EVERY_S = 10
"""How often accounts are written down: what a restarted server goes on from."""
_LAST_LOOK_S = 0.1
"""What was told to stop at first has ended long before, but for a store that hangs."""
_NOTICES_KEPT = 200

__all__ = ["Acquisition", "AcquisitionOptions"]


class Acquisition(AcquisitionChores):
    """Boards in, sessions out.

    :param definitions: board definitions by id; those in force go into each session's source table.
    :param kept: sources and definitions that outlive the server; in memory where none is given.
    :param plans: planned starts that outlive it; in memory where none is given.
    """

    acquires = True
    """Whether this server opens ports and records; the one of a store that holds the lease."""

    def __init__(
        self,
        store: DatabaseServer,
        definitions: Mapping[str, BoardDefinition],
        options: AcquisitionOptions,
        kept: SourceStore | None = None,
        plans: PlanStore | None = None,
    ) -> None:
        self.store_id = store.store_id
        self.ended_incomplete = False
        """Whether :meth:`stop` found the store away: a session stayed open, or messages were lost."""
        self.hub = LiveHub(self.store_id, self.messages, self.session_record, self.status, store)
        self._store = store
        self._options = options
        folder = options.spool_dir or Path(tempfile.gettempdir()) / f"blitz-spool-{uuid.uuid4().hex}"
        self._spools = Spools(folder)
        self._own_folder = None if options.spool_dir else folder
        self._intake_store = store.with_timeout(INTAKE_TIMEOUT_S)
        spool = Spool(LocalDisk(), self._spools.of_store(self.store_id), options.spool_limit_bytes)
        self.intake = Intake(self._intake_store, spool, self)
        kept = kept or SourceStore(":memory:")
        sessions = self._sessions_of_sources()
        streams, kinds = StreamSources(PointReader(self._intake_store), sessions), KindSources(sessions, kept)
        self.devices = Devices(
            *(definitions, kept, options.devices, self, self.record, self._account, self._tell_found, streams, kinds)
        )
        self.appender = Appender(self.intake, self, self.devices.source)
        self._accounting = Accounting(self.devices, self.intake, self._read_block, self.hub.next_seq, self)
        self.planner = RunPlanner(self, plans)
        self._clock_watch = ClockWatch()
        self.room = None if options.room is None else RoomWatch(self._intake_store.sizes, options.room, self.notice)
        self._flow = FlowMeter()
        self._calibrations = CalibrationWatch(self.notice, options.calibration_warn_days)
        self.is_archiving_possible: Callable[[], bool] = lambda: True
        """Whether the archive can take messages out of Redis."""
        self.alarm_counts: Callable[[], AlarmCounts] = AlarmCounts
        self._session: SessionRecord | None = None
        self._is_followed = False
        """Whether the session is being closed, and another follows: until then it counts as the running one."""
        self._just_followed: tuple[int, float] | None = None
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
        self._ended_ns = 0
        self._clock_change = ClockChange(PREVIEW_ID, 0)
        self.command_timing = CommandTiming(store.streams.commands)
        self._telling = Housekeeping("status")
        self._telling.add(self._tell_status)  # also while housekeeping waits for a store that hangs
        self.housekeeping = Housekeeping()
        for chore in (self.devices.find_new, self._look_at_clock):
            self.housekeeping.add(chore)
        self.housekeeping.add(self._keep_accounts, ACCOUNTS_EVERY_S)
        for chore in (self._look_at_room, self._watch.look, self.follow_store, self.heed_stop_wish):
            self.housekeeping.add(chore)
        self.housekeeping.add(self._renew_lease, LEASE_EVERY_S)
        self.housekeeping.add(self._look_at_calibrations)

    def _sessions_of_sources(self) -> Sessions:
        store = self._intake_store

        def field(session_id: int, name: str) -> str | None:
            with translated():
                text: Any = store.client.hget(store.keys.meta(session_id), name)
            return None if text is None else text.decode()

        def keep(session_id: int, fields: dict[str, str]) -> None:
            self.intake.put(Change(session_id, ChangeKind.FIELDS, json.dumps(fields)))

        return Sessions(
            record=store.session,
            field=field,
            keep=keep,
            next_seq=self.hub.next_seq,
            messages=self.messages,
            is_spooling=lambda: self.intake.is_spooling,
        )

    # ---- life -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take the lease, close what a crash left open, open the ports.

        :raises StoreInUse: if another server acquires into this store.
        """
        self._watch.take_lease()
        self.intake.recover()
        for sentence in self._spools.of_others(self.store_id):
            self.notice("warning", sentence, None)
        running = begun_session(self._store, self.intake.spool, self._empty_spool)
        before = None if running is None else self._store.session_before(running)
        if before is not None:
            self._finish_late(before)
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
        self.command_timing.start()
        self.planner.start()

    def _finish_late(self, session_id: int) -> None:
        """Make the account of a session that was followed when its server was killed, if there is none."""
        try:
            if self._store.session(session_id).verdict:
                return
            self._empty_spool()  # it may be in there
            record = self._store.session(session_id)
        except SessionNotFound:
            return
        if record.verdict:
            return
        reads = self._store.last_reads(session_id)
        arrivals = {source: arrived_ns for _, arrived_ns, source, _ in reads}
        record = record.model_copy(update={"resumed": record.resumed + 1})
        self.devices.resume(session_id, {}, record.sources)
        self._accounting.open(record, Resumption.of(record, arrivals, reads))
        self._accounting.observer.finish_now(record)

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
        self.command_timing.stop(0.0)
        self.housekeeping.stop(HOUSE_STOP_S)
        self.planner.stop(HOUSE_STOP_S)
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
        self.command_timing.stop(_LAST_LOOK_S)
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
