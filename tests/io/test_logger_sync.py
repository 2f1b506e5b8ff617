"""A synchronisation with a server that does everything wrong that a network can, and programs that end anywhere.

The server keeps streams and numbers as the real one does (tests/io/test_stream_api.py). Answers are lost, requests come
late or twice, other scripts insert newer points, a second program synchronises amid a request, and the program ends
between any two steps. `--hypothesis-seed=…` repeats a run.
"""

import contextlib
import os
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from blitz.data import logger_batches
from blitz.data.logger_batches import LoggerBatches
from blitz.data.logger_file import LoggerFile, open_logger_file
from blitz.data.points import Point, Points
from blitz.data.stream_records import InsertResult
from blitz.errors import BlitzError, PointsRefused, RequestTimeout, ServerError, ServerUnreachable
from blitz.io.logger_sync import LoggerSync

CASES = 500 if os.environ.get("BLITZ_SOAK") else 12
STREAMS = ("a", "b")
LARGEST = 25


class Ended(BaseException):
    """The program was killed here."""


class FakeServer:
    """Streams of whole numbers that are no multiples of 13, and a network."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.is_good = False
        self.points = {name: list[Point]() for name in STREAMS}
        self.batches: dict[tuple[str, str], tuple[int, int, int]] = {}
        self.late: list[Callable[[], object]] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def newest_t(self, name: str) -> float | None:
        return self.points[name][-1]["t"] if self.points[name] else None

    def store(self, name: str, points: list[Point], writer: str, number: int, restamp: bool) -> InsertResult:
        if len(points) > LARGEST:
            raise ServerError("too large", "too_large", 413)
        if any(point["d"] % 13 == 0 for point in points):
            raise PointsRefused("one of them is a multiple of 13")
        known, first, count = self.batches.get((name, writer), (0, 0, 0))
        if number <= known:
            return InsertResult(first=first, count=count if number == known else 0, repeated=True)
        newest_t = self.newest_t(name)
        if newest_t is not None and points:
            if not restamp and points[0]["t"] < newest_t:
                raise PointsRefused("too old")
            points = [{**point, "t": max(point["t"], newest_t)} for point in points]
        first = len(self.points[name])
        self.points[name] += points
        self.batches[name, writer] = (number, first, len(points))
        return InsertResult(first=first, count=len(points))

    def receive(self, name: str, points: list[Point], writer: str, number: int, restamp: bool) -> InsertResult:
        """Do with a request what a network may do with it."""

        def store() -> InsertResult:
            return self.store(name, points, writer, number, restamp)

        if self.is_good:
            return store()
        self.meanwhile()
        if self.late and self.chance.random() < 0.3:
            self.deliver_late()
        event = self.chance.choice(["good"] * 6 + ["away", "lost", "late", "twice", "ended", "other"])
        if event == "away":
            raise ServerUnreachable("away")
        if event == "late":
            self.late.append(store)
            raise RequestTimeout("no answer in time")
        if event == "other":
            newest_t = max(self.newest_t(name) or 0, points[-1]["t"] if points else 0)
            self.points[name].append({"t": newest_t + self.chance.choice([0, 1]), "d": -1})
        result = store()
        if event == "twice":
            self.late.append(store)
        if event == "lost":
            raise ServerUnreachable("the connection broke")
        if event == "ended":
            raise Ended
        return result

    def deliver_late(self) -> None:
        request = self.late.pop(self.chance.randrange(len(self.late)))
        with contextlib.suppress(BlitzError):
            request()


class FakeClient:
    """What the synchronisation asks of a client."""

    def __init__(self, server: FakeServer) -> None:
        self._server = server

    def connect(self) -> None:
        pass

    def close(self) -> None:
        pass

    def insert_points(self, name: str, points: list[Point], *, writer: str, batch: int, restamp: bool) -> InsertResult:
        return self._server.receive(name, points, writer, batch, restamp)

    def __getitem__(self, name: str) -> Any:
        server = self._server

        class Stream:
            def record(self) -> Any:
                return SimpleNamespace(newest_t=server.newest_t(name), schema_={"type": "integer"})

            def __call__(self, i1: int, i2: int) -> Points:
                return Points(server.points[name][i1:i2])

        return Stream()


def synchronise(file: LoggerFile, server: FakeServer) -> None:
    client: Any = FakeClient(server)
    LoggerSync(file, client, lambda: False).run()


def open_quickly(path: Path) -> LoggerFile:
    file = open_logger_file(path, lambda file: [file.add_stream(name, {}) for name in STREAMS] and None)
    with file.reading() as db:  # nothing here looks at what a power failure leaves
        db.execute("PRAGMA synchronous=OFF")
    return file


def run_case(path: Path, chance: random.Random, monkeypatch: pytest.MonkeyPatch) -> None:
    server = FakeServer(chance)
    inserted = {name: list[int]() for name in STREAMS}
    now_s, number = 1000.0, 1

    for step in ("next", "acknowledge", "refuse", "release"):
        whole = getattr(logger_batches.LoggerBatches, step)

        def ending(self: LoggerBatches, *arguments: Any, _whole: Any = whole, **options: Any) -> Any:
            if not server.is_good and chance.random() < 0.02:
                raise Ended
            answer = _whole(self, *arguments, **options)
            if not server.is_good and chance.random() < 0.02:
                raise Ended
            return answer

        monkeypatch.setattr(logger_batches.LoggerBatches, step, ending)

    file, second = open_quickly(path), open_quickly(path)
    depth = 0

    def meanwhile() -> None:
        """Another program has the file, too."""
        nonlocal depth
        if depth < 2 and chance.random() < 0.1:
            depth += 1
            try:
                synchronise(second, server)
            except Ended:
                pass
            finally:
                depth -= 1

    server.meanwhile = meanwhile
    try:
        for _ in range(25):
            for _ in range(chance.randrange(4)):
                name, count = chance.choice(STREAMS), chance.choice([1, 1, 7, 40])
                values = list(range(number, number + count))
                number += count
                if count == 1:
                    file.insert(name, values[0], now_s)
                else:
                    file.insert_many({name: [{"t": now_s, "d": value} for value in values]})
                inserted[name] += values
                now_s += chance.choice([0, 1])
            if chance.random() < 0.1:
                file.keep("restamp", chance.random() < 0.5)
            try:
                synchronise(file, server)
            except Ended:
                file.close()
                file = open_quickly(path)
        server.is_good = True
        synchronise(file, server)
        while server.late:
            server.deliver_late()
        synchronise(file, server)
        assert file.count() == 0
        for name in STREAMS:
            stored = [point["d"] for point in server.points[name] if point["d"] != -1]
            refused = [point.d for point in LoggerBatches(file).refused(name)]
            assert sorted(stored + refused) == inserted[name]
            assert stored == sorted(stored)
            assert {value for value in inserted[name] if value % 13 == 0} <= set(refused)
    finally:
        file.close()
        second.close()


@pytest.mark.timeout(1500)
def test_each_point_is_stored_once_or_put_aside_whatever_happens(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(logger_batches, "BATCH_POINTS", 30)
    for case in range(CASES):
        with monkeypatch.context() as patches:
            try:
                run_case(tmp_path / f"{case}.db", random.Random(seed * 10_000 + case), patches)
            except BaseException as error:
                error.add_note(f"case {case}, repeat with --hypothesis-seed={seed}")
                raise
