"""What passes a level, laid over each other as on an oscilloscope: the choices, and the tab of a historic session."""

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
from PyQt5.QtCore import QEvent, QObject, QSignalBlocker, Qt, pyqtSignal
from PyQt5.QtWidgets import QGridLayout, QLabel, QLineEdit, QSizePolicy, QVBoxLayout, QWidget

from blitz.data.triggers import Edge
from blitz.errors import SeriesError
from blitz.ui.analysis import SweepsFound, find_triggers
from blitz.ui.formats import format_count
from blitz.ui.kept_triggers import KeptTriggers
from blitz.ui.live_store import LiveChannel
from blitz.ui.plots.figure_marks import FigureCurve
from blitz.ui.theme import SPACE, Theme
from blitz.ui.triggered import MOST_SWEEPS, Sweep, TriggerWish, opacity
from blitz.ui.widgets.analysis_tabs import FigureTab, Work, number_words, titled
from blitz.ui.widgets.channel_choice import ChannelBox, ShownChannel
from blitz.ui.widgets.choice import Choice
from blitz.ui.widgets.states import set_state

_LEVEL, _HYSTERESIS, _BEFORE, _AFTER, _HOLD = range(5)
_NAMES = ("level", "hysteresis", "before", "after", "hold")
"""Under which the fields are kept."""
_FIELDS = (
    ("Level", "", "The value to be passed. Empty: the middle between the smallest and the largest one"),
    (
        "Hysteresis",
        "",
        "So far on the other side it must have been before: noise triggers once. "
        "Empty: a twentieth of what lies between the smallest and the largest value",
    ),
    ("Before [s]", "0.2", "How long before the trigger is shown"),
    ("After [s]", "0.8", "How long behind the trigger is shown"),
    ("Hold-off [s]", "0", "So long after a trigger no other one counts"),
)


