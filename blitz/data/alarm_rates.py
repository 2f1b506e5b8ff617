"""How fast a channel changes, followed from block to block. Pure.

The rate at a reading is that since the newest remembered reading that is at least a window old. Of each 64th of the
window the first reading is remembered, so that a rate is over the window and at most a 64th of it more, or over one
step where readings are rarer; what was before a gap is forgotten.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SLOTS = 64
_MOST = 256
"""Beyond so many remembered readings, those that are too old are dropped."""


class RateMemory:
    """One channel's rates over one window; several rules may ask for them."""

    def __init__(self, window_ns: int) -> None:
        self._window_ns = window_ns
        self._slot_ns = max(window_ns // _SLOTS, 1)
        self._times = np.empty(0, np.int64)
        self._values = np.empty(0)
        self._inner_ns = np.empty(0, np.int64)
        self._newest = np.empty(0)
        self._rates: NDArray[np.float64] | None = None

    def take(self, inner_ns: NDArray[np.int64], values: NDArray[np.float64], gaps: Sequence[int]) -> None:
        """Remember the next readings, shape (n,), n > 0.

        :param gaps: indices of readings before which nothing came for too long, rising.
        """
        self._inner_ns, self._newest, self._rates = inner_ns, values, None
        if not gaps:
            self._remember(inner_ns, values)
            return
        parts = []
        for number, (first, stop) in enumerate(itertools.pairwise([0, *gaps, len(values)])):
            if number:
                self.forget()
            self._remember(inner_ns[first:stop], values[first:stop])
            parts.append(self._measure(inner_ns[first:stop], values[first:stop]))
        self._rates = np.concatenate(parts)

    def forget(self) -> None:
        """Begin anew: the next readings have none before them."""
        self._times, self._values = self._times[:0], self._values[:0]

    def limit(self, low: float, high: float) -> float:
        """Return what no rate of the newest readings exceeds, whose values lie between two others."""
        if not len(self._values):
            return 0.0
        return (max(high, float(self._values.max())) - min(low, float(self._values.min()))) / self._window_ns * 1e9

    def rates(self) -> NDArray[np.float64]:
        """Return the newest readings' rates, units a second, shape (n,); NaN where there is none."""
        if self._rates is None:
            self._rates = self._measure(self._inner_ns, self._newest)
        return self._rates

    def state(self) -> dict[str, Any]:
        """Return what is remembered, fit for JSON."""
        self._drop_old()
        return {"times": self._times.tolist(), "values": self._values.tolist()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state` returned."""
        self._times, self._values = np.array(state["times"], np.int64), np.array(state["values"], np.float64)

    def _remember(self, inner_ns: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        before = int(self._times[-1]) // self._slot_ns if len(self._times) else -1
        if not len(values) or int(inner_ns[-1]) // self._slot_ns == before:
            return
        is_value = ~np.isnan(values)
        if not is_value.all():
            inner_ns, values = inner_ns[is_value], values[is_value]
        slots = inner_ns // self._slot_ns
        is_first = np.empty(len(slots), np.bool_)
        is_first[:1] = slots[:1] != before
        np.not_equal(slots[1:], slots[:-1], out=is_first[1:])
        self._times = np.concatenate((self._times, inner_ns[is_first]))
        self._values = np.concatenate((self._values, values[is_first]))
        if len(self._times) > _MOST:
            self._drop_old()

    def _measure(self, inner_ns: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
        if not len(self._times):
            return np.full(len(values), np.nan)
        place = self._times.searchsorted(inner_ns - self._window_ns, "right") - 1
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            rates: NDArray[np.float64] = (values - self._values[place]) / (inner_ns - self._times[place]) * 1e9
        rates[place < 0] = np.nan
        return rates

    def _drop_old(self) -> None:
        """Forget what no reading will be compared with that comes behind the newest one, nor the newest ones now."""
        if len(self._inner_ns):
            needed = int(self._times.searchsorted(int(self._inner_ns[0]) - self._window_ns, "right")) - 1
            if needed > 0:
                self._times, self._values = self._times[needed:], self._values[needed:]
