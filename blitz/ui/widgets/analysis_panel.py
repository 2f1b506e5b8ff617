"""Below the plot of a historic session: what a marked stretch, else what is in view, comes to.

Everything is computed in a thread; what is not wanted any more is given up. The window never waits.
"""

import threading
from functools import partial

from PyQt5.QtCore import QTimer, pyqtSignal
from PyQt5.QtGui import QHideEvent, QShowEvent
from PyQt5.QtWidgets import QHBoxLayout, QPushButton, QStackedWidget, QTabWidget, QVBoxLayout, QWidget

from blitz.errors import BlitzError
from blitz.ui.analysis import NotWantedError, Stretch
from blitz.ui.history import History
from blitz.ui.live_store import LiveChannel
from blitz.ui.live_view import span_words
from blitz.ui.plots.panels import PlotPanels
from blitz.ui.theme import SPACE, Theme
from blitz.ui.view_loader import ViewLoader
from blitz.ui.widgets.analysis_tabs import (
    AnalysisTab,
    FigureTab,
    HistogramTab,
    PairsTab,
    SpectrumTab,
    Work,
)
from blitz.ui.widgets.channel_choice import ShownChannel
from blitz.ui.widgets.elided import ElidedLabel
from blitz.ui.widgets.figure_menu import FigureMenu
from blitz.ui.widgets.statistics_tab import StatisticsTab
from blitz.ui.widgets.trigger_tab import TriggerTab

_REST_MS = 120
"""What is in view must have stood still so long before it is looked at."""


