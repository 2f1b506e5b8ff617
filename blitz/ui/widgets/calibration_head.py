"""The head of a calibration: which channel, what it sends, what it is read as and will be."""

from collections.abc import Sequence

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QHBoxLayout, QLabel, QWidget

from blitz.ui.formats import MISSING
from blitz.ui.theme import SPACE
from blitz.ui.widgets.choice import Choice
from blitz.ui.widgets.figure import Figure

_CHOICE_PX = 150


class CalibrationHead(QWidget):
    """Two choices and three numbers."""

    source_chosen = pyqtSignal(str)
    channel_chosen = pyqtSignal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.source, self.channel = Choice(), Choice()
        self.source.currentTextChanged.connect(self.source_chosen)
        self.channel.currentIndexChanged.connect(self.channel_chosen)
        self.sent = Figure("Sent now", "-0000000.00", self)
        self.reads = Figure("Is read as", "-0000000.00 °C", self)
        self.will_read = Figure("Will be read as", "-0000000.00 °C", self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE)
        for words, name, field in (("So&urce", "Source", self.source), ("C&hannel", "Channel", self.channel)):
            caption = QLabel(words)
            caption.setBuddy(field)
            caption.setMinimumWidth(caption.sizeHint().width() + 4)
            field.setAccessibleName(name)
            field.setMinimumWidth(_CHOICE_PX)
            row.addWidget(caption)
            row.addWidget(field)
        row.addStretch(1)
        for figure in (self.sent, self.reads, self.will_read):
            row.addWidget(figure)

    def show_channels(self, names: Sequence[str], chosen: int = 0) -> None:
        """Offer a source's channels, and say which one is chosen."""
        self.channel.blockSignals(True)
        self.channel.clear()
        self.channel.addItems(list(names))
        self.channel.setCurrentIndex(min(chosen, len(names) - 1))
        self.channel.blockSignals(False)
        self.channel_chosen.emit(self.channel.currentIndex())

    def show_values(self, sent: float | None, reads: float | None, will_read: float | None, unit: str) -> None:
        """Show what a channel sends, and what that means; None: nobody knows."""
        behind = f" {unit}" if unit else ""
        self.sent.show_text(MISSING if sent is None else f"{sent:.7g}")
        for figure, value in ((self.reads, reads), (self.will_read, will_read)):
            figure.show_text(MISSING if value is None else f"{value:.6g}{behind}")
