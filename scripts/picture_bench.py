"""What stands around the window while pictures are taken: servers, a filled store, one that hangs, slow downloads."""

import asyncio
import math
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import redis

from blitz import Client
from blitz.config import DEFAULT_HOST, DEFAULT_PORT
from blitz.data.blocks import MessageBlock, Read
from blitz.data.boards import load_definitions
from blitz.data.database_client import DatabaseClient
from blitz.data.database_server import DatabaseServer
from blitz.data.records import Account, Gap, Source
from blitz.io.connection import AsyncClient
from blitz.io.redis_child import RedisChild, running_redis

RATE_HZ = 50
AWAY = (0.62, 0.66)
"""Where in a long session the board was away, as shares of its length."""
OWNER = "ada@bench"
RECORDED = (
    ("Blower, first try", 4),
    ("Pump, cold start", 12),
    ("Leak test, valve closed", 6),
    ("Leak test, valve open", 6),
    ("Pump, warm-up at 40 %", 45),
)
"""Names and minutes of the sessions that the store is filled with."""


class SlowClient(AsyncClient):
    """Downloads slowly enough to be pictured."""

    pause_s = 0.0
    _turn = asyncio.Lock()

    async def start(
        self, name: str = "", notes: str = "", owner: str | None = None, join: bool = False, **words: Any
    ) -> Any:
        """Start a session as someone else."""
        return await super().start(name, notes, OWNER, join, **words)

    async def grid_blocks(self, session_id: int, first: int, count: int) -> Sequence[MessageBlock]:
        """Wait, then fetch."""
        async with SlowClient._turn:
            await asyncio.sleep(SlowClient.pause_s)
        return await super().grid_blocks(session_id, first, count)


