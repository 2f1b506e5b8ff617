"""The server's side of the archive: starts the worker when there is something to move, and asks it what operators ask.

The worker (:mod:`blitz.io.worker`) is a process of its own, which is not there while Redis' memory is far from full: a
small computer has its memory for itself. If it dies it is started again; what it was about is whole either way.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from blitz.config import ServerSettings
from blitz.data.archive import Archive
from blitz.data.archive_plan import Pressure
from blitz.data.archive_reach import Reach
from blitz.data.archive_records import ArchiveCheck, ArchivedSession, ArchiveRecord, ArchiveRestored
from blitz.data.database_server import DatabaseServer
from blitz.data.machine import machine_memory_bytes
from blitz.data.records import SessionRecord
from blitz.data.room import redis_budget_bytes
from blitz.errors import ArchiveError, BlitzError
from blitz.io.worker_process import WorkerGoneError, WorkerProcess

log = logging.getLogger(__name__)

Tell = Callable[[Literal["info", "warning", "error"], str, None], None]

_LOOK_EACH_S = 1.0
_IDLE_S = 30.0


@dataclass(frozen=True)
class ArchiverOptions:
    """Where the archive is, and when messages move there.

    :param folder: an absolute path.
    :param is_on: whether messages move by themselves; what lies in the archive is served in any case.
    :param budget_bytes: memory for Redis; 0 takes Redis' own limit, and where there is none nothing moves.
    :param idle_s: how long the worker stays without work.
    :param again_s: time from a failure to the next try.
    """

    folder: Path
    is_on: bool = True
    budget_bytes: int = 0
    idle_s: float = _IDLE_S
    again_s: float = 5.0

    @classmethod
    def from_settings(cls, settings: ServerSettings) -> "ArchiverOptions":
        """Take them from the settings; of a Redis elsewhere only a limit that was set is known."""
        budget = redis_budget_bytes(settings.redis_memory_mb, machine_memory_bytes())
        if settings.redis_url and settings.redis_memory_mb is None:
            budget = 0
        folder = settings.archive_dir or settings.data_dir / "archive"
        return cls(folder.expanduser().absolute(), settings.archive, budget)


class Archiver:
    """Keeps Redis within its memory. Its calls may come from any thread.

    :param tell: takes what an operator should read: severity, sentence, no source.
    :param reach: gives how far the archive may go from now on, None where that cannot be said in this moment; without
        it nobody records.
    """

    def __init__(
        self,
        store: DatabaseServer,
        options: ArchiverOptions,
        tell: Tell,
        reach: Callable[[], Reach | None] | None = None,
    ) -> None:
        self._store = store
        self._options = options
        self._tell = tell
        self._reach = reach
        self._pressure = Pressure()
        self._lock = threading.Lock()
        self._worker: WorkerProcess | None = None
        self._not_before_s = 0.0
        self._is_prepared = False
        self._trouble: str | None = None
        self._moved_messages = 0
        self._moved_s = -_LOOK_EACH_S
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="archiver")

    def start(self) -> None:
        """Begin to watch the memory."""
        self._thread.start()

    def stop(self) -> None:
        """End the worker, in the middle of what it does if that takes long."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
        with self._lock:
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.stop()

    def status(self) -> ArchiveRecord:
        """Return what is in the archive, and what is going on.

        :raises StoreUnavailable: if Redis does not answer.
        :raises ArchiveError: if the folder cannot be read.
        """
        memory = self._store.sizes.memory()
        budget = self._options.budget_bytes or memory.limit_bytes
        archive = Archive(self._options.folder, self._store.store_id)
        records = self._store.sessions() + self._store.stream_sessions()
        sessions = [self._archived(archive, record) for record in records if record.archived_count]
        return ArchiveRecord(
            is_on=self._options.is_on,
            folder=str(self._options.folder),
            is_moving=time.monotonic() - self._moved_s < 2 * _LOOK_EACH_S,
            moved_messages=self._moved_messages,
            redis_used_bytes=memory.used_bytes,
            redis_budget_bytes=budget,
            begin_bytes=int(budget * self._pressure.begin),
            trouble=self._trouble,
            sessions=tuple(sessions),
        )

    @property
    def is_possible(self) -> bool:
        """Whether messages can move to the archive: it is on, and the last ones could."""
        return self._options.is_on and self._trouble is None

    def totals(self) -> tuple[int, int]:
        """Return how many bytes the archive takes, and how many messages lie in it.

        :raises BlitzError: see :meth:`status`.
        """
        sessions = self.status().sessions
        return sum(session.file_bytes for session in sessions), sum(session.archived_count for session in sessions)

    def verify(self, session_id: int | None = None, first: int = 0, only: int | None = None) -> ArchiveCheck:
        """Read a part of the archive, and compare the checksums.

        :param session_id: where to begin, with `first`; as the part before said.
        :param only: verify this session, no other.
        """
        if only is not None:
            self._store.session(only)
            session_id = only
        answer = self._ask(do="verify", session_id=session_id, first=first, only=only)
        return ArchiveCheck.model_validate(answer)

    def restore(self, session_id: int) -> ArchiveRestored:
        """Put a part of a session's archived messages back into Redis' memory.

        :raises SessionNotFound: if there is no such session.
        :raises ArchiveError: if there is no room, or a file is missing or damaged.
        """
        self._store.session(session_id)
        return ArchiveRestored.model_validate(self._ask(do="restore", session_id=session_id))

    # ---- below: how -----------------------------------------------------------------------------------------------

    def _archived(self, archive: Archive, record: SessionRecord) -> ArchivedSession:
        segments = [segment for segment in archive.segments(record.id) if segment.first < record.archived_count]
        return ArchivedSession(
            session_id=record.id,
            name=record.name,
            message_count=record.message_count,
            archived_count=record.archived_count,
            files=len(segments),
            file_bytes=sum(map(archive.size_bytes, segments)),
        )

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_EACH_S):
            try:
                self._prepare()
                if self._is_due():
                    self._present_worker()
                self._tell_reach()
            except BlitzError as error:
                log.debug("The archive waits: %s", error)  # the store is away, which is told elsewhere

    def _prepare(self) -> None:
        """Write down where the archive is; let the worker clean up what a crash has left there."""
        if not self._is_prepared:
            self._store.set_archive_folder(self._options.folder)
            self._is_prepared = True
            if Archive(self._options.folder, self._store.store_id).sessions():
                self._present_worker()

    def _is_due(self) -> bool:
        if not self._options.is_on or self._worker is not None:
            return False
        memory = self._store.sizes.memory()
        budget = self._options.budget_bytes or memory.limit_bytes
        return self._pressure.is_due(memory.used_bytes, budget, was_due=False)

    def _tell_reach(self) -> None:
        """Tell the worker, if there is one, how far it may go; what it was told before holds, too."""
        worker = self._worker
        if worker is not None and self._reach is not None and (reach := self._reach()) is not None:
            worker.tell({"do": "reach", "reach": asdict(reach)})

    def _present_worker(self) -> WorkerProcess | None:
        """Return the worker, started if need be; None just after it has failed, and at the end."""
        with self._lock:
            if self._worker is None and not self._stopping.is_set() and time.monotonic() >= self._not_before_s:
                self._worker = WorkerProcess(self._orders(), self._hear, self._worker_ended)
            return self._worker

    def _orders(self) -> dict[str, Any]:
        return {
            "redis_url": self._store.url,
            "redis_prefix": self._store.keys.prefix,
            "archive_dir": str(self._options.folder),
            "budget_bytes": self._options.budget_bytes,
            "is_on": self._options.is_on,
            "idle_s": self._options.idle_s,
            "again_s": self._options.again_s,
            "reach": None if self._reach is None else asdict(Reach()),  # nowhere, until it is told
        }

    def _ask(self, **request: Any) -> dict[str, Any]:
        for _ in range(2):
            worker = self._present_worker()
            if worker is None:
                break
            # It may have been about to end, having had nothing to do.
            with contextlib.suppress(WorkerGoneError):
                return worker.ask(request)
        raise ArchiveError("The archive's worker does not run; the server's log says why. It is started again soon.")

    def _hear(self, line: dict[str, Any]) -> None:
        """Take what the worker tells of its own accord."""
        if "moved" in line:
            self._moved_messages += line["moved"]["stop"] - line["moved"]["first"]
            self._moved_s = time.monotonic()
            log.debug("Archived %s", line["moved"])
        elif "notice" in line:
            log.info("Archive: %s", line["notice"])
        elif "trouble" in line:
            before, self._trouble = self._trouble, line["trouble"]
            if self._trouble is not None:
                self._tell("warning", f"Messages cannot move to the archive: {self._trouble}", None)
            elif before is not None:
                self._tell("info", "Messages move to the archive again.", None)

    def _worker_ended(self, worker: WorkerProcess, exit_code: int) -> None:
        with self._lock:
            if self._worker is worker:
                self._worker = None
            if exit_code:
                self._not_before_s = time.monotonic() + self._options.again_s
        if exit_code and not self._stopping.is_set():
            log.warning("The archive's worker ended by itself (%s); it is started again when needed", exit_code)
