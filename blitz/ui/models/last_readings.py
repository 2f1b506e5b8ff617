"""The table of the last ten readings: one row a channel, the newest on the left."""

from datetime import datetime
from typing import Any

from PyQt5.QtCore import QAbstractTableModel, QModelIndex, QObject, Qt, pyqtSignal
from PyQt5.QtGui import QFont

from blitz.ui.formats import MISSING, fitting_decimals, format_value
from blitz.ui.lines import Series
from blitz.ui.live_store import LiveChannel, LiveStore

LAST = 10


class LastReadingsModel(QAbstractTableModel):
    """Reads a :class:`LiveStore`; :meth:`refresh` is called by a timer."""

    grew = pyqtSignal(int)
    """A value needs more characters than any before: how many."""

    def __init__(self, store: LiveStore, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._channels: tuple[LiveChannel, ...] = ()
        self._decimals: list[int] = []
        self._series: dict[int, Series] = {}
        self._widest = 0
        self.number_font: QFont | None = None

    def refresh(self) -> None:
        """Read the newest readings."""
        if self._store.channels != self._channels:
            self.beginResetModel()
            self._channels = self._store.channels
            self._decimals = [0] * len(self._channels)
            self._read()
            self.endResetModel()
            # The view measures its names anew only when told.
            self.headerDataChanged.emit(Qt.Vertical, 0, max(0, len(self._channels) - 1))
        elif self._channels:
            self._read()
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._channels) - 1, LAST - 1))

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """One row a channel."""
        return 0 if parent.isValid() else len(self._channels)

    def columnCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008
        """Ten readings."""
        return 0 if parent.isValid() else LAST

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.DisplayRole) -> Any:
        """Name rows by channel, columns by how far back the reading is."""
        if role == Qt.DisplayRole:
            if orientation == Qt.Horizontal:
                return "Last" if section == 0 else f"−{section}"
            return self._channels[section].label
        if role == Qt.TextAlignmentRole:
            side = Qt.AlignRight if orientation == Qt.Horizontal else Qt.AlignLeft
            return int(side | Qt.AlignVCenter)
        if role == Qt.ToolTipRole and orientation == Qt.Vertical:
            return self._channels[section].label
        return None

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Return a reading, its time as tooltip."""
        if not index.isValid() or index.row() >= len(self._channels):
            return None
        if role == Qt.TextAlignmentRole:
            return int(Qt.AlignRight | Qt.AlignVCenter)
        if role == Qt.FontRole:
            return self.number_font
        if role not in (Qt.DisplayRole, Qt.ToolTipRole):
            return None
        channel = self._channels[index.row()]
        series = self._series.get(channel.source.index)
        place = -1 - index.column()
        if series is None or len(series.times) < -place or channel.column >= series.values.shape[1]:
            return MISSING if role == Qt.DisplayRole else None
        if role == Qt.ToolTipRole:
            return datetime.fromtimestamp(float(series.times[place])).astimezone().strftime("%H:%M:%S.%f")[:-3]
        return format_value(float(series.values[place, channel.column]), self._decimals[index.row()])

    def _read(self) -> None:
        self._series = {source.index: self._store.last(source.index, LAST) for source in self._store.sources}
        for row, channel in enumerate(self._channels):
            values = self._series[channel.source.index].values
            shown = values[:, channel.column].tolist() if channel.column < values.shape[1] else []
            self._decimals[row] = fitting_decimals(channel.channel, shown, self._decimals[row])
        widest = max((self._width(row) for row in range(len(self._channels))), default=0)
        if widest > self._widest:
            self._widest = widest
            self.grew.emit(widest)

    def _width(self, row: int) -> int:
        channel, series = self._channels[row], self._series[self._channels[row].source.index]
        if not len(series.times) or channel.column >= series.values.shape[1]:
            return 0
        return len(format_value(float(series.values[-1, channel.column]), self._decimals[row]))
