"""Below the live plot: what passes a level, the last times laid over each other, as on an oscilloscope."""

import time

from PyQt5.QtCore import QSignalBlocker
from PyQt5.QtGui import QShowEvent
from PyQt5.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from blitz.ui.formats import format_count
from blitz.ui.live_store import LiveStore
from blitz.ui.live_trigger import LiveTrigger, Mode
from blitz.ui.models.variables import VariablesModel
from blitz.ui.plots.figure_plot import FigurePlot
from blitz.ui.theme import SPACE, Theme
from blitz.ui.widgets.analysis_tabs import number_words, titled
from blitz.ui.widgets.channel_choice import ShownChannel
from blitz.ui.widgets.choice import Choice
from blitz.ui.widgets.elided import ElidedLabel
from blitz.ui.widgets.figure_menu import FigureMenu
from blitz.ui.widgets.trigger_tab import TriggerControls, sweep_curves

DRAWN_S = 0.05
"""At most so often it is drawn: overlaid curves cannot be read faster."""
_NO_CHANNEL = "No channel is chosen. Click a square in the table of variables."
_TIPS = "Auto draws without a trigger, too; Normal with each trigger; Single with the next one, then it stands still"


class TriggerPanel(QWidget):
    """Reads a live store when told to, while it is visible."""

    def __init__(self, store: LiveStore, variables: VariablesModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._variables = variables
        self._drawn_s = 0.0
        self._has_new = True
        self._theme: Theme = variables.theme
        self.trigger = LiveTrigger(store)
        self.controls = TriggerControls()
        self.mode = Choice()
        self.mode.setAccessibleName("Mode of the trigger")
        self.mode.setToolTip(_TIPS)
        self.mode.addItems([mode.value for mode in Mode])
        self.again = QPushButton("Arm")
        self.again.setProperty("kind", "small")
        self.again.setToolTip("Wait for the next trigger, and forget those before")
        self.save = FigureMenu()
        self.words = ElidedLabel()
        self.words.setProperty("kind", "muted")
        self.figure = FigurePlot("Triggers")
        self.save.serve(self.figure)
        last = QWidget()
        row = QHBoxLayout(last)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE)
        row.addWidget(self.mode, 1)
        row.addWidget(self.again)
        row.addWidget(self.save)
        self.controls.add(last)
        left = QVBoxLayout()
        left.setSpacing(SPACE // 2)
        left.addWidget(self.words)
        left.addWidget(self.figure, 1)
        whole = QHBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(SPACE)
        whole.addLayout(left, 1)
        whole.addWidget(self.controls)
        self.controls.changed.connect(self._choose)
        self.controls.mode = self.mode
        self.mode.activated.connect(lambda _: self._choose())
        self.mode.activated.connect(lambda _: self.controls.remember())
        self.again.clicked.connect(self._arm)
        variables.shown_changed.connect(self._see_channels)

    def refresh(self, now_s: float | None = None) -> None:
        """Take what has come, and draw it if it is time.

        :param now_s: by a clock that never falls.
        """
        if not self.isVisible():
            return
        self._has_new |= self.trigger.update()
        now_s = time.monotonic() if now_s is None else now_s
        if self._has_new and now_s - self._drawn_s >= DRAWN_S:
            self._drawn_s, self._has_new = now_s, False
            self._draw()

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self._theme = theme
        self.figure.set_theme(theme)
        self._has_new = True

    def showEvent(self, event: QShowEvent) -> None:
        """Begin with what comes from now on."""
        super().showEvent(event)
        self._see_channels()
        self._choose()

    def _see_channels(self) -> None:
        if not self.isVisible():
            return
        shown = tuple(
            ShownChannel(channel, self._variables.colour_index(channel)) for channel in self._variables.shown_channels
        )
        with QSignalBlocker(self.controls):
            self.controls.show_channels(shown)
        wanted = self._wanted()
        if wanted is None or self.trigger.channel is None or wanted.channel != self.trigger.channel:
            self._choose()

    def _wanted(self) -> ShownChannel | None:
        label = self.controls.channel.currentText()
        channels = (channel for channel in self._variables.shown_channels if channel.label == label)
        return next((ShownChannel(channel, self._variables.colour_index(channel)) for channel in channels), None)

    def _choose(self) -> None:
        wanted = self._wanted()
        mode = list(Mode)[self.mode.currentIndex()]
        self.trigger.choose(None if wanted is None else wanted.channel, self.controls.wish, mode)
        self._draw()

    def _arm(self) -> None:
        self.trigger.arm()
        self._draw()

    def _draw(self) -> None:
        self._draw_curves()
        self.save.offer(has_picture=bool(self.figure.curves), has_numbers=bool(self.figure.curves))

    def _draw_curves(self) -> None:
        trigger, wanted = self.trigger, self._wanted()
        self.controls.show_trigger(trigger.level, trigger.hysteresis)
        if wanted is None:
            self.figure.show_hint(_NO_CHANNEL)
            self.words.setText("")
            return
        self.words.setText(self._state_words(wanted.channel.channel.unit))
        if not trigger.sweeps or trigger.level is None:
            self.figure.show_hint("Waiting for a trigger…")
            return
        wish, channel = trigger.wish, wanted.channel
        self.figure.show_curves(
            sweep_curves(tuple(trigger.sweeps), trigger.level, wish, wanted.colour(self._theme), self._theme),
            "After the trigger [s]" if not trigger.is_free else "Without a trigger [s]",
            titled(channel.label, channel.channel.unit),
            x_range=(-wish.before_s, wish.after_s),
        )

    def _state_words(self, unit: str) -> str:
        trigger = self.trigger
        count = "1 trigger" if trigger.count == 1 else f"{format_count(trigger.count)} triggers"
        at = "" if trigger.level is None else f" at {number_words(trigger.level)} {unit}".rstrip()
        if trigger.is_held:
            return f"Triggered once{at}: stands still. Arm waits for the next one."
        if trigger.is_free:
            return f"No trigger{at}: the newest readings are shown."
        if not trigger.sweeps:
            return f"Waiting{at}."
        last = "the last one is shown" if len(trigger.sweeps) == 1 else f"the last {len(trigger.sweeps)} are shown"
        return f"{count}{at}, {last}." if trigger.count > 1 else f"{count}{at}."
