"""What the window's tests share: a feed without a server, a window around it, readings to feed."""

import gc
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PyQt5.QtCore import QSettings
from PyQt5.QtWidgets import QApplication
from pytestqt.qtbot import QtBot
from windows import ending_windows

from blitz.data.board_definition import BoardDefinition
from blitz.data.boards import Readings, load_definitions
from blitz.data.cache_places import CachePlace
from blitz.data.records import (
    BoardRecord,
    LinkState,
    Marker,
    Role,
    RunWishes,
    SessionRecord,
    Source,
    StatusRecord,
    StoreRecord,
)
from blitz.data.session_words import SessionWords
from blitz.data.source_config import SourceConfig
from blitz.io.address import ServerAddress
from blitz.io.calls import default_owner
from blitz.ui import found_servers
from blitz.ui.alarm_view import AlarmWish
from blitz.ui.dialogs.marker import MarkerWords
from blitz.ui.feed import BoardCommand, Connection, ConnectionState, Feed
from blitz.ui.main_window import MainWindow
from blitz.ui.preferences import Preferences
from blitz.ui.server_desk import MakeClient
from blitz.ui.server_link import ServerLink
from blitz.ui.theme import Appearance

os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"  # never that of whoever runs the tests
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
ADDRESS = "http://127.0.0.1:8999"
WAIT_MS = 60_000


