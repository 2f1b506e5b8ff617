"""Sessions of the acquisition: started, stopped, and what is said of them changed."""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import TimeoutError as FutureTimeoutError
from datetime import UTC, datetime
from typing import Any

from blitz.data.blocks import PREVIEW_ID
from blitz.data.markers import with_marker
from blitz.data.name_pattern import NamePattern
from blitz.data.records import (
    Event,
    EventKind,
    LinkState,
    Marker,
    RunWishes,
    SessionPlan,
    SessionRecord,
)
from blitz.data.run_plans import plan_run
from blitz.data.session_words import check_required
from blitz.data.spool_records import Change, ChangeKind
from blitz.data.store_keys import MILLISECOND_NS
from blitz.errors import (
    NoSession,
    StoreInUse,
    StoreUnavailable,
)
from blitz.io.acquisition_told import AcquisitionTold
from blitz.io.resume import Resumption

log = logging.getLogger(__name__)

JUST_NOW_S = 5.0
"""So long a client may take to hear that another session has followed."""
TAKE_UP_S = 0.5
DRAIN_S = 5.0
CLOSE_S = 8.0  # with the draining: less than clients wait for an answer


class AcquisitionSessions(AcquisitionTold):
    """Starts and stops. What waits for devices or for the store says so."""

    @property
    def required_fields(self) -> tuple[str, ...]:
        """Own fields that every new session must have."""
        return self._options.required_fields

    @property
    def previews(self) -> bool:
        """Whether boards are polled while nothing is recorded."""
        return self._options.devices.preview

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
        """Start recording; boards follow at once, each with its answer to START.

        What devices send after it has returned is in the session.

        :param name: where it is empty, one is made by the pattern that is configured.
        :param run: when the server is to end it by itself.
        :param plan: the same, where it was planned before.
        :param before_s: it begins with what came in so many seconds before, as far as the preview has it in memory.
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
            self._check_store()
            self._anchor_ns = time.time_ns() - time.monotonic_ns()
            if plan is None and run is not None:
                plan = plan_run(run, name.strip(), now := datetime.now(UTC), now)
            name = name.strip() or self._default_name(owner, fields)
            sources = self.devices.present_sources()
            since_ns = max(self.now_ns() - round(before_s * 1e9), self._ended_ns)
            kept = self.hub.preview_since(since_ns) if before_s else []
            session_id = self._store.start_session(
                *(name, notes, owner, sources),
                tags=tags,
                fields=fields,
                plan=plan,
                started_ms=kept[0].arrived_ns // MILLISECOND_NS if kept else None,
            )
            record = self._store.session(session_id)
            self._follow(record, since_ns=since_ns if kept else None)
            self._wait_until_taken_up(session_id)
            log.info("Session %s started by %s", session_id, owner or "an unnamed client")
            return record

    def _check_store(self) -> None:
        """:raises StoreError: if nothing can be started."""
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

    def _wait_until_taken_up(self, session_id: int) -> None:
        """Let what devices say from now on be the session's, as whoever started it expects."""
        deadline_s = time.monotonic() + TAKE_UP_S
        for link in self.devices.links():
            if link.config.is_recorded and link.state in (LinkState.READY, LinkState.RECORDING):
                link.delivery.wait_until_taken_up(session_id, deadline_s)

    def _default_name(self, owner: str, fields: Mapping[str, str]) -> str:
        pattern = NamePattern(self._options.session_name)
        names: list[str] = []
        if pattern.counts:
            names = self._store.notes.names(self._store.available_sessions())
            names += [record.name for record in self._store.trash.sessions()]
        return pattern.fill(datetime.now().astimezone(), owner, fields, names)

    def _follow(
        self, record: SessionRecord, resumption: Resumption | None = None, *, since_ns: int | None = None
    ) -> None:
        """Record into a session that runs in the store.

        :param since_ns: it begins with what came for the preview since then.
        """
        self.hub.open_session(record.id, record.sources)
        self.hub.advance(record.id, record.message_count)
        self._accounting.open(record, resumption)
        if not self._is_followed:  # else it is prepared already
            self.appender.open_session(record, 0 if resumption is None else resumption.last_ns)
        with self._state_lock:
            self._session = record
        self.planner.take(record)
        self.hub.post(Event(event=EventKind.SESSION_STARTED, session_id=record.id, session=record.brief()))
        if since_ns is not None:
            links = [link for link in self.devices.links() if link.config.is_recorded]
            rows = frozenset(link.delivery.row for link in links if link.delivery.row is not None)
            self.appender.adopt(record.id, since_ns, rows)
        with self._state_lock:
            # Who lets a session go does it under this lock, too: an older one must not take boards from a newer.
            if self._session is not None and self._session.id == record.id:
                self.devices.deliver_to(record.id)

    def stop_session(self, session_id: int | None, reason: str = "", drain_s: float = DRAIN_S) -> SessionRecord:
        """Stop recording: fetch what the boards still hold, then close the session. Waits for both.

        While Redis is away that is as good: the session's end waits in the spool, behind its messages.

        :param session_id: None means the running one, and so does the one that it followed a moment ago: whoever
            stops that has not heard of it yet, and means the run.
        :param reason: why the server stops it by itself, as a sentence.
        :param drain_s: how long boards may take.
        :raises NoSession: if it does not run.
        :raises StoreUnavailable: if neither Redis nor the spool takes anything; it is closed when one does.
        """
        with self._session_lock:
            running = self._session
            if self._just_followed is not None and running is not None:
                followed_id, at_s = self._just_followed
                if session_id == followed_id and time.monotonic() - at_s < JUST_NOW_S:
                    session_id = running.id
            if running is None or session_id not in (None, running.id):
                raise NoSession(nothing_to_stop(session_id, running))
            self.devices.deliver_to(PREVIEW_ID)
            began_s = time.monotonic()
            deadline_s = began_s + drain_s
            for link in self.devices.links():
                if not link.delivery.wait_until_released(running.id, deadline_s):
                    self.notice("warning", f"{link.name} did not finish within {drain_s:g} s of Stop.", link.name)
            wait_s = CLOSE_S - DRAIN_S + drain_s
            return self._close(running.id, reason, max(began_s + wait_s - time.monotonic(), 1.0))

    def _close(self, session_id: int, reason: str, wait_s: float) -> SessionRecord:
        """Close a session behind all of its messages, and wait for that."""
        if self._closing is None or self._closing.done():
            self._closing = self.appender.close_session(session_id, reason)
        try:
            return self._closing.result(wait_s)
        except FutureTimeoutError:
            raise StoreUnavailable(
                f"Session {session_id} takes no more messages, but neither Redis nor the spool on disk takes those "
                "that are left: the session is closed as soon as one of them does."
            ) from None

    # ---- what is said of a session -------------------------------------------------------------------------------

    def keep_plan(self, session_id: int, plan: SessionPlan | None) -> SessionRecord:
        """Write down what is planned of the running session, tell viewers, and return it, briefly.

        :raises NoSession: if it does not run.
        :raises SpoolError: if neither Redis nor the spool takes it.
        """
        text = "" if plan is None else plan.model_dump_json()
        self.intake.put(Change(session_id, ChangeKind.FIELDS, json.dumps({"plan": text})))
        with self._state_lock:
            if self._session is None or self._session.id != session_id:
                raise NoSession(f"Session {session_id} does not run. There is nothing to plan.")
            self._session = record = self._session.model_copy(update={"plan": plan})
        self.hub.post(Event(event=EventKind.SESSION_CHANGED, session_id=session_id, session=record.brief()))
        return record.brief()

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


def nothing_to_stop(session_id: int | None, running: SessionRecord | None) -> str:
    """Return the sentence for a session that cannot be stopped, since it does not run."""
    if session_id is None:
        return "No session runs. There is nothing to stop."
    if running is None:
        return f"Session {session_id} does not run. There is nothing to stop."
    return f"Session {session_id} does not run. Session {running.id} is recorded now."
