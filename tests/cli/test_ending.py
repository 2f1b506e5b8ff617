"""How commands end that are told to: at the next safe point, with a sentence, and nothing left behind."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from blitz.cli import ending
from blitz.cli.main import invoke
from blitz.cli.output import Output
from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.board_definition import BoardDefinition, Channel, Format
from blitz.data.database_client import DatabaseClient
from blitz.data.export import export_session
from blitz.data.records import SessionRecord, Source

STARTED_S = 1_700_000_000
ROUNDS = 40 if os.environ.get("BLITZ_SOAK") else 1
LONGEST_S = 3.0
"""Most commands here are over by then."""
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BLITZ_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("BLITZ_SERVER", "http://127.0.0.1:9")
    monkeypatch.setenv("LC_ALL", "C")


@pytest.fixture
def noted() -> Iterator[None]:
    """Signals that are noted as in the program."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    ending.note_signals()
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_waits_for_a_safe_point_and_the_second_does_not(noted: None, number: signal.Signals) -> None:
    assert not ending.end_if_told()
    signal.raise_signal(number)
    assert ending.is_told()
    with pytest.raises(KeyboardInterrupt):
        ending.end_if_told()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


def test_work_that_shows_its_progress_ends_between_its_parts(noted: None) -> None:
    with Output(as_json=True).progress("work") as progress:
        progress(1, 3)
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            progress(2, 3)
    with pytest.raises(KeyboardInterrupt), Output(as_json=True).progress("the next work"):
        pass


def test_other_threads_end_at_safe_points_too(noted: None) -> None:
    signal.raise_signal(signal.SIGINT)
    outcomes: list[BaseException] = []

    def work() -> None:
        try:
            ending.end_if_told()
        except KeyboardInterrupt as error:
            outcomes.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(outcomes) == 1


def test_what_waits_is_woken_instead_even_by_a_signal_that_came_before(noted: None) -> None:
    woken: list[str] = []
    with ending.waking(lambda: woken.append("by the signal")):
        signal.raise_signal(signal.SIGINT)
        assert not ending.end_if_told()
    with ending.waking(lambda: woken.append("at once")):
        pass
    assert woken == ["by the signal", "at once"]


def test_waiting_for_a_person_ends_at_once(noted: None) -> None:
    with pytest.raises(KeyboardInterrupt), ending.at_once():
        signal.raise_signal(signal.SIGTERM)
    assert not ending.is_told()
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), ending.at_once():
        pytest.fail("it was told to end before")


def test_looking_for_servers_ends_at_once(
    noted: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def look(wait_s: float) -> None:
        signal.raise_signal(signal.SIGINT)
        pytest.fail("it went on")

    monkeypatch.setattr("blitz.io.discovery.discover", look)
    assert invoke(["discover"]) == 130
    assert capsys.readouterr().err == "Interrupted.\n"


def test_a_program_gets_its_signals_back(noted: None) -> None:
    ending.hand_over()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    ending.hand_over()  # again does nothing


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN), signal.getsignal(signal.SIGTERM)
    try:
        ending.note_signals()
        signal.raise_signal(signal.SIGINT)
        assert not ending.is_told()
        signal.raise_signal(signal.SIGTERM)
        assert ending.is_told()
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])


def test_an_interruption_that_has_changed_its_kind_is_told_as_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        try:
            raise KeyboardInterrupt
        finally:
            raise RuntimeError("release unlocked lock")

    monkeypatch.setattr("blitz.cli.verifying.client_settings", fail)
    assert invoke(["verify", "a.csv"]) == 130
    assert capsys.readouterr().err == "Interrupted.\n"


