"""Recording by the window on a real server with simulated boards: words, timed runs, others' sessions, red sources."""

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from pytestqt.qtbot import QtBot

from blitz import Client
from blitz.data.records import RunWishes, SessionRecord
from blitz.data.session_words import SessionWords
from blitz.io.address import ServerAddress
from blitz.io.own_server import ServerPlan
from blitz.io.simulated_device import SimulatedDevice
from blitz.ui.checklist import Light
from blitz.ui.dialogs.closing import ClosingQuestion
from blitz.ui.dialogs.plan_change import PlanChangeDialog
from blitz.ui.dialogs.red_checks import RedChecksDialog
from blitz.ui.dialogs.start import StartDialog
from blitz.ui.dialogs.stop_question import StopQuestion
from blitz.ui.feed import Feed
from blitz.ui.local_servers import PLANS, LocalKind
from blitz.ui.main_window import MainWindow
from blitz.ui.recording_words import Doing
from blitz.ui.server_link import ServerLink

WAIT_MS = 60_000


@pytest.fixture
def connect(
    show_window: Callable[[Feed], MainWindow], qtbot: QtBot, tmp_path: Path, request: pytest.FixtureRequest
) -> Callable[[str], MainWindow]:
    """Show a window on a server, when it may start a session there and knows what is expected."""

    def run(url: str) -> MainWindow:
        feed = ServerLink(tmp_path / "caches")
        request.addfinalizer(feed.close)
        window = show_window(feed)
        expected: list[object] = []
        feed.expected_told.connect(expected.append)
        window.connect_to(ServerAddress.parse(url))
        qtbot.waitUntil(lambda: window.header.start.isEnabled() and bool(expected), timeout=WAIT_MS)
        return window

    return run


@pytest.fixture
def window(server: Any, connect: Callable[[str], MainWindow]) -> MainWindow:
    return connect(server.url)


def visible(window: MainWindow, kind: type[Any]) -> Any:
    return next((dialog for dialog in window.findChildren(kind) if dialog.isVisible()), None)


def listed(window: MainWindow, session_id: int) -> Any:
    return window.sessions_page.sessions.find(session_id)


def test_a_session_with_words_stops_by_itself_after_a_time_that_is_counted_down(
    window: MainWindow, qtbot: QtBot
) -> None:
    header = window.header
    header.start_more.click()
    dialog = visible(window, StartDialog)
    QTest.keyClicks(dialog.name, "soak")
    dialog.tags.setText("warm-up")
    dialog.fields.set("sample", "brass")
    dialog.timed.stops_after.setChecked(True)
    dialog.timed.duration.number.setValue(6)
    dialog.timed.duration.unit.setCurrentText("seconds")
    QTest.keyClick(dialog.name, Qt.Key_Return)
    qtbot.waitUntil(lambda: header.is_recording and header.left.isVisible(), timeout=WAIT_MS)
    session = header.session
    assert session is not None
    assert (session.name, session.tags, session.fields) == ("soak", ("warm-up",), {"sample": "brass"})
    assert header.left.caption == "Stops in"
    assert header.light.doing is Doing.RECORDING
    qtbot.waitUntil(lambda: header.progress.value() > 0 and header.left.text < "0:05", timeout=WAIT_MS)
    qtbot.waitUntil(lambda: not header.is_recording, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: not listed(window, session.id).is_running, timeout=WAIT_MS)
    assert listed(window, session.id).stop_reason == "The planned time was over."
    header.start_more.click()
    dialog = visible(window, StartDialog)
    dialog.same.click()
    assert dialog.wish.name == "soak 2"
    assert dialog.wish.words == SessionWords(tags=("warm-up",), fields={"sample": "brass"})
    dialog.reject()


def test_when_a_running_session_stops_is_changed(window: MainWindow, qtbot: QtBot) -> None:
    header = window.header
    window.feed.start_session("long", run=RunWishes(duration_s=3600, repeat_every_s=1800))
    qtbot.waitUntil(lambda: header.left.isVisible() and header.left.text.startswith("59:"), timeout=WAIT_MS)
    header.change_plan.click()
    dialog = visible(window, PlanChangeDialog)
    assert dialog.timed.run == RunWishes(duration_s=3600, repeat_every_s=1800)
    dialog.timed.repeats.setChecked(False)
    dialog.timed.duration.number.setValue(2)
    dialog.timed.duration.unit.setCurrentText("hours")
    dialog.accept()
    qtbot.waitUntil(lambda: header.left.text.startswith("1:59:"), timeout=WAIT_MS)
    assert header.session is not None
    assert header.session.plan is not None
    assert header.session.plan.next_at is None
    header.stop.click()
    qtbot.waitUntil(lambda: not header.is_recording, timeout=WAIT_MS)


def test_a_planned_start_is_told_cancelled_and_another_begins_by_itself(window: MainWindow, qtbot: QtBot) -> None:
    header = window.header
    window.feed.plan_session(datetime.now(UTC) + timedelta(hours=2), "tonight")
    qtbot.waitUntil(lambda: "“tonight” starts at" in header.detail.text(), timeout=WAIT_MS)
    assert header.cancel_planned.isVisible()
    header.cancel_planned.click()
    qtbot.waitUntil(lambda: not header.cancel_planned.isVisible(), timeout=WAIT_MS)
    begun: list[SessionRecord] = []
    window.feed.session_started.connect(begun.append)
    window.feed.plan_session(datetime.now(UTC) + timedelta(seconds=3), "soon", run=RunWishes(message_count=20))
    qtbot.waitUntil(lambda: bool(begun), timeout=WAIT_MS)
    assert begun[0].name == "soon"
    number = begun[0].id
    qtbot.waitUntil(lambda: bool(getattr(listed(window, number), "stop_reason", "")), timeout=WAIT_MS)
    qtbot.waitUntil(lambda: not header.is_recording, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: listed(window, number).message_count >= 20, timeout=WAIT_MS)
    assert listed(window, number).stop_reason == "The planned number of messages had come."


