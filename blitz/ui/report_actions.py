"""Reports of sessions: asks the operator what one is to show, and writes it."""

from collections.abc import Callable
from pathlib import Path

from PyQt5.QtCore import QObject, QUrl
from PyQt5.QtGui import QDesktopServices
from PyQt5.QtWidgets import QWidget

from blitz.data.database_client import DatabaseClient
from blitz.data.report_choice import SUFFIX, login_name
from blitz.errors import DownloadCancelled
from blitz.ui.computed_channels import ComputedChannels
from blitz.ui.dialogs.report import ReportDialog, ReportWish
from blitz.ui.feed import Feed, RequestFailure
from blitz.ui.formats import file_stem
from blitz.ui.jobs import Jobs
from blitz.ui.preferences import Preferences
from blitz.ui.session_seen import SeenSession, look_at
from blitz.ui.widgets.notices import WRITTEN_MS, NoticeAction, NoticesArea


class ReportActions(QObject):
    """Works with the cache of the server that the window is connected to; its sessions are here already."""

    def __init__(
        self,
        feed: Feed,
        jobs: Jobs,
        notices: NoticesArea,
        preferences: Preferences,
        computed: ComputedChannels,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._feed = feed
        self._jobs = jobs
        self._notices = notices
        self._preferences = preferences
        self._computed = computed
        self._window = window
        self.usual_template: Path | None = None
        """That of the settings."""

    def begin(
        self, session_id: int, title: str, shown_s: tuple[float, float] | None = None, version: int | None = None
    ) -> None:
        """Ask what is wanted, with what was chosen last, and write it.

        :param shown_s: what a plot shows of the session, in seconds since the Unix epoch.
        :param version: of the definitions; None for the newest.
        """
        path = self._feed.cache_path
        assert path is not None
        computed = self._computed.channels
        job = self._jobs.run(f"Opening {title}", lambda _, __: look_at(path, session_id, version, computed))
        job.succeeded.connect(lambda seen: self._ask(session_id, title, seen, shown_s, version))
        job.failed.connect(lambda error: self._tell_failure(session_id, error))

    def _ask(
        self,
        session_id: int,
        title: str,
        seen: SeenSession,
        shown_s: tuple[float, float] | None,
        version: int | None,
    ) -> None:
        folder = Path(self._preferences.export_folder or Path.home())
        file = folder / f"{file_stem(title)}{SUFFIX}"
        dialog = ReportDialog(title, file, seen.labels, shown_s, version, self._window, caution=seen.caution)
        before = self._preferences.report_choice
        template = "" if self.usual_template is None else str(self.usual_template)
        dialog.prefer(before.get("plots", ""), before.get("template", template), before.get("author", login_name()))
        dialog.accepted.connect(lambda: self.write(session_id, title, dialog.wish))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def write(self, session_id: int, title: str, wish: ReportWish) -> None:
        """Write the report of a session that is here."""
        cache_path = self._feed.cache_path
        assert cache_path is not None
        template = "" if wish.template is None else str(wish.template)
        self._preferences.report_choice = {"plots": wish.plots.value, "template": template, "author": wish.author}
        self._preferences.export_folder = str(wish.path.parent)
        computed = self._computed.channels

        def work(
            progress: Callable[[int, int], None], is_cancelled: Callable[[], bool]
        ) -> tuple[Path, tuple[str, ...]]:
            from blitz.data.report import write_report

            start_s, stop_s = wish.span_s or (None, None)
            with DatabaseClient(path=str(cache_path)) as cache:
                return write_report(
                    cache,
                    session_id,
                    wish.path,
                    channels=wish.channels,
                    start=start_s,
                    stop=stop_s,
                    plots=wish.plots,
                    template=wish.template,
                    author=wish.author,
                    version=wish.version,
                    computed=computed,
                    progress=progress,
                    is_cancelled=is_cancelled,
                )

        job = self._jobs.run(f"Report of {title}", work)
        job.succeeded.connect(lambda written: self._tell_written(*written))
        job.failed.connect(lambda error: self._tell_failure(session_id, error))

    def _tell_written(self, path: Path, lacks: tuple[str, ...]) -> None:
        look = NoticeAction("Open", lambda: _open(path))
        folder = NoticeAction("Open folder", lambda: _open(path.parent))
        self._notices.tell("info", f"Report written to {path}", look, folder, for_ms=WRITTEN_MS)
        for sentence in lacks:
            self._notices.tell("warning", sentence)

    def _tell_failure(self, session_id: int, error: Exception) -> None:
        if isinstance(error, DownloadCancelled):
            self._notices.tell("info", str(error))
        else:
            failure = RequestFailure(f"The report of session {session_id} was not written", error)
            self._notices.tell("error", failure.sentence)


def _open(path: Path) -> None:
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))
