"""New devices: offered, added by hand, listened to, named and accepted. The feed has no server."""

import math
from typing import Any

import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QMessageBox
from pytestqt.qtbot import QtBot

from blitz.data.access_records import WhoRecord
from blitz.data.format_proposal import FormatProposal
from blitz.data.records import FoundDevice, Role
from blitz.data.source_config import SourceConfig
from blitz.io.doctor import diagnose
from blitz.io.doctor_listening import Heard
from blitz.io.examining import propose
from blitz.ui.dialogs.add_device import AddDeviceDialog, DeviceKind
from blitz.ui.dialogs.new_device import NewDeviceDialog
from blitz.ui.feed import Connection, ConnectionState
from blitz.ui.main_window import MainWindow

PORT = "/dev/ttyUSB0"
CH340 = FoundDevice(port=PORT, maker="QinHeng CH340", usb_place="1-2", is_known_kind=True)


def heard(port: str = PORT) -> FormatProposal:
    sample = b"".join(b"%d,%.2f\r\n" % (500 + n, 23 + math.sin(n)) for n in range(60))
    return propose(port, Heard(9600, sample, 6.0, diagnose(sample, {}, 6.0)))


def shown(window: MainWindow, kind: type[Any]) -> Any:
    return next(dialog for dialog in window.findChildren(kind) if dialog.isVisible())


@pytest.fixture
def found(window: MainWindow, feed: Any, make: Any) -> MainWindow:
    feed.go_online()
    feed.status_received.emit(make.status(boards=0).model_copy(update={"found": (CH340,)}))
    return window


@pytest.fixture
def dialog(found: MainWindow) -> NewDeviceDialog:
    QTest.mouseClick(found.new_devices.offers.buttons[0], Qt.LeftButton)
    opened: NewDeviceDialog = shown(found, NewDeviceDialog)
    return opened


def test_a_device_that_the_server_found_is_offered_and_refused(found: MainWindow, feed: Any, make: Any) -> None:
    offers = found.new_devices.offers
    assert offers.isVisible()
    assert offers.words.text().startswith("New: QinHeng CH340 on USB 1-2. Listen? It may reset the device.")
    QTest.mouseClick(offers.buttons[1], Qt.LeftButton)
    assert feed.requests[-1] == ("ignore", PORT)
    feed.status_received.emit(make.status(boards=0))
    assert not offers.isVisible()


def test_who_may_not_configure_is_not_asked(found: MainWindow, feed: Any, make: Any) -> None:
    feed.identity_received.emit(WhoRecord(name="wall", role=Role.VIEWER))
    assert not found.new_devices.offers.isVisible()
    feed.identity_received.emit(WhoRecord(name="bench", role=Role.OPERATOR))
    assert found.new_devices.offers.isVisible()
    feed.connection_changed.emit(ConnectionState(Connection.WAITING, "http://x:1"))
    assert not found.new_devices.offers.isVisible()


def test_a_printing_device_is_named_and_accepted(dialog: NewDeviceDialog, feed: Any) -> None:
    assert feed.requests[-1] == ("examine", PORT, None)
    assert "Listening" in dialog.message.text
    assert not dialog.accept_button.isEnabled()
    feed.device_examined.emit("/dev/ttyACM7", heard("/dev/ttyACM7"), "")  # another's answer
    assert not dialog.accept_button.isEnabled()
    feed.device_examined.emit(PORT, heard(), "")
    assert dialog.verdict.text() == "Lines of text: 2 columns, comma, at 9600 baud. This is sure."
    assert dialog.badge.isVisible()
    assert dialog.lines.toPlainText().startswith("540,")
    assert len(dialog.plot.listDataItems()) == 2
    assert dialog.grid is not None
    name, unit = dialog.grid.field(0, "name"), dialog.grid.field(0, "unit")
    assert name is not None
    assert unit is not None
    QTest.keyClicks(name, "pressure")  # what stood there is selected
    QTest.keyClicks(unit, "kPa")
    assert dialog.grid._values[0].text() == "559 kPa"
    dialog.name.setText("pump")
    QTest.keyClick(dialog, Qt.Key_Return)
    kind, source = feed.requests[-1]
    assert kind == "add source"
    assert isinstance(source, SourceConfig)
    assert (source.name, source.link, source.serial.baud) == ("pump", PORT, 9600)
    assert source.definition is not None
    assert next((channel.name, channel.unit) for channel in source.definition.channels) == ("pressure", "kPa")
    assert not dialog.isVisible()


