"""A logger whose server and script are killed at random moments: each point once, none lost that was inserted.

The script numbers its points and tells each number when `insert` has returned; one that it had not told when it was
killed may be there or not. ``make soak`` does it fifty times; ``--hypothesis-seed=…`` repeats the moments of a run, as
far as a computer can.
"""

import logging
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import blitz

log = logging.getLogger(__name__)

IS_LONG = bool(os.environ.get("BLITZ_SOAK"))
ROUNDS = 50 if IS_LONG else 3
POINTS = 10_000 if IS_LONG else 900
LATER_S = 0.3
MOST_AT_ONCE = 30

SCRIPT = """
import os, random, sys, time
import blitz
path, number, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
chance = random.Random(seed)
logger = blitz.Logger(path)
logger.start()
while True:
    count = chance.choice([1, 1, 1, 1, int(sys.argv[4])])
    if count == 1:
        logger.insert("numbers", number)
    else:
        now_s = time.time() + 0.001  # the clock's steps are smaller than the time that a call takes
        try:
            logger.insert_many({"numbers": [{"t": now_s, "d": number + n} for n in range(count)]})
        except blitz.errors.PointsRefused:
            continue
    os.write(1, b"%d %d\\n" % (number, count))
    number += count
    time.sleep(chance.uniform(0, 0.002))
"""


class Script:
    """The script, one process after the other on one file; knows which numbers were inserted."""

    def __init__(self, path: Path, chance: random.Random) -> None:
        self.path = path
        self.told = path.with_suffix(".told")
        self.complaints = path.with_suffix(".err")
        self.chance = chance
        self.next_number = 0
        self.inserted: set[int] = set()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        numbers = (self.next_number, self.chance.randrange(1 << 30), MOST_AT_ONCE)
        command = [sys.executable, "-c", SCRIPT, str(self.path), *map(str, numbers)]
        with self.told.open("wb") as told, self.complaints.open("ab") as complaints:
            self.process = subprocess.Popen(command, stdout=told, stderr=complaints)

    def count(self) -> int:
        """Return how many points this process has told of."""
        return sum(int(line.split()[1]) for line in self.told.read_text().splitlines())

    def wait_for(self, count: int) -> None:
        deadline_s = time.monotonic() + 120
        while self.count() < count:
            assert self.process is not None
            assert self.process.poll() is None, self.complaints.read_text()
            assert time.monotonic() < deadline_s, self.complaints.read_text()
            time.sleep(0.01)

    def kill(self) -> None:
        """Kill the process, and note what it has told; some points more may be in the file."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        for line in self.told.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                first, count = map(int, line.split())
                self.inserted |= set(range(first, first + count))
                self.next_number = first + count
        self.next_number += MOST_AT_ONCE


@pytest.mark.timeout(1700 if IS_LONG else 240)
def test_each_point_arrives_once_whatever_is_killed(
    tmp_path: Path, run_server: Callable[..., Any], steady_port: int, seed: int
) -> None:
    log.info("repeat with --hypothesis-seed=%d", seed)
    chance = random.Random(seed)
    server = run_server("--durability", "none", "--port", str(steady_port))
    path = tmp_path / "cache.db"

    def prepare(logger: blitz.Logger) -> None:
        logger.serverurl = server.url
        logger.add_stream("numbers", {"type": "integer"})
        logger.syncperiod = 0.01

    blitz.Logger(path, prepare).close()
    script = Script(path, chance)
    each = POINTS // ROUNDS
    for _ in range(ROUNDS):
        script.start()
        script.wait_for(chance.randrange(1, each))
        time.sleep(chance.uniform(0, LATER_S))
        server.kill()  # mostly amid a synchronisation: they follow each other without a pause
        script.wait_for(each)
        if chance.random() < 0.5:
            script.kill()
            server.start()
        else:
            server.start()
            time.sleep(chance.uniform(0, LATER_S))  # while it brings what it has gathered
            script.kill()
    with blitz.Logger(path) as logger:
        result = logger.sync()
        assert (result.error, len(logger), logger.refused()) == (None, 0, [])
        values = logger.client["numbers"](i1=0).d()
    about = f"repeat with --hypothesis-seed={seed}"
    assert len(values) == len(set(values)), about
    assert script.inserted <= set(values), about
    assert len(script.inserted) >= POINTS, about
    more = set(values) - script.inserted
    assert len(more) <= MOST_AT_ONCE * ROUNDS, about
    assert values == sorted(values), about
    assert "Traceback" not in script.complaints.read_text()