class FakeFeed(Feed):
    """Keeps the requests; tests emit the signals."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[tuple[object, ...]] = []
        self.path: Path | None = None
        self.folder: Path | None = None

    @property
    def cache_path(self) -> Path | None:
        return self.path

    @property
    def cache_folder(self) -> Path | None:
        return self.folder

    def use_cache(self, place: CachePlace | None) -> None:
        self.requests.append(("use cache", place))

    def connect_to(self, server: ServerAddress) -> None:
        self.requests.append(("connect", str(server), server.token, server.fingerprint))

    def disconnect_from(self) -> None:
        self.requests.append(("disconnect",))

    def close(self) -> None:
        self.requests.append(("close",))

    def start_session(
        self, name: str, notes: str = "", words: SessionWords | None = None, run: RunWishes | None = None
    ) -> None:
        more = [part for part in (words, run) if part is not None]
        self.requests.append(("start", name, notes, *more))

    def stop_session(self, session_id: int | None = None) -> None:
        self.requests.append(("stop", session_id))

    def refresh_sessions(self) -> None:
        self.requests.append(("refresh",))

    def download(self, session_id: int) -> None:
        self.requests.append(("download", session_id))

    def cancel_download(self, session_id: int) -> None:
        self.requests.append(("cancel", session_id))

    def rename_session(self, session_id: int, name: str, notes: str | None = None) -> None:
        self.requests.append(("rename", session_id, name, notes))

    def change_session(self, session_id: int, words: SessionWords) -> None:
        self.requests.append(("change", session_id, words))

    def describe_session(self, session_id: int) -> None:
        self.requests.append(("describe", session_id))

    def add_marker(self, session_id: int, words: MarkerWords) -> None:
        self.requests.append(("add marker", session_id, words))

    def edit_marker(self, session_id: int, marker: Marker, words: MarkerWords) -> None:
        self.requests.append(("edit marker", session_id, marker, words))

    def delete_marker(self, session_id: int, marker: Marker) -> None:
        self.requests.append(("delete marker", session_id, marker))

    def delete_session(self, session_id: int) -> None:
        self.requests.append(("delete", session_id))

    def star_session(self, session_id: int, is_starred: bool) -> None:
        self.requests.append(("star", session_id, is_starred))

    def restore_session(self, session_id: int) -> None:
        self.requests.append(("restore", session_id))

    def delete_for_good(self, session_id: int) -> None:
        self.requests.append(("delete for good", session_id))

    def wish_alarm(self, wish: AlarmWish) -> None:
        self.requests.append(("alarm", wish))

    def refresh_trash(self) -> None:
        self.requests.append(("trash",))

    def delete_local_copy(self, session_id: int) -> None:
        self.requests.append(("delete here", session_id))

    def send_command(self, board: str, command: BoardCommand) -> None:
        self.requests.append(("command", board, command))

    def set_definition(self, board: str, definition: BoardDefinition) -> None:
        self.requests.append(("define", board, definition))

    def release_port(self, board: str) -> None:
        self.requests.append(("release", board))

    def retake_port(self, board: str) -> None:
        self.requests.append(("retake", board))

    def attach_port(self, board: str, port: str) -> None:
        self.requests.append(("attach", board, port))

    def ask_bad_frames(self, board: str) -> None:
        self.requests.append(("bad frames", board))

    def look_for_boards(self) -> None:
        self.requests.append(("look",))

    def rename_source(self, source: str, name: str) -> None:
        self.requests.append(("rename source", source, name))

    def delete_source(self, source: str) -> None:
        self.requests.append(("delete source", source))

    def enable_source(self, source: str, is_enabled: bool) -> None:
        self.requests.append(("enable source", source, is_enabled))

    def make_token(self, role: Role, name: str) -> None:
        self.requests.append(("make token", role, name))

    def list_streams(self) -> None:
        self.requests.append(("list streams",))

    def record_stream(self, source: str, is_recorded: bool) -> None:
        self.requests.append(("record stream", source, is_recorded))

    def send_stream_command(self, stream: str, value: object) -> None:
        self.requests.append(("stream command", stream, value))

    def examine_device(self, link: str, baud: int | None = None) -> None:
        self.requests.append(("examine", link, baud))

    def listen_on(self, link: str, baud: int | None) -> None:
        self.requests.append(("listen on", link, baud))

    def end_examining(self, link: str) -> None:
        self.requests.append(("end examining", link))

    def add_source(self, source: SourceConfig, later: bool = False) -> None:
        self.requests.append(("add source", source, "later") if later else ("add source", source))

    def ignore_found(self, port: str) -> None:
        self.requests.append(("ignore", port))

    def retry_now(self) -> None:
        self.requests.append(("retry",))

    def plan_session(
        self,
        start_at: datetime,
        name: str,
        notes: str = "",
        words: SessionWords | None = None,
        run: RunWishes | None = None,
    ) -> None:
        self.requests.append(("plan", start_at, name, notes, words, run))

    def cancel_planned(self, plan_id: int) -> None:
        self.requests.append(("cancel planned", plan_id))

    def change_plan(self, session_id: int, changes: Mapping[str, float | int | None]) -> None:
        self.requests.append(("change plan", session_id, dict(changes)))

    def go_online(self) -> None:
        """As a server that is reached."""
        self.connection_changed.emit(ConnectionState(Connection.ONLINE, ADDRESS))


def make_source(index: int, board_id: str = "08") -> Source:
    definition = load_definitions()[board_id]
    return Source(
        index=index, name=f"sim{index + 1}", link=f"/dev/pts/{index}", board_id=board_id, definition=definition
    )


def make_readings(source: Source, count: int = 1, first: int = 0, session_id: int = 0, step_s: float = 0.1) -> Readings:
    """Readings that begin at :data:`START`, `step_s` apart; channel c of reading n has the value 10 n + c."""
    seq = np.arange(first, first + count)
    assert source.definition is not None
    width = len(source.definition.channels)
    time_ns = round(START.timestamp() * 1e9) + (seq * step_s * 1e9).astype(np.int64)
    values = seq[:, np.newaxis] * 10.0 + np.arange(width)
    return Readings(session_id, source, seq, time_ns, values, np.zeros(count, np.int64))


def make_session(
    session_id: int = 7, *, running: bool = False, name: str = "warm-up", count: int = 1200
) -> SessionRecord:
    return SessionRecord(
        id=session_id,
        name=name,
        owner=default_owner(),
        started_at=START + timedelta(hours=session_id),
        stopped_at=None if running else START + timedelta(hours=session_id, minutes=2),
        is_running=running,
        message_count=count,
    )


def make_status(session: SessionRecord | None = None, boards: int = 2) -> StatusRecord:
    return StatusRecord(
        version="0.3.0",
        store_id="5d0e5a52-7d54-4c5a-9b0e-000000000001",
        now=datetime.now(UTC),
        session=session,
        store=StoreRecord(is_up=True, is_private=True, append_ms=0.8),
        boards=tuple(make_board(f"sim{n + 1}", recording=session is not None) for n in range(boards)),
        rate_hz=10.0 * boards,
    )


def make_board(name: str, *, recording: bool = False, error: str | None = None) -> BoardRecord:
    return BoardRecord(
        name=name,
        link=f"/dev/pts/{name[-1]}",
        baud=57600,
        state=LinkState.RECORDING if recording else LinkState.READY,
        board_id="08",
        board_name="Blitz Basic",
        mode="polled",
        rate_hz=10.0,
        message_count=1200,
        error=error,
    )


@pytest.fixture(scope="module", autouse=True)
def _modules_that_stay() -> None:
    """Spare the collection at each test's end what was imported before: it takes a tenth of the time then."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def windows_that_end(qapp: QApplication) -> Iterator[None]:
    with ending_windows(qapp):
        yield


