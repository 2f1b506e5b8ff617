"""Cells of the table of variables, painted by hand several times a second: a style sheet takes six times as long."""

import numpy as np
from numpy.typing import NDArray
from PyQt5.QtCore import QModelIndex, Qt
from PyQt5.QtGui import QFont, QPainter, QPalette, QPen
from PyQt5.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget
from pyqtgraph.functions import arrayToQPolygonF

from blitz.ui.models.variables import CHANNEL, LOOK_ROLE, TREND_ROLE, CellLook
from blitz.ui.theme import SPACE, number_font
from blitz.ui.widgets.channel_delegate import SWATCH, ChannelDelegate, TextDelegate, paint_swatch

_MARGIN = 6
_RIGHT = int(Qt.AlignRight | Qt.AlignVCenter)
_LEFT = int(Qt.AlignLeft | Qt.AlignVCenter)


class QuickDelegate(TextDelegate):
    """Paints what :data:`LOOK_ROLE` says of a cell."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._numbers = number_font(parent.font())

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Paint the cell."""
        look: CellLook = index.data(LOOK_ROLE)
        painter.setFont(self._numbers if look.is_number else option.font)
        paint_text(painter, option, look, _MARGIN)


class NameDelegate(ChannelDelegate):
    """Paints a channel's square and name, or the head of a board."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Paint the cell."""
        look: CellLook = index.data(LOOK_ROLE)
        font = QFont(option.font)
        font.setBold(look.is_head)
        painter.setFont(font)
        if look.is_head:
            paint_text(painter, option, look, _MARGIN)
            return
        paint_text(painter, option, look, SWATCH + SPACE + _MARGIN + 2)
        is_full = index.data(Qt.CheckStateRole) == Qt.Checked
        paint_swatch(painter, option.rect, index.data(Qt.DecorationRole), is_full)


class TrendDelegate(QStyledItemDelegate):
    """A line as high as the cell, from the smallest of the last readings to the largest; missing ones break it."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Paint the line in the channel's colour."""
        paint_ground(painter, option)
        values = index.data(TREND_ROLE)
        if values is None or not len(values):
            return
        cell = option.rect.adjusted(SPACE // 2, SPACE // 2 + 1, -SPACE // 2, -SPACE // 2 - 1)
        painter.save()
        painter.setRenderHint(QPainter.Antialiasing)
        painter.setPen(QPen(index.siblingAtColumn(CHANNEL).data(Qt.DecorationRole), 1))
        painter.translate(cell.topLeft())
        for line in trend_lines(values, cell.width(), cell.height()):
            painter.drawPolyline(arrayToQPolygonF(line[:, 0], line[:, 1]))
        painter.restore()


def paint_ground(painter: QPainter, option: QStyleOptionViewItem) -> None:
    """Paint the ground of a selected cell."""
    if option.state & QStyle.State_Selected:
        painter.fillRect(option.rect, option.palette.color(QPalette.Highlight))


def paint_text(painter: QPainter, option: QStyleOptionViewItem, look: CellLook, left: int) -> None:
    """Paint a cell's ground and text; what has no room is left out in the middle."""
    paint_ground(painter, option)
    if not look.text:
        return
    is_selected = bool(option.state & QStyle.State_Selected)
    usual = option.palette.color(QPalette.HighlightedText if is_selected else QPalette.Text)
    place, text = option.rect.adjusted(left, 0, -_MARGIN, 0), look.text
    if not look.is_number:
        text = painter.fontMetrics().elidedText(text, Qt.ElideMiddle, place.width() + 1)
    painter.setPen(look.colour or usual)
    painter.drawText(place, _RIGHT if look.is_number else _LEFT, text)


def trend_lines(values: NDArray[np.float64], width: float, height: float) -> list[NDArray[np.float64]]:
    """Return unbroken lines through values, each (n, 2), y growing downwards; a steady value runs in the middle.

    >>> [line.tolist() for line in trend_lines(np.array([0.0, 4.0, np.nan, 2.0, 2.0]), 40, 8)]
    [[[0.0, 8.0], [10.0, 0.0]], [[30.0, 4.0], [40.0, 4.0]]]
    """
    known = np.isfinite(values)
    if np.count_nonzero(known) < 2:
        return []
    low, high = values[known].min(), values[known].max()
    share = (values - low) / (high - low) if high > low else np.where(known, 0.5, np.nan)
    points = np.column_stack([np.linspace(0, width, len(values)), height * (1 - share)])
    if known.all():
        return [points]
    ends = np.flatnonzero(np.diff(known.astype(np.int8))) + 1
    runs = np.split(points, ends)[0 if known[0] else 1 :: 2]
    return [run for run in runs if len(run) > 1]
