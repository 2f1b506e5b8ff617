"""Slope and integral of a range of readings, block by block in constant memory. Pure.

Both are the same however the values are cut into blocks: which steps are too long to be bridged is only decided at the
end, from sums that are kept for each length of a step.
"""

import math

import numpy as np
from numpy.typing import NDArray

from blitz.data.aligning import TYPICAL_STEPS

_SHIFT = 46
"""Of a step as a float's bits: 64 lengths an octave are told apart, so that a limit is kept to about 1 %."""
_LENGTHS = 64 * 64
_ONE = int(np.float64(1).view(np.int64)) >> _SHIFT


class RunningTrend:
    """Slope and integral of one channel, to which values are added in the order of their times."""

    def __init__(self) -> None:
        self._count = 0
        self._first_ns = 0
        self._first = 0.0
        """What sums are made of differences from: values of 1e9 that differ by 0.001 keep their slope."""
        self._last: tuple[int, float] | None = None
        self._mean_s = self._mean = 0.0
        self._squares = self._products = 0.0
        self._steps = np.zeros(_LENGTHS, np.int64)
        self._lengths_ns = np.zeros(_LENGTHS)
        self._areas = np.zeros(_LENGTHS)

    def add(self, time_ns: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Add values, none of them NaN, and their times, never falling."""
        if not len(values):
            return
        if self._last is None:
            self._first_ns, self._first = int(time_ns[0]), float(values[0])
        with np.errstate(all="ignore"):  # infinite values make what follows NaN or infinite, which is what it is
            self._add_products((time_ns - self._first_ns) / 1e9, values - self._first)
            self._add_areas(time_ns, values)
        self._last = int(time_ns[-1]), float(values[-1])

    @property
    def slope(self) -> float:
        """Of the straight line with the least squares, a second; NaN without two times."""
        return self._products / self._squares if self._squares > 0 else math.nan

    @property
    def integral(self) -> float:
        """The area under the values by trapezoids, in the unit times seconds; NaN below two values.

        A step of more than five usual ones, to about 1 %, adds nothing: nobody knows what was there. The usual one is
        the median of those that are not zero.
        """
        if self._count < 2:
            return math.nan
        counts = self._steps
        if not counts.any():
            return 0.0
        middle = int(np.searchsorted(np.cumsum(counts), (int(counts.sum()) + 1) // 2))
        with np.errstate(invalid="ignore", divide="ignore"):
            lengths_ns = self._lengths_ns / counts
        is_bridged = (counts > 0) & (lengths_ns <= TYPICAL_STEPS * lengths_ns[middle])
        with np.errstate(all="ignore"):
            return float(self._areas[is_bridged].sum())

    def _add_products(self, time_s: NDArray[np.float64], values: NDArray[np.float64]) -> None:
        count = len(values)
        mean_s = float(time_s.mean())
        mean = float(values.mean())
        far_s = time_s - mean_s
        total = self._count + count
        weight = self._count * count / total
        self._squares += float(np.square(far_s).sum()) + (mean_s - self._mean_s) ** 2 * weight
        self._products += (
            float((far_s * (values - mean)).sum()) + (mean_s - self._mean_s) * (mean - self._mean) * weight
        )
        self._mean_s += (mean_s - self._mean_s) * (count / total)
        self._mean += (mean - self._mean) * (count / total)
        self._count = total

    def _add_areas(self, time_ns: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        if self._last is not None:
            time_ns = np.concatenate([[self._last[0]], time_ns])
            values = np.concatenate([[self._last[1]], values])
        steps_ns = np.diff(time_ns)
        is_step = steps_ns > 0
        if not is_step.any():
            return
        areas = (values[1:] / 2 + values[:-1] / 2) * (steps_ns / 1e9)
        if not is_step.all():
            steps_ns, areas = steps_ns[is_step], areas[is_step]
        lengths = (steps_ns.astype(np.float64).view(np.int64) >> _SHIFT) - _ONE
        self._steps += np.bincount(lengths, minlength=_LENGTHS)
        self._lengths_ns += np.bincount(lengths, steps_ns, minlength=_LENGTHS)
        self._areas += np.bincount(lengths, areas, minlength=_LENGTHS)