class Server:
    """A server of its own on a data folder. A context manager that starts and ends it; `url` is where it is."""

    def __init__(self, data_dir: Path, *arguments: str, settings: Mapping[str, str] | None = None) -> None:
        self.data_dir = data_dir
        self.url = ""
        self._arguments = arguments
        self._settings = settings or {}
        self._log = data_dir.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Server":
        usual = {name: value for name, value in os.environ.items() if not name.startswith("BLITZ_")}
        command = [sys.executable, "-m", "blitz", "serve", "--port", str(_port()), "--data-dir", str(self.data_dir)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--no-scan-usb", *self._arguments], stdout=log, stderr=log, env=usual | dict(self._settings)
            )
        deadline_s = time.monotonic() + 60
        while (found := re.search(r"serves (https?://\S+),", self._log.read_text())) is None:
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                self.__exit__()
                raise SystemExit(self._log.read_text())
            time.sleep(0.1)
        self.url = found[1]
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
        if (url := running_redis(self.data_dir)) is not None:  # of a server that was killed
            with redis.Redis.from_url(url) as store:
                store.shutdown(nosave=True)

    def kill(self) -> None:
        """End it as a fault of the machine would; its store goes on."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(30)

    def make_token(self, role: str) -> str:
        """Return a new token."""
        command = [sys.executable, "-m", "blitz", "token", "create", "--role", role, "--name", "wall screen", "--json"]
        made = subprocess.run([*command, "--data-dir", str(self.data_dir)], capture_output=True, text=True, check=True)
        found = re.search(r'"token": *"([^"]+)"', made.stdout)
        assert found is not None, made.stdout
        return found[1]


def write_notes(url: str) -> None:
    """Write of the recorded sessions what operators write."""
    with Client(url) as client:
        longest = client.update_session(
            len(RECORDED), tags=["rig 2", "warm-up"], fields={"sample": "brass 4"}, notes="new seal", starred=True
        )
        client.update_session(3, tags=["leak"])
        began = longest.started_at
        for minute, text in ((8, "valve opened"), (38, "cooling")):
            client.add_marker(longest.id, text, at=began + timedelta(minutes=minute))
        noise = (began + timedelta(minutes=15), began + timedelta(minutes=22))
        client.add_marker(longest.id, "noise from the bearing", at=noise[0], until=noise[1])


def correct_definition(cache_path: Path, session_id: int) -> None:
    """Give a session a version of its definitions in which one channel has another zero."""
    with DatabaseClient(path=str(cache_path)) as cache:
        (source,) = cache.session_sources(session_id)
        assert source.definition is not None
        first, *others = source.definition.channels
        channels = (first.model_copy(update={"zero": 400.0}), *others)
        corrected = source.definition.model_copy(update={"channels": channels})
        cache.add_definition_version(session_id, {source.name: corrected}, reason="reference 400 too high", who="ada")


def fill_store(data_dir: Path) -> None:
    """Record sessions into the store that the server will adopt, as if a board had sent them these last days."""
    source = Source(index=0, name="ttyUSB0", link="/dev/ttyUSB0", board_id="08", definition=load_definitions()["08"])
    with RedisChild(data_dir, "none") as child:
        store = DatabaseServer(child.url)
        raw_redis = redis.Redis.from_url(child.url)
        began = datetime.now().astimezone().replace(hour=9, minute=2) - timedelta(days=2)
        for name, minutes in RECORDED:
            session_id = store.start_session(name, owner=OWNER, sources=[source])
            start_ns = round(began.timestamp() * 1e9)
            writer = store.writer(session_id)
            for reads in recorded(start_ns, minutes):
                writer.append(reads)
            writer.close()
            if minutes > 10:
                store.add_gap(session_id, gap := away(start_ns, minutes))
                account = Account(source=0, name=source.name, lost=gap.lost or 0, gaps=1)
                verdict = f"1 gap, about {gap.lost} lost, account balances"
            else:
                account, verdict = Account(source=0, name=source.name), "no gaps, nothing lost, account balances"
            store.set_fields(session_id, {"account:0": account.model_dump_json(exclude_none=True), "verdict": verdict})
            raw_redis.set(store.keys.start(session_id), start_ns // 1_000_000)
            store.close_session(session_id, start_ns // 1_000_000 + minutes * 60_000)
            began += timedelta(hours=7, minutes=13)
        raw_redis.close()
        store.close()


def away(start_ns: int, minutes: int) -> Gap:
    """Return the gap of a long session: the board was unplugged for a while."""
    length_ns = minutes * 60e9
    return Gap(
        source=0,
        seq=round(minutes * 60 * RATE_HZ * AWAY[0]),
        from_ns=start_ns + round(length_ns * AWAY[0]),
        to_ns=start_ns + round(length_ns * AWAY[1]),
        reason="unplugged",
        lost=round(minutes * 60 * RATE_HZ * (AWAY[1] - AWAY[0])),
    )


def recorded(start_ns: int, minutes: int) -> Iterator[list[Read]]:
    """Yield what a board sent: a warm-up, a pump's pulses, noise; it was away for a while in a long session."""
    chance = random.Random(minutes)
    total = minutes * 60 * RATE_HZ
    reads: list[Read] = []
    for number in range(total):
        at_s = number / RATE_HZ
        share = number / total
        if minutes > 10 and AWAY[0] < share < AWAY[1]:
            continue
        warm = 600 + 2400 * (1 - math.exp(-4 * share))
        values = (
            warm + 8 * chance.gauss(0, 1),
            0.55 * warm + 500 + 40 * math.sin(at_s / 21) + 10 * chance.gauss(0, 1),
            900 + 380 * math.sin(at_s / 37) * math.exp(-2 * share) + 12 * chance.gauss(0, 1),
            3300 - 700 * share + 90 * math.sin(at_s / 90) + 6 * chance.gauss(0, 1),
            150 + 60 * (int(at_s / 97) % 3),
        )
        digits = "".join(f"{min(max(int(value), 0), 4095):03x}" for value in values)
        line = f"08a0{round(at_s * 1000):08x}{digits}0".encode()
        reads.append(Read(start_ns + round(at_s * 1e9), 0, [line]))
        if len(reads) == 5000:
            yield reads
            reads = []
    yield reads


@contextmanager
def hanging_redis(data_dir: Path) -> Iterator[None]:
    """Let the Redis of a data folder answer nobody."""
    url = running_redis(data_dir)
    assert url is not None
    with redis.Redis.from_url(url) as client:
        process_id = client.info("server")["process_id"]
    os.kill(process_id, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process_id, signal.SIGCONT)


def _port() -> int:
    """Return the usual port where it is free, else 0, for any other."""
    with socket.socket() as probe:
        try:
            probe.bind((DEFAULT_HOST, DEFAULT_PORT))
        except OSError:
            return 0
    return DEFAULT_PORT
