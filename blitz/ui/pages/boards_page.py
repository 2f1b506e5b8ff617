"""The page of boards: how each is doing, and a line to send to one."""

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtGui import QFont
from PyQt5.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from blitz.data.records import StatusRecord
from blitz.ui.feed import Connection, ConnectionState
from blitz.ui.models.boards import ERROR, BoardsModel
from blitz.ui.pages.hints import NO_BOARDS, OFFLINE
from blitz.ui.theme import SPACE, Appearance, Theme, number_font
from blitz.ui.widgets.table import Table


class BoardsPage(QWidget):
    """A table of boards; below it a line to the board that is selected, and its answers."""

    command_requested = pyqtSignal(str, str)
    """board and line"""

    def __init__(self, appearance: Appearance, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.boards = BoardsModel(self)
        self.boards.number_font = number_font(self.font())
        self.table = Table(self.boards, OFFLINE)
        self.table.setAccessibleName("Boards")
        self.table.set_widths(110, 190, 220, 100, 90, 90, 110, 100, 200, stretched=ERROR)
        self.table.selectionModel().selectionChanged.connect(self._show_target)
        self.boards.modelReset.connect(self._select_one)
        self.target = QLabel()
        self.target.setProperty("kind", "title")
        self.line = QLineEdit()
        self.line.setPlaceholderText("such as 0985000000000014 – motor to 20")
        self.line.setToolTip("A line of the serial protocol in hex digits; the server sends it between two polls")
        self.line.setFont(_fixed(self.font()))
        self.line.returnPressed.connect(self._send)
        self.send = QPushButton("Send &command")
        self.send.setToolTip("Send the line to the selected board (Enter)")
        self.send.clicked.connect(self._send)
        self.answers = QPlainTextEdit()
        self.answers.setReadOnly(True)
        self.answers.setMaximumBlockCount(500)
        self.answers.setFont(_fixed(self.font()))
        self.answers.setPlaceholderText("The boards' answers appear here.")
        self.answers.setTabChangesFocus(True)
        self._lay_out()
        self._show_target()
        appearance.changed.connect(self.set_theme)

    @property
    def selected_board(self) -> str | None:
        """The name of the selected board."""
        rows = self.table.selectionModel().selectedRows()
        return self.boards.boards[rows[0].row()].name if rows else None

    def show_connection(self, state: ConnectionState) -> None:
        """Without a server there are no boards."""
        if state.connection is not Connection.ONLINE:
            self.table.set_hint(OFFLINE)
            self.boards.show(())

    def show_status(self, status: StatusRecord) -> None:
        """Take over the server's list."""
        self.table.set_hint(NO_BOARDS)
        self.boards.show(status.boards)

    def show_answer(self, board: str, line: str, answer: str) -> None:
        """Add an answer, or the sentence that says why there is none."""
        self.answers.appendPlainText(f"{board}  {line}  →  {answer}")

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self.boards.theme = theme

    def _send(self) -> None:
        board, line = self.selected_board, self.line.text().strip()
        if board is not None and line:
            self.command_requested.emit(board, line)
            self.line.selectAll()

    def _select_one(self) -> None:
        if self.boards.boards:
            self.table.selectRow(0)
        self._show_target()

    def _show_target(self) -> None:
        board = self.selected_board
        self.target.setText(f"Command to {board}" if board else "Command")
        self.line.setEnabled(board is not None)
        self.send.setEnabled(board is not None)

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(SPACE)
        row.addWidget(self.line, 1)
        row.addWidget(self.send)
        page = QVBoxLayout(self)
        page.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, SPACE)
        page.setSpacing(SPACE)
        page.addWidget(self.table, 3)
        page.addSpacing(SPACE)
        page.addWidget(self.target)
        page.addLayout(row)
        page.addWidget(self.answers, 1)


def _fixed(base: QFont) -> QFont:
    font = QFont(base)
    font.setFamily("monospace")
    font.setStyleHint(QFont.Monospace)
    return font
