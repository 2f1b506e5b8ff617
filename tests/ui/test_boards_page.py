"""The window's boards: naming channels, commands, ports, accounts, bad frames."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QInputDialog, QLineEdit, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from blitz.data.board_definition import BoardDefinition
from blitz.data.records import Account, BadFrameRecord, BoardRecord, LinkState, Source, StatusRecord
from blitz.ui.dialogs.bad_frames import CONTENT, REASON, BadFramesDialog
from blitz.ui.dialogs.channels import ChannelsDialog, Sample
from blitz.ui.feed import BoardCommand
from blitz.ui.main_window import MainWindow
from blitz.ui.models.boards import FORMAT

PRINTED = BoardDefinition.model_validate(
    {
        "id": "printed",
        "name": "Printed",
        "format": "columns",
        "channels": [{"name": f"column_{n + 1}", "column": n} for n in range(3)],
        "commands": [{"name": "TARE", "send": "t"}, {"name": "HEAT", "send": "h", "is_actuator": True}],
    }
)
SOURCE = Source(index=0, name="ttyUSB0", link="/dev/ttyUSB0", definition=PRINTED)


def printing(**fields: Any) -> BoardRecord:
    return BoardRecord.model_validate(
        {
            "name": "ttyUSB0",
            "link": "/dev/ttyUSB0",
            "baud": 115200,
            "state": "ready",
            "format": "columns",
            "is_guessed": True,
            "definition": PRINTED,
            **fields,
        }
    )


def with_boards(status: StatusRecord, *boards: BoardRecord) -> StatusRecord:
    return status.model_copy(update={"boards": boards})


def visible(window: MainWindow, kind: type[Any]) -> Any:
    return next(widget for widget in window.findChildren(kind) if widget.isVisible())


def type_over(field: QLineEdit, text: str) -> None:
    field.selectAll()
    QTest.keyClicks(field, text)


@pytest.fixture
def printed(window: MainWindow, feed: Any, make: Any) -> MainWindow:
    """The window while a device prints three columns."""
    feed.go_online()
    feed.status_received.emit(with_boards(make.status(), printing()))
    feed.sources_received.emit(0, (SOURCE,))
    readings = make.readings(SOURCE, 5)
    feed.readings_received.emit(readings)
    return window


def test_a_device_that_prints_is_named_by_keys_alone(printed: MainWindow, feed: Any, make: Any, qtbot: QtBot) -> None:
    offers = printed.live_page.offers
    assert offers.isVisible()
    assert offers.words.text().startswith("ttyUSB0 prints 3 columns")
    offers.buttons[0].click()
    dialog = visible(printed, ChannelsDialog)
    qtbot.waitUntil(lambda: dialog.grid.field(0, "name").hasFocus(), timeout=20_000)
    for row, name in enumerate(("pressure", "temperature", "flow")):
        field = dialog.grid.field(row, "name")
        assert field.hasFocus()
        QTest.keyClicks(field, name)
        QTest.keyClick(field, Qt.Key_Tab)
    QTest.keyClicks(dialog.grid.field(0, "unit"), "kPa")
    QTest.keyClick(dialog.grid.field(0, "unit"), Qt.Key_Return)
    assert not dialog.isVisible()
    asked, board, definition = feed.requests[-1]
    assert (asked, board) == ("define", "ttyUSB0")
    assert [channel.name for channel in definition.channels] == ["pressure", "temperature", "flow"]
    assert definition.channels[0].unit == "kPa"
    feed.sources_received.emit(0, (SOURCE, SOURCE.model_copy(update={"index": 1, "definition": definition})))
    feed.status_received.emit(with_boards(make.status(), printing(is_guessed=False, definition=definition)))
    printed.live_page.refresh()
    variables = printed.live_page.variables
    assert [variables.index(row, 0).data() for row in range(3)] == ["pressure", "temperature", "flow"]
    assert variables.index(0, 1).data() == "40"
    assert not offers.isVisible()


def test_names_that_the_server_refuses_are_not_lost(printed: MainWindow, feed: Any, qtbot: QtBot) -> None:
    printed.live_page.offers.buttons[0].click()
    dialog = visible(printed, ChannelsDialog)
    QTest.keyClicks(dialog.grid.field(0, "name"), "pressure")
    dialog.accept()
    assert not dialog.isVisible()
    feed.definition_answered.emit("ttyUSB1", "That was another board.")
    assert not dialog.isVisible()
    feed.definition_answered.emit("ttyUSB0", "Cannot reach the server.")
    assert dialog.isVisible()
    assert dialog.problem.text() == "Not saved. Cannot reach the server."
    assert dialog.grid.field(0, "name").text() == "pressure"
    dialog.accept()
    assert [request[0] for request in feed.requests] == ["define", "define"]
    with qtbot.waitSignal(dialog.destroyed, timeout=20_000):
        feed.definition_answered.emit("ttyUSB0", "")


def test_names_that_another_operator_gave_meanwhile_are_not_replaced_unasked(
    printed: MainWindow, feed: Any, make: Any
) -> None:
    printed.live_page.offers.buttons[0].click()
    dialog = visible(printed, ChannelsDialog)
    QTest.keyClicks(dialog.grid.field(0, "name"), "pressure")
    theirs = printing().definition.model_copy(update={"name": "Pump"})
    feed.status_received.emit(with_boards(make.status(), printing(is_guessed=False, definition=theirs)))
    dialog.accept()
    assert dialog.isVisible()
    assert dialog.problem.text().startswith("The channels were changed meanwhile, to: column_1, column_2, column_3.")
    assert feed.requests == []
    dialog.accept()
    assert feed.requests[-1][2].channels[0].name == "pressure"


def test_an_offer_that_was_declined_does_not_come_again(printed: MainWindow, feed: Any, make: Any) -> None:
    offers = printed.live_page.offers
    next(button for button in offers.buttons if button.text() == "Not now").click()
    assert not offers.isVisible()
    feed.status_received.emit(with_boards(make.status(), printing()))
    assert not offers.isVisible()
    feed.status_received.emit(with_boards(make.status(), printing(name="ttyUSB1")))
    assert offers.isVisible()


def test_the_dialog_shows_what_is_sent_and_what_it_means_as_typed(printed: MainWindow, qtbot: QtBot) -> None:
    printed.menus["boards"].trigger()
    printed.boards_page.channels.click()
    dialog = visible(printed, ChannelsDialog)
    assert (dialog.grid._sent[1].text(), dialog.grid._values[1].text()) == ("41", "41")
    type_over(dialog.grid.field(1, "zero"), "1")
    type_over(dialog.grid.field(1, "scale"), "0.5")
    QTest.keyClicks(dialog.grid.field(1, "unit"), "g")
    assert (dialog.grid._sent[1].text(), dialog.grid._values[1].text()) == ("41", "20.0 g")
    type_over(dialog.grid.field(1, "scale"), "x")
    assert dialog.grid._values[1].text() == "–"
    dialog.reset()
    assert dialog.grid._values[1].text() == "41"
    dialog.reject()


def test_zero_and_scale_of_a_calibrated_channel_cannot_be_typed(printed: MainWindow, qtbot: QtBot) -> None:
    channel = PRINTED.channels[0].model_copy(update={"table": ((0.0, 0.0), (10.0, 5.0)), "unit": "g"})
    definition = PRINTED.model_copy(update={"channels": (channel,)})
    dialog = ChannelsDialog("scale", definition, lambda: Sample(definition, np.array([4.5])), parent=printed)
    dialog.open()
    assert not dialog.grid.field(0, "scale").isEnabled()
    assert (dialog.grid._sent[0].text(), dialog.grid._values[0].text()) == ("–", "4.500 g")
    type_over(dialog.grid.field(0, "name"), "weight")
    assert dialog.definition.channels[0].table == channel.table
    dialog.reject()


def test_what_is_wrong_is_said_where_it_is_and_nothing_is_sent(printed: MainWindow, feed: Any, qtbot: QtBot) -> None:
    printed.board_actions.name_channels("ttyUSB0")
    dialog = visible(printed, ChannelsDialog)
    type_over(dialog.grid.field(2, "name"), "column_1")
    dialog.accept()
    assert dialog.isVisible()
    assert dialog.problem.text() == "Channels 1 and 3 are both called column_1."
    qtbot.waitUntil(lambda: dialog.grid.field(2, "name").hasFocus(), timeout=20_000)
    type_over(dialog.grid.field(2, "name"), "flow")
    assert dialog.problem.isHidden()
    dialog.more.click()
    assert "channel 3, flow" in dialog.details._title.text()
    type_over(dialog.details.field("decimals"), "99")
    dialog.more.click()
    dialog.accept()
    assert "decimals" in dialog.problem.text()
    assert dialog.details.isVisible()
    type_over(dialog.details.field("decimals"), "2")
    dialog.details.shown.click()
    dialog.accept()
    channel = feed.requests[-1][2].channels[2]
    assert (channel.name, channel.decimals, channel.shown) == ("flow", 2, False)


def test_cancel_changes_nothing(printed: MainWindow, feed: Any) -> None:
    printed.menus["boards"].trigger()
    QTest.keyClick(printed.boards_page.table, Qt.Key_Return)
    dialog = visible(printed, ChannelsDialog)
    type_over(dialog.grid.field(0, "name"), "pressure")
    QTest.keyClick(dialog, Qt.Key_Escape)
    assert not dialog.isVisible()
    assert feed.requests == []


def press(window: MainWindow, words: str) -> None:
    box = visible(window, QMessageBox)
    QTest.mouseClick(next(button for button in box.buttons() if words in button.text()), Qt.LeftButton)


def test_a_command_is_sent_at_once_and_an_actuators_only_after_a_question(printed: MainWindow, feed: Any) -> None:
    printed.menus["boards"].trigger()
    tare, heat = printed.boards_page.commands.buttons
    tare.click()
    assert feed.requests == [("command", "ttyUSB0", BoardCommand(command="TARE"))]
    heat.click()
    box = visible(printed, QMessageBox)
    assert box.text() == "Moves or heats something. Send?"
    assert box.focusWidget() is box.button(QMessageBox.Cancel)
    press(printed, "Cancel")
    assert len(feed.requests) == 1
    heat.click()
    press(printed, "Send")
    assert feed.requests[-1] == ("command", "ttyUSB0", BoardCommand(command="HEAT"))
    feed.command_answered.emit("ttyUSB0", "HEAT", "sent")
    assert printed.boards_page.answers.toPlainText().endswith("  ttyUSB0  HEAT  →  sent")


def test_a_line_goes_with_the_ending_chosen_or_as_hex(printed: MainWindow, feed: Any) -> None:
    printed.menus["boards"].trigger()
    panel = printed.boards_page.commands
    panel.ending.setCurrentText("CR LF")
    QTest.keyClicks(panel.line, "rate 5")
    QTest.keyClick(panel.line, Qt.Key_Return)
    assert feed.requests[-1] == ("command", "ttyUSB0", BoardCommand("rate 5", ending="\r\n"))
    panel.hexadecimal.click()
    assert not panel.ending.isEnabled()
    panel.send.click()
    assert feed.requests[-1][2].is_hex


def test_a_red_source_is_selected_with_its_cause_and_buttons(window: MainWindow, feed: Any, make: Any) -> None:
    feed.go_online()
    window.menus["boards"].trigger()
    error = "Lost /dev/ttyUSB0: no such device"
    feed.status_received.emit(with_boards(make.status(), make.board("sim1"), printing(state="away", error=error)))
    page = window.boards_page
    assert page.selected_board == "ttyUSB0"
    assert page.cause.property("severity") == "error"
    assert page.cause.words.text().startswith(f"Away: {error}. Plug it in")
    (retry,) = page.cause.buttons.values()
    retry.click()
    assert feed.requests == [("look",)]
    page.table.selectRow(0)
    assert page.cause.words.text() == "It delivers. Faults: none."
    assert page.cause.buttons == {}
    page.look.click()
    assert feed.requests == [("look",), ("look",)]


def test_the_page_opens_on_what_went_wrong_meanwhile(window: MainWindow, feed: Any, make: Any) -> None:
    feed.go_online()
    page = window.boards_page

    def show(**fields: Any) -> None:
        boards = (make.board("sim1"), make.board("sim2"), printing(**fields))
        feed.status_received.emit(with_boards(make.status(), *boards))

    show()
    window.menus["boards"].trigger()
    page.select("sim2")
    window.menus["live"].trigger()
    show(state="silent")
    assert page.selected_board == "sim2"
    window.menus["boards"].trigger()
    assert page.selected_board == "ttyUSB0"
    page.select("sim2")
    window.menus["live"].trigger()
    window.menus["boards"].trigger()
    assert page.selected_board == "sim2"


def test_a_source_is_renamed_and_deleted_after_a_question(printed: MainWindow, feed: Any) -> None:
    printed.menus["boards"].trigger()
    printed.boards_page.rename.click()
    dialog = visible(printed, QInputDialog)
    dialog.setTextValue(" scale ")
    dialog.accept()
    assert feed.requests == [("rename source", "ttyUSB0", "scale")]
    printed.boards_page.delete.click()
    box = visible(printed, QMessageBox)
    assert box.text() == "Delete the source ttyUSB0 at /dev/ttyUSB0?"
    assert "What was recorded of it stays." in box.informativeText()
    press(printed, "Cancel")
    assert len(feed.requests) == 1
    printed.boards_page.delete.click()
    press(printed, "Delete")
    assert feed.requests[-1] == ("delete source", "ttyUSB0")


def test_a_port_is_lent_and_taken_again(printed: MainWindow, feed: Any, make: Any) -> None:
    printed.menus["boards"].trigger()
    page = printed.boards_page
    assert "taken again by itself" in page.port_words.text()
    page.release.click()
    assert feed.requests == [("release", "ttyUSB0")]
    until = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)
    feed.status_received.emit(with_boards(make.status(), printing(state=LinkState.RELEASED, retake_at=until)))
    assert not page.release.isVisible()
    assert until.astimezone().strftime("until %H:%M:%S") in page.cause.words.text()
    page.retake.click()
    assert feed.requests[-1] == ("retake", "ttyUSB0")


def test_lending_a_port_while_recording_asks_first(printed: MainWindow, feed: Any, make: Any) -> None:
    printed.menus["boards"].trigger()
    feed.status_received.emit(with_boards(make.status(make.session(running=True)), printing()))
    printed.boards_page.release.click()
    press(printed, "Cancel")
    assert feed.requests == []
    printed.boards_page.release.click()
    press(printed, "Release")
    assert feed.requests == [("release", "ttyUSB0")]


def test_an_ambiguous_device_asks_which_one_it_is(printed: MainWindow, feed: Any, make: Any) -> None:
    ports = ("/dev/ttyUSB0", "/dev/ttyUSB1")
    feed.status_received.emit(with_boards(make.status(), printing(state=LinkState.AMBIGUOUS, candidates=ports)))
    assert "Which one is it?" in printed.live_page.offers.words.text()
    printed.live_page.offers.buttons[0].click()
    page = printed.boards_page
    assert printed.tabs.currentWidget() is page
    assert [button.text() for button in page.offers.buttons] == list(ports)
    page.offers.buttons[1].click()
    assert feed.requests == [("attach", "ttyUSB0", "/dev/ttyUSB1")]
    feed.status_received.emit(with_boards(make.status(), printing()))
    assert not page.offers.isVisible()


def test_the_account_shows_what_became_of_every_byte(printed: MainWindow, feed: Any, make: Any) -> None:
    account = Account(
        source=0, name="ttyUSB0", bytes_read=1234, message_bytes=1200, bad_bytes=4, discarded={"before the start": 30},
        messages_read=100, messages_appended=98, messages_waiting=2, lost=3, gaps=1, bad_frames=1, drift_ppm=-3.25,
    )  # fmt: skip
    page = printed.boards_page
    assert "Nothing is counted yet" in page.account.balance.text()
    feed.status_received.emit(with_boards(make.status(), printing(account=account)))
    texts = page.account.texts
    assert (texts["Lost"], texts["discarded"], texts["Drift"], texts["Overruns"]) == ("≈ 3", "30", "−3.2 ppm", "–")
    assert page.account.balance.text().startswith("✓")
    assert "30 before the start" in page.account._discarded.text()
    feed.status_received.emit(with_boards(make.status(), printing(account=account.model_copy(update={"bad_bytes": 0}))))
    assert page.account.balance.text() == "✗ The account does not balance: 4 bytes are unaccounted for"


def test_the_status_line_says_what_was_lost_while_recording(printed: MainWindow, feed: Any, make: Any) -> None:
    account = Account(source=0, name="ttyUSB0", bytes_read=10, message_bytes=10)
    words = printed.status_line.account
    assert not words.isVisible()
    session = make.session(running=True, count=12340)
    feed.status_received.emit(with_boards(make.status(session), printing(account=account)))
    assert words.text() == "nothing lost"
    feed.status_received.emit(with_boards(make.status(session), printing(account=account, state="away")))
    assert words.text() == "ttyUSB0 away"
    assert words.property("state") == "bad"
    lost = account.model_copy(update={"lost": 3, "is_lost_exact": True})
    feed.status_received.emit(with_boards(make.status(session), printing(account=lost)))
    assert words.text().endswith("3 lost")
    assert words.property("state") == "bad"
    feed.status_received.emit(with_boards(make.status(session), printing(account=lost, state="away")))
    assert words.text().endswith("ttyUSB0 away, 3 lost")
    assert words.property("state") == "bad"
    feed.status_received.emit(make.status())
    assert not words.isVisible()


def test_bad_frames_are_shown_as_hex_and_as_text(printed: MainWindow, feed: Any) -> None:
    printed.menus["boards"].trigger()
    printed.boards_page.bad_frames.click()
    assert feed.requests == [("bad frames", "ttyUSB0")]
    dialog = visible(printed, BadFramesDialog)
    frames = tuple(BadFrameRecord(time_ns=n, reason=f"reason {n}", raw=b"51\xff2".hex()) for n in (1, 2))
    feed.bad_frames_received.emit("another", frames)
    assert dialog.frames.rowCount() == 0
    feed.bad_frames_received.emit("ttyUSB0", frames)
    assert dialog.frames.index(0, REASON).data() == "reason 2"
    assert dialog.frames.index(0, CONTENT).data() == "35 31 ff 32"
    dialog.hexadecimal.click()
    assert dialog.frames.index(0, CONTENT).data() == "51ÿ2"
    next(button for button in dialog.findChildren(QPushButton) if "Refresh" in button.text()).click()
    assert feed.requests[-1] == ("bad frames", "ttyUSB0")
    dialog.close()


def test_the_table_says_how_messages_are_laid_out_and_cut(printed: MainWindow, feed: Any, make: Any) -> None:
    framing = {"kind": "cobs", "checksum": "crc-16/modbus"}
    binary = printing(name="b", format="struct", is_guessed=False, framing=framing)
    feed.status_received.emit(with_boards(make.status(), printing(), binary))
    model = printed.boards_page.boards
    assert model.index(0, FORMAT).data() == "columns, guessed"
    assert model.index(1, FORMAT).data() == "struct, cobs + CRC-16/MODBUS"


def test_bad_frames_that_cannot_be_fetched_are_told_in_their_place(printed: MainWindow, feed: Any) -> None:
    printed.boards_page.bad_frames.click()
    dialog = visible(printed, BadFramesDialog)
    feed.bad_frames_received.emit(dialog.board, None)
    assert dialog.table._hint == "They could not be fetched. Press Refresh when the server is back."
