"""A stage for the tests of every action: one window and one real server a module, which can be frozen and killed.

A play is what an action is tried by. One of the window's own is a function that does it and looks at the result. One
that asks the server is a generator with two stops: it prepares, stops, does the action without waiting for an answer,
stops with a piece of the sentence by which the window says that it failed, and then looks at the result.
"""

import contextlib
import inspect
import os
import random
import re
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest
from PyQt5.QtCore import QSettings, Qt, QUrl
from PyQt5.QtGui import QDesktopServices
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import (
    QAbstractButton,
    QAction,
    QApplication,
    QDialog,
    QFileDialog,
    QLabel,
    QLineEdit,
    QMenu,
    QMenuBar,
    QMessageBox,
    QPlainTextEdit,
    QWidget,
)
from usb_sockets import UsbSockets
from windows import ending_windows

from blitz import Client
from blitz.data.records import Notice, SessionRecord
from blitz.io.address import ServerAddress
from blitz.ui.feed import Connection, ConnectionState
from blitz.ui.main_window import MainWindow
from blitz.ui.preferences import Preferences
from blitz.ui.server_link import ServerLink
from blitz.ui.theme import Appearance

WAIT_MS = 40_000
SAMPLE = 2
"""So many kills of a module are tried each time; all of them with BLITZ_SOAK."""

Play = Callable[["Stage"], Any]
SomeDialog = TypeVar("SomeDialog", bound=QDialog)


