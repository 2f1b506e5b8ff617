"""A session to be reported on: uneven steps, a gap, a device that began anew, readings without value, hostile words."""

import functools
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa

from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.board_definition import BoardDefinition, Channel, Clock, Format
from blitz.data.database_client import DatabaseClient
from blitz.data.records import Account, Gap, Marker, SessionChange, SessionRecord, Source, TimelineEntry, TimelineKind

STARTED_S = 1_700_000_000
STARTED_NS = STARTED_S * 1_000_000_000
STORE_ID = "11111111-2222-4333-8444-555555555555"
HOSTILE = (
    "<script>alert(1)</script>",
    "{{ 7 * 191 }}",
    "{% for x in range(9) %}",
    "</style></svg>&amp;'\"><img src=x onerror=alert(2)>",
    "nul \x00, bell \x07, a turned \u202egnp.exe",
    "Prüfstand 7 — Ölkühler, 冷却水 🌡",
)
GAP = (STARTED_NS + 40_000_000_000, STARTED_NS + 55_000_000_000)
RESTART_NS = STARTED_NS + 70_000_000_000


def session_record(message_count: int, session_id: int = 7, *, hostile: bool = True) -> SessionRecord:
    """Return what is known of the session, which lasts 100 seconds."""
    words = HOSTILE if hostile else ("Cooler, run 3", "a note", "b", "c", "d", "e")
    first = BoardDefinition(
        id="cooler",
        name=words[2],
        format=Format.COLUMNS,
        clock=Clock(column=0, unit="ms"),
        channels=(
            Channel(name="inlet", column=1, unit="°C", limit_high=25.5, zero=100, scale=0.01),
            Channel(name="outlet", column=2, unit="°C", table=((0, 0), (5000, 50))),
            Channel(name=words[3] if hostile else "flow", column=3, unit="l/min", valid_low=0),
        ),
    )
    second = BoardDefinition(
        id="door", name="Door", format=Format.COLUMNS, channels=(Channel(name="open", column=0, polynomial=(1, 0, 2)),)
    )

    def when(seconds: float) -> datetime:
        return datetime.fromtimestamp(STARTED_S + seconds, UTC)

    def at(seconds: float) -> int:
        return STARTED_NS + round(seconds * 1e9)

    return SessionRecord(
        id=session_id,
        name=words[0],
        notes=f"{words[1]}\nsecond line\n" + words[4],
        owner="ann@bench",
        started_at=when(0),
        stopped_at=when(100),
        message_count=message_count,
        tags=("warm-up", words[5]),
        fields={"sample": words[3], "operator": "Ann"},
        verdict="1 gap, 75 lost, account balances",
        resumed=1,
        sources=(
            Source(index=0, name="cooler", link="/dev/ttyUSB0", board_id="0a", definition=first),
            Source(index=1, name="door", link="tcp://bench:7000", definition=second),
            Source(index=2, name="printer", link="/dev/ttyUSB1"),
        ),
        markers=(
            Marker(id=1, from_ns=at(20), text=words[3], who="ann", changed_at=when(21)),
            Marker(id=2, from_ns=at(60), to_ns=at(65), text="steady state", who="ben", changed_at=when(66)),
            Marker(id=3, from_ns=at(62), text="gone", changed_at=when(66), is_deleted=True),
        ),
        changes=(SessionChange(changed_at=when(500), who="ann", name="notes", before="", after=words[1]),),
        gaps=(
            Gap(source=0, seq=1, from_ns=GAP[0], to_ns=GAP[1], reason="the cable was pulled", lost=75, is_exact=True),
        ),
        timeline=(
            TimelineEntry(
                kind=TimelineKind.COMMAND, time_ns=at(5), source="cooler", who="ann", text="set speed", sent="P20",
                answer="ok",
            ),
            TimelineEntry(kind=TimelineKind.COMMAND, time_ns=at(6), source="door", text="", sent="X", error=words[0]),
            TimelineEntry(kind=TimelineKind.SERVER, time_ns=at(70), text="The server was restarted."),
        ),
        accounts=(
            Account(
                source=0, name="cooler", bytes_read=1000, message_bytes=990, discarded={"noise": 10}, messages_read=500,
                messages_appended=500, lost=75, is_lost_exact=True, gaps=1, restarts=1,
            ),
            Account(source=1, name="door", bytes_read=50, message_bytes=48, messages_read=20, messages_appended=20),
        ),
    )  # fmt: skip


@functools.cache
def session_blocks(message_count: int, session_id: int = 7, seed: int = 5) -> list[MessageBlock]:
    """Return its messages: of the cooler at uneven steps, every tenth of the door, every hundredth of the printer."""
    random = np.random.default_rng(seed)
    steps = random.exponential(1.0, message_count)
    arrived = STARTED_NS + np.cumsum(steps / max(steps.sum(), 1e-9) * 84e9).astype(np.int64)
    arrived = np.where(arrived >= GAP[0], arrived + GAP[1] - GAP[0], arrived)
    seq = np.arange(message_count)
    source = np.where(seq % 100 == 99, 2, np.where(seq % 10 == 5, 1, 0)).astype(np.uint16)
    device_ms = np.where(arrived < RESTART_NS, arrived - STARTED_NS + 10_000_000, arrived - RESTART_NS) // 1_000_000
    inlet = (2600 + 200 * np.sin(seq / max(message_count, 1) * 20) + random.normal(0, 20, message_count)).astype(int)
    flow = np.where(seq % 7 == 3, -1, seq % 50)
    raw = [
        b"paper\x00\xff" if source[n] == 2
        else b"%d" % (n % 3) if source[n] == 1
        else b"%d,%d,%d,%d" % (device_ms[n], inlet[n], 4000 - inlet[n], flow[n])
        for n in seq.tolist()
    ]  # fmt: skip
    return [
        MessageBlock(
            session_id, first, arrived[first : first + GRID_MESSAGES], source[first : first + GRID_MESSAGES],
            pa.array(raw[first : first + GRID_MESSAGES], pa.binary()), STORE_ID,
        )
        for first in range(0, message_count, GRID_MESSAGES)
    ]  # fmt: skip


def fill_long(cache: DatabaseClient, block_count: int) -> None:
    """Put a session into a cache that is as long as wanted: one block after another says the same."""
    (block,) = session_blocks(GRID_MESSAGES)
    cache.bind_store(STORE_ID)
    cache.begin_download(session_record(block_count * GRID_MESSAGES))
    for number in range(block_count):
        begin_ns = STARTED_NS + number * 100_000_000_000 // block_count
        arrived = begin_ns + (block.arrived_ns - STARTED_NS) // block_count
        raw = pa.array(block.raw, pa.binary())
        cache.store_block(7, MessageBlock(7, number * GRID_MESSAGES, arrived, block.source, raw, STORE_ID))
    cache.finish_download(session_record(block_count * GRID_MESSAGES))


def fill(cache: DatabaseClient, message_count: int = 1000, *, hostile: bool = True) -> SessionRecord:
    """Put the session into a cache, and return its record."""
    record = session_record(message_count, hostile=hostile)
    cache.bind_store(STORE_ID)
    cache.begin_download(record)
    for block in session_blocks(message_count):
        cache.store_block(record.id, block)
    cache.finish_download(record)
    return record
