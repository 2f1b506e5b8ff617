"""The file of a logger: what is in it, whatever happens to the program, and what it does not take."""

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blitz.data.file_turn import FileTurn
from blitz.data.logger_batches import LoggerBatches
from blitz.data.logger_file import LoggerFile, open_logger_file
from blitz.errors import ConfigError, LoggerFileError, PointsRefused, StreamNotFound

NUMBER = {"type": "number"}


def all_points(file: LoggerFile, stream: str = "temperature") -> list[tuple[float, Any]]:
    """Take all points out."""
    batches, points = LoggerBatches(file), []
    while (batch := batches.next(stream)) is not None:
        points += [(point["t"], point["d"]) for point in batch.points]
        batches.acknowledge(batch)
    return points


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.db"


def with_stream(file: LoggerFile) -> None:
    file.add_stream("temperature", NUMBER)


def test_points_come_out_as_they_went_in(path: Path) -> None:
    with closing(open_logger_file(path, with_stream)) as file:
        file.insert("temperature", 20.5, 1000.25)
        file.insert_many({"temperature": [{"t": 1001, "d": 21}, {"t": 1001, "d": -0.1}, {"t": 1e9 / 3, "d": 1e300}]})
        file.insert("temperature", np.float32(0.5), 4e8)
        assert file.count() == 5
    with closing(open_logger_file(path)) as file:
        expected = [(1000.25, 20.5), (1001.0, 21), (1001.0, -0.1), (1e9 / 3, 1e300), (4e8, 0.5)]
        assert all_points(file) == expected
        assert file.count() == 0


def test_values_of_any_kind_stay_what_they_are(path: Path) -> None:
    values = [None, True, "ü€\n", 2**63, [1, [2.5]], {"x": {"y": []}}, np.arange(3), (1, 2)]
    plain = [*values[:6], [0, 1, 2], [1, 2]]
    with closing(open_logger_file(path)) as file:
        file.add_stream("any", {})
        for value in values:
            file.insert("any", value, 1)
        file.insert_many({"any": ({"t": 2, "d": value} for value in values)})
        assert [d for _, d in all_points(file, "any")] == plain * 2


def test_times_never_fall_within_a_stream_also_when_all_has_left_the_file(path: Path) -> None:
    with closing(open_logger_file(path, with_stream)) as file:
        file.add_stream("other", {})
        file.insert("temperature", 1, 1000)
        file.insert("temperature", 2, 999)
        assert all_points(file) == [(1000, 1), (1000, 2)]
        file.insert("temperature", 3, 998)
        file.insert("other", 3, 998)
        assert all_points(file) == [(1000, 3)]
        assert all_points(file, "other") == [(998, 3)]
        with pytest.raises(PointsRefused, match=r"999.0, but the newest that was inserted has 1000.0"):
            file.insert_many({"temperature": [{"t": 999, "d": 1}]})
        file.insert_many({"temperature": [{"t": 5, "d": 1}, {"t": 4, "d": 2}]}, restamp=True)
        file.insert("temperature", 3, 7)
        assert all_points(file) == [(5, 1), (4, 2), (1000, 3)]


@pytest.mark.parametrize(
    ("points", "words"),
    [
        ([{"t": 1, "d": 1}, {"t": 2, "d": "warm"}], r"Point 1: 'warm' is not of type 'number'"),
        ([{"t": 2, "d": 1}, {"t": 1, "d": 2}], r"Point 1 has the time 1"),
        ([{"t": 2, "d": float("nan")}], "Point 0 "),
        ([{"t": float("inf"), "d": 1}], "Point 0 "),
        ([{"t": 10**400, "d": 1}], "Point 0 "),
        ([{"t": "now", "d": 1}], "Point 0 "),
        ([{"t": True, "d": 1}], "Point 0 "),
        ([{"d": 1}], "Point 0 "),
        ([{"t": 1}], "Point 0 "),
        ([7], "Point 0 "),
    ],
)
def test_of_many_points_one_that_is_wrong_keeps_all_out(path: Path, points: list[Any], words: str) -> None:
    with closing(open_logger_file(path, with_stream)) as file:
        file.add_stream("good", {})
        with pytest.raises(PointsRefused, match=f"Stream 'temperature': {words}"):
            file.insert_many({"good": [{"t": 1, "d": 1}], "temperature": points})
        with pytest.raises(PointsRefused, match="5 is no list of points"):
            file.insert_many({"temperature": 5})  # type: ignore[dict-item]
        with pytest.raises(StreamNotFound, match="no stream 'humidity'"):
            file.insert_many({"good": [{"t": 1, "d": 1}], "humidity": []})
        assert file.count() == 0
        file.insert_many({"good": [], "temperature": iter([])})
        assert file.count() == 0


