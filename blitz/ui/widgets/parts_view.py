"""A table of channels or commands with the buttons that add, move and remove them."""

from collections.abc import Callable

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QAbstractItemView, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from blitz.ui.models.definition_parts import PartsModel
from blitz.ui.theme import SPACE
from blitz.ui.widgets.marked_delegate import MarkedDelegate
from blitz.ui.widgets.table import DENSE_ROW_HEIGHT, Table


class PartsView(QWidget):
    """Cells are typed in where they stand; asks for the rest by signals."""

    added = pyqtSignal()
    removed = pyqtSignal(int)
    moved = pyqtSignal(int, int)
    """row, and by how many"""

    def __init__(self, model: PartsModel, what: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self.table = Table(model, f"No {what} yet. Press “Add a {what}”.")
        self.table.setAccessibleName(f"{what.capitalize()}s")
        self.table.setItemDelegate(MarkedDelegate(self.table))
        self.table.setEditTriggers(
            QAbstractItemView.DoubleClicked | QAbstractItemView.EditKeyPressed | QAbstractItemView.AnyKeyPressed
        )
        self.table.setSelectionBehavior(QAbstractItemView.SelectItems)
        self.table.verticalHeader().setDefaultSectionSize(DENSE_ROW_HEIGHT)
        self.table.setShowGrid(True)
        self.add = _button(f"Add a {what}", "Behind the last one", self.added.emit)
        self.remove = _button("Remove", f"Remove the {what} with the cursor", self._ask_remove)
        self.up = _button("Up", "Move it up", lambda: self._ask_move(-1))
        self.down = _button("Down", "Move it down", lambda: self._ask_move(1))
        row = QHBoxLayout()
        row.setSpacing(SPACE)
        for button in (self.add, self.remove, self.up, self.down):
            row.addWidget(button)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, SPACE, 0, 0)
        column.setSpacing(SPACE)
        column.addWidget(self.table, 1)
        column.addLayout(row)
        model.modelReset.connect(self.fit_columns)
        self.fit_columns()

    def fit_columns(self) -> None:
        """Give each column the width that its field has."""
        measures = self.table.horizontalHeader().fontMetrics()
        for column, field in enumerate(self._model.fields):
            self.table.setColumnWidth(column, max(field.width, measures.horizontalAdvance(field.title) + 3 * SPACE))

    def show_enabled(self, is_enabled: bool) -> None:
        """Whether the text can be changed by fields: not while it is no TOML."""
        self._model.is_enabled = is_enabled
        for button in (self.add, self.remove, self.up, self.down):
            button.setEnabled(is_enabled)

    def select(self, row: int) -> None:
        """Put the cursor into a row."""
        self.table.setCurrentIndex(self._model.index(row, 0))

    def _ask_remove(self) -> None:
        row = self.table.currentIndex().row()
        if row >= 0:
            self.removed.emit(row)

    def _ask_move(self, by: int) -> None:
        row = self.table.currentIndex().row()
        if row >= 0 and 0 <= row + by < self._model.rowCount():
            self.moved.emit(row, by)
            self.select(row + by)


def _button(label: str, words: str, act: Callable[[], object]) -> QPushButton:
    button = QPushButton(label)
    button.setToolTip(words)
    button.clicked.connect(lambda: act())
    return button
