"""What an operator must know of a channel besides its value: whether it is within its limits, and still alive. Pure."""

from enum import Enum

import numpy as np
from numpy.typing import NDArray

from blitz.data.boards import Channel

SHORTEST_SILENCE_S = 2.0
USUAL_PERIODS = 5
"""After so many of its usual periods without a reading, a channel counts as silent."""


class LimitState(Enum):
    """Where a value stands; told by a sign and a word, so that colour is never alone."""

    NONE = ""
    OK = "✓ ok"
    LOW = "▼ low"
    HIGH = "▲ high"

    @property
    def sign(self) -> str:
        """The sign alone, where there is no room for the word."""
        return self.value[:1]

    @property
    def is_exceeded(self) -> bool:
        """Whether the value is beyond a limit."""
        return self in (LimitState.LOW, LimitState.HIGH)


def limit_state(channel: Channel, value: float) -> LimitState:
    """Compare a value with a channel's limits; a value on a limit is within.

    >>> scale = Channel(name="mass", limit_low=0, limit_high=100)
    >>> [limit_state(scale, value).value for value in (-1, 0, 100, 101, float("nan"))]
    ['▼ low', '✓ ok', '✓ ok', '▲ high', '']
    """
    has_limits = channel.limit_low is not None or channel.limit_high is not None
    if not has_limits or value != value:
        return LimitState.NONE
    if channel.limit_low is not None and value < channel.limit_low:
        return LimitState.LOW
    if channel.limit_high is not None and value > channel.limit_high:
        return LimitState.HIGH
    return LimitState.OK


def limit_words(channel: Channel) -> str:
    """Say between which limits a channel's values should be.

    >>> limit_words(Channel(name="mass", limit_high=100, unit="g")), limit_words(Channel(name="mass"))
    ('up to 100 g', 'no limits')
    """
    unit = f" {channel.unit}" if channel.unit else ""
    low, high = channel.limit_low, channel.limit_high
    if low is not None and high is not None:
        return f"from {low:g} to {high:g}{unit}"
    if low is not None:
        return f"from {low:g}{unit}"
    return f"up to {high:g}{unit}" if high is not None else "no limits"


def silence_s(times: NDArray[np.float64]) -> float:
    """Return after how long without a reading a source counts as silent, by the times of its newest ones.

    >>> silence_s(np.arange(5.0)), silence_s(np.empty(0))
    (5.0, 2.0)
    """
    steps = np.diff(times)
    period_s = float(np.median(steps)) if len(steps) else 0.0
    return max(SHORTEST_SILENCE_S, USUAL_PERIODS * period_s)
