"""The live plot: the newest readings in a window that moves along, or what the operator looks at meanwhile."""

import time
from collections.abc import Callable, Hashable, Iterable

import numpy as np
from PyQt5.QtCore import QEvent, QObject, Qt, pyqtSignal
from PyQt5.QtGui import QKeyEvent
from PyQt5.QtWidgets import QLabel, QVBoxLayout, QWidget

from blitz.data.records import Gap
from blitz.data.source_config import STREAM
from blitz.ui.lines import Series
from blitz.ui.live_store import LiveChannel, LiveStore
from blitz.ui.live_view import LiveView
from blitz.ui.models.variables import CHANNEL, VariablesModel
from blitz.ui.plots.crosshair import Crosshair, value_words
from blitz.ui.plots.curves import Curve, channel_curve
from blitz.ui.plots.panels import PlotPanels
from blitz.ui.readings_at import Extremes, of_column, reading_at
from blitz.ui.theme import Theme
from blitz.ui.widgets.plot_strip import PlotStrip
from blitz.ui.windows import PlotWindow

EDGE = 0.015
"""Share of a window by count that stays free at each edge: dots need room."""
_NO_TIMES = np.empty(0)
LONGEST_REST_S = 0.25
"""Readings that arrive are drawn after so long at the latest, even if the picture has not moved by a pixel."""
VALUES_S = 0.2
"""So often the legend's values change while the plot moves along: faster ones cannot be read."""


