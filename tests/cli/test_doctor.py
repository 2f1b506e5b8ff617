"""`blitz doctor` and `blitz simulate --device`, as a user runs them."""

import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from blitz.cli.main import invoke
from blitz.data.board_definition import load_definitions
from blitz.io.device_program import DeviceProgram
from blitz.io.simulated_device import SimulatedDevice


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def device() -> Iterator[SimulatedDevice]:
    with SimulatedDevice("csv-header", rate_hz=200, silence_s=0.1) as device:
        yield device


def stream_of(kind: str) -> bytes:
    program = DeviceProgram(kind, 50.0)
    program.power_up(0.0)
    return b"".join(program.advance(5.0))


def test_a_port_is_diagnosed_and_its_definition_written(
    device: SimulatedDevice, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(["doctor", device.path, "--output", "boards/my scale.toml"]) == 1
    assert capsys.readouterr().err.startswith("Cannot write boards/my scale.toml: ")
    (tmp_path / "boards").mkdir()
    assert invoke(["doctor", device.path, "--output", "boards/My scale.toml"]) == 0
    printed = capsys.readouterr().out
    assert f"{device.path}: lines of text: 4 columns, comma, with a header, at 57600 baud. This is sure." in printed
    assert "boards/My scale.toml holds the definition 'my-scale'." in printed
    definition = load_definitions(tmp_path / "boards")["my-scale"]
    assert [(channel.name, channel.unit) for channel in definition.channels] == [
        ("number", ""),
        ("x", ""),
        ("y", ""),
        ("temp", "°C"),
    ]
    assert definition.baud == 57600
    assert invoke(["doctor", device.path, "--output", "boards/My scale.toml"]) == 1
    assert "it exists already" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["cobs", "slip-crc", "start-length", "struct", "json", "nmea", "pairs"])
def test_what_is_written_is_what_was_proposed(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "raw.bin").write_bytes(stream_of(kind))
    assert invoke(["doctor", "raw.bin", "--output", "mine.toml", "--json"]) == 0
    (diagnosis,) = json.loads(capsys.readouterr().out)["diagnoses"]
    (tmp_path / "boards").mkdir()
    (tmp_path / "mine.toml").rename(tmp_path / "boards" / "mine.toml")
    definition = load_definitions(tmp_path / "boards")["mine"]
    wanted = diagnosis["definition"] | {"id": "mine"}
    assert definition.model_dump(mode="json", exclude_none=True) == wanted
    assert diagnosis["rows"]


