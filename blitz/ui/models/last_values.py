"""The table of one server's last values."""

from collections.abc import Sequence
from typing import Any

from PyQt5.QtCore import QModelIndex, QObject, Qt
from PyQt5.QtGui import QFont

from blitz.ui.formats import format_age
from blitz.ui.last_values import LastValue
from blitz.ui.models.columns import ColumnsModel

SOURCE, CHANNEL, VALUE, AGE = range(4)
_NUMBERS = (VALUE, AGE)


class LastValuesModel(ColumnsModel):
    """One row a channel."""

    column_names = ("Source", "Channel", "Value", "Age")
    number_columns = _NUMBERS

    def __init__(self, font: QFont, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._font = font
        self._now_s = self._ahead_s = 0.0
        self.values: tuple[LastValue, ...] = ()

    def show(self, values: Sequence[LastValue], now_s: float) -> None:
        """Take over the values.

        :param now_s: this computer's time, in seconds since the Unix epoch.
        """
        # The server's clock may be ahead of ours: nothing is younger than now.
        self._ahead_s = max(0.0, max((value.time_s for value in values), default=now_s) - now_s)
        self._now_s = now_s + self._ahead_s
        names = [(value.source, value.channel.name) for value in values]
        if names == [(value.source, value.channel.name) for value in self.values]:
            self.values = tuple(values)
            if values:
                self.dataChanged.emit(self.index(0, 0), self.index(len(values) - 1, AGE))
            return
        self.beginResetModel()
        self.values = tuple(values)
        self.endResetModel()

    def let_age(self, now_s: float) -> None:
        """Take over what time it is, where nothing new has come.

        :param now_s: as for :meth:`show`.
        """
        self._now_s = now_s + self._ahead_s
        if self.values:
            self.dataChanged.emit(self.index(0, AGE), self.index(len(self.values) - 1, AGE))

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """One row a channel."""
        return 0 if parent.isValid() else len(self.values)

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Return what a cell shows."""
        if not index.isValid() or index.row() >= len(self.values):
            return None
        value, column = self.values[index.row()], index.column()
        if role in (Qt.DisplayRole, Qt.ToolTipRole):
            age = format_age(self._now_s - value.time_s)
            return (value.source, value.channel.label or value.channel.name, value.text, age)[column]
        if role == Qt.TextAlignmentRole and column in _NUMBERS:
            return int(Qt.AlignRight | Qt.AlignVCenter)
        if role == Qt.FontRole and column in _NUMBERS:
            return self._font
        return None
