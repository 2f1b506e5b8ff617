"""The choice of how much of the live values the plot shows."""

from enum import Enum


class PlotWindow(Enum):
    """A window on the newest readings: by count, by time, or everything."""

    LAST_10 = ("Last 10", 10, None)
    LAST_50 = ("Last 50", 50, None)
    SECONDS_10 = ("10 s", None, 10.0)
    SECONDS_30 = ("30 s", None, 30.0)
    MINUTE_1 = ("1 min", None, 60.0)
    ALL = ("All", None, None)

    def __init__(self, label: str, count: int | None, seconds: float | None) -> None:
        self.label = label
        self.count = count
        self.seconds = seconds


DEFAULT_WINDOW = PlotWindow.SECONDS_30
