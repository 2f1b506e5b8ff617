"""What an operator does with the mouse on a plot: moving, zooming, drawing a box, pointing, clicking in the legend."""

import html
from collections.abc import Hashable
from typing import TYPE_CHECKING

from PyQt5.QtCore import QEvent, QObject, QPoint, QPointF, QRect, QRectF, QSize, Qt
from PyQt5.QtGui import QHelpEvent, QKeyEvent, QMouseEvent, QWheelEvent
from PyQt5.QtWidgets import QToolTip

from blitz.ui.plots.panel import Panel
from blitz.ui.plots.value_axis import ValueAxis

if TYPE_CHECKING:
    from blitz.ui.plots.panels import PlotPanels

WHEEL_FACTOR = 0.8
"""How much time a notch of the wheel leaves."""
_NOTCH = 120
_LEAST_BOX = 6
"""Pixels; a smaller box is a click."""


class PanelMouse(QObject):
    """Belongs to one plot, and sees its events first."""

    def __init__(self, plot: "PlotPanels") -> None:
        super().__init__(plot)
        self._plot = plot
        self._pressed: QPointF | None = None
        self._times = (0.0, 0.0)
        self._axis: ValueAxis | None = None
        self._values = (0.0, 0.0)
        self._panel: Panel | None = None
        self._place: QPointF | None = None
        self._told: float | None = None
        self.box: QRectF | None = None
        """What is being drawn to be zoomed into, or to be a region."""
        self._marks_region = False
        self.hovered_key: Hashable = None
        """Of the legend's entry below the mouse."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Take what concerns the mouse and the keys that stand for it."""
        kind = event.type()
        if self._plot.is_blank:
            return isinstance(event, QWheelEvent | QHelpEvent | QMouseEvent)
        if isinstance(event, QWheelEvent):
            self._turn_wheel(event)
        elif isinstance(event, QHelpEvent) and kind == QEvent.ToolTip:
            self._show_words(event)
        elif isinstance(event, QKeyEvent) and kind == QEvent.KeyPress:
            return self._take_key(event.key())
        elif kind == QEvent.Leave:
            self._leave()
        elif isinstance(event, QMouseEvent):
            acts = {
                QEvent.MouseButtonPress: self._press,
                QEvent.MouseMove: self._move,
                QEvent.MouseButtonRelease: self._release,
                QEvent.MouseButtonDblClick: self._double_click,
            }
            acts[kind](event)
        else:
            return False
        return kind != QEvent.Leave

    def _press(self, event: QMouseEvent) -> None:
        """Begin to drag, or switch a channel."""
        if event.button() != Qt.LeftButton:
            return
        place = event.localPos()
        if self._click_legend(place):
            return
        plot, self._panel = self._plot, self._plot.panel_at(place)
        if self._panel is None:
            return
        self._pressed, self._times = place, plot.time_range
        self._axis = self._panel.axis_at(place)
        if self._axis is not None:
            self._values = self._axis.range
        elif plot.region.takes(event.modifiers()):
            self._marks_region, self.box = True, QRectF(place, place)
        elif plot.drags_box != bool(event.modifiers() & Qt.ShiftModifier):
            self.box = QRectF(place, place)

    def _move(self, event: QMouseEvent) -> None:
        """Drag, or point."""
        place = event.localPos()
        if self._pressed is None:
            self._point(place)
        elif self.box is not None and self._panel is not None:
            self.box = self._draw_box(self._panel, self._pressed, place)
            self._plot.update()
        elif self._axis is not None and self._panel is not None:
            low, high = self._values
            step = (place.y() - self._pressed.y()) / self._panel.area.height() * (high - low)
            self._zoom_values(self._axis, low + step, high + step)
        else:
            low, high = self._times
            step = (place.x() - self._pressed.x()) / self._plot.panels[0].area.width() * (high - low)
            self._plot.choose_times(low - step, high - step)

    def _release(self, event: QMouseEvent) -> None:
        """Zoom into the box that was drawn, or make it the region."""
        box, panel, is_region = self.box, self._panel, self._marks_region
        self._pressed = self._panel = self._axis = self.box = None
        self._marks_region = False
        if box is None or panel is None:
            return
        self._plot.update()
        if is_region:
            edges = self._plot.time_at(box.topLeft()), self._plot.time_at(box.topRight())
            self._plot.region.choose(None if box.width() < _LEAST_BOX else edges)
            return
        if box.width() < _LEAST_BOX:
            return
        if box.height() < panel.area.height():
            for side in panel.sides:
                span = side.span(panel.area)
                self._zoom_values(side.axis, span.value(box.bottom()), span.value(box.top()))
        self._plot.choose_times(self._plot.time_at(box.topLeft()), self._plot.time_at(box.topRight()))

    def _draw_box(self, panel: Panel, begin: QPointF, end: QPointF) -> QRectF:
        """Return the box between two places; of all values where panels are stacked, or where it is but a stroke."""
        area = panel.area
        left, right = sorted(min(max(x, area.left()), area.right()) for x in (begin.x(), end.x()))
        top, bottom = sorted(min(max(y, area.top()), area.bottom()) for y in (begin.y(), end.y()))
        if self._marks_region or self._plot.is_stacked or bottom - top < _LEAST_BOX:
            top, bottom = area.top(), area.bottom()
        return QRectF(left, top, right - left, bottom - top)

    def _turn_wheel(self, event: QWheelEvent) -> None:
        """Zoom in time; with Ctrl, or over a value axis, in values; with Shift move through the panels."""
        notches = (event.angleDelta().y() or event.angleDelta().x()) / _NOTCH
        place = event.position()
        if not notches:
            return
        panel = self._plot.panel_at(place)
        axis = panel.axis_at(place) if panel is not None else None
        if event.modifiers() & Qt.ShiftModifier:
            self._plot.scroll_panels(-1 if notches > 0 else 1)
        elif panel is not None and axis is not None:
            self._scale(panel, axis, place.y(), WHEEL_FACTOR**notches)
        elif panel is not None and event.modifiers() & Qt.ControlModifier:
            for side in panel.sides:
                self._scale(panel, side.axis, place.y(), WHEEL_FACTOR**notches)
        else:
            self._plot.zoom(WHEEL_FACTOR**notches, self._plot.time_at(place))

    def _double_click(self, event: QMouseEvent) -> None:
        """Let the values fit by themselves again."""
        if event.button() == Qt.LeftButton and not self._click_legend(event.localPos()):
            self._plot.reset_values()

    def _take_key(self, key: int) -> bool:
        """Move and zoom in time by the arrows, + and −, scroll by pages; returns whether the key does any of it."""
        shifts = {Qt.Key_Left: -0.2, Qt.Key_Right: 0.2}
        factors = {Qt.Key_Plus: 0.5, Qt.Key_Up: 0.5, Qt.Key_Minus: 2.0, Qt.Key_Down: 2.0}
        pages = {Qt.Key_PageUp: -1, Qt.Key_PageDown: 1}
        if key in pages:
            self._plot.scroll_panels(pages[Qt.Key(key)] * len(self._plot.panels))
        elif key in shifts:
            self._plot.shift(shifts[Qt.Key(key)])
        elif key in factors:
            self._plot.zoom(factors[Qt.Key(key)])
        return key in {*pages, *shifts, *factors}

    def _leave(self) -> None:
        """Point at nothing."""
        self._place = None
        self.hovered_key = None
        self._tell(None)

    def tell_time(self) -> None:
        """Tell the time below the mouse again: the times have moved."""
        if self._place is not None and self._told is not None:
            self._tell(self._plot.time_at(self._place))

    def _show_words(self, event: QHelpEvent) -> None:
        """Say in a tooltip what is known of gaps and markers there."""
        words = self._plot.words_at(QPointF(event.pos()))
        # What an operator wrote is no markup. (PyQt5's stub takes a function for a method.)
        if Qt.mightBeRichText(words):  # type: ignore[call-arg, arg-type]
            words = f"<p style='white-space: pre'>{html.escape(words)}</p>"
        if words:
            QToolTip.showText(event.globalPos(), words, self._plot, QRect(event.pos() - QPoint(2, 2), QSize(5, 5)))
        else:
            QToolTip.hideText()

    def _point(self, place: QPointF) -> None:
        self._place = place
        entry = self._entry_at(place)
        if entry != self.hovered_key:
            self.hovered_key = entry
            self._plot.update()
        is_button = entry is not None or any(panel.legend.more_place.contains(place) for panel in self._plot.panels)
        panel = self._plot.panel_at(place)
        is_axis = panel is not None and panel.axis_at(place) is not None
        shape = Qt.PointingHandCursor if is_button else Qt.SizeVerCursor if is_axis else Qt.ArrowCursor
        self._plot.setCursor(shape)
        first, last = self._plot.panels[0].area, self._plot.panels[-1].area
        inside = first.left() <= place.x() <= first.right() and first.top() <= place.y() <= last.bottom()
        self._tell(self._plot.time_at(place) if inside else None)

    def _tell(self, at_s: float | None) -> None:
        if at_s != self._told:
            self._told = at_s
            self._plot.hovered.emit(at_s)

    def _entry_at(self, place: QPointF) -> Hashable:
        found = (panel.legend.entry_at(place) for panel in self._plot.panels)
        return next((curve.key for curve in found if curve is not None), None)

    def _click_legend(self, place: QPointF) -> bool:
        key = self._entry_at(place)
        if key is not None:
            self._plot.channel_switched.emit(key)
            return True
        for panel in self._plot.panels:
            if panel.legend.more_place.contains(place):
                self._show_more(panel, self._plot.mapToGlobal(place.toPoint()))
                return True
        return False

    def _show_more(self, panel: Panel, at: QPoint) -> None:
        menu = self._plot.more_menu(panel)
        menu.setAttribute(Qt.WA_DeleteOnClose)
        menu.popup(at)

    def _scale(self, panel: Panel, axis: ValueAxis, y: float, factor: float) -> None:
        side = next(side for side in panel.sides if side.axis is axis)
        fixed, (low, high) = side.span(panel.area).value(y), axis.range
        self._zoom_values(axis, fixed - (fixed - low) * factor, fixed + (high - fixed) * factor)

    def _zoom_values(self, axis: ValueAxis, low: float, high: float) -> None:
        axis.zoom_to(low, high)
        self._plot.take_zoom()
