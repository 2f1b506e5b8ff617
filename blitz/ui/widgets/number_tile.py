"""One value, as large as its tile allows, to be read from afar."""

import re
from dataclasses import dataclass

from PyQt5.QtCore import QRectF, QSize, Qt, pyqtSignal
from PyQt5.QtGui import QColor, QFont, QFontMetricsF, QMouseEvent, QPainter, QPaintEvent, QPen
from PyQt5.QtWidgets import QWidget

from blitz.ui.channel_state import LimitState
from blitz.ui.formats import MISSING
from blitz.ui.theme import LIGHT, SPACE, Theme, number_font

_CAPTION_SHARE = 0.13
_LEAST_CAPTION_PX, _MOST_CAPTION_PX = 13, 34
_PROBE_PX = 200
_DIGIT = re.compile("[0-9]")


@dataclass(frozen=True)
class TileWords:
    """What a tile shows."""

    name: str
    unit: str = ""
    value: str = MISSING
    colour: str = "#888888"
    limit: LimitState = LimitState.NONE
    silent_for: str = ""
    """How old the value is, where it is older than usual."""


class NumberTile(QWidget):
    """Paints itself anew only when its words change.

    The digits keep their size and place while the number changes: room is made for the longest number so far.
    """

    chosen = pyqtSignal()
    """It was clicked twice."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._words = TileWords("")
        self._shape = "000"
        self._theme = LIGHT
        self._digits = number_font(self.font())
        self._digits.setWeight(QFont.DemiBold)
        self.setMinimumSize(QSize(60, 48))

    @property
    def words(self) -> TileWords:
        """What is shown."""
        return self._words

    @property
    def digit_height(self) -> float:
        """How high the digits are, in pixels."""
        return QFontMetricsF(self._digit_font()).tightBoundingRect("0").height()

    def show_words(self, words: TileWords) -> None:
        """Show other words."""
        if words == self._words:
            return
        if (words.name, words.unit) != (self._words.name, self._words.unit):
            self._shape = "000"
        self._words = words
        self._shape = wider_shape(self._shape, words.value)
        spoken = f"{words.name} {words.value} {words.unit}, {words.limit.value[2:]}".rstrip(" ,")
        self.setAccessibleName(spoken)
        self.setToolTip(f"{words.name}\nA double click chooses the channels.")
        self.update()

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self._theme = theme
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Ask for other channels."""
        self.chosen.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint frame, caption, number, and what is to be said of it."""
        words, theme = self._words, self._theme
        is_exceeded = words.limit.is_exceeded and not words.silent_for
        painter = QPainter(self)
        painter.setRenderHint(QPainter.Antialiasing)
        frame = theme.recording if is_exceeded else theme.border
        painter.setPen(QPen(QColor(frame), 3 if is_exceeded else 1))
        painter.setBrush(QColor(theme.error_back if is_exceeded else theme.raised))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1.5, 1.5, -1.5, -1.5), 6, 6)
        self._paint_caption(painter)
        self._paint_state(painter)
        painter.setPen(QColor(theme.muted if words.silent_for else frame if is_exceeded else theme.text))
        painter.setFont(self._digit_font())
        room, metrics = self._number_room(), QFontMetricsF(painter.font())
        width = metrics.horizontalAdvance(self._shape)
        place = QRectF(room.center().x() - width / 2, room.top(), width, room.height())
        if words.limit is LimitState.NONE and not words.silent_for:  # nothing stands below it
            place.translate(0, self._line(is_top=False).height() / 2)
        flags = Qt.AlignVCenter | (Qt.AlignHCenter if words.value == MISSING else Qt.AlignRight)
        painter.drawText(place, int(flags | Qt.TextDontClip), words.value)
        painter.end()

    def _paint_caption(self, painter: QPainter) -> None:
        """Paint colour, name and unit."""
        words, theme, box = self._words, self._theme, self._line(is_top=True)
        font = self._name_font()
        metrics = QFontMetricsF(font)
        painter.setFont(font)
        side = round(metrics.capHeight())
        painter.setPen(Qt.NoPen)
        painter.setBrush(QColor(words.colour))
        painter.drawRoundedRect(QRectF(box.left(), box.center().y() - side / 2, side, side), 3, 3)
        unit_width = metrics.horizontalAdvance(words.unit)
        painter.setPen(QColor(theme.text))
        painter.drawText(box, int(Qt.AlignRight | Qt.AlignVCenter), words.unit)
        rest = box.adjusted(side + SPACE, 0, -unit_width - SPACE, 0)
        painter.setPen(QColor(theme.muted))
        name = metrics.elidedText(words.name, Qt.ElideMiddle, rest.width())
        painter.drawText(rest, int(Qt.AlignLeft | Qt.AlignVCenter), name)

    def _paint_state(self, painter: QPainter) -> None:
        """Paint the state of the limits, and the age of an old value."""
        words, theme, box = self._words, self._theme, self._line(is_top=False)
        font = self._caption_font()
        font.setBold(words.limit.is_exceeded and not words.silent_for)
        painter.setFont(font)
        if words.silent_for:
            painter.setPen(QColor(theme.warning))
            painter.drawText(box, int(Qt.AlignLeft | Qt.AlignVCenter), f"silent for {words.silent_for}")
        elif words.limit is not LimitState.NONE:
            painter.setPen(QColor(theme.recording if words.limit.is_exceeded else theme.okay))
            painter.drawText(box, int(Qt.AlignLeft | Qt.AlignVCenter), words.limit.value)

    def _caption_font(self) -> QFont:
        font = QFont(self.font())
        pixels = min(self.height() * _CAPTION_SHARE, self.width() * _CAPTION_SHARE * 0.8)
        font.setPixelSize(round(max(_LEAST_CAPTION_PX, min(_MOST_CAPTION_PX, pixels))))
        return font

    def _name_font(self) -> QFont:
        """Return the font of name and unit: long ones are written smaller, rather than cut."""
        font = self._caption_font()
        needed = QFontMetricsF(font).horizontalAdvance(f"{self._words.name}mm{self._words.unit}") + 3 * SPACE
        share = min(1.0, (self.width() - 3 * SPACE) / needed)
        font.setPixelSize(max(_LEAST_CAPTION_PX, int(font.pixelSize() * share)))
        return font

    def _line(self, *, is_top: bool) -> QRectF:
        """Return the line above or below the number."""
        height = QFontMetricsF(self._caption_font()).height()
        inner = QRectF(self.rect()).adjusted(1.5 * SPACE, SPACE, -1.5 * SPACE, -SPACE)
        top = inner.top() if is_top else inner.bottom() - height
        return QRectF(inner.left(), top, inner.width(), height)

    def _number_room(self) -> QRectF:
        top, bottom = self._line(is_top=True), self._line(is_top=False)
        return QRectF(top.left(), top.bottom(), top.width(), max(1.0, bottom.top() - top.bottom()))

    def _digit_font(self) -> QFont:
        """Return the font in which the longest number so far fills its room."""
        font, room = QFont(self._digits), self._number_room()
        font.setPixelSize(_PROBE_PX)
        metrics = QFontMetricsF(font)
        by_width = room.width() / max(1.0, metrics.horizontalAdvance(self._shape))
        by_height = room.height() / (metrics.capHeight() * 1.15)
        font.setPixelSize(max(8, int(_PROBE_PX * min(by_width, by_height))))
        return font


def wider_shape(shape: str, value: str) -> str:
    """Return a number as wide as both, in zeros: with a sign if one of them has one, and the longer parts of both.

    >>> wider_shape("000", "-12.5"), wider_shape("-000.0", "7.25"), wider_shape("000", "–")
    ('-000.0', '-000.00', '000')
    """
    if not _DIGIT.search(value):
        return shape
    whole, _, part = value.partition(".")
    old_whole, _, old_part = shape.partition(".")
    sign = "-" if "-" in whole + old_whole else ""
    digits = max(len(whole.lstrip("-")), len(old_whole.lstrip("-")))
    decimals = max(len(part), len(old_part))
    return f"{sign}{'0' * digits}{'.' * (decimals > 0)}{'0' * decimals}"
