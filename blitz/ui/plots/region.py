"""A stretch of time that an operator marks on a plot, to be looked at closely: it stays where it is while one zooms."""

from PyQt5.QtCore import QLineF, QObject, QRectF, Qt, pyqtSignal
from PyQt5.QtGui import QColor, QPainter, QPen
from PyQt5.QtWidgets import QWidget

from blitz.ui.plots.span import Span
from blitz.ui.theme import Theme

_ALPHA = 34


class PlotRegion(QObject):
    """Belongs to one plot."""

    changed = pyqtSignal()
    """Another stretch is marked, or none."""

    def __init__(self, plot: QWidget) -> None:
        super().__init__(plot)
        self._plot = plot
        self.span: tuple[float, float] | None = None
        """Its edges, in seconds since the Unix epoch; None: nothing is marked."""
        self.is_wanted = False
        """Dragging with Shift marks."""
        self.drags = False
        """Dragging without Shift marks, too."""

    def takes(self, modifiers: Qt.KeyboardModifiers | Qt.KeyboardModifier) -> bool:
        """Whether dragging with these keys held marks a stretch."""
        return self.is_wanted and (self.drags or bool(modifiers & Qt.ShiftModifier))

    def choose(self, span: tuple[float, float] | None) -> None:
        """Mark a stretch, or none."""
        if span != self.span:
            self.span = span
            self._plot.update()
            self.changed.emit()

    def want(self, is_wanted: bool) -> None:
        """Let it be marked, or not; it is only shown where it can be."""
        self.is_wanted = is_wanted
        self._plot.update()

    def paint(self, painter: QPainter, area: QRectF, times: Span, theme: Theme) -> None:
        """Shade it over a panel."""
        if self.span is None or not self.is_wanted:
            return
        left, right = (times.pixel(edge) for edge in self.span)
        shade = QColor(theme.accent)
        shade.setAlpha(_ALPHA)
        painter.fillRect(QRectF(left, area.top(), right - left, area.height()), shade)
        painter.setPen(QPen(QColor(theme.accent), 1))
        painter.drawLines([QLineF(x, area.top(), x, area.bottom()) for x in (left, right)])
