"""A server that does not acquire: it serves the sessions of a store into which another server records.

It takes no lease, opens no port, and repairs and archives nothing. What it starts and stops, it does through the store;
what the other one records it shows by looking there some ten times a second.
"""

import contextlib
import logging
import shutil
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from blitz.data.board_definition import BoardDefinition
from blitz.data.database_server import DatabaseServer
from blitz.data.plan_store import PlanStore
from blitz.data.records import BoardRecord, Event, EventKind, RunWishes, SessionPlan, SessionRecord, StatusRecord
from blitz.data.run_plans import plan_run
from blitz.data.session_words import check_required
from blitz.data.source_store import SourceStore
from blitz.data.stop_wish import wish_stop
from blitz.data.store_faults import translated
from blitz.errors import BlitzError, NoAcquisition, NoSession, SessionNotFound, StoreUnavailable
from blitz.io.acquisition import Acquisition, AcquisitionOptions
from blitz.io.acquisition_sessions import DRAIN_S, nothing_to_stop
from blitz.io.housekeeping import Housekeeping

log = logging.getLogger(__name__)

POLL_S = 0.05
STOP_WAIT_S = 8.5
"""So long the server that records may take to stop: less than clients wait."""
VERDICT_WAIT_S = 1.0
_LOOK_S = 0.05
_JOIN_S = 2.0


