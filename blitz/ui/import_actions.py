"""Files of measurements that become sessions of the cache: asks for one, and reads it in the pool."""

from collections.abc import Callable
from pathlib import Path

from PyQt5.QtCore import QObject, pyqtSignal
from PyQt5.QtWidgets import QFileDialog, QWidget

from blitz.data.database_client import DatabaseClient
from blitz.data.importing import ImportPlan, import_file
from blitz.data.records import SessionRecord
from blitz.data.session_file import SUFFIX
from blitz.errors import DownloadCancelled
from blitz.ui.feed import Feed, RequestFailure
from blitz.ui.formats import format_count
from blitz.ui.jobs import Jobs
from blitz.ui.models.sessions import session_title
from blitz.ui.widgets.notices import NoticeAction, NoticesArea

_KINDS = "Measurements (*.csv *.txt *.tsv *.parquet *.feather *.arrow *.json);;All files (*)"


class ImportActions(QObject):
    """Imports into the cache of the server that the window is connected to.

    :param open_session: is given session files, which are asked for elsewhere and chosen here all the same.
    """

    view_requested = pyqtSignal(int)
    """An imported session is to be plotted."""

    def __init__(
        self, feed: Feed, jobs: Jobs, notices: NoticesArea, open_session: Callable[[Path], None], window: QWidget
    ) -> None:
        super().__init__(window)
        self._feed = feed
        self._jobs = jobs
        self._notices = notices
        self._open_session = open_session
        self._window = window

    def ask_for_file(self) -> None:
        """Let the operator choose a file, then import it."""
        if self._feed.cache_path is None:
            self._notices.tell("warning", "Connect to a server first: an imported session is kept beside its sessions.")
            return
        dialog = QFileDialog(self._window, "Import measurements", "", _KINDS)
        dialog.setFileMode(QFileDialog.ExistingFile)
        dialog.setOption(QFileDialog.HideNameFilterDetails)
        dialog.fileSelected.connect(lambda name: self.bring_in(Path(name)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def bring_in(self, path: Path) -> None:
        """Import a file as a session."""
        if path.suffix.lower() == SUFFIX:
            self._open_session(path)
            return
        cache_path = self._feed.cache_path
        assert cache_path is not None
        plans: list[ImportPlan] = []

        def work(progress: Callable[[int, int], None], is_cancelled: Callable[[], bool]) -> SessionRecord:
            with DatabaseClient(path=str(cache_path)) as cache:
                return import_file(cache, path, progress=progress, is_cancelled=is_cancelled, tell=plans.append)

        job = self._jobs.run(f"Importing {path.name}", work)
        job.succeeded.connect(lambda session: self._tell_imported(path, session, plans[0]))
        job.failed.connect(lambda error: self._tell_failure(path, error))

    def _tell_imported(self, path: Path, session: SessionRecord, plan: ImportPlan) -> None:
        self._feed.refresh_sessions()
        view = NoticeAction("View", lambda: self.view_requested.emit(session.id))
        words = f"{path.name} is session {session.id}, “{session_title(session)}”"
        self._notices.tell("info", f"{words}, of {format_count(session.message_count)} messages.", view)
        if plan.left_out:
            self._notices.tell("warning", f"Left out, as they hold no numbers: {', '.join(plan.left_out)}.")
        if plan.is_dateless:
            sentence = f"{path.name} does not say when it began, so its session begins in 1970."
            self._notices.tell("warning", f"{sentence} In a terminal, “blitz import --start” says when it was.")

    def _tell_failure(self, path: Path, error: Exception) -> None:
        if isinstance(error, DownloadCancelled):
            self._notices.tell("info", str(error))
        else:
            self._notices.tell("error", RequestFailure(f"{path.name} was not imported", error).sentence)
