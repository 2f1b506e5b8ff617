"""The window's side of exports at Stop: what the feed tells goes to the thread, what came of it to the notices."""

from collections.abc import Callable
from pathlib import Path

from PyQt5.QtCore import QObject, QUrl
from PyQt5.QtGui import QDesktopServices

from blitz.data.export_at_stop import Outcome
from blitz.data.export_rule import ExportRule
from blitz.data.records import StatusRecord
from blitz.io.export_at_stop import ExportThread
from blitz.ui.courier import Courier
from blitz.ui.feed import Feed, SessionList
from blitz.ui.models.sessions import session_title
from blitz.ui.widgets.notices import WRITTEN_MS, NoticeAction, NoticesArea


class ExportAtStop(QObject):
    """Exports each session that stops, where the settings say so.

    :param rule: None: nothing is exported by itself.
    """

    def __init__(
        self, feed: Feed, notices: NoticesArea, rule: ExportRule | None, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._notices = notices
        self._told: dict[int, str] = {}
        self._running: int | None = None
        self._feed = feed
        self._rule: ExportRule | None = None
        self._thread: ExportThread | None = None
        self._courier = Courier(self)
        feed.cache_opened.connect(lambda path: self._order(lambda thread: thread.use_cache(path)))
        feed.session_started.connect(lambda record: self._order(lambda thread: thread.see([record])))
        feed.session_stopped.connect(lambda record: self._order(lambda thread: thread.stopped(record)))
        feed.status_received.connect(self._see_running)
        feed.sessions_listed.connect(self._see_list)
        feed.download_finished.connect(lambda session_id: self._order(lambda thread: thread.retry(session_id)))
        self.follow(rule)

    def follow(self, rule: ExportRule | None) -> None:
        """Export by another rule from now on; None: nothing is exported by itself."""
        if rule == self._rule:
            return
        self.close()
        self._rule, self._thread = rule, None
        if rule is not None:
            bring, fetch = self._courier.bring, self._feed.download
            self._thread = ExportThread(
                rule,
                lambda outcome: bring(lambda: self._show(outcome)),
                lambda session_id: bring(lambda: fetch(session_id)),
            )
            if self._feed.cache_path is not None:
                self._thread.use_cache(self._feed.cache_path)

    def close(self) -> None:
        """End the thread."""
        if self._thread is not None:
            self._thread.close()

    def _order(self, order: Callable[[ExportThread], None]) -> None:
        if self._thread is not None:
            order(self._thread)

    def _see_running(self, status: StatusRecord) -> None:
        running = status.session
        if running is not None and running.id != self._running:
            self._order(lambda thread: thread.see([running]))
        self._running = running.id if running is not None else None

    def _see_list(self, listed: SessionList) -> None:
        self._order(lambda thread: thread.see(listed.records))

    def _show(self, outcome: Outcome) -> None:
        session_id = outcome.export.session_id
        title = f"Session {session_id}" if outcome.record is None else session_title(outcome.record)
        if outcome.path is not None:
            self._told.pop(session_id, None)
            folder = str(outcome.path.parent)
            action = NoticeAction("Open folder", lambda: _open_folder(folder))
            self._notices.tell("info", f"Exported “{title}” to {outcome.path}", action, for_ms=WRITTEN_MS)
        elif self._told.get(session_id) != outcome.error:  # once for each reason, not at each attempt
            self._told[session_id] = outcome.error
            again = NoticeAction("Try again", lambda: self._retry(session_id), is_final=True)
            later = " It is tried again by itself." if outcome.retry_s is not None else ""
            text = f"“{title}” was not exported: {outcome.error}{later}"
            self._notices.tell("warning", text, *([again] if outcome.retry_s is not None else []))

    def _retry(self, session_id: int) -> None:
        self._told.pop(session_id, None)
        self._order(lambda thread: thread.retry(session_id))


def _open_folder(folder: str) -> None:
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(Path(folder))))
