"""The channels of a historic session, to be ticked for its plot."""

from typing import Any

from PyQt5.QtCore import QAbstractListModel, QModelIndex, QObject, Qt, pyqtSignal
from PyQt5.QtGui import QColor

from blitz.ui.live_store import LiveChannel
from blitz.ui.theme import Theme


class ChannelChoice(QAbstractListModel):
    """Channels with a tick and their colour."""

    chosen = pyqtSignal()

    def __init__(self, channels: tuple[LiveChannel, ...], theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.theme = theme
        self._channels: list[list[LiveChannel]] = []
        self._shown: list[bool] = []
        self._take(channels)

    def show_channels(self, channels: tuple[LiveChannel, ...]) -> None:
        """Offer other ones; those that were there before stay as they were ticked."""
        before = {same[-1].label: is_shown for same, is_shown in zip(self._channels, self._shown, strict=True)}
        self.beginResetModel()
        self._take(channels)
        self._shown = [
            before.get(same[-1].label, is_shown) for same, is_shown in zip(self._channels, self._shown, strict=True)
        ]
        self.endResetModel()
        self.chosen.emit()

    def _take(self, channels: tuple[LiveChannel, ...]) -> None:
        by_label: dict[str, list[LiveChannel]] = {}
        for channel in sorted(channels, key=lambda channel: not channel.channel.shown):
            by_label.setdefault(channel.label, []).append(channel)
        # A channel whose definition was changed in mid-session stands in two rows of the source table: one line here.
        self._channels = list(by_label.values())
        self._shown = [same[-1].channel.shown for same in self._channels]

    @property
    def shown(self) -> tuple[tuple[LiveChannel, int], ...]:
        """Ticked channels and their places in the order of colours."""
        return tuple(
            (channel, place) for place, same in enumerate(self._channels) if self._shown[place] for channel in same
        )

    def turn(self, key: object) -> None:
        """Tick the channel with this key, or untick it."""
        for row, same in enumerate(self._channels):
            if any(channel.key == key for channel in same):
                self.setData(self.index(row), Qt.Unchecked if self._shown[row] else Qt.Checked, Qt.CheckStateRole)

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """One row a channel."""
        return 0 if parent.isValid() else len(self._channels)

    def flags(self, index: QModelIndex) -> Qt.ItemFlags:
        """Every channel can be ticked."""
        return Qt.ItemIsEnabled | Qt.ItemIsSelectable | Qt.ItemIsUserCheckable

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Return label, tick and colour."""
        if not index.isValid():
            return None
        channel = self._channels[index.row()][-1]
        if role == Qt.DisplayRole:
            return f"{channel.label} [{channel.channel.unit}]" if channel.channel.unit else channel.label
        if role == Qt.CheckStateRole:
            return Qt.Checked if self._shown[index.row()] else Qt.Unchecked
        if role == Qt.DecorationRole:
            return QColor(channel.channel.color or self.theme.channel_colour(index.row()))
        return None

    def setData(self, index: QModelIndex, value: Any, role: int = Qt.EditRole) -> bool:
        """Tick a channel."""
        if role != Qt.CheckStateRole:
            return False
        self._shown[index.row()] = value == Qt.Checked
        self.dataChanged.emit(index, index)
        self.chosen.emit()
        return True
