"""Two sessions with all that goes wrong in one: what each device truly measured, and what came of it.

A rig measures at uneven steps (4 to 36 ms) on a clock of its own, which is 80 ppm fast. Its messages come several at a
read. One in forty is lost and one in fifty garbled, a cable is out for 20 s, it is reset in mid-session, so that its
clock begins anew, and the server is killed and goes on 7 s later by a corrected definition. A scale without a clock
says something twice a second, in its own rhythm, and is silent for 12 s. A printer prints.
"""

import functools
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from blitz.data.blocks import MessageBlock
from blitz.data.board_definition import BoardDefinition, Channel, Clock, Format
from blitz.data.database_client import DatabaseClient
from blitz.data.records import Account, Gap, Marker, SessionRecord, Source, TimelineEntry, TimelineKind

DAY_S = 86_400
STARTED_S = 1_700_000_000
STORE_ID = "22222222-3333-4444-8555-666666666666"
LENGTH_S = 150.0
CABLE_S = (40.0, 60.0)
RESET_S = 85.0
KILLED_S = (110.0, 117.0)
SILENT_S = (66.0, 78.0)
"""Of the scale."""
LATENCY_MS = 3.0
"""A message arrives so late at least; a read may take up to 40 ms more."""
TABLE = ((0.0, 0.0), (500.0, 2.5), (1000.0, 10.0))


@dataclass(frozen=True, eq=False)
class Truth:
    """What a device measured and what of it arrived and could be read, in its order.

    :param time_ns: when it was measured, since the Unix epoch.
    :param values: by channel; NaN where the message was garbled or the value is no valid one.
    :param lost: how many messages never arrived.
    """

    time_ns: NDArray[np.int64]
    arrived_ns: NDArray[np.int64]
    values: dict[str, NDArray[np.float64]]
    lost: int


@dataclass(frozen=True, eq=False)
class RoughSession:
    """One of the sessions: what is known of it, its messages, and what its devices measured, by their names."""

    record: SessionRecord
    block: MessageBlock
    rig: Truth
    scale: Truth


def rig_definition(scale: float = 0.01) -> BoardDefinition:
    """Return what the rig's messages mean: its clock, then four numbers."""
    return BoardDefinition(
        id="rig",
        name="Rig",
        format=Format.COLUMNS,
        clock=Clock(column=0, unit="ms", wraps_at=None),
        channels=(
            Channel(name="pressure", column=1, unit="bar", zero=100, scale=scale, limit_high=7.5),
            Channel(name="vibration", column=2, unit="g", divisor=1000),
            Channel(name="flow", column=3, unit="l/min", valid_low=0, table=TABLE),
            Channel(name="valve", column=4),
        ),
    )


SCALE = BoardDefinition(
    id="scale", name="Scale", format=Format.COLUMNS, channels=(Channel(name="weight", column=0, unit="kg"),)
)


@functools.cache
def rough_session(session_id: int = 1) -> RoughSession:
    """Return session 1, or one of the days after it, which differs in everything but its course."""
    random = np.random.default_rng(session_id)
    start_ns = (STARTED_S + (session_id - 1) * DAY_S) * 1_000_000_000
    late_s = 0.35 * (session_id - 1)
    rig, rig_lines = _rig(random, start_ns, late_s)
    scale, scale_lines = _scale(random, start_ns)
    printer_ns = start_ns + np.array([12_000_000_000, 90_000_000_000])
    killed_ns = start_ns + round(KILLED_S[0] * 1e9)
    lines = [*rig_lines, *scale_lines, b"paper\x00\xff", b"out of paper"]
    arrived = np.concatenate([rig.arrived_ns, scale.arrived_ns, printer_ns])
    source = np.repeat(np.array([0, 1, 3], np.uint16), [len(rig_lines), len(scale_lines), 2])
    source[: len(rig_lines)][rig.arrived_ns >= killed_ns] = 2
    order = np.argsort(arrived, kind="stable")
    raw = pa.array([lines[place] for place in order.tolist()], pa.binary())
    block = MessageBlock(session_id, 0, arrived[order], source[order], raw, STORE_ID)
    record = _record(session_id, start_ns, rig, scale, len(order))
    return RoughSession(record, block, rig, scale)


def fill(cache: DatabaseClient, session: RoughSession, run: int = 700) -> None:
    """Put a session into a cache, as a download does, so many messages at a time."""
    cache.bind_store(STORE_ID)
    cache.begin_download(session.record)
    for first in range(0, len(session.block), run):
        part = session.block.between(first, min(first + run, len(session.block)))
        cache.store_block(session.record.id, part)
    cache.finish_download(session.record)


