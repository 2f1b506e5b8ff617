"""Servers that the window starts on this computer: real processes, and the whole window around one."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from blitz.errors import ConfigError
from blitz.io.own_server import ServerPlan
from blitz.ui.feed import Connection
from blitz.ui.jobs import Jobs
from blitz.ui.local_servers import PLANS, LocalKind, LocalServers
from blitz.ui.main_window import MainWindow
from blitz.ui.server_link import ServerLink

WAIT_MS = 60_000


@pytest.fixture
def plan(tmp_path: Path) -> ServerPlan:
    options = ("--no-scan-usb", "--durability", "none")
    return ServerPlan(tmp_path / "data", 0, options, dict(os.environ), idle_s=3.0)


@pytest.fixture
def local(plan: ServerPlan, qtbot: QtBot) -> Iterator[LocalServers]:
    jobs = Jobs()
    local = LocalServers(jobs, {LocalKind.COMPUTER: lambda: plan}, jobs)
    yield local
    jobs.close()
    end_all(local)
    jobs.deleteLater()


def end_all(local: LocalServers) -> None:
    for server in local._own.values():
        assert server.process is not None
        server.process.terminate()
        server.process.wait(WAIT_MS / 1000)


def test_a_server_is_started_and_known_as_ones_own(local: LocalServers, qtbot: QtBot) -> None:
    begun: list[LocalKind] = []
    local.starting.connect(begun.append)
    with qtbot.waitSignal(local.found, timeout=WAIT_MS) as found:
        local.bring_up(LocalKind.COMPUTER)
        assert local.is_busy
    kind, address = found.args
    assert kind is LocalKind.COMPUTER
    assert begun == [LocalKind.COMPUTER]
    assert local.owns(str(address))
    assert not local.owns("http://127.0.0.1:1")
    assert not local.is_busy


def test_looking_starts_nothing(local: LocalServers, qtbot: QtBot, plan: ServerPlan) -> None:
    with qtbot.assertNotEmitted(local.found), qtbot.waitSignal(local.ended, timeout=WAIT_MS):
        local.look(LocalKind.COMPUTER)
    assert not plan.data_dir.exists()


def test_starting_can_be_cancelled(local: LocalServers, qtbot: QtBot) -> None:
    local.starting.connect(lambda kind: local.cancel())
    with qtbot.assertNotEmitted(local.found), qtbot.waitSignal(local.ended, timeout=WAIT_MS):
        local.bring_up(LocalKind.COMPUTER)
    assert local._own == {}


def test_what_cannot_be_started_is_a_sentence(qtbot: QtBot) -> None:
    def refuse() -> ServerPlan:
        raise ConfigError("'port' in [server] of blitz.toml is wrong.")

    jobs = Jobs()
    local = LocalServers(jobs, {LocalKind.COMPUTER: refuse}, jobs)
    with qtbot.waitSignal(local.failed, timeout=WAIT_MS) as failed:
        local.bring_up(LocalKind.COMPUTER)
    assert failed.args == [LocalKind.COMPUTER, "'port' in [server] of blitz.toml is wrong."]
    jobs.close()
    jobs.deleteLater()


def test_a_click_on_this_computer_leads_to_a_server_and_closing_ends_it(
    show_window: Callable[..., MainWindow],
    plan: ServerPlan,
    tmp_path: Path,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(PLANS, LocalKind.COMPUTER, lambda: plan)
    states: list[Any] = []
    feed = ServerLink(tmp_path / "caches")
    feed.connection_changed.connect(states.append)
    window = show_window(feed)
    window.first.show_servers()
    window.first.page.computer.button.click()
    try:
        qtbot.waitUntil(lambda: bool(states) and states[-1].connection is Connection.ONLINE, timeout=WAIT_MS)
        assert window.tabs.isVisible()
        address = states[-1].address
        assert window.first.local.owns(address)
        process = window.first.local._own[address].process
        assert process is not None
        feed.close()
        assert process.wait(WAIT_MS / 1000) == 0
    finally:
        feed.close()
        end_all(window.first.local)
