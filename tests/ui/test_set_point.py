"""A motor's set point: sent when the operator rests, never twice the same, never by itself; what is acknowledged."""

from typing import Any

import pytest
from PyQt5.QtCore import QPoint, QPointF, Qt
from PyQt5.QtGui import QWheelEvent
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from blitz.data.board_definition import BoardDefinition, Command, load_definitions
from blitz.data.records import BoardRecord, TimelineEntry
from blitz.ui.feed import BoardCommand, CommandOutcome, Connection, ConnectionState
from blitz.ui.main_window import MainWindow
from blitz.ui.set_point import SetPoint
from blitz.ui.widgets.parameter_control import ParameterControl

MOTOR = load_definitions()["09"]


def motor(definition: BoardDefinition = MOTOR, **fields: Any) -> BoardRecord:
    return BoardRecord.model_validate(
        {"name": "sim2", "link": "/dev/pts/2", "baud": 57600, "state": "ready", "board_id": "09", "format": "blitz",
         "definition": definition, **fields}
    )  # fmt: skip


@pytest.fixture
def show(window: MainWindow, feed: Any, make: Any) -> Any:
    """Shows boards as the server's status tells them."""
    feed.go_online()

    def show(*boards: BoardRecord) -> None:
        feed.status_received.emit(make.status().model_copy(update={"boards": boards}))

    window.menus["boards"].trigger()
    show(motor())
    return show


def control(window: MainWindow) -> ParameterControl:
    (found,) = window.boards_page.commands.controls
    return found


def sent(feed: Any) -> list[float]:
    return [request[2].value for request in feed.requests if request[0] == "command"]


def answer(feed: Any, value: float, text: str = "0940", *, has_failed: bool = False) -> None:
    feed.command_settled.emit(CommandOutcome("sim2", BoardCommand(command="Set point", value=value), text, has_failed))


def test_nothing_is_known_and_nothing_is_sent_at_start(window: MainWindow, feed: Any, show: Any) -> None:
    turned = control(window)
    assert turned.words.text() == "not known: not set from here yet"
    assert turned.number is not None
    assert turned.number.text() == "–"
    assert sent(feed) == []


def test_ten_quick_changes_send_one_command(window: MainWindow, feed: Any, show: Any, qtbot: QtBot) -> None:
    turned = control(window)
    assert turned.slider is not None
    for value in range(16, 26):
        turned.slider.setValue(value)
    assert turned.words.text() == "turned to 25 deg, not sent yet"
    assert sent(feed) == []
    qtbot.waitUntil(lambda: bool(sent(feed)), timeout=20_000)
    assert feed.requests[-1] == ("command", "sim2", BoardCommand(command="Set point", value=25))
    assert turned.words.text() == "sending 25 deg …"
    answer(feed, 25)
    assert turned.words.text() == "set 25 deg, acknowledged"
    turned.slider.setValue(30)
    turned.slider.setValue(25)
    turned._rest.timeout.emit()
    assert sent(feed) == [25]


def test_a_held_slider_sends_when_it_is_let_go(window: MainWindow, feed: Any, show: Any) -> None:
    turned = control(window)
    assert turned.slider is not None
    turned.slider.setSliderDown(True)
    turned.slider.setSliderPosition(12)
    turned._rest.timeout.emit()
    assert sent(feed) == []
    turned.slider.setSliderDown(False)
    assert sent(feed) == [12]


def test_a_value_is_typed_and_out_of_range_cannot_be(window: MainWindow, feed: Any, show: Any, qtbot: QtBot) -> None:
    turned = control(window)
    assert turned.number is not None
    turned.number.setFocus()
    turned.number.selectAll()
    QTest.keyClicks(turned.number, "20")
    assert sent(feed) == []
    QTest.keyClick(turned.number, Qt.Key_Return)
    qtbot.waitUntil(lambda: sent(feed) == [20], timeout=20_000)
    answer(feed, 20)
    assert turned.slider is not None
    assert turned.slider.value() == 20
    turned.number.setValue(41)
    assert turned.number.value() == 40


def test_what_is_turned_while_an_answer_is_awaited_goes_behind_it(window: MainWindow, feed: Any, show: Any) -> None:
    turned = control(window)
    assert turned.slider is not None
    for value in (10, 20, 30):
        turned.slider.setValue(value)
        turned._rest.timeout.emit()
    turned._rest.stop()
    assert sent(feed) == [10]
    answer(feed, 10)
    assert sent(feed) == [10, 30]
    answer(feed, 30)
    assert sent(feed) == [10, 30]


