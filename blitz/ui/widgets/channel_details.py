"""What can be said of one channel beyond name, unit and scale: how it is shown, and which values are none."""

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtGui import QColor
from PyQt5.QtWidgets import QCheckBox, QColorDialog, QGridLayout, QHBoxLayout, QLabel, QLineEdit, QPushButton, QWidget

from blitz.ui.definition_draft import ChannelDraft
from blitz.ui.theme import SPACE

_FIELDS = (
    ("label", "&Display name", "as the name", "What people read instead of the name"),
    ("color", "C&olour", "automatic", "Of its curve, as #rrggbb"),
    ("decimals", "D&ecimals", "automatic", "Digits behind the point"),
    ("valid_low", "&Valid from", "any", "A smaller value is no reading"),
    ("valid_high", "to", "any", "A larger value is no reading"),
    ("limit_low", "&Limits from", "none", "Drawn as a band; a smaller value is a reading all the same"),
    ("limit_high", "to", "none", "Drawn as a band; a larger value is a reading all the same"),
)
_PLACES = {
    **{"label": (1, 0), "color": (1, 2), "decimals": (1, 4)},
    **{"valid_low": (2, 0), "valid_high": (2, 2), "limit_low": (3, 0), "limit_high": (3, 2)},
}


class ChannelDetails(QWidget):
    """The fields of the channel whose row the cursor is in."""

    edited = pyqtSignal(str, object)
    """field and what was typed or ticked"""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._fields: dict[str, QLineEdit] = {}
        self._title = QLabel()
        self._title.setProperty("kind", "title")
        self.shown = QCheckBox("&Shown in plots")
        self.shown.clicked.connect(lambda is_on: self.edited.emit("shown", is_on))
        self.counts = QCheckBox("Num&bers the messages")
        self.counts.setToolTip("It rises by one with each message: what is missing is then told exactly")
        self.counts.clicked.connect(lambda is_on: self.edited.emit("counts_messages", is_on))
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(SPACE)
        grid.addWidget(self._title, 0, 0, 1, 6)
        for name, label, placeholder, words in _FIELDS:
            field = QLineEdit()
            field.setPlaceholderText(placeholder)
            field.setToolTip(words)
            field.textEdited.connect(lambda text, name=name: self.edited.emit(name, text))
            caption = QLabel(label)
            caption.setBuddy(field)
            row, column = _PLACES[name]
            grid.addWidget(caption, row, column)
            grid.addWidget(self._with_chooser(field) if name == "color" else field, row, column + 1)
            self._fields[name] = field
        grid.addWidget(self.shown, 2, 4, 1, 2)
        grid.addWidget(self.counts, 3, 4, 1, 2)

    def field(self, name: str) -> QLineEdit | None:
        """Return a field; None where it is not here."""
        return self._fields.get(name)

    def show_channel(self, row: int, draft: ChannelDraft) -> None:
        """Fill the fields."""
        self._title.setText(f"More on channel {row + 1}, {draft.name.strip() or 'without a name'}")
        for name, field in self._fields.items():
            text = getattr(draft, name)
            if field.text() != text:
                field.setText(text)
        self.shown.setChecked(draft.shown)
        self.counts.setChecked(draft.counts_messages)

    def _with_chooser(self, field: QLineEdit) -> QWidget:
        choose = QPushButton("…")
        choose.setToolTip("Choose a colour")
        choose.setAutoDefault(False)
        choose.setStyleSheet("padding: 5px 8px;")
        choose.clicked.connect(lambda: self._choose_colour(field))
        box = QWidget()
        row = QHBoxLayout(box)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE // 2)
        row.addWidget(field, 1)
        row.addWidget(choose)
        return box

    def _choose_colour(self, field: QLineEdit) -> None:
        dialog = QColorDialog(QColor(field.text() or "#0072b2"), self)

        def take() -> None:
            field.setText(dialog.selectedColor().name())
            self.edited.emit("color", field.text())

        dialog.accepted.connect(take)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
