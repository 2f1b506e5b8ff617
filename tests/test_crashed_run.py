"""A run of tests of which one process crashes: it ends, says which test it was, and leaves no process behind."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

CRASHES = """
import os, signal, subprocess, sys, pytest

@pytest.mark.parametrize("number", range(6))
def test_crash(number):
    if number == 3:
        left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        with open("left", "w") as file:
            file.write(str(left.pid))
        os.kill(os.getpid(), signal.SIGKILL)
"""
PASSES = """
import pytest

@pytest.mark.parametrize("number", range({}))
def test_pass(number):
    pass
"""


def test_a_run_ends_where_a_process_crashes_and_the_other_tests_are_run(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = '{Path(__file__).parent / 'support'}'\n")
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path)
    (tmp_path / "test_crashes.py").write_text(CRASHES)
    for number, count in enumerate((4, 4, 3, 2, 1, 1, 1)):
        (tmp_path / f"test_passes_{number}.py").write_text(PASSES.format(count))
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "xdist",
        "-n",
        "2",
        "--dist",
        "loadfile",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=inherited | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert "crashed while running 'test_crashes.py::test_crash[3]'" in done.stdout
    assert "1 failed, 21 passed" in done.stdout
    left = Path("/proc") / (tmp_path / "left").read_text() / "environ"
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # ended, perhaps not yet waited for
        assert not left.read_bytes()
