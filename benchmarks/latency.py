"""From a message's last byte on the wire to a client program: how long, with ten clients.

A device prints numbered lines on a pseudo terminal, 100 a second, and notes when each line was written. Ten clients,
two processes of five, follow the session with the client library and note when each message is in their hands. One
clock serves both, the machine's monotonic one. The server is a real one, and its Redis syncs each append. Prints one
line of JSON last: ``floor`` is what is allowed, so that a ratio of at most 1 is good.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rig.server import Port, running_server
from rig.streams import FORMATS
from rig.writers import in_a_process, wait_for_end

import blitz
from blitz.data.blocks import MessageBlock
from blitz.io.redis_child import RedisChild

_MEDIAN_MS, _WORST_MS = 20.0, 60.0
_PROCESSES, _CLIENTS_EACH = 2, 5
_LATE_S = 10.0


def print_lines(master: int, count: int, rate_hz: float, path: Path) -> None:
    """Write the lines one by one at the given rate; keep when each was written."""
    each = FORMATS["blitz"]
    lines = [each.on_wire([message]) for message in each.messages(0, count)]
    written_ns = np.zeros(count, np.int64)
    began_s = time.monotonic()
    for number, line in enumerate(lines):
        time.sleep(max(began_s + number / rate_hz - time.monotonic(), 0.0))
        os.write(master, line)
        written_ns[number] = time.monotonic_ns()
    np.save(path, written_ns)


async def follow(url: str, session_id: int, count: int, path: Path) -> None:
    """Follow a session as several clients; keep when each message was there."""

    async def one(client: blitz.AsyncClient, seen_ns: NDArray[np.int64]) -> None:
        async for block in client.live(session_id, first=0, raw=True):
            if isinstance(block, MessageBlock):
                now_ns = time.monotonic_ns()
                seen_ns[block.first_seq : block.next_seq] = now_ns
                if block.next_seq >= count:
                    return

    seen_ns = np.zeros((_CLIENTS_EACH, count), np.int64)
    clients = [blitz.AsyncClient(url) for _ in range(_CLIENTS_EACH)]
    try:
        await asyncio.gather(*(one(client, row) for client, row in zip(clients, seen_ns, strict=True)))
    finally:
        for client in clients:
            await client.close()
    np.save(path, seen_ns)


def measure(redis_url: str, count: int, rate_hz: float, folder: Path) -> NDArray[np.float64]:
    """Return the delays in milliseconds, one for each client and message."""
    with Port() as port, running_server(redis_url, [(port, FORMATS["blitz"])]) as server:
        session = server.api.start("benchmark")
        paths = [folder / f"seen_{number}.npy" for number in range(_PROCESSES)]
        viewers = [
            in_a_process(lambda path=path: asyncio.run(follow(server.url, session.id, count, path)))  # type: ignore[misc]
            for path in paths
        ]
        time.sleep(2.0)  # they import and connect
        writer = in_a_process(lambda: print_lines(port.master, count, rate_hz, folder / "written.npy"))
        for process_id in (writer, *viewers):
            wait_for_end(process_id)
        record = server.api.stop()
        if record.message_count != count:
            raise SystemExit(f"{record.message_count} of {count} messages are there: {record.verdict}")
        server.api.delete(session.id)
    written_ns = np.load(folder / "written.npy")
    seen_ns = np.concatenate([np.load(path) for path in paths])
    # The first line decides what the device is, which is held back until then.
    delays: NDArray[np.float64] = (seen_ns - written_ns)[:, int(rate_hz) :] / 1e6
    return delays


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print only the line of JSON")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate-hz", type=float, default=100.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, RedisChild(Path(folder) / "redis", "always") as child:
        count = int(arguments.seconds * arguments.rate_hz)
        delays = measure(child.url, count, arguments.rate_hz, Path(folder))
    cases = []
    for name, share, allowed_ms in (("median", 50, _MEDIAN_MS), ("99 %", 99, _WORST_MS)):
        delay_ms = float(np.percentile(delays, share))
        ratio = round(delay_ms / allowed_ms, 3)
        cases.append({"name": name, "ours": round(delay_ms, 1), "floor": allowed_ms, "ratio": ratio})
        if not arguments.json:
            print(
                f"{name}: {delay_ms:.1f} ms from the wire to {_PROCESSES * _CLIENTS_EACH} clients, {allowed_ms} allowed"
            )
    if not arguments.json:
        print(f"longest: {delays.max():.1f} ms, {delays.shape[1]} messages")
    worst = max(cases, key=lambda case: float(str(case["ratio"])))
    print(json.dumps({"unit": "ms", "better": "lower", **worst, "name": "latency", "cases": cases}))


if __name__ == "__main__":
    main()
