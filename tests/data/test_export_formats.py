"""Every format: written, read by an independent reader, compared, times and units included."""

import csv
import itertools
import json
import math
import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import h5py
import numpy as np
import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blitz.data.blocks import GRID_MESSAGES, MessageBlock, Read
from blitz.data.board_definition import Format
from blitz.data.boards import BoardDefinition, Channel
from blitz.data.database_client import DatabaseClient
from blitz.data.export import export_session
from blitz.data.export_formats import FileFormat
from blitz.data.export_spelling import Spelling
from blitz.data.reading_blocks import decoded_blocks
from blitz.data.records import Gap, Marker, SessionRecord, Source
from blitz.data.sidecar import sidecar_path
from blitz.errors import DownloadCancelled, ExportError, SeriesError

STARTED = datetime(2023, 11, 14, 22, 13, 20, 250_000, tzinfo=UTC)
STARTED_NS = 1_700_000_000_250_000_000
LOADS = ["-1.5", "1e300", "nan", "-1e-300", "0.1", "x", "123456789.123456789", "-0.0", "5e-324", "7"]
HEIGHT, QUOTED, FORMULA = "Höhe, links", 'the "second"', "=1+cmd|' /C calc'!A0"
SUFFIXES = [".csv", ".parquet", ".feather", ".h5", ".xlsx"]


def number(text: str) -> float:
    return float(text) if text != "x" else math.nan


class Odd:
    """Session 1: a scale with three channels at 10 Hz, a tank at 2.5 Hz, and a printer that nobody knows."""

    def __init__(self, count: int = 400) -> None:
        scale = BoardDefinition(
            id="scale",
            name="Scale",
            format=Format.COLUMNS,
            channels=(
                Channel(name=HEIGHT, column=0, unit="µm, abs"),
                Channel(name=QUOTED, column=1, unit='"'),
                Channel(name=FORMULA, column=2, unit="=1"),
            ),
        )
        tank = BoardDefinition(
            id="tank", name="Tank", format=Format.COLUMNS, channels=(Channel(name="a/b", column=0, unit="°C"),)
        )
        self.sources = (
            Source(index=0, name='bench "A", left', link="", definition=scale),
            Source(index=1, name="-tank", link="", definition=tank),
            Source(index=2, name="printer", link=""),
        )
        reads, self.rows = [], []
        for number_ in range(count):
            at_ns = STARTED_NS + number_ * 100_000_000 + 123_456
            source = 0 if number_ % 4 else 1
            if number_ % 50 == 2:
                source = 2
            load = LOADS[number_ % len(LOADS)]
            texts = ([load, str(number_), "-2.5"], [load], ["all is well"])[source]
            reads.append(Read(at_ns, source, [",".join(texts).encode()]))
            values = [number(text) for text in texts] if source < 2 else []
            cells = [*values, math.nan] if source == 0 else [math.nan] * 3 + (values or [math.nan])
            self.rows.append((at_ns, cells))
        self.record = SessionRecord(
            id=1,
            name="=Füllung, zweite",
            notes='He said "now"\nand went.',
            tags=("a,b", "ä"),
            fields={"sample": "=S-1"},
            started_at=STARTED,
            stopped_at=STARTED + timedelta(seconds=count / 10),
            message_count=count,
            sources=self.sources,
            gaps=(Gap(source=1, seq=5, from_ns=STARTED_NS, to_ns=STARTED_NS + 5, reason="unplugged, twice", lost=3),),
            markers=(Marker(id=1, from_ns=STARTED_NS + 7, text="=valve öpen", who="Ann", changed_at=STARTED),),
        )
        self.block = MessageBlock.from_reads(1, 0, reads)

    def fill(self, cache: DatabaseClient) -> "Odd":
        cache.begin_download(self.record)
        if len(self.block):
            cache.store_block(1, self.block)
        cache.finish_download(self.record)
        return self

    @property
    def time_ns(self) -> list[int]:
        return [time_ns for time_ns, _ in self.rows]

    def column(self, place: int) -> list[float]:
        return [cells[place] for _, cells in self.rows]

    @property
    def readings(self) -> list[tuple[int, str, str, str, float]]:
        """Of each reading: time, source, channel, unit, value."""
        names = [(s.name, c.name, c.unit) for s in self.sources if s.definition for c in s.definition.channels]
        return [
            (time_ns, *names[place], value)
            for time_ns, cells in self.rows
            for place, value in enumerate(cells)
            if not math.isnan(value)
        ]


LABELS = [HEIGHT, QUOTED, FORMULA, "a/b"]
UNITS = ["µm, abs", '"', "=1", "°C"]


