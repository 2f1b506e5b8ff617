"""All servers in one list: how each is, switching between them, opening and bringing sessions of any."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PyQt5.QtCore import Qt
from PyQt5.QtGui import QFont
from pytestqt.qtbot import QtBot

from blitz import Client
from blitz.data.cache_engine import cache_path
from blitz.data.database_client import DatabaseClient
from blitz.data.profiles import Profile, add_profile
from blitz.data.records import LinkState
from blitz.errors import AuthenticationError
from blitz.io.address import ServerAddress
from blitz.io.connection import AsyncClient
from blitz.ui.dialogs.all_servers import AllServersDialog
from blitz.ui.models.all_servers import (
    BOARDS,
    LOST,
    RECORDING,
    ROOM,
    SINCE,
    STATE,
    AllSessionsModel,
    ServerRow,
    ServersModel,
    server_text,
    session_text,
    state_text,
)
from blitz.ui.models.last_values import AGE, VALUE
from blitz.ui.servers_watch import ServerNow

WAIT_MS = 60_000
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOBODY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _profiles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BLITZ_PROFILES", str(tmp_path / "profiles.toml"))


def changed(record: Any, **fields: Any) -> Any:
    return record.model_copy(update=fields)


def row(name: str, now: ServerNow | None = None, **more: Any) -> ServerRow:
    return ServerRow(ServerAddress.parse(f"http://{name}:8999"), name, "profile", now, **more)


def test_a_server_is_told_in_words(make: Any) -> None:
    session = changed(make.session(3, name="pump", running=True), started_at=NOW - timedelta(seconds=90))
    boards = (make.board("sim1", recording=True), changed(make.board("sim2"), state=LinkState.AWAY))
    status = changed(make.status(session), boards=boards, now=NOW)
    bench = row("bench1", ServerNow("http://bench1:8999", status))
    texts = [server_text(bench, column, NOW) for column in (STATE, RECORDING, SINCE, BOARDS)]
    assert texts == ["answers", "“pump”", "0:01:30", "1 of 2 well"]
    away = ServerNow("", status, error="nobody there", away_since=NOW - timedelta(minutes=5))
    assert state_text(away, NOW) == "away for 5 min"
    assert server_text(row("bench1", away), RECORDING, NOW) == ""
    assert state_text(ServerNow("", error="no token", is_refused=True), NOW) == "does not let us in"
    assert state_text(None, NOW) == "asking…"
    idle = row("bench2", ServerNow("", make.status(boards=0)))
    assert [server_text(idle, column, NOW) for column in (RECORDING, LOST, BOARDS, ROOM)] == [
        *("not recorded", "", "none", "–")
    ]


def test_sessions_of_all_servers_are_in_one_list_and_are_searched(make: Any) -> None:
    old = changed(make.session(7, name="night"), started_at=NOW - timedelta(hours=5))
    new = changed(make.session(7, name="blade"), started_at=NOW, tags=("steel",))
    servers = [row("bench1", ServerNow("", None, (old,))), row("bench2", ServerNow("", None, (new,)))]
    model = AllSessionsModel(QFont())
    model.show(servers)
    assert [session_text(each, 0, NOW) for each in model.rows] == ["bench2", "bench1"]
    assert [each.key for each in model.rows] == [("http://bench2:8999", 7), ("http://bench1:8999", 7)]
    for words, names in (("steel", ["blade"]), ("BENCH1", ["night"]), ("bench1 steel", []), ("", ["blade", "night"])):
        model.show(servers, words)
        assert [each.record.name for each in model.rows] == names


def test_a_list_that_says_the_same_of_the_same_servers_keeps_its_selection(qtbot: QtBot, make: Any) -> None:
    dialog = AllServersDialog(QFont())
    qtbot.addWidget(dialog)
    sessions = (make.session(2), make.session(1))
    bench = row("bench1", ServerNow("", make.status(boards=0), sessions))
    dialog.show_servers([bench, row("bench2")])
    dialog.servers_table.selectRow(1)
    dialog.sessions_table.selectRow(1)
    resets: list[None] = []
    dialog.servers.modelReset.connect(lambda: resets.append(None))
    dialog.show_servers([bench, row("bench2", ServerNow("", make.status(boards=0)))])
    assert resets == []
    dialog.show_servers([row("bench0"), bench, row("bench2")])
    assert len(resets) == 1
    assert dialog.selected_server is not None
    assert dialog.selected_server.name == "bench2"
    chosen = dialog.selected_session
    assert chosen is not None
    assert chosen.record.id == 1
    assert dialog.open_it.isEnabled()
    dialog.show_servers([row("bench2")])
    chosen = dialog.selected_session
    assert chosen is None
    assert not dialog.open_it.isEnabled()


def test_the_font_of_the_server_that_the_window_is_at_is_bold() -> None:
    model = ServersModel(QFont())
    model.show([row("bench1", is_current=True), row("bench2")])
    assert model.index(0, 0).data(Qt.FontRole).bold()
    assert model.index(1, 0).data(Qt.FontRole) is None


@pytest.fixture(scope="module")
def bench2(run_server: Callable[..., Any], module_port: int) -> Any:
    """Another server, with a session of its own."""
    server = run_server("--simulate", "1", "--durability", "none", "--port", str(module_port))
    with Client(server.url) as client:
        client.start("blade")
        while client.status().session.message_count < 3:  # type: ignore[union-attr]
            pass
        client.stop()
    return server


def rows(desk: Any) -> dict[str, ServerRow]:
    dialog = desk.window.all_servers.dialog
    return {each.name: each for each in dialog.servers.rows}


def test_an_operator_watches_two_benches_and_goes_from_one_to_the_other(desk: Any, bench2: Any, tmp_path: Path) -> None:
    window = desk.window
    add_profile(Profile("second", bench2.url))
    add_profile(Profile("third", NOBODY))
    window.all_servers.ask()
    window.all_servers.ask()  # a second time it comes to the front
    dialog = window.all_servers.dialog
    desk.wait(lambda: len([each for each in rows(desk).values() if each.now is not None]) == 3)
    assert {each.name: bool(each.status) for each in rows(desk).values()} == {
        "second": True,
        "third": False,
        window.first.servers.name(window._connection.address): True,
    }
    assert state_text(rows(desk)["third"].now, datetime.now(UTC)).startswith("away")

    # The last values of the chosen one, the window's own at first.
    desk.wait(lambda: {value.source for value in dialog.values.values} == {"sim1", "sim2"})
    dialog.servers_table.selectRow(dialog.servers.row_of(bench2.url))
    assert dialog.values.rowCount() == 0
    desk.wait(lambda: {value.source for value in dialog.values.values} == {"sim1"})
    adc = next(n for n, value in enumerate(dialog.values.values) if value.channel.name == "adc_channel_one")
    assert dialog.values.index(adc, VALUE).data().endswith(" count")
    assert dialog.values.index(adc, AGE).data().endswith(" s")
    before = dialog.values.values[adc].time_s
    desk.wait(lambda: dialog.values.values[adc].time_s > before)

    # Without leaving the first, a session of the second comes into the cache of the second.
    blade = next(number for number, each in enumerate(dialog.sessions.rows) if each.row.name == "second")
    dialog.sessions_table.selectRow(blade)
    key = dialog.selected_session.key
    dialog.download.click()
    desk.wait(lambda: "is on this computer" in dialog.told.text())
    store_id = rows(desk)["second"].status.store_id  # type: ignore[union-attr]
    with DatabaseClient(path=cache_path(tmp_path / "caches", store_id)) as cache:
        assert [record.name for record in cache.session_records()] == ["blade"]
    assert rows(desk)["second"].is_current is False

    # Opening it takes the window there.
    dialog.open_it.click()
    desk.wait(lambda: getattr(window.tabs.currentWidget(), "session_id", None) == key[1])
    desk.wait(lambda: rows(desk)["second"].is_current)
    assert window.header.isVisible()

    # What a server does is seen, whichever the window is at.
    bench2.stop()
    desk.wait(lambda: rows(desk)["second"].status is None)
    bench2.start()
    desk.wait(lambda: rows(desk)["second"].status is not None)

    first = next(each for each in rows(desk).values() if each.name not in ("second", "third"))
    dialog.servers_table.selectRow(dialog.servers.row_of(first.address))
    dialog.switch.click()
    desk.wait(lambda: rows(desk)[first.name].is_current and desk.may_start())
    dialog.reject()
    assert window.all_servers.dialog is None


def test_a_server_that_wants_a_token_is_told_as_one(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    status = AsyncClient.status

    async def refuse(client: AsyncClient) -> Any:
        if client.address.port == 9:
            raise AuthenticationError("This server wants a token.")
        return await status(client)

    monkeypatch.setattr(AsyncClient, "status", refuse)
    add_profile(Profile("locked", NOBODY))
    desk.window.all_servers.ask()
    desk.wait(lambda: "locked" in rows(desk) and rows(desk)["locked"].now is not None)
    assert state_text(rows(desk)["locked"].now, NOW) == "does not let us in"


def test_a_file_of_profiles_that_cannot_be_read_hides_no_other_server(desk: Any, tmp_path: Path) -> None:
    (tmp_path / "profiles.toml").write_text("[")
    desk.window.all_servers.ask()
    desk.wait(lambda: [each.now is not None for each in rows(desk).values()] == [True])


def test_only_servers_of_the_windows_own_list_are_changed_and_removed_here(qtbot: QtBot) -> None:
    dialog = AllServersDialog(QFont())
    qtbot.addWidget(dialog)
    own = row("bench1", is_stored=True)
    dialog.show_servers([own, row("bench2"), row("bench3", is_stored=True, is_current=True)])
    dialog.servers_table.selectRow(0)
    assert (dialog.change.isEnabled(), dialog.remove.isEnabled()) == (True, True)
    asked: list[ServerRow] = []
    dialog.change_requested.connect(asked.append)
    dialog.remove_requested.connect(asked.append)
    dialog.change.click()
    dialog.remove.click()
    assert asked == [own, own]
    dialog.servers_table.selectRow(1)
    assert (dialog.change.isEnabled(), dialog.remove.isEnabled()) == (False, False)
    assert "not in the window's own list: profile" in dialog.change.toolTip()
    dialog.servers_table.selectRow(2)
    assert (dialog.change.isEnabled(), dialog.remove.isEnabled()) == (True, False)
    assert "connected to it" in dialog.remove.toolTip()


def test_a_server_that_was_changed_is_watched_by_its_new_token(desk: Any) -> None:
    window = desk.window
    address = window._connection.address
    window.all_servers.ask()
    dialog = window.all_servers.dialog
    desk.wait(lambda: [bool(each.status) for each in dialog.servers.rows] == [True])
    window.first.servers.change(address, ServerAddress.parse(address, token="blz_nobody"), "bench")
    desk.wait(lambda: [(each.name, each.server.token) for each in dialog.servers.rows] == [("bench", "blz_nobody")])
    desk.wait(lambda: dialog.servers.rows[0].now is not None and dialog.servers.rows[0].status is None)
    assert window.header.start.isEnabled()  # the window's own connection goes on as it is
