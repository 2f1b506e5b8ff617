"""A list of things to be ticked, each perhaps with a colour."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PyQt5.QtCore import QAbstractListModel, QModelIndex, QObject, Qt, pyqtSignal
from PyQt5.QtGui import QColor


@dataclass(frozen=True)
class Tick:
    """One of them.

    :param colour: as #rrggbb; empty for none.
    """

    key: object
    text: str
    is_on: bool = True
    colour: str = ""
    tip: str = ""


class TickList(QAbstractListModel):
    """What :class:`~blitz.ui.widgets.channel_delegate.ChannelDelegate` paints as squares."""

    chosen = pyqtSignal()

    def __init__(self, ticks: Sequence[Tick] = (), parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._ticks = list(ticks)

    def show(self, ticks: Sequence[Tick]) -> None:
        """List these; ticks are as they say."""
        if [tick.key for tick in ticks] == [tick.key for tick in self._ticks]:
            self._ticks = list(ticks)
            if ticks:
                self.dataChanged.emit(self.index(0), self.index(len(ticks) - 1))
            return
        self.beginResetModel()
        self._ticks = list(ticks)
        self.endResetModel()

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """All of them, as they stand."""
        return tuple(self._ticks)

    @property
    def keys(self) -> tuple[object, ...]:
        """Of those that are ticked."""
        return tuple(tick.key for tick in self._ticks if tick.is_on)

    def turn(self, key: object) -> None:
        """Tick one, or untick it."""
        for row, tick in enumerate(self._ticks):
            if tick.key == key:
                self.setData(self.index(row), Qt.Unchecked if tick.is_on else Qt.Checked, Qt.CheckStateRole)

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """One row each."""
        return 0 if parent.isValid() else len(self._ticks)

    def flags(self, index: QModelIndex) -> Qt.ItemFlags:
        """Each can be ticked."""
        return Qt.ItemIsEnabled | Qt.ItemIsSelectable | Qt.ItemIsUserCheckable

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Return text, tick and colour."""
        if not index.isValid():
            return None
        tick = self._ticks[index.row()]
        if role == Qt.DisplayRole:
            return tick.text
        if role == Qt.ToolTipRole:
            return tick.tip or tick.text
        if role == Qt.CheckStateRole:
            return Qt.Checked if tick.is_on else Qt.Unchecked
        if role == Qt.DecorationRole and tick.colour:
            return QColor(tick.colour)
        return None

    def setData(self, index: QModelIndex, value: Any, role: int = Qt.EditRole) -> bool:
        """Tick one."""
        if role != Qt.CheckStateRole:
            return False
        tick = self._ticks[index.row()]
        self._ticks[index.row()] = Tick(tick.key, tick.text, value == Qt.Checked, tick.colour, tick.tip)
        self.dataChanged.emit(index, index)
        self.chosen.emit()
        return True
