"""Work in a pool of threads: exports, opening historic sessions. Results and errors come back as signals."""

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from PyQt5 import sip
from PyQt5.QtCore import QObject, QRunnable, QThreadPool, pyqtSignal

from blitz.errors import BlitzError
from blitz.ui.courier import Bring, Courier

log = logging.getLogger(__name__)

Work = Callable[[Callable[[int, int], None], Callable[[], bool]], Any]
"""Called in the pool with ``progress(done, total)`` and ``is_cancelled()``."""


def while_there(owner: QObject, call: Callable[..., object]) -> Callable[..., None]:
    """Return a slot that does nothing once ``owner`` is deleted: a dialog may be closed before its job has ended.

    A bound method of ``owner`` needs none of this, Qt disconnects it; a lambda that reaches ``owner`` does.
    """

    def slot(*values: object) -> None:
        if not sip.isdeleted(owner):
            call(*values)

    return slot


class Job(QObject):
    """One piece of work; lives in the GUI thread, where its signals are emitted."""

    progressed = pyqtSignal(object, object)  # a signal's int ends at 2 GB
    succeeded = pyqtSignal(object)
    """What the work returned."""
    failed = pyqtSignal(object)
    """The exception that the work raised."""
    ended = pyqtSignal()
    """Last, whatever came of it."""

    def __init__(self, title: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.title = title
        self.done, self.total = 0, 0
        self._cancelled = threading.Event()

    @property
    def is_cancelled(self) -> bool:
        """Whether someone wants it to end."""
        return self._cancelled.is_set()

    def cancel(self) -> None:
        """Ask the work to end soon."""
        self._cancelled.set()


class Jobs(QObject):
    """Runs jobs, at most two at once, and keeps them until they have ended."""

    changed = pyqtSignal()
    """One has begun, got on or ended."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(2)
        self._courier = Courier(self)
        self._running: list[Job] = []

    @property
    def running(self) -> tuple[Job, ...]:
        """Jobs that have not ended."""
        return tuple(self._running)

    def run(self, title: str, work: Work) -> Job:
        """Begin a job; connect to its signals before returning to the event loop."""
        job = Job(title, self)
        self._running.append(job)
        job.progressed.connect(lambda done, total: self._note(job, done, total))
        job.ended.connect(lambda: self._forget(job))
        running, bring = self._running, self._courier.bring
        self._pool.start(_Runnable(job, work, lambda tell: bring(lambda: job in running and tell())))
        self.changed.emit()
        return job

    def close(self) -> None:
        """Cancel everything and wait for it; nobody hears of it any more."""
        for job in self._running:
            job.cancel()
        self._running.clear()
        self._pool.waitForDone(5000)

    def _note(self, job: Job, done: int, total: int) -> None:
        job.done, job.total = done, total
        self.changed.emit()

    def _forget(self, job: Job) -> None:
        self._running.remove(job)
        job.deleteLater()
        self.changed.emit()


class _Runnable(QRunnable):
    def __init__(self, job: Job, work: Work, bring: Bring) -> None:
        super().__init__()
        self._job = job
        self._work = work
        self._bring = bring

    def run(self) -> None:
        """In the pool's thread: nothing may escape, Qt would end the program."""
        job, bring = self._job, self._bring
        try:
            result = self._work(
                lambda done, total: bring(partial(job.progressed.emit, done, total)), lambda: job.is_cancelled
            )
        except Exception as error:
            log.log(logging.DEBUG if isinstance(error, BlitzError) else logging.ERROR, "%s", job.title, exc_info=True)
            bring(partial(job.failed.emit, error))
        else:
            bring(partial(job.succeeded.emit, result))
        bring(job.ended.emit)