def test_whatever_fails_in_a_command_that_was_told_to_end_is_an_interruption(
    noted: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        signal.raise_signal(signal.SIGINT)
        raise ValueError("operation cancelled")

    monkeypatch.setattr("blitz.cli.verifying.client_settings", fail)
    assert invoke(["verify", "a.csv"]) == 130
    assert capsys.readouterr().err == "Interrupted.\n"
    assert invoke(["--version"]) == 130  # the next one does not begin


COMMANDS: dict[str, Callable[[Path, Path], list[str]]] = {
    "csv": lambda cache, folder: ["export", "1", str(folder / "a.csv"), "--cache", str(cache)],
    "parquet": lambda cache, folder: ["export", "1", str(folder / "a.parquet"), "--cache", str(cache)],
    "h5": lambda cache, folder: ["export", "1", str(folder / "a.h5"), "--cache", str(cache)],
    "xlsx": lambda cache, folder: ["export", "1", str(folder / "a.xlsx"), "--cache", str(cache)],
    "pack": lambda cache, folder: ["pack", "1", str(folder / "a.blitz"), "--cache", str(cache)],
    "verify": lambda cache, folder: ["verify", str(cache.parent / "whole.csv"), "--cache", str(cache)],
    "import": lambda cache, folder: ["import", str(cache.parent / "whole.csv"), "--cache", str(folder / "a.db")],
    "query": lambda cache, folder: [
        *("query", "select count(*), avg(value) from readings", "--cache", str(cache), "-o", str(folder / "a.csv"))
    ],
}


PROGRAM = """
from blitz.cli.ending import note_signals
note_signals()
print("noted", flush=True)
from blitz.__main__ import run
run()
"""
HELD = """
import contextlib, sys
from blitz.cli.output import Output

def wait(done, total):
    print("working", flush=True)
    sys.stdin.readline()

Output._bar = lambda out, title: contextlib.nullcontext(wait)
from blitz.__main__ import run
run()
"""
"""Waits after each part of its work for a line."""


def start(program: str, arguments: list[str]) -> "subprocess.Popen[str]":
    """Start a command, and wait for its first line."""
    command = [sys.executable, "-c", program, *arguments]
    pipe = subprocess.PIPE
    started = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    assert started.stdout is not None
    assert started.stdout.readline() == {PROGRAM: "noted\n", HELD: "working\n"}[program]
    return started


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("csv", signal.SIGINT),
        ("csv", signal.SIGTERM),
        ("parquet", signal.SIGTERM),
        ("h5", signal.SIGTERM),
        ("xlsx", signal.SIGTERM),
        ("pack", signal.SIGTERM),
    ],
)
def test_an_export_that_is_ended_leaves_nothing(
    name: str, number: signal.Signals, session_cache: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    with start(HELD, COMMANDS[name](session_cache, folder)) as program:
        assert [path.suffix for path in folder.iterdir() if path.is_file()] == [".part"]
        program.send_signal(number)
        printed, said = program.communicate(timeout=60)
    assert (program.returncode, printed, said) == (130, "", "Interrupted.\n")
    assert list(folder.iterdir()) == []


def test_a_second_signal_ends_work_where_it_stands(session_cache: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    with start(HELD, COMMANDS["csv"](session_cache, folder)) as program:
        assert program.stdin is not None
        deadline_s = time.monotonic() + 60
        while program.poll() is None and time.monotonic() < deadline_s:  # it is waiting, and never gets a line
            program.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                program.wait(1)
        assert program.returncode is not None
        assert "Interrupted." in program.communicate()[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_ended_at_any_moment_finishes_or_leaves_nothing(
    name: str, session_cache: Path, tmp_path: Path
) -> None:
    chance = random.Random()
    for turn in range(ROUNDS):
        folder = tmp_path / str(turn)
        folder.mkdir()
        with start(PROGRAM, COMMANDS[name](session_cache, folder)) as program:
            with suppress(subprocess.TimeoutExpired):
                program.wait(chance.uniform(0.0, LONGEST_S))
            program.send_signal(chance.choice([signal.SIGINT, signal.SIGTERM]))
            printed, said = program.communicate(timeout=60)
        if program.returncode == 0:
            assert (printed != "", said) == (True, "")
            continue
        assert (program.returncode, printed, said) == (130, "", "Interrupted.\n")
        assert [path.name for path in folder.iterdir() if not path.name.startswith("a.db")] == []
        if (folder / "a.db").exists():
            with DatabaseClient(path=folder / "a.db") as cache:
                assert cache.session_records() == []


@pytest.fixture(scope="module")
def session_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with a session, and that exported beside it."""
    path, count = tmp_path_factory.mktemp("ended") / "cache.db", 4 * GRID_MESSAGES
    channels = tuple(Channel(name=f"channel {column}", column=column) for column in range(2))
    definition = BoardDefinition(id="tank", name="Tank", format=Format.COLUMNS, channels=channels)
    record = SessionRecord(
        id=1,
        started_at=datetime.fromtimestamp(STARTED_S, UTC),
        message_count=count,
        sources=(Source(index=0, name="tank", link="", board_id="tank", definition=definition),),
    )
    with DatabaseClient(path=path) as cache:
        cache.begin_download(record)
        for first in range(0, count, GRID_MESSAGES):
            seq = np.arange(first, first + GRID_MESSAGES)
            raw = pa.array([b"%d,0.1" % number for number in seq.tolist()], pa.binary())
            arrived_ns = STARTED_S * 1_000_000_000 + seq * 1_000_000
            cache.store_block(1, MessageBlock(1, first, arrived_ns, np.zeros(len(seq), np.uint16), raw))
        cache.finish_download(record)
        export_session(cache, 1, path.parent / "whole.csv")
    return path
