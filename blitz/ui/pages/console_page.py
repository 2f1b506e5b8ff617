"""The page of raw messages: as they came, filtered and searched, paused, saved; and a line to send."""

from PyQt5.QtCore import Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QFontMetrics, QHideEvent, QShowEvent
from PyQt5.QtWidgets import (
    QAbstractItemView,
    QAction,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from blitz.data.records import BoardRecord, StatusRecord
from blitz.ui.feed import Connection, ConnectionState
from blitz.ui.message_pattern import MessagePattern
from blitz.ui.models.console_lines import BOARD, HEX, SEQ, TEXT, TIME, ConsoleModel
from blitz.ui.pages.hints import OFFLINE
from blitz.ui.raw_messages import RawRing
from blitz.ui.rights import Rights
from blitz.ui.theme import SPACE, Theme
from blitz.ui.widgets.console_bar import ConsoleBar, ShownAs
from blitz.ui.widgets.console_foot import ConsoleFoot
from blitz.ui.widgets.send_line import LineHistory, fixed_font
from blitz.ui.widgets.table import DENSE_ROW_HEIGHT, Table

DRAWING_MS = 100
_WAITING = "Nothing has come yet.\n\nWhat the boards send appears here, whether it is recorded or not."
_NO_MATCH = "None of the messages here passes the filter."
_COLUMNS = {
    ShownAs.TEXT: (TIME, BOARD, SEQ, TEXT),
    ShownAs.HEX: (TIME, BOARD, SEQ, HEX),
    ShownAs.BOTH: (TIME, BOARD, SEQ, TEXT, HEX),
}


class ConsolePage(QWidget):
    """Draws at most ten times a second, and only while it is shown; asks by signals.

    :param ring: filled by somebody else, also while the page is not shown.
    """

    command_requested = pyqtSignal(str, object)
    """board and BoardCommand"""
    copy_requested = pyqtSignal(object, object)
    """LineWriter and the columns"""
    save_requested = pyqtSignal(object, object)
    """LineWriter and the columns"""

    def __init__(self, ring: RawRing, history: LineHistory | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.lines = ConsoleModel(ring, self)
        self.lines.fixed_font = fixed_font(self.font())
        self.bar = ConsoleBar()
        self.foot = ConsoleFoot(history)
        self.table = Table(self.lines, OFFLINE)
        self.table.setSelectionMode(QAbstractItemView.ExtendedSelection)
        self.table.setProperty("kind", "dense")
        self.table.setAccessibleName("Raw messages")
        self.table.verticalHeader().setDefaultSectionSize(DENSE_ROW_HEIGHT)
        digit = QFontMetrics(self.lines.fixed_font).horizontalAdvance("0")
        self.table.set_widths(15 * digit, 14 * digit, 11 * digit, 32 * digit, stretched=HEX)
        self._text_width = 32 * digit
        self.state = QLabel()
        self.state.setProperty("kind", "muted")
        self.newest = QPushButton("To the &newest")
        self.newest.setToolTip("Show the end, and follow what comes")
        self.newest.setProperty("kind", "quiet")
        self.newest.clicked.connect(self.table.scrollToBottom)
        self._is_online = False
        self._boards: tuple[BoardRecord, ...] = ()
        self._timer = QTimer(self)
        self._timer.setInterval(DRAWING_MS)
        self._timer.timeout.connect(self.draw)
        self._lay_out()
        self._connect()
        self._add_keys()
        self.show_as(ShownAs.TEXT)

    @property
    def columns(self) -> tuple[int, ...]:
        """The columns that are shown."""
        return _COLUMNS[self.bar.shown_as]

    def draw(self) -> None:
        """Show what came since the last time; who looks back stays where he is."""
        bar = self.table.verticalScrollBar()
        is_at_end = bar.value() >= bar.maximum() - DENSE_ROW_HEIGHT
        dropped = self.lines.refresh()
        if is_at_end and not self.lines.is_paused:
            self.table.scrollToBottom()
        elif dropped:
            bar.setValue(bar.value() - dropped * self.table.verticalHeader().defaultSectionSize())
        self.newest.setVisible(not is_at_end)
        self._show_state()

    def show_connection(self, state: ConnectionState) -> None:
        """Say what to do while there is no server."""
        self._is_online = state.connection is not Connection.OFFLINE
        if not self._is_online:
            self._boards = ()
            self.foot.show_boards(())
        self._show_hint()

    def show_status(self, status: StatusRecord) -> None:
        """Take over which boards there are."""
        if status.boards != self._boards:
            self._boards = status.boards
            self.foot.show_boards(status.boards)
            self._show_names()

    def show_rights(self, rights: Rights) -> None:
        """Grey the line to send where the role may not."""
        self.foot.show_rights(rights)

    def show_answer(self, board: str, sent: str, answer: str) -> None:
        """Say what came of what was sent."""
        self.foot.show_answer(board, sent, answer)

    def set_theme(self, theme: Theme) -> None:
        """Take over a theme's colours."""
        self.lines.theme = theme
        self.table.viewport().update()

    def show_as(self, shown_as: ShownAs) -> None:
        """Show text, hex or both."""
        self.bar.choose(shown_as)
        for column in range(self.lines.columnCount()):
            self.table.setColumnHidden(column, column not in self.columns)
        is_last = shown_as is ShownAs.TEXT
        self.table.horizontalHeader().setSectionResizeMode(
            TEXT, QHeaderView.Stretch if is_last else QHeaderView.Interactive
        )
        if not is_last:
            self.table.setColumnWidth(TEXT, self._text_width)

    def pause(self, is_paused: bool) -> None:
        """Let the table stand still while everything goes on, or show what came meanwhile."""
        self.lines.is_paused = is_paused
        self.bar.pause.setChecked(is_paused)
        self.draw()

    def clear(self) -> None:
        """Forget what is here; the sessions on the server keep everything."""
        self.lines.clear()
        self._show_state()

    def find_next(self, step: int) -> None:
        """Go to the next row that has the words that are looked for, or to the one before."""
        pattern = self.bar.search_pattern()
        if pattern is None or not pattern.words:
            return
        found = self.lines.find(pattern)
        if not len(found):
            self.bar.show_found(0, 0)
            return
        here = self.table.currentIndex().row()
        place = int(found.searchsorted(here, "right" if step > 0 else "left")) - (0 if step > 0 else 1)
        place %= len(found)
        self.table.setCurrentIndex(self.lines.index(int(found[place]), self.columns[-1]))
        self.table.scrollTo(self.table.currentIndex(), QAbstractItemView.PositionAtCenter)
        self.bar.show_found(place + 1, len(found))

    def showEvent(self, event: QShowEvent) -> None:
        """Draw again."""
        super().showEvent(event)
        self.draw()
        self._timer.start()

    def hideEvent(self, event: QHideEvent) -> None:
        """Nobody looks: nothing is drawn."""
        self._timer.stop()
        super().hideEvent(event)

    def _filter(self, pattern: MessagePattern, board: str) -> None:
        self.lines.filter(pattern, board)
        if board:
            self.foot.choose(board)
        self.table.scrollToBottom()
        self._show_state()

    def _copy(self) -> None:
        rows = sorted({index.row() for index in self.table.selectionModel().selectedRows()})
        self.copy_requested.emit(self.lines.writer(rows or None), self.columns)

    def _show_names(self) -> None:
        self.bar.show_boards(tuple(dict.fromkeys((*(board.name for board in self._boards), *self.lines.boards))))

    def _show_state(self) -> None:
        self._show_names()
        self.bar.show_waiting(self.lines.waiting)
        self.state.setText(self.lines.words)
        has_rows = self.lines.rowCount() > 0
        for part in (self.bar.copy, self.bar.save):
            part.setEnabled(has_rows)
        self._show_hint()

    def _show_hint(self) -> None:
        nothing = _NO_MATCH if self.lines.kept else _WAITING
        self.table.set_hint(nothing if self._is_online or self.lines.kept else OFFLINE)

    def _connect(self) -> None:
        self.bar.filter_changed.connect(self._filter)
        self.bar.shown_as_changed.connect(self.show_as)
        self.bar.step_requested.connect(self.find_next)
        self.bar.pause.toggled.connect(self.pause)
        self.bar.clear.clicked.connect(self.clear)
        self.bar.copy.clicked.connect(self._copy)
        self.bar.save.clicked.connect(lambda: self.save_requested.emit(self.lines.writer(), self.columns))
        self.foot.command_requested.connect(self.command_requested)

    def _add_keys(self) -> None:
        """Actions, so that the list of shortcuts finds them."""
        for label, key, owner, act in (
            ("Pause, or go on", "Space", self.table, self.bar.pause.click),
            ("Copy the selected messages, or all shown", "Ctrl+C", self.table, self._copy),
            ("Save what is shown", "Ctrl+S", self, self.bar.save.click),
            ("Clear the console", "Ctrl+Shift+L", self, self.bar.clear.click),
            ("Search", "Ctrl+F", self, self.bar.search.setFocus),
            ("Next match", "F3", self, lambda: self.find_next(1)),
            ("Match before", "Shift+F3", self, lambda: self.find_next(-1)),
            ("Type a line to send", "Ctrl+Return", self, self.foot.line.line.setFocus),
        ):
            action = QAction(label, self)
            action.setShortcut(key)
            action.setShortcutContext(Qt.WidgetShortcut if owner is self.table else Qt.WidgetWithChildrenShortcut)
            action.triggered.connect(lambda _=False, act=act: act())
            owner.addAction(action)

    def _lay_out(self) -> None:
        below = QHBoxLayout()
        below.setSpacing(SPACE)
        below.addWidget(self.state, 1)
        below.addWidget(self.newest)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, 2 * SPACE)
        column.setSpacing(SPACE)
        column.addWidget(self.bar)
        column.addWidget(self.table, 1)
        column.addLayout(below)
        column.addWidget(self.foot)
