"""Where a step of a calibration is taken: the known value, how long is averaged, the button, and how it goes."""

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import (
    QDoubleSpinBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QWidget,
)

from blitz.data.calibration_draft import short
from blitz.data.raw_numbers import Average, Taking
from blitz.ui.definition_draft import parse_number
from blitz.ui.theme import SPACE
from blitz.ui.widgets.choice import Choice
from blitz.ui.widgets.permitted import permit
from blitz.ui.widgets.states import set_state

USUAL_S = 2.0
_READINGS = "readings"
_STEPS = 1000


class TakingRow(QWidget):
    """Asks for a step; what is read comes from elsewhere."""

    taking_requested = pyqtSignal(float)
    """The known value"""
    taking_cancelled = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._refusal = ""
        self._is_taking = False
        self.known = QLineEdit()
        self.known.setPlaceholderText("such as 0")
        self.known.setToolTip("What a better instrument, or a standard, says the value is now")
        self.known.setMinimumWidth(100)
        self.known.setMaximumWidth(130)
        self.known.textEdited.connect(lambda _: self.say(""))
        self.known.returnPressed.connect(self.take)
        self.unit = QLabel()
        self.span = QDoubleSpinBox()
        self.span.setRange(0.1, 600)
        self.span.setDecimals(1)
        self.span.setValue(USUAL_S)
        self.span.setButtonSymbols(QDoubleSpinBox.NoButtons)  # the arrow keys do the same
        self.span.setAccessibleName("How much is averaged")
        self.kind = Choice()
        self.kind.addItems(["seconds", _READINGS])
        self.kind.setAccessibleName("Seconds or readings")
        self.kind.currentTextChanged.connect(lambda _: self._show_kind())
        self.button = QPushButton("&Take")
        self.button.setToolTip("Average what is sent from now on (Enter)")
        self.button.setAutoDefault(False)
        self.button.clicked.connect(self._press)
        self.progress = QProgressBar()
        self.progress.setRange(0, _STEPS)
        self.progress.setTextVisible(False)
        self.progress.setMaximumHeight(6)
        self.progress.setAccessibleName("How much has been read")
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setMinimumHeight(2 * self.words.fontMetrics().height() + 4)
        self._lay_out()

    @property
    def is_taking(self) -> bool:
        """Whether a step is being read."""
        return self._is_taking

    def make_taking(self) -> Taking:
        """Return what gathers as much as is chosen."""
        if self.kind.currentText() == _READINGS:
            return Taking(count=max(int(self.span.value()), 1))
        return Taking(self.span.value())

    def take(self) -> None:
        """Ask for a step with the known value that is typed."""
        if self._refusal or self._is_taking:
            return
        number = parse_number(self.known.text())
        if number is None:
            typed = self.known.text().strip()
            self.say(f"“{typed}” is not a number." if typed else "Type what the value is now, then take it.", "bad")
            self.known.setFocus()
            return
        self.taking_requested.emit(number)

    def show_unit(self, unit: str) -> None:
        """Say in which unit known values are."""
        self.unit.setText(unit)

    def show_refusal(self, refusal: str) -> None:
        """Say why nothing can be taken; nothing: it can."""
        self._refusal = refusal
        permit(self.button, refusal)

    def show_taking(self, taking: Taking | None, reference: float = 0.0) -> None:
        """Show how far a step is; None: none is being read."""
        self._is_taking = taking is not None
        self.button.setText("S&top" if taking is not None else "&Take")
        self.known.setReadOnly(taking is not None)
        self.progress.setValue(0 if taking is None else round(taking.share * _STEPS))
        if taking is not None:
            count = len(taking.numbers)
            self.say(
                f"Reading {reference:g}: {count} so far…" if count else f"Reading {reference:g}: nothing came yet…"
            )

    def show_taken(self, reference: float, average: Average) -> None:
        """Say what was read, and whether it was at rest; the next known value is to be typed."""
        how_many = "1 reading" if average.count == 1 else f"{average.count} readings"
        words = f"{reference:g}: sent {average.mean:.7g} ± {short(average.deviation)}, {how_many}."
        doubt = average.doubt
        self.say(f"{words} {doubt}, then press Redo." if doubt else words, "doubtful" if doubt else "good")
        self.progress.setValue(_STEPS)
        self.ask_next()

    def ask_next(self) -> None:
        """Go to the known value."""
        self.known.setFocus()
        self.known.selectAll()

    def say(self, words: str, state: str = "") -> None:
        """Show a sentence."""
        self.words.setText(words)
        set_state(self.words, state)

    def _press(self) -> None:
        if self._is_taking:
            self.taking_cancelled.emit()
        else:
            self.take()

    def _show_kind(self) -> None:
        is_count = self.kind.currentText() == _READINGS
        self.span.setDecimals(0 if is_count else 1)
        self.span.setRange(1 if is_count else 0.1, 100_000 if is_count else 600)
        self.span.setValue(100 if is_count else USUAL_S)

    def _lay_out(self) -> None:
        caption = QLabel("&Known value")
        caption.setBuddy(self.known)
        caption.setMinimumWidth(caption.sizeHint().width() + 4)
        over = QLabel("a&verage")
        over.setBuddy(self.span)
        over.setMinimumWidth(over.sizeHint().width() + 4)
        row = QHBoxLayout()
        row.setSpacing(SPACE)
        for part in (caption, self.known, self.unit, over, self.span, self.kind, self.button):
            row.addWidget(part)
        row.addStretch(1)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(SPACE // 2)
        grid.addLayout(row, 0, 0)
        grid.addWidget(self.progress, 1, 0)
        grid.addWidget(self.words, 2, 0)
