"""What a shell offers, asked as shells ask; and a real bash, where there is one."""

import logging
import os
import pty
import select
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from blitz import Client
from blitz.cli import completing
from blitz.cli.caches import cache_names
from blitz.cli.completing import whole_words
from blitz.cli.main import invoke
from blitz.data.profiles import Profile, add_profile
from blitz.data.records import Role
from blitz.data.tokens import TokenStore

NASTY = "a`touch hacked`$(touch hacked)'\"\\[/red];touch hacked"


@pytest.fixture(scope="module")
def server(run_server: Callable[..., Any]) -> Any:
    server = run_server("--simulate", "2", "--durability", "none")
    with Client(server.url) as client:
        client.scan()
        client.start(NASTY)
        client.stop()
        client["room"].create({"type": "number"}, description="of the room")
        client["odd name; x"].create({"type": "number"})
    return server


@pytest.fixture(autouse=True)
def _own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BLITZ_PROFILES", str(tmp_path / "profiles.toml"))
    monkeypatch.setenv("BLITZ_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("BLITZ_CACHE_DIR", str(tmp_path / "caches"))


class Shell:
    """Asks as shells do, and waits longer for a server than they: this machine may be busy."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys
        monkeypatch.setattr(completing, "_WAIT_S", 60)

    def ask(self, instruction: str, **variables: str) -> str:
        with self.monkeypatch.context() as patch:
            for name, value in {"_BLITZ_COMPLETE": instruction, **variables}.items():
                patch.setenv(name, value)
            with suppress(SystemExit):
                invoke([])
        logging.disable(logging.NOTSET)
        printed = self.capsys.readouterr()
        assert printed.err == ""
        return printed.out

    def offers(self, *words: str) -> list[str]:
        """Return what bash would offer for the last word."""
        line = "\n".join(["blitz", *words])
        return self.ask("complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(words))).split()


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(monkeypatch, capsys)


def test_names_and_ids_come_from_the_server(server: Any, shell: Shell) -> None:
    add_profile(Profile("here", server.url))
    assert shell.offers("command", "") == ["sim1", "sim2"]
    assert shell.offers("command", "--server", server.url, "") == ["sim1", "sim2"]
    assert shell.offers("session", "show", "-s", "here", "") == ["1"]


def test_names_and_ids_come_from_this_machine(tmp_path: Path, shell: Shell) -> None:
    add_profile(Profile("bench1", "http://127.0.0.1:9"))
    add_profile(Profile("bench2", "http://127.0.0.1:9"))
    (tmp_path / "data").mkdir()
    with TokenStore(tmp_path / "data" / "server.db") as store:
        store.create(Role.VIEWER, "screen")
        store.revoke(store.create(Role.VIEWER, "old")[0].id)
    assert shell.offers("status", "-s", "") == ["bench1", "bench2"]
    assert shell.offers("profile", "delete", "") == ["bench1", "bench2"]
    assert shell.offers("token", "revoke", "") == ["1"]
    assert shell.offers("export", "1", "--cache", "") == [name for name, _ in cache_names()]


def test_commands_and_options_are_offered(shell: Shell) -> None:
    assert shell.offers("tok") == ["token"]
    assert shell.offers("token", "re") == ["revoke"]
    assert shell.offers("help", "stat") == ["status"]
    assert shell.offers("session", "sh") == ["show"]
    assert "--every" in shell.offers("start", "--")


@pytest.mark.parametrize("server", ["http://127.0.0.1:9", "http://192.0.2.1", "ftp://x", "http://", "blz_x"])
def test_a_server_that_is_away_or_none_gives_nothing_and_no_word(
    server: str, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completing, "_WAIT_S", 0.1)
    assert shell.offers("command", "--server", server, "") == []


def test_what_is_wrong_in_the_settings_is_not_told_into_the_line(tmp_path: Path, shell: Shell) -> None:
    (tmp_path / "profiles.toml").write_text("[")
    assert shell.offers("status", "-s", "") == []
    assert shell.offers("command", "") == []


@pytest.mark.parametrize("name", ["zsh", "fish", "powershell", "pwsh"])
def test_other_shells_get_the_meaning_too_and_nothing_that_they_would_run(server: Any, shell: Shell, name: str) -> None:
    answer = shell.ask(
        f"complete_{name}",
        _TYPER_COMPLETE_ARGS=f"blitz session show --server {server.url} ",
        _TYPER_COMPLETE_FISH_ACTION="get-args",
    )
    wanted = "1", "atouch hackedtouch hacked/redtouch hacked"
    assert answer.strip("\n") == {
        "zsh": '_arguments \'*: :(("{}":"{}"))\'',
        "fish": "{}\t{}",
        "powershell": "{}:::{}",
        "pwsh": "{}:::{}",
    }[name].format(*wanted)


@pytest.mark.parametrize("name", ["bash", "zsh", "fish", "powershell"])
def test_the_script_for_a_shell_can_be_shown(shell: Shell, name: str) -> None:
    assert "_BLITZ_COMPLETE" in shell.ask(f"source_{name}")


@pytest.mark.parametrize(
    ("words", "whole"),
    [
        (["a", "http", ":"], ["a", "http:"]),
        (["a", "--x", "="], ["a", "--x", ""]),
        (["a", "=", "b"], ["a", "=", "b"]),
        ([":"], [":"]),
    ],
)
def test_words_of_bash_are_put_together(words: list[str], whole: list[str]) -> None:
    assert whole_words(words, len(words) - 1) == (whole, len(whole) - 1)


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_a_real_bash_completes_a_line(server: Any, tmp_path: Path, shell: Shell) -> None:
    command = tmp_path / "bin" / "blitz"
    command.parent.mkdir()
    command.write_text(
        f"#!{sys.executable}\nfrom blitz.cli import completing; completing._WAIT_S = 60\n"
        "from blitz.__main__ import run; run()\n"
    )
    command.chmod(0o755)
    script = tmp_path / "rc"
    script.write_text(f"PS1='ready>'\nPATH={command.parent}:$PATH\nbind 'set bell-style none'\n")
    with script.open("a") as file:
        file.write(shell.ask("source_bash"))
    leader, follower = pty.openpty()
    arguments = ["bash", "--noprofile", "--rcfile", str(script), "-i"]
    environment = os.environ | {"TERM": "dumb"}
    try:
        with subprocess.Popen(
            arguments, stdin=follower, stdout=follower, stderr=follower, env=environment, start_new_session=True
        ) as bash:
            read_until(leader, "ready>")
            os.write(leader, f"echo blitz-{'{'}a,b{'}'}\n".encode())
            read_until(leader, "blitz-a blitz-b\r\nready>")
            os.write(leader, f"blitz session sh\t--server {server.url} \t".encode())
            read_until(leader, f"show --server {server.url} 1 ")
            os.write(leader, b"--js\t")
            read_until(leader, "--json ")
            os.write(leader, b"\n")
            assert '"message_count"' in read_until(leader, "ready>")
            os.write(leader, b"exit\n")
            assert bash.wait(20) == 0
    finally:
        os.close(leader)
        os.close(follower)


def read_until(descriptor: int, text: str) -> str:
    """Read a terminal until a text has come."""
    seen = ""
    while text not in seen.replace(" \r", ""):
        ready, _, _ = select.select([descriptor], [], [], 60)
        assert ready, f"{text!r} did not come, but {seen!r}"
        seen += os.read(descriptor, 65536).decode()
    return seen
