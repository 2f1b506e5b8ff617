"""Sessions that are to be started by themselves: planned, waiting for what is in the way, begun or missed.

Goes by the time of day. When it is looked at is the business of :mod:`blitz.io.run_planner`.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

from blitz.data.plan_store import PlanStore, no_such_plan
from blitz.data.records import Event, EventKind, PlannedStart, RunWishes, SessionPlan, SessionRecord
from blitz.data.run_plans import check_start_at, is_missed, plan_run
from blitz.data.session_words import check_field_name, check_required, checked_tags
from blitz.errors import BlitzError, FieldsMissing, PlanNotFound, SessionRunning, TablesError
from blitz.io.delivery import Severity

log = logging.getLogger(__name__)


class Starter(Protocol):
    """Who starts sessions: the acquisition."""

    @property
    def required_fields(self) -> Sequence[str]:
        """Own fields that every session must have."""

    def running(self) -> SessionRecord | None:
        """Return the running session, briefly, with its present number of messages."""

    def start_session(
        self,
        name: str = "",
        notes: str = "",
        owner: str = "",
        *,
        tags: Sequence[str] = (),
        fields: Mapping[str, str] | None = None,
        plan: SessionPlan | None = None,
    ) -> SessionRecord:
        """Start recording."""

    def notice(self, severity: Severity, text: str, source: str | None) -> None:
        """Tell the operator."""

    def post(self, event: Event) -> None:
        """Tell viewers."""


class PlannedStarts:
    """Calls may come from any thread; :meth:`look` from one.

    :param store: what is planned.
    :param now: the time of day.
    """

    def __init__(self, starter: Starter, store: PlanStore, now: Callable[[], datetime]) -> None:
        self._starter = starter
        self._store = store
        self._now = now
        self._lock = threading.Lock()
        self._starts: dict[int, PlannedStart] = {}

    def load(self) -> None:
        """Take up what is kept."""
        self._starts = {kept.id: kept for kept in self._store.planned()}

    def soonest(self) -> datetime | None:
        """Return when the next one is due; None if nothing is planned."""
        with self._lock:
            return min((kept.start_at for kept in self._starts.values()), default=None)

    def all(self) -> tuple[PlannedStart, ...]:
        """Return the planned starts, soonest first."""
        with self._lock:
            starts = sorted(self._starts.values(), key=lambda kept: (kept.start_at, kept.id))
        return tuple(starts)

    def brief(self) -> tuple[PlannedStart, ...]:
        """Return them without notes and fields."""
        return tuple(planned.brief() for planned in self.all())

    def add(
        self,
        start_at: datetime,
        run: RunWishes,
        *,
        name: str = "",
        notes: str = "",
        owner: str = "",
        tags: Sequence[str] = (),
        fields: Mapping[str, str] | None = None,
    ) -> PlannedStart:
        """Plan a start, and keep it over restarts.

        :raises ValueError: if that moment has passed, or is years away, or if tags or fields cannot be.
        :raises FieldsMissing: if a field that every session must have is empty.
        :raises ConfigError: if too many are planned.
        """
        check_start_at(start_at, self._now())
        check_required(self._starter.required_fields, fields or {})
        for field in fields or {}:
            check_field_name(field)
        kept = PlannedStart(
            id=0,
            start_at=start_at.astimezone(UTC),
            name=name,
            notes=notes,
            owner=owner,
            tags=checked_tags(tags),
            fields=dict(fields or {}),
            run=run,
        )
        kept = self._store.add(kept)
        with self._lock:
            self._starts[kept.id] = kept
        log.info("A session is planned for %s by %s", kept.start_at, owner or "an unnamed client")
        self._tell()
        return kept

    def cancel(self, plan_id: int, who: str = "") -> None:
        """Cancel a planned start.

        :raises PlanNotFound: if there is none with that number.
        """
        with self._lock:
            kept = self._starts.pop(plan_id, None)
        if kept is None:
            raise no_such_plan(plan_id)
        self.forget(kept)
        log.info("The start planned for %s was cancelled by %s", kept.start_at, who or "an unnamed client")
        self._tell()

    def forget(self, kept: PlannedStart) -> None:
        """Take it out of what is kept."""
        try:
            self._store.remove(kept.id)
        except PlanNotFound:
            pass
        except TablesError as error:
            log.error("A start that is not planned any more could not be taken off the list: %s", error)

    def look(self) -> None:
        """Start what is due, if that is possible, and give up what is missed."""
        now = self._now()
        with self._lock:
            due = [kept for kept in self._starts.values() if kept.start_at <= now]
        for kept in sorted(due, key=lambda kept: kept.start_at):
            if is_missed(kept, now):
                self._miss(kept, kept.waits or "The server was not running then.")
            else:
                self._start(kept, now)

    def _start(self, kept: PlannedStart, now: datetime) -> None:
        running = self._starter.running()
        if running is not None:
            by = f" by {running.owner}" if running.owner else ""
            self._wait_for(kept, f"Session {running.id} is being recorded{by}.")
            return
        plan = plan_run(kept.run, kept.name, kept.start_at, now)
        try:
            self._starter.start_session(
                kept.name, kept.notes, kept.owner, tags=kept.tags, fields=kept.fields, plan=plan
            )
        except SessionRunning:
            return  # another program's, which will be seen in a moment
        except (FieldsMissing, ValueError) as error:
            self._miss(kept, str(error))
        except BlitzError as error:
            self._wait_for(kept, str(error))
        else:
            self._take_off(kept)

    def _wait_for(self, kept: PlannedStart, why: str) -> None:
        with self._lock:
            if self._starts.get(kept.id) != kept or kept.waits == why:
                return
            self._starts[kept.id] = kept.model_copy(update={"waits": why})
        if not kept.waits:
            self._starter.notice("warning", f"{_words(kept)} cannot begin yet. {why}", None)
        self._tell()

    def _miss(self, kept: PlannedStart, why: str) -> None:
        self._starter.notice("error", f"{_words(kept)} was missed. {why}", None)
        self._take_off(kept)

    def _take_off(self, kept: PlannedStart) -> None:
        with self._lock:
            self._starts.pop(kept.id, None)
        self.forget(kept)
        self._tell()

    def _tell(self) -> None:
        self._starter.post(Event(event=EventKind.PLANNED, planned=self.brief()))


def _words(kept: PlannedStart) -> str:
    name = f" {kept.name!r}" if kept.name else ""
    return f"The session{name} that was planned for {kept.start_at.astimezone():%Y-%m-%d %H:%M:%S}"
