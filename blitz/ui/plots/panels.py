"""The plot: curves over time, laid over each other by unit or stacked, a panel a channel, with one time axis below."""

import time
from collections.abc import Hashable, Mapping

from PyQt5.QtCore import QPoint, QPointF, QRectF, QSignalBlocker, QSize, Qt, pyqtSignal
from PyQt5.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen, QResizeEvent
from PyQt5.QtWidgets import QAction, QMenu, QScrollBar, QSizePolicy, QWidget

from blitz.data.records import Gap, Marker
from blitz.ui.plots.curves import MOST_SMOOTH_POINTS, Curve, has_value, value_limits
from blitz.ui.plots.marker_marks import MarkerFlags
from blitz.ui.plots.marks import GapShades
from blitz.ui.plots.panel import Panel
from blitz.ui.plots.panel_front import cover_outside, paint_box, paint_cursor, paint_sentence, paint_times, place_times
from blitz.ui.plots.panel_layout import PanelLayout
from blitz.ui.plots.panel_mouse import PanelMouse
from blitz.ui.plots.region import PlotRegion
from blitz.ui.plots.span import Span
from blitz.ui.plots.strokes import Stroke, pen_of, thin
from blitz.ui.plots.time_axis import TimeAxis
from blitz.ui.plots.time_view import TimeView
from blitz.ui.plots.unit_axes import PanelPlan, overlay, stack
from blitz.ui.plots.value_axis import ValueAxis
from blitz.ui.theme import LIGHT, Theme

SMOOTH_PAINTING_S = 0.02
"""Smooth lines must not take longer: where they do, a plot has them only with fewer points from then on."""


