"""Which session lies under the live plot, and what can be done about it."""

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QHBoxLayout, QPushButton, QWidget

from blitz.ui.theme import SPACE
from blitz.ui.widgets.elided import ElidedLabel
from blitz.ui.widgets.permitted import permit


class ReferenceBar(QWidget):
    """Only tells what was clicked; hidden while nothing lies under the plot."""

    change_clicked = pyqtSignal()
    alarm_clicked = pyqtSignal()
    remove_clicked = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.words = ElidedLabel(least=160)
        self.state = ElidedLabel(least=300)
        self.state.setProperty("kind", "muted")
        self.change = QPushButton("Change…")
        self.change.setToolTip("Choose another session, moment or tolerance")
        self.alarm = QPushButton("Make an alarm…")
        self.remove = QPushButton("Take it away")
        self.remove.setToolTip("Show the live curves alone")
        for button, told in (
            (self.change, self.change_clicked),
            (self.alarm, self.alarm_clicked),
            (self.remove, self.remove_clicked),
        ):
            button.setProperty("kind", "small")
            button.clicked.connect(told)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE)
        row.addWidget(self.words)
        row.addWidget(self.state)
        row.addStretch(1)
        row.addWidget(self.change)
        row.addWidget(self.alarm)
        row.addWidget(self.remove)
        self.hide()

    def show_state(self, state: str) -> None:
        """Say why nothing of it is seen; empty where it is."""
        self.state.setText(state)
        self.state.setVisible(bool(state))

    def show_reference(self, words: str, refusal: str) -> None:
        """Say what lies under the plot.

        :param words: empty where nothing does.
        :param refusal: why no alarm can be made of it; empty where one can.
        """
        self.words.setText(words)
        self.setVisible(bool(words))
        permit(self.alarm, refusal)
        if not refusal:
            self.alarm.setToolTip("Let the server tell when a channel leaves the band, whoever looks")
