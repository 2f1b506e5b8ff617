"""Every action of the page of boards, and of the editor of definitions."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PyQt5.QtWidgets import QApplication, QFileDialog, QInputDialog, QLineEdit, QMessageBox

from blitz import Client
from blitz.ui.dialogs.add_device import AddDeviceDialog, DeviceKind
from blitz.ui.dialogs.bad_frames import BadFramesDialog
from blitz.ui.dialogs.calibrate import CalibrateDialog
from blitz.ui.dialogs.channels import ChannelsDialog
from blitz.ui.dialogs.streams import StreamsDialog

Stage = Any
Play = Callable[[Stage], Any]
MOTOR = "sim2"


def page_of(stage: Stage, board: str = "sim1") -> Any:
    """The page of boards, with one selected."""
    page = stage.window.boards_page
    stage.window.tabs.setCurrentWidget(page)
    stage.wait(lambda: board in [known.name for known in page.boards.boards if known.definition is not None])
    page.select(board)
    return page


def board_of(stage: Stage, name: str) -> Any:
    return next((board for board in stage.ask_server(Client.boards) if board.name == name), None)


def names_of(stage: Stage, board: str) -> list[str]:
    return [channel.name for channel in board_of(stage, board).definition.channels]


def add_device(stage: Stage) -> Iterator[str]:
    page = page_of(stage)
    stage.press(page, "Add a device")
    stage.cancel(AddDeviceDialog)
    stage.press(page, "Add a device")
    dialog = stage.dialog(AddDeviceDialog)
    dialog.kind.setCurrentIndex(dialog.kind.findData(DeviceKind.REPLAY))
    dialog.place.setText(str(stage.folder / "nothing.jsonl"))
    yield ""
    dialog.accept_button.click()
    yield "was not added"
    stage.answer("Cancel")
    stage.wait(lambda: stage.heard("was not added"))
    stage.press(page, "Add a device")
    dialog = stage.dialog(AddDeviceDialog)
    dialog.kind.setCurrentIndex(dialog.kind.findData(DeviceKind.REPLAY))
    dialog.place.setText(str(stage.folder / "nothing.jsonl"))
    dialog.accept_button.click()
    stage.answer("Add")
    stage.wait(lambda: stage.window.boards_page.boards.rowCount() > 2)
    for board in stage.ask_server(Client.boards):
        if board.link.startswith("replay"):
            stage.ask_server(lambda client, board=board: client.delete_source(board.name))
    stage.wait(lambda: stage.window.boards_page.boards.rowCount() == 2)


def open_streams(stage: Stage) -> None:
    stage.press(page_of(stage), "Streams")
    stage.cancel(StreamsDialog)


def look(stage: Stage) -> Iterator[str]:
    page = page_of(stage)
    yield ""
    stage.press(page, "Look for devices")
    yield "Devices were not looked for"
    stage.wait(lambda: page.boards.rowCount() == 2)


def rename(stage: Stage) -> Iterator[str]:
    page = page_of(stage)
    stage.press(page, "Rename")
    stage.cancel(QInputDialog)
    stage.press(page, "Rename")
    dialog = stage.dialog(QInputDialog)
    dialog.setTextValue("scale")
    yield ""
    dialog.accept()
    yield "sim1 was not renamed"
    stage.wait(lambda: {board.name for board in page.boards.boards} == {"scale", MOTOR})
    assert board_of(stage, "scale") is not None
    stage.ask_server(lambda client: client.update_source("scale", name="sim1"))
    stage.wait(lambda: {board.name for board in page.boards.boards} == {"sim1", MOTOR})


def delete(stage: Stage) -> Iterator[str]:
    page = page_of(stage, MOTOR)
    config = next(config for config in stage.ask_server(Client.sources) if config.name == MOTOR)
    stage.press(page, "Delete")
    stage.cancel(QMessageBox)
    stage.press(page, "Delete")
    yield ""
    stage.answer("Delete")
    yield f"{MOTOR} was not deleted"
    stage.wait(lambda: page.boards.rowCount() == 1)
    assert board_of(stage, MOTOR) is None
    stage.ask_server(lambda client: client.add_source(config))
    stage.wait(lambda: board_of(stage, MOTOR) is not None and board_of(stage, MOTOR).board_id == "09")


def disable(stage: Stage) -> Iterator[str]:
    page = page_of(stage)
    yield ""
    stage.press(page, "Disable")
    yield "sim1 was not disabled"
    stage.wait(lambda: page.enable.isVisible())
    assert board_of(stage, "sim1").state.value == "disabled"
    assert not page.release.isEnabled()
    stage.click(page.enable)
    stage.wait(lambda: page.disable.isVisible())


def enable(stage: Stage) -> Iterator[str]:
    page = page_of(stage)
    stage.ask_server(lambda client: client.update_source("sim1", is_enabled=False))
    stage.wait(lambda: page.enable.isVisible())
    try:
        yield ""
        stage.click(page.enable)
        yield "sim1 was not enabled"
        stage.wait(lambda: page.disable.isVisible())
        stage.wait(lambda: board_of(stage, "sim1").state.value == "ready")
    finally:  # a server that was killed before it heard of it comes back with the board as it was
        stage.ask_server(lambda client: client.update_source("sim1", is_enabled=True))


def disable_while_recording(stage: Stage) -> Iterator[str]:
    stage.start()
    page = page_of(stage)
    stage.press(page, "Disable")
    stage.cancel(QMessageBox)
    stage.press(page, "Disable")
    yield ""
    stage.answer("Disable")
    yield "sim1 was not disabled"
    stage.wait(lambda: page.enable.isVisible())
    stage.ask_server(lambda client: client.update_source("sim1", is_enabled=True))
    stage.wait(lambda: page.disable.isVisible())


def send(stage: Stage) -> Iterator[str]:
    page = page_of(stage, MOTOR)
    page.line.setText("098500000000001400000000000")
    yield ""
    stage.press(page, "Send command")
    yield "098500000000001400000000000  →  "
    stage.wait(lambda: "0940" in page.answers.toPlainText())


def turn(stage: Stage) -> Iterator[str]:
    page = page_of(stage, MOTOR)
    stage.wait(lambda: page.commands.controls)
    control = page.commands.controls[0]
    control.number.setFocus()
    yield ""
    value = 7.0 if control.number.value() != 7.0 else 8.0
    control.number.setValue(value)
    stage.wait(lambda: value in (control.point.sending, control.point.known))  # it is on its way
    yield "  →  "
    stage.wait(lambda: control.point.known == value)


def name_channels(stage: Stage) -> Iterator[str]:
    page = page_of(stage)
    before = names_of(stage, "sim1")
    stage.press(page, "Channels")
    stage.cancel(ChannelsDialog)
    stage.press(page, "Channels")
    dialog = stage.dialog(ChannelsDialog)
    field = dialog.grid.field(0, "name")
    assert isinstance(field, QLineEdit)
    field.setText("pressure")
    field.textEdited.emit("pressure")
    yield ""
    dialog.accept()
    yield "Not saved. "  # the dialog is back, with what was typed
    stage.wait(lambda: names_of(stage, "sim1") == ["pressure", *before[1:]])
    definition = board_of(stage, "sim1").definition
    first = definition.channels[0].model_copy(update={"name": before[0]})
    channels = (first, *definition.channels[1:])
    stage.ask_server(lambda client: client.set_definition("sim1", definition.model_copy(update={"channels": channels})))
    stage.wait(lambda: stage.window.board_actions._definition("sim1").channels[0].name == before[0])


def calibrate(stage: Stage) -> Iterator[str]:
    page = page_of(stage)
    before = board_of(stage, "sim1").definition
    stage.press(page, "Calibrate")
    stage.cancel(CalibrateDialog)
    stage.press(page, "Calibrate")
    dialog = stage.dialog(CalibrateDialog)
    dialog.head.channel.setCurrentText("adc_channel_five")  # it rises all the time: two steps are never the same
    dialog.taking.kind.setCurrentText("readings")
    dialog.taking.span.setValue(5)
    for row, known in enumerate(("0", "10")):
        dialog.taking.known.setText(known)
        stage.press(dialog, "Take")
        stage.wait(lambda row=row: dialog.steps.rowCount() == row + 1)
    yield ""
    stage.press(dialog, "Save")
    yield "Not saved. "  # which stands in the dialog
    stage.wait(dialog.old.isVisible)
    stage.press(dialog, "Close")
    assert any(channel.calibration for channel in board_of(stage, "sim1").definition.channels)
    stage.ask_server(lambda client: client.set_definition("sim1", before))
    stage.wait(lambda: stage.window.board_actions._definition("sim1") == before)


def open_definition(stage: Stage) -> None:
    page = page_of(stage)
    stage.press(page, "Definition")
    assert stage.window.tabs.currentWidget() is stage.window.definition_actions.pages["sim1"]
    stage.press(stage.window.tabs.tabBar(), "Close")
    assert not stage.window.definition_actions.pages


def bad_frames(stage: Stage) -> Iterator[str]:
    page = page_of(stage)
    yield ""
    stage.press(page, "Bad frames")
    dialog = stage.dialog(BadFramesDialog)
    yield "The bad frames of sim1 were not fetched"  # which the dialog says, too
    stage.wait(lambda: dialog.table._hint.startswith("No bad frame came"))
    stage.press(dialog, "Refresh")
    stage.press(dialog, "Close")


def release(stage: Stage) -> Iterator[str]:
    page = page_of(stage)
    yield ""
    stage.press(page, "Release")
    yield "The port of sim1 was not released"
    stage.wait(lambda: page.retake.isVisible())
    assert board_of(stage, "sim1").state.value == "released"
    stage.click(page.retake)
    stage.wait(lambda: page.release.isVisible())


def release_while_recording(stage: Stage) -> Iterator[str]:
    stage.start()
    page = page_of(stage)
    stage.press(page, "Release")
    stage.cancel(QMessageBox)
    stage.press(page, "Release")
    yield ""
    stage.answer("Release")
    yield "The port of sim1 was not released"
    stage.wait(lambda: page.retake.isVisible())
    stage.ask_server(lambda client: client.retake("sim1"))
    stage.wait(lambda: page.release.isVisible())


def retake(stage: Stage) -> Iterator[str]:
    page = page_of(stage)
    stage.ask_server(lambda client: client.release("sim1"))
    stage.wait(lambda: page.retake.isVisible())
    yield ""
    stage.click(page.retake)
    yield "The port of sim1 was not taken again"
    stage.wait(lambda: page.release.isVisible())
    stage.wait(lambda: board_of(stage, "sim1").state.value == "ready")


BOARDS: dict[str, Play] = {
    "Add a device": add_device,
    "Streams": open_streams,
    "Look for devices": look,
    "Rename": rename,
    "Disable": disable,
    "Enable": enable,
    "Delete": delete,
    "Send command": send,
    "Channels": name_channels,
    "Calibrate": calibrate,
    "Definition": open_definition,
    "Bad frames": bad_frames,
    "Release": release,
    "Retake": retake,
}
MORE: dict[str, Play] = {
    "Release, while it records": release_while_recording,
    "Disable, while it records": disable_while_recording,
    "Motor": turn,
}


def editor_of(stage: Stage) -> Any:
    page_of(stage)
    stage.window.boards_page.definition.click()
    return stage.window.definition_actions.pages["sim1"]


def count_of(page: Any) -> int:
    return len(page.draft.parts("channels"))


def add_channel(stage: Stage) -> None:
    page = editor_of(stage)
    count = count_of(page)
    stage.press(page, "Add a channel")
    assert count_of(page) == count + 1
    stage.press(page, "Undo")
    assert count_of(page) == count
    stage.press(page, "Redo")
    assert count_of(page) == count + 1
    stage.press(page, "Revert")
    assert count_of(page) == count
    assert not page.is_changed


def remove_channel(stage: Stage) -> None:
    page = editor_of(stage)
    count = count_of(page)
    page.channels_view.select(0)
    stage.press(page, "Remove")
    assert count_of(page) == count - 1
    page.revert()


def move_channel(stage: Stage) -> None:
    page = editor_of(stage)
    first = page.draft.parts("channels")[0]["name"]
    page.channels_view.select(0)
    stage.press(page, "Down")
    assert page.draft.parts("channels")[1]["name"] == first
    stage.press(page, "Up")
    assert page.draft.parts("channels")[0]["name"] == first
    page.revert()


def hold(stage: Stage) -> None:
    page = editor_of(stage)
    stage.press(page, "Hold")
    assert page.preview.hold.isChecked()
    stage.press(page, "Hold")


def save_template(stage: Stage) -> None:
    page = editor_of(stage)
    path = stage.folder / "template.toml"
    path.unlink(missing_ok=True)
    stage.press(page, "Save as a template")
    stage.cancel(QFileDialog)
    assert not path.exists()
    stage.press(page, "Save as a template")
    stage.choose_file(path)
    stage.wait(path.exists)


def take_file(stage: Stage) -> None:
    page = editor_of(stage)
    path = stage.folder / "mine.toml"
    path.write_text(page.text.toPlainText().replace("adc_channel_one", "pressure"))
    stage.press(page, "From a file")
    stage.cancel(QFileDialog)
    stage.press(page, "From a file")
    stage.choose_file(path)
    stage.wait(lambda: "pressure" in page.text.toPlainText())
    page.revert()


def use_it(stage: Stage) -> Iterator[str]:
    page = editor_of(stage)
    before = page.text.toPlainText()
    page.show_text(before.replace("adc_channel_one", "pressure"))
    assert page.is_changed
    yield ""
    stage.press(page, "Use it")
    yield "Not saved. "
    stage.wait(lambda: names_of(stage, "sim1")[0] == "pressure")
    stage.wait(lambda: stage.heard("In use"))
    page.show_text(before)
    stage.press(page, "Use it")
    stage.wait(lambda: names_of(stage, "sim1")[0] == "adc_channel_one")


EDITOR: dict[str, Play] = {
    "Add a channel": add_channel,
    "Undo": add_channel,
    "Redo": add_channel,
    "Revert": add_channel,
    "Remove": remove_channel,
    "Up": move_channel,
    "Down": move_channel,
    "Hold": hold,
    "Save as a template": save_template,
    "From a file": take_file,
    "Use it": use_it,
}
ALL = {f"boards: {key}": play for key, play in (BOARDS | MORE).items()}
ALL |= {f"editor: {key}": play for key, play in EDITOR.items()}


def test_a_server_that_is_killed_in_the_middle_is_told_and_comes_back(stage: Stage, seed: int) -> None:
    stage.kill_in_each(ALL, seed)


def test_the_pages_offer_these_actions_and_no_others(stage: Stage) -> None:
    assert stage.names(page_of(stage)) | {"Retake", "Enable"} == set(BOARDS)
    assert stage.names(editor_of(stage)) == set(EDITOR)
    stage.tidy()
    assert QApplication.activeModalWidget() is None


@pytest.mark.parametrize("key", {play: key for key, play in ALL.items()}.values())  # each play once
def test_an_action_does_what_it_says(stage: Stage, key: str) -> None:
    stage.carry_out(ALL[key])


def test_what_was_typed_in_the_editor_outlives_the_server(stage: Stage) -> None:
    page = editor_of(stage)
    page.show_text(page.text.toPlainText().replace("adc_channel_one", "pressure"))
    stage.kill()
    stage.wait(lambda: stage.window.header.state.text() == "Reconnecting…")
    stage.revive()
    assert "pressure" in page.text.toPlainText()
    assert page.is_changed
    assert stage.window.tabs.currentWidget() is page
    stage.wait(page.save.isEnabled)
    page.revert()
    stage.tidy()
