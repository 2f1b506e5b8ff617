"""What of the live values the plot shows: the newest ones, a range chosen by hand, or the picture of a pause.

Pure: knows the live store and a clock that it is given, neither Qt nor how anything is drawn. Readings go on arriving
in the store whatever this says.
"""

from dataclasses import dataclass
from datetime import datetime

from blitz.ui.formats import format_count, format_duration
from blitz.ui.lines import Series
from blitz.ui.live_store import COLUMNS, LiveStore
from blitz.ui.windows import DEFAULT_WINDOW, PlotWindow

Span = tuple[float, float]
"""Left and right edge, in seconds since the Unix epoch."""

SHORTEST_SPAN_S = 1e-3


@dataclass(frozen=True)
class Pause:
    """A picture that stands still."""

    until_s: float
    """Time of the newest reading that it shows, in seconds since the Unix epoch."""
    began_s: float
    """When it began, by the same clock as :meth:`LiveView.words` is given."""
    message_count: int
    """How many messages had arrived then."""
    held_before: Span | None
    """What had been chosen by hand before: it is shown again afterwards."""


class LiveView:
    """Follows the newest readings until something else is chosen."""

    def __init__(self, store: LiveStore, window: PlotWindow = DEFAULT_WINDOW) -> None:
        self._store = store
        self._session_id = store.session_id
        self.window = window
        self.held: Span | None = None
        """The range chosen by hand; None: the window decides."""
        self.pause: Pause | None = None
        self.version = 0
        """Rises with every change of what is to be shown."""

    @property
    def is_paused(self) -> bool:
        """Whether the picture stands still while readings arrive."""
        return self.pause is not None

    @property
    def is_following(self) -> bool:
        """Whether the newest readings are in view, and will be."""
        return self.pause is None and self.held is None

    def choose_window(self, window: PlotWindow) -> None:
        """Show the newest readings in this window; during a pause, the newest ones of its picture."""
        self.window = window
        self._hold(None)

    def look_at(self, low: float, high: float) -> None:
        """Show this range, and keep it whatever arrives."""
        middle, half = (low + high) / 2, max(high - low, SHORTEST_SPAN_S) / 2
        self._hold((middle - half, middle + half))

    def follow(self) -> None:
        """Return to the present."""
        self.pause = None
        self._hold(None)

    def pause_at(self, now_s: float) -> None:
        """Let the picture stand still; without any reading there is none."""
        newest = self._store.newest_time()
        if self.pause is None and newest is not None:
            self.pause = Pause(newest, now_s, self._store.message_count, self.held)
            self.version += 1

    def resume(self) -> None:
        """Go on as before the pause, whatever was looked at during it."""
        if self.pause is not None:
            held = self.pause.held_before
            self.pause = None
            self._hold(held)

    def see_session(self) -> bool:
        """Follow, if the store has turned to another session: what was looked at is gone. Returns whether it has."""
        if self._store.session_id == self._session_id:
            return False
        self._session_id = self._store.session_id
        self.follow()
        return True

    @property
    def newest_s(self) -> float | None:
        """Time of the newest reading that may be shown; None without any."""
        return self.pause.until_s if self.pause is not None else self._store.newest_time()

    def series(self, source_index: int, columns: int = COLUMNS) -> Series:
        """Return what is shown of a source, its line broken where readings are missing.

        :param columns: of pixels.
        """
        until = self.pause.until_s if self.pause is not None else None
        if self.held is not None:
            return self._store.between(source_index, *self.held, until, columns)
        return self._store.series(source_index, self.window, until, columns)

    def time_range(self, shown: list[Series]) -> Span | None:
        """Return the range that the plot shows.

        :param shown: the series drawn: a window by count, or of all there is, reaches from the first to the last.
        :returns: None while there is nothing to be shown.
        """
        if self.held is not None:
            return self.held
        stop = self.newest_s
        if stop is None:
            return None
        if self.window.seconds is not None:
            return stop - self.window.seconds, stop
        return min((float(series.times[0]) for series in shown if len(series.times)), default=stop), stop

    def words(self, now_s: float) -> str:
        """Say what is shown.

        :param now_s: by the clock that :meth:`pause_at` was given.
        """
        if self.pause is not None:
            since = format_count(self._store.message_count - self.pause.message_count)
            return f"Paused {_length(max(0.0, now_s - self.pause.began_s))} ago, {since} messages since"
        if self.held is not None:
            return f"Looking at {span_words(self.held)}"
        return f"Following, {self.window.words}"

    def _hold(self, held: Span | None) -> None:
        self.held = held
        self.version += 1


def span_words(span: Span) -> str:
    """Return a range as people read it: from when, to when, how long."""
    begin, end = (datetime.fromtimestamp(edge).astimezone() for edge in span)
    seconds = span[1] - span[0]
    length = f"{seconds:.3g} s" if seconds < 10 else _length(seconds)
    return f"{begin:%H:%M:%S} to {end:%H:%M:%S} ({length})"


def _length(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 60 else format_duration(seconds)