def test_a_value_that_a_stream_does_not_take_is_refused_at_once(path: Path) -> None:
    with closing(open_logger_file(path, with_stream)) as file:
        for value in ("warm", True, None, float("nan"), object(), b"x"):
            with pytest.raises(PointsRefused, match="Stream 'temperature': "):
                file.insert("temperature", value, 1)
        with pytest.raises(StreamNotFound):
            file.insert("humidity", 1, 1)
        with pytest.raises(ConfigError, match="schema cannot be used"):
            file.add_stream("humidity", {"type": "wet"})
        with pytest.raises(ConfigError, match="no / or"):
            file.add_stream("a/b", {})
        assert (file.count(), file.has_stream("humidity"), file.has_stream("temperature")) == (0, False, True)


def test_another_schema_holds_from_then_on(path: Path) -> None:
    with closing(open_logger_file(path, with_stream)) as file:
        file.insert("temperature", 1, 1)
        file.add_stream("temperature", {"type": "string"})
        file.insert("temperature", "warm", 1)
        assert file.streams() == {"temperature": {"type": "string"}}
        assert file.count() == 2


def test_settings_are_kept_and_must_be_json(path: Path) -> None:
    with closing(open_logger_file(path)) as file:
        file.keep("data", {"hi": [56]})
        for value in (object(), float("nan"), {1, 2}):
            with pytest.raises(ConfigError, match="cannot be kept"):
                file.keep("data", value)
    with closing(open_logger_file(path)) as file:
        assert file.setting("data") == {"hi": [56]}
        assert file.setting("more", 7) == 7


