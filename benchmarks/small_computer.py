"""A small computer (1 GB of memory, half a core, each fsync 30 ms later): is anything lost, and what does idling take?

Eight numbered devices at 115 200 baud send to a server with its private Redis, all on that computer, durability
"always"; four send Blitz lines, four COBS frames with a CRC-16, and none waits for its reader. Then the same server
idles: eight ports open, nothing sent, nothing recorded, nobody connected. Counted are all its processes together,
memory that they share once. Prints one line of JSON last; ``ours`` is the worst of the ratios to what is allowed.

The devices run beside it, on the rest of this machine.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from eight_sources import compare, readable, wait_until_stored
from rig.processes import cpu_s, proportional_bytes
from rig.server import Port, Server, running_server
from rig.small_machine import SmallMachine, small_machine
from rig.streams import FORMATS
from rig.writers import Uart, in_a_process, send_as_uarts, wait_for_end

_BYTES_PER_S = 11_520
_TICK_S = 0.005
_SETTLE_S = 10.0
_DEVICES = [FORMATS["blitz"]] * 4 + [FORMATS["cobs"]] * 4
_CORES = 0.5
_MEMORY_BYTES = 1 << 30
_FSYNC_MS = 30
_IDLE_MEMORY_BYTES = 250 * 1_000_000
_IDLE_CPU = 0.03


def run(machine: SmallMachine, seconds: float, idle_s: float, is_quiet: bool) -> list[dict[str, object]]:
    """Let the devices send, then let the server idle; return the cases."""
    with ExitStack() as stack:
        ports = [stack.enter_context(Port()) for _ in _DEVICES]
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        devices = list(zip(ports, _DEVICES, strict=True))
        server = stack.enter_context(
            running_server(None, devices, wrapper=machine.wrapper, environment=machine.environment)
        )
        sent, missing, busy = record(machine, server, ports, seconds, folder)
        append_ms = server.api.status().store.append_ms
        server.api.close()
        time.sleep(_SETTLE_S)
        cpu, memory = idle(machine, server, idle_s)
        if not is_quiet:
            for line in machine.missing:
                print(f"Not played: {line}")
            print(
                f"{sent} messages sent, {missing} missing; {busy:.1%} of a core while they came, "
                f"an append took {append_ms:.0f} ms"
            )
            print(f"idle: {memory / 1e6:.0f} MB and {cpu:.2%} of a core; {names(machine, server)}")
    return [
        {"name": "messages missing", "ours": missing, "floor": 0, "ratio": 0.0 if not missing else 2.0},
        {"name": "idle CPU", "ours": round(cpu, 4), "floor": _IDLE_CPU, "ratio": round(cpu / _IDLE_CPU, 3)},
        {
            "name": "idle memory",
            "ours": memory,
            "floor": _IDLE_MEMORY_BYTES,
            "ratio": round(memory / _IDLE_MEMORY_BYTES, 3),
        },
    ]


def record(
    machine: SmallMachine, server: Server, ports: Sequence[Port], seconds: float, folder: Path
) -> tuple[int, int, float]:
    """Return how many messages were sent, how many are missing, and the share of a core that was used meanwhile."""
    sent, uarts = [], []
    for port, each in zip(ports, _DEVICES, strict=True):
        frame_bytes = len(each.on_wire(each.messages(0, 1)))
        sent.append(int(seconds * _BYTES_PER_S / frame_bytes))
        wire = each.on_wire(each.messages(0, sent[-1]))
        uarts.append(Uart(port.master, wire, _BYTES_PER_S, frame_bytes if each.name == "blitz" else None))
    session = server.api.start("benchmark")
    before_s, began_s = used_s(machine, server), time.monotonic()
    writer = in_a_process(lambda: send_as_uarts(uarts, seconds + 0.5, _TICK_S, folder))
    wait_for_end(writer)
    busy = (used_s(machine, server) - before_s) / (time.monotonic() - began_s)
    expected = [readable(each, (folder / f"taken_{n}").read_bytes()) for n, each in enumerate(_DEVICES)]
    wait_until_stored(server, sum(map(len, expected)))
    record = server.api.stop()
    compare(server.api, session.id, sent, expected, [os.path.basename(port.path) for port in ports])
    return sum(sent), sum(sent) - record.message_count, busy


def idle(machine: SmallMachine, server: Server, seconds: float) -> tuple[float, int]:
    """Return the share of a core and the memory that all processes together take."""
    before_s, began_s = used_s(machine, server), time.monotonic()
    time.sleep(seconds)
    cpu = (used_s(machine, server) - before_s) / (time.monotonic() - began_s)
    return cpu, sum(map(proportional_bytes, processes(machine, server)))


def used_s(machine: SmallMachine, server: Server) -> float:
    """Return the CPU time of all processes so far; none may begin or end meanwhile."""
    return sum(map(cpu_s, processes(machine, server)))


def processes(machine: SmallMachine, server: Server) -> list[int]:
    """Return the server's processes: all on the machine, or its own and its children."""
    if ids := machine.process_ids():
        return ids
    children = Path(f"/proc/{server.process_id}/task/{server.process_id}/children").read_text().split()
    return [server.process_id, *map(int, children)]


def names(machine: SmallMachine, server: Server) -> str:
    """Return what each process takes, for people."""
    parts = []
    for process_id in processes(machine, server):
        name = Path(f"/proc/{process_id}/comm").read_text().strip()
        parts.append(f"{name} {proportional_bytes(process_id) / 1e6:.0f} MB, {cpu_s(process_id):.1f} s so far")
    return "; ".join(parts)


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print only the line of JSON")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long the devices send")
    parser.add_argument("--idle", type=float, default=30.0, help="how long idling is measured, in seconds")
    arguments = parser.parse_args()
    with small_machine(_CORES, _MEMORY_BYTES, _FSYNC_MS) as machine:
        cases = run(machine, arguments.seconds, arguments.idle, arguments.json)
    worst = max(cases, key=lambda case: float(str(case["ratio"])))
    summary = {"unit": "as much as is allowed", "better": "lower", **worst, "name": "small_computer"}
    print(json.dumps({**summary, "missing": machine.missing, "cases": cases}))


if __name__ == "__main__":
    main()
