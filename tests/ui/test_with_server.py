"""The whole window against a real server with two simulated boards."""

import asyncio
import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtTest import QTest
from PyQt5.QtWidgets import QFileDialog, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from blitz import Client
from blitz.data.computed import ComputedChannel, Step
from blitz.data.records import LinkState
from blitz.data.transforms import MovingAverage
from blitz.io.address import ServerAddress
from blitz.io.connection import AsyncClient
from blitz.io.redis_child import RedisChild
from blitz.io.simulated_device import SimulatedDevice
from blitz.ui.dialogs.channels import ChannelsDialog
from blitz.ui.dialogs.export import ExportWish
from blitz.ui.feed import RequestFailure, SessionList
from blitz.ui.main_window import MainWindow
from blitz.ui.models.sessions import COPY, state_words
from blitz.ui.pages.history_page import HistoryPage
from blitz.ui.server_link import ServerLink

WAIT_MS = 30_000


class Desk:
    """What the tests do with a window at a server."""

    def __init__(self, desk: Any) -> None:
        self.window: MainWindow = desk.window
        self.wait: Callable[[Callable[[], object]], None] = desk.wait
        self.may_start: Callable[[], bool] = desk.may_start

    def record(self, name: str, messages: int = 30) -> int:
        """Record a short session by the window's buttons; returns its id."""
        window = self.window
        self.wait(self.may_start)
        window.header.name.setText(name)
        window.menus["start"].trigger()
        self.wait(lambda: window.header.is_recording)
        session = window.header.session
        assert session is not None
        assert session.name == name
        self.wait(lambda: window.store.session_id == session.id and self.shown() >= messages)
        window.menus["stop"].trigger()
        self.wait(lambda: not window.header.is_recording)
        self.wait(lambda: self.listed(session.id) and not self.listed(session.id).is_running)
        self.wait(lambda: any("has ended" in text for text in window.notices.texts))
        window.notices.dismiss_all()
        window.sessions_page.select(session.id)
        return session.id

    def listed(self, session_id: int) -> Any:
        return self.window.sessions_page.sessions.find(session_id)

    def shown(self) -> int:
        return sum(self.window.store.count(source.index) for source in self.window.store.sources)

    def record_without_copy(self, name: str) -> int:
        """Record a short session, which the live view brings here, and delete the copy."""
        session_id = self.record(name)
        sessions = self.window.sessions_page.sessions
        self.wait(lambda: sessions.is_local(session_id))
        self.window.feed.delete_local_copy(session_id)
        self.wait(lambda: not sessions.is_local(session_id))
        return session_id

    def act(self, name: str) -> None:
        action = self.window.sessions_page.actions_by_name[name]
        assert action.isEnabled()
        action.trigger()

    def history(self) -> HistoryPage | None:
        page = self.window.tabs.currentWidget()
        return page if isinstance(page, HistoryPage) else None


@pytest.fixture
def open_window(open_desk: Callable[..., Any]) -> Callable[..., Desk]:
    return lambda *server: Desk(open_desk(*server))


@pytest.fixture
def desk(desk: Any) -> Desk:
    return Desk(desk)


def test_preview_is_shown_and_labelled_before_anything_is_recorded(desk: Desk) -> None:
    window = desk.window
    desk.wait(lambda: window.store.newest_time() is not None and window.live_page.plot.strip.badge.isVisible())
    assert window.follower.is_preview
    desk.wait(lambda: window.live_page.variables.index(0, 1).data() not in (None, "–"))