def test_noise_is_not_known_and_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "raw.bin").write_bytes(random.Random(1).randbytes(3000))
    assert invoke(["doctor", "raw.bin"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("raw.bin: I do not know what this is.\n  3000 bytes came, ")
    assert "  0000  " in printed
    assert invoke(["doctor", "raw.bin", "--output", "mine.toml"]) == 1
    assert capsys.readouterr().err == "Nothing is written into mine.toml: no channels are known.\n"
    assert not (tmp_path / "mine.toml").exists()


def test_raw_bytes_are_no_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "raw.bin").write_bytes(stream_of("csv"))
    assert invoke(["doctor", "raw.bin", "--save", "raw", "--server", "http://127.0.0.1:9"]) == 1
    assert capsys.readouterr().err.startswith("Cannot read raw.bin: it is not a recording.")


def test_a_port_that_another_program_uses_is_not_opened(
    device: SimulatedDevice, capsys: pytest.CaptureFixture[str]
) -> None:
    program = (
        "import os, sys; os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY); print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, device.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as user:
        assert user.stdout is not None
        assert user.stdout.readline() == b"open\n"
        assert invoke(["doctor", device.path]) == 1
        assert f"(process {user.pid}) uses it." in capsys.readouterr().err
        assert user.stdin is not None
        user.stdin.close()


def test_a_port_that_must_never_be_touched_is_not_opened(
    device: SimulatedDevice, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lab.toml").write_text(f'[server]\nnever_touch = ["{device.path}"]\n')
    assert invoke(["doctor", device.path, "--config", "lab.toml"]) == 1
    assert "is on the list never_touch" in capsys.readouterr().err
    assert not device.generated


def test_wrong_usage_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["doctor", "--save", "scale"]) == 2
    assert "name the port or recording" in capsys.readouterr().err
    assert invoke(["doctor", "/dev/none"]) == 1
    assert capsys.readouterr().err.startswith("Cannot open /dev/none: there is no such port.")


def test_a_rate_that_no_line_has_is_wrong_usage(device: SimulatedDevice, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["doctor", device.path, "--baud", "999999999"]) == 2
    assert "Invalid value for '--baud'" in capsys.readouterr().err


def test_a_device_that_goes_away_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closing = threading.Thread(target=lambda: listener.accept()[0].close())
        closing.start()
        place = f"socket://127.0.0.1:{listener.getsockname()[1]}"
        assert invoke(["doctor", place]) == 1
        closing.join()
    assert capsys.readouterr().err == f"Lost {place}: the other end closed it.\n"


def test_without_a_port_the_ports_are_told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from blitz.data.source_config import UsbIdentity
    from blitz.io.usb_ports import FoundPort

    with SimulatedDevice("plain", rate_hz=200, silence_s=0) as device:
        ports = [
            FoundPort("/dev/ttyS9", "a mouse"),
            FoundPort(device.path, "FTDI A1", UsbIdentity(vendor_id=0x0403, product_id=0x6001)),
        ]
        monkeypatch.setattr("blitz.io.usb_ports.find_ports", lambda *_: ports)
        assert invoke(["doctor"]) == 0
    printed = capsys.readouterr().out
    assert "/dev/ttyS9 (a mouse): of no known kind, and left alone. To try it: blitz doctor /dev/ttyS9\n" in printed
    assert f"{device.path}: lines of text: 3 columns, comma" in printed


def test_devices_and_a_scanner_are_simulated(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "blitz", "simulate", "--device", "csv:200", "--device", "cobs", "--scanner", "0"]
    with subprocess.Popen([*command, "--link-dir", "ports", "--json"], stdout=subprocess.PIPE) as simulator:
        assert simulator.stdout is not None
        places = json.loads(simulator.stdout.readline())
        try:
            assert [device["kind"] for device in places["devices"]] == ["csv", "cobs"]
            assert places["boards"] == []
            assert places["scanner"].startswith("127.0.0.1:")
            assert os.path.realpath("ports/sim2") == os.path.realpath(places["devices"][1]["path"])
            with open("ports/sim1", "rb") as port:
                assert port.readline().startswith(b"0,")
        finally:
            simulator.terminate()
        counters = json.loads(simulator.stdout.readline())["counters"]
    assert [row["device"] for row in counters] == ["csv", "cobs"]
    assert simulator.returncode == 0


def test_a_source_is_saved_at_the_running_server(
    run_server: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    server = run_server("--durability", "none", "--no-scan-usb")
    with SimulatedDevice("start-length", rate_hz=100, silence_s=0.1) as device:
        assert invoke(["doctor", device.path, "--save", "Frames", "--server", server.url]) == 0
        assert "The server has the source Frames." in capsys.readouterr().out
        deadline_s = time.monotonic() + 30
        while True:
            assert invoke(["boards", "--server", server.url, "--json"]) == 0
            boards = json.loads(capsys.readouterr().out)["boards"]
            if boards and boards[0]["message_count"] > 20:
                break
            assert time.monotonic() < deadline_s, boards
            time.sleep(0.05)
        assert boards[0]["name"] == "Frames"
        assert boards[0]["bad_frames"] <= 1
        assert invoke(["doctor", device.path, "--save", "Frames", "--server", server.url]) == 1
        assert "uses it. It lends the port to another program: blitz release NAME" in capsys.readouterr().err
    assert invoke(["sources", "remove", "Frames", "--yes", "--server", server.url]) == 0
