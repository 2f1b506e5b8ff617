"""Rows at even steps of time, made of rows as the devices sent them, in flat memory. Pure.

A value stands at the step that its time is nearest to; of several values of a channel at one step, the nearest one.
Nothing is made up: a step at which no channel has a value has no row, and a channel without a value there none either.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from blitz.data.export_parts import Part

_MOST_WAITING = 65_536
"""Rows that wait for values of devices that are late. A value that comes later than this many steps finds no row."""
_WAITING_CELLS = 1 << 21


def at_steps(parts: Iterable[Part], step_ns: int) -> Iterator[Part]:
    """Give the same columns with a row a step, in order of time. Steps are whole multiples since the Unix epoch.

    A part is given for each part that is taken, so that progress is seen; it may be empty.
    """
    waiting: _Steps | None = None
    done = 0
    for part in parts:
        steps = _Steps(len(part.values)) if waiting is None else waiting
        steps.add(part, step_ns)
        waiting, done = steps, part.done
        yield steps.take(steps.count_finished(), step_ns, part)
    if waiting is not None:
        yield waiting.take(len(waiting.step), step_ns, Part(np.empty(0, np.int64), np.empty((0, 0)), done))


class _Steps:
    """Rows that may still get values, by rising step."""

    def __init__(self, columns: int) -> None:
        self.step = np.empty(0, np.int64)
        self._values = np.empty((columns, 0))
        self._distance_ns = np.empty((columns, 0), np.int64)
        self._latest = np.full(columns, np.iinfo(np.int64).min)
        self._from = np.iinfo(np.int64).min

    def add(self, part: Part, step_ns: int) -> None:
        """Put values where they are nearest."""
        step = (part.time_ns + step_ns // 2) // step_ns
        distance_ns = np.abs(part.time_ns - step * step_ns)
        has_value = ~np.isnan(part.values)
        is_wanted = has_value.any(axis=0) & (step >= self._from)
        self._widen(step[is_wanted])
        for column, values in enumerate(part.values):
            rows = np.flatnonzero(has_value[column] & is_wanted)
            if len(rows):
                self._place(column, step[rows], distance_ns[rows], values[rows])

    def count_finished(self) -> int:
        """Return how many rows get no more values, since each channel that has any has values behind them."""
        begun = self._latest[self._latest > np.iinfo(np.int64).min]
        if not len(begun):
            return 0
        finished = int(np.searchsorted(self.step, begun.min()))
        most = max(1000, min(_MOST_WAITING, _WAITING_CELLS // len(self._values)))
        return finished if len(self.step) - finished <= most else len(self.step) - most // 2

    def take(self, count: int, step_ns: int, of: Part) -> Part:
        """Return the first rows, which are forgotten."""
        taken = Part(self.step[:count] * step_ns, self._values[:, :count], of.done, of.block)
        if count:
            self._from = int(self.step[count - 1]) + 1
        self.step = self.step[count:]
        self._values, self._distance_ns = self._values[:, count:].copy(), self._distance_ns[:, count:].copy()
        return taken

    def _widen(self, step: NDArray[np.int64]) -> None:
        together = np.union1d(self.step, step)
        if len(together) == len(self.step):
            return
        places = np.searchsorted(together, self.step)
        values = np.full((len(self._values), len(together)), np.nan)
        distance_ns = np.full(values.shape, np.iinfo(np.int64).max)
        values[:, places], distance_ns[:, places] = self._values, self._distance_ns
        self.step, self._values, self._distance_ns = together, values, distance_ns

    def _place(
        self, column: int, step: NDArray[np.int64], distance_ns: NDArray[np.int64], values: NDArray[np.float64]
    ) -> None:
        order = np.lexsort((distance_ns, step))
        step, distance_ns, values = step[order], distance_ns[order], values[order]
        is_nearest = np.ones(len(step), bool)
        is_nearest[1:] = step[1:] != step[:-1]
        step, distance_ns, values = step[is_nearest], distance_ns[is_nearest], values[is_nearest]
        rows = np.searchsorted(self.step, step)
        is_nearer = distance_ns < self._distance_ns[column, rows]
        rows = rows[is_nearer]
        self._values[column, rows] = values[is_nearer]
        self._distance_ns[column, rows] = distance_ns[is_nearer]
        self._latest[column] = max(self._latest[column], int(step[-1]))