def test_a_session_is_started_watched_stopped_viewed_exported_and_deleted(desk: Desk, tmp_path: Path) -> None:
    window = desk.window
    session_id = desk.record("first light")
    count = desk.listed(session_id).message_count
    assert count >= 30

    desk.act("view")  # waits until it is here
    desk.wait(lambda: desk.history() is not None)
    page = desk.history()
    assert page is not None
    assert page.history.record.message_count == count
    readings = sum(int((~np.isnan(series.values)).all(axis=1).sum()) for series in page.history.series.values())
    assert readings == count
    desk.wait(lambda: len(page.plot.strokes) > 0)
    assert window.sessions_page.sessions.is_local(session_id)

    path = tmp_path / "first light.csv"
    window.session_actions.export_to(session_id, ExportWish(path))
    desk.wait(lambda: window.notices.texts)
    assert window.notices.texts == [f"Exported to {path}"]
    with path.open(newline="") as file:
        assert len(list(csv.reader(file))) == count + 1

    window.menus["sessions"].trigger()
    desk.act("delete")
    box = next(box for box in window.findChildren(QMessageBox) if box.isVisible())
    assert "first light" in box.text()
    QTest.mouseClick(next(button for button in box.buttons() if "trash" in button.text()), Qt.LeftButton)
    desk.wait(lambda: desk.listed(session_id) is None)


def test_what_is_computed_live_is_in_the_session_and_in_its_analysis(desk: Desk) -> None:
    window = desk.window
    desk.wait(lambda: window.store.channels)
    first = window.store.channels[0].label
    window.computed.keep([ComputedChannel("Twice", f"'{first}' * 2", steps=(Step(MovingAverage(3)),))])
    window.live_page.set_triggered(True)
    kept: dict[str, Any] = {}

    def computed() -> bool:
        """Keep what is computed while the session is live: it is gone when that has ended."""
        found = [channel for channel in window.store.channels if channel.label == "ƒ Twice"]
        if found and window.header.is_recording and window.store.session_id:
            time_ns, values, _ = window.store.column(*found[0].key)
            kept["time"], kept["values"] = time_ns.copy(), values.copy()
        return len(kept.get("time", ())) >= 10

    desk.wait(desk.may_start)
    window.menus["start"].trigger()
    desk.wait(computed)
    assert window.live_page.triggers.trigger.level is not None
    session = window.header.session
    assert session is not None
    window.menus["stop"].trigger()
    desk.wait(lambda: desk.listed(session.id) and not desk.listed(session.id).is_running)
    window.sessions_page.select(session.id)
    desk.act("view")
    desk.wait(lambda: desk.history() is not None and desk.history().history.computed)  # type: ignore[union-attr]
    page = desk.history()
    assert page is not None
    (whole,) = page.history.computed.values()
    begin = int(np.searchsorted(whole.time_ns, kept["time"][0])) + 1  # the first has no neighbour where it is live
    same = slice(begin, begin + len(kept["time"]) - 1)
    assert np.array_equal(kept["time"][1:], whole.time_ns[same])
    assert np.allclose(kept["values"][1:], whole.values[same])
    page.set_analysis(True)
    rows = page.analysis.statistics.rows
    desk.wait(lambda: any(row[0] == "ƒ Twice" for row in rows.rows))
    counted = {row[0]: int(row[2].replace("\u202f", "")) for row in rows.rows}
    assert counted["ƒ Twice"] == counted[first] == len(whole)
    window.computed.keep([])


def test_a_file_is_imported_and_viewed_and_a_wrong_one_is_told(desk: Desk, tmp_path: Path) -> None:
    window = desk.window
    (tmp_path / "pump.csv").write_text("time [s],pressure [bar],remark\n0,1.5,cold\n1,1.6,warm\n")
    (tmp_path / "empty.csv").write_text("")
    window.menus["import"].trigger()
    dialog = next(dialog for dialog in window.findChildren(QFileDialog) if dialog.isVisible())
    dialog.close()
    window.import_actions.bring_in(tmp_path / "pump.csv")
    desk.wait(lambda: desk.listed(-1) is not None)
    texts = " ".join(window.notices.texts)
    assert "pump.csv is session -1, “pump”, of 2 messages." in texts
    assert "Left out, as they hold no numbers: remark." in texts
    assert "begins in 1970" in texts
    window.import_actions.view_requested.emit(-1)
    desk.wait(lambda: desk.history() is not None)
    window.import_actions.bring_in(tmp_path / "empty.csv")
    desk.wait(lambda: any("empty.csv was not imported" in text for text in window.notices.texts))


