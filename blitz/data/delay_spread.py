"""How widely delays are spread: a histogram of bounded size.

Pure. Bins are a quarter of an octave wide, so that a microsecond and an hour are told as precisely.
"""

import math
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

_BINS = 256
_UNKNOWN_NS = 20_000_000
"""What a read is taken to be late by before any are known: the timer of an FTDI chip, and a little more."""


class DelaySpread:
    """Counts delays."""

    def __init__(self) -> None:
        self._counts = np.zeros(_BINS, np.int64)
        self.count = 0
        self.typical_ns = _UNKNOWN_NS
        """Half of all delays are smaller, as far as :meth:`learn` knows."""
        self._learnt_from = 0

    def state(self) -> dict[str, Any]:
        """Return what it knows, fit for JSON."""
        known = np.flatnonzero(self._counts)
        counts = [list(pair) for pair in zip(known.tolist(), self._counts[known].tolist(), strict=True)]
        return {"counts": counts, "typical_ns": self.typical_ns, "learnt_from": self._learnt_from}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Make it again from what :meth:`state` returned."""
        spread = cls()
        for place, count in state["counts"]:
            spread._counts[place] = count
        spread.count = int(spread._counts.sum())
        spread.typical_ns, spread._learnt_from = state["typical_ns"], state["learnt_from"]
        return spread

    def add(self, delays_ns: NDArray[np.int64]) -> None:
        """Count delays, shape (n,), none negative."""
        if len(delays_ns):
            # The exponent of a float and the top two bits of its fraction are a logarithm.
            delays = delays_ns.astype(np.float64)
            bits = np.maximum(delays, 1, out=delays).view(np.int64)
            bits >>= 50
            bits -= 1023 << 2
            self._counts += np.bincount(bits, minlength=_BINS)
            self.count += len(delays_ns)

    def add_one(self, delay_ns: int) -> None:
        """Count one delay."""
        fraction, exponent = math.frexp(max(delay_ns, 1))
        self._counts[(exponent - 1) * 4 + int(fraction * 8) - 4] += 1
        self.count += 1

    @property
    def deviation_ns(self) -> float | None:
        """Half the width of the middle 68 %: a standard deviation that outliers do not move; None below 8 delays."""
        if self.count < 8:
            return None
        low, high = self._quantile(0.16), self._quantile(0.84)
        return (high - low) / 2

    def learn(self) -> None:
        """Find the typical delay anew, if a quarter more have been counted."""
        if self.count >= 8 and self.count * 4 >= self._learnt_from * 5:
            self._learnt_from, self.typical_ns = self.count, round(self._quantile(0.5))

    def _quantile(self, share: float) -> float:
        totals = np.cumsum(self._counts)
        place = int(np.searchsorted(totals, share * self.count))
        before = int(totals[place - 1]) if place else 0
        within = (share * self.count - before) / int(self._counts[place])
        low, high = _bin_begin_ns(place), _bin_begin_ns(place + 1)
        return low + within * (high - low)


def _bin_begin_ns(place: int) -> float:
    return math.ldexp(1 + place % 4 / 4, place // 4)
