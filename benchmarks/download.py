"""Seconds from a session on the server to a plot from the cache, as a ratio of times to the barest way.

A session of one board with five channels lies in Redis. Ours: a real server process serves it, :class:`blitz.Client`
downloads it into an empty cache file, checked and compressed, and the first full view is made from that file: every
message decoded, each channel thinned out to 1920 columns. Floor, one after the other in this process: the messages are
read from the same Redis by LRANGE of 10 000, the same messages come over a bare TCP connection from another process, as
uncompressed blocks, and are inserted into SQLite, a BLOB a block of 16384 messages, in one transaction; nothing is
encoded, decoded, checked or compressed in that time. Naive, on a part and scaled: one JSON document a message over HTTP
from the same server, decoded in Python, and a row a reading by the ORM's ``add_all``. Prints one line of JSON last:
``{name, unit, better, ours, floor, ratio, cases}``.
"""

import argparse
import json
import shutil
import socket
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import redis
from rig.server import running_server
from rig.writers import in_a_process, wait_for_end
from sqlalchemy import create_engine
from sqlalchemy.orm import Session as Transaction

import blitz
from blitz.data.blocks import Read
from blitz.data.board_definition import BoardDefinition, Channel
from blitz.data.database_client import DatabaseClient
from blitz.data.database_server import DatabaseServer
from blitz.data.models import Base, Category, Reading
from blitz.data.records import Source
from blitz.io.redis_child import RedisChild

_PER_READ = 50
_AT_ONCE = 5_000
_LRANGE = 10_000
_BLOCK = 16_384
_COLUMNS = 1_920
_CHANNELS = 5
_BITS = 12


def make_messages(count: int) -> list[bytes]:
    """Return lines of a board with five channels, a millisecond apart."""
    return [
        b"08a0%08x%03x%03x%03x%03x%03x0" % (n, n % 4096, n * 7 % 4096, n * 13 % 4096, n * 29 % 4096, n * 31 % 4096)
        for n in range(count)
    ]


def record(store: DatabaseServer, messages: Sequence[bytes]) -> int:
    """Store a session of these messages and return its id."""
    channels = tuple(Channel(name=f"channel_{n}", bit=_BITS * n, bits=_BITS) for n in range(_CHANNELS))
    board = BoardDefinition(id="08", name="Five channels", channels=channels)
    source = Source(index=0, name="board", link="benchmark", board_id="08", definition=board)
    session_id = store.start_session("benchmark", sources=[source])
    writer = store.writer(session_id)
    began_ns = time.time_ns()
    for begin in range(0, len(messages), _AT_ONCE):
        starts = range(begin, min(begin + _AT_ONCE, len(messages)), _PER_READ)
        writer.append([Read(began_ns + start * 1_000_000, 0, messages[start : start + _PER_READ]) for start in starts])
    writer.close()
    store.stop_session()
    return session_id


def run_floor(client: redis.Redis, session_id: int, pieces: Sequence[bytes], path: Path) -> dict[str, float]:
    """Return the seconds of the three parts of the barest way."""
    total = client.llen(f"session_{session_id}")
    began_s = time.perf_counter()
    count = 0
    while chunk := client.lrange(f"session_{session_id}", count, count + _LRANGE - 1):
        count += len(chunk)
    read_s = time.perf_counter() - began_s
    if count != total:
        raise SystemExit(f"Redis has {total} messages, and gave {count}")
    began_s, received = run_socket(pieces)
    sent_s = time.perf_counter() - began_s
    if received != pieces:
        raise SystemExit("the socket brought something else")
    database = sqlite3.connect(path)
    for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=NORMAL", "CREATE TABLE block (body BLOB)"):
        database.execute(statement).close()
    began_s = time.perf_counter()
    with database:
        database.executemany("INSERT INTO block VALUES (?)", ((piece,) for piece in received))
    stored_s = time.perf_counter() - began_s
    database.close()
    return {"lrange": read_s, "socket": sent_s, "sqlite": stored_s}


