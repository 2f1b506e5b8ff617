"""The live plot: the newest readings in a window that moves along."""

from PyQt5.QtCore import QEvent, QObject, Qt
from PyQt5.QtWidgets import QLabel, QVBoxLayout, QWidget

from blitz.ui.live_store import LiveStore
from blitz.ui.models.variables import VariablesModel
from blitz.ui.plots.curves import Curve, TimePlot, channel_curve, fitting_range
from blitz.ui.theme import Theme
from blitz.ui.windows import DEFAULT_WINDOW, PlotWindow


class LivePlot(QWidget):
    """Draws a :class:`LiveStore` when told to, and only if something changed since."""

    def __init__(self, store: LiveStore, variables: VariablesModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._variables = variables
        self._window = DEFAULT_WINDOW
        self._drawn_version = -1
        self._values_shown: tuple[float, float] | None = None
        self.plot = TimePlot()
        self.plot.setMouseEnabled(x=False, y=False)
        self.plot.setFocusPolicy(Qt.NoFocus)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.plot)
        self._badge = QLabel(self)
        self._badge.setProperty("kind", "badge")
        self._badge.hide()
        self._hint = QLabel(self)
        self._hint.setAlignment(Qt.AlignCenter)
        self._hint.setWordWrap(True)
        self._hint.setProperty("kind", "muted")
        self._hint.setAttribute(Qt.WA_TransparentForMouseEvents)
        self._hint.hide()
        self.installEventFilter(self)
        variables.shown_changed.connect(self.redraw)

    def show_window(self, window: PlotWindow) -> None:
        """Choose how much is shown."""
        self._window = window
        self._values_shown = None
        self.redraw()

    def show_badge(self, text: str) -> None:
        """Say over the curves what they are not; an empty text says nothing."""
        if text != self._badge.text():
            self._badge.setText(text)
            self._place_words()
        self._badge.setVisible(bool(text))

    def show_hint(self, text: str) -> None:
        """Say over the empty plot what to do; an empty text says nothing."""
        self._hint.setText(text)
        self._hint.setVisible(bool(text))
        self.plot.getPlotItem().setVisible(not text)

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self.plot.set_theme(theme)
        self.redraw()

    def redraw(self) -> None:
        """Draw at the next :meth:`draw`, changed or not."""
        self._drawn_version = -1

    def draw(self) -> bool:
        """Draw if something changed; returns whether it did."""
        if self._store.version == self._drawn_version:
            return False
        self._drawn_version = self._store.version
        curves = self._curves()
        shown = {channel.source.index: channel.source.name for channel in self._variables.shown_channels}
        gaps = [(gap, name) for index, name in shown.items() for gap in self._store.gaps(index)]
        self.plot.show_gaps(tuple(gap for gap, _ in gaps), {gap.source: name for gap, name in gaps})
        self.plot.show_markers(self._store.markers)
        start, stop = self._time_range(curves)
        limits = self.plot.draw(curves, stop - start)
        if stop > start:
            # Room for the dots at the edges, where there are any.
            self.plot.setXRange(start, stop, padding=0 if self._window.seconds is not None else 0.015)
        if limits is not None:
            wanted = fitting_range(*limits, self._values_shown)
            if wanted != self._values_shown:
                self._values_shown = wanted
                self.plot.setYRange(*wanted, padding=0)
        return True

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep badge and hint in place."""
        if event.type() in (QEvent.Resize, QEvent.Show):
            self._place_words()
            self.redraw()
        return super().eventFilter(watched, event)

    def _place_words(self) -> None:
        self._badge.adjustSize()
        self._badge.move((self.width() + 48 - self._badge.width()) // 2, 18)
        self._hint.setGeometry(80, 40, max(0, self.width() - 110), max(0, self.height() - 100))

    def _curves(self) -> list[Curve]:
        series = {source.index: self._store.series(source.index, self._window) for source in self._store.sources}
        curves = []
        for channel in self._variables.shown_channels:
            shown = series.get(channel.source.index)
            if shown is None or channel.column >= shown.values.shape[1]:
                continue
            colour = self._variables.colour_index(channel)
            values = shown.values[:, channel.column]
            curves.append(channel_curve(channel, colour, shown.times, values))
        return curves

    def _time_range(self, curves: list[Curve]) -> tuple[float, float]:
        stop = max((float(curve.times[-1]) for curve in curves if len(curve.times)), default=0.0)
        if self._window.seconds is not None:
            return stop - self._window.seconds, stop
        return min((float(curve.times[0]) for curve in curves if len(curve.times)), default=stop), stop
