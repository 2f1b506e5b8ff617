"""Channels that are computed from others: a formula, then steps that can be switched off. Pure.

The same channel over a whole session, :class:`ComputedChannel`, and while its readings come, :class:`ComputedStream`.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from blitz.data.aligning import at_times
from blitz.data.expressions import Expression
from blitz.data.series import Series
from blitz.data.transforms import (
    Derivative,
    MedianFilter,
    MovingAverage,
    Offset,
    Resample,
    Scale,
    Transform,
    Translate,
    chain,
    transform_from,
    transform_to_plain,
)
from blitz.errors import SeriesError

__all__ = ["ComputedChannel", "ComputedStream", "Step"]

_PATIENCE = 2
"""So many of the longest gaps a source that is silent is waited for."""
_KEPT = 512
"""Results that are kept beyond what the steps need: how many messages come at one time is not known beforehand."""
_Points = tuple[NDArray[np.int64], NDArray[np.float64]]


@dataclass(frozen=True)
class Step:
    """A transform that can be switched off."""

    transform: Transform
    is_on: bool = True


@dataclass(frozen=True)
class ComputedChannel:
    """A formula over channels, and what is done with its result.

    :param formula: as :class:`~blitz.data.expressions.Expression` takes it; a single channel is a formula, too.
    :param unit: of the formula's result; steps may change it.
    :param max_gap_s: between readings of another source that are farther apart nothing is known.
    :param definition: id of the definition that the formula's first channel is of; it is computed for no other. Empty:
        for any.
    :raises SeriesError: if the formula is wrong; it shows the place.
    """

    label: str
    formula: str
    unit: str = ""
    max_gap_s: float = 1.0
    steps: tuple[Step, ...] = ()
    definition: str = ""

    def __post_init__(self) -> None:
        if not self.label.strip():
            raise SeriesError("A computed channel needs a name.")
        self.expression  # noqa: B018 - it refuses what is wrong

    @property
    def expression(self) -> Expression:
        """The formula."""
        return Expression(self.formula, self.label, self.unit, "linear", self.max_gap_s)

    @property
    def channels(self) -> tuple[str, ...]:
        """Labels of what it is computed from; its times are those of the first."""
        return self.expression.channels

    @property
    def transforms(self) -> tuple[Transform, ...]:
        """The steps that are not switched off."""
        return tuple(step.transform for step in self.steps if step.is_on)

    @property
    def has_own_times(self) -> bool:
        """Whether its values are not one for each reading of the formula's first channel, at that reading's time."""
        return any(isinstance(transform, Resample | Translate) for transform in self.transforms)

    @property
    def live_refusal(self) -> str:
        """Why it cannot be computed while readings come; empty where it can."""
        for transform in self.transforms:
            if not isinstance(transform, _LOCAL):
                kind = transform_to_plain(transform)["kind"].replace("_", " ")
                return f"{self.label} is computed for sessions only: the step “{kind}” needs all of the readings."
        return ""

    @property
    def shown_unit(self) -> str:
        """The unit of the result."""
        unit = self.unit
        for transform in self.transforms:
            nothing = Series(0, "", "", "", unit, np.empty(0, np.int64), np.empty(0))
            if isinstance(transform, Scale | Derivative) or type(transform).__name__ == "Integral":
                unit = transform(nothing).unit
        return unit

    def __call__(self, channels: Mapping[str, Series]) -> Series:
        """Return the channel for a whole session, or a part.

        :raises SeriesError: if a channel is missing, or a step has no meaning for what the one before gives.
        """
        return dataclasses.replace(chain(self.expression(channels), self.transforms), label=self.label)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Return what :meth:`to_plain` wrote.

        :raises SeriesError: if it is wrong.
        """
        try:
            fields = dict(plain)
            steps = tuple(Step(transform_from(step["transform"]), bool(step["is_on"])) for step in fields.pop("steps"))
            return cls(**fields, steps=steps)
        except (TypeError, KeyError, AttributeError) as error:
            raise SeriesError(f"No computed channel can be made of {plain!r}: {error}.") from error

    def to_plain(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        steps = [{"transform": transform_to_plain(step.transform), "is_on": step.is_on} for step in self.steps]
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {**fields, "steps": steps}


class ComputedStream:
    """Computes a channel while readings come, with the results that it has over a whole session, to the rounding.

    A result comes when nothing that is still to come can change it: behind a moving average half its window later, and
    with channels of several sources when all have gone on; a source that is silent is waited for twice the longest gap.

    :raises SeriesError: if a step needs all of the readings.
    """

    def __init__(self, computed: ComputedChannel) -> None:
        if computed.live_refusal:
            raise SeriesError(computed.live_refusal)
        self.computed = computed
        self._first = computed.channels[0]
        self._expression = computed.expression
        self._times = np.empty(0, np.int64)
        self._own: dict[str, NDArray[np.float64]] = {}
        self._others: dict[str, _Points] = {}
        self._newest_ns = 0
        self._time_ns, self._values = np.empty(0, np.int64), np.empty(0)
        self._emitted = 0
        self._most_at_once = 1
        self._is_over = False

    def add(self, time_ns: NDArray[np.int64], values: Mapping[str, NDArray[np.float64]]) -> _Points:
        """Take channels of one source, by label, and return what is computed from now on: times and values.

        :param time_ns: int64, shape (n,), never falling, for each source.
        """
        if self._first in values:
            self._times = np.concatenate([self._times, time_ns])
            for label in self.computed.channels:
                if label in values:
                    self._own[label] = np.concatenate([self._own.get(label, np.empty(0)), values[label]])
            self._newest_ns = int(time_ns[-1]) if len(time_ns) else self._newest_ns
        else:
            for label in self.computed.channels:
                if label in values:
                    is_value = ~np.isnan(values[label])
                    known = self._others.get(label, (np.empty(0, np.int64), np.empty(0)))
                    self._others[label] = (
                        np.concatenate([known[0], time_ns[is_value]]),
                        np.concatenate([known[1], values[label][is_value]]),
                    )
        return self._stepped(*self._computed())

    def finish(self) -> _Points:
        """Return what was still waited for: nothing comes any more."""
        self._is_over = True
        return self._stepped(*self._computed())

    def _computed(self) -> _Points:
        """Compute the formula as far as all channels are known."""
        others = [label for label in self.computed.channels if label not in self._own]
        if not self._own:
            return np.empty(0, np.int64), np.empty(0)
        known = min((self._known(label) for label in others), default=len(self._times))
        if not known:
            return np.empty(0, np.int64), np.empty(0)
        time_ns = self._times[:known]
        channels = {label: self._series(label, time_ns, values[:known]) for label, values in self._own.items()}
        for label in others:
            series = self._series(label, *self._others.get(label, (np.empty(0, np.int64), np.empty(0))))
            found = at_times(series, time_ns, "linear", round(self.computed.max_gap_s * 1e9))
            channels[label] = self._series(label, time_ns, found)
        result = self._expression(channels)
        self._times = self._times[known:]
        self._own = {label: values[known:] for label, values in self._own.items()}
        for label, (other_ns, values) in self._others.items():
            used = max(int(np.searchsorted(other_ns, time_ns[-1], "right")) - 1, 0)
            self._others[label] = other_ns[used:], values[used:]
        return result.time_ns, result.values

    def _known(self, label: str) -> int:
        """Return for how many of the times that wait another source's channel is known."""
        if self._is_over:
            return len(self._times)
        time_ns, _ = self._others.get(label, (np.empty(0, np.int64), np.empty(0)))
        last_ns = int(time_ns[-1]) if len(time_ns) else None
        patience_ns = round(_PATIENCE * self.computed.max_gap_s * 1e9)
        count = 0 if last_ns is None else int(np.searchsorted(self._times, last_ns, "right"))
        # What is older than that has no reading near enough any more, whatever comes.
        old_ns = self._newest_ns - patience_ns
        if last_ns is None or last_ns < old_ns:
            count = max(count, int(np.searchsorted(self._times, old_ns)))
        return count

    def _stepped(self, time_ns: NDArray[np.int64], values: NDArray[np.float64]) -> _Points:
        """Let the steps follow, as far as what comes cannot change them."""
        transforms = self.computed.transforms
        if not transforms or not (len(time_ns) or (self._is_over and len(self._time_ns))):
            return time_ns, values
        self._time_ns = np.concatenate([self._time_ns, time_ns])
        self._values = np.concatenate([self._values, values])
        starts = np.flatnonzero(np.diff(self._time_ns, prepend=self._time_ns[0] - 1) > 0)
        self._most_at_once = max(self._most_at_once, int(np.diff(starts, append=len(self._time_ns)).max()))
        reach = sum(_reach(transform, self._most_at_once) for transform in transforms)
        ready = len(self._time_ns) - (0 if self._is_over else reach)
        if ready <= self._emitted:
            return np.empty(0, np.int64), np.empty(0)
        done = chain(self._series(self.computed.label, self._time_ns, self._values), transforms)
        found = done.time_ns[self._emitted : ready].copy(), done.values[self._emitted : ready].copy()
        cut = max(ready - reach - _KEPT, 0)
        self._time_ns, self._values, self._emitted = self._time_ns[cut:], self._values[cut:], ready - cut
        return found

    def _series(self, label: str, time_ns: NDArray[np.int64], values: NDArray[np.float64]) -> Series:
        return Series(0, "", label, label, "", time_ns, values)


_LOCAL = (Scale, Offset, Translate, MovingAverage, MedianFilter, Derivative)
"""Steps that look at a few neighbours only."""


def _reach(transform: Transform, most_at_once: int) -> int:
    """Return how many readings on each side a step looks at."""
    if isinstance(transform, MovingAverage | MedianFilter):
        return transform.points // 2
    return 3 * most_at_once if isinstance(transform, Derivative) else 0