def run_socket(pieces: Sequence[bytes]) -> tuple[float, list[bytes]]:
    """Bring bytes from another process; return when it began, and what came."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def send() -> None:
            with listening.accept()[0] as connection:
                for piece in pieces:
                    connection.sendall(piece)

        writer = in_a_process(send)
        began_s = time.perf_counter()
        received = []
        with socket.create_connection(listening.getsockname()) as connection:
            for piece in pieces:
                buffer = bytearray(len(piece))
                view = memoryview(buffer)
                while view:
                    view = view[connection.recv_into(view) :]
                received.append(bytes(buffer))
        wait_for_end(writer)
    return began_s, received


def run_ours(client: blitz.Client, session_id: int, path: Path) -> dict[str, float]:
    """Return the seconds of download and first view."""
    with DatabaseClient(path=path) as cache:
        began_s = time.perf_counter()
        client.download(session_id, cache)
        downloaded_s = time.perf_counter()
        view = cache.series(session_id, max_points=2 * _COLUMNS)
        ended_s = time.perf_counter()
    if len(view) != _CHANNELS or any(not _COLUMNS <= len(series.time) <= 2 * _COLUMNS for series in view.values()):
        raise SystemExit("the view is not as wanted")
    return {"download": downloaded_s - began_s, "view": ended_s - downloaded_s}


def check(path: Path, session_id: int, messages: Sequence[bytes]) -> None:
    """Make sure that the cache has every message, once and in order."""
    with DatabaseClient(path=path) as cache:
        found = [message for block in cache.session_blocks(session_id) for message in block.messages()]
    if found != list(messages):
        raise SystemExit("the cache has something else than the server")


def run_naive(url: str, session_id: int, count: int, path: Path) -> float:
    """Return the seconds in which the naive way brings this many messages into a table of readings."""
    engine = create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    began_s = time.perf_counter()
    with httpx.Client() as http, Transaction(engine) as database:
        categories = [Category(variable_name=f"channel_{n}") for n in range(_CHANNELS)]
        database.add_all(categories)
        database.flush()
        path_of_messages = f"{url}/api/v1/sessions/{session_id}/messages"
        params = {"first": 0, "count": count}
        answer = http.get(path_of_messages, params=params, headers={"Accept": "application/x-ndjson"}, timeout=60)
        for line in answer.text.splitlines():
            message = json.loads(line)
            payload = int(message["raw"][12:], 16)
            readings = [
                Reading(
                    session_id=session_id,
                    time_logged=message["arrived_ns"] // 1_000_000,
                    category_id=category.id,
                    value=float(payload >> 64 - _BITS * (n + 1) & 0xFFF),
                )
                for n, category in enumerate(categories)
            ]
            database.add_all(readings)
        database.commit()
        rows = database.query(Reading).count()
    elapsed_s = time.perf_counter() - began_s
    engine.dispose()
    if rows != _CHANNELS * count:
        raise SystemExit(f"the naive way stored {rows} readings")
    return elapsed_s


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print only the line of JSON")
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--part", type=int, default=20_000, help="messages of the naive way")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    messages = make_messages(arguments.messages)
    with tempfile.TemporaryDirectory() as name, RedisChild(Path(name), "everysec") as child:
        folder = Path(name)
        store = DatabaseServer(child.url)
        session_id = record(store, messages)
        pieces = [store.messages(session_id, first, _BLOCK).encode() for first in range(0, len(messages), _BLOCK)]
        store.close()
        client = redis.Redis.from_url(child.url)
        floors, ours = [], []
        with running_server(child.url, [], environment={"BLITZ_ARCHIVE": "false"}) as server:
            for number in range(arguments.rounds + 1):
                floor = run_floor(client, session_id, pieces, folder / f"floor{number}.db")
                our = run_ours(server.api, session_id, folder / f"cache{number}.db")
                check(folder / f"cache{number}.db", session_id, messages)
                for path in folder.glob("*.db*"):
                    shutil.rmtree(path) if path.is_dir() else path.unlink()
                if number:  # the first round warms up both
                    floors.append(floor)
                    ours.append(our)
            naive_s = run_naive(server.url, session_id, arguments.part, folder / "naive.db")
        client.close()
    report(arguments, floors, ours, naive_s * arguments.messages / arguments.part)


def report(
    arguments: argparse.Namespace,
    floors: Sequence[dict[str, float]],
    ours: Sequence[dict[str, float]],
    naive_s: float,
) -> None:
    """Print medians, and what they are made of."""
    floor_s, our_s = (statistics.median(sum(parts.values()) for parts in runs) for runs in (floors, ours))
    case = {
        "ours": round(our_s, 3),
        "floor": round(floor_s, 3),
        "ratio": round(our_s / floor_s, 3),
        "naive": round(naive_s, 1),
        "times_faster_than_naive": round(naive_s / our_s, 1),
    }
    if not arguments.json:
        for title, runs in (("floor", floors), ("ours", ours)):
            parts = ", ".join(f"{part} {statistics.median(run[part] for run in runs):.3f} s" for part in runs[0])
            print(f"{title}: {parts}")
        print(f"{arguments.messages:,} messages: ours {our_s:.2f} s, floor {floor_s:.2f} s, ratio {case['ratio']}")
        print(
            f"naive, scaled from {arguments.part:,}: {naive_s:.0f} s, {case['times_faster_than_naive']} times as long"
        )
    print(json.dumps({"unit": "s", "better": "lower", **case, "name": "download", "cases": [case]}))


if __name__ == "__main__":
    main()
