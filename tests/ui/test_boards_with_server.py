"""Boards against a real server: a simulated motor is turned, and a definition is edited."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PyQt5.QtCore import Qt

from blitz.io.simulated_device import SimulatedDevice
from blitz.ui.board_causes import Remedy
from blitz.ui.pages.boards_page import BoardsPage


def test_a_motor_is_turned_and_a_definition_changes_its_values(desk: Any) -> None:
    window, page = desk.window, desk.window.boards_page
    window.menus["boards"].trigger()
    page.select("sim2")
    (control,) = page.commands.controls
    assert control.slider is not None
    for value in (10, 30, 33):
        control.slider.setValue(value)
    desk.wait(lambda: control.words.text() == "set 33 deg, acknowledged")
    assert page.answers.toPlainText().count("Set point") == 1
    desk.wait(lambda: newest(desk, "set_point") == 33)

    page.definition.click()
    editor = window.definition_actions.pages["sim2"]
    desk.wait(lambda: editor.preview.preview.rowCount() > 0)
    columns = [editor.preview.preview.headerData(n, Qt.Horizontal) for n in range(6)]
    assert columns[3:] == ["raw_adc [count]", "motor_value", "set_point [deg]"]
    editor.text.replace(editor.text.toPlainText().replace('name = "set_point"\n', 'name = "set_point"\nscale = 10\n'))
    desk.wait(lambda: editor.preview.preview.index(0, 5).data() == "330")
    before = editor.before
    editor.save.click()
    desk.wait(lambda: editor.state.text() == "In use from the next message on." and not editor.is_changed)
    desk.wait(lambda: newest(desk, "set_point") == 330)
    assert before is not None
    window.feed.set_definition("sim2", before)
    desk.wait(lambda: any(board.definition == before for board in page.boards.boards))


def newest(desk: Any, name: str) -> float | None:
    """The newest value of sim2's channel of that name."""
    store = desk.window.store
    source = next((source for source in store.sources if source.name == "sim2" and source.definition), None)
    if source is None or source.definition is None or not store.count(source.index):
        return None
    column = [channel.name for channel in source.definition.channels].index(name)
    return float(store.last(source.index, 1).values[-1, column])


def test_a_source_that_is_away_is_looked_for_renamed_and_deleted(
    run_server: Callable[..., Any], open_desk: Callable[..., Any], tmp_path: Path
) -> None:
    desk = open_desk(run_server("--no-scan-usb", "--durability", "none", "--serial", str(tmp_path / "ttyUSB9")).url)
    window, page = desk.window, desk.window.boards_page
    window.menus["boards"].trigger()
    desk.wait(lambda: page.selected_board == "ttyUSB9" and page.cause.property("severity") == "error")
    desk.wait(lambda: page.cause.words.text().startswith("Away since "))
    assert "there is no such port" in page.cause.words.text()
    with SimulatedDevice("plain", rate_hz=20, silence_s=0.1, link_path=tmp_path / "ttyUSB9"):
        page.cause.buttons[Remedy.RETRY].click()
        desk.wait(lambda: page.cause.words.text().startswith("It delivers; what its values are was guessed."))
        page.definition.click()
        editor = window.definition_actions.pages["ttyUSB9"]
        desk.wait(lambda: editor.preview.preview.rowCount() > 3)
        assert editor.preview.words.text().startswith("all ")
        window.close_tab()
        window.feed.rename_source("ttyUSB9", "scale")
        desk.wait(lambda: [board.name for board in page.boards.boards] == ["scale"])
        window.feed.delete_source("scale")
        desk.wait(lambda: page.boards.rowCount() == 0)
    assert [text for text in window.notices.texts if "was not" in text] == []


def test_a_server_that_dies_while_a_motor_is_turned_turns_it_no_more_when_it_is_back(
    run_server: Callable[..., Any], open_desk: Callable[..., Any], steady_port: int
) -> None:
    server = run_server("--port", str(steady_port), "--simulate", "2", "--durability", "none")
    desk = open_desk(server.url)
    page = desk.window.boards_page
    desk.wait(lambda: [board.board_id for board in page.boards.boards] == ["08", "09"])
    page.select("sim2")
    turn(page, 12)
    desk.wait(lambda: page.commands.controls[0].words.text() == "set 12 deg, acknowledged")
    server.kill()
    turn(page, 30)
    desk.wait(lambda: page.boards.rowCount() == 0)
    assert page.commands.controls == []
    server.start()
    desk.wait(lambda: [board.board_id for board in page.boards.boards] == ["08", "09"])
    page.select("sim2")
    assert "12 deg" in page.commands.controls[0].words.text()
    desk.wait(lambda: newest(desk, "set_point") is not None)
    assert newest(desk, "set_point") != 30
    assert server.log_path.read_text().count("Command to sim2") == 1


def turn(page: BoardsPage, value: int) -> None:
    """Turn the motor and let go."""
    slider = page.commands.controls[0].slider
    assert slider is not None
    slider.setSliderDown(True)
    slider.setSliderPosition(value)
    slider.setSliderDown(False)
