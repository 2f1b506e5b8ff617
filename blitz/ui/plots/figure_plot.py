"""A plot of values over something that is no time of day: a spectrum, a histogram, channels against each other.

Paints by itself, as the plots over time do. The wheel and the keys zoom along the lower axis, dragging moves, a double
click or Home shows everything.
"""

import math
from collections.abc import Sequence

import numpy as np
from PyQt5.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from PyQt5.QtGui import QFontMetricsF, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QWheelEvent
from PyQt5.QtWidgets import QSizePolicy, QWidget

from blitz.ui.plots.figure_marks import (
    FigureCurve,
    FigureNote,
    Shape,
    nearest_point,
    paint_axes,
    paint_curve,
    paint_ground,
    paint_notes,
    paint_readout,
    seen_values,
)
from blitz.ui.plots.span import Span
from blitz.ui.theme import LIGHT, SPACE, Theme

_WHEEL_FACTOR = 0.8
_NOTCH = 120
_MARGIN = 0.06


class FigurePlot(QWidget):
    """Shows what :meth:`show_curves` says."""

    key_words = (
        ("+, −", "Zoom along the lower axis"),
        ("Left, Right", "Move along the lower axis"),
        ("Home", "Show everything"),
    )

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.curves: tuple[FigureCurve, ...] = ()
        self.notes: tuple[FigureNote, ...] = ()
        self.is_log = False
        """Whether the left axis has a step a power of ten; values not above 0 are not drawn then."""
        self._titles = ("", "")
        self._hint = ""
        self._theme = LIGHT
        self._whole = (0.0, 1.0)
        self._seen: tuple[float, float] | None = None
        self._pressed: tuple[float, tuple[float, float]] | None = None
        self._pointed: QPointF | None = None
        self.setAccessibleName(name)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.StrongFocus)
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Expanding)
        self.setAttribute(Qt.WA_OpaquePaintEvent)

    @property
    def hint(self) -> str:
        """What is said where there is nothing to draw."""
        return self._hint

    @property
    def shown_range(self) -> tuple[float, float]:
        """The lowest and highest value of the lower axis in view."""
        return self._seen or self._whole

    def show_curves(
        self,
        curves: Sequence[FigureCurve],
        x_title: str,
        y_title: str,
        notes: Sequence[FigureNote] = (),
        *,
        x_range: tuple[float, float] | None = None,
    ) -> None:
        """Show exactly these, and what they are counted in.

        :param x_range: what the lower axis shows when nothing is zoomed; None: all that there is.
        """
        self.curves, self.notes, self._titles, self._hint = tuple(curves), tuple(notes), (x_title, y_title), ""
        whole = x_range or _extent(self.curves)
        if whole != self._whole:
            self._whole, self._seen = whole, None
        self.setAccessibleDescription("; ".join(note.text for note in self.notes))
        self.update()

    def show_hint(self, text: str) -> None:
        """Say why there is nothing to draw."""
        self.curves, self.notes, self._hint = (), (), text
        self.setAccessibleDescription(text)
        self.update()

    def set_log(self, is_log: bool) -> None:
        """Give the left axis a step a power of ten, or even ones."""
        self.is_log = is_log
        self.update()

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self._theme = theme
        self.update()

    def fit(self) -> None:
        """Show everything."""
        self._look_at(None)

    def zoom(self, factor: float, around: float | None = None) -> None:
        """Show so many times as much of the lower axis; what is at ``around`` (the middle) stays where it is."""
        low, high = self.shown_range
        fixed = (low + high) / 2 if around is None else around
        self._look_at((fixed - (fixed - low) * factor, fixed + (high - fixed) * factor))

    def shift(self, share: float) -> None:
        """Move by a share of what is shown."""
        low, high = self.shown_range
        self._look_at((low + (high - low) * share, high + (high - low) * share))

    def sizeHint(self) -> QSize:
        """As large as is useful."""
        return QSize(480, 160)

    def minimumSizeHint(self) -> QSize:
        """As small as can be read."""
        return QSize(200, 110)

    @property
    def area(self) -> QRectF:
        """Where the curves are drawn, in the widget's pixels."""
        metrics = QFontMetricsF(self.font())
        left = metrics.horizontalAdvance("-0.000000") + SPACE
        bottom = 2 * metrics.height() + SPACE
        return QRectF(left, metrics.height() + SPACE, self.width() - left - 2 * SPACE, 0).adjusted(
            0, 0, 0, max(20.0, self.height() - bottom - metrics.height() - SPACE)
        )

    @property
    def spans(self) -> tuple[Span, Span]:
        """Where values of the lower and of the left axis are drawn; in powers of ten where the left one is so."""
        area = self.area
        low, high = self.shown_range
        bottom, top = seen_values(self.curves, (low, high), is_log=self.is_log)
        for note in self.notes:  # between two points, a peak is higher than both
            if low <= note.x <= high and (note.y > 0 or not self.is_log):
                value = math.log10(note.y) if self.is_log else note.y
                bottom, top = min(bottom, value), max(top, value)
        has_bars = any(curve.shape is Shape.BARS for curve in self.curves)
        pad = (top - bottom) * _MARGIN if top > bottom else max(abs(top) * 0.05, 0.5)
        return Span(low, high, area.left(), area.right()), Span(
            bottom if has_bars and not self.is_log else bottom - pad, top + pad, area.bottom(), area.top()
        )

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint all of it."""
        painter = QPainter(self)
        try:
            self._paint(painter)
        finally:
            painter.end()

    def _paint(self, painter: QPainter) -> None:
        painter.setFont(self.font())
        paint_ground(painter, self.rect(), self._theme, has_focus=self.hasFocus())
        area = self.area
        if not self.curves:
            painter.setPen(self.palette().placeholderText().color())
            painter.drawText(
                QRectF(self.rect()).adjusted(SPACE, SPACE, -SPACE, -SPACE),
                int(Qt.AlignCenter | Qt.TextWordWrap),
                self._hint,
            )
            return
        x, y = self.spans
        paint_axes(painter, area, x, y, self._titles, self._theme, is_log=self.is_log)
        painter.setClipRect(area.adjusted(0, 0, 1, 1))
        for curve in self.curves:
            paint_curve(painter, curve, x, y, is_log=self.is_log)
        painter.setClipping(False)
        paint_notes(painter, area, self.notes, x, y, self._theme, is_log=self.is_log)
        if self._pointed is not None and area.contains(self._pointed):
            found = nearest_point(self.curves, x, y, self._pointed, is_log=self.is_log)
            if found is not None:
                paint_readout(painter, area, found, self._titles, x, y, self._theme, is_log=self.is_log)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom around what is below the mouse."""
        notches = (event.angleDelta().y() or event.angleDelta().x()) / _NOTCH
        if notches and self.curves:
            self.zoom(_WHEEL_FACTOR**notches, self.spans[0].value(event.position().x()))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin to move."""
        if event.button() == Qt.LeftButton:
            self._pressed = event.localPos().x(), self.shown_range

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Move, or point."""
        self._pointed = event.localPos()
        if self._pressed is not None:
            from_x, (low, high) = self._pressed
            step = (event.localPos().x() - from_x) / self.area.width() * (high - low)
            self._look_at((low - step, high - step))
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Move no longer."""
        self._pressed = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Show everything."""
        self.fit()

    def leaveEvent(self, event: QEvent) -> None:
        """Point at nothing."""
        self._pointed = None
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Zoom and move."""
        acts = {
            Qt.Key_Plus: lambda: self.zoom(0.5),
            Qt.Key_Minus: lambda: self.zoom(2.0),
            Qt.Key_Left: lambda: self.shift(-0.2),
            Qt.Key_Right: lambda: self.shift(0.2),
            Qt.Key_Home: self.fit,
        }
        act = acts.get(Qt.Key(event.key()))
        if act is None:
            super().keyPressEvent(event)
        else:
            act()

    def _look_at(self, seen: tuple[float, float] | None) -> None:
        low, high = self._whole
        if seen is not None:
            width = min(seen[1] - seen[0], high - low)
            begin = min(max(seen[0], low), high - width)
            seen = (begin, begin + width) if width > 1e-9 * (high - low) else self._seen
            if seen == self._whole:
                seen = None
        self._seen = seen
        self.update()


def _extent(curves: Sequence[FigureCurve]) -> tuple[float, float]:
    finite = [curve.x[np.isfinite(curve.x)] for curve in curves]
    known = [x for x in finite if len(x)]
    if not known:
        return 0.0, 1.0
    low, high = min(float(x.min()) for x in known), max(float(x.max()) for x in known)
    if high > low:
        return low, high
    half = max(abs(low) * 0.05, 0.5)
    return (low - half, high + half) if math.isfinite(low) else (0.0, 1.0)
