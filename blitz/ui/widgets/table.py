"""The table view that all pages use: rows, no grid, and words where there is nothing to show."""

import re
from collections.abc import Collection

from PyQt5.QtCore import QAbstractItemModel, QItemSelectionModel, QModelIndex, QRect, QRectF, Qt
from PyQt5.QtGui import (
    QColor,
    QFont,
    QFontMetrics,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QPalette,
    QResizeEvent,
)
from PyQt5.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from blitz.ui.theme import SPACE, number_font

ROW_HEIGHT = 28
DENSE_ROW_HEIGHT = 24
BAR_HEIGHT = 4
_CELL_MARGIN = 13
"""What the style sheet leaves on both sides of a text, and a little more."""
_THIN_SPACE = re.compile("(?<=[0-9])\u202f(?=[0-9])")
"""Between thousands: in a spreadsheet the number must be one."""


class Table(QTableView):
    """Selects rows, leaves on Tab, and says what to do when it is empty.

    :param hint: what stands in the empty table.
    """

    def __init__(self, model: QAbstractItemModel, hint: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._hint = hint
        self._widths: dict[int, int] = {}
        self._shared: tuple[int, ...] = ()
        self._is_sharing = False
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

    def fit_widths(self, *samples: str, stretched: Collection[int] = ()) -> None:
        """Let each column have room for its name and for a text as long as this one, in whatever font.

        :param stretched: columns that share what is left.
        """
        header, model = self.horizontalHeader(), self.model()
        bold = QFont(self.font())
        bold.setBold(True)
        fonts = [QFontMetrics(font) for font in (bold, number_font(self.font()))]
        for column, sample in enumerate(samples):
            name = str(model.headerData(column, Qt.Horizontal))
            width = max(metrics.horizontalAdvance(text) for text in (sample, name) for metrics in fonts)
            self.setColumnWidth(column, width + 2 * _CELL_MARGIN)
            header.setSectionResizeMode(column, QHeaderView.Stretch if column in stretched else QHeaderView.Interactive)

    def share_room(self, *columns: int) -> None:
        """Let these columns share what the table has of room, by the widths they have now, until somebody drags one."""
        header = self.horizontalHeader()
        self._shared = columns
        self._widths = {column: header.sectionSize(column) for column in range(header.count())}
        for column in columns:
            header.setSectionResizeMode(column, QHeaderView.Interactive)
        header.sectionResized.connect(self._take_width)
        self._share()

    def _share(self) -> None:
        header = self.horizontalHeader()
        shown = [column for column in self._widths if header.sectionSize(column)]
        shared = [column for column in shown if column in self._shared]
        left = self.viewport().width() - sum(self._widths[column] for column in shown if column not in shared)
        wanted = sum(self._widths[column] for column in shared)
        self._is_sharing = True
        for column in shared:
            width = max(header.minimumSectionSize(), round(left * self._widths[column] / wanted))
            left, wanted = left - width, wanted - self._widths[column]
            self.setColumnWidth(column, width)
        self._is_sharing = False

    def _take_width(self, column: int, before: int, now: int) -> None:
        """A column was hidden or shown, or somebody wants it otherwise."""
        if self._is_sharing:
            return
        if before and now:
            self._shared = ()
        else:
            self._widths[column] = self._widths[column] or now
            self._share()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Use the room."""
        super().resizeEvent(event)
        self._share()

    @property
    def copied_text(self) -> str:
        """The selected rows as they are seen, cells parted by tabs; row heads come first where they are shown."""
        header, model = self.horizontalHeader(), self.model()
        columns = [header.logicalIndex(place) for place in range(header.count())]
        columns = [column for column in columns if not header.isSectionHidden(column)]
        lines = []
        for row in sorted(index.row() for index in self.selectionModel().selectedRows()):
            head = [model.headerData(row, Qt.Vertical)] if self.verticalHeader().isVisible() else []
            lines.append(
                "\t".join(_cell_text(text) for text in (*head, *(model.index(row, c).data() for c in columns)))
            )
        return "\n".join(lines)

    def copy(self) -> None:
        """Put the selected rows into the clipboard."""
        if text := self.copied_text:
            QGuiApplication.clipboard().setText(text)

    def selectRow(self, row: int) -> None:
        """Select a row and nothing else."""
        self.setCurrentIndex(self.model().index(row, max(0, self.columnAt(0))))

    def setCurrentIndex(self, index: QModelIndex) -> None:
        """Go to a cell and select it alone: Qt would add it to what is selected while Ctrl or Shift is held."""
        how = QItemSelectionModel.SelectionFlags(QItemSelectionModel.ClearAndSelect)
        if self.selectionBehavior() == QAbstractItemView.SelectRows:
            how |= QItemSelectionModel.Rows
        self.selectionModel().setCurrentIndex(index, how)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy rows, not the one cell that Qt would copy."""
        if event.matches(QKeySequence.Copy):
            self.copy()
            event.accept()
            return
        super().keyPressEvent(event)

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


def _cell_text(text: object) -> str:
    return _THIN_SPACE.sub("", " ".join(str("" if text is None else text).split("\t"))).replace("\n", " ")


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