class Stage:
    """The window, its server, and what a play needs of both."""

    def __init__(self, window: MainWindow, server: Any, sockets: UsbSockets, folder: Path) -> None:
        self.window = window
        self.server = server
        self.sockets = sockets
        self.folder = folder
        self.told: list[str] = []
        """What the notices said since the play began."""
        self.opened: list[str] = []
        """The folders that were to be shown by the system."""
        self.is_frozen = False
        self._numbers = iter(range(1, 10_000))
        window.notices.told.connect(self._hear)

    @property
    def sessions(self) -> Any:
        return self.window.sessions_page.sessions

    @property
    def session_action(self) -> Mapping[str, QAction]:
        return self.window.sessions_page.actions_by_name

    def wait(self, is_so: Callable[[], object]) -> None:
        """Until it is so; at most as long as a loaded machine may take."""
        for _ in range(WAIT_MS // 10):
            if is_so():
                return
            QTest.qWait(10)
        raise AssertionError(f"{inspect.getsource(is_so).strip()}; told: {self.told}; open: {self.dialogs()}")

    def number(self) -> int:
        """One that no other play has got."""
        return next(self._numbers)

    def ask_server(self, ask: Callable[[Client], Any]) -> Any:
        """Ask the server by another client."""
        with Client(self.server.url) as client:
            return ask(client)

    def may_start(self) -> bool:
        """Whether Start begins a session and asks nothing: a server that has just come opens its boards first."""
        return self.window.header.start.isEnabled() and not self.window.recording_actions.checklist.red

    def start(self, name: str = "") -> SessionRecord:
        """Let the window start a session."""
        window = self.window
        self.wait(self.may_start)
        window.header.name.setText(name or f"session {self.number()}")
        window.header.start.click()
        self.wait(lambda: window.header.is_recording)
        session = window.header.session
        assert session is not None
        self.wait(lambda: window.store.session_id == session.id and window.store.newest_time() is not None)
        return session

    def stop(self) -> None:
        """Let the window stop it, and wait until it is here."""
        session = self.window.header.session
        assert session is not None
        self.wait(lambda: self.window.header.stop.isEnabled())
        self.window.header.stop.click()
        self.wait(lambda: not self.window.header.is_recording)
        self.wait(lambda: not self.listed(session.id).is_running and self.sessions.is_local(session.id))

    def a_session(self) -> int:
        """Record a session and select it."""
        session = self.start()
        self.stop()
        self.select(session.id)
        return session.id

    def select(self, session_id: int) -> None:
        """Show a session's row, and select it."""
        self.window.tabs.setCurrentWidget(self.window.sessions_page)
        self.wait(lambda: self.listed(session_id) is not None)
        self.window.sessions_page.select(session_id)

    def listed(self, session_id: int) -> Any:
        return self.sessions.find(session_id)

    def view(self, session_id: int) -> Any:
        """Open a session; returns its page."""
        self.window.session_actions.view(session_id)
        self.wait(lambda: getattr(self.window.tabs.currentWidget(), "session_id", None) == session_id)
        return self.window.tabs.currentWidget()

    def dialogs(self) -> list[QDialog]:
        """Those that are open."""
        return [
            widget for widget in QApplication.topLevelWidgets() if isinstance(widget, QDialog) and widget.isVisible()
        ]

    def dialog(self, kind: type[SomeDialog]) -> SomeDialog:
        """Wait for a dialog."""
        self.wait(lambda: [each for each in self.dialogs() if isinstance(each, kind)])
        return next(each for each in self.dialogs() if isinstance(each, kind))

    def cancel(self, kind: type[QDialog]) -> None:
        """Close a dialog by Escape."""
        QTest.keyClick(self.dialog(kind), Qt.Key_Escape)
        self.wait(lambda: not [each for each in self.dialogs() if isinstance(each, kind)])

    def answer(self, words: str) -> None:
        """Press a button of the question that is open."""
        self.press(self.dialog(QMessageBox), words)

    def choose_file(self, path: Path) -> Path:
        """Name a file in the dialog that is open."""
        dialog = self.dialog(QFileDialog)
        field = dialog.findChild(QLineEdit)
        assert field is not None
        field.setText(str(path))
        dialog.accept()
        self.wait(lambda: not dialogs_of(QFileDialog))
        return path

    def button(self, root: QWidget, name: str) -> QAbstractButton:
        """Wait for a button that can be seen, by what it is called."""

        def found() -> list[QAbstractButton]:
            return [button for button in buttons(root) if button.isVisible() and name_of(button) == name]

        self.wait(lambda: len(found()) == 1)
        return found()[0]

    def buttons(self, root: QWidget) -> list[QAbstractButton]:
        """A part's buttons, whether they can be seen or not."""
        return buttons(root)

    def name_of(self, button: QAbstractButton) -> str:
        """What a button is called."""
        return name_of(button)

    def names(self, root: QWidget) -> set[str]:
        """What a part's buttons are called that can be seen."""
        return {name_of(button) for button in buttons(root) if button.isVisible()}

    def press(self, root: QWidget, name: str) -> None:
        """Click a button that must be there and not grey."""
        self.click(self.button(root, name))

    def click(self, button: QAbstractButton) -> None:
        """Click a button as soon as it is not grey."""
        self.wait(lambda: button.isVisible() and button.isEnabled())
        QTest.mouseClick(button, Qt.LeftButton)

    def menu(self, place: str) -> QAction:
        """Return an action of the menu bar by its path."""
        return next(action for path, action in actions_of(self.window.menuBar().actions()) if path == place)

    def context_menu(self, ask: Callable[[], None]) -> QMenu:
        """Return the menu that opens."""
        ask()
        self.wait(lambda: isinstance(QApplication.activePopupWidget(), QMenu))
        menu = QApplication.activePopupWidget()
        assert isinstance(menu, QMenu)
        return menu

    def actions(self, menu: QMenuBar | QMenu) -> dict[str, QAction]:
        """All actions of a menu, by their paths."""
        return dict(actions_of(menu.actions()))

    def heard(self, words: str) -> bool:
        """Whether a notice or a label on the screen has said this."""
        labels = [label.text() for label in self.window.findChildren(QLabel) if label.isVisible()]
        texts = [part.toPlainText() for part in self.window.findChildren(QPlainTextEdit) if part.isVisible()]
        return any(words in text for text in (*self.told, *labels, *texts))

    def carry_out(self, play: Play) -> None:
        """Try an action with a server that answers."""
        try:
            steps = play(self)
            if inspect.isgenerator(steps):
                for _ in steps:
                    pass
        finally:
            self.tidy()

    def kill_in(self, play: Play, *, with_redis: bool) -> None:
        """Try an action whose server is killed between the click and the answer; then the server comes back."""
        steps = play(self)
        if not inspect.isgenerator(steps):
            self.tidy()
            return
        next(steps)
        self.freeze()
        self.told.clear()
        sentence = str(next(steps))
        self.kill(with_redis=with_redis)
        self.wait(lambda: self.heard(sentence))
        self.wait(lambda: self.window.header.state.text() == "Reconnecting…" or self.window.first.is_choosing)
        assert not self.window.header.start.isEnabled()
        assert not self.window.header.stop.isEnabled()
        self.revive()
        self.tidy()
        self.agree()
        steps.close()

    def kill_in_each(self, plays: Mapping[str, Play], seed: int) -> None:
        """Try kills in some of the plays, or in all of them."""
        order = random.Random(seed)
        once = {play: key for key, play in plays.items()}.items()
        asking = [key for play, key in once if inspect.isgeneratorfunction(play)]
        chosen = asking if os.environ.get("BLITZ_SOAK") else order.sample(asking, min(SAMPLE, len(asking)))
        for key in chosen:
            with_redis = order.random() < 0.3
            try:
                self.kill_in(plays[key], with_redis=with_redis)
            except BaseException as error:
                error.add_note(f"in “{key}”, with Redis: {with_redis}, seed {seed}")
                raise

    def go_without(self, plays: Mapping[str, Play]) -> None:
        """Try what is the window's own while the server is frozen, and while it is away."""
        own = [play for play in plays.values() if not inspect.isgeneratorfunction(play)]
        page = self.window.live_page
        self.window.tabs.setCurrentWidget(page)
        self.wait(lambda: self.window.store.newest_time() is not None and not page.drawing.is_blank)
        self.freeze()
        for play in own[::2]:
            self.carry_out(play)
        self.kill()
        for play in own[1::2]:
            self.carry_out(play)
        self.revive()
        self.agree()

    def kill(self, *, with_redis: bool = False) -> None:
        """End the server as the kernel would, frozen or not."""
        redis = children(self.server.process.pid) if with_redis else []
        self.server.kill()
        self.is_frozen = False
        for process_id in redis:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGKILL)

    def revive(self) -> None:
        """Start the server again, and wait until the window is back."""
        self.server.start()
        if self.window.header.state.text() == "Not connected":
            self.press(self.window.first.page, ServerAddress.parse(self.server.url).host)
        bar = self.window.first.bar
        for _ in range(WAIT_MS // 100):
            if self.is_online:
                break
            if bar.isVisible():
                self.press(bar, "Retry now")
            QTest.qWait(100)
        self.wait(lambda: self.is_online and self.window.boards_page.boards.rowCount() >= 2)

    @property
    def is_online(self) -> bool:
        header = self.window.header
        return header.isVisible() and header.state.text() not in ("Reconnecting…", "Connecting…", "Not connected")

    def agree(self) -> None:
        """The window must say what the server says."""
        window = self.window
        records, status = self.ask_server(lambda client: (client.sessions(), client.status()))
        there = {record.id: (record.name, record.starred, record.is_running) for record in records}

        def shown() -> dict[int, Any]:
            known = (record for record in self.sessions.records if not self.sessions.is_gone(record.id))
            return {record.id: (record.name, record.starred, record.is_running) for record in known if record.id > 0}

        self.wait(lambda: shown() == there)
        self.wait(lambda: window.header.is_recording == (status.session is not None))
        self.wait(lambda: window.header.start.isEnabled() or window.header.stop.isEnabled())
        self.wait(lambda: not window.jobs.running and not any(map(self.sessions.is_downloading, there)))

    def tidy(self) -> None:
        """Leave nothing of a play behind."""
        window = self.window
        for dialog in self.dialogs():
            dialog.reject()
        if QApplication.activePopupWidget() is not None:
            QApplication.activePopupWidget().close()
        if window.first.is_choosing and window.header.state.text() != "Not connected":
            window.first.leave_page()
        if self.is_frozen or not self.is_online:
            window.notices.dismiss_all()
            return
        if window.header.is_recording:
            self.stop()
        for page in window.tabs.pages():
            window.tabs.close_page(page)
        window.notices.dismiss_all()
        window.header.name.clear()
        self.told.clear()
        self.opened.clear()

    def freeze(self) -> None:
        """Let the server answer nothing any more."""
        self.server.process.send_signal(signal.SIGSTOP)
        self.is_frozen = True

    def _hear(self, notice: Notice) -> None:
        self.told.append(notice.text)


def dialogs_of(kind: type[QDialog]) -> list[QDialog]:
    return [widget for widget in QApplication.topLevelWidgets() if isinstance(widget, kind) and widget.isVisible()]


def children(process_id: int) -> list[int]:
    """The processes that a process started."""
    texts = [path.read_text("ascii") for path in Path(f"/proc/{process_id}/task").glob("*/children")]
    return [int(number) for text in texts for number in text.split()]


def name_of(button: QAbstractButton) -> str:
    """What a button is called: for those who cannot see it, else as it says, without counts."""
    words = button.accessibleName() or button.text().replace("&", "")
    return re.sub(r"( \(?\d+\)?)?…?$", "", words)


def buttons(root: QWidget) -> list[QAbstractButton]:
    """The buttons of a part of the window, without Qt's own in fields and tables."""
    found = root.findChildren(QAbstractButton)
    return [button for button in found if not isinstance(button.parentWidget(), QLineEdit) and name_of(button)]


def actions_of(actions: list[QAction], above: str = "") -> Iterator[tuple[str, QAction]]:
    """The actions of menus, with their paths."""
    for action in actions:
        words = above + action.text().replace("&", "").partition("\t")[0]
        if action.menu() is not None:
            yield from actions_of(action.menu().actions(), f"{words}/")
        elif not action.isSeparator():
            yield words, action


@pytest.fixture(scope="module", autouse=True)
def windows_that_end(qapp: QApplication) -> Iterator[None]:
    """As for all windows, but once a module: its plays share a window."""
    with ending_windows(qapp):
        yield


@pytest.fixture(scope="module")
def stage(
    qapp: QApplication,
    windows_that_end: None,
    _no_network: None,
    run_server: Callable[..., Any],
    module_port: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stage]:
    """A window that is connected to a server with two boards."""
    folder = tmp_path_factory.mktemp("stage")
    sockets = UsbSockets(folder / "sockets.json")
    server = run_server("--simulate", "2", "--port", str(module_port), sockets=sockets.path)
    preferences = Preferences(QSettings(str(folder / "client.ini"), QSettings.IniFormat))
    preferences.export_folder = str(folder)
    window = MainWindow(ServerLink(folder / "caches"), preferences, Appearance(qapp))
    window.show()
    stage = Stage(window, server, sockets, folder)
    with pytest.MonkeyPatch.context() as patch:

        def show_folder(url: QUrl) -> bool:
            stage.opened.append(url.toLocalFile() or url.toString())
            return True

        patch.setattr(QDesktopServices, "openUrl", show_folder)
        window.connect_to(ServerAddress.parse(server.url))
        stage.wait(lambda: window.header.start.isEnabled() and window.boards_page.boards.rowCount() == 2)
        stage.wait(lambda: window.store.newest_time() is not None)
        yield stage
        if stage.is_frozen:
            stage.kill()
        stage.tidy()
        window.header.show_connection(ConnectionState(Connection.CONNECTING, "http://elsewhere:1"))  # asks nothing
        window.close()
        window.deleteLater()