def test_many_channels_fit_on_the_screen(dialog: NewDeviceDialog, feed: Any) -> None:
    sample = b"".join(b",".join(b"%d" % (n * c) for c in range(40)) + b"\r\n" for n in range(60))
    feed.device_examined.emit(PORT, propose(PORT, Heard(9600, sample, 6.0, diagnose(sample, {}, 6.0))), "")
    assert dialog.grid is not None
    assert dialog.height() <= dialog.screen().availableSize().height()
    assert dialog.accept_button.isVisible()


def test_it_is_said_that_a_running_session_takes_it_up(found: MainWindow, feed: Any, make: Any) -> None:
    feed.status_received.emit(make.status(make.session(running=True), boards=0))
    dialog = found.new_devices.listen(PORT, "COM3")
    feed.device_examined.emit(PORT, heard(), "")
    assert dialog.note.isVisible()
    assert "is part of it" in dialog.note.text()


def test_what_the_server_refuses_is_not_lost(dialog: NewDeviceDialog, feed: Any) -> None:
    feed.device_examined.emit(PORT, heard(), "")
    dialog.name.setText("pump")
    dialog.accept_button.click()
    feed.source_answered.emit("pump", "There is a source 'pump' already.")
    assert dialog.isVisible()
    assert "There is a source 'pump' already." in dialog.message.text
    dialog.name.setText("pump-2")
    dialog.accept_button.click()
    assert feed.requests[-1][1].name == "pump-2"


def test_what_is_typed_wrong_is_said_where_it_is(dialog: NewDeviceDialog, feed: Any) -> None:
    feed.device_examined.emit(PORT, heard(), "")
    count = len(feed.requests)
    dialog.name.setText("a/b")
    dialog.accept_button.click()
    assert "needs a name" in dialog.message.text
    dialog.name.setText("pump")
    assert dialog.grid is not None
    field = dialog.grid.field(1, "name")
    assert field is not None
    field.selectAll()
    QTest.keyClick(field, Qt.Key_Delete)
    dialog.accept_button.click()
    assert "has no name" in dialog.message.text
    assert field.hasFocus()
    assert dialog.isVisible()
    assert len(feed.requests) == count


def test_a_port_that_cannot_be_opened_is_said_and_can_be_tried_again(dialog: NewDeviceDialog, feed: Any) -> None:
    feed.device_examined.emit(PORT, None, "Cannot open /dev/ttyUSB0: permission denied.")
    assert "permission denied" in dialog.message.text
    assert not dialog.accept_button.isEnabled()
    QTest.mouseClick(dialog.message.buttons[0], Qt.LeftButton)
    assert feed.requests[-1] == ("examine", PORT, None)
    assert "Listening" in dialog.message.text


def test_a_device_that_says_nothing_can_be_added_as_it_is(dialog: NewDeviceDialog, feed: Any) -> None:
    feed.device_examined.emit(PORT, propose(PORT, Heard(57600, b"", 0.0, diagnose(b""))), "")
    assert dialog.verdict.text() == "It said nothing, and did not answer."
    assert not dialog.plot.isVisible()
    assert dialog.accept_button.text() == "&Add it as it is"
    dialog.accept_button.click()
    source = feed.requests[-1][1]
    assert (source.name, source.definition) == ("ttyUSB0", None)


def test_not_right_adds_it_and_asks_for_its_definition(
    found: MainWindow, dialog: NewDeviceDialog, feed: Any, make: Any
) -> None:
    asked: list[str] = []
    found.boards_page.definition_requested.connect(asked.append)
    feed.device_examined.emit(PORT, heard(), "")
    dialog.name.setText("sim1")
    dialog.edit_button.click()
    assert feed.requests[-1][0] == "add source"
    assert asked == []
    feed.source_answered.emit("sim1", "")
    feed.status_received.emit(make.status(boards=1))
    assert asked == ["sim1"]


def test_what_comes_meanwhile_is_shown_and_what_is_typed_stays(
    dialog: NewDeviceDialog, feed: Any, qtbot: QtBot
) -> None:
    feed.device_examined.emit(PORT, heard(), "")
    assert dialog.grid is not None
    name = dialog.grid.field(0, "name")
    assert name is not None
    QTest.keyClicks(name, "pressure")
    qtbot.waitUntil(lambda: feed.requests[-1] == ("listen on", PORT, 9600), timeout=30_000)
    rows = ((700.0, 1.5), (701.0, 1.25))
    feed.device_examined.emit(PORT, heard().model_copy(update={"rows": rows, "lines": ("701,1.25",)}), "")
    assert dialog.lines.toPlainText() == "701,1.25"
    assert dialog.grid._values[0].text() == "701"
    assert name.text() == "pressure"
    feed.device_examined.emit(PORT, heard().model_copy(update={"rows": ((1.0,),)}), "")  # half a line, perhaps
    assert dialog.grid._values[0].text() == "701"
    feed.device_examined.emit(PORT, None, "The device is gone.")
    assert "It is not heard any more. The device is gone." in dialog.message.text
    assert dialog.accept_button.isEnabled()


