"""How long messages waited, as counts by length of the wait. Pure; bounded however long it is filled."""

from bisect import bisect_left
from collections.abc import Sequence

BOUNDS_S: Sequence[float] = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Lateness:
    """A histogram of waits. Filled by one thread, read by any.

    >>> lateness = Lateness()
    >>> lateness.add(0.012, 99)
    >>> lateness.add(0.3, 1)
    >>> lateness.share_later_than(0.2)
    0.01
    """

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        """Messages that waited up to each of :data:`BOUNDS_S`, and longer than the last; each counted once."""
        self.sum_s = 0.0

    def add(self, wait_s: float, count: int) -> None:
        """So many messages waited at most so long."""
        self.counts[bisect_left(BOUNDS_S, wait_s)] += count
        self.sum_s += wait_s * count

    @property
    def total(self) -> int:
        """How many messages were counted."""
        return sum(self.counts)

    def share_later_than(self, bound_s: float) -> float:
        """Return which share of the messages waited longer than one of :data:`BOUNDS_S`; 0 without messages."""
        later = sum(self.counts[bisect_left(BOUNDS_S, bound_s) + 1 :])
        return later / self.total if self.total else 0.0
