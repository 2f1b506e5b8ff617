"""Every action of the head, the notices, the bars, the start page, the console and the events."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PyQt5.QtWidgets import QApplication, QFileDialog

from blitz import Client
from blitz.errors import ConfigError
from blitz.io.address import ServerAddress
from blitz.io.own_server import demo_plan
from blitz.ui.dialogs.export import ExportDialog
from blitz.ui.dialogs.known_server import KnownServerDialog
from blitz.ui.dialogs.plan_change import PlanChangeDialog
from blitz.ui.dialogs.start import StartDialog
from blitz.ui.event_actions import AROUND_S
from blitz.ui.local_servers import LocalKind

Stage = Any
Play = Callable[[Stage], Any]


def status_of(stage: Stage) -> Any:
    return stage.ask_server(lambda client: client.status())


def start(stage: Stage) -> Iterator[str]:
    stage.wait(stage.may_start)
    stage.window.header.name.setText("by the button")
    yield ""
    stage.press(stage.window.header, "Start")
    yield "The session was not started"
    stage.wait(lambda: stage.window.header.is_recording)
    assert status_of(stage).session.name == "by the button"


def start_with(stage: Stage) -> None:
    stage.press(stage.window.header, "Start with")
    stage.cancel(StartDialog)


def stop(stage: Stage) -> Iterator[str]:
    stage.start()
    yield ""
    stage.press(stage.window.header, "Stop")
    yield "The session was not stopped"
    stage.wait(lambda: not stage.window.header.is_recording)
    assert status_of(stage).session is None


def checklist(stage: Stage) -> None:
    header = stage.window.header
    stage.press(header, "Checklist")
    popover = header.ready._popover
    stage.press(popover, "Show the boards")
    assert stage.window.tabs.currentWidget() is stage.window.boards_page


def plan(stage: Stage) -> None:
    """Let the server plan a start in an hour."""
    stage.ask_server(lambda client: client.plan_start(datetime.now(UTC) + timedelta(hours=1), "planned"))
    stage.wait(stage.window.header.cancel_planned.isVisible)


def cancel_planned(stage: Stage) -> Iterator[str]:
    plan(stage)
    yield ""
    stage.press(stage.window.header, "Cancel")
    yield "The session is planned as before"
    stage.wait(lambda: not stage.window.header.cancel_planned.isVisible())
    assert status_of(stage).planned == ()


def change_plan(stage: Stage) -> Iterator[str]:
    stage.ask_server(lambda client: client.start("timed", duration_s=3600))
    header = stage.window.header
    stage.wait(lambda: header.is_recording and header.change_plan.isVisible())
    stage.press(header, "Change")
    stage.cancel(PlanChangeDialog)
    stage.press(header, "Change")
    dialog = stage.dialog(PlanChangeDialog)
    dialog.timed.show_run(dialog._before.model_copy(update={"message_count": 1_000_000}))
    yield ""
    dialog.accept_button.click()
    yield "The session stops as before"
    stage.wait(lambda: status_of(stage).session.plan.message_count == 1_000_000)


def notices(stage: Stage) -> None:
    area = stage.window.notices
    for number in range(5):
        area.tell("warning", f"warning {number}")
    stage.press(area, "2 more")
    assert stage.window.tabs.currentWidget() is stage.window.events.page
    stage.press(area, "Dismiss all")
    assert area.texts == []
    area.tell("warning", "one")
    stage.press(area, "Dismiss")
    assert area.texts == []


def view_ended(stage: Stage) -> Iterator[str]:
    session = stage.start()
    stage.stop()
    yield ""
    stage.press(stage.window.notices, "View")
    stage.wait(lambda: getattr(stage.window.tabs.currentWidget(), "session_id", None) == session.id)
    yield ""  # it is here: no server is needed


def export_ended(stage: Stage) -> Iterator[str]:
    stage.start()
    stage.stop()
    yield ""
    stage.press(stage.window.notices, "Export")
    stage.cancel(ExportDialog)
    yield ""


def cancel_work(stage: Stage) -> None:
    def work(_: object, is_cancelled: Callable[[], bool]) -> None:
        while not is_cancelled():
            pass

    job = stage.window.jobs.run("Something long", work)
    stage.press(stage.window.status_line, "Cancel")
    stage.wait(lambda: job not in stage.window.jobs.running)


def servers(stage: Stage) -> None:
    """On the start page: an address that is none, a server that does not start, back."""
    stage.window.menus["servers"].trigger()
    page, local = stage.window.first.page, stage.window.first.local

    def cannot() -> Any:
        raise ConfigError("There is no room.")

    before, local._plans = local._plans, dict.fromkeys(LocalKind, cannot)
    try:
        for words in ("Open the demo", "Use this computer"):
            stage.press(page, words)
            stage.wait(lambda: "There is no room." in page.message.text)
            stage.press(page.message, "Try again")
            stage.wait(lambda: "There is no room." in page.message.text)
    finally:
        local._plans = before
    page.entry.setText("blitz://[")
    assert not stage.button(page, "Connect").isEnabled()
    page.entry.clear()
    stage.window.preferences.remember_server(ServerAddress.parse("elsewhere:1"), "")
    stage.window.first.show_servers()
    stage.press(page, "Change elsewhere")
    stage.dialog(KnownServerDialog).name.setText("somewhere")
    stage.dialog(KnownServerDialog).accept()
    stage.press(page, "Remove somewhere")
    stage.answer("Remove")
    assert [known.address for known in stage.window.preferences.known_servers] == [stage.server.url]
    stage.press(page, page.back.text())
    assert stage.window.tabs.isVisible()


def start_page_of(stage: Stage) -> Any:
    stage.window.menus["servers"].trigger()
    page = stage.window.first.page
    stage.wait(page.back.isVisible)
    return page


def start_here(stage: Stage) -> None:
    """The demonstration, for real: it is started, records, is found as it runs, and ends with its process."""
    window, local = stage.window, stage.window.first.local

    def is_at(name: str) -> bool:
        return stage.is_online and window.tabs.isVisible() and window.windowTitle() == f"{name} – Blitz"

    home = window.windowTitle().partition(" – ")[0]
    plan = demo_plan(stage.folder / f"demo {stage.number()}")
    before, local._plans = local._plans, dict.fromkeys(LocalKind, lambda: plan)
    try:
        stage.press(start_page_of(stage), "Open the demo")
        stage.wait(lambda: is_at("Demo") and window.boards_page.boards.rowCount() == 2)
        session = stage.start("in the demo")
        with Client(next(iter(local._own))) as client:
            assert client.session(session.id).name == "in the demo"
        stage.stop()
        stage.press(start_page_of(stage), "127.0.0.1")
        stage.wait(lambda: is_at(home))
        stage.press(start_page_of(stage), "Use this computer")
        stage.wait(lambda: is_at("This computer") and stage.listed(session.id) is not None)
        stage.press(start_page_of(stage), "127.0.0.1")
        stage.wait(lambda: is_at(home))
        assert len(local._own) == 1
    finally:
        local._plans = before
        for own in local._own.values():
            own.process.terminate()
            assert own.process.wait(60) == 0
        local._own.clear()
    stage.agree()


def console_of(stage: Stage) -> Any:
    stage.window.menus["console"].trigger()
    page = stage.window.console.page
    stage.wait(lambda: page.lines.rowCount() > 0)
    return page


def shown_as(stage: Stage) -> None:
    page = console_of(stage)
    widths = []
    for words in ("Hex", "Both", "Text"):
        stage.press(page.bar, words)
        widths.append(len(page.columns))
    assert widths == [4, 5, 4]


def pause(stage: Stage) -> None:
    page = console_of(stage)
    for is_on in (True, False):
        stage.click(page.bar.pause)  # it says what it does next
        assert page.lines.is_paused is is_on


def copy(stage: Stage) -> None:
    page = console_of(stage)
    page.table.selectRow(0)
    stage.press(page.bar, "Copy")
    assert "sim" in QApplication.clipboard().text()


def save(stage: Stage) -> None:
    page = console_of(stage)
    stage.press(page.bar, "Save")
    stage.cancel(QFileDialog)
    path = stage.folder / f"console {len(list(stage.folder.iterdir()))}.txt"
    stage.press(page.bar, "Save")
    stage.choose_file(path)
    stage.wait(lambda: stage.heard(f"lines to {path}"))
    assert "sim" in path.read_text()


def clear(stage: Stage) -> Iterator[str]:
    page = console_of(stage)
    kept = page.lines.kept
    yield ""
    stage.press(page.bar, "Clear")
    assert page.lines.kept < kept
    yield ""


def find(stage: Stage) -> None:
    page = console_of(stage)
    page.bar.search.setText("0")
    for words in ("Next match", "Match before"):
        stage.press(page.bar, words)
        assert page.table.currentIndex().isValid()
    page.bar.search.clear()


def to_the_newest(stage: Stage) -> None:
    page = console_of(stage)
    bar = page.table.verticalScrollBar()
    stage.wait(lambda: bar.maximum() > 10 * page.table.verticalHeader().defaultSectionSize())
    bar.setValue(0)
    stage.press(page, "To the newest")
    stage.wait(lambda: not page.newest.isVisible())
    assert bar.value() == bar.maximum()
    count = page.lines.rowCount()
    stage.wait(lambda: page.lines.rowCount() > count and bar.value() == bar.maximum())  # it follows


def send(stage: Stage) -> Iterator[str]:
    page = console_of(stage)
    stage.wait(lambda: page.foot.board.findText("sim2") >= 0)
    page.foot.choose("sim2")
    page.foot.line.line.setText("098500000000001400000000000")
    yield ""
    stage.press(page.foot, "Send")
    yield "sim2: 098500000000001400000000000 → "
    stage.wait(lambda: "0940" in page.foot.answer.text())


CONSOLE: dict[str, Play] = {
    "Text": shown_as,
    "Hex": shown_as,
    "Both": shown_as,
    "Pause": pause,
    "Copy": copy,
    "Save": save,
    "Clear": clear,
    "Next match": find,
    "Match before": find,
    "To the newest": to_the_newest,
    "Send": send,
}


def events_of(stage: Stage) -> Any:
    stage.window.menus["events"].trigger()
    page = stage.window.events.page
    stage.window.notices.tell("warning", "look at this")
    page.draw()
    assert any(line.text == "look at this" for line in page.events.lines)
    return page


def severities(stage: Stage) -> None:
    page = events_of(stage)
    count = len(page.events.lines)
    stage.press(page, "Warnings")
    assert len(page.events.lines) < count
    stage.press(page, "Warnings")
    for words in ("Errors", "Notes", "Errors", "Notes"):
        stage.press(page, words)
    assert len(page.events.lines) >= count


def dismiss_event(stage: Stage) -> None:
    page = events_of(stage)
    rows = [row for row, line in enumerate(page.events.lines) if line.text == "look at this"]
    page.table.selectRow(rows[0])
    stage.press(page, "Dismiss")
    assert sum(line.text == "look at this" for line in page.events.lines) < len(rows)


def dismiss_events(stage: Stage) -> None:
    page = events_of(stage)
    stage.press(page, "Dismiss all")
    assert all(line.text != "look at this" for line in page.events.lines)


def to_board_and_time(stage: Stage) -> Iterator[str]:
    session, boards = stage.start(), stage.window.boards_page
    words = f"event {stage.number()}"
    stage.ask_server(lambda client: client.add_marker(session.id, words, source="sim2"))
    page = events_of(stage)
    boards.select("sim1")

    def rows() -> list[int]:
        return [row for row, line in enumerate(page.events.lines) if words in line.text]

    stage.wait(rows)
    page.table.selectRow(rows()[0])
    yield ""
    stage.press(page, "Show in the plot")
    assert stage.window.tabs.currentWidget() is stage.window.live_page
    at_s = page.events.lines[rows()[0]].data_s
    stage.wait(lambda: stage.window.live_page.shown_times == pytest.approx((at_s - AROUND_S, at_s + AROUND_S)))
    stage.window.menus["events"].trigger()
    stage.press(page, "Show the board")
    assert stage.window.tabs.currentWidget() is boards
    assert boards.selected_board == "sim2"
    stage.window.menus["live"].trigger()
    stage.window.live_page.plot.follow()
    yield ""


EVENTS: dict[str, Play] = {
    "Errors": severities,
    "Warnings": severities,
    "Notes": severities,
    "Dismiss": dismiss_event,
    "Dismiss all": dismiss_events,
    "Show in the plot": to_board_and_time,
    "Show the board": to_board_and_time,
}
HEADER: dict[str, Play] = {
    "Start": start,
    "Start with": start_with,
    "Stop": stop,
    "Checklist": checklist,
    "Cancel": cancel_planned,
    "Change": change_plan,
}


def alarming(stage: Stage) -> str:
    """Let the server raise an alarm; the rule's id."""

    def channels() -> Any:
        board = next((board for board in stage.ask_server(Client.boards) if board.name == "sim1"), None)
        return board is not None and board.definition is not None and board.definition.channels

    stage.wait(channels)
    channel = channels()[0].name
    rule = {"name": f"Too much {stage.number()}", "source": "sim1", "channel": channel, "severity": "critical"}
    kept = stage.ask_server(lambda c: c.add_alarm_rule(rule | {"condition": {"kind": "level", "above": -1e9}}))
    stage.wait(lambda: stage.window.alarms.bar.isVisible() and rule["name"] in stage.window.alarms.bar.text.text())
    return str(kept.id)


