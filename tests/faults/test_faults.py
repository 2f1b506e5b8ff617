"""Faults at random moments while numbered messages come: nothing lost that was shown or stored, nothing twice.

The engine is that of ``blitz drill``. ``--hypothesis-seed=…`` repeats the moments of a run, as far as a computer can.
"""

import logging
import os
import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from blitz.io import drill as engine
from blitz.io.drill import FAULTS, DrillResult, drill, drill_mixed
from blitz.io.drill_bench import Bench
from blitz.io.drill_faults import Fault

log = logging.getLogger(__name__)

pytestmark = pytest.mark.timeout(600)

RATES_HZ = [1_000, 50_000]
ROUNDS_OF_EACH = 500 // len(FAULTS) + 1
_MEGABYTE = 1 << 20


def check(result: DrillResult, seed: int) -> None:
    about = f"{result}\nrepeat with --hypothesis-seed={seed}"
    log.info("%s", about)
    assert not result.problems, about
    assert (result.lost, result.doubled) == (0, 0), about
    assert result.stored > 0, about
    assert result.sent == result.stored + result.missed, about


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_nothing_is_lost_or_doubled_whatever_strikes(tmp_path: Path, rate_hz: int, seed: int) -> None:
    rounds = len(FAULTS) if rate_hz == RATES_HZ[0] else len(FAULTS) // 2  # the rest strikes in other runs
    check(drill_mixed(tmp_path / "data", rounds=rounds, rate_hz=rate_hz, seed=seed), seed)
    assert not list(tmp_path.iterdir())


@pytest.mark.soak
@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("name", FAULTS)
def test_nothing_is_lost_or_doubled_in_many_rounds(tmp_path: Path, name: str, rate_hz: int, seed: int) -> None:
    rounds = ROUNDS_OF_EACH
    while rounds > 0:  # what a session holds is compared in memory
        (result,) = drill(tmp_path / "data", rounds=min(rounds, 13), rate_hz=rate_hz, only=[name], seed=seed + rounds)
        check(result, seed)
        rounds -= result.rounds


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a file system is not permitted here")
    yield folder
    # What a server that was killed had started may need a moment to end.
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def take_all_room(bench: Bench, chance: random.Random) -> float:
    """Leave no byte: Redis and the spool are really refused. Some seconds later there is room again."""
    ballast = bench.folder / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            for size in (_MEGABYTE, 4096):
                try:
                    while file.write(bytes(size)) == size:
                        pass
                except OSError:
                    continue
        time.sleep(chance.uniform(0.5, 4.0))
    finally:
        ballast.unlink()
    over_s = time.monotonic()
    bench.wait_for(lambda: bench.client.status().store.is_up, "Redis is back")
    if bench.client.status().session is None:
        bench.begin()
    return over_s


def test_a_disk_without_a_byte_free_costs_nothing_that_was_shown(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    fault = Fault("no-byte", "no byte free", take_all_room, lambda _: {"redis_memory_mb": 64, "archive": False})
    monkeypatch.setattr(engine, "FAULTS", {"no-byte": fault})
    (result,) = drill(small_disk / "data", rounds=6 if os.environ.get("BLITZ_SOAK") else 1, only=["no-byte"], seed=seed)
    check(result, seed)
