"""The program's icon: a flash in a rounded square, painted, so that no picture has to be shipped."""

from PyQt5.QtCore import QPointF, QRectF, Qt
from PyQt5.QtGui import QColor, QIcon, QPainter, QPixmap, QPolygonF

from blitz.ui.theme import DARK, LIGHT

_SIZES = (16, 24, 32, 48, 64, 128, 256)
_FLASH = ((0.58, 0.12), (0.24, 0.56), (0.47, 0.56), (0.40, 0.88), (0.76, 0.42), (0.52, 0.42))
"""Corners, as shares of the side."""


def build_icon() -> QIcon:
    """Return the icon in all usual sizes; needs the application."""
    icon = QIcon()
    for side in _SIZES:
        picture = QPixmap(side, side)
        picture.fill(Qt.transparent)
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.Antialiasing)
        painter.setPen(Qt.NoPen)
        painter.setBrush(QColor(LIGHT.accent))
        painter.drawRoundedRect(QRectF(0, 0, side, side), side * 0.22, side * 0.22)
        painter.setBrush(QColor(DARK.channels[4]))
        painter.drawPolygon(QPolygonF([QPointF(x * side, y * side) for x, y in _FLASH]))
        painter.end()
        icon.addPixmap(picture)
    return icon
