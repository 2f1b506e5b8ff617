"""A clock that stands still unless somebody sleeps, and names that are drawn from a seed."""

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator
from random import Random
from unittest import mock

BEGAN_NS = 1_800_000_000_000_000_000


class SimClock:
    """Monotonic time and Unix time; they begin together and go at one pace."""

    def __init__(self) -> None:
        self.elapsed_ns = 0
        self.on_sleep: Callable[[], None] = lambda: None

    def sleep(self, duration_s: float) -> None:
        self.elapsed_ns += int(duration_s * 1e9)
        self.on_sleep()

    def monotonic(self) -> float:
        return 1000.0 + self.elapsed_ns / 1e9

    def time(self) -> float:
        return self.time_ns() / 1e9

    def time_ns(self) -> int:
        return BEGAN_NS + self.elapsed_ns

    def now_ms(self) -> int:
        return self.time_ns() // 1_000_000


@contextlib.contextmanager
def governed(clock: SimClock, random: Random) -> Iterator[None]:
    """Let all code read this clock, and draw its names from this randomness: the same seed gives the same run."""

    def name() -> uuid.UUID:
        return uuid.UUID(int=random.getrandbits(128), version=4)

    with contextlib.ExitStack() as stack:
        for word in ("sleep", "monotonic", "time", "time_ns"):
            stack.enter_context(mock.patch.object(time, word, getattr(clock, word)))
        stack.enter_context(mock.patch.object(uuid, "uuid4", name))
        yield
