"""The window: header, notices, the pages as tabs, status bar; and who hears whom."""

import time

from PyQt5.QtCore import QSize, QTimer
from PyQt5.QtGui import QCloseEvent, QGuiApplication
from PyQt5.QtWidgets import QMainWindow, QVBoxLayout, QWidget

from blitz.data.access_records import WhoRecord
from blitz.data.records import Role, StatusRecord
from blitz.io.address import ServerAddress
from blitz.ui.alarm_actions import AlarmActions
from blitz.ui.all_servers_actions import AllServersActions
from blitz.ui.board_actions import BoardActions
from blitz.ui.cache_actions import CacheActions
from blitz.ui.calibration_actions import CalibrationActions
from blitz.ui.channel_pages import ChannelPages
from blitz.ui.closing import Closing
from blitz.ui.comparison_actions import ComparisonActions
from blitz.ui.computed_actions import ComputedActions
from blitz.ui.computed_channels import ComputedChannels
from blitz.ui.console_actions import ConsoleActions
from blitz.ui.definition_actions import DefinitionActions
from blitz.ui.event_actions import EventActions
from blitz.ui.feed import Connection, ConnectionState, Feed, RequestFailure
from blitz.ui.finished_sessions import FinishedSessions
from blitz.ui.first_minute import FirstMinute
from blitz.ui.history_tabs import HistoryTabs
from blitz.ui.import_actions import ImportActions
from blitz.ui.jobs import Jobs
from blitz.ui.live_follower import LiveFollower
from blitz.ui.live_store import LiveStore
from blitz.ui.menus import build_menus
from blitz.ui.new_devices import NewDevices
from blitz.ui.note_actions import NoteActions
from blitz.ui.page_tabs import PageTabs
from blitz.ui.pages.boards_page import BoardsPage
from blitz.ui.pages.history_page import HistoryPage
from blitz.ui.pages.live_page import LivePage
from blitz.ui.pages.sessions_page import SessionsPage
from blitz.ui.phone_actions import PhoneActions
from blitz.ui.playback_actions import PlaybackActions
from blitz.ui.plot_actions import PlotActions
from blitz.ui.preferences import Preferences
from blitz.ui.recording_actions import RecordingActions
from blitz.ui.reference_actions import ReferenceActions
from blitz.ui.rights import Rights
from blitz.ui.session_actions import SessionActions
from blitz.ui.settings_actions import SettingsActions
from blitz.ui.stream_actions import StreamActions
from blitz.ui.theme import SPACE, Appearance, ThemeChoice, number_font
from blitz.ui.trash_actions import TrashActions
from blitz.ui.version_actions import VersionActions
from blitz.ui.widgets.condition_bar import ConditionBar
from blitz.ui.widgets.header import Header
from blitz.ui.widgets.notices import NoticesArea
from blitz.ui.widgets.status_line import StatusLine
from blitz.ui.window_layout import WindowLayout

CLOCK_MS = 250


