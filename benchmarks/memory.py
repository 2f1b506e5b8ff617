"""Memory of the server process while millions of messages go through it, as a ratio to what it was after a fifth.

A device writes Blitz lines, 250 000 a second, six times what the fastest ports bring. Sampled is the resident memory of
the server's process, ten times in equal parts of the way; the first two are its warming up. Redis grows by what it
holds, 30 to 40 bytes a message: ``--sessions`` divides the messages into sessions that are deleted one by one, where
there is no memory for one of 50 million; with ``--redis-mb`` they move to the archive instead. What the server drops
because its Redis, which now and then writes its file anew, stood still for seconds, must be in the account. Prints one
line of JSON last: ``{name, unit, better, ours, floor, ratio, cases}``.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import redis
from rig.processes import redis_process, resident_bytes
from rig.server import Port, Server, running_server
from rig.streams import FORMATS
from rig.writers import in_a_process, send_all, wait_for_end

from blitz.io.redis_child import RedisChild

_BLITZ = FORMATS["blitz"]
_SAMPLES = 10
_AT_ONCE = 10_000
_PATIENCE_S = 60.0
_MIB = 1 << 20


def send_numbered(master: int, count: int, rate_hz: float) -> None:
    """Write so many messages, at most at that rate."""
    began_s = time.monotonic()
    for first in range(0, count, _AT_ONCE):
        time.sleep(max(began_s + first / rate_hz - time.monotonic(), 0.0))
        send_all(master, _BLITZ.on_wire(_BLITZ.messages(first, min(first + _AT_ONCE, count))))


def stored(client: redis.Redis, key: str) -> int:
    """Return how many messages a session has, in Redis and in the archive."""
    pipeline: Any = client.pipeline()
    first, length = pipeline.get(f"{key}_first").llen(key).execute()
    return int(first or 0) + int(length)


def wait_for(client: redis.Redis, server: Server, key: str, count: int) -> None:
    """Wait until so many messages are in the list, or were dropped."""
    length, changed_s = 0, time.monotonic()
    while (now := stored(client, key) + server.api.boards()[0].dropped) < count:
        if now > length:
            length, changed_s = now, time.monotonic()
        elif time.monotonic() - changed_s > _PATIENCE_S:
            raise SystemExit(f"{key} stays at {length} of {count} messages")
        time.sleep(0.1)


def record(
    client: redis.Redis, server: Server, port: Port, count: int, rate_hz: float, samples: int
) -> tuple[list[tuple[int, int]], int]:
    """Record one session.

    :returns: the memory of the server and of Redis, in bytes, at equal parts of the way; how many were dropped.
    """
    redis_id = redis_process(client)
    dropped_before = server.api.boards()[0].dropped
    session = server.api.start("benchmark")
    key = f"session_{session.id}"
    writer = in_a_process(lambda: send_numbered(port.master, count, rate_hz))
    sizes = []
    for sample in range(1, samples + 1):
        wait_for(client, server, key, dropped_before + count * sample // samples)
        sizes.append((resident_bytes(server.process_id), resident_bytes(redis_id)))
    wait_for_end(writer)
    stopped = server.api.stop()
    account = server.api.session(session.id).accounts[0]
    dropped = account.messages_dropped
    if stopped.message_count + dropped != count or account.lost != dropped or not account.is_balanced:
        raise SystemExit(f"{stopped.message_count} of {count} messages are there: {stopped.verdict}; {account}")
    server.api.delete(session.id)
    server.api.delete_for_good(session.id)
    return sizes, dropped


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print only the line of JSON")
    parser.add_argument("--messages", type=int, default=8_000_000, help="50000000 is what is asked of the server")
    parser.add_argument("--sessions", type=int, default=1, help="10 at most")
    parser.add_argument("--rate", type=float, default=250_000, help="messages a second")
    parser.add_argument("--redis-mb", type=int, help="memory for Redis; what does not fit moves to the archive")
    arguments = parser.parse_args()
    if arguments.redis_mb:
        os.environ["BLITZ_REDIS_MEMORY_MB"] = str(arguments.redis_mb)
    sessions = min(max(arguments.sessions, 1), _SAMPLES)
    count, samples = arguments.messages // sessions, _SAMPLES // sessions
    sizes: list[tuple[int, int]] = []
    dropped = 0
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, RedisChild(Path(folder), "always") as child:
        client = redis.Redis.from_url(child.url)
        with Port() as port, running_server(child.url, [(port, _BLITZ)]) as server:
            for _ in range(sessions):
                of_session, dropped_in_session = record(client, server, port, count, arguments.rate, samples)
                sizes += of_session
                dropped += dropped_in_session
        client.close()
    begin, end = (size / _MIB for size, _ in (sizes[len(sizes) // 5 - 1], sizes[-1]))
    case = {"name": f"{count * sessions} messages", "ours": round(end, 1), "floor": round(begin, 1)}
    case["ratio"] = round(end / begin, 3)
    if not arguments.json:
        steps = ", ".join(f"{ours / _MIB:.0f}" for ours, _ in sizes)
        print(
            f"{count * sessions:,} messages in {time.monotonic() - began_s:.0f} s: server {steps} MiB, "
            f"Redis up to {max(theirs for _, theirs in sizes) / _MIB:.0f} MiB; {dropped} messages dropped"
        )
    print(json.dumps({"unit": "MiB", "better": "lower", **case, "name": "memory", "cases": [case]}))


if __name__ == "__main__":
    main()
