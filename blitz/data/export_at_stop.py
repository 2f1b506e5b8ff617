"""Exporting each session by itself when it stops: into a folder, under a name by a pattern, tried again until it works.

Decides; the threads in which that happens, and the downloads that it asks for, are the caller's. What is to be done is
kept in the cache (:mod:`blitz.data.pending_exports`).
"""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from blitz.data.database_client import DatabaseClient
from blitz.data.export import export_session
from blitz.data.export_rule import ExportRule
from blitz.data.pending_exports import ExportState, PendingExport
from blitz.data.records import SessionRecord
from blitz.data.report_choice import SUFFIX
from blitz.data.sidecar import read_sidecar
from blitz.errors import (
    BlitzError,
    DownloadCancelled,
    ExportError,
    SessionNotFound,
    VerificationError,
)

log = logging.getLogger(__name__)

_WAITS_S: Final = (5, 15, 60, 300, 900)
"""From one attempt to the next; then every time the last."""
_CLAIM_S: Final = 600
"""So long does nobody else try, while one program is at it."""


@dataclass(frozen=True)
class Outcome:
    """What an attempt came to.

    :param path: of the file that was written; None where none was.
    :param error: why not, as a sentence; empty where the session must be downloaded first.
    :param retry_s: seconds until the next attempt; None where none follows.
    """

    export: PendingExport
    record: SessionRecord | None = None
    path: Path | None = None
    error: str = ""
    retry_s: float | None = None

    @property
    def is_wanted(self) -> bool:
        """Whether the session must be downloaded first."""
        return self.path is None and not self.error


