"""The page of several sessions, laid upon each other: overlay, differences as a curve and as numbers."""

from dataclasses import replace

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QAbstractItemView, QHBoxLayout, QListView, QPushButton, QSplitter, QVBoxLayout, QWidget

from blitz.data.session_differences import Tolerance
from blitz.data.session_moments import common_texts
from blitz.ui.comparison import Comparison
from blitz.ui.comparison_differences import Difference
from blitz.ui.comparison_words import difference_rows, labels_at_first, session_names, session_ticks
from blitz.ui.formats import MISSING, format_duration
from blitz.ui.models.differences import COLUMNS, OUTSIDE, DifferencesModel
from blitz.ui.models.tick_list import Tick, TickList
from blitz.ui.plots.comparison_plot import DIFFERENCE, ComparisonPlot, ComparisonView
from blitz.ui.plots.crosshair import Crosshair
from blitz.ui.readings_at import extremes_before
from blitz.ui.theme import SPACE, Appearance, Theme
from blitz.ui.widgets.alignment_bar import AlignmentBar
from blitz.ui.widgets.channel_delegate import ChannelDelegate
from blitz.ui.widgets.plot_bar import PlotBar
from blitz.ui.widgets.plot_strip import PlotStrip
from blitz.ui.widgets.table import Table

_DIGITS = 6
_ROW_PX = 30
_MOST_LISTED = 8
"""Sessions that are listed without scrolling; the channels need room, too."""


