"""Which messages of a source never came: what its numbers show, and else the holes in its clock.

Pure, streaming. Says nothing of why; what a link knows of its own gaps is another account. A false alarm costs more
trust than a small loss that is missed: where a device is not regular, nothing is found.
"""

import numpy as np
from numpy.typing import NDArray

from blitz.data.clock_holes import ClockHoles
from blitz.data.hole import Hole
from blitz.data.number_holes import NumberHoles, Restart

__all__ = ["Hole", "LossFinder", "Restart"]

_LATEST = 1024
"""So many messages of a block tell the usual period."""

_LATE_NS = 100_000_000
"""The first message of a new clock may be so late: its time is its arrival."""


class LossFinder:
    """Follows one source through a session; calls go on where the last one ended.

    :param resolution_ns: the unit of the device's clock.
    """

    def __init__(self, resolution_ns: int = 1_000_000) -> None:
        self._by_numbers = NumberHoles()
        self._by_clock = ClockHoles(resolution_ns)
        self._lost_by_clock = 0

    @property
    def lost(self) -> int:
        """How many messages never came, by numbers and by clock."""
        return self._by_numbers.lost + self._lost_by_clock

    @property
    def are_counting(self) -> bool:
        """Whether the device numbers its messages, so that what is missing is known and not estimated."""
        return self._by_numbers.are_counting

    @property
    def duplicates(self) -> int:
        """How many messages came with a number that had been there."""
        return self._by_numbers.duplicates

    @property
    def restarts(self) -> int:
        """How often the numbers began anew."""
        return self._by_numbers.restarts

    @property
    def restarted(self) -> list[Restart]:
        """Where the numbers began anew among the messages that were examined last."""
        return self._by_numbers.restarted

    @property
    def period_ns(self) -> int | None:
        """The usual time between two messages; None until it is known."""
        return self._by_clock.period_ns

    @property
    def is_regular(self) -> bool:
        """Whether the source's messages have kept to one period lately, so that its clock can show holes."""
        return self._by_clock.is_regular

    def examine(
        self,
        seq: NDArray[np.int64],
        time_ns: NDArray[np.int64],
        arrived_ns: NDArray[np.int64],
        numbers: NDArray[np.int64] | None = None,
        modulo: int | None = None,
        is_restart: NDArray[np.bool_] | None = None,
        device_ns: NDArray[np.int64] | None = None,
    ) -> list[Hole]:
        """Find the holes before these messages; of a hole in the clock one learns four messages later.

        :param seq: shape (n,), rising; other sources' messages may lie between.
        :param time_ns: shape (n,), the messages' times; equal to ``arrived_ns`` where the device has no clock.
        :param numbers: shape (n,), what the device counts its messages with; -1 where it cannot be read.
        :param modulo: where the numbers begin again at 0; None if they never do.
        :param is_restart: shape (n,), True at the first message of a device that began anew.
        :param device_ns: shape (n,), the device's own clock in nanoseconds, negative where it cannot be read. Better
            than ``time_ns`` for finding holes, since a fitted time has small steps of its own.
        :returns: by seq; by numbers where they count, else by the clock.
        """
        if not len(seq):
            return []
        first = 0
        if numbers is not None and self.are_counting and len(seq) > _LATEST:
            # Holes in the clock are of no interest; only the period is.
            first = len(seq) - _LATEST
            self._by_clock.skip(first)
        latest = slice(first, None)
        by_clock = self._by_clock.examine(
            seq[latest],
            time_ns[latest],
            arrived_ns[latest],
            None if is_restart is None else is_restart[latest],
            None if device_ns is None else device_ns[latest],
        )
        if numbers is not None:
            found = self._by_numbers.examine(seq, time_ns, numbers, modulo, is_restart, self.period_ns)
            if self._by_numbers.are_counting:
                return found
        self._lost_by_clock += sum(hole.lost for hole in by_clock)
        return by_clock

    def is_pause(self, from_ns: int, to_ns: int) -> bool:
        """Tell whether more time lies between two messages than does so usually."""
        usual_ns = self._by_clock.longest_usual_ns()
        return usual_ns is not None and to_ns - from_ns > 2 * usual_ns + _LATE_NS

    def estimate(self, from_ns: int, to_ns: int) -> int | None:
        """Estimate what is missing between two messages, from the usual rate; None while that is unknown."""
        period_ns = self.period_ns
        if not period_ns:
            return None
        return max(round((to_ns - from_ns) / period_ns) - 1, 0)
