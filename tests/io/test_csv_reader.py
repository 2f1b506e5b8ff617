"""Files of comma-separated values that programs append to, rewrite, truncate and rotate: each row once, in order."""

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blitz.data.board_definition import BoardDefinition
from blitz.errors import LinkError
from blitz.io import csv_reading
from blitz.io.csv_reader import CsvReader

HEADINGS = b"n,value\n"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that writes a file anew is done when it is looked at: tests do not wait for it."""
    monkeypatch.setattr(csv_reading, "SETTLE_S", 0.0)


class Log:
    """A file, a reader of it, and what was read."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "run.csv"
        self._folder = folder / "known"
        self._folder.mkdir()
        self._state: dict[str, Any] = {}
        self.rows: list[bytes] = []
        self.definitions: list[BoardDefinition] = []
        self.warnings: list[str] = []
        self.has_headings: bool | None = None
        self.reader: CsvReader | None = None

    def open(self, position: int = 0) -> CsvReader:
        self.close()
        self.reader = CsvReader(
            self.path,
            self._folder,
            self._state,
            position,
            has_headings=self.has_headings,
            save=self._save,
            describe=self.definitions.append,
            warn=self.warnings.append,
        )
        return self.reader

    def _save(self, state: dict[str, Any]) -> None:
        self._state = state

    def take(self) -> list[bytes]:
        """Return what can be read now, and keep it as recorded."""
        reader = self.reader or self.open()
        found: list[bytes] = []
        quiet = 0
        while quiet < 3:
            rows = reader.take()
            found += rows
            quiet = 0 if rows or reader.has_more else quiet + 1
        self.rows += found
        return found

    def close(self) -> None:
        if self.reader is not None:
            self.reader.close()
            self.reader = None

    def write(self, *numbers: object, headings: bytes = HEADINGS) -> None:
        """Write the file anew, in its place."""
        self.path.write_bytes(headings + b"".join(map(row, numbers)))

    def append(self, content: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(content)


def row(number: object) -> bytes:
    return f"{number},1.5\n".encode()


def rows(*numbers: object) -> list[bytes]:
    return [row(number).rstrip() for number in numbers]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    log = Log(tmp_path)
    yield log
    log.close()


def test_rows_that_are_appended_are_read_once_and_half_a_line_when_it_is_whole(log: Log) -> None:
    log.write(1, 2)
    assert log.take() == rows(1, 2)
    log.append(b"3,1.5\n4,")
    assert log.take() == rows(3)
    log.append(b"1.5\n")
    assert log.take() == rows(4)
    assert log.take() == []
    (definition,) = log.definitions
    assert [channel.name for channel in definition.channels] == ["n", "value"]


@pytest.mark.parametrize("by_renaming", [False, True])
def test_of_a_file_that_is_written_anew_only_new_rows_come(log: Log, by_renaming: bool) -> None:
    log.write(*range(50))
    assert log.take() == rows(*range(50))

    def write(*numbers: object) -> list[bytes]:
        if by_renaming:
            new = log.path.with_name("other")
            new.write_bytes(HEADINGS + b"".join(map(row, numbers)))
            new.replace(log.path)
        else:
            log.write(*numbers)
        return log.take()

    assert write(*range(52)) == rows(50, 51)
    assert write(*range(10), "x", *range(10, 20), *range(21, 53)) == rows("x", 52)
    assert write(*range(10), "x", *range(11, 53), 53, 53) == rows(53, 53)
    assert write(*range(30)) == []
    assert write(*range(30), "y") == rows("y")
    assert write(*range(20, 50), "z") == rows("z")
    assert write(100, 101) == rows(100, 101)
    assert write(100, 101, 102) == rows(102)


def test_an_edit_that_leaves_the_file_as_long_as_it_was_is_seen(log: Log) -> None:
    log.write(*range(10, 60))
    log.take()
    log.write(*range(10, 20), 99, *range(21, 60))
    assert log.take() == rows(99)


def test_equal_rows_count_as_many_times_as_they_are_there(log: Log) -> None:
    log.write(1, 2, 2, 2)
    assert log.take() == rows(1, 2, 2, 2)
    log.write(1, 2, 1, 2, 2, 2, 2)
    assert log.take() == rows(1, 2, 2)
    log.append(row(2))
    assert log.take() == rows(2)


def test_a_rotated_file_is_read_to_its_end_before_the_new_one(log: Log) -> None:
    log.write(1, 2)
    log.take()
    log.append(row(3))
    log.path.rename(log.path.with_name("run.csv.1"))
    with log.path.with_name("run.csv.1").open("ab") as old:
        old.write(b"4,1.")
    log.write(1, 5)
    assert log.take() == [*rows(3), b"4,1.", *rows(1, 5)]


def test_a_copied_and_emptied_file_is_read_to_its_end_in_the_copy(log: Log) -> None:
    log.write(1, 2)
    log.take()
    log.append(row(3))
    shutil.copy(log.path, log.path.with_name("run-2026.csv"))
    os.truncate(log.path, 0)
    log.append(row(4) + row(5))
    assert log.take() == rows(3, 4, 5)
    log.append(row(6))
    assert log.take() == rows(6)
    assert len(log.definitions) == 1


def test_other_headings_mean_another_definition(log: Log) -> None:
    log.write(1)
    log.take()
    log.path.rename(log.path.with_name("run.csv.1"))
    log.path.write_bytes(b"n,flow [l/min],p\n7,1.5,2.5\n")
    assert log.take() == [b"7,1.5,2.5"]
    assert [(c.name, c.unit) for c in log.definitions[-1].channels] == [("n", ""), ("flow", "l/min"), ("p", "")]


def test_a_file_that_goes_and_comes_again_is_read_on(log: Log) -> None:
    log.write(1, 2)
    log.take()
    content = log.path.read_bytes()
    log.path.unlink()
    with pytest.raises(LinkError, match=r"no file .* any more"):
        log.take()
    log.path.write_bytes(content + row(3))
    assert log.take() == rows(3)


def test_what_a_removed_file_still_had_to_say_is_read(log: Log) -> None:
    log.write(1)
    log.take()
    log.append(row(2) + row(3))
    log.path.unlink()
    assert log.reader is not None
    assert log.reader.take() == rows(2, 3)


@pytest.mark.parametrize("position", [0, 3, 5])
def test_a_reader_goes_on_behind_the_rows_that_were_recorded(log: Log, position: int) -> None:
    log.write(*range(5))
    log.take()
    log.open(position)
    assert log.take() == rows(*range(position, 5))
    log.append(row(5))
    assert log.take() == rows(5)
    log.open(6)
    assert log.take() == []


def test_a_reader_finds_the_rest_of_a_file_that_was_rotated_while_there_was_none(log: Log) -> None:
    log.write(1, 2)
    log.take()
    log.close()
    log.append(row(3))
    log.path.rename(log.path.with_name("run.csv.1"))
    log.write(4)
    log.open(2)
    assert log.take() == rows(3, 4)


def test_rows_of_files_that_were_rotated_away_come_again_when_they_are_wanted(log: Log) -> None:
    reader = log.open()
    for number in range(4):
        log.write(2 * number, 2 * number + 1)
        log.take()
        log.path.rename(log.path.with_name(f"run.csv.{number}"))
    log.write(8)
    assert log.take() == rows(8)
    reader.seek(3)
    assert log.take() == rows(*range(3, 9))
    reader.seek(9)
    reader.release(9)
    assert sorted(path.name for path in reader._folder.iterdir()) == ["4.places", "4.rows"]
    log.append(row(9))
    assert log.take() == rows(9)


def test_a_large_file_is_read_in_pieces_and_gone_on_with_in_the_middle(log: Log) -> None:
    count = 200_000
    log.write(*range(count))
    assert log.take() == rows(*range(count))
    log.open(150_001)
    assert log.take() == rows(*range(150_001, count))
    log.write(*range(100_000), "x", *range(100_000, count + 1))
    assert log.take() == rows("x", count)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\xff\xfea\0,\0", "UTF-16"), (b"\x7fELF\0\0\1", "zero bytes")],
)
def test_what_is_no_table_is_said_so(log: Log, content: bytes, words: str) -> None:
    log.path.write_bytes(content)
    with pytest.raises(LinkError, match=words):
        log.take()


