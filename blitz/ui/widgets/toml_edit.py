"""A text with line numbers; lines in which something is wrong are marked."""

from collections.abc import Mapping

from PyQt5.QtCore import QRect, QSize, Qt
from PyQt5.QtGui import QColor, QPainter, QPaintEvent, QPalette, QResizeEvent, QTextCursor, QTextFormat
from PyQt5.QtWidgets import QPlainTextEdit, QTextEdit, QWidget

from blitz.ui.theme import LIGHT, SPACE, Theme
from blitz.ui.widgets.send_line import fixed_font


class TomlEdit(QPlainTextEdit):
    """What is changed from elsewhere can be undone like what is typed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._wrong: dict[int, str] = {}
        self.theme: Theme = LIGHT
        self.setFont(fixed_font(self.font()))
        self.setLineWrapMode(QPlainTextEdit.NoWrap)
        self.setTabChangesFocus(True)
        self.setTabStopDistance(4 * self.fontMetrics().horizontalAdvance(" "))
        self._numbers = _Numbers(self)
        self.blockCountChanged.connect(lambda _: self._fit())
        self.updateRequest.connect(self._scroll_numbers)
        self._fit()

    @property
    def number_width(self) -> int:
        """What the numbers of the lines take."""
        digits = max(2, len(str(self.blockCount())))
        return 2 * SPACE + self.fontMetrics().horizontalAdvance("0") * digits

    def replace(self, text: str) -> None:
        """Change what differs, and leave the cursor and the view where they are."""
        before = self.toPlainText()
        if text == before:
            return
        shorter = min(len(text), len(before))
        start = next((n for n in range(shorter) if text[n] != before[n]), shorter)
        rest = shorter - start
        same = next((n for n in range(rest) if text[-1 - n] != before[-1 - n]), rest)
        cursor = QTextCursor(self.document())
        cursor.setPosition(start)
        cursor.setPosition(len(before) - same, QTextCursor.KeepAnchor)
        cursor.insertText(text[start : len(text) - same])

    def mark(self, faults: Mapping[int, str]) -> None:
        """Mark the lines in which something is wrong, by number from 1."""
        self._wrong = dict(faults)
        marks = []
        for line in faults:
            block = self.document().findBlockByNumber(line - 1)
            if not block.isValid():
                continue
            mark = QTextEdit.ExtraSelection()
            mark.cursor = QTextCursor(block)
            mark.format.setBackground(QColor(self.theme.error_back))
            mark.format.setProperty(QTextFormat.FullWidthSelection, True)
            marks.append(mark)
        self.setExtraSelections(marks)
        self._numbers.update()

    def go_to(self, line: int) -> None:
        """Put the cursor into a line."""
        block = self.document().findBlockByNumber(line - 1)
        if block.isValid():
            self.setTextCursor(QTextCursor(block))
            self.centerCursor()
            self.setFocus()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The numbers are as high as the text."""
        super().resizeEvent(event)
        self._fit()

    def paint_numbers(self, event: QPaintEvent) -> None:
        """Paint the numbers of the lines that are seen; those of wrong lines stand out."""
        painter = QPainter(self._numbers)
        block = self.firstVisibleBlock()
        top = self.blockBoundingGeometry(block).translated(self.contentOffset()).top()
        while block.isValid() and top <= event.rect().bottom():
            height = self.blockBoundingRect(block).height()
            if block.isVisible() and top + height >= event.rect().top():
                is_wrong = block.blockNumber() + 1 in self._wrong
                role_colour = self.palette().color(QPalette.PlaceholderText)
                painter.setPen(QColor(self.theme.recording) if is_wrong else role_colour)
                place = QRect(0, round(top), self._numbers.width() - SPACE, round(height))
                painter.drawText(place, int(Qt.AlignRight | Qt.AlignVCenter), str(block.blockNumber() + 1))
            top += height
            block = block.next()
        painter.end()

    def _fit(self) -> None:
        self.setViewportMargins(self.number_width, 0, 0, 0)
        inside = self.contentsRect()
        self._numbers.setGeometry(inside.left(), inside.top(), self.number_width, inside.height())

    def _scroll_numbers(self, area: QRect, down: int) -> None:
        if down:
            self._numbers.scroll(0, down)
        else:
            self._numbers.update(0, area.y(), self._numbers.width(), area.height())


class _Numbers(QWidget):
    def __init__(self, edit: TomlEdit) -> None:
        super().__init__(edit)
        self._edit = edit

    def sizeHint(self) -> QSize:
        return QSize(self._edit.number_width, 0)

    def paintEvent(self, event: QPaintEvent) -> None:
        self._edit.paint_numbers(event)
