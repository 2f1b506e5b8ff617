"""What becomes of sessions that are over: the trash and the way back, retention, and telling viewers and operators.

Owns when retention runs. Which sessions go is decided in :mod:`blitz.data.retention`, what a move is in
:mod:`blitz.data.session_trash`.
"""

import logging
import math
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from blitz.config import ServerSettings
from blitz.data.database_server import DatabaseServer
from blitz.data.disk import Disk, LocalDisk
from blitz.data.records import Event, EventKind, SessionRecord
from blitz.data.retention import Kept, RetentionAction, RetentionPlan, RetentionRule, plan_retention
from blitz.data.room import size_words
from blitz.errors import SessionNotFound, SessionRunning, StoreUnavailable

log = logging.getLogger(__name__)

RETENTION_EACH_S = 3600.0
PURGE_EACH_S = 600.0
_SHRINK_AFTER_S = 5.0
"""Who empties the trash deletes many: Redis' files are written anew once, behind the last."""
_FIRST_AFTER_S = 300.0
"""After a start there is time to see what is planned."""
_DAY_MS = 86_400_000


def folders_of(settings: ServerSettings) -> tuple[Path, ...]:
    """Return the folders whose disks the rule is about: those of Redis, if it is a private one, and of the archive."""
    archive_dir = settings.archive_dir or settings.data_dir / "archive"
    return (archive_dir,) if settings.redis_url else (settings.data_dir, archive_dir)


def rule_of(settings: ServerSettings) -> RetentionRule:
    """Return the rule that the settings make."""
    return RetentionRule(
        keep_days=settings.keep_days,
        keep_starred=settings.keep_starred,
        keep_free_gb=settings.keep_free_gb,
        trash_days=settings.trash_days,
    )