class Follower(Acquisition):
    """The sessions of a store that another server records into."""

    acquires = False

    def __init__(
        self,
        store: DatabaseServer,
        definitions: Mapping[str, BoardDefinition],
        options: AcquisitionOptions,
        kept: SourceStore | None = None,
        plans: PlanStore | None = None,
    ) -> None:
        super().__init__(store, definitions, options, kept, plans)
        self.housekeeping = Housekeeping()
        self.housekeeping.add(self._watch.look)
        self._poll_lock = threading.Lock()
        self._signature: tuple[Any, ...] = ()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="following", daemon=True)

    # ---- life -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to look."""
        with contextlib.suppress(StoreUnavailable):
            self.follow_store()
        self.housekeeping.start()
        self._telling.start()
        self.command_timing.start()
        self._thread.start()

    def stop(self) -> None:
        """End; what is recorded goes on. A second time does nothing."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        for house in (self._telling, self.housekeeping):
            house.stop(_JOIN_S)
        self.command_timing.stop(_JOIN_S)
        if self._thread.is_alive():
            self._thread.join(_JOIN_S)
        self._intake_store.close()
        if self._own_folder is not None:
            shutil.rmtree(self._own_folder, ignore_errors=True)

    # ---- what there is to say ---------------------------------------------------------------------------------

    def boards(self) -> list[BoardRecord]:
        """Return nothing: how boards are doing is known where they are."""
        return []

    def status(self) -> StatusRecord:
        """Return everything in one look, from memory."""
        return super().status().model_copy(update={"acquires": False})

    def record(self, *_: Any, **__: Any) -> None:
        """Put nothing on a time line: that is for the server that records."""

    # ---- sessions, through the store ---------------------------------------------------------------------------

    def start_session(
        self,
        name: str = "",
        notes: str = "",
        owner: str = "",
        *,
        tags: Sequence[str] = (),
        fields: Mapping[str, str] | None = None,
        run: RunWishes | None = None,
        plan: SessionPlan | None = None,
        before_s: float = 0.0,
    ) -> SessionRecord:
        """Start a session in the store, which the server that acquires records, from within a second on.

        :raises NoAcquisition: if no server acquires into the store just now.
        :raises SessionRunning: if a session runs already.
        """
        fields = fields or {}
        check_required(self._options.required_fields, fields)
        self._store.ping()
        if not self._is_acquired():
            raise NoAcquisition(
                "No server acquires into this store now: a session would stay empty. Start one with 'blitz serve' over "
                "the same Redis."
            )
        if plan is None and run is not None:
            plan = plan_run(run, name.strip(), now := datetime.now(UTC), now)
        name = name.strip() or self._default_name(owner, fields)
        session_id = self._store.start_session(name, notes, owner, tags=tags, fields=fields, plan=plan)
        log.info("Session %s started by %s", session_id, owner or "an unnamed client")
        self.follow_store()
        return self._store.session(session_id)

    def stop_session(self, session_id: int | None, reason: str = "", drain_s: float = DRAIN_S) -> SessionRecord:
        """Let the server that records stop the session in good order, and wait for that.

        Where that server is gone, the session is closed as it is.

        :raises NoSession: if it does not run.
        :raises StoreUnavailable: if it takes too long; it is stopped as soon as that server can.
        """
        self.follow_store()
        running = self.running()
        if running is None or session_id not in (None, running.id):
            raise NoSession(nothing_to_stop(session_id, running))
        wish_stop(self._store, running.id)
        deadline_s = time.monotonic() + STOP_WAIT_S
        while self._store.running_session() == running.id:
            if not self._is_acquired():
                self._store.close_session(running.id, reason=reason)
            elif time.monotonic() > deadline_s:
                raise StoreUnavailable(
                    f"The server that records session {running.id} has not stopped it within {STOP_WAIT_S:g} s. "
                    "It does so as soon as it can."
                )
            else:
                self._stopping.wait(_LOOK_S)
        verdict_by_s = time.monotonic() + VERDICT_WAIT_S
        while not (record := self._store.session(running.id)).verdict and time.monotonic() < verdict_by_s:
            self._stopping.wait(_LOOK_S)
        self.follow_store()
        return record

    def _is_acquired(self) -> bool:
        return self._store.lease_expires_ms() > 0

    # ---- what another server records ----------------------------------------------------------------------------

    def follow_store(self) -> None:
        """Look once, and show what is new.

        :raises StoreUnavailable: if Redis does not answer.
        """
        with self._poll_lock:
            running = self._intake_store.running_session()
            session = self._session
            if session is not None and running != session.id:
                self._see_end(session.id)
                session = None
            if running is None:
                return
            with contextlib.suppress(SessionNotFound):  # deleted in this moment
                if session is None:
                    self._see_start(running)
                else:
                    self._see_more(session)

    def _see_start(self, session_id: int) -> None:
        self._signature = self._look_at(session_id)[1]
        record = self._intake_store.session(session_id)
        self.hub.open_session(record.id, record.sources)
        self.hub.advance(record.id, record.message_count)
        with self._state_lock:
            self._session = record
        log.info("Session %s is recorded by another server", record.id)
        self.hub.post(Event(event=EventKind.SESSION_STARTED, session_id=record.id, session=record.brief()))

    def _see_more(self, session: SessionRecord) -> None:
        count, signature = self._look_at(session.id)
        if signature != self._signature:
            self._signature = signature
            self._see_changes(session, self._intake_store.session(session.id))
        # Behind the sources: no viewer gets a message before what it means.
        self.hub.advance(session.id, count)

    def _see_changes(self, before: SessionRecord, record: SessionRecord) -> None:
        with self._state_lock:
            self._session = record
        known = {source.index for source in before.sources}
        for source in record.sources:
            if source.index not in known:
                self.hub.add_source(record.id, source)
        for gap in record.gaps:
            if gap not in before.gaps:
                self.hub.post(Event(event=EventKind.GAP, session_id=record.id, gap=gap))
        for entry in record.timeline[len(before.timeline) :]:
            self.hub.post(Event(event=EventKind.TIMELINE, session_id=record.id, entry=entry))
        for marker in record.markers:
            if marker not in before.markers:
                self.hub.post(Event(event=EventKind.MARKER, session_id=record.id, marker=marker))
        if record.revision != before.revision or record.plan != before.plan:
            self.hub.post(Event(event=EventKind.SESSION_CHANGED, session_id=record.id, session=record.brief()))

    def _see_end(self, session_id: int) -> None:
        record: SessionRecord | None = None
        with contextlib.suppress(SessionNotFound):
            full = self._intake_store.session(session_id)
            if self._session is not None:
                self._see_changes(self._session, full)
            record = full.brief()
            self.hub.advance(session_id, record.message_count)
        with self._state_lock:
            self._session = None
        self.hub.post(Event(event=EventKind.SESSION_STOPPED, session_id=session_id, session=record))

    def _look_at(self, session_id: int) -> tuple[int, tuple[Any, ...]]:
        """Return how many messages there are, and what changes whenever anything else of the session does."""
        store, keys = self._intake_store, self._intake_store.keys
        meta = keys.meta(session_id)
        with translated():
            pipeline = store.client.pipeline(transaction=True)
            pipeline.get(keys.first(session_id))
            pipeline.llen(keys.messages(session_id))
            pipeline.hlen(meta)
            pipeline.hmget(meta, "revision", "plan")
            pipeline.llen(keys.markers(session_id))
            first, length, fields, words, entries = pipeline.execute()
        return int(first or 0) + int(length), (fields, *words, entries)

    def _run(self) -> None:
        is_failing = False
        while not self._stopping.wait(POLL_S):
            try:
                self.follow_store()
                is_failing = False
            except BlitzError as error:
                log.debug("Following: %s", error)
                self._stopping.wait(1.0)
            except Exception:
                if not is_failing:
                    log.exception("Following the store failed")
                is_failing = True
                self._stopping.wait(1.0)
