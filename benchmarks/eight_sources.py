"""Eight devices at 921 600 baud at once: is every loss in the account, and is there none where nothing stalls?

Four send Blitz lines and drop whole ones, four send COBS frames with a CRC-16 and drop single bytes, which tears
frames; all are numbered, and wait for nobody: what the terminal has no room for is lost. Once nobody disturbs the
server; once it is stopped at random (SIGSTOP), mostly for up to 50 ms, now and then for up to 600 ms. What was stored
is compared with what a perfect reader would have made of the bytes that the terminals took, and the account, which
knows nothing of that, with what is missing. Prints one line of JSON last; ``ours`` is the share of the messages sent
that were stored or, with stalls, are either stored or shown as lost.
"""

import argparse
import json
import os
import random
import signal
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np
from cobs import cobs
from fastcrc import crc16
from rig.server import Port, Server, running_server
from rig.streams import FORMATS, Format
from rig.writers import Uart, in_a_process, send_as_uarts, wait_for_end

import blitz
from blitz.io.redis_child import RedisChild

_BYTES_PER_S = 92_160
_TICK_S = 0.002
_CALM_S = 1.0
_DEVICES = [FORMATS["blitz"]] * 4 + [FORMATS["cobs"]] * 4


class Outcome(NamedTuple):
    """What became of the messages of all devices."""

    sent: int
    stored: int
    shown_lost: int
    stalls: int
    stalled_s: float
    verdict: str

    @property
    def missing(self) -> int:
        """How many messages did not arrive."""
        return self.sent - self.stored


def run(redis_url: str, seconds: float, stalls: random.Random | None) -> Outcome:
    """Let the devices send, and compare.

    :param stalls: stop the server at random moments; None leaves it alone.
    """
    with ExitStack() as stack:
        ports = [stack.enter_context(Port()) for _ in _DEVICES]
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(running_server(redis_url, list(zip(ports, _DEVICES, strict=True))))
        sent, uarts = [], []
        for port, each in zip(ports, _DEVICES, strict=True):
            frame_bytes = len(each.on_wire(each.messages(0, 1)))
            sent.append(int(seconds * _BYTES_PER_S / frame_bytes))
            wire = each.on_wire(each.messages(0, sent[-1]))
            uarts.append(Uart(port.master, wire, _BYTES_PER_S, frame_bytes if each.name == "blitz" else None))
        session = server.api.start("benchmark")
        # A little longer than it takes, so that all is sent.
        writer = in_a_process(lambda: send_as_uarts(uarts, seconds + 0.1, _TICK_S, folder))
        stall_count, stalled_s = (0, 0.0) if stalls is None else stall(server, seconds, stalls)
        wait_for_end(writer)
        expected = [readable(each, (folder / f"taken_{n}").read_bytes()) for n, each in enumerate(_DEVICES)]
        wait_until_stored(server, sum(map(len, expected)))
        record = server.api.stop()
        shown_lost = compare(server.api, session.id, sent, expected, [os.path.basename(p.path) for p in ports])
        server.api.delete(session.id)
    return Outcome(sum(sent), record.message_count, shown_lost, stall_count, stalled_s, record.verdict)


def stall(server: Server, seconds: float, stalls: random.Random) -> tuple[int, float]:
    """Stop and continue the server until a second before the end; return how often, and for how long together."""
    end_s = time.monotonic() + seconds - 2 * _CALM_S
    time.sleep(_CALM_S)
    count, stalled_s = 0, 0.0
    while time.monotonic() < end_s:
        stall_s = stalls.uniform(0.1, 0.6) if stalls.random() < 0.2 else stalls.uniform(0.001, 0.05)
        os.kill(server.process_id, signal.SIGSTOP)
        time.sleep(stall_s)
        os.kill(server.process_id, signal.SIGCONT)
        count, stalled_s = count + 1, stalled_s + stall_s
        time.sleep(stalls.uniform(0.02, 0.3))
    return count, stalled_s


def readable(each: Format, taken: bytes) -> list[bytes]:
    """Return what a perfect reader makes of bytes some of which are missing."""
    if each.name != "cobs":
        return each.cut(taken)[0]
    messages = []
    for frame in taken.split(b"\0"):
        try:
            content = cobs.decode(frame)
        except cobs.DecodeError:
            continue
        if len(content) > 2 and not crc16.modbus(content):
            messages.append(content[:-2])
    return messages


def wait_until_stored(server: Server, count: int) -> None:
    """Wait for the messages that were taken; what does not come, the comparison finds."""
    deadline_s = time.monotonic() + 20
    while time.monotonic() < deadline_s:
        status = server.api.status()
        if status.session is not None and status.session.message_count >= count:
            break
        time.sleep(0.05)


def compare(
    api: blitz.Client, session_id: int, sent: Sequence[int], expected: Sequence[list[bytes]], names: Sequence[str]
) -> int:
    """Compare what was stored, and the accounts, with what must be there; return how many are shown as lost."""
    record = api.session(session_id)
    rows = {source.name: source.index for source in record.sources}
    stored: dict[int, list[bytes]] = {index: [] for index in rows.values()}
    first = 0
    while first < record.message_count:
        block = api.messages(session_id, first, 65_536)
        raw = np.array(block.messages(), object)
        for index, messages in stored.items():
            messages += raw[block.source == index].tolist()
        first = block.next_seq
    faults, shown = [], 0
    for name, count, messages in zip(names, sent, expected, strict=True):
        account = next(account for account in record.accounts if account.name == name)
        lost_in_gaps = sum(gap.lost or 0 for gap in record.gaps if gap.source == account.source)
        shown += account.lost
        facts = {
            f"{len(stored[rows[name]])} stored, {len(messages)} readable": stored[rows[name]] == messages,
            f"{account.lost} lost by the account, {count - len(messages)} in truth": account.lost
            == count - len(messages),
            f"{lost_in_gaps} lost by the gaps, {account.lost} by the account": lost_in_gaps == account.lost,
            "the account is an estimate": account.is_lost_exact,
            f"the account does not balance: {account}": account.is_balanced,
        }
        faults += [f"{name}: {fact}" for fact, is_right in facts.items() if not is_right]
    if faults:
        raise SystemExit("\n".join(faults))
    return shown


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print only the line of JSON")
    parser.add_argument("--seconds", type=float, default=15.0, help="of each of the two runs")
    parser.add_argument("--seed", type=int, default=1, help="of the stalls")
    arguments = parser.parse_args()
    cases = []
    with tempfile.TemporaryDirectory() as folder, RedisChild(Path(folder), "always") as child:
        for name, stalls in (("without stalls", None), ("with stalls", random.Random(arguments.seed))):
            outcome = run(child.url, arguments.seconds, stalls)
            settled = outcome.stored + (outcome.shown_lost if stalls else 0)
            share = round(settled / outcome.sent, 6)
            cases.append({"name": name, "ours": share, "floor": 1.0, "ratio": share})
            if not arguments.json:
                print(
                    f"{name}: {outcome.sent} messages sent, {outcome.missing} missing, {outcome.shown_lost} shown "
                    f"as lost; {outcome.stalls} stalls, {outcome.stalled_s:.1f} s together. Verdict: {outcome.verdict}"
                )
    worst = min(cases, key=lambda case: float(str(case["ratio"])))
    unit = "share of messages stored or shown as lost"
    print(json.dumps({"unit": unit, "better": "higher", **worst, "name": "eight_sources", "cases": cases}))


if __name__ == "__main__":
    main()