def test_a_deleted_session_comes_back_by_undo_and_out_of_the_trash(desk: Desk) -> None:
    window = desk.window
    session_id = desk.record("undone")
    for restore in ("undo", "trash"):
        window.feed.delete_session(session_id)
        desk.wait(
            lambda: desk.listed(session_id) is None and any("moved to the trash" in t for t in window.notices.texts)
        )
        if restore == "undo":
            QTest.mouseClick(
                next(button for button in window.notices.findChildren(QPushButton) if button.text() == "Undo"),
                Qt.LeftButton,
            )
        else:
            window.menus["trash"].trigger()
            restore_from_trash(desk, session_id)
        desk.wait(lambda: desk.listed(session_id) is not None)
        assert desk.listed(session_id).message_count >= 30


def restore_from_trash(desk: Desk, session_id: int) -> None:
    desk.window.menus["trash"].trigger()
    page = desk.window.trash_actions.page
    assert page is not None
    desk.wait(lambda: any(record.id == session_id for record in page.trash.records))
    page.select(session_id)
    page.restore.click()


def test_a_star_is_kept_by_the_server(desk: Desk) -> None:
    session_id = desk.record("kept")
    desk.act("star")
    desk.wait(lambda: desk.listed(session_id).starred)
    desk.act("star")
    desk.wait(lambda: not desk.listed(session_id).starred)


def test_a_session_is_renamed_downloaded_and_its_copy_deleted(desk: Desk) -> None:
    window = desk.window
    session_id = desk.record_without_copy("wrong name")
    window.feed.rename_session(session_id, "right name", "with notes")
    desk.wait(lambda: desk.listed(session_id).name == "right name")
    desk.act("download")
    desk.wait(lambda: window.sessions_page.sessions.is_local(session_id))
    desk.wait(lambda: not window.sessions_page.sessions.is_downloading(session_id))
    row = [window.sessions_page.sessions.record(row).id for row in range(window.sessions_page.sessions.rowCount())]
    copy = window.sessions_page.sessions.index(row.index(session_id), COPY)
    assert copy.data() == "here"
    window.feed.delete_local_copy(session_id)
    desk.wait(lambda: copy.data() == "on the server")


def test_a_session_without_a_message_can_be_viewed(desk: Desk) -> None:
    desk.window.feed.start_session("nothing")
    desk.wait(lambda: desk.window.header.session is not None)
    desk.window.feed.stop_session()
    desk.wait(
        lambda: any(r.name == "nothing" and not r.is_running for r in desk.window.sessions_page.sessions._records)
    )
    session = next(r for r in desk.window.sessions_page.sessions._records if r.name == "nothing")
    desk.window.session_actions.view(session.id)
    desk.wait(lambda: desk.history() is not None)
    assert [text for text in desk.window.notices.texts if "has ended" not in text] == []


def test_a_session_is_here_at_stop_without_a_download(server: Any, open_window: Callable[..., Desk]) -> None:
    asked: list[tuple[int, int]] = []

    class CountingClient(AsyncClient):
        async def grid_blocks(self, session_id: int, first: int, count: int) -> Any:
            asked.append((first, count))
            return await super().grid_blocks(session_id, first, count)

    desk = open_window(server.url, CountingClient)
    session_id = desk.record("flows in", messages=60)
    desk.wait(lambda: desk.window.sessions_page.sessions.is_local(session_id))
    assert asked == []
    desk.act("view")
    desk.wait(lambda: desk.history() is not None)
    assert desk.history().history.record.message_count == desk.listed(session_id).message_count


