"""Below the console: the board to send to, the line, and what came back."""

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from blitz.data.records import BoardRecord
from blitz.ui.feed import BoardCommand
from blitz.ui.rights import Rights
from blitz.ui.theme import SPACE
from blitz.ui.widgets.choice import Choice
from blitz.ui.widgets.send_line import LineHistory, SendLine, sending_refusal


class ConsoleFoot(QWidget):
    """Asks by a signal."""

    command_requested = pyqtSignal(str, object)
    """board and BoardCommand"""

    def __init__(self, history: LineHistory | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._boards: tuple[BoardRecord, ...] = ()
        self._rights = Rights()
        self.board = Choice()
        self.board.setAccessibleName("Board to send to")
        self.board.setToolTip("The board that the line is sent to")
        self.board.setMinimumWidth(150)
        self.board.currentIndexChanged.connect(self._show_board)
        self.line = SendLine(history)
        self.line.send.setText("Sen&d")
        self.line.send.setToolTip("Send the line to the board (Enter)")
        self.line.line_sent.connect(self._send)
        self.answer = QLabel()
        self.answer.setTextFormat(Qt.PlainText)
        self.answer.setWordWrap(True)
        self.answer.setProperty("kind", "muted")
        self.answer.setTextInteractionFlags(Qt.TextSelectableByMouse)
        self.answer.hide()
        caption = QLabel("Send &to")
        caption.setBuddy(self.board)
        row = QHBoxLayout()
        row.setSpacing(SPACE)
        row.addWidget(caption)
        row.addWidget(self.board)
        row.addWidget(self.line, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE // 2)
        column.addLayout(row)
        column.addWidget(self.answer)
        self.show_boards(())

    def show_boards(self, boards: tuple[BoardRecord, ...]) -> None:
        """Offer these boards; the one chosen stays."""
        chosen, before = self.board.currentText(), [board.name for board in self._boards]
        self._boards = boards
        names = [board.name for board in boards]
        if names != before or not boards:
            self.board.blockSignals(True)
            self.board.clear()
            self.board.addItems(names)
            self.board.setCurrentIndex(names.index(chosen) if chosen in names else 0 if names else -1)
            self.board.blockSignals(False)
        self.board.setEnabled(bool(boards))
        self._show_board()

    def show_rights(self, rights: Rights) -> None:
        """Take over what the operator may do."""
        self._rights = rights
        self._show_board()

    def choose(self, board: str) -> None:
        """Choose a board, if it is there."""
        place = self.board.findText(board)
        if place >= 0:
            self.board.setCurrentIndex(place)

    def show_answer(self, board: str, sent: str, answer: str) -> None:
        """Say what came of what was sent."""
        self.answer.setText(f"{board}: {sent} → {answer}")
        self.answer.show()

    def _show_board(self) -> None:
        name = self.board.currentText()
        board = next((board for board in self._boards if board.name == name), None)
        self.line.show_board(board, sending_refusal(board, self._rights))
        if board is None:
            self.line.line.setPlaceholderText("no board is connected")

    def _send(self, command: BoardCommand) -> None:
        self.command_requested.emit(self.board.currentText(), command)
