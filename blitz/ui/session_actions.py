"""What can be done with a session: download, view, export, report, rename, delete. Asks operator, feed and pool.

Viewing and exporting need the session in the cache: where it is not, it is downloaded first, then the wish is done.
"""

from collections.abc import Callable
from pathlib import Path

from PyQt5.QtCore import QLocale, QObject, QUrl, pyqtSignal
from PyQt5.QtGui import QDesktopServices
from PyQt5.QtWidgets import QWidget

from blitz.data.database_client import DatabaseClient
from blitz.data.export import export_session
from blitz.data.export_spelling import Spelling, spreadsheet_spelling
from blitz.errors import DownloadCancelled
from blitz.ui.computed_channels import ComputedChannels
from blitz.ui.dialogs.export import ExportDialog, ExportWish
from blitz.ui.dialogs.session_words import SessionWordsDialog
from blitz.ui.feed import Feed, RequestFailure
from blitz.ui.formats import file_stem
from blitz.ui.history import load_history
from blitz.ui.jobs import Jobs
from blitz.ui.models.sessions import SessionsModel, session_title
from blitz.ui.pages.sessions_page import SessionsPage
from blitz.ui.preferences import Preferences
from blitz.ui.report_actions import ReportActions
from blitz.ui.session_deletion import SessionDeletion
from blitz.ui.session_file_actions import SessionFileActions
from blitz.ui.session_seen import SeenSession, look_at
from blitz.ui.widgets.notices import WRITTEN_MS, NoticeAction, NoticesArea

_UNTOUCHED = ("csv", "analysis")
"""The settings where nobody has changed them: of files that are exported when a session stops."""
_FOR_A_SPREADSHEET = ("xlsx", "spreadsheet")


