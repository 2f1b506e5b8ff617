"""The editor of definitions: fields and text are one, the preview follows, what is wrong cannot be saved."""

from pathlib import Path
from typing import Any

import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QFileDialog, QMessageBox
from pytestqt.qtbot import QtBot

from blitz.data.blocks import MessageBlock, Read
from blitz.data.board_definition import BoardDefinition
from blitz.data.records import BadFrameRecord, BoardRecord, Source
from blitz.ui.definition_actions import DefinitionActions
from blitz.ui.definition_files import DefinitionFiles
from blitz.ui.dialogs.channels import ChannelsDialog
from blitz.ui.main_window import MainWindow
from blitz.ui.models.preview import MESSAGE, PROBLEM
from blitz.ui.pages.definition_page import DefinitionPage
from blitz.ui.raw_tail import KEPT, RawTail

PRINTED = BoardDefinition.model_validate(
    {
        "id": "printed",
        "name": "Printed",
        "format": "columns",
        "channels": [{"name": "a", "column": 0}, {"name": "b", "column": 1, "unit": "V"}],
        "commands": [{"name": "TARE", "send": "t"}],
    }
)
SOURCE = Source(index=3, name="ttyUSB0", link="/dev/ttyUSB0", definition=PRINTED)


def record(**fields: Any) -> BoardRecord:
    return BoardRecord.model_validate(
        {"name": "ttyUSB0", "link": "/dev/ttyUSB0", "baud": 115200, "state": "ready", "format": "columns",
         "definition": PRINTED, **fields}
    )  # fmt: skip


def block(first_seq: int, *messages: bytes, source: int = 3) -> MessageBlock:
    return MessageBlock.from_reads(0, first_seq, [Read(10**18 + first_seq, source, messages)])


@pytest.fixture
def actions(window: MainWindow, feed: Any, make: Any) -> DefinitionActions:
    feed.go_online()
    feed.status_received.emit(make.status().model_copy(update={"boards": (record(),)}))
    feed.sources_received.emit(0, (SOURCE,))
    return window.definition_actions


@pytest.fixture
def page(actions: DefinitionActions, feed: Any) -> DefinitionPage:
    page = actions.open("ttyUSB0")
    feed.raw_received.emit(block(0, b"1,2.5", b"x,3"))
    page.preview.refresh()
    return page


def shown(page: DefinitionPage, row: int, column: int) -> str:
    return page.preview.preview.index(row, column).data() or ""


def cell(page: DefinitionPage, row: int, title: str) -> Any:
    return page.channels.index(row, list(page.channels.column_names).index(title))


def press(window: MainWindow, words: str) -> None:
    box = next(box for box in window.findChildren(QMessageBox) if box.isVisible())
    QTest.mouseClick(next(button for button in box.buttons() if words in button.text()), Qt.LeftButton)


def test_it_opens_from_the_page_of_boards_once(window: MainWindow, actions: DefinitionActions, feed: Any) -> None:
    window.menus["boards"].trigger()
    window.boards_page.definition.click()
    first = window.tabs.currentWidget()
    assert isinstance(first, DefinitionPage)
    assert feed.requests == [("bad frames", "ttyUSB0")]
    window.menus["boards"].trigger()
    window.boards_page.definition.click()
    assert window.tabs.currentWidget() is first
    window.close_tab()
    assert actions.pages == {}


def test_the_channels_dialog_leads_to_it_with_what_was_typed(window: MainWindow, actions: DefinitionActions) -> None:
    window.board_actions.name_channels("ttyUSB0")
    dialog = next(iter(window.findChildren(ChannelsDialog)))
    QTest.keyClicks(dialog.grid.field(0, "unit"), "kPa")
    dialog._open_definition()
    assert not dialog.isVisible()
    page = actions.pages["ttyUSB0"]
    assert 'unit = "kPa"' in page.text.toPlainText()
    assert page.state.text() == "Not in use yet."


