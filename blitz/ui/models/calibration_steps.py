"""The table of a calibration's steps: the known value, what was sent, what the old and the new curve make of it."""

import math
from collections.abc import Sequence
from typing import Any

from PyQt5.QtCore import QModelIndex, QObject, Qt, pyqtSignal
from PyQt5.QtGui import QFont

from blitz.data.calibration_draft import StepView, short
from blitz.ui.definition_draft import parse_number
from blitz.ui.formats import MISSING
from blitz.ui.models.columns import ColumnsModel

_DIGITS = 4
KNOWN, SENT, DEVIATION, COUNT, BEFORE, AFTER, RESIDUAL = range(7)
_HEADS = {
    KNOWN: "What the value really was; F2 changes it",
    SENT: "Mean of the numbers that were sent meanwhile",
    DEVIATION: "Standard deviation of those numbers",
    COUNT: "How many there were",
    BEFORE: "What it is read as by the definition in use",
    AFTER: "What it is read as by the new curve",
    RESIDUAL: "Known value minus the new curve's",
}


class CalibrationStepsModel(ColumnsModel):
    """One row a step."""

    column_names = ("Known", "Sent", "±", "n", "Before", "Now", "Residual")
    number_columns = range(7)

    referred = pyqtSignal(int, float)
    """row, and its known value as it was typed"""
    refused = pyqtSignal(str)
    """why what was typed is none"""

    def __init__(self, number_font: QFont, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._font = number_font
        self._views: tuple[StepView, ...] = ()
        self._decimals = 3

    def show(self, views: Sequence[StepView]) -> None:
        """Show steps in their order."""
        known = [view.step.reference for view in views]
        span = max(known) - min(known) if known else 0.0
        self._decimals = 3 if span <= 0 else min(max(_DIGITS - math.floor(math.log10(span)), 0), 9)
        if len(views) == len(self._views):
            self._views = tuple(views)
            if views:
                self.dataChanged.emit(self.index(0, 0), self.index(len(views) - 1, RESIDUAL))
            return
        self.beginResetModel()
        self._views = tuple(views)
        self.endResetModel()

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """One row a step."""
        return 0 if parent.isValid() else len(self._views)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.DisplayRole) -> Any:
        """Return the name of a column, and what it means."""
        if role == Qt.ToolTipRole and orientation == Qt.Horizontal:
            return _HEADS.get(section)
        return super().headerData(section, orientation, role)

    def flags(self, index: QModelIndex) -> Qt.ItemFlags:
        """The known value can be typed anew."""
        flags = super().flags(index)
        return flags | Qt.ItemIsEditable if index.column() == KNOWN else flags

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Return what a cell shows."""
        if not index.isValid() or index.row() >= len(self._views):
            return None
        if role in (Qt.DisplayRole, Qt.EditRole):
            return self._text(self._views[index.row()], index.column())
        if role == Qt.TextAlignmentRole:
            return int(Qt.AlignRight | Qt.AlignVCenter)
        return self._font if role == Qt.FontRole else None

    def setData(self, index: QModelIndex, value: Any, role: int = Qt.EditRole) -> bool:
        """Take a known value as it was typed."""
        if role != Qt.EditRole or index.column() != KNOWN:
            return False
        number = parse_number(str(value))
        if number is None:
            self.refused.emit(f"“{str(value).strip()}” is not a number.")
            return False
        self.referred.emit(index.row(), number)
        return True

    def _text(self, view: StepView, column: int) -> str:
        step = view.step
        return {
            KNOWN: f"{step.reference:.9g}",
            SENT: f"{step.raw:.7g}",
            DEVIATION: short(step.deviation),
            COUNT: str(step.count),
            BEFORE: f"{view.before:.6g}",
            AFTER: MISSING if view.value is None else self._fixed(view.value),
            RESIDUAL: MISSING if view.residual is None else self._fixed(view.residual),
        }[column]

    def _fixed(self, value: float) -> str:
        """Write a value of the new curve: to the fifth digit of the range of the known values."""
        text = f"{value:.{self._decimals}f}"
        return text.removeprefix("-") if not float(text) else text
