"""Channels in lists: a square of the channel's colour, full while the plot shows it, hollow while it does not."""

from typing import Any, cast

from PyQt5.QtCore import QAbstractItemModel, QEvent, QModelIndex, QRect, QRectF, QSize, Qt
from PyQt5.QtGui import QColor, QIcon, QKeyEvent, QMouseEvent, QPainter, QPalette, QPen, QPixmap
from PyQt5.QtWidgets import QApplication, QLineEdit, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from blitz.ui.theme import SPACE

SWATCH = 13
_LEAST_EDITOR_WIDTH = 220


class TextDelegate(QStyledItemDelegate):
    """Lets a text be typed in its cell; what is typed stays when the table is refreshed meanwhile."""

    def setEditorData(self, editor: QWidget, index: QModelIndex) -> None:
        """Show the text, unless something else is being typed already."""
        if not (isinstance(editor, QLineEdit) and editor.isModified()):
            super().setEditorData(editor, index)


class ChannelDelegate(TextDelegate):
    """Paints what CheckStateRole and DecorationRole (a QColor) say as one square; a click or Space turns it over.

    A cell without a check state is plain text; a square without a colour has that of ticks.
    """

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Leave tick and colour to :meth:`paint`, and room for them."""
        super().initStyleOption(option, index)
        if index.data(Qt.CheckStateRole) is None:
            return
        option.features &= ~QStyleOptionViewItem.HasCheckIndicator  # type: ignore[assignment]
        option.features |= QStyleOptionViewItem.HasDecoration
        room = QPixmap(SWATCH + SPACE // 2, SWATCH)
        room.fill(Qt.transparent)
        option.icon = QIcon(room)
        option.decorationSize = room.size()

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex) -> QSize:
        """Room between two squares."""
        return super().sizeHint(option, index).expandedTo(QSize(0, SWATCH + 2 * SPACE))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Paint the cell, then the square."""
        super().paint(painter, option, index)
        if index.data(Qt.CheckStateRole) is None:
            return
        # Not the option's palette: there the style sheet has put the selection's colours.
        colour = index.data(Qt.DecorationRole) or QApplication.palette().color(QPalette.Highlight)
        paint_swatch(painter, option.rect, colour, index.data(Qt.CheckStateRole) == Qt.Checked)

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Leave the square to be seen while a name is typed, and give long names room."""
        place = option.rect.adjusted(SWATCH + SPACE, 0, 0, 0)
        place.setWidth(max(place.width(), _LEAST_EDITOR_WIDTH))
        editor.setGeometry(place)

    def editorEvent(
        self, event: QEvent, model: QAbstractItemModel, option: QStyleOptionViewItem, index: QModelIndex
    ) -> bool:
        """Turn the tick over on a click on the square, or on Space."""
        if event.type() in (QEvent.MouseButtonRelease, QEvent.MouseButtonDblClick):
            click = cast(QMouseEvent, event)
            near = _swatch(option.rect).adjusted(-SPACE, -SPACE, SPACE // 2, SPACE)
            if click.button() != Qt.LeftButton or not near.contains(click.pos()):
                return False
            return event.type() == QEvent.MouseButtonDblClick or _turn(model, index)
        if event.type() == QEvent.KeyPress and cast(QKeyEvent, event).key() in (Qt.Key_Space, Qt.Key_Select):
            return _turn(model, index)
        return False


def paint_swatch(painter: QPainter, cell: QRect, colour: QColor, is_full: bool) -> None:
    """Paint the square at the left of a cell."""
    painter.save()
    painter.setRenderHint(QPainter.Antialiasing)
    painter.setPen(QPen(colour, 2))
    painter.setBrush(colour if is_full else Qt.NoBrush)
    painter.drawRoundedRect(QRectF(_swatch(cell)).adjusted(1, 1, -1, -1), 3, 3)
    painter.restore()


def _turn(model: QAbstractItemModel, index: QModelIndex) -> bool:
    state: Any = Qt.Unchecked if index.data(Qt.CheckStateRole) == Qt.Checked else Qt.Checked
    return model.setData(index, state, Qt.CheckStateRole)


def _swatch(cell: QRect) -> QRect:
    return QRect(cell.left() + SPACE, cell.center().y() - SWATCH // 2, SWATCH, SWATCH)