def test_all_sessions_come_by_themselves_where_that_is_set(server: Any, qtbot: QtBot, tmp_path: Path) -> None:
    with Client(server.url) as client:
        session_id = client.start("from elsewhere").id
        client.stop(session_id)
    feed = ServerLink(tmp_path / "caches", sync_mode="all", sync_period_s=3600)
    listed: list[SessionList] = []
    feed.sessions_listed.connect(listed.append)
    try:
        feed.connect_to(ServerAddress.parse(server.url))
        qtbot.waitUntil(lambda: bool(listed) and session_id in listed[-1].local_ids, timeout=WAIT_MS)
        qtbot.waitUntil(lambda: listed[-1].synchronised_at is not None, timeout=WAIT_MS)
    finally:
        feed.close()
        feed.deleteLater()


def test_a_session_is_kept_here_by_its_menu(desk: Desk) -> None:
    sessions = desk.window.sessions_page.sessions
    session_id = desk.record_without_copy("to be kept")
    assert desk.window.sessions_page.actions_by_name["keep"].text() == "&Keep here"
    desk.act("keep")
    desk.wait(lambda: sessions.is_chosen(session_id) and sessions.is_local(session_id))
    desk.wait(lambda: desk.window.sessions_page.actions_by_name["keep"].text() == "No longer &kept here")
    desk.act("keep")
    desk.wait(lambda: not sessions.is_chosen(session_id))
    assert sessions.is_local(session_id)


class HeldClient(AsyncClient):
    """Answers no request for messages while it is held."""

    is_held = False

    async def grid_blocks(self, session_id: int, first: int, count: int) -> Any:
        while HeldClient.is_held:
            await asyncio.sleep(0.01)
        return await super().grid_blocks(session_id, first, count)


def test_a_download_is_cancelled_in_its_row_and_made_later(server: Any, open_window: Callable[..., Desk]) -> None:
    desk = open_window(server.url, HeldClient)
    window, sessions = desk.window, desk.window.sessions_page.sessions
    session_id = desk.record_without_copy("held")
    HeldClient.is_held = True
    desk.act("download")
    desk.wait(lambda: sessions.is_downloading(session_id))
    desk.act("cancel")
    desk.wait(lambda: not sessions.is_downloading(session_id))
    assert not sessions.is_local(session_id)
    assert window.notices.texts == []
    HeldClient.is_held = False
    desk.act("download")
    desk.wait(lambda: sessions.is_local(session_id))


def test_leaving_the_server_ends_a_download(server: Any, open_window: Callable[..., Desk]) -> None:
    desk = open_window(server.url, HeldClient)
    session_id = desk.record_without_copy("left")
    HeldClient.is_held = True
    desk.act("download")
    desk.wait(lambda: desk.window.sessions_page.sessions.is_downloading(session_id))
    desk.window.menus["disconnect"].trigger()
    desk.wait(lambda: desk.window.header.state.text() == "Not connected")
    desk.wait(lambda: not desk.window.sessions_page.sessions.is_downloading(session_id))


def test_a_board_answers_a_command(desk: Desk) -> None:
    page = desk.window.boards_page
    page.table.selectRow(1)
    QTest.keyClicks(page.line, "098500000000001400000000000")
    QTest.keyClick(page.line, Qt.Key_Return)
    desk.wait(lambda: "0940" in page.answers.toPlainText())
    QTest.keyClicks(page.line, "099f")
    QTest.keyClick(page.line, Qt.Key_Return)
    desk.wait(lambda: page.answers.blockCount() == 2)


def channel_names(window: MainWindow) -> list[str]:
    variables = window.live_page.variables
    return [variables.index(row, 0).data() for row in range(variables.rowCount())]


