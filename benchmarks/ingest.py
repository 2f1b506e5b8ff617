"""Messages a second from a streaming pty through the server into Redis, as a ratio to the barest loop.

Floor: the same bytes from the same kind of pty, read in bulk, split at line ends, pushed 2000 at a time into the same
Redis with ``appendfsync always``; nothing around it. Ours: a real server process with a session running. Both are
timed from the first byte written to the last message in the list, in turn, and what is in the list is compared with
what was written. Prints one line of JSON last: ``{name, unit, better, ours, floor, ratio, cases}``.
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
import tty
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import redis

import blitz
from blitz.io.redis_child import RedisChild

_T = TypeVar("_T")
_PUSH = 2000
_READ_BYTES = 65536


def make_lines(count: int, name: str) -> list[bytes]:
    """Return numbered messages of one kind, without line ends."""
    assert name == "blitz"
    return [b"08a0%08x%012x0000" % (n, n) for n in range(count)]


def write_to(master: int, lines: list[bytes]) -> int:
    """Write everything from a process of its own, as fast as the reader takes it; return the process' id."""
    stream = b"\r\n".join(lines) + b"\r\n"
    pid = os.fork()
    if pid:
        return pid
    view = memoryview(stream)
    while view:
        view = view[os.write(master, view[:_READ_BYTES]) :]
    os._exit(0)


def wait_for_length(client: redis.Redis, key: str, count: int, process_id: int) -> None:
    """Wait until the list is complete, then for the writer."""
    deadline_s = time.monotonic() + 300
    while client.llen(key) < count:
        if time.monotonic() > deadline_s:
            raise SystemExit(f"{key} has only {client.llen(key)} of {count} messages after 300 s")
        time.sleep(0.005)
    os.waitpid(process_id, 0)


def run_floor(client: redis.Redis, lines: list[bytes]) -> float:
    """Return the seconds of the barest loop."""
    master, slave = os.openpty()
    tty.setraw(slave)
    client.delete("floor")
    began_s = time.monotonic()
    writer = write_to(master, lines)
    pushed, rest, waiting = 0, b"", []
    while pushed < len(lines):
        chunk = rest + os.read(slave, _READ_BYTES)
        *complete, rest = chunk.split(b"\r\n")
        waiting += complete
        while len(waiting) >= _PUSH or (waiting and pushed + len(waiting) == len(lines)):
            client.rpush("floor", *waiting[:_PUSH])
            pushed += len(waiting[:_PUSH])
            waiting = waiting[_PUSH:]
    elapsed_s = time.monotonic() - began_s
    os.waitpid(writer, 0)
    os.close(master)
    os.close(slave)
    check(client, "floor", lines)
    return elapsed_s


def run_ours(client: redis.Redis, redis_url: str, lines: list[bytes]) -> float:
    """Return the seconds of the server."""
    master, slave = os.openpty()
    tty.setraw(slave)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "blitz", "serve", "--port", "0", "--data-dir", folder, "--no-scan-usb"]
        command += ["--redis-url", redis_url, "--serial", f"{os.ttyname(slave)}:921600"]
        log_path = Path(folder) / "log"
        with log_path.open("wb") as log:
            server = subprocess.Popen(command, stderr=log, stdout=log)
        try:
            url = _wait_for(lambda: re.search(rb"serves (http://\S+),", log_path.read_bytes()), log_path)[1].decode()
            _wait_for(lambda: b"is identifying" in log_path.read_bytes(), log_path)
            with blitz.Client(url) as api:
                session = api.start("benchmark")
                key = f"session_{session.id}"
                began_s = time.monotonic()
                writer = write_to(master, lines)
                wait_for_length(client, key, len(lines), writer)
                elapsed_s = time.monotonic() - began_s
                api.stop()
                check(client, key, lines)
                api.delete(session.id)
        finally:
            server.terminate()
            server.wait(20)
    os.close(master)
    os.close(slave)
    return elapsed_s


def _wait_for(find: Callable[[], _T | None], log_path: Path) -> _T:
    deadline_s = time.monotonic() + 30
    while not (found := find()):
        if time.monotonic() > deadline_s:
            raise SystemExit(log_path.read_text())
        time.sleep(0.02)
    return found


def check(client: redis.Redis, key: str, lines: list[bytes]) -> None:
    """Make sure that every message is there once and in order."""
    if client.lrange(key, 0, -1) != lines:
        raise SystemExit(f"{key} is not what was written")


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print only the line of JSON")
    parser.add_argument("--messages", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    lines = make_lines(arguments.messages, "blitz")
    floors, ours = [], []
    with tempfile.TemporaryDirectory() as folder, RedisChild(Path(folder), "always") as child:
        client = redis.Redis.from_url(child.url)
        run_floor(client, lines[:50_000])
        for _ in range(arguments.rounds):
            floors.append(run_floor(client, lines))
            ours.append(run_ours(client, child.url, lines))
        client.close()
    floor_rate = arguments.messages / statistics.median(floors)
    our_rate = arguments.messages / statistics.median(ours)
    case = {"name": "blitz lines", "ours": round(our_rate), "floor": round(floor_rate)}
    case["ratio"] = round(our_rate / floor_rate, 3)
    result = {"unit": "messages/s", "better": "higher", **case, "name": "ingest", "cases": [case]}
    if not arguments.json:
        print(f"ours {our_rate:,.0f} messages/s, floor {floor_rate:,.0f} messages/s, ratio {our_rate / floor_rate:.2f}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