def test_no_answer_says_what_it_still_is_and_can_be_sent_again(window: MainWindow, feed: Any, show: Any) -> None:
    turned = control(window)
    assert turned.slider is not None
    turned.slider.setValue(20)
    turned._rest.timeout.emit()
    answer(feed, 20)
    turned.slider.setValue(25)
    turned._rest.timeout.emit()
    answer(feed, 25, "The device does not answer within 2 seconds.", has_failed=True)
    assert turned.words.text() == "not acknowledged: still 20 deg"
    assert "does not answer" in turned.words.toolTip()
    assert sent(feed) == [20, 25]
    show(motor())
    assert turned.slider.value() == 25
    turned.again.click()
    assert sent(feed) == [20, 25, 25]
    answer(feed, 25)
    assert turned.words.text() == "set 25 deg, acknowledged"
    assert not turned.again.isVisible()


def test_what_was_turned_before_another_board_was_looked_at_is_not_sent(
    window: MainWindow, feed: Any, show: Any, make: Any
) -> None:
    show(motor(), make.board("sim1"))
    window.boards_page.select("sim2")
    turned = control(window)
    assert turned.slider is not None
    for value in (10, 20):
        turned.slider.setValue(value)
        turned._rest.timeout.emit()
    window.boards_page.select("sim1")
    answer(feed, 10)
    window.boards_page.select("sim2")
    assert control(window).words.text() == "set 10 deg, acknowledged"
    assert sent(feed) == [10]


def test_nothing_is_sent_on_reconnecting_or_to_a_board_that_is_back(
    window: MainWindow, feed: Any, show: Any, qtbot: QtBot
) -> None:
    turned = control(window)
    assert turned.slider is not None
    turned.slider.setValue(20)
    turned._rest.timeout.emit()
    answer(feed, 20)
    turned.slider.setValue(33)
    feed.connection_changed.emit(ConnectionState(Connection.WAITING, "http://127.0.0.1:8999"))
    assert not turned._rest.isActive()
    feed.go_online()
    show(motor())
    turned = control(window)
    assert turned.words.text() == "set 20 deg, acknowledged"
    assert turned.slider is not None
    assert turned.slider.value() == 20
    turned.slider.setValue(31)
    show(motor(state="away"))
    assert not turned.isEnabled()
    assert turned.slider.value() == 20
    show(motor())
    assert not turned._rest.isActive()
    assert sent(feed) == [20]


def test_what_is_set_at_another_window_is_shown(window: MainWindow, feed: Any, show: Any) -> None:
    turned = control(window)

    def tell(sent: str, **fields: Any) -> None:
        entry = {
            "kind": "command",
            "time_ns": 1,
            "source": "sim2",
            "text": "",
            "sent": sent,
            "answer": "0940",
            **fields,
        }
        feed.timeline_received.emit(0, TimelineEntry.model_validate(entry))

    tell("098500000000001E00000000000", source="sim1")
    tell("098500000000001E00000000000", error="It does not answer.", answer=None)
    tell("0981")
    assert turned.words.text() == "not known: not set from here yet"
    tell("098500000000001E00000000000")
    assert turned.words.text() == "set 30 deg, acknowledged"
    assert turned.slider is not None
    assert turned.slider.value() == 30
    assert sent(feed) == []


def test_the_wheel_does_not_turn_a_motor(window: MainWindow, feed: Any, show: Any) -> None:
    turned = control(window)
    for part in (turned.slider, turned.number):
        assert part is not None
        before = part.value()
        wheel = QWheelEvent(
            QPointF(5, 5), QPointF(part.mapToGlobal(QPoint(5, 5))), QPoint(), QPoint(0, 120), Qt.NoButton,
            Qt.NoModifier, Qt.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(part, wheel)
        assert part.value() == before


def test_a_light_is_a_switch(window: MainWindow, feed: Any, show: Any) -> None:
    light = Command.model_validate(
        {"name": "Light", "send": "l{value}", "answer": "ok", "parameter": {"min": 0, "max": 1}}
    )
    show(motor(MOTOR.model_copy(update={"commands": (light,)})))
    turned = control(window)
    assert turned.switch is not None
    off, on = turned.switch
    assert not off.isChecked()
    assert not on.isChecked()
    on.click()
    assert feed.requests[-1] == ("command", "sim2", BoardCommand(command="Light", value=1))
    on.click()
    assert len(sent(feed)) == 1
    feed.command_settled.emit(CommandOutcome("sim2", BoardCommand(command="Light", value=1), "ok"))
    assert turned.words.text() == "set on, acknowledged"


def test_a_device_that_acknowledges_nothing_is_told_so() -> None:
    point = SetPoint()
    point.turn(3)
    assert point.rest() == 3
    point.take(has_failed=False, is_answered=False)
    assert point.words == "set 3; the board does not acknowledge"
    point.turn(4)
    assert point.rest() == 4
    point.forget_wish()
    assert point.words == "not acknowledged: still 3"