def test_a_file_that_could_not_be_filled_is_none(path: Path) -> None:
    def fill(file: LoggerFile) -> None:
        with_stream(file)
        file.insert("temperature", 1, 1)
        raise OSError("no wire")

    with pytest.raises(OSError, match="no wire"):
        open_logger_file(path, fill)
    assert not list(path.parent.iterdir())
    with closing(open_logger_file(path, with_stream)) as file:
        assert file.streams()
    assert [entry.name for entry in path.parent.iterdir()] == ["cache.db"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with closing(open_logger_file(path, fill)) as file:  # once only
        assert file.count() == 0


KILLED_WHILE_FILLING = """
import os, signal, sys
from blitz.data.logger_file import open_logger_file
def fill(file):
    file.add_stream("temperature", {})
    file.insert("temperature", 1, 1)
    os.kill(os.getpid(), signal.SIGKILL)
open_logger_file(sys.argv[1], fill)
"""


def test_a_program_killed_while_it_made_the_file_leaves_none_and_the_next_makes_it(path: Path) -> None:
    assert subprocess.run([sys.executable, "-c", KILLED_WHILE_FILLING, str(path)]).returncode == -9
    assert not path.exists()
    with closing(open_logger_file(path, with_stream)) as file:
        assert (file.count(), list(file.streams())) == (0, ["temperature"])
    assert [entry.name for entry in path.parent.iterdir()] == ["cache.db"]


MAKER = """
import sys
from blitz.data.logger_file import open_logger_file
def fill(file):
    file.add_stream("temperature", {})
    file.insert("temperature", "made", 1)
file = open_logger_file(sys.argv[1], fill)
for n in range(100):
    file.insert("temperature", int(sys.argv[2]) + n, 1)
"""


def test_several_programs_make_and_use_one_file(path: Path) -> None:
    programs = [subprocess.Popen([sys.executable, "-c", MAKER, str(path), str(100 * n)]) for n in range(3)]
    assert [program.wait(60) for program in programs] == [0, 0, 0]
    with closing(open_logger_file(path)) as file:
        values = [d for _, d in all_points(file)]
    assert values[0] == "made"
    assert sorted(values[1:]) == list(range(300))


def test_threads_insert_into_one_file(path: Path) -> None:
    with closing(open_logger_file(path, with_stream)) as file:

        def insert(begin: int) -> None:
            for n in range(0, 100, 2):
                file.insert("temperature", begin + n, 1)
                file.insert_many({"temperature": [{"t": 1, "d": begin + n + 1}]})

        threads = [threading.Thread(target=insert, args=(100 * n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(d for _, d in all_points(file)) == list(range(400))


def test_a_process_that_forked_goes_on_with_the_file(path: Path) -> None:
    script = f"""
import os
from blitz.data.logger_file import open_logger_file
file = open_logger_file({str(path)!r}, lambda file: file.add_stream("temperature", {{}}))
file.insert("temperature", "before", 1)
with file.reading():  # as a thread of the parent might, whom the child does not have
    child = os.fork()
if not child:
    file.insert("temperature", "child", 1)
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
file.insert("temperature", "parent", 1)
file.close()
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
    with closing(open_logger_file(path)) as file:
        assert [d for _, d in all_points(file)] == ["before", "child", "parent"]


def test_what_is_no_loggers_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    text, other, newer = tmp_path / "text.db", tmp_path / "other.db", tmp_path / "newer.db"
    text.write_text("not a database, but long enough to look like one " * 20)
    with closing(sqlite3.connect(other)) as db:
        db.execute("CREATE TABLE mine (x)")
    open_logger_file(newer).close()
    with closing(sqlite3.connect(newer)) as db:
        db.execute("PRAGMA user_version=99")
    for path, words in (
        (text, "not a database"),
        (other, "no logger's file"),
        (newer, "newer Blitz"),
        (tmp_path / "missing" / "cache.db", "Cannot make"),
        (tmp_path, "unable to open"),
    ):
        with pytest.raises(LoggerFileError, match=words):
            open_logger_file(path)
    assert text.read_text().startswith("not a database")


def test_a_closed_file_says_so(path: Path) -> None:
    file = open_logger_file(path, with_stream)
    file.close()
    file.close()
    with pytest.raises(LoggerFileError, match="is closed"):
        file.insert("temperature", 1, 1)


def test_a_copy_numbers_its_batches_under_another_name_and_a_moved_file_does_not(path: Path) -> None:
    with closing(open_logger_file(path)) as file:
        writer = file.setting("writer")
    moved = path.rename(path.with_name("moved.db"))
    with closing(open_logger_file(moved)) as file:
        assert file.setting("writer") == writer
    shutil.copy(moved, path)
    with closing(open_logger_file(path)) as file:
        assert file.setting("writer") != writer
    with closing(open_logger_file(moved)) as file:
        assert file.setting("writer") == writer


def test_only_one_program_has_the_turn(tmp_path: Path) -> None:
    order: list[str] = []
    turn = tmp_path / "turn"

    def wait() -> None:
        with FileTurn(turn):
            order.append("second")

    with FileTurn(turn):
        thread = threading.Thread(target=wait)
        thread.start()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert not turn.exists()


def test_what_the_insert_says_is_in_the_file_is_there_before_it_returns(path: Path) -> None:
    """The file is copied as a power failure would leave it at once: without what the program has not written."""
    with closing(open_logger_file(path, with_stream)) as file:
        with file.reading() as db:
            assert db.execute("PRAGMA synchronous").fetchone()[0] == 2
            assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        file.insert("temperature", 7, 1)
        after = path.parent / "after"
        after.mkdir()
        for entry in path.parent.glob("cache.db*"):
            if entry.name != "cache.db-shm":
                shutil.copy(entry, after)
    with closing(open_logger_file(after / "cache.db")) as file:
        assert all_points(file) == [(1, 7)]


def test_the_newest_time_is_told_apart_by_streams_in_one_call(path: Path) -> None:
    with closing(open_logger_file(path, with_stream)) as file:
        file.add_stream("other", {})
        many = [{"t": n, "d": n} for n in range(2500)]
        file.insert_many({"temperature": many, "other": many[:1]})
        assert file.count() == 2501
        file.clear()
        assert file.count() == 0
        file.insert_many({"temperature": many})  # nothing of it was sent
        assert all_points(file) == [(n, n) for n in range(2500)]


def test_the_file_holds_what_a_person_can_read(path: Path) -> None:
    with closing(open_logger_file(path, with_stream)) as file:
        file.insert("temperature", 20.5, 1000)
    with closing(sqlite3.connect(path)) as db:
        row = db.execute("SELECT name, t, content FROM points JOIN stream ON stream.id = stream_id").fetchone()
    assert (row[0], row[1], json.loads(row[2])) == ("temperature", 1000.0, 20.5)
    assert os.path.getsize(path) < 100_000


def test_a_full_disk_is_told_and_takes_nothing_that_was_inserted(path: Path) -> None:
    with closing(open_logger_file(path, with_stream)) as file:
        with file.reading() as db:
            pages = db.execute("PRAGMA page_count").fetchone()[0]
            db.execute(f"PRAGMA max_page_count={pages + 3}")
        inserted = 0

        def insert_on() -> None:
            nonlocal inserted
            while True:
                file.insert("temperature", inserted, 1)
                inserted += 1

        with pytest.raises(LoggerFileError, match="full"):
            insert_on()
        with pytest.raises(LoggerFileError, match=r"full\. Free some space"):
            file.insert_many({"temperature": [{"t": 2, "d": n} for n in range(5000)]})
        with file.reading() as db:
            db.execute("PRAGMA max_page_count=100000")
        file.insert("temperature", inserted, 1)
        assert [d for _, d in all_points(file)] == list(range(inserted + 1))
        assert inserted > 10


@pytest.mark.parametrize("name", ["with space.db", "a#b?c=%41.db", "ü.db"])
def test_a_file_may_have_any_name(tmp_path: Path, name: str) -> None:
    with closing(open_logger_file(str(tmp_path / name), with_stream)) as file:
        file.insert("temperature", 1, 1)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
