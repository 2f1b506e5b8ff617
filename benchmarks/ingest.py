"""Messages a second from a streaming pty through the server into Redis, as a ratio to the barest loop.

Three kinds of devices: Blitz lines, CSV lines, COBS frames with a CRC-16, all numbered. Floor: the same bytes from the
same kind of pty, read in bulk, cut (COBS decoded, CRC compared), pushed 2000 at a time into the same Redis with
``appendfsync always``; nothing around it. Ours: a real server process with a session running. Both are timed from the
first byte written to the last message in the list, in turn, and what is in the list is compared with what was written.
Prints one line of JSON last: ``{name, unit, better, ours, floor, ratio, cases}``, the top level being its worst case.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import redis
from rig.server import Port, running_server
from rig.streams import FORMATS, Format
from rig.writers import in_a_process, send_all, wait_for_end

from blitz.io.redis_child import RedisChild

_PUSH = 2000
_READ_BYTES = 65536
_DEADLINE_S = 300.0


def run_floor(client: redis.Redis, each: Format, messages: list[bytes]) -> float:
    """Return the seconds of the barest loop."""
    wire = each.on_wire(messages)
    client.delete("floor")
    with Port() as port:
        began_s = time.monotonic()
        writer = in_a_process(lambda: send_all(port.master, wire))
        pushed, rest, waiting = 0, b"", list[bytes]()
        while pushed < len(messages):
            complete, rest = each.cut(rest + os.read(port.slave, _READ_BYTES))
            waiting += complete
            while len(waiting) >= _PUSH or (waiting and pushed + len(waiting) == len(messages)):
                client.rpush("floor", *waiting[:_PUSH])
                pushed += len(waiting[:_PUSH])
                waiting = waiting[_PUSH:]
        elapsed_s = time.monotonic() - began_s
        wait_for_end(writer)
    check(client, "floor", messages)
    return elapsed_s


def run_ours(client: redis.Redis, redis_url: str, each: Format, messages: list[bytes]) -> float:
    """Return the seconds of the server."""
    wire = each.on_wire(messages)
    with Port() as port, running_server(redis_url, [(port, each)]) as server:
        session = server.api.start("benchmark")
        key = f"session_{session.id}"
        began_s = time.monotonic()
        writer = in_a_process(lambda: send_all(port.master, wire))
        while (length := client.llen(key)) < len(messages):
            if time.monotonic() > began_s + _DEADLINE_S:
                raise SystemExit(f"{key} has only {length} of {len(messages)} messages after {_DEADLINE_S:g} s")
            time.sleep(0.005)
        elapsed_s = time.monotonic() - began_s
        wait_for_end(writer)
        verdict = server.api.stop().verdict
        if verdict != "no gaps, nothing lost, account balances":
            raise SystemExit(f"The server's account: {verdict}")
        check(client, key, messages)
        server.api.delete(session.id)
    return elapsed_s


def check(client: redis.Redis, key: str, messages: list[bytes]) -> None:
    """Make sure that every message is there once and in order."""
    if client.lrange(key, 0, -1) != messages:
        raise SystemExit(f"{key} is not what was written")


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print only the line of JSON")
    parser.add_argument("--formats", nargs="+", choices=list(FORMATS), default=list(FORMATS))
    parser.add_argument("--messages", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    cases = []
    with tempfile.TemporaryDirectory() as folder, RedisChild(Path(folder), "always") as child:
        client = redis.Redis.from_url(child.url)
        for each in (FORMATS[name] for name in arguments.formats):
            messages = each.messages(0, arguments.messages)
            floors, ours = [], []
            run_floor(client, each, messages[:50_000])
            for _ in range(arguments.rounds):
                floors.append(run_floor(client, each, messages))
                ours.append(run_ours(client, child.url, each, messages))
            floor, our = (arguments.messages / statistics.median(elapsed_s) for elapsed_s in (floors, ours))
            cases.append(
                {"name": each.title, "ours": round(our), "floor": round(floor), "ratio": round(our / floor, 3)}
            )
            if not arguments.json:
                print(f"{each.title}: ours {our:,.0f} messages/s, floor {floor:,.0f}, ratio {our / floor:.2f}")
        client.close()
    worst = min(cases, key=lambda case: float(str(case["ratio"])))
    print(json.dumps({"unit": "messages/s", "better": "higher", **worst, "name": "ingest", "cases": cases}))


if __name__ == "__main__":
    main()
