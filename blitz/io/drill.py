"""The fault test of an installation: a server of its own, faults at random moments, all messages counted.

Nothing of the real installation is touched but the disk's free room: the drill has a folder, a server, a Redis, a port
and devices of its own, and takes them away again (Unix only).
"""

import logging
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from blitz.errors import BlitzError, ConfigError
from blitz.io.drill_account import Tally
from blitz.io.drill_bench import Bench
from blitz.io.drill_faults import FAULTS, Fault

log = logging.getLogger(__name__)

__all__ = ["FAULTS", "DrillResult", "drill", "drill_mixed"]

DEFAULT_RATE_HZ = 1000.0
DEFAULT_ROUNDS = 3
_PAUSE_S = (0.2, 1.0)


@dataclass(frozen=True)
class DrillResult:
    """What the rounds of one fault came to."""

    fault: str
    title: str
    rounds: int
    sent: int
    stored: int
    missed: int
    """Sent while nobody could listen, and stated in the session's gaps."""
    lost: int
    doubled: int
    recover_s: float
    """The longest time from the end of a fault until all was as before."""
    first_message_s: float | None
    """The longest time from the start of a server that goes on with a session to its first message."""
    end_s: float | None
    """The longest time from SIGTERM to the server's end."""
    problems: tuple[str, ...]
    """Sentences about what should not be."""

    @property
    def is_passed(self) -> bool:
        """Whether nothing was lost or doubled, and everything recovered."""
        return not (self.lost or self.doubled or self.problems)

    def document(self) -> dict[str, Any]:
        """Return it for a JSON document."""
        return asdict(self) | {"passed": self.is_passed}


def drill(
    beside: Path,
    *,
    rounds: int = DEFAULT_ROUNDS,
    rate_hz: float = DEFAULT_RATE_HZ,
    only: Sequence[str] = (),
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[DrillResult]:
    """Drill one fault after the other, and yield what each came to.

    :param beside: a data folder, which is not touched: the drill's own folder is made beside it, on the same disk.
    :param rounds: how often each fault strikes.
    :param rate_hz: lines a second that the devices print.
    :param only: names of the faults; all of :data:`FAULTS` where there are none.
    :param seed: of what is random.
    :param progress: called with the rounds that are done, and how many there are.
    :raises ConfigError: if there is no such fault, or no folder can be made there.
    """
    chosen = _chosen(only)
    for number, fault in enumerate(chosen):

        def step(done: int, before: int = number * rounds) -> None:
            if progress is not None:
                progress(before + done, len(chosen) * rounds)

        with _folder(beside) as folder:
            chance = random.Random(f"{seed} {fault.name}")
            yield _rounds(fault.name, fault.title, [fault] * rounds, folder, rate_hz, chance, step)


def drill_mixed(
    beside: Path, *, rounds: int, rate_hz: float = DEFAULT_RATE_HZ, only: Sequence[str] = (), seed: int = 0
) -> DrillResult:
    """Drill faults of all kinds in one server, one after the other in an order by chance; see :func:`drill`.

    Each comes equally often, and what one has left behind is there when the next strikes.
    """
    chance = random.Random(f"{seed} mixed")
    order: list[Fault] = []
    while len(order) < rounds:
        order += chance.sample(_chosen(only), len(_chosen(only)))
    with _folder(beside) as folder:
        return _rounds("mixed", "all mixed", order[:rounds], folder, rate_hz, chance, lambda _: None)


def _chosen(only: Sequence[str]) -> list[Fault]:
    unknown = [name for name in only if name not in FAULTS]
    if unknown:
        raise ConfigError(f"There is no fault {unknown[0]!r} to drill. There are: {', '.join(FAULTS)}.")
    return [fault for name, fault in FAULTS.items() if not only or name in only]


@contextmanager
def _folder(beside: Path) -> Iterator[Path]:
    parent = beside.expanduser().absolute().parent
    while not parent.exists():
        parent = parent.parent
    try:
        folder = Path(tempfile.mkdtemp(prefix="blitz-drill-", dir=parent))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(
            f"Cannot make a folder for the drill in {parent}: {reason}. Name another place with --data-dir."
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _rounds(
    name: str,
    title: str,
    faults: Sequence[Fault],
    folder: Path,
    rate_hz: float,
    chance: random.Random,
    step: Callable[[int], None],
) -> DrillResult:
    """Let the faults strike one after the other, and see what came of it."""
    found, recover_s, done = Tally(), 0.0, 0
    first_message_s: float | None = None
    end_s: float | None = None
    fault: Fault | None = None
    try:
        settings: dict[str, Any] = {}
        for fault in faults:
            settings |= fault.settings(folder)
        has_own_clock = any(fault.has_own_clock for fault in faults)
        with Bench(folder, rate_hz, settings, chance, has_own_clock=has_own_clock) as bench:
            bench.begin()
            bench.wait_until_well()  # before a device's first message, gaps can only tell an estimate
            for done, fault in enumerate(faults, 1):
                time.sleep(chance.uniform(*_PAUSE_S))
                over_s = fault.strike(bench, chance)
                bench.wait_until_well()
                took_s = time.monotonic() - over_s
                log.info("%s: recovered in %.1f s; ended in %s s", fault.title, took_s, bench.server.stopped_s[-1:])
                recover_s = max(recover_s, took_s)
                step(done)
            found = bench.finish()
            first_message_s = None if has_own_clock else _first_message_s(bench)
            end_s = max(bench.server.stopped_s, default=None)
    except (BlitzError, OSError) as error:
        # Of one kind of fault the caller knows which it is.
        found.problems.append(str(error) if fault is None or fault.title == title else f"{fault.title}: {error}")
    return DrillResult(
        name,
        title,
        done,
        found.sent,
        found.stored,
        found.missed,
        found.lost,
        found.doubled,
        recover_s,
        first_message_s,
        end_s,
        tuple(found.problems),
    )


def _first_message_s(bench: Bench) -> float | None:
    """Return the longest time from a restart to the first message that came then."""
    longest = None
    for started_ns, _ in bench.server.started[1:]:
        place = int(np.searchsorted(bench.stored_arrivals, started_ns))
        if place < len(bench.stored_arrivals):
            longest = max(longest or 0.0, float(bench.stored_arrivals[place] - started_ns) / 1e9)
    return longest