def same(found: Any, expected: list[float]) -> bool:
    """Whether numbers are exactly those, NaN included."""
    return np.array_equal(np.asarray(found, float), np.asarray(expected, float), equal_nan=True)


def test_pandas_reads_the_csv_file(cache: DatabaseClient, tmp_path: Path) -> None:
    odd = Odd().fill(cache)
    frame = pd.read_csv(export_session(cache, 1, tmp_path / "run.csv"))
    assert list(frame.columns) == [
        "time_utc",
        "seconds",
        *(f"{label} [{unit}]" for label, unit in zip(LABELS, UNITS, strict=True)),
    ]
    times = pd.to_datetime(frame["time_utc"])
    assert times.dt.tz is not None
    assert times.dt.as_unit("ns").astype("int64").tolist() == [time_ns // 1000 * 1000 for time_ns in odd.time_ns]
    assert same(frame["seconds"], [(time_ns - STARTED_NS) // 1000 / 1e6 for time_ns in odd.time_ns])
    for place in range(4):
        assert same(frame.iloc[:, 2 + place], odd.column(place))


def test_duckdb_reads_the_csv_file(cache: DatabaseClient, tmp_path: Path) -> None:
    odd = Odd().fill(cache)
    path = export_session(cache, 1, tmp_path / "long.csv", layout="long")
    rows = duckdb.sql(f"select epoch_us(time_utc), source, channel, unit, value from '{path}'").fetchall()
    assert rows == [(time_ns // 1000, *rest) for time_ns, *rest in odd.readings]


@pytest.mark.parametrize("suffix", [".parquet", ".feather"])
def test_pandas_reads_the_arrow_files(cache: DatabaseClient, tmp_path: Path, suffix: str) -> None:
    odd = Odd().fill(cache)
    path = export_session(cache, 1, tmp_path / f"wide{suffix}")
    read = pd.read_parquet if suffix == ".parquet" else pd.read_feather
    frame = read(path)
    assert list(frame.columns) == ["time", *LABELS]
    assert str(frame["time"].dtype) == "datetime64[ns, UTC]"
    assert frame["time"].astype("int64").tolist() == odd.time_ns
    for place, label in enumerate(LABELS):
        assert same(frame[label], odd.column(place))
    frame = read(export_session(cache, 1, tmp_path / f"long{suffix}", layout="long"))
    columns = [frame["time"].astype("int64"), *(frame[name].astype(str) for name in ("source", "channel", "unit"))]
    assert list(zip(*columns, frame["value"], strict=True)) == odd.readings

    read_schema = pyarrow.parquet.read_schema if suffix == ".parquet" else lambda path: pa.ipc.open_file(path).schema
    schema = read_schema(path)
    assert [schema.field(label).metadata[b"unit"].decode() for label in LABELS] == UNITS
    assert schema.field("a/b").metadata[b"source"] == b"-tank"
    about = json.loads(schema.metadata[b"blitz"])
    assert SessionRecord.model_validate(about) == odd.record


def test_duckdb_reads_the_parquet_file(cache: DatabaseClient, tmp_path: Path) -> None:
    odd = Odd().fill(cache)
    path = export_session(cache, 1, tmp_path / "wide.parquet")
    found = duckdb.sql(f"""select epoch_ns(time), "a/b" from '{path}'""").fetchall()
    assert [time_ns for time_ns, _ in found] == odd.time_ns
    assert same([math.nan if value is None else value for _, value in found], odd.column(3))


def test_h5py_reads_the_hdf5_file(cache: DatabaseClient, tmp_path: Path) -> None:
    odd = Odd().fill(cache)
    with h5py.File(export_session(cache, 1, tmp_path / "run.h5")) as file:
        assert file["readings/time_ns"][:].tolist() == odd.time_ns
        for place, label in enumerate(LABELS):
            dataset = file["readings"][label.replace("/", "∕")]
            assert same(dataset[:], odd.column(place))
            assert (dataset.attrs["label"], dataset.attrs["unit"]) == (label, UNITS[place])
        assert dict(file.attrs)["notes"] == odd.record.notes
        assert SessionRecord.model_validate_json(file["blitz"].asstr()[()]) == odd.record
        assert [gap["reason"].decode() for gap in file["gaps"]] == ["unplugged, twice"]
        assert [gap["source"].decode() for gap in file["gaps"]] == ["-tank"]
        assert [(marker["from_ns"], marker["text"].decode()) for marker in file["markers"]] == [
            (STARTED_NS + 7, "=valve öpen")
        ]
    with h5py.File(export_session(cache, 1, tmp_path / "long.h5", layout="long")) as file:
        series = [tuple(text.decode() for text in row) for row in file["series"]]
        columns = (file["readings"][name][:].tolist() for name in ("time_ns", "series", "value"))
        found = [(time_ns, *series[place], value) for time_ns, place, value in zip(*columns, strict=True)]
        assert found == odd.readings


def test_openpyxl_reads_the_excel_file(cache: DatabaseClient, tmp_path: Path) -> None:
    odd = Odd().fill(cache)
    book = openpyxl.load_workbook(export_session(cache, 1, tmp_path / "run.xlsx"))
    header, *rows = book["readings"].iter_rows()
    headers = [f"{label} [{unit}]" for label, unit in zip(LABELS, UNITS, strict=True)]
    assert [cell.value for cell in header] == ["time_utc", "seconds", *headers]
    assert {cell.data_type for cell in header} == {"s"}
    epoch = datetime(1970, 1, 1)
    for row, (time_ns, cells) in zip(rows, odd.rows, strict=True):
        assert abs((row[0].value - epoch) / timedelta(microseconds=1) - time_ns / 1000) < 1000
        assert row[1].value == pytest.approx((time_ns - STARTED_NS) / 1e9, abs=1e-6)
        found = [math.nan if cell.value is None else cell.value for cell in row[2:6]]
        # The format's library writes sixteen digits, which is what Excel reckons with.
        assert found == pytest.approx(cells, rel=1e-15, abs=0, nan_ok=True)
    about = {row[0].value: row[1] for row in book["session"].iter_rows()}
    assert (about["name"].value, about["name"].data_type) == (odd.record.name, "s")
    assert about["name"].quotePrefix
    assert about["notes"].value == odd.record.notes
    marker = [cell.value for cell in book["markers"][2]]
    assert marker[1:4] == [str(STARTED_NS + 7), None, "=valve öpen"]
    assert next(cell.value for cell in book["gaps"][2]) == "-tank"
    long = openpyxl.load_workbook(export_session(cache, 1, tmp_path / "long.xlsx", layout="long"))["readings"]
    assert [[cell.value for cell in row[2:5]] for row in long.iter_rows(min_row=2)] == [
        list(reading[1:4]) for reading in odd.readings
    ]


@pytest.mark.parametrize("layout", ["wide", "long"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_empty_session_and_an_empty_range_are_files_without_rows(
    cache: DatabaseClient, tmp_path: Path, suffix: str, layout: Any
) -> None:
    Odd(40).fill(cache)
    later = STARTED + timedelta(hours=1)
    for path in (
        export_session(cache, 1, tmp_path / f"range{suffix}", layout=layout, start=later),
        export_session(cache, 1, tmp_path / f"steps{suffix}", layout=layout, start=later, step_s=1),
        export_session(cache, 1, tmp_path / f"index{suffix}", layout=layout, first=1000),
    ):
        assert count_rows(path) == 0
    with DatabaseClient() as other:
        Odd(0).fill(other)
        assert count_rows(export_session(other, 1, tmp_path / f"empty{suffix}", layout=layout)) == 0


def count_rows(path: Path) -> int:
    """Return how many rows a file has, as its reader sees it."""
    if path.suffix == ".csv":
        return len(pd.read_csv(path))
    if path.suffix == ".xlsx":
        return int(openpyxl.load_workbook(path)["readings"].max_row) - 1
    if path.suffix == ".h5":
        with h5py.File(path) as file:
            return len(file["readings/time_ns"])
    return len(pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_feather(path))


def test_ranges_and_channels_choose_what_is_written(
    cache: DatabaseClient, example: Callable[..., Any], tmp_path: Path
) -> None:
    session = example(2 * GRID_MESSAGES + 100)
    session.fill(cache)

    def rows(**wanted: Any) -> list[tuple[float, ...]]:
        return list(pd.read_csv(export_session(cache, 7, tmp_path / "run.csv", **wanted)).iloc[:, 1:].itertuples(False))

    seq = GRID_MESSAGES + 2
    by_index = rows(first=seq - 5, count=10, channels=["first"])
    assert [round(row[0] * 100) for row in by_index] == [
        number for number in range(seq - 5, seq + 5) if number % 3 == 0
    ]
    start = np.datetime64(session.started_s * 1000 + seq * 10, "ms")
    by_time = rows(start=start, stop=start + np.timedelta64(40, "ms"))
    assert [round(row[0] * 100) for row in by_time] == [seq, seq + 1, seq + 2, seq + 3]
    assert [len(row) for row in rows(first=0, count=3, channels="angle, set")] == [2]
    with pytest.raises(SeriesError, match=r"There is no channel 'frist'\. Did you mean 'first'"):
        rows(channels=["frist"])
    with pytest.raises(SeriesError, match="later than the stop"):
        rows(start=2.0, stop=1.0)


def test_the_spreadsheet_preset_has_local_time_the_locales_separators_and_a_row_a_second(
    cache: DatabaseClient, tmp_path: Path
) -> None:
    odd = Odd().fill(cache)
    german = Spelling(decimal=",", is_local=True, zone=ZoneInfo("Europe/Berlin"), has_mark=True, is_defused=True)
    path = export_session(cache, 1, tmp_path / "run.csv", preset="spreadsheet", spelling=german)
    content = path.read_bytes()
    assert content.startswith(b"\xef\xbb\xbftime_local;seconds;")
    frame = pd.read_csv(path, sep=";", decimal=",", encoding="utf-8-sig")
    assert list(frame.columns)[2:] == [
        "Höhe, links [µm, abs]",
        'the "second" ["]',
        f"'{FORMULA} [=1]",
        "a/b [°C]",
    ]
    assert frame["time_local"][0] == "2023-11-14 23:13:20"
    seconds = pd.to_datetime(frame["time_local"])
    assert set(seconds.diff().dropna()) == {pd.Timedelta(seconds=1)}
    # The tank is read at every fourth message: of those nearest to each second, the nearest.
    for place in range(4):
        expected = nearest(odd, place, seconds)
        assert same(frame.iloc[:, 2 + place], expected)


def test_an_hour_that_occurs_twice_is_told_and_can_be_told_apart(cache: DatabaseClient, tmp_path: Path) -> None:
    category = cache.get_or_create_category("flow")
    back_s = 1_792_890_000  # 2026-10-25 01:00 UTC: 03:00 becomes 02:00 again
    cache.update_session_list([(3, (back_s - 5400) * 1000, (back_s + 5400) * 1000, 7)])
    for minutes in range(-90, 91, 30):
        cache.add_reading(3, (back_s + minutes * 60) * 1000, category, minutes)
    spelling = Spelling(is_local=True, zone=ZoneInfo("Europe/Berlin"))
    told: list[str] = []
    path = export_session(cache, 3, tmp_path / "run.csv", preset="spreadsheet", spelling=spelling, warn=told.append)
    assert told == [
        "Clocks were set back at 2026-10-25 01:00 UTC: local times occur twice there. The column seconds goes on."
    ]
    frame = pd.read_csv(path)
    assert frame["time_local"].str[11:16].tolist() == ["01:30", "02:00", "02:30", "02:00", "02:30", "03:00", "03:30"]
    assert frame["seconds"].diff().dropna().tolist() == [1800.0] * 6
    offsets = json.loads(sidecar_path(path).read_text("utf-8"))["local_offsets"]
    assert offsets == [
        {"from_s": back_s - 5400, "ahead_of_utc_s": 7200},
        {"from_s": back_s, "ahead_of_utc_s": 3600},
    ]
    utc = export_session(cache, 3, tmp_path / "utc.csv", warn=told.append)
    assert "local_offsets" not in json.loads(sidecar_path(utc).read_text("utf-8"))
    assert len(told) == 1


def nearest(odd: Odd, place: int, seconds: Any) -> list[float]:
    expected = []
    for moment in seconds.dt.tz_localize("Europe/Berlin").dt.as_unit("ns").astype("int64"):
        near = [
            (abs(time_ns - moment), cells[place])
            for time_ns, cells in odd.rows
            if not math.isnan(cells[place]) and -500_000_000 <= time_ns - moment < 500_000_000
        ]
        expected.append(min(near)[1] if near else math.nan)
    return expected


def test_too_many_rows_for_a_spreadsheet_are_told(
    cache: DatabaseClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Odd().fill(cache)
    monkeypatch.setattr("blitz.data.export.SHEET_ROWS", 20)
    told: list[str] = []
    export_session(cache, 1, tmp_path / "run.csv", preset="spreadsheet", spelling=Spelling(), warn=told.append)
    assert told == ["The file has 41 rows, and a spreadsheet program takes 20: choose a longer step, or a range."]


def test_markers_and_gaps_in_excel_have_times_like_the_readings(cache: DatabaseClient, tmp_path: Path) -> None:
    Odd().fill(cache)
    zone = timezone(timedelta(hours=2))
    spelling = Spelling(is_local=True, zone=zone)
    for spelled, clock, ahead in ((None, "utc", timedelta(0)), (spelling, "local", timedelta(hours=2))):
        path = export_session(cache, 1, tmp_path / f"{clock}.xlsx", spelling=spelled)
        book = openpyxl.load_workbook(path)
        for name in ("markers", "gaps"):
            header, *rows = book[name].iter_rows(values_only=True)
            assert header[-2:] == (f"from_{clock}", f"to_{clock}")
            assert rows
            for row in rows:
                cells = dict(zip(header, row, strict=True))
                for end in ("from", "to"):
                    if cells[f"{end}_ns"] is None:
                        assert cells[f"{end}_{clock}"] is None
                    else:
                        told = datetime(1970, 1, 1) + timedelta(microseconds=int(cells[f"{end}_ns"]) // 1000) + ahead
                        assert abs(cells[f"{end}_{clock}"] - told) < timedelta(milliseconds=1)


def test_excel_sheets_that_are_full_go_on_in_others(
    cache: DatabaseClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Odd().fill(cache)
    monkeypatch.setattr("blitz.data.export_xlsx.MOST_ROWS", 151)
    told: list[str] = []
    path = export_session(cache, 1, tmp_path / "run.xlsx", warn=told.append)
    assert told == ["An Excel sheet has 151 rows: the readings go on in further sheets, 'readings 2' and so on."]
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["readings", "readings 2", "readings 3", "session", "markers", "gaps"]
    assert [book[name].max_row for name in book.sheetnames[:3]] == [151, 151, 101]
    assert book["readings 3"]["A1"].value == "time_utc"


def test_more_columns_than_a_sheet_has_are_an_error(
    cache: DatabaseClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Odd().fill(cache)
    monkeypatch.setattr("blitz.data.export_xlsx.MOST_COLUMNS", 5)
    with pytest.raises(ExportError, match="An Excel sheet has 5 columns, and this session needs 6"):
        export_session(cache, 1, tmp_path / "run.xlsx")
    assert list(tmp_path.iterdir()) == []


@contextmanager
def small_files(limit: int) -> Iterator[None]:
    """Let no file grow beyond a limit, which looks to a program much like a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_for_which_there_is_no_room_is_one_sentence_and_leaves_nothing(
    cache: DatabaseClient, tmp_path: Path, suffix: str
) -> None:
    Odd(2000).fill(cache)
    path = tmp_path / f"run{suffix}"
    path.write_text("before")
    with small_files(4096), pytest.raises(ExportError, match=r"^Cannot write .*Check the folder and its free space"):
        export_session(cache, 1, path)
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_cancelled_export_leaves_nothing(cache: DatabaseClient, tmp_path: Path, suffix: str) -> None:
    Odd().fill(cache)
    with pytest.raises(DownloadCancelled, match="no file was written"):
        export_session(cache, 1, tmp_path / f"run{suffix}", is_cancelled=lambda: True)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_says_no_format_is_told(cache: DatabaseClient, tmp_path: Path) -> None:
    Odd(40).fill(cache)
    with pytest.raises(ExportError, match=r"The name run\.txt does not say a format: let it end with \.csv, \.parquet"):
        export_session(cache, 1, tmp_path / "run.txt")
    assert export_session(cache, 1, tmp_path / "run.txt", format=FileFormat.PARQUET).read_bytes()[:4] == b"PAR1"


NUMBERS = itertools.count(1)


@given(rows=st.lists(st.tuples(st.floats(allow_nan=False), st.floats(allow_infinity=False)), max_size=40))
def test_every_number_comes_back_from_csv(
    cache: DatabaseClient, tmp_path: Path, rows: list[tuple[float, float]]
) -> None:
    channels = (Channel(name="a", column=0), Channel(name="b", column=1))
    definition = BoardDefinition(id="x", name="x", format=Format.COLUMNS, channels=channels)
    sources = (Source(index=0, name="x", link="", definition=definition),)
    session_id = next(NUMBERS)
    record = SessionRecord(id=session_id, started_at=STARTED, message_count=len(rows), sources=sources)
    reads = [Read(STARTED_NS + place, 0, [f"{a!r},{b!r}".encode()]) for place, (a, b) in enumerate(rows)]
    cache.begin_download(record)
    cache.store_block(session_id, MessageBlock.from_reads(session_id, 0, reads))
    cache.finish_download(record)
    values = np.vstack(
        [readings.values for _, decoded in decoded_blocks(cache, session_id) for readings in decoded]
        or [np.empty((0, 2))]
    )
    with export_session(cache, session_id, tmp_path / "run.csv", sidecar=False).open(newline="") as file:
        _, *lines = csv.reader(file)
    found = [[float(cell) if cell else math.nan for cell in line[2:]] for line in lines]
    assert np.array_equal(np.array(found).reshape(-1, 2), values, equal_nan=True)