def test_anothers_session_is_stopped_only_after_a_question(server: Any, window: MainWindow, qtbot: QtBot) -> None:
    header = window.header
    with Client(server.url, timeout=60) as client:
        number = client.start("hers", owner="grace@bench-pc").id
        qtbot.waitUntil(lambda: header.is_recording, timeout=WAIT_MS)
        assert "by grace on bench-pc" in header.detail.text()
        header.stop.click()
        question = visible(window, StopQuestion)
        assert question.text().startswith("Grace on bench-pc started this less than a minute ago.")
        QTest.mouseClick(question.cancel, Qt.LeftButton)
        header.stop.click()
        client.stop(number)
        qtbot.waitUntil(lambda: visible(window, StopQuestion) is None, timeout=WAIT_MS)
        number = client.start("hers again", owner="grace@bench-pc").id
        qtbot.waitUntil(lambda: header.session is not None and header.session.id == number, timeout=WAIT_MS)
        header.stop.click()
        QTest.mouseClick(visible(window, StopQuestion).stop, Qt.LeftButton)
        qtbot.waitUntil(lambda: not header.is_recording, timeout=WAIT_MS)


def test_a_source_that_is_unplugged_is_red_and_asked_about_before_start(
    run_server: Callable[..., Any], connect: Callable[[str], MainWindow], tmp_path: Path, qtbot: QtBot
) -> None:
    port = tmp_path / "ttyUSB0"
    with SimulatedDevice("csv-header", silence_s=0.1, link_path=port):
        server = run_server("--no-scan-usb", "--durability", "none", "--serial", str(port))
        window = connect(server.url)
        ready = window.header.ready
        qtbot.waitUntil(lambda: ready.light is Light.GREEN, timeout=WAIT_MS)
        assert ready.text() == "1 of 1 ready"
        window.header.start.click()
        qtbot.waitUntil(lambda: window.header.is_recording, timeout=WAIT_MS)
        window.header.stop.click()
        qtbot.waitUntil(lambda: not window.header.is_recording, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: ready.light is Light.RED, timeout=WAIT_MS)
    assert "ttyUSB0 is away" in ready.toolTip()
    window.header.start.click()
    question = visible(window, RedChecksDialog)
    assert "ttyUSB0 is away" in question.checks.texts[0]
    assert window.header.session is None
    with SimulatedDevice("csv-header", silence_s=0.1, link_path=port):
        qtbot.waitUntil(lambda: question.start.text() == "&Start", timeout=WAIT_MS)
    qtbot.waitUntil(lambda: question.start.text() == "&Start anyway", timeout=WAIT_MS)
    question.start.click()
    qtbot.waitUntil(lambda: window.header.is_recording, timeout=WAIT_MS)
    assert "away" in window.header.losses.text
    window.header.stop.click()
    qtbot.waitUntil(lambda: not window.header.is_recording, timeout=WAIT_MS)


def test_a_server_that_is_killed_takes_its_questions_with_it(
    run_server: Callable[..., Any], connect: Callable[[str], MainWindow], steady_port: int, qtbot: QtBot
) -> None:
    server = run_server("--simulate", "1", "--durability", "none", "--port", str(steady_port))
    window = connect(server.url)
    with Client(server.url, timeout=60) as client:
        client.start("hers", owner="grace@bench-pc", duration_s=3600)
    qtbot.waitUntil(lambda: window.header.is_recording, timeout=WAIT_MS)
    window.header.stop.click()
    assert visible(window, StopQuestion) is not None
    server.kill()
    qtbot.waitUntil(lambda: visible(window, StopQuestion) is None, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: bool(re.search("try [2-9]", window.status_line.connection.text())), timeout=WAIT_MS)
    assert "goes on recording" in window.header.stop.toolTip()
    server.start()
    qtbot.waitUntil(lambda: window.header.is_recording and window.header.left.isVisible(), timeout=WAIT_MS)
    window.header.stop.click()
    QTest.mouseClick(visible(window, StopQuestion).stop, Qt.LeftButton)
    qtbot.waitUntil(lambda: not window.header.is_recording, timeout=WAIT_MS)


def test_closing_stops_the_session_of_a_server_of_ones_own_which_ends_then(
    show_window: Callable[[Feed], MainWindow], tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--no-scan-usb", "--durability", "none", "--simulate", "1")
    plan = ServerPlan(tmp_path / "data", 0, options, dict(os.environ), idle_s=3.0)
    monkeypatch.setitem(PLANS, LocalKind.COMPUTER, lambda: plan)
    feed = ServerLink(tmp_path / "caches")
    window = show_window(feed)
    window.first.show_servers()
    window.first.page.computer.button.click()
    try:
        qtbot.waitUntil(window.header.start.isEnabled, timeout=WAIT_MS)
        window.feed.start_session("last words")
        qtbot.waitUntil(lambda: window.header.is_recording, timeout=WAIT_MS)
        assert not window.close()
        question = visible(window, ClosingQuestion)
        assert question.text() == "Recording goes on in the background."
        QTest.mouseClick(question.stop, Qt.LeftButton)
        qtbot.waitUntil(lambda: not window.isVisible(), timeout=WAIT_MS)
        (own,) = window.first.local._own.values()
        assert own.process is not None
        assert own.process.wait(WAIT_MS / 1000) == 0
    finally:
        feed.close()
        for own in window.first.local._own.values():
            if own.process is not None:
                own.process.terminate()
                own.process.wait(WAIT_MS / 1000)
