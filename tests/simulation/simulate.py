"""Run simulated worlds from the command line: one seed with all that happens, or many until one fails.

python tests/simulation/simulate.py --seed 4711
python tests/simulation/simulate.py --count 1000000 --jobs 2
"""

import argparse
import itertools
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sim_world import World

HOW_TO_REPEAT = "Repeat it with: make simulate SEED={seed}"
CHUNK = 500


def fails(seed: int) -> str | None:
    """Run one world; return what was wrong, None if nothing was."""
    try:
        World(seed).run()
    except Exception as error:  # noqa: BLE001 - whatever it is, the seed is wanted
        return f"{type(error).__name__}: {error}"
    return None


def failures(first: int, count: int) -> list[tuple[int, str]]:
    """Run worlds; return the seeds of those that failed, and what was wrong."""
    return [(seed, wrong) for seed in range(first, first + count) if (wrong := fails(seed)) is not None]


def story(seed: int) -> str:
    """Run one world and return all that happened in it, and what was wrong at the end."""
    lines: list[str] = []
    try:
        World(seed, lines.append).run()
        lines.append("The promise holds.")
    except Exception:  # noqa: BLE001
        lines.append(traceback.format_exc())
    return "\n".join([f"Seed {seed}", *lines, HOW_TO_REPEAT.format(seed=seed)])


def many(first: int, count: int, jobs: int) -> Iterator[tuple[int, str]]:
    """Run worlds in several processes; yield those that failed."""
    chunks = range(first, first + count, CHUNK)
    sizes = [min(CHUNK, first + count - start) for start in chunks]
    if jobs == 1:
        yield from itertools.chain.from_iterable(map(failures, chunks, sizes))
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from itertools.chain.from_iterable(pool.map(failures, chunks, sizes))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Simulated worlds: each seed is one run of faults.")
    parser.add_argument("--seed", type=int, help="tell the story of this one")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--jobs", type=int, default=1)
    chosen = parser.parse_args(arguments)
    if chosen.seed is not None:
        text = story(chosen.seed)
        print(text)  # noqa: T201
        return int("The promise holds." not in text)
    began_s = time.monotonic()
    found = 0
    for seed, wrong in many(chosen.first, chosen.count, chosen.jobs):
        found += 1
        print(f"{wrong} (repeat: make simulate SEED={seed})")  # noqa: T201
    print(f"{chosen.count} worlds, {found} broken, {time.monotonic() - began_s:.1f} s")  # noqa: T201
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
