"""The choice of how much of the live values the plot shows."""

from enum import Enum


class PlotWindow(Enum):
    """A window on the newest readings: by count, by time, or everything."""

    LAST_10 = ("Last 10", 10, None)
    LAST_50 = ("Last 50", 50, None)
    SECONDS_10 = ("10 s", None, 10.0)
    SECONDS_30 = ("30 s", None, 30.0)
    MINUTE_1 = ("1 min", None, 60.0)
    MINUTES_5 = ("5 min", None, 300.0)
    HOUR_1 = ("1 h", None, 3600.0)
    ALL = ("All", None, None)

    def __init__(self, label: str, count: int | None, seconds: float | None) -> None:
        self.label = label
        self.count = count
        self.seconds = seconds

    @property
    def words(self) -> str:
        """What it shows, as people read it: "the last 10 readings", "the last 30 s", "all there is"."""
        if self.count is not None:
            return f"the last {self.count} readings"
        if self.seconds is None:
            return "all there is"
        return {60.0: "the last minute", 3600.0: "the last hour"}.get(self.seconds, f"the last {self.label}")


DEFAULT_WINDOW = PlotWindow.SECONDS_30
USUAL_WINDOWS = (PlotWindow.SECONDS_10, PlotWindow.SECONDS_30, PlotWindow.MINUTE_1, PlotWindow.MINUTES_5)
"""Those that a bar offers by one click; the others are one click further."""
