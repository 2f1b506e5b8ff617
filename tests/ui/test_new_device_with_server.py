"""The first minute against a real server: an unknown device to a named plot, a server that dies and comes back."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from pytestqt.qtbot import QtBot

from blitz.io.address import ServerAddress
from blitz.io.simulated_device import SimulatedDevice
from blitz.ui.dialogs.add_device import AddDeviceDialog
from blitz.ui.dialogs.new_device import NewDeviceDialog
from blitz.ui.feed import Connection, ConnectionState
from blitz.ui.main_window import MainWindow
from blitz.ui.server_link import ServerLink

WAIT_MS = 60_000


@pytest.fixture
def empty_server(run_server: Callable[..., Any], steady_port: int) -> Any:
    return run_server("--durability", "none", "--port", str(steady_port))


@pytest.fixture
def open_window(show_window: Callable[..., MainWindow], tmp_path: Path) -> Iterator[Callable[[str], MainWindow]]:
    links: list[ServerLink] = []

    def run(url: str) -> MainWindow:
        link = ServerLink(tmp_path / "caches")
        links.append(link)
        window = show_window(link)
        window.connect_to(ServerAddress.parse(url))
        return window

    yield run
    for link in links:
        link.close()


def shown(window: MainWindow, kind: type[Any]) -> Any:
    return next((dialog for dialog in window.findChildren(kind) if dialog.isVisible()), None)


def test_an_unknown_printing_device_comes_to_a_named_plot(
    empty_server: Any, open_window: Callable[[str], MainWindow], qtbot: QtBot
) -> None:
    window = open_window(empty_server.url)
    qtbot.waitUntil(lambda: window.boards_page.add.isEnabled(), timeout=WAIT_MS)
    with SimulatedDevice("plain", rate_hz=50, silence_s=0.1) as device:
        window.boards_page.add.click()
        place = shown(window, AddDeviceDialog)
        place.port.setEditText(device.path)
        place.accept()
        dialog = shown(window, NewDeviceDialog)
        qtbot.waitUntil(dialog.accept_button.isEnabled, timeout=WAIT_MS)
        assert "This is sure." in dialog.verdict.text()
        assert window.boards_page.boards.rowCount() == 0
        for name in ("pressure", "\t", "temperature", "\t", "flow"):
            widget = dialog.focusWidget()
            if name == "\t":
                QTest.keyClick(widget, Qt.Key_Tab)
            else:
                QTest.keyClicks(widget, name)
        dialog.name.setText("pump")
        dialog.accept_button.click()

        def channels() -> list[str]:
            return [channel.channel.name for channel in window.store.channels]

        qtbot.waitUntil(lambda: channels() == ["pressure", "temperature", "flow"], timeout=WAIT_MS)
        qtbot.waitUntil(
            lambda: sum(window.store.count(source.index) for source in window.store.sources) > 20, timeout=WAIT_MS
        )
        assert [board.name for board in window.boards_page.boards.boards] == ["pump"]


def test_a_server_that_dies_and_comes_back_is_said_and_tried_at_once(
    empty_server: Any, open_window: Callable[[str], MainWindow], qtbot: QtBot
) -> None:
    window = open_window(empty_server.url)
    states: list[ConnectionState] = []
    window.feed.connection_changed.connect(states.append)
    qtbot.waitUntil(window.boards_page.add.isEnabled, timeout=WAIT_MS)
    empty_server.kill()
    bar = window.first.bar
    qtbot.waitUntil(bar.isVisible, timeout=WAIT_MS)
    assert "No connection to 127.0.0.1 for" in bar.text
    qtbot.waitUntil(lambda: "Trying again in" in bar.text, timeout=WAIT_MS)
    empty_server.start()
    bar.buttons[0].click()  # by now the bar may be about to go
    qtbot.waitUntil(lambda: not bar.isVisible(), timeout=WAIT_MS)
    qtbot.waitUntil(lambda: states[-1].connection is Connection.ONLINE, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: any("is back after" in text for text in window.notices.texts), timeout=WAIT_MS)