def calm(stage: Stage, rule_id: str) -> None:
    """Have no alarm in sight."""
    stage.ask_server(lambda client: client.remove_alarm_rule(rule_id))
    stage.ask_server(Client.acknowledge_alarms)
    stage.wait(lambda: not stage.window.alarms.bar.isVisible())


def look_at_alarms(stage: Stage) -> None:
    rule_id = alarming(stage)
    bar = stage.window.alarms.bar
    for is_silent in (True, False):
        stage.press(bar, "Silence")
        assert bar.silence.isChecked() is is_silent
    stage.press(bar, "Show")
    assert stage.window.tabs.currentWidget() is stage.window.alarms.page
    calm(stage, rule_id)


def acknowledge(stage: Stage) -> Iterator[str]:
    rule_id = alarming(stage)
    bar = stage.window.alarms.bar
    try:
        yield ""
        stage.click(bar.seen)
        yield "The alarms were not acknowledged"
        stage.wait(lambda: not bar.isVisible())
        alarms = [alarm for alarm in stage.ask_server(Client.alarms) if alarm.rule_id == rule_id]
        assert all(alarm.acknowledged_at is not None for alarm in alarms)
    finally:
        calm(stage, rule_id)


BARS: dict[str, Play] = {
    "Notices": notices,
    "View": view_ended,
    "Export": export_ended,
    "Cancel": cancel_work,
    "Silence": look_at_alarms,
    "Show": look_at_alarms,
    "Acknowledge": acknowledge,
}
SERVERS: dict[str, Play] = {
    "Open the demo": start_here,
    "Use this computer": start_here,
    "127.0.0.1": start_here,
    "Change 127.0.0.1": servers,
    "Remove 127.0.0.1": servers,
    "Connect": servers,
    "‹ Back to 127.0.0.1": servers,
}
ALL = {f"header: {key}": play for key, play in HEADER.items()}
ALL |= {f"bars: {key}": play for key, play in BARS.items()}
ALL |= {f"servers: {key}": play for key, play in SERVERS.items()}
ALL |= {f"console: {key}": play for key, play in CONSOLE.items()}
ALL |= {f"events: {key}": play for key, play in EVENTS.items()}


