"""`blitz sync` against a real server with simulated boards."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import blitz
from blitz.cli.main import invoke


class Shell:
    """Runs commands in this process, as an operator would type them."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str, expect: int = 0) -> str:
        code = invoke(arguments)
        printed = self._capsys.readouterr()
        assert code == expect, printed.err
        return printed.out + printed.err

    def json(self, *arguments: str, expect: int = 0) -> Any:
        return json.loads(self(*arguments, "--json", expect=expect))

    def record(self, messages: int = 4) -> int:
        session_id: int = self.json("start")["session"]["id"]
        deadline_s = time.monotonic() + 30
        while self.json("status")["session"]["message_count"] < messages:
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
        self("stop")
        return session_id


@pytest.fixture
def shell(server: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    monkeypatch.setenv("BLITZ_SERVER", server.url)
    monkeypatch.setenv("BLITZ_CACHE_DIR", str(tmp_path / "caches"))
    return Shell(capsys)


def test_sessions_are_brought_chosen_and_noticed_when_they_go(shell: Shell, server: Any) -> None:
    first, second = shell.record(), shell.record()
    assert "0 sessions in the cache" in shell("sync")  # nothing is chosen yet

    chosen = shell.json("sync", str(first), "--choose")
    assert (chosen["brought"], chosen["failed"], chosen["here"]) == ([first], {}, {str(first): "whole"})
    assert chosen["synchronised_at"] is not None
    assert shell.json("sync")["brought"] == []
    assert f"Session {first} is no longer chosen" in shell("sync", str(first), "--unchoose")
    assert f"Session {first} is chosen" in shell("sync", str(first), "--choose")

    everything = shell.json("sync", "--all")
    assert second in everything["brought"]
    assert first not in everything["brought"]
    assert shell.json("sessions")["copies"][str(second)] == "whole"

    with blitz.Client(server.url) as client:
        client.delete(first)
    gone = shell.json("sync", "--chosen")
    assert gone["changed"] == {str(first): "gone"}
    assert gone["here"][str(first)] == "whole"
    assert "only here" in shell("sessions")
    assert [record["id"] for record in shell.json("sessions")["only_here"]] == [first]


def test_what_cannot_be_brought_is_told_and_does_not_keep_the_others(shell: Shell) -> None:
    session_id = shell.record()
    outcome = shell.json("sync", "99999", str(session_id), expect=1)
    assert outcome["brought"] == [session_id]
    assert list(outcome["failed"]) == ["99999"]
    assert outcome["synchronised_at"] is None


def test_wrong_options_are_told(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLITZ_SYNC", "off")
    assert "say --all" in shell("sync", expect=2)
    assert "includes" in shell("sync", "--all", "--chosen", expect=2)
    assert "which sessions" in shell("sync", "--choose", expect=2)


def test_watching_brings_a_session_that_ends_later(shell: Shell, server: Any, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "blitz", "sync", "--all", "--watch", "--period", "1", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert "here" in json.loads(process.stdout.readline())
        session_id = shell.record()
        deadline_s = time.monotonic() + 30
        while session_id not in json.loads(process.stdout.readline())["brought"]:
            assert time.monotonic() < deadline_s
    finally:
        process.terminate()
        process.communicate(timeout=30)
