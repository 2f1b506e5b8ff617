"""What the acquisition looks after all the time, and what it says of itself."""

import contextlib
import logging
from datetime import UTC, date, datetime

import blitz
from blitz.data.archive_reach import Reach
from blitz.data.records import (
    BoardRecord,
    Event,
    EventKind,
    StatusRecord,
    StoreRecord,
    TimelineKind,
)
from blitz.data.stop_wish import is_stop_wished
from blitz.errors import (
    NoSession,
    StoreUnavailable,
)
from blitz.io.acquisition_following import AcquisitionFollowing
from blitz.io.archive_reach import archive_reach
from blitz.io.room_options import Load

log = logging.getLogger(__name__)


class AcquisitionChores(AcquisitionFollowing):
    """Called by the housekeeping, and by whoever asks how it is."""

    # ---- what the server says of itself --------------------------------------------------------------------------

    def boards(self) -> list[BoardRecord]:
        """Return how all devices are doing."""
        return self.devices.boards()

    def status(self) -> StatusRecord:
        """Return everything in one look, from memory."""
        session = self.running()
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
            planned=self.planner.starts.brief(),
            found=self.devices.found(),
            alarms=self.alarm_counts(),
            database=self._store.keys.prefix.strip("{}:"),
            calibrations=self._calibrations.due(((board.name, board.definition) for board in boards), _today()),
        )

    # ---- housekeeping --------------------------------------------------------------------------------------------

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

    def _look_at_calibrations(self) -> None:
        self._calibrations.look(((link.name, link.definition) for link in self.devices.links()), _today())

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

    def heed_stop_wish(self) -> None:
        """Stop the session in good order, if another server over this store was told to."""
        session = self._session
        if session is None or self._watch.is_standing_by or self._watch.error is not None or self.intake.is_spooling:
            return
        if is_stop_wished(self._intake_store, session.id):
            log.info("Session %s is stopped through another server", session.id)
            with contextlib.suppress(StoreUnavailable):
                self._renew_lease()  # which must not run out meanwhile
            with contextlib.suppress(NoSession):
                self.stop_session(session.id)

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


def _today() -> date:
    return datetime.now(UTC).astimezone().date()
