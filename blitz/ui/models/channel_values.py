"""What is known of each channel at this moment: value, extremes, age, limits, and the run of its last readings.

Knows no widget; the table of variables and the page of numbers read it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blitz.ui.channel_state import LimitState, limit_state, silence_s
from blitz.ui.formats import MISSING, fitting_decimals, format_age, format_value
from blitz.ui.lines import Series
from blitz.ui.live_store import LiveChannel, LiveStore

TREND_READINGS = 100


@dataclass(frozen=True, eq=False)
class ChannelNow:
    """One channel as it is now; numbers that are not known are NaN, the age too."""

    channel: LiveChannel
    value: float = float("nan")
    decimals: int = 0
    low: float = float("nan")
    high: float = float("nan")
    age_s: float = float("nan")
    is_silent: bool = False
    """Whether it should have sent something since."""
    limit: LimitState = LimitState.NONE

    @property
    def text(self) -> str:
        """The value as it is shown, without its unit."""
        return format_value(self.value, self.decimals)

    @property
    def age(self) -> str:
        """How old the value is."""
        return MISSING if self.age_s != self.age_s else format_age(self.age_s)

    def extreme(self, value: float) -> str:
        """Write a smallest or largest value."""
        return format_value(value, self.decimals)


class ChannelValues:
    """Reads a :class:`LiveStore` when told to."""

    def __init__(self, store: LiveStore) -> None:
        self._store = store
        self._recent: dict[int, Series] = {}
        self._recent_version = -1
        self._silent_after_s: dict[int, float] = {}
        self._decimals: dict[tuple[str, int], int] = {}
        self.rows: tuple[ChannelNow, ...] = ()
        """In the order of the store's channels."""

    def read(self, now_s: float) -> None:
        """Bring :attr:`rows` up to date.

        :param now_s: the server's time, in seconds since the Unix epoch.
        """
        if self._store.version != self._recent_version:
            self._recent_version = self._store.version
            sources = [source.index for source in self._store.sources]
            self._recent = {index: self._store.last(index, TREND_READINGS) for index in sources}
            self._silent_after_s = {index: silence_s(self._recent[index].times) for index in sources}
        self.rows = tuple(self._read_one(channel, now_s) for channel in self._store.channels)

    def trend(self, channel: LiveChannel) -> NDArray[np.float64]:
        """Return the last readings of a channel, oldest first, shape (n,)."""
        recent = self._recent.get(channel.source.index)
        if recent is None or channel.column >= recent.values.shape[1]:
            return np.empty(0)
        return recent.values[:, channel.column]

    def _read_one(self, channel: LiveChannel, now_s: float) -> ChannelNow:
        recent = self._recent.get(channel.source.index)
        if recent is None or not len(recent.times) or channel.column >= recent.values.shape[1]:
            return ChannelNow(channel)
        value, age_s = float(recent.values[-1, channel.column]), now_s - float(recent.times[-1])
        key = channel.source.name, channel.column
        self._decimals[key] = fitting_decimals(channel.channel, [value], self._decimals.get(key, 0))
        extremes = self._store.extremes(channel.source.index)
        return ChannelNow(
            channel,
            value,
            self._decimals[key],
            float(extremes.low[channel.column]) if extremes is not None else float("nan"),
            float(extremes.high[channel.column]) if extremes is not None else float("nan"),
            age_s,
            age_s > self._silent_after_s[channel.source.index],
            limit_state(channel.channel, value),
        )
