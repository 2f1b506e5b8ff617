"""Points a second that a logger takes, as a ratio to SQLite alone with the same durability.

One at a time: `insert` of a number with its schema checked, against one INSERT of name, time and value into a table
without an index. Many at once: `insert_many` of a list of dicts, against `executemany` of rows that are ready. Both in
WAL mode, with each transaction on the disk before the call returns; timed in turn, in short runs, as disks have moods.
What is in the file is counted at the end. Prints one line of JSON last: ``{name, unit, better, ours, floor, ratio,
cases}``, the top level being its worst case.
"""

import argparse
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import blitz

_NAME = "temperature"
_INSERT = "INSERT INTO points VALUES (?, ?, ?)"


def open_floor(path: Path) -> sqlite3.Connection:
    """Return a database that is as durable as a logger's file."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE points (stream TEXT, t REAL, d REAL)")
    return connection


def timed(work: Callable[[], None]) -> float:
    """Return the seconds that it takes."""
    began_s = time.perf_counter()
    work()
    return time.perf_counter() - began_s


def in_turn(
    ours: Callable[[], None], floor: Callable[[], None], rounds: int, prepare: Callable[[], None] = lambda: None
) -> tuple[float, float]:
    """Return the median seconds of each; the first round warms up both."""
    pairs = []
    for _ in range(rounds + 1):
        prepare()
        pairs.append((timed(ours), timed(floor)))
    del pairs[0]
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)


def compare_one(logger: blitz.Logger, floor: sqlite3.Connection, count: int, rounds: int) -> dict[str, Any]:
    """Return the figures of single points."""

    def insert_ours() -> None:
        for number in range(count):
            logger.insert(_NAME, number * 0.5)

    def insert_floor() -> None:
        for number in range(count):
            floor.execute(_INSERT, (_NAME, time.time(), number * 0.5))

    return figures("one at a time", count, *in_turn(insert_ours, insert_floor, rounds))


def compare_many(logger: blitz.Logger, floor: sqlite3.Connection, count: int, rounds: int) -> dict[str, Any]:
    """Return the figures of many points at once."""
    began_t = time.time() + 1e6
    points = [{"t": began_t + number, "d": number * 0.5} for number in range(count)]
    rows = [(_NAME, point["t"], point["d"]) for point in points]

    def prepare() -> None:
        logger.cleardata()
        floor.execute("DELETE FROM points")

    def insert_ours() -> None:
        logger.insert_many({_NAME: points})

    def insert_floor() -> None:
        floor.execute("BEGIN IMMEDIATE")
        floor.executemany(_INSERT, rows)
        floor.execute("COMMIT")

    return figures(f"{count:,} at once", count, *in_turn(insert_ours, insert_floor, rounds, prepare))


def figures(name: str, count: int, ours_s: float, floor_s: float) -> dict[str, Any]:
    """Return rates and their ratio."""
    ours, floor = count / ours_s, count / floor_s
    return {"name": name, "ours": round(ours), "floor": round(floor), "ratio": round(ours / floor, 3)}


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print only the line of JSON")
    parser.add_argument("--points", type=int, default=200, help="one at a time, in each round")
    parser.add_argument("--many", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--folder", type=Path, help="on the disk that is to be measured")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        with blitz.Logger(folder / "cache.db") as logger, closing(open_floor(folder / "floor.db")) as floor:
            logger.add_stream_force(_NAME, {"type": "number"})
            cases = [compare_one(logger, floor, arguments.points, arguments.rounds)]
            expected = floor.execute("SELECT count(*) FROM points").fetchone()[0]
            if len(logger) != expected:
                raise SystemExit(f"{len(logger)} of {expected} points are in the file")
            cases.append(compare_many(logger, floor, arguments.many, arguments.rounds))
            if len(logger) != arguments.many:
                raise SystemExit(f"{len(logger)} of {arguments.many} points are in the file")
    worst = min(cases, key=lambda case: float(case["ratio"]))
    if not arguments.json:
        print(f"{'':20} {'ours':>10} {'SQLite':>10} {'ratio':>7}")
        for case in cases:
            print(f"{case['name']:20} {case['ours']:>10} {case['floor']:>10} {case['ratio']:>7.3f}")
    summary = {key: worst[key] for key in ("ours", "floor", "ratio")}
    print(json.dumps({"name": "logger", "unit": "points/s", "better": "higher", **summary, "cases": cases}))


if __name__ == "__main__":
    main()
