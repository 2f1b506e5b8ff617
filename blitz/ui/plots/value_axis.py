"""A value axis: what it shows, and the round values that it is labelled with. Pure."""

import math
from dataclasses import dataclass

from blitz.ui.plots.curves import fitting_range

_STEPS = (1.0, 2.0, 5.0, 10.0)
_SINGLE = 1.99
"""So many steps a range must have for two round values to be sure to be in it."""


@dataclass(frozen=True)
class Tick:
    """A grid line and its label."""

    position: float
    label: str


class ValueAxis:
    """Fits its range to what is drawn, and rests while that fits well, until an operator zooms."""

    def __init__(self) -> None:
        self._range = (0.0, 1.0)
        self._is_fitted = False
        self.is_zoomed = False
        """An operator chose the range: it no longer fits by itself."""
        self._ticks: tuple[tuple[float, float, int], tuple[Tick, ...]] | None = None

    @property
    def range(self) -> tuple[float, float]:
        """The lowest and the highest value that it shows."""
        return self._range

    def fit(self, limits: tuple[float, float] | None) -> None:
        """Show values between limits, unless an operator zoomed; None shows what was shown."""
        if limits is None or self.is_zoomed:
            return
        low, high = fitting_range(*limits, self._range if self._is_fitted else None)
        if math.isfinite(high - low) and high > low:
            self._range, self._is_fitted = (low, high), True

    def zoom_to(self, low: float, high: float) -> None:
        """Show exactly this, until :meth:`release`; spans too small to draw are refused."""
        if math.isfinite(high - low) and high - low > 1e-12 * max(abs(low), abs(high), 1e-290):
            self._range, self.is_zoomed = (low, high), True

    def release(self) -> None:
        """Fit by itself again."""
        self.is_zoomed = self._is_fitted = False

    def ticks(self, labels: int) -> tuple[Tick, ...]:
        """Return grid lines at round values.

        :param labels: about how many labels there is room for.
        """
        asked = (*self._range, labels)
        if self._ticks is None or self._ticks[0] != asked:
            self._ticks = asked, round_ticks(*asked)
        return self._ticks[1]


def round_ticks(low: float, high: float, labels: int) -> tuple[Tick, ...]:
    """Return the round values within a range, at most about so many.

    >>> [(tick.position, tick.label) for tick in round_ticks(0, 1, 2)]
    [(0.0, '0.0'), (0.5, '0.5'), (1.0, '1.0')]
    >>> [tick.label for tick in round_ticks(60, 940, 4)]
    ['200', '400', '600', '800']
    >>> [tick.label for tick in round_ticks(-3e6, 3e6, 3)]
    ['-2e+06', '0', '2e+06']
    """
    least = (high - low) / max(1, labels)
    power = 10.0 ** math.floor(math.log10(least))
    step = next((power * share for share in _STEPS if power * share >= least * 0.99), power * 10)
    if high - low < step * _SINGLE:  # one label alone says nothing of the scale
        step = next(power * share for share in reversed((0.2, 0.5, *_STEPS)) if power * share < step * 0.99)
    decimals = min(12, max(0, -math.floor(math.log10(step) + 1e-9)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(Tick(place * step, _label(place * step, decimals)) for place in range(first, last + 1))


def _label(value: float, decimals: int) -> str:
    if value == 0:
        return f"{0:.{decimals}f}" if decimals <= 6 else "0"
    if 1e-4 <= abs(value) < 1e6 and decimals <= 6:
        return f"{value:.{decimals}f}"
    return f"{value:.6g}"