def _rig(random: np.random.Generator, start_ns: int, late_s: float) -> tuple[Truth, list[bytes]]:
    at_s = np.cumsum(random.integers(4, 37, 9000)) / 1000
    at_s = at_s[at_s < LENGTH_S]
    pressure = np.rint(600 + 200 * np.sin((at_s - late_s) / 7) + random.normal(0, 4, len(at_s)))
    vibration = np.rint(900 * np.sin(2 * np.pi * 6.25 * at_s) + 250 * np.sin(2 * np.pi * 11 * at_s))
    vibration += np.rint(random.normal(0, 20, len(at_s)))
    flow = np.rint(480 + 520 * np.sin(at_s / 3 + late_s))  # below 0 now and then: no reading
    valve = (at_s % 20 > 12).astype(float)
    since_power_s = np.where(at_s < RESET_S, at_s + 5000, at_s - RESET_S + 0.2) * (1 + 80e-6)
    device_ms = np.floor(since_power_s * 1000).astype(np.int64)
    is_lost = random.random(len(at_s)) < 1 / 40
    # Reads come each 40 ms: what was measured since the one before has one time of arrival.
    read_s = np.ceil((at_s + LATENCY_MS / 1000) / 0.04) * 0.04
    for begin_s, end_s in (CABLE_S, KILLED_S, (RESET_S, RESET_S + 0.6)):
        is_lost |= (read_s >= begin_s) & (at_s < end_s)
    is_garbled = random.random(len(at_s)) < 1 / 50
    lines = [
        b"%d,%d,%d,%d,%d" % (ms, one, two, three, four)
        for ms, one, two, three, four in zip(device_ms, pressure, vibration, flow, valve, strict=True)
    ]
    for place in np.flatnonzero(is_garbled).tolist():
        lines[place] = (b"\xff\x00,", b"%d;" % device_ms[place], lines[place][:-9], b"")[place % 4]
    kept = np.flatnonzero(~is_lost)
    scale = np.where(at_s < KILLED_S[0], 0.01, 0.0101)
    table = np.array(TABLE)
    course = np.interp(flow, table[:, 0], table[:, 1])
    course = np.where(flow > 1000, 10 + (flow - 1000) * 0.015, course)
    values = {
        "pressure": (pressure - 100) * scale,
        "vibration": vibration / 1000,
        "flow": np.where(course < 0, np.nan, np.where(flow < 0, np.nan, course)),
        "valve": valve,
    }
    values = {name: np.where(is_garbled, np.nan, column)[kept] for name, column in values.items()}
    return (
        Truth(_ns(start_ns, at_s[kept]), _ns(start_ns, read_s[kept]), values, int(is_lost.sum())),
        [lines[place] for place in kept.tolist()],
    )


def _scale(random: np.random.Generator, start_ns: int) -> tuple[Truth, list[bytes]]:
    at_s = np.cumsum(random.uniform(0.3, 0.7, 500))
    at_s = at_s[(at_s < LENGTH_S) & ((at_s < SILENT_S[0]) | (at_s >= SILENT_S[1]))]
    at_s = at_s[(at_s < KILLED_S[0]) | (at_s >= KILLED_S[1])]
    weight = np.round(20 + at_s / 30 + random.normal(0, 0.02, len(at_s)), 3)
    lines = [b"%.3f" % value for value in weight.tolist()]
    for place in range(7, len(lines), 31):
        lines[place], weight[place] = b"-----", np.nan
    time_ns = _ns(start_ns, at_s)
    return Truth(time_ns, time_ns, {"weight": weight}, 0), lines


def _ns(start_ns: int, at_s: NDArray[np.float64]) -> NDArray[np.int64]:
    return start_ns + np.rint(at_s * 1e9).astype(np.int64)


def _record(session_id: int, start_ns: int, rig: Truth, scale: Truth, message_count: int) -> SessionRecord:
    def when(seconds: float) -> datetime:
        return datetime.fromtimestamp(start_ns / 1e9 + seconds, UTC)

    def at(seconds: float) -> int:
        return start_ns + round(seconds * 1e9)

    def gap(source: int, edges_s: tuple[float, float], reason: str, **fields: Any) -> Gap:
        return Gap(source=source, seq=1, from_ns=at(edges_s[0]), to_ns=at(edges_s[1]), reason=reason, **fields)

    rig_count, scale_count = len(rig.time_ns), len(scale.time_ns)
    return SessionRecord(
        id=session_id,
        name=f"rough {session_id}",
        owner="ann",
        started_at=when(0),
        stopped_at=when(LENGTH_S + 10),
        message_count=message_count,
        resumed=1,
        sources=(
            Source(index=0, name="rig", link="/dev/ttyUSB0", definition=rig_definition()),
            Source(index=1, name="scale", link="/dev/ttyUSB1", definition=SCALE),
            Source(index=2, name="rig", link="/dev/ttyUSB0", definition=rig_definition(0.0101)),
            Source(index=3, name="printer", link="/dev/ttyUSB2"),
        ),
        markers=(
            Marker(id=1, from_ns=at(9.5 + session_id), text="valve open", who="ann", changed_at=when(20)),
            Marker(id=2, from_ns=at(70), to_ns=at(75), text="steady", who="ann", changed_at=when(80)),
            Marker(id=3, from_ns=at(100 + session_id), text="valve open", who="ann", changed_at=when(110)),
        ),
        gaps=(
            gap(0, CABLE_S, "the cable was pulled", lost=1000),
            gap(0, (RESET_S, RESET_S + 0.6), "the board was reset"),
            gap(1, KILLED_S, "the server was restarted"),
            gap(2, KILLED_S, "the server was restarted", lost=350, is_exact=True),
        ),
        timeline=(
            TimelineEntry(kind=TimelineKind.SERVER, time_ns=at(KILLED_S[1]), text="The server was restarted."),
        ),
        accounts=(
            Account(
                source=0, name="rig", bytes_read=20 * rig_count, message_bytes=20 * rig_count,
                messages_read=rig_count, messages_appended=rig_count, lost=1350, gaps=3, restarts=1,
            ),
            Account(
                source=1, name="scale", bytes_read=7 * scale_count, message_bytes=7 * scale_count,
                messages_read=scale_count, messages_appended=scale_count, gaps=1,
            ),
        ),
    )  # fmt: skip