class SessionKeeper:
    """Deletes, restores and purges sessions. May be called from several threads.

    :param folders: those whose disks must keep free what the rule says: data folder and archive.
    :param post: shows an event to viewers.
    :param tell: tells the operator: severity, sentence, None.
    :param clock_s: monotonic seconds.
    :param now: the time of day.

    What is done by hand, and a plan, raise :class:`~blitz.errors.StoreUnavailable` if Redis does not answer.
    """

    def __init__(
        self,
        store: DatabaseServer,
        rule: RetentionRule,
        folders: tuple[Path, ...],
        post: Callable[[Event], None],
        tell: Callable[[Literal["info", "warning", "error"], str, str | None], None],
        *,
        disk: Disk | None = None,
        clock_s: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._store = store
        self._rule = rule
        self._folders = folders
        self._post = post
        self._tell = tell
        self._disk = disk or LocalDisk()
        self._clock_s = clock_s
        self._now = now
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._purge_at_s = self._retention_at_s = clock_s() + _FIRST_AFTER_S
        self._shrink_at_s = math.inf

    # ---- by hand --------------------------------------------------------------------------------------------------

    def trash(self, session_id: int, who: str = "") -> None:
        """Move a session to the trash and tell viewers that it is gone.

        :raises SessionRunning: if it is the running one.
        :raises SessionNotFound: if there is none with that id, or it is in the trash already.
        """
        self._store.trash.put(session_id, self._now_ms())
        log.info("Session %s was moved to the trash%s", session_id, _by(who))
        self._post(Event(event=EventKind.SESSION_DELETED, session_id=session_id))

    def restore(self, session_id: int, who: str = "") -> SessionRecord:
        """Take a session out of the trash, tell viewers, and return it.

        :raises SessionNotFound: if it is not in the trash.
        """
        self._store.trash.restore(session_id)
        record = self._store.session(session_id)
        log.info("Session %s was taken out of the trash%s", session_id, _by(who))
        self._post(Event(event=EventKind.SESSION_RESTORED, session_id=session_id, session=record.brief()))
        return record

    def delete(self, session_id: int, who: str = "") -> None:
        """Delete a session that is in the trash for good, a starred one, too.

        :raises SessionNotFound: if it is not in the trash.
        """
        self._store.trash.delete(session_id)
        self._shrink_at_s = self._clock_s() + _SHRINK_AFTER_S
        log.info("Session %s was deleted from the trash for good%s", session_id, _by(who))
        self._post(Event(event=EventKind.SESSION_DELETED, session_id=session_id))

    def in_trash(self) -> list[SessionRecord]:
        """Return what is in the trash, what was put there last coming first."""
        return self._store.trash.sessions()

    # ---- by rule --------------------------------------------------------------------------------------------------

    def plan(self) -> RetentionPlan:
        """Return what retention would do now; nothing is changed."""
        sessions = self._store.sessions()
        trash = self._store.trash.sessions()
        sizes = self._store.sizes.sessions([record.id for record in (*sessions, *trash)])
        kept = [Kept(record, size) for record, size in zip((*sessions, *trash), sizes, strict=True)]
        count = len(sessions)
        return plan_retention(self._rule, kept[:count], kept[count:], self._free_bytes(), self._now())

    def apply(self, who: str = "") -> RetentionPlan:
        """Do what retention would do now, and return what was done.

        A session that was starred, restored or deleted in the meantime is left out.
        """
        with self._lock:
            plan = self.plan()
            done = tuple(
                step for step in plan.steps if not self._stopping.is_set() and self._take(step.session, step.action)
            )
        if any(step.action is RetentionAction.PURGE for step in done):
            self._store.sizes.shrink_files()
        for step in done:
            where = "to the trash" if step.action is RetentionAction.TRASH else "for good"
            log.info("Retention%s: session %s goes %s. %s", _by(who), step.session.id, where, step.reason)
        freed = sum(step.bytes for step in done if step.action is RetentionAction.PURGE)
        plan = plan.model_copy(
            update={
                "steps": done,
                "freed_bytes": freed,
                "trashed_bytes": sum(step.bytes for step in done) - freed,
            }
        )
        if done:
            self._tell("info", f"Retention{_by(who)}: {plan.describe()}", None)
        return plan

    def _take(self, session: SessionRecord, action: RetentionAction) -> bool:
        """Carry one step out; False if the session is not what it was."""
        if action is RetentionAction.PURGE:
            return self._store.trash.purge_one(session.id, self._now_ms())
        try:
            if self._rule.keep_starred and self._store.session(session.id).starred:
                return False
            self._store.trash.put(session.id, self._now_ms())
        except (SessionNotFound, SessionRunning):
            return False
        self._post(Event(event=EventKind.SESSION_DELETED, session_id=session.id))
        return True

    def purge(self, now: datetime) -> list[SessionRecord]:
        """Delete for good what has been in the trash for longer than ``trash_days``, but never a starred session."""
        before_ms = math.floor(now.timestamp() * 1000 - self._rule.trash_days * _DAY_MS)
        sizes_before = self._store.sizes.sessions([record.id for record in self._store.trash.sessions()])
        purged = self._store.trash.purge(before_ms)
        if purged:
            left = self._store.sizes.sessions([record.id for record in self._store.trash.sessions()])
            freed = size_words(max(sum(sizes_before) - sum(left), 0))
            ids = ", ".join(str(record.id) for record in purged)
            self._store.sizes.shrink_files()
            self._tell("info", f"The trash was purged of session {ids}, which frees about {freed}.", None)
        return purged

    def look(self) -> None:
        """Begin to purge and to apply the rule when it is time; for the housekeeping, once a second or so.

        That is done in a thread of its own, which ends with it: it may have many files to delete.
        """
        retention_at_s = self._retention_at_s if self._rule.is_set else math.inf
        if self._clock_s() < min(self._purge_at_s, retention_at_s, self._shrink_at_s):
            return
        if not self._stopping.is_set() and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(target=self._keep, name="retention")
            self._thread.start()

    def join(self) -> None:
        """Wait until what :meth:`look` began is done."""
        if self._thread is not None:
            self._thread.join()

    def stop(self) -> None:
        """Begin nothing more, and wait for the step that is under way."""
        self._stopping.set()
        self.join()

    def _keep(self) -> None:
        now_s = self._clock_s()
        try:
            if now_s >= self._shrink_at_s:
                self._shrink_at_s = math.inf
                self._store.sizes.shrink_files()
            if now_s >= self._purge_at_s:
                self._purge_at_s = now_s + PURGE_EACH_S
                self.purge(self._now())
            if self._rule.is_set and now_s >= self._retention_at_s:
                self._retention_at_s = now_s + RETENTION_EACH_S
                self.apply()
        except StoreUnavailable as error:
            log.debug("Retention waits for Redis: %s", error)
        except Exception:
            log.exception("Retention failed; it is tried again later")

    def _free_bytes(self) -> int:
        return min((self._disk.free_bytes(folder) for folder in self._folders), default=0)

    def _now_ms(self) -> int:
        return math.floor(self._now().timestamp() * 1000)


def _by(who: str) -> str:
    return f" (by {who})" if who else ""
