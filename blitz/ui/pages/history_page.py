"""The page of a historic session: its plot, its channels, what is known of it."""

from datetime import datetime
from typing import Any

from PyQt5.QtCore import QAbstractListModel, QModelIndex, QObject, Qt, pyqtSignal
from PyQt5.QtGui import QColor
from PyQt5.QtWidgets import QHBoxLayout, QLabel, QListView, QPushButton, QSizePolicy, QSplitter, QVBoxLayout, QWidget

from blitz.data.records import SessionRecord
from blitz.ui.formats import format_count, format_duration, format_moment, gap_words
from blitz.ui.history import History
from blitz.ui.live_store import LiveChannel
from blitz.ui.models.sessions import session_length_s, session_title, state_words
from blitz.ui.plots.history_plot import HistoryPlot
from blitz.ui.theme import SPACE, Appearance, Theme
from blitz.ui.widgets.channel_delegate import ChannelDelegate
from blitz.ui.widgets.marker_panel import MarkerPanel
from blitz.ui.widgets.version_row import VersionRow

MOST_REMARKS = 30


class ChannelChoice(QAbstractListModel):
    """Channels with a tick and their colour."""

    chosen = pyqtSignal()

    def __init__(self, channels: tuple[LiveChannel, ...], theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        by_label: dict[str, list[LiveChannel]] = {}
        for channel in sorted(channels, key=lambda channel: not channel.channel.shown):
            by_label.setdefault(channel.label, []).append(channel)
        # A channel whose definition was changed in mid-session stands in two rows of the source table: one line here.
        self._channels = list(by_label.values())
        self._shown = [same[-1].channel.shown for same in self._channels]
        self.theme = theme

    @property
    def shown(self) -> tuple[tuple[LiveChannel, int], ...]:
        """Ticked channels and their places in the order of colours."""
        return tuple(
            (channel, place) for place, same in enumerate(self._channels) if self._shown[place] for channel in same
        )

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """One row a channel."""
        return 0 if parent.isValid() else len(self._channels)

    def flags(self, index: QModelIndex) -> Qt.ItemFlags:
        """Every channel can be ticked."""
        return Qt.ItemIsEnabled | Qt.ItemIsSelectable | Qt.ItemIsUserCheckable

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Return label, tick and colour."""
        if not index.isValid():
            return None
        channel = self._channels[index.row()][-1]
        if role == Qt.DisplayRole:
            return f"{channel.label} [{channel.channel.unit}]" if channel.channel.unit else channel.label
        if role == Qt.CheckStateRole:
            return Qt.Checked if self._shown[index.row()] else Qt.Unchecked
        if role == Qt.DecorationRole:
            return QColor(channel.channel.color or self.theme.channel_colour(index.row()))
        return None

    def setData(self, index: QModelIndex, value: Any, role: int = Qt.EditRole) -> bool:
        """Tick a channel."""
        if role != Qt.CheckStateRole:
            return False
        self._shown[index.row()] = value == Qt.Checked
        self.dataChanged.emit(index, index)
        self.chosen.emit()
        return True


class HistoryPage(QWidget):
    """One session, whole."""

    export_requested = pyqtSignal(int)

    def __init__(self, history: History, appearance: Appearance, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.history = history
        self.session_id = history.record.id
        self.plot = HistoryPlot(history)
        self.channels = ChannelChoice(history.channels, appearance.theme, self)
        self.versions = VersionRow(history.version, history.versions)
        self.markers = MarkerPanel(self.plot, history.record.markers)
        self._range = QLabel()
        self._range.setProperty("kind", "muted")
        self._lay_out()
        self.channels.chosen.connect(self._show_channels)
        self.plot.moved.connect(self._show_range)
        appearance.changed.connect(self.set_theme)
        self.set_theme(appearance.theme)
        self._show_channels()
        self._show_range(*self.plot.time_range)

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self.channels.theme = theme
        self.plot.set_theme(theme)

    def show_comparison(self, other: History) -> None:
        """Draw the curves of another version of the definitions, too, if that is still wanted."""
        if self.versions.compare.isChecked():
            self.plot.compare_with(other)

    def _show_channels(self) -> None:
        self.plot.show_channels(self.channels.shown)

    def _show_range(self, low: float, high: float) -> None:
        limits = self.history.time_limits or (low, high)
        seconds = min(high, limits[1]) - max(low, limits[0])
        self._range.setText(f"Showing {format_duration(seconds)}" if seconds >= 60 else f"Showing {seconds:.3g} s")

    def _lay_out(self) -> None:
        names = QListView()
        names.setModel(self.channels)
        names.setAccessibleName("Channels")
        names.setItemDelegate(ChannelDelegate(names))
        splitter = QSplitter()
        splitter.setHandleWidth(2 * SPACE)
        beside = QSplitter(Qt.Vertical)
        beside.setHandleWidth(SPACE)
        beside.addWidget(names)
        beside.addWidget(self.markers)
        beside.setStretchFactor(0, 1)
        beside.setStretchFactor(1, 1)
        splitter.addWidget(self.plot)
        splitter.addWidget(beside)
        splitter.setStretchFactor(0, 1)
        splitter.setSizes([900, 240])
        page = QVBoxLayout(self)
        page.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, SPACE)
        page.setSpacing(SPACE)
        page.addLayout(self._head())
        page.addWidget(splitter, 1)

    def _head(self) -> QVBoxLayout:
        record = self.history.record
        length = session_length_s(record)
        words = [format_moment(record.started_at), f"{format_count(record.message_count)} messages"]
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
        title = QLabel(session_title(record))
        title.setProperty("kind", "title")
        about = self.about = QLabel("  ·  ".join(words))
        about.setProperty("kind", "muted")
        about.setToolTip(_remarks(record))
        about.setWordWrap(True)
        title.setSizePolicy(QSizePolicy.Ignored, QSizePolicy.Preferred)
        row = QHBoxLayout()
        row.setSpacing(SPACE)
        row.addWidget(title, 1)
        row.addWidget(self._range)
        relative = QPushButton("From &start")
        relative.setCheckable(True)
        relative.setToolTip("Count time from the session's start instead of showing the clock")
        relative.toggled.connect(self.plot.set_relative)
        for label, words_, act in (
            ("Zoom in", "See less time, larger (+)", lambda: self.plot.zoom(0.5)),
            ("Zoom out", "See more time (−)", lambda: self.plot.zoom(2.0)),
            ("Whole session", "See everything (Home)", self.plot.fit),
            (
                "Export…",
                "Write the session, or what the plot shows, to a file",
                lambda: self.export_requested.emit(self.session_id),
            ),
        ):
            button = QPushButton(label)
            button.setToolTip(words_)
            button.clicked.connect(lambda _=False, act=act: act())
            row.addWidget(button)
        row.insertWidget(row.count() - 1, relative)
        head = QVBoxLayout()
        head.setSpacing(SPACE // 2)
        head.addLayout(row)
        below = QHBoxLayout()
        below.setSpacing(SPACE)
        below.addWidget(about, 1)
        below.addWidget(self.versions)
        head.addLayout(below)
        return head


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
