"""The window with a feed that has no server: what it shows, and what it asks."""

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QDialog, QFrame, QLabel, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from blitz.data.records import LinkState, Notice
from blitz.errors import SessionRunning
from blitz.ui.feed import BoardCommand, Connection, ConnectionState, RequestFailure, SessionList
from blitz.ui.main_window import MainWindow
from blitz.ui.theme import DARK, LIGHT, ThemeChoice
from blitz.ui.windows import PlotWindow


def press(box: QMessageBox, words: str) -> None:
    button = next(button for button in box.buttons() if words in button.text())
    QTest.mouseClick(button, Qt.LeftButton)


def open_dialog(window: MainWindow, kind: type[Any]) -> Any:
    return next(dialog for dialog in window.findChildren(kind) if dialog.isVisible())


def test_the_window_says_what_the_server_says_not_what_was_clicked(window: MainWindow, feed: Any, make: Any) -> None:
    assert window.header.state.text() == "Not connected"
    assert not window.header.start.isEnabled()
    feed.go_online()
    feed.status_received.emit(make.status())
    assert window.header.state.text() == "Not recording"
    window.menus["start"].trigger()
    assert feed.requests[-1][0] == "start"
    assert feed.requests[-1][1].startswith("Session 20")
    assert window.header.state.text() == "Not recording"
    assert not window.header.start.isEnabled()
    feed.status_received.emit(make.status(make.session(running=True)))
    assert window.header.state.text() == "Recording"
    assert "warm-up" in window.header.detail.text()
    window.menus["stop"].trigger()
    assert feed.requests[-1] == ("stop", 7)
    assert window.header.state.text() == "Recording"


def test_a_typed_name_starts_a_session_by_enter(window: MainWindow, feed: Any, make: Any) -> None:
    feed.go_online()
    feed.status_received.emit(make.status())
    QTest.keyClicks(window.header.name, "pump test")
    QTest.keyClick(window.header.name, Qt.Key_Return)
    assert feed.requests[-1] == ("start", "pump test", "")


def test_start_with_notes_asks_for_them(window: MainWindow, feed: Any, make: Any) -> None:
    feed.go_online()
    feed.status_received.emit(make.status())
    window.menus["start_notes"].trigger()
    dialog = open_dialog(window, QDialog)
    dialog.name.setText("leak")
    dialog.notes.setPlainText("valve open")
    dialog.accept()
    assert feed.requests[-1] == ("start", "leak", "valve open")


def test_a_refused_start_is_a_notice_and_start_can_be_pressed_again(window: MainWindow, feed: Any, make: Any) -> None:
    feed.go_online()
    feed.status_received.emit(make.status())
    window.header.start.click()
    error = SessionRunning("Session 3 runs already.")
    feed.request_failed.emit(RequestFailure("The session was not started", error, is_of_recording=True))
    assert window.notices.texts == ["The session was not started: Session 3 runs already."]
    assert window.header.start.isEnabled()
    feed.request_failed.emit(RequestFailure("The session was not started", error, is_of_recording=True))
    assert len(window.notices.texts) == 1
    window.menus["dismiss"].trigger()
    assert not window.notices.isVisible()


def test_a_typed_name_stays_until_a_session_has_it(window: MainWindow, feed: Any, make: Any) -> None:
    feed.go_online()
    feed.status_received.emit(make.status())
    QTest.keyClicks(window.header.name, "pump test")
    QTest.keyClick(window.header.name, Qt.Key_Return)
    feed.status_received.emit(make.status(make.session(running=True, name="another's")))
    error = SessionRunning("Session 3 runs already.")
    feed.request_failed.emit(RequestFailure("The session was not started", error, is_of_recording=True))
    feed.status_received.emit(make.status())
    assert window.header.name.text() == "pump test"
    QTest.keyClick(window.header.name, Qt.Key_Return)
    feed.status_received.emit(make.status(make.session(running=True, name="pump test")))
    assert window.header.name.text() == ""


def test_a_failed_download_does_not_end_the_waiting_for_a_start(window: MainWindow, feed: Any, make: Any) -> None:
    feed.go_online()
    feed.status_received.emit(make.status())
    window.header.start.click()
    feed.request_failed.emit(RequestFailure("Session 3 was not downloaded", OSError("no room"), 3))
    assert len(window.notices.texts) == 1
    assert not window.header.start.isEnabled()


def test_preview_is_labelled_as_not_recorded(window: MainWindow, feed: Any, make: Any, qtbot: QtBot) -> None:
    plot = window.live_page.plot
    feed.go_online()
    feed.status_received.emit(make.status())
    feed.sources_received.emit(0, (make.source(0),))
    feed.readings_received.emit(make.readings(make.source(0), 50))
    qtbot.waitUntil(lambda: plot.strip.badge.isVisible(), timeout=20_000)
    qtbot.waitUntil(lambda: len(plot.plot.strokes) > 0, timeout=20_000)
    assert "NOT RECORDED" in plot.strip.badge.text()
    session = make.session(running=True)
    feed.session_started.emit(session)
    feed.status_received.emit(make.status(session))
    feed.sources_received.emit(7, (make.source(0),))
    feed.readings_received.emit(make.readings(make.source(0), 30, session_id=7))
    qtbot.waitUntil(lambda: not plot.strip.badge.isVisible(), timeout=20_000)
    assert window.store.session_id == 7
    feed.session_stopped.emit(make.session())
    feed.status_received.emit(make.status())
    assert window.store.session_id == 0


