"""A right click on a plot: write a marker at that time, or change the one that is there."""

from PyQt5.QtCore import QObject, QPoint, Qt, pyqtSignal
from PyQt5.QtWidgets import QAction, QMenu

from blitz.data.records import Marker
from blitz.ui.plots.marker_marks import label_words, marker_words
from blitz.ui.plots.panels import PlotPanels
from blitz.ui.widgets.permitted import permit

NEAR_PIXELS = 6
_MOST_OFFERED = 8


class MarkerMenu(QObject):
    """Belongs to one plot."""

    add_requested = pyqtSignal(float)
    """Seconds since the Unix epoch."""
    chosen = pyqtSignal(object)
    """Marker that is to be changed."""

    def __init__(self, plot: PlotPanels) -> None:
        super().__init__(plot)
        self._plot = plot
        self.refusal = ""
        """Why nothing can be written; empty where it can."""
        plot.setContextMenuPolicy(Qt.CustomContextMenu)
        plot.customContextMenuRequested.connect(self._show)

    def markers_at(self, place: QPoint) -> list[Marker]:
        """Return the markers at a place of the plot, in its pixels: lines beside it, and spans around it."""
        low, high = (self._plot.time_at(place + QPoint(offset, 0)) * 1e9 for offset in (-NEAR_PIXELS, NEAR_PIXELS))
        return [
            marker
            for marker in self._plot.markers
            if marker.from_ns <= high and (marker.from_ns if marker.to_ns is None else marker.to_ns) >= low
        ]

    def make_menu(self, place: QPoint) -> QMenu:
        """Return what a click there offers."""
        menu = QMenu(self._plot)
        menu.setToolTipsVisible(True)
        at_s = self._plot.time_at(place)
        add = QAction("&Add a marker here…", menu)
        add.triggered.connect(lambda: self.add_requested.emit(at_s))
        menu.addAction(add)
        permit(add, self.refusal)
        found = self.markers_at(place)[:_MOST_OFFERED]
        if found:
            menu.addSeparator()
        for marker in found:
            change = QAction(f"Change “{label_words(marker)}”…".replace("&", "&&"), menu)
            change.setToolTip(marker_words(marker))
            change.triggered.connect(lambda _=False, marker=marker: self.chosen.emit(marker))
            menu.addAction(change)
            permit(change, self.refusal)
        return menu

    def _show(self, place: QPoint) -> None:
        if self._plot.is_blank:
            return
        menu = self.make_menu(place)
        menu.setAttribute(Qt.WA_DeleteOnClose)
        menu.popup(self._plot.mapToGlobal(place))
