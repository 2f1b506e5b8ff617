"""Rows a second from a CSV file through the server into Redis, as a ratio to the barest loop.

Two cases: a file that was there before Start, read as fast as it goes; and one that is written while it is read, a
thousand rows at once. Floor: the same file read in pieces, its lines pushed 2000 at a time into the same Redis with
``appendfsync always``; nothing around it. Ours: a real server process with a session running. What is in the list is
compared with what was written. Prints one line of JSON last: ``{name, unit, better, ours, floor, ratio, cases}``, the
top level being its worst case.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

import redis
from rig.server import running_server
from rig.writers import in_a_process, wait_for_end

from blitz.data.source_config import SourceConfig
from blitz.io.redis_child import RedisChild

_PUSH = 2000
_READ_BYTES = 1 << 18
_WRITTEN_ROWS = 1000
_DEADLINE_S = 300.0
_HEADINGS = b"number,time [s],flow [l/min],pressure [kPa]\n"


def make_rows(count: int) -> list[bytes]:
    """Return rows as a logging program writes them."""
    return [b"%d,%.3f,%.4f,%.3f" % (n, n / 1000, 2.5 + n % 97 / 1e3, 101.3 + n % 31 / 1e2) for n in range(count)]


def write(path: Path, rows: list[bytes]) -> None:
    """Append rows as a program does, some at once."""
    with path.open("ab") as file:
        for first in range(0, len(rows), _WRITTEN_ROWS):
            file.write(b"\n".join(rows[first : first + _WRITTEN_ROWS]) + b"\n")
            file.flush()


def run_floor(client: redis.Redis, path: Path, rows: list[bytes], *, is_there: bool) -> float:
    """Return the seconds of the barest loop."""
    client.delete("floor")
    path.write_bytes(_HEADINGS)
    if is_there:
        write(path, rows)
    began_s = time.monotonic()
    writer = None if is_there else in_a_process(lambda: write(path, rows))
    pushed, rest, waiting = 0, b"", list[bytes]()
    with path.open("rb", buffering=0) as file:
        file.readline()
        while pushed < len(rows):
            chunk = file.read(_READ_BYTES)
            if not chunk:
                time.sleep(0.001)
            *lines, rest = (rest + chunk).split(b"\n")
            waiting += lines
            while len(waiting) >= _PUSH or (waiting and pushed + len(waiting) == len(rows)):
                client.rpush("floor", *waiting[:_PUSH])
                pushed += len(waiting[:_PUSH])
                waiting = waiting[_PUSH:]
    elapsed_s = time.monotonic() - began_s
    if writer is not None:
        wait_for_end(writer)
    check(client, "floor", rows)
    return elapsed_s


def run_ours(client: redis.Redis, redis_url: str, path: Path, rows: list[bytes], *, is_there: bool) -> float:
    """Return the seconds of the server."""
    path.write_bytes(_HEADINGS)
    if is_there:
        write(path, rows)
    with running_server(redis_url, []) as server:
        server.api.start("benchmark", join=True)
        key = f"session_{server.api.status().session.id}"  # type: ignore[union-attr]
        began_s = time.monotonic()
        server.api.add_source(SourceConfig(name="file", link=f"csv:{path}"))
        writer = None if is_there else in_a_process(lambda: write(path, rows))
        while (length := client.llen(key)) < len(rows):
            if time.monotonic() > began_s + _DEADLINE_S:
                raise SystemExit(f"{key} has only {length} of {len(rows)} messages after {_DEADLINE_S:g} s")
            time.sleep(0.005)
        elapsed_s = time.monotonic() - began_s
        if writer is not None:
            wait_for_end(writer)
        record = server.api.stop()
        if record.verdict != "no gaps, nothing lost, account balances":
            raise SystemExit(f"The server's account: {record.verdict}")
        check(client, key, rows)
        server.api.delete(record.id)
    return elapsed_s


def check(client: redis.Redis, key: str, rows: list[bytes]) -> None:
    """Make sure that every row is there once and in order."""
    if client.lrange(key, 0, -1) != rows:
        raise SystemExit(f"{key} is not what was written")


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print only the line of JSON")
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rows = make_rows(arguments.rows)
    cases = []
    with tempfile.TemporaryDirectory() as folder, RedisChild(Path(folder), "always") as child:
        client = redis.Redis.from_url(child.url)
        path = Path(folder) / "run.csv"
        for title, is_there in (("file", True), ("growing file", False)):
            floors, ours = [], []
            for _ in range(arguments.rounds):
                floors.append(run_floor(client, path, rows, is_there=is_there))
                ours.append(run_ours(client, child.url, path, rows, is_there=is_there))
            floor, our = (arguments.rows / statistics.median(elapsed_s) for elapsed_s in (floors, ours))
            cases.append({"name": title, "ours": round(our), "floor": round(floor), "ratio": round(our / floor, 3)})
            if not arguments.json:
                print(f"{title}: ours {our:,.0f} rows/s, floor {floor:,.0f}, ratio {our / floor:.2f}")
        client.close()
    worst = min(cases, key=lambda case: float(str(case["ratio"])))
    print(json.dumps({"unit": "rows/s", "better": "higher", **worst, "name": "file_source", "cases": cases}))


if __name__ == "__main__":
    main()
