"""The box to choose one of several, or to type another: with an arrow that looks the same everywhere."""

from PyQt5.QtCore import QSize, Qt
from PyQt5.QtGui import QPainter, QPaintEvent, QPalette
from PyQt5.QtWidgets import QComboBox

from blitz.ui.theme import SPACE


class Choice(QComboBox):
    """Paints the arrow that Qt leaves out where a style sheet draws the border."""

    def sizeHint(self) -> QSize:
        """Leave room for the arrow: Qt knows of none."""
        return super().sizeHint() + QSize(SPACE, 0)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the box, then the arrow."""
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setPen(self.palette().color(QPalette.PlaceholderText))
        painter.drawText(self.rect().adjusted(0, 0, -SPACE, 0), int(Qt.AlignRight | Qt.AlignVCenter), "▾")
        painter.end()
