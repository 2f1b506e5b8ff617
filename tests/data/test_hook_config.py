"""What a hook's table in the settings may say."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from blitz.data.hook_config import RECOVERIES, HookEvent, read_hooks
from blitz.errors import ConfigError

MAIL: dict[str, Any] = {"name": "mail", "kind": "email", "host": "mail.lab", "sender": "a@b.c", "to": ["d@e.f"]}
CHAT: dict[str, Any] = {"name": "chat", "kind": "webhook", "url": "https://chat.lab/x"}


def test_a_hook_is_told_of_everything_unless_it_says_of_what() -> None:
    (all_of_it, some) = read_hooks([MAIL, {**CHAT, "on": ["source_lost", "recovered"]}])
    assert all(all_of_it.wants(event) for event in HookEvent)
    assert {event for event in HookEvent if some.wants(event)} == {
        HookEvent.SOURCE_LOST,
        HookEvent.TEST,
        *RECOVERIES,
    }


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({**MAIL, "kind": "fax"}, "hook 1 ('mail') is wrong: its kind must be 'email', 'webhook' or 'command'"),
        ({**MAIL, "to": ["nobody"]}, "'nobody' is no e-mail address"),
        ({**MAIL, "sender": "a@b.c\nBcc: x@y.z"}, "is no e-mail address"),
        ({**MAIL, "user": "blitz"}, "a user needs a password"),
        ({**MAIL, "colour": "red"}, "there is no 'colour' here"),
        ({**CHAT, "on": ["sunset"]}, "'sunset'"),
        ({**CHAT, "after_s": -1}, "after_s"),
        ({**CHAT, "name": "../x"}, "name"),
        ({"name": "run", "kind": "command", "command": []}, "command"),
        ({"name": "run", "kind": "command", "command": "rm -rf /"}, "command"),
    ],
)
def test_a_wrong_hook_is_named_and_told_what_is_wrong(table: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_hooks([table])
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    "table",
    [
        {**MAIL, "user": "blitz", "password": ["hush"]},
        {**CHAT, "secret": 0x6875736800, "secret_env": ["hush"]},
        {**CHAT, "url": "ftp://hush@chat.lab"},
    ],
)
def test_what_may_be_secret_is_not_in_a_sentence(table: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        read_hooks([table])
    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_two_hooks_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigError, match="another hook of that name"):
        read_hooks([CHAT, CHAT])


def test_the_examples_of_the_documentation_are_right() -> None:
    text = (Path(__file__).parents[2] / "docs" / "administration.md").read_text()
    examples = [block for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL) if "[[server.hooks]]" in block]
    hooks = [hook for example in examples for hook in read_hooks(tomllib.loads(example)["server"]["hooks"])]
    assert {hook.kind for hook in hooks} == {"email", "webhook", "command"}


@pytest.mark.parametrize(
    "command",
    [
        ["sh", "-c", "notify '{text}'"],
        ["/bin/bash", "-e", "-c", "echo {title}"],
        ["env", "A=1", "zsh", "-c", "{source}"],
        ["cmd.exe", "/c", "echo", "{text}"],
        [r"C:\Windows\System32\cmd", "/c", "echo {server}"],
    ],
)
def test_no_text_from_outside_gets_into_what_a_shell_runs(command: list[str]) -> None:
    with pytest.raises(ConfigError, match="could run anything: name the variable instead"):
        read_hooks([{"name": "n", "kind": "command", "command": command}])


@pytest.mark.parametrize(
    "command",
    [["sh", "-c", 'notify "$HOOK_TEXT"'], ["sh", "-c", 'notify "$1"', "sh", "{text}"], ["notify.sh", "{text}"]],
)
def test_arguments_and_variables_are_no_part_of_what_a_shell_runs(command: list[str]) -> None:
    (hook,) = read_hooks([{"name": "n", "kind": "command", "command": command}])
    assert hook.target == command[0]
