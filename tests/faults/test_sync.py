"""Downloads that are cut at random points: the old copy stands until the new one is whole, which is the server's.

A line between client and server counts bytes. At a random one of them the server is killed, or the client, the line is
cut in the middle of whatever it carries, or a byte is turned over. ``--hypothesis-seed=…`` repeats the points of a run.
"""

import asyncio
import contextlib
import logging
import os
import random
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import blitz
from blitz.data.blocks import GRID_MESSAGES, Read
from blitz.data.database_client import DatabaseClient
from blitz.data.database_server import DatabaseServer
from blitz.data.models import Session
from blitz.errors import BlitzError
from blitz.io.redis_child import RedisChild

log = logging.getLogger(__name__)

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

ROUNDS = int(os.environ.get("SYNC_ROUNDS") or (200 if os.environ.get("BLITZ_SOAK") else 6))
FAULTS = ("cut", "flip", "client killed", "cut", "flip", "server killed")
MESSAGES = 9 * GRID_MESSAGES + 123
OLD_MESSAGES = GRID_MESSAGES + 77
HEAD_BYTES = 30_000
"""What comes before the first block: the status, the session's record."""
LONGEST_BYTES = 32

_DOWNLOADING_PROGRAM = """
import sys, blitz
from blitz.data.database_client import DatabaseClient
with blitz.Client(sys.argv[1]) as client, DatabaseClient(path=sys.argv[2]) as cache:
    client.download(int(sys.argv[3]), cache)
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Bench:
    """A server that has one session, and what it has to be."""

    def __init__(self, server: Any, session_id: int, messages: list[bytes]) -> None:
        self.server = server
        self.session_id = session_id
        self.messages = messages
        self._killing = threading.Lock()

    async def kill_server(self) -> None:
        await asyncio.to_thread(self._kill)

    def _kill(self) -> None:
        with self._killing:
            self.server.kill()

    def revive_server(self) -> None:
        """Start it again if it was killed."""
        with self._killing:
            if self.server.process.poll() is not None:
                self.server.start()

    async def download(self, url: str, path: Path) -> None:
        async with blitz.AsyncClient(url, timeout=5) as client:
            with DatabaseClient(path=path) as cache:
                await client.download(self.session_id, cache)

    def is_whole(self, path: Path) -> bool:
        with DatabaseClient(path=path) as cache:
            row = cache.get(Session, {"ref_id": self.session_id})
        assert row is not None
        return row.available

    def check_copy(self, path: Path, count: int) -> None:
        with DatabaseClient(path=path) as cache:
            found = [message for block in cache.session_blocks(self.session_id) for message in block.messages()]
        assert found == self.messages[:count]


@pytest.fixture(scope="module")
def bench(run_server: Callable[..., Any], seed: int) -> Bench:
    server = run_server("--durability", "none")
    assert server.stop() == 0
    chance = random.Random(seed)
    messages = [chance.randbytes(chance.randrange(LONGEST_BYTES)) for _ in range(MESSAGES)]
    with RedisChild(server.data_dir, "none") as child:
        store = DatabaseServer(child.url)
        session_id = store.start_session("to be cut")
        writer = store.writer(session_id)
        for first in range(0, MESSAGES, 1000):
            writer.append([Read(time.time_ns(), 0, messages[first : first + 1000])])
        writer.close()
        store.stop_session()
        store.close()
    return Bench(server.start(), session_id, messages)


@pytest.fixture(scope="module")
def old_cache(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with a copy of the session from when it was shorter."""
    path = tmp_path_factory.mktemp("old") / "cache.db"
    with blitz.Client(bench.server.url) as client, DatabaseClient(path=path) as cache:
        cache.bind_store(client.status().store_id)
        record = client.session(bench.session_id).model_copy(update={"message_count": OLD_MESSAGES})
        cache.begin_download(record)
        cache.store_block(record.id, client.messages(record.id, 0, OLD_MESSAGES))
        cache.finish_download(record)
    return path


