"""A month, simulated at speed: a restart a day, an upgrade and a move in it; flat memory and disk, nothing lost.

Each day a real server is started by a clock that is a day further on, records numbered messages at full speed, and is
ended in the middle of it: told to stop, told to stop and keep the session, or killed. ``make soak`` lives through 30
days, ``make test`` through a few.
"""

import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from month import Month, Plan
from month_devices import Printer, told_by_hook
from month_server import Size, table

from blitz.data.database import DatabaseServer

SETTLED = 7
"""From this day on everything should be as large as it will ever be."""
LOG_MB, REDIS_LOG_MB, REDIS_FILES_MB, TABLES_MB = 3.2, 4.3, 100.0, 20.0
"""What each may take at most: three log files of 1 MiB, 4 MiB, three times the memory of Redis, 50 000 calls."""

Load = Callable[[DatabaseServer, int], None]
TurnBack = Callable[[DatabaseServer], None]


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A short path: sockets have no long ones."""
    with tempfile.TemporaryDirectory(prefix="month-") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


def live(plan: Plan, folder: Path, temporary: Path, load_store: Load, turn_back: TurnBack) -> Month:
    with Printer() as printer, told_by_hook() as told:
        month = Month(plan, folder, temporary, printer, told, lambda store: load_store(store, 1), turn_back)
        try:
            month.run()
        finally:
            sys.stdout.write(f"\n{table(month.sizes)}\n\nNever acknowledged: {month.expected.lost_on_wire}\n")
    return month


@pytest.mark.timeout(300)
def test_a_few_days_with_a_restart_each_lose_nothing_and_keep_to_the_rules(
    tmp_path: Path, temporary: Path, load_store: Load, as_version_1: TurnBack
) -> None:
    plan = Plan(
        days=3,
        lines=60_000,
        lines_more=8_000,
        keep_days=1.5,
        trash_days=0.5,
        chatter_kb=1_200,
        calls=500,
        turned_back=2,
        moved=2,
        deleted=1,
        rescued=2,
    )
    month = live(plan, tmp_path, temporary, load_store, as_version_1)
    assert any(known.is_gone for known in month.expected.known.values())
    assert any(known.is_starred for known in month.expected.known.values())
    assert month.sizes[-1].archive > 0
    check_bounds(month.sizes)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_month_with_a_restart_a_day_is_flat_in_memory_and_disk_and_loses_nothing(
    tmp_path: Path, temporary: Path, load_store: Load, as_version_1: TurnBack
) -> None:
    plan = Plan(
        days=30,
        lines=100_000,
        lines_more=20_000,
        keep_days=3.5,
        trash_days=1.5,
        chatter_kb=1_200,
        calls=8_000,
        turned_back=12,
        moved=18,
        deleted=5,
        rescued=6,
    )
    month = live(plan, tmp_path, temporary, load_store, as_version_1)
    check_bounds(month.sizes)
    check_flat(month.sizes[SETTLED:])


def check_bounds(sizes: Sequence[Size]) -> None:
    """What has a limit of its own keeps to it."""
    assert max(size.log for size in sizes) < LOG_MB
    assert max(size.redis_log for size in sizes) < REDIS_LOG_MB
    assert max(size.redis_files for size in sizes) < REDIS_FILES_MB
    assert max(size.tables for size in sizes) < TABLES_MB
    assert max(size.spool for size in sizes) < 1


def check_flat(sizes: Sequence[Size]) -> None:
    """Compare the last third of the days with the first: nothing has grown."""
    third = len(sizes) // 3
    for name, ratio, more in (
        ("server", 1.10, 5.0),
        ("worker", 1.10, 5.0),
        ("redis", 1.15, 4.0),
        ("archive", 1.20, 3.0),
        ("redis_files", 1.20, 8.0),
        ("tables", 1.10, 1.0),
        ("files", 1.10, 5),
        ("temporary", 1.0, 2),
        ("descriptors", 1.10, 4),
        ("threads", 1.10, 4),
    ):
        values = [getattr(size, name) for size in sizes]
        early, late = statistics.median(values[:third]), statistics.median(values[-third:])
        assert late <= ratio * early + more, f"{name} has grown: {values}"
        assert max(values[-third:]) <= ratio * max(values[:third]) + more, f"{name} has peaks: {values}"
