"""The plot of a historic session: zoom and move through it, drawn from what the screen can show."""

import html

from PyQt5.QtCore import Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QKeyEvent

from blitz.data.version_comparison import match_channels
from blitz.ui.history import History
from blitz.ui.live_rings import Series
from blitz.ui.live_store import LiveChannel
from blitz.ui.plots.curves import Curve, TimePlot, channel_curve, fitting_range
from blitz.ui.theme import Theme
from blitz.ui.view_loader import ViewLoader


class HistoryPlot(TimePlot):
    """Wheel zooms in time, dragging moves, the arrow keys and + − do both; values fit by themselves."""

    moved = pyqtSignal(float, float)
    """Times of the left and right edge, in seconds since the Unix epoch."""

    def __init__(self, history: History) -> None:
        super().__init__()
        self._history = history
        self._shown: tuple[tuple[LiveChannel, int], ...] = ()
        self.compared: History | None = None
        """The same session by another version of its definitions, drawn thin and dashed."""
        self._redraw = QTimer(self)
        self._redraw.setSingleShot(True)
        self._redraw.setInterval(15)
        self._redraw.timeout.connect(self.draw_now)
        self._loader = ViewLoader(self)
        self._loader.loaded.connect(self._take_view)
        self._loader.failed.connect(self._tell_failure)
        self.destroyed.connect(history.close)
        self.setMouseEnabled(x=True, y=False)
        self.setFocusPolicy(Qt.StrongFocus)
        limits = history.time_limits
        if limits is not None:
            margin = max((limits[1] - limits[0]) * 0.02, 0.05)
            self.setLimits(xMin=limits[0] - margin, xMax=limits[1] + margin, minXRange=1e-3)
        self.fit()
        self.getViewBox().sigXRangeChanged.connect(self._after_move)

    def show_channels(self, channels: tuple[tuple[LiveChannel, int], ...]) -> None:
        """Choose what is drawn: channels and their places in the order of colours."""
        self._shown = channels
        names = {source.index: source.name for source in self._history.record.sources}
        self.show_gaps(self._history.gaps({channel.source.index for channel, _ in channels}), names)
        self._redraw.start()

    def compare_with(self, other: History | None) -> None:
        """Draw the channels as another version of the definitions reads them, too, thin and dashed."""
        self.compared = other
        self._redraw.start()

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        super().set_theme(theme)
        self._redraw.start()

    def fit(self) -> None:
        """Show the whole session."""
        limits = self._history.time_limits
        if limits is not None:
            self.setXRange(*limits, padding=0.01)

    def zoom(self, factor: float) -> None:
        """Show ``factor`` times as much time around the middle."""
        low, high = self.time_range
        middle, half = (low + high) / 2, (high - low) / 2 * factor
        self.setXRange(middle - half, middle + half, padding=0)

    def shift(self, share: float) -> None:
        """Move by a share of what is shown."""
        low, high = self.time_range
        step = (high - low) * share
        self.setXRange(low + step, high + step, padding=0)

    @property
    def time_range(self) -> tuple[float, float]:
        """Times of the left and right edge."""
        low, high = self.getViewBox().viewRange()[0]
        return float(low), float(high)

    def set_relative(self, is_relative: bool) -> None:
        """Count time from the session's start, or show the clock."""
        self.time_axis.count_from(self._history.record.started_at.timestamp() if is_relative else None)

    def draw_now(self) -> None:
        """Draw what is in view: at once, or as soon as it has been read."""
        low, high = self.time_range
        about = (self._history, self.compared, self._shown, low, high, self.columns)
        if all(history is None or history.is_quick for history in (self._history, self.compared)):
            self._take_view(view_curves(*about))
        else:
            self._loader.ask(lambda: view_curves(*about))

    def _tell_failure(self, sentence: str) -> None:
        """Say above the plot why it does not show what is in view."""
        self.getPlotItem().setTitle(html.escape(sentence))

    def _take_view(self, curves: list[Curve]) -> None:
        self.getPlotItem().setTitle(None)
        low, high = self.time_range
        limits = self.draw(curves, high - low)
        if limits is not None:
            self.setYRange(*fitting_range(*limits, None), padding=0)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move and zoom by keys."""
        actions = {
            Qt.Key_Left: lambda: self.shift(-0.2),
            Qt.Key_Right: lambda: self.shift(0.2),
            Qt.Key_Plus: lambda: self.zoom(0.5),
            Qt.Key_Up: lambda: self.zoom(0.5),
            Qt.Key_Minus: lambda: self.zoom(2.0),
            Qt.Key_Down: lambda: self.zoom(2.0),
            Qt.Key_Home: self.fit,
        }
        action = actions.get(Qt.Key(event.key()))
        if action is None:
            super().keyPressEvent(event)
        else:
            action()

    def _after_move(self) -> None:
        self._redraw.start()
        self.moved.emit(*self.time_range)


def view_curves(
    history: History,
    compared: History | None,
    shown: tuple[tuple[LiveChannel, int], ...],
    low: float,
    high: float,
    columns: int,
) -> list[Curve]:
    """Return the curves of a view, those of another version first; in any thread."""
    curves = []
    own = _series_of(history, [channel for channel, _ in shown], low, high, columns)
    for channel, colour in shown:
        series = own.get(channel.source.index)
        if series is not None and channel.column < series.values.shape[1]:
            curves.append(channel_curve(channel, colour, series.times, series.values[:, channel.column]))
    return (_compared_curves(compared, shown, low, high, columns) if compared else []) + curves


def _compared_curves(
    compared: History, shown: tuple[tuple[LiveChannel, int], ...], low: float, high: float, columns: int
) -> list[Curve]:
    matched = [(channel, colour, same_channel(channel, compared.channels)) for channel, colour in shown]
    found = _series_of(compared, [other for _, _, other in matched if other is not None], low, high, columns)
    curves = []
    for channel, colour, other in matched:
        series = None if other is None else found.get(other.source.index)
        if other is not None and series is not None and other.column < series.values.shape[1]:
            key, ink = ("compared", *channel.key), channel.channel.color
            values = series.values[:, other.column]
            curves.append(Curve(key, channel.label, colour, series.times, values, ink, is_faint=True))
    return curves


def _series_of(
    history: History, channels: list[LiveChannel], low: float, high: float, columns: int
) -> dict[int, Series | None]:
    indices = dict.fromkeys(channel.source.index for channel in channels)
    return {index: history.between(index, low, high, columns) for index in indices}


def same_channel(channel: LiveChannel, others: tuple[LiveChannel, ...]) -> LiveChannel | None:
    """Return what another version of the definitions calls a channel: by name, else by its place in the message."""
    of_row = {other.channel.name: other for other in others if other.source.index == channel.source.index}
    before = channel.source.definition
    after = next((other.source.definition for other in of_row.values()), None)
    if before is None or after is None:
        return None
    pairs = match_channels(before.channels, after.channels)
    names = {first.name: second.name for first, second in pairs if first is not None and second is not None}
    return of_row.get(names.get(channel.channel.name, ""))
