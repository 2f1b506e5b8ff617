"""Cells whose background says that something is wrong, and cells that are only ticked."""

from PyQt5.QtCore import QAbstractItemModel, QEvent, QModelIndex, QPointF, QRectF, Qt
from PyQt5.QtGui import QBrush, QColor, QKeyEvent, QPainter, QPalette, QPen, QPolygonF
from PyQt5.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem

_SIDE = 14.0
_TICK = ((0.22, 0.55), (0.42, 0.74), (0.80, 0.30))
"""Corners, as shares of the side."""


class MarkedDelegate(QStyledItemDelegate):
    """Paints the background that the style sheet leaves out; ticks stand in the middle of their cells."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Paint the background, the cell, then the tick."""
        background = index.data(Qt.BackgroundRole)
        if background is not None:
            painter.fillRect(option.rect, QBrush(background))
        super().paint(painter, option, index)
        state = index.data(Qt.CheckStateRole)
        if state is not None:
            _paint_box(painter, QRectF(option.rect), option.palette, is_on=state == Qt.Checked)

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Leave out the tick of the style, which cannot be seen where it is off."""
        super().initStyleOption(option, index)
        option.features = QStyleOptionViewItem.ViewItemFeatures(
            int(option.features) & ~int(QStyleOptionViewItem.HasCheckIndicator)
        )

    def editorEvent(
        self, event: QEvent, model: QAbstractItemModel, option: QStyleOptionViewItem, index: QModelIndex
    ) -> bool:
        """Tick by a click anywhere in the cell, or by Space."""
        state = index.data(Qt.CheckStateRole)
        if state is None or not index.flags() & Qt.ItemIsUserCheckable:
            return super().editorEvent(event, model, option, index)
        is_space = isinstance(event, QKeyEvent) and event.type() == QEvent.KeyPress and event.key() == Qt.Key_Space
        if event.type() != QEvent.MouseButtonRelease and not is_space:
            return False
        return model.setData(index, Qt.Unchecked if state == Qt.Checked else Qt.Checked, Qt.CheckStateRole)


def _paint_box(painter: QPainter, cell: QRectF, palette: QPalette, *, is_on: bool) -> None:
    box = QRectF(0, 0, _SIDE, _SIDE)
    box.moveCenter(cell.center())
    accent = palette.color(QPalette.Link)
    painter.save()
    painter.setRenderHint(QPainter.Antialiasing)
    painter.setPen(QPen(accent if is_on else palette.color(QPalette.PlaceholderText), 1.5))
    painter.setBrush(QBrush(accent) if is_on else Qt.NoBrush)
    painter.drawRoundedRect(box, 3, 3)
    if is_on:
        painter.setPen(QPen(QColor(palette.color(QPalette.Base)), 2))
        painter.drawPolyline(QPolygonF([QPointF(box.left() + x * _SIDE, box.top() + y * _SIDE) for x, y in _TICK]))
    painter.restore()