def test_the_plot_is_drawn_only_when_something_changed(window: MainWindow, feed: Any, make: Any, qtbot: QtBot) -> None:
    window.live_page._frames.stop()
    feed.sources_received.emit(0, (make.source(0),))
    feed.readings_received.emit(make.readings(make.source(0), 50))
    window.live_page.refresh()
    plot = window.live_page.plot
    assert plot.draw()
    assert not plot.draw()
    feed.readings_received.emit(make.readings(make.source(0), 1, first=50))
    assert plot.draw()


def test_a_lost_connection_is_told_and_the_session_is_not_forgotten(window: MainWindow, feed: Any, make: Any) -> None:
    feed.go_online()
    feed.status_received.emit(make.status(make.session(running=True)))
    feed.connection_changed.emit(ConnectionState(Connection.WAITING, "http://x:1", "No answer."))
    assert window.header.state.text() == "Reconnecting…"
    assert "last seen recording" in window.header.detail.text()
    assert "No answer." in window.status_line.connection.text()
    assert not window.header.stop.isEnabled()
    feed.go_online()
    feed.status_received.emit(make.status(make.session(running=True)))
    assert window.header.state.text() == "Recording"


def test_notices_of_the_server_stay_until_dismissed(window: MainWindow, feed: Any) -> None:
    feed.notice_received.emit(Notice(severity="warning", text="sim1 is silent.", time=datetime.now(UTC), source="sim1"))
    feed.notice_received.emit(Notice(severity="error", text="Redis is away.", time=datetime.now(UTC)))
    assert window.notices.texts == ["Redis is away.", "sim1 is silent."]
    close = next(button for button in window.notices.findChildren(QPushButton) if button.text() == "Dismiss")
    close.click()
    assert len(window.notices.texts) == 1


def test_long_notices_do_not_make_the_window_higher(window: MainWindow, feed: Any, qtbot: QtBot) -> None:
    window.resize(1280, 800)
    feed.go_online()
    long = "Lost /dev/ttyUSB{}: the device was unplugged. It is opened again when it is back. " * 2
    for number in range(4):
        feed.notice_received.emit(Notice(severity="warning", text=long.format(number, number), time=datetime.now(UTC)))
    assert window.notices.isVisible()
    qtbot.wait(1)
    assert window.minimumSizeHint().height() <= 800
    assert window.height() == 800


def test_a_warning_of_a_board_that_is_back_is_a_note(window: MainWindow, feed: Any, make: Any) -> None:
    def show(state: str) -> str:
        status = make.status()
        board = status.boards[0].model_copy(update={"name": "sim1", "state": LinkState(state)})
        feed.status_received.emit(status.model_copy(update={"boards": (board,)}))
        (row,) = (row for row in window.notices.findChildren(QFrame) if row.property("severity"))
        return str(row.property("severity"))

    lost = Notice(severity="warning", text="sim1 was unplugged.", time=datetime.now(UTC), source="sim1")
    feed.go_online()
    feed.notice_received.emit(lost)
    assert show("recording") == "warning"
    assert show("away") == "warning"
    assert show("identifying") == "warning"
    assert show("recording") == "info"
    labels = [label.text() for label in window.notices.findChildren(QLabel)]
    assert any(", back " in text for text in labels)
    assert any(" It is back, at /dev/" in text for text in labels)
    feed.notice_received.emit(lost)
    assert show("recording") == "warning"


def test_a_command_goes_to_the_selected_board_and_its_answer_is_shown(window: MainWindow, feed: Any, make: Any) -> None:
    feed.go_online()
    feed.status_received.emit(make.status())
    page = window.boards_page
    page.table.selectRow(1)
    QTest.keyClicks(page.line, "0983")
    QTest.keyClick(page.line, Qt.Key_Return)
    assert feed.requests[-1] == ("command", "sim2", BoardCommand("0983"))
    feed.command_answered.emit("sim2", "0983", "0940")
    assert "0940" in page.answers.toPlainText()


def test_delete_names_the_session_and_says_from_where(window: MainWindow, feed: Any, make: Any) -> None:
    feed.sessions_listed.emit(SessionList((make.session(9, name="first"), make.session(8)), frozenset({9})))
    window.sessions_page.select(9)
    window.sessions_page.actions_by_name["delete"].trigger()
    box = open_dialog(window, QMessageBox)
    assert "first" in box.text()
    assert "gone for everyone" in box.informativeText()
    assert box.focusWidget() is box.button(QMessageBox.Cancel)
    press(box, "Cancel")
    assert feed.requests == []
    window.sessions_page.actions_by_name["delete"].trigger()
    press(open_dialog(window, QMessageBox), "copy here")
    assert feed.requests[-1] == ("delete here", 9)
    window.sessions_page.select(8)
    window.sessions_page.actions_by_name["delete"].trigger()
    press(open_dialog(window, QMessageBox), "on the server")
    assert feed.requests[-1] == ("delete", 8)


