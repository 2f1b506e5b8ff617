"""What people say of a calibration: who, against what, and until when it is good."""

from datetime import date, timedelta

from PyQt5.QtCore import QDate, Qt
from PyQt5.QtWidgets import QCheckBox, QDateEdit, QGridLayout, QHBoxLayout, QLabel, QLineEdit, QWidget

from blitz.data.calibration_draft import CalibrationFacts
from blitz.ui.theme import SPACE

_USUAL = timedelta(days=365)


class CalibrationFactsForm(QWidget):
    """Three fields in two rows.

    :param who: who sits here.
    """

    def __init__(self, who: str, today: date, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.who = QLineEdit(who)
        self.against = QLineEdit()
        self.against.setPlaceholderText("instrument and certificate, such as Fluke 754, no. 4711")
        self.against.setToolTip("What told the known values, for those who ask later")
        self.has_end = QCheckBox("&Good through")
        self.has_end.setChecked(True)
        self.has_end.setToolTip("Blitz warns before that day, and behind it")
        last = today + _USUAL
        self.last_day = QDateEdit(QDate(last.year, last.month, last.day))
        self.last_day.setDisplayFormat("yyyy-MM-dd")
        self.last_day.setMinimumDate(QDate(today.year, today.month, today.day))
        self.last_day.setButtonSymbols(QDateEdit.NoButtons)  # the arrow keys and the wheel turn the part at the cursor
        self.last_day.setCurrentSection(QDateEdit.YearSection)
        self.last_day.setAccessibleName("Last day on which it is good")
        self.has_end.toggled.connect(self.last_day.setEnabled)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(SPACE)
        grid.setVerticalSpacing(SPACE)
        for row, (label, field) in enumerate((("&By", self.who), ("&Against", self.against))):
            words = QLabel(label)
            words.setBuddy(field)
            words.setMinimumWidth(words.sizeHint().width() + 4)
            grid.addWidget(words, row, 0)
            grid.addWidget(field, row, 1)
        until = QHBoxLayout()
        until.setSpacing(SPACE)
        until.addWidget(self.has_end)
        until.addWidget(self.last_day)
        until.addStretch(1)
        grid.addLayout(until, 0, 2, Qt.AlignVCenter)
        grid.setColumnStretch(1, 1)

    @property
    def facts(self) -> CalibrationFacts:
        """What was said."""
        day = self.last_day.date().toPyDate() if self.has_end.isChecked() else None
        return CalibrationFacts(self.who.text().strip(), self.against.text().strip(), day)
