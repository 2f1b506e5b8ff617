"""CSV export: written, read by an independent reader, compared."""

import csv
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blitz.data import csv_times
from blitz.data.blocks import GRID_MESSAGES, MessageBlock, Read
from blitz.data.board_definition import Format
from blitz.data.boards import BoardDefinition, Channel
from blitz.data.database_client import DatabaseClient
from blitz.data.export import export_csv
from blitz.data.records import SessionRecord, Source
from blitz.errors import DownloadCancelled, ExportError, SessionNotFound

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rows_of(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def time_text(session: Any, seq: int) -> str:
    moment = datetime.fromtimestamp(session.started_s, UTC) + timedelta(milliseconds=10 * seq)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def test_a_wide_file_has_a_row_a_message(cache: DatabaseClient, example: Callable[..., Any], tmp_path: Path) -> None:
    session = example(GRID_MESSAGES + 50)
    session.fill(cache)
    rows = rows_of(export_csv(cache, 7, tmp_path / "run.csv"))
    assert rows[0] == ["time_utc", "seconds", "first [V]", "second", "angle, set [°]"]
    assert len(rows) == GRID_MESSAGES + 51
    for seq, row in enumerate(rows[1:]):
        cells = ["", "", ""]
        if seq % 3 == 0:
            cells = [f"{seq % 4096}", f"{(seq + 1) % 4096 / 2:g}", ""]
        elif seq % 3 == 2:
            cells = ["", "", f"{seq % 65536}"]
        assert row == [time_text(session, seq), f"{seq / 100:.6f}", *cells]


def test_a_long_file_has_a_row_a_reading(cache: DatabaseClient, example: Callable[..., Any], tmp_path: Path) -> None:
    session = example(GRID_MESSAGES + 50)
    session.fill(cache)
    rows = rows_of(export_csv(cache, 7, tmp_path / "run.csv", layout="long"))
    assert rows[0] == ["time_utc", "seconds", "source", "channel", "unit", "value"]
    expected = []
    for time_ms, channel, value in session.readings():
        seq = (time_ms - session.started_s * 1000) // 10
        source, unit = ("sim2", "°") if channel == "angle, set" else ("sim1", "V" if channel == "first" else "")
        expected.append([time_text(session, seq), f"{seq / 100:.6f}", source, channel, unit, f"{value:g}"])
    assert rows[1:] == expected


def test_a_device_whose_definition_was_changed_goes_on_in_its_columns(cache: DatabaseClient, tmp_path: Path) -> None:
    def row(index: int, unit: str, zero: float) -> Source:
        channels = (Channel(name="flow", column=0, zero=zero), Channel(name="level", column=1, unit=unit))
        definition = BoardDefinition(id="tank", name="Tank", format=Format.COLUMNS, channels=channels)
        return Source(index=index, name="tank", link="port", definition=definition)

    record = SessionRecord(id=7, started_at=EPOCH, message_count=3, sources=(row(0, "m", 0), row(1, "mm", 100)))
    cache.begin_download(record)
    reads = [Read(0, 0, [b"1,2"]), Read(10**9, 1, [b"103,4"]), Read(2 * 10**9, 1, [b"105,6"])]
    cache.store_block(7, MessageBlock.from_reads(7, 0, reads))
    cache.finish_download(record)
    wide = rows_of(export_csv(cache, 7, tmp_path / "wide.csv"))
    assert [row[2:] for row in wide] == [
        ["flow", "level [m]", "level [mm]"],
        ["1", "2", ""],
        ["3", "", "4"],
        ["5", "", "6"],
    ]
    long = rows_of(export_csv(cache, 7, tmp_path / "long.csv", layout="long"))
    assert [row[3:] for row in long[1:5]] == [
        ["flow", "", "1"],
        ["level", "m", "2"],
        ["flow", "", "3"],
        ["level", "mm", "4"],
    ]
    assert [(reading.category.variable_name, reading.value) for reading in cache.get_session_readings(7)] == [
        ("flow", 1),
        ("level", 2),
        ("flow", 3),
        ("level", 4),
        ("flow", 5),
        ("level", 6),
    ]
    assert [reading.value for reading in cache.get_session_variables(7)] == [5, 6]


def test_the_path_is_absolute_and_an_older_file_is_replaced(
    cache: DatabaseClient, example: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example(3).fill(cache)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.csv").write_text("old")
    assert export_csv(cache, 7, Path("run.csv")) == tmp_path / "run.csv"
    assert len(rows_of(tmp_path / "run.csv")) == 4
    assert [file.name for file in tmp_path.iterdir()] == ["run.csv"]


def test_a_session_without_messages_gives_the_header(
    cache: DatabaseClient, example: Callable[..., Any], tmp_path: Path
) -> None:
    example(0).fill(cache)
    assert rows_of(export_csv(cache, 7, tmp_path / "wide.csv"))[1:] == []
    assert rows_of(export_csv(cache, 7, tmp_path / "long.csv", layout="long"))[1:] == []


def test_progress_is_told_and_a_cancelled_export_leaves_nothing(
    cache: DatabaseClient, example: Callable[..., Any], tmp_path: Path
) -> None:
    example(2 * GRID_MESSAGES).fill(cache)
    seen: list[tuple[int, int]] = []
    export_csv(cache, 7, tmp_path / "a.csv", progress=lambda *counts: seen.append(counts))
    assert seen == [(0, 2 * GRID_MESSAGES), (GRID_MESSAGES, 2 * GRID_MESSAGES), (2 * GRID_MESSAGES, 2 * GRID_MESSAGES)]
    before = (tmp_path / "a.csv").read_bytes()
    calls = iter([False, True])
    with pytest.raises(DownloadCancelled, match="no file was written"):
        export_csv(cache, 7, tmp_path / "a.csv", is_cancelled=lambda: next(calls))
    assert (tmp_path / "a.csv").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_that_cannot_be_written_is_told(
    cache: DatabaseClient, example: Callable[..., Any], tmp_path: Path
) -> None:
    example(3).fill(cache)
    with pytest.raises(ExportError, match=r"Cannot write .*run\.csv: no such file or directory"):
        export_csv(cache, 7, tmp_path / "missing" / "run.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ExportError, match="it is a folder"):
        export_csv(cache, 7, tmp_path / "folder.csv")
    assert [file.name for file in tmp_path.iterdir()] == ["folder.csv"]


def test_devices_and_links_stay_what_they_are(
    cache: DatabaseClient, example: Callable[..., Any], tmp_path: Path
) -> None:
    example(3).fill(cache)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ExportError, match=r"Cannot write .*pipe: it is a device or a pipe\. Name a file\."):
        export_csv(cache, 7, tmp_path / "pipe")
    (tmp_path / "link.csv").symlink_to("run.csv")
    export_csv(cache, 7, tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert len(rows_of(tmp_path / "run.csv")) == 4
    assert (tmp_path / "pipe").is_fifo()


def test_a_session_that_is_not_here_is_told(cache: DatabaseClient, tmp_path: Path) -> None:
    with pytest.raises(SessionNotFound):
        export_csv(cache, 7, tmp_path / "run.csv")
    cache.update_session_list([[7, 1000, 2000, 3]])
    with pytest.raises(SessionNotFound, match="Download it first"):
        export_csv(cache, 7, tmp_path / "run.csv")
    assert list(tmp_path.iterdir()) == []


def test_names_with_commas_quotes_and_accents_and_odd_values_survive(cache: DatabaseClient, tmp_path: Path) -> None:
    channels = (
        Channel(name='Höhe, "links"', bit=0, bits=16, signed=True, scale=1e-9, unit="µm, abs"),
        Channel(name="tenth", bit=16, bits=16, divisor=10),
        Channel(name="huge", bit=32, bits=32, scale=1e300),
    )
    definition = BoardDefinition(id="08", name="x", has_clock=False, channels=channels)
    sources = (Source(index=0, name='bench "A", left', link="", definition=definition),)
    record = SessionRecord(id=1, started_at=EPOCH + timedelta(seconds=10), message_count=2, sources=sources)
    raw = pa.array([b"08a000000000fffe000300000002", b"08A000000000FFF"], pa.binary())
    arrived = np.array([9_999_999_999, 11_234_567_891])
    cache.begin_download(record)
    cache.store_block(1, MessageBlock(1, 0, arrived, np.zeros(2, np.uint16), raw))
    cache.finish_download(record)

    header, first, second = rows_of(export_csv(cache, 1, tmp_path / "wide.csv"))
    assert header == ["time_utc", "seconds", 'Höhe, "links" [µm, abs]', "tenth", "huge"]
    assert first[:2] == ["1970-01-01T00:00:09.999999Z", "-0.000001"]
    assert [float(cell) for cell in first[2:]] == [-2e-9, 0.3, 2e300]
    assert second == ["1970-01-01T00:00:11.234567Z", "1.234567", "", "", ""]

    _, *rows = rows_of(export_csv(cache, 1, tmp_path / "long.csv", layout="long"))
    assert [row[2:5] for row in rows] == [
        ['bench "A", left', 'Höhe, "links"', "µm, abs"],
        ['bench "A", left', "tenth", ""],
        ['bench "A", left', "huge", ""],
    ]


def test_readings_that_were_added_one_by_one_are_exported_too(cache: DatabaseClient, tmp_path: Path) -> None:
    cache.update_session_list([[1, 1000, 9000, 5]])
    a, b = cache.get_or_create_category("a, b"), cache.get_or_create_category("c")
    for time_ms, category_id, value in ((1000, a, 1), (1000, b, 0.1), (2500, b, 1e300), (2500, b, float("nan"))):
        cache.add_reading(1, time_ms, category_id, value)
    assert rows_of(export_csv(cache, 1, tmp_path / "wide.csv")) == [
        ["time_utc", "seconds", "a, b", "c"],
        ["1970-01-01T00:00:01.000000Z", "0.000000", "1", "0.1"],
        ["1970-01-01T00:00:02.500000Z", "1.500000", "", "1e+300"],
        ["1970-01-01T00:00:02.500000Z", "1.500000", "", ""],
    ]
    assert [row[1:] for row in rows_of(export_csv(cache, 1, tmp_path / "long.csv", layout="long"))[1:]] == [
        ["0.000000", "", "a, b", "", "1"],
        ["0.000000", "", "c", "", "0.1"],
        ["1.500000", "", "c", "", "1e+300"],
    ]


@given(times=st.lists(st.integers(0, 4_000_000_000_000_000_000), min_size=1), start_s=st.integers(0, 4_000_000_000))
def test_times_are_written_as_python_would(times: list[int], start_s: int) -> None:
    column = np.array(times, np.int64)
    for text, seconds, time_ns in zip(
        csv_times.iso_times(column).to_pylist(),
        csv_times.seconds_since(column, start_s * 10**9).cast(pa.string()).to_pylist(),
        times,
        strict=True,
    ):
        moment = EPOCH + timedelta(microseconds=time_ns // 1000)
        assert datetime.fromisoformat(text) == moment
        assert len(text) == 27
        micros = (time_ns - start_s * 10**9) // 1000
        whole, rest = divmod(abs(micros), 10**6)
        assert seconds == f"{'-' if micros < 0 else ''}{whole}.{rest:06d}"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_on_request_no_name_is_a_formula_and_numbers_stay_numbers(
    cache: DatabaseClient, tmp_path: Path, start: str
) -> None:
    evil = f"{start}cmd|' /C calc'!A0"
    channels = (Channel(name=evil, column=0, unit=f"{start}1"), Channel(name="flow", column=1, unit="-"))
    definition = BoardDefinition(id="x", name="x", format=Format.COLUMNS, channels=channels)
    sources = (Source(index=0, name=f"{start}A1", link="", definition=definition),)
    record = SessionRecord(id=1, started_at=EPOCH, message_count=1, sources=sources)
    cache.begin_download(record)
    cache.store_block(1, MessageBlock.from_reads(1, 0, [Read(0, 0, [b"-1.5,2"])]))
    cache.finish_download(record)

    header, row = rows_of(export_csv(cache, 1, tmp_path / "wide.csv", defuse=True))
    assert header[2:] == [f"'{evil} [{start}1]", "flow [-]"]
    assert row[2:] == ["-1.5", "2"]
    _, first, second = rows_of(export_csv(cache, 1, tmp_path / "long.csv", layout="long", defuse=True))
    assert first[2:] == [f"'{start}A1", f"'{evil}", f"'{start}1", "-1.5"]
    assert second[2:] == [f"'{start}A1", "flow", "'-", "2"]
    assert rows_of(export_csv(cache, 1, tmp_path / "plain.csv"))[0][2] == f"{evil} [{start}1]"


def test_names_of_readings_that_were_added_one_by_one_are_defused_too(cache: DatabaseClient, tmp_path: Path) -> None:
    cache.update_session_list([[1, 1000, 9000, 1]])
    cache.add_reading(1, 1000, cache.get_or_create_category("@SUM(1)"), -1)
    wide = rows_of(export_csv(cache, 1, tmp_path / "wide.csv", defuse=True))
    assert [row[2:] for row in wide] == [["'@SUM(1)"], ["-1"]]
    long = rows_of(export_csv(cache, 1, tmp_path / "long.csv", layout="long", defuse=True))
    assert long[1][2:] == ["", "'@SUM(1)", "", "-1"]
