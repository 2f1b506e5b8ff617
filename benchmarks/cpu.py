"""CPU of a paced stream of 1.2 MB/s, server and Redis together, as a ratio to the barest loop's.

A device writes Blitz lines, 40 000 a second, at each millisecond what is due. Floor: ``os.read``, split at line ends,
2000 at a time into Redis with ``appendfsync always``; nothing around it. Ours: a real server process with a session
running, no client attached. Counted is what the reading process and its Redis use, in turn, from the second second on:
until then the server imports what it needs for its first messages. Prints one line of JSON last: ``{name, unit, better,
ours, floor, ratio, cases}``.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import redis
from rig.processes import cpu_s, redis_process
from rig.server import Port, running_server
from rig.streams import FORMATS, Format
from rig.writers import in_a_process, send_paced, wait_for_end

from blitz.io.redis_child import RedisChild

_BYTES_PER_S = 1_200_000
_PUSH = 2000
_WARMING_UP_S = 1.5


class Usage(NamedTuple):
    """CPU, in percent of a core."""

    reader: float
    redis: float

    @property
    def total(self) -> float:
        """Both together."""
        return self.reader + self.redis


class Meter:
    """Counts the CPU of a reader and its Redis from now on."""

    def __init__(self, reader: int, client: redis.Redis) -> None:
        self._processes = (reader, redis_process(client))
        self._began_s, self._used_s = time.monotonic(), [cpu_s(process) for process in self._processes]

    def read(self) -> Usage:
        """Return what was used a second."""
        seconds = time.monotonic() - self._began_s
        used_s = zip(map(cpu_s, self._processes), self._used_s, strict=True)
        return Usage(*(100 * (now_s - before_s) / seconds for now_s, before_s in used_s))


def measure_floor(client: redis.Redis, each: Format, count: int, tick_s: float) -> Usage:
    """Return what the barest loop and its Redis use."""
    wire = each.on_wire(each.messages(0, count))
    client.delete("floor")
    with Port() as port:
        writer = in_a_process(lambda: send_paced(port.master, wire, _BYTES_PER_S, tick_s))
        began_s, meter = time.monotonic(), None
        pushed, rest, waiting = 0, b"", list[bytes]()
        while pushed + len(waiting) < count:
            messages, rest = each.cut(rest + os.read(port.slave, 65536))
            waiting += messages
            if len(waiting) >= _PUSH:
                client.rpush("floor", *waiting)
                pushed += len(waiting)
                waiting = []
                if meter is None and time.monotonic() - began_s > _WARMING_UP_S:
                    meter = Meter(os.getpid(), client)
        if waiting:
            client.rpush("floor", *waiting)
        assert meter is not None
        usage = meter.read()
        wait_for_end(writer)
    assert client.llen("floor") == count
    client.delete("floor")
    return usage


def measure_ours(client: redis.Redis, redis_url: str, each: Format, count: int, tick_s: float) -> Usage:
    """Return what the server and its Redis use."""
    wire = each.on_wire(each.messages(0, count))
    with Port() as port, running_server(redis_url, [(port, each)]) as server:
        session = server.api.start("benchmark")
        key = f"session_{session.id}"
        writer = in_a_process(lambda: send_paced(port.master, wire, _BYTES_PER_S, tick_s))
        time.sleep(_WARMING_UP_S)
        meter = Meter(server.process_id, client)
        wait_for_end(writer)
        while client.llen(key) < count:
            time.sleep(0.01)
        usage = meter.read()
        record = server.api.stop()
        if record.message_count != count or "nothing lost, account balances" not in record.verdict:
            raise SystemExit(f"{record.message_count} of {count} messages are there: {record.verdict}")
        server.api.delete(session.id)
    return usage


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print only the line of JSON")
    parser.add_argument("--format", choices=list(FORMATS), default="blitz")
    parser.add_argument("--seconds", type=float, default=20.0, help="that are counted of one run")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--tick-ms", type=float, default=1.0, help="from one write to the next")
    arguments = parser.parse_args()
    each = FORMATS[arguments.format]
    sample = each.on_wire(each.messages(0, 1000))
    count = int((arguments.seconds + _WARMING_UP_S) * _BYTES_PER_S * 1000 / len(sample))
    tick_s = arguments.tick_ms / 1000
    floors, ours = [], []
    with tempfile.TemporaryDirectory() as folder, RedisChild(Path(folder), "always") as child:
        client = redis.Redis.from_url(child.url)
        for _ in range(arguments.rounds):
            floors.append(measure_floor(client, each, count, tick_s))
            ours.append(measure_ours(client, child.url, each, count, tick_s))
            if not arguments.json:
                print(
                    "floor: reader {:.1f} % of a core, Redis {:.1f}; ".format(*floors[-1])
                    + "ours: server {:.1f}, Redis {:.1f}".format(*ours[-1])
                )
        client.close()
    floor, our = (statistics.median(usage.total for usage in usages) for usages in (floors, ours))
    case = {"name": f"{each.title} at 1.2 MB/s", "ours": round(our, 1), "floor": round(floor, 1)}
    case["ratio"] = round(our / floor, 3)
    if not arguments.json:
        print(f"ours {our:.1f} % of a core, floor {floor:.1f} %, ratio {our / floor:.2f}")
    print(json.dumps({"unit": "% of a core", "better": "lower", **case, "name": "cpu", "cases": [case]}))


if __name__ == "__main__":
    main()
