"""A text as a picture that phones read: black on white in every theme, each module so many whole pixels wide."""

from PyQt5.QtCore import QPointF, QSize, Qt
from PyQt5.QtGui import QColor, QImage, QPainter, QPaintEvent
from PyQt5.QtWidgets import QSizePolicy, QWidget

from blitz.ui.theme import SPACE

QUIET_MODULES = 4
"""What a QR code has around it, or readers do not find it (ISO/IEC 18004)."""
MODULE_PX = 6
_USUAL_MODULES = 33
_DARK, _BRIGHT = QColor("black"), QColor("white")


def draw_qr_code(text: str) -> QImage:
    """Return the picture of a text, one pixel a module, its quiet zone included.

    The amount of redundancy is the greatest that the size holds, which a long text decides.
    """
    import segno  # takes longer than all else of a dialog, and is not needed at the window's start

    matrix = segno.make(text, error="l", micro=False).matrix
    size = len(matrix) + 2 * QUIET_MODULES
    image = QImage(size, size, QImage.Format_RGB32)
    image.fill(_BRIGHT)
    for row, modules in enumerate(matrix, QUIET_MODULES):
        for column, is_dark in enumerate(modules, QUIET_MODULES):
            if is_dark:
                image.setPixelColor(column, row, _DARK)
    return image


class QrCode(QWidget):
    """Shows a text's picture, or a hint in its place."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text = ""
        """What is drawn; empty: nothing is."""
        self.hint = ""
        self._image = QImage()
        self.setSizePolicy(QSizePolicy.Fixed, QSizePolicy.Fixed)
        self._fit(_USUAL_MODULES + 2 * QUIET_MODULES)
        self.show_hint("")

    def show_text(self, text: str, name: str) -> None:
        """Draw a text.

        :param name: what is told of it to those who cannot see it.
        """
        self.text, self.hint = text, ""
        self._image = draw_qr_code(text)
        self._fit(self._image.width())
        self.setAccessibleName(name)
        self.update()

    def show_hint(self, hint: str) -> None:
        """Draw no code, and say why."""
        self.text, self.hint = "", hint
        self._image = QImage()
        self.setAccessibleName(f"No QR code. {hint}".strip())
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the modules, or the hint in a frame."""
        painter = QPainter(self)
        if self._image.isNull():
            painter.setPen(self.palette().color(self.foregroundRole()))
            inside = self.rect().adjusted(2 * SPACE, 2 * SPACE, -2 * SPACE, -2 * SPACE)
            painter.drawText(inside, int(Qt.AlignCenter | Qt.TextWordWrap), self.hint)
            painter.setPen(self.palette().mid().color())
            painter.drawRect(self.rect().adjusted(1, 1, -2, -2))
        else:
            # By the screen's pixels, of which there may be one and a half for one of the window's.
            ratio = self.devicePixelRatioF()
            scale = max(1, int(self.width() * ratio) // self._image.width())
            shown = self._image.scaled(self._image.size() * scale)
            shown.setDevicePixelRatio(ratio)
            painter.fillRect(self.rect(), _BRIGHT)
            place = (int(self.width() * ratio) - shown.width()) // 2 / ratio
            painter.drawImage(QPointF(place, place), shown)
        painter.end()

    def _fit(self, modules: int) -> None:
        self.setFixedSize(QSize(modules, modules) * MODULE_PX)
