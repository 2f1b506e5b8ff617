"""The window: header, notices, the pages as tabs, status bar; and who hears whom."""

from collections.abc import Callable
from datetime import datetime

from PyQt5.QtCore import QSize, QTimer
from PyQt5.QtGui import QCloseEvent, QGuiApplication
from PyQt5.QtWidgets import QMainWindow, QVBoxLayout, QWidget

from blitz.data.access_records import WhoRecord
from blitz.data.blocks import PREVIEW_ID
from blitz.data.records import Marker, Role, StatusRecord
from blitz.data.session_words import SessionWords
from blitz.io.address import ServerAddress
from blitz.ui.board_actions import BoardActions
from blitz.ui.dialogs.closing import confirm_close
from blitz.ui.dialogs.connect import ConnectDialog
from blitz.ui.dialogs.session_words import SessionWordsDialog
from blitz.ui.feed import Connection, ConnectionState, Feed, RequestFailure
from blitz.ui.history import History
from blitz.ui.import_actions import ImportActions
from blitz.ui.jobs import Jobs
from blitz.ui.live_follower import LiveFollower
from blitz.ui.live_store import LiveStore
from blitz.ui.menus import build_menus
from blitz.ui.models.sessions import session_title
from blitz.ui.note_actions import NoteActions
from blitz.ui.page_tabs import PageTabs
from blitz.ui.pages.boards_page import BoardsPage
from blitz.ui.pages.history_page import HistoryPage
from blitz.ui.pages.live_page import LivePage
from blitz.ui.pages.sessions_page import SessionsPage
from blitz.ui.preferences import Preferences
from blitz.ui.rights import Rights
from blitz.ui.session_actions import SessionActions
from blitz.ui.starting import Starting
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
        self.note_actions = NoteActions(feed, self)
        self.board_actions = BoardActions(feed, self.store, self)
        self._connection = ConnectionState(Connection.OFFLINE)
        self._status: StatusRecord | None = None
        self.starting = Starting()
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

    def start_session(self, name: str = "", notes: str = "", fields: dict[str, str] | None = None) -> None:
        """Ask the server to record; without a name it gets the default one, which the server may make."""
        if not self.starting.makes_names:
            name = name or default_session_name()
        self.feed.start_session(name, notes, SessionWords(fields=fields) if fields else None)

    def ask_for_session(self) -> None:
        """Let the operator type name, notes and own fields, then start."""
        if not self.header.start.isEnabled():
            return
        self._ask_for_words(self.header.name.text())

    def ask_for_marker(self) -> None:
        """Let the operator write a marker: at this moment of the running session, or in the page shown."""
        page = self.tabs.currentWidget()
        if isinstance(page, HistoryPage):
            page.markers.add_in_the_middle()
        else:
            self.live_page.ask_for_marker()

    def _start(self, name: str) -> None:
        if self.starting.required_fields:
            self.header.stop_waiting()
            self._ask_for_words(name)
        else:
            self.start_session(name)

    def _ask_for_words(self, name: str) -> None:
        starting = self.starting
        dialog = SessionWordsDialog(
            "Start a session",
            "&Start",
            name=name,
            placeholder=self._default_name(),
            fields=starting.asked_fields,
            required=starting.required_fields,
            parent=self,
        )

        def start() -> None:
            starting.remember(dialog.fields)
            self.start_session(dialog.name, dialog.notes, dialog.fields)

        dialog.accepted.connect(start)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _default_name(self) -> str:
        if not self.starting.makes_names:
            return default_session_name()
        return self.starting.example(record.name for record in self.sessions_page.sessions.records)

    def choose_theme(self, choice: ThemeChoice) -> None:
        """Change the theme and remember it."""
        self.preferences.theme = choice
        self.appearance.choose(choice)

    def choose_window(self, window: PlotWindow) -> None:
        """Change how much the live plot shows, and remember it."""
        self.live_page.show_window(window)
        self.preferences.plot_window = window

    def show_history(self, history: History) -> None:
        """Open a tab with a session; read by another version, it shows the time that was shown."""
        page = HistoryPage(history, self.appearance)
        for old in self.tabs.pages():
            if isinstance(old, HistoryPage) and old.session_id == history.record.id:
                if old.history.version != history.version:
                    page.plot.setXRange(*old.plot.time_range, padding=0)
                for marker in old.markers.told:
                    page.markers.take_marker(marker)
                self.tabs.close_page(old)
        self.version_actions.serve(page)
        page.export_requested.connect(
            lambda number: self.session_actions.export(number, page.plot.time_range, history.version)
        )
        names, number = tuple(dict.fromkeys(source.name for source in history.record.sources)), page.session_id
        page.markers.add_requested.connect(lambda at_s: self.note_actions.add_marker(number, at_s, names))
        page.markers.chosen.connect(lambda marker: self.note_actions.edit_marker(number, marker, names))
        page.markers.show_rights(self.note_actions.refusal)
        self.tabs.open(page, session_title(history.record))
        page.plot.setFocus()

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
        feed.sessions_found.connect(self.sessions_page.take_found)
        feed.trash_listed.connect(self.sessions_page.show_trash)
        feed.identity_received.connect(self._show_identity)
        feed.command_answered.connect(self.boards_page.show_answer)
        feed.request_failed.connect(self._show_failure)
        self.follower.followed_changed.connect(lambda _: self._show_live_words())

    def _listen_to_widgets(self) -> None:
        page, actions = self.sessions_page, self.session_actions
        self.header.start_requested.connect(self._start)
        self._listen_to_notes()
        self.header.stop_requested.connect(self._stop_session)
        self._listen_to_boards()
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
        actions.history_loaded.connect(self.show_history)
        self.import_actions.view_requested.connect(actions.view)
        actions.files.view_requested.connect(actions.view)
        self.version_actions.history_loaded.connect(self.show_history)
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
        self.feed.marker_received.connect(self._show_marker)
        self.feed.marker_received.connect(lambda *_: self.sessions_page.search_again())

    def _followed(self) -> int:
        return self.store.session_id or PREVIEW_ID

    def _sources(self) -> tuple[str, ...]:
        return tuple(source.name for source in self.store.sources)

    def _show_marker(self, session_id: int, marker: Marker) -> None:
        for page in self.tabs.pages():
            if isinstance(page, HistoryPage) and page.session_id == session_id:
                page.markers.take_marker(marker)

    def _listen_to_boards(self) -> None:
        page, actions = self.boards_page, self.board_actions
        page.command_requested.connect(self.feed.send_command)
        page.attach_requested.connect(self.feed.attach_port)
        page.retake_requested.connect(self.feed.retake_port)
        page.named_command_requested.connect(actions.run_command)
        page.channels_requested.connect(actions.name_channels)
        page.bad_frames_requested.connect(actions.show_bad_frames)
        page.release_requested.connect(actions.release)
        self.live_page.channels_requested.connect(actions.name_channels)
        self.live_page.boards_requested.connect(lambda: self.tabs.setCurrentWidget(self.boards_page))

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
        self.starting = self.starting.follow(status)
        self.note_actions.required_fields = status.required_fields
        self.header.show_status(status)
        self.conditions.show_status(status)
        self.status_line.show_status(status)
        self.boards_page.show_status(status)
        self.notices.show_boards(status.boards)
        if status.session is not None:
            self.sessions_page.sessions.update(status.session)
        self._show_live_words()

    def _show_identity(self, who: WhoRecord) -> None:
        """Grey what the role may not do."""
        rights = Rights.of(who)
        pages = (self.header, self.status_line, self.live_page, self.boards_page, self.sessions_page)
        for part in (*pages, self.trash_actions, self.note_actions):
            part.show_rights(rights)
        for page in self.tabs.pages():
            if isinstance(page, HistoryPage):
                page.markers.show_rights(self.note_actions.refusal)
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

    def _stop_session(self) -> None:
        session = self.header.session
        self.feed.stop_session(session.id if session else None)

    def _tick(self) -> None:
        self.header.show_elapsed(self.live_page.server_now_s)
        self.header.show_default_name(self._default_name())
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


def default_session_name() -> str:
    """Return the name of a session that no one named: date and time."""
    return datetime.now().astimezone().strftime("Session %Y-%m-%d %H:%M")


def _later(act: Callable[[PlotWindow], None], window: PlotWindow) -> Callable[[], None]:
    return lambda: act(window)
