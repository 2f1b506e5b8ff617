"""Session files: packs a session into one, and opens one that came from another machine. Asks the operator."""

from collections.abc import Callable
from pathlib import Path

from PyQt5.QtCore import QObject, QUrl, pyqtSignal
from PyQt5.QtGui import QDesktopServices
from PyQt5.QtWidgets import QFileDialog, QWidget

from blitz.data.database_client import DatabaseClient
from blitz.data.session_file import SUFFIX, Unpacked, pack_session, unpack_session
from blitz.errors import DownloadCancelled
from blitz.ui.feed import Feed, RequestFailure
from blitz.ui.formats import file_stem, format_count
from blitz.ui.jobs import Jobs
from blitz.ui.models.sessions import session_title
from blitz.ui.preferences import Preferences
from blitz.ui.widgets.notices import WRITTEN_MS, NoticeAction, NoticesArea

_KINDS = f"Session files (*{SUFFIX});;All files (*)"


class SessionFileActions(QObject):
    """Works with the cache of the server that the window is connected to."""

    view_requested = pyqtSignal(int)
    """A session that came in a file is to be plotted."""

    def __init__(self, feed: Feed, jobs: Jobs, notices: NoticesArea, preferences: Preferences, window: QWidget) -> None:
        super().__init__(window)
        self._feed = feed
        self._jobs = jobs
        self._notices = notices
        self._preferences = preferences
        self._window = window

    def ask_where_to_pack(self, session_id: int, title: str) -> None:
        """Let the operator choose a place, then pack a session that is here."""
        folder = Path(self._preferences.export_folder or Path.home())
        dialog = QFileDialog(self._window, f"Pack {title}", str(folder), _KINDS)
        dialog.setAcceptMode(QFileDialog.AcceptSave)
        dialog.setDefaultSuffix(SUFFIX.removeprefix("."))
        dialog.selectFile(f"{file_stem(title)}{SUFFIX}")
        dialog.fileSelected.connect(lambda name: self.pack(session_id, title, Path(name)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def pack(self, session_id: int, title: str, path: Path) -> None:
        """Write a session that is here into a file."""
        cache_path = self._feed.cache_path
        assert cache_path is not None
        self._preferences.export_folder = str(path.parent)

        def work(progress: Callable[[int, int], None], is_cancelled: Callable[[], bool]) -> tuple[Path, bool]:
            with DatabaseClient(path=str(cache_path)) as cache:
                written = pack_session(cache, session_id, path, progress=progress, is_cancelled=is_cancelled)
                return written, cache.is_available(session_id)

        job = self._jobs.run(f"Packing {title}", work)
        job.succeeded.connect(lambda packed: self._tell_packed(*packed))
        job.failed.connect(lambda error: self._tell_failure(f"Session {session_id} was not packed", error))

    def ask_for_file(self) -> None:
        """Let the operator choose a session file, then open it."""
        if self._feed.cache_path is None:
            self._notices.tell("warning", "Connect to a server first: the session is kept beside its sessions.")
            return
        dialog = QFileDialog(self._window, "Open a session file", self._preferences.export_folder, _KINDS)
        dialog.setFileMode(QFileDialog.ExistingFile)
        dialog.fileSelected.connect(lambda name: self.bring_in(Path(name)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def bring_in(self, path: Path) -> None:
        """Verify a session file and bring its session here; another server's gets an id of its own."""
        cache_path = self._feed.cache_path
        assert cache_path is not None

        def work(progress: Callable[[int, int], None], is_cancelled: Callable[[], bool]) -> Unpacked:
            def tell(done: int, total: int) -> None:
                if is_cancelled():
                    raise DownloadCancelled(f"{path.name} was not opened: it was cancelled.")
                progress(done, total)

            with DatabaseClient(path=str(cache_path)) as cache:
                return unpack_session(cache, path, as_guest=True, progress=tell)

        job = self._jobs.run(f"Opening {path.name}", work)
        job.succeeded.connect(lambda unpacked: self._tell_unpacked(path, unpacked))
        job.failed.connect(lambda error: self._tell_failure(f"{path.name} was not opened", error))

    def _tell_packed(self, path: Path, is_whole: bool) -> None:
        folder = NoticeAction("Open folder", lambda: QDesktopServices.openUrl(QUrl.fromLocalFile(str(path.parent))))
        self._notices.tell("info", f"Packed into {path}", folder, for_ms=WRITTEN_MS)
        if not is_whole:
            self._notices.tell("warning", f"Not all of the session is here: {path.name} has what is.")

    def _tell_unpacked(self, path: Path, unpacked: Unpacked) -> None:
        self._feed.refresh_sessions()
        session = unpacked.record
        view = NoticeAction("View", lambda: self.view_requested.emit(session.id))
        words = f"{path.name} is session {session.id}, “{session_title(session)}”"
        if unpacked.was_there:
            self._notices.tell("info", f"{words}, which is here already.", view)
        else:
            self._notices.tell("info", f"{words}, of {format_count(session.message_count)} messages.", view)

    def _tell_failure(self, action: str, error: Exception) -> None:
        if isinstance(error, DownloadCancelled):
            self._notices.tell("info", str(error))
        else:
            self._notices.tell("error", RequestFailure(action, error).sentence)