class AnalysisPanel(QWidget):
    """Belongs to the plot of one history; asks for nothing while it is hidden.

    :param plot: whose region it serves.
    """

    settled = pyqtSignal()
    """What is wanted is shown."""

    def __init__(self, history: History, plot: PlotPanels, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._history = history
        self._channels: tuple[LiveChannel, ...] = ()
        self._plot = plot
        self._asked = 0
        self.asked_span = (0.0, 0.0)
        """The stretch that was looked at last."""
        self._cancelled = threading.Event()
        self._loader = ViewLoader(self)
        self._loader.loaded.connect(self._take)
        self._loader.failed.connect(lambda text: self.tab.show_refusal(text))
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self.ask)
        self.statistics, self.spectrum, self.histogram = StatisticsTab(), SpectrumTab(), HistogramTab()
        self.pairs, self.trigger = PairsTab(), TriggerTab()
        self.strip = QTabWidget()
        self.strip.tabBar().setDrawBase(False)
        self.strip.setAccessibleName("Analysis")
        self.remarks = QStackedWidget()
        for tab in (self.statistics, self.spectrum, self.histogram, self.pairs, self.trigger):
            self.strip.addTab(tab, tab.title)
            self.remarks.addWidget(tab.remarks)
            tab.asked.connect(self.ask)
        self.words = ElidedLabel()
        self.words.setProperty("kind", "muted")
        self.mark = self._button("Mark", "Let dragging in the plot mark a stretch; with Shift it always does")
        self.mark.setCheckable(True)
        self.keep = self._button("Keep this view", "Mark what is in view: it stays marked while you zoom")
        self.forget = self._button("Forget", "Look at what is in view again")
        self.save = FigureMenu()
        for figure_tab in (self.spectrum, self.histogram, self.pairs, self.trigger):
            self.save.serve(figure_tab.figure)
        self.mark.toggled.connect(self._let_drag)
        self.keep.clicked.connect(lambda: plot.region.choose(self._in_view()))
        self.forget.clicked.connect(lambda: plot.region.choose(None))
        self._lay_out()
        self.strip.currentChanged.connect(self.remarks.setCurrentIndex)
        self.strip.currentChanged.connect(lambda _: self.ask())
        plot.region.changed.connect(self._see_region)
        plot.moved.connect(self._see_view)

    @property
    def tab(self) -> AnalysisTab:
        """The one that is shown."""
        found = self.strip.currentWidget()
        assert isinstance(found, AnalysisTab)
        return found

    @property
    def span(self) -> tuple[float, float]:
        """The stretch that is looked at, in seconds since the Unix epoch."""
        return self._plot.region.span or self._in_view()

    def show_channels(self, channels: tuple[ShownChannel, ...]) -> None:
        """Take over which channels the plot shows."""
        self._channels = tuple(shown.channel for shown in channels)
        by_label = {shown.channel.label: shown for shown in channels}
        for place in range(self.strip.count()):
            tab = self.strip.widget(place)
            if isinstance(tab, StatisticsTab):
                tab.show_channels(channels)
            elif isinstance(tab, AnalysisTab):
                tab.show_channels(tuple(by_label.values()))
        self._rest.start()

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        for place in range(self.strip.count()):
            tab = self.strip.widget(place)
            if isinstance(tab, AnalysisTab):
                tab.set_theme(theme)
        self._rest.start()

    def ask(self) -> None:
        """Compute what the tab that is shown wants; what was under way is given up."""
        self._rest.stop()
        self._cancelled.set()
        self._show_words()
        if not self.isVisible():
            return
        self._asked += 1
        tab, work = self.tab, self.tab.work()
        self.asked_span, tab.result = self.span, None
        self._offer()
        if work is None:
            tab.show_refusal("")
            self.settled.emit()
            return
        tab.show_waiting()
        self._cancelled = threading.Event()
        stretch = Stretch(self._history, *self.span, self._cancelled.is_set, self._channels)
        self._loader.ask(partial(_answer, self._asked, tab, work, stretch))

    def showEvent(self, event: QShowEvent) -> None:
        """Let the plot be marked, and compute."""
        super().showEvent(event)
        self._plot.region.want(True)
        self.ask()

    def hideEvent(self, event: QHideEvent) -> None:
        """Give up what is under way."""
        super().hideEvent(event)
        self._cancelled.set()
        self._rest.stop()
        self._plot.region.want(False)

    def _take(self, answer: tuple[int, AnalysisTab, object]) -> None:
        asked, tab, result = answer
        if asked != self._asked or not self.isVisible():
            return
        if isinstance(result, BlitzError):
            tab.show_refusal(str(result))
        else:
            tab.show_result(result)
            tab.result = result
        self._offer()
        self.settled.emit()

    def _offer(self) -> None:
        """Let what is shown be saved."""
        tab = self.tab
        is_drawn = isinstance(tab, FigureTab) and bool(tab.figure.curves)
        has_any = tab.result is not None and (is_drawn or tab.drawing is None)
        self.save.offer(has_picture=has_any and is_drawn, has_numbers=has_any)

    def _see_region(self) -> None:
        self.mark.setChecked(False)
        self.ask()

    def _see_view(self) -> None:
        if self._plot.region.span is None:
            self._rest.start()

    def _let_drag(self, is_on: bool) -> None:
        self._plot.region.drags = is_on

    def _in_view(self) -> tuple[float, float]:
        low, high = self._plot.time_range
        first, last = self._history.time_limits or (low, high)
        return max(low, first), max(min(high, last), max(low, first))

    def _show_words(self) -> None:
        is_marked = self._plot.region.span is not None
        self.words.setText(f"{'Marked' if is_marked else 'In view'}: {span_words(self.span)}")
        self.words.set_tip("" if is_marked else "Drag in the plot with Shift to mark a stretch.")
        self.forget.setEnabled(is_marked)

    def _button(self, words: str, tip: str) -> QPushButton:
        button = QPushButton(words)
        button.setProperty("kind", "small")
        button.setToolTip(tip)
        return button

    def _lay_out(self) -> None:
        head, beside = QWidget(), QWidget()
        row = QHBoxLayout(head)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2 * SPACE)
        row.addWidget(self.words)
        row.addWidget(self.remarks, 1)
        buttons = QHBoxLayout(beside)
        buttons.setContentsMargins(0, 2, 0, SPACE // 2)
        buttons.setSpacing(SPACE)
        for button in (self.mark, self.keep, self.forget, self.save):
            buttons.addWidget(button)
        self.strip.setCornerWidget(beside)  # beside the tabs: the remarks need the whole line
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE // 2)
        column.addWidget(head)
        column.addWidget(self.strip, 1)


def _answer(asked: int, tab: AnalysisTab, work: Work, stretch: Stretch) -> tuple[int, AnalysisTab, object]:
    """Compute in the pool's thread; a refusal is an answer, too."""
    try:
        return asked, tab, work(stretch)
    except NotWantedError as error:
        return -1, tab, error
    except BlitzError as error:
        return asked, tab, error
