"""When messages were logged, from the clock of the device that logged them.

Pure. A device counts ticks since it began, or since 1970; when that was, and how fast it counts, only the arrivals of
its messages tell: :mod:`blitz.data.clock_fit` has the line. This module tells a clock that goes on from one that wraps,
begins anew, or sends a number that is none.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blitz.data.clock_fit import ClockFit
from blitz.data.delay_spread import DelaySpread

_MOST_NS = 1 << 62
_SHORT_NS = 5_000_000_000
_STATE = (
    *("_restarts_before_former", "_lost_time", "_went_back", "_wraps"),
    *("_last_ticks", "_last_arrived_ns", "_last_time_ns"),
)


class DeviceClock:
    """Follows one device's clock through a session.

    A message's time is the device's time on the line that fits the arrivals so far, those of its own read included.
    Times never fall, and are never later than the arrival. They do not depend on how the run is cut into blocks, unless
    a cut goes through a read: then the part before it does not know the part behind it.

    A clock that goes back (the board was reset) begins a new line; its wrap does not. A clock that loses time (it stood
    still, or began anew unseen) begins a new line when it has been steady for ten seconds, and one that is ahead by
    more than a second at once. A single wrong number is no restart: the line is taken up again.

    :param tick_ns: the unit of the device's clock.
    :param wrap_ticks: where it begins again at 0; None if it never does.
    """

    def __init__(self, tick_ns: int = 1_000_000, wrap_ticks: int | None = 1 << 32) -> None:
        self._tick_ns = tick_ns
        self._wrap_ticks = wrap_ticks
        # How far a message may be ahead of the one before, arrivals considered: a board's ring comes in one read. 70
        # minutes of the 50 days of milliseconds; of a short clock at most a sixteenth.
        wrap = wrap_ticks or 0
        self._slack_ticks = max(wrap >> 10, min(wrap >> 4, _SHORT_NS // tick_ns))
        # A clock that has run for so long has not: its numbers are none. 64 bits hold no more.
        self._most_wraps = max(_MOST_NS // 2 // max(wrap * tick_ns, 1), 1)
        self._spread = DelaySpread()
        self._fit: ClockFit | None = None
        self._former: ClockFit | None = None
        self._restarts_before_former = 0
        self._lost_time = 0
        self._went_back = 0
        self._wraps = 0
        self._last_ticks = 0
        self._last_arrived_ns = 0
        self._last_time_ns: int | None = None
        self._restarted_at: list[int] = []

    def state(self) -> dict[str, Any]:
        """Return where it stands, fit for JSON: a clock made of it goes on in the same way."""
        fits = {
            name: None if fit is None else fit.state() for name, fit in (("fit", self._fit), ("former", self._former))
        }
        return {name: getattr(self, name) for name in _STATE} | fits | {"spread": self._spread.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state` of a clock with the same unit and wrap returned."""
        self._spread = DelaySpread.from_state(state["spread"])
        for name in _STATE:
            setattr(self, name, state[name])
        self._fit, self._former = (
            None if state[name] is None else ClockFit.from_state(self._tick_ns, self._spread, state[name])
            for name in ("fit", "former")
        )
        self._restarted_at = []

    @property
    def tick_ns(self) -> int:
        """The unit of the device's clock."""
        return self._tick_ns

    @property
    def drift_ppm(self) -> float | None:
        """How fast the device's clock is against ours, positive where it is fast; None until it is known."""
        if self._fit is None or self._fit.slope_uncertainty is None:
            return None
        return (1 / (1 + self._fit.slope) - 1) * 1e6

    @property
    def drift_uncertainty_ppm(self) -> float | None:
        """What :attr:`drift_ppm` may be wrong by."""
        if self._fit is None or self._fit.slope_uncertainty is None:
            return None
        return self._fit.slope_uncertainty * 1e6

    @property
    def jitter_ns(self) -> float | None:
        """How much reads differ in lateness: half the width of the middle 68 %; None below eight reads."""
        return self._spread.deviation_ns

    @property
    def restarts(self) -> int:
        """How often the clock began anew or lost time."""
        return self._went_back + self._lost_time + (self._fit.lost_time if self._fit else 0)

    @property
    def restarted_at(self) -> list[int]:
        """Places in the block that was followed last: where the clock was found to have gone back to begin anew."""
        return list(self._restarted_at)

    @property
    def wraps(self) -> int:
        """How often the clock ran over its end."""
        return self._wraps

    def times_ns(self, ticks: NDArray[np.int64], arrived_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the time of each message; calls go on where the last one ended.

        :param ticks: shape (n,), 0 to ``wrap_ticks`` - 1; -1 where a message has none: it gets the time of
            the one before, or its arrival as long as no message had one.
        :param arrived_ns: shape (n,), nanoseconds since the Unix epoch, never falling.
        :returns: shape (n,), nanoseconds since the Unix epoch.

        >>> clock = DeviceClock()
        >>> arrived = np.array([5_000, 5_000, 5_030], np.int64) * 1_000_000
        >>> (clock.times_ns(np.array([100, 110, 120]), arrived) // 1_000_000).tolist()
        [4990, 5000, 5010]
        """
        return self.follow(ticks, arrived_ns)[0]

    def follow(
        self, ticks: NDArray[np.int64], arrived_ns: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the time of each message, and what it may be wrong by.

        Nineteen of twenty messages were logged within ``uncertainty_ns`` of their time, not counting the latency that
        all messages have in common.

        :param ticks: as for :meth:`times_ns`.
        :returns: ``times_ns`` and ``uncertainty_ns``, both int64 of shape (n,).
        """
        count = len(ticks)
        self._restarted_at = []
        if not count:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        had_clock = self._fit is not None
        # As unsigned numbers, negative ones are large.
        is_readable = ticks.view(np.uint64) <= _MOST_NS // self._tick_ns
        placed_ns = np.full(count, np.iinfo(np.int64).min)
        uncertainty_ns = np.full(count, min(self._tick_ns + 3 * self._spread.typical_ns, _MOST_NS // 2), np.int64)
        is_all = bool(is_readable.all())
        if is_all:
            self._place(ticks, arrived_ns, placed_ns, uncertainty_ns)
        else:
            readable = np.flatnonzero(is_readable)
            if len(readable):
                times, reach = np.empty(len(readable), np.int64), np.empty(len(readable), np.int64)
                self._place(ticks[readable], arrived_ns[readable], times, reach)
                placed_ns[readable], uncertainty_ns[readable] = times, reach
                self._restarted_at = readable[self._restarted_at].tolist()
            if not had_clock:
                unknown = slice(0, readable[0] if len(readable) else None)
                placed_ns[unknown] = arrived_ns[unknown]
        times_ns = placed_ns
        if (placed_ns[1:] < placed_ns[:-1]).any():
            times_ns = np.maximum.accumulate(placed_ns)
        if self._last_time_ns is not None and times_ns[0] < self._last_time_ns:
            times_ns = np.maximum(times_ns, self._last_time_ns)
        self._last_time_ns = int(times_ns[-1])
        if not is_all:
            uncertainty_ns += np.where(is_readable, times_ns - placed_ns, arrived_ns - times_ns)
        elif times_ns is not placed_ns:
            uncertainty_ns += times_ns - placed_ns
        return times_ns, uncertainty_ns

    def _place(
        self,
        ticks: NDArray[np.int64],
        arrived_ns: NDArray[np.int64],
        times_ns: NDArray[np.int64],
        uncertainty_ns: NDArray[np.int64],
    ) -> None:
        device_ns, backs = self._unwrap(ticks, arrived_ns)
        if self._fit is None:
            self._fit = ClockFit(self._tick_ns, self._spread, int(arrived_ns[0]))
        may_leap = True
        for start, stop in zip([0, *backs], [*backs, len(ticks)], strict=True):
            while start < stop:
                run = slice(start, stop)
                start += self._fit.place(device_ns[run], arrived_ns[run], times_ns[run], uncertainty_ns[run], may_leap)
                may_leap = False
                if start < stop:
                    self._leap(int(device_ns[start]), int(arrived_ns[start]))
            if stop < len(ticks):
                before = self._went_back
                self._go_back(int(device_ns[stop]), int(arrived_ns[stop]))
                if self._went_back > before:
                    self._restarted_at.append(stop)

    def _unwrap(self, ticks: NDArray[np.int64], arrived_ns: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[int]]:
        """Return device time, ns, without wraps, and the places where it goes back."""
        if self._fit is None:
            self._last_ticks, self._last_arrived_ns = int(ticks[0]), int(arrived_ns[0])
        wrap, before_wraps = self._wrap_ticks or 0, self._wraps
        goes_back = np.empty(len(ticks), np.bool_)
        goes_back[0] = ticks[0] < self._last_ticks
        np.less(ticks[1:], ticks[:-1], out=goes_back[1:])
        backs = np.flatnonzero(goes_back)
        device_ns = ticks * self._tick_ns
        if wrap:
            span_ns = wrap * self._tick_ns
            device_ns += before_wraps % self._most_wraps * span_ns
            places = backs
            long_ns = (wrap - self._slack_ticks) * self._tick_ns
            if int(arrived_ns[-1]) - self._last_arrived_ns >= long_ns:
                pauses_ns = np.diff(arrived_ns, prepend=self._last_arrived_ns)
                places = np.flatnonzero(goes_back | (pauses_ns >= long_ns))
            if len(places):
                before_ns = np.where(places > 0, arrived_ns[places - 1], self._last_arrived_ns)
                patience = (arrived_ns[places] - before_ns) // self._tick_ns + self._slack_ticks
                steps = ticks[places] - np.where(places > 0, ticks[places - 1], self._last_ticks)
                # As many wraps as can have been: where these are too many, the clock is ahead, and the line sees that.
                wraps = np.where(steps > -wrap, np.maximum((patience - steps) // wrap, 0), 0)
                backs = places[(wraps == 0) & (steps < 0)]
                added = np.zeros(len(ticks), np.int64)
                added[places] = wraps
                self._wraps += int(wraps.sum())
                if self._wraps < self._most_wraps:
                    device_ns += np.cumsum(added) * span_ns
                else:
                    device_ns = ticks * self._tick_ns + (before_wraps + np.cumsum(added)) % self._most_wraps * span_ns
        self._last_ticks, self._last_arrived_ns = int(ticks[-1]), int(arrived_ns[-1])
        return device_ns, backs.tolist()

    def _go_back(self, device_ns: int, arrived_ns: int) -> None:
        if self._fit is None or self._fit.is_met_by(device_ns, arrived_ns):
            return
        if self._take_up_former(device_ns, arrived_ns):
            return
        self._begin(arrived_ns)
        self._went_back += 1

    def _leap(self, device_ns: int, arrived_ns: int) -> None:
        if not self._take_up_former(device_ns, arrived_ns):
            self._begin(arrived_ns)

    def _begin(self, arrived_ns: int) -> None:
        if self._fit is not None:
            self._lost_time, self._fit.lost_time = self.restarts - self._went_back, 0
        self._former, self._restarts_before_former = self._fit, self._went_back
        self._fit = ClockFit(self._tick_ns, self._spread, arrived_ns, self._former)

    def _take_up_former(self, device_ns: int, arrived_ns: int) -> bool:
        former = self._former
        if former is None or not former.is_met_by(device_ns, arrived_ns):
            return False
        self._fit, self._former = former, None
        if self._went_back > self._restarts_before_former:
            del self._restarted_at[-1:]
        self._went_back = self._restarts_before_former
        return True
