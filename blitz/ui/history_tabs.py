"""Historic sessions as pages of the window: opens them, and wires what they ask for."""

from PyQt5.QtCore import QObject, pyqtSignal
from PyQt5.QtWidgets import QWidget

from blitz.data.records import Marker
from blitz.ui.feed import Feed
from blitz.ui.history import History
from blitz.ui.models.sessions import session_title
from blitz.ui.note_actions import NoteActions
from blitz.ui.page_tabs import PageTabs
from blitz.ui.pages.history_page import HistoryPage
from blitz.ui.session_actions import SessionActions
from blitz.ui.theme import Appearance
from blitz.ui.version_actions import VersionActions


class HistoryTabs(QObject):
    """Knows the pages of historic sessions among the window's tabs."""

    opened = pyqtSignal(object)
    """HistoryPage that is about to be shown"""

    def __init__(
        self,
        feed: Feed,
        tabs: PageTabs,
        appearance: Appearance,
        sessions: SessionActions,
        versions: VersionActions,
        notes: NoteActions,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._feed = feed
        self._tabs = tabs
        self._appearance = appearance
        self._sessions = sessions
        self._versions = versions
        self._notes = notes
        feed.marker_received.connect(self._show_marker)
        feed.cache_opened.connect(self._close_others)
        notes.marked.connect(self._tell_marked)
        sessions.history_loaded.connect(self.show)
        versions.history_loaded.connect(self.show)

    @property
    def pages(self) -> list[HistoryPage]:
        """Those that are open."""
        return [page for page in self._tabs.pages() if isinstance(page, HistoryPage)]

    def show(self, history: History) -> None:
        """Open a tab with a session; read by another version, it shows the time that was shown.

        One that was read from a cache that is no longer in use is let go.
        """
        if self._is_of_other_cache(history):
            history.close()
            return
        page = HistoryPage(history, self._appearance)
        for old in self.pages:
            if old.session_id == history.record.id:
                if old.history.version != history.version:
                    page.plot.show_times(*old.plot.time_range)
                for marker in old.markers.told:
                    page.markers.take_marker(marker)
                self._tabs.close_page(old)
        self._versions.serve(page)
        page.export_requested.connect(
            lambda number: self._sessions.export(number, page.plot.time_range, history.version)
        )
        page.report_requested.connect(
            lambda number: self._sessions.report(number, page.plot.time_range, history.version)
        )
        names, number = tuple(dict.fromkeys(source.name for source in history.record.sources)), page.session_id
        page.markers.add_requested.connect(lambda at_s: self._notes.add_marker(number, at_s, names))
        page.markers.chosen.connect(lambda marker: self._notes.edit_marker(number, marker, names))
        page.mark_requested.connect(lambda at_s: self._notes.mark(number, at_s, page.markers.markers))
        page.show_rights(self._notes.refusal(page.session_id))
        self.opened.emit(page)
        self._tabs.open(page, session_title(history.record))
        page.plot.setFocus()

    def show_rights(self) -> None:
        """Grey what may not be written."""
        for page in self.pages:
            page.show_rights(self._notes.refusal(page.session_id))

    def _close_others(self) -> None:
        """What was opened from another cache cannot be exported or read anew any more."""
        for page in self.pages:
            if self._is_of_other_cache(page.history):
                self._tabs.close_page(page)

    def _is_of_other_cache(self, history: History) -> bool:
        path = self._feed.cache_path
        return bool(history.place) and path is not None and history.place != str(path)

    def _show_marker(self, session_id: int, marker: Marker) -> None:
        for page in self.pages:
            if page.session_id == session_id:
                page.markers.take_marker(marker)

    def _tell_marked(self, session_id: int, marker: Marker) -> None:
        for page in self.pages:
            if page.session_id == session_id:
                page.tell_marked(marker)
