"""The head of a calibration: which channel, what it sends, what it is read as and will be."""

from collections.abc import Sequence

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QWidget

from blitz.ui.formats import MISSING
from blitz.ui.theme import SPACE
from blitz.ui.widgets.choice import Choice
from blitz.ui.widgets.figure import Figure

_CHOICE_PX, _UNIT_PX = 150, 70


class CalibrationHead(QWidget):
    """Two choices, the unit, and three numbers."""

    source_chosen = pyqtSignal(str)
    channel_chosen = pyqtSignal(int)
    unit_typed = pyqtSignal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.source, self.channel = Choice(), Choice()
        self.source.currentTextChanged.connect(self.source_chosen)
        self.channel.currentIndexChanged.connect(self.channel_chosen)
        self.unit = QLineEdit()
        self.unit.setPlaceholderText("none")
        self.unit.setToolTip("Of the known values: the channel has it from Save on")
        self.unit.setMaximumWidth(_UNIT_PX)
        self.unit.textEdited.connect(lambda text: self.unit_typed.emit(text.strip()))
        self.sent = Figure("Sent now", "-0000000.00", self)
        self.reads = Figure("Is read as", "-0000000.00 °C", self)
        self.will_read = Figure("Will be read as", "-0000000.00 °C", self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE)
        fields: tuple[tuple[str, str, QWidget], ...] = (
            ("So&urce", "Source", self.source),
            ("C&hannel", "Channel", self.channel),
            ("Un&it", "Unit", self.unit),
        )
        for words, name, field in fields:
            caption = QLabel(words)
            caption.setBuddy(field)
            caption.setMinimumWidth(caption.sizeHint().width() + 4)
            field.setAccessibleName(name)
            field.setMinimumWidth(_UNIT_PX if field is self.unit else _CHOICE_PX)
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

    def show_unit(self, unit: str) -> None:
        """Show in which unit the known values are."""
        if self.unit.text().strip() != unit:
            self.unit.setText(unit)

    def show_values(
        self, sent: float | None, reads: float | None, will_read: float | None, unit: str = "", new_unit: str = ""
    ) -> None:
        """Show what a channel sends, and what that means, now and with the new curve; None: nobody knows."""
        self.sent.show_text(MISSING if sent is None else f"{sent:.7g}")
        for figure, value, behind in ((self.reads, reads, unit), (self.will_read, will_read, new_unit)):
            figure.show_text(MISSING if value is None else f"{value:.6g} {behind}".strip())
