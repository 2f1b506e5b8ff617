"""Choosing the channel that is analysed: from a box, or, with one click, from a list."""

from typing import NamedTuple

from PyQt5.QtCore import QSignalBlocker, QSize, Qt, pyqtSignal
from PyQt5.QtGui import QColor, QIcon, QPixmap
from PyQt5.QtWidgets import QListWidget, QListWidgetItem, QWidget

from blitz.ui.live_store import LiveChannel
from blitz.ui.theme import SPACE, Theme
from blitz.ui.widgets.choice import Choice

_WIDTH_PX, _LEAST_PX = 176, 96


class ShownChannel(NamedTuple):
    """A channel that can be looked at, and its place in the order of colours."""

    channel: LiveChannel
    colour_index: int

    def colour(self, theme: Theme) -> str:
        """Return what it is drawn in."""
        return self.channel.channel.color or theme.channel_colour(self.colour_index)


class ChannelBox(Choice):
    """The choice of one channel; what was chosen stays so while it is there."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setMinimumContentsLength(11)
        self.setSizeAdjustPolicy(Choice.AdjustToMinimumContentsLengthWithIcon)

    def show_channels(self, channels: tuple[ShownChannel, ...], first: int = 0) -> None:
        """Offer these; where another one was chosen, the n-th."""
        wanted, labels = self.currentText(), [shown.channel.label for shown in channels]
        with QSignalBlocker(self):
            self.clear()
            self.addItems(labels)
            place = labels.index(wanted) if wanted in labels else min(first, len(labels) - 1)
            self.setCurrentIndex(place)
        self.setEnabled(bool(labels))


class ChannelList(QListWidget):
    """Channels below each other; hidden while there is nothing to choose; what was chosen stays so while it is there.

    :param name: what a screen reader says of it.
    """

    chosen = pyqtSignal()
    """Somebody has chosen another one, with a click or the arrow keys."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setMinimumWidth(_LEAST_PX)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        self.setIconSize(QSize(SPACE + SPACE // 2, SPACE + SPACE // 2))
        self.currentRowChanged.connect(lambda _: self.chosen.emit())

    def currentText(self) -> str:
        """Return the label of the channel that is chosen; empty where there is none."""
        entry = self.currentItem()
        return "" if entry is None else entry.text()

    def choose(self, label: str) -> None:
        """Choose a channel that is offered."""
        for entry in self.findItems(label, Qt.MatchExactly)[:1]:
            self.setCurrentItem(entry)

    def show_channels(self, channels: tuple[ShownChannel, ...], theme: Theme) -> None:
        """Offer these, in their colours."""
        wanted, labels = self.currentText(), [shown.channel.label for shown in channels]
        with QSignalBlocker(self):
            self.clear()
            for shown in channels:
                square = QPixmap(self.iconSize())
                square.fill(QColor(shown.colour(theme)))
                icon = QIcon(square)
                icon.addPixmap(square, QIcon.Selected)  # Qt would tint it
                entry = QListWidgetItem(icon, shown.channel.label, self)
                entry.setToolTip(shown.channel.label)
            self.setCurrentRow(labels.index(wanted) if wanted in labels else min(0, len(labels) - 1))
        self.setVisible(len(labels) > 1)

    def sizeHint(self) -> QSize:
        """Return as little height as can be: the plot beside it says how much there is."""
        return QSize(_WIDTH_PX, 0)

    def minimumSizeHint(self) -> QSize:
        """Return the same for the least."""
        return QSize(_LEAST_PX, 0)
