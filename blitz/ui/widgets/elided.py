"""A line of text that is cut with dots where it does not fit; its tooltip has all of it."""

from PyQt5.QtCore import QEvent, QSize, Qt
from PyQt5.QtGui import QResizeEvent
from PyQt5.QtWidgets import QLabel, QSizePolicy, QWidget


class ElidedLabel(QLabel):
    """Takes what room there is, and never widens a window.

    :param least: its smallest width, in device-independent pixels.
    """

    def __init__(self, text: str = "", least: int = 60, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._least = least
        self._whole = self._tip = ""
        self.setTextFormat(Qt.PlainText)
        self.setSizePolicy(QSizePolicy.Preferred, QSizePolicy.Preferred)
        self.setText(text)

    def text(self) -> str:
        """Return all of the text, whatever of it is seen."""
        return self._whole

    def setText(self, text: str | None) -> None:
        """Set what is shown."""
        if (text or "") != self._whole:
            self._whole = text or ""
            self.setAccessibleName(self._whole)
            self._fit()
            self.updateGeometry()

    def set_tip(self, tip: str) -> None:
        """Set what the tooltip says besides a text that is cut."""
        if tip != self._tip:
            self._tip = tip
            self._fit()

    def sizeHint(self) -> QSize:
        """Return what the whole text needs."""
        return QSize(self.fontMetrics().horizontalAdvance(self._whole) + 2, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        """Return less than the text needs."""
        return QSize(min(self._least, self.sizeHint().width()), super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Cut the text anew."""
        super().resizeEvent(event)
        self._fit()

    def changeEvent(self, event: QEvent) -> None:
        """Cut the text anew where its font is another one."""
        super().changeEvent(event)
        if event.type() in (QEvent.FontChange, QEvent.StyleChange):
            self._fit()
            self.updateGeometry()

    def _fit(self) -> None:
        shown = self.fontMetrics().elidedText(self._whole, Qt.ElideRight, self.contentsRect().width())
        if super().text() != shown:
            super().setText(shown)
        parts = (self._whole if shown != self._whole and self._whole not in self._tip else "", self._tip)
        self.setToolTip("\n".join(part for part in parts if part))
