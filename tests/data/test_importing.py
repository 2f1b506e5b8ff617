"""Files that are imported: what is read, what is refused, and that the cache never has half of one."""

import csv
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blitz.data import import_csv
from blitz.data.boards import SessionDecoder
from blitz.data.database_client import DatabaseClient
from blitz.data.export import export_csv, export_session
from blitz.data.import_order import OutOfOrder, nearly_ordered, sorted_rows
from blitz.data.import_table import TableRows
from blitz.data.importing import plan_import
from blitz.data.models import Session, SessionCopy
from blitz.data.records import Marker
from blitz.errors import DownloadCancelled, ImportFileError

Import = Callable[..., dict[str, list[tuple[int, float]]]]


@pytest.fixture
def imported(cache: DatabaseClient, tmp_path: Path) -> Import:
    """Import a text, and return its channels: ``{"name [unit]": [(time_ns, value), ...]}``."""

    def import_text(content: str | bytes, name: str = "run.csv", **options: Any) -> dict[str, list[tuple[int, float]]]:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return readings(cache, cache.import_file(path, **options).id)

    return import_text


def readings(cache: DatabaseClient, session_id: int) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    decoder = SessionDecoder(cache.session_sources(session_id))
    for block in cache.session_blocks(session_id):
        for part in decoder.decode(block):
            for channel, column in zip(part.channels, part.values.T, strict=True):
                label = f"{channel.name} [{channel.unit}]" if channel.unit else channel.name
                there = ~np.isnan(column)
                if not there.any():
                    continue
                pairs = zip(part.time_ns[there].tolist(), column[there].tolist(), strict=True)
                found.setdefault(label, []).extend(pairs)
    return found


def seconds(*moments: float) -> list[int]:
    return [round(moment * 1000) * 1_000_000 for moment in moments]


@pytest.mark.parametrize("layout", ["wide", "long"])
def test_what_was_exported_and_imported_is_exported_again_byte_for_byte(
    cache: DatabaseClient, example: Callable[..., Any], tmp_path: Path, layout: Any
) -> None:
    example(20_000).fill(cache)
    first = export_csv(cache, 7, tmp_path / "first.csv", layout=layout)
    session = cache.import_file(first, name="Back again")
    assert (session.id, session.name, session.fields) == (-1, "Back again", {"imported from": "first.csv"})
    # Who sent it is in a long file only, and messages without readings are in a wide one only.
    assert export_csv(cache, -1, tmp_path / "second.csv", layout=layout).read_bytes() == first.read_bytes()


@pytest.mark.parametrize("suffix", ["parquet", "feather"])
@pytest.mark.parametrize("layout", ["wide", "long"])
def test_our_parquet_and_feather_come_back(
    cache: DatabaseClient, example: Callable[..., Any], tmp_path: Path, suffix: str, layout: Any
) -> None:
    example(3000).fill(cache)
    session = cache.import_file(export_session(cache, 7, tmp_path / f"run.{suffix}", layout=layout))
    assert readings(cache, session.id) == readings(cache, 7)


def test_the_sidecar_of_our_own_exports_says_what_the_session_was(
    cache: DatabaseClient, example: Callable[..., Any], tmp_path: Path
) -> None:
    session = example(30)
    note = Marker(id=1, from_ns=1_700_000_000_000_000_000, text="a leak", changed_at=session.record.started_at)
    words = {"notes": "two pumps", "tags": ("brass",), "fields": {"sample": "B7"}, "markers": (note,)}
    session.record = session.record.model_copy(update=words)
    session.fill(cache)
    record = cache.import_file(export_session(cache, 7, tmp_path / "run.csv"))
    assert (record.name, record.owner, record.notes) == ("A try", "ann@bench", "two pumps")
    assert (record.tags, record.markers) == (("brass",), (note,))
    assert record.fields == {"sample": "B7", "imported from": "run.csv"}


