"""Names of caches: kept, found, refused; what is in a cache, and how it goes."""

import contextlib
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from postgresql_server import empty_database, running_postgresql

from blitz.data.cache_address import is_same_place, lasting_address, shown_address
from blitz.data.cache_places import CachePlace, chosen_place, find_place, usual_places
from blitz.data.cache_setup import delete_data, look_at, note_server, register
from blitz.data.database_client import DatabaseClient
from blitz.data.named_caches import FILE_NAME, NamedCaches
from blitz.errors import CacheError, CacheExists, CacheNotFound, CacheTooNew

STORE_ID = "11111111-2222-4333-8444-555555555555"


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    with running_postgresql() as address:
        yield address


@pytest.fixture
def url(postgresql: str) -> Iterator[str]:
    yield postgresql
    empty_database(postgresql)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "caches"


def test_a_cache_gets_a_name_is_used_and_forgotten_and_its_data_stay(folder: Path, tmp_path: Path) -> None:
    names = NamedCaches(folder)
    assert (names.all(), names.in_use, names.find("experiment")) == ([], None, None)
    assert not names.path.exists()  # looking makes nothing
    made = register(folder, "experiment", str(tmp_path / "x" / "runs.db"), "  of the \n pump ")
    assert (made.name, made.address, made.description) == ("experiment", str(tmp_path / "x" / "runs.db"), "of the pump")
    assert names.all() == [made]
    assert names.find("EXPERIMENT") == made
    assert names.in_use is None
    assert names.use("Experiment") == made
    assert NamedCaches(folder).in_use == made
    assert chosen_place(None, folder) == CachePlace(tmp_path / "x" / "runs.db", "experiment")
    assert chosen_place("usual", folder) is None
    assert names.forget("experiment") == made
    assert (names.all(), names.in_use) == ([], None)
    assert Path(made.address).is_file()
    with pytest.raises(CacheNotFound, match=r"There is no cache named 'experiment'. None has a name yet"):
        names.use("experiment")


def test_a_name_that_is_taken_is_refused_and_its_place_too(folder: Path, tmp_path: Path) -> None:
    register(folder, "one", str(tmp_path / "one.db"), is_in_use=True)
    with pytest.raises(CacheExists, match="There is a cache named 'One' already"):
        register(folder, "One", str(tmp_path / "two.db"))
    assert not (tmp_path / "two.db").exists()
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(CacheExists, match="is the cache 'one' already"):
        register(folder, "two", f"sqlite:///{tmp_path}/link/one.db")
    with DatabaseClient(path=folder / f"{STORE_ID}.db"):
        pass
    with pytest.raises(CacheExists, match="one of the usual caches"):
        register(folder, "two", str(folder / f"{STORE_ID}.db"))
    assert [each.name for each in NamedCaches(folder).all()] == ["one"]


@pytest.mark.parametrize("name", ["", "2nd", "a b", "a/b", "a.db", "é", "x" * 33, "usual", "Usual", "imported"])
def test_what_is_no_name_is_refused(folder: Path, name: str) -> None:
    with pytest.raises(CacheError, match=r"no name of a cache|meaning of its own"):
        register(folder, name)
    assert not folder.exists()


def test_what_cannot_be_opened_or_written_gets_no_name(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear Sir, " * 1000)
    (tmp_path / "file").touch()
    with contextlib.closing(sqlite3.connect(tmp_path / "bookmarks.db")) as other:
        other.execute("CREATE TABLE bookmark (url TEXT)")
    before = (tmp_path / "bookmarks.db").read_bytes()
    with DatabaseClient(path=tmp_path / "newer.db") as newer, newer._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    refused = {
        str(tmp_path / "letter.txt"): "It is no cache, or it is damaged",
        str(tmp_path / "bookmarks.db"): "it has a table 'bookmark'. It is the database of another program",
        str(tmp_path / "newer.db"): "was written by a newer Blitz",
        str(tmp_path): "unable to open database file",
        str(tmp_path / "file" / "a.db"): "Cannot make the cache's folder",
        "/proc/a.db": "Check that",
        "": "Say where the cache is",
        ":memory:": "cannot have a name: name a file",
        "sqlite://": "cannot have a name",
        "sqlite:///file:x?mode=memory&uri=true": "cannot have a name",
        "://x": "neither a file nor a SQLAlchemy URL",
        "foo://x": "no database is called 'foo'",
        "mysql+pymysql://x/y": "its driver is not installed: pip install pymysql",
        "postgresql://ann:secret@127.0.0.1:1/x": "See that the database server runs",
    }
    for address, words in refused.items():
        with pytest.raises(CacheError) as error:
            register(folder, "experiment", address)
        assert words in str(error.value), address
        assert "secret" not in str(error.value)
    assert NamedCaches(folder).all() == []
    assert (tmp_path / "bookmarks.db").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir() if path != folder) == [
        "bookmarks.db",
        "file",
        "letter.txt",
        "newer.db",
    ]


