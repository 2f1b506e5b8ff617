"""`blitz calibrate` and `blitz calibration` with a real server: points from a file, and read at a terminal."""

import itertools
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from waiting import wait_until

from blitz.cli.main import invoke
from blitz.data.blocks import MessageBlock, Read
from blitz.data.cache_engine import cache_path
from blitz.data.database_client import DatabaseClient
from blitz.data.definition_file import to_toml
from blitz.data.records import SessionRecord, Source
from blitz.data.source_config import SourceConfig
from blitz.io.blocking import Client

POINTS = "raw,reference,deviation,count\n102,0,0.5,40\n512,5.01,,\n922,10,0.4,40\n"
TODAY = datetime.now(UTC).astimezone().date()


@pytest.fixture(scope="module")
def bench(run_server: Callable[..., Any]) -> Iterator[Client]:
    """A server with the stream `cell` as a source that is shown."""
    server = run_server("--durability", "none")
    with Client(server.url) as client:
        stream = client["cell"]
        stream.create({"type": "number"}, unit="kg")
        client.add_source(SourceConfig(name="cell", link="stream:cell", is_recorded=False))
        stream.insert(1.0)
        wait_until(lambda: any(board.definition for board in client.boards()))
        yield client
    server.end()


@pytest.fixture
def shell(
    bench: Client, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Any]:
    monkeypatch.setenv("BLITZ_SERVER", str(bench.address))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "points.csv").write_text(POINTS, encoding="utf-8")

    def run(*arguments: str, expect: int = 0, as_json: bool = False) -> Any:
        code = invoke([*arguments, "--json"] if as_json else arguments)
        printed = capfd.readouterr()
        assert code == expect, printed.err
        text = printed.out if code == 0 else printed.err
        return json.loads(text) if as_json else text

    return run


def calibrate(shell: Callable[..., Any], *arguments: str, expect: int = 0, as_json: bool = False) -> Any:
    return shell("calibrate", "cell", "cell", *arguments, expect=expect, as_json=as_json)


def test_points_of_a_file_are_shown_and_put_in_force(shell: Callable[..., Any], bench: Client) -> None:
    assert "No channel was calibrated." in shell("calibration")
    shown = calibrate(shell, "--points", "points.csv", "--dry-run")
    assert shown.splitlines()[0].split() == ["Known", "Sent", "±", "n", "Before", "Now", "Residual"]
    assert "value = (sent − " in shown
    assert "R² 0.99" in shown
    assert bench.definition("cell").channels[0].calibration is None
    told = calibrate(
        shell,
        "--points",
        "points.csv",
        "--yes",
        "--against",
        "M1 weights",
        "--by",
        "ada",
        "--expires",
        "9d",
        "--unit",
        "kg",
    )
    assert f"cell of cell is calibrated, good through {TODAY + timedelta(9)}." in told
    channel = bench.definition("cell").channels[0]
    facts = channel.calibration
    assert facts is not None
    assert (facts.who, facts.against, len(facts.points)) == ("ada", "M1 weights", 3)
    assert channel.unit == "kg"
    assert channel.scale == pytest.approx(10 / 820, rel=1e-2)
    assert f"The calibration of cell (cell) expires on {TODAY + timedelta(9)}." in shell("status")
    row = shell("calibration", "list").splitlines()[1].split()
    assert row[:6] == ["cell", "cell", "soon", str(TODAY + timedelta(9)), "9", "days"]
    (known,) = shell("calibration", as_json=True)["calibrations"]
    assert (known["state"], known["calibration"]["who"]) == ("soon", "ada")


def test_a_polynomial_a_table_and_no_end(shell: Callable[..., Any], bench: Client) -> None:
    document = calibrate(shell, "--points", "points.csv", "--degree", "2", "--expires", "never", "--yes", as_json=True)
    assert len(document["channel"]["polynomial"]) == 3
    assert "meets every step" in document["doubts"][0]
    assert document["is_in_force"] is True
    calibrate(shell, "--points", "points.csv", "--table", "--expires", "never", "--yes")
    channel = bench.definition("cell").channels[0]
    assert channel.table == ((102, 0), (512, 5.01), (922, 10))
    assert (channel.polynomial, channel.calibration and channel.calibration.expires) == ((), None)


def test_what_cannot_be_is_told_in_a_sentence(shell: Callable[..., Any], tmp_path: Path) -> None:
    assert "There is no channel 'x'. There are: cell." in shell("calibrate", "cell", "x", expect=1)
    assert "nobody can be asked here" in calibrate(shell, "--point", "1", expect=2)
    assert "only one of" in calibrate(shell, "--point", "1", "--points", "points.csv", expect=2)
    assert "say --yes" in calibrate(shell, "--points", "points.csv", expect=2)
    assert "Cannot read no.csv: no such file" in calibrate(shell, "--points", "no.csv", expect=1)
    assert "'soon': say a day" in calibrate(shell, "--points", "points.csv", "--expires", "soon", expect=2)
    assert "that is over" in calibrate(shell, "--points", "points.csv", "--expires", "2020-01-31", expect=2)
    for text, reason in (
        ("1;2\nx;3\n", "line 2: 'x;3' is not raw and reference"),
        ("raw,mass\n1,2\n", "'mass' is none of them"),
        ("1,2\n", "at least 2 steps are needed; there is 1."),
    ):
        (tmp_path / "points.csv").write_text(text, encoding="utf-8")
        assert reason in calibrate(shell, "--points", "points.csv", expect=1)


