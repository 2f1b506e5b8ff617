"""SQL over a cache: what its tables hold, what is read for it, and how a query ends."""

import datetime as dt
import math
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from blitz.data import query_engine, query_sessions
from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.board_definition import BoardDefinition, Channel
from blitz.data.database_client import DatabaseClient
from blitz.data.models import StoredBlock
from blitz.data.records import Gap, Marker, SessionRecord, Source
from blitz.errors import BlockError, DownloadCancelled, PackageMissing, QueryError

START = dt.datetime(2023, 11, 14, 22, 13, 20, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def two_sessions_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with session 7 of three blocks and session 8 of one, downloaded."""
    return tmp_path_factory.mktemp("made") / "cache.db"


@pytest.fixture
def two_sessions(two_sessions_path: Path, tmp_path: Path, example: Callable[..., Any]) -> Iterator[DatabaseClient]:
    """A copy of that cache, to be spoilt."""
    if not two_sessions_path.exists():
        with DatabaseClient(path=two_sessions_path) as cache:
            example(2 * GRID_MESSAGES + 100).fill(cache)
            example(30, session_id=8, started_s=1_700_100_000).fill(cache)
    shutil.copy(two_sessions_path, tmp_path / "cache.db")
    with DatabaseClient(path=tmp_path / "cache.db") as cache:
        yield cache


@pytest.fixture(scope="module")
def sixty_thousand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with a session of five channels that is long enough for a bad plan to be noticed."""
    path = tmp_path_factory.mktemp("long") / "cache.db"
    with DatabaseClient(path=path) as cache:
        fill_with_five_channels(cache, message_count=60_000)
    return path


def rows(cache: DatabaseClient, sql: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in cache.query(sql, parameters).to_pylist()]


def test_readings_are_those_that_the_cache_gives_otherwise(
    two_sessions: DatabaseClient, all_readings: Callable[..., list[tuple[int, str, float]]]
) -> None:
    for session_id in (7, 8):
        sql = "select epoch_ms(time), channel, value from readings where session = $1 order by all"
        assert rows(two_sessions, sql, [session_id]) == sorted(all_readings(two_sessions, session_id))


def test_a_reading_has_session_source_channel_unit_time_and_value(two_sessions: DatabaseClient) -> None:
    table = two_sessions.query("select * from readings where session = 8 order by time, channel limit 3")
    assert table.column_names == ["session", "source", "channel", "unit", "time", "value"]
    begin = dt.datetime.fromtimestamp(1_700_100_000, dt.UTC)
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        (8, "sim1", "first", "V", begin, 0.0),
        (8, "sim1", "second", "", begin, 0.5),
        (8, "sim2", "angle, set", "°", begin + dt.timedelta(milliseconds=20), 2.0),
    ]


def test_a_channel_is_a_table_of_all_sessions_that_have_it(two_sessions: DatabaseClient) -> None:
    table = two_sessions.query('select * from "angle, set" order by session, time')
    assert table.column_names == ["time", "value", "session"]
    assert table["session"].to_pylist() == [7] * 10956 + [8] * 10
    assert table["value"].to_pylist()[:2] == [2.0, 5.0]
    assert rows(two_sessions, "select count(*) from FIRST where session = 8") == [(10,)]


@pytest.mark.parametrize("label", ['say "so", twice', "Prüfstand 'A'", "température", "a;b", "select", "x.y", "\\"])
def test_any_label_is_a_table_in_quotes(cache: DatabaseClient, label: str) -> None:
    cache.add_reading(3, 5000, cache.get_or_create_category(label), 2.5)
    quoted = label.replace('"', '""')
    assert rows(cache, f'select value, session from "{quoted}"') == [(2.5, 3)]


def test_labels_that_differ_in_capitals_are_told_apart_or_refused(cache: DatabaseClient) -> None:
    for value, label in enumerate(["Temp", "temp"]):
        cache.add_reading(3, 5000, cache.get_or_create_category(label), value)
    assert rows(cache, "select value from Temp") == [(0.0,)]
    assert rows(cache, "select value from temp") == [(1.0,)]
    with pytest.raises(QueryError, match='may be the channel "Temp" or "temp"'):
        cache.query("select * from TEMP")
    with pytest.raises(QueryError, match="differ in capitals only"):
        cache.query("select * from temp, Temp")


