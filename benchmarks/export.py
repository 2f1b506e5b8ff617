"""Seconds that exporting a cached session takes, as a ratio to pyarrow writing the same table from memory.

The session is one of a board with five channels of 12 bits. Floor: the table that the file holds, already in memory as
Arrow columns with times as timestamps, is written by ``pyarrow.csv.write_csv`` or ``pyarrow.parquet.write_table`` with
the compression that we use. Ours: raw blocks are read from the cache file, checked, decoded, and written with the
sidecar, whose SHA-256 go over blocks and file. Both end with the file synchronised to disk, and are timed in turn.
Memory: the peak of a process that exports a session, and one four times as long. Prints one line of JSON last:
``{name, unit, better, ours, floor, ratio, cases}``, the top level being its worst case.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.board_definition import BoardDefinition, Channel
from blitz.data.database_client import DatabaseClient
from blitz.data.export import export_session
from blitz.data.records import SessionRecord, Source

_CHANNELS = tuple(Channel(name=f"channel {n}", bit=12 * n, bits=12, scale=0.8, unit="mV") for n in range(5))
_SOURCE = Source(
    index=0, name="sim1", link="pty", board_id="08", definition=BoardDefinition(id="08", name="x", channels=_CHANNELS)
)
_STARTED_NS = 1_700_000_000 * 1_000_000_000
_PERIOD_NS = 10_000_000
_SUFFIXES = {"csv": ".csv", "parquet": ".parquet"}


def make_cache(path: Path, count: int) -> None:
    """Fill a cache with a session of so many messages."""
    started_at = datetime.fromtimestamp(_STARTED_NS // 1_000_000_000, UTC)
    record = SessionRecord(id=1, started_at=started_at, message_count=count, sources=(_SOURCE,))
    chance = np.random.default_rng(1)
    with DatabaseClient(path=path) as cache:
        cache.begin_download(record)
        for first in range(0, count, GRID_MESSAGES):
            seq = np.arange(first, min(first + GRID_MESSAGES, count))
            values = 1500 + 900 * np.sin(seq[:, np.newaxis] / (1000 * np.arange(1, 6)))
            numbers = np.clip(values + chance.normal(0, 8, values.shape), 0, 4095).astype(int)
            rows = np.column_stack([seq * 10 % (1 << 32), numbers]).tolist()
            raw = pa.array([b"08a0%08x%03x%03x%03x%03x%03x0" % tuple(row) for row in rows], pa.binary())
            arrived_ns = _STARTED_NS + seq * _PERIOD_NS
            cache.store_block(1, MessageBlock(1, first, arrived_ns, np.zeros(len(seq), np.uint16), raw))
        cache.finish_download(record)


def same_table(path: Path, folder: Path, format: str) -> Any:
    """Return the table that an exported file holds, in memory."""
    with DatabaseClient(path=path) as cache:
        exported = export_session(cache, 1, folder / "same.parquet", sidecar=False)
    table = pyarrow.parquet.read_table(exported)
    if format == "parquet":
        return table.replace_schema_metadata().combine_chunks()
    time_ns = table["time"].cast(pa.int64()).to_numpy()
    seconds = pa.array((time_ns - _STARTED_NS) / 1e9)
    # Without a time zone, which would take pyarrow four times as long.
    moments = pa.array(time_ns // 1000).cast(pa.timestamp("us"))
    return table.set_column(0, "time_utc", moments).add_column(1, "seconds", seconds).combine_chunks()


def run_floor(table: Any, path: Path, format: str) -> float:
    """Return the seconds that pyarrow takes."""
    began_s = time.perf_counter()
    if format == "parquet":
        pyarrow.parquet.write_table(table, path, compression="zstd")
    else:
        pyarrow.csv.write_csv(table, path)
    descriptor = os.open(path, os.O_RDWR)
    os.fsync(descriptor)
    os.close(descriptor)
    return time.perf_counter() - began_s


def run_ours(cache_path: Path, path: Path) -> float:
    """Return the seconds that an export takes, of a cache that is open."""
    with DatabaseClient(path=cache_path) as cache:
        began_s = time.perf_counter()
        export_session(cache, 1, path)
        return time.perf_counter() - began_s


def own_peak_mib() -> float:
    """Return the most memory that this process had; getrusage() would count what had been its parent's."""
    found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    return round(int(found[1]) / 1024, 1) if found else 0.0


def peak_mib(cache_path: Path, path: Path) -> float:
    """Return the peak memory of a process that exports the session."""
    command = [sys.executable, __file__, "--export", str(cache_path), str(path)]
    told = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(told.stdout)


def compare(folder: Path, cache_path: Path, longer_path: Path, count: int, format: str, rounds: int) -> dict[str, Any]:
    """Return the figures of one format."""
    table = same_table(cache_path, folder, format)
    if table.num_rows != count:
        raise SystemExit(f"{table.num_rows} of {count} messages were exported")
    floors, ours = [], []
    path = folder / f"ours{_SUFFIXES[format]}"
    for number in range(rounds + 1):
        floor_s, ours_s = run_floor(table, folder / f"floor{_SUFFIXES[format]}", format), run_ours(cache_path, path)
        if number:  # the first round warms up both
            floors.append(floor_s)
            ours.append(ours_s)
    del table
    floor, our = statistics.median(floors), statistics.median(ours)
    return {
        "name": f"{format}, {count:,} messages of 5 channels",
        "ours": round(our, 3),
        "floor": round(floor, 3),
        "ratio": round(our / floor, 3),
        "peak_mib": peak_mib(cache_path, path),
        "peak_mib_4_times_as_long": peak_mib(longer_path, path),
    }


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print only the line of JSON")
    parser.add_argument("--formats", nargs="+", choices=list(_SUFFIXES), default=list(_SUFFIXES))
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--export", nargs=2, type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.export:
        run_ours(*arguments.export)
        print(own_peak_mib())
        return
    cases = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cache_path, longer_path = folder / "cache.db", folder / "longer.db"
        make_cache(cache_path, arguments.messages)
        make_cache(longer_path, 4 * arguments.messages)
        for format in arguments.formats:
            case = compare(folder, cache_path, longer_path, arguments.messages, format, arguments.rounds)
            cases.append(case)
            if not arguments.json:
                print(", ".join(f"{key} {value}" for key, value in case.items()))
    worst = max(cases, key=lambda case: float(case["ratio"]))
    print(json.dumps({"unit": "s", "better": "lower", **worst, "name": "export", "cases": cases}))


if __name__ == "__main__":
    main()
