"""The commands about trash, stars and retention, against a real server."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from blitz.cli.main import invoke

Shell = Callable[..., Any]


@pytest.fixture
def shell(server: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Run a command as an operator would type it; with as_json, return its document."""
    monkeypatch.setenv("BLITZ_SERVER", server.url)

    def run(*arguments: str, expect: int = 0, as_json: bool = False) -> Any:
        code = invoke([*arguments, "--json"] if as_json else arguments)
        printed = capsys.readouterr()
        assert code == expect, printed.err
        text = printed.out if code == 0 else printed.err
        return json.loads(text) if as_json else text

    return run


@pytest.fixture
def recorded(shell: Shell) -> str:
    """The id of a session with a few messages."""
    session_id = str(shell("start", "--name", "pump", as_json=True)["session"]["id"])
    deadline_s = time.monotonic() + 20
    while shell("status", as_json=True)["session"]["message_count"] < 4:
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    shell("stop", session_id)
    return session_id


def test_a_session_goes_to_the_trash_and_back(server: Any, shell: Shell, recorded: str) -> None:
    said = shell("session", "delete", recorded)
    assert said == f"Session {recorded} is in the trash. 'blitz trash restore {recorded}' brings it back.\n"
    assert "pump" in shell("trash", "list")
    assert shell("trash", as_json=True)["sessions"][0]["id"] == int(recorded)
    assert "is in the trash" in shell("session", recorded, expect=1)
    assert shell("trash", "restore", recorded).startswith(f"Session {recorded} is back, with ")
    assert shell("trash", "restore", recorded, as_json=True, expect=1)["error"]["code"] == "session_not_found"
    assert "pump" in shell("session", recorded)


def test_emptying_leaves_starred_sessions_unless_they_are_named(server: Any, shell: Shell, recorded: str) -> None:
    import blitz

    assert shell("star", recorded) == f"Session {recorded} is starred.\n"
    with blitz.Client(server.url) as client:
        client.delete(int(recorded))
    assert "--yes" in shell("trash", "empty", recorded, expect=2), "nobody can be asked here"
    assert shell("trash", "empty", "--yes") == "There was nothing to delete.\n"
    assert shell("trash", "empty", recorded, "99999", "--yes", expect=1).startswith("Session 99999 is not in the trash")
    assert shell("trash", "empty", recorded, "--yes") == "Deleted 1 session for good.\n"
    assert shell("trash") == "The trash is empty.\n"


def test_a_star_is_given_and_taken(shell: Shell, recorded: str) -> None:
    assert shell("star", recorded, as_json=True)["session"]["starred"] is True
    assert shell("star", recorded, "--off") == f"Session {recorded} is no longer starred.\n"
    assert shell("session", recorded, as_json=True)["session"]["starred"] is False


def test_retention_is_shown_and_applied(shell: Shell, recorded: str) -> None:
    text = shell("retention")
    assert text.startswith("No session goes by itself: neither keep_days nor keep_free_gb is set.")
    assert text.endswith("Nothing goes.\n")
    plan = shell("retention", "--apply", as_json=True)
    assert (plan["steps"], plan["applied"]) == ([], True)
