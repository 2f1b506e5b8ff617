"""What a query may not do, and how it is told."""

import os
import re
from pathlib import Path

import pytest

from blitz.data.database_client import DatabaseClient
from blitz.errors import QueryError

OUTSIDE = [
    "select * from read_csv('{file}')",
    "select * from read_csv(['{file}'])",
    "select * from '{file}'",
    'select * from "{file}"',
    "select * from read_text('{file}')",
    "select * from read_blob('{file}')",
    "select * from read_json('{file}')",
    "select * from read_parquet('{file}')",
    "select * from parquet_scan('{file}')",
    "select * from parquet_metadata('{file}')",
    "select * from read_duckdb('{file}')",
    "select * from sqlite_scan('{file}', 'session')",
    "select * from sniff_csv('{file}')",
    "select * from glob('{folder}/*')",
    "select * from query('select * from read_text(''{file}'')')",
    "select * from query_table('{file}')",
    "select * from json_execute_serialized_sql(json_serialize_sql('select * from read_text(''{file}'')'))",
    "with a as (select * from read_text('{file}')) select * from a",
    "select (select content from read_text('{file}'))",
    "select * from read_csv('http://127.0.0.1:9/a.csv')",
    "select * from 'http://127.0.0.1:9/a.csv'",
    "select * from read_parquet('s3://bucket/a.parquet')",
    "select getenv('HOME')",
    "select * from duckdb_secrets()",
    "select * from duckdb_extensions()",
    "select * from enable_logging('QueryLog', storage = 'file', storage_path = '{folder}/log')",
    "select * from enable_profiling()",
    "copy (select 1) to '{folder}/out.csv'",
    "copy (select 1) to '{folder}/out.parquet' (format parquet)",
    "export database '{folder}/out'",
    "import database '{folder}'",
    "attach '{folder}/out.db'",
    "install httpfs",
    "load httpfs",
    "load '{file}'",
    "create secret (type http)",
    "set threads = 1",
    "set enable_external_access = true",
    "set global lock_configuration = false",
    "reset memory_limit",
    "set variable x = 1",
    "pragma database_list",
    "pragma enable_profiling",
    "call enable_logging(storage = 'stdout')",
    "use memory",
    "create table kept as select 1",
    "create view kept as select 1",
    "create macro kept(a) as a",
    "drop view readings",
    "insert into sessions values (1)",
    "update sessions set name = 'x'",
    "delete from sessions",
    "with gone as (delete from sessions returning *) select * from gone",
    "explain analyze copy (select 1) to '{folder}/out.csv'",
    "prepare p as select 1",
    "begin",
    "vacuum",
    "checkpoint",
    "select 1; copy (select 1) to '{folder}/out.csv'",
    "select 1; select 2",
    "",
    "-- nothing",
]


@pytest.mark.parametrize("sql", OUTSIDE)
def test_a_query_reaches_nothing_but_the_sessions(cache: DatabaseClient, tmp_path: Path, sql: str) -> None:
    file = tmp_path / "secret.csv"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(QueryError) as caught:
        cache.query(sql.format(file=file, folder=tmp_path))
    assert os.listdir(tmp_path) == ["secret.csv"]
    sentence = str(caught.value)
    assert re.fullmatch(r"[A-Z][^\n]*[.?]", sentence), sentence


def test_a_query_does_not_see_variables_of_the_program(cache: DatabaseClient) -> None:
    import pyarrow as pa

    secret = pa.table({"a": [1]})
    with pytest.raises(QueryError, match="table with name secret does not exist"):
        cache.query("select * from secret")
    assert len(secret) == 1


@pytest.mark.parametrize(
    "name", ["threads", "enable_external_access", "lock_configuration", "python_enable_replacements"]
)
def test_settings_stay_as_they_are_for_the_next_query(cache: DatabaseClient, name: str) -> None:
    before = cache.query(f"select current_setting('{name}')")
    with pytest.raises(QueryError):
        cache.query(f"set {name} = 1")
    assert cache.query(f"select current_setting('{name}')") == before


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("selec 1", 'The query cannot run: syntax error at or near "selec".'),
        ("select\n1 +\nfrom", 'The query cannot run: syntax error at or near "from", in line 3.'),
        (
            "select nope from sessions",
            'The query cannot run: referenced column "nope" not found in FROM clause! Candidate',
        ),
        (
            "select * from adc_chanel_one",
            'The query cannot run: table with name adc_chanel_one does not exist. Did you mean "adc_channel_one"? '
            "The table channels lists the channels, by label.",
        ),
        (
            "select sum(name) from sessions",
            "The query cannot run: no function matches the given name and argument types",
        ),
        ("select cast('a' as int)", "The query cannot run: could not convert string 'a' to INT32"),
        ("select $1 + $2", "The query cannot run: values were not provided for the following parameters: 1, 2."),
        ("drop view readings", "A query may only read: SELECT, DESCRIBE, SUMMARIZE and the like, not DROP."),
        ("select 1; select 2", "A query is one SELECT; 2 statements were given."),
        (
            "from 'a.csv'",
            'The query cannot run: cannot access file "a.csv" - file system operations are disabled by configuration. '
            "A query reads the cached sessions only: no files, and no network.",
        ),
    ],
)
def test_a_wrong_query_is_told_in_a_sentence(cache: DatabaseClient, sql: str, sentence: str) -> None:
    cache.get_or_create_category("adc_channel_one")
    cache.add_reading(1, 0, 1, 1.0)
    with pytest.raises(QueryError, match=re.escape(sentence)):
        cache.query(sql)


def test_statements_that_only_look_are_allowed(cache: DatabaseClient) -> None:
    for sql in ("describe readings", "show tables", "summarize sessions", "values (1)", "from sessions", "table gaps;"):
        assert cache.query(sql).num_columns, sql


def test_times_are_utc_whatever_the_time_zone_here(cache: DatabaseClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    cache.add_reading(1, 1_700_000_000_123, cache.get_or_create_category("a"), 1.0)
    table = cache.query("select time, time::varchar as text, date_trunc('day', time) as day from a")
    assert [str(kind) for kind in table.schema.types] == ["timestamp[us, tz=UTC]", "string", "timestamp[us, tz=UTC]"]
    row = table.to_pylist()[0]
    assert row["text"] == "2023-11-14 22:13:20.123+00"
    assert row["day"].isoformat() == "2023-11-14T00:00:00+00:00"