class LivePlot(QWidget):
    """Draws a :class:`LiveStore` when told to, and only if something changed since."""

    view_changed = pyqtSignal()
    """It follows, or no longer; it pauses, or goes on; its values are zoomed, or fit."""

    key_words = (
        ("Space", "Pause, or go on"),
        ("End", "Follow the present"),
        ("Home", "Show the whole window again"),
        ("+, −, Up, Down", "Zoom in time"),
        ("Page Up, Page Down", "Move in time; through the panels where they are stacked"),
        ("Left, Right", "Looking back: the crosshair to the next reading"),
        ("Esc", "Put the crosshair away"),
    )

    def __init__(self, store: LiveStore, variables: VariablesModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._variables = variables
        self._drawn: tuple[tuple[object, ...], int | None] | None = None
        self._drawn_at_s = 0.0
        self._first_s: float | None = None
        self.start_s: float | None = None
        """When the session began; None: relative times count from the first reading."""
        self._values_told_s = 0.0
        self._has_new_values = False
        self._off: dict[str, None] = {}
        """Labels of channels that were switched off in the legend; they stay listed in it."""
        self.drawn_s: float | None = None
        """Time of the newest reading drawn, in seconds since the Unix epoch."""
        self.is_relative = False
        self._open_gaps: dict[int, tuple[Gap, ...]] = {}
        self.view = LiveView(store)
        self.plot = PlotPanels()
        self.plot.setAccessibleName("Plot")
        self.crosshair = Crosshair(self.plot)
        self.strip = PlotStrip()
        self.setFocusProxy(self.plot)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.strip)
        layout.addWidget(self.plot, 1)
        self.underlay: Callable[[float, float], list[Curve]] = lambda low, high: []
        """Gives what lies under the curves between two times, in seconds since the Unix epoch."""
        self.remark: Callable[[LiveChannel], str] = lambda channel: ""
        """Gives what the legend says of a channel behind its value."""
        self._hint = QLabel(self.plot)
        self._hint.setAlignment(Qt.AlignCenter)
        self._hint.setWordWrap(True)
        self._hint.setProperty("kind", "muted")
        self._hint.setAttribute(Qt.WA_TransparentForMouseEvents)
        self._hint.hide()
        self.plot.installEventFilter(self)
        self.plot.range_chosen.connect(self._look_at)
        self.plot.channel_switched.connect(self._switch)
        self.plot.values_zoom_changed.connect(lambda _: self.view_changed.emit())
        self.plot.resized.connect(self.redraw)
        self.crosshair.moved.connect(self._show_values)
        variables.shown_changed.connect(self.redraw)

    def show_window(self, window: PlotWindow) -> None:
        """Choose how much is shown."""
        self.view.choose_window(window)
        self.plot.reset_values()
        self._change()

    def follow(self) -> None:
        """Return to the present, and move along."""
        self.view.follow()
        self._change()

    def turn_pause(self) -> None:
        """Let the picture stand still, or go on."""
        if self.view.is_paused:
            self.view.resume()
        else:
            self.view.pause_at(time.monotonic())
        self._change()

    def set_stacked(self, is_stacked: bool) -> None:
        """Give each channel a panel of its own, or lay them over each other."""
        self.plot.set_stacked(is_stacked)
        self.redraw()

    def set_relative(self, is_relative: bool) -> None:
        """Count time from the session's start, or show the clock."""
        self.is_relative = is_relative
        self.redraw()

    def reset_zoom(self) -> None:
        """Show the window that was chosen last again, and let the values fit."""
        self.plot.reset_values()
        self.view.choose_window(self.view.window)
        self._change()

    def show_open_gaps(self, gaps: Iterable[Gap]) -> None:
        """Shade what is missing of boards that are away just now; the store gets such a gap when it is over."""
        self._open_gaps = {gap.source: (gap,) for gap in gaps}

    def show_badge(self, text: str) -> None:
        """Say above the curves what they are not; an empty text says nothing."""
        self.strip.show_badge(text)

    def show_hint(self, text: str) -> None:
        """Say over the empty plot what to do; an empty text says nothing."""
        if text == self._hint.text() and self._hint.isHidden() is not bool(text):
            return
        self._hint.setText(text)
        self._hint.setVisible(bool(text))
        self.plot.set_blank(bool(text))
        self.redraw()

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self.plot.set_theme(theme)
        self.redraw()

    def redraw(self) -> None:
        """Draw at the next :meth:`draw`, changed or not."""
        self._drawn = None

    def tell_values(self) -> None:
        """Write the legend's values again soon: what is remarked on them may have changed."""
        self._has_new_values = True

    def draw(self) -> bool:
        """Draw if something changed; returns whether it did."""
        if self.view.see_session():
            self._first_s = None
            self._off.clear()
            self.strip.forget()
            self._change()
        now_s = time.monotonic()
        has_values = self._store.newest_time() is not None
        self.strip.show_words(self.view.words(now_s) if has_values else "")
        shown = {channel.source.index: channel.source.name for channel in self._variables.shown_channels}
        gaps = {index: (*self._store.gaps(index), *self._open_gaps.get(index, ())) for index in shown}
        # A picture that stands still changes with what becomes known of it.
        known = (gaps, self._store.markers, self._store.channels, self.view.version)
        wanted = (known, None if self.view.is_paused else self._store.version)
        if wanted == self._drawn or self._would_look_alike(known, now_s):
            self._refresh_values(now_s)
            return False
        self._drawn, self._drawn_at_s = wanted, now_s
        self._has_new_values = True
        names = {gap.source: shown[index] for index, found in gaps.items() for gap in found}
        self.plot.show_gaps(tuple(gap for found in gaps.values() for gap in found), names)
        self.plot.show_markers(self._store.markers)
        self._draw_curves()
        self._refresh_values(now_s)
        return True

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep the hint in place, and take keys."""
        if event.type() in (QEvent.Resize, QEvent.Show):
            self._hint.setGeometry(self.plot.rect().adjusted(80, 40, -40, -60))
            self.redraw()
        if event.type() == QEvent.KeyPress and isinstance(event, QKeyEvent) and self._take_key(event):
            return True
        return super().eventFilter(watched, event)

    def _take_key(self, event: QKeyEvent) -> bool:
        """Do what a key says; returns whether it says something."""
        stands = not self.view.is_following
        actions: dict[int, Callable[[], object]] = {
            Qt.Key_Space: self.turn_pause,
            Qt.Key_End: self.follow,
            Qt.Key_Plus: lambda: self.plot.zoom(0.5),
            Qt.Key_Up: lambda: self.plot.zoom(0.5),
            Qt.Key_Minus: lambda: self.plot.zoom(2.0),
            Qt.Key_Down: lambda: self.plot.zoom(2.0),
            Qt.Key_PageUp: lambda: self.plot.shift(-0.8),
            Qt.Key_PageDown: lambda: self.plot.shift(0.8),
            Qt.Key_Home: self.reset_zoom,
            Qt.Key_Escape: lambda: self.crosshair.point_at(None),
        }
        steps = {Qt.Key_Left: -1, Qt.Key_Right: 1}
        key = event.key()
        if key in steps:
            if stands:
                self.crosshair.step(steps[Qt.Key(key)], self._around)
            return True
        if event.modifiers() & ~Qt.KeypadModifier & ~Qt.ShiftModifier or key not in actions:
            return False
        if self.plot.is_stacked and key in (Qt.Key_PageUp, Qt.Key_PageDown):
            return False  # they move through the panels
        actions[key]()
        return True

    def _would_look_alike(self, known: tuple[object, ...], now_s: float) -> bool:
        """Whether only readings came since, less than a column of pixels of them: in a long window nearly always."""
        if self._drawn is None or self._drawn[0] != known or now_s - self._drawn_at_s >= LONGEST_REST_S:
            return False
        newest_s, (low, high) = self.view.newest_s, self.plot.time_range
        if newest_s is None or self.drawn_s is None or not self.view.is_following:
            return False
        self._has_new_values = True
        return newest_s - self.drawn_s < (high - low) / max(self.plot.columns, 1)

    def _change(self) -> None:
        self.redraw()
        self.view_changed.emit()

    def _look_at(self, low: float, high: float) -> None:
        if not self.plot.is_blank:
            self.view.look_at(low, high)
            self._change()

    def _switch(self, key: object) -> None:
        """Show or hide the channel whose entry in the legend was clicked."""
        for channel in self._variables.channels:
            if channel.key == key:
                if self._variables.is_shown(channel):
                    self._off[channel.label] = None
                else:
                    self._off.pop(channel.label, None)
                index = self._variables.index(self._variables.channels.index(channel), CHANNEL)
                wanted = Qt.Unchecked if self._variables.is_shown(channel) else Qt.Checked
                self._variables.setData(index, wanted, Qt.CheckStateRole)

    @property
    def is_bare(self) -> bool:
        """Whether there is nothing, not even a channel in the legend that could be switched on."""
        return not any(self._variables.is_shown(channel) or self._is_off(channel) for channel in self._store.channels)

    def _is_off(self, channel: LiveChannel) -> bool:
        return channel.label in self._off and not self._variables.is_shown(channel)

    def _draw_curves(self) -> None:
        columns = self.plot.columns
        channels = [channel for channel in self._variables.channels if self._variables.is_shown(channel)]
        series = {index: self.view.series(index, columns) for index in {channel.source.index for channel in channels}}
        span = self.view.time_range(list(series.values()))
        if span is not None and span[1] > span[0]:
            free = 0.0 if self.view.held is not None or self.view.window.seconds is not None else EDGE
            pad = (span[1] - span[0]) * free
            self.plot.show_times(span[0] - pad, span[1] + pad)
        self.drawn_s = _newest(series.values(), None if span is None else span[1])
        if self._first_s is None:
            self._first_s = min((float(found.times[0]) for found in series.values() if len(found.times)), default=None)
        self.plot.set_origin((self.start_s or self._first_s) if self.is_relative else None)
        self.plot.draw([*self.underlay(*self.plot.time_range), *self._curves(series)])

    def _curves(self, series: dict[int, Series]) -> list[Curve]:
        curves = []
        for channel in self._variables.channels:
            colour = self._variables.colour_index(channel)
            found = series.get(channel.source.index)
            if self._is_off(channel):
                curves.append(channel_curve(channel, colour, _NO_TIMES, _NO_TIMES, is_off=True))
            elif self._variables.is_shown(channel) and found is not None and channel.column < found.values.shape[1]:
                curves.append(channel_curve(channel, colour, found.times, found.values[:, channel.column]))
        return curves

    def _around(self, at_s: float) -> list[Series]:
        indices = {channel.source.index for channel in self._variables.shown_channels}
        return [self._store.around(index, at_s) for index in indices]

    def _refresh_values(self, now_s: float) -> None:
        """Write new values into the legend, not too often."""
        if self._has_new_values and now_s - self._values_told_s >= VALUES_S:
            self._has_new_values, self._values_told_s = False, now_s
            self._show_values()

    def _show_values(self) -> None:
        """Write into the legend what the channels were at the crosshair, else what they are."""
        at_s = self.crosshair.at_s
        is_present = at_s is None and self.view.held is None
        if at_s is None:
            at_s = self.view.newest_s if self.view.held is None else self.drawn_s
        newest_s, shown = self.view.newest_s, self._variables.shown_channels
        found: dict[int, Extremes | None] = {}
        if at_s is not None and newest_s is not None and at_s <= newest_s:
            for source in {channel.source.index: channel.source for channel in shown}.values():
                last = self._store.last(source.index, 1).times
                # Points of streams are as seldom as a script wants: the last one is the present, whatever its age.
                moment_s = float(last[-1]) if is_present and len(last) and source.link.startswith(STREAM) else at_s
                found[source.index] = reading_at(self._store.around(source.index, moment_s), moment_s)
        texts: dict[Hashable, str] = {}
        for channel in shown:
            extremes = found.get(channel.source.index)
            value = None if extremes is None else of_column(extremes, channel.column)
            remark = self.remark(channel)
            texts[channel.key] = f"{value_words(channel.channel, value)}{'  ' if remark else ''}{remark}"
        self.plot.show_values(texts)


def _newest(all_series: Iterable[Series], until: float | None) -> float | None:
    """Return the time of the newest reading up to a time."""
    times = [found.times for found in all_series]
    if until is not None:
        times = [part[part <= until] for part in times]
    return max((float(part[-1]) for part in times if len(part)), default=None)
