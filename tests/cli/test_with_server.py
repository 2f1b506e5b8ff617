"""The commands against a real server with simulated boards."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blitz.cli.main import invoke
from blitz.io.simulated_device import SimulatedDevice

NOBODY = "http://127.0.0.1:9"


class Shell:
    """Runs commands in this process, as an operator would type them."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str, expect: int = 0) -> str:
        code = invoke(arguments)
        printed = self._capsys.readouterr()
        assert code == expect, printed.err
        return printed.out if code == 0 else printed.err

    def json(self, *arguments: str, expect: int = 0) -> Any:
        return json.loads(self(*arguments, "--json", expect=expect))

    def wait_for_messages(self, count: int) -> None:
        deadline_s = time.monotonic() + 20
        while self.json("status")["session"]["message_count"] < count:
            assert time.monotonic() < deadline_s
            time.sleep(0.02)


# A shell without job control starts what runs in the background, perhaps these tests, with Ctrl-C ignored.
WITH_CTRL_C = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from blitz.cli.main import run; run()"
)


@pytest.fixture
def shell(server: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    monkeypatch.setenv("BLITZ_SERVER", server.url)
    monkeypatch.setenv("BLITZ_CACHE_DIR", str(tmp_path / "caches"))
    monkeypatch.chdir(tmp_path)
    return Shell(capsys)


@pytest.fixture
def recorded(shell: Shell) -> dict[str, Any]:
    """A session with a few messages, stopped."""
    session_id = shell.json("start", "--name", "pump", "--owner", "ann@lab")["session"]["id"]
    shell.wait_for_messages(4)
    stopped: dict[str, Any] = shell.json("stop", str(session_id))["session"]
    return stopped


def test_session_from_start_to_stop(shell: Shell) -> None:
    assert shell("stop", expect=4).startswith("No session runs on http://")
    assert "No session runs" in shell("status")
    began = shell("start", "--name", "pump")
    assert began.startswith("Session ")
    assert began.endswith(" is being recorded.\n")
    try:
        assert "recorded already" in shell("start", expect=4)
        refused = shell.json("start", expect=4)["error"]
        assert (refused["code"], refused["exit_code"]) == ("session_running", 4)
        assert "runs already" in shell("start", "--join")
        assert shell.json("start", "--join")["created"] is False
        assert " 'pump' has run for 0:00:0" in shell("status")
        newest = shell("sessions").splitlines()[1]
        assert "pump" in newest
        assert "running" in newest
    finally:
        ended = shell("stop")
    assert " has stopped, with " in ended
    assert shell.json("sessions")["sessions"][0]["is_running"] is False


def test_boards_are_listed(shell: Shell) -> None:
    lines = shell("boards").splitlines()
    assert lines[0].split()[:5] == ["Name", "Port", "Baud", "Board", "State"]
    assert [line.split()[0] for line in lines[1:3]] == ["sim1", "sim2"]
    assert lines[4].startswith("Account of  Messages  Stored  Lost  Recovered  Bad  Discarded bytes")
    assert [(line.split()[0], line.split()[-1]) for line in lines[5:]] == [("sim1", "yes"), ("sim2", "yes")]
    assert [board["board_id"] for board in shell.json("boards", "--scan")["boards"]] == ["08", "09"]


def test_a_device_is_known_by_the_definition_in_the_readme(
    run_server: Callable[..., Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (tmp_path / "scale.toml").write_text(readme.partition("```toml\n")[2].partition("```")[0])
    with SimulatedDevice("plain", rate_hz=20, silence_s=0.1) as device:
        arguments = ["--durability", "none", "--definitions-dir", str(tmp_path), "--serial", f"{device.path}=scale"]
        server = run_server(*arguments)
        shell = Shell(capsys)
        number = str(shell.json("start", "-s", server.url)["session"]["id"])
        deadline_s = time.monotonic() + 20
        while not shell.json("status", "-s", server.url)["session"]["message_count"]:
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        (board,) = shell.json("boards", "-s", server.url)["boards"]
        assert (board["board_name"], board["baud"]) == ("Kitchen scale", 9600)
        shell("command", board["name"], "TARE", "-s", server.url)
        shell("stop", "-s", server.url)
        cache = str(tmp_path / "cache.db")
        exported = Path(shell("export", number, str(tmp_path / "a.csv"), "--cache", cache, "-s", server.url).strip())
        assert exported.read_text().startswith("time_utc,seconds,weight [g]\n")
        server.end()


def test_unknown_session_is_told(shell: Shell) -> None:
    assert "no session 9999" in shell("download", "9999", expect=1)
    assert shell.json("export", "9999", expect=1)["error"]["code"] == "session_not_found"


def test_export_downloads_first_and_needs_no_server_afterwards(shell: Shell, recorded: dict[str, Any]) -> None:
    number = str(recorded["id"])
    assert "is not in a cache here" in shell("export", number, "--server", NOBODY, expect=3)
    path = Path(shell("export", number).strip())
    assert path == Path.cwd() / f"session-{number}.csv"
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0][:2] == ["time_utc", "seconds"]
    assert len(rows) == 1 + recorded["message_count"]
    away = shell.json("export", number, "-o", "long.csv", "--layout", "long", "--server", NOBODY)
    assert away["path"] == str(Path.cwd() / "long.csv")
    assert away["session"]["message_count"] == recorded["message_count"]
    assert Path("long.csv").read_text().startswith("time_utc,seconds,source,channel,unit,value\n")


def test_download_is_kept_in_a_cache_of_the_servers_own(shell: Shell, recorded: dict[str, Any]) -> None:
    number = str(recorded["id"])
    answer = shell.json("download", number)
    assert answer["session"]["message_count"] == recorded["message_count"]
    store_id = shell.json("status")["store_id"]
    assert answer["cache"] == str(Path.cwd() / "caches" / f"{store_id}.db")
    assert f": {recorded['message_count']} messages.\n" in shell("download", number)
    other = Path("mine.db")
    assert "mine.db" in shell("download", number, "--cache", str(other))
    assert other.is_file()


def test_export_of_a_file_that_cannot_be_written_is_one_sentence(shell: Shell, recorded: dict[str, Any]) -> None:
    told = shell("export", str(recorded["id"]), "no/such/folder/x.csv", expect=1)
    assert told.startswith("Cannot write ")
    assert told.count("\n") == 1


def test_running_session_is_downloaded_so_far_and_completed_later(shell: Shell) -> None:
    number = str(shell.json("start")["session"]["id"])
    try:
        shell.wait_for_messages(4)
        assert " messages so far.\n" in shell("download", number)
        assert "it was still running when this computer last asked" in shell("export", number)
    finally:
        count = shell.json("stop")["session"]["message_count"]
    assert f": {count} messages.\n" in shell("download", number)


def test_second_server_on_the_same_data_folder_is_refused(shell: Shell, server: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "blitz", "serve", "--port", "0", "--data-dir", str(server.data_dir), "--no-scan-usb"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 4
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [["simulate", "--boards", "08"], ["serve", "--port", "0", "--no-scan-usb", "--simulate", "1"]]
)
def test_ctrl_c_ends_a_program_without_a_traceback(arguments: list[str], tmp_path: Path) -> None:
    if arguments[0] == "serve":
        arguments = [*arguments, "--data-dir", str(tmp_path / "data")]
    process = subprocess.Popen(
        [sys.executable, "-m", "blitz", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout:
        printed = ""
        while not ("Board 08 at" in printed or "serves http://" in printed):
            line = process.stdout.readline()
            assert line, printed
            printed += line
        os.killpg(process.pid, signal.SIGINT)
        printed += process.stdout.read()
    assert process.wait(30) in (0, 130)
    assert "Traceback" not in printed


def test_ctrl_c_while_the_simulated_boards_start_is_not_late(tmp_path: Path) -> None:
    arguments = ["serve", "--port", "0", "--no-scan-usb", "--simulate", "1", "--data-dir", str(tmp_path / "data")]
    process = subprocess.Popen(
        [sys.executable, "-c", WITH_CTRL_C, *arguments], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stderr is not None
    with process.stderr:
        assert "Started Redis" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        began_s = time.monotonic()
        assert "Traceback" not in process.stderr.read()
    assert process.wait(10) in (0, 130)
    assert time.monotonic() - began_s < 10


def test_ctrl_c_ends_a_request_with_130_and_one_word() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        process = subprocess.Popen(
            [sys.executable, "-c", WITH_CTRL_C, "status", "--server", url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        connection, _ = deaf.accept()
        with connection:
            connection.recv(1)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "Interrupted.\n")