def test_a_device_that_prints_is_plugged_in_named_and_plotted_without_a_file(
    run_server: Callable[..., Any], open_window: Callable[..., Desk], tmp_path: Path
) -> None:
    desk = open_window(run_server("--no-scan-usb", "--serial", str(tmp_path / "ttyUSB0")).url)
    window, offers = desk.window, desk.window.live_page.offers
    desk.wait(window.header.start.isEnabled)
    with SimulatedDevice("plain", rate_hz=20, silence_s=0.1, link_path=tmp_path / "ttyUSB0"):
        desk.wait(lambda: offers.isVisible() and channel_names(window) == ["column_1", "column_2", "column_3"])
        offers.buttons[0].click()
        dialog = next(iter(window.findChildren(ChannelsDialog)))
        for row, name in enumerate(("pressure", "temperature", "flow")):
            dialog.grid.field(row, "name").selectAll()
            QTest.keyClicks(dialog.grid.field(row, "name"), name)
        QTest.keyClicks(dialog.grid.field(2, "unit"), "ml/s")
        QTest.keyClick(dialog.grid.field(2, "unit"), Qt.Key_Return)
        desk.wait(lambda: channel_names(window) == ["pressure", "temperature", "flow"])
        desk.wait(lambda: len(window.live_page.plot.plot.strokes) == 3 and not offers.isVisible())

        window.menus["start"].trigger()
        desk.wait(lambda: window.header.is_recording and not window.follower.is_preview and desk.shown() > 10)
        window.board_actions.name_channels("ttyUSB0")
        dialog = next(dialog for dialog in window.findChildren(ChannelsDialog) if dialog.isVisible())
        dialog.grid.field(0, "name").selectAll()
        QTest.keyClicks(dialog.grid.field(0, "name"), "vacuum")
        dialog.accept()
        desk.wait(lambda: channel_names(window)[:1] == ["vacuum"])  # there are none for a moment
        assert desk.shown() > 10  # the curve goes on under its new name
        shown = desk.shown()
        desk.wait(lambda: desk.shown() > shown + 10)
        desk.wait(lambda: "nothing lost" in window.status_line.account.text())

        window.menus["boards"].trigger()
        page = window.boards_page
        desk.wait(lambda: page.account.balance.text().startswith("✓"))
        QTest.keyClicks(page.line, "t")
        QTest.keyClick(page.line, Qt.Key_Return)
        desk.wait(lambda: page.answers.toPlainText().endswith("ttyUSB0  t  →  sent"))
        window.menus["stop"].trigger()
        desk.wait(lambda: not window.header.is_recording)
        page.release.click()
        desk.wait(lambda: page.retake.isVisible())
        page.retake.click()
        desk.wait(lambda: page.release.isVisible() and page.boards.boards[0].state is LinkState.READY)

    (record,) = window.sessions_page.sessions._records
    desk.wait(lambda: desk.listed(record.id).verdict.endswith("account balances"))
    window.session_actions.view(record.id)
    desk.wait(lambda: desk.history() is not None)
    history = desk.history()
    assert history is not None
    assert [channel.label for channel in history.history.channels] == ["vacuum", "temperature", "flow"]
    assert "account balances" in history.about.text()
    assert "ttyUSB0 was sent" in history.about.toolTip()


def test_starting_twice_is_refused_with_a_sentence(desk: Desk) -> None:
    window = desk.window
    window.feed.start_session("one")
    desk.wait(lambda: window.header.is_recording)
    window.feed.start_session("two")
    desk.wait(lambda: window.notices.texts)
    assert "was not started" in window.notices.texts[0]
    window.menus["stop"].trigger()
    desk.wait(lambda: not window.header.is_recording)


def test_disconnecting_clears_the_window_and_connecting_again_fills_it(desk: Desk, server: Any) -> None:
    window = desk.window
    desk.wait(lambda: window.store.newest_time() is not None)
    window.menus["disconnect"].trigger()
    desk.wait(lambda: window.header.state.text() == "Not connected")
    assert window.store.newest_time() is None
    assert window.boards_page.boards.rowCount() == 0
    window.connect_to(ServerAddress.parse(server.url))
    desk.wait(lambda: window.store.newest_time() is not None and window.header.start.isEnabled())


def test_the_window_waits_for_a_server_and_says_so(open_window: Callable[..., Desk]) -> None:
    desk = open_window("http://127.0.0.1:9")
    window = desk.window
    desk.wait(lambda: "127.0.0.1:9" in window.status_line.connection.text())
    assert window.header.state.text() == "Connecting…"
    assert window.notices.texts == []