def test_the_preview_follows_what_is_typed(page: DefinitionPage, feed: Any) -> None:
    assert [shown(page, row, MESSAGE) for row in (0, 1)] == ["x,3", "1,2.5"]
    assert [shown(page, 1, column) for column in (3, 4)] == ["1", "2.5"]
    assert [shown(page, 0, column) for column in (PROBLEM, 3, 4)] == ["field 0 is 'x', no number", "–", "3"]
    page.channels.setData(cell(page, 1, "Scale"), "0,5")
    assert "scale = 0.5" in page.text.toPlainText()
    assert [shown(page, row, 4) for row in (0, 1)] == ["1.5", "1.25"]
    page.text.replace(page.text.toPlainText().replace("column = 1", "column = 0"))
    assert cell(page, 1, "Column").data() == "0"
    assert shown(page, 1, 4) == "0.5"
    feed.raw_received.emit(block(2, b"8,9"))
    page.preview.refresh()
    assert [shown(page, 0, column) for column in (3, 4)] == ["8", "4.0"]


def test_a_wrong_draft_says_where_and_cannot_be_used(page: DefinitionPage, feed: Any) -> None:
    assert not page.save.isEnabled()
    page.channels.setData(cell(page, 0, "Name"), "b")
    assert [page.faults.item(n).text() for n in range(page.faults.count())] == ["Line 9: There are 2 channels 'b'."]
    assert page.state.text() == "1 fault: cannot be used."
    assert not page.save.isEnabled()
    assert not page.template.isEnabled()
    assert cell(page, 1, "Name").data(Qt.BackgroundRole) is not None
    assert shown(page, 1, 4) == "2.5"
    assert "last draft that was right" in page.preview.words.text()
    page.faults.itemActivated.emit(page.faults.item(0))
    assert page.text.textCursor().blockNumber() == 8
    page.undo.click()
    assert page.faults.count() == 0
    assert page.state.text() == "In use."
    page.redo.click()
    assert page.faults.count() == 1
    page.text.setPlainText("id = ")
    assert not page.channels_view.add.isEnabled()
    assert page.faults.item(0).text() == "Line 1: Invalid value."


def test_numbers_ticks_and_endings_are_typed_in_the_tables(page: DefinitionPage) -> None:
    page.channels.setData(cell(page, 0, "Limit from"), "abc")
    assert "limit_low" in page.faults.item(0).text()
    assert cell(page, 0, "Limit from").data(Qt.ToolTipRole) == page.draft.faults[0].sentence
    page.channels.setData(cell(page, 0, "Limit from"), "−2")
    page.channels.setData(cell(page, 0, "Shown"), Qt.Unchecked, Qt.CheckStateRole)
    ending = page.commands.index(0, list(page.commands.column_names).index("Ending"))
    assert ending.data() == "\\n"
    page.commands.setData(ending, "\\r\\n")
    definition = page.draft.definition
    assert definition is not None
    assert (definition.channels[0].limit_low, definition.channels[0].shown) == (-2, False)
    assert definition.commands[0].payload == b"t\r\n"
    page.channels.setData(cell(page, 0, "Shown"), Qt.Checked, Qt.CheckStateRole)
    assert "shown" not in page.text.toPlainText()


def test_a_cell_is_ticked_by_a_click_or_by_space(page: DefinitionPage, qtbot: QtBot) -> None:
    table = page.channels_view.table
    index = cell(page, 1, "Counts")
    table.scrollTo(index)
    place = table.visualRect(index).center()
    QTest.mouseClick(table.viewport(), Qt.LeftButton, pos=place)
    assert "counts_messages = true" in page.text.toPlainText()
    table.setCurrentIndex(cell(page, 1, "Counts"))
    QTest.keyClick(table, Qt.Key_Space)
    assert "counts_messages" not in page.text.toPlainText()


def test_channels_are_added_moved_and_removed(page: DefinitionPage) -> None:
    page.channels_view.add.click()
    assert cell(page, 2, "Name").data() == "channel_3"
    page.channels_view.up.click()
    assert [cell(page, row, "Name").data() for row in range(3)] == ["a", "channel_3", "b"]
    page.channels_view.remove.click()
    assert page.draft.definition == PRINTED


