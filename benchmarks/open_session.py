"""Opening and zooming a long cached session: seconds, memory and room, each as a share of what is allowed.

A session of 5 channels at 1 kHz, noisy 12-bit values, is put into a new cache file. Processes of their own then open
it: without its overview, with it, and at random ranges of all lengths, 1920 columns wide. Prints one line of JSON last:
``{name, unit, better, ours, floor, ratio, cases}``, the floor being what is allowed, the top level the worst case.
"""

import argparse
import contextlib
import json
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.boards import load_definitions
from blitz.data.database_client import DatabaseClient
from blitz.data.records import SessionRecord, Source

_SESSION = 1
_CHANNELS = 5
_START_S = 1_700_000_000
_POINTS = 2 * 1920
_DIGITS = np.frombuffer(b"0123456789abcdef", np.uint8)
_READ_MS = 16
_SHORTEST_S = 0.05


def session(messages: int) -> SessionRecord:
    """Return the session's record: the first five channels of a Blitz board."""
    basic = load_definitions()["08"]
    channels = tuple(channel for channel in basic.channels if channel.name.startswith("adc"))[:_CHANNELS]
    source = Source(
        index=0,
        name="sim1",
        link="pty",
        board_id="08",
        definition=basic.model_copy(update={"channels": channels}),
    )
    started = datetime.fromtimestamp(_START_S, UTC)
    return SessionRecord(id=_SESSION, started_at=started, message_count=messages, sources=(source,))


def blocks(messages: int) -> Iterator[MessageBlock]:
    """Make the session's messages: slow waves with noise of three counts, arriving every 16 ms."""
    rng = np.random.default_rng(5)
    for first in range(0, messages, GRID_MESSAGES):
        seq = np.arange(first, min(first + GRID_MESSAGES, messages))
        text = np.full((len(seq), 28), ord("0"), np.uint8)
        text[:, :4] = np.frombuffer(b"08a0", np.uint8)
        _put(text, 4, 8, seq % (1 << 32))
        for channel in range(_CHANNELS):
            wave = 2048 + 1500 * np.sin(seq * (3e-5 * (channel + 1))) + rng.normal(0, 3, len(seq))
            _put(text, 12 + 3 * channel, 3, wave.astype(np.int64))
        arrived_ms = seq // _READ_MS * _READ_MS + _READ_MS
        late_ns = int(rng.integers(0, 1_000_000))
        arrived_ns = (_START_S * 1000 + arrived_ms) * 1_000_000 + late_ns
        offsets = pa.py_buffer((np.arange(len(seq) + 1) * 28).astype(np.int32))
        raw = pa.Array.from_buffers(pa.binary(), len(seq), [None, offsets, pa.py_buffer(text.tobytes())])
        yield MessageBlock(_SESSION, first, arrived_ns, np.zeros(len(seq), np.uint16), raw)


def fill(path: Path, messages: int) -> float:
    """Put the session into a cache, and return how many bytes of raw blocks a reading takes."""
    record = session(messages)
    with DatabaseClient(path=path) as cache:
        cache.begin_download(record)
        for block in blocks(messages):
            cache.store_block(_SESSION, block)
        cache.finish_download(record)
    with contextlib.closing(sqlite3.connect(path)) as database:
        (stored,) = database.execute("select sum(length(body)) from message_block").fetchone()
    return float(stored) / (messages * _CHANNELS)


def open_once(path: Path) -> dict[str, Any]:
    """Open the cache and show the whole session; in a process of its own."""
    began_s = time.perf_counter()
    with DatabaseClient(path=path) as cache:
        found = cache.series(_SESSION, max_points=_POINTS)
        elapsed_s = time.perf_counter() - began_s
        assert len(found) == _CHANNELS
        assert all(len(series) > _POINTS // 4 for series in found.values())
        return {"seconds": elapsed_s}


def zoom(path: Path, times: int) -> dict[str, Any]:
    """Show random ranges, their lengths even on a logarithmic scale; in a process of its own."""
    rng = np.random.default_rng(int.from_bytes(b"zoom"))
    with DatabaseClient(path=path) as cache:
        whole = cache.series(_SESSION, max_points=_POINTS)
        times_s = next(iter(whole.values())).time_ns / 1e9
        begin, end = float(times_s[0]), float(times_s[-1])
        taken_ms = []
        for _ in range(times):
            length = float(np.exp(rng.uniform(np.log(_SHORTEST_S), np.log(end - begin))))
            start = rng.uniform(begin, end - length)
            began_s = time.perf_counter()
            found = cache.series(_SESSION, start=start, stop=start + length, max_points=_POINTS)
            taken_ms.append((time.perf_counter() - began_s) * 1000)
            assert all(0 < len(series) <= _POINTS for series in found.values())
    return {"milliseconds": taken_ms}


def in_process(*arguments: str) -> dict[str, Any]:
    """Run a part of this program by itself, and return what it measured, with its peak memory."""
    command = [sys.executable, __file__, *arguments]
    answer: dict[str, Any] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return answer


def measure(path: Path, readings: int, zooms: int) -> list[dict[str, Any]]:
    """Return one case a promise."""
    messages = readings // _CHANNELS
    bytes_each = fill(path, messages)
    without = in_process("--part", "open", "--cache", str(path))
    having = in_process("--part", "open", "--cache", str(path))
    zoomed = in_process("--part", "zoom", "--cache", str(path), "--zooms", str(zooms))
    taken_ms: NDArray[np.float64] = np.array(zoomed["milliseconds"])
    median, most = np.percentile(taken_ms, [50, 99])
    peak_mb = max(part["peak_mb"] for part in (without, having, zoomed))
    allowed_s = 0.5 + readings / 20_000_000
    return [
        _case("first view with the overview", "s", having["seconds"], 0.5),
        _case("first view without it", "s", without["seconds"], allowed_s),
        _case("zoom, median", "ms", float(median), 20),
        _case("zoom, 99 %", "ms", float(most), 20),
        _case("zoom, longest", "ms", float(taken_ms.max()), 20),
        _case("peak memory", "MB", peak_mb, 600),
        _case("raw blocks, a reading", "bytes", bytes_each, 3.5),
    ]


def _case(name: str, unit: str, ours: float, allowed: float) -> dict[str, Any]:
    return {"name": name, "unit": unit, "ours": round(ours, 3), "floor": allowed, "ratio": round(ours / allowed, 3)}


def _put(text: NDArray[np.uint8], first: int, digits: int, numbers: NDArray[np.int64]) -> None:
    for place in range(digits):
        text[:, first + place] = _DIGITS[(numbers >> (4 * (digits - 1 - place))) & 15]


def main() -> None:
    """Run the benchmark, or one part of it in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print only the line of JSON")
    parser.add_argument("--readings", type=int, default=100_000_000)
    parser.add_argument("--zooms", type=int, default=300)
    parser.add_argument("--folder", type=Path, help="for the cache, some 5 bytes a reading; absent: a temporary one")
    parser.add_argument("--part", choices=("open", "zoom"), help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        found = open_once(options.cache) if options.part == "open" else zoom(options.cache, options.zooms)
        print(json.dumps(found | {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        cases = measure(Path(folder) / "cache.db", options.readings, options.zooms)
    worst = max(cases, key=lambda case: case["ratio"])
    for case in () if options.json else cases:
        print(f"{case['name']:30} {case['ours']:10.3f} {case['unit']:5} of at most {case['floor']:g}")
    print(json.dumps({"better": "lower", **worst, "name": "open_session", "cases": cases}))


if __name__ == "__main__":
    main()
