"""Curves for a report: what of a channel can be seen on paper, gathered part by part in bounded memory. Pure."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from blitz.data.overview import min_max

COLUMNS = 1200
"""Over the width of a page: 0.14 mm each, finer than an office printer's lines."""
_PENDING = 1 << 15

Span = tuple[int, int]
"""From and to, in nanoseconds since the Unix epoch."""


class CurveSketch:
    """One channel's curve, to which readings are added in the order of their times.

    What is added is thinned out again and again to the smallest and largest values of each column, so that no extreme
    is lost, and no more than a few thousand points are kept however many came.
    """

    def __init__(self, columns: int = COLUMNS) -> None:
        self._columns = columns
        self._times: list[NDArray[np.int64]] = []
        self._values: list[NDArray[np.float64]] = []
        self._pending = 0
        self._latest_ns: int | None = None

    def add(self, time_ns: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Add readings, NaN among them, which break the curve; what is infinite cannot be drawn and breaks it, too."""
        if not len(time_ns):
            return
        if self._latest_ns is not None and time_ns[0] < self._latest_ns:
            time_ns = np.maximum(time_ns, self._latest_ns)  # two rows of one device have two clocks
        self._latest_ns = int(time_ns[-1])
        self._times.append(time_ns.copy())
        self._values.append(np.where(np.isfinite(values), values, np.nan))
        self._pending += len(time_ns)
        if self._pending > max(_PENDING, 4 * self._columns):
            self._thin()

    def curve(self, holes: Sequence[Span] = ()) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return times and values, at most two for each column, and those that break the curve at holes.

        :param holes: where readings are known to be missing: the curve is not drawn across one that has none within.

        >>> sketch = CurveSketch()
        >>> sketch.add(np.array([0, 10, 90]), np.array([1.0, 2.0, 3.0]))
        >>> sketch.curve([(10, 90)])[1]
        array([ 1.,  2., nan,  3.])
        """
        self._thin()
        if not self._times:
            return np.empty(0, np.int64), np.empty(0)
        time_ns, values = self._times[0], self._values[0]
        if not holes or len(time_ns) < 2:
            return time_ns, values
        begin, end = np.array(holes, np.int64).reshape(-1, 2).T
        behind = np.searchsorted(time_ns, begin, "right")
        is_between = (behind > 0) & (behind < len(time_ns))
        behind, begin, end = behind[is_between], begin[is_between], end[is_between]
        # A gap's end is known as an arrival, a reading's time may lie a little before that.
        is_empty = time_ns[behind] >= begin + (end - begin) // 2
        places = np.unique(behind[is_empty])
        return np.insert(time_ns, places, time_ns[places]), np.insert(values, places, np.nan)

    def _thin(self) -> None:
        if len(self._times) < 2 and self._pending <= 2 * self._columns:
            return
        points = min_max(np.concatenate(self._times), np.concatenate(self._values), self._columns)
        self._times, self._values, self._pending = [points[0]], [points[1]], len(points[0])