def test_another_format_has_other_columns(page: DefinitionPage) -> None:
    choice = page.form.fields["format",]
    choice.setCurrentIndex(next(n for n in range(choice.count()) if choice.itemData(n) == "struct"))
    choice.activated.emit(choice.currentIndex())
    assert 'format = "struct"' in page.text.toPlainText()
    assert "Offset" in page.channels.column_names
    assert page.draft.definition is None
    assert page.faults.item(0).text() == "Line 5: Channel 'a' needs offset and type."


def test_the_form_marks_what_is_wrong_and_shows_what_its_framing_needs(page: DefinitionPage) -> None:
    page.parts.setCurrentWidget(page.form)
    field, size = page.form.fields["id",], page.form.fields["framing", "size"]
    assert size.isHidden()
    page.change_field(("framing",), {"kind": "fixed", "size": 5})
    assert not size.isHidden()
    assert page.draft.definition is not None
    page.change_field(("framing", "checksum"), "CRC-99")
    assert "There is no checksum 'CRC-99'" in page.faults.item(0).text()
    assert page.form.fields["framing", "checksum"].property("state") == "bad"
    page.change_field(("id",), "The pump")
    assert field.property("state") == "bad"
    assert "is not a short name" in field.toolTip()


def test_using_it_asks_the_server_and_says_what_came_of_it(page: DefinitionPage, feed: Any, make: Any) -> None:
    page.channels.setData(cell(page, 0, "Unit"), "g")
    page.save.click()
    asked, board, definition = feed.requests[-1]
    assert (asked, board, definition.channels[0].unit) == ("define", "ttyUSB0", "g")
    assert not page.save.isEnabled()
    feed.definition_answered.emit("ttyUSB0", "Cannot reach the server.")
    assert page.state.text() == "Not saved. Cannot reach the server."
    page.save.click()
    feed.definition_answered.emit("ttyUSB0", "")
    feed.status_received.emit(make.status().model_copy(update={"boards": (record(definition=definition),)}))
    assert page.state.text() == "In use from the next message on."
    assert not page.save.isEnabled()
    assert not page.is_changed
    page.revert()
    assert 'unit = "g"' in page.text.toPlainText()


@pytest.mark.parametrize("is_typed_first", [True, False])
def test_what_is_typed_before_the_status_tells_of_what_was_saved_can_be_saved_too(
    page: DefinitionPage, feed: Any, make: Any, is_typed_first: bool
) -> None:
    before = page.text.toPlainText()
    page.channels.setData(cell(page, 0, "Unit"), "g")
    saved = page.text.toPlainText()
    page.save.click()
    definition = feed.requests[-1][2]
    if is_typed_first:
        page.show_text(before)
        feed.definition_answered.emit("ttyUSB0", "")
    else:
        feed.definition_answered.emit("ttyUSB0", "")
        page.show_text(before)
    feed.status_received.emit(make.status().model_copy(update={"boards": (record(definition=definition),)}))
    assert page.text.toPlainText() == before
    assert page.state.text() == "Not in use yet."
    assert page.save.isEnabled()
    page.revert()
    assert page.text.toPlainText() == saved
    assert not page.is_changed


def test_using_it_in_a_session_asks_first(window: MainWindow, page: DefinitionPage, feed: Any, make: Any) -> None:
    status = make.status(make.session(running=True)).model_copy(update={"boards": (record(),)})
    feed.status_received.emit(status)
    page.channels.setData(cell(page, 0, "Unit"), "g")
    page.save.click()
    press(window, "Cancel")
    assert feed.requests == [("bad frames", "ttyUSB0")]
    page.save.click()
    press(window, "Use it")
    assert feed.requests[-1][0] == "define"


def test_what_somebody_else_changed_is_not_replaced_unasked(
    window: MainWindow, page: DefinitionPage, feed: Any, make: Any
) -> None:
    theirs = PRINTED.model_copy(update={"name": "Pump"})
    page.channels.setData(cell(page, 0, "Unit"), "g")
    feed.status_received.emit(make.status().model_copy(update={"boards": (record(definition=theirs),)}))
    page.save.click()
    box = next(box for box in window.findChildren(QMessageBox) if box.isVisible())
    assert "was changed meanwhile" in box.text()
    press(window, "Cancel")
    assert feed.requests == [("bad frames", "ttyUSB0")]


