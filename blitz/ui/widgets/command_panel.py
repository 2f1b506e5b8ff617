"""Sending to the selected board: its named commands as buttons, values to turn, a line of one's own, the answers."""

from datetime import datetime

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QGridLayout, QLabel, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from blitz.data.board_definition import Command
from blitz.data.command_parameter import read_value
from blitz.data.records import BoardRecord, TimelineEntry, TimelineKind
from blitz.ui.feed import CommandOutcome
from blitz.ui.rights import Rights
from blitz.ui.set_point import SetPoint
from blitz.ui.theme import SPACE
from blitz.ui.widgets.parameter_control import ParameterControl, control_key
from blitz.ui.widgets.permitted import permit
from blitz.ui.widgets.send_line import SendLine, fixed_font, sending_refusal

_A_ROW = 4


class CommandPanel(QWidget):
    """Shows what can be sent to one board; asks by signals."""

    line_sent = pyqtSignal(object)
    """BoardCommand, as typed"""
    command_chosen = pyqtSignal(object)
    """Command of the board's definition"""
    value_chosen = pyqtSignal(object, float)
    """Command of the board's definition, and what it was turned to"""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rights = Rights()
        self._board: BoardRecord | None = None
        self._shown: tuple[str | None, tuple[Command, ...]] = (None, ())
        self._points: dict[object, tuple[Command, SetPoint]] = {}
        self.buttons: list[QPushButton] = []
        self.controls: list[ParameterControl] = []
        self._grid = QGridLayout()
        self._grid.setSpacing(SPACE // 2)
        self._turned = QVBoxLayout()
        self._turned.setSpacing(SPACE)
        self.target = QLabel()
        self.target.setProperty("kind", "title")
        self.sending = SendLine()
        self.sending.line_sent.connect(self.line_sent)
        self.line, self.send = self.sending.line, self.sending.send
        self.ending, self.hexadecimal = self.sending.ending, self.sending.hexadecimal
        self.answers = QPlainTextEdit()
        self.answers.setReadOnly(True)
        self.answers.setMaximumBlockCount(500)
        self.answers.setFont(fixed_font(self.font()))
        self.answers.setPlaceholderText("What is sent, and the boards' answers, appear here.")
        self.answers.setAccessibleName("Sent, and answers")
        self.answers.setTabChangesFocus(True)
        self.answers.setMinimumHeight(60)
        self._lay_out()
        self.show_board(None)

    def show_board(self, board: BoardRecord | None) -> None:
        """Show what can be sent to this board."""
        self._board = board
        self.target.setText(f"Send to {board.name}" if board else "Send")
        refusal = sending_refusal(board, self._rights)
        self.sending.show_board(board, refusal)
        commands = board.definition.commands if board is not None and board.definition is not None else ()
        shown = (board.name if board else None, commands)
        if shown != self._shown:
            self._shown = shown
            self._show_commands(shown[0] or "", commands)
        for button in self.buttons:
            permit(button, refusal)
        for control in self.controls:
            permit(control, refusal)
            if refusal:
                control.leave()

    def forget_wishes(self) -> None:
        """The server went away: what was turned and not sent is not sent when it is back."""
        for control in self.controls:
            control.leave()
        for _, point in self._points.values():
            point.forget_wish()
        for control in self.controls:
            control.show_point()

    def show_rights(self, rights: Rights) -> None:
        """Take over what the operator may do."""
        self._rights = rights
        self.show_board(self._board)

    def show_answer(self, board: str, sent: str, answer: str) -> None:
        """Add an answer, or the sentence that says why there is none."""
        clock = datetime.now().astimezone().strftime("%H:%M:%S")
        self.answers.appendPlainText(f"{clock}  {board}  {sent}  →  {answer}")

    def take_outcome(self, outcome: CommandOutcome) -> None:
        """Show beside a value what became of it."""
        if outcome.command.value is None:
            return
        told = {"has_failed": outcome.has_failed, "is_answered": bool(outcome.answer)}
        trouble = outcome.answer if outcome.has_failed else ""
        if self._board is not None and outcome.board == self._board.name:
            for control in self.controls:
                if control.command.name == outcome.command.command:
                    control.take_outcome(trouble=trouble, **told)
                    return
        for key, (command, point) in self._points.items():
            if key == control_key(outcome.board, command) and command.name == outcome.command.command:
                point.take(trouble=trouble, **told)
                point.turned = None  # what was turned to meanwhile is not wanted any more: another board is looked at

    def take_entry(self, entry: TimelineEntry) -> None:
        """Somebody has sent something, maybe at another window: a value that is known by it is shown."""
        if entry.kind is not TimelineKind.COMMAND or entry.sent is None or entry.error is not None:
            return
        for key, (command, point) in self._points.items():
            if key != control_key(entry.source or "", command):
                continue
            value = read_value(command.send, entry.sent, is_hex=command.is_hex)
            if value is not None:
                point.hear(value, is_answered=entry.answer is not None)
        for control in self.controls:
            control.show_point()

    def _show_commands(self, board: str, commands: tuple[Command, ...]) -> None:
        for control in self.controls:
            control.leave()
        for widget in (*self.buttons, *self.controls):
            self._grid.removeWidget(widget)
            self._turned.removeWidget(widget)
            widget.hide()
            widget.deleteLater()
        self.buttons = [self._make_button(command) for command in commands if command.parameter is None]
        for place, button in enumerate(self.buttons):
            self._grid.addWidget(button, place // _A_ROW, place % _A_ROW)
        self.controls = [self._make_control(board, command) for command in commands if command.parameter is not None]
        for control in self.controls:
            self._turned.addWidget(control)

    def _make_button(self, command: Command) -> QPushButton:
        button = QPushButton(f"{command.name}…" if command.is_actuator else command.name)
        sends = command.send if not command.is_hex else f"hex {command.send}"
        asks = ". Moves or heats something: asks first" if command.is_actuator else ""
        button.setToolTip(f"Sends {sends!r}{asks}")
        button.clicked.connect(lambda: self.command_chosen.emit(command))
        return button

    def _make_control(self, board: str, command: Command) -> ParameterControl:
        assert command.parameter is not None
        fresh = SetPoint(command.parameter.unit, command.parameter.is_switch)
        _, point = self._points.setdefault(control_key(board, command), (command, fresh))
        control = ParameterControl(command, point)
        control.value_chosen.connect(self.value_chosen)
        return control

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE)
        column.addWidget(self.target)
        column.addLayout(self._turned)
        column.addLayout(self._grid)
        column.addWidget(self.sending)
        column.addWidget(self.answers, 1)
