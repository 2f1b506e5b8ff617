"""Opening caches, sharing them between threads and programs, and what is said when that fails."""

import logging
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from blitz.data.database_client import DatabaseClient
from blitz.data.models import Category, Config, Reading
from blitz.errors import CacheError, CacheMismatch

STORE_ID = "11111111-2222-4333-8444-555555555555"


def in_threads(count: int, work: Callable[[int], Any]) -> None:
    """Run work(0), work(1), … at the same time, and raise what one of them raised."""
    errors: list[BaseException] = []
    start = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            start.wait(60)
            work(number)
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if errors:
        raise errors[0]


def test_several_threads_can_use_one_cache(any_cache: DatabaseClient) -> None:
    def work(number: int) -> None:
        for step in range(25):
            category_id = any_cache.get_or_create_category(f"channel {step % 3}")
            any_cache.add_reading(number, step, category_id, step)
            any_cache.get_session_variables(number)
            any_cache.set_config("last", str(step))

    in_threads(4, work)
    assert any_cache.all(Reading).count() == 100
    assert any_cache.all(Category).count() == 3
    assert any_cache.all(Config).count() == 1


def test_a_cache_in_memory_is_closed_behind_who_reads_it(cache: DatabaseClient) -> None:
    with cache._reading() as db:
        closing = threading.Thread(target=cache.close)
        closing.start()
        closing.join(0.2)
        assert closing.is_alive()
        assert db.scalar(text("SELECT 1")) == 1
    closing.join(60)
    with pytest.raises(CacheError, match="is closed"):
        cache.get_config("a")


def test_a_reader_does_not_wait_for_a_writer(file_cache: DatabaseClient) -> None:
    file_cache.set_config("a", "before")
    with file_cache._writing() as db:
        db.add(Config(key="b", value="not yet"))
        db.flush()
        with DatabaseClient(path=file_cache.path) as other:
            assert other.get_config("a").value == "before"
            assert other.get_config("b") is None
    assert file_cache.get_config("b").value == "not yet"


def test_several_programs_may_make_one_cache_at_the_same_time(tmp_path: Path) -> None:
    def work(number: int) -> None:
        with DatabaseClient(path=tmp_path / "new.db") as client:
            client.set_config(str(number), "x")

    in_threads(4, work)
    with DatabaseClient(path=tmp_path / "new.db") as client:
        assert client.all(Config).count() == 4


def test_what_was_written_is_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "a cache.db"
    with DatabaseClient(path=str(path)) as client:
        client.load_fixtures(testing=True)
    with DatabaseClient(path=f"sqlite:///{path}") as client:
        assert client.all(Category).count() == 3
    assert [file.name for file in path.parent.iterdir()] == ["a cache.db"]


def test_a_cache_is_in_wal_mode_and_checks_foreign_keys(file_cache: DatabaseClient) -> None:
    with file_cache._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_two_caches_in_memory_are_two(cache: DatabaseClient) -> None:
    cache.set_config("a", "1")
    with DatabaseClient(path="sqlite://") as other:
        assert other.get_config("a") is None


def test_verbose_logs_the_statements(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), DatabaseClient(verbose=True) as client:
        client.set_config("a", "1")
    assert "INSERT INTO config" in caplog.text


def test_a_cache_is_bound_to_the_first_store(any_cache: DatabaseClient) -> None:
    assert any_cache.store_id is None
    any_cache.bind_store(STORE_ID)
    any_cache.bind_store(STORE_ID)
    assert any_cache.store_id == STORE_ID
    with pytest.raises(CacheMismatch, match="belongs to the store 11111111"):
        any_cache.bind_store("99999999-2222-4333-8444-555555555555")
    assert any_cache.store_id == STORE_ID


def test_a_closed_cache_says_so(cache: DatabaseClient) -> None:
    cache.close()
    cache.close()
    with pytest.raises(CacheError, match="is closed"):
        cache.all(Category)


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear Sir, " * 1000)
    with pytest.raises(CacheError, match="It is no cache, or it is damaged: move it away"):
        DatabaseClient(path=path)
    assert path.read_text() == "Dear Sir, " * 1000


def test_a_database_of_another_program_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE session (name TEXT)")
    connection.close()
    with pytest.raises(CacheError, match="It is the database of another program"):
        DatabaseClient(path=path)
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("session",)]
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()


def test_a_damaged_cache_is_told(tmp_path: Path) -> None:
    path = tmp_path / "cache.db"
    with DatabaseClient(path=path) as client:
        category_id = client.get_or_create_category("a")
        client.add_many(Reading(session_id=1, time_logged=n, category_id=category_id, value=n) for n in range(5000))
    content = bytearray(path.read_bytes())
    content[8192:] = b"\xa5" * (len(content) - 8192)
    path.write_bytes(content)
    with pytest.raises(CacheError, match="damaged"), DatabaseClient(path=path) as client:
        client.all(Reading)


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("foo://x", "no database is called 'foo'"),
        ("://", "neither a file nor a SQLAlchemy URL"),
        ("postgresql+psycopg://nobody@127.0.0.1:1/x", "Cannot"),
    ],
)
def test_a_wrong_url_is_told(path: str, sentence: str) -> None:
    with pytest.raises(CacheError, match=sentence):
        DatabaseClient(path=path)


def test_a_folder_is_no_cache(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="unable to open database file"):
        DatabaseClient(path=tmp_path)


def test_a_cache_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CacheError, match="Cannot make the cache's folder"):
        DatabaseClient(path=tmp_path / "file" / "cache.db")
