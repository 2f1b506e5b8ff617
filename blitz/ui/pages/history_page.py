"""The page of a historic session: its plot, its channels, what is known of it."""

from datetime import datetime

import numpy as np
from PyQt5.QtCore import QEvent, QObject, Qt, pyqtSignal
from PyQt5.QtGui import QKeyEvent
from PyQt5.QtWidgets import QHBoxLayout, QLabel, QListView, QPushButton, QSizePolicy, QSplitter, QVBoxLayout, QWidget

from blitz.data.records import Marker, SessionRecord
from blitz.ui.formats import format_duration, format_moment, gap_words, message_words
from blitz.ui.history import History
from blitz.ui.history_computed import Computed, HistoryComputed
from blitz.ui.lines import Series
from blitz.ui.live_store import LiveChannel
from blitz.ui.live_view import Span
from blitz.ui.models.channel_choice import ChannelChoice
from blitz.ui.models.sessions import session_length_s, session_title, state_words
from blitz.ui.plots.crosshair import Crosshair, value_words
from blitz.ui.plots.history_plot import HistoryPlot
from blitz.ui.plots.marker_marks import time_words
from blitz.ui.plots.panels import PlotPanels
from blitz.ui.readings_at import ChannelExtremes, around, channel_at, extremes_before
from blitz.ui.theme import SPACE, Appearance, Theme
from blitz.ui.widgets.analysis_panel import AnalysisPanel
from blitz.ui.widgets.channel_choice import ShownChannel
from blitz.ui.widgets.channel_delegate import ChannelDelegate
from blitz.ui.widgets.marker_panel import MarkerPanel
from blitz.ui.widgets.permitted import permit
from blitz.ui.widgets.plot_bar import PlotBar
from blitz.ui.widgets.plot_strip import PlotStrip
from blitz.ui.widgets.version_row import VersionRow

MOST_REMARKS = 30


