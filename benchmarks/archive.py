"""Messages a second from Redis into the archive, as a ratio to pyarrow writing the same blocks to disk.

Three kinds of messages, as :mod:`rig.streams` makes them, 50 a read. Floor: pyarrow writes the blocks, which lie in
memory as Arrow arrays, as record batches of Arrow IPC files of 64 blocks with the same compression, and synchronises
each file. Ours: the same messages are read from Redis, written, synchronised, read back, renamed, and trimmed from
Redis. Both are timed in turn, on the same disk. Prints one line of JSON last: ``{name, unit, better, ours, floor,
ratio, cases}``, the top level being its worst case.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from rig.streams import FORMATS, Format

from blitz.data.archive import Archive
from blitz.data.archiving import Archiving
from blitz.data.blocks import MessageBlock, Read
from blitz.data.database_server import DatabaseServer
from blitz.io.redis_child import RedisChild

_PER_READ = 50
_AT_ONCE = 5_000
_BLOCKS_A_FILE = 64
_SCHEMA = pa.schema([("arrived_ns", pa.int64()), ("source", pa.uint16()), ("raw", pa.binary())])


def record(store: DatabaseServer, messages: Sequence[bytes]) -> int:
    """Store a session of these messages and return its id."""
    session_id = store.start_session("benchmark")
    writer = store.writer(session_id)
    for begin in range(0, len(messages), _AT_ONCE):
        starts = range(begin, min(begin + _AT_ONCE, len(messages)), _PER_READ)
        writer.append(
            [Read(1_000_000_000 + start * 20_000, 0, messages[start : start + _PER_READ]) for start in starts]
        )
    writer.close()
    store.stop_session()
    return session_id


def run_floor(folder: Path, blocks: Sequence[MessageBlock]) -> float:
    """Return the seconds that pyarrow takes."""
    began_s = time.perf_counter()
    options = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", 1))
    for number in range(0, len(blocks), _BLOCKS_A_FILE):
        path = folder / f"{number}.arrow"
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, _SCHEMA, options=options) as writer:
            for block in blocks[number : number + _BLOCKS_A_FILE]:
                columns = [pa.array(block.arrived_ns), pa.array(block.source), block.raw]
                writer.write_batch(pa.record_batch(columns, schema=_SCHEMA))
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    return time.perf_counter() - began_s


def run_ours(store: DatabaseServer, archive: Archive) -> float:
    """Return the seconds that the archiving takes."""
    moving = store.archive_store()
    archiving = Archiving(moving, archive)
    archiving.begin()
    began_s = time.perf_counter()
    while archiving.step() is not None:
        pass
    elapsed_s = time.perf_counter() - began_s
    moving.close()
    return elapsed_s


def compare(store: DatabaseServer, folder: Path, each: Format, count: int, rounds: int) -> dict[str, object]:
    """Return the figures of one kind of messages."""
    messages = each.messages(0, count)
    archive = Archive(folder / "archive", store.store_id)
    store.set_archive_folder(archive.folder)
    floors, ours = [], []
    for number in range(rounds + 1):
        session_id = record(store, messages)
        moving = store.archive_store()
        blocks = list(moving.blocks(session_id, 0, count))
        moving.close()
        floor_s = run_floor(folder, blocks)
        del blocks
        ours_s = run_ours(store, archive)
        if number:  # the first round warms up both
            floors.append(floor_s)
            ours.append(ours_s)
        check(store, session_id, messages)
        store.delete_session(session_id)
    floor, our = (count / statistics.median(elapsed_s) for elapsed_s in (floors, ours))
    return {"name": each.title, "ours": round(our), "floor": round(floor), "ratio": round(our / floor, 3)}


def check(store: DatabaseServer, session_id: int, messages: Sequence[bytes]) -> None:
    """Make sure that every message is in the archive, once and in order."""
    record = store.session(session_id)
    if (record.archived_count, record.message_count) != (len(messages), len(messages)):
        raise SystemExit(f"{record.archived_count} of {len(messages)} messages are in the archive")
    for first in range(0, len(messages), 65_536):
        if store.messages(session_id, first, 65_536).messages() != messages[first : first + 65_536]:
            raise SystemExit(f"messages from {first} on are not what was stored")


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print only the line of JSON")
    parser.add_argument("--formats", nargs="+", choices=list(FORMATS), default=list(FORMATS))
    parser.add_argument("--messages", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    cases = []
    with tempfile.TemporaryDirectory() as name, RedisChild(Path(name), "always") as child:
        store = DatabaseServer(child.url)
        for each in (FORMATS[name] for name in arguments.formats):
            case = compare(store, Path(name), each, arguments.messages, arguments.rounds)
            cases.append(case)
            if not arguments.json:
                ours, floor = case["ours"], case["floor"]
                print(f"{each.title}: ours {ours:,} messages/s, floor {floor:,}, ratio {case['ratio']}")
        store.close()
    worst = min(cases, key=lambda case: float(str(case["ratio"])))
    print(json.dumps({"unit": "messages/s", "better": "higher", **worst, "name": "archive", "cases": cases}))


if __name__ == "__main__":
    main()
