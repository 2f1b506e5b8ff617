"""Starting, watching and stopping sessions in a window whose feed has no server."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QMessageBox
from pytestqt.qtbot import QtBot

from blitz.data.access_records import WhoRecord
from blitz.data.boards import load_definitions
from blitz.data.records import (
    Account,
    LinkState,
    Notice,
    PlannedStart,
    Role,
    RoomRecord,
    RunWishes,
    SessionPlan,
)
from blitz.data.session_words import SessionWords
from blitz.errors import SessionRunning
from blitz.ui.checklist import Light
from blitz.ui.dialogs.closing import ClosingQuestion
from blitz.ui.dialogs.plan_change import PlanChangeDialog
from blitz.ui.dialogs.red_checks import RedChecksDialog
from blitz.ui.dialogs.start import StartDialog
from blitz.ui.dialogs.stop_question import StopQuestion
from blitz.ui.feed import Connection, ConnectionState, Feed, RequestFailure, SessionList
from blitz.ui.main_window import MainWindow
from blitz.ui.recording_words import Doing
from blitz.ui.sleep import SleepInhibitor
from blitz.ui.theme import DARK

WAIT_MS = 20_000


def visible(window: MainWindow, kind: type[Any]) -> Any:
    return next(dialog for dialog in window.findChildren(kind) if dialog.isVisible())


def none_visible(window: MainWindow, kind: type[Any]) -> bool:
    return not any(dialog.isVisible() for dialog in window.findChildren(kind))


def press(box: QMessageBox, words: str) -> None:
    QTest.mouseClick(next(button for button in box.buttons() if words in button.text()), Qt.LeftButton)


@pytest.fixture
def status(make: Any) -> Callable[..., Any]:
    """A status in which all is green, but for what is given."""
    definition = load_definitions()["08"]

    def of(session: Any = None, away: tuple[str, ...] = (), **more: Any) -> Any:
        boards = tuple(
            make.board(name, recording=session is not None).model_copy(
                update={"definition": definition, **({"state": LinkState.AWAY} if name in away else {})}
            )
            for name in ("sim1", "sim2")
        )
        room = RoomRecord(full_in_s=30 * 86_400)
        return make.status(session).model_copy(update={"boards": boards, "room": room, **more})

    return of


@pytest.fixture
def online(window: MainWindow, feed: Any, status: Callable[..., Any]) -> MainWindow:
    """A window on a server where all is ready, and Ada at it."""
    feed.go_online()
    feed.identity_received.emit(WhoRecord(name="ada@bench", role=Role.OPERATOR))
    feed.expected_told.emit(frozenset({"sim1", "sim2"}))
    feed.status_received.emit(status())
    return window


def test_when_all_is_green_one_click_starts(online: MainWindow, feed: Any) -> None:
    assert online.header.ready.light is Light.GREEN
    assert online.header.ready.text() == "2 of 2 ready"
    assert "All is ready" in online.header.ready.toolTip()
    online.header.start.click()
    assert feed.requests[-1][0] == "start"
    assert not online.header.start.isEnabled()


def test_what_is_red_is_asked_about_and_started_anyway(online: MainWindow, feed: Any, status: Any) -> None:
    feed.status_received.emit(status(away=("sim2",)))
    assert online.header.ready.light is Light.RED
    assert "sim2 is away" in online.header.ready.toolTip()
    online.header.name.setText("without two")
    QTest.keyClick(online, Qt.Key_F5)
    dialog = visible(online, RedChecksDialog)
    assert dialog.checks.texts == ("sim2 is away. Plug it in, or look at its power.",)
    assert dialog.cancel.hasFocus() or dialog.focusWidget() is dialog.cancel
    QTest.keyClick(dialog.cancel, Qt.Key_Return)
    assert feed.requests == []
    assert online.header.start.isEnabled()
    online.header.start.click()
    visible(online, RedChecksDialog).start.click()
    assert feed.requests == [("start", "without two", "")]


def test_the_question_follows_what_becomes_of_the_red(online: MainWindow, feed: Any, status: Any) -> None:
    feed.status_received.emit(status(away=("sim1", "sim2")))
    online.header.start.click()
    dialog = visible(online, RedChecksDialog)
    assert len(dialog.checks.texts) == 2
    feed.status_received.emit(status(away=("sim2",)))
    assert len(dialog.checks.texts) == 1
    feed.status_received.emit(status())
    assert dialog.start.text() == "&Start"
    dialog.boards.click()
    assert none_visible(online, RedChecksDialog)
    assert online.tabs.currentWidget() is online.boards_page
    assert feed.requests == []


def test_what_is_amber_is_shown_and_not_asked_about(online: MainWindow, feed: Any, status: Any) -> None:
    feed.status_received.emit(status(room=RoomRecord(full_in_s=7200)))
    assert online.header.ready.light is Light.AMBER
    online.header.start.click()
    assert feed.requests[-1][0] == "start"


def test_a_clock_that_was_set_a_short_while_ago_is_amber(online: MainWindow, feed: Any, status: Any) -> None:
    words = "The computer's clock was set forward by 3.000 s."
    feed.notice_received.emit(Notice(severity="warning", text=words, time=datetime.now(UTC)))
    feed.status_received.emit(status())
    assert online.header.ready.light is Light.AMBER
    assert words in online.header.ready.toolTip()
    feed.status_received.emit(status(now=datetime.now(UTC) + timedelta(hours=1)))
    assert words not in online.header.ready.toolTip()


def test_a_click_on_ready_opens_the_list_which_leads_to_the_boards(online: MainWindow) -> None:
    online.header.ready.click()
    view = online.header.ready.list_view
    assert view is not None
    assert view.isVisible()
    assert len(view.texts) == 5
    view.set_theme(DARK)
    online.header.ready._popover.boards.click()  # type: ignore[union-attr]
    assert not view.isVisible()
    assert online.tabs.currentWidget() is online.boards_page


def test_start_with_takes_words_tags_fields_and_a_timed_run(online: MainWindow, feed: Any) -> None:
    online.header.start_more.click()
    dialog = visible(online, StartDialog)
    dialog.name.setText("soak")
    dialog.tags.setText("warm-up, rig 2")
    dialog.notes.setPlainText("valve open")
    row = dialog.fields.add_row("sample")
    row.text.setText("brass")
    removed = dialog.fields.add_row("typo")
    removed.text.setText("x")
    removed.remove.click()
    dialog.timed.stops_after.setChecked(True)
    dialog.timed.repeats.setChecked(True)
    dialog.accept()
    assert "The run stops before a second session begins" in dialog.wrong.text()
    dialog.timed.duration.number.setValue(2)
    dialog.timed.duration.unit.setCurrentText("days")
    dialog.timed.stops_at.setChecked(True)
    dialog.timed.count.setValue(500)
    dialog.accept()
    words = SessionWords(tags=("warm-up", "rig 2"), fields={"sample": "brass"})
    run = RunWishes(duration_s=172_800, message_count=500, repeat_every_s=14_400)
    assert feed.requests == [("start", "soak", "valve open", words, run)]


def test_start_with_says_what_cannot_be(online: MainWindow, feed: Any) -> None:
    online.menus["start_notes"].trigger()
    dialog = visible(online, StartDialog)
    row = dialog.fields.add_row()
    row.text.setText("4")
    dialog.accept()
    assert "a field without a name" in dialog.wrong.text()
    row.name.setText("tags")
    dialog.accept()
    assert "is the name of something else" in dialog.wrong.text()
    row.name.setText("rig")
    dialog.fields.add_row("rig").text.setText("5")
    dialog.accept()
    assert "stands there twice" in dialog.wrong.text()
    dialog.reject()
    assert feed.requests == []


def test_what_was_typed_for_a_start_that_is_refused_is_there_again(
    online: MainWindow, feed: Any, make: Any, status: Any
) -> None:
    def fill_and_start() -> StartDialog:
        online.header.start_more.click()
        dialog: StartDialog = visible(online, StartDialog)
        return dialog

    dialog = fill_and_start()
    dialog.name.setText("soak")
    dialog.notes.setPlainText("valve open")
    dialog.timed.stops_after.setChecked(True)
    dialog.accept()
    error = SessionRunning("Session 3 runs already.")
    feed.request_failed.emit(RequestFailure("The session was not started", error, is_of_recording=True))
    dialog = fill_and_start()
    assert (dialog.wish.name, dialog.wish.notes, dialog.wish.run.duration_s) == ("soak", "valve open", 7200)
    dialog.accept()
    assert len(feed.requests) == 2
    feed.status_received.emit(status(make.session(running=True)))
    feed.status_received.emit(status())
    assert fill_and_start().wish.name == ""


def test_same_as_last_time_fills_in_what_the_last_session_had(online: MainWindow, feed: Any, make: Any) -> None:
    last = make.session(7, name="pump test 3").model_copy(update={"tags": ("rig 2",), "fields": {"sample": "brass"}})
    imported = make.session(-1, name="from a file")
    feed.sessions_listed.emit(SessionList((imported, last, make.session(6).model_copy(update={"tags": ("Cold",)}))))
    online.header.start_more.click()
    dialog = visible(online, StartDialog)
    dialog.same.click()
    wish = dialog.wish
    assert (wish.name, wish.words) == ("pump test 4", SessionWords(tags=("rig 2",), fields={"sample": "brass"}))
    completer = dialog.tags.completer()
    dialog.tags.setText("rig 2, co")
    completer.setCompletionPrefix("rig 2, co")
    assert completer.currentCompletion() == "rig 2, Cold"


def test_a_start_at_a_time_is_planned_shown_and_cancelled(online: MainWindow, feed: Any, status: Any) -> None:
    online.header.start_more.click()
    dialog = visible(online, StartDialog)
    dialog.timed.starts.setChecked(True)
    assert "Plan" in dialog.accept_button.text()
    dialog.timed.start_at.setDateTime(dialog.timed.start_at.dateTime().addDays(-1))
    dialog.accept()
    assert "is over" in dialog.wrong.text()
    dialog.timed.start_at.setDateTime(dialog.timed.start_at.dateTime().addDays(2))
    moment = dialog.timed.moment
    assert moment is not None
    assert moment.tzinfo is not None
    dialog.accept()
    assert feed.requests == [("plan", moment, "", "", None, None)]
    planned = PlannedStart(id=5, start_at=datetime.now(UTC) + timedelta(hours=2), name="night run")
    feed.status_received.emit(status(planned=(planned,)))
    assert "“night run” starts at" in online.header.detail.text()
    online.header.cancel_planned.click()
    assert feed.requests[-1] == ("cancel planned", 5)
    feed.status_received.emit(status())
    assert not online.header.cancel_planned.isVisible()


def test_what_is_left_of_a_timed_run_is_shown_and_changed(
    online: MainWindow, feed: Any, make: Any, status: Any
) -> None:
    now = datetime.now(UTC)
    session = make.session(running=True).model_copy(update={"started_at": now - timedelta(minutes=10)})
    feed.status_received.emit(status(session))
    assert not online.header.left.isVisible()
    plan = SessionPlan(ends_at=now + timedelta(minutes=30), duration_s=2400, repeat_every_s=60)
    feed.status_received.emit(status(session.model_copy(update={"plan": plan}), now=now))
    online.header.show_elapsed(now.timestamp())
    assert (online.header.left.caption, online.header.left.text) == ("Stops in", "30:00")
    assert online.header.progress.value() == 250
    online.header.change_plan.click()
    dialog = visible(online, PlanChangeDialog)
    assert dialog.changes == {}
    dialog.timed.duration.number.setValue(45)
    dialog.timed.repeats.setChecked(False)
    dialog.accept()
    assert feed.requests[-1] == ("change plan", 7, {"left_s": 2700.0, "repeat_every_s": None})


def test_ones_own_session_stops_at_once(online: MainWindow, feed: Any, make: Any, status: Any) -> None:
    own = make.session(running=True).model_copy(update={"owner": "ada@bench"})
    feed.status_received.emit(status(own))
    QTest.keyClick(online, Qt.Key_F5, Qt.ShiftModifier)
    assert feed.requests == [("stop", 7)]
    assert not online.header.stop.isEnabled()


def test_somebody_elses_session_is_stopped_only_after_a_question(
    online: MainWindow, feed: Any, make: Any, status: Any
) -> None:
    started = datetime.now(UTC) - timedelta(hours=2, minutes=10, seconds=20)
    other = make.session(running=True).model_copy(update={"owner": "grace@bench-pc", "started_at": started})
    feed.status_received.emit(status(other))
    assert "by grace on bench-pc" in online.header.detail.text()
    online.header.stop.click()
    question = visible(online, StopQuestion)
    assert question.text() == "Grace on bench-pc started this 2 h 10 min ago. Stop it for everybody?"
    assert question.focusWidget() is question.cancel
    press(question, "Cancel")
    assert feed.requests == []
    online.header.stop.click()
    press(visible(online, StopQuestion), "Stop it")
    assert feed.requests == [("stop", 7)]


def test_the_question_goes_when_the_session_has_ended_meanwhile(
    online: MainWindow, feed: Any, make: Any, status: Any
) -> None:
    other = make.session(running=True).model_copy(update={"owner": ""})
    feed.status_received.emit(status(other))
    online.header.stop.click()
    assert visible(online, StopQuestion).text().startswith("Somebody started this")
    feed.status_received.emit(status())
    assert none_visible(online, StopQuestion)
    assert feed.requests == []


def test_stop_says_what_holds_while_the_connection_is_lost(
    online: MainWindow, feed: Any, make: Any, status: Any
) -> None:
    feed.status_received.emit(status(make.session(running=True)))
    feed.connection_changed.emit(ConnectionState(Connection.WAITING, "http://127.0.0.1:8999"))
    assert online.header.light.doing is Doing.CONNECTING
    assert not online.header.stop.isEnabled()
    assert "the server goes on recording" in online.header.stop.toolTip()
    online.menus["stop"].trigger()
    assert "the server goes on recording" in visible(online, QMessageBox).text()
    visible(online, QMessageBox).reject()
    assert feed.requests == []
    feed.go_online()
    feed.status_received.emit(status(make.session(running=True)))
    assert "Shift+F5" in online.header.stop.toolTip()


def test_long_names_and_losses_do_not_widen_the_window(
    online: MainWindow, feed: Any, make: Any, status: Any, qtbot: QtBot
) -> None:
    online.resize(1280, 800)
    accounts = (Account(source=0, name="sim1", lost=123, gaps=1, recovered=2), Account(source=1, name="sim2", gaps=3))
    session = make.session(running=True, name="a long name " * 16, count=12_345_678)
    session = session.model_copy(update={
        "accounts": accounts, "owner": "somebody.with.a.long.name@a-machine",
        "plan": SessionPlan(ends_at=datetime.now(UTC) + timedelta(hours=9)),
    })  # fmt: skip
    feed.status_received.emit(status(session))
    qtbot.waitUntil(lambda: online.header.left.isVisible(), timeout=WAIT_MS)
    assert online.minimumSizeHint().width() <= 1280
    assert online.header.minimumSizeHint().width() <= 1280
    assert "4 gaps, about 123 lost, 2 recovered" in online.header.losses.text
    assert "sim1: 1 gap" in online.header.losses._text.toolTip()
    assert session.name in online.header.detail.toolTip()


def test_the_status_line_counts_tries_while_the_server_is_away(window: MainWindow, feed: Any) -> None:
    line = window.status_line
    feed.connection_changed.emit(ConnectionState(Connection.WAITING, "http://lab-pi:8999"))
    line.show_next_try(104.0, 100.0)
    assert line.connection.text() == "Reconnecting, try 2 in 4 s · lab-pi:8999"
    line.show_next_try(104.0, 103.5)
    assert line.connection.text().startswith("Reconnecting, try 2 in 1 s")
    line.show_next_try(None, 104.0)
    assert line.connection.text().startswith("Reconnecting, try 2 now")
    line.show_next_try(112.0, 104.5)
    assert line.connection.text().startswith("Reconnecting, try 3 in 8 s")
    feed.go_online()
    assert line.connection.text() == "Connected · 127.0.0.1:8999"


def test_closing_while_recording_says_that_recording_goes_on(
    window: MainWindow, feed: Any, make: Any, status: Any
) -> None:
    feed.go_online()
    feed.status_received.emit(status(make.session(running=True)))
    assert not window.close()
    question = visible(window, ClosingQuestion)
    assert question.text() == "Recording goes on on the server."
    assert question.stop is None
    press(question, "Cancel")
    assert window.isVisible()
    assert ("close",) not in feed.requests
    assert not window.close()
    press(visible(window, ClosingQuestion), "Close")
    assert not window.isVisible()
    assert feed.requests == [("close",)]


def test_closing_the_demonstration_says_that_its_session_is_stopped(
    window: MainWindow, feed: Any, make: Any, status: Any
) -> None:
    window.closing.ends_with_window = "http://127.0.0.1:8999"
    feed.go_online()
    feed.status_received.emit(status(make.session(running=True)))
    assert not window.close()
    question = visible(window, ClosingQuestion)
    assert question.text() == "The demonstration ends with this window."
    assert question.informativeText().startswith("“warm-up” is stopped, and kept")
    press(question, "Cancel")
    feed.connection_changed.emit(ConnectionState(Connection.ONLINE, "http://lab-pi:8999"))
    feed.status_received.emit(status(make.session(running=True)))
    assert not window.close()
    question = visible(window, ClosingQuestion)
    assert question.text() == "Recording goes on on the server."
    press(question, "Cancel")


def test_a_server_of_ones_own_goes_on_or_is_stopped_before_the_window_closes(
    window: MainWindow, feed: Any, make: Any, status: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window.closing, "_owns", lambda address: address == "http://127.0.0.1:8999")
    feed.go_online()
    feed.status_received.emit(status(make.session(running=True)))
    assert not window.close()
    question = visible(window, ClosingQuestion)
    assert question.defaultButton() is question.leave
    press(question, "Stop the session")
    assert feed.requests == [("stop", 7)]
    error = SessionRunning("Not now.")
    feed.request_failed.emit(RequestFailure("The session was not stopped", error, is_of_recording=True))
    feed.status_received.emit(status())
    assert window.isVisible()
    feed.status_received.emit(status(make.session(running=True)))
    assert not window.close()
    press(visible(window, ClosingQuestion), "Stop the session")
    feed.status_received.emit(status())
    assert not window.isVisible()


@pytest.mark.parametrize("connection", [Connection.WAITING, Connection.CONNECTING, Connection.OFFLINE])
def test_closing_without_a_connection_says_that_recording_probably_goes_on(
    window: MainWindow, feed: Any, make: Any, status: Any, connection: Connection
) -> None:
    feed.go_online()
    feed.status_received.emit(status(make.session(running=True)))
    feed.connection_changed.emit(ConnectionState(connection, "http://127.0.0.1:8999"))
    assert not window.close()
    question = visible(window, ClosingQuestion)
    assert question.text() == "Recording probably goes on on the server."
    assert "“warm-up” was recording when the connection ended" in question.informativeText()
    press(question, "Cancel")


def test_another_servers_session_is_no_question_on_closing(
    window: MainWindow, feed: Any, make: Any, status: Any
) -> None:
    feed.go_online()
    feed.status_received.emit(status(make.session(running=True)))
    feed.connection_changed.emit(ConnectionState(Connection.CONNECTING, "http://lab-pi:8999"))
    assert window.header.session is None
    assert window.close()


class Wakefulness:
    """Counts who keeps the computer awake."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.count = 0
        self.times = 0
        self.error: Exception | None = None

    @contextmanager
    def __call__(self) -> Iterator[None]:
        if self.error is not None:
            self.times += 1
            raise self.error
        with self.changed:
            self.count += 1
            self.times += 1
        yield
        with self.changed:
            self.count -= 1


