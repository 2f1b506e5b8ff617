"""Pictures of a plot: as PNG, as SVG, and for the clipboard; each says above the curves what it shows."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from PyQt5.QtCore import QPoint, QRect, QRectF, QSize, Qt
from PyQt5.QtGui import QColor, QFont, QImage, QPainter, QRegion
from PyQt5.QtSvg import QSvgGenerator
from PyQt5.QtWidgets import QWidget

from blitz.ui.theme import SPACE, Theme

SCALE = 2
"""A PNG has so many pixels for each of the screen's, across and down."""
_CAPTION_HEIGHT = 56


class PictureKind(Enum):
    """The files that a picture can be."""

    PNG = "png"
    SVG = "svg"


@dataclass(frozen=True)
class Caption:
    """What stands above the curves."""

    title: str
    """Of the session."""
    times: str
    """Which time is shown, by the server's clock."""
    warning: str = ""
    """What the curves are not: recorded, or of now."""


def plot_image(plot: QWidget, caption: Caption, theme: Theme) -> QImage:
    """Return a plot as it is on the screen, in :data:`SCALE` times the screen's pixels, below its caption."""
    size = _size(plot)
    image = QImage(size * SCALE, QImage.Format_RGB32)
    image.setDevicePixelRatio(SCALE)
    painter = QPainter(image)
    _paint(painter, size, plot, caption, theme)
    painter.end()
    return image


def save_png(plot: QWidget, caption: Caption, theme: Theme, path: Path) -> None:
    """Write a plot as PNG.

    :raises OSError: if that is not possible.
    """
    if not plot_image(plot, caption, theme).save(str(path), "PNG"):
        raise OSError(f"Cannot write {path}: the folder is not there, is full, or does not allow it.")


def save_svg(plot: QWidget, caption: Caption, theme: Theme, path: Path) -> None:
    """Write a plot as SVG: lines as lines, words as words.

    :raises OSError: if that is not possible.
    """
    with path.open("wb"):  # the generator would only log what is wrong
        pass
    size = _size(plot)
    generator = QSvgGenerator()
    generator.setFileName(str(path))
    generator.setSize(size)
    generator.setViewBox(QRect(QPoint(), size))
    generator.setTitle(caption.title)
    generator.setDescription(" ".join(part for part in (caption.times, caption.warning) if part))
    painter = QPainter()
    if not painter.begin(generator):
        raise OSError(f"Cannot write {path}.")
    _paint(painter, size, plot, caption, theme)
    painter.end()


def save_picture(plot: QWidget, caption: Caption, theme: Theme, path: Path, kind: PictureKind) -> None:
    """Write a plot to a file.

    :raises OSError: if that is not possible.
    """
    (save_png if kind is PictureKind.PNG else save_svg)(plot, caption, theme, path)


def _size(plot: QWidget) -> QSize:
    return plot.size() + QSize(0, _CAPTION_HEIGHT)


def _paint(painter: QPainter, size: QSize, plot: QWidget, caption: Caption, theme: Theme) -> None:
    painter.setRenderHint(QPainter.TextAntialiasing)
    painter.fillRect(QRect(QPoint(), size), QColor(theme.base))
    plot.render(painter, QPoint(0, _CAPTION_HEIGHT), QRegion(), QWidget.DrawChildren)
    painter.setPen(QColor(theme.border))  # whether it has the focus is of no interest there
    painter.drawRect(QRect(0, _CAPTION_HEIGHT, plot.width() - 1, plot.height() - 1))
    above = QRectF(0, 0, size.width(), _CAPTION_HEIGHT)
    painter.fillRect(above, QColor(theme.base))  # an SVG does not clip: curves may have run out of the plot
    _paint_caption(painter, above, plot.font(), caption, theme)


def _paint_caption(painter: QPainter, place: QRectF, font: QFont, caption: Caption, theme: Theme) -> None:
    place = place.adjusted(2 * SPACE, SPACE, -2 * SPACE, 0)
    bold = QFont(font)
    bold.setBold(True)
    painter.setFont(bold)
    painter.setPen(QColor(theme.text))
    painter.drawText(place, int(Qt.AlignLeft | Qt.AlignTop), caption.title)
    painter.setPen(QColor(theme.warning))
    painter.drawText(place, int(Qt.AlignRight | Qt.AlignTop), caption.warning)
    painter.setFont(font)
    painter.setPen(QColor(theme.muted))
    below = place.adjusted(0, painter.fontMetrics().height() + 3, 0, 0)
    painter.drawText(below, int(Qt.AlignLeft | Qt.AlignTop), caption.times)
