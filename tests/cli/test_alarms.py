"""Alarms and added hooks from the command line, against a real server with simulated boards."""

import json
from typing import Any

import pytest
from waiting import wait_until

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


@pytest.fixture
def shell(server: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("BLITZ_SERVER", server.url)
    return Shell(capsys)


def test_a_rule_is_made_raises_its_alarm_is_acknowledged_tried_and_deleted(shell: Shell) -> None:
    for own in ("no_data:sim1", "no_data:sim2"):  # on a slow machine they may say something
        assert "is disabled" in shell("alarm", "disable", own)
    shell("alarm", "ack", "--all")
    assert "No alarms" in shell("alarm")
    shell("alarm", "history")
    said = shell("alarm", "add", "Any", "sim1", "adc_channel_one", "--above", "-1", "--severity", "critical")
    assert "sim1 adc_channel_one above -1" in said
    wait_until(lambda: shell.json("alarm")["alarms"])
    (alarm,) = shell.json("alarm", "list")["alarms"]
    assert (alarm["state"], alarm["rule"]["severity"]) == ("active", "critical")
    assert "Any: sim1 adc_channel_one above -1 count" in shell("alarm")
    assert shell("alarm", "ack", str(alarm["id"]), "--note", "seen it") == "1 alarm acknowledged.\n"
    assert "acknowledged" in shell("alarm")
    assert shell("alarm", "ack", "--all") == "0 alarms acknowledged.\n"
    shell("alarm", "ack", expect=2)
    assert "seen it" in shell("alarm", "history", "-n", "1")
    assert "It is disabled." in shell("alarm", "disable", "Any")
    wait_until(lambda: not shell.json("alarm")["alarms"])
    assert "adc_channel_one above 4000 for 5 s" in shell("alarm", "change", "Any", "--above", "4000", "--for", "5")
    shell("alarm", "change", "Any", expect=2)
    shell("alarm", "change", "Any", "--above", "1", "--equals", "2", expect=2)
    assert "disabled" in shell("alarm", "rules")
    assert "disabled" not in shell("alarm", "enable", "Any")
    session_id = shell.json("start")["session"]["id"]
    wait_until(lambda: shell.json("status")["session"]["message_count"] > 20)
    shell("stop")
    shell("alarm", "change", "Any", "--above", "-1", "--for", "0")
    (raised,) = shell.json("alarm", "test", "Any", str(session_id))["raised"]
    assert raised["seq"] < 20
    assert "It would have been raised 1 time." in shell("alarm", "test", "Any", str(session_id))
    assert "moves nothing" in shell("alarm", "confirm", "Any", expect=1)
    assert "deleted" in shell("alarm", "delete", "Any")
    assert "There is no rule 'Any'" in shell("alarm", "delete", "Any", expect=1)
    assert "no channel 'x'" in shell("alarm", "add", "No", "sim1", "x", "--below", "0", expect=1)
    shell("alarm", "add", "No", "sim1", "adc_channel_one", expect=2)


def test_a_hook_is_added_and_removed(shell: Shell) -> None:
    place = ("--mail-server", "127.0.0.1:1", "--from", "blitz@lab.example", "--security", "none")
    assert "tells ada@lab.example by 127.0.0.1" in shell("hooks", "add", "mail", "--to", "ada@lab.example", *place)
    assert shell.json("hooks")["hooks"][0]["is_added"]
    assert "removed" in shell("hooks", "remove", "mail")
    assert "There is no hook 'mail'" in shell("hooks", "remove", "mail", expect=1)
    shell("hooks", "add", "mail", "--to", "ada@lab.example", expect=2)
