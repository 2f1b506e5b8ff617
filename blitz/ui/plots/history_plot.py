"""The plot of a historic session: zoom and move through it, drawn from what the screen can show."""

from collections.abc import Hashable

import numpy as np
from PyQt5.QtCore import Qt, QTimer
from PyQt5.QtGui import QKeyEvent

from blitz.data.version_comparison import match_channels
from blitz.ui.history import History
from blitz.ui.lines import Series
from blitz.ui.live_store import LiveChannel
from blitz.ui.plots.curves import Curve, channel_curve
from blitz.ui.plots.panels import PlotPanels
from blitz.ui.view_loader import ViewLoader

_NO_CHANNEL = "No channel is chosen: tick one on the right."
_NO_VALUE = "There is no value here."


class HistoryPlot(PlotPanels):
    """Draws anew what is in view, wherever the operator goes; Home shows the whole session."""

    def __init__(self, history: History) -> None:
        super().__init__()
        self._history = history
        self._shown: tuple[tuple[LiveChannel, int], ...] = ()
        self._switched_off: dict[Hashable, tuple[LiveChannel, int]] = {}
        self.compared: History | None = None
        """The same session by another version of its definitions, drawn thin and dashed."""
        self._redraw = QTimer(self)
        self._redraw.setSingleShot(True)
        self._redraw.setInterval(15)
        self._redraw.timeout.connect(self.draw_now)
        self._loader = ViewLoader(self)
        self._loader.loaded.connect(self._take_view)
        self._loader.failed.connect(self.show_sentence)
        self.destroyed.connect(history.close)
        self.resized.connect(self._redraw.start)
        self.moved.connect(self._redraw.start)
        self.channel_switched.connect(self._keep_listed)
        limits = history.time_limits
        if limits is not None:
            margin = max((limits[1] - limits[0]) * 0.02, 0.05)
            self.limit_times(limits[0] - margin, limits[1] + margin)
        self.fit()

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

    def fit(self) -> None:
        """Show the whole session."""
        limits = self._history.time_limits
        if limits is not None:
            margin = (limits[1] - limits[0]) * 0.01
            self.choose_times(limits[0] - margin, limits[1] + margin)

    def set_relative(self, is_relative: bool) -> None:
        """Count time from the session's start, or show the clock."""
        self.set_origin(self._history.record.started_at.timestamp() if is_relative else None)

    def draw_now(self) -> None:
        """Draw what is in view: at once, or as soon as it has been read."""
        low, high = self.time_range
        about = (self._history, self.compared, self._shown, low, high, self.columns)
        if all(history is None or history.is_quick for history in (self._history, self.compared)):
            self._take_view(view_curves(*about))
        else:
            self._loader.ask(lambda: view_curves(*about))

    def _take_view(self, curves: list[Curve]) -> None:
        self.show_sentence(self._why_empty(curves))
        # Those that others are compared with lie behind; in the legend, each keeps its place.
        self.draw(sorted(curves + self._off_curves(), key=lambda curve: (not curve.is_faint, curve.colour_index)))

    def _why_empty(self, curves: list[Curve]) -> str:
        if not self._shown:
            return _NO_CHANNEL if self._history.channels else ""
        return "" if any(_is_seen(curve, *self.time_range) for curve in curves) else _NO_VALUE

    def _keep_listed(self, key: Hashable) -> None:
        """A channel that is switched off in the legend stays there, so that it can be switched on again."""
        self._switched_off |= {channel.key: (channel, colour) for channel, colour in self._shown if channel.key == key}

    def _off_curves(self) -> list[Curve]:
        shown = {channel.label for channel, _ in self._shown}
        off = [(channel, colour) for channel, colour in self._switched_off.values() if channel.label not in shown]
        return [channel_curve(channel, colour, np.empty(0), np.empty(0), is_off=True) for channel, colour in off]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Show the whole session at Home."""
        if event.key() == Qt.Key_Home:
            self.fit()
        else:
            super().keyPressEvent(event)


def _is_seen(curve: Curve, low: float, high: float) -> bool:
    """Tell whether something of a curve lies in a view: a value, or a line between two."""
    known = np.isfinite(curve.values)
    if (known & (curve.times >= low) & (curve.times <= high)).any():
        return True
    return bool((known[:-1] & known[1:] & (curve.times[:-1] <= high) & (curve.times[1:] >= low)).any())


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
            values = series.values[:, other.column]
            curves.append(channel_curve(channel, colour, series.times, values, is_faint=True))
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