@asynccontextmanager
async def faulty_line(
    url: str, at_byte: int, turn: int, fault: Callable[[], Awaitable[None]] | None
) -> AsyncIterator[str]:
    """A TCP line to the server on which something happens to one byte that the server sends.

    :param turn: the byte is turned over by these bits; 0 leaves it as it is.
    :param fault: awaited there, after which the line is dead; None lets it go on.
    """
    there = urlsplit(url)
    carried = 0
    is_dead = asyncio.Event()
    connections: set[asyncio.Task[None]] = set()

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool) -> None:
        nonlocal carried
        while chunk := await reader.read(65536):
            if is_answer:
                place, carried = at_byte - carried, carried + len(chunk)
                if 0 <= place < len(chunk) and turn:
                    chunk = chunk[:place] + bytes([chunk[place] ^ turn]) + chunk[place + 1 :]
                if 0 <= place < len(chunk) and fault is not None:
                    writer.write(chunk[:place])
                    await fault()
                    is_dead.set()
                    return
            writer.write(chunk)
            await writer.drain()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        ends = [writer]
        with contextlib.suppress(OSError):  # the server may be dead already
            if is_dead.is_set():
                raise ConnectionRefusedError
            there_reader, there_writer = await asyncio.open_connection(there.hostname, there.port)
            ends.append(there_writer)
            waits = [
                asyncio.create_task(carry(reader, there_writer, is_answer=False)),
                asyncio.create_task(carry(there_reader, writer, is_answer=True)),
                asyncio.create_task(is_dead.wait()),
            ]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)
        for end in ends:
            end.transport.abort()
            with contextlib.suppress(OSError):
                await end.wait_closed()

    line = await asyncio.start_server(connect, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{line.sockets[0].getsockname()[1]}"
    finally:
        line.close()
        is_dead.set()
        await asyncio.gather(*connections)


async def suffer(bench: Bench, path: Path, what: str, chance: random.Random) -> str:
    """Download with one fault; return what the client said, nothing if it was killed or noticed nothing."""
    at_byte = HEAD_BYTES + chance.randrange(MESSAGES * LONGEST_BYTES // 2)  # the rest is compressed to little
    if what == "client killed":
        return await lose_client(bench, path, at_byte)
    turn = chance.randrange(1, 256) if what == "flip" else 0
    fault = {"server killed": bench.kill_server, "cut": no_more}.get(what)
    said = ""
    async with faulty_line(bench.server.url, at_byte, turn, fault) as url:
        try:
            await bench.download(url, path)
        except BlitzError as error:
            said = str(error)
    await asyncio.to_thread(bench.revive_server)
    return said


async def no_more() -> None:
    """Nothing else than that the line is dead."""


async def lose_client(bench: Bench, path: Path, at_byte: int) -> str:
    process: asyncio.subprocess.Process | None = None

    async def kill() -> None:
        assert process is not None
        process.kill()

    async with faulty_line(bench.server.url, at_byte, 0, kill) as url:
        arguments = (url, str(path), str(bench.session_id))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _DOWNLOADING_PROGRAM, *arguments, stderr=asyncio.subprocess.DEVNULL
        )
        await process.wait()
    return ""


@pytest.mark.parametrize("number", range(ROUNDS))
async def test_old_copy_stands_until_the_new_one_is_whole(
    bench: Bench, old_cache: Path, tmp_path: Path, number: int, seed: int
) -> None:
    chance = random.Random(f"{seed}-{number}")
    path = tmp_path / "cache.db"
    path.write_bytes(old_cache.read_bytes())
    what = FAULTS[number % len(FAULTS)]
    log.info("round %d: %s; repeat with --hypothesis-seed=%d", number, what, seed)
    with DatabaseClient(path=path) as cache:
        record = cache.session_record(bench.session_id).model_copy(update={"message_count": MESSAGES})
        cache.update_session_records([record])
    for _ in range(chance.randrange(1, 3)):
        said = await suffer(bench, path, what, chance)
        is_whole = bench.is_whole(path)
        log.info("whole: %s; %s", is_whole, said)
        bench.check_copy(path, MESSAGES if is_whole else OLD_MESSAGES)
        assert not (said and is_whole)
        if is_whole:  # the fault came too late: the download began with the full blocks of the old copy
            break
    await bench.download(bench.server.url, path)
    bench.check_copy(path, MESSAGES)
    assert bench.is_whole(path)
    path.unlink()
