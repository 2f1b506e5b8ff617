"""The alarms of a session that is played back: by the server's rules and the session's clock, silent."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PyQt5.QtCore import QEvent, QPoint, Qt
from PyQt5.QtGui import QHelpEvent
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from blitz.data.alarm_records import AlarmChange, AlarmOccurrence, KeptRule
from blitz.data.alarm_rule import AlarmRule, Severity
from blitz.data.blocks import MessageBlock, Read
from blitz.data.board_definition import BoardDefinition
from blitz.data.database_client import DatabaseClient
from blitz.data.records import Marker, SessionRecord, Source
from blitz.data.sync import download
from blitz.ui.alarm_view import AlarmView
from blitz.ui.feed import SessionList
from blitz.ui.main_window import MainWindow
from blitz.ui.playback import AS_FAST_AS_CAN_BE, Player

STARTED = datetime(2026, 3, 1, 12, tzinfo=UTC)
START_NS = round(STARTED.timestamp() * 1e9)
S = 1_000_000_000
COUNT = 3_000
DEFINITION = BoardDefinition.model_validate(
    {"id": "p", "name": "Pump", "format": "columns", "channels": [{"name": "pressure", "column": 0, "unit": "bar"}]}
)
SOURCE = Source(index=0, name="pump", link="/dev/ttyUSB0", definition=DEFINITION)
MARKER = Marker(id=1, text="valve open", from_ns=START_NS + S, changed_at=STARTED)


def make(name: str, condition: dict[str, Any], **fields: Any) -> KeptRule:
    channel = "" if condition["kind"] == "no_data" else "pressure"
    given = {"name": name, "source": "pump", "channel": channel, "condition": condition, **fields}
    return KeptRule(id=name, rule=AlarmRule.model_validate(given))


HIGH = make("High", {"kind": "level", "above": 2500}, severity="critical")
STEP = make("Step", {"kind": "band", "low": 1000, "high": 1100, "is_inside": True})
SILENT = make("Silent", {"kind": "no_data", "after_s": 5})
OTHER = make("Elsewhere", {"kind": "no_data"}, source="oven")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with session 7: message n says n, 10 ms after the one before; 10 s of silence before message 2000."""
    path = tmp_path_factory.mktemp("playback") / "cache.db"
    record = SessionRecord(
        id=7,
        name="warm-up",
        started_at=STARTED,
        stopped_at=STARTED + timedelta(seconds=50),
        message_count=COUNT,
        sources=(SOURCE,),
        markers=(MARKER,),
    )
    times = [START_NS + n * 10_000_000 + (10 * S if n >= 2000 else 0) for n in range(COUNT)]
    whole = MessageBlock.from_reads(7, 0, [Read(time_ns, 0, [b"%d" % n]) for n, time_ns in enumerate(times)])

    async def fetch(first: int, count: int) -> list[MessageBlock]:
        return [whole.between(first, first + count)]

    with DatabaseClient(path=path) as cache:
        asyncio.run(download(record, fetch, cache))
    return path


@pytest.fixture
def wait(qtbot: QtBot) -> Callable[[Callable[[], object]], None]:
    return lambda is_so: qtbot.waitUntil(lambda: bool(is_so()), timeout=20_000)


@pytest.fixture
def ready(window: MainWindow, feed: Any, make: Any, place: Path) -> MainWindow:
    """A window at a server with rules, that has session 7."""
    feed.path = place
    feed.go_online()
    feed.status_received.emit(make.status(boards=1))
    with DatabaseClient(path=place) as cache:
        feed.sessions_listed.emit(SessionList((cache.session_record(7),), frozenset({7})))
    feed.alarms_told.emit(AlarmView(rules=(HIGH, STEP, SILENT, OTHER)))
    return window


def begin(window: MainWindow, wait: Any) -> Player:
    """Play session 7, and stand still at its start until its alarms are known."""
    window.playback.begin(7)
    wait(lambda: window.playback.is_on)
    player = window.playback.player
    assert player is not None
    player.pause()
    player.seek(0.0)
    wait(lambda: window.playback.alarms.played is not None)
    return player


def spans(window: MainWindow) -> list[tuple[str, float, float | None]]:
    played = window.playback.alarms.played
    assert played is not None
    return [
        (each.rule_id, (each.from_ns - START_NS) / S, None if each.to_ns is None else (each.to_ns - START_NS) / S)
        for each in played.course.spans
    ]


def test_alarms_are_those_of_the_place_that_is_played_whatever_way_led_there(ready: MainWindow, wait: Any) -> None:
    window = ready
    player = begin(window, wait)
    assert spans(window) == [
        ("Step", 10.0, 11.01), ("Silent", 24.99, 30.0), ("High", 35.01, None), ("Silent", 44.99, None)]  # fmt: skip
    bar, page = window.playback.alarms.bar, window.alarms.page
    expected = {0.0: "", 10.5: "Step", 26.0: "Silent", 36.0: "High", 31.0: "", 11.01: "", 10.0: "Step", 25.0: "Silent"}
    for at_s, name in expected.items():
        player.seek(at_s)
        assert bar.head.text() == ("1 alarm" if name else "")
        assert bar.text.text().startswith(f"{name}: pump " if name else "No alarm here; 4 in the session")
    player.seek(0.0)
    player.choose_speed(AS_FAST_AS_CAN_BE)
    player.play()
    wait(lambda: player.is_at_end)
    assert bar.head.text() == "2 alarms"  # also what came behind the last message
    assert bar.text.text().startswith("High: pump pressure above 2500 bar (2501 bar), since ")
    assert [alarm.rule.name for alarm in page._played or ()] == ["Silent", "High", "Silent", "Step"]
    assert [mark.text for mark in window.store.markers] == [
        "valve open", "Silent", "High", "Silent", "Step"]  # fmt: skip
    player.seek(5.0)
    assert window.store.markers == (MARKER,)


