"""An open CSV file as a link: woken by the system or looking now and then, read again where rows could not be taken."""

import errno
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection
from waiting import wait_until

from blitz.data.board_definition import BoardDefinition
from blitz.data.source_config import SourceConfig
from blitz.errors import CommandRefused, ConfigError, LinkError
from blitz.io import file_watch
from blitz.io.csv_kind import CsvKind
from blitz.io.csv_link import CsvLink
from blitz.io.file_watch import FileWatch

LONG_S = 30.0


class Context:
    """What a server gives a source, in memory."""

    def __init__(self, folder: Path) -> None:
        self.data_dir = folder
        self.position: int | None = None
        self.session_id: int | None = None
        self.notices: list[str] = []
        self.definitions: list[BoardDefinition] = []

    def transaction(self) -> AbstractContextManager[Connection]:
        raise NotImplementedError

    def is_leaving(self) -> bool:
        return False

    def notice(self, severity: str, text: str) -> None:
        self.notices.append(text)

    def describe(self, definition: BoardDefinition) -> None:
        self.definitions.append(definition)


class Kept:
    """What is known of a file, in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state: dict[str, Any] = {}

    def load(self) -> Mapping[str, Any]:
        self.folder.mkdir(exist_ok=True)
        return self.state

    def save(self, state: Mapping[str, Any]) -> None:
        self.state = dict(state)


class File:
    """A file and its link."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "run.csv"
        self.path.write_text("n,value\n1,1.5\n2,1.5\n")
        self.context = Context(folder)
        self.kept = Kept(folder / "known")
        self.watch = FileWatch()
        self.links: list[CsvLink] = []

    def open(self, *, interval_s: float = LONG_S, only_new: bool = False) -> CsvLink:
        link = CsvLink(
            self.path,
            self.context,
            self.kept,
            self.watch,
            only_new=only_new,
            has_headings=None,
            interval_s=interval_s,
            size=self.path.stat().st_size,
        )
        self.links.append(link)
        return link

    def append(self, *numbers: int) -> None:
        with self.path.open("a") as file:
            file.writelines(f"{number},1.5\n" for number in numbers)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[File]:
    file = File(tmp_path)
    yield file
    for link in file.links:
        link.close()
    assert not [thread for thread in threading.enumerate() if "Observer" in type(thread).__name__]


def read(link: CsvLink, wait_s: float = LONG_S) -> list[bytes]:
    """Return the next rows."""
    return link.read(wait_s).split(b"\0")[:-1]


def rows(*numbers: int) -> list[bytes]:
    return [b"%d,1.5" % number for number in numbers]


def test_a_change_is_seen_when_the_system_tells_of_it(file: File) -> None:
    link = file.open()
    assert read(link) == rows(1, 2)
    for number in range(3, 8):
        timer = threading.Timer(0.05, file.append, [number])
        timer.start()
        assert read(link) == rows(number)  # the link itself looks in half a minute only
        timer.join()


def test_one_observer_watches_all_files_and_ends_with_the_last(file: File) -> None:
    links = [file.open() for _ in range(3)]
    assert [read(link) for link in links[:1]] == [rows(1, 2)]
    for link in links:
        link.close()
    wait_until(lambda: not [thread for thread in threading.enumerate() if "Inotify" in type(thread).__name__])


def test_what_cannot_be_watched_is_looked_at_now_and_then(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    from watchdog.observers import Observer

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "inotify watch limit reached")

    monkeypatch.setattr(Observer, "schedule", refuse)
    warnings: list[object] = []
    monkeypatch.setattr(file_watch.log, "warning", lambda *words: warnings.append(words[0]))
    link = file.open(interval_s=0.05)
    file.open().close()
    assert read(link) == rows(1, 2)
    file.append(3)
    assert read(link) == rows(3)
    assert len(warnings) == 1


def test_waking_ends_a_wait(file: File) -> None:
    link = file.open()
    read(link)
    timer = threading.Timer(0.05, link.wake)
    timer.start()
    assert link.read(LONG_S) == b""
    timer.join()


def test_rows_that_were_shown_come_again_for_the_session(file: File) -> None:
    link = file.open()
    link.begin(None)
    assert read(link) == rows(1, 2)
    link.delivered(2, None)
    link.begin(7)
    assert (link.position, read(link)) == (0, rows(1, 2))
    link.delivered(2, 7)
    file.append(3)
    assert read(link) == rows(3)
    link.delivered(1, 7)
    link.begin(None)
    link.begin(8)
    file.append(4)
    assert (link.position, read(link)) == (3, rows(4))


def test_rows_that_could_not_be_taken_come_again(file: File) -> None:
    file.context.session_id = 7
    link = file.open()
    link.begin(7)
    assert read(link) == rows(1, 2)
    link.delivered(1, 7)
    link.rewind()
    assert read(link) == rows(2)
    link.begin(None)
    link.begin(None)
    file.append(3)
    assert read(link) == rows(3)
    link.rewind()
    assert read(link) == rows(3)


def test_new_rows_are_those_that_come_while_a_session_runs(file: File) -> None:
    link = file.open(only_new=True)
    file.append(3)
    link.begin(None)
    assert read(link) == rows(3)
    link.delivered(1, None)
    link.begin(7)
    assert link.position == 3
    file.append(4)
    assert read(link) == rows(4)
    link.close()
    file.context.position, file.context.session_id = 3, 7
    assert read(file.open(only_new=True)) == rows(4)


def test_a_row_that_is_too_long_comes_as_a_bad_frame(file: File) -> None:
    link = file.open()
    read(link)
    with file.path.open("ab") as content:
        content.write(b"x" * 200_000 + b"\n3,1.5\n")
    found: list[bytes] = []
    while len(found) < 2:
        found += read(link)
    assert sorted(map(len, found)) == [5, (1 << 17) + 1]


def test_a_file_takes_no_commands_and_is_named_by_its_whole_path(file: File, tmp_path: Path) -> None:
    with pytest.raises(CommandRefused, match="takes no commands"):
        file.open().write(b"1")
    kind = CsvKind()
    checked = kind.check(SourceConfig(name="run", link=f"csv:{file.path}"))
    assert checked.options == {"rows": "missing", "headings": "auto"}
    assert kind.check(checked) == checked
    with pytest.raises(ConfigError, match="give its whole path"):
        kind.check(SourceConfig(name="run", link="csv:run.csv"))
    with pytest.raises(ConfigError, match="over the network only files in the server's folder"):
        kind.check_remote(checked, tmp_path / "data")
    inside = tmp_path / "data" / "files" / "run.csv"
    kind.check_remote(SourceConfig(name="run", link=f"csv:{inside}"), tmp_path / "data")
    with pytest.raises(ConfigError, match="over the network only"):
        kind.check_remote(SourceConfig(name="run", link=f"csv:{inside}/../../../run.csv"), tmp_path / "data")


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir(), lambda path: path.write_bytes(b"\0\1")])
def test_what_cannot_be_read_is_said_in_a_sentence(tmp_path: Path, make: Callable[[Path], object]) -> None:
    path = tmp_path / "run.csv"
    make(path)
    with pytest.raises(LinkError, match=r"There is no file|is no file|is no table") as caught:
        CsvKind().open(SourceConfig(name="run", link=f"csv:{path}"), Context(tmp_path))
    assert str(path) in str(caught.value)
