"""What archiving costs while 50 000 messages a second arrive: CPU, and how late messages are.

Ten devices print 5 000 Blitz lines a second each, on pseudo terminals, paced by one process, as in ``fanout.py``. Once
Redis has memory for all of it, once for a fifth of it, so that most messages move to the archive while others come. All
must be there, and the archive whole. How late a message is: from its arrival to a client, with the client library, in
another process; the wait in the appender's queue is a part of that. Counted is the CPU of the server's process, its
Redis and the archive's worker, from /proc. Prints one line of JSON last: CPU with archiving (``ours``), without
(``floor``).
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
import redis
from fanout import follow, print_lines
from numpy.typing import NDArray
from rig.processes import cpu_s, redis_process
from rig.server import Port, Server, running_server
from rig.streams import FORMATS
from rig.writers import in_a_process, wait_for_end

from blitz.io.redis_child import RedisChild

_DEVICES = 10
_WARMING_UP_S = 2.0
_LATE_MS = 200.0
_ROOMY_MB = 4096
_TIGHT_MB = 32


class Outcome(NamedTuple):
    """What one run took."""

    server_percent: float
    redis_percent: float
    worker_percent: float
    archived: int
    lateness_ms: NDArray[np.float64]
    """Of each message, at a client that looks."""


def worker_of(server: Server) -> int | None:
    """Return the process of the server's worker."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            words = (path / "cmdline").read_bytes().split(b"\0")
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if b"blitz.io.worker" in words and parent == server.process_id:
            return int(path.name)
    return None


def run(redis_url: str, rate_hz: float, seconds: float, memory_mb: int, folder: Path) -> Outcome:
    """Record with so much memory for Redis."""
    os.environ["BLITZ_REDIS_MEMORY_MB"] = str(memory_mb)
    each = FORMATS["blitz"]
    per_device = int(rate_hz * seconds / _DEVICES)
    count = per_device * _DEVICES
    wires = [each.on_wire(each.messages(n * per_device, (n + 1) * per_device)) for n in range(_DEVICES)]
    bytes_per_s = len(wires[0]) / per_device * rate_hz / _DEVICES
    with ExitStack() as stack:
        ports = [stack.enter_context(Port()) for _ in range(_DEVICES)]
        server = stack.enter_context(running_server(redis_url, [(port, each) for port in ports]))
        store = stack.enter_context(redis.Redis.from_url(redis_url))
        session = server.api.start("benchmark")
        path = folder / f"lateness_{memory_mb}.npy"
        viewer = in_a_process(lambda: asyncio.run(follow(server.url, session.id, count, path)))
        time.sleep(1.0)
        writer = in_a_process(lambda: print_lines([port.master for port in ports], wires, bytes_per_s))
        time.sleep(_WARMING_UP_S)
        processes = (server.process_id, redis_process(store))
        began_s, before = time.monotonic(), [cpu_s(process) for process in processes]
        wait_for_end(writer)
        elapsed_s = time.monotonic() - began_s
        used = [100 * (cpu_s(p) - b) / elapsed_s for p, b in zip(processes, before, strict=True)]
        worker = worker_of(server)
        used.append(100 * cpu_s(worker) / elapsed_s if worker is not None else 0.0)
        wait_for_end(viewer)
        record = server.api.stop()
        if record.message_count != count or "nothing lost" not in record.verdict:
            raise SystemExit(f"{record.message_count} of {count} messages are there: {record.verdict}")
        check = server.api.verify_archive()
        if check.faults:
            raise SystemExit(check.faults[0].text)
        server.api.delete(session.id)
        server.api.delete_for_good(session.id)
    lateness_ms = np.load(path)[int(rate_hz * _WARMING_UP_S) :] / 1e6
    return Outcome(used[0], used[1], used[2], record.archived_count, lateness_ms)


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print only the line of JSON")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each of the two runs")
    parser.add_argument("--rate-hz", type=float, default=50_000.0)
    arguments = parser.parse_args()
    outcomes = []
    with tempfile.TemporaryDirectory() as folder, RedisChild(Path(folder) / "redis", "always") as child:
        for memory_mb in (_ROOMY_MB, _TIGHT_MB):
            outcome = run(child.url, arguments.rate_hz, arguments.seconds, memory_mb, Path(folder))
            outcomes.append(outcome)
            if not arguments.json:
                median, late, latest = np.percentile(outcome.lateness_ms, [50, 99, 100])
                print(
                    f"{memory_mb} MB: all stored, {outcome.archived:,} archived; server {outcome.server_percent:.0f} % "
                    f"of a core, Redis {outcome.redis_percent:.0f} %, worker {outcome.worker_percent:.0f} %; from "
                    f"arrival to a client {median:.0f} ms, 99 % within {late:.0f} ms, longest {latest:.0f} ms"
                )
    floor, ours = (each.server_percent + each.redis_percent + each.worker_percent for each in outcomes)
    late_ms = float(np.percentile(outcomes[-1].lateness_ms, 99))
    case = {"name": "archiving", "ours": round(ours, 1), "floor": round(floor, 1), "ratio": round(ours / floor, 3)}
    late = {
        "name": "99 % within, ms",
        "ours": round(late_ms, 1),
        "floor": _LATE_MS,
        "ratio": round(late_ms / _LATE_MS, 3),
    }
    print(json.dumps({"unit": "% of a core", "better": "lower", **case, "name": "archive_live", "cases": [case, late]}))
    if not outcomes[-1].archived:
        raise SystemExit("Nothing was archived")
    if late_ms > _LATE_MS:
        raise SystemExit(f"99 % of the messages were at a client within {late_ms:.0f} ms, {_LATE_MS:.0f} are allowed")


if __name__ == "__main__":
    main()
