"""When messages were logged, from the clock of the device that logged them.

Pure. A device counts milliseconds since it began; when that was, only the arrivals of its messages tell. A message
cannot arrive before it was logged, so the smallest difference between arrival and device time is the best estimate.
"""

import numpy as np
from numpy.typing import NDArray

_WRAP_TOLERANCE_MS = 1 << 22
"""About 70 minutes: how long a board may have kept messages that arrive in one read."""


class DeviceClock:
    """Follows one device's clock through a session.

    time = device time + offset; the offset is the smallest (arrival − device time) so far, the whole read that a
    message came in included. A clock that goes back (the board was reset) begins a new offset; its 32-bit wrap does
    not. Times never fall, and are never later than the arrival.
    """

    def __init__(self, tick_ns: int = 1_000_000, wrap_ticks: int | None = 1 << 32) -> None:
        self.tick_ns = tick_ns
        self.wrap_ticks = wrap_ticks
        self.drift_ppm: float | None = None
        self.drift_uncertainty_ppm: float | None = None
        self.jitter_ns: float | None = None
        self.restarts = 0
        self.wraps = 0
        self._offset_ns: int | None = None
        self._last_ms = 0
        self._last_arrived_ns = 0
        self._wrapped_ms = 0
        self._last_time_ns: int | None = None

    def times_ns(self, device_ms: NDArray[np.int64], arrived_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the time of each message; calls go on where the last one ended.

        :param device_ms: shape (n,), 0 to 2**32 - 1; -1 where a message has none: it gets the time of
            the one before, or its arrival as long as no message had one.
        :param arrived_ns: shape (n,), nanoseconds since the Unix epoch, never falling.
        :returns: shape (n,), nanoseconds since the Unix epoch.

        >>> clock = DeviceClock()
        >>> arrived = np.array([5_000, 5_000, 5_030], np.int64) * 1_000_000
        >>> (clock.times_ns(np.array([100, 110, 120]), arrived) // 1_000_000).tolist()
        [4990, 5000, 5010]
        """
        if not len(device_ms):
            return np.empty(0, np.int64)
        times_ns = np.full(len(device_ms), np.iinfo(np.int64).min)
        had_clock = self._offset_ns is not None
        readable = np.flatnonzero(device_ms >= 0)
        if len(readable):
            times_ns[readable] = self._with_clock(device_ms[readable], arrived_ns[readable])
        if not had_clock:
            unknown = slice(0, readable[0] if len(readable) else None)
            times_ns[unknown] = arrived_ns[unknown]
        if self._last_time_ns is not None:
            times_ns[0] = max(int(times_ns[0]), self._last_time_ns)
        times_ns = np.maximum.accumulate(times_ns)
        self._last_time_ns = int(times_ns[-1])
        return times_ns

    def follow(
        self, ticks: NDArray[np.int64], arrived_ns: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return :meth:`times_ns` and the uncertainty of each, ns."""
        times_ns = self.times_ns(ticks, arrived_ns)
        return times_ns, np.full(len(times_ns), self.tick_ns)

    def _with_clock(self, device_ms: NDArray[np.int64], arrived_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        before_ms = np.concatenate(([self._last_ms if self._offset_ns is not None else device_ms[0]], device_ms[:-1]))
        before_ns = np.concatenate(([self._last_arrived_ns], arrived_ns[:-1]))
        step_ms = device_ms - before_ms
        tick_ns = self.tick_ns
        wrap = self.wrap_ticks or 1 << 62
        # A wrap is a small step forward, modulo 2**32; a reset, days before the wrap, is a large one.
        patience_ms = (arrived_ns - before_ns) // tick_ns + _WRAP_TOLERANCE_MS
        has_wrapped = (step_ms < 0) & (step_ms + wrap <= patience_ms)
        has_restarted = (step_ms < 0) & ~has_wrapped
        device_ns = (device_ms + self._wrapped_ms + (self.wrap_ticks or 0) * np.cumsum(has_wrapped)) * tick_ns
        ahead_ns = arrived_ns - device_ns

        offset_ns = np.empty_like(ahead_ns)
        starts = [0, *np.flatnonzero(has_restarted).tolist()]
        for start, stop in zip(starts, [*starts[1:], len(ahead_ns)], strict=True):
            if start < stop:
                known_ns = self._offset_ns if start == 0 and not has_restarted[0] else None
                offset_ns[start:stop] = _smallest_so_far(ahead_ns[start:stop], arrived_ns[start:stop], known_ns)

        self._offset_ns = int(offset_ns[-1])
        self._last_ms = int(device_ms[-1])
        self._last_arrived_ns = int(arrived_ns[-1])
        self._wrapped_ms += (self.wrap_ticks or 0) * int(np.count_nonzero(has_wrapped))
        times_ns: NDArray[np.int64] = device_ns + offset_ns
        return times_ns


def _smallest_so_far(
    ahead_ns: NDArray[np.int64], arrived_ns: NDArray[np.int64], known_ns: int | None
) -> NDArray[np.int64]:
    smallest = np.minimum.accumulate(ahead_ns)
    if known_ns is not None:
        smallest = np.minimum(smallest, known_ns)
    ends = np.flatnonzero(np.append(arrived_ns[1:] != arrived_ns[:-1], True))
    return np.repeat(smallest[ends], np.diff(ends, prepend=-1))
