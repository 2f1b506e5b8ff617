"""The overview of a curve: what of it a screen of so many columns can show.

Pure. A column of pixels shows all that falls into it as one vertical stroke, so its minimum and maximum are enough.
"""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_Time = TypeVar("_Time", np.int64, np.float64)


def min_max(
    time: NDArray[_Time], values: NDArray[np.float64], width: int
) -> tuple[NDArray[_Time], NDArray[np.float64]]:
    """Thin a curve out to the smallest and the largest value of each column, at their own times and in their order.

    A NaN, which breaks the drawn line, stays a break: then there are half as many columns, and each keeps the first
    and the last NaN that it holds, so that no line leads from one column into another across a break.

    :param time: shape (n,), never falling.
    :param values: shape (n,), NaN where there is none.
    :param width: columns of pixels, at least 2; they divide the time evenly.
    :returns: time and values, at most 2 * width points of the curve; the same arrays where it has no more.

    >>> curve = np.array([0.0, 5.0, 1.0, 2.0, -3.0, 2.0, 2.0, 2.0])
    >>> min_max(np.arange(8), curve, 2)
    (array([0, 1, 3, 4]), array([ 0.,  5.,  2., -3.]))
    """
    if width < 2:
        raise ValueError(f"An overview of {width} columns is not possible: it needs 2.")
    if len(time) <= 2 * width:
        return time, values
    is_nan = np.isnan(values)
    has_nan = bool(is_nan.any())
    starts = _column_starts(time, width // 2 if has_nan else width)
    counts = np.diff(starts, append=len(time))
    chosen = [
        _first(values == np.repeat(extreme.reduceat(values, starts), counts), starts, counts)
        for extreme in (np.fmin, np.fmax)
    ]
    if has_nan:
        chosen += [_first(is_nan, starts, counts), _last(is_nan, starts, counts)]
    # Sorted, and without those that are two of these at once.
    places = _distinct(np.sort(np.concatenate(chosen)))
    return time[places], values[places]


def _column_starts(time: NDArray[_Time], columns: int) -> NDArray[np.intp]:
    """Return where each column that holds any point begins."""
    edges = np.linspace(0, float(time[-1] - time[0]), columns, endpoint=False)
    return _distinct(np.searchsorted(time, time[0] + edges.astype(time.dtype)))


def _distinct(rising: NDArray[np.intp]) -> NDArray[np.intp]:
    """Leave out what is there already; numpy's own way hashes, and takes longer than all the rest."""
    return rising[np.diff(rising, prepend=-1) > 0]


def _first(is_wanted: NDArray[np.bool_], starts: NDArray[np.intp], counts: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the first wanted place of each column that has one."""
    wanted = np.flatnonzero(is_wanted)
    if not len(wanted):
        return wanted
    nearest = np.searchsorted(wanted, starts)
    found = wanted[np.minimum(nearest, len(wanted) - 1)]
    is_inside = (nearest < len(wanted)) & (found < starts + counts)
    return found[is_inside]


def _last(is_wanted: NDArray[np.bool_], starts: NDArray[np.intp], counts: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return the last wanted place of each column that has one."""
    end = len(is_wanted)
    backward = _first(is_wanted[::-1], end - starts - counts, counts)
    return end - 1 - backward
