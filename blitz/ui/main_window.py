"""The window: header, notices, the pages as tabs, status bar; and who hears whom."""

from collections.abc import Callable

from PyQt5.QtCore import QSize, QTimer
from PyQt5.QtGui import QCloseEvent, QGuiApplication
from PyQt5.QtWidgets import QMainWindow, QVBoxLayout, QWidget

from blitz.data.access_records import WhoRecord
from blitz.data.blocks import PREVIEW_ID
from blitz.data.records import Role, StatusRecord
from blitz.io.address import ServerAddress
from blitz.ui.board_actions import BoardActions
from blitz.ui.dialogs.closing import confirm_close
from blitz.ui.dialogs.connect import ConnectDialog
from blitz.ui.feed import Connection, ConnectionState, Feed, RequestFailure
from blitz.ui.history_tabs import HistoryTabs
from blitz.ui.import_actions import ImportActions
from blitz.ui.jobs import Jobs
from blitz.ui.live_follower import LiveFollower
from blitz.ui.live_store import LiveStore
from blitz.ui.menus import build_menus
from blitz.ui.note_actions import NoteActions
from blitz.ui.page_tabs import PageTabs
from blitz.ui.pages.boards_page import BoardsPage
from blitz.ui.pages.history_page import HistoryPage
from blitz.ui.pages.live_page import LivePage
from blitz.ui.pages.sessions_page import SessionsPage
from blitz.ui.preferences import Preferences
from blitz.ui.recording_actions import RecordingActions
from blitz.ui.rights import Rights
from blitz.ui.session_actions import SessionActions
from blitz.ui.theme import Appearance, ThemeChoice
from blitz.ui.trash_actions import TrashActions
from blitz.ui.version_actions import VersionActions
from blitz.ui.widgets.condition_bar import ConditionBar
from blitz.ui.widgets.header import Header
from blitz.ui.widgets.notices import NoticesArea
from blitz.ui.widgets.status_line import StatusLine
from blitz.ui.windows import PlotWindow

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
        self.follower = LiveFollower(feed, self.store, self)
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
            feed, self.sessions_page.sessions, self.jobs, self.notices, preferences, self
        )
        self.import_actions = ImportActions(feed, self.jobs, self.notices, self.session_actions.files.bring_in, self)
        self.trash_actions = TrashActions(feed, self.notices, self)
        self.note_actions = NoteActions(feed, self.sessions_page.sessions.is_gone, self)
        self.board_actions = BoardActions(feed, self.store, self)
        self._connection = ConnectionState(Connection.OFFLINE)
        self._status: StatusRecord | None = None
        self.recording_actions = RecordingActions(feed, self.header, self._session_names, self)
        self.histories = HistoryTabs(
            feed, self.tabs, appearance, self.session_actions, self.version_actions, self.note_actions, self
        )
        self._servers: dict[str, ServerAddress] = {}
        self._lay_out()
        self.menus = build_menus(self)
        self._listen_to_feed()
        self._listen_to_widgets()
        self._restore()
        self._clock = QTimer(self)
        self._clock.timeout.connect(self._tick)
        self._clock.start(CLOCK_MS)
        self._tick()

    def connect_to(self, server: ServerAddress) -> None:
        """Connect to a server and remember its address; its token only until the window is closed."""
        known = self._servers.get(str(server))
        if not server.token and known is not None and known.fingerprint == server.fingerprint:
            server = known
        self._servers[str(server)] = server
        self.preferences.remember_server(server)
        self.feed.connect_to(server)

    def ask_for_server(self) -> None:
        """Let the operator choose a server."""
        dialog = ConnectDialog(self.preferences.servers, self.preferences.fingerprint, self)
        dialog.accepted.connect(lambda: self.connect_to(dialog.server))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def ask_for_marker(self) -> None:
        """Let the operator write a marker: at this moment of the running session, or in the page shown."""
        page = self.tabs.currentWidget()
        if isinstance(page, HistoryPage):
            page.markers.add_in_the_middle()
        else:
            self.live_page.ask_for_marker()

    def choose_theme(self, choice: ThemeChoice) -> None:
        """Change the theme and remember it."""
        self.preferences.theme = choice
        self.appearance.choose(choice)

    def choose_window(self, window: PlotWindow) -> None:
        """Change how much the live plot shows, and remember it."""
        self.live_page.show_window(window)
        self.preferences.plot_window = window

    def show_trash(self) -> None:
        """Open a tab with what was deleted."""
        if self.trash_actions.page is not None:
            self.tabs.setCurrentWidget(self.trash_actions.page)
        else:
            self.tabs.open(self.trash_actions.make_page(), "Trash")

    def closeEvent(self, event: QCloseEvent) -> None:
        """Say that recording goes on; remember places; end the threads."""
        session = self.header.session
        if session is not None and not confirm_close(self, session, is_recording=self.header.is_recording):
            event.ignore()
            return
        self.preferences.remember_place("window", self.saveGeometry())
        self.preferences.remember_place("live", self.live_page.splitter.saveState())
        self._clock.stop()
        self.jobs.close()
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
        feed.sessions_listed.connect(self.sessions_page.show_sessions)
        feed.sessions_listed.connect(self.histories.show_rights)  # a session may be gone, or back
        feed.sessions_found.connect(self.sessions_page.take_found)
        feed.trash_listed.connect(self.sessions_page.show_trash)
        feed.identity_received.connect(self._show_identity)
        feed.command_answered.connect(self.boards_page.show_answer)
        feed.request_failed.connect(self._show_failure)
        self.follower.followed_changed.connect(lambda _: self._show_live_words())

    def _listen_to_widgets(self) -> None:
        page, actions = self.sessions_page, self.session_actions
        self._listen_to_notes()
        self.board_actions.serve(self.boards_page)
        self.live_page.channels_requested.connect(self.board_actions.name_channels)
        self.live_page.boards_requested.connect(lambda: self.tabs.setCurrentWidget(self.boards_page))
        page.view_requested.connect(actions.view)
        page.download_requested.connect(actions.download)
        page.cancel_requested.connect(actions.cancel)
        page.export_requested.connect(actions.export)
        page.pack_requested.connect(actions.pack)
        page.keep_requested.connect(actions.keep)
        page.rename_requested.connect(actions.rename)
        page.star_requested.connect(actions.star)
        page.delete_requested.connect(actions.delete)
        page.search_requested.connect(self.feed.find_sessions)
        page.trash_requested.connect(self.show_trash)
        self.tabs.page_closed.connect(self.trash_actions.forget_page)
        self.import_actions.view_requested.connect(actions.view)
        actions.files.view_requested.connect(actions.view)
        for window, button in self.live_page.window_buttons.items():
            button.clicked.connect(_later(self.choose_window, window))
        self.status_line.activity.cancelled.connect(self._cancel_jobs)
        self.jobs.changed.connect(self._show_jobs)
        self.appearance.changed.connect(self.header.set_theme)

    def _listen_to_notes(self) -> None:
        live, actions = self.live_page, self.note_actions
        live.marker_requested.connect(lambda at_s: actions.add_marker(self._followed(), at_s, self._sources()))
        live.marker_chosen.connect(lambda marker: actions.edit_marker(self._followed(), marker, self._sources()))
        self.sessions_page.details_requested.connect(actions.show_details)
        self.feed.marker_received.connect(self.sessions_page.search_again)

    def _session_names(self) -> list[str]:
        return [record.name for record in self.sessions_page.sessions.records]

    def _followed(self) -> int:
        return self.store.session_id or PREVIEW_ID

    def _sources(self) -> tuple[str, ...]:
        return tuple(source.name for source in self.store.sources)

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
        self.setWindowTitle("Blitz" if is_offline else f"{state.address.partition('://')[2] or state.address} – Blitz")
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
        self.header.show_default_name(self.recording_actions.default_name())
        self._show_live_words()

    def _restore(self) -> None:
        self.appearance.choose(self.preferences.theme)
        self.live_page.set_theme(self.appearance.theme)
        self.boards_page.set_theme(self.appearance.theme)
        self.live_page.show_window(self.preferences.plot_window)
        geometry, live = self.preferences.place("window"), self.preferences.place("live")
        if geometry is not None:
            self.restoreGeometry(geometry)
        if live is not None:
            self.live_page.splitter.restoreState(live)

    def _lay_out(self) -> None:
        for page, title in ((self.live_page, "Live"), (self.boards_page, "Boards"), (self.sessions_page, "Sessions")):
            self.tabs.addTab(page, title)
        content = QWidget()
        column = QVBoxLayout(content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addWidget(self.conditions)
        column.addWidget(self.notices)
        column.addWidget(self.tabs, 1)
        self.setCentralWidget(content)
        self.setStatusBar(self.status_line)


def _later(act: Callable[[PlotWindow], None], window: PlotWindow) -> Callable[[], None]:
    return lambda: act(window)