@pytest.fixture
def wakefulness() -> Wakefulness:
    return Wakefulness()


@pytest.fixture
def inhibitor(feed: Feed, wakefulness: Wakefulness) -> Iterator[SleepInhibitor]:
    inhibitor = SleepInhibitor(feed, wakefulness)
    yield inhibitor
    inhibitor.close()


def test_the_computer_stays_awake_while_the_server_on_it_records(
    feed: Any, make: Any, inhibitor: SleepInhibitor, wakefulness: Wakefulness, qtbot: QtBot
) -> None:
    feed.go_online()
    feed.status_received.emit(make.status())
    assert inhibitor._thread is None
    feed.status_received.emit(make.status(make.session(running=True)))
    qtbot.waitUntil(lambda: wakefulness.count == 1, timeout=WAIT_MS)
    feed.connection_changed.emit(ConnectionState(Connection.WAITING, "http://127.0.0.1:8999"))
    assert inhibitor.is_wanted
    feed.status_received.emit(make.status())
    qtbot.waitUntil(lambda: wakefulness.count == 0, timeout=WAIT_MS)
    feed.status_received.emit(make.status(make.session(running=True)))
    qtbot.waitUntil(lambda: wakefulness.times == 2, timeout=WAIT_MS)
    inhibitor.close()
    assert wakefulness.count == 0


def test_a_server_elsewhere_lets_this_computer_sleep(feed: Any, make: Any, inhibitor: SleepInhibitor) -> None:
    feed.connection_changed.emit(ConnectionState(Connection.ONLINE, "https://lab-pi:8999"))
    feed.status_received.emit(make.status(make.session(running=True)))
    assert not inhibitor.is_wanted
    assert inhibitor._thread is None


def test_a_computer_that_cannot_be_kept_awake_is_noted_and_tried_again(
    feed: Any, make: Any, inhibitor: SleepInhibitor, wakefulness: Wakefulness, qtbot: QtBot, caplog: Any
) -> None:
    wakefulness.error = OSError("no such service")
    feed.go_online()
    feed.status_received.emit(make.status(make.session(running=True)))
    qtbot.waitUntil(lambda: "may go to sleep" in caplog.text, timeout=WAIT_MS)
    feed.status_received.emit(make.status())
    wakefulness.error = None
    feed.status_received.emit(make.status(make.session(running=True)))
    qtbot.waitUntil(lambda: wakefulness.count == 1, timeout=WAIT_MS)
