"""Console, events and settings against a real server: a line is answered, a board's loss is told with its cause."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest

from blitz.config import ClientSettings
from blitz.data.kept_settings import KeptSettings
from blitz.ui.event_log import Severity
from blitz.ui.models.console_lines import SEQ, TEXT
from blitz.ui.server_link import ServerLink


def lines(desk: Any) -> list[tuple[str, str]]:
    """The console's newest rows: seq or mark, and text."""
    lines = desk.window.console.page.lines
    newest = range(max(0, lines.rowCount() - 400), lines.rowCount())
    return [(lines.index(row, SEQ).data(), lines.index(row, TEXT).data()) for row in newest]


def test_messages_come_and_a_line_is_answered_by_the_board(desk: Any) -> None:
    window, page = desk.window, desk.window.console.page
    window.menus["console"].trigger()
    desk.wait(lambda: page.lines.rowCount() > 20)
    assert {len(text) for _, text in lines(desk)} == {28}
    page.foot.choose("sim1")
    desk.wait(page.foot.line.line.isEnabled)
    QTest.keyClicks(page.foot.line.line, "0081")
    QTest.keyClick(page.foot.line.line, Qt.Key_Return)
    desk.wait(lambda: page.foot.answer.text().startswith("sim1: 0081 → 08"))
    desk.wait(lambda: ("→ sent", "0081") in lines(desk))
    sent = lines(desk).index(("→ sent", "0081"))
    assert lines(desk)[sent + 1][0] == "← answer"

    window.menus["start"].trigger()
    desk.wait(lambda: window.header.is_recording)
    desk.wait(lambda: lines(desk)[-1][0].isdecimal() and len({seq for seq, _ in lines(desk)}) > 20)
    session = window.header.session
    assert session is not None
    desk.wait(lambda: any(key[1] == session.id for key in page.lines._ring._seen))
    received = [text for seq, text in lines(desk) if seq.isdecimal()]
    assert len(received) == len(set(received))  # the preview does not show again what is recorded
    window.menus["stop"].trigger()
    desk.wait(lambda: not window.header.is_recording)
    desk.wait(lambda: [e for e in window.events.log.lines if "ended after" in e.text])
    texts = [event.text for event in window.events.log.lines]
    assert any("was started" in text for text in texts)
    assert any("sim1 was sent '0081'" in text for text in texts)


def test_what_nobody_sends_is_a_sentence(desk: Any) -> None:
    page = desk.window.console.page
    desk.window.menus["console"].trigger()
    page.foot.choose("sim1")
    desk.wait(page.foot.line.line.isEnabled)
    QTest.keyClicks(page.foot.line.line, "zz")
    page.foot.line.send.click()
    desk.wait(lambda: page.foot.answer.text().startswith("sim1: zz → ") and page.foot.answer.text().endswith("."))


def test_a_red_board_leads_to_its_cause_and_what_to_do(
    run_server: Callable[..., Any], open_desk: Callable[..., Any], tmp_path: Path
) -> None:
    """The event names the board, says what is wrong and what to do, and leads to the board by one key."""
    master, slave = os.openpty()
    port = tmp_path / "ttyBENCH"
    port.symlink_to(os.ttyname(slave))
    os.close(slave)  # one that has it open, too, would be told of
    try:
        desk = open_desk(run_server("--serial", f"{port}:9600", "--simulate", "1").url)
        window, page = desk.window, desk.window.events.page
        desk.wait(lambda: window.boards_page.boards.rowCount() == 2)
        port.unlink()
    finally:
        os.close(master)
    desk.wait(lambda: [e for e in window.events.log.lines if e.severity is Severity.ERROR and e.board])
    assert window.tabs.tabText(window.tabs.indexOf(page)).startswith("Events (")
    window.menus["events"].trigger()
    advice = "Plug the device in"
    desk.wait(lambda: [e for e in page.events.lines if e.severity is Severity.ERROR and advice in e.text])
    row = next(n for n, e in enumerate(page.events.lines) if advice in e.text)
    page.table.selectRow(row)
    page.table.setFocus()
    QTest.keyClick(page.table, Qt.Key_Return)
    assert window.tabs.currentWidget() is window.boards_page
    assert window.boards_page.selected_board == page.events.lines[row].board


def test_synchronisation_follows_the_settings_at_once(desk: Any, tmp_path: Path) -> None:
    window = desk.window
    feed = window.feed
    assert isinstance(feed, ServerLink)
    window.settings_actions.client_changed.connect(
        lambda chosen: feed.synchronise_by(chosen.sync, chosen.sync_period_s)
    )
    window.menus["start"].trigger()
    desk.wait(lambda: window.header.is_recording)
    session = window.header.session
    assert session is not None
    desk.wait(lambda: window.store.session_id == session.id and window.store.newest_time() is not None)
    window.menus["stop"].trigger()
    sessions = window.sessions_page.sessions
    desk.wait(lambda: sessions.is_local(session.id))
    feed.delete_local_copy(session.id)
    desk.wait(lambda: not sessions.is_local(session.id))
    kept = KeptSettings(tmp_path / "client.settings")
    kept.keep({"sync": "all", "sync_period_s": "1"})
    window.settings_actions.use(ClientSettings.model_validate({}), kept)
    desk.wait(lambda: sessions.is_local(session.id))
