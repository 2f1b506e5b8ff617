import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

import blitz
from blitz.cli.main import _command, app, invoke
from blitz.io.device_program import KINDS


def walk(command: Any, words: list[str]) -> Iterator[tuple[list[str], Any]]:
    """Give each command with the words that call it, groups that do something by themselves among them."""
    parts = getattr(command, "commands", {})
    if words and (not parts or command.invoke_without_command):
        yield words, command
    for name, part in parts.items():
        yield from walk(part, [*words, name])


EVERY_COMMAND = [words for words, _ in walk(get_command(app), [])]
ASKING = [
    *(["status"], ["boards"], ["sessions"], ["session", "1"], ["start"], ["stop"], ["download", "1"], ["export", "1"]),
    *(["start", "--for", "10m", "--readings", "9", "--every", "4h"], ["start", "--at", "14:00"]),
    *(["planned"], ["planned", "list"], ["planned", "cancel", "1"]),
    *(["found"], ["found", "--ignore", "COM3"], ["listen", "COM3", "--baud", "9600"]),
    *(["sync", "--all"], ["sync", "1"]),
    *(["command", "b"], ["command", "b", "t"], ["release", "b"], ["retake", "b"], ["attach", "b", "p"]),
    *(["bad-frames", "b"], ["definition", "b"], ["definition", "b", "--versions"], ["definition", "b", "-o", "a.toml"]),
    *(["sources"], ["sources", "list"], ["sources", "add", "COM3"], ["sources", "change", "b", "--baud", "300"]),
    *(
        ["sources", "remove", "b", "--yes"],
        ["source", "delete", "b", "--yes"],
        ["source", "show", "b"],
        ["source", "kinds"],
    ),
    *(
        ["source", "enable", "b"],
        ["source", "disable", "b"],
        ["source", "history", "b"],
        ["source", "add", "/data/run.csv"],
    ),
    *(["hooks"], ["hooks", "list"], ["hooks", "test", "mail"]),
    *(
        ["marker", "list", "1"],
        ["marker", "add", "1", "x"],
        ["marker", "edit", "1", "1"],
        ["marker", "delete", "1", "1"],
    ),
    *(["session", "show", "1"], ["session", "set", "1", "--tag", "x"], ["session", "delete", "1"]),
]
"""Commands that put a question to the server."""
NOBODY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BLITZ_CACHE_DIR", str(tmp_path / "caches"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("command", EVERY_COMMAND, ids=" ".join)
def test_each_command_has_help_with_json_and_exit_codes(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke([*command, "-h"]) == 0
    text = capsys.readouterr().out
    assert "--json" in text
    assert "Exit codes:" in text


def test_the_help_of_simulate_names_all_kinds_of_devices(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["simulate", "--help"]) == 0
    unbroken = "".join(capsys.readouterr().out.split())
    assert f"Kinds:{','.join(KINDS)}." in unbroken


def test_help_needs_none_of_the_large_libraries() -> None:
    program = (
        "import sys; from blitz.cli.main import invoke; invoke(['--help'])\n"
        "large = {'pyarrow', 'numpy', 'httpx', 'websockets', 'sqlalchemy', 'pydantic', 'rich', 'PyQt5', 'fastapi'}\n"
        "sys.exit(', '.join(sorted(large & set(sys.modules))) or None)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_no_arguments_show_the_help_and_count_as_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke([]) == 2
    assert capsys.readouterr().out.startswith("Usage: blitz")


def test_version_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["--version"]) == 0
    assert capsys.readouterr().out == f"blitz {blitz.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["xyz"], "No such command 'xyz'. See 'blitz --help'.\n"),
        (["start", "--xyz"], "No such option: --xyz. See 'blitz start --help'.\n"),
        (["start", "--for", "soon"], "Invalid value for --for: 'soon' is no duration such as 90 (seconds), 10m"),
        (["start", "--at", "25:00"], "Invalid value for --at: '25:00' is no moment such as 14:00"),
        (["start", "--at", "+10m", "--join"], "Invalid value for --at: --join is for a session that starts now."),
        (["serve", "--scan-usb", "yes"], "Invalid value for '--scan-usb': 'yes' is not one of 'known', 'ask', 'off'"),
        (["download"], "Missing argument 'SESSION'. See 'blitz download --help'.\n"),
        (["serve", "--port", "99999"], "--port is 99999: it must be at most 65535.\n"),
        (["serve", "--serial", "x:y"], "--serial: 'x:y' is not PORT, PORT:BAUD or PORT:BAUD=DEFINITION"),
        (["serve", "--token", "too short"], "--token is wrong: string should have at least 16 characters.\n"),
        (["serve", "--durability", "x"], "Invalid value for '--durability': 'x' is not one of 'always', "),
        (["serve", "--host", "1.2.3.4", "--token", 16 * "x", "--port", "0"], "Cannot listen on 1.2.3.4 port 0: "),
        (["serve", "--redis-url", "nonsense", "--port", "0"], "'nonsense' is not the address of a Redis: give one "),
        (["serve", "--definitions-dir", "none", "--port", "0"], "Cannot read board definitions from none: "),
        (["status", "-s", "ftp://x"], "'ftp://x' is no server's address"),
        (["client", "-s", "http://"], "'http://' is no server's address"),
        (["export", "1", "a.csv", "-o", "b.csv"], "Invalid value for FILE: it is given by --output, too."),
        (["release", "b", "--for", "0"], "Invalid value for '--for': "),
        (["command"], "Missing argument 'BOARD'. See 'blitz command --help'.\n"),
        (["command", "b", "t", "--answer", "((", "-s", NOBODY], "Cannot send this to b: the answer's pattern '(('"),
        (["command", "b", "0g", "--hex", "-s", NOBODY], "Cannot send this to b: '0g' cannot be sent: give hex digits"),
        (["definition", "b", "--set", "none.toml"], "Cannot read the board definition none.toml: no such file"),
        (["definition", "b", "--set", "a.toml", "-o", "b.toml"], "Invalid value: give only one of --set, --output"),
        (["sources", "paint"], "No such command 'paint'. See 'blitz sources --help'.\n"),
        (
            ["sources", "add", "COM3", "--name", "a/b"],
            "Invalid value: name: 'a/b' is not a name of up",
        ),
        (["sources", "add", "COM3", "--stop-bits", "3"], "Invalid value: serial, stop_bits: 3 stop bits: there are"),
        (["sources", "change", "b"], "Invalid value: say what to change, such as --baud 115200."),
        (["sources", "remove", "b"], "Invalid value: nobody can be asked here: say --yes if it is meant."),
        (["simulate", "--boards", "77"], "Invalid value: There is no simulated board '77'."),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_two(
    arguments: list[str],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("BLITZ_DATA_DIR", str(tmp_path))
    assert invoke(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(sentence)
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("id = 8", "The board definition boards/a.toml is wrong: id: 8 is no text"),
        ("id", "The board definition boards/a.toml is not"),
    ],
)
def test_a_wrong_board_definition_is_named(
    text: str, sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards" / "a.toml").write_text(text)
    monkeypatch.setenv("BLITZ_DEFINITIONS_DIR", "boards")
    assert invoke(["serve", "--port", "0", "--data-dir", "data"]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith(sentence)
    assert printed.count("\n") == 1
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("command", ASKING, ids=" ".join)
def test_unreachable_server_is_one_sentence_and_exit_code_three(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke([*command, "--server", NOBODY]) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"Cannot reach a Blitz server at {NOBODY}: connection refused. Start one there")
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize("command", [["client"], *ASKING], ids=" ".join)
def test_each_command_of_the_client_takes_a_settings_file(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lab.toml").write_text("[client]\nserver = 'ftp://lab'\n")
    assert invoke([*command, "--config", "lab.toml"]) == 2
    assert capsys.readouterr().err.startswith("'ftp://lab' is no server's address")
    assert invoke([*command, "--config", "missing.toml"]) == 2
    assert capsys.readouterr().err == "Cannot read the settings file missing.toml: it does not exist.\n"


def test_a_mistyped_variable_is_told_on_the_standard_error() -> None:
    environment = os.environ | {"BLITZ_SERVRE": NOBODY}
    command = [sys.executable, "-m", "blitz", "status", "--server", NOBODY]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("BLITZ_SERVRE is not a setting, and ignored. Allowed are: ")


def test_an_error_of_the_system_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert invoke(["simulate", "--link-dir", str(tmp_path / "file" / "below")]) == 1
    assert capsys.readouterr().err == f"{tmp_path / 'file' / 'below'}: not a directory.\n"


def test_errors_are_json_documents_on_the_standard_error_where_json_is_wanted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert invoke(["status", "--json", "--server", NOBODY]) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    error = json.loads(printed.err)["error"]
    assert (error["code"], error["exit_code"]) == ("server_unreachable", 3)
    assert invoke(["status", "--json", "--nonsense"]) == 2
    assert json.loads(capsys.readouterr().err)["error"]["code"] == "usage"


def test_fault_of_our_own_is_an_apology_with_a_traceback_in_the_log(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("blitz.cli.looking.client_settings", fail)
    assert invoke(["status"]) == 1
    assert capsys.readouterr().err == ("Sorry, this is a fault in Blitz itself: ZeroDivisionError: division by zero.\n")
    assert "Traceback" in caplog.text


def test_client_without_a_screen_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert invoke(["client"]) == 1
    assert "there is no screen here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "missing", "hint"),
    [
        (["client"], "PyQt5", "blitz[gui]"),
        (["serve"], "fastapi", "blitz[server]"),
        (["serve"], "cryptography", "blitz[server]"),
        (["token", "create", "--role", "viewer", "--host", "lab-pi"], "cryptography", "blitz[server]"),
    ],
)
def test_missing_extra_is_one_sentence_with_the_remedy(
    command: list[str], missing: str, hint: str, tmp_path: Path
) -> None:
    program = (
        f"import sys; sys.modules[{missing!r}] = None\nfrom blitz.cli.main import invoke; sys.exit(invoke({command!r}))"
    )
    environment = os.environ | {"QT_QPA_PLATFORM": "offscreen", "BLITZ_DATA_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f'needs {missing}, which is not installed. Install it with: pip install "{hint}"' in done.stderr


def test_a_command_that_is_made_alone_is_the_one_among_all() -> None:
    whole: Any = get_command(app)
    for name, command in whole.commands.items():
        made = _command(name)
        assert name in made.commands
        assert [words for words, _ in walk(made.commands[name], [])] == [words for words, _ in walk(command, [])]
        assert (len(made.commands) == 1) == (name not in ("commands", "help")), name
    assert set(_command(None).commands) == set(_command("--version").commands) == set(whole.commands)
