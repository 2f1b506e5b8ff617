"""The curve of a calibration: which one is chosen, its plot, and in words what it is and how well it fits."""

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from blitz.data.calibration_draft import CURVES, CalibrationDraft, curve_words, error_words
from blitz.data.calibration_fit import CurveFit
from blitz.ui.plots.calibration_plot import CalibrationPlot
from blitz.ui.theme import SPACE, Theme
from blitz.ui.widgets.choice import Choice
from blitz.ui.widgets.states import set_state


class CurvePane(QWidget):
    """Shows; what is chosen is told."""

    curve_chosen = pyqtSignal(int)
    """A degree, or 0 for a table."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.curve = Choice()
        for degree, words in CURVES.items():
            self.curve.addItem(words, degree)
        self.curve.setToolTip("What is laid through the steps: for most sensors a line")
        self.curve.currentIndexChanged.connect(lambda _: self.curve_chosen.emit(self.curve.currentData()))
        self.plot = CalibrationPlot(theme)
        self.formula, self.errors, self.doubts = (_words() for _ in range(3))
        set_state(self.doubts, "doubtful")
        caption = QLabel("Cur&ve")
        caption.setBuddy(self.curve)
        choice = QHBoxLayout()
        choice.setSpacing(SPACE)
        choice.addWidget(caption)
        choice.addWidget(self.curve)
        choice.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE // 2)
        column.addLayout(choice)
        column.addWidget(self.plot, 1)
        for part in (self.formula, self.errors, self.doubts):
            column.addWidget(part)

    def show_draft(self, draft: CalibrationDraft | None, fit: CurveFit | None, why: str) -> None:
        """Show the steps and the curve.

        :param why: there is none.
        """
        unit = draft.unit if draft else ""
        steps = tuple(draft.steps) if draft else ()
        self.plot.show_steps(draft.before if draft else None, steps, fit, unit)
        self.formula.setText(curve_words(fit, unit) if fit else why if steps else "")
        self.errors.setText(error_words(fit, unit) if fit else "")
        self.doubts.setText(" ".join(fit.doubts) if fit else "")
        if draft is not None:
            self.curve.setCurrentIndex(self.curve.findData(draft.curve))


def _words() -> QLabel:
    words = QLabel()
    words.setWordWrap(True)
    words.setTextFormat(Qt.PlainText)
    return words