def test_a_channel_does_not_hide_a_table(cache: DatabaseClient) -> None:
    cache.add_reading(3, 5000, cache.get_or_create_category("Sessions"), 1)
    assert "started" in cache.query("select * from sessions").column_names


def test_readings_added_one_by_one_are_there_and_nan_is_null(
    cache: DatabaseClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_sessions, "_PAGE_ROWS", 7)
    category = cache.get_or_create_category("flow")
    for number in range(30):
        cache.add_reading(3, 1000 * (number // 2), category, math.nan if number == 4 else number)
    cache.add_reading(4, 0, category, math.inf)
    sql = "select source, channel, unit, epoch_ms(time), value from readings where session = 3 order by time, value"
    expected = [("", "flow", "", 1000 * (number // 2), None if number == 4 else number) for number in range(30)]
    expected[4:6] = expected[5], expected[4]
    assert rows(cache, sql) == expected
    assert rows(cache, "select count(*), count(value), sum(value) from flow where session = 3") == [(30, 29, 431.0)]
    assert rows(cache, "select value from flow where value > 1e300") == [(math.inf,)]


def test_messages_are_there_raw(two_sessions: DatabaseClient) -> None:
    sql = "select seq, time, source, raw from messages where session = 7 and seq between 16383 and 16385 order by seq"
    moment = START + dt.timedelta(milliseconds=163_830)
    step = dt.timedelta(milliseconds=10)
    assert rows(two_sessions, sql) == [
        (16383, moment, "sim1", b"08a0%08x%03x%03x0000000000" % (163_830, 4095, 0)),
        (16384, moment + step, "printer", b"temp:16384"),
        (16385, moment + 2 * step, "sim2", b"09a0%08x%04x000000000000" % (163_850, 16385)),
    ]
    assert rows(two_sessions, "select session, count(*) from messages group by all order by all") == [
        (7, 2 * GRID_MESSAGES + 100),
        (8, 30),
    ]


def test_sessions_markers_gaps_and_channels_are_tables(cache: DatabaseClient, example: Callable[..., Any]) -> None:
    session = example(30)
    at_ns = 1_700_000_001_000_000_000
    marker = Marker(id=1, from_ns=at_ns, text="valve open", source="sim1", who="ann", changed_at=START)
    session.record = session.record.model_copy(
        update={
            "tags": ("cold", "north"),
            "fields": {"sample": "S-7"},
            "markers": (marker, marker.model_copy(update={"id": 2, "to_ns": at_ns + 5_000_000_000})),
            "gaps": (Gap(source=2, seq=12, from_ns=at_ns, to_ns=at_ns + 1_000_000, reason="unplugged", lost=3),),
        }
    )
    session.fill(cache)
    other = SessionRecord(id=9, started_at=START, is_running=True)
    cache.update_session_records([session.record, other])
    at = dt.datetime.fromtimestamp(1_700_000_001, dt.UTC)
    sql = "select session, name, owner, tags, fields['sample'], is_running, is_here from sessions order by session"
    assert rows(cache, sql) == [
        (7, "A try", "ann@bench", ["cold", "north"], "S-7", False, True),
        (9, "", "", [], None, True, False),
    ]
    assert rows(cache, "select session, marker, time, until, text, source, who from markers order by marker") == [
        (7, 1, at, None, "valve open", "sim1", "ann"),
        (7, 2, at, at + dt.timedelta(seconds=5), "valve open", "sim1", "ann"),
    ]
    assert rows(cache, "select session, source, seq, epoch(until - time), reason, lost, recovered from gaps") == [
        (7, "sim2", 12, 0.001, "unplugged", 3, 0)
    ]
    assert rows(cache, "select channel, unit, label from channels where source = 'sim2'") == [
        ("angle, set", "°", "angle, set")
    ]
    joined = "select m.text, avg(value) from markers m join first f using (session) where f.time <= m.time group by all"
    assert rows(cache, joined) == [("valve open", 13.5)]


def test_a_table_can_be_used_several_times_in_one_query(two_sessions: DatabaseClient) -> None:
    itself = "select count(*) from readings a join readings b using (session, channel, time) where a.value = b.value"
    count = rows(two_sessions, "select count(*) from readings")[0][0]
    assert rows(two_sessions, itself) == [(count,)]
    common = (
        "with late as materialized (from readings where session = 8), deltas as "
        "(select channel, value - lag(value) over (partition by channel order by time) as d from late) "
        "select channel, min(d), max(d), (select count(*) from late) from deltas group by channel order by channel"
    )
    assert rows(two_sessions, common) == [
        ("angle, set", 3.0, 3.0, 30),
        ("first", 3.0, 3.0, 30),
        ("second", 1.5, 1.5, 30),
    ]
    assert rows(two_sessions, "select count(*) from (from first union all from second) where session = 8") == [(20,)]


@pytest.mark.parametrize(
    ("joined", "count"),
    [
        ("{a} asof join {b} on a.time >= b.time", 60_000),
        ("{a} asof left join {b} on a.session = b.session and a.time > b.time", 60_000),
        ("messages m asof join {b} on m.time >= b.time", 60_000),
        ("{a} join {b} on a.time between b.time and b.time + interval 1 millisecond", 119_999),
        ("{a} join {b} on a.time = b.time", 60_000),
        ("{a} full join {a2} using (time)", 60_000),
        ("{a} positional join {b}", 60_000),
        ("(from {a} union all from {b} union all from {a2})", 180_000),
        ("(with q as (from {a} union all from {b}) from q asof join q p on q.time >= p.time)", 120_000),
        (
            "(select avg(value - v) over (order by time) from {a} join (select time, value v from {b}) using (time))",
            60_000,
        ),
    ],
)
def test_two_channels_of_a_long_session_are_joined_at_once(sixty_thousand: Path, joined: str, count: int) -> None:
    sql = joined.format(a='"channel 0" a', a2='"channel 0" a2', b='"channel 1" b')
    deadline = time.monotonic() + 20  # compared each with each, they take minutes
    with DatabaseClient(path=sixty_thousand) as cache:
        found = cache.query(f"select count(*) from {sql}", is_cancelled=lambda: time.monotonic() > deadline)
    assert found.column(0).to_pylist() == [count]


def test_an_asof_join_takes_the_last_value_before(two_sessions: DatabaseClient) -> None:
    sql = (
        'select epoch_ms(f.time) t, f.value v, epoch_ms(a.time) s, a.value w from first f asof join "angle, set" a '
        "on f.session = a.session and f.time >= a.time where f.session = 8 order by f.time limit 2"
    )
    begin = 1_700_100_000_000
    assert rows(two_sessions, sql) == [(begin + 30, 3.0, begin + 20, 2.0), (begin + 60, 6.0, begin + 50, 5.0)]


def test_conditions_of_any_kind_leave_the_same_rows(two_sessions: DatabaseClient) -> None:
    table = two_sessions.query("select * from readings").to_pandas()
    moment = START + dt.timedelta(seconds=200)
    channel, value = table["channel"].astype(str), table["value"]
    for sql, kept in [
        ("session in (8, 9)", table["session"] == 8),
        ("session <> 7", table["session"] != 7),
        ("channel in ('first', 'nosuch') and value > 4000", (channel == "first") & (value > 4000)),
        ("session = 8 or channel = 'second'", (table["session"] == 8) | (channel == "second")),
        ("channel like 'f%'", channel == "first"),
        ("not (unit = 'V')", table["unit"] != "V"),
        ("time >= $1 and session = 7", (table["time"] >= moment) & (table["session"] == 7)),
        ("time < $1", table["time"] < moment),
        ("session = (select max(session) from sessions)", table["session"] == 8),
        ("value is null", value.isna()),
    ]:
        parameters = [moment] if "$1" in sql else []
        assert rows(two_sessions, f"select count(*) from readings where {sql}", parameters) == [(int(kept.sum()),)], sql


def test_a_session_that_is_not_asked_for_is_not_read(two_sessions: DatabaseClient) -> None:
    spoil(two_sessions, 7, 0)
    assert rows(two_sessions, "select count(*) from readings where session = 8") == [(30,)]
    assert rows(two_sessions, "select count(*) from messages where session > 7") == [(30,)]
    assert rows(two_sessions, "select count(*) from readings where channel = 'nosuch'") == [(0,)]


def test_messages_outside_the_wanted_time_or_seq_are_not_read(two_sessions: DatabaseClient) -> None:
    spoil(two_sessions, 7, 2)
    early, late = START + dt.timedelta(seconds=100), START + dt.timedelta(seconds=163, milliseconds=830)
    assert rows(two_sessions, "select max(seq) from messages where session = 7 and time < $1", [early]) == [(9999,)]
    assert rows(two_sessions, "select max(seq) from messages where session = 7 and seq < 20000") == [(19999,)]
    sql = "select min(seq), max(seq) from messages where session = 7 and time between $1 and $2"
    assert rows(two_sessions, sql, [early, late]) == [(10000, 16383)]
    with pytest.raises(BlockError, match="Session 7 is damaged"):
        two_sessions.query("select max(seq) from messages")


def test_readings_outside_the_wanted_time_are_not_decoded(two_sessions: DatabaseClient) -> None:
    moment = START + dt.timedelta(seconds=200)
    for ends in (["<", ">="], [">=", "<"]):
        for sign in ends:
            found = two_sessions.query(f"select * from first where session = 7 and time {sign} $1", [moment])
            assert found.num_rows == (6667 if sign == "<" else 10956 - 6667)
    seen: list[tuple[int, int]] = []
    spoil(two_sessions, 7, 0)
    spoil(two_sessions, 7, 2)
    between = "select min(value), max(value), count(*) from first where session = 7 and time between $1 and $2"
    span = [moment, moment + dt.timedelta(milliseconds=30)]
    found = two_sessions.query(between, span, progress=lambda done, total: seen.append((done, total)))
    assert list(found.to_pylist()[0].values()) == [20001 % 4096, 20001 % 4096, 1]
    assert seen[-1] == (2 * GRID_MESSAGES + 100,) * 2
    never = [START - dt.timedelta(days=2), START - dt.timedelta(days=1)]
    assert two_sessions.query(between, never).to_pylist()[0]["count_star()"] == 0


def test_a_damaged_block_is_told_as_such(two_sessions: DatabaseClient) -> None:
    spoil(two_sessions, 7, 1)
    with pytest.raises(BlockError, match="Session 7 is damaged in the cache at seq 16384"):
        two_sessions.query("select avg(value) from readings")


def test_parameters_go_by_place_or_by_name(two_sessions: DatabaseClient) -> None:
    sql = "select count(*) from readings where session = ? and channel = ? and time < ?"
    for moment in (START + dt.timedelta(seconds=3), np.datetime64("2023-11-14T22:13:23")):
        assert rows(two_sessions, sql, (7, "first", moment)) == [(100,)]
    assert rows(two_sessions, "select count(*) from first where session = $id", {"id": np.int64(8)}) == [(10,)]


def test_a_result_comes_in_batches_and_tells_its_columns(two_sessions: DatabaseClient) -> None:
    with two_sessions.query_batches("select channel, value from readings order by time") as batches:
        assert batches.columns == ["channel", "value"]
        assert batches.counts == (0, 0)
        assert batches.schema.names == ["channel", "value"]
        assert sum(batch.num_rows for batch in batches) == 32_868 + 30
        assert batches.counts == (2 * GRID_MESSAGES + 130,) * 2


def test_an_empty_result_has_its_columns(two_sessions: DatabaseClient) -> None:
    table = two_sessions.query("select time, value from readings where session = 70")
    assert (table.num_rows, table.column_names) == (0, ["time", "value"])


def test_an_empty_cache_has_its_tables(cache: DatabaseClient) -> None:
    for name in ("readings", "messages", "sessions", "channels", "markers", "gaps"):
        assert rows(cache, f"select count(*) from {name}") == [(0,)]


def test_progress_counts_messages_up_to_all(two_sessions: DatabaseClient) -> None:
    seen: list[tuple[int, int]] = []
    two_sessions.query("select avg(value) from readings", progress=lambda done, total: seen.append((done, total)))
    total = 2 * GRID_MESSAGES + 130
    assert seen == sorted(seen)
    assert seen[-1] == (total, total)


def test_a_query_that_somebody_does_not_want_any_more_ends(two_sessions: DatabaseClient) -> None:
    with pytest.raises(DownloadCancelled, match="cancelled"):
        two_sessions.query("select count(*) from readings a, readings b", is_cancelled=lambda: True)


def test_another_thread_can_cancel_a_long_query(cache: DatabaseClient) -> None:
    endless = "select count(*) from range(10000000) a, range(10000000) b where (a.range * b.range) % 7 = 3"
    with cache.query_batches(endless) as batches:
        timer = threading.Timer(0.1, batches.cancel)
        timer.start()
        with pytest.raises(DownloadCancelled):
            batches.to_arrow()
        timer.join()
        with pytest.raises(DownloadCancelled):
            next(iter(batches))


def test_a_query_that_takes_long_prints_nothing(
    two_sessions: DatabaseClient, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(query_engine._SETTINGS, "progress_bar_time", 1)  # ms, instead of two seconds
    two_sessions.query("select channel, count(*), avg(value) from readings group by channel order by channel")
    assert capfd.readouterr() == ("", "")


def test_what_does_not_fit_into_memory_goes_beside_the_cache_and_is_gone_afterwards(
    file_cache: DatabaseClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(query_engine._CLOSED, "memory_limit", "60MB")
    seen: list[Path] = []
    with file_cache.query_batches(
        "select max(r) from (select row_number() over (order by x) r from (select random() x from range(3000000)))"
    ) as b:
        for batch in b:
            seen = list(tmp_path.glob(".blitz-*.files"))
            assert batch.column(0).to_pylist() == [3_000_000]
    assert seen
    assert not list(tmp_path.glob(".blitz-*"))


def test_queries_of_two_threads_do_not_disturb_each_other(two_sessions: DatabaseClient) -> None:
    found: list[Any] = []
    sql = "select session, count(*), sum(value) from readings group by all order by all"
    threads = [threading.Thread(target=lambda: found.append(rows(two_sessions, sql))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [rows(two_sessions, sql)] * 3


def test_without_duckdb_a_sentence_says_what_to_install(cache: DatabaseClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(PackageMissing, match=r"pip install \"blitz\[analysis\]\""):
        cache.query("select 1")


_MEASURE = """
import resource, sys
from blitz.data.database_client import DatabaseClient
with DatabaseClient(path=sys.argv[1]) as cache:
    cache.query("select 1")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = cache.query("select channel, count(*), avg(value) from readings group by channel order by channel")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, sum(found["count_star()"].to_pylist()))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="resource is of Unix")
def test_memory_stays_flat_for_a_session_of_millions(file_cache: DatabaseClient) -> None:
    fill_with_five_channels(file_cache, message_count=1_000_000)
    command = [sys.executable, "-c", _MEASURE, file_cache.path]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    kilobytes, count = map(int, ran.stdout.split())
    assert count == 5_000_000
    assert kilobytes < 80_000  # as rows they take 140 MB
    assert ran.stderr == ""


def fill_with_five_channels(cache: DatabaseClient, message_count: int) -> None:
    """Download session 7 of one board that sends five channels a millisecond."""
    channels = tuple(Channel(name=f"channel {number}", bit=12 * number, bits=12) for number in range(5))
    board = BoardDefinition(id="08", name="Five", channels=channels)
    record = SessionRecord(
        id=7,
        started_at=START,
        message_count=message_count,
        sources=(Source(index=0, name="sim1", link="pty", board_id="08", definition=board),),
    )
    cache.begin_download(record)
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    for first in range(0, message_count, GRID_MESSAGES):
        seq = np.arange(first, min(first + GRID_MESSAGES, message_count))
        text = np.empty((len(seq), 28), np.uint8)
        text[:, :4] = np.frombuffer(b"08a0", np.uint8)
        text[:, 4:12] = digits[seq[:, np.newaxis] >> np.arange(28, -4, -4) & 15]
        text[:, 12:] = digits[seq[:, np.newaxis] * np.arange(1, 17) >> 4 & 15]
        ends = np.arange(len(seq) + 1, dtype=np.int32) * 28
        raw = pa.Array.from_buffers(pa.binary(), len(seq), [None, pa.py_buffer(ends), pa.py_buffer(text.tobytes())])
        arrived_ns = int(START.timestamp()) * 10**9 + seq * 10**6
        cache.store_block(7, MessageBlock(7, first, arrived_ns, np.zeros(len(seq), np.uint16), raw))
    cache.finish_download(record)


def spoil(cache: DatabaseClient, session_id: int, number: int) -> None:
    """Damage a block of a session."""
    (row,) = cache.find(StoredBlock, {"session_ref_id": session_id, "grid_index": number})
    row.body = row.body[:-100]
    cache.add(row)
