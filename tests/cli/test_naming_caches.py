"""`blitz cache`, and every command that takes `--cache`, by names."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from postgresql_server import empty_database, running_postgresql

import blitz
from blitz.cli.caches import cache_names
from blitz.cli.main import invoke
from blitz.data.database_client import DatabaseClient
from blitz.data.named_caches import NamedCaches

OTHER_STORE = "99999999-2222-4333-8444-555555555555"


class Shell:
    """Runs commands in this process, as an operator would type them."""

    def __init__(self, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        self._capsys = capsys
        self.folder = folder

    def __call__(self, *arguments: str, expect: int = 0) -> str:
        code = invoke(arguments)
        printed = self._capsys.readouterr()
        assert code == expect, printed.err
        return printed.out + printed.err

    def json(self, *arguments: str, expect: int = 0) -> Any:
        return json.loads(self(*arguments, "--json", expect=expect))

    def caches(self) -> dict[str | None, Any]:
        return {each["name"]: each for each in self.json("cache", "list")["caches"]}


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shell:
    monkeypatch.setenv("BLITZ_SERVER", "http://127.0.0.1:9")  # nobody is there
    monkeypatch.setenv("BLITZ_CACHE_DIR", str(tmp_path / "caches"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("time,x\n0,1\n1,2\n")
    return Shell(capsys, tmp_path / "caches")


@pytest.fixture
def online(shell: Shell, server: Any, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setenv("BLITZ_SERVER", server.url)
    return shell


def record(server: Any, message_count: int = 4) -> int:
    with blitz.Client(server.url) as client:
        session = client.start(name="a run")
        for arrived in client.live():
            if getattr(arrived, "seq", None) is not None and arrived.seq[-1] >= message_count:
                break
        client.stop(session.id)
        return session.id


def test_a_cache_is_made_listed_shown_used_and_forgotten(shell: Shell, tmp_path: Path) -> None:
    assert "There is no cache yet" in shell("cache")
    made = shell.json("cache", "add", "experiment", "runs.db", "--description", "the pump")["cache"]
    assert (made["name"], made["where"], made["description"]) == ("experiment", str(tmp_path / "runs.db"), "the pump")
    assert "is used from now on" in shell("cache", "add", "second", "--use")
    assert (shell.folder / "named" / "second.db").is_file()
    assert shell.json("cache", "list")["in_use"] == "second"
    assert shell("import", "a.csv").endswith("from 1970-01-01 00:00:00.\n")
    assert [each["is_in_use"] for each in shell.caches().values()] == [False, True]
    assert [each["sessions"] for each in shell.caches().values()] == [0, 1]
    shown = shell("cache", "show", "second")
    assert "Sessions: 1, 1 of them on no server" in shown
    assert "Server: none yet" in shown
    assert "experiment" in shell("cache", "use", "EXPERIMENT")
    assert shell.json("query", "select * from sessions") == []
    assert "one a server" in shell("cache", "use", "--usual")
    assert "data stay" in shell("cache", "delete", "experiment")
    assert (tmp_path / "runs.db").is_file()
    assert list(shell.caches()) == ["second"]
    assert "There is no cache named 'experiment'" in shell("cache", "show", "experiment", expect=1)
    assert "say which one" in shell("cache", "use", expect=2)


def test_what_cannot_be_a_cache_is_refused_and_a_taken_name_with_a_code_of_its_own(shell: Shell) -> None:
    shell("cache", "add", "experiment")
    assert "There is a cache named 'Experiment' already" in shell("cache", "add", "Experiment", "x.db", expect=4)
    assert "is the cache 'experiment' already" in shell(
        "cache", "add", "x", str(shell.folder / "named" / "experiment.db"), expect=4
    )
    assert "cannot have a name" in shell("cache", "add", "x", ":memory:", expect=1)
    assert "meaning of its own" in shell("cache", "add", "usual", "x.db", expect=1)
    refused = shell("cache", "add", "x", "postgresql://ann:secret@127.0.0.1:1/x", expect=1)
    assert "See that the database server runs" in refused
    assert "secret" not in refused
    assert list(shell.caches()) == ["experiment"]


def test_deleting_data_says_what_would_be_lost(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell("cache", "add", "experiment")
    shell("import", "a.csv", "--cache", "experiment")
    assert "say --yes" in shell("cache", "delete", "experiment", "--data", expect=2)
    asked: list[str] = []
    monkeypatch.setattr("blitz.cli.naming_caches.confirm", lambda question, yes: asked.append(question))
    with DatabaseClient(path=shell.folder / "named" / "experiment.db"):
        assert "Another program has the cache" in shell("cache", "delete", "experiment", "--data", expect=1)
    assert list(shell.caches()) == ["experiment"]
    shell("cache", "delete", "experiment", "--data")
    assert "with 1 session? 1 of them is on no server and would be lost." in asked[-1]
    assert list((shell.folder / "named").iterdir()) == []
    assert shell.caches() == {}
    shell("import", "a.csv")  # the usual one of no server
    usual = str(shell.folder / "imported.db")
    assert shell.caches()[None]["where"] == usual
    assert "no name to forget" in shell("cache", "delete", usual, expect=2)
    assert "say which by its file" in shell("cache", "delete", "usual", "--data", "--yes", expect=1)
    shell("cache", "delete", "imported", "--data", "--yes")
    assert shell.caches() == {}


def test_every_command_takes_a_name_a_file_and_what_was_chosen(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell("cache", "add", "experiment", "-d", "the pump")
    shell("import", "a.csv", "--cache", "experiment")
    shell("import", "a.csv", "--name", "another", "--cache", "./other.db")
    for cache in ("experiment", "./other.db", f"sqlite:///{tmp_path}/other.db"):
        assert shell.json("query", "select count(*) n from sessions", "--cache", cache) == [{"n": 1}]
        shell("export", "-1", "out.csv", "--cache", cache)
        assert "as it was exported" in shell("verify", "out.csv", "--cache", cache)
        shell("pack", "-1", "out.blitz", "--cache", cache)
        assert "was left as it is" in shell("unpack", "out.blitz", "--cache", cache)
        assert "read by the definitions of its recording" in shell("reread", "-1", "--cache", cache)
    for command in (("query", "select 1"), ("reread", "-1"), ("export", "-1"), ("unpack", "out.blitz")):
        assert "There is no cache named 'nope'. Named are: experiment." in shell(*command, "--cache", "nope", expect=1)
    assert "Session -1 is not in" in shell("reread", "-1", expect=1)  # there is no usual one
    shell("cache", "use", "experiment")
    assert "read by" in shell("reread", "-1")
    assert [row["name"] for row in shell.json("query", "select name from sessions")] == ["a"]
    monkeypatch.setenv("BLITZ_CACHE", "./other.db")
    assert [row["name"] for row in shell.json("query", "select name from sessions")] == ["another"]
    assert shell.json("cache", "list")["in_use"] == "other.db"
    assert "BLITZ_CACHE counts before it" in shell("cache", "use", "--usual")
    monkeypatch.setenv("BLITZ_CACHE", "usual")
    assert "There is no cache in" in shell("query", "select 1", expect=1)
    assert cache_names() == [("usual", "one a server"), ("experiment", "the pump")]


def test_sessions_are_copied_from_one_cache_into_another(shell: Shell) -> None:
    for name in ("one", "two"):
        shell("cache", "add", name)
    shell("import", "a.csv", "--cache", "one")
    shell("import", "a.csv", "--name", "b", "--cache", "one")
    copied = shell.json("cache", "copy", "-1", "-2", "--cache", "one", "--to", "two")
    assert [(each["session"], each["as"], each["was_there"]) for each in copied["copied"]] == [
        (-1, -1, False),
        (-2, -2, False),
    ]
    assert "where it was already" in shell("cache", "copy", "-2", "--cache", "one", "--to", "two")
    assert shell.caches()["two"]["sessions"] == 2
    assert "Session 5 is not in one" in shell("cache", "copy", "5", "--cache", "one", "--to", "two", expect=1)


def test_a_named_cache_is_filled_by_its_server_and_no_other_one(
    online: Shell, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = str(record(server))
    online("cache", "add", "experiment", "--use")
    assert f"Session {number} is in the cache experiment (" in online("download", number)
    assert online.json("sync", number)["here"][number] == "whole"
    assert online.json("sessions")["copies"][number] == "whole"
    assert online.caches()["experiment"]["server"] == server.url
    assert None not in online.caches()  # nothing came into the server's usual one
    online("download", number, "--cache", "usual")
    assert online.caches()[None]["sessions"] == 1

    online("cache", "add", "foreign")
    with DatabaseClient(path=online.folder / "named" / "foreign.db") as foreign:
        foreign.bind_store(OTHER_STORE)
    online("cache", "copy", number, "--cache", "experiment", "--to", "foreign")  # as a guest
    online("cache", "use", "foreign")
    for command in (("download", number), ("sync", number), ("sync", number, "--choose"), ("export", number)):
        refused = online(*command, expect=1)
        assert f"belongs to the store {OTHER_STORE}, not to that of {server.url}" in refused
        assert "'--cache usual' is this server's own" in refused
    assert online.json("sessions").get("copies", {}) == {}
    assert "-1" in online("query", "select session from sessions")  # what is there is read
    monkeypatch.setenv("BLITZ_CACHE", "experiment")
    online("download", number)


def test_a_cache_of_another_server_is_read_where_it_is_named(online: Shell, server: Any) -> None:
    number = record(server)
    online("cache", "add", "foreign")
    online("download", str(number), "--cache", "foreign")
    with DatabaseClient(path=online.folder / "named" / "foreign.db") as foreign, foreign._writing() as db:
        from sqlalchemy import text

        db.execute(text("UPDATE store_binding SET store_id = :other"), {"other": OTHER_STORE})
    assert "out.csv" in online("export", str(number), "out.csv", "--cache", "foreign")
    online("cache", "use", "foreign")
    assert "belongs to the store" in online("export", str(number), "out.csv", expect=1)


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    with running_postgresql() as address:
        yield address


def test_sessions_go_into_a_postgresql_database(online: Shell, server: Any, postgresql: str) -> None:
    try:
        number = str(record(server))
        online("cache", "add", "shared", postgresql.replace("+psycopg", ""), "--use")
        assert "in the cache shared (postgresql+psycopg://blitz@/postgres" in online("download", number)
        assert online.json("sync", "--all")["cache"].startswith("postgresql")
        online("export", number, "out.csv")
        online("pack", number, "out.blitz")
        assert "the same" in online("verify", "out.csv")
        online("import", "out.csv", "--cache", "shared")
        assert online.json("query", f"select count(*) > 3 as n from messages where session = {number}") == [{"n": True}]
        assert online.caches()["shared"]["only_here"] == 1
        online("cache", "delete", "shared", "--data", "--yes")
        assert NamedCaches(online.folder).all() == []
    finally:
        empty_database(postgresql)
