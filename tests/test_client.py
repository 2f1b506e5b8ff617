"""The desktop program as a whole."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PyQt5.QtCore import QSettings, QSize, QTimer
from PyQt5.QtWidgets import QApplication, QMainWindow

from blitz import client
from blitz.config import ClientSettings, load
from blitz.data.cache_setup import register
from blitz.io.address import ServerAddress
from blitz.io.own_server import ServerPlan
from blitz.ui import found_servers, local_servers
from blitz.ui.icon import build_icon
from blitz.ui.local_servers import LocalKind
from blitz.ui.main_window import MainWindow
from blitz.ui.preferences import Preferences
from blitz.ui.server_link import ServerLink


@pytest.mark.qt_log_level_fail("WARNING")
@pytest.mark.qt_log_ignore("propagateSizeHints", "XDG_RUNTIME_DIR", extend=True)
def test_the_program_opens_a_window_and_ends_with_it(qapp: QApplication, tmp_path: Path) -> None:
    QSettings.setPath(QSettings.IniFormat, QSettings.UserScope, str(tmp_path))
    before = signal.getsignal(signal.SIGINT)
    seen: list[str] = []

    def look_and_close() -> None:
        for window in QApplication.topLevelWidgets():
            if isinstance(window, MainWindow) and window.isVisible():
                if window.header.state.text() == "Not connected":  # its thread has not begun yet
                    QTimer.singleShot(50, look_and_close)
                    return
                seen.append(window.header.state.text())
                window.close()

    QTimer.singleShot(100, look_and_close)
    assert client.run(ClientSettings(server="http://127.0.0.1:9", cache_dir=tmp_path / "caches")) == 0
    assert seen == ["Connecting…"]
    assert signal.getsignal(signal.SIGINT) is before
    assert (tmp_path / "blitz" / "client.ini").exists()


def test_the_window_of_the_demonstration_leaves_what_the_users_own_remembers_alone(
    qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    QSettings.setPath(QSettings.IniFormat, QSettings.UserScope, str(tmp_path / "own"))
    monkeypatch.setenv("BLITZ_DEMONSTRATION", str(tmp_path / "demonstration"))
    ends_with_window: list[str] = []

    def look_and_close() -> None:
        for window in QApplication.topLevelWidgets():
            if isinstance(window, MainWindow) and window.isVisible():
                ends_with_window.append(window.closing.ends_with_window)
                window.close()

    QTimer.singleShot(100, look_and_close)
    assert client.run(ClientSettings(server="http://127.0.0.1:9", cache_dir=tmp_path / "caches")) == 0
    assert ends_with_window == ["http://127.0.0.1:9"]
    assert (tmp_path / "demonstration" / "client.ini").exists()
    assert not (tmp_path / "own").exists()


@pytest.mark.parametrize("is_placed", [False, True])
def test_a_window_that_would_not_fit_the_screen_with_its_frame_fills_it_at_the_first_start(
    qapp: QApplication, tmp_path: Path, is_placed: bool
) -> None:
    QSettings.setPath(QSettings.IniFormat, QSettings.UserScope, str(tmp_path))
    size = qapp.primaryScreen().availableSize()
    assert size.height() <= 800  # what the window would like to have
    if is_placed:
        placed = QMainWindow()
        placed.resize(size - QSize(100, 100))
        settings = QSettings(QSettings.IniFormat, QSettings.UserScope, "blitz", "client")
        Preferences(settings).remember_place("window", placed.saveGeometry())
        settings.sync()
    seen: list[bool] = []

    def look_and_close() -> None:
        for window in QApplication.topLevelWidgets():
            if isinstance(window, MainWindow) and window.isVisible():
                seen.append(window.isMaximized())
                window.close()

    QTimer.singleShot(100, look_and_close)
    assert client.run(ClientSettings(server="http://127.0.0.1:9", cache_dir=tmp_path / "caches")) == 0
    assert seen == [not is_placed]


@pytest.mark.parametrize("told", [None, "nope", "usual"])
def test_the_window_begins_with_the_cache_that_was_chosen_unless_it_is_told_another(
    qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str | None
) -> None:
    QSettings.setPath(QSettings.IniFormat, QSettings.UserScope, str(tmp_path))
    register(tmp_path / "caches", "experiment", is_in_use=True)
    if told is not None:
        monkeypatch.setenv("BLITZ_CACHE", told)
    seen: list[tuple[object, bool, str]] = []

    def look_and_close() -> None:
        for window in QApplication.topLevelWidgets():
            if isinstance(window, MainWindow) and window.isVisible():
                assert isinstance(window.feed, ServerLink)
                chosen = window.feed._cache
                usual = window.menus["cache_usual"]
                reason = usual.toolTip() if not usual.isEnabled() else ""
                seen.append((chosen and chosen.name, any("nope" in text for text in window.notices.texts), reason))
                window.close()

    QTimer.singleShot(100, look_and_close)
    arguments = {"server": "http://127.0.0.1:9", "cache_dir": tmp_path / "caches"}
    assert client.run(load(ClientSettings, arguments)) == 0
    reason = "Set by BLITZ_CACHE: change it there."
    assert (
        seen
        == {
            None: [("experiment", False, "")],
            "nope": [(None, True, reason)],
            "usual": [(None, False, reason)],
        }[told]
    )


class NoNetwork:
    """Finds nothing; tests do not look at the network that they run in."""

    def __init__(self, *_: object) -> None:
        pass

    def start(self) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.mark.parametrize("is_known", [False, True])
def test_without_a_named_server_the_window_asks_or_takes_the_last_one(
    qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_known: bool
) -> None:
    QSettings.setPath(QSettings.IniFormat, QSettings.UserScope, str(tmp_path))
    monkeypatch.setattr(found_servers, "ServerBrowser", NoNetwork)
    monkeypatch.setitem(local_servers.PLANS, LocalKind.COMPUTER, lambda: ServerPlan(tmp_path / "none", 0))
    if is_known:
        settings = QSettings(QSettings.IniFormat, QSettings.UserScope, "blitz", "client")
        preferences = Preferences(settings)
        preferences.remember_server(ServerAddress.parse("http://lab-pi.invalid:9"))
        preferences.last_place = "server"
        settings.sync()
    seen: list[tuple[bool, bool]] = []

    def look_and_close() -> None:
        window = next(w for w in QApplication.topLevelWidgets() if isinstance(w, MainWindow) and w.isVisible())
        seen.append((window.first.page.isVisible(), window.tabs.isVisible()))
        window.close()

    QTimer.singleShot(100, look_and_close)
    assert client.run(ClientSettings.model_validate({"cache_dir": tmp_path / "caches"})) == 0
    assert seen == [(not is_known, is_known)]


def test_a_fault_in_a_slot_is_logged_and_told_and_the_window_goes_on(
    qapp: QApplication, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    QSettings.setPath(QSettings.IniFormat, QSettings.UserScope, str(tmp_path))
    seen: list[str] = []

    def look_and_close() -> None:
        window = next(w for w in QApplication.topLevelWidgets() if isinstance(w, MainWindow) and w.isVisible())
        sys.excepthook(KeyError, KeyError("gone"), None)
        seen.extend(window.notices.texts)
        window.close()

    QTimer.singleShot(100, look_and_close)
    before = sys.excepthook
    client.run(ClientSettings(server="http://127.0.0.1:9", cache_dir=tmp_path / "caches"))
    assert "fault in Blitz" in seen[0]
    assert "A fault of our own" in caplog.text
    assert sys.excepthook is before


@pytest.mark.parametrize("how", ["SIGINT", "SIGTERM", "closed"])
def test_the_program_ends_what_it_is_working_at(qapp: QApplication, tmp_path: Path, how: str) -> None:
    QSettings.setPath(QSettings.IniFormat, QSettings.UserScope, str(tmp_path))
    cancelled: list[bool] = []

    def work(progress: Callable[[int, int], None], is_cancelled: Callable[[], bool]) -> None:
        if how != "closed":
            os.kill(os.getpid(), signal.Signals[how])
        while not is_cancelled():
            progress(1, 2)
            time.sleep(0.01)
        cancelled.append(True)

    def begin() -> None:
        window = next(w for w in QApplication.topLevelWidgets() if isinstance(w, MainWindow) and w.isVisible())
        window.jobs.run("An export", work)
        if how == "closed":
            QTimer.singleShot(100, window.close)

    QTimer.singleShot(100, begin)
    assert client.run(ClientSettings(server="http://127.0.0.1:9", cache_dir=tmp_path / "caches")) == 0
    assert cancelled == [True]
    assert not [w for w in QApplication.topLevelWidgets() if isinstance(w, MainWindow)]


def test_the_icon_has_all_usual_sizes(qapp: QApplication) -> None:
    assert {size.width() for size in build_icon().availableSizes()} >= {16, 32, 256}
