"""`blitz record` and `blitz replay`, as a user runs them."""

import json
import os
import pty
import signal
import subprocess
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from waiting import wait_until

from blitz.cli.main import invoke
from blitz.io.recording import RecordingReader, RecordingWriter

DEADLINE_S = 30.0
INTERRUPTED = (130, -signal.SIGINT)
"""A shell shows 130 for both. Python ends itself by the signal if that came amid an exec, as modules are loaded."""


class Device:
    """The device's end of a pty."""

    def __init__(self) -> None:
        self.master, slave = pty.openpty()
        tty.setraw(slave)
        self.port = os.ttyname(slave)
        os.close(slave)

    def say(self, content: bytes) -> None:
        os.write(self.master, content)

    def pull(self) -> None:
        if self.master >= 0:
            os.close(self.master)
            self.master = -1


@pytest.fixture
def device() -> Iterator[Device]:
    device = Device()
    yield device
    device.pull()


@pytest.fixture
def run() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Start `blitz` in a process of its own."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "blitz", *arguments]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def received(path: Path) -> bytes:
    with RecordingReader(path) as reader:
        return b"".join(chunk.content for chunk in reader if chunk.direction == "rx")


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_record_writes_what_comes_until_ctrl_c(
    device: Device, run: Callable[..., "subprocess.Popen[str]"], tmp_path: Path, ending: signal.Signals
) -> None:
    path = tmp_path / "run.jsonl"
    process = run("record", f"{device.port}:115200", str(path), "--parity", "even")
    assert process.stdout is not None
    assert process.stdout.readline() == f"Recording {device.port} into {path}. Ctrl-C ends it.\n"
    device.say(b"512,498\r\n")
    wait_until(lambda: received(path) == b"512,498\r\n")
    process.send_signal(ending)
    out, err = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, err) == (0, "")
    assert out.startswith(f"{path} holds 9 bytes of ")
    with RecordingReader(path) as reader:
        header = reader.header
    assert (header["link"], header["baud"], header["parity"]) == (device.port, 115200, "even")


def test_record_sends_only_what_it_is_told(device: Device, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run.jsonl"
    arguments = ["record", device.port, str(path), "--seconds", "0.1", "--send", "0081", "--send", "go", "--json"]
    assert invoke(arguments) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["received_bytes"], document["sent_bytes"], document["link"]) == (0, 8, device.port)
    assert os.read(device.master, 100) == b"0081\ngo\n"
    with RecordingReader(path) as reader:
        assert [chunk.content for chunk in reader] == [b"0081\n", b"go\n"]


def test_record_tells_when_nothing_came(device: Device, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["record", device.port, str(tmp_path / "run.jsonl"), "--seconds", "0.05"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        "Nothing came. Check the rate (57600 baud) and the cable. Some devices speak only when they are asked: see "
        "--send."
    )


def test_record_keeps_what_came_before_the_device_went(
    device: Device, run: Callable[..., "subprocess.Popen[str]"], tmp_path: Path
) -> None:
    path = tmp_path / "run.jsonl"
    process = run("record", device.port, str(path))
    assert process.stdout is not None
    process.stdout.readline()
    device.say(b"x")
    wait_until(lambda: received(path) == b"x")
    device.pull()
    _, err = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, err) == (1, f"Lost {device.port}: the device was unplugged. {path} holds 1 bytes.\n")


def test_record_overwrites_only_when_told(device: Device, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text("precious")
    assert invoke(["record", device.port, str(path), "--seconds", "0.05"]) == 1
    assert capsys.readouterr().err == f"Cannot write {path}: it exists already. Give another name, or --force.\n"
    assert path.read_text() == "precious"
    assert invoke(["record", device.port, str(path), "--seconds", "0.05", "--force"]) == 0
    assert received(path) == b""


def test_a_port_that_cannot_be_opened_leaves_no_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run.jsonl"
    assert invoke(["record", "/dev/no-such-port", str(path)]) == 1
    assert capsys.readouterr().err.startswith("Cannot open /dev/no-such-port: there is no such port.")
    assert not path.exists()


def test_record_never_touches_what_the_settings_forbid(
    device: Device, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLITZ_NEVER_TOUCH", device.port)
    assert invoke(["record", device.port, str(tmp_path / "run.jsonl")]) == 1
    assert capsys.readouterr().err == (
        f"Cannot open {device.port}: it is on the list never_touch of the settings. Take it off the list.\n"
    )


def test_a_rate_that_is_none_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["record", "/dev/ttyUSB0:7", str(tmp_path / "run.jsonl")]) == 2
    assert "there is no such serial line: baud: 7 should be greater than or equal to 50." in capsys.readouterr().err


def test_replay_plays_on_a_port_that_a_program_opens(
    run: Callable[..., "subprocess.Popen[str]"], tmp_path: Path
) -> None:
    path, link = tmp_path / "run.jsonl", tmp_path / "board"
    contents = [os.urandom(1000) for _ in range(100)]
    with RecordingWriter(path, {}) as writer:
        for number, content in enumerate(contents):
            writer.add(float(number), "rx", content)
    process = run("replay", str(path), "--speed", "max", "--link", str(link), "--json")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline()) == {"path": str(link)}
    reader = os.open(link, os.O_RDONLY | os.O_NOCTTY)
    tty.setraw(reader, termios.TCSANOW)
    read = b""
    while len(read) < 100_000:
        read += os.read(reader, 65536)
    out, err = process.communicate(timeout=DEADLINE_S)
    os.close(reader)
    assert read == b"".join(contents)
    assert (process.returncode, err, json.loads(out)) == (0, "", {"played_bytes": 100_000})
    assert not os.path.lexists(link)


def test_replay_ends_with_ctrl_c_and_takes_its_link_away(
    run: Callable[..., "subprocess.Popen[str]"], tmp_path: Path
) -> None:
    path, link = tmp_path / "run.jsonl", tmp_path / "board"
    with RecordingWriter(path, {}) as writer:
        writer.add(0.0, "rx", b"x")
    process = run("replay", str(path), "--link", str(link))
    assert process.stdout is not None
    assert process.stdout.readline() == f"{path} is played at {link} as soon as a program opens it. Ctrl-C ends it.\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=DEADLINE_S) == ("", "Interrupted.\n")
    assert process.returncode in INTERRUPTED
    assert not os.path.lexists(link)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["none.jsonl"], "Cannot open none.jsonl: there is no such recording. Check the name.\n"),
        (["plain.txt"], "Cannot read plain.txt: it is not a recording. `blitz record PORT FILE` makes one"),
        (["plain.txt", "--speed", "0"], "'0' is no speed: give a factor above 0, such as 2 or 0.5, or max.\n"),
    ],
)
def test_what_cannot_be_played_is_told(
    arguments: list[str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plain.txt").write_text("512,498,730\n")
    assert invoke(["replay", *arguments]) == 1
    assert capsys.readouterr().err.startswith(sentence)
