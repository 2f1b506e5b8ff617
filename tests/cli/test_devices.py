"""Commands about devices, sources and definitions, with a real server and a device that prints."""

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from blitz.cli.main import invoke
from blitz.data.board_definition import read_definition
from blitz.io.simulated_device import SimulatedDevice


@pytest.fixture(scope="module")
def bench(run_server: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A server that reads a device which prints three columns, as the source `printer`."""
    place = tmp_path_factory.mktemp("bench") / "printer"
    with SimulatedDevice("plain", rate_hz=20, silence_s=0.1, link_path=place):
        server = run_server("--serial", f"{place}:115200", "--durability", "none")
        yield server
        server.end()


class Shell:
    """Runs commands in this process, as an operator would type them."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd

    def __call__(self, *arguments: str, expect: int = 0) -> str:
        code = invoke(arguments)
        printed = self._capfd.readouterr()
        assert code == expect, printed.err
        return printed.out if code == 0 else printed.err

    def json(self, *arguments: str, expect: int = 0) -> Any:
        return json.loads(self(*arguments, "--json", expect=expect))

    def printer(self) -> Any:
        return next(board for board in self.json("boards")["boards"] if board["name"] == "printer")

    def wait_for_printer(self, condition: Callable[[Any], bool]) -> Any:
        deadline_s = time.monotonic() + 30
        while not condition(board := self.printer()):
            assert time.monotonic() < deadline_s, board
            time.sleep(0.05)
        return board


@pytest.fixture
def shell(
    bench: Any, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Shell]:
    monkeypatch.setenv("BLITZ_SERVER", bench.url)
    monkeypatch.chdir(tmp_path)
    shell = Shell(capfd)
    shell.wait_for_printer(lambda board: board.get("definition") and board["state"] != "released")
    yield shell
    if shell.json("status").get("session"):
        shell("stop")


@pytest.fixture
def taring(shell: Shell, tmp_path: Path) -> None:
    """The printer has commands."""
    shell("definition", "printer", "-o", "with-commands.toml")
    path = tmp_path / "with-commands.toml"
    if "TARE" not in path.read_text():
        with path.open("a") as file:
            file.write('\n[[commands]]\nname = "TARE"\nsend = "t"\nanswer = "^tared$"\n')
            file.write('\n[[commands]]\nname = "MOVE"\nsend = "m"\nis_actuator = true\n')
            file.write('\n[[commands]]\nname = "RATE"\nsend = "rate {value}"\nparameter = { min = 0, max = 20 }\n')
        shell("definition", "printer", "--set", str(path))


def test_channels_are_renamed_by_a_file_while_a_session_runs(shell: Shell, tmp_path: Path) -> None:
    shell("start")
    assert shell("definition", "printer", "--output", "printer.toml") == "printer.toml\n"
    text = (tmp_path / "printer.toml").read_text()
    assert shell("definition", "printer") == text
    (tmp_path / "printer.toml").write_text(text.replace("column_1", "pressure"))
    assert "pressure, column_2, column_3" in shell("definition", "printer", "--set", "printer.toml")
    names = [channel["name"] for channel in shell.json("definition", "printer")["definition"]["channels"]]
    assert names == ["pressure", "column_2", "column_3"]
    assert shell.printer()["definition"]["channels"][0]["name"] == "pressure"
    versions = shell("definition", "printer", "--versions").splitlines()
    assert versions[0].split()[:3] == ["Version", "Since", "Who"]
    assert "pressure, column_2, column_3" in versions[-1]
    assert shell.json("definition", "printer", "--versions")["versions"][-1]["who"].count("@") == 1
    shell("stop")
    number = str(shell.json("sessions")["sessions"][0]["id"])
    assert "The definition of printer is" in shell("session", number)
    assert read_definition(tmp_path / "printer.toml").channels[0].name == "pressure"
    assert shell.json("definition", "nobody", expect=1)["error"]["code"] == "unknown_source"


@pytest.mark.usefixtures("taring")
def test_commands_are_sent_by_name_as_text_and_as_bytes(shell: Shell) -> None:
    listed = shell("command", "printer").splitlines()
    assert [line.split()[0] for line in listed] == ["Command", "TARE", "MOVE", "RATE"]
    assert [part["name"] for part in shell.json("command", "printer")["commands"]] == ["TARE", "MOVE", "RATE"]
    assert shell("command", "printer", "tare") == "tared\n"
    assert shell("command", "printer", "t", "--answer", "^tar", "--timeout", "20", "--ending", "crlf") == "tared\n"
    assert shell("command", "printer", "74 0a", "--hex", "--answer", "tared", "--timeout", "20") == "tared\n"
    assert shell("command", "printer", "nonsense") == "Sent to printer.\n"
    answer = shell.json("command", "printer", "TARE")
    assert answer == {"board": "printer", "line": "TARE", "command": "TARE", "answer": "tared"}
    late = shell.json("command", "printer", "t", "--answer", "never", "--timeout", "0.2", expect=1)["error"]
    assert late["code"] == "board_timeout"
    assert "no board 'nobody'" in shell("command", "nobody", "t", expect=1)


@pytest.mark.usefixtures("taring")
def test_a_command_is_given_a_number_within_its_range(shell: Shell) -> None:
    assert "0 to 20" in shell("command", "printer")
    assert shell("command", "printer", "rate", "--value", "5") == "Sent to printer.\n"
    for value, words in ((["--value", "21"], "it must be 0 to 20"), ([], "needs a value, 0 to 20")):
        error = shell.json("command", "printer", "rate", *value, expect=4)["error"]
        assert error["code"] == "command_refused"
        assert words in error["message"]
    error = shell.json("command", "printer", "speed", "--value", "5", expect=2)["error"]
    assert "printer has no command 'speed'" in error["message"]


@pytest.mark.usefixtures("taring")
def test_what_moves_something_is_asked_about(shell: Shell) -> None:
    assert "say --yes" in shell("command", "printer", "MOVE", expect=2)
    assert shell("command", "printer", "MOVE", "--yes") == "Sent to printer.\n"


def test_commands_and_lending_stand_on_the_time_line_and_in_the_account(shell: Shell) -> None:
    number = str(shell.json("start")["session"]["id"])
    shell("command", "printer", "t", "--answer", "tared", "--timeout", "20")
    shell.wait_for_printer(lambda board: board["account"]["messages_appended"] > 5)
    shell("release", "printer", "--", sys.executable, "-c", "import time; time.sleep(0.3)")
    appended = shell.printer()["account"]["messages_appended"]
    shell.wait_for_printer(lambda board: board["account"]["messages_appended"] > appended)
    stopped = shell("stop").splitlines()
    assert "account balances" in stopped[1]
    assert stopped[1] in shell("sessions").splitlines()[1]
    record = shell.json("session", number)["session"]
    assert [entry["kind"] for entry in record["timeline"]] == ["command", "link", "link"]
    assert record["timeline"][0]["answer"] == "tared"
    text = shell("session", number)
    assert text.splitlines()[1] == stopped[1]
    assert "Gap of" in text
    assert "released" in text
    assert "session_not_found" in json.dumps(shell.json("session", "999", expect=1))


def test_a_port_is_lent_until_it_is_taken_again(shell: Shell) -> None:
    assert " is free until " in shell("release", "printer", "--for", "200")
    board = shell.printer()
    assert (board["state"], board["retake_at"] != "") == ("released", True)
    assert "lent until" in shell("boards")
    assert shell("retake", "printer").startswith("printer is at ")
    shell.wait_for_printer(lambda board: board["state"] == "ready")


@pytest.mark.parametrize("code", [0, 7])
def test_a_program_gets_the_port_and_its_exit_code_is_ours(shell: Shell, code: int) -> None:
    program = f"import os, sys; print(os.environ['BLITZ_RELEASED_PORT'], *sys.argv[1:], '--json'); sys.exit({code})"
    link = shell.printer()["link"]
    arguments = ["release", "printer", "--", sys.executable, "-c", program, "-P", "{port}"]
    assert invoke(arguments) == code
    assert shell._capfd.readouterr().out == f"{link} -P {link} --json\n"
    assert shell.printer()["state"] != "released"


def test_a_program_does_not_disturb_the_json_document(shell: Shell) -> None:
    assert invoke(["release", "printer", "--json", "--", "echo", "hello"]) == 0
    printed = shell._capfd.readouterr()
    assert json.loads(printed.out)["exit_code"] == 0
    assert printed.err == "hello\n"


def test_a_port_is_taken_again_after_a_program_that_is_not_there(shell: Shell) -> None:
    assert "no-such-flasher: no such file or directory." in shell(
        "release", "printer", "--", "no-such-flasher", expect=1
    )
    assert shell.printer()["state"] != "released"


def test_sources_are_added_changed_and_removed_also_in_the_words_of_older_scripts(shell: Shell, tmp_path: Path) -> None:
    place = tmp_path / "pump"
    added = ("sources", "add", f"{place}:9600", "--parity", "even", "--definition", "09")
    refused = shell.json(*added, expect=4)["error"]
    assert refused["code"] == "source_unavailable"
    assert refused["message"].endswith("If it is to be read as soon as it is there, add it for later: --later.")
    assert [source["name"] for source in shell.json("sources")["sources"]] == ["printer"]
    assert " as pump as soon as it is there" in shell(*added, "--later")
    refused = shell.json("sources", "add", str(tmp_path / "other"), "--name", "pump", expect=4)["error"]
    assert refused["code"] == "source_exists"
    assert "there is no type 'nix'" in shell("sources", "add", "COM9", "--definition", "nix", expect=2)
    added = next(source for source in shell.json("sources")["sources"] if source["name"] == "pump")
    assert (added["link"], added["serial"]["baud"], added["serial"]["parity"]) == (str(place), 9600, "even")
    assert added["definition"]["name"] == "Motor"
    assert shell("sources", "change", "pump", "--baud", "300", "--name", "oven") == "oven is changed.\n"
    row = next(line for line in shell("sources", "list").splitlines() if line.startswith("oven"))
    assert row.split()[1:5] == [str(place), "300", "auto", "Motor"]
    assert "say --yes" in shell("sources", "remove", "oven", expect=2)
    assert shell("sources", "remove", "oven", "--yes") == "oven is removed.\n"
    assert [source["name"] for source in shell.json("sources", "list")["sources"]] == ["printer"]
    assert shell.json("sources", "remove", "oven", "--yes", expect=1)["error"]["code"] == "unknown_source"


def test_a_source_is_added_with_what_it_prints_shown_disabled_enabled_and_deleted(shell: Shell, tmp_path: Path) -> None:
    with SimulatedDevice("csv", rate_hz=50, silence_s=0, link_path=tmp_path / "scale") as device:
        added = shell("source", "add", device.path, "--baud", "115200", "--format", "csv", "-n", "scale")
        assert added == f"The server reads {device.path} as scale from now on.\n"
        assert shell.json("source", "add", device.path, "-n", "twice", expect=4)["error"]["code"] == "source_exists"
        assert shell("source", "disable", "scale") == "scale is disabled: nobody reads it until it is enabled.\n"
        assert next(one for one in shell.json("boards")["boards"] if one["name"] == "scale")["state"] == "disabled"
        assert "disabled" in next(line for line in shell("boards").splitlines() if line.startswith("scale"))
        assert shell("source", "enable", "scale") == "scale is enabled.\n"
        shown = shell("source", "show", "scale").splitlines()
        assert any(line.split() == ["Link", device.path] for line in shown)
        assert any(line.split()[:3] == ["Line", "115200", "baud,"] for line in shown)
        assert [line.split()[-1] for line in shown[-2:]] == ["disabled", "enabled"]
        everything = shell.json("source", "show", "scale")
        assert everything["source"]["protocol"] == "stream"
        assert everything["board"]["name"] == "scale"
        assert shell("source", "delete", "scale", "--yes") == "scale is removed.\n"
        assert [one["what"] for one in shell.json("source", "history", "scale")["history"]][-1] == "removed"
        unknown = shell.json("source", "show", "scale", expect=1)["error"]
        assert unknown["message"] == "There is no source 'scale'. Known are: printer."
    kinds = shell("source", "kinds")
    assert "socket://HOST:PORT" in kinds
    refused = shell.json("source", "add", "nokind:x", expect=2)["error"]
    assert "no installed package brings them" in refused["message"]


def test_files_are_named_as_on_the_server(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.csv").write_text("a,b\n1,2\n")
    added = shell.json("source", "add", "run.csv", "--interval", "3", "--rows", "new", "--later")["source"]
    assert added["link"] == f"csv:{tmp_path}/run.csv"
    assert (added["poll_interval_s"], added["options"]["rows"]) == (3, "new")
    assert added["name"] == "run.csv"
    shell("source", "change", "run.csv", "--rows", "missing", "-i", "20")
    (changed,) = [one for one in shell.json("source")["sources"] if one["name"] == "run.csv"]
    assert (changed["poll_interval_s"], changed["options"]["rows"]) == (20, "missing")
    shell("source", "delete", "run.csv", "--yes")
    said = shell("source", "add", "run.csv", "--server", "http://203.0.113.9:8999", expect=2)
    assert "the server is another machine. Give the whole path of the file there, such as csv:/home/lab/run.csv" in said
    assert "is not NAME=VALUE" in shell("source", "add", "COM3", "--option", "depth", expect=2)
    assert "only one of --format and --protocol" in shell(
        *("source", "add", "COM3", "--format", "csv", "--protocol", "blitz"), expect=2
    )


@pytest.mark.parametrize(("answer", "code"), [(b"n\n", 1), (b"y\n", 0)])
def test_the_operator_is_asked_at_a_terminal(shell: Shell, tmp_path: Path, answer: bytes, code: int) -> None:
    name = f"spare{code}"
    shell("source", "add", str(tmp_path / name), "--later")
    keyboard, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "blitz", "source", "delete", name],
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    os.close(terminal)
    try:
        assert process.stderr is not None
        assert process.stderr.read(10) == b"Remove the"
        os.write(keyboard, answer)
        _, said = process.communicate(timeout=60)
    finally:
        os.close(keyboard)
    assert process.returncode == code, said
    assert (name in [source["name"] for source in shell.json("sources")["sources"]]) == (code != 0)


def test_kinds_of_boards_are_listed(shell: Shell) -> None:
    lines = shell("boards", "--types").splitlines()
    assert any(line.split()[:2] == ["09", "Motor"] for line in lines)
    assert {"08", "09"} <= {kind["id"] for kind in shell.json("boards", "--types")["types"]}
    assert "These are the built-in kinds." in shell("boards", "--types", "-s", "http://127.0.0.1:9")


def test_bad_frames_are_shown_in_hex_and_as_text(shell: Shell) -> None:
    assert shell.json("bad-frames", "printer")["bad_frames"] == []
    assert shell("bad-frames", "printer") == "No bad frames of printer.\n"
    assert shell.json("bad-frames", "nobody", expect=1)["error"]["code"] == "unknown_board"