class MainWindow(QMainWindow):
    """Composes the widgets around a :class:`Feed`; the feed is closed with the window.

    :param feed: where everything comes from, and goes to.
    """

    def __init__(self, feed: Feed, preferences: Preferences, appearance: Appearance) -> None:
        super().__init__()
        self.feed = feed
        self.preferences = preferences
        self.appearance = appearance
        self.setWindowTitle("Blitz")
        self.resize(QSize(1280, 800).boundedTo(QGuiApplication.primaryScreen().availableSize()))
        self.store = LiveStore()
        self.computed = ComputedChannels(preferences, self)
        self.follower = LiveFollower(feed, self.store, self.computed, self)
        self.jobs = Jobs(self)
        self.header = Header()
        self.conditions = ConditionBar()
        self.notices = NoticesArea()
        self.live_page = LivePage(self.store, appearance)
        self.boards_page = BoardsPage(appearance)
        self.sessions_page = SessionsPage()
        self.status_line = StatusLine()
        self.tabs = PageTabs()
        self.version_actions = VersionActions(self.feed, self.jobs, self.notices, self)
        self.session_actions = SessionActions(
            feed, self.sessions_page.sessions, self.jobs, self.notices, preferences, self.computed, self
        )
        self.finished_sessions = FinishedSessions(feed, self.sessions_page.sessions, self.session_actions, self.notices)
        self.cache_actions = CacheActions(feed, self.sessions_page.sessions, self.notices, self.status_line, self)
        self.import_actions = ImportActions(feed, self.jobs, self.notices, self.session_actions.files.bring_in, self)
        self.trash_actions = TrashActions(feed, self.notices, self)
        self.note_actions = NoteActions(feed, self.sessions_page.sessions.is_gone, preferences, self)
        self.board_actions = BoardActions(feed, self.store, self)
        self.definition_actions = DefinitionActions(feed, self.tabs, appearance, self)
        self.board_actions.definition_requested.connect(self.definition_actions.open_with)
        self.calibrations = CalibrationActions(
            feed, self.sessions_page.sessions, self.jobs, self.notices, appearance, self
        )
        self.console = ConsoleActions(feed, self.jobs, self.notices, preferences, appearance, self)
        self.events = EventActions(feed, self.notices, self.tabs, appearance, self)
        self.alarms = AlarmActions(feed, self.store, self.tabs, self.notices, preferences, appearance, self)
        self.settings_actions = SettingsActions(self)
        self._connection = ConnectionState(Connection.OFFLINE)
        self._status: StatusRecord | None = None
        self.recording_actions = RecordingActions(feed, self.header, lambda: self.sessions_page.sessions.records, self)
        self.histories = HistoryTabs(
            feed, self.tabs, appearance, self.session_actions, self.version_actions, self.note_actions, self
        )
        self.comparisons = ComparisonActions(
            feed, self.tabs, appearance, self.session_actions, self.sessions_page, self.jobs, self.notices, self
        )
        self.comparisons.computed = self.computed
        self.histories.opened.connect(self.comparisons.serve)
        self.computed_actions = ComputedActions(self.computed, self.store, self.histories, self)
        self.new_devices = NewDevices(feed, appearance, self.notices, self.boards_page, self)
        self.stream_actions = StreamActions(feed, self.boards_page, number_font(self.font()), self)
        self.first = FirstMinute(feed, preferences, appearance, self.jobs, self.notices, self.tabs, self.header, self)
        self.all_servers = AllServersActions(
            feed, self.first.servers, preferences, self.session_actions, self.notices, number_font(self.font()), self
        )
        self.phone_page = PhoneActions(feed, self.first.servers, self.notices, self)
        self.closing = Closing(feed, self.header, self.first.local.owns, self)
        self.playback = PlaybackActions(self)
        self.reference = ReferenceActions(self)
        self._lay_out()
        self.channel_pages = ChannelPages(self)
        self.menus = build_menus(self)
        self.plot_actions = PlotActions(self)
        self._listen_to_widgets()
        self._listen_to_feed()
        tables = {"boards": self.boards_page.table, "sessions": self.sessions_page.table}
        self._places = WindowLayout(preferences, self, self.tabs, self.live_page.splitter, tables)
        self._restore()
        self._clock = QTimer(self)
        self._clock.timeout.connect(self._tick)
        self._clock.start(CLOCK_MS)
        self._tick()

    def connect_to(self, server: ServerAddress) -> None:
        """Connect to a server and remember it."""
        self.first.servers.connect_to(server)

    def ask_for_marker(self) -> None:
        """Let the operator write a marker: at this moment of the running session, or in the page shown."""
        page = self.tabs.currentWidget()
        if isinstance(page, HistoryPage):
            page.ask_for_marker()
        else:
            self.live_page.ask_for_marker()

    def choose_theme(self, choice: ThemeChoice) -> None:
        """Change the theme and remember it."""
        self.preferences.theme = choice
        self.appearance.choose(choice)

    def show_trash(self) -> None:
        """Open a tab with what was deleted."""
        if self.trash_actions.page is not None:
            self.tabs.setCurrentWidget(self.trash_actions.page)
        else:
            self.tabs.open(self.trash_actions.make_page(), "Trash")

    def closeEvent(self, event: QCloseEvent) -> None:
        """Say that recording goes on; remember places; end the threads."""
        if not self.closing.may_close():
            event.ignore()
            return
        self._places.remember()
        self._clock.stop()
        self.jobs.close()
        self.playback.close()
        self.cache_actions.close()
        self.all_servers.close()
        self.feed.close()
        super().closeEvent(event)

    def close_tab(self) -> None:
        """Close the page shown, unless it is always there."""
        self.tabs.close_page(self.tabs.currentWidget())

    def _listen_to_feed(self) -> None:
        feed = self.feed
        feed.connection_changed.connect(self._show_connection)
        feed.status_received.connect(self._show_status)
        feed.notice_received.connect(self.notices.add)
        feed.sessions_listed.connect(self.histories.show_rights)  # a session may be gone, or back
        feed.identity_received.connect(self._show_identity)
        feed.command_answered.connect(self.boards_page.show_answer)
        feed.request_failed.connect(self._show_failure)
        self.follower.followed_changed.connect(lambda _: self._show_live_words())

    def _listen_to_widgets(self) -> None:
        live, actions = self.live_page, self.session_actions
        self.board_actions.serve(self.boards_page)
        self.calibrations.serve(self.boards_page)
        self.events.serve(self.boards_page, self.live_page)
        self.alarms.page.time_requested.connect(self.events.page.time_requested)
        live.channels_requested.connect(self.board_actions.name_channels)
        live.boards_requested.connect(lambda: self.tabs.setCurrentWidget(self.boards_page))
        actions.serve(self.sessions_page)
        actions.files.view_requested.connect(actions.view)
        self.sessions_page.details_requested.connect(self.note_actions.show_details)
        self.sessions_page.trash_requested.connect(self.show_trash)
        self.tabs.page_closed.connect(self.trash_actions.forget_page)
        self.import_actions.view_requested.connect(actions.view)
        self.status_line.activity.cancelled.connect(self._cancel_jobs)
        self.jobs.changed.connect(self._show_jobs)
        self.appearance.changed.connect(self.header.set_theme)
        self.appearance.changed.connect(self.recording_actions.set_theme)
        self.recording_actions.boards_requested.connect(lambda: self.tabs.setCurrentWidget(self.boards_page))

    def _show_connection(self, state: ConnectionState) -> None:
        self._connection = state
        if state.connection is Connection.OFFLINE:
            self._status = None
        if state.connection is not Connection.ONLINE:
            self.conditions.show_status(None)
        self.header.show_connection(state)
        self.status_line.show_connection(state)
        self.boards_page.show_connection(state)
        self.sessions_page.show_connection(state)
        is_offline = state.connection is Connection.OFFLINE
        # Qt puts the program's name behind a title that does not end with it.
        self.setWindowTitle("Blitz" if is_offline else f"{self.first.servers.title(state.address)} – Blitz")
        self._show_live_words()

    def _show_status(self, status: StatusRecord) -> None:
        self._status = status
        self.live_page.set_server_clock(status.now.timestamp())
        self.recording_actions.show_status(status)
        self.note_actions.required_fields = status.required_fields
        self.header.show_status(status)
        self.conditions.show_status(status)
        self.status_line.show_status(status)
        self.boards_page.show_status(status)
        self.notices.show_boards(status.boards)
        self.notices.show_room(status.room)
        if status.session is not None:
            self.sessions_page.sessions.update(status.session)
        self._show_live_words()

    def _show_identity(self, who: WhoRecord) -> None:
        """Grey what the role may not do."""
        rights = Rights.of(who)
        pages = (self.header, self.status_line, self.live_page, self.boards_page, self.sessions_page)
        for part in (*pages, self.trash_actions, self.note_actions):
            part.show_rights(rights)
        self.histories.show_rights()
        for name in ("start", "start_notes", "stop", "marker"):
            self.menus[name].setEnabled(not rights.refusal(Role.OPERATOR))

    def _show_failure(self, failure: RequestFailure) -> None:
        if failure.is_of_recording:
            self.header.stop_waiting()
        if not self.first.take_failure(failure):
            self.notices.tell("error", failure.sentence)

    def _show_live_words(self) -> None:
        self.live_page.show_words(self._connection, self._status, self.follower.is_preview)

    def _show_jobs(self) -> None:
        running = self.jobs.running
        self.status_line.activity.setVisible(bool(running))
        if running:
            job = running[-1]
            self.status_line.activity.show_work(job.title, job.done, job.total)

    def _cancel_jobs(self) -> None:
        for job in self.jobs.running:
            job.cancel()

    def _tick(self) -> None:
        self.header.show_elapsed(self.live_page.server_now_s)
        self.status_line.show_next_try(self.feed.next_try_s, time.monotonic())
        self.header.show_default_name(self.recording_actions.default_name())
        self._show_live_words()

    def _restore(self) -> None:
        self.appearance.choose(self.preferences.theme)
        self.live_page.set_theme(self.appearance.theme)
        self.boards_page.set_theme(self.appearance.theme)
        self._places.restore()

    def _lay_out(self) -> None:
        # From the window inwards: with a style sheet, whatever gets a parent is styled anew, with all that is in it.
        content = QWidget(self)
        self.setCentralWidget(content)
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addWidget(self.first.bar)
        column.addWidget(self.first.offer)
        column.addWidget(self.new_devices.offers)
        column.addWidget(self.playback.bar)
        column.addWidget(self.playback.alarms.bar)
        column.addWidget(self.alarms.bar)
        column.addWidget(self.conditions)
        column.addWidget(self.notices)
        column.addWidget(self.first.page, 1)
        column.addWidget(self.tabs, 1)
        for bar in (self.first.bar, self.first.offer, self.new_devices.offers):  # from edge to edge, words as below
            bar.layout().setContentsMargins(2 * SPACE, SPACE // 2, 2 * SPACE, SPACE // 2)
        # Each gets an entry in the menu View, and Ctrl with its number.
        for page, title in ((self.live_page, "Live"), (self.boards_page, "Boards"), (self.sessions_page, "Sessions")):
            self.tabs.addTab(page, title)
        self.tabs.addTab(self.console.page, "Console")
        self.tabs.addTab(self.events.page, "Events")
        self.tabs.addTab(self.alarms.page, "Alarms")
        self.setStatusBar(self.status_line)
