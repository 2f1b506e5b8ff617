"""The command `blitz query` on a cache that an earlier version wrote."""

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from blitz.cli.main import invoke
from blitz.data.database_client import DatabaseClient

CACHES = Path(__file__).parents[2] / "fixtures" / "caches"
FIRST = "select time, value from first where session = 7 order by time limit 2"


@pytest.fixture
def shell(capfdbinary: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., str]:
    """Run `blitz query` in a folder with one cache, and return what it prints, or says where it fails."""
    (tmp_path / "caches").mkdir()
    shutil.copy(CACHES / "v0.3.0.db", tmp_path / "caches" / "one.db")
    monkeypatch.setenv("BLITZ_CACHE_DIR", str(tmp_path / "caches"))
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, expect: int = 0) -> str:
        code = invoke(["query", *arguments])
        printed = capfdbinary.readouterr()
        assert code == expect, printed.err.decode()
        text: str = (printed.out if code == 0 else printed.err).decode("utf-8", "surrogateescape")
        return text

    return run


def test_a_result_is_a_table_on_the_screen(shell: Callable[..., str]) -> None:
    lines = shell("select source, channel, unit, count(*) as n from readings where session = 7 group by all order by 2")
    header, *rows = (line.split() for line in lines.splitlines())
    assert header == ["source", "channel", "unit", "n"]
    assert ["sim1", "first", "V", "200"] in rows


def test_a_long_table_is_cut_and_says_so(shell: Callable[..., str]) -> None:
    lines = shell("select range from range(5000)").splitlines()
    assert (len(lines), lines[1000]) == (1002, "999")
    assert lines[-1] == "There are more than 1 000 rows: write them with --format csv or --output FILE."


def test_a_result_is_csv_that_python_reads(shell: Callable[..., str]) -> None:
    sql = """select 'a "b", c' q, null "none", '' "no, text", 1.5::double d, [1, 2] l, interval 90 second i"""
    rows = list(csv.reader(io.StringIO(shell(sql, "--format", "csv"))))
    assert rows == [["q", "none", "no, text", "d", "l", "i"], ['a "b", c', "", "", "1.5", "[1, 2]", "P0M0DT90S"]]
    text = shell(FIRST, "-f", "csv")
    assert text.splitlines()[0] == "time,value"
    assert text.splitlines()[1].endswith("Z,0")


def test_a_result_is_json_with_null_for_what_json_has_not(shell: Callable[..., str]) -> None:
    sql = r"select 'nan'::double n, 'é' e, '\xFF'::blob b, [1.5, 'inf'::double] l, date '2024-02-03' d, true t"
    expected = {"n": None, "e": "é", "b": "ÿ", "l": [1.5, None], "d": "2024-02-03", "t": True}
    assert json.loads(shell(sql, "--format", "json")) == [expected]
    assert json.loads(shell("select range from range(3)", "--json")) == [{"range": number} for number in range(3)]
    assert json.loads(shell("select * from gaps where session = 70", "--json")) == []


def test_a_result_is_an_arrow_stream(shell: Callable[..., str]) -> None:
    stream = shell(FIRST, "--format", "arrow").encode("utf-8", "surrogateescape")
    table = pa.ipc.open_stream(stream).read_all()
    assert table.column_names == ["time", "value"]
    assert str(table.schema.field("time").type) == "timestamp[us, tz=UTC]"
    assert table.num_rows == 2


def test_a_file_gets_the_form_of_its_ending(shell: Callable[..., str], tmp_path: Path) -> None:
    assert shell(FIRST, "--output", "out.csv") == f"{tmp_path / 'out.csv'}: 2 rows.\n"
    assert (tmp_path / "out.csv").read_text().startswith("time,value\n")
    assert json.loads(shell(FIRST, "-o", "out.json", "--json")) == {"path": str(tmp_path / "out.json"), "rows": 2}
    assert len(json.loads((tmp_path / "out.json").read_text())) == 2
    shell(FIRST, "-o", "out.arrow")
    assert pa.ipc.open_stream(tmp_path / "out.arrow").read_all().num_rows == 2
    shell(FIRST, "-o", "other.txt", "-f", "csv")
    assert (tmp_path / "other.txt").read_bytes() == (tmp_path / "out.csv").read_bytes()


def test_a_file_stays_as_it_was_when_the_query_fails(shell: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("old")
    shell("select error('no') from range(3)", "-o", "out.csv", expect=1)
    assert (tmp_path / "out.csv").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["caches", "out.csv"]


def test_sql_comes_from_the_standard_input(shell: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("select 1\n  as one;\n"))
    assert json.loads(shell("-", "--json")) == [{"one": 1}]


def test_what_is_wrong_is_told_in_a_sentence(shell: Callable[..., str], tmp_path: Path) -> None:
    assert shell("selec", expect=1) == 'The query cannot run: syntax error at or near "selec".\n'
    fault = json.loads(shell("select * from frist", "--json", expect=1))["error"]
    assert (fault["code"], fault["exit_code"]) == ("query", 1)
    assert 'Did you mean "first"?' in fault["message"]
    assert "no files, and no network" in shell("select * from read_text('/etc/passwd')", expect=1)
    assert "There is no cache nowhere.db" in shell("select 1", "--cache", "nowhere.db", expect=1)
    assert "a table is for the screen" in shell("select 1", "-f", "table", "-o", "a.txt", expect=2)
    assert "ends in none of .csv, .json, .arrow" in shell("select 1", "-o", "a.txt", expect=2)
    with DatabaseClient(path=tmp_path / "caches" / "two.db"):
        pass
    assert "There are several caches; choose with --cache" in shell("select 1", expect=1)
    assert json.loads(shell("select count(*) n from sessions", "--cache", "caches/two.db", "--json")) == [{"n": 0}]
    shutil.rmtree(tmp_path / "caches")
    assert "Bring a session: 'blitz download SESSION'" in shell("select 1", expect=1)