class ComparisonPage(QWidget):
    """Asks for what takes time by signals; a :class:`ComparisonActions` does it."""

    align_requested = pyqtSignal(object)
    """Moment"""
    differences_wanted = pyqtSignal()
    """There is something in :attr:`missing`."""

    key_words = (
        ("Home", "Show all of all sessions"),
        ("+, −, Up, Down", "Zoom in time"),
        ("Left, Right", "Move in time"),
    )

    def __init__(
        self, comparison: Comparison, appearance: Appearance, reference_id: int, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        names = session_names(comparison)
        self._differences: dict[tuple[int, int, str], Difference] = {}
        self._theme = appearance.theme
        shown = labels_at_first(comparison)
        self.view = ComparisonView(comparison, names, reference_id, shown)
        self.plot = ComparisonPlot(self.view)
        self.plot.setAccessibleName("Plot")
        self.crosshair = Crosshair(self.plot)
        self.bar = PlotBar(is_live=False)
        for unused in (self.bar.marker, self.bar.relative, self.bar.analysis):
            unused.hide()
        self.strip = PlotStrip()
        texts = common_texts([member.history.record.markers for member in comparison.members])
        self.alignment = AlignmentBar(texts, comparison.labels)
        self.alignment.show_sessions(names, comparison.session_ids, reference_id)
        self.sessions = TickList(parent=self)
        self.channels = TickList(
            [Tick(label, self._channel_words(label), label in shown) for label in comparison.labels], self
        )
        self.differences = DifferencesModel(self)
        self.table = Table(self.differences, "Nothing to compare: tick a channel and two sessions.")
        self.table.setAccessibleName("Differences")
        self.table.setSelectionMode(QAbstractItemView.ExtendedSelection)
        self._lay_out()
        self._listen()
        appearance.changed.connect(self.set_theme)
        self.set_theme(appearance.theme)
        self._show_range()
        self._show_all()

    @property
    def drawing(self) -> ComparisonPlot:
        """What is drawn, without what stands around it."""
        return self.plot

    @property
    def shown_times(self) -> tuple[float, float]:
        """Times of the left and right edge, in seconds since the moment."""
        return self.plot.time_range

    @property
    def title(self) -> str:
        """What is compared, in short."""
        names = self.view.names
        return " · ".join(names) if len(names) == 2 else f"{names[0]} and {len(names) - 1} more"

    @property
    def missing(self) -> list[tuple[int, int, str]]:
        """Differences that are shown and not known: other session, reference, channel."""
        return [key for key in self._wanted() if key not in self._differences]

    def take_difference(self, difference: Difference) -> None:
        """Show what was computed."""
        self._differences[difference.key] = difference
        self._show_all()

    def take_alignment(self, comparison: Comparison) -> None:
        """Show the same sessions aligned at another moment."""
        self._differences.clear()
        self.view = replace(self.view, comparison=comparison, differences={})
        self.alignment.show_moment(comparison.moment)
        left = [name for name, member in zip(self.view.names, comparison.members, strict=True) if member.problem]
        if left:
            self.strip.tell(f"Not drawn, since they have no such moment: {', '.join(left)}")
        if self.view.reference.zero_ns is None:
            first = next(member for member in comparison.members if member.zero_ns is not None)
            self._compare_with(first.session_id)
        self._show_all()

    def refuse_alignment(self, sentence: str) -> None:
        """Say why the sessions stay where they are."""
        self.alignment.show_moment(self.view.comparison.moment)
        self.strip.tell(sentence)

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self._theme = theme
        self.plot.set_theme(theme)
        self.bar.set_theme(theme)
        self._show_sessions()

    def set_stacked(self, is_stacked: bool) -> None:
        """Give each channel a panel of its own, or lay them over each other."""
        self.bar.stacked.setChecked(is_stacked)
        self._show(replace(self.view, is_stacked=is_stacked))

    @property
    def is_stacked(self) -> bool:
        """Whether each channel has a panel of its own."""
        return self.view.is_stacked

    def set_box(self, is_box: bool) -> None:
        """Let dragging draw a box to zoom into, or move the times."""
        self.bar.box.setChecked(is_box)
        self.plot.drags_box = is_box

    def reset_zoom(self) -> None:
        """Show all, with all values."""
        self.plot.reset_values()
        self.plot.fit()

    def copy_table(self) -> None:
        """Put the whole table into the clipboard."""
        self.table.selectAll()
        self.table.copy()
        self.strip.tell(f"{self.differences.rowCount()} rows are in the clipboard")

    def _wanted(self) -> list[tuple[int, int, str]]:
        view = self.view
        if view.reference.zero_ns is None:
            return []
        return [
            (member.session_id, view.reference_id, label)
            for _, member in view.shown()
            for label in view.labels
            if member.session_id != view.reference_id and member.channels(label) and view.reference.channels(label)
        ]

    def _show(self, view: ComparisonView) -> None:
        self.view = view
        self.plot.show_view(view)

    def _show_all(self) -> None:
        """Show what is ticked and known, and ask for the rest."""
        self._show(
            replace(
                self.view,
                labels=tuple(str(key) for key in self.channels.keys),
                hidden_ids=frozenset(t.key for t in self.sessions.ticks if not t.is_on),  # type: ignore[misc]
                differences=dict(self._differences),
                has_differences=self.curves.isChecked(),
            )
        )
        self._show_sessions()
        units = {self.view.comparison.unit(label) for label in self.view.labels}
        self.alignment.show_unit(units.pop() if len(units) == 1 else "")
        self.differences.show(difference_rows(self.view, self._wanted()))
        self.table.setColumnHidden(OUTSIDE, self.view.tolerance.is_none)
        if self.missing:
            self.differences_wanted.emit()

    def _show_sessions(self) -> None:
        self.channels.show([replace(tick, colour=self._theme.muted) for tick in self.channels.ticks])
        shown = {tick.key: tick.is_on for tick in self.sessions.ticks}
        self.sessions.show(session_ticks(self.view, shown, self._theme))

    def _compare_with(self, session_id: int) -> None:
        self.alignment.reference.setCurrentIndex(self.alignment.reference.findData(session_id))
        self.view = replace(self.view, reference_id=session_id)
        self._show_all()

    def _tolerate(self, tolerance: Tolerance) -> None:
        if tolerance != self.view.tolerance:
            self._differences.clear()
            self.view = replace(self.view, tolerance=tolerance)
            self._show_all()

    def _switch(self, key: object) -> None:
        """Hide the session whose entry in the legend was clicked."""
        if isinstance(key, tuple) and key[0] != DIFFERENCE:
            self.sessions.turn(key[0])

    def _show_values(self) -> None:
        """Write into the legend what the channels were at the crosshair."""
        at_s = self.crosshair.at_s
        if at_s is None:
            self.plot.show_values({})
            return
        low, high = self.plot.time_range
        texts = {}
        for key, stroke in self.plot.strokes.items():
            span_s = (high - low) / self.plot.columns
            found = extremes_before(stroke.curve.times, stroke.curve.values, at_s, span_s)
            value = MISSING if found is None else f"{found[1]:.{_DIGITS}g}"
            texts[key] = f"{value} {stroke.curve.unit.removeprefix('Δ').strip()}".rstrip()
        self.plot.show_values(texts)

    def _channel_words(self, label: str) -> str:
        unit = self.view.comparison.unit(label)
        return f"{label} [{unit}]" if unit else label

    def _listen(self) -> None:
        bar, alignment = self.bar, self.alignment
        self.sessions.chosen.connect(self._show_all)
        self.channels.chosen.connect(self._show_all)
        self.curves.toggled.connect(self._show_all)
        self.copy.clicked.connect(self.copy_table)
        self.plot.channel_switched.connect(self._switch)
        self.crosshair.moved.connect(self._show_values)
        self.plot.moved.connect(lambda *_: self._show_range())
        alignment.moment_chosen.connect(self.align_requested)
        alignment.reference_chosen.connect(self._compare_with)
        alignment.tolerance_chosen.connect(self._tolerate)
        bar.stacked_chosen.connect(self.set_stacked)
        bar.box_chosen.connect(self.set_box)
        bar.reset_clicked.connect(self.reset_zoom)
        bar.zoom_clicked.connect(self.plot.zoom)

    def _show_range(self) -> None:
        low, high = self.plot.time_range
        span = format_duration(high - low) if high - low >= 60 else f"{high - low:.3g} s"
        self.strip.show_words(f"Showing {span}, counted from where the sessions are aligned")

    def _lay_out(self) -> None:
        self.curves = QPushButton("Differences")
        self.curves.setCheckable(True)
        self.curves.setChecked(True)
        self.curves.setProperty("kind", "switch")
        self.curves.setToolTip("Draw session minus reference below the curves")
        self.copy = QPushButton("Copy the table")
        self.copy.setToolTip("Put all rows into the clipboard; Ctrl+C in the table takes those that are selected")
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACE)
        buttons.addStretch(1)
        buttons.addWidget(self.curves)
        buttons.addWidget(self.copy)
        above = QHBoxLayout()
        above.addWidget(self.bar)
        above.addLayout(buttons)
        self.table.set_widths(190, 150, 90, 84, 150, 140, 150, 106, 104)
        self.table.share_room(*range(len(COLUMNS)))
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE // 2)
        column.addLayout(above)
        column.addWidget(self.strip)
        column.addWidget(self.plot, 1)
        upper = QSplitter()
        upper.setHandleWidth(2 * SPACE)
        upper.addWidget(left)
        upper.addWidget(self._side())
        upper.setStretchFactor(0, 1)
        upper.setSizes([960, 280])
        upper.setChildrenCollapsible(False)
        halves = QSplitter(Qt.Vertical)
        halves.setHandleWidth(SPACE)
        halves.addWidget(upper)
        halves.addWidget(self.table)
        halves.setStretchFactor(0, 1)
        halves.setSizes([560, 150])
        halves.setChildrenCollapsible(False)
        page = QVBoxLayout(self)
        page.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, SPACE)
        page.setSpacing(SPACE)
        page.addWidget(self.alignment)
        page.addWidget(halves, 1)

    def _side(self) -> QSplitter:
        side = QSplitter(Qt.Vertical)
        side.setHandleWidth(SPACE)
        for model, name in ((self.sessions, "Sessions"), (self.channels, "Channels")):
            names = QListView()
            names.setModel(model)
            names.setAccessibleName(name)
            names.setItemDelegate(ChannelDelegate(names))
            names.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
            names.setTextElideMode(Qt.ElideMiddle)
            names.setResizeMode(QListView.Adjust)
            side.addWidget(names)
        side.setStretchFactor(1, 1)
        rows = min(max(len(self.view.names), 3), _MOST_LISTED)
        side.setSizes([rows * _ROW_PX + SPACE, 400])
        return side
