"""The table view that all pages use: rows, no grid, and words where there is nothing to show."""

from PyQt5.QtCore import QAbstractItemModel, QModelIndex, QRect, QRectF, Qt
from PyQt5.QtGui import QColor, QPainter, QPaintEvent, QPalette
from PyQt5.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from blitz.ui.theme import SPACE

ROW_HEIGHT = 28
DENSE_ROW_HEIGHT = 24
BAR_HEIGHT = 4


class Table(QTableView):
    """Selects rows, leaves on Tab, and says what to do when it is empty.

    :param hint: what stands in the empty table.
    """

    def __init__(self, model: QAbstractItemModel, hint: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._hint = hint
        self.setModel(model)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setSelectionBehavior(QAbstractItemView.SelectRows)
        self.setSelectionMode(QAbstractItemView.SingleSelection)
        self.setEditTriggers(QAbstractItemView.NoEditTriggers)
        self.setVerticalScrollMode(QAbstractItemView.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollPerPixel)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        self.verticalHeader().setSectionResizeMode(QHeaderView.Fixed)
        self.horizontalHeader().setHighlightSections(False)
        self.horizontalHeader().setMinimumSectionSize(36)

    def set_hint(self, hint: str) -> None:
        """Change what stands in the empty table."""
        self._hint = hint
        self.viewport().update()

    def set_widths(self, *widths: int, stretched: int | None = None) -> None:
        """Set the columns' widths; one of them may take what is left."""
        header = self.horizontalHeader()
        for column, width in enumerate(widths):
            self.setColumnWidth(column, width)
        if stretched is not None:
            header.setSectionResizeMode(stretched, QHeaderView.Stretch)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the rows, or the hint."""
        super().paintEvent(event)
        if self.model().rowCount() or not self._hint:
            return
        painter = QPainter(self.viewport())
        painter.setPen(self.palette().color(QPalette.PlaceholderText))
        space = self.viewport().rect().adjusted(3 * SPACE, 2 * SPACE, -3 * SPACE, -2 * SPACE)
        painter.drawText(space, int(Qt.AlignCenter | Qt.TextWordWrap), self._hint)
        painter.end()


class EndDelegate(QStyledItemDelegate):
    """Shows the end of what has no room, as of the paths of ports."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Leave out the beginning."""
        super().initStyleOption(option, index)
        option.textElideMode = Qt.ElideLeft


class ProgressDelegate(QStyledItemDelegate):
    """Paints a bar below the text of a cell whose model gives a share of 0 to 1 for a role."""

    def __init__(self, role: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._role = role

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Paint the cell, then the bar."""
        super().paint(painter, option, index)
        share = index.data(self._role)
        if share is None:
            return
        cell: QRect = option.rect
        track = QRectF(cell.left() + SPACE + 3, cell.bottom() - BAR_HEIGHT, cell.width() - 3 * SPACE, BAR_HEIGHT)
        painter.save()
        painter.setRenderHint(QPainter.Antialiasing)
        painter.setPen(Qt.NoPen)
        faint = QColor(option.palette.color(QPalette.Text))
        faint.setAlpha(50)
        painter.setBrush(faint)
        painter.drawRoundedRect(track, BAR_HEIGHT / 2, BAR_HEIGHT / 2)
        # Not the option's palette: there the style sheet has put the selection's colour.
        painter.setBrush(QApplication.palette().color(QPalette.Highlight))
        track.setWidth(track.width() * min(1.0, max(0.0, share)))
        painter.drawRoundedRect(track, BAR_HEIGHT / 2, BAR_HEIGHT / 2)
        painter.restore()
