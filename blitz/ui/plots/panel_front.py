"""What of a plot belongs to all its panels: the labels of times, and what lies over everything."""

from PyQt5.QtCore import QPointF, QRect, QRectF, Qt
from PyQt5.QtGui import QColor, QFontMetricsF, QPaintEngine, QPainter, QPen, QRegion

from blitz.ui.plots.panel import Panel
from blitz.ui.plots.span import Span
from blitz.ui.plots.time_axis import TimeAxis
from blitz.ui.theme import SPACE, Theme

_LEVELS = 2
"""Of times with labels: hours and the days between them, say."""


def place_times(axis: TimeAxis, times: Span, width: float, metrics: QFontMetricsF) -> list[tuple[float, str]]:
    """Return pixels and labels of the time axis; the less important ones only where there is room.

    :param width: of the widget; a label that would be cut off is empty.
    """
    placed: list[tuple[float, float, str]] = []
    for level in axis.labels(times.low, times.high, times.last - times.first)[:_LEVELS]:
        for at_s, label in level:
            x, half = times.pixel(at_s), metrics.horizontalAdvance(label) / 2 + SPACE
            is_inside = times.first - 1 <= x <= times.last + 1
            if is_inside and all(abs(x - other) >= half + other_half for other, other_half, _ in placed):
                placed.append((x, half, label if half - SPACE <= x <= width - half + SPACE else ""))
    return [(x, label) for x, _, label in placed]


def paint_times(
    painter: QPainter, labels: list[tuple[float, str]], bottom: float, theme: Theme, taken: QRectF | None = None
) -> None:
    """Write the times below the lowest panel.

    :param taken: where the cursor's time stands: half of a label beside it would be read as another time.
    """
    painter.setPen(QColor(theme.muted))
    metrics = QFontMetricsF(painter.font())
    for x, label in labels:
        half = metrics.horizontalAdvance(label) / 2 + SPACE / 2
        if taken is None or x + half <= taken.left() or x - half >= taken.right():
            painter.drawText(QRectF(x - 100, bottom + 5, 200, metrics.height()), Qt.AlignCenter, label)


def cover_outside(painter: QPainter, whole: QRect, panels: tuple[Panel, ...], theme: Theme) -> None:
    """Cover curves outside the panels, where the device cannot clip: a file of Qt's SVG generator."""
    engine = painter.paintEngine()
    if engine is None or engine.type() != QPaintEngine.SVG:
        return
    outside = QRegion(whole)
    for panel in panels:
        outside = outside.subtracted(QRegion(panel.area.toAlignedRect()))
    for place in outside.rects():
        painter.fillRect(place, QColor(theme.base))
    painter.setPen(QPen(QColor(theme.border), 1))
    painter.drawRect(whole.adjusted(0, 0, -1, -1))


def paint_cursor(painter: QPainter, panels: tuple[Panel, ...], x: float, words: str, theme: Theme) -> QRectF:
    """Draw a line through all panels, and the time that it is at below them; return where that stands."""
    painter.setPen(QPen(QColor(theme.text), 0))
    for panel in panels:
        painter.drawLine(QPointF(x, panel.area.top()), QPointF(x, panel.area.bottom()))
    metrics, strip = QFontMetricsF(painter.font()), panels[-1].strip
    chip = QRectF(0, panels[-1].area.bottom() + 2, metrics.horizontalAdvance(words) + 2 * SPACE, metrics.height() + 6)
    chip.moveLeft(min(max(strip.left() + 1, x - chip.width() / 2), strip.right() - chip.width() - 1))
    painter.fillRect(chip, QColor(theme.text))
    painter.setPen(QColor(theme.base))
    painter.drawText(chip, Qt.AlignCenter, words)
    return chip


def paint_box(painter: QPainter, box: QRectF, theme: Theme) -> None:
    """Draw the box that is to be zoomed into."""
    shade = QColor(theme.accent)
    shade.setAlpha(40)
    painter.fillRect(box, shade)
    painter.setPen(QPen(QColor(theme.accent), 1))
    painter.drawRect(box)


def paint_sentence(painter: QPainter, text: str, area: QRectF, theme: Theme) -> None:
    """Write a sentence over the curves."""
    painter.setPen(QColor(theme.text))
    painter.drawText(area.adjusted(40, SPACE, -40, -SPACE), Qt.AlignHCenter | Qt.TextWordWrap, text)
