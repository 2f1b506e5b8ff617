"""Every action of the live page, of the numbers, the console, the events, and of a history."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PyQt5.QtCore import QPoint, Qt
from PyQt5.QtGui import QColor
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QApplication, QColorDialog, QFileDialog, QLineEdit, QMessageBox

from blitz.ui.dialogs.alarm_rule import AlarmRuleDialog
from blitz.ui.dialogs.calibrate import CalibrateDialog
from blitz.ui.dialogs.channels import ChannelsDialog
from blitz.ui.dialogs.export import ExportDialog
from blitz.ui.dialogs.limits import LimitsDialog
from blitz.ui.dialogs.marker import MarkerDialog
from blitz.ui.dialogs.number_channels import NumberChannelsDialog
from blitz.ui.dialogs.report import ReportDialog
from blitz.ui.dialogs.reread import RereadDialog
from blitz.ui.models import variables
from blitz.ui.pages.comparison_page import ComparisonPage
from blitz.ui.windows import PlotWindow

Stage = Any
Play = Callable[[Stage], Any]


def live_of(stage: Stage) -> Any:
    stage.window.menus["live"].trigger()
    page = stage.window.live_page
    page.side.tabs.setCurrentIndex(0)
    stage.wait(lambda: page.side.variables.channels)
    return page


def markers_of(stage: Stage, session_id: int) -> list[str]:
    return [marker.text for marker in stage.ask_server(lambda client: client.markers(session_id))]


def choose_channels(words: str) -> Play:
    def play(stage: Stage) -> None:
        page = live_of(stage)
        stage.press(page.side, words)
        shown = {channel.label for channel in page.side.variables.shown_channels}
        if words != "Usual":
            assert shown == (page.side.variables.labels if words == "All" else set())
        stage.press(page.side, "Usual")
        assert page.side.variables.shown_channels

    return play


def reset_extremes(stage: Stage) -> None:
    page = live_of(stage)
    page.side.variables_table.choose_columns("+Min +Max")
    stage.press(page.side, "Reset min/max")
    stage.wait(lambda: stage.heard("Min and max of every channel begin anew"))
    stage.press(stage.window.notices, "Undo")
    page.side.variables_table.choose_columns("")


def show_window(window: PlotWindow) -> Play:
    def play(stage: Stage) -> None:
        page = live_of(stage)
        stage.press(page.bar, window.label)
        assert page.plot.view.window is window

    return play


def other_window(stage: Stage) -> None:
    page = live_of(stage)
    menu = stage.button(page.bar, "Other windows").menu()
    for action, window in zip(
        menu.actions(), (PlotWindow.LAST_10, PlotWindow.LAST_50, PlotWindow.HOUR_1, PlotWindow.ALL), strict=True
    ):
        action.trigger()
        assert page.plot.view.window is window


def turned(words: str) -> Play:
    def play(stage: Stage) -> None:
        page = live_of(stage)
        button = stage.button(page.bar, words)
        before = button.isChecked()
        for is_on in (not before, before):
            stage.click(button)
            assert button.isChecked() is is_on

    return play


def reset_zoom(stage: Stage) -> None:
    page = live_of(stage)
    page.plot.plot.zoom(0.5)
    stage.press(page.bar, "Reset zoom")
    assert not page.drawing.values_zoomed


def picture(find: Callable[[Stage], Any]) -> Play:
    def play(stage: Stage) -> None:
        menu = stage.button(find(stage).bar, "Picture").menu()
        for place, kind in enumerate(("png", "svg")):
            menu.actions()[place].trigger()
            stage.cancel(QFileDialog)
            path = stage.folder / f"picture {len(list(stage.folder.iterdir()))}.{kind}"
            menu.actions()[place].trigger()
            stage.choose_file(path)
            assert path.stat().st_size > 1000
        menu.actions()[2].trigger()
        assert stage.heard("The plot is in the clipboard.")

    return play


def save_figure(stage: Stage, button: Any) -> None:
    """Pictures and numbers of what an analysis or triggers show, as far as there are some."""
    stage.wait(button.isEnabled)
    pictures, numbers = button.menu().actions()[:3], button.menu().actions()[4:]
    for action, kind in zip((*pictures[:2], numbers[0]), ("png", "svg", "csv"), strict=True):
        if action.isEnabled():
            action.trigger()
            stage.cancel(QFileDialog)
            path = stage.folder / f"figure {len(list(stage.folder.iterdir()))}.{kind}"
            action.trigger()
            stage.choose_file(path)
            stage.wait(lambda path=path: path.exists() and path.stat().st_size > 20)
    if pictures[2].isEnabled():
        pictures[2].trigger()
        assert stage.heard("The plot is in the clipboard.")
    numbers[1].trigger()
    assert stage.heard("in the clipboard.")


def trigger(stage: Stage) -> None:
    """The panel of triggers shows what comes, is armed anew, and goes."""
    page = live_of(stage)
    triggers = page.triggers
    stage.press(page.bar, "Trigger")
    stage.wait(lambda: triggers.trigger.sweeps)
    save_figure(stage, triggers.save)
    stage.press(triggers, "Arm")
    stage.wait(lambda: triggers.trigger.sweeps)
    stage.press(page.bar, "Trigger")
    assert not triggers.isVisible()


def mark_live(stage: Stage) -> Iterator[str]:
    session = stage.start()
    page = live_of(stage)
    yield ""
    stage.press(page.bar, "Marker")
    yield "The marker was not written"
    stage.wait(lambda: markers_of(stage, session.id) == ["Marker 1"])
    stage.button(page.bar, "Marker").menu().actions()[0].trigger()
    stage.wait(lambda: markers_of(stage, session.id) == ["Marker 1", "Marker 2"])


def mark_with_words(stage: Stage) -> Iterator[str]:
    session = stage.start()
    page = live_of(stage)
    stage.button(page.bar, "Marker").menu().actions()[1].trigger()
    dialog = stage.dialog(MarkerDialog)
    dialog.text.setPlainText("valve")
    yield ""
    dialog.accept_button.click()
    yield "The marker was not written"
    stage.wait(lambda: markers_of(stage, session.id) == ["valve"])


def mark_in_the_plot(stage: Stage) -> Iterator[str]:
    session = stage.start()
    page = live_of(stage)
    stage.wait(lambda: not page.drawing.is_blank and not page.marker_menu.refusal)
    menu = stage.context_menu(lambda: page.drawing.customContextMenuRequested.emit(page.drawing.rect().center()))
    assert [action.text() for action in menu.actions()] == ["&Add a marker here…"]
    menu.actions()[0].trigger()
    dialog = stage.dialog(MarkerDialog)
    dialog.text.setPlainText("here")
    yield ""
    dialog.accept_button.click()
    yield "The marker was not written"
    stage.wait(lambda: markers_of(stage, session.id) == ["here"])


def change_a_marker(stage: Stage) -> Iterator[str]:
    session = stage.start()
    stage.ask_server(lambda client: client.add_marker(session.id, "before"))
    stage.wait(lambda: [marker.text for marker in stage.window.store.markers] == ["before"])
    live_of(stage).marker_menu.chosen.emit(stage.window.store.markers[0])
    dialog = stage.dialog(MarkerDialog)
    dialog.text.setPlainText("after")
    yield ""
    dialog.accept_button.click()
    yield "The marker is as before"
    stage.wait(lambda: [marker.text for marker in stage.window.store.markers] == ["after"])
    live_of(stage).marker_menu.chosen.emit(stage.window.store.markers[0])
    stage.press(stage.dialog(MarkerDialog), "Delete")
    stage.wait(lambda: markers_of(stage, session.id) == [])


def columns(stage: Stage) -> None:
    table = live_of(stage).side.variables_table
    header = table.horizontalHeader()
    menu = stage.context_menu(lambda: header.customContextMenuRequested.emit(QPoint(5, 5)))
    action = next(action for action in menu.actions() if action.text() == "Min")
    before = action.isChecked()
    action.trigger()
    menu.close()
    menu = table.columns_menu()
    assert next(action for action in menu.actions() if action.text() == "Min").isChecked() is not before
    menu.actions()[-1].trigger()
    menu.deleteLater()


def channel_of(stage: Stage) -> Any:
    live_of(stage)
    stage.wait(lambda: [each for each in stage.window.live_page.side.variables.channels if each.source.name == "sim1"])
    return next(each for each in stage.window.live_page.side.variables.channels if each.source.name == "sim1")


def channel_menu(stage: Stage) -> dict[str, Any]:
    """The actions of a channel's menu."""
    table = live_of(stage).side.variables_table
    channel = channel_of(stage)
    menu = stage.context_menu(lambda: table.menu_requested.emit(channel, table.mapToGlobal(QPoint(9, 9))))
    return dict(stage.actions(menu))


