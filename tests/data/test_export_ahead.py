"""Working ahead of what writes: order, faults, an early end, and an interruption at any moment."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

from blitz.data import export_ahead
from blitz.data.export_ahead import prepared_ahead

SOAK = bool(os.environ.get("BLITZ_SOAK"))
MODULE = Path(export_ahead.__file__).name


def wait_until_no_thread_works() -> None:
    deadline = time.monotonic() + 30
    while left := [each for each in threading.enumerate() if each.name.startswith("blitz-export")]:
        assert time.monotonic() < deadline, left
        time.sleep(0.001)


class Parts(Iterator[int]):
    """Numbers, and whether somebody takes one."""

    def __init__(self, count: int) -> None:
        self._numbers = iter(range(count))
        self._is_in_use = threading.Lock()

    def __next__(self) -> int:
        assert self._is_in_use.acquire(blocking=False)
        try:
            return next(self._numbers)
        finally:
            self._is_in_use.release()


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_parts_come_in_order_whichever_is_ready_first(threads: int) -> None:
    def prepare(part: int) -> int:
        np.arange(20_000 * (part % 3)).sum()
        return part * 10

    assert list(prepared_ahead(Parts(100), prepare, threads=threads)) == [(part, part * 10) for part in range(100)]
    wait_until_no_thread_works()


@pytest.mark.parametrize("threads", [1, 2])
def test_what_goes_wrong_in_a_thread_is_raised_where_its_part_is_taken(threads: int) -> None:
    def broken() -> Iterator[int]:
        yield from range(5)
        raise OSError("no more")

    def prepare(part: int) -> int:
        if part == 7:
            raise ValueError("seven")
        return part

    for parts, count, error in (broken(), 5, OSError), (Parts(20), 7, ValueError):
        prepared = prepared_ahead(parts, prepare, threads=threads)
        assert [next(prepared) for _ in range(count)] == [(part, part) for part in range(count)]
        with pytest.raises(error):
            next(prepared)
    wait_until_no_thread_works()


def test_an_early_end_ends_the_threads_and_what_gives_the_parts() -> None:
    is_closed = threading.Event()

    def endless() -> Iterator[int]:
        try:
            number = 0
            while True:
                yield (number := number + 1)
        finally:
            is_closed.set()

    prepared = prepared_ahead(endless(), str, threads=2)
    assert [next(prepared) for _ in range(3)] == [(1, "1"), (2, "2"), (3, "3")]
    prepared.close()
    assert is_closed.is_set()
    wait_until_no_thread_works()


def test_not_more_than_a_few_parts_lie_ready() -> None:
    made: list[int] = []
    prepared = prepared_ahead(iter(range(1000)), made.append, threads=2)
    for number in range(50):
        next(prepared)
        assert len(made) <= number + 1 + export_ahead._AHEAD
    prepared.close()


def export(parts: Iterator[int]) -> None:
    prepared = prepared_ahead(parts, str, threads=2)
    try:
        for part, text in prepared:
            assert text == str(part)
    finally:
        prepared.close()


def interrupted_at_line(wanted: int) -> bool:
    """Run an export that is interrupted before a line of what works ahead; return whether there were so many lines."""
    lines = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal lines
        if Path(frame.f_code.co_filename).name != MODULE:
            return None
        if event == "line":
            lines += 1
            if lines == wanted:
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        export(Parts(3))
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def test_an_interruption_before_any_line_ends_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_ahead, "_START_S", 0.05)
    wanted = 1
    while interrupted_at_line(wanted):
        wait_until_no_thread_works()
        wanted += 1
    assert wanted > 50


@pytest.mark.skipif(sys.platform == "win32", reason="needs timers that send signals")
def test_a_signal_at_any_moment_is_an_interruption_and_ends_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    # Python itself reports, and swallows, an interruption within the callback of a weak reference.
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    chance = np.random.default_rng(5)
    before = signal.signal(signal.SIGALRM, interrupt)
    interruptions = 0
    try:
        for wait_s in chance.uniform(1e-6, 2e-3, 20_000 if SOAK else 300).tolist():
            try:
                signal.setitimer(signal.ITIMER_REAL, wait_s)
                export(Parts(60))
                signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                interruptions += 1
            wait_until_no_thread_works()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert interruptions