def test_it_is_silent_and_live_alarms_stay_as_they_are(ready: MainWindow, feed: Any, wait: Any) -> None:
    window = ready
    sounds: list[int] = []
    window.alarms.sounded.connect(lambda: sounds.append(1))
    player = begin(window, wait)
    player.seek(36.0)
    assert window.playback.alarms.bar.head.text() == "1 alarm"
    assert not window.alarms.bar.isVisible()
    assert (sounds, window.alarms._sound.isActive()) == ([], False)
    now = datetime.now(UTC)
    live = AlarmOccurrence(
        id=1, rule_id="High", rule=HIGH.rule, source="pump", raised_at=now, raised_ns=round(now.timestamp() * 1e9)
    )
    feed.alarm_changed.emit(AlarmChange(what="raised", occurrence=live))
    assert (sounds, window.alarms.bar.isVisible()) == ([1], True)
    window.playback.leave()
    assert window.playback.alarms.bar.isHidden()
    assert window.alarms.bar.isVisible()
    assert [request for request in feed.requests if request[0] == "alarm"] == []


def test_one_goes_from_alarm_to_alarm_by_keys_buttons_the_strip_and_the_list(ready: MainWindow, wait: Any) -> None:
    window = ready
    player = begin(window, wait)
    bar, page, strip = window.playback.alarms.bar, window.alarms.page, window.playback.bar.strip
    assert not bar.previous.isEnabled()
    QTest.keyClick(window.live_page.drawing, Qt.Key_N)
    assert player.passed_s == pytest.approx(10.0)
    bar.next.click()
    bar.next.click()
    assert player.passed_s == pytest.approx(35.01)
    bar.next.click()  # behind the last message: the tape's end
    assert (player.passed_s, bar.head.text()) == (pytest.approx(player.length_s), "2 alarms")
    assert not bar.next.isEnabled()
    QTest.keyClick(window.live_page.drawing, Qt.Key_N, Qt.ShiftModifier)
    QTest.keyClick(window.live_page.drawing, Qt.Key_N, Qt.ShiftModifier)
    assert player.passed_s == pytest.approx(24.99)
    bar.list.click()
    assert window.tabs.currentWidget() is page
    assert [page.alarms.index(row, 2).data() for row in range(page.alarms.rowCount())] == ["Silent", "Step"]
    assert page.alarms.index(1, 0).data() == "over"
    assert (page.seen.isEnabled(), page._silenced.isVisible()) == (False, True)
    page.alarm_table.selectRow(1)
    page.plot.click()
    assert player.passed_s == pytest.approx(10.0)
    assert page.alarms.rowCount() == 1
    ((left, right),) = strip.columns(Severity.CRITICAL)
    assert strip.width() / 2 < left < right < strip.width()
    tip = QHelpEvent(QEvent.ToolTip, QPoint(left, 2), strip.mapToGlobal(QPoint(left, 2)))
    QApplication.sendEvent(strip, tip)
    QTest.mouseClick(strip, Qt.LeftButton, pos=QPoint(left + 1, 2))
    assert player.passed_s == pytest.approx(35.0, abs=0.5)
    window.playback.leave()
    assert (page.played.isHidden(), page.present.isChecked(), page.alarms.rowCount()) == (True, True, 0)


def test_what_the_session_lacks_is_told_and_changed_rules_count_at_once(
    ready: MainWindow, feed: Any, wait: Any
) -> None:
    window, alarms = ready, ready.playback.alarms
    player = begin(window, wait)
    assert "1 more watches what this session does not have." in alarms.bar.text.toolTip()
    feed.alarms_told.emit(AlarmView(rules=(make("Low", {"kind": "level", "above": 9000}),)))
    wait(lambda: alarms.bar.text.text() == "No alarm in the session by the server's rule about it")
    assert not alarms.bar.list.isVisible()
    assert window.playback.bar.strip.isHidden()
    feed.alarms_told.emit(AlarmView(rules=(STEP,)))
    wait(lambda: alarms.played is not None and alarms.played.course.count)
    player.seek(10.5)
    assert alarms.bar.text.text().startswith("Step: ")
    feed.alarms_told.emit(AlarmView(rules=(OTHER,)))
    assert not alarms.bar.isVisible()  # a row that could only say that there is nothing
    page = window.alarms.page
    page.played.click()
    assert page.alarm_table._hint == "No alarms: no rule of the server is about what this session has."
    feed.alarms_told.emit(None)
    assert window.store.markers == (MARKER,)


def test_without_a_server_there_are_no_rules_and_it_says_so(
    window: MainWindow, feed: Any, place: Path, wait: Any
) -> None:
    feed.path = place
    with DatabaseClient(path=place) as cache:
        feed.sessions_listed.emit(SessionList((cache.session_record(7),), frozenset({7})))
    window.playback.begin(7)
    wait(lambda: window.playback.is_on)
    assert (
        window.playback.alarms.bar.text.text() == "No alarms: the rules are the server's, and no server is connected."
    )
    feed.go_online()
    feed.alarms_told.emit(AlarmView(rules=(STEP,)))
    wait(lambda: window.playback.alarms.played is not None)


def test_who_leaves_before_all_is_known_hears_no_more_of_it(ready: MainWindow, wait: Any) -> None:
    window = ready
    window.playback.begin(7)
    wait(lambda: window.playback.is_on)
    window.playback.leave()
    wait(lambda: not window.jobs.running)
    assert window.playback.alarms.played is None
    assert window.playback.alarms.bar.isHidden()
    assert window.store.markers == ()
