"""From a crossing message's last byte on the wire to the event at a client: how long, with 100 rules; and its price.

A device prints 10 000 lines a second on a pseudo terminal; twice a second one of them crosses a limit, and the moment
of its writing is noted. A server with a Redis that syncs each append evaluates 100 rules; a client notes when it is
told. One clock serves both, the machine's monotonic one. The same without rules tells what alarms do to acquisition:
the share of messages that waited longer than 200 ms until they were safe. Prints one line of JSON last: ``floor`` is
what is allowed, so that a ratio of at most 1 is good.
"""

import argparse
import json
import os
import re
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rig.server import Port, Server, running_server
from rig.streams import FORMATS
from rig.writers import in_a_process, wait_for_end

from blitz.data.records import Event, EventKind
from blitz.io.redis_child import RedisChild

_RULES, _RATE_HZ = 100, 10_000
_TICK_S, _EACH_S = 0.01, 0.5
_MEDIAN_MS, _LATE_SHARE, _LATE_S = 100.0, 0.01, 0.2
_WARM_UP_S = 2.0


def print_lines(master: int, seconds: float, path: Path) -> None:
    """Write lines at the rate, a tick's at a time; keep when those were written that cross the limit."""
    line = b"%d,%d,%d,%d.5\r\n"
    per_tick, crossing_each = round(_RATE_HZ * _TICK_S), round(_EACH_S / _TICK_S)
    written_ns = []
    began_s = time.monotonic()
    for tick in range(round((seconds + _WARM_UP_S) / _TICK_S)):
        first = tick * per_tick
        numbers = range(first, first + per_tick)
        is_crossing = tick % crossing_each == 0 and tick * _TICK_S >= _WARM_UP_S
        wire = b"".join(line % (n, n % 1024, n * 7 % 1024, n * 13 % 1000) for n in numbers)
        if is_crossing:
            wire += line % (first, 5000, 0, 0)
        time.sleep(max(began_s + tick * _TICK_S - time.monotonic(), 0.0))
        while wire:
            wire = wire[os.write(master, wire) :]
        if is_crossing:
            written_ns.append(time.monotonic_ns())
    np.save(path, np.array(written_ns, np.int64))


def add_rules(server: Server, source: str) -> None:
    """Add rules of several kinds, one of which is broken by each crossing line, the others by none."""
    conditions = (
        {"kind": "level", "above": 6000.0, "hysteresis": 5},
        {"kind": "band", "low": -10.0, "high": 6000.0},
        {"kind": "equal", "value": -1.0},
        {"kind": "rate", "above_per_s": 1e9, "window_s": 0.2},
    )
    for number in range(_RULES):
        condition = conditions[number % len(conditions)] if number else {"kind": "level", "above": 4000.0}
        rule = {"name": f"rule {number}", "source": source, "channel": "abc"[number % 3], "condition": condition}
        server.api.add_alarm_rule({**rule, "is_latched": False})


def late_share(server: Server) -> float:
    """Return the share of messages that waited longer than allowed."""
    with urllib.request.urlopen(f"{server.url}/api/v1/metrics", timeout=30) as answer:
        text = answer.read().decode()
    counts = dict(re.findall(r'blitz_message_wait_seconds_bucket\{le="([^"]+)"\} (\S+)', text))
    return 1 - float(counts[str(_LATE_S)]) / max(float(counts["+Inf"]), 1.0)


def measure(redis_url: str, seconds: float, folder: Path, *, has_rules: bool) -> tuple[NDArray[np.float64], float]:
    """Return the delays in milliseconds, one for each crossing (none without rules), and the share that was late."""
    path, seen_ns = folder / "written.npy", list[int]()
    crossings = round(seconds / _EACH_S)
    with Port() as port, running_server(redis_url, [(port, FORMATS["csv"])]) as server:
        source = Path(port.path).name
        os.write(port.master, b"0,0,0,0.5\r\n1,1,1,0.5\r\n")
        while not server.api.boards()[0].definition:
            time.sleep(0.05)
        if has_rules:
            add_rules(server, source)
        session = server.api.start("benchmark")
        with server.api.live(session.id, raw=True) as entries:
            writer = in_a_process(lambda: print_lines(port.master, seconds, path))
            if has_rules:
                for entry in entries:
                    if isinstance(entry, Event) and entry.event is EventKind.ALARM and entry.alarm is not None:
                        if entry.alarm.what == "raised":
                            seen_ns.append(time.monotonic_ns())
                        if len(seen_ns) == crossings:
                            break
            wait_for_end(writer)
        share = late_share(server)
        record = server.api.stop()
        server.api.delete(session.id)
    if "nothing lost" not in record.verdict:
        raise SystemExit(record.verdict)
    written_ns = np.load(path)
    delays: NDArray[np.float64] = (np.array(seen_ns, np.int64) - written_ns[: len(seen_ns)]) / 1e6
    return delays, share


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print only the line of JSON")
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, RedisChild(Path(folder) / "redis", "always") as child:
        delays, late = measure(child.url, arguments.seconds, Path(folder), has_rules=True)
        _, late_without = measure(child.url, arguments.seconds, Path(folder), has_rules=False)
    median_ms, most_ms = (float(np.percentile(delays, share)) for share in (50, 99))
    cases = [
        {"name": "median delay in ms", "ours": round(median_ms, 1), "floor": _MEDIAN_MS},
        {"name": "share later than 200 ms", "ours": round(late, 4), "floor": _LATE_SHARE},
    ]
    cases = [{**case, "ratio": round(float(str(case["ours"])) / float(str(case["floor"])), 3)} for case in cases]
    if not arguments.json:
        print(
            f"{len(delays)} crossings: median {median_ms:.1f} ms, 99 % {most_ms:.1f} ms, longest {delays.max():.1f} ms"
        )
        print(f"later than {_LATE_S * 1000:.0f} ms were {late:.2%} of the messages, without rules {late_without:.2%}")
    worst = max(cases, key=lambda case: float(str(case["ratio"])))
    print(json.dumps({"unit": "", "better": "lower", **worst, "name": "alarms_live", "cases": cases}))


if __name__ == "__main__":
    main()
