"""Brings what happens onto the page of events: what the feed tells, and every notice."""

from datetime import UTC, datetime

from PyQt5.QtCore import QObject
from PyQt5.QtWidgets import QWidget

from blitz.data.records import BoardRecord, Gap, Marker, Notice, SessionRecord, Source, TimelineEntry
from blitz.ui.event_log import EventLine, EventLog
from blitz.ui.events_of_feed import (
    ConnectionEvents,
    LinkEvents,
    line_of_entry,
    line_of_gap,
    line_of_marker,
    line_of_notice,
    line_of_session,
)
from blitz.ui.feed import ConnectionState, Feed
from blitz.ui.noted_errors import NotedErrors
from blitz.ui.page_tabs import PageTabs
from blitz.ui.pages.boards_page import BoardsPage
from blitz.ui.pages.events_page import EventsPage
from blitz.ui.pages.live_page import LivePage
from blitz.ui.theme import Appearance
from blitz.ui.widgets.notices import NoticesArea

TITLE = "Events"
AROUND_S = 30.0
"""So much before and behind an event is shown in the plot."""


class EventActions(QObject):
    """Owns the log and the page.

    :param tabs: the page's tab says how much in it nobody has read.
    """

    def __init__(
        self, feed: Feed, notices: NoticesArea, tabs: PageTabs, appearance: Appearance, window: QWidget
    ) -> None:
        super().__init__(window)
        self._tabs = tabs
        self._names: dict[tuple[int, int], str] = {}
        self._links = LinkEvents()
        self._connection = ConnectionEvents()
        self.log = EventLog()
        self.page = page = EventsPage(self.log)
        page.unread_changed.connect(self._show_unread)
        self.noted = NotedErrors(feed, self.log, page, self)
        page.set_theme(appearance.theme)
        appearance.changed.connect(page.set_theme)
        notices.told.connect(self._take_notice)
        notices.more_requested.connect(self.show)
        feed.sources_received.connect(self._take_sources)
        feed.gap_received.connect(self._take_gap)
        feed.session_started.connect(self._take_session)
        feed.session_stopped.connect(self._take_session)
        feed.marker_received.connect(self._take_marker)
        feed.timeline_received.connect(self._take_entry)
        feed.link_changed.connect(self._take_board)
        feed.connection_changed.connect(self._take_connection)

    def serve(self, boards: BoardsPage, live: LivePage) -> None:
        """Lead from an event to its board, or to its time in the plot."""

        def show_board(board: str) -> None:
            self._tabs.setCurrentWidget(boards)
            boards.select(board)

        def show_time(at_s: float) -> None:
            self._tabs.setCurrentWidget(live)
            live.plot.view.look_at(at_s - AROUND_S, at_s + AROUND_S)
            live.refresh()

        self.page.board_requested.connect(show_board)
        self.page.time_requested.connect(show_time)

    def show(self) -> None:
        """Bring the page to the front."""
        self._tabs.setCurrentWidget(self.page)

    def _add(self, line: EventLine | None) -> None:
        if line is not None:
            self.log.add(line)
            self.page.take_news()

    def _show_unread(self, count: int) -> None:
        place = self._tabs.indexOf(self.page)
        if place >= 0:
            self._tabs.setTabText(place, f"{TITLE} ({count})" if count else TITLE)

    def _take_notice(self, notice: Notice) -> None:
        self._add(line_of_notice(notice))

    def _take_sources(self, session_id: int, sources: tuple[Source, ...]) -> None:
        for source in sources:
            self._names[session_id, source.index] = source.name

    def _take_gap(self, session_id: int, gap: Gap) -> None:
        self._add(line_of_gap(session_id, gap, self._names.get((session_id, gap.source), f"source {gap.source}")))

    def _take_session(self, session: SessionRecord) -> None:
        self._add(line_of_session(session))

    def _take_marker(self, session_id: int, marker: Marker) -> None:
        self._add(line_of_marker(session_id, marker))

    def _take_entry(self, session_id: int, entry: TimelineEntry) -> None:
        self._add(line_of_entry(session_id, entry))

    def _take_board(self, board: BoardRecord) -> None:
        self._add(self._links.line(board, datetime.now(UTC)))

    def _take_connection(self, state: ConnectionState) -> None:
        self._add(self._connection.line(state, datetime.now(UTC)))