class HistoryPage(QWidget):
    """One session, whole."""

    export_requested = pyqtSignal(int)
    report_requested = pyqtSignal(int)
    mark_requested = pyqtSignal(float)
    """A marker is to be written at once at that time, in seconds since the Unix epoch."""

    key_words = (
        ("Home", "Show the whole session"),
        ("+, −, Up, Down", "Zoom in time"),
        ("Shift and dragging", "Mark a stretch, while the analysis is open"),
        ("Left, Right", "Move in time"),
        ("Shift+Left, Shift+Right", "The crosshair to the next reading"),
        ("Page Up, Page Down", "Move through the panels where they are stacked"),
    )

    def __init__(self, history: History, appearance: Appearance, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.history = history
        self.session_id = history.record.id
        self.plot = HistoryPlot(history)
        self.plot.setAccessibleName("Plot")
        self.crosshair = Crosshair(self.plot)
        self.channels = ChannelChoice(history.channels, appearance.theme, self)
        self.versions = VersionRow(history.version, history.versions)
        self._has_analysed = False
        self.computed = HistoryComputed(history, self)
        self.markers = MarkerPanel(self.plot, history.record.markers)
        self.analysis = AnalysisPanel(history, self.plot)
        self.bar = PlotBar(is_live=False)
        self.strip = PlotStrip()
        self._lay_out()
        self._listen()
        appearance.changed.connect(self.set_theme)
        self.set_theme(appearance.theme)
        self._show_channels()
        self._show_range(*self.plot.time_range)

    @property
    def drawing(self) -> PlotPanels:
        """What is drawn, without what stands around it."""
        return self.plot

    @property
    def shown_times(self) -> Span:
        """Times of the left and right edge."""
        return self.plot.time_range

    @property
    def marked_s(self) -> float:
        """The time that a marker is written at: where the crosshair stands, else in the middle."""
        return sum(self.plot.time_range) / 2 if self.crosshair.at_s is None else self.crosshair.at_s

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self.channels.theme = theme
        self.plot.set_theme(theme)
        self.bar.set_theme(theme)
        self.analysis.set_theme(theme)

    def show_rights(self, refusal: str) -> None:
        """Take over why nothing can be written; empty where it can."""
        self.markers.show_rights(refusal)
        permit(self.bar.marker, refusal)

    def show_comparison(self, other: History) -> None:
        """Draw the curves of another version of the definitions, too, if that is still wanted."""
        if self.versions.compare.isChecked():
            self.plot.compare_with(other)

    def set_stacked(self, is_stacked: bool) -> None:
        """Give each channel a panel of its own, or lay them over each other."""
        self.bar.stacked.setChecked(is_stacked)
        self.plot.set_stacked(is_stacked)

    def set_relative(self, is_relative: bool) -> None:
        """Count time from the session's start, or show the clock."""
        self.bar.relative.setChecked(is_relative)
        self.plot.set_relative(is_relative)

    def set_box(self, is_box: bool) -> None:
        """Let dragging draw a box to zoom into, or move the times."""
        self.bar.box.setChecked(is_box)
        self.plot.drags_box = is_box

    def set_analysis(self, is_shown: bool) -> None:
        """Show what the stretch in view, or the one marked, comes to."""
        self.bar.analysis.setChecked(is_shown)
        if is_shown and not self._has_analysed:  # the operator may have moved the border since
            self._has_analysed = True
            self.analysis.show()
            half = self._stack.height() // 2
            self._stack.setSizes([half, self._stack.height() - half])
        self.analysis.setVisible(is_shown)

    def reset_zoom(self) -> None:
        """Show the whole session, and all values."""
        self.plot.reset_values()
        self.plot.fit()

    def mark(self) -> None:
        """Write a marker at the crosshair, else in the middle."""
        if self.bar.marker.isEnabled():
            self.mark_requested.emit(self.marked_s)

    def ask_for_marker(self) -> None:
        """Ask for a marker at the crosshair, else in the middle."""
        if self.bar.marker.isEnabled():
            self.markers.add_requested.emit(self.marked_s)

    def tell_marked(self, marker: Marker) -> None:
        """Say that a marker was written at once, and offer to say more."""
        when = time_words(marker).partition(".")[0]
        self.strip.tell(f"{marker.text} at {when}", "Add words…", lambda: self.markers.chosen.emit(marker))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Step the crosshair from reading to reading with Shift and the arrow keys."""
        if event.type() == QEvent.KeyPress and isinstance(event, QKeyEvent) and event.modifiers() & Qt.ShiftModifier:
            direction = {Qt.Key_Left: -1, Qt.Key_Right: 1}.get(Qt.Key(event.key()))
            if direction is not None:
                self.crosshair.step(direction, self._around)
                return True
        return super().eventFilter(watched, event)

    def _listen(self) -> None:
        bar = self.bar
        self.plot.installEventFilter(self)
        self.channels.chosen.connect(self._show_channels)
        self.computed.found.connect(self._take_computed)
        self.plot.channel_switched.connect(self.channels.turn)
        self.plot.moved.connect(self._show_range)
        self.crosshair.moved.connect(self._show_values)
        bar.stacked_chosen.connect(self.set_stacked)
        bar.relative_chosen.connect(self.set_relative)
        bar.box_chosen.connect(self.set_box)
        bar.analysis_chosen.connect(self.set_analysis)
        bar.reset_clicked.connect(self.reset_zoom)
        bar.zoom_clicked.connect(self.plot.zoom)
        bar.marker_clicked.connect(self.mark)
        bar.marker_asked.connect(self.ask_for_marker)

    def _show_channels(self) -> None:
        self.plot.show_channels(self.channels.shown)
        self.analysis.show_channels(tuple(ShownChannel(*shown) for shown in self.channels.shown))

    def _take_computed(self, found: Computed) -> None:
        self.history.show_computed(found.series)
        self.channels.show_channels((*self.history.channels, *found.channels))
        if found.remarks:
            self.strip.tell(" ".join(found.remarks))

    def _show_range(self, low: float, high: float) -> None:
        limits = self.history.time_limits or (low, high)
        seconds = min(high, limits[1]) - max(low, limits[0])
        self.strip.show_words(f"Showing {format_duration(seconds)}" if seconds >= 60 else f"Showing {seconds:.3g} s")

    def _show_values(self) -> None:
        """Write into the legend what the channels were at the crosshair."""
        at_s = self.crosshair.at_s
        if at_s is None:
            self.plot.show_values({})
            return
        shown = [channel for channel, _ in self.channels.shown]
        self.plot.show_values(
            {channel.key: value_words(channel.channel, self._found(channel, at_s)) for channel in shown}
        )

    def _around(self, at_s: float) -> list[Series]:
        """Return readings around a time: of a long session, what is drawn of them."""
        rows = {channel.source.index for channel, _ in self.channels.shown}
        known = [around(series, at_s) for index, series in self.history.series.items() if index in rows]
        drawn = [Series(stroke.times, stroke.values[:, np.newaxis]) for stroke in self.plot.strokes.values()]
        return known or drawn

    def _found(self, channel: LiveChannel, at_s: float) -> ChannelExtremes | None:
        series = self.history.series.get(channel.source.index)
        if series is not None:
            return channel_at(around(series, at_s), channel.column, at_s)
        # A long session is on the disk: what is drawn of it must do while the mouse moves.
        stroke = self.plot.strokes.get(channel.key)
        if stroke is None:
            return None
        low, high = self.plot.time_range
        return extremes_before(stroke.curve.times, stroke.curve.values, at_s, (high - low) / self.plot.columns)

    def _lay_out(self) -> None:
        names = QListView()
        names.setModel(self.channels)
        names.setAccessibleName("Channels")
        names.setItemDelegate(ChannelDelegate(names))
        names.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        names.setTextElideMode(Qt.ElideMiddle)
        names.setResizeMode(QListView.Adjust)
        beside = QSplitter(Qt.Vertical)
        beside.setHandleWidth(SPACE)
        beside.addWidget(names)
        beside.addWidget(self.markers)
        beside.setStretchFactor(0, 1)
        beside.setStretchFactor(1, 1)
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE // 2)
        column.addWidget(self.bar)
        column.addWidget(self.strip)
        column.addWidget(self._with_analysis(), 1)
        splitter = QSplitter()
        splitter.setHandleWidth(2 * SPACE)
        splitter.addWidget(left)
        splitter.addWidget(beside)
        splitter.setStretchFactor(0, 1)
        splitter.setSizes([960, 280])
        splitter.setChildrenCollapsible(False)
        page = QVBoxLayout(self)
        page.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, SPACE)
        page.setSpacing(SPACE)
        page.addLayout(self._head())
        page.addWidget(splitter, 1)

    def _with_analysis(self) -> QSplitter:
        stack = self._stack = QSplitter(Qt.Vertical)
        stack.setHandleWidth(SPACE)
        stack.addWidget(self.plot)
        stack.addWidget(self.analysis)
        stack.setStretchFactor(0, 1)
        stack.setStretchFactor(1, 1)
        stack.setChildrenCollapsible(False)
        self.analysis.hide()
        return stack

    def _head(self) -> QVBoxLayout:
        title = QLabel(session_title(self.history.record))
        title.setProperty("kind", "title")
        title.setSizePolicy(QSizePolicy.Ignored, QSizePolicy.Preferred)
        about = self.about = QLabel("  ·  ".join(self._facts()))
        about.setProperty("kind", "muted")
        about.setToolTip(_remarks(self.history.record))
        about.setWordWrap(True)
        self.play = QPushButton("&Play back")
        self.play.setToolTip("Show the session on the live pages, as it was, from what the plot shows first")
        self.compare = QPushButton("Compare ▾")
        self.compare.setAccessibleName("Compare")
        self.compare.setProperty("kind", "menu")
        self.compare.setToolTip("Lay this session and another one upon each other")
        export = QPushButton("Export…")
        export.setToolTip("Write the session, or what the plot shows, to a file")
        export.clicked.connect(lambda: self.export_requested.emit(self.session_id))
        report = QPushButton("Report…")
        report.setToolTip("Write a page about the session, or what the plot shows, to be printed and kept")
        report.clicked.connect(lambda: self.report_requested.emit(self.session_id))
        row = QHBoxLayout()
        row.setSpacing(SPACE)
        row.addWidget(title, 1)
        if len(self.versions.numbers) == 1:
            row.addWidget(self.versions)
        row.addWidget(self.play)
        row.addWidget(self.compare)
        row.addWidget(export)
        row.addWidget(report)
        head = QVBoxLayout()
        head.setSpacing(SPACE // 2)
        head.addLayout(row)
        head.addWidget(about)
        if len(self.versions.numbers) > 1:  # a choice of them would leave the title no room
            head.addWidget(self.versions, 0, Qt.AlignLeft)
        return head

    def _facts(self) -> list[str]:
        record = self.history.record
        length = session_length_s(record)
        words = [format_moment(record.started_at), message_words(record.message_count)]
        if length is not None:
            words.insert(1, format_duration(length))
        if record.verdict or record.interrupted:
            words.append(state_words(record))
        elif record.gaps:
            words.append(f"{len(record.gaps)} gaps" if len(record.gaps) > 1 else "1 gap")
        if record.timeline:
            words.append(f"{len(record.timeline)} events" if len(record.timeline) > 1 else "1 event")
        if not self.history.channels:
            words.append("no board whose channels are known: there is nothing to plot")
        return words


def _remarks(record: SessionRecord) -> str:
    """Return notes, gaps and events of a session, a line each, the first ones of many."""
    names = {source.index: source.name for source in record.sources}
    lines = [(gap.from_ns, f"{names.get(gap.source, gap.source)}: gap, {gap_words(gap)}") for gap in record.gaps] + [
        (entry.time_ns, entry.text) for entry in record.timeline
    ]
    shown = [f"{_clock(time_ns)}  {text}" for time_ns, text in sorted(lines)[:MOST_REMARKS]]
    left = [f"… and {len(lines) - MOST_REMARKS} more"] if len(lines) > MOST_REMARKS else []
    return "\n".join([*([record.notes] if record.notes else []), *shown, *left])


def _clock(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9).astimezone().strftime("%H:%M:%S")
