"""Where values and times are drawn. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_FARTHEST = 1e7
"""Pixels beyond which a point is drawn no farther away: painters count in 32 bits."""


@dataclass(frozen=True)
class Span:
    """A stretch of a value or of time, and the pixels that it is drawn at."""

    low: float
    high: float
    first: float
    """The pixel of ``low``."""
    last: float

    def pixel(self, value: float) -> float:
        """Return where a value is drawn."""
        placed = self.first + (value - self.low) * ((self.last - self.first) / (self.high - self.low))
        return min(max(placed, -_FARTHEST), _FARTHEST)

    def pixels(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return where values are drawn."""
        with np.errstate(over="ignore"):
            placed = (values - self.low) * ((self.last - self.first) / (self.high - self.low)) + self.first
        return np.clip(placed, -_FARTHEST, _FARTHEST)

    def value(self, pixel: float) -> float:
        """Return what is drawn at a pixel."""
        return self.low + (pixel - self.first) * (self.high - self.low) / (self.last - self.first)


@dataclass(frozen=True)
class TimeLimits:
    """How far may be moved and zoomed, in seconds; at most from 1970 to 3000, which every calendar can label."""

    first: float = 0.0
    last: float = 32_503_680_000.0
    least_s: float = 1e-4

    def fit(self, low: float, high: float) -> tuple[float, float]:
        """Return the nearest times that may be shown, as long as those asked for where that is possible.

        >>> TimeLimits(0, 100).fit(90, 120), TimeLimits(0, 100).fit(-5, 200), TimeLimits(least_s=2).fit(5, 5)
        ((70, 100), (0, 100), (4.0, 6.0))
        """
        if high - low < self.least_s:
            middle = (low + high) / 2
            low, high = middle - self.least_s / 2, middle + self.least_s / 2
        if high - low >= self.last - self.first:
            return self.first, self.last
        if low < self.first:
            return self.first, self.first + high - low
        if high > self.last:
            return self.last - (high - low), self.last
        return low, high
