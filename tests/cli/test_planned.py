"""Timed runs and new devices from the command line, against a real server with simulated boards."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from blitz.cli.main import invoke


class Shell:
    """Runs commands in this process, as an operator would type them."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str, expect: int = 0) -> str:
        code = invoke(arguments)
        printed = self._capsys.readouterr()
        assert code == expect, printed.err
        return printed.out if code == 0 else printed.err

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--json"))

    def wait_for_session(self, *, is_running: bool) -> Any:
        deadline_s = time.monotonic() + 30
        while (("session" in (status := self.json("status"))) is not is_running) or (is_running and status["planned"]):
            assert time.monotonic() < deadline_s
            time.sleep(0.05)
        return status.get("session")


@pytest.fixture
def shell(server: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    monkeypatch.setenv("BLITZ_SERVER", server.url)
    monkeypatch.setenv("BLITZ_CACHE_DIR", str(tmp_path / "caches"))
    monkeypatch.chdir(tmp_path)
    return Shell(capsys)


def test_a_run_that_is_started_for_a_time_ends_by_itself(shell: Shell) -> None:
    session_id = shell.json("start", "--for", "1s", "--name", "short")["session"]["id"]
    shell.wait_for_session(is_running=False)
    assert shell.json("session", str(session_id))["session"]["stop_reason"] == "The planned time was over."
    assert "It is stopped at 20" in shell("start", "--for", "1h", "--every", "30m", "--readings", "1000000")
    said = shell("status")
    assert "It is stopped at 1 000 000 messages." in said
    assert "The next session follows at 20" in said
    shell("stop")


def test_a_planned_start_is_listed_cancelled_and_takes_place(shell: Shell) -> None:
    assert "No starts are planned" in shell("planned")
    assert "starts 20" in shell("start", "--at", "+1h", "--for", "10m", "--name", "later")
    (later,) = shell.json("planned")["planned"]
    assert (later["name"], later["run"]["duration_s"]) == ("later", 600)
    listed = shell("planned", "list")
    assert "later" in listed
    assert "after 0:10:00" in listed
    assert "Planned: session 'later' at 20" in shell("status")
    assert f"{later['id']} is cancelled" in shell("planned", "cancel", str(later["id"]))
    assert "No start is planned under the number" in shell("planned", "cancel", str(later["id"]), expect=1)
    assert "has passed on the server" in shell("start", "--at", "2001-01-01T00:00", expect=1)
    shell("start", "--at", "+1s", "--name", "soon")
    assert shell.wait_for_session(is_running=True)["name"] == "soon"
    shell("stop")


def test_where_nothing_is_new_nothing_can_be_listened_to(shell: Shell) -> None:
    assert "No new USB devices" in shell("found")
    assert shell.json("found", "--ignored") == {"found": []}
    assert "There is no new USB device at /dev/ttyUSB77" in shell("listen", "/dev/ttyUSB77", expect=2)
    assert "There is no new USB device at COM77" in shell("found", "--ignore", "COM77", expect=2)
