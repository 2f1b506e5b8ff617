"""The light that says whether the server records."""

from PyQt5.QtCore import QRectF, QSize, Qt
from PyQt5.QtGui import QColor, QPainter, QPaintEvent, QPen
from PyQt5.QtWidgets import QWidget

SIZE = 26


class RecordingLight(QWidget):
    """A full disc while the server records, a ring otherwise: told by shape as well as by colour."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colour = QColor("#888888")
        self._is_full = False
        self.setFixedSize(SIZE, SIZE)

    def show_state(self, colour: str, is_full: bool) -> None:
        """Set what is shown."""
        self._colour, self._is_full = QColor(colour), is_full
        self.update()

    def sizeHint(self) -> QSize:
        """As large as the text beside it."""
        return QSize(SIZE, SIZE)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint disc or ring."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.Antialiasing)
        halo = QColor(self._colour)
        halo.setAlpha(60)
        if self._is_full:
            painter.setPen(Qt.NoPen)
            painter.setBrush(halo)
            painter.drawEllipse(QRectF(1, 1, SIZE - 2, SIZE - 2))
            painter.setBrush(self._colour)
            painter.drawEllipse(QRectF(5, 5, SIZE - 10, SIZE - 10))
        else:
            painter.setPen(QPen(self._colour, 2.5))
            painter.setBrush(Qt.NoBrush)
            painter.drawEllipse(QRectF(6, 6, SIZE - 12, SIZE - 12))
        painter.end()