class ExportsAtStop:
    """What is to be exported from one cache.

    :param now_ms: the clock, milliseconds since the Unix epoch.
    """

    def __init__(
        self,
        cache: DatabaseClient,
        rule: ExportRule,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    ) -> None:
        self._cache = cache
        self._rule = rule
        self._now_ms = now_ms

    def see(self, records: Iterable[SessionRecord]) -> list[PendingExport]:
        """Take in sessions as the server tells them.

        One that has stopped is to be exported if it was seen running, or began after this was first asked.

        :returns: those that are to be exported now, and were not before.
        """
        told = {(record.id, record.started_ms): record for record in records if record.id > 0}
        # Asked first: nothing is written while nothing has changed.
        known = {(each.session_id, each.started_ms): each for each in self._cache.pending_exports()}
        since_ms = self._cache.exports_since(self._now_ms())
        if not _changes(told, known, since_ms):
            return []
        changed = self._cache.change_exports(lambda current: _changes(told, current, since_ms))
        return [each for each in changed if each.state is ExportState.PENDING]

    def stopped(self, record: SessionRecord) -> None:
        """Let a session that has stopped be exported, whether it was seen running or not."""

        def change(known: dict[tuple[int, int], PendingExport]) -> Iterable[PendingExport]:
            before = known.get((record.id, record.started_ms))
            if before is None or before.state is ExportState.RECORDING:
                yield PendingExport(session_id=record.id, started_ms=record.started_ms, state=ExportState.PENDING)

        self._cache.change_exports(change)

    def pending(self) -> list[PendingExport]:
        """Return what is to be exported, the next one first."""
        exports = (each for each in self._cache.pending_exports() if each.state is ExportState.PENDING)
        return sorted(exports, key=lambda each: each.next_try_ms)

    def due(self) -> list[PendingExport]:
        """Return what is to be tried now."""
        now_ms = self._now_ms()
        return [each for each in self.pending() if each.next_try_ms <= now_ms]

    def next_in_s(self) -> float | None:
        """Return the seconds until something is due; None where nothing waits."""
        pending = self.pending()
        return max(0.0, (pending[0].next_try_ms - self._now_ms()) / 1000) if pending else None

    def retry(self, session_id: int) -> None:
        """Let a session be tried at once."""
        self._cache.change_exports(
            lambda known: [
                each.model_copy(update={"next_try_ms": 0})
                for each in known.values()
                if each.session_id == session_id and each.state is ExportState.PENDING
            ]
        )

    def attempt(
        self,
        export: PendingExport,
        *,
        progress: Callable[[int, int], None] | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> Outcome | None:
        """Try to export a session; None where another program is at it, or somebody ended this one.

        Whatever goes wrong is in the outcome, and tried again later.
        """
        claimed = self._claim(export)
        if claimed is None:
            return None
        try:
            record = self._cache.session_record(export.session_id)
            if record.started_ms != export.started_ms:
                raise SessionNotFound("The server has given its id to another session.")
        except SessionNotFound:
            return self._settled(claimed, ExportState.GIVEN_UP, error="The session is not there any more.")
        if record.is_running or record.stopped_at is None or not self._cache.is_available(record.id):
            return self._later(claimed, record, "")
        try:
            path = self._written(claimed, record, progress, is_cancelled)
            claimed = claimed.model_copy(update={"path": str(path)})  # so that it is not written once more
            self._report(record, path, is_cancelled)
        except DownloadCancelled:
            self._cache.change_exports(lambda _: [claimed.model_copy(update={"next_try_ms": self._now_ms()})])
            return None
        except BlitzError as error:
            return self._later(claimed, record, str(error))
        except Exception as error:
            log.exception("Session %d was not exported", record.id)
            return self._later(claimed, record, f"This is a fault in Blitz, sorry ({error}); the log has the details.")
        return self._settled(claimed, ExportState.DONE, record, path)

    def _claim(self, export: PendingExport) -> PendingExport | None:
        """Keep others from it for a while."""
        now_ms = self._now_ms()

        def change(known: dict[tuple[int, int], PendingExport]) -> Iterable[PendingExport]:
            current = known.get((export.session_id, export.started_ms))
            if current is not None and current.state is ExportState.PENDING and current.next_try_ms <= now_ms:
                yield current.model_copy(
                    update={"next_try_ms": now_ms + _CLAIM_S * 1000, "attempts": current.attempts + 1}
                )

        return next(iter(self._cache.change_exports(change)), None)

    def _written(
        self,
        export: PendingExport,
        record: SessionRecord,
        progress: Callable[[int, int], None] | None,
        is_cancelled: Callable[[], bool] | None,
    ) -> Path:
        if export.path and _is_of(Path(export.path), record):  # written, but the program ended before it was noted
            return Path(export.path)
        folder = self._rule.folder
        try:
            if not folder.is_dir():
                folder.mkdir()
            path = self._rule.free_path(record)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ExportError(f"Cannot write into the folder {folder}: {reason}.") from error
        self._cache.change_exports(lambda _: [export.model_copy(update={"path": str(path)})])
        return export_session(
            self._cache,
            record.id,
            path,
            format=self._rule.format,
            preset=self._rule.preset,
            progress=progress,
            is_cancelled=is_cancelled,
        )

    def _report(self, record: SessionRecord, path: Path, is_cancelled: Callable[[], bool] | None) -> None:
        """Write the report beside a file; one that is there was written in an attempt before this one."""
        place = path.with_suffix(SUFFIX)
        if self._rule.has_report and not place.exists():
            from blitz.data.report import write_report

            write_report(self._cache, record.id, place, template=self._rule.template, is_cancelled=is_cancelled)

    def _later(self, export: PendingExport, record: SessionRecord, error: str) -> Outcome:
        wait_s = _WAITS_S[min(export.attempts, len(_WAITS_S)) - 1]
        later = export.model_copy(update={"next_try_ms": self._now_ms() + wait_s * 1000, "error": error})
        self._cache.change_exports(lambda _: [later])
        return Outcome(later, record, error=error, retry_s=wait_s)

    def _settled(
        self,
        export: PendingExport,
        state: ExportState,
        record: SessionRecord | None = None,
        path: Path | None = None,
        error: str = "",
    ) -> Outcome:
        settled = export.model_copy(update={"state": state, "path": str(path or ""), "error": error})
        self._cache.change_exports(lambda _: [settled])
        return Outcome(settled, record, path, error)


def _changes(
    told: dict[tuple[int, int], SessionRecord], known: dict[tuple[int, int], PendingExport], since_ms: int
) -> list[PendingExport]:
    changed = []
    for place, record in told.items():
        before = known.get(place)
        if before is None and (record.is_running or record.started_ms >= since_ms):
            state = ExportState.RECORDING if record.is_running else ExportState.PENDING
            changed.append(PendingExport(session_id=record.id, started_ms=record.started_ms, state=state))
        elif before is not None and before.state is ExportState.RECORDING and not record.is_running:
            changed.append(before.model_copy(update={"state": ExportState.PENDING}))
    return changed


def _is_of(path: Path, record: SessionRecord) -> bool:
    """Whether a file is an export of this session."""
    try:
        sidecar = read_sidecar(path)
    except (VerificationError, ExportError, OSError):
        return False
    return path.is_file() and (sidecar.session.id, sidecar.session.started_ms) == (record.id, record.started_ms)