def is_blue(stage: Stage) -> bool:
    return bool(cell_of(stage, variables.CHANNEL, Qt.DecorationRole).name() == "#0072b2")


def has_two_decimals(stage: Stage) -> bool:
    return re.search(r"\.\d\d$", cell_of(stage, variables.VALUE)) is not None


def change_channel(words: str, field: str, wanted: object, is_shown: Callable[[Stage], bool]) -> Play:
    def play(stage: Stage) -> Iterator[str]:
        actions = channel_menu(stage)
        yield ""
        next(action for path, action in actions.items() if path.startswith(words)).trigger()
        yield "The channels of sim1 are as before"
        stage.wait(lambda: getattr(channel_of(stage).channel, field) == wanted)
        stage.wait(lambda: is_shown(stage))
        before = {"color": "", "decimals": None}[field]
        stage.window.channel_pages.actions.edits.change(channel_of(stage), {field: before})
        stage.wait(lambda: getattr(channel_of(stage).channel, field) == before)

    return play


def cell_of(stage: Stage, column: int, role: int = Qt.DisplayRole) -> Any:
    """What the table of variables shows of the channel."""
    model = live_of(stage).side.variables
    return model.index(model.channels.index(channel_of(stage)), column).data(role)


def other_colour(stage: Stage) -> Iterator[str]:
    channel_menu(stage)["Colour/Other…"].trigger()
    stage.cancel(QColorDialog)
    channel_menu(stage)["Colour/Other…"].trigger()
    dialog = stage.dialog(QColorDialog)
    dialog.setCurrentColor(QColor("#123456"))
    yield ""
    dialog.accept()
    yield "The channels of sim1 are as before"
    stage.wait(lambda: cell_of(stage, variables.CHANNEL, Qt.DecorationRole).name() == "#123456")
    assert channel_of(stage).channel.color == "#123456"
    next(action for path, action in channel_menu(stage).items() if path == "Colour/Automatic").trigger()
    stage.wait(lambda: channel_of(stage).channel.color == "")
    assert cell_of(stage, variables.CHANNEL, Qt.DecorationRole).name() != "#123456"


