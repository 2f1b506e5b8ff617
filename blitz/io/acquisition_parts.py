"""The parts of the acquisition, the running session, and what is said of it: notices, time line, events."""

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime

from blitz.data.alarm_records import AlarmCounts
from blitz.data.blocks import MessageBlock
from blitz.data.database_server import DatabaseServer
from blitz.data.records import (
    Event,
    EventKind,
    Notice,
    SessionRecord,
    TimelineEntry,
    TimelineKind,
)
from blitz.errors import (
    StoreUnavailable,
)
from blitz.io.accounting import Accounting
from blitz.io.acquisition_options import AcquisitionOptions
from blitz.io.appender import Appender
from blitz.io.calibration_watch import CalibrationWatch
from blitz.io.clock_watch import ClockWatch
from blitz.io.delivery import Severity
from blitz.io.devices import Devices
from blitz.io.housekeeping import Housekeeping
from blitz.io.intake import Intake
from blitz.io.live import LiveHub
from blitz.io.room_options import FlowMeter
from blitz.io.room_watch import RoomWatch
from blitz.io.run_planner import RunPlanner
from blitz.io.store_watch import StoreWatch

log = logging.getLogger(__name__)

_LEVELS: dict[Severity, int] = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


@dataclass(frozen=True)
class ClockChange:
    """The clock was found to be late when a session followed another: its first messages are stamped anew.

    :param until_ns: what is stamped later than that was stamped by the clock as it is now; None while that is not set.
    """

    session_id: int
    later_ns: int
    until_ns: int | None = None

    def stamp(self, session_id: int, arrived_ns: int) -> int:
        """Return the moment as the clock has it now."""
        is_early = self.until_ns is None or arrived_ns < self.until_ns
        return arrived_ns + self.later_ns if session_id == self.session_id and is_early else arrived_ns


class AcquisitionParts:
    """What the acquisition consists of, and what every part of it says to operators and viewers."""

    store_id: str
    hub: LiveHub
    intake: Intake
    devices: Devices
    appender: Appender
    planner: RunPlanner
    room: RoomWatch | None
    housekeeping: Housekeeping
    is_archiving_possible: Callable[[], bool]
    """Whether the archive can take messages out of Redis."""
    alarm_counts: Callable[[], AlarmCounts]
    """How many alarms there are now."""
    _store: DatabaseServer
    _intake_store: DatabaseServer
    _options: AcquisitionOptions
    _accounting: Accounting
    _watch: StoreWatch
    _clock_watch: ClockWatch
    _clock_change: ClockChange
    _flow: FlowMeter
    _calibrations: CalibrationWatch
    _session: SessionRecord | None
    _is_followed: bool
    """Whether the session is being closed, and another follows: until then it counts as the running one."""
    _just_followed: tuple[int, float] | None
    """The session that was followed last, and when, by the monotonic clock."""
    _session_lock: threading.Lock
    """Held while a session is started, followed or stopped."""
    _state_lock: threading.Lock
    _closing: "Future[SessionRecord] | None"
    _notices: "deque[Notice]"
    _anchor_ns: int
    _ended_ns: int
    """When the last session was over: what a later one is given of the preview came behind it."""

    def running(self) -> SessionRecord | None:
        """Return the running session, briefly, with its present number of messages."""
        with self._state_lock:
            session = self._session
        if session is None:
            return None
        return session.brief().model_copy(update={"message_count": self.hub.next_seq(session.id) or 0})

    def now_ns(self) -> int:
        """Return Unix time in ns from the monotonic clock, anchored at the session's start, or when it was resumed."""
        return self._anchor_ns + time.monotonic_ns()

    def post(self, event: Event) -> None:
        """Tell viewers."""
        self.hub.post(event)

    def notice(self, severity: Severity, text: str, source: str | None) -> None:
        """Tell the operator, and the log."""
        log.log(_LEVELS[severity], "%s", text)
        notice = Notice(severity=severity, text=text, time=datetime.now(UTC), source=source)
        self._notices.append(notice)
        self.hub.post(Event(event=EventKind.NOTICE, notice=notice))

    @property
    def notices(self) -> list[Notice]:
        """The last notices, oldest first."""
        return list(self._notices)

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

    def check_room(self) -> None:
        """Refuse points of streams that could not be stored.

        :raises StoreFull: if no room is left.
        """
        if self.room is not None:
            self.room.check()

    # ---- what is read of sessions --------------------------------------------------------------------------------

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

    def _read_block(self, session_id: int, first: int, stop: int) -> MessageBlock:
        recent = self.hub.recent_block(session_id, first, stop)
        return recent if recent is not None else self.messages(session_id, first, stop - first)
