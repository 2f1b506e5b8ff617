"""From one session of a run to the next: each message is in one of the two."""

import contextlib
import logging
import time
from concurrent.futures import TimeoutError as FutureTimeoutError
from datetime import UTC, datetime

from blitz.data.records import (
    SessionPlan,
    SessionRecord,
)
from blitz.data.run_plans import following_plan, name_of_next
from blitz.errors import (
    NoSession,
    SessionNotFound,
    SpoolError,
    StoreInUse,
    StoreUnavailable,
)
from blitz.io.acquisition_parts import ClockChange
from blitz.io.acquisition_sessions import AcquisitionSessions
from blitz.io.clock_watch import STEP_NS

log = logging.getLogger(__name__)

LAST_DRAIN_S = 2.5
"""For the boards when the server ends: all of it takes five seconds at most."""
FOLLOW_LOOK_S = 0.2
FOLLOW_ON_S = 1.0
"""So long devices are waited for when another session follows; one that is silent has nothing under way."""


class AcquisitionFollowing(AcquisitionSessions):
    """Lets a session follow the running one without a break."""

    def follow_on(self, session_id: int, plan: SessionPlan, reason: str) -> SessionRecord:
        """Let another session follow the running one: each message is in one of the two, and boards go on logging.

        It is prepared in store or spool before anything comes for it: what comes is safe as ever.

        :param plan: of the run, as the session before has it.
        :param reason: why the session before is stopped.
        :raises NoSession: if it does not run.
        :raises BlitzError: if none can follow now: the one before goes on.
        """
        with self._session_lock:
            running = self.running()
            if running is None or running.id != session_id:
                raise NoSession(f"Session {session_id} does not run: none follows it.")
            self._check_store()
            following = self._following(running, plan)
            later_ns = time.time_ns() - time.monotonic_ns() - self._anchor_ns
            later_ns = later_ns if later_ns >= STEP_NS else 0  # else times go on as they were
            self._clock_change = ClockChange(following.id, later_ns)
            self.appender.prepare_session(session_id, following)
            self._is_followed = True
            try:
                self.devices.follow_on(session_id, following.id)
                deadline_s = time.monotonic() + FOLLOW_ON_S
                for link in self.devices.links():
                    link.delivery.wait_until_released(session_id, deadline_s)
                count = self._close_followed(session_id, reason, following.id)
                if later_ns:
                    self._clock_change = ClockChange(following.id, later_ns, self.now_ns() + later_ns // 2)
                    self._anchor_ns += later_ns
                self._follow(following)
                self._just_followed = (session_id, time.monotonic())
                self.appender.show(following.id)
            finally:
                self._is_followed = False
            if plan.message_count is not None and following.plan is not None:
                left = following_plan(plan, count, datetime.now(UTC)).message_count
                plan = following.plan.model_copy(update={"message_count": left})
                with contextlib.suppress(SpoolError, NoSession):
                    self.keep_plan(following.id, plan)
                    self.planner.take(following := following.model_copy(update={"plan": plan}))
            log.info("Session %s follows session %s", following.id, session_id)
            return following

    def _following(self, before: SessionRecord, plan: SessionPlan) -> SessionRecord:
        """Return the session that is to follow, with an id of its own."""
        before = self._store.session(before.id).brief().model_copy(update={"message_count": before.message_count})
        now = datetime.now(UTC)
        plan = following_plan(plan, before.message_count, now)
        return SessionRecord(
            id=self._store.reserve_session(),
            name=name_of_next(plan) or self._default_name(before.owner, before.fields),
            notes=before.notes,
            owner=before.owner,
            tags=before.tags,
            fields=before.fields,
            plan=plan,
            started_at=now,
            is_running=True,
            message_count=0,
            sources=tuple(self.devices.present_sources()),
        )

    def _close_followed(self, session_id: int, reason: str, followed_by: int) -> int:
        """Close the session that is followed, however long that takes; return how many messages it has.

        :raises StoreUnavailable: if the server ends before; the next one then does the rest.
        """
        count = self.hub.next_seq(session_id) or 0
        self._closing = closing = self.appender.close_session(session_id, reason, followed_by)
        patience_s = LAST_DRAIN_S
        while True:
            if self._watch.is_standing_by:
                raise StoreInUse("Another server acquires into this store now. Stop one of the two.")
            try:
                return closing.result(FOLLOW_LOOK_S).message_count
            except FutureTimeoutError:
                patience_s -= FOLLOW_LOOK_S if self.housekeeping.is_stopping else 0.0
                if patience_s <= 0.0:
                    raise StoreUnavailable(f"Session {session_id} is left open: the server ends.") from None
            except SessionNotFound as error:  # another program has deleted it meanwhile
                log.warning("No account of a session that was followed is made: %s", error)
                self.planner.forget(session_id)
                return count
