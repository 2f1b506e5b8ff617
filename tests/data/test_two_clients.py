"""Two programs with one cache file: each ends with the right data, or with one sentence that says what happened."""

import asyncio
import contextlib
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from blitz.data.blocks import MessageBlock
from blitz.data.database_client import DatabaseClient
from blitz.data.models import SessionCopy, StoredBlock

CACHES = Path(__file__).parents[2] / "fixtures" / "caches"
ROUNDS = (7, 8)
MESSAGES = 18_000
RUN = 1500

_BEGIN = """
import asyncio, importlib.util, sys
from pathlib import Path
from blitz.data.database_client import DatabaseClient
from blitz.errors import BlitzError

spec = importlib.util.spec_from_file_location("examples", {conftest!r})
examples = importlib.util.module_from_spec(spec)
spec.loader.exec_module(examples)

def say(text):
    print(text, flush=True)

def wait_for_go():
    say("ready")
    assert sys.stdin.readline() == "go\\n"

path = Path({path!r})
"""

_DOWNLOAD = """
from blitz.data.sync import download

async def bring(cache, session):
    async def fetch(first, count):
        await asyncio.sleep(0)
        return [session.block(first, min(count, {run}))]
    await download(session.record, fetch, cache)

with DatabaseClient(path=path) as cache:
    for number in {rounds}:
        session = examples.ExampleSession({messages}, session_id=number)
        wait_for_go()
        try:
            asyncio.run(bring(cache, session))
            say("done")
        except BlitzError as error:
            say(f"{{type(error).__name__}}: {{error}}")
"""

_READ = """
from blitz.data.export import export_csv

def pause(*progress):
    global paused
    if not paused:
        paused = True
        wait_for_go()

def read_on(cache):
    blocks = cache.session_blocks(7)
    next(blocks)
    pause()
    list(blocks)

for work in (read_on, lambda cache: export_csv(cache, 7, path.with_name("out.csv"), progress=pause)):
    paused = False
    wait_for_go()
    try:
        with DatabaseClient(path=path) as cache:
            work(cache)
        say("done")
    except BlitzError as error:
        say(f"{type(error).__name__}: {error}")
"""

_MIGRATE = """
from alembic import op

create_index = op.create_index

def halt(*arguments, **options):
    wait_for_go()
    create_index(*arguments, **options)

if {is_halting}:
    op.create_index = halt
else:
    wait_for_go()
with DatabaseClient(path=path) as cache:
    say(str(len(cache.get_session_readings(7))))
"""