def test_the_bars_and_pages_offer_these_actions_and_no_others(stage: Stage) -> None:
    header = stage.window.header
    idle = stage.names(header)
    plan(stage)
    planned = stage.names(header)
    stage.click(header.cancel_planned)
    stage.ask_server(lambda client: client.start("timed", duration_s=3600))
    stage.wait(lambda: header.is_recording and header.change_plan.isVisible())
    assert idle | planned | stage.names(header) == set(HEADER)
    stage.tidy()
    assert stage.names(console_of(stage)) | {"To the newest"} == set(CONSOLE)
    assert stage.names(events_of(stage)) | {"Show in the plot", "Show the board"} == set(EVENTS)
    stage.tidy()
    assert stage.names(start_page_of(stage)) == set(SERVERS)
    stage.tidy()


def test_the_window_has_no_button_outside_the_parts_that_are_tried(stage: Stage) -> None:
    window = stage.window
    parts = [window.header, window.notices, window.status_line, window.conditions, window.tabs, window.menuBar()]
    parts += [window.first.bar, window.first.offer, window.first.page, window.new_devices.offers]
    parts += [window.alarms.bar, window.playback.bar, window.playback.alarms.bar]
    outside = [
        stage.name_of(button)
        for button in stage.buttons(window)
        if not any(part.isAncestorOf(button) for part in parts) and button.window() is window
    ]
    assert outside == []


@pytest.mark.parametrize("key", {play: key for key, play in ALL.items()}.values())  # each play once
def test_an_action_does_what_it_says(stage: Stage, key: str) -> None:
    stage.carry_out(ALL[key])


def test_a_server_that_is_killed_in_the_middle_is_told_and_comes_back(stage: Stage, seed: int) -> None:
    stage.kill_in_each(ALL, seed)
