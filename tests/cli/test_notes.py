"""`blitz marker`, `blitz session set` and `blitz sessions --search` against a real server."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import typer

from blitz.cli.main import invoke
from blitz.cli.notes import parse_fields, parse_time


@pytest.fixture
def shell(server: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    monkeypatch.setenv("BLITZ_SERVER", server.url)

    def run(*arguments: str, expect: int = 0) -> str:
        code = invoke(arguments)
        printed = capsys.readouterr()
        assert code == expect, printed.err
        return printed.out if code == 0 else printed.err

    return run


def test_markers_and_words_on_the_command_line(shell: Callable[..., str]) -> None:
    started = json.loads(
        shell("start", "--tag", "warm-up", "--field", "sample=brass", "--owner", "ada@bench", "--json")
    )
    number = str(started["session"]["id"])
    assert started["session"]["fields"] == {"sample": "brass"}
    assert shell("marker", "list", number) == "No markers. Write one with 'blitz marker add SESSION TEXT'.\n"
    assert shell("marker", "add", number, "pump on") == "Marker 1 is written.\n"
    shell("stop")
    refusal = shell("marker", "add", number, "late", expect=2)
    assert f"session {number} is not being recorded: say when it was, with --at and " in refusal
    shell("marker", "add", number, "warm", "--at", "+1.5", "--until", "+2", "--source", "sim1")
    shown = json.loads(shell("marker", "list", number, "--json"))["markers"]
    span = next(marker for marker in shown if marker["id"] == 2)
    assert span["to_ns"] - span["from_ns"] == 500_000_000
    assert shell("marker", "edit", number, "2", "--text", "warmer", "--point") == (
        "Marker 2 is changed; this is its version 2.\n"
    )
    assert "brings it back" in shell("marker", "delete", number, "1")
    assert "2, deleted" in shell("marker", "list", number, "--versions")
    assert "has no marker 9" in shell("marker", "edit", number, "9", "--text", "x", expect=1)
    assert "is no time: give" in shell("marker", "edit", number, "2", "--at", "noon", expect=2)

    said = shell(
        *("session", "set", number, "--name", "Prüfung", "--tag", "rig 2", "--untag", "warm-up"),
        *("--field", "sample=", "--field", "Größe=4 mm", "--star"),
    )
    assert said == f"Session {number} is changed.\nTags: rig 2\nGröße: 4 mm\n"
    assert "say what to change" in shell("session", "set", number, expect=2)
    assert "is not NAME=TEXT" in shell("session", "set", number, "--field", "sample", expect=2)
    assert "'a,b' is no tag" in shell("session", "set", number, "--tag", "a,b", expect=1)
    for line in (shell("session", number), shell("session", "show", number)):
        assert "Tags: rig 2" in line
        assert "warmer" in line
        assert "warm-up" in line  # as it was before
    assert "Prüfung" in shell("sessions", "--search", "prufung warmer tag:'rig 2'".replace("'", '"'))
    assert shell("sessions", "--search", "nowhere") == "No session is like that.\n"
    assert not json.loads(shell("session", "set", number, "--no-star", "--json"))["session"]["starred"]


def test_times_are_read_by_the_sessions_day() -> None:
    started_at = datetime(2026, 3, 1, 12, 0, 0, 250_000).astimezone()
    assert parse_time("12:00", started_at).second == 0
    assert parse_time("12:00:10.5", started_at) == started_at.replace(second=10, microsecond=500_000)
    assert parse_time("01:30", started_at) == datetime(2026, 3, 2, 1, 30).astimezone()
    assert parse_time("2026-03-01T12:00:00+00:00", started_at) == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert parse_time("2026-03-01 12:30", started_at) == started_at.replace(minute=30, microsecond=0)
    assert (parse_time("+0.5", started_at) - started_at).total_seconds() == 0.5
    for wrong in ("", "+x", "25:00", "soon", "+1e30"):
        with pytest.raises(typer.BadParameter, match="is no time"):
            parse_time(wrong, started_at)


def test_fields_are_read_as_name_and_text() -> None:
    assert parse_fields(["a=b=c", " rig =", "x= y "]) == {"a": "b=c", "rig": "", "x": " y "}
    assert parse_fields(None) == {}