class PlotPanels(TimeView):
    """Paints by itself: what changes with every frame must not cost the upkeep of a scene."""

    hovered = pyqtSignal(object)
    """The time below the mouse, also when the times move below a resting one; None when it leaves."""
    channel_switched = pyqtSignal(object)
    """Key of the curve whose legend entry was clicked."""
    values_zoom_changed = pyqtSignal(bool)
    """Whether some value axis shows what the operator chose."""
    resized = pyqtSignal()
    """There are more columns, or fewer: curves are to be drawn again."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.time_axis = TimeAxis()
        self.panels: tuple[Panel, ...] = ()
        """Those in view, from above."""
        self.drags_box = False
        """Dragging draws a box to zoom into instead of moving the times; with Shift it does the other one."""
        self._cursor_s: float | None = None
        self._theme = LIGHT
        self._is_stacked = False
        self._curves: list[Curve] = []
        self._valued: set[tuple[Hashable, str]] = set()
        """Keys and names of curves that had a value at some time: their panels stay, also where there is none in view.
        In another session the same key may be another channel's."""
        self._plans: tuple[PanelPlan, ...] = ()
        self._axes: dict[object, ValueAxis] = {}
        self._values: dict[Hashable, str] = {}
        self._layout = PanelLayout()
        self._sentence = ""
        self._is_blank = False
        self.is_smooth = True
        """Whether lines are smoothed: only where they have few points."""
        self.painting_s = 0.0
        """How long the last painting took."""
        self._points = 0
        self._most_smooth_points = MOST_SMOOTH_POINTS
        self._slow_paintings = 0
        self._was_zoomed = False
        self._gaps = GapShades()
        self._flags = MarkerFlags()
        self.region = PlotRegion(self)
        self._mouse = PanelMouse(self)
        self.installEventFilter(self._mouse)
        self.moved.connect(self._mouse.tell_time)
        self._scroll = QScrollBar(Qt.Vertical, self)
        self._scroll.setAccessibleName("Panels")
        self._scroll.hide()
        self._scroll.valueChanged.connect(self._draw_again)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.StrongFocus)
        self.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Expanding)
        self.setAttribute(Qt.WA_OpaquePaintEvent)
        self.draw([])

    def set_origin(self, origin: float | None) -> None:
        """Count time from there; None shows the clock."""
        if origin != self.time_axis.origin:
            self.time_axis.count_from(origin)
            self.update()

    @property
    def time_span(self) -> Span:
        """Where times are drawn."""
        area = self.panels[0].area
        return Span(*self._times, area.left(), area.right())

    def time_at(self, place: QPoint | QPointF) -> float:
        """Return the time of a place in the widget."""
        return self.time_span.value(place.x())

    def x_of(self, at_s: float) -> float:
        """Return the pixel of a time."""
        return self.time_span.pixel(at_s)

    @property
    def columns(self) -> int:
        """How many columns of pixels the plots have."""
        return max(64, int(self.panels[0].area.width() * self.devicePixelRatioF()))

    @property
    def is_stacked(self) -> bool:
        """Whether each channel has a panel of its own."""
        return self._is_stacked

    def set_stacked(self, is_stacked: bool) -> None:
        """Give each channel a panel, or lay them over each other by unit."""
        self._is_stacked = is_stacked
        self._scroll.setValue(0)
        self._draw_again()

    def draw(self, curves: list[Curve]) -> None:
        """Show exactly these curves; value axes fit to them, unless an operator zoomed."""
        self._curves = curves
        names = {(curve.key, curve.label): curve for curve in curves}
        self._valued |= {name for name, curve in names.items() if name not in self._valued and has_value(curve)}
        empty = {curve.key for name, curve in names.items() if name not in self._valued}
        self._plans = stack(curves, empty) if self._is_stacked else overlay(curves, empty)
        keys = [axis.key for plan in self._plans for axis in plan.axes]
        self._axes = {key: self._axes.get(key) or ValueAxis() for key in keys}
        self._lay_out()
        first, columns, span_s = self._scroll.value(), self.columns, self._times[1] - self._times[0]
        points = 0
        for panel, plan in zip(self.panels, self._plans[first:], strict=False):
            for side, axis in zip(panel.sides, plan.axes, strict=True):
                side.strokes = [thin(curve, columns, span_s, self._pen) for curve in axis.curves]
                side.axis.fit(value_limits([stroke.values for stroke in side.strokes]))
                points += sum(len(stroke.times) for stroke in side.strokes)
        self.is_smooth = points <= self._most_smooth_points
        self._points = points
        self._lay_out()
        self._tell_zoom()
        self.update()

    def show_values(self, values: Mapping[Hashable, str]) -> None:
        """Write beside the channels' names what they measure: by the curve's key, with the unit."""
        if values == self._values:
            return
        self._values = dict(values)
        self._lay_out()
        self.update()

    def show_gaps(self, gaps: tuple[Gap, ...], names: Mapping[int, str] | None = None) -> None:
        """Mark where messages are known to be missing; a tooltip says of which board, how many, and why.

        :param names: of the boards, by source index.
        """
        if self._gaps.show(gaps, names):
            self.update()

    def show_markers(self, markers: tuple[Marker, ...]) -> None:
        """Show operators' notes at their times."""
        if self._flags.show(markers):
            self.update()

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """The gaps that are marked."""
        return self._gaps.gaps

    @property
    def markers(self) -> tuple[Marker, ...]:
        """The markers that are shown."""
        return self._flags.markers

    def marker_labels(self) -> dict[Marker, QRectF]:
        """Return where the labels of markers stand."""
        return dict(self._flags.labels(self.panels[0].area, self.time_span, QFontMetricsF(self.font())))

    def show_cursor(self, at_s: float | None) -> None:
        """Draw a line through all panels at a time, and write the time below; None hides it."""
        if at_s != self._cursor_s:
            self._cursor_s = at_s
            self.update()

    @property
    def is_blank(self) -> bool:
        """Whether nothing but the ground is painted, so that something else can be said there."""
        return self._is_blank

    def set_blank(self, is_blank: bool) -> None:
        """Paint nothing but the ground, or everything."""
        if is_blank != self._is_blank:
            self._is_blank = is_blank
            self._lay_out()
            self.update()

    @property
    def sentence(self) -> str:
        """What is said over the curves."""
        return self._sentence

    def show_sentence(self, text: str) -> None:
        """Say over the curves why they are not what they should be; an empty text says nothing."""
        if text != self._sentence:
            self._sentence = text
            self.update()

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self._theme = theme
        self._draw_again()

    @property
    def strokes(self) -> dict[Hashable, Stroke]:
        """What is drawn, by the curves' keys: thinned to the screen's columns."""
        return {stroke.curve.key: stroke for panel in self.panels for side in panel.sides for stroke in side.strokes}

    @property
    def values_zoomed(self) -> bool:
        """Whether some value axis shows what the operator chose."""
        return any(axis.is_zoomed for axis in self._axes.values())

    def reset_values(self) -> None:
        """Let all value axes fit to what is drawn again."""
        for axis in self._axes.values():
            axis.release()
        self._draw_again()

    def take_zoom(self) -> None:
        """Draw value axes as an operator zoomed them."""
        self._lay_out()
        self._tell_zoom()
        self.update()

    def panel_at(self, place: QPointF) -> Panel | None:
        """Return the panel at a height of the widget."""
        return next((panel for panel in self.panels if panel.area.top() <= place.y() <= panel.area.bottom()), None)

    def more_menu(self, panel: Panel) -> QMenu:
        """Return the channels that a legend has no room for, to be switched."""
        menu = QMenu(self)
        for curve in panel.legend.more:
            action = QAction(curve.label.replace("&", "&&"), menu)
            action.setCheckable(True)
            action.setChecked(not curve.is_off)
            action.triggered.connect(lambda _=False, key=curve.key: self.channel_switched.emit(key))
            menu.addAction(action)
        return menu

    def scroll_panels(self, panels: int) -> None:
        """Move on by so many panels, where there are more than fit."""
        self._scroll.setValue(self._scroll.value() + panels)

    def sizeHint(self) -> QSize:
        """As large as is useful."""
        return QSize(640, 400)

    def minimumSizeHint(self) -> QSize:
        """As small as can be read."""
        return QSize(240, 160)

    def _pen(self, curve: Curve) -> QPen:
        return pen_of(curve, self._theme)

    def _draw_again(self) -> None:
        self.draw(self._curves)

    def _tell_zoom(self) -> None:
        if self._was_zoomed != self.values_zoomed:
            self._was_zoomed = self.values_zoomed
            self.values_zoom_changed.emit(self._was_zoomed)

    def _lay_out(self) -> None:
        """Place the panels in view, and the scroll bar where there are more."""
        metrics = QFontMetricsF(self.font())
        room = self._layout.room(self.height(), len(self._plans), metrics)
        hidden = len(self._plans) - room
        with QSignalBlocker(self._scroll):
            self._scroll.setRange(0, hidden)
            self._scroll.setPageStep(room)
        width = self._scroll.sizeHint().width() if hidden else 0
        self._scroll.setVisible(hidden > 0 and not self._is_blank)
        self._scroll.setGeometry(self.width() - width - 1, 1, width, self.height() - 2)
        if len(self.panels) != room:
            self.panels = tuple(self.panels[n] if n < len(self.panels) else Panel() for n in range(room))
        first = self._scroll.value()
        plans = self._plans[first : first + room]
        for panel, plan in zip(self.panels, plans, strict=True):
            panel.take(plan, self._axes)
        size = QSize(self.width() - width, self.height())
        self._layout.arrange(self.panels, plans, size, self._values, metrics)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Use the room."""
        super().resizeEvent(event)
        self._draw_again()
        self.resized.emit()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint all of it."""
        begun_s = time.perf_counter()
        painter = QPainter(self)
        try:
            self._paint(painter)
        finally:
            painter.end()  # a painter that outlives its device, in a traceback, ends the program
        self.painting_s = time.perf_counter() - begun_s
        self._slow_paintings = self._slow_paintings + 1 if self.is_smooth and self.painting_s > SMOOTH_PAINTING_S else 0
        if self._slow_paintings == 3:  # this machine has no time for it
            self._most_smooth_points = self._points // 2

    def _paint(self, painter: QPainter) -> None:
        painter.setFont(self.font())
        times, theme = self.time_span, self._theme
        painter.fillRect(self.rect(), QColor(theme.base))
        painter.setPen(QPen(QColor(theme.accent if self.hasFocus() else theme.border), 1))
        painter.drawRect(self.rect().adjusted(0, 0, -1, -1))
        if self._is_blank:
            return
        labels = place_times(self.time_axis, times, self.width(), QFontMetricsF(self.font()))
        for panel in self.panels:
            painter.setClipRect(panel.area.adjusted(0, 0, 1, 1))
            panel.paint_back(painter, times, [x for x, _ in labels], self._gaps, theme)
            panel.paint_curves(painter, times, is_smooth=self.is_smooth)
            self._flags.paint_lines(painter, panel.area, times, theme)
            self.region.paint(painter, panel.area, times, theme)
        painter.setClipping(False)
        cover_outside(painter, self.rect(), self.panels, theme)
        for panel in self.panels:
            panel.paint_axes(painter, theme)
            panel.legend.paint(painter, theme, self._mouse.hovered_key)
        self._flags.paint_labels(painter, self.panels[0].area, times, theme)
        taken = None
        if self._cursor_s is not None and times.low <= self._cursor_s <= times.high:
            words = self.time_axis.words(self._cursor_s, (times.high - times.low) / self.columns)
            taken = paint_cursor(painter, self.panels, times.pixel(self._cursor_s), words, theme)
        paint_times(painter, labels, self.panels[-1].area.bottom(), theme, taken)
        if self._mouse.box is not None:
            paint_box(painter, self._mouse.box, theme)
        if self._sentence:
            paint_sentence(painter, self._sentence, self.panels[0].area, theme)

    def words_at(self, place: QPointF) -> str:
        """Say what is known of a channel in a legend, or of gaps and markers at a place; empty where there are none."""
        entries = (panel.legend.entry_at(place) for panel in self.panels)
        entry = next((curve for curve in entries if curve is not None), None)
        if entry is not None:
            return f"{entry.label}\nA click {'shows' if entry.is_off else 'hides'} it."
        panel = self.panel_at(place)
        if panel is None or not panel.area.contains(place):
            return ""
        times = self.time_span
        marked = self._flags.words_at(self.panels[0].area, times, place, QFontMetricsF(self.font()))
        missing = self._gaps.words_at(times, place.x(), panel.sources)
        return "\n".join(words for words in (marked, missing) if words)