def calibrate(stage: Stage) -> None:
    name = channel_of(stage).channel.display_name
    channel_menu(stage)["Calibrate…"].trigger()
    assert stage.dialog(CalibrateDialog).head.channel.currentText() == name
    stage.cancel(CalibrateDialog)


def limits(stage: Stage) -> Iterator[str]:
    assert cell_of(stage, variables.LIMITS) == ""
    channel_menu(stage)["Limits…"].trigger()
    stage.cancel(LimitsDialog)
    channel_menu(stage)["Limits…"].trigger()
    dialog = stage.dialog(LimitsDialog)
    dialog.low.setText("1e6")
    dialog.high.setText("1e5")
    stage.press(dialog, "Set limits")
    assert dialog.problem.text() == "The lower limit must be below the upper one."
    dialog.high.setText("1e7")
    yield ""
    stage.press(dialog, "Set limits")
    yield "The channels of sim1 are as before"
    stage.wait(lambda: cell_of(stage, variables.LIMITS) == "▼ low")
    assert (channel_of(stage).channel.limit_low, channel_of(stage).channel.limit_high) == (1e6, 1e7)
    stage.press(stage.window.notices, "Undo")
    stage.wait(lambda: cell_of(stage, variables.LIMITS) == "")
    assert channel_of(stage).channel.limit_low is None


def alarm(stage: Stage) -> None:
    channel_menu(stage)["Alarm on this channel…"].trigger()
    dialog = stage.dialog(AlarmRuleDialog)
    assert dialog.watched.currentText() == f"sim1: {channel_of(stage).label}"
    assert dialog.numbers["above"].text()
    stage.cancel(AlarmRuleDialog)


