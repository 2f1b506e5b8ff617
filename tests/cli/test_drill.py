"""`blitz drill`: what an operator sees of it, and that it leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blitz.cli.main import invoke
from blitz.io import drill as engine
from blitz.io.drill import DrillResult

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it needs pseudo terminals and a private Redis")

INTERRUPTED = (130, -signal.SIGINT)
"""A shell shows 130 for both. Python ends itself by the signal if that came amid an exec, as modules are loaded."""
RESULT = DrillResult("unplug", "a device unplugged", 3, 900, 880, 20, 0, 0, 1.25, None, None, ())


def test_a_drill_of_one_fault_passes_and_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["drill", "--data-dir", str(tmp_path / "data"), "--rounds", "1", "--only", "restart", "--seed", "3"]
    assert invoke([*arguments, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["passed"]
    assert document["seed"] == 3
    (result,) = document["results"]
    assert (result["fault"], result["rounds"], result["lost"], result["doubled"]) == ("restart", 1, 0, 0)
    assert result["sent"] == result["stored"] + result["missed"] > 0
    assert result["end_s"] < 20
    assert not list(tmp_path.iterdir())


def test_an_unknown_fault_is_named_with_those_there_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["drill", "--data-dir", str(tmp_path / "data"), "--only", "earthquake"]) == 2
    said = capsys.readouterr().err
    assert "'earthquake'" in said
    assert "redis-killed" in said


@pytest.mark.parametrize(
    ("change", "code"), [({}, 0), ({"lost": 1}, 1), ({"doubled": 1}, 1), ({"problems": ("X.",)}, 1)]
)
def test_the_exit_code_and_the_table_say_what_came_of_it(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, Any],
    code: int,
) -> None:
    def drilled(*_: Any, **__: Any) -> Iterator[DrillResult]:
        yield DrillResult(**{**RESULT.__dict__, **change})

    monkeypatch.setattr(engine, "drill", drilled)
    assert invoke(["drill", "--data-dir", str(tmp_path / "data"), "--only", "unplug"]) == code
    said = capsys.readouterr().out
    assert "a device unplugged  3       900   880     20" in said
    assert ("FAILED" in said) == bool(code)
    assert ("Not passed: a device unplugged." in said) == bool(code)
    assert all(f"a device unplugged: {problem}" in said for problem in change.get("problems", ()))


def test_ctrl_c_ends_the_drills_server_and_removes_its_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "blitz", "drill", "--data-dir", str(tmp_path / "data"), "--rounds", "1000"]
    with subprocess.Popen(
        [*command, "--only", "slow-clients"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as drill:
        deadline_s = time.monotonic() + 60
        while not any("serves http" in log.read_text() for log in tmp_path.glob("*/server.log")):
            assert time.monotonic() < deadline_s
            assert drill.poll() is None
            time.sleep(0.05)
        drill.send_signal(signal.SIGINT)
        said, _ = drill.communicate(timeout=60)
        assert drill.returncode in INTERRUPTED, said.decode()
    assert b"Traceback" not in said
    assert not list(tmp_path.iterdir())
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        try:
            assert not os.readlink(entry).startswith(str(tmp_path))
        except OSError:
            continue
