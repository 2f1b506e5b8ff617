"""Which of a session's channels are wanted: a list to tick, and buttons that turn over all of it."""

from collections.abc import Sequence

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from blitz.ui.theme import SPACE
from blitz.ui.widgets.channel_delegate import ChannelDelegate


class ChannelTicks(QWidget):
    """Begins with all of them.

    :param labels: the session's channels.
    """

    changed = pyqtSignal()

    def __init__(self, labels: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._labels = tuple(labels)
        self.list = self._list()
        self.all, self.none = QPushButton("&All"), QPushButton("&None")
        self.setFocusProxy(self.list)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE)
        column.addWidget(self.list)
        row = QHBoxLayout()
        row.setSpacing(SPACE)
        for button, state in ((self.all, Qt.Checked), (self.none, Qt.Unchecked)):
            button.setAutoDefault(False)
            button.clicked.connect(lambda _=False, state=state: self._tick_all(state))
            button.setVisible(len(self._labels) > 1)
            row.addWidget(button)
        row.addStretch(1)
        column.addLayout(row)
        self.list.itemChanged.connect(lambda _: self.changed.emit())

    @property
    def chosen(self) -> tuple[str, ...] | None:
        """The labels that are ticked; None for all."""
        chosen = tuple(entry.text() for entry in self._entries() if entry.checkState() == Qt.Checked)
        return None if chosen == self._labels else chosen

    @property
    def has_any(self) -> bool:
        """Whether one is ticked, or there are none to tick."""
        return self.chosen != ()

    def _list(self) -> QListWidget:
        names = QListWidget()
        names.setAccessibleName("Channels")
        names.setSelectionMode(QAbstractItemView.NoSelection)
        names.setItemDelegate(ChannelDelegate(names))
        names.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Preferred)
        names.setMinimumHeight(14 * SPACE)
        for label in self._labels:
            entry = QListWidgetItem(label, names)
            entry.setFlags(Qt.ItemIsEnabled | Qt.ItemIsUserCheckable)
            entry.setCheckState(Qt.Checked)
        return names

    def _tick_all(self, state: Qt.CheckState) -> None:
        for entry in self._entries():
            entry.setCheckState(state)

    def _entries(self) -> list[QListWidgetItem]:
        entries = (self.list.item(row) for row in range(self.list.count()))
        return [entry for entry in entries if entry is not None]
