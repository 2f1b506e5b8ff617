"""The server's timer: ends runs when their time is over, lets sessions follow one another, starts those planned.

Owns when. How a session is started, stopped and followed is the business of :mod:`blitz.io.acquisition`, what is
planned that of :mod:`blitz.data.run_plans`. While a server lives, durations are measured by the monotonic clock, so
that a clock that is set ends nothing early; starts, and a session that another server began, go by the time of day.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from blitz.data.plan_store import PlanStore
from blitz.data.records import (
    ENOUGH_MESSAGES,
    FOLLOWED,
    TIME_OVER,
    PlannedStart,
    RunWishes,
    SessionPlan,
    SessionRecord,
)
from blitz.data.run_plans import changed_plan, is_followed, moved_plan
from blitz.errors import BlitzError, NoSession
from blitz.io.planned_starts import PlannedStarts, Starter

log = logging.getLogger(__name__)

LOOK_S = 1.0
"""The time of day may be set at any moment: so often it is looked at where anything is planned."""
IDLE_S = 30.0
RETRY_S = 10.0
_STEP = timedelta(seconds=1)


class Recorder(Starter, Protocol):
    """Who records: the acquisition."""

    def stop_session(self, session_id: int | None, reason: str = "") -> SessionRecord:
        """Stop recording."""

    def follow_on(self, session_id: int, plan: SessionPlan, reason: str) -> SessionRecord:
        """Let a session follow the running one; each message is in one of the two."""

    def keep_plan(self, session_id: int, plan: SessionPlan | None) -> SessionRecord:
        """Write down what is planned of the running session, and tell viewers."""


class RunPlanner:
    """Calls may come from any thread; the work is done in one of its own.

    :param store: the planned starts; in memory where none is given.
    :param clock_s: monotonic seconds.
    :param now: the time of day.
    """

    def __init__(
        self,
        recorder: Recorder,
        store: PlanStore | None = None,
        clock_s: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.wanted_count: float = float("inf")
        """At so many messages of the running session the planner is to be woken."""
        self._recorder = recorder
        self.starts = PlannedStarts(recorder, store or PlanStore(":memory:"), now)
        """What is to be started."""
        self._clock_s = clock_s
        self._now = now
        self._changed = threading.Condition()
        self._acting = threading.Lock()
        """Held while the running session is changed: one after the other."""
        self._session_id: int | None = None
        self._plan: SessionPlan | None = None
        self._ends_s: float | None = None
        self._next_s: float | None = None
        self._not_before_s = 0.0
        self._is_refusal_told = False
        """Whether the operator knows that no session follows at present."""
        self._is_woken = False
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="planner", daemon=True)

    # ---- life -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take up what is planned, and begin."""
        self.starts.load()
        self._thread.start()

    def stop(self, wait_s: float) -> None:
        """End; what is being done is waited for that long."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(wait_s)

    # ---- what is planned ----------------------------------------------------------------------------------------

    def plan_start(self, start_at: datetime, run: RunWishes, **words: Any) -> PlannedStart:
        """Plan a start; see :meth:`PlannedStarts.add`."""
        planned = self.starts.add(start_at, run, **words)
        self.wake()
        return planned

    def change(self, session_id: int, changes: Mapping[str, float | int | None], who: str = "") -> SessionRecord:
        """Say anew when the running session ends; return it, briefly.

        :param changes: see :func:`blitz.data.run_plans.changed_plan`.
        :raises NoSession: if it does not run.
        """
        with self._acting:
            running = self._recorder.running()
            if running is None or running.id != session_id:
                raise NoSession(f"Session {session_id} does not run. There is nothing to plan.")
            plan = changed_plan(running.plan, changes, running.name, running.started_at, self._now())
            record = self._recorder.keep_plan(session_id, plan)
            self.take(record)
        log.info("The plan of session %s was changed by %s: %s", session_id, who or "an unnamed client", plan)
        return record

    def take(self, record: SessionRecord) -> None:
        """A session runs, or its plan is another: follow that."""
        with self._changed:
            now, now_s, plan = self._now(), self._clock_s(), record.plan
            self._session_id, self._plan = record.id, plan
            self._ends_s = None if plan is None else _on_clock(plan.ends_at, now, now_s)
            self._next_s = None if plan is None or not is_followed(plan) else _on_clock(plan.next_at, now, now_s)
            count = None if plan is None else plan.message_count
            self.wanted_count = float("inf") if count is None else count
            self._not_before_s = 0.0
            self._is_woken = True
            self._changed.notify_all()

    def forget(self, session_id: int) -> None:
        """A session is over."""
        with self._changed:
            if self._session_id == session_id:
                self._session_id = self._plan = self._ends_s = self._next_s = None
                self.wanted_count = float("inf")
            self._is_woken = True  # one that is planned may have waited for that
            self._changed.notify_all()

    def wake(self) -> None:
        """Look now: there is something new, such as as many messages as were wanted."""
        with self._changed:
            self._is_woken = True
            self._changed.notify_all()

    # ---- the thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_woken or self._is_stopping, self._wait_s())
                self._is_woken = False
                if self._is_stopping:
                    return
            try:
                self._follow_clock()
                self._look_at_run()
                self.starts.look()
            except BlitzError as error:
                log.warning("What was planned is tried again: %s", error)
                self._not_before_s = self._clock_s() + RETRY_S
            except Exception:
                log.exception("The planner failed once; it goes on")
                self._not_before_s = self._clock_s() + RETRY_S

    def _wait_s(self) -> float:
        now_s = self._clock_s()
        waits_s = [IDLE_S]
        moments_s = [moment_s for moment_s in (self._ends_s, self._next_s) if moment_s is not None]
        if moments_s:
            waits_s += [LOOK_S, max(min(moments_s), self._not_before_s) - now_s]
        soonest = self.starts.soonest()
        if soonest is not None:
            left_s = (soonest - self._now()).total_seconds()
            waits_s += [LOOK_S, left_s if left_s > 0 else LOOK_S]
        return max(min(waits_s), 0.0)

    def _follow_clock(self) -> None:
        """Show the moments as the clock has them now, if it was set."""
        with self._changed:
            session_id, plan, now_s = self._session_id, self._plan, self._clock_s()
            pairs = [] if plan is None else [(self._ends_s, plan.ends_at), (self._next_s, plan.next_at)]
            steps = [
                self._now() + timedelta(seconds=moment_s - now_s) - shown
                for moment_s, shown in pairs
                if moment_s is not None and shown is not None
            ]
            if session_id is None or plan is None or not steps or abs(steps[0]) <= _STEP:
                return
            self._plan = plan = moved_plan(plan, steps[0])
        with self._acting, contextlib.suppress(NoSession):
            self._recorder.keep_plan(session_id, plan)

    def _look_at_run(self) -> None:
        with self._changed:
            session_id, plan, now_s = self._session_id, self._plan, self._clock_s()
            is_over = self._ends_s is not None and self._ends_s <= now_s
            is_next = self._next_s is not None and self._next_s <= now_s
            wanted = self.wanted_count
        if session_id is None or plan is None or now_s < self._not_before_s:
            return
        running = self._recorder.running()
        if running is None or running.id != session_id:
            return
        is_enough = running.message_count >= wanted
        if is_over or is_enough:
            with contextlib.suppress(NoSession):
                self._recorder.stop_session(session_id, TIME_OVER if is_over else ENOUGH_MESSAGES)
        elif is_next:
            self._follow_on(running)

    def _follow_on(self, running: SessionRecord) -> None:
        with self._acting:
            plan = self._plan
            if plan is None or self._session_id != running.id:
                return
            if self._next_s is None or self._next_s > self._clock_s():  # changed since it was looked at
                return
            try:
                self._recorder.follow_on(running.id, plan, FOLLOWED)
                self._is_refusal_told = False
            except NoSession:
                pass
            except BlitzError as error:
                if not self._is_refusal_told:
                    self._recorder.notice("warning", f"No session follows session {running.id} yet. {error}", None)
                self._is_refusal_told = True
                raise


def _on_clock(moment: datetime | None, now: datetime, now_s: float) -> float | None:
    return None if moment is None else now_s + (moment - now).total_seconds()
