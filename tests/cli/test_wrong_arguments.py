"""What is answered to what people type wrongly: a sentence that says what to do, and the exit code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from blitz.cli.main import invoke
from blitz.data.profiles import Profile, add_profile

NOBODY = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("cache_dir", "data_dir"):
        monkeypatch.setenv(f"BLITZ_{name.upper()}", str(tmp_path / name))
    monkeypatch.setenv("BLITZ_PROFILES", str(tmp_path / "profiles.toml"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "run.blitz").write_bytes(b"\0" * 64)
    (tmp_path / "text.toml").write_text("[client]\nserver = 7\n")


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["marker"], 2, "Say what to do, one of: list, add, edit, delete. See 'blitz marker --help'."),
        (["session", "delte", "7"], 2, "No such command 'delte'. Did you mean 'delete'? See 'blitz session --help'."),
        (
            ["session", "show", "abc"],
            2,
            "Invalid value for 'SESSION': it must be a whole number. See 'blitz session show",
        ),
        (["session", "0"], 2, "Invalid value for 'SESSION': it must be at least 1. See 'blitz session show --help'."),
        (["audit", "--last", "0"], 2, "Invalid value for '--last': it must be at least 1. See 'blitz audit --help'."),
        (["discover", "--for", "x"], 2, "Invalid value for '--for': it must be a number. See 'blitz discover --help'."),
        (["discover", "--for", "99"], 2, "Invalid value for '--for': it must be at most 60."),
        (["serve", "--port", "abc"], 2, "Invalid value for '--port': it must be a whole number."),
        (["serve", "--simulate", "99", "--port", "0"], 2, "--simulate is 99: it must be at most 64."),
        (["stauts"], 2, "No such command 'stauts'. Did you mean 'status'"),
        (["status", "extra"], 2, "Got unexpected extra argument(s) (extra). See 'blitz status --help'."),
        (["start", "--name"], 2, "Option '--name' requires an argument."),
        (["verify", "none.csv"], 1, "none.csv cannot be verified: there is no such file."),
        (["verify", "folder"], 1, "folder cannot be verified: it is a folder; name the file."),
        (["import", "none.csv"], 1, "Cannot import none.csv: no such file or directory."),
        (["import", "folder"], 1, "Cannot import folder: is a directory."),
        (
            ["import", "run.blitz"],
            1,
            "Cannot import run.blitz: it holds zero bytes and is no text; a session that 'blitz p",
        ),
        (["unpack", "none.blitz"], 1, "Cannot read none.blitz: no such file or directory."),
        (["restore", "none.zip"], 1, "Cannot read none.zip: no such file or directory."),
        (["replay", "folder"], 1, "Cannot open folder: is a directory. Check the name."),
        (["doctor", "folder"], 1, "Cannot open folder: it is no serial port. Check the name."),
        (
            ["record", "/dev/ttyNONE7", "x.jsonl"],
            1,
            "Cannot open /dev/ttyNONE7: there is no such port. Plug the device ",
        ),
        (["token"], 2, "No server has used the data folder "),
        (["status", "--config", "none.toml"], 2, "Cannot read the settings file none.toml: it does not exist."),
        (["status", "--config", "folder"], 2, "Cannot read the settings file folder: is a directory."),
        (["status", "--config", "text.toml"], 2, "'server' in [client] of text.toml is 7: it must be a valid string."),
        (["profile", "use", "nope"], 2, "There is no profile 'nope'. There are: bench1."),
        (["profile", "use"], 2, "Invalid value: give the name of a profile, or --none."),
        (
            ["profile", "add", "bench1", NOBODY],
            2,
            "There is a profile 'bench1' already, for http://127.0.0.1:9: --repl",
        ),
        (
            ["profile", "add", "a.b", NOBODY],
            2,
            "'a.b' cannot name a profile: take letters, digits, - and _, at most 40.",
        ),
        (["profile", "add", "new", "blz_secret"], 2, "This is a token alone. Paste the whole link"),
        (["profile", "add", "new", "ftp://x"], 2, "'ftp://x' is no server's address: give a URL such as"),
        (["profile", "delete", "bench1"], 2, "Invalid value: nobody can be asked here: say --yes if it is meant."),
        (["tls", "renew", "-y"], 2, "There is no certificate in "),
        (["query", "select 1"], 1, "There is no cache in "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_argument_is_answered_by_a_sentence(
    arguments: list[str], code: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    add_profile(Profile("bench1", NOBODY))
    assert invoke(arguments) == code
    printed = capsys.readouterr()
    assert printed.out == "" or arguments[0] == "verify", "which says of each file how it is"
    told = printed.out + printed.err
    assert told.startswith(sentence)
    assert told.count("\n") == 1


def test_a_name_that_is_no_profile_s_is_told_with_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    add_profile(Profile("bench1", NOBODY))
    assert invoke(["status", "-s", "bench9.invalid"]) == 3
    assert "profile" not in capsys.readouterr().err
    assert invoke(["status", "-s", "bench9"]) == 3
    assert capsys.readouterr().err.endswith(" No profile has that name, either; there are: bench1.\n")


@pytest.mark.skipif(sys.platform == "win32", reason="pipes end otherwise there")
def test_a_reader_that_has_had_enough_is_no_error_to_be_told() -> None:
    program = [sys.executable, "-m", "blitz", "boards", "--types", "--json"]
    environment = os.environ | {"BLITZ_SERVER": NOBODY}
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 1
