"""The time axis: local clock time, or time since the session's start."""

import math
import time
from datetime import datetime
from typing import Any

import pyqtgraph as pg
from PyQt5.QtGui import QFontMetrics
from PyQt5.QtWidgets import QApplication

_SHORT_S = 30.0
"""Below this span pyqtgraph's date axis writes seconds alone; here they keep their hour and minute."""
_ROUND_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
"""Steps that are round for people who count minutes and hours; beyond them and below a second, powers of ten."""
_LABEL_PX = 75.0
"""Room of a label, and of what is left free beside it."""


class TimeAxis(pg.DateAxisItem):  # type: ignore[misc]  # pyqtgraph is untyped
    """Positions are seconds since the Unix epoch, whatever the labels say."""

    def __init__(self) -> None:
        super().__init__(orientation="bottom")
        self.enableAutoSIPrefix(False)
        self.fontMetrics = QFontMetrics(QApplication.font())  # pyqtgraph sets it when it paints
        self._origin: float | None = None
        self._is_short = False
        self._labelled: tuple[object, list[list[tuple[float, str]]]] = (None, [])

    @property
    def origin(self) -> float | None:
        """Where labels count from; None where they show the clock."""
        return self._origin

    @property
    def is_relative(self) -> bool:
        """Whether labels count from a start."""
        return self._origin is not None

    def count_from(self, origin: float | None) -> None:
        """Label as time since ``origin`` (seconds since the Unix epoch); None as clock time."""
        self._origin = origin
        self._labelled = (None, [])
        self.picture = None
        self.update()

    def labels(self, low: float, high: float, width: float) -> list[list[tuple[float, str]]]:
        """Return times with their labels, the most important level of them first.

        :param width: pixels from low to high.
        """
        asked = (low, high, width)
        if self._labelled[0] != asked:
            levels = [
                list(zip(values, self.tickStrings(values, 1.0, spacing), strict=True))
                for spacing, values in self.tickValues(low, high, width)
            ]
            self._labelled = asked, levels
        return self._labelled[1]

    def words(self, at_s: float, step_s: float) -> str:
        """Write a time, as exactly as steps of so many seconds need."""
        if self._origin is not None:
            return _relative(at_s - self._origin, step_s)
        return _clock(at_s, step_s)

    def tickValues(self, low: float, high: float, size: float) -> Any:
        """Place ticks at round times, seen from the origin or from a whole minute."""
        self._is_short = high - low < _SHORT_S
        if self._origin is None and not self._is_short:
            # The zone's offset at the time shown, not at the program's start: summer time may lie between.
            self.utcOffset = -time.localtime(max(0.0, low)).tm_gmtoff
            return super().tickValues(low, high, size)
        base = math.floor(low / 60) * 60 if self._origin is None else self._origin
        step_s = round_step(high - low, max(size / _LABEL_PX, 1.0))
        places = range(math.ceil((low - base) / step_s - 1e-9), math.floor((high - base) / step_s + 1e-9) + 1)
        return [(step_s, [base + place * step_s for place in places])]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> Any:
        """Write the ticks."""
        if self._origin is not None:
            return [_relative(value - self._origin, spacing) for value in values]
        if self._is_short:
            return [_clock(value, spacing) for value in values]
        return super().tickStrings(values, scale, spacing)


def round_step(span_s: float, labels: float) -> float:
    """Return the smallest round step that leaves at most about so many labels in a span.

    >>> round_step(700, 8), round_step(20, 8), round_step(0.3, 6), round_step(3e6, 8)
    (120.0, 5.0, 0.05, 432000.0)
    """
    least_s = span_s / labels
    unit_s = 1.0 if least_s <= _ROUND_S[-1] else float(_ROUND_S[-1])
    known = next((step_s for step_s in _ROUND_S if step_s >= least_s * 0.99), None)
    if known is not None and least_s > 0.5:
        return float(known)
    power = 10.0 ** math.floor(math.log10(least_s / unit_s))
    return unit_s * next((power * share for share in (1, 2, 5) if power * share * unit_s >= least_s * 0.99), power * 10)


def _decimals(spacing: float) -> int:
    return 0 if spacing >= 1 else min(6, math.ceil(-math.log10(spacing) - 1e-9))


def _clock(seconds: float, spacing: float) -> str:
    decimals = _decimals(spacing)
    moment = datetime.fromtimestamp(round(seconds, decimals))
    return moment.strftime("%H:%M:%S") + (f".{moment.microsecond:06}"[: decimals + 1] if decimals else "")


def _relative(seconds: float, spacing: float) -> str:
    decimals = _decimals(spacing)
    seconds = round(seconds, decimals)
    sign = "−" if seconds < 0 else ""
    seconds = abs(seconds)
    whole = int(seconds)
    fraction = f"{seconds % 1:.{decimals}f}"[1:] if decimals else ""
    minutes = f"{whole // 3600}:{whole // 60 % 60:02}" if whole >= 3600 else f"{whole // 60}"
    return f"{sign}{minutes}:{whole % 60:02}{fraction}"