def test_later_leaves_everything_as_it_is(dialog: NewDeviceDialog, feed: Any) -> None:
    feed.device_examined.emit(PORT, heard(), "")
    count = len(feed.requests)
    dialog.later.click()
    assert feed.requests[count:] == [("end examining", PORT)]


def test_a_port_that_the_server_sees_is_chosen_or_another_typed(found: MainWindow, feed: Any) -> None:
    found.boards_page.add.click()
    dialog = shown(found, AddDeviceDialog)
    assert dialog.device.link == PORT
    dialog.baud.setEditText("9600")
    dialog.port.setEditText("/dev/ttyS4")
    dialog.accept()
    assert feed.requests[-1] == ("examine", "/dev/ttyS4", 9600)
    assert shown(found, NewDeviceDialog).link == "/dev/ttyS4"


def test_an_address_on_the_network_and_a_recording_can_be_added(found: MainWindow, feed: Any) -> None:
    found.menus["add_device"].trigger()
    dialog = shown(found, AddDeviceDialog)
    dialog.kind.setCurrentIndex(1)
    dialog.accept()
    assert "Host and port" in dialog.wrong.text()
    dialog.place.setText("10.0.0.7:4001")
    dialog.accept()
    assert feed.requests[-1] == ("examine", "socket://10.0.0.7:4001", None)
    shown(found, NewDeviceDialog).reject()

    found.menus["add_device"].trigger()
    dialog = shown(found, AddDeviceDialog)
    dialog.kind.setCurrentIndex(2)
    assert dialog.accept_button.text() == "&Add"
    dialog.place.setText("/home/ada/run.jsonl")
    assert dialog.device.kind is DeviceKind.REPLAY
    dialog.accept()
    source = feed.requests[-1][1]
    assert (source.name, source.link, source.protocol) == ("run.jsonl", "replay:/home/ada/run.jsonl", "stream")
    feed.source_answered.emit("run.jsonl", "Cannot open the recording.")
    assert found.notices.texts == ["run.jsonl was not added: Cannot open the recording."]


def test_a_file_of_a_program_can_be_added(found: MainWindow, feed: Any) -> None:
    found.menus["add_device"].trigger()
    dialog = shown(found, AddDeviceDialog)
    dialog.kind.setCurrentIndex(dialog.kind.findData(DeviceKind.FILE))
    assert (dialog.accept_button.text(), dialog.baud.isEnabled()) == ("&Add", False)
    dialog.accept()
    assert "A file on the server" in dialog.wrong.text()
    dialog.place.setText("/home/ada/run.csv")
    dialog.accept()
    source = feed.requests[-1][1]
    assert (source.name, source.link) == ("run.csv", "csv:/home/ada/run.csv")
    feed.source_answered.emit("run.csv", "There is no file /home/ada/run.csv.")
    assert found.notices.texts == ["run.csv was not added: There is no file /home/ada/run.csv."]


def test_a_wrong_baud_rate_is_said(found: MainWindow) -> None:
    found.new_devices.ask()
    dialog = shown(found, AddDeviceDialog)
    dialog.baud.setEditText("fast")
    dialog.accept()
    assert "“fast” is no baud rate" in dialog.wrong.text()
    assert dialog.isVisible()


@pytest.mark.parametrize("answer", ["Add", "Cancel"])
def test_what_cannot_be_opened_now_is_added_for_later_if_the_operator_says_so(
    found: MainWindow, feed: Any, answer: str
) -> None:
    source = SourceConfig(name="pump", link="/dev/ttyUSB7")
    why = "Cannot open /dev/ttyUSB7: there is no such port. Plug the device in."
    reason = (
        f"The source 'pump' was not added: {why} If it is to be read as soon as it is there, add it for later: --later."
    )
    feed.source_unavailable.emit(source, reason)
    question = shown(found, QMessageBox)
    assert question.text() == "pump cannot be opened now. Add it all the same?"
    assert question.informativeText().startswith(f"{why}\n")
    button = next(one for one in question.buttons() if one.text().replace("&", "") == answer)
    QTest.mouseClick(button, Qt.LeftButton)
    if answer == "Add":
        assert feed.requests[-1] == ("add source", source, "later")
    else:
        assert not any(request[0] == "add source" for request in feed.requests)
        assert found.notices.texts == [f"pump was not added: {why}"]