def test_known_values_are_brought_about_at_a_terminal(bench: Client) -> None:
    keyboard, terminal = pty.openpty()
    command = [
        sys.executable,
        "-m",
        "blitz",
        "calibrate",
        "cell",
        "cell",
        "--readings",
        "8",
        "--server",
        str(bench.address),
    ]
    process = subprocess.Popen(
        command, stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=Path(__file__).parents[2]
    )
    os.close(terminal)
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    said, ramp = "", itertools.count(50.0)

    def says(words: str, sending: float | None = None) -> bool:
        nonlocal said
        assert process.stdout is not None
        said += (process.stdout.read() or b"").decode()
        if sending is not None and words not in said:
            bench["cell"].insert(sending)
        return words in said

    def has_all() -> bool:
        """Whether no point is still on its way: it would be read with those of the next value."""
        (board,) = bench.boards()
        return board.message_count >= len(bench["cell"])

    def answer(words: str) -> None:
        os.write(keyboard, f"{words}\n".encode())

    try:
        wait_until(lambda: says("Known value of point 1"))
        answer("zero")
        wait_until(lambda: says("'zero' is not a number."))
        answer("0")
        wait_until(lambda: says("It moved by", next(ramp)))
        wait_until(lambda: says("Take it again?"))
        wait_until(has_all)
        answer("y")
        wait_until(lambda: says("0 kg: sent 102 ± 0, 8 readings.", 102.0))
        wait_until(has_all)
        answer("10")
        wait_until(lambda: says("10 kg: sent 922 ± 0, 8 readings.", 922.0))
        wait_until(has_all)
        answer("")
        wait_until(lambda: says("Put it in force for cell of cell?"))
        answer("y")
        assert process.wait(60) == 0, said
    finally:
        os.close(keyboard)
        process.kill()
        process.wait()
        process.stdout.close()
    channel = bench.definition("cell").channels[0]
    assert (channel.zero, channel.scale) == (pytest.approx(102), pytest.approx(10 / 820))


def test_old_sessions_are_read_by_the_calibration_of_now(
    shell: Callable[..., Any], bench: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLITZ_CACHE_DIR", str(tmp_path))
    calibrate(shell, "--points", "points.csv", "--expires", "never", "--yes")
    now = bench.definition("cell")
    (channel,) = now.channels
    before = channel.model_copy(
        update={"zero": 0.0, "scale": 1.0, "polynomial": (), "table": (), "calibration": None, "label": "Load"}
    )
    source = Source(index=0, name="cell", link="", definition=now.model_copy(update={"channels": (before,)}))
    store_id = bench.status().store_id
    with DatabaseClient(path=cache_path(tmp_path, store_id)) as cache:
        cache.bind_store(store_id)
        for number, name in ((1, "cell"), (2, "cell"), (3, "another")):
            record = SessionRecord(
                id=number,
                started_at=datetime(2026, 5, number, tzinfo=UTC),
                message_count=1,
                sources=(source.model_copy(update={"name": name}),),
            )
            cache.begin_download(record)
            at_ns = round(record.started_at.timestamp()) * 10**9
            raw = b'{"t":%d,"d":512}' % (at_ns // 10**9)
            cache.store_block(number, MessageBlock.from_reads(number, 0, [Read(at_ns, 0, [raw])], store_id))
            cache.finish_download(record)
    command = ("calibration", "apply", "cell", "cell")
    listed = shell(*command, as_json=True)["sessions"]
    assert listed == [{"id": 2, "is_calibrated": False}, {"id": 1, "is_calibrated": False}]
    assert "as before" in shell(*command)
    assert "say --yes" in shell(*command, "1", expect=2)
    assert "There is no cell of cell in session 3" in shell(*command, "1", "3", "--yes", expect=1)
    assert "name sessions, or say --all" in shell(*command, "1", "--all", expect=2)
    told = shell(*command, "1", "--yes", "--reason", "drift", as_json=True)
    assert (told["sessions"], told["faults"], told["reason"]) == ([1], [], "drift")
    with DatabaseClient(path=cache_path(tmp_path, store_id)) as cache:
        (read_by,) = cache.session_sources(1)
        assert read_by.definition is not None
        (applied,) = read_by.definition.channels
        assert (applied.calibration, applied.scale, applied.label) == (channel.calibration, channel.scale, "Load")
        assert cache.definition_versions(2) == []
        (value,) = cache.series(1, "cell")["cell"].values
        assert value == pytest.approx(5.0, abs=0.02)
        assert cache.series(2, "cell")["cell"].values.tolist() == [512]
    (tmp_path / "cell.toml").write_text(to_toml(now), encoding="utf-8")
    told = shell(*command, "--all", "--yes", "--definition", "cell.toml")
    assert told == "1 session is read by the calibration of cell of cell from now on: 2.\n"
    assert shell(*command, "--all") == "0 sessions are read by the calibration of cell of cell from now on.\n"
    assert {row["is_calibrated"] for row in shell(*command, as_json=True)["sessions"]} == {True}
    assert source.definition is not None
    (tmp_path / "plain.toml").write_text(to_toml(source.definition), encoding="utf-8")
    assert "was not calibrated" in shell(*command, "--all", "--definition", "plain.toml", expect=1)
