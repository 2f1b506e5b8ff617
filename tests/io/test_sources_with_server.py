"""Sources, definitions and lending over HTTP, on a real server with real ports, kept over its restart."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import wait_until

import blitz
from blitz.data.records import BoardRecord, LinkState, TimelineKind
from blitz.data.source_config import SourceConfig
from blitz.errors import BlitzError, ConfigError, SourceExists, SourceUnavailable, UnknownBoard, UnknownSource
from blitz.io.calls import default_owner
from blitz.io.simulated_device import SimulatedDevice


@pytest.fixture
def device(tmp_path: Path) -> Iterator[SimulatedDevice]:
    with SimulatedDevice("plain", rate_hz=100, silence_s=0, link_path=tmp_path / "bench") as device:
        yield device


@contextlib.contextmanager
def client_of(server: Any) -> Iterator[blitz.Client]:
    with contextlib.closing(blitz.Client(server.url, timeout=60)) as client:
        yield client


def board(client: blitz.Client, name: str = "bench") -> BoardRecord:
    return next(record for record in client.boards() if record.name == name)


def is_working(client: blitz.Client, name: str = "bench") -> bool:
    return board(client, name).state in (LinkState.READY, LinkState.RECORDING)


def test_a_source_is_configured_named_and_kept_over_a_restart(
    run_server: Callable[..., Any], device: SimulatedDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbidden = tmp_path / "heater"
    monkeypatch.setenv("BLITZ_NEVER_TOUCH", str(forbidden))
    server = run_server("--durability", "none")
    with client_of(server) as client:
        client.add_source(SourceConfig(name="bench", link=device.path))
        with pytest.raises(SourceExists):
            client.add_source(SourceConfig(name="bench", link="/dev/nothing"))
        with pytest.raises(SourceExists, match="is the source 'bench' already"):
            client.add_source(SourceConfig(name="other", link=str(Path(device.path).resolve())))
        with pytest.raises(ConfigError, match="never-touch"):
            client.add_source(SourceConfig(name="other", link=str(forbidden)))
        with pytest.raises(UnknownSource):
            client.definition("oven")
        wait_until(lambda: is_working(client))
        guess = client.definition("bench")
        assert board(client).is_guessed
        session = client.start("run")
        wait_until(lambda: board(client).message_count > 20)
        channels = (guess.channels[0].model_copy(update={"name": "pressure"}), *guess.channels[1:])
        mine = client.set_definition("bench", guess.model_copy(update={"name": "Mine", "channels": channels}))
        assert client.command("bench", "t", answer="tared") == "tared"
        assert client.release("bench", 60).state is LinkState.RELEASED
        with pytest.raises(BlitzError, match="released"):
            client.command("bench", "t")
        client.retake("bench")
        wait_until(lambda: is_working(client))
        changed = client.update_source("bench", serial={"baud": 9600})
        assert changed.serial.baud == 9600
        wait_until(lambda: is_working(client))
        assert board(client).baud == 9600
        record = client.stop()
        assert record.id == session.id
        assert record.verdict.endswith("account balances"), record.verdict
        kinds = [entry.kind for entry in client.session(record.id).timeline]
        assert kinds == [
            TimelineKind.DEFINITION,
            TimelineKind.COMMAND,
            TimelineKind.LINK,
            TimelineKind.COMMAND,
            TimelineKind.LINK,
        ]
    assert server.stop() == 0
    server.start()
    with client_of(server) as client:
        wait_until(lambda: is_working(client))
        (source,) = client.sources()
        assert (source.name, source.serial.baud) == ("bench", 9600)
        assert client.definition("bench") == mine
        assert [version.definition.name for version in client.definition_versions("bench")] == ["Mine"]
        assert not board(client).is_guessed
        client.delete_source("bench")
        assert client.sources() == []
        with pytest.raises(UnknownBoard):
            client.command("bench", "t")
    assert server.stop() == 0
    assert b"Traceback" not in server.log_path.read_bytes()


def test_a_simulated_board_keeps_the_name_that_it_was_given_when_its_server_was_killed(
    run_server: Callable[..., Any],
) -> None:
    server = run_server("--simulate", "2", "--durability", "none")
    with client_of(server) as client:
        wait_until(lambda: is_working(client, "sim1") and is_working(client, "sim2"))
        client.update_source("sim1", name="scale")
        assert [change.what.partition(":")[0] for change in client.source_history("scale")] == ["added", "name"]
    server.kill()
    server.start()
    with client_of(server) as client:
        wait_until(lambda: is_working(client, "scale") and is_working(client, "sim2"))
        assert [record.name for record in client.boards()] == ["scale", "sim2"]


def test_a_device_that_is_disabled_is_let_go_and_what_it_says_meanwhile_is_a_gap(
    run_server: Callable[..., Any], device: SimulatedDevice
) -> None:
    server = run_server("--durability", "none")
    with client_of(server) as client:
        client.add_source(SourceConfig(name="bench", link=device.path))
        wait_until(lambda: is_working(client))
        session = client.start("run")
        wait_until(lambda: client.session(session.id).message_count > 5)
        assert not client.update_source("bench", is_enabled=False).is_enabled
        assert board(client).state is LinkState.DISABLED
        count = board(client).message_count
        assert client.update_source("bench", is_enabled=True).is_enabled
        wait_until(lambda: is_working(client) and board(client).message_count > count)
        client.update_source("bench", is_enabled=False)
        record = client.stop()
        assert [gap.reason for gap in record.gaps] == ["disabled", "disabled"]
        client.start("without it")
        record = client.stop()
        assert (record.gaps, record.sources) == ((), ())
    assert server.stop() == 0


def test_a_device_that_cannot_be_opened_is_not_added_unless_for_later(
    run_server: Callable[..., Any], device: SimulatedDevice, tmp_path: Path
) -> None:
    server = run_server("--durability", "none")
    with client_of(server) as client:
        for link in (str(tmp_path / "nothing"), "socket://127.0.0.1:1", f"replay:{tmp_path}/no.jsonl", "stream:none"):
            with pytest.raises(SourceUnavailable, match=r"was not added: .* add it for later"):
                client.add_source(SourceConfig(name="bench", link=link))
            assert (client.sources(), client.boards()) == ([], [])
        with pytest.raises(UnknownSource):
            client.source_history("bench")
        client.add_source(SourceConfig(name="bench", link=str(tmp_path / "nothing")), later=True)
        assert board(client).state is LinkState.AWAY
        client.update_source("bench", link=device.path)
        wait_until(lambda: is_working(client))
        what = [change.what for change in client.source_history("bench")]
        assert what == [f"added: {tmp_path}/nothing", f"link: {tmp_path}/nothing -> {device.path}"]
        assert {change.who for change in client.source_history("bench")} == {default_owner()}
        with pytest.raises(UnknownSource, match=r"There is no source 'oven'\. Known are: bench"):
            client.delete_source("oven")
    assert server.stop() == 0