@given(
    st.lists(
        st.tuples(st.integers(-(10**15), 10**15), st.floats(allow_nan=False, allow_infinity=False), st.floats()),
        min_size=1,
        max_size=30,
    )
)
def test_numbers_come_back_bit_by_bit(
    cache: DatabaseClient, tmp_path: Path, rows: list[tuple[int, float, float]]
) -> None:
    lines = [f"{time_us},{first!r},{second!r}" for time_us, first, second in rows]
    path = tmp_path / "run.csv"
    path.write_text("time [us],a,b\n" + "\n".join(lines) + "\n")
    found = readings(cache, cache.import_file(path).id)
    order = sorted(rows, key=lambda row: row[0])
    assert found["a"] == [(row[0] * 1000, row[1]) for row in order]
    assert found.get("b", []) == [(row[0] * 1000, row[2]) for row in order if np.isfinite(row[2])]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "\ufeffZeit;Druck (bar);Notiz\n1.2.2020 09:05:03,5;1,25;gut\n1.2.2020 09:05:04,5;1,5;\n",
            {"Druck [bar]": list(zip(seconds(1580547903.5, 1580547904.5), (1.25, 1.5), strict=True))},
        ),
        (
            "sep=;\r\ntime;a\r\n2020-01-01T00:00:00+01:00;1\r\n2020-01-01T00:00:00.25Z;-2e-3\r\n",
            {"a": list(zip(seconds(1577833200, 1577836800.25), (1.0, -0.002), strict=True))},
        ),
        (
            "# made by a logger\n\nInstrument: X\nTime,V,W\ns,mV,\n0.0,1,\n0.1,,7\n",
            {"V [mV]": [(0, 1.0)], "W": [(100_000_000, 7.0)]},
        ),
        ("t [ms]\tU [V]\n1700000000123\t1\n", {"U [V]": [(1_700_000_000_123_000_000, 1.0)]}),
        ("1700000000.000000001,1\n", {"column 2": [(1_700_000_000_000_000_001, 1.0)]}),
        ('time,"a, ""b"" [m/s]",a\n1,2,3\n', {'a, "b" [m/s]': [(10**9, 2.0)], "a": [(10**9, 3.0)]}),
        ("Date,Time,V\n2020-01-01,00:00:01.5,1\n", {"V": [(1577836801_500_000_000, 1.0)]}),
        ("timestamp_us,v\n1700000000000001,5\n", {"v": [(1_700_000_000_000_001_000, 5.0)]}),
    ],
)
def test_text_is_read_however_it_is_written(imported: Import, content: str, expected: dict[str, Any]) -> None:
    assert imported(content) == expected


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_headings_are_read_in_the_encodings_that_occur(imported: Import, encoding: str) -> None:
    assert imported("time,T [°C]\n1,2\n".encode(encoding)) == {"T [°C]": [(10**9, 2.0)]}


def test_options_say_what_a_file_does_not(imported: Import) -> None:
    text = "when,a,b\n01/02/2020 10:00,2,3\n"
    found = imported(text, columns=["b"], day_first=True, timezone="Europe/Vienna", time_column="when")
    assert found == {"b": [(round(datetime(2020, 2, 1, 9, tzinfo=UTC).timestamp()) * 10**9, 3.0)]}
    start = datetime(2024, 5, 1, 12, tzinfo=UTC)
    begins_ns = round(start.timestamp()) * 10**9
    assert imported("x,a\n5,1\n7,2\n", time_column="x", unit="ms", start=start) == {
        "a": [(begins_ns + 5_000_000, 1.0), (begins_ns + 7_000_000, 2.0)]
    }


def test_a_file_in_any_order_is_brought_into_the_order_of_time(cache: DatabaseClient, tmp_path: Path) -> None:
    times = np.random.default_rng(5).permutation(200_000)
    pa.parquet.write_table(pa.table({"time": times, "v": times * 0.5}), tmp_path / "run.parquet")
    found = readings(cache, cache.import_file(tmp_path / "run.parquet", unit="ms").id)["v"]
    assert found == [(number * 1_000_000, number * 0.5) for number in range(200_000)]


