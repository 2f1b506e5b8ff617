"""Sending to the selected board: its named commands as buttons, a line of one's own, and the answers."""

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtGui import QFont
from PyQt5.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from blitz.data.board_definition import Command
from blitz.data.records import BoardRecord, Role
from blitz.ui.feed import BoardCommand
from blitz.ui.rights import Rights
from blitz.ui.theme import SPACE
from blitz.ui.widgets.choice import Choice
from blitz.ui.widgets.permitted import permit

_ENDINGS = (("LF", "\n"), ("CR LF", "\r\n"), ("CR", "\r"), ("no ending", ""))
_A_ROW = 5


class CommandPanel(QWidget):
    """Shows what can be sent to one board; asks by signals."""

    line_sent = pyqtSignal(object)
    """BoardCommand, as typed"""
    command_chosen = pyqtSignal(object)
    """Command of the board's definition"""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rights = Rights()
        self._board: BoardRecord | None = None
        self._shown: tuple[str | None, tuple[Command, ...]] = (None, ())
        self.buttons: list[QPushButton] = []
        self._grid = QGridLayout()
        self._grid.setSpacing(SPACE // 2)
        self.target = QLabel()
        self.target.setProperty("kind", "title")
        self.line = QLineEdit()
        self.line.setFont(fixed_font(self.font()))
        self.line.returnPressed.connect(self._send)
        self.ending = Choice()
        self.ending.setToolTip("What is sent behind the line")
        self.ending.setAccessibleName("Ending")
        for name, ending in _ENDINGS:
            self.ending.addItem(name, ending)
        self.hexadecimal = QCheckBox("He&x")
        self.hexadecimal.setToolTip("The line is hex digits, such as 02 52 03; nothing is sent behind them")
        self.hexadecimal.toggled.connect(lambda is_on: self.ending.setEnabled(not is_on))
        self.send = QPushButton("Send &command")
        self.send.setToolTip("Send the line to the selected board (Enter)")
        self.send.clicked.connect(self._send)
        self.answers = QPlainTextEdit()
        self.answers.setReadOnly(True)
        self.answers.setMaximumBlockCount(500)
        self.answers.setFont(fixed_font(self.font()))
        self.answers.setPlaceholderText("What is sent, and the boards' answers, appear here.")
        self.answers.setTabChangesFocus(True)
        self.answers.setMinimumHeight(60)
        self._lay_out()
        self.show_board(None)

    def show_board(self, board: BoardRecord | None) -> None:
        """Show what can be sent to this board."""
        self._board = board
        is_blitz = board is not None and board.format in ("", "blitz")
        self.target.setText(f"Send to {board.name}" if board else "Send")
        self.line.setPlaceholderText("such as 0985000000000014 – motor to 20" if is_blitz else "a line of text")
        permit(self.line, "")
        self.line.setToolTip(
            "A line of the serial protocol in hex digits; the server sends it between two polls"
            if is_blitz
            else "Sent as it stands, with the ending chosen"
        )
        refusal = self._rights.refusal(Role.OPERATOR)
        if refusal:
            self.line.setPlaceholderText(f"needs the role {Role.OPERATOR.value}")
        for widget in (self.line, self.send):
            permit(widget, refusal, is_enabled=board is not None)
        for option in (self.ending, self.hexadecimal):
            option.setVisible(board is not None and not is_blitz)
        commands = board.definition.commands if board is not None and board.definition is not None else ()
        shown = (board.name if board else None, commands)
        if shown != self._shown:
            self._shown = shown
            self._show_buttons(commands)
        for button in self.buttons:
            permit(button, refusal)

    def show_rights(self, rights: Rights) -> None:
        """Take over what the operator may do."""
        self._rights = rights
        self.show_board(self._board)

    def show_answer(self, board: str, sent: str, answer: str) -> None:
        """Add an answer, or the sentence that says why there is none."""
        self.answers.appendPlainText(f"{board}  {sent}  →  {answer}")

    def _show_buttons(self, commands: tuple[Command, ...]) -> None:
        for button in self.buttons:
            self._grid.removeWidget(button)
            button.hide()
            button.deleteLater()
        self.buttons = [self._make_button(command) for command in commands]
        for place, button in enumerate(self.buttons):
            self._grid.addWidget(button, place // _A_ROW, place % _A_ROW)

    def _make_button(self, command: Command) -> QPushButton:
        button = QPushButton(f"{command.name}…" if command.is_actuator else command.name)
        sends = command.send if not command.is_hex else f"hex {command.send}"
        asks = ". Moves or heats something: asks first" if command.is_actuator else ""
        button.setToolTip(f"Sends {sends!r}{asks}")
        button.clicked.connect(lambda: self.command_chosen.emit(command))
        return button

    def _send(self) -> None:
        # Blanks at the ends may matter to a device that is no Blitz board.
        is_plain = self.ending.isHidden()
        line = self.line.text().strip() if is_plain else self.line.text()
        if not self.line.isEnabled() or not line:
            return
        if is_plain:
            self.line_sent.emit(BoardCommand(line))
        else:
            is_hex = self.hexadecimal.isChecked()
            self.line_sent.emit(BoardCommand(line, is_hex=is_hex, ending=self.ending.currentData()))
        self.line.selectAll()

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(SPACE)
        row.addWidget(self.line, 1)
        for widget in (self.ending, self.hexadecimal, self.send):
            row.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE)
        column.addWidget(self.target)
        column.addLayout(self._grid)
        column.addLayout(row)
        column.addWidget(self.answers, 1)


def fixed_font(base: QFont) -> QFont:
    """Return a font whose characters are all equally wide."""
    font = QFont(base)
    font.setFamily("monospace")
    font.setStyleHint(QFont.Monospace)
    return font