class NoNetwork:
    """Finds nothing; tests do not look at the network that they run in."""

    def __init__(self, *_: object) -> None:
        pass

    def start(self) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture(scope="module", autouse=True)
def _no_network() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(found_servers, "ServerBrowser", NoNetwork)
        yield


@pytest.fixture
def preferences(tmp_path: Path) -> Preferences:
    return Preferences(QSettings(str(tmp_path / "client.ini"), QSettings.IniFormat))


@pytest.fixture
def appearance(qapp: QApplication) -> Appearance:
    return Appearance(qapp)


@pytest.fixture
def feed(qapp: QApplication) -> FakeFeed:
    return FakeFeed()


@pytest.fixture
def show_window(qtbot: QtBot, preferences: Preferences, appearance: Appearance) -> Callable[[Feed], MainWindow]:
    """Shows a window around a feed; it asks nothing when the test closes it."""

    def show(feed: Feed) -> MainWindow:
        window = MainWindow(feed, preferences, appearance)
        elsewhere = ConnectionState(Connection.CONNECTING, "http://elsewhere:1")
        qtbot.addWidget(window, before_close_func=lambda w: w.header.show_connection(elsewhere))
        window.show()
        return window

    return show


@pytest.fixture
def window(show_window: Callable[[Feed], MainWindow], feed: FakeFeed) -> MainWindow:
    """A window around the fake feed."""
    return show_window(feed)


class Desk:
    """A window at a server, and waiting for what it should show."""

    def __init__(self, window: MainWindow, qtbot: QtBot) -> None:
        self.window = window
        self._qtbot = qtbot

    def wait(self, is_so: Callable[[], object]) -> None:
        self._qtbot.waitUntil(lambda: bool(is_so()), timeout=WAIT_MS)

    def may_start(self) -> bool:
        """Whether Start begins a session and asks nothing: a server that has just come opens its boards first."""
        return self.window.header.start.isEnabled() and not self.window.recording_actions.checklist.red


@pytest.fixture
def open_desk(show_window: Callable[[Feed], MainWindow], qtbot: QtBot, tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Show a window at the server of an address; its caches are those of the test."""
    feeds: list[ServerLink] = []

    def run(address: str, make_client: MakeClient | None = None) -> Desk:
        feed = ServerLink(tmp_path / "caches", make_client)
        feeds.append(feed)
        window = show_window(feed)
        window.connect_to(ServerAddress.parse(address))
        return Desk(window, qtbot)

    yield run
    for feed in feeds:
        feed.close()


@pytest.fixture
def desk(server: Any, open_desk: Callable[..., Desk]) -> Desk:
    """A window that may record at the module's server, and knows its two boards."""
    desk = open_desk(server.url)
    desk.wait(lambda: desk.may_start() and desk.window.boards_page.boards.rowCount() == 2)
    return desk


@pytest.fixture
def make() -> "type[Make]":
    return Make


class Make:
    """Records for tests, since test files cannot import this one."""

    source: Callable[..., Source] = staticmethod(make_source)
    readings: Callable[..., Readings] = staticmethod(make_readings)
    session: Callable[..., SessionRecord] = staticmethod(make_session)
    status: Callable[..., StatusRecord] = staticmethod(make_status)
    board: Callable[..., BoardRecord] = staticmethod(make_board)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Any warning of Qt's fails a test of the window."""
    for entry in items:
        if Path(__file__).parent in entry.path.parents:
            entry.add_marker(pytest.mark.qt_log_level_fail("WARNING"))
            # What the surroundings cause: the platform without a screen, and a session without a run-time folder.
            ignored = ("propagateSizeHints", "XDG_RUNTIME_DIR", r"support raise\(\)", "support grabbing the keyboard")
            entry.add_marker(pytest.mark.qt_log_ignore(*ignored, extend=True))
