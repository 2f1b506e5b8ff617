"""Caches to test with, and sessions whose every value can be told beforehand."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from blitz.data.blocks import MessageBlock
from blitz.data.boards import BoardDefinition, Channel
from blitz.data.database_client import DatabaseClient
from blitz.data.database_server import DatabaseServer
from blitz.data.records import SessionRecord, Source

STARTED_S = 1_700_000_000
STORE_ID = "11111111-2222-4333-8444-555555555555"

BASIC = BoardDefinition(
    id="08",
    name="Blitz Basic",
    channels=(
        Channel(name="first", bit=0, bits=12, unit="V"),
        Channel(name="second", bit=12, bits=12, scale=0.5),
    ),
)
MOTOR = BoardDefinition(id="09", name="Motor", channels=(Channel(name="angle, set", bit=0, bits=16, unit="°"),))
SOURCES = (
    Source(index=0, name="sim1", link="pty", board_id="08", definition=BASIC),
    Source(index=1, name="printer", link="/dev/ttyUSB0"),
    Source(index=2, name="sim2", link="pty", board_id="09", definition=MOTOR),
)


class ExampleSession:
    """Session 7: message seq comes from source seq % 3, seq * 10 ms after the start.

    Board 08 sends seq % 4096 and (seq + 1) % 4096 (scaled by a half), the printer plain text, board 09 seq % 65536.
    """

    def __init__(self, message_count: int, session_id: int = 7, started_s: int = STARTED_S) -> None:
        self.started_s = started_s
        self.record = SessionRecord(
            id=session_id,
            name="A try",
            owner="ann@bench",
            started_at=datetime.fromtimestamp(started_s, UTC),
            stopped_at=datetime.fromtimestamp(started_s + 3600, UTC),
            message_count=message_count,
            sources=SOURCES,
        )

    def block(self, first: int, count: int) -> MessageBlock:
        """Return messages as a server would: never past the end."""
        seq = np.arange(first, max(min(first + count, self.record.message_count), first))
        return MessageBlock(
            self.record.id,
            first,
            self.started_s * 1_000_000_000 + seq * 10_000_000,
            (seq % 3).astype(np.uint16),
            pa.array([self.message(int(number)) for number in seq], pa.binary()),
            STORE_ID,
        )

    def message(self, seq: int) -> bytes:
        """Return one raw message."""
        if seq % 3 == 0:
            return b"08a0%08x%03x%03x0000000000" % (seq * 10, seq % 4096, (seq + 1) % 4096)
        if seq % 3 == 1:
            return b"temp:%d" % seq
        return b"09a0%08x%04x000000000000" % (seq * 10, seq % 65536)

    def fill(self, cache: DatabaseClient, run: int = 16384) -> None:
        """Download the session in runs of so many messages."""
        first = cache.begin_download(self.record)
        for start in range(first, self.record.message_count, run):
            cache.store_block(self.record.id, self.block(start, run))
        cache.finish_download(self.record)

    def readings(self) -> list[tuple[int, str, float]]:
        """Return (time in ms, label, value) of all readings, in order."""
        expected: list[tuple[int, str, float]] = []
        for seq in range(self.record.message_count):
            time_ms = self.started_s * 1000 + seq * 10
            if seq % 3 == 0:
                expected += [(time_ms, "first", seq % 4096), (time_ms, "second", (seq + 1) % 4096 / 2)]
            elif seq % 3 == 2:
                expected.append((time_ms, "angle, set", seq % 65536))
        return expected


@pytest.fixture
def example() -> Callable[..., ExampleSession]:
    """Make an example session: ``example(message_count, session_id=7, started_s=…)``."""
    return ExampleSession


@pytest.fixture
def cache() -> Iterator[DatabaseClient]:
    """An empty cache in memory."""
    with DatabaseClient() as client:
        yield client


@pytest.fixture
def file_cache(tmp_path: Path) -> Iterator[DatabaseClient]:
    """An empty cache in a file."""
    with DatabaseClient(path=tmp_path / "cache.db") as client:
        yield client


@pytest.fixture(params=["memory", "file"])
def any_cache(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DatabaseClient]:
    """An empty cache, once in memory and once in a file."""
    with DatabaseClient(path=":memory:" if request.param == "memory" else tmp_path / "cache.db") as client:
        yield client


@pytest.fixture
def all_readings() -> Callable[[DatabaseClient, int], Sequence[tuple[int, str, float]]]:
    """Return (time in ms, label, value) of what a cache gives for a session."""
    return lambda cache, session_id: [
        (reading.time_logged, reading.category.variable_name, reading.value)
        for reading in cache.get_session_readings(session_id)
    ]


@pytest.fixture
def other(redis_url: str) -> Iterator[DatabaseServer]:
    """Where backups are restored to."""
    store = DatabaseServer(redis_url, "two:")
    yield store
    store.close()
