"""The markers of a session beside its plot: a list, and what can be done with them."""

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QHBoxLayout, QLabel, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout, QWidget

from blitz.data.markers import with_marker
from blitz.data.records import Marker
from blitz.ui.plots.history_plot import HistoryPlot
from blitz.ui.plots.marker_marks import marker_words
from blitz.ui.plots.marker_menu import MarkerMenu
from blitz.ui.theme import SPACE
from blitz.ui.widgets.permitted import permit


class MarkerPanel(QWidget):
    """A click shows the marker in the plot, Enter or a double click changes it."""

    add_requested = pyqtSignal(float)
    """Seconds since the Unix epoch."""
    chosen = pyqtSignal(object)
    """Marker that is to be changed."""

    def __init__(self, plot: HistoryPlot, markers: tuple[Marker, ...]) -> None:
        super().__init__()
        self._plot = plot
        self._refusal = ""
        self._markers: tuple[Marker, ...] = ()
        self.told: list[Marker] = []
        """What became of markers since the page was opened."""
        self.menu = MarkerMenu(plot)
        self.menu.add_requested.connect(self.add_requested)
        self.menu.chosen.connect(self.chosen)
        self.rows = QListWidget()
        self.rows.setAccessibleName("Markers")
        self.rows.setUniformItemSizes(True)
        self.rows.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        self.rows.itemClicked.connect(self._look_at)
        self.rows.itemActivated.connect(self._choose)
        self.add = QPushButton("Add…")
        self.add.setProperty("kind", "quiet")
        self.add.setToolTip("Write a marker in the middle of what is shown (Ctrl+M); a right click writes one there")
        self.add.clicked.connect(self.add_in_the_middle)
        title = QLabel("Markers")
        title.setProperty("kind", "title")
        head = QHBoxLayout()
        head.addWidget(title, 1)
        head.addWidget(self.add)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, SPACE, 0, 0)
        column.setSpacing(SPACE // 2)
        column.addLayout(head)
        column.addWidget(self.rows, 1)
        self.show_markers(markers)

    @property
    def markers(self) -> tuple[Marker, ...]:
        """What it shows."""
        return self._markers

    def show_rights(self, refusal: str) -> None:
        """Take over why nothing can be written; empty where it can."""
        self._refusal = self.menu.refusal = refusal
        permit(self.add, refusal)

    def show_markers(self, markers: tuple[Marker, ...]) -> None:
        """Show exactly these markers, here and in the plot."""
        self._markers = markers
        self._plot.show_markers(markers)
        selected = self.rows.currentItem()
        kept = None if selected is None else selected.data(Qt.UserRole)
        self.rows.clear()
        for marker in markers:
            when = marker_words(marker).split(".", 1)[0]
            row = QListWidgetItem(f"{when}  {' '.join(marker.text.split())}")
            row.setToolTip(marker_words(marker))
            row.setData(Qt.UserRole, marker.id)
            self.rows.addItem(row)
            if marker.id == kept:
                self.rows.setCurrentItem(row)
        if not markers:
            row = QListWidgetItem("none yet")
            row.setFlags(Qt.NoItemFlags)
            self.rows.addItem(row)

    def take_marker(self, marker: Marker) -> None:
        """Show what became of a marker."""
        self.told.append(marker)
        self.show_markers(with_marker(self._markers, marker))

    def add_in_the_middle(self) -> None:
        """Ask for a marker in the middle of what is shown."""
        if not self._refusal:
            self.add_requested.emit(sum(self._plot.time_range) / 2)

    def _find(self, row: QListWidgetItem) -> Marker | None:
        return next((marker for marker in self._markers if marker.id == row.data(Qt.UserRole)), None)

    def _look_at(self, row: QListWidgetItem) -> None:
        """Move the plot until the marker is in its middle, unless it is in view."""
        marker = self._find(row)
        if marker is None:
            return
        low, high = self._plot.time_range
        begin, end = marker.from_ns / 1e9, (marker.to_ns or marker.from_ns) / 1e9
        if not low <= begin <= end <= high:
            half = max((high - low) / 2, (end - begin) * 0.6)
            self._plot.show_times((begin + end) / 2 - half, (begin + end) / 2 + half)

    def _choose(self, row: QListWidgetItem) -> None:
        marker = self._find(row)
        if marker is not None and not self._refusal:
            self.chosen.emit(marker)
