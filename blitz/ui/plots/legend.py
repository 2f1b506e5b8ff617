"""The legend above a panel: a row of channels with the colour, name and value of each; a click switches one."""

from collections.abc import Hashable
from dataclasses import dataclass

from PyQt5.QtCore import QPointF, QRectF, Qt
from PyQt5.QtGui import QColor, QFontMetricsF, QPainter

from blitz.ui.plots.curves import Curve
from blitz.ui.plots.strokes import paint_sample, pen_of
from blitz.ui.theme import Theme

SAMPLE = 16.0
"""How long the piece of line is that shows a channel's colour."""
_LEFT = int(Qt.AlignLeft | Qt.AlignVCenter)
_RIGHT = int(Qt.AlignRight | Qt.AlignVCenter)
_GAP = 6.0
_VALUE_GAP = 10.0
_APART = 18.0
_NAME_WIDTH = 240.0
"""Longer names of many are shortened in the middle."""
_FEW = 2
OUTSIDE_SIGNS = ("▲", "▼")
"""Stand in the words of a value that is above or below what it should be: those are coloured."""


def _is_outside(words: str) -> bool:
    """Whether a value is not where it should be, as its words say."""
    return any(sign in words for sign in OUTSIDE_SIGNS)


@dataclass(frozen=True)
class Entry:
    """One channel, and where it stands."""

    curve: Curve
    name: str
    place: QRectF
    value_width: float


class Legend:
    """Lines of entries in as much width as there is; what does not fit is told as "+20 more"."""

    def __init__(self) -> None:
        self._curves: tuple[Curve, ...] = ()
        self._values: dict[Hashable, str] = {}
        self._widths: dict[Hashable, float] = {}
        self.entries: tuple[Entry, ...] = ()
        self.more: tuple[Curve, ...] = ()
        """Those that do not fit."""
        self.more_place = QRectF()

    @property
    def curves(self) -> tuple[Curve, ...]:
        """All that it lists."""
        return self._curves

    def show(self, curves: tuple[Curve, ...]) -> None:
        """List exactly these."""
        self._curves = curves

    def show_values(self, values: dict[Hashable, str], metrics: QFontMetricsF) -> bool:
        """Write values beside the names.

        :param values: by the curve's key, with the unit.
        :returns: whether one needs more room than there was: then the entries must be arranged again.
        """
        self._values = values
        grew = False
        for curve in self._curves:
            width = metrics.horizontalAdvance(values.get(curve.key, "")) if not curve.is_off else 0.0
            if width > self._widths.get(curve.key, 0.0):
                # A little more than needed, and never less than before: entries that jump cannot be read.
                self._widths[curve.key] = width + metrics.horizontalAdvance("0")
                grew = True
        return grew

    def arrange(self, left: float, top: float, width: float, lines: int, metrics: QFontMetricsF) -> float:
        """Place the entries in at most so many lines; returns their height."""
        line_height = metrics.height() + _GAP
        more_width = metrics.horizontalAdvance("+88 more") + 2 * _GAP
        x, line, placed = left, 0, []
        name_width = width / 2 if len(self._curves) <= _FEW else min(_NAME_WIDTH, width / 2)
        for number, curve in enumerate(self._curves):
            name = metrics.elidedText(curve.label, Qt.ElideMiddle, name_width)
            value_width = 0.0 if curve.is_off else self._widths.get(curve.key, 0.0)
            needed = SAMPLE + _GAP + metrics.horizontalAdvance(name) + (_VALUE_GAP + value_width if value_width else 0)
            is_last = number == len(self._curves) - 1
            room = width if line < lines - 1 or is_last else width - more_width - _APART
            if x > left and x - left + needed > room:
                if line == lines - 1:
                    break
                x, line = left, line + 1
            place = QRectF(x, top + line * line_height, min(needed, width), line_height)
            placed.append(Entry(curve, name, place, value_width))
            x += needed + _APART
        self.entries, self.more = tuple(placed), self._curves[len(placed) :]
        self.more_place = QRectF(x, top + line * line_height, more_width, line_height) if self.more else QRectF()
        return (line + 1) * line_height

    def entry_at(self, place: QPointF) -> Curve | None:
        """Return the channel whose entry is there."""
        return next((entry.curve for entry in self.entries if entry.place.contains(place)), None)

    def paint(self, painter: QPainter, theme: Theme, hovered: Hashable) -> None:
        """Draw all entries; the one below the mouse is underlined."""
        font = painter.font()
        for entry in self.entries:
            curve, place = entry.curve, entry.place
            faded = QColor(theme.muted)
            faded.setAlpha(140)
            pen = pen_of(curve, theme)
            if curve.is_off:
                pen.setColor(faded)
            paint_sample(painter, pen, QRectF(place.left(), place.top(), SAMPLE, place.height()), is_off=curve.is_off)
            font.setUnderline(curve.key == hovered)
            painter.setFont(font)
            painter.setPen(faded if curve.is_off else QColor(theme.text))
            painter.drawText(place.adjusted(SAMPLE + _GAP, 0, 0, 0), _LEFT, entry.name)
            font.setUnderline(False)
            painter.setFont(font)
            if entry.value_width:
                words = self._values.get(curve.key, "")
                painter.setPen(QColor(theme.warning if _is_outside(words) else theme.muted))
                painter.drawText(place, _RIGHT, words)
        if self.more:
            painter.setPen(QColor(theme.accent))
            painter.drawText(self.more_place, _LEFT, f"+{len(self.more)} more")