def all_channels(stage: Stage) -> None:
    channel_menu(stage)["All channels of sim1…"].trigger()
    stage.cancel(ChannelsDialog)


def only_one(stage: Stage) -> None:
    channel = channel_of(stage)
    channel_menu(stage)["Show only this one"].trigger()
    assert [each.label for each in live_of(stage).side.variables.shown_channels] == [channel.label]
    stage.press(live_of(stage).side, "Usual")


def reset_one(stage: Stage) -> None:
    channel_menu(stage)["Reset its min and max"].trigger()
    stage.wait(lambda: stage.heard("begin anew"))


def copy_rows(stage: Stage) -> None:
    table = live_of(stage).side.variables_table
    table.selectAll()
    channel_menu(stage)["Copy the selected rows"].trigger()
    assert "adc" in QApplication.clipboard().text()


def edit_in_place(words: str, field: str) -> Play:
    def play(stage: Stage) -> Iterator[str]:
        before = getattr(channel_of(stage).channel, field)
        channel_menu(stage)[words].trigger()
        table = stage.window.live_page.side.variables_table
        stage.wait(lambda: table.findChild(QLineEdit))
        cell = table.findChild(QLineEdit)
        cell.setText("mbar")
        yield ""
        QTest.keyClick(cell, Qt.Key_Return)
        yield "The channels of sim1 are as before"
        stage.wait(lambda: getattr(channel_of(stage).channel, field) == "mbar")
        stage.window.channel_pages.actions.edits.change(channel_of(stage), {field: before})
        stage.wait(lambda: getattr(channel_of(stage).channel, field) == before)

    return play


LIVE: dict[str, Play] = {
    "All": choose_channels("All"),
    "None": choose_channels("None"),
    "Usual": choose_channels("Usual"),
    "Reset min/max": reset_extremes,
    "10 s": show_window(PlotWindow.SECONDS_10),
    "30 s": show_window(PlotWindow.SECONDS_30),
    "1 min": show_window(PlotWindow.MINUTE_1),
    "5 min": show_window(PlotWindow.MINUTES_5),
    "Other windows": other_window,
    "Pause": turned("Pause"),
    "Zoom by a box": turned("Zoom by a box"),
    "Stacked": turned("Stacked"),
    "Time from the start": turned("Time from the start"),
    "Reset zoom": reset_zoom,
    "Picture": picture(live_of),
    "Trigger": trigger,
    "Marker": mark_live,
}
MENUS: dict[str, Play] = {
    "Marker, with words": mark_with_words,
    "Plot, a marker": mark_in_the_plot,
    "Plot, to change a marker": change_a_marker,
    "Columns": columns,
}
CHANNEL: dict[str, Play] = {
    "Rename": edit_in_place("Rename", "name"),
    "Unit…": edit_in_place("Unit…", "unit"),
    "Colour/Blue": change_channel("Colour/Blue", "color", "#0072b2", is_blue),
    "Colour/Other…": other_colour,
    "Decimals/2  (0.00)": change_channel("Decimals/2", "decimals", 2, has_two_decimals),
    "Limits…": limits,
    "Calibrate…": calibrate,
    "Alarm on this channel…": alarm,
    "Show only this one": only_one,
    "Reset its min and max": reset_one,
    "All channels of sim1…": all_channels,
    "Copy the selected rows": copy_rows,
}


def number_channels(stage: Stage) -> None:
    stage.window.menus["numbers"].trigger()
    page = stage.window.channel_pages.numbers
    stage.press(page, "Channels")
    stage.cancel(NumberChannelsDialog)
    stage.press(page, "Channels")
    stage.dialog(NumberChannelsDialog).accept()
    assert page.shown


def full_screen(stage: Stage) -> None:
    stage.window.menus["numbers"].trigger()
    page = stage.window.channel_pages.numbers
    stage.press(page, "Full screen")
    stage.wait(stage.window.isFullScreen)
    stage.click(page.full_screen)  # it says now that it leaves
    stage.wait(lambda: not stage.window.isFullScreen())


NUMBERS: dict[str, Play] = {"Channels": number_channels, "Full screen": full_screen}


