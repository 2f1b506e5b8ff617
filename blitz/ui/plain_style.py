"""The style of the program, which shows every text as it is, and paints its own ticks.

Qt's labels, message boxes and tool tips take a text for HTML that looks like it. What they show here comes from other
people and from devices: names, notes, errors. So each is told, before it is first shown, that its text is text.
"""

from PyQt5.QtCore import QPointF, QRectF, Qt
from PyQt5.QtGui import QColor, QPainter, QPalette, QPen, QPolygonF
from PyQt5.QtWidgets import QApplication, QLabel, QProxyStyle, QStyle, QStyleOption, QWidget

_INDICATORS = (
    QStyle.PE_IndicatorCheckBox,
    QStyle.PE_IndicatorItemViewItemCheck,
    QStyle.PE_IndicatorRadioButton,
)
_INDICATOR_PX = 16
_TICK = ((0.24, 0.52), (0.43, 0.71), (0.77, 0.31))
"""The corners of a tick, as shares of the box."""


class PlainStyle(QProxyStyle):
    """Fusion, without HTML where nobody has asked for it by ``setTextFormat(Qt.RichText)``."""

    def __init__(self) -> None:
        super().__init__("Fusion")

    def polish(self, what: QWidget | QApplication | QPalette) -> QPalette | None:  # type: ignore[override]
        """Prepare a widget before it is first shown; tool tips and the insides of message boxes are labels, too."""
        if isinstance(what, QLabel) and what.textFormat() == Qt.AutoText:
            what.setTextFormat(Qt.PlainText)
        return super().polish(what)

    def pixelMetric(
        self, metric: QStyle.PixelMetric, option: QStyleOption | None = None, widget: QWidget | None = None
    ) -> int:
        """Return how large boxes to tick are, and everything else as Fusion has it."""
        sizes = (
            QStyle.PM_IndicatorWidth,
            QStyle.PM_IndicatorHeight,
            QStyle.PM_ExclusiveIndicatorWidth,
            QStyle.PM_ExclusiveIndicatorHeight,
        )
        return _INDICATOR_PX if metric in sizes else super().pixelMetric(metric, option, widget)

    def drawPrimitive(
        self,
        element: QStyle.PrimitiveElement,
        option: QStyleOption,
        painter: QPainter,
        widget: QWidget | None = None,
    ) -> None:
        """Paint boxes to tick: the tick tells what the colour does, too."""
        if element in _INDICATORS:
            _paint_indicator(painter, option, is_round=element == QStyle.PE_IndicatorRadioButton)
        else:
            super().drawPrimitive(element, option, painter, widget)


def _paint_indicator(painter: QPainter, option: QStyleOption, *, is_round: bool) -> None:
    """Paint a box with or without its tick, or a circle with or without its dot."""
    # Not the option's palette: there the style sheet has put the selection's colours.
    palette = QApplication.palette()
    group = QPalette.Normal if option.state & QStyle.State_Enabled else QPalette.Disabled
    is_on, is_focused = bool(option.state & QStyle.State_On), bool(option.state & QStyle.State_HasFocus)
    accent, mark = palette.color(group, QPalette.Highlight), palette.color(QPalette.Normal, QPalette.HighlightedText)
    edge = palette.color(QPalette.Normal, QPalette.PlaceholderText)
    if group == QPalette.Disabled:
        edge.setAlpha(110)
        mark = palette.color(QPalette.Normal, QPalette.Base)
    box = QRectF(option.rect).adjusted(1.5, 1.5, -1.5, -1.5)
    painter.save()
    painter.setRenderHint(QPainter.Antialiasing)
    focus = palette.color(QPalette.Normal, QPalette.WindowText)
    painter.setPen(QPen(focus if is_focused else accent if is_on else edge, 2 if is_focused else 1.4))
    painter.setBrush(accent if is_on else QColor(palette.color(QPalette.Normal, QPalette.Base)))
    radius = box.width() / 2 if is_round else 3
    painter.drawRoundedRect(box, radius, radius)
    if is_on and is_round:
        painter.setPen(Qt.NoPen)
        painter.setBrush(mark)
        painter.drawEllipse(box.center(), box.width() / 5, box.width() / 5)
    elif is_on:
        painter.setPen(QPen(mark, 2, Qt.SolidLine, Qt.RoundCap, Qt.RoundJoin))
        corners = (QPointF(box.left() + x * box.width(), box.top() + y * box.height()) for x, y in _TICK)
        painter.drawPolyline(QPolygonF(list(corners)))
    painter.restore()
