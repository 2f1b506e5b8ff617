"""How far a download is: messages, bytes, and how long it will take. Pure but for its clock, which can be given."""

import time
from collections.abc import Callable
from dataclasses import dataclass

_SMOOTHING_S = 3.0
"""The rate follows what happened in about so many seconds."""


@dataclass(frozen=True)
class Progress:
    """One look at a download.

    :param done: messages that are here.
    :param total: messages in all.
    :param received_bytes: of messages, in this attempt.
    :param rate: messages a second of late; 0 until something came.
    :param left_s: seconds until the end at this rate; None while nobody can say.
    """

    done: int
    total: int
    received_bytes: int = 0
    rate: float = 0.0
    left_s: float | None = None

    @property
    def share(self) -> float:
        """How much of it is here, 0 to 1."""
        return min(self.done / self.total, 1.0) if self.total else 1.0


class ProgressMeter:
    """Estimates the rate from what comes.

    :param total: messages in all.
    :param done: messages that were there before.

    >>> now = iter([0.0, 2.0])
    >>> ProgressMeter(1000, 200, clock=lambda: next(now)).add(400, 11200)
    Progress(done=600, total=1000, received_bytes=11200, rate=200.0, left_s=2.0)
    """

    def __init__(self, total: int, done: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rate = 0.0
        self._told_s = clock()
        self.progress = Progress(min(done, total), total)
        """The last look."""

    def add(self, messages: int, size_bytes: int) -> Progress:
        """Count what came since the last call, and return how far it is now."""
        now_s = self._clock()
        elapsed_s = max(now_s - self._told_s, 1e-6)
        self._told_s = now_s
        weight = min(elapsed_s / _SMOOTHING_S, 1.0) if self._rate else 1.0
        self._rate += weight * (messages / elapsed_s - self._rate)
        before = self.progress
        done = min(before.done + messages, before.total)
        left_s = (before.total - done) / self._rate if self._rate else None
        self.progress = Progress(done, before.total, before.received_bytes + size_bytes, self._rate, left_s)
        return self.progress