def test_only_refused_starts_and_stops_are_failures_of_recording(desk: Desk) -> None:
    failures: list[RequestFailure] = []
    desk.window.feed.request_failed.connect(failures.append)
    desk.window.feed.stop_session(9999)
    desk.wait(lambda: len(failures) == 1)
    desk.window.feed.download(9999)
    desk.wait(lambda: len(failures) == 2)
    assert [failure.is_of_recording for failure in failures] == [True, False]


def test_a_server_killed_while_recording_is_seen_and_found_again(
    run_server: Callable[..., Any], open_window: Callable[..., Desk], steady_port: int
) -> None:
    server = run_server("--simulate", "1", "--port", str(steady_port))
    desk = open_window(server.url)
    window = desk.window
    desk.wait(desk.may_start)
    window.menus["start"].trigger()
    desk.wait(lambda: window.header.is_recording and window.store.newest_time() is not None)
    server.kill()
    desk.wait(lambda: window.header.state.text() == "Reconnecting…")
    assert not window.header.stop.isEnabled()
    desk.wait(lambda: "OLD VALUES" in window.live_page.plot.strip.badge.text())
    server.start()
    desk.wait(lambda: window.header.is_recording)
    desk.wait(lambda: "recording, resumed once" in [state_words(r) for r in window.sessions_page.sessions._records])


def test_messages_that_are_spooled_while_redis_is_away_are_told_and_enter_the_session(
    run_server: Callable[..., Any], open_window: Callable[..., Desk], tmp_path: Path
) -> None:
    with RedisChild(tmp_path / "redis", "always") as child:
        server = run_server("--simulate", "1", "--redis-url", child.url)
        desk = open_window(server.url)
        window = desk.window
        desk.wait(desk.may_start)
        window.menus["start"].trigger()
        desk.wait(lambda: window.header.is_recording and desk.shown() > 10)
    desk.wait(lambda: any("Redis is away" in condition.text for condition in window.conditions.conditions))
    desk.wait(lambda: "messages safe on disk" in window.status_line.store.text())
    seen = desk.shown()
    desk.wait(lambda: desk.shown() > seen + 10)  # what is safe on disk is shown
    with RedisChild(tmp_path / "redis", "always"):
        desk.wait(lambda: window.conditions.conditions == ())
        window.menus["stop"].trigger()
        desk.wait(lambda: not window.header.is_recording)
        desk.wait(lambda: [record for record in window.sessions_page.sessions._records if not record.is_running])
        (record,) = window.sessions_page.sessions._records
        assert record.message_count >= seen + 10
        desk.wait(lambda: "nothing lost" in desk.listed(record.id).verdict)
        server.stop()


def test_a_viewer_of_a_server_on_the_network_sees_why_start_is_grey_and_when_the_token_is_revoked(
    run_server: Callable[..., Any], open_window: Callable[..., Desk]
) -> None:
    server = run_server("--simulate", "1", "--host", "127.0.0.2", "--token", "one-of-16-letters-or-more")

    def command(*words: str) -> Any:
        where = ("--data-dir", str(server.data_dir), "--json")
        run = subprocess.run(
            [sys.executable, "-m", "blitz", *words, *where], capture_output=True, timeout=60, check=True
        )
        return json.loads(run.stdout)

    made = command("token", "create", "--role", "viewer", "--name", "wall screen")
    desk = open_window(made["link"])
    window = desk.window
    desk.wait(lambda: window.store.newest_time() is not None)
    assert not window.header.start.isEnabled()
    assert "“wall screen”: its role is viewer, and this needs operator" in window.header.start.toolTip()
    command("token", "revoke", str(made["record"]["id"]))
    desk.wait(lambda: window.header.state.text() == "Not connected")
    desk.wait(lambda: "The token was revoked." in window.first.page.message.text)
    shown = "".join((*window.notices.texts, window.windowTitle(), window.status_line.connection.text()))
    shown += window.first.page.message.text
    assert made["token"] not in shown
