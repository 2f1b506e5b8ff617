"""Asks which channels the page of numbers shows."""

from collections.abc import Sequence

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from blitz.ui.theme import SPACE


class NumberChannelsDialog(QDialog):
    """Accepted with a choice: the plot's channels, or some of one's own, at least one.

    :param labels: of all channels there are.
    :param ticked: of those that are shown now.
    :param most: how many can be shown.
    """

    def __init__(
        self,
        labels: Sequence[str],
        ticked: Sequence[str],
        *,
        is_own: bool,
        most: int,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Channels as numbers")
        self._most = most
        self.as_plot = QRadioButton("As in the &plot")
        self.own = QRadioButton("These &channels:")
        (self.own if is_own else self.as_plot).setChecked(True)
        self.as_plot.toggled.connect(lambda _: self._show())
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Filter channels")
        self.filter.setAccessibleName("Filter channels")
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(self._filter)
        self.list = QListWidget()
        self.list.setAccessibleName("Channels")
        for label in labels:
            row = QListWidgetItem(label)
            row.setFlags(Qt.ItemIsEnabled | Qt.ItemIsSelectable | Qt.ItemIsUserCheckable)
            row.setCheckState(Qt.Checked if label in ticked else Qt.Unchecked)
            self.list.addItem(row)
        self.list.itemChanged.connect(lambda _: self._take_tick())
        self.count = QLabel()
        self.count.setProperty("kind", "muted")
        self._lay_out()
        self._show()

    @property
    def chosen(self) -> tuple[str, ...] | None:
        """The labels that are ticked; None: those of the plot."""
        if self.as_plot.isChecked():
            return None
        return tuple(row.text() for row in self._rows() if row.checkState() == Qt.Checked)

    def tick_all(self, is_on: bool) -> None:
        """Tick the channels that the filter shows, or none."""
        for row in self._rows():
            if not row.isHidden():
                row.setCheckState(Qt.Checked if is_on else Qt.Unchecked)

    def _take_tick(self) -> None:
        self.own.setChecked(True)
        self._show()

    def _show(self) -> None:
        count = len(self.chosen or ())
        is_own = self.own.isChecked()
        self.count.setText(f"{count} of at most {self._most}" if is_own else "")
        self.ok.setEnabled(not is_own or 0 < count <= self._most)

    def _filter(self, text: str) -> None:
        words = text.casefold().split()
        for row in self._rows():
            row.setHidden(not all(word in row.text().casefold() for word in words))

    def _rows(self) -> list[QListWidgetItem]:
        rows = (self.list.item(place) for place in range(self.list.count()))
        return [row for row in rows if row is not None]

    def _lay_out(self) -> None:
        buttons = QDialogButtonBox()
        self.ok = buttons.addButton("&Show", QDialogButtonBox.AcceptRole)
        buttons.addButton(QDialogButtonBox.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        row = QHBoxLayout()
        row.setSpacing(SPACE)
        for words, is_on in (("&All", True), ("&None", False)):
            button = QPushButton(words)
            button.setProperty("kind", "quiet")
            button.setAutoDefault(False)
            button.clicked.connect(lambda _=False, is_on=is_on: self.tick_all(is_on))
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(self.count)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, 2 * SPACE)
        column.setSpacing(SPACE)
        for widget in (self.as_plot, self.own, self.filter):
            column.addWidget(widget)
        column.addWidget(self.list, 1)
        column.addLayout(row)
        column.addWidget(buttons)
        self.ok.setDefault(True)
        self.filter.setVisible(self.list.count() > 12)
        self.resize(400, 480)
