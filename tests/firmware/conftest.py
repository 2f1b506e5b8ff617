"""Emulated chips that run our sketches. Collected by `make firmware-test` only, which has built both before."""

import contextlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

_BUILD = os.environ.get("FIRMWARE_BUILD", "")
collect_ignore_glob = [] if _BUILD else ["test_*.py"]

_reports = pytest.StashKey[list[str]]()


class EmulatedChip:
    """A chip that runs a sketch, for as long as this object is not stopped."""

    def __init__(self, chip: str, sketch: str, baud: int, millivolts: tuple[int, ...]) -> None:
        program = Path(_BUILD) / chip / f"{sketch}-{baud}.elf"
        self._process = subprocess.Popen(
            [Path(_BUILD) / "run_avr", chip, program, *map(str, millivolts)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdout is not None
        self.port = self._process.stdout.readline().strip()
        """The path to open."""

    def stop(self) -> dict[str, float]:
        """Switch it off; return the emulator's account, see firmware/emulator/run_avr.c."""
        said, _ = self._process.communicate(timeout=20)  # the end of its standard input ends it
        account: dict[str, float] = json.loads(said)
        return account

    def end(self) -> None:
        """Leave nothing behind, whatever a test has done."""
        if self._process.poll() is None:
            self.stop()


@pytest.fixture
def run_chip() -> Iterator[Callable[..., EmulatedChip]]:
    """Start chips: ``run_chip("atmega328p", "Numbered", 57600, 1000, 2000)``, millivolts on A0 and A1."""
    with contextlib.ExitStack() as chips:

        def run(chip: str, sketch: str, baud: int, *millivolts: int) -> EmulatedChip:
            started = EmulatedChip(chip, sketch, baud, millivolts)
            chips.callback(started.end)
            return started

        yield run


@pytest.fixture
def report(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Say a line in the summary at the end of the run."""
    return pytestconfig.stash.setdefault(_reports, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash.get(_reports, [])
    if lines:
        terminalreporter.section("numbered messages from emulated chips")
        for line in lines:
            terminalreporter.write_line(line)