def history_of(stage: Stage) -> Any:
    session, store = stage.start(), stage.window.store
    stage.wait(lambda: sum(store.count(source.index) for source in store.sources) >= 20)
    stage.stop()
    return stage.view(session.id)


def read_anew(stage: Stage) -> Iterator[str]:
    page = history_of(stage)
    yield ""
    stage.press(page, "Read anew")
    stage.cancel(RereadDialog)
    yield ""


def versions(stage: Stage) -> Iterator[str]:
    """A session is read anew, compared with what it was, shown by either, and the version deleted."""
    page = history_of(stage)

    def shown_version(version: int) -> Any:
        stage.wait(lambda: page_version(stage, page.session_id) == version)
        return stage.window.tabs.currentWidget()

    yield ""
    stage.press(page, "Read anew")
    dialog = stage.dialog(RereadDialog)
    field = dialog.grid.field(0, "unit")
    field.setText("mbar")
    field.textEdited.emit("mbar")
    dialog.accept_button.click()
    read_anew = shown_version(1)
    assert stage.names(read_anew) == set(HISTORY)
    assert any(channel.channel.unit == "mbar" for channel in read_anew.history.channels)
    compare = stage.button(read_anew, "Compare with the recording")
    for is_on in (True, False):
        stage.click(compare)
        stage.wait(lambda is_on=is_on: is_compared(read_anew) is is_on)
    read_anew.versions.choice.activated.emit(0)
    stage.press(shown_version(0), "Compare with version")
    stage.wait(lambda: is_compared(stage.window.tabs.currentWidget()))
    stage.window.tabs.currentWidget().versions.choice.activated.emit(1)
    stage.press(shown_version(1), "Delete")
    stage.cancel(QMessageBox)
    assert page_version(stage, page.session_id) == 1
    stage.press(stage.window.tabs.currentWidget(), "Delete")
    stage.answer("Delete")
    assert shown_version(0).versions.numbers == (0,)
    yield ""  # it is here: no server is needed


def is_compared(page: Any) -> bool:
    """Whether curves of another version are drawn, too."""
    return any("compared" in key for key in page.plot.strokes)


def page_version(stage: Stage, session_id: int) -> int | None:
    """By which version of its definitions the session is shown; None where it is not."""
    page = stage.window.tabs.currentWidget()
    return page.history.version if getattr(page, "session_id", None) == session_id else None


def export(stage: Stage) -> Iterator[str]:
    page = history_of(stage)
    yield ""
    stage.press(page, "Export")
    dialog = stage.dialog(ExportDialog)
    path = stage.folder / f"history {page.session_id}.csv"
    dialog.file.setText(str(path))
    dialog.accept_button.click()
    stage.wait(lambda: stage.heard(f"Exported to {path}"))
    assert path.stat().st_size > 100
    yield "Exported to"  # it is here: no server is needed


def report(stage: Stage) -> Iterator[str]:
    page = history_of(stage)
    stage.press(page, "Report")
    stage.cancel(ReportDialog)
    yield ""
    stage.press(page, "Report")
    dialog = stage.dialog(ReportDialog)
    path = stage.folder / f"history {page.session_id}.html"
    dialog.file.setText(str(path))
    dialog.accept_button.click()
    stage.wait(lambda: stage.heard(f"Report written to {path}"))
    assert "<svg" in path.read_text()
    yield "Report written to"  # it is here: no server is needed


def compare(stage: Stage) -> Iterator[str]:
    before = stage.a_session()
    page = history_of(stage)
    menu = stage.button(page, "Compare").menu()
    yield ""
    menu.aboutToShow.emit()
    next(action for action in menu.actions() if action.text().startswith("&Previous session")).trigger()
    stage.wait(lambda: isinstance(stage.window.tabs.currentWidget(), ComparisonPage))
    assert stage.window.tabs.currentWidget().view.comparison.session_ids == (before, page.session_id)
    yield ""  # both are here


def play_back(stage: Stage) -> Iterator[str]:
    page = history_of(stage)
    yield ""
    stage.press(page, "Play back")
    playback = stage.window.playback
    stage.wait(lambda: playback.is_on)
    assert not stage.window.header.start.isEnabled()
    stage.press(playback.bar, "Leave playback")
    assert not playback.is_on
    yield ""


