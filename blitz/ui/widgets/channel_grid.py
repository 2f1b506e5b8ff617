"""Channels as rows of fields: what the device sends, and name, unit, zero and scale to type."""

from collections.abc import Callable
from itertools import pairwise

from PyQt5.QtCore import QEvent, QObject, Qt, pyqtSignal
from PyQt5.QtWidgets import QGridLayout, QLabel, QLineEdit, QWidget

from blitz.ui.definition_draft import DefinitionDraft
from blitz.ui.formats import MISSING
from blitz.ui.theme import SPACE, number_font

_FIELDS = (
    ("name", "Name", 190, "What the channel is called in plots, tables and files (Tab goes to the next name)"),
    ("unit", "Unit", 84, "Such as kPa or °C; may stay empty"),
    ("zero", "Zero", 88, "The number sent at zero: it is subtracted first"),
    ("scale", "Scale", 88, "How much one step of the number sent is worth, in the unit"),
)
_SENT, _FIRST_FIELD, _VALUE = 1, 2, 6
_HEADS = (("", 0), ("Sent", _SENT), ("Value", _VALUE))


class ChannelGrid(QWidget):
    """One row a channel. Tab goes down the names, then down the units, and so on."""

    edited = pyqtSignal(int, str, str)
    """row, field, text"""
    entered = pyqtSignal(int)
    """The row in which the cursor is now."""

    def __init__(self, count: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._fields: dict[tuple[int, str], QLineEdit] = {}
        self._numbers: list[QLabel] = []
        self._sent: list[QLabel] = []
        self._values: list[QLabel] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, SPACE, 0)
        self._grid.setHorizontalSpacing(SPACE + SPACE // 2)
        self._grid.setVerticalSpacing(SPACE // 2)
        for words, column in (*_HEADS, *((title, _FIRST_FIELD + n) for n, (_, title, _, _) in enumerate(_FIELDS))):
            self._grid.addWidget(_muted(words, is_right=column in (_SENT, _VALUE)), 0, column)
        for row in range(count):
            self._add_row(row)
        self._grid.setColumnStretch(_FIRST_FIELD, 1)
        self._grid.setRowStretch(count + 1, 1)
        chain = [self._fields[row, name] for name, *_ in _FIELDS for row in range(count)]
        for before, after in pairwise(chain):
            QWidget.setTabOrder(before, after)

    def field(self, row: int, name: str) -> QLineEdit | None:
        """Return a field; None where it is not in this grid."""
        return self._fields.get((row, name))

    def show_colours(self, colour: Callable[[int], str]) -> None:
        """Number the rows in the colours of their curves.

        :param colour: of the n-th channel.
        """
        for row, number in enumerate(self._numbers):
            number.setText(f"■ {row + 1}")
            number.setStyleSheet(f"color: {colour(row)}; font-weight: bold")
            number.setToolTip("The colour of its curve")

    def show_draft(self, draft: DefinitionDraft) -> None:
        """Fill the fields."""
        for (row, name), field in self._fields.items():
            text = getattr(draft.channels[row], name)
            channel = draft.base.channels[row]
            is_curved = bool(channel.table or channel.polynomial) and name in ("zero", "scale")
            field.setEnabled(not is_curved)
            field.setPlaceholderText("calibrated" if is_curved else "")
            if is_curved:
                field.setToolTip("The definition has a table or a polynomial, which stands for zero and scale")
                text = ""
            if field.text() != text:
                field.setText(text)

    def show_sample(self, row: int, sent: str, value: str) -> None:
        """Show what the device sends now, and what it means as typed."""
        self._sent[row].setText(sent)
        self._values[row].setText(value)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Tell in which row the cursor is."""
        if event.type() == QEvent.FocusIn:
            row = next((row for (row, _), field in self._fields.items() if field is watched), None)
            if row is not None:
                self.entered.emit(row)
        return super().eventFilter(watched, event)

    def _add_row(self, row: int) -> None:
        numbers = number_font(self.font())
        number = _muted(str(row + 1), is_right=True)
        self._numbers.append(number)
        self._grid.addWidget(number, row + 1, 0)
        for labels, column, widest in ((self._sent, _SENT, "−000000"), (self._values, _VALUE, "−00000.000 unit")):
            label = QLabel(MISSING)
            label.setFont(numbers)
            label.setAlignment(Qt.AlignRight | Qt.AlignVCenter)
            label.setMinimumWidth(label.fontMetrics().horizontalAdvance(widest))
            labels.append(label)
            self._grid.addWidget(label, row + 1, column)
        for place, (name, title, width, words) in enumerate(_FIELDS):
            field = QLineEdit()
            field.setMinimumWidth(width)
            if name != "name":
                field.setMaximumWidth(width)
            field.setToolTip(words)
            field.setAccessibleName(f"{title} of channel {row + 1}")
            field.installEventFilter(self)
            if name in ("zero", "scale"):
                field.setFont(numbers)
            field.textEdited.connect(lambda text, name=name: self.edited.emit(row, name, text))
            self._fields[row, name] = field
            self._grid.addWidget(field, row + 1, _FIRST_FIELD + place)


def _muted(words: str, *, is_right: bool = False) -> QLabel:
    label = QLabel(words)
    label.setIndent(0 if is_right else 2)
    label.setProperty("kind", "muted")
    label.setAlignment((Qt.AlignRight if is_right else Qt.AlignLeft) | Qt.AlignVCenter)
    return label
