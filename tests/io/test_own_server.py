"""A server that a client starts on its own computer: real processes."""

import dataclasses
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blitz import Client
from blitz.config import ServerSettings
from blitz.data.served_address import ServedAddress
from blitz.errors import ConfigError, ServerUnreachable
from blitz.io import own_server
from blitz.io.own_server import OwnServer, ServerPlan, answers, bring_up, demo_plan, find_running, usual_plan
from blitz.io.simulated_device import SimulatedDevice

WAIT_S = 60.0
OPTIONS = ("--no-scan-usb", "--durability", "none")


@pytest.fixture
def idle_s() -> float:
    return 3.0


@pytest.fixture
def plan(tmp_path: Path, idle_s: float) -> ServerPlan:
    return ServerPlan(tmp_path / "data", 0, OPTIONS, dict(os.environ), idle_s=idle_s)


@pytest.fixture
def begin(plan: ServerPlan) -> Iterator[Callable[[], OwnServer]]:
    """Bring servers up, and see to it that those which were started end."""
    begun: list[OwnServer] = []

    def up() -> OwnServer:
        server = bring_up(plan)
        assert server is not None
        begun.append(server)
        return server

    yield up
    for server in begun:
        if server.process is not None:
            server.process.terminate()
            server.process.wait(WAIT_S)


@pytest.mark.parametrize("idle_s", [60.0])
def test_a_server_is_started_in_a_session_of_its_own_and_found_by_the_next_client(
    begin: Callable[[], OwnServer], plan: ServerPlan
) -> None:
    first = begin()
    assert first.process is not None
    assert answers(first.address)
    assert os.getsid(first.process.pid) == first.process.pid
    assert begin() == OwnServer(first.address)


def test_it_ends_by_itself_when_nobody_looks(begin: Callable[[], OwnServer], plan: ServerPlan) -> None:
    server = begin()
    assert server.process is not None
    assert server.process.wait(WAIT_S) == 0
    assert find_running(plan) is None
    assert "ending" in (plan.data_dir / "blitz.log").read_text()


def test_it_stays_as_long_as_a_session_runs(begin: Callable[[], OwnServer], plan: ServerPlan) -> None:
    server = begin()
    assert server.process is not None
    with Client(server.address) as client:
        session = client.start("alone")
    with pytest.raises(subprocess.TimeoutExpired):
        server.process.wait(1.5 * plan.idle_s)
    with Client(server.address) as client:
        client.stop(session.id)
    assert server.process.wait(WAIT_S) == 0


def test_it_stays_as_long_as_a_request_is_under_way_or_comes_now_and_then(
    begin: Callable[[], OwnServer], plan: ServerPlan
) -> None:
    server = begin()
    assert server.process is not None
    with SimulatedDevice("silent", silence_s=0) as device, Client(server.address) as client:
        proposal = client.examine(device.path, baud=9600, seconds=1.5 * plan.idle_s)
        assert proposal.heard_bytes == 0
        until_s = time.monotonic() + 1.5 * plan.idle_s
        while time.monotonic() < until_s:
            client.planned()
            time.sleep(0.2)
    assert server.process.wait(WAIT_S) == 0


def test_starting_can_be_cancelled_and_leaves_no_process(plan: ServerPlan) -> None:
    begun: list[bool] = []
    assert bring_up(plan, lambda: bool(begun), lambda: begun.append(True)) is None
    assert begun == [True]
    assert find_running(plan) is None


def test_a_server_that_ends_at_once_is_reported_with_its_last_words(plan: ServerPlan) -> None:
    wrong = dataclasses.replace(plan, options=("--definitions-dir", str(plan.data_dir / "missing")))
    with pytest.raises(ServerUnreachable, match="ended at once") as caught:
        bring_up(wrong)
    assert "missing" in str(caught.value)
    assert str(plan.log_path) in str(caught.value)


@pytest.mark.parametrize("idle_s", [120.0])  # on a busy machine the second process takes long
def test_the_client_that_comes_second_finds_the_first_ones_server(
    begin: Callable[[], OwnServer], plan: ServerPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = begin()
    real, asked = find_running, []

    def too_early(plan: ServerPlan) -> object:
        asked.append(True)
        return real(plan) if len(asked) > 1 else None

    monkeypatch.setattr(own_server, "find_running", too_early)
    assert begin() == OwnServer(first.address)
    assert len(asked) > 1


def test_a_taken_port_is_left_alone(plan: ServerPlan) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not own_server._is_free(port)
    assert own_server._is_free(port)


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="Cannot start a server in"):
        bring_up(ServerPlan(tmp_path / "file" / "data", 0))


def test_what_an_ended_server_left_behind_is_not_taken_for_one(plan: ServerPlan) -> None:
    plan.data_dir.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ServedAddress(host="127.0.0.1", port=port).write(plan.data_dir)
    assert find_running(plan) is None


@pytest.mark.skipif(sys.platform == "win32", reason="says what Windows says")
def test_on_windows_it_is_said_that_a_redis_is_needed(plan: ServerPlan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(ConfigError, match="On Windows a server needs a Redis"):
        bring_up(plan)


def test_the_plans_keep_demonstration_and_installation_apart(tmp_path: Path) -> None:
    usual = usual_plan(
        ServerSettings.model_validate({"data_dir": tmp_path / "own", "port": 9000}), tmp_path / "blitz.toml"
    )
    assert (usual.data_dir, usual.port, usual.options) == (
        tmp_path / "own",
        9000,
        ("--config", str(tmp_path / "blitz.toml")),
    )
    demo = demo_plan()
    assert demo.data_dir != ServerSettings.model_validate({}).data_dir
    assert demo.environment["BLITZ_CONFIG"] == os.devnull
    assert "--simulate" in demo.options
