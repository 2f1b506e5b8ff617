"""CSV files as sources on a real server: shown, recorded, each row once, whatever becomes of file and server."""

import contextlib
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import wait_until

import blitz
from blitz.data.records import BoardRecord, LinkState
from blitz.data.source_config import SourceConfig
from blitz.errors import BlitzError

HEADINGS = "time [s],flow [l/min]\n"


@pytest.fixture
def server(run_server: Callable[..., Any]) -> Iterator[Any]:
    server = run_server("--durability", "none")
    yield server
    server.end()


@pytest.fixture
def client(server: Any) -> Iterator[blitz.Client]:
    with contextlib.closing(blitz.Client(server.url, timeout=60)) as client:
        yield client


class Table:
    """A file that a program writes, and what its rows are."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[bytes] = []
        self.path.write_text(HEADINGS)

    def append(self, count: int = 1) -> None:
        with self.path.open("a") as file:
            for _ in range(count):
                line = f"{len(self.rows)},{len(self.rows) % 7}.5"
                self.rows.append(line.encode())
                file.write(line + "\n")


@pytest.fixture
def table(tmp_path: Path) -> Table:
    return Table(tmp_path / "run.csv")


def add(client: blitz.Client, table: Table, **options: str) -> None:
    client.add_source(SourceConfig(name="run", link=f"csv:{table.path}", options=options))


def board(client: blitz.Client) -> BoardRecord:
    return next(record for record in client.boards() if record.name == "run")


def messages(client: blitz.Client, session_id: int) -> list[bytes]:
    return list(client.messages(session_id, 0, client.session(session_id).message_count).messages())


def wait_for(client: blitz.Client, count: int) -> None:
    def has_come() -> bool:
        session = client.status().session
        return session is not None and session.message_count >= count

    wait_until(has_come)


def test_rows_go_into_the_session_that_runs_with_those_that_came_before(client: blitz.Client, table: Table) -> None:
    table.append(3)
    add(client, table)
    wait_until(lambda: board(client).message_count == 3)  # shown
    first = client.start("first")
    wait_for(client, 3)
    table.append(2)
    wait_for(client, 5)
    record = client.stop()
    assert record.verdict == "no gaps, nothing lost, account balances"
    assert messages(client, first.id) == table.rows
    (source,) = client.session(first.id).sources
    assert source.definition is not None
    assert source.definition.clock is not None
    assert [(channel.name, channel.unit) for channel in source.definition.channels] == [("flow", "l/min")]
    shown = board(client).message_count
    table.append(4)
    wait_until(lambda: board(client).message_count == shown + 4)
    second = client.start("second")
    wait_for(client, 4)
    client.stop()
    assert messages(client, second.id) == table.rows[5:]
    third = client.start("third")
    table.append()
    wait_for(client, 1)
    client.stop()
    assert messages(client, third.id) == table.rows[9:]


def test_where_only_new_rows_are_wanted_those_are_recorded_that_come_while_a_session_runs(
    server: Any, client: blitz.Client, table: Table
) -> None:
    table.append(3)
    add(client, table, rows="new")
    table.append()
    wait_until(lambda: board(client).message_count == 1)
    session = client.start("run")
    table.append(2)
    wait_for(client, 2)
    server.kill()
    table.append(2)
    server.start()
    with contextlib.closing(blitz.Client(server.url, timeout=60)) as after:
        wait_for(after, 4)
        after.stop()
        assert messages(after, session.id) == table.rows[4:]


def test_a_file_that_goes_is_waited_for_and_read_on(client: blitz.Client, table: Table) -> None:
    table.append(2)
    add(client, table)
    session = client.start("run")
    wait_for(client, 2)
    aside = table.path.with_name("aside")
    table.path.rename(aside)
    wait_until(lambda: board(client).state is LinkState.AWAY)
    assert "There is no file" in (board(client).error or "")
    aside.rename(table.path)
    table.append(2)
    wait_for(client, 4)
    client.stop()
    assert messages(client, session.id) == table.rows


def test_what_is_no_table_is_refused_and_leaves_no_trace(server: Any, client: blitz.Client, tmp_path: Path) -> None:
    binary = tmp_path / "program.csv"
    binary.write_bytes(b"\x7fELF\0\0")
    secret = tmp_path / "secret.csv"
    secret.write_text("1,2\n")
    words = {
        binary: "holds zero bytes",
        tmp_path / "nothing.csv": "There is no file",
        tmp_path: "is no file",
    }
    for path, sentence in words.items():
        with pytest.raises(BlitzError, match=sentence):
            client.add_source(SourceConfig(name="run", link=f"csv:{path}"))
    for link, options in (("csv:run.csv", {}), (f"csv:{secret}", {"rows": "all"}), (f"csv:{secret}", {"row": "new"})):
        with pytest.raises(BlitzError, match=r"whole path|There are rows: missing or new"):
            client.add_source(SourceConfig(name="run", link=link, options=options))
    assert client.sources() == []
    assert not (server.data_dir / "csv").exists()


def test_a_deleted_source_leaves_nothing_and_begins_anew(server: Any, client: blitz.Client, table: Table) -> None:
    table.append(2)
    for _ in range(2):
        add(client, table)
        session = client.start("run")
        wait_for(client, 2)
        client.stop()
        assert messages(client, session.id) == table.rows
        client.delete_source("run")
        assert list((server.data_dir / "csv").iterdir()) == []


def test_another_name_of_a_file_is_the_same_file(client: blitz.Client, table: Table) -> None:
    add(client, table)
    other = table.path.with_name("other.csv")
    other.symlink_to(table.path)
    with pytest.raises(BlitzError, match="'run' already"):
        client.add_source(SourceConfig(name="other", link=f"csv:{other}"))


@pytest.mark.parametrize("turn", [0, *(pytest.param(turn, marks=pytest.mark.soak) for turn in range(1, 40))])
def test_each_row_is_recorded_once_whatever_is_done_to_file_session_and_server(
    server: Any, table: Table, seed: int, turn: int
) -> None:
    """Rows are all different; what is written, moved and killed is drawn by the seed."""
    chance = random.Random(seed * 100 + turn)
    held, is_settled, was_emptied = 0, True, False
    client = blitz.Client(server.url, timeout=60)
    sessions: list[int] = []

    def settle() -> None:
        """Let a session run, and wait until the last row is in one."""
        if client.status().session is None:
            sessions.append(client.start("run").id)
        wait_until(lambda: last_message(client, sessions) == table.rows[-1])

    try:
        table.append(3)
        add(client, table)
        for step in range(9):
            match chance.randrange(8):
                case 0 | 1:
                    table.append(chance.randrange(1, 200))
                case 2:
                    table.append(50)
                    server.kill()
                    table.append(50)
                    client.close()
                    server.start()
                    client = blitz.Client(server.url, timeout=60)
                case 3 if client.status().session is not None:
                    client.stop()
                case 3 | 4 if client.status().session is None:
                    sessions.append(client.start("run").id)
                case 5:
                    if not is_settled:  # a file that was there for a moment only, nobody has seen
                        settle()
                    is_settled = was_emptied = False
                    table.append(20)
                    table.path.rename(table.path.with_name(f"run.csv.{step}"))
                    table.path.write_text(HEADINGS)
                    held = len(table.rows)
                    table.append(20)
                case 6 if is_settled or not was_emptied:
                    table.append(3)
                    new = table.path.with_name("new")
                    new.write_bytes(HEADINGS.encode() + b"".join(row + b"\n" for row in table.rows[held:]))
                    new.replace(table.path) if chance.random() < 0.5 else shutil.copyfile(new, table.path)
                    is_settled = False
                case 7:
                    settle()
                    is_settled, was_emptied = False, True
                    table.append(20)
                    shutil.copy(table.path, table.path.with_name(f"run.csv.{step}"))
                    os.truncate(table.path, 0)
                    held = len(table.rows)
                    table.append(20)
        settle()
        client.stop()
        assert [row for session_id in sessions for row in messages(client, session_id)] == table.rows
        assert "are missing" not in server.log_path.read_text()
    finally:
        client.close()


def last_message(client: blitz.Client, sessions: list[int]) -> bytes | None:
    """Return the newest message of all sessions."""
    for session_id in reversed(sessions):
        if count := client.session(session_id).message_count:
            return next(iter(client.messages(session_id, count - 1, 1).messages()))
    return None
