"""The time axis: local clock time, or seconds since the session's start."""

import time
from typing import Any

import pyqtgraph as pg


class TimeAxis(pg.DateAxisItem):  # type: ignore[misc]  # pyqtgraph is untyped
    """Positions are seconds since the Unix epoch, whatever the labels say."""

    def __init__(self) -> None:
        super().__init__(orientation="bottom")
        self.enableAutoSIPrefix(False)
        self._origin: float | None = None

    @property
    def is_relative(self) -> bool:
        """Whether labels count from a start."""
        return self._origin is not None

    def count_from(self, origin: float | None) -> None:
        """Label as time since ``origin`` (seconds since the Unix epoch); None as clock time."""
        self._origin = origin
        self.picture = None
        self.update()

    def tickValues(self, low: float, high: float, size: float) -> Any:
        """Place ticks at round times, seen from the origin."""
        if self._origin is None:
            # The zone's offset at the time shown, not at the program's start: summer time may lie between.
            self.utcOffset = -time.localtime(max(0.0, low)).tm_gmtoff
            return super().tickValues(low, high, size)
        levels = pg.AxisItem.tickValues(self, low - self._origin, high - self._origin, size)
        return [(spacing, [value + self._origin for value in values]) for spacing, values in levels]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> Any:
        """Write the ticks."""
        if self._origin is None:
            return super().tickStrings(values, scale, spacing)
        return [_relative(value - self._origin, spacing) for value in values]


def _relative(seconds: float, spacing: float) -> str:
    sign = "−" if seconds < -spacing / 2 else ""
    seconds = abs(seconds)
    decimals = 0 if spacing >= 1 else 1 if spacing >= 0.1 else 2 if spacing >= 0.01 else 3
    if spacing < 1 and seconds < 60:
        return f"{sign}{seconds:.{decimals}f} s"
    whole = round(seconds) if decimals == 0 else int(seconds)
    clock = (
        f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}" if whole >= 3600 else f"{whole // 60}:{whole % 60:02}"
    )
    return sign + clock + (f"{seconds % 1:.{decimals}f}"[1:] if decimals else "")