@pytest.mark.parametrize("turn", [*range(4), *(pytest.param(n, marks=pytest.mark.soak) for n in range(4, 400))])
def test_whatever_is_done_to_the_file_each_row_comes_once_and_in_order(log: Log, seed: int, turn: int) -> None:
    """Rows are told by their numbers; one of ten is that of the row before it."""
    chance = random.Random(seed * 1000 + turn)
    count = written = safe = 0
    held: list[bytes] = []
    wanted: list[bytes] = []
    is_read = False
    log.write()

    def fresh() -> bytes:
        nonlocal count
        count += chance.random() < 0.9
        wanted.append(row(count).rstrip())
        held.append(row(count))
        return row(count)

    done: list[tuple[int, int, int]] = []
    for _ in range(60):
        assert log.rows == wanted[: len(log.rows)], str(done[-12:])
        match operation := chance.randrange(12):
            case 0 | 1 | 2:
                log.append(b"".join(fresh() for _ in range(chance.randrange(1, 30))))
            case 3:
                line = fresh()
                log.append(line[:3])
                log.take()
                log.append(line[3:])
            case 4 if held:  # written anew, perhaps with more; by renaming or in place
                content = HEADINGS + b"".join(held) + b"".join(fresh() for _ in range(chance.randrange(5)))
                if chance.random() < 0.5:
                    log.path.write_bytes(content)
                else:
                    new = log.path.with_name("new")
                    new.write_bytes(content)
                    new.replace(log.path)
                    is_read = False
            case 5 if len(held) > 3:  # a row within is put in, or edited
                log.take()
                at = chance.randrange(1, len(held))
                count += 1  # equal to the row that goes it would be no new one
                line = fresh()
                held.pop()
                held[at : at + chance.randrange(2)] = [line]
                log.path.write_bytes(HEADINGS + b"".join(held))
                log.take()
                safe = len(log.rows)
            case 6 | 7:
                if not is_read:
                    log.take()
                is_read = False
                log.path.rename(log.path.with_name(f"run.csv.{written}"))
                written += 1
                held.clear()
                count += 1
                log.write()
            case 8 if held:
                log.take()  # of a file of which no row was read nobody can tell which is its copy
                is_read = True
                log.append(fresh())
                shutil.copy(log.path, log.path.with_name(f"run.csv.{written}"))
                written += 1
                held.clear()
                count += 1
                log.write()
                log.append(fresh())
                log.take()
            case 9 | 10 as kind if log.reader is not None:  # some of what was read is not in the store
                log.rows = log.rows[: max(len(log.rows) - chance.randrange(20), safe)]
                is_read = False
                if kind == 9:
                    log.open(len(log.rows))
                else:
                    log.reader.seek(len(log.rows))
            case _:
                log.take()
                is_read = True
        done.append((operation, len(log.rows), len(wanted)))
    log.take()
    assert log.rows == wanted
    assert not log.warnings