class SessionActions(QObject):
    """Owns the wishes that wait for a download."""

    history_loaded = pyqtSignal(object)
    """History"""

    def __init__(
        self,
        feed: Feed,
        sessions: SessionsModel,
        jobs: Jobs,
        notices: NoticesArea,
        preferences: Preferences,
        computed: ComputedChannels,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._feed = feed
        self._sessions = sessions
        self._jobs = jobs
        self._notices = notices
        self._preferences = preferences
        self._computed = computed
        self.export_defaults = _UNTOUCHED
        """Format and preset by the settings."""
        self._window = window
        self.files = SessionFileActions(feed, jobs, notices, preferences, window)
        """Packing and unpacking."""
        self.reports = ReportActions(feed, jobs, notices, preferences, computed, window)
        self.deletion = SessionDeletion(feed, sessions, window)
        self._wishes: dict[int, Callable[[int], None]] = {}
        feed.download_progressed.connect(sessions.set_progress)
        feed.download_measured.connect(sessions.measure)
        feed.download_finished.connect(self._after_download)
        feed.download_cancelled.connect(self._after_cancel)

    def serve(self, page: SessionsPage) -> None:
        """Show the list on its page, and do what the page asks for."""
        feed = self._feed
        feed.sessions_listed.connect(page.show_sessions)
        feed.sessions_found.connect(page.take_found)
        feed.trash_listed.connect(page.show_trash)
        feed.sizes_measured.connect(page.sessions.show_sizes)
        feed.marker_received.connect(page.search_again)
        page.search_requested.connect(feed.find_sessions)
        page.view_requested.connect(self.view)
        page.download_requested.connect(self.download)
        page.cancel_requested.connect(self.cancel)
        page.export_requested.connect(self.export)
        page.report_requested.connect(self.report)
        page.pack_requested.connect(self.pack)
        page.keep_requested.connect(self.keep)
        page.rename_requested.connect(self.rename)
        page.star_requested.connect(self.star)
        page.delete_requested.connect(self.deletion.ask)

    def view(self, session_id: int) -> None:
        """Plot a session."""
        self.when_here(session_id, self._open)

    def pack(self, session_id: int) -> None:
        """Write a session, whole, into a file for another machine."""
        self.when_here(session_id, lambda number: self.files.ask_where_to_pack(number, self._title(number)))

    def report(self, session_id: int, shown_s: tuple[float, float] | None = None, version: int | None = None) -> None:
        """Ask what a session's report is to show, and write it; the arguments are those of :meth:`export`."""
        self.when_here(session_id, lambda number: self.reports.begin(number, self._title(number), shown_s, version))

    def download(self, session_id: int) -> None:
        """Bring a session to this computer."""
        self._feed.download(session_id)

    def keep(self, session_id: int) -> None:
        """Keep a session on this computer, or no longer."""
        self._feed.choose_session(session_id, not self._sessions.is_chosen(session_id))

    def cancel(self, session_id: int) -> None:
        """Stop a download."""
        self._wishes.pop(session_id, None)
        self._feed.cancel_download(session_id)

    def export(self, session_id: int, shown_s: tuple[float, float] | None = None, version: int | None = None) -> None:
        """Ask what is wanted of a session, and where, and write it.

        :param shown_s: what a plot shows of it, in seconds since the Unix epoch.
        :param version: of the definitions; None for the newest.
        """

        def begin(session_id: int) -> None:
            path = self._feed.cache_path
            assert path is not None
            computed = self._computed.channels
            job = self._jobs.run(
                f"Opening {self._title(session_id)}", lambda _, __: look_at(path, session_id, version, computed)
            )
            job.succeeded.connect(lambda seen: self._ask_for_export(session_id, seen, shown_s, version))
            job.failed.connect(lambda error: self._tell_failure(f"Session {session_id} was not exported", error))

        self.when_here(session_id, begin)

    def _ask_for_export(
        self, session_id: int, seen: SeenSession, shown_s: tuple[float, float] | None, version: int | None
    ) -> None:
        title = self._title(session_id)
        folder = Path(self._preferences.export_folder or Path.home())
        dialog = ExportDialog(
            title, folder, file_stem(title), seen.labels, shown_s, version, self._window, caution=seen.caution
        )
        dialog.prefer(*self._usual_export())

        def write() -> None:
            self._preferences.export_choice = " ".join((*self.export_defaults, dialog.wish.format, dialog.wish.preset))
            self.export_to(session_id, dialog.wish)

        dialog.accepted.connect(write)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _usual_export(self) -> tuple[str, str]:
        """What was chosen last, as long as the settings are as they were then; else what they say.

        Where nobody has chosen anything, a file that a spreadsheet opens without a question, wherever in the world.
        """
        before = self._preferences.export_choice.split()
        if len(before) == 4 and tuple(before[:2]) == self.export_defaults:
            return before[2], before[3]
        return _FOR_A_SPREADSHEET if self.export_defaults == _UNTOUCHED else self.export_defaults

    def export_to(self, session_id: int, wish: ExportWish) -> None:
        """Write what is wanted of a session that is here."""
        cache_path = self._feed.cache_path
        assert cache_path is not None
        self._preferences.export_folder = str(wish.path.parent)
        warnings: list[str] = []
        computed = self._computed.channels

        def work(progress: Callable[[int, int], None], is_cancelled: Callable[[], bool]) -> Path:
            start_s, stop_s = wish.span_s or (None, None)
            with DatabaseClient(path=str(cache_path)) as cache:
                return export_session(
                    cache,
                    session_id,
                    wish.path,
                    format=wish.format,
                    layout=wish.layout,
                    preset=wish.preset,
                    spelling=_spelling() if wish.preset == "spreadsheet" else None,
                    channels=wish.channels,
                    start=start_s,
                    stop=stop_s,
                    version=wish.version,
                    computed=computed,
                    sidecar=wish.has_sidecar,
                    progress=progress,
                    is_cancelled=is_cancelled,
                    warn=warnings.append,
                )

        job = self._jobs.run(f"Exporting {self._title(session_id)}", work)
        job.succeeded.connect(lambda path: self._tell_export(path, warnings))
        job.failed.connect(lambda error: self._tell_failure(f"Session {session_id} was not exported", error))

    def rename(self, session_id: int) -> None:
        """Ask for name and notes."""
        record = self._sessions.find(session_id)
        if record is None:
            return
        dialog = SessionWordsDialog(
            f"Rename {session_title(record)}", "&Rename", name=record.name, notes=record.notes, parent=self._window
        )
        dialog.accepted.connect(lambda: self._feed.rename_session(session_id, dialog.name, dialog.notes))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def star(self, session_id: int) -> None:
        """Star a session, or no longer."""
        record = self._sessions.find(session_id)
        if record is not None:
            self._feed.star_session(session_id, not record.starred)

    def when_here(self, session_id: int, act: Callable[[int], None]) -> None:
        """Do something with a session as soon as it can be read; it is fetched if need be."""
        if self._sessions.is_local(session_id) and self._feed.cache_path is not None:
            act(session_id)
            return
        self._wishes[session_id] = act
        self._feed.download(session_id)

    def _open(self, session_id: int) -> None:
        path = self._feed.cache_path
        assert path is not None
        job = self._jobs.run(
            f"Opening {self._title(session_id)}",
            lambda progress, is_cancelled: load_history(path, session_id, progress, is_cancelled),
        )
        job.succeeded.connect(self.history_loaded)
        job.failed.connect(lambda error: self._tell_failure(f"Session {session_id} was not opened", error))

    def _after_download(self, session_id: int) -> None:
        self._sessions.end_progress(session_id)
        act = self._wishes.pop(session_id, None)
        if act is not None:
            self.when_here(session_id, act)

    def _after_cancel(self, session_id: int) -> None:
        self._wishes.pop(session_id, None)
        self._sessions.end_progress(session_id)

    def _tell_export(self, path: Path, warnings: list[str]) -> None:
        folder = NoticeAction("Open folder", lambda: QDesktopServices.openUrl(QUrl.fromLocalFile(str(path.parent))))
        self._notices.tell("info", f"Exported to {path}", folder, for_ms=WRITTEN_MS)
        for sentence in warnings:
            self._notices.tell("warning", sentence)

    def _tell_failure(self, action: str, error: Exception) -> None:
        if isinstance(error, DownloadCancelled):
            self._notices.tell("info", str(error))
        else:
            self._notices.tell("error", RequestFailure(action, error).sentence)

    def _title(self, session_id: int) -> str:
        record = self._sessions.find(session_id)
        return session_title(record) if record else f"Session {session_id}"


def _spelling() -> Spelling:
    return spreadsheet_spelling("," if QLocale.system().decimalPoint() == "," else ".")
