"""Paints the last rates of a board as a small line in a table's cell."""

from collections.abc import Sequence

from PyQt5.QtCore import QModelIndex, QPointF, QRectF
from PyQt5.QtGui import QColor, QPainter, QPalette, QPen, QPolygonF
from PyQt5.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem, QWidget

from blitz.ui.theme import SPACE

_ROOM_ABOVE = 1.25
"""A steady rate does not run along the edge."""


class RateDelegate(QStyledItemDelegate):
    """Reads the rates from a role; the line stands on zero, and is as high as the greatest of them.

    :param role: gives numbers of 0 or more, oldest first.
    :param most: how many there are at most: fewer leave room on the left.
    """

    def __init__(self, role: int, most: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._role = role
        self._most = most

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Paint the cell, then the line."""
        super().paint(painter, option, index)
        rates: Sequence[float] = index.data(self._role) or ()
        if len(rates) < 2:
            return
        cell = QRectF(option.rect).adjusted(SPACE, SPACE - 1, -SPACE, -SPACE + 1)
        step = cell.width() / (self._most - 1)
        highest = max(max(rates) * _ROOM_ABOVE, 1e-9)
        left = cell.right() - step * (len(rates) - 1)
        points = [
            QPointF(left + n * step, cell.bottom() - rate / highest * cell.height()) for n, rate in enumerate(rates)
        ]
        colour = QColor(option.palette.color(QPalette.Text))
        colour.setAlpha(170)
        painter.save()
        painter.setClipRect(option.rect)
        painter.setRenderHint(QPainter.Antialiasing)
        painter.setPen(QPen(colour, 1.2))
        painter.drawPolyline(QPolygonF(points))
        painter.restore()