def analyse(stage: Stage) -> Iterator[str]:
    page = history_of(stage)
    panel = page.analysis
    yield ""
    stage.press(page, "Analysis")
    stage.wait(lambda: panel.statistics.table.model().rowCount() > 0)
    save_figure(stage, panel.save)
    panel.strip.setCurrentWidget(panel.histogram)
    stage.wait(lambda: panel.histogram.figure.curves)
    save_figure(stage, panel.save)
    stage.press(panel, "Keep this view")
    assert page.plot.region.span == pytest.approx(page.shown_times)
    stage.press(panel, "Forget")
    assert page.plot.region.span is None
    mark = stage.button(panel, "Mark")
    for is_on in (True, False):
        stage.click(mark)
        assert mark.isChecked() is is_on
    stage.press(page, "Analysis")
    assert not panel.isVisible()
    yield ""


def add_marker(stage: Stage) -> Iterator[str]:
    page = history_of(stage)
    stage.press(page, "Add")
    stage.cancel(MarkerDialog)
    stage.press(page, "Add")
    dialog = stage.dialog(MarkerDialog)
    dialog.text.setPlainText("in the middle")
    yield ""
    dialog.accept_button.click()
    yield "The marker was not written"
    stage.wait(lambda: markers_of(stage, page.session_id) == ["in the middle"])
    stage.wait(lambda: [marker.text for marker in page.markers.markers] == ["in the middle"])


def mark_history(stage: Stage) -> Iterator[str]:
    page = history_of(stage)
    yield ""
    stage.press(page.bar, "Marker")
    yield "The marker was not written"
    stage.wait(lambda: markers_of(stage, page.session_id) == ["Marker 1"])


def look_around(stage: Stage) -> Iterator[str]:
    page = history_of(stage)
    yield ""
    low, high = page.shown_times
    stage.press(page, "Zoom in")
    assert page.shown_times[1] - page.shown_times[0] < high - low
    stage.press(page, "Zoom out")
    for words in ("Zoom by a box", "Stacked", "Time from the start"):
        button = stage.button(page, words)
        before = button.isChecked()
        for is_on in (not before, before):
            stage.click(button)
            assert button.isChecked() is is_on
    stage.press(page, "Reset zoom")
    assert page.shown_times == pytest.approx((low, high))
    yield ""


HISTORY: dict[str, Play] = {
    "Read anew": read_anew,
    "Compare with the recording": versions,
    "Delete": versions,
    "Export": export,
    "Report": report,
    "Compare": compare,
    "Play back": play_back,
    "Analysis": analyse,
    "Add": add_marker,
    "Zoom in": look_around,
    "Zoom out": look_around,
    "Zoom by a box": look_around,
    "Reset zoom": look_around,
    "Stacked": look_around,
    "Time from the start": look_around,
    "Picture": picture(history_of),
    "Marker": mark_history,
}
ALL = {f"live: {key}": play for key, play in (LIVE | MENUS).items()}
ALL |= {f"channel: {key}": play for key, play in CHANNEL.items()}
ALL |= {f"numbers: {key}": play for key, play in NUMBERS.items()}
ALL |= {f"history: {key}": play for key, play in HISTORY.items()}


def test_the_pages_offer_these_actions_and_no_others(stage: Stage) -> None:
    assert stage.names(live_of(stage)) | {"Reset min/max"} == set(LIVE)
    paths = {path for path in channel_menu(stage) if "/" not in path}
    assert paths == {key for key in CHANNEL if "/" not in key}
    stage.tidy()
    stage.window.menus["numbers"].trigger()
    assert stage.names(stage.window.channel_pages.numbers) == set(NUMBERS)
    assert stage.names(history_of(stage)) | {"Compare with the recording", "Delete"} == set(HISTORY)
    stage.tidy()


@pytest.mark.parametrize("key", {play: key for key, play in ALL.items()}.values())  # each play once
def test_an_action_does_what_it_says(stage: Stage, key: str) -> None:
    stage.carry_out(ALL[key])


def test_a_server_that_is_killed_in_the_middle_is_told_and_comes_back(stage: Stage, seed: int) -> None:
    stage.kill_in_each(ALL, seed)
