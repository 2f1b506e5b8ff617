"""The page of everything that happened, newest first: filtered, read in full, dismissed, followed to its cause."""

from PyQt5.QtCore import QModelIndex, Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QFontMetrics, QHideEvent, QShowEvent
from PyQt5.QtWidgets import (
    QAbstractItemView,
    QAction,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from blitz.ui.event_log import EventLine, EventLog, Severity
from blitz.ui.models.events import TEXT, EventsModel
from blitz.ui.theme import SPACE, Theme
from blitz.ui.widgets.table import Table

DRAWING_MS = 100
_NOTHING = "Nothing has happened yet.\n\nWarnings, gaps, lost connections, sessions and markers appear here."
_NO_MATCH = "No event passes the filter."
_CHOICES = ((Severity.ERROR, "Errors"), (Severity.WARNING, "Warnings"), (Severity.INFO, "Notes"))


class EventsPage(QWidget):
    """Draws at most ten times a second, and only while it is shown; asks by signals.

    :param log: filled by somebody else, who says so by :meth:`take_news`.
    """

    unread_changed = pyqtSignal(int)
    """How many warnings and errors nobody has seen; none while the page is shown"""
    board_requested = pyqtSignal(str)
    """A board's name: its page is wanted"""
    time_requested = pyqtSignal(float)
    """Seconds since the Unix epoch: that time is wanted in the plot"""

    shown = pyqtSignal()
    """Somebody looks"""
    dismissed = pyqtSignal(object)
    """list[EventLine]: the operator has done with them"""

    def __init__(self, log: EventLog, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._log = log
        self._told = 0
        self.events = EventsModel(log, self)
        self.table = Table(self.events, _NOTHING)
        self.table.setAccessibleName("Events")
        self.table.setSelectionMode(QAbstractItemView.ExtendedSelection)
        digit = QFontMetrics(self.font()).horizontalAdvance("0")
        self.table.set_widths(19 * digit, 15 * digit, 18 * digit, stretched=TEXT)
        self.table.activated.connect(self._jump)
        self.table.doubleClicked.connect(self._jump)
        self.choices = {severity: _choice(label) for severity, label in _CHOICES}
        for button in self.choices.values():
            button.toggled.connect(self._filter)
        self.words = QLineEdit()
        self.words.setPlaceholderText("show only events with these words (Ctrl+F)")
        self.words.setAccessibleName("Filter")
        self.words.setClearButtonEnabled(True)
        self.words.textChanged.connect(self._filter)
        self.dismiss = QPushButton("&Dismiss")
        self.dismiss.setToolTip("Remove the selected events from the list (Del)")
        self.dismiss.clicked.connect(self.dismiss_selected)
        self.dismiss_all = QPushButton("Dismiss &all")
        self.dismiss_all.setToolTip("Remove all events that are shown (Shift+Del)")
        self.dismiss_all.clicked.connect(self.dismiss_shown)
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setTextFormat(Qt.PlainText)
        self.text.setTextInteractionFlags(Qt.TextSelectableByMouse)
        self.to_board = QPushButton("Show the &board")
        self.to_board.setToolTip("Open the page of boards with this one selected (Enter)")
        self.to_board.clicked.connect(lambda: self.board_requested.emit(self._selected_lines()[0].board))
        self.to_time = QPushButton("Show in the p&lot")
        self.to_time.setToolTip("Open the live plot at that time (Enter)")
        self.to_time.clicked.connect(self._ask_time)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DRAWING_MS)
        self._timer.timeout.connect(self.draw)
        self._add_keys()
        self._lay_out()
        self.table.selectionModel().selectionChanged.connect(self._show_selected)
        self.events.modelReset.connect(self._show_selected)
        self.events.dataChanged.connect(self._show_selected)
        self.draw()

    def take_news(self) -> None:
        """The log has changed."""
        if self.isVisible():
            if not self._timer.isActive():
                self._timer.start()
        else:
            self._tell_unread(self._log.unread)

    def draw(self) -> None:
        """Show what is in the log."""
        self.events.refresh()
        self.table.set_hint(_NO_MATCH if self._log.lines else _NOTHING)
        counts = dict.fromkeys(Severity, 0)
        for line in self._log.lines:
            counts[line.severity] += 1
        for severity, label in _CHOICES:
            count = counts[severity]
            self.choices[severity].setText(f"{label} {count}" if count else label)
        self.dismiss_all.setEnabled(bool(self.events.lines))
        self._show_selected()

    def set_theme(self, theme: Theme) -> None:
        """Take over a theme's colours."""
        self.events.set_theme(theme)

    def dismiss_selected(self) -> None:
        """Remove what is selected; the next line is selected then."""
        rows = self._selected_rows()
        if not rows:
            return
        self._forget([self.events.lines[row] for row in rows])
        if self.events.lines:
            self.table.selectRow(min(rows[0], len(self.events.lines) - 1))

    def dismiss_shown(self) -> None:
        """Remove all that passes the filter."""
        self._forget(list(self.events.lines))

    def showEvent(self, event: QShowEvent) -> None:
        """Somebody looks."""
        super().showEvent(event)
        self.draw()
        self._tell_unread(0)
        self.shown.emit()

    def hideEvent(self, event: QHideEvent) -> None:
        """What was there has been read."""
        self._timer.stop()
        self._log.read_all()
        super().hideEvent(event)

    def _forget(self, lines: list[EventLine]) -> None:
        self._log.dismiss(lines)
        self.draw()
        self.dismissed.emit(lines)

    def _filter(self) -> None:
        severities = frozenset(severity for severity, button in self.choices.items() if button.isChecked())
        self.events.filter(severities, self.words.text())
        self.draw()

    def _tell_unread(self, count: int) -> None:
        if count != self._told:
            self._told = count
            self.unread_changed.emit(count)

    def _selected_rows(self) -> list[int]:
        return sorted({index.row() for index in self.table.selectionModel().selectedRows()})

    def _selected_lines(self) -> list[EventLine]:
        return [self.events.lines[row] for row in self._selected_rows() if row < len(self.events.lines)]

    def _show_selected(self) -> None:
        lines = self._selected_lines()
        line = lines[0] if len(lines) == 1 else None
        self.dismiss.setEnabled(bool(lines))
        self.text.setText(line.text if line else f"{len(lines)} events are selected." if lines else "")
        self.to_board.setVisible(line is not None and bool(line.board))
        self.to_time.setVisible(line is not None and line.data_s is not None)

    def _ask_time(self) -> None:
        lines = self._selected_lines()
        if lines and lines[0].data_s is not None:
            self.time_requested.emit(lines[0].data_s)

    def _jump(self, index: QModelIndex) -> None:
        """To the cause: the time in the plot, where the line has one, else the board."""
        line = self.events.lines[index.row()]
        if line.data_s is not None:
            self.time_requested.emit(line.data_s)
        elif line.board:
            self.board_requested.emit(line.board)

    def _add_keys(self) -> None:
        """Actions, so that the list of shortcuts finds them."""
        for label, key, owner, act in (
            ("Dismiss the selected events", "Del", self.table, self.dismiss.click),
            ("Dismiss all events that are shown", "Shift+Del", self.table, self.dismiss_all.click),
            ("Filter", "Ctrl+F", self, self.words.setFocus),
        ):
            action = QAction(label, self)
            action.setShortcut(key)
            action.setShortcutContext(Qt.WidgetShortcut if owner is self.table else Qt.WidgetWithChildrenShortcut)
            action.triggered.connect(lambda _=False, act=act: act())
            owner.addAction(action)

    def _lay_out(self) -> None:
        segments = QHBoxLayout()
        segments.setSpacing(3)  # several may be on at once
        for button in self.choices.values():
            segments.addWidget(button)
        above = QHBoxLayout()
        above.setSpacing(SPACE)
        above.addLayout(segments)
        above.addWidget(self.words, 1)
        above.addWidget(self.dismiss)
        above.addWidget(self.dismiss_all)
        below = QHBoxLayout()
        below.setSpacing(SPACE)
        below.addWidget(self.text, 1)
        below.addWidget(self.to_time, 0, Qt.AlignTop)
        below.addWidget(self.to_board, 0, Qt.AlignTop)
        self.text.setMinimumHeight(4 * SPACE)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, 2 * SPACE)
        column.setSpacing(SPACE)
        column.addLayout(above)
        column.addWidget(self.table, 1)
        column.addLayout(below)


def _choice(label: str) -> QPushButton:
    button = QPushButton(label)
    button.setCheckable(True)
    button.setChecked(True)
    button.setProperty("kind", "switch")
    button.setToolTip(f"Show {label.lower()}")
    return button
