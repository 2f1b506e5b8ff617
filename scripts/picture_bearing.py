"""A store with a bearing's runs, for pictures of what is made of sessions: known lines, a gap, what has no value."""

import math
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import redis
from picture_bench import OWNER

from blitz import Client
from blitz.data.blocks import Read
from blitz.data.board_definition import BoardDefinition
from blitz.data.database_server import DatabaseServer
from blitz.data.records import Account, Gap, Source, TimelineEntry, TimelineKind
from blitz.io.redis_child import RedisChild

RATE_HZ = 200
LINES_HZ = (12.5, 31.0)
"""What turns in the long session."""
LONG, RUNS, EMPTY, SHORT = 1, range(2, 10), 10, 11
"""Ids: a session of a minute with a gap, eight short runs, one without any value, one of a single reading."""
MARK = "load on"
"""The text of a marker that the long session and all runs but the last have."""
_CHANNELS = (("vibration", "m/s²"), ("current", "A"), ("temperature", "°C"), ("state", ""))
_GAP_S = (38.0, 41.5)
_LENGTHS_S = {LONG: 60.0, **dict.fromkeys(RUNS, 20.0), EMPTY: 5.0, SHORT: 0.0}
_DEFINITION = BoardDefinition.model_validate(
    {
        "id": "bearing",
        "name": "Bearing rig",
        "format": "columns",
        "channels": [{"name": name, "column": n, "unit": unit} for n, (name, unit) in enumerate(_CHANNELS)],
    }
)


def fill_bearing_store(data_dir: Path) -> None:
    """Record the sessions into the store that a server will adopt."""
    source = Source(index=0, name="rig", link="/dev/ttyUSB0", board_id=None, definition=_DEFINITION)
    with RedisChild(data_dir, "none") as child:
        store = DatabaseServer(child.url)
        raw_redis = redis.Redis.from_url(child.url)
        began = datetime.now().astimezone().replace(hour=7, minute=40, second=0, microsecond=0) - timedelta(days=1)
        for number, length_s in _LENGTHS_S.items():
            session_id = store.start_session(_name(number), owner=OWNER, sources=[source])
            start_ns = round(began.timestamp() * 1e9)
            writer = store.writer(session_id)
            writer.append(list(_reads(number, start_ns, length_s)))
            writer.close()
            account, verdict = Account(source=0, name="rig"), "no gaps, nothing lost, account balances"
            if number == LONG:
                lost = round((_GAP_S[1] - _GAP_S[0]) * RATE_HZ)
                edges = [start_ns + round(edge * 1e9) for edge in _GAP_S]
                seq = round(_GAP_S[0] * RATE_HZ)
                store.add_gap(
                    session_id,
                    Gap(source=0, seq=seq, from_ns=edges[0], to_ns=edges[1], reason="unplugged", lost=lost),
                )
                store.add_entry(session_id, _command(start_ns))
                account = Account(source=0, name="rig", lost=lost, gaps=1)
                verdict = f"1 gap, about {lost} lost, account balances"
            store.set_fields(session_id, {"account:0": account.model_dump_json(exclude_none=True), "verdict": verdict})
            raw_redis.set(store.keys.start(session_id), start_ns // 1_000_000)
            store.close_session(session_id, start_ns // 1_000_000 + round(length_s * 1000) + 5)
            began += timedelta(minutes=97)
        raw_redis.close()
        store.close()


def write_marks(url: str) -> None:
    """Write markers into the sessions, as operators do."""
    with Client(url) as client:
        for number in (LONG, *RUNS[:-1]):
            began = client.session(number).started_at
            client.add_marker(number, MARK, at=began + timedelta(seconds=4 + 0.4 * number))
        client.update_session(LONG, tags=["rig 2"], fields={"bearing": "6204-C3"}, notes="grease renewed on Friday")


def _name(number: int) -> str:
    if number in RUNS:
        return f"Bearing 3, run {number - RUNS[0] + 1}"
    return {LONG: "Bearing 3, 1800 rpm", EMPTY: "Sensor not connected", SHORT: "One reading"}[number]


def _command(start_ns: int) -> TimelineEntry:
    return TimelineEntry(
        kind=TimelineKind.COMMAND,
        time_ns=start_ns + 4_200_000_000,
        seq=840,
        source="rig",
        who=OWNER,
        text="LOAD 40",
        sent="LOAD 40",
        answer="ok",
    )


def _reads(number: int, start_ns: int, length_s: float) -> Iterator[Read]:
    chance = random.Random(number)
    for place in range(max(1, round(length_s * RATE_HZ))):
        at_s = place / RATE_HZ
        if number == LONG and _GAP_S[0] <= at_s < _GAP_S[1]:
            continue
        line = ",,,WAIT" if number == EMPTY else ",".join(_fields(number, at_s, chance))
        yield Read(start_ns + round(at_s * 1e9), 0, [line.encode()])


def _fields(number: int, at_s: float, chance: random.Random) -> tuple[str, ...]:
    loaded_s = at_s - (4 + 0.4 * number)
    load = 0.0 if loaded_s < 0 else 1 - math.exp(-loaded_s / 2)
    turns = [math.sin(2 * math.pi * line_hz * at_s) for line_hz in LINES_HZ]
    vibration = (2.1 + 0.04 * number + load) * turns[0] + 0.8 * turns[1] + chance.gauss(0, 0.5)
    current = 1.2 + 2.4 * load + 0.05 * number + 0.4 * turns[0] + chance.gauss(0, 0.05)
    temperature = 24 + 0.11 * at_s + 0.3 * number + chance.gauss(0, 0.03)
    return f"{vibration:.4f}", f"{current:.4f}", f"{temperature:.2f}", "RUN" if load else "IDLE"