def test_a_cache_that_may_only_be_read_gets_no_name(folder: Path, tmp_path: Path) -> None:
    with DatabaseClient(path=tmp_path / "a.db"):
        pass
    with pytest.raises(CacheError, match="readonly"):
        register(folder, "experiment", f"sqlite:///file:{tmp_path}/a.db?mode=ro&uri=true")


def test_only_the_owner_reads_the_names_and_no_text_shows_a_password(folder: Path, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        named = NamedCaches(folder).add("a", "postgresql+psycopg://ann:secret@host/runs", "")
    finally:
        os.umask(before)
    assert (folder / FILE_NAME).stat().st_mode & 0o777 == 0o600
    (folder / FILE_NAME).chmod(0o644)
    NamedCaches(folder).use("a")
    assert (folder / FILE_NAME).stat().st_mode & 0o777 == 0o600
    place = CachePlace.of(named)
    assert place.words == "a (postgresql+psycopg://ann:***@host/runs)"
    assert "secret" not in f"{place} {place!r} {named!r} {look_at(place)}"
    for wrong in ("postgresql:/ann:secret@host", "postgres://ann:se@cret@h/x", "x://h/d?user=a&password=secret&b=1"):
        assert "cret" not in shown_address(wrong)
    assert shown_address("C:/Users/ann/runs.db") == "C:/Users/ann/runs.db"


def test_addresses_are_kept_so_that_they_mean_the_same_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert lasting_address("runs.db") == str(tmp_path / "runs.db")
    assert lasting_address("sqlite:///runs.db") == str(tmp_path / "runs.db")
    assert lasting_address("~/runs.db") == str(tmp_path / "home" / "runs.db")
    assert lasting_address("postgresql://ann@host/x") == "postgresql+psycopg://ann@host/x"
    assert is_same_place("postgresql://ann:a@host/x", "postgresql+psycopg://bob@host/x")
    assert not is_same_place("postgresql://host/x", "postgresql://host/y")
    assert not is_same_place("x", "postgresql://host/x")


def test_a_word_is_a_name_a_url_or_a_file(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    register(folder, "experiment", str(tmp_path / "one.db"))
    assert find_place("usual", folder) is None
    assert find_place("Experiment", folder) == CachePlace(tmp_path / "one.db", "experiment")
    assert find_place("./experiment", folder) == CachePlace(Path("experiment"))
    assert find_place("two.db", folder) == CachePlace(Path("two.db"))
    assert find_place("sqlite:///two.db", folder) == CachePlace("sqlite:///two.db")
    with pytest.raises(CacheNotFound, match=r"no cache named 'experimnet'. Named are: experiment. .*\./experimnet or"):
        find_place("experimnet", folder)
    (tmp_path / "experimnet").mkdir()
    assert find_place("experimnet", folder) == CachePlace(Path("experimnet"))


def test_the_usual_caches_are_those_without_a_name(folder: Path) -> None:
    register(folder, "inside", str(folder / "inside.db"))
    register(folder, "beside")
    with DatabaseClient(path=folder / f"{STORE_ID}.db"):
        pass
    assert [place.file for place in usual_places(folder)] == [folder / f"{STORE_ID}.db"]
    assert (folder / "named" / "beside.db").is_file()


def test_what_is_in_a_cache_is_told_and_deleted(folder: Path, example: Callable[..., Any], tmp_path: Path) -> None:
    named = register(folder, "experiment")
    place = CachePlace.of(named)
    assert look_at(place).store_id is None
    with place.open() as cache:
        cache.bind_store(STORE_ID)
        note_server(cache, "http://bench1:8999")
        example(500).fill(cache)
        (tmp_path / "a.csv").write_text("time,x\n0,1\n1,2\n")
        cache.import_file(tmp_path / "a.csv")
        cache.make_overview(7)
        with pytest.raises(CacheError, match="Another program has the cache"):
            delete_data(place)
    facts = look_at(place)
    assert (facts.sessions, facts.only_here, facts.store_id, facts.server, facts.problem) == (
        2,
        1,
        STORE_ID,
        "http://bench1:8999",
        "",
    )
    assert facts.size_bytes is not None
    assert facts.size_bytes > 50_000
    delete_data(place)
    assert list((folder / "named").iterdir()) == []
    assert "There is no file" in look_at(place).problem
    delete_data(place)  # what is gone is gone


def test_a_damaged_cache_is_told_and_can_be_deleted(folder: Path) -> None:
    place = CachePlace.of(register(folder, "experiment"))
    assert place.file is not None
    place.file.write_bytes(b"\xa5" * 9000)
    assert "It is no cache, or it is damaged" in look_at(place).problem
    delete_data(place)
    assert not place.file.exists()


def test_programs_that_name_caches_at_once_get_one_each(folder: Path) -> None:
    """Of several that want one name, one gets it."""
    code = (
        "import sys; from pathlib import Path; from blitz.data.named_caches import NamedCaches\n"
        "names = NamedCaches(Path(sys.argv[1])); got = []\n"
        "for number in range(20):\n"
        "    try:\n"
        "        got.append(names.add(f'n{number}', sys.argv[2]).name); names.use(f'n{number}')\n"
        "    except RuntimeError: pass\n"
        "print(*got)"
    )
    programs = [
        subprocess.Popen([sys.executable, "-c", code, str(folder), f"/{n}.db"], stdout=subprocess.PIPE, text=True)
        for n in range(3)
    ]
    got = []
    for program in programs:
        out, _ = program.communicate(timeout=60)
        assert program.returncode == 0
        got += out.split()
    names = NamedCaches(folder)
    assert sorted(got) == sorted(each.name for each in names.all())
    assert len(got) == 20
    assert names.in_use is not None


def test_threads_that_make_the_list_at_once_do_not_disturb_each_other(folder: Path) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            NamedCaches(folder).add(f"n{number}", f"/{number}.db")
        except BaseException as error:  # noqa: BLE001 - looked at below
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert len(NamedCaches(folder).all()) == 8


def test_a_list_that_cannot_be_used_is_told(folder: Path) -> None:
    names = NamedCaches(folder)
    names.add("a", "/a.db")
    with contextlib.closing(sqlite3.connect(names.path)) as db:
        db.execute("PRAGMA user_version = 2")
    with pytest.raises(CacheTooNew, match="newer Blitz"):
        names.all()
    names.path.write_bytes(b"\xa5" * 5000)
    with pytest.raises(CacheError, match="Cannot use the list of named caches"):
        names.all()


def test_a_postgresql_database_gets_a_name_is_told_and_deleted(
    folder: Path, url: str, example: Callable[..., Any]
) -> None:
    named = register(folder, "shared", url.replace("+psycopg", ""), "on the database server", is_in_use=True)
    place = chosen_place(None, folder)
    assert place is not None
    assert (place.name, place.file, place.exists) == ("shared", None, True)
    assert named.address.startswith("postgresql+psycopg://")
    with place.open() as cache:
        cache.bind_store(STORE_ID)
        example(500).fill(cache)
    facts = look_at(place)
    assert (facts.sessions, facts.only_here, facts.store_id, facts.problem) == (1, 0, STORE_ID, "")
    assert facts.size_bytes is not None
    assert facts.size_bytes > 50_000
    with pytest.raises(CacheExists, match="is the cache 'shared' already"):
        register(folder, "again", url)
    delete_data(place)
    with DatabaseClient(path=url) as cache:  # as if it had never been one
        assert cache.store_id is None
        cache.drop_tables()
        with cache._engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE bookmark (url TEXT)")
    with pytest.raises(CacheError, match="it has a table 'bookmark'"):
        DatabaseClient(path=url)
