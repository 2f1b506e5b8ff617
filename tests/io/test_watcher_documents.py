"""What groundwork's pages about CSV watchers show, done with sources: on the command line, and from Python."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import wait_until

import blitz
from blitz.cli.main import invoke
from blitz.data.records import BoardRecord, LinkState
from blitz.data.source_config import SourceConfig
from blitz.errors import SourceExists, SourceUnavailable, UnknownSource


@pytest.fixture(scope="module")
def bench(run_server: Callable[..., Any]) -> Any:
    return run_server("--durability", "none")


@pytest.fixture
def client(bench: Any) -> Iterator[blitz.Client]:
    with contextlib.closing(blitz.Client(bench.url, timeout=60)) as client:
        yield client
    with contextlib.closing(blitz.Client(bench.url, timeout=60)) as client:  # it may have been restarted
        for source in client.sources():
            client.delete_source(source.name)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "data.csv"
    path.write_text("time,level\n1,20.5\n2,20.7\n")
    return path


def watcher(path: Path, **more: Any) -> SourceConfig:
    return SourceConfig(name=path.name, link=f"csv:{path}", **more)


def board(client: blitz.Client, name: str) -> BoardRecord:
    return next(record for record in client.boards() if record.name == name)


def test_csv_watchers_are_added_listed_and_deleted_as_commands(
    client: blitz.Client,
    bench: Any,
    table: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("BLITZ_SERVER", bench.url)
    monkeypatch.chdir(table.parent)
    assert invoke(["source", "add", "data.csv"]) == 0
    capfd.readouterr()
    assert invoke(["source", "list", "--json"]) == 0
    (watched,) = json.loads(capfd.readouterr().out)["sources"]
    assert (watched["link"], watched["poll_interval_s"]) == (f"csv:{table}", 10)
    assert invoke(["source", "add", "data.csv", "-i", "5"]) == 4
    assert "There is a source 'data.csv' already" in capfd.readouterr().err
    assert invoke(["source", "delete", "data.csv", "--yes"]) == 0
    assert invoke(["source", "delete", "data.csv", "--yes"]) == 1
    assert "There is no source 'data.csv'" in capfd.readouterr().err
    assert invoke(["source", "add", "data.csv", "--interval", "5"]) == 0
    assert client.sources()[0].poll_interval_s == 5


def test_a_watcher_that_is_there_is_found_and_added_once(client: blitz.Client, table: Path) -> None:
    client.add_source(watcher(table))
    with pytest.raises(SourceExists):
        client.add_source(watcher(table).model_copy(update={"name": "again"}))
    first = next((source for source in client.sources() if source.link == f"csv:{table}"), None)
    assert first is not None
    client.delete_source(first.name)
    assert client.sources() == []
    with pytest.raises(UnknownSource):
        client.delete_source(first.name)


def test_a_watcher_whose_thread_cannot_be_started_is_rolled_back(client: blitz.Client, table: Path) -> None:
    with pytest.raises(SourceUnavailable, match=r"nothing\.csv"):
        client.add_source(watcher(table.with_name("nothing.csv")))
    assert (client.sources(), client.boards()) == ([], [])


def test_watchers_are_loaded_at_a_restart_and_one_that_fails_stops_no_other(
    client: blitz.Client, bench: Any, table: Path
) -> None:
    other = table.with_name("other.csv")
    other.write_text("a,b\n1,2\n")
    client.add_source(watcher(other, poll_interval_s=7))
    client.add_source(watcher(table))
    other.unlink()
    assert bench.stop() == 0
    bench.start()
    with contextlib.closing(blitz.Client(bench.url, timeout=60)) as again:
        wait_until(lambda: board(again, "data.csv").state is LinkState.READY)
        wait_until(lambda: board(again, "other.csv").state is LinkState.AWAY and board(again, "other.csv").error)
        assert [(source.name, source.poll_interval_s) for source in again.sources()] == [
            ("other.csv", 7),
            ("data.csv", 10),
        ]


def test_a_watcher_is_deactivated_and_activated(client: blitz.Client, table: Path) -> None:
    client.add_source(watcher(table))
    wait_until(lambda: board(client, "data.csv").state is LinkState.READY)
    client.update_source("data.csv", is_enabled=False)
    assert board(client, "data.csv").state is LinkState.DISABLED
    client.update_source("data.csv", is_enabled=True)
    wait_until(lambda: board(client, "data.csv").state is LinkState.READY)
