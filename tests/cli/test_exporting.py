"""`blitz export` of a cache without a server, and `blitz verify`."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from blitz.cli.main import invoke
from blitz.data.blocks import MessageBlock, Read
from blitz.data.board_definition import BoardDefinition, Channel, Format
from blitz.data.cache_engine import cache_path
from blitz.data.computed import ComputedChannel
from blitz.data.database_client import DatabaseClient
from blitz.data.kept_computed import KEY, write_channels
from blitz.data.kept_settings import FILE_NAME, KeptSettings
from blitz.data.records import SessionRecord, Source

STORE_ID = "11111111-2222-4333-8444-555555555555"
STARTED_S = 1_700_000_000


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BLITZ_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("BLITZ_SERVER", "http://127.0.0.1:9")
    monkeypatch.setenv("LC_ALL", "C")
    channels = (Channel(name="flow", column=0, unit="l/min"), Channel(name="=level", column=1))
    definition = BoardDefinition(id="tank", name="Tank", format=Format.COLUMNS, channels=channels)
    record = SessionRecord(
        id=1,
        started_at=datetime.fromtimestamp(STARTED_S, UTC),
        message_count=40,
        sources=(Source(index=0, name="tank", link="", board_id="tank", definition=definition),),
    )
    reads = [Read(STARTED_S * 1_000_000_000 + n * 250_000_000, 0, [b"%d,-0.5" % n]) for n in range(40)]
    with DatabaseClient(path=cache_path(tmp_path, STORE_ID)) as cache:
        cache.bind_store(STORE_ID)
        cache.begin_download(record)
        cache.store_block(1, MessageBlock.from_reads(1, 0, reads, STORE_ID))
        cache.finish_download(record)


def run(capsys: pytest.CaptureFixture[str], *arguments: str, expect: int = 0) -> str:
    """Return what a command prints."""
    code = invoke(arguments)
    captured = capsys.readouterr()
    assert code == expect, captured
    return captured.out + captured.err


def test_what_the_window_computes_is_exported_where_it_is_asked_for(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    kept = KeptSettings(tmp_path / FILE_NAME)
    kept.keep({KEY: write_channels([ComputedChannel("twice", "flow * 2", "l/min"), ComputedChannel("other", "away")])})
    kept.close()
    run(capsys, "export", "1", "plain.parquet")
    assert list(pd.read_parquet("plain.parquet").columns) == ["time", "flow", "=level"]
    run(capsys, "export", "1", "all.parquet", "--computed")
    assert pd.read_parquet("all.parquet")["twice"].tolist() == [2 * n for n in range(40)]
    run(capsys, "export", "1", "one.csv", "--channels", "twice", "--count", "1")
    assert Path("one.csv").read_text().splitlines()[0] == "time_utc,seconds,twice [l/min]"
    assert "There is no channel 'other'" in run(capsys, "export", "1", "no.csv", "-c", "other", expect=1)
    run(capsys, "report", "1", "--computed", "--plots", "none")
    assert "<td>flow * 2</td>" in Path("session-1.html").read_text()


def test_the_format_is_that_of_the_ending_and_a_part_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--from", "+1", "--to", "+2", "--channels", "flow"]
    path = Path(run(capsys, "export", "1", "part.parquet", *arguments).strip())
    frame = pd.read_parquet(path)
    assert list(frame.columns) == ["time", "flow"]
    assert frame["flow"].tolist() == [4, 5, 6, 7]
    told = run(capsys, "export", "1", "-o", "index.csv", "--first", "38", "--count", "5", "--layout", "long", "--json")
    assert json.loads(told)["warnings"] == []
    assert len(Path("index.csv").read_text().splitlines()) == 5
    assert run(capsys, "export", "1", "--format", "hdf5", "--no-sidecar").strip().endswith("session-1.h5")
    assert not Path("session-1.h5.json").exists()
    assert "There is no channel 'lfow'. Did you mean 'flow'" in run(capsys, "export", "1", "-c", "lfow", expect=1)
    assert "does not say a format" in run(capsys, "export", "1", "a.txt", expect=1)
    assert "'soon' is no time" in run(capsys, "export", "1", "--from", "soon", expect=2)


def test_a_file_for_a_spreadsheet_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "export", "1", "sheet.csv", "--preset", "spreadsheet", "--step", "2")
    content = Path("sheet.csv").read_text(encoding="utf-8")
    header, *rows = content.splitlines()
    assert header == "\ufefftime_local,seconds,flow [l/min],'=level"
    assert [row.split(",")[1:] for row in rows] == [[f"{2 * n}.000000", str(8 * n), "-0.5"] for n in range(5)] + [
        ["10.000000", "39", "-0.5"]
    ]


def test_exported_files_are_verified(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for name in ("a.csv", "b.xlsx"):
        run(capsys, "export", "1", name)
    told = run(capsys, "verify", "a.csv", "b.xlsx").splitlines()
    assert told == [
        f"{name}: as it was exported, 40 rows; the raw messages of session 1 in the cache are the same."
        for name in ("a.csv", "b.xlsx")
    ]
    Path("a.csv").write_text(Path("a.csv").read_text().replace("-0.5", "-0.6", 1))
    changed = run(capsys, "verify", "a.csv", "b.xlsx", expect=1)
    assert changed.startswith(f"{tmp_path / 'a.csv'} was changed since it was exported: its SHA-256 is ")
    document: dict[str, Any] = json.loads(run(capsys, "verify", "a.csv", "b.xlsx", "--json", expect=1))
    assert [file["is_verified"] for file in document["files"]] == [False, True]
    assert "no cache none.db" in run(capsys, "verify", "b.xlsx", "--cache", "none.db", expect=1)
    cache_path(tmp_path, STORE_ID).unlink()
    assert "session 1 is in no cache here to compare with." in run(capsys, "verify", "b.xlsx")


def test_a_session_that_is_not_whole_here_is_exported_with_a_warning(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with DatabaseClient(path=cache_path(tmp_path, STORE_ID)) as cache:
        cache.update_session_list([(1, STARTED_S * 1000, STARTED_S * 1000 + 60_000, 100)])
    lack = (
        "Session 1 is not whole in this file: 40 of its 100 messages are here. Download it again ('blitz download 1')"
    )
    printed = run(capsys, "export", "1", "part.csv")
    assert printed.startswith(f"{tmp_path / 'part.csv'}\n{lack}")
    assert len(Path("part.csv").read_text().splitlines()) == 41
    sidecar = json.loads(Path("part.csv.json").read_text())
    assert sidecar["is_whole"] is False
    assert sidecar["missing"].startswith(lack)
    told = run(capsys, "verify", "part.csv")
    assert "as it was exported, 40 rows" in told
    assert f"When it was exported: {lack}" in told
    document = json.loads(run(capsys, "export", "1", "first.csv", "--count", "40", "--json"))
    assert document["warnings"] == []  # nothing is missing in what was wanted
    assert json.loads(Path("first.csv.json").read_text())["is_whole"] is True
    assert json.loads(run(capsys, "export", "1", "b.csv", "--to", "+9", "--json"))["warnings"] == []
    assert lack in json.loads(run(capsys, "export", "1", "c.csv", "--from", "+9", "--json"))["warnings"][0]
