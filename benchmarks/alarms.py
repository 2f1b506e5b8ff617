"""What 100 alarm rules cost over 10 000 messages a second, as a ratio to decoding the same blocks alone.

Two cases: nothing happens, and each alarm is raised and cleared about once in two seconds. Blocks hold 200 messages, as
they come 50 times a second, of a device with eight numbers a line. Floor: the barest loop that decodes them. Ours:
decoded and evaluated. Prints one line of JSON last: ``{name, unit, better, ours, floor, ratio, cases}``, the top level
being its worst case; ``core_percent`` is what evaluation alone takes of a core at 10 000 messages a second.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable

import numpy as np

from blitz.data.alarm_evaluation import AlarmEvaluation
from blitz.data.alarm_rule import AlarmRule
from blitz.data.blocks import MessageBlock, Read
from blitz.data.board_definition import BoardDefinition, Channel, Format
from blitz.data.boards import SessionDecoder
from blitz.data.records import Source

_RULES, _CHANNELS = 100, 8
_RATE_HZ, _BLOCK = 10_000, 200
_START_NS = 1_800_000_000_000_000_000
_CONDITIONS = (
    {"kind": "level", "above": 0.9, "hysteresis": 0.1},
    {"kind": "band", "low": -0.9, "high": 0.9, "hysteresis": 0.05},
    {"kind": "level", "below": -0.9},
    {"kind": "equal", "value": 0.0, "tolerance": 0.95, "is_different": True},
    {"kind": "rate", "above_per_s": 2.8, "window_s": 0.2, "direction": "rising"},
)


def make_rules() -> dict[str, AlarmRule]:
    """Return rules of several kinds; one in three waits for a tenth of a second."""
    rules = {}
    for number in range(_RULES):
        rules[str(number)] = AlarmRule.model_validate(
            {
                "name": f"rule {number}",
                "source": "bench",
                "channel": f"c{number % _CHANNELS}",
                "condition": _CONDITIONS[number % len(_CONDITIONS)],
                "on_delay_s": 0.1 if number % 3 == 0 else 0.0,
            }
        )
    return rules


def make_blocks(seconds: float, amplitude: float) -> list[MessageBlock]:
    """Return blocks of slow waves, with some noise."""
    random = np.random.default_rng(1)
    count = int(seconds * _RATE_HZ)
    phase = 2 * np.pi * (np.arange(count)[:, None] / _RATE_HZ / 2 + np.arange(_CHANNELS) / _CHANNELS)
    values = amplitude * np.sin(phase) + random.normal(0, 0.001, (count, _CHANNELS))
    blocks = []
    for first in range(0, count, _BLOCK):
        lines = [b",".join(b"%.4f" % value for value in row) for row in values[first : first + _BLOCK].tolist()]
        reads = [
            Read(_START_NS + (first + place) * 1_000_000_000 // _RATE_HZ, 0, lines[place : place + 20])
            for place in range(0, len(lines), 20)
        ]
        blocks.append(MessageBlock.from_reads(1, first, reads))
    return blocks


def make_decoder() -> SessionDecoder:
    """Return what decodes them."""
    channels = tuple(Channel(name=f"c{number}", column=number) for number in range(_CHANNELS))
    definition = BoardDefinition(id="bench", name="Bench", format=Format.COLUMNS, channels=channels)
    return SessionDecoder([Source(index=0, name="bench", link="none", board_id=None, definition=definition)])


def decode(blocks: list[MessageBlock]) -> int:
    """Decode the blocks and do nothing with them."""
    decoder = make_decoder()
    return sum(len(readings) for block in blocks for readings in decoder.decode(block))


def evaluate(blocks: list[MessageBlock]) -> int:
    """Decode the blocks and evaluate the rules; return how often an alarm was raised."""
    decoder, evaluation = make_decoder(), AlarmEvaluation()
    evaluation.set_rules(make_rules(), _START_NS)
    evaluation.begin_session(1, _START_NS)
    raised = 0
    for block in blocks:
        for readings in decoder.decode(block):
            raised += sum(each.is_raised for each in evaluation.take_readings(readings))
    return raised


def timed(work: Callable[[list[MessageBlock]], int], blocks: list[MessageBlock]) -> tuple[float, int]:
    """Return the seconds of processor time that it took, and what it returned."""
    began_s = time.process_time()
    result = work(blocks)
    return time.process_time() - began_s, result


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print only the line of JSON")
    parser.add_argument("--seconds", type=float, default=20.0, help="of messages")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    cases = []
    for name, amplitude in (("quiet", 0.5), ("busy", 1.0)):
        blocks = make_blocks(arguments.seconds, amplitude)
        pairs = [(timed(decode, blocks)[0], timed(evaluate, blocks)) for _ in range(arguments.rounds)]
        floor_s = statistics.median(floor_s for floor_s, _ in pairs)
        ours_s = statistics.median(ours_s for _, (ours_s, _) in pairs)
        raised = pairs[0][1][1]
        if bool(raised) != (name == "busy"):
            raise SystemExit(f"{name}: {raised} alarms were raised")
        core_percent = round(100 * (ours_s - floor_s) / arguments.seconds, 2)
        case = {"name": name, "ours": round(ours_s, 3), "floor": round(floor_s, 3), "ratio": round(ours_s / floor_s, 3)}
        cases.append({**case, "core_percent": core_percent})
        if not arguments.json:
            print(
                f"{name}: {_RULES} rules take {core_percent} % of a core at {_RATE_HZ} messages/s, "
                f"decoding {100 * floor_s / arguments.seconds:.1f} %; {raised} alarms raised"
            )
    worst = max(cases, key=lambda case: float(str(case["ratio"])))
    print(json.dumps({"unit": "s", "better": "lower", **worst, "name": "alarms", "cases": cases}))


if __name__ == "__main__":
    main()
