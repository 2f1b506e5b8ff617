"""Servers on this computer that the window asks for: the demonstration, and the one for the boards plugged in here."""

from collections.abc import Callable, Mapping
from enum import Enum

from PyQt5.QtCore import QObject, pyqtSignal

from blitz import config
from blitz.config import ServerSettings
from blitz.io.own_server import OwnServer, ServerPlan, bring_up, demo_plan, find_running, usual_plan
from blitz.ui.jobs import Job, Jobs


class LocalKind(Enum):
    """Which server; the value is how it is called."""

    DEMO = "Demo"
    COMPUTER = "This computer"


PLANS: dict[LocalKind, Callable[[], ServerPlan]] = {
    LocalKind.DEMO: demo_plan,
    LocalKind.COMPUTER: lambda: usual_plan(config.load(ServerSettings)),
}


class LocalServers(QObject):
    """Looks for them and starts them in the pool of threads; they end by themselves when nobody needs them.

    :param plans: how each is started; they may raise ConfigError.
    """

    began = pyqtSignal(object)
    """LocalKind, which is looked for"""
    starting = pyqtSignal(object)
    """LocalKind, which was not there: its process was started"""
    found = pyqtSignal(object, object)
    """LocalKind and ServerAddress: it answers"""
    failed = pyqtSignal(object, str)
    """LocalKind, and why"""
    ended = pyqtSignal()
    """Nothing is looked for any more, whatever came of it."""

    def __init__(
        self,
        jobs: Jobs,
        plans: Mapping[LocalKind, Callable[[], ServerPlan]] = PLANS,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._jobs = jobs
        self._plans = plans
        self._own: dict[str, OwnServer] = {}
        self._job: Job | None = None

    @property
    def is_busy(self) -> bool:
        """Whether one is looked for, or started."""
        return self._job is not None

    def owns(self, address: str) -> bool:
        """Tell whether the server at an address was started by this window: it ends when nobody needs it."""
        return address in self._own

    def bring_up(self, kind: LocalKind) -> None:
        """Find a server, or start it."""

        def work(progress: Callable[[int, int], None], is_cancelled: Callable[[], bool]) -> OwnServer | None:
            return bring_up(self._plans[kind](), is_cancelled, lambda: progress(0, 0))

        self._run(kind, f"Starting the server of “{kind.value}”", work)

    def look(self, kind: LocalKind) -> None:
        """Find a server that runs already; nothing is told where none does."""

        def work(progress: Callable[[int, int], None], is_cancelled: Callable[[], bool]) -> OwnServer | None:
            address = find_running(self._plans[kind]())
            return OwnServer(address) if address is not None else None

        self._run(kind, f"Looking for the server of “{kind.value}”", work)

    def cancel(self) -> None:
        """Give up; a process that was started is ended."""
        if self._job is not None:
            self._job.cancel()

    def _run(
        self,
        kind: LocalKind,
        title: str,
        work: Callable[[Callable[[int, int], None], Callable[[], bool]], OwnServer | None],
    ) -> None:
        self.cancel()  # what was asked for last counts
        job = self._job = self._jobs.run(title, work)
        job.progressed.connect(lambda done, total: self.starting.emit(kind))
        job.succeeded.connect(lambda server: self._take(kind, job, server))
        job.failed.connect(lambda error: self._refuse(kind, job, error))
        self.began.emit(kind)

    def _take(self, kind: LocalKind, job: Job, server: OwnServer | None) -> None:
        if server is not None and server.process is not None:
            self._own[str(server.address)] = server
        if self._end(job) and server is not None and not job.is_cancelled:
            self.found.emit(kind, server.address)

    def _refuse(self, kind: LocalKind, job: Job, error: Exception) -> None:
        if self._end(job) and not job.is_cancelled:
            self.failed.emit(kind, str(error))

    def _end(self, job: Job) -> bool:
        """Tell that nothing is looked for any more; false where something else is by now."""
        if self._job is not job:
            return False
        self._job = None
        self.ended.emit()
        return True
