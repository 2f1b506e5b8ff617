"""`blitz status --all` and `blitz sessions --all`, over the profiles."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blitz.cli.main import invoke
from blitz.data.profiles import Profile, add_profile

NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., str]:
    monkeypatch.setenv("BLITZ_PROFILES", str(tmp_path / "profiles.toml"))

    def call(*arguments: str, expect: int = 0) -> str:
        code = invoke(arguments)
        printed = capsys.readouterr()
        assert code == expect, printed.err
        return printed.out or printed.err

    return call


def test_all_servers_are_told_and_one_that_is_away_hides_no_other(server: Any, run: Callable[..., str]) -> None:
    add_profile(Profile("bench1", server.url))
    add_profile(Profile("twin", server.url))
    assert run("start", "--name", "pump", "--server", "bench1").startswith("Session ")
    assert [line.split()[:3] for line in run("status", "--all").splitlines()[1:]] == [
        ["bench1", "recording", "pump"],
        ["twin", "recording", "pump"],
    ]
    add_profile(Profile("bench9", NOBODY))
    run("stop", "--server", "bench1")
    told = run("status", "--all", expect=3).splitlines()
    assert [line.split()[:2] for line in told[1:4]] == [["bench1", "not"], ["twin", "not"], ["bench9", "away"]]
    assert told[4].startswith("bench9: Cannot reach")
    listed = run("sessions", "--all", "--search", "pump", expect=3).splitlines()
    assert [line.split()[0] for line in listed] == ["Server", "bench1", "twin", "bench9:"]
    document = json.loads(run("sessions", "--all", "--json", expect=3))["servers"]
    assert document["bench1"][0]["name"] == "pump"
    assert document["bench9"]["error"]["code"] == "server_unreachable"
    assert json.loads(run("status", "--all", "--json", expect=3))["servers"]["twin"]["rate_hz"] >= 0
    assert "No session is like that." in run("sessions", "--all", "--search", "nosuchword", expect=3)


def test_without_profiles_and_with_a_server_it_is_refused(run: Callable[..., str]) -> None:
    assert "blitz profile add" in run("status", "--all", expect=2)
    assert "give no other" in run("sessions", "--all", "--server", NOBODY, expect=2)
