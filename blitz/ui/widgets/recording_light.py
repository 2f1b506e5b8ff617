"""The light that says what the server does."""

from PyQt5.QtCore import QPointF, QRectF, QSize, Qt
from PyQt5.QtGui import QColor, QPainter, QPaintEvent, QPen
from PyQt5.QtWidgets import QWidget

from blitz.ui.recording_words import Doing
from blitz.ui.theme import LIGHT, Theme

SIZE = 26
_MIDDLE = QPointF(SIZE / 2, SIZE / 2)


class RecordingLight(QWidget):
    """Told by shape as well as by colour.

    Recording is a full disc, spooling a disc with a bar, preview a ring with a point, stopped a square, no connection
    a cross, and connecting three points.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._doing, self._theme = Doing.OFFLINE, LIGHT
        self.setFixedSize(SIZE, SIZE)
        self.setAccessibleName("Light")

    @property
    def doing(self) -> Doing:
        """What is shown."""
        return self._doing

    def show_state(self, doing: Doing, theme: Theme) -> None:
        """Set what is shown."""
        if (doing, theme) != (self._doing, self._theme):
            self._doing, self._theme = doing, theme
            self.setAccessibleDescription(doing.value)
            self.update()

    def sizeHint(self) -> QSize:
        """As large as the text beside it."""
        return QSize(SIZE, SIZE)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the shape of what the server does."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.Antialiasing)
        theme = self._theme
        match self._doing:
            case Doing.RECORDING:
                _paint_disc(painter, theme.recording)
            case Doing.SPOOLING:
                _paint_disc(painter, theme.warning)
                painter.setBrush(QColor(theme.raised))
                painter.drawRect(QRectF(7, SIZE / 2 - 2, SIZE - 14, 4))
            case Doing.PREVIEW:
                painter.setPen(QPen(QColor(theme.accent), 2.5))
                painter.drawEllipse(_MIDDLE, 8.0, 8.0)
                painter.setPen(Qt.NoPen)
                painter.setBrush(QColor(theme.accent))
                painter.drawEllipse(_MIDDLE, 3.0, 3.0)
            case Doing.STOPPED:
                painter.setPen(QPen(QColor(theme.muted), 2.5))
                painter.drawRoundedRect(QRectF(6, 6, SIZE - 12, SIZE - 12), 2, 2)
            case Doing.OFFLINE:
                painter.setPen(QPen(QColor(theme.muted), 2.5, Qt.SolidLine, Qt.RoundCap))
                painter.drawLine(QPointF(7, 7), QPointF(SIZE - 7, SIZE - 7))
                painter.drawLine(QPointF(SIZE - 7, 7), QPointF(7, SIZE - 7))
            case Doing.CONNECTING:
                painter.setPen(Qt.NoPen)
                painter.setBrush(QColor(theme.warning))
                for place in (-7.5, 0.0, 7.5):
                    painter.drawEllipse(_MIDDLE + QPointF(place, 0), 2.5, 2.5)
        painter.end()


def _paint_disc(painter: QPainter, colour: str) -> None:
    halo = QColor(colour)
    halo.setAlpha(60)
    painter.setPen(Qt.NoPen)
    painter.setBrush(halo)
    painter.drawEllipse(_MIDDLE, SIZE / 2 - 1, SIZE / 2 - 1)
    painter.setBrush(QColor(colour))
    painter.drawEllipse(_MIDDLE, SIZE / 2 - 5, SIZE / 2 - 5)
