"""`blitz profile`, against a real server, and what commands make of the names."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blitz.cli.main import invoke
from blitz.data.profiles import read_profiles

LINK = f"blitz://127.0.0.1:9/#blz_secret&{32 * 'a7'}"


@pytest.fixture(autouse=True)
def _own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BLITZ_PROFILES", str(tmp_path / "profiles.toml"))
    monkeypatch.setenv("BLITZ_CACHE_DIR", str(tmp_path / "caches"))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Run a command that must go well; return its JSON."""

    def run(*arguments: str) -> Any:
        assert invoke([*arguments, "--json"]) == 0
        printed = capsys.readouterr()
        assert "blz_secret" not in printed.out + printed.err
        return json.loads(printed.out)

    return run


def test_a_name_stands_for_a_server_in_every_command(run_server: Callable[..., Any], run: Callable[..., Any]) -> None:
    url = run_server("--durability", "none").url
    assert run("profile", "add", "here", url)["answers"]
    assert run("status", "--server", "here")["store_id"] == run("status", "-s", url)["store_id"]
    assert run("status")["store_id"], "the first is used"
    assert run("profile")["use"] == "here"
    run("profile", "delete", "here", "--yes")
    assert run("profile", "list")["profiles"] == []


def test_a_link_is_taken_apart_and_its_token_never_shown(run: Callable[..., Any]) -> None:
    added = run("profile", "add", "bench1", LINK, "--cache", "bench")
    shown = {
        "name": "bench1",
        "server": "https://127.0.0.1:9",
        "has_token": True,
        "fingerprint": 32 * "a7",
        "cache": "bench",
    }
    assert added["profile"] == shown
    assert not added["answers"]
    assert added["trouble"].startswith("Cannot reach a Blitz server")
    assert run("profile", "list")["profiles"] == [shown]
    assert read_profiles().by_name["bench1"].token == "blz_secret"


def test_a_link_is_read_from_the_standard_input(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(LINK + "\n"))
    assert run("profile", "add", "bench1", "-")["profile"]["has_token"]


def test_one_is_chosen_and_what_goes_before_it_is_told(
    run: Callable[..., Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run("profile", "add", "bench1", LINK)
    run("profile", "add", "bench2", "http://127.0.0.1:9")
    run("profile", "use", "bench2")
    assert read_profiles().chosen == "bench2"
    monkeypatch.setenv("BLITZ_SERVER", "http://127.0.0.1:8")
    assert invoke(["profile", "use", "bench1"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "bench1 is used where no server is named.",
        "But BLITZ_SERVER says another, and goes before it.",
    ]
    run("profile", "use", "--none")
    assert read_profiles().chosen == ""


def test_a_table_shows_which_is_used(run: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["profile"]) == 0
    assert capsys.readouterr().out.startswith("No profiles. 'blitz profile add NAME LINK' makes one")
    run("profile", "add", "bench1", LINK)
    assert invoke(["profile", "list"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1] == ["bench1", "yes", "https://127.0.0.1:9", "yes", f"{8 * 'a7'}…", "–"]
