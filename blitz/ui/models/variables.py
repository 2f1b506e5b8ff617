"""The table of variables: each channel's latest value, its unit, source and age. A tick shows it in the plot."""

from collections.abc import Callable
from typing import Any

from PyQt5.QtCore import QModelIndex, QObject, Qt, pyqtSignal
from PyQt5.QtGui import QColor, QFont

from blitz.ui.formats import MISSING, fitting_decimals, format_age, format_value
from blitz.ui.live_store import LiveChannel, LiveStore
from blitz.ui.models.columns import ColumnsModel

COLUMNS = ("Channel", "Value", "Unit", "Source", "Age")
CHANNEL, VALUE, UNIT, SOURCE, AGE = range(5)
_RIGHT = int(Qt.AlignRight | Qt.AlignVCenter)


class VariablesModel(ColumnsModel):
    """Reads a :class:`LiveStore`; :meth:`refresh` is called by a timer.

    :param colours: gives the colour of the n-th channel in the theme in force.
    """

    column_names = COLUMNS
    number_columns = (VALUE, AGE)

    shown_changed = pyqtSignal()

    def __init__(self, store: LiveStore, colours: Callable[[int], str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._colours = colours
        self._rows: tuple[LiveChannel, ...] = ()
        self._values: list[float] = []
        self._decimals: list[int] = []
        self._times: list[float] = []
        self._now = 0.0
        self._shown: dict[str, bool] = {}
        self._order: dict[tuple[int, int], int] = {}
        self.number_font: QFont | None = None

    @property
    def shown_channels(self) -> tuple[LiveChannel, ...]:
        """The channels that the plot shows."""
        return tuple(row for row in self._rows if self.is_shown(row))

    def is_shown(self, channel: LiveChannel) -> bool:
        """Whether the plot shows a channel: as chosen by its label, else as its definition says."""
        return self._shown.get(channel.label, channel.channel.shown)

    def colour(self, channel: LiveChannel) -> str:
        """Return a channel's colour: its own, else one of the theme in force."""
        return channel.channel.color or self._colours(self._order.get(channel.key, 0))

    def colour_index(self, channel: LiveChannel) -> int:
        """Return a channel's place in the order of colours: those shown by default come first."""
        return self._order.get(channel.key, 0)

    def refresh(self, now_s: float) -> None:
        """Read the newest values.

        :param now_s: the server's time, in seconds since the Unix epoch.
        """
        if self._store.channels != self._rows:
            self._rebuild()
        self._now = now_s
        self._read()
        if self._rows:
            self.dataChanged.emit(self.index(0, VALUE), self.index(len(self._rows) - 1, AGE))

    def recolour(self) -> None:
        """Read the colours again, after a change of theme."""
        if self._rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._rows) - 1, 0), [Qt.DecorationRole])

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """One row a channel."""
        return 0 if parent.isValid() else len(self._rows)

    def flags(self, index: QModelIndex) -> Qt.ItemFlags:
        """Channels can be ticked."""
        flags = super().flags(index)
        return flags | Qt.ItemIsUserCheckable if index.column() == CHANNEL else flags

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Return what a cell shows."""
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        row = self._rows[index.row()]
        column = index.column()
        if role == Qt.DisplayRole:
            return self._text(index.row(), column)
        if role == Qt.TextAlignmentRole and column in (VALUE, AGE):
            return _RIGHT
        if role == Qt.FontRole and column in (VALUE, AGE):
            return self.number_font
        if column == CHANNEL:
            if role == Qt.CheckStateRole:
                return Qt.Checked if self.is_shown(row) else Qt.Unchecked
            if role == Qt.DecorationRole:
                return QColor(self.colour(row))
        if role == Qt.ToolTipRole:
            source = row.source
            board = source.definition.name if source.definition else "unknown board"
            how = "A click on the square, or Enter, shows or hides it in the plot."
            return f"{row.label}\n{board} on {source.link}\n{how}"
        return None

    def setData(self, index: QModelIndex, value: Any, role: int = Qt.EditRole) -> bool:
        """Show or hide a channel in the plot."""
        if role != Qt.CheckStateRole or index.column() != CHANNEL:
            return False
        self._shown[self._rows[index.row()].label] = value == Qt.Checked
        self.dataChanged.emit(index, index, [Qt.CheckStateRole])
        self.shown_changed.emit()
        return True

    def show_only(self, labels: set[str] | None) -> None:
        """Tick exactly these channels; None ticks them as their definitions say."""
        self._shown = {} if labels is None else {row.label: row.label in labels for row in self._rows}
        if self._rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._rows) - 1, 0), [Qt.CheckStateRole])
        self.shown_changed.emit()

    @property
    def labels(self) -> set[str]:
        """The labels of all channels."""
        return {row.label for row in self._rows}

    def _text(self, row: int, column: int) -> str:
        channel = self._rows[row]
        if column == CHANNEL:
            return channel.channel.display_name
        if column == UNIT:
            return channel.channel.unit
        if column == SOURCE:
            return channel.source.name
        if column == VALUE:
            return format_value(self._values[row], self._decimals[row])
        return format_age(self._now - self._times[row]) if self._times[row] else MISSING

    def _rebuild(self) -> None:
        self.beginResetModel()
        self._rows = self._store.channels
        self._decimals = [0] * len(self._rows)
        by_default = sorted(self._rows, key=lambda channel: not channel.channel.shown)
        self._order = {channel.key: place for place, channel in enumerate(by_default)}
        self._read()
        self.endResetModel()
        self.shown_changed.emit()

    def _read(self) -> None:
        newest = {source.index: self._store.last(source.index, 1) for source in self._store.sources}
        self._values, self._times = [], []
        for row in self._rows:
            series = newest[row.source.index]
            has_value = len(series.times) > 0 and row.column < series.values.shape[1]
            self._values.append(float(series.values[-1, row.column]) if has_value else float("nan"))
            self._times.append(float(series.times[-1]) if has_value else 0.0)
        self._decimals = [
            fitting_decimals(row.channel, [value], known)
            for row, value, known in zip(self._rows, self._values, self._decimals, strict=True)
        ]
