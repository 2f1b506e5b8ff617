"""CPU of a paced stream of 1.2 MB/s, server and Redis together, as a ratio to the barest loop's.

A device writes Blitz lines, 40 000 a second, at each millisecond what is due. Floor: ``os.read``, split at line ends,
2000 at a time into Redis with ``appendfsync always``; nothing around it. Ours: a real server process with a session
running, no client attached. Counted is what the reading process and its Redis use, from the first byte to the last
message in the list, in turn. Prints one line of JSON last: ``{name, unit, better, ours, floor, ratio, cases}``.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import redis
from rig.processes import cpu_s, redis_process
from rig.server import Port, running_server
from rig.streams import FORMATS, Format
from rig.writers import in_a_process, send_paced, wait_for_end

from blitz.io.redis_child import RedisChild

_BYTES_PER_S = 1_200_000
_PUSH = 2000


def floor_cpu_s(client: redis.Redis, each: Format, count: int, tick_s: float) -> float:
    """Return the seconds of CPU of the barest loop and its Redis."""
    processes = (os.getpid(), redis_process(client))
    wire = each.on_wire(each.messages(0, count))
    client.delete("floor")
    with Port() as port:
        writer = in_a_process(lambda: send_paced(port.master, wire, _BYTES_PER_S, tick_s))
        before_s = sum(map(cpu_s, processes))
        pushed, rest, waiting = 0, b"", list[bytes]()
        while pushed + len(waiting) < count:
            messages, rest = each.cut(rest + os.read(port.slave, 65536))
            waiting += messages
            if len(waiting) >= _PUSH:
                client.rpush("floor", *waiting)
                pushed += len(waiting)
                waiting = []
        if waiting:
            client.rpush("floor", *waiting)
        used_s = sum(map(cpu_s, processes)) - before_s
        wait_for_end(writer)
    assert client.llen("floor") == count
    client.delete("floor")
    return used_s


def our_cpu_s(client: redis.Redis, redis_url: str, each: Format, count: int, tick_s: float) -> float:
    """Return the seconds of CPU of the server and its Redis."""
    wire = each.on_wire(each.messages(0, count))
    with Port() as port, running_server(redis_url, [(port, each)]) as server:
        processes = (server.process_id, redis_process(client))
        session = server.api.start("benchmark")
        key = f"session_{session.id}"
        before_s = sum(map(cpu_s, processes))
        writer = in_a_process(lambda: send_paced(port.master, wire, _BYTES_PER_S, tick_s))
        wait_for_end(writer)
        while client.llen(key) < count:
            time.sleep(0.01)
        used_s = sum(map(cpu_s, processes)) - before_s
        record = server.api.stop()
        if record.message_count != count or "nothing lost, account balances" not in record.verdict:
            raise SystemExit(f"{record.message_count} of {count} messages are there: {record.verdict}")
        server.api.delete(session.id)
    return used_s


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print only the line of JSON")
    parser.add_argument("--format", choices=list(FORMATS), default="blitz")
    parser.add_argument("--seconds", type=float, default=20.0, help="of one run")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--tick-ms", type=float, default=1.0, help="from one write to the next")
    arguments = parser.parse_args()
    each = FORMATS[arguments.format]
    sample = each.on_wire(each.messages(0, 1000))
    count = int(arguments.seconds * _BYTES_PER_S * 1000 / len(sample))
    floors, ours = [], []
    with tempfile.TemporaryDirectory() as folder, RedisChild(Path(folder), "always") as child:
        client = redis.Redis.from_url(child.url)
        for _ in range(arguments.rounds):
            floors.append(floor_cpu_s(client, each, count, arguments.tick_ms / 1000))
            ours.append(our_cpu_s(client, child.url, each, count, arguments.tick_ms / 1000))
        client.close()
    floor, our = (100 * statistics.median(used_s) / arguments.seconds for used_s in (floors, ours))
    case = {"name": f"{each.title} at 1.2 MB/s", "ours": round(our, 1), "floor": round(floor, 1)}
    case["ratio"] = round(our / floor, 3)
    if not arguments.json:
        print(f"ours {our:.1f} % of a core, floor {floor:.1f} %, ratio {our / floor:.2f}")
    print(json.dumps({"unit": "% of a core", "better": "lower", **case, "name": "cpu", "cases": [case]}))


if __name__ == "__main__":
    main()