def test_what_somebody_else_changed_is_shown_where_nobody_has_typed(page: DefinitionPage, feed: Any, make: Any) -> None:
    theirs = PRINTED.model_copy(update={"name": "Pump"})
    feed.status_received.emit(make.status().model_copy(update={"boards": (record(definition=theirs, bad_frames=2),)}))
    assert 'name = "Pump"' in page.text.toPlainText()
    assert page.state.text() == "In use."
    assert feed.requests == [("bad frames", "ttyUSB0")]
    feed.status_received.emit(make.status().model_copy(update={"boards": (record(definition=theirs, bad_frames=3),)}))
    assert feed.requests == [("bad frames", "ttyUSB0")] * 2


def test_templates_are_written_and_read(
    window: MainWindow, page: DefinitionPage, actions: DefinitionActions, tmp_path: Path
) -> None:
    page.template.click()
    dialog = next(dialog for dialog in window.findChildren(QFileDialog) if dialog.isVisible())
    dialog.fileSelected.emit(str(tmp_path / "mine.toml"))
    dialog.close()
    assert page.state.text() == f"Written to {tmp_path / 'mine.toml'}."
    text = page.text.toPlainText()
    assert (tmp_path / "mine.toml").read_text(encoding="utf-8") == text
    (tmp_path / "other.toml").write_text(text.replace("Printed", "Other"), encoding="utf-8")
    files = page.findChild(DefinitionFiles)
    assert files is not None
    files.take(tmp_path / "other.toml")
    assert page.draft.definition is not None
    assert page.draft.definition.name == "Other"
    files.take(tmp_path / "none.toml")
    assert page.state.text().endswith("no such file or directory.")


def test_bad_frames_stand_among_the_messages(page: DefinitionPage, feed: Any) -> None:
    frames = (BadFrameRecord(time_ns=10**18 + 5, reason="too long", raw=b"zz".hex()),)
    feed.bad_frames_received.emit("ttyUSB0", frames)
    assert [shown(page, 0, column) for column in (MESSAGE, PROBLEM)] == ["zz", "bad frame: too long"]
    assert page.preview.words.text() == "1 of 2 with a missing value, 1 bad frame"


def test_held_messages_stay(page: DefinitionPage, feed: Any) -> None:
    page.preview.hold.click()
    feed.raw_received.emit(block(2, b"8,9"))
    page.preview.refresh()
    assert shown(page, 0, MESSAGE) == "x,3"
    page.preview.hold.click()
    assert shown(page, 0, MESSAGE) == "8,9"


def test_what_was_typed_in_a_tab_that_is_closed_is_there_again(
    window: MainWindow, page: DefinitionPage, actions: DefinitionActions
) -> None:
    page.channels.setData(cell(page, 0, "Unit"), "g")
    window.close_tab()
    again = actions.open("ttyUSB0")
    assert again is not page
    assert 'unit = "g"' in again.text.toPlainText()
    assert again.state.text().startswith("As you left it")
    again.revert()
    window.close_tab()
    assert actions.open("ttyUSB0").state.text() == "In use."


def test_a_device_without_a_definition_begins_with_one(
    actions: DefinitionActions, feed: Any, make: Any, qtbot: QtBot
) -> None:
    feed.status_received.emit(make.status().model_copy(update={"boards": (record(name="tty 9", definition=None),)}))
    page = actions.open("tty 9")
    assert page.draft.definition is not None
    assert page.draft.definition.id == "tty-9"
    assert page.save.isEnabled()


def test_the_tail_keeps_the_newest_messages_of_its_source() -> None:
    tail = RawTail("ttyUSB0")
    tail.take(block(0, b"early"))
    tail.learn(0, (SOURCE, Source(index=4, name="ttyUSB0", link=""), Source(index=5, name="other", link="")))
    tail.take(block(1, *(b"%d" % n for n in range(100))))
    tail.take(block(101, b"theirs", source=5))
    tail.take(block(102, b"renamed", source=4))
    assert len(tail.messages) == KEPT
    assert [message.raw for message in tail.messages[-2:]] == [b"99", b"renamed"]
    assert tail.count == 101
