"""What happened: the log, the table's model, the page, and what of the feed becomes an event."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QAbstractItemModelTester, QTest
from PyQt5.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from blitz.data.database_client import DatabaseClient
from blitz.data.models import Notification
from blitz.data.records import Gap, LinkState, Marker, Notice, TimelineEntry, TimelineKind
from blitz.ui.event_actions import AROUND_S
from blitz.ui.event_log import EventLine, EventLog, Severity
from blitz.ui.events_of_feed import ConnectionEvents, LinkEvents, line_of_gap, line_of_session
from blitz.ui.feed import Connection, ConnectionState, RequestFailure
from blitz.ui.main_window import MainWindow
from blitz.ui.models.events import EventsModel
from blitz.ui.pages.events_page import EventsPage

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOW_NS = round(NOW.timestamp()) * 10**9
ADDRESS = "http://127.0.0.1:8999"
WAIT_MS = 30_000


def line(text: str, severity: Severity = Severity.WARNING, source: str = "sim1", after_s: float = 0) -> EventLine:
    return EventLine(NOW + timedelta(seconds=after_s), severity, source, text, source)


def texts(log: EventLog) -> list[str]:
    return [each.text for each in log.lines]


def test_the_log_keeps_the_newest_and_no_more() -> None:
    log = EventLog(most=3)
    for count in range(5):
        log.add(line(f"event {count}", after_s=60 * count))
    assert texts(log) == ["event 4", "event 3", "event 2"]


def test_the_same_text_again_raises_a_count_and_one_with_more_to_say_replaces_it() -> None:
    log = EventLog()
    log.add(line("Port lost"))
    log.add(line("Port lost.", after_s=1))
    log.add(line("Away: Port lost. Plug it in.", Severity.ERROR, after_s=2))
    (only,) = log.lines
    assert (only.text, only.severity) == ("Away: Port lost. Plug it in.", Severity.ERROR)
    log.add(line("Port lost", after_s=60))
    assert len(log.lines) == 2


def test_news_of_a_gap_take_its_lines_place() -> None:
    log = EventLog()
    gap = Gap(source=0, seq=9, from_ns=NOW_NS, to_ns=NOW_NS + 47 * 10**9, reason="unplugged")
    log.add(line_of_gap(7, gap, "sim1"))
    log.add(line_of_gap(7, gap.model_copy(update={"lost": 470, "recovered": 60}), "sim1"))
    (only,) = log.lines
    assert only.text == "Gap: 47 s, unplugged, about 470 messages missing, 60 recovered."
    assert only.data_s == NOW.timestamp()


def test_what_is_unread_is_counted_until_somebody_looks() -> None:
    log = EventLog()
    for severity in Severity:
        log.add(line(severity.value, severity))
    assert log.unread == 2
    log.read_all()
    assert log.unread == 0
    assert len(log.lines) == 3


def test_a_dismissed_gap_comes_back_with_its_news() -> None:
    log = EventLog()
    gap = Gap(source=0, seq=9, from_ns=NOW_NS, to_ns=NOW_NS, reason="silent")
    log.add(line_of_gap(7, gap, "sim1"))
    log.read_all()
    log.dismiss(log.lines)
    log.add(line_of_gap(7, gap, "sim1"))
    assert len(log.lines) == 1


def test_the_model_inserts_changes_and_filters() -> None:
    log = EventLog()
    model = EventsModel(log)
    tester = QAbstractItemModelTester(model)
    inserted: list[tuple[int, int]] = []
    model.rowsInserted.connect(lambda _, first, last: inserted.append((first, last)))
    log.add(line("one"))
    model.refresh()
    log.add(line("two", Severity.ERROR, after_s=60))
    log.add(line("three", Severity.INFO, "server", after_s=120))
    model.refresh()
    assert inserted == [(0, 0), (0, 1)]
    assert [model.index(0, column).data() for column in (1, 2, 3)] == ["Note", "server", "three"]
    model.filter(frozenset({Severity.ERROR, Severity.WARNING}), "")
    assert [each.text for each in model.lines] == ["two", "one"]
    model.filter(frozenset(Severity), "SERVER thr")
    assert [each.text for each in model.lines] == ["three"]
    assert tester is not None


def test_a_board_that_goes_says_what_to_do_and_comes_back_with_how_long(make: Any) -> None:
    links = LinkEvents()
    board = make.board("sim1")
    assert links.line(board, NOW) is None
    away = board.model_copy(update={"state": LinkState.AWAY, "error": "Cannot open /dev/ttyUSB0: it does not exist"})
    gone = links.line(away, NOW)
    assert gone is not None
    assert gone.severity is Severity.ERROR
    assert "/dev/ttyUSB0" in gone.text
    assert "Plug it in" in gone.text
    back = links.line(board, NOW + timedelta(seconds=47))
    assert back is not None
    assert back.text == "sim1 is back after 0:00:47."
    assert links.line(board, NOW) is None


def test_a_lost_connection_says_that_the_server_goes_on() -> None:
    events = ConnectionEvents()
    states = [
        ConnectionState(Connection.CONNECTING, ADDRESS),
        ConnectionState(Connection.ONLINE, ADDRESS),
        ConnectionState(Connection.WAITING, ADDRESS, "refused."),
        ConnectionState(Connection.WAITING, ADDRESS, "refused."),
        ConnectionState(Connection.CONNECTING, ADDRESS, "refused."),
        ConnectionState(Connection.ONLINE, ADDRESS),
        ConnectionState(Connection.OFFLINE),
    ]
    told = [events.line(state, NOW + timedelta(seconds=place)) for place, state in enumerate(states)]
    assert [each.text.split(";")[0] if each else None for each in told] == [
        None,
        f"Connected to {ADDRESS}.",
        f"The connection to {ADDRESS} was lost (refused). The server goes on recording",
        None,
        None,
        "The connection is back after 0:00:03",
        f"Left {ADDRESS}.",
    ]


def test_a_session_that_the_server_ended_is_a_warning_with_the_reason(make: Any) -> None:
    stopped = make.session(count=1200).model_copy(
        update={"verdict": "nothing lost", "stop_reason": "The disk is full."}
    )
    told = line_of_session(stopped)
    assert told.severity is Severity.WARNING
    assert told.text == (
        "Session 7 “warm-up” ended after 0:02:00 with 1\u202f200 messages: nothing lost. The disk is full."
    )
    running = make.session(running=True)
    assert line_of_session(running).text == f"Session 7 “warm-up” was started by {running.owner}."


@pytest.fixture
def page(window: MainWindow) -> EventsPage:
    return window.events.page


def title(window: MainWindow, page: EventsPage) -> str:
    return str(window.tabs.tabText(window.tabs.indexOf(page)))


def test_the_tab_counts_what_nobody_has_read(window: MainWindow, page: EventsPage, feed: Any) -> None:
    for severity in ("info", "warning", "error"):
        feed.notice_received.emit(Notice(severity=severity, text=f"{severity} of it", time=NOW, source="sim1"))
    assert title(window, page) == "Events (2)"
    window.menus["events"].trigger()
    assert title(window, page) == "Events"
    assert [page.choices[severity].text() for severity in page.choices] == ["Errors 1", "Warnings 1", "Notes 1"]
    window.menus["live"].trigger()
    feed.notice_received.emit(Notice(severity="error", text="another", time=NOW))
    assert title(window, page) == "Events (1)"


def test_everything_that_the_feed_tells_is_an_event(window: MainWindow, page: EventsPage, feed: Any, make: Any) -> None:
    feed.connection_changed.emit(ConnectionState(Connection.ONLINE, ADDRESS))
    feed.sources_received.emit(7, (make.source(0),))
    feed.session_started.emit(make.session(running=True).model_copy(update={"owner": "ada@bench"}))
    feed.gap_received.emit(7, Gap(source=0, seq=9, from_ns=NOW_NS, to_ns=NOW_NS, reason="silent"))
    marker = Marker(id=1, from_ns=NOW_NS, text="pump on", who="ada", changed_at=NOW)
    feed.marker_received.emit(7, marker)
    feed.marker_received.emit(7, marker.model_copy(update={"version": 2, "is_deleted": True}))
    entry = TimelineEntry(kind=TimelineKind.CLOCK_STEP, time_ns=NOW_NS, text="The clock was set by 3 s.")
    feed.timeline_received.emit(7, entry)
    feed.link_changed.emit(make.board("sim2").model_copy(update={"state": LinkState.SILENT}))
    feed.request_failed.emit(RequestFailure("The session was not stopped", ValueError("refused")))
    window.menus["events"].trigger()
    shown = [(each.severity, each.source, each.text.split(":")[0]) for each in page.events.lines]
    assert shown == [
        (Severity.ERROR, "server", "The session was not stopped"),
        (Severity.ERROR, "sim2", "Silent. Check power, cable and baud rate. It is asked again by itself."),
        (Severity.WARNING, "server", "The clock was set by 3 s."),
        (Severity.INFO, "session 7", "Marker “pump on” was deleted by ada."),
        (Severity.WARNING, "sim1", "Gap"),
        (Severity.INFO, "server", "Session 7 “warm-up” was started by ada@bench."),
        (Severity.INFO, "server", f"Connected to {ADDRESS}.".split(":")[0]),
    ]


def test_events_are_dismissed_one_by_one_and_all(window: MainWindow, page: EventsPage, feed: Any, qtbot: QtBot) -> None:
    window.menus["events"].trigger()
    for count in range(4):
        feed.notice_received.emit(Notice(severity="error", text=f"fault {count} of it", time=NOW))
    qtbot.waitUntil(lambda: page.events.rowCount() == 4, timeout=WAIT_MS)
    assert title(window, page) == "Events"  # somebody looks
    page.table.selectRow(1)
    assert page.text.text() == "fault 2 of it"
    page.table.setFocus()
    QTest.keyClick(page.table, Qt.Key_Delete)
    assert [each.text for each in page.events.lines] == ["fault 3 of it", "fault 1 of it", "fault 0 of it"]
    QTest.keyClick(page.table, Qt.Key_Delete)  # the next one is selected
    assert [each.text for each in page.events.lines] == ["fault 3 of it", "fault 0 of it"]
    page.words.setText("fault 0")
    page.dismiss_all.click()
    page.words.clear()
    assert [each.text for each in page.events.lines] == ["fault 3 of it"]
    assert page.choices[Severity.ERROR].text() == "Errors 1"
    page.choices[Severity.ERROR].click()
    assert page.events.rowCount() == 0


def test_an_event_leads_to_its_board_or_its_time(
    window: MainWindow, page: EventsPage, feed: Any, make: Any, qtbot: QtBot
) -> None:
    feed.connection_changed.emit(ConnectionState(Connection.ONLINE, ADDRESS))
    feed.status_received.emit(make.status(boards=2))
    feed.sources_received.emit(7, (make.source(0),))
    feed.gap_received.emit(7, Gap(source=0, seq=9, from_ns=NOW_NS, to_ns=NOW_NS, reason="unplugged"))
    feed.link_changed.emit(make.board("sim2").model_copy(update={"state": LinkState.AWAY}))
    window.menus["events"].trigger()
    page.table.selectRow(0)
    assert page.to_time.isHidden()
    page.to_board.click()
    assert window.tabs.currentWidget() is window.boards_page
    assert window.boards_page.selected_board == "sim2"
    window.menus["events"].trigger()
    page.table.selectRow(1)
    with qtbot.waitSignal(page.time_requested) as asked:
        page.to_time.click()
    assert asked.args == [NOW.timestamp()]
    assert window.tabs.currentWidget() is window.live_page
    assert window.live_page.plot.view.held == (NOW.timestamp() - AROUND_S, NOW.timestamp() + AROUND_S)
    window.menus["events"].trigger()
    with qtbot.waitSignal(page.time_requested):
        page.table.activated.emit(page.events.index(1, 3))


def test_a_burst_of_events_is_drawn_once(window: MainWindow, page: EventsPage, feed: Any, qtbot: QtBot) -> None:
    window.menus["events"].trigger()
    drawn: list[bool] = []
    page.events.rowsInserted.connect(lambda: drawn.append(True))
    before = page.events.rowCount()
    for count in range(500):
        feed.notice_received.emit(Notice(severity="warning", text=f"number {count} of it", time=NOW))
    assert drawn == []
    qtbot.waitUntil(lambda: page.events.rowCount() == before + 500, timeout=WAIT_MS)
    assert len(drawn) == 1


def test_three_notices_are_shown_and_the_others_are_a_click_away(
    window: MainWindow, page: EventsPage, feed: Any
) -> None:
    for count in range(5):
        feed.notice_received.emit(Notice(severity="error", text=f"fault {count} of it", time=NOW))
    visible = [row.notice.text for row in window.notices._rows if row.isVisible()]
    assert visible == ["fault 4 of it", "fault 3 of it", "fault 2 of it"]
    window.notices.tell("info", "exported")
    assert visible == [row.notice.text for row in window.notices._rows if row.isVisible()]  # notes give way
    window.notices.tell("info", "exported")
    more = next(button for button in window.notices.findChildren(QPushButton) if button.text() == "3 more")
    more.click()
    assert window.tabs.currentWidget() is page
    window.notices.dismiss_all()
    assert not window.notices.isVisible()
    assert not more.isVisible()
    assert len(page.events.lines) == 6


def test_a_note_goes_by_itself_and_a_warning_stays(
    window: MainWindow, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    monkeypatch.setattr("blitz.ui.widgets.notices.NOTE_MS", 20)
    window.notices.tell("warning", "read me")
    window.notices.tell("info", "exported")
    qtbot.waitUntil(lambda: window.notices.texts == ["read me"], timeout=WAIT_MS)


def test_errors_that_a_program_left_in_the_cache_are_events_and_handled_when_dismissed(
    window: MainWindow, page: EventsPage, feed: Any, tmp_path: Path, qtbot: QtBot
) -> None:
    path = feed.path = tmp_path / "cache.db"
    with DatabaseClient(path=str(path)) as cache:
        cache.log_error("The script could not read the balance.", severity=2)
        cache.log_error("The balance is warm.")
    feed.cache_opened.emit(path)
    qtbot.waitUntil(lambda: len(window.events.log.lines) == 2, timeout=WAIT_MS)
    assert title(window, page) == "Events (2)"
    window.menus["events"].trigger()
    assert [(each.severity, each.source, each.text) for each in page.events.lines] == [
        (Severity.WARNING, "cache", "The balance is warm."),
        (Severity.ERROR, "cache", "The script could not read the balance."),
    ]
    page.table.selectRow(1)
    page.dismiss.click()

    def left() -> list[str]:
        with DatabaseClient(path=str(path)) as cache:
            return [error.description for error in cache.all(Notification)]

    qtbot.waitUntil(lambda: left() == ["The balance is warm."], timeout=WAIT_MS)
    page.dismiss_all.click()
    qtbot.waitUntil(lambda: left() == [], timeout=WAIT_MS)
