"""What a hundred live clients cost the server, at a fixed 50 000 messages a second.

Ten devices print 5 000 Blitz lines a second each, on pseudo terminals, paced by one process. Once nobody looks, once a
hundred clients follow the session from its beginning to its end: raw sockets in one process of their own, which count
frames and see that each client got as far as the last message. All must be stored, and 99 % of the messages may wait
for 200 ms at most from their reading until they are safe, by the server's own measure (``/metrics``). How long it takes
to a client is told, too: one more, with the client library, in yet another process.
Counted is the CPU of the server's process and of its Redis, from /proc, while the devices send; what the clients take
is not the server's. Prints one line of JSON last: CPU with clients (``ours``), without (``floor``).
"""

import argparse
import asyncio
import json
import os
import re
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import httpx
import numpy as np
import redis
from numpy.typing import NDArray
from rig.processes import cpu_s, redis_process, resident_bytes
from rig.server import Port, running_server
from rig.streams import FORMATS
from rig.viewers import watch
from rig.writers import in_a_process, wait_for_end

import blitz
from blitz.data.blocks import MessageBlock
from blitz.io.redis_child import RedisChild

_DEVICES = 10
_TICK_S = 0.005
_WARMING_UP_S = 2.0
_LATE_MS, _LATE_SHARE = 200.0, 0.01


class Outcome(NamedTuple):
    """What one run took."""

    server_percent: float
    redis_percent: float
    resident_mib: float
    late_share: float
    """Of the messages: those that waited for longer than is allowed until they were safe."""
    lateness_ms: NDArray[np.float64]
    """Of each message, at a client that looks."""


def print_lines(masters: list[int], wires: list[bytes], bytes_per_s: float) -> None:
    """Write at each tick what is due on all ports; where one is full its reader is waited for."""
    began_s = time.monotonic()
    sent, ticks = 0, 0
    while sent < len(wires[0]):
        ticks += 1
        time.sleep(max(began_s + ticks * _TICK_S - time.monotonic(), 0.0))
        due = min(int((time.monotonic() - began_s) * bytes_per_s), len(wires[0]))
        for master, wire in zip(masters, wires, strict=True):
            begin = sent
            while begin < due:
                begin += os.write(master, wire[begin:due])
        sent = due


async def follow(url: str, session_id: int, count: int, path: Path) -> None:
    """Follow a session with the client library; keep how late each message was."""
    lateness_ns = np.zeros(count, np.int64)
    async with blitz.AsyncClient(url) as client:
        async for block in client.live(session_id, first=0, raw=True):
            if isinstance(block, MessageBlock):
                lateness_ns[block.first_seq : block.next_seq] = time.time_ns() - block.arrived_ns
                if block.next_seq >= count:
                    break
    np.save(path, lateness_ns)


def waits(url: str) -> tuple[float, float]:
    """Return how many messages have become safe so far, and how many of them in the time that is allowed."""
    text = httpx.get(f"{url}/api/v1/metrics", trust_env=False).text
    found = dict(re.findall(r'blitz_message_wait_seconds_bucket{le="([^"]+)"} (\S+)', text))
    return float(found["+Inf"]), float(found[str(_LATE_MS / 1000)])


def run(redis_url: str, rate_hz: float, seconds: float, clients: int, folder: Path) -> Outcome:
    """Record with that many clients."""
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
        path = folder / f"lateness_{clients}.npy"
        children = [in_a_process(lambda: asyncio.run(follow(server.url, session.id, count, path)))]
        if clients:
            told, tell = os.pipe()
            children.append(in_a_process(lambda: watch(server.url, session.id, count, clients, tell)))
            os.read(told, 1)
        time.sleep(1.0)
        writer = in_a_process(lambda: print_lines([port.master for port in ports], wires, bytes_per_s))
        time.sleep(_WARMING_UP_S)
        processes = (server.process_id, redis_process(store))
        all_before, timely_before = waits(server.url)
        began_s, before = time.monotonic(), [cpu_s(process) for process in processes]
        wait_for_end(writer)
        elapsed_s = time.monotonic() - began_s
        used = [100 * (cpu_s(p) - b) / elapsed_s for p, b in zip(processes, before, strict=True)]
        for child in children:
            wait_for_end(child)
        all_after, timely_after = waits(server.url)
        late_share = 1 - (timely_after - timely_before) / (all_after - all_before)
        resident = resident_bytes(server.process_id)
        record = server.api.stop()
        if record.message_count != count or "nothing lost" not in record.verdict:
            raise SystemExit(f"{record.message_count} of {count} messages are there: {record.verdict}")
        server.api.delete(session.id)
    lateness_ms = np.load(path)[int(rate_hz * _WARMING_UP_S) :] / 1e6
    return Outcome(used[0], used[1], resident / (1 << 20), late_share, lateness_ms)


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print only the line of JSON")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each of the two runs")
    parser.add_argument("--rate-hz", type=float, default=50_000.0)
    parser.add_argument("--clients", type=int, default=100)
    arguments = parser.parse_args()
    outcomes = []
    with tempfile.TemporaryDirectory() as folder, RedisChild(Path(folder) / "redis", "always") as child:
        for clients in (0, arguments.clients):
            outcome = run(child.url, arguments.rate_hz, arguments.seconds, clients, Path(folder))
            outcomes.append(outcome)
            if not arguments.json:
                median, late, latest = np.percentile(outcome.lateness_ms, [50, 99, 100])
                print(
                    f"{clients} clients: all stored; server {outcome.server_percent:.0f} % of a core, "
                    f"{outcome.resident_mib:.0f} MiB; Redis {outcome.redis_percent:.0f} %; "
                    f"{outcome.late_share:.2%} not safe within {_LATE_MS:.0f} ms; from arrival to a client "
                    f"{median:.0f} ms, 99 % within {late:.0f} ms, longest {latest:.0f} ms"
                )
    without, with_clients = (outcome.server_percent + outcome.redis_percent for outcome in outcomes)
    case = {"name": f"{arguments.clients} clients", "ours": round(with_clients, 1), "floor": round(without, 1)}
    case["ratio"] = round(with_clients / without, 3)
    late_share = outcomes[-1].late_share
    late = {"name": "late share", "ours": round(late_share, 5), "floor": _LATE_SHARE}
    late["ratio"] = round(late_share / _LATE_SHARE, 3)
    print(json.dumps({"unit": "% of a core", "better": "lower", **case, "name": "fanout", "cases": [case, late]}))
    if late_share > _LATE_SHARE:
        raise SystemExit(f"{late_share:.2%} of the messages waited longer than {_LATE_MS:.0f} ms")


if __name__ == "__main__":
    main()