class TriggerControls(QWidget):
    """Level, edge and times; what is typed counts with Enter, or when the field is left.

    They are kept for each channel, and are there again when it is chosen.
    """

    changed = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.channel = ChannelBox("Channel of the trigger")
        self.edge = Choice()
        self.edge.setAccessibleName("Edge")
        self.edge.addItems(["Rising", "Falling"])
        self.fields = tuple(self._field(*words) for words in _FIELDS)
        self.problem = QLabel()
        """Why what is typed does not count."""
        self.mode: Choice | None = None
        """Another choice that is kept with these."""
        self._wish = TriggerWish()
        self._kept = KeptTriggers()
        self._channels: dict[str, LiveChannel] = {}
        self._of = ""
        self._lay_out()
        self.channel.activated.connect(lambda _: self._change_channel())
        self.edge.activated.connect(lambda _: self._take())

    @property
    def wish(self) -> TriggerWish:
        """What is chosen; of fields that cannot be read, what was chosen before."""
        return self._wish

    def keep_in(self, kept: KeptTriggers) -> None:
        """Keep what is chosen there, and begin with what was chosen before."""
        self._kept, self._of = kept, ""
        with QSignalBlocker(self):
            self._recall()

    def show_channels(self, channels: tuple[ShownChannel, ...]) -> None:
        """Offer these, with what was chosen for the one that is shown."""
        self.channel.show_channels(channels)
        self._channels = {shown.channel.label: shown.channel for shown in channels}
        self._recall()

    def remember(self) -> None:
        """Keep what is chosen for the channel that is shown."""
        self._of = self.channel.currentText()
        channel = self._channels.get(self._of)
        if channel is not None:
            texts = {name: field.text().strip() for name, field in zip(_NAMES, self.fields, strict=True)}
            mode = {} if self.mode is None else {"mode": self.mode.currentText()}
            self._kept.keep(channel, {**texts, "edge": self.edge.currentText(), **mode})

    def _change_channel(self) -> None:
        with QSignalBlocker(self):
            self._recall()
        self.changed.emit()

    def _recall(self) -> None:
        label = self.channel.currentText()
        if label == self._of or label not in self._channels:
            return
        self._of = label
        texts = self._kept.of(self._channels[label])
        for name, field, (_, usual, _) in zip(_NAMES, self.fields, _FIELDS, strict=True):
            field.setText(texts.get(name, usual))
        self.edge.setCurrentIndex(max(self.edge.findText(texts.get("edge", "")), 0))
        if self.mode is not None:
            self.mode.setCurrentIndex(max(self.mode.findText(texts.get("mode", "")), 0))
        self._read()

    def show_trigger(self, level: float | None, hysteresis: float | None) -> None:
        """Say which level and which hysteresis are in force where none is typed."""
        for place, number in ((_LEVEL, level), (_HYSTERESIS, hysteresis)):
            self.fields[place].setPlaceholderText("" if number is None else f"{number:.4g}")

    def set_level(self, text: str) -> None:
        """Choose a level, as if it were typed."""
        self.fields[_LEVEL].setText(text)
        self._take()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take Enter here: a dialog or a page around has nothing to do with it."""
        if event.type() == QEvent.KeyPress and event.key() in (Qt.Key_Return, Qt.Key_Enter):  # type: ignore[attr-defined]
            self._take()
            return True
        return super().eventFilter(watched, event)

    def add(self, widget: QWidget) -> None:
        """Put another choice below."""
        self._grid.addWidget(widget, self._grid.rowCount(), 0, 1, 4)

    def _lay_out(self) -> None:
        """Beside the curves: in a row above them there would be no room for all on a small screen."""
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        grid = self._grid = QGridLayout()
        grid.setHorizontalSpacing(SPACE)
        grid.setVerticalSpacing(SPACE // 2)
        grid.addWidget(self.channel, 0, 0, 1, 2)
        grid.addWidget(self.edge, 0, 2, 1, 2)
        for place, ((words, _, _), field) in enumerate(zip(_FIELDS, self.fields, strict=True)):
            label = QLabel(words)
            label.setBuddy(field)
            grid.addWidget(label, 1 + place // 2, 2 * (place % 2))
            grid.addWidget(field, 1 + place // 2, 2 * (place % 2) + 1)
        self.problem.setWordWrap(True)
        set_state(self.problem, "bad")
        column.addLayout(grid)
        column.addWidget(self.problem)
        column.addStretch(1)
        self.setSizePolicy(QSizePolicy.Maximum, QSizePolicy.Preferred)

    def _field(self, words: str, text: str, tip: str) -> QLineEdit:
        field = QLineEdit(text)
        field.setAccessibleName(words)
        field.setToolTip(tip)
        field.setFixedWidth(84)
        field.installEventFilter(self)
        field.editingFinished.connect(self._take)
        return field

    def _take(self) -> None:
        if self._read():
            self.remember()

    def _read(self) -> bool:
        """Take what the fields say, if all of them can be read; returns whether."""
        numbers: list[float | None] = []
        problem = ""
        for place, field in enumerate(self.fields):
            number = _number(field.text())
            is_right = number is not None and (place == _LEVEL or number >= 0)
            is_right = is_right or (place in (_LEVEL, _HYSTERESIS) and not field.text().strip())
            set_state(field, "" if is_right else "bad")
            if not is_right:
                below = "" if place == _LEVEL else " from 0 on"
                problem = problem or f"“{field.text().strip()}” is no number{below}: what was there before counts."
            numbers.append(number)
        if not problem and not (numbers[_BEFORE] or numbers[_AFTER]):
            problem = "Before and After cannot both be 0: there would be nothing to show."
        self.problem.setText(problem)
        if problem:
            return False
        level, hysteresis, before, after, hold = numbers
        edge = Edge.FALLING if self.edge.currentIndex() else Edge.RISING
        wish = TriggerWish(level, edge, hysteresis, hold or 0.0, before or 0.0, after or 0.0)
        with suppress(SeriesError):
            wish.trigger((0.0, 0.0))
            if wish != self._wish:
                self._wish = wish
                self.changed.emit()
            return True
        return False


class TriggerTab(FigureTab):
    """What was around each time at which a channel passed a level, the last ones over each other."""

    title = "Trigger"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.controls = TriggerControls()
        self.beside.addWidget(self.controls)
        self.controls.changed.connect(self.asked)
        self._shown: ShownChannel | None = None

    def show_channels(self, channels: tuple[ShownChannel, ...]) -> None:
        """Take over what can be looked at."""
        super().show_channels(channels)
        with QSignalBlocker(self.controls):
            self.controls.show_channels(channels)

    def work(self) -> Work | None:
        """Find the triggers."""
        shown, wish = self.shown(self.controls.channel), self.controls.wish
        self._shown = shown
        return None if shown is None else (lambda stretch: find_triggers(stretch, shown.channel, wish))

    def show_result(self, result: SweepsFound) -> None:
        """Draw the last triggers, the newest bright."""
        level = result.trigger.level
        self.controls.show_trigger(level, result.trigger.hysteresis)
        if self._shown is None:
            return
        if not result.sweeps:
            self.figure.show_hint(f"{self._shown.channel.label} does not pass {number_words(level)} here.")
            self.tell(result.remarks)
            return
        wish, colour = self.controls.wish, self._shown.colour(self.theme)
        self.figure.show_curves(
            sweep_curves(result.sweeps, level, wish, colour, self.theme),
            "After the trigger [s]",
            titled(self._shown.channel.label, result.unit),
            x_range=(-wish.before_s, wish.after_s),
        )
        shown = f", the last {MOST_SWEEPS} are shown" if result.count > MOST_SWEEPS else ""
        words = "1 trigger" if result.count == 1 else f"{format_count(result.count)} triggers"
        self.tell((*result.remarks, f"{words}{shown}."))


def sweep_curves(
    sweeps: Sequence[Sweep], level: float, wish: TriggerWish, colour: str, theme: Theme
) -> list[FigureCurve]:
    """Return the curves of triggers, oldest first, behind them the level and the moment of the trigger."""
    edges = np.array([-wish.before_s, wish.after_s])
    curves = [FigureCurve(edges, np.full(2, level), theme.muted, "Level", opacity=150)]
    count = len(sweeps)
    return curves + [
        FigureCurve(sweep.offsets_s, sweep.values, colour, opacity=opacity(place, count))
        for place, sweep in enumerate(sweeps)
    ]


def _number(text: str) -> float | None:
    with suppress(ValueError):
        number = float(text.strip().replace(",", "."))
        return number if abs(number) < 1e300 else None
    return None