def test_a_running_session_cannot_be_deleted_or_downloaded(window: MainWindow, feed: Any, make: Any) -> None:
    feed.sessions_listed.emit(SessionList((make.session(9, running=True),)))
    actions = window.sessions_page.actions_by_name
    assert [name for name in actions if actions[name].isEnabled()] == ["rename", "details", "star"]


def test_a_download_can_be_cancelled_in_its_row(window: MainWindow, feed: Any, make: Any) -> None:
    feed.sessions_listed.emit(SessionList((make.session(9),)))
    actions = window.sessions_page.actions_by_name
    actions["download"].trigger()
    feed.download_progressed.emit(9, 10, 100)
    assert actions["cancel"].isVisible()
    assert not actions["download"].isVisible()
    actions["cancel"].trigger()
    assert feed.requests == [("download", 9), ("cancel", 9)]
    feed.download_cancelled.emit(9)
    assert not actions["cancel"].isVisible()


def test_rename_asks_for_name_and_notes(window: MainWindow, feed: Any, make: Any) -> None:
    feed.sessions_listed.emit(SessionList((make.session(9),)))
    window.sessions_page.actions_by_name["rename"].trigger()
    dialog = open_dialog(window, QDialog)
    dialog._name.setText("renamed")
    dialog.accept()
    assert feed.requests[-1] == ("rename", 9, "renamed", "")


def test_sessions_are_searched_and_the_selection_stays(window: MainWindow, feed: Any, make: Any) -> None:
    page = window.sessions_page
    feed.sessions_listed.emit(SessionList((make.session(9, name="pump"), make.session(8, name="leak"))))
    page.select(8)
    page.search.setText("LEA")
    assert page.proxy.rowCount() == 1
    page.search.clear()
    feed.sessions_listed.emit(SessionList((make.session(10), make.session(9), make.session(8, name="leak"))))
    assert page.selected is not None
    assert page.selected.id == 8


def test_theme_and_window_of_the_plot_are_remembered(window: MainWindow, feed: Any, make: Any) -> None:
    window.menus["theme_dark"].trigger()
    assert window.appearance.theme is DARK
    assert window.preferences.theme is ThemeChoice.DARK
    window.menus["theme_light"].trigger()
    assert window.appearance.theme is LIGHT
    window.menus["window_last_10"].trigger()
    assert window.preferences.plot_window is PlotWindow.LAST_10
    feed.sources_received.emit(0, (make.source(0),))
    feed.readings_received.emit(make.readings(make.source(0), 600))
    window.live_page.refresh()
    window.live_page.plot.draw()
    start, stop = window.live_page.shown_times
    assert stop - start == pytest.approx(0.9, rel=0.1)


def test_connecting_asks_for_an_address_and_remembers_it(window: MainWindow, feed: Any) -> None:
    window.menus["servers"].trigger()
    window.first.page.entry.setText("lab-pi")
    QTest.keyClick(window.first.page.entry, Qt.Key_Return)
    assert feed.requests[-1] == ("connect", "http://lab-pi:8999", "", "")
    assert window.preferences.servers == ("http://lab-pi:8999",)
    window.menus["disconnect"].trigger()
    assert feed.requests[-1] == ("disconnect",)


def test_of_two_jobs_the_last_is_shown_and_the_other_when_that_has_ended(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[str, int, int]] = []
    monkeypatch.setattr(window.status_line.activity, "show_work", lambda *work: shown.append(work))
    ends = [threading.Event(), threading.Event()]
    first = window.jobs.run("first", lambda *_: ends[0].wait(10))
    second = window.jobs.run("second", lambda *_: ends[1].wait(10))
    first.progressed.emit(1, 4)
    second.progressed.emit(2, 4)
    assert shown == [("first", 0, 0), ("second", 0, 0), ("second", 0, 0), ("second", 2, 4)]
    ends[1].set()
    qtbot.waitUntil(lambda: window.jobs.running == (first,), timeout=20_000)
    assert shown[4:] == [("first", 1, 4)]
    first.progressed.emit(3, 4)
    assert shown[5:] == [("first", 3, 4)]
    ends[0].set()
    qtbot.waitUntil(lambda: not window.jobs.running, timeout=20_000)
    assert not window.status_line.activity.isVisible()


def test_every_page_can_be_reached_by_keys(window: MainWindow) -> None:
    for name, page in (("boards", window.boards_page), ("sessions", window.sessions_page), ("live", window.live_page)):
        window.menus[name].trigger()
        assert window.tabs.currentWidget() is page
    keys = {action.shortcut().toString() for action in window.menus.values()}
    assert {"F5", "Shift+F5", "Ctrl+K", "Ctrl+1", "Ctrl+W"} <= keys