@given(st.lists(st.integers(0, 20), max_size=60), st.integers(1, 40), st.integers(1, 10))
def test_sorting_on_disk_is_sorting(times: list[int], run_cells: int, held_back: int) -> None:
    rows = [
        TableRows(np.array([time], np.int64), np.array([place], np.int32), np.array([[float(place)]]))
        for place, time in enumerate(times)
    ]
    expected = sorted(range(len(times)), key=lambda place: times[place])
    assert [int(value) for part in sorted_rows(rows, run_cells) for value in part.values[:, 0]] == expected
    try:
        assert [int(value) for part in nearly_ordered(rows, held_back) for value in part.values[:, 0]] == expected
    except OutOfOrder:
        assert times != sorted(times)


def test_series_of_json_come_in_pieces(imported: Import, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blitz.data.import_series._PIECE", 7)
    series = {
        "flow [l/min]": [[1_700_000_000 + n, n / 3] for n in range(50)],
        "none": [],
        'a "name", ünïque': [[1_700_000_000, -1], [1_700_000_000, 2.5]],
    }
    expected = {name: [(time * 10**9, value) for time, value in pairs] for name, pairs in series.items() if pairs}
    assert imported(json.dumps(series), "s.json") == expected
    assert imported(json.dumps(series, indent=2), "s.json", columns=["none", "flow [l/min]"]) == {
        "flow [l/min]": expected["flow [l/min]"]
    }


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "it is empty"),
        ("time,a\n", "it has no rows of values"),
        (b"\0\1\2\3" * 50, "zero bytes"),
        ("a,b\nfoo,bar\n", "no column of times was found among 'a', 'b'"),
        ("time,a\n2020-01-01,1\n2020-01-02,3,4\n", "line 3 has 3 columns, the rows before it have 2"),
        ("time,a\n" + "2020-01-01,1\n" * 300 + "2020-01-02,x\n", "line 302: 'x' in the column 'a' is no number"),
        ("time,a\n2020-01-01,1\n2020-01-02,x\n2020-01-02,1\n", "line 3: 'x' in the column 'a' is no number"),
        ("time,a\n" + "2020-01-01,1\n" * 300 + "2020-13-01,2\n", "line 302: '2020-13-01' is no time"),
        ("time,a\n" + "2020-01-01,1\n" * 300 + ",2\n", "line 302: there is no time"),
        ("time,a\n2020-01-01,1\n2020-01-", "line 3 has 1 columns"),
        ("time,a\n01/02/2020,2\n", "can be read in two ways"),
        ("time_local,a\n2020-01-01 00:00:00,1\n", "say of which time zone"),
        ("time,a\n9999-01-01,1\n", "'9999-01-01' is no time"),
        ('{"a": [[1, 2], [3', "was it cut short?"),
        ('{"a": [[1, 2], [3, "x"]]}', "the series 'a' is no list"),
        ('{"a": {"b": 1}}', "'[' is expected"),
        ('{"a": [[1, 2]]} more', "it should end"),
        ('{"a": []}', "it has no values"),
        (b"PK\x03\x04 a sheet", "it is no CSV"),
        (b"PAR1 and nothing that follows", "it is damaged"),
        (b"ARROW1\0\0 and nothing", "it is damaged"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place_and_the_reason(
    cache: DatabaseClient, imported: Import, content: str | bytes, reason: str
) -> None:
    with pytest.raises(ImportFileError) as refusal:
        imported(content)
    assert reason in str(refusal.value)
    assert "run.csv" in str(refusal.value)
    assert not cache.all(Session).count()
    assert not cache.all(SessionCopy).count()


def test_a_line_of_very_many_cells_is_read(imported: Import) -> None:
    names = [f"temperature sensor {number} of the boiler" for number in range(10_000)]
    header = ",".join(["time", *names])
    assert len(header) > max(csv.field_size_limit(), import_csv._HEAD_BYTES)
    rows = "".join(f"{row},{','.join(str(row + number) for number in range(len(names)))}\n" for row in (1, 2))
    found = imported(f"{header}\n{rows}")
    assert list(found) == names
    assert [value for _, value in found["temperature sensor 9999 of the boiler"]] == [10_000, 10_001]


@pytest.mark.parametrize("header", ["time,{long}", '"time,a{long}', "{long}"])
def test_a_heading_that_is_too_long_is_told(imported: Import, header: str) -> None:
    with pytest.raises(ImportFileError, match="a heading or cell in it is longer than 131072 characters, or a quota"):
        imported(header.format(long="x" * 140_000) + "\n1,2\n2,3\n")


def test_a_cell_of_very_many_digits_is_refused_at_once(tmp_path: Path) -> None:
    # In a process of its own: a search that takes hours cannot be interrupted.
    path = tmp_path / "digits.csv"
    path.write_text(f"time,a\n1,{'1' * 100_000}x\n2,3\n")
    program = (
        "import sys\nfrom pathlib import Path\nfrom blitz.data.importing import plan_import\n"
        "from blitz.errors import ImportFileError\n"
        "try: plan_import(Path(sys.argv[1]))\nexcept ImportFileError: print('refused')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "refused\n"


def test_a_cancelled_import_leaves_nothing(cache: DatabaseClient, tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    path.write_text("time,a\n1,2\n")
    with pytest.raises(DownloadCancelled):
        cache.import_file(path, is_cancelled=lambda: True)
    assert not cache.all(SessionCopy).count()


def test_progress_is_told_in_bytes(cache: DatabaseClient, tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    path.write_text("time,a\n1,2\n")
    told: list[tuple[int, int]] = []
    cache.import_file(path, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (path.stat().st_size, path.stat().st_size)


def test_a_plan_says_what_would_come(tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    path.write_text("time,a [V],who\n0.5,2,ann\n")
    plan = plan_import(path)
    assert [(channel.name, channel.unit) for channel in plan.channels] == [("a", "V")]
    assert (plan.times, plan.left_out, plan.is_dateless) == ("numbers in s since the beginning", ("who",), True)


def test_ids_of_imports_are_below_zero_and_no_list_of_a_server_touches_them(
    cache: DatabaseClient, example: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "run.csv"
    path.write_text("time,a\n1,2\n")
    ids = [cache.import_file(path).id for _ in range(2)]
    cache.update_session_records([example(10).record])
    cache.update_session_list([])
    assert ids == [-1, -2]
    assert sorted(row.ref_id for row in cache.all(Session) if row.available and not row.is_gone) == [-2, -1]


def test_an_imported_session_that_was_deleted_here_leaves_the_list(
    cache: DatabaseClient, example: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "run.csv"
    path.write_text("time,a\n1,2\n")
    session = cache.import_file(path)
    cache.clear_session_data(session.id)
    cache.update_session_records([example(10).record])
    assert [row.ref_id for row in cache.all(Session)] == [7]


def test_a_program_killed_in_the_middle_leaves_the_cache_as_it_was(tmp_path: Path) -> None:
    program = """
import sys, time
from blitz.data.database_client import DatabaseClient
with DatabaseClient(path=sys.argv[1]) as cache:
    store = cache.store_imported
    def store_and_wait(*arguments):
        store(*arguments)
        print("stored", flush=True)
        time.sleep(60)
    cache.store_imported = store_and_wait
    cache.import_file(sys.argv[2])
"""
    path, file = tmp_path / "cache.db", tmp_path / "run.csv"
    file.write_text("time,a\n" + "".join(f"{number},1\n" for number in range(100_000)))
    with DatabaseClient(path=path) as cache:
        known = cache.import_file(file).id
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path), str(file)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "stored\n"
        process.send_signal(signal.SIGKILL)
    with DatabaseClient(path=path) as cache:
        assert [record.id for record in cache.session_records()] == [known]
        (half,) = cache.find(SessionCopy, {"is_whole": False})
        # Another program could still be at it: only after some time is it dropped, by the next import.
        half.record = "1000"
        cache.add(half)
        session = cache.import_file(file)
        assert session.message_count == 100_000
        assert not cache.find(SessionCopy, {"is_whole": False})
