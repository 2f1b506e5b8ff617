"""Which rules a block of readings can change at all, told by the extremes of its channels. Pure."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from blitz.data.alarm_rates import RateMemory
from blitz.data.alarm_watch import RuleWatch

RateKey = tuple[str, int, bool]
"""Channel, window in ns, and whether only what is recorded counts."""


def rate_key(watch: RuleWatch) -> RateKey:
    """Return which rates a rule about a rate asks for."""
    return watch.rule.channel, watch.window_ns or 0, watch.rule.needs_session


class Screen:
    """The rules of one source, as arrays.

    :param columns: by rule, which column of the values it is about.
    :param rates: those that rules ask for.
    """

    def __init__(
        self, watches: Sequence[RuleWatch], columns: Sequence[int], rates: Mapping[RateKey, RateMemory]
    ) -> None:
        self._watches = list(watches)
        simple = [(place, watch) for place, watch in enumerate(self._watches) if watch.bounds is not None]
        self._places = np.array([place for place, _ in simple], np.intp)
        self._row = {watch.id: row for row, (_, watch) in enumerate(simple)}
        used = sorted({columns[place] for place, _ in simple})
        self._used = np.array(used, np.intp)
        measures: list[tuple[int, RateMemory | None]] = [(column, None) for column in used]
        of = []
        for place, watch in simple:
            measure = columns[place], None if watch.window_ns is None else rates[rate_key(watch)]
            if measure not in measures:
                measures.append(measure)
            of.append(measures.index(measure))
        self._of = np.array(of, np.intp)
        self._rates = [(used.index(column), memory) for column, memory in measures if memory is not None]
        self._others = [place for place, watch in enumerate(self._watches) if watch.bounds is None]
        self._minds_nan = np.array([watch.rule.on_nan != "ignore" for _, watch in simple], np.bool_)
        # While no value of a block is in the forbidden interval, or all are in the allowed one, a rule stays as it is.
        self._shut_low, self._shut_high = np.empty(len(simple)), np.empty(len(simple))
        self._is_inside = np.zeros(len(simple), np.bool_)
        self._is_timed = np.zeros(len(simple), np.bool_)
        for _, watch in simple:
            self.note(watch)

    def note(self, watch: RuleWatch) -> None:
        """A rule has changed where it stands."""
        row, bounds = self._row.get(watch.id), watch.bounds
        if row is None or bounds is None:
            return
        limits = (bounds.low_back, bounds.high_back) if watch.holds else (bounds.low, bounds.high)
        self._shut_low[row], self._shut_high[row] = limits
        # Nothing turns while all values are inside these limits, or else while all are outside on one side.
        self._is_inside[row] = bounds.is_inside == watch.holds
        self._is_timed[row] = watch.since_ns is not None

    def concerned(self, values: NDArray[np.float64], has_silences: bool) -> list[RuleWatch]:
        """Return the rules that readings may change, in order; the rates have taken them before.

        :param values: shape (n, channels).
        :param has_silences: whether the source was silent before or among them.
        """
        if has_silences or not len(self._places):
            return self._watches
        used = values if len(self._used) == values.shape[1] else values[:, self._used]
        low, high = np.fmin.reduce(used, axis=0), np.fmax.reduce(used, axis=0)
        has_nan = np.zeros(len(low), np.bool_)
        if self._minds_nan.any():
            np.isnan(used).any(axis=0, out=has_nan)
        if self._rates:
            limits = [memory.limit(float(low[column]), float(high[column])) for column, memory in self._rates]
            has_nan = np.concatenate((has_nan, has_nan[[column for column, _ in self._rates]]))
            low, high = np.concatenate((low, np.negative(limits))), np.concatenate((high, limits))
        low, high = low[self._of], high[self._of]
        is_within = (low >= self._shut_low) & (high <= self._shut_high)
        is_beside = (high < self._shut_low) | (low > self._shut_high)
        is_still = np.where(self._is_inside, is_within, is_beside) & ~self._is_timed
        is_still &= ~(self._minds_nan & has_nan[self._of])
        moving = self._places[~is_still].tolist()
        return [self._watches[place] for place in sorted([*moving, *self._others])]