class Program:
    """Another program that uses the cache; it says ``ready`` and waits where the script says ``wait_for_go()``."""

    def __init__(self, script: str, path: Path) -> None:
        begin = _BEGIN.format(conftest=str(Path(__file__).with_name("conftest.py")), path=str(path))
        self.process = subprocess.Popen(
            [sys.executable, "-c", begin + script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def line(self) -> str:
        """Return the next line that it says."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def go(self) -> None:
        """Let it go on."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        """As the kernel would."""
        self.process.kill()
        self.process.wait(60)


@pytest.fixture
def start() -> Iterator[Callable[..., Program]]:
    """Start another program."""
    with contextlib.ExitStack() as programs:

        def run(script: str, path: Path) -> Program:
            program = Program(script, path)
            programs.callback(_end, program.process)
            return program

        yield run


def _end(process: "subprocess.Popen[str]") -> None:
    with process:
        process.kill()


def whole(cache: DatabaseClient, session_id: int = 7) -> str:
    return MessageBlock.concatenate(list(cache.session_blocks(session_id))).checksum


def test_two_programs_download_the_same_sessions_at_once(
    tmp_path: Path, start: Callable[..., Program], example: Callable[..., Any]
) -> None:
    path = tmp_path / "cache.db"
    script = _DOWNLOAD.format(rounds=ROUNDS, messages=MESSAGES, run=RUN)
    programs = [start(script, path) for _ in range(2)]
    for _ in ROUNDS:
        assert [program.line() for program in programs] == ["ready", "ready"]
        for program in programs:
            program.go()
        assert [program.line() for program in programs] == ["done", "done"]
    with DatabaseClient(path=path) as cache:
        for number in ROUNDS:
            assert whole(cache, number) == example(MESSAGES, session_id=number).block(0, MESSAGES).checksum
            assert cache.session_record(number).message_count == MESSAGES
        assert [copy.is_whole for copy in cache.all(SessionCopy)] == [True] * len(ROUNDS)
        assert sum(row.count for row in cache.all(StoredBlock)) == MESSAGES * len(ROUNDS)


def test_a_session_that_another_program_deletes_is_told_in_a_sentence(
    tmp_path: Path, start: Callable[..., Program], example: Callable[..., Any]
) -> None:
    path = tmp_path / "cache.db"
    (tmp_path / "out.csv").write_text("what was exported before")
    with DatabaseClient(path=path) as cache:
        example(40_000).fill(cache)
        program = start(_READ, path)
        for _ in range(2):
            assert program.line() == "ready"
            program.go()
            assert program.line() == "ready"
            cache.clear_session_data(7)
            program.go()
            assert program.line() == ("CacheError: Session 7 was deleted or downloaded anew meanwhile. Open it again.")
            example(40_000).fill(cache)
        assert whole(cache) == example(40_000).block(0, 40_000).checksum
    assert sorted(file.name for file in tmp_path.iterdir() if "overview" not in file.name) == ["cache.db", "out.csv"]
    assert (tmp_path / "out.csv").read_text() == "what was exported before"


def test_a_download_into_a_session_that_another_program_deletes_is_told(
    tmp_path: Path, example: Callable[..., Any]
) -> None:
    from blitz.data.sync import download
    from blitz.errors import CacheError

    session = example(3000)
    with DatabaseClient(path=tmp_path / "cache.db") as cache, DatabaseClient(path=tmp_path / "cache.db") as other:

        async def fetch(first: int, count: int) -> list[MessageBlock]:
            if first == 1000:
                other.delete_session(7)
            return [session.block(first, min(count, 1000))]

        with pytest.raises(CacheError, match="No download of session 7 is under way, or another program ended it"):
            asyncio.run(download(session.record, fetch, cache))
        session.fill(cache)
        assert whole(other) == session.block(0, 3000).checksum


def test_several_programs_open_a_cache_of_an_earlier_version_at_once(
    tmp_path: Path, start: Callable[..., Program]
) -> None:
    path = tmp_path / "cache.db"
    shutil.copy(CACHES / "v0.3.0.db", path)
    programs = [start(_MIGRATE.format(is_halting=False), path) for _ in range(2)]
    assert [program.line() for program in programs] == ["ready"] * 2
    for program in programs:
        program.go()
    assert [program.line() for program in programs] == ["600"] * 2


def test_a_migration_that_is_killed_leaves_the_old_cache_to_the_one_who_waits(
    tmp_path: Path, start: Callable[..., Program]
) -> None:
    path = tmp_path / "cache.db"
    shutil.copy(CACHES / "v0.3.0.db", path)
    program = start(_MIGRATE.format(is_halting=True), path)
    assert program.line() == "ready"
    lengths: list[int] = []

    def wait_and_read() -> None:
        with DatabaseClient(path=path) as cache:
            lengths.append(len(cache.get_session_readings(7)))

    waiting = threading.Thread(target=wait_and_read)
    waiting.start()
    # What the migration has done so far is nobody else's business.
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]
    assert "is_gone" not in [row[1] for row in connection.execute("PRAGMA table_info(session)")]
    assert connection.execute("SELECT count(*) FROM session").fetchall() == [(4,)]
    connection.close()
    program.kill()
    waiting.join(60)
    assert lengths == [600]
