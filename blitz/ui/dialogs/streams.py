"""The streams of the server: their newest values, which are shown and recorded, and commands to their downlinks."""

import json
from typing import Any

from PyQt5.QtCore import Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QFont
from PyQt5.QtWidgets import QDialog, QDialogButtonBox, QHBoxLayout, QLabel, QLineEdit, QPushButton, QVBoxLayout, QWidget

from blitz.data.records import Role, StatusRecord
from blitz.data.stream_records import CommandState, StreamCommand
from blitz.ui.models.streams import SHOWN, StreamsModel, StreamView
from blitz.ui.rights import Rights
from blitz.ui.theme import SPACE
from blitz.ui.widgets.permitted import permit
from blitz.ui.widgets.table import Table

REFRESH_MS = 1000
_NONE = "This server has no streams.\n\nA script makes one: client[“room”].create(unit=“°C”), then .insert(21.5)"
_AWAY = "They cannot be fetched at present; it is tried again."
_STATES = {
    CommandState.SENT: ("sent, waiting for an answer", ""),
    CommandState.ACKNOWLEDGED: ("acknowledged", "good"),
    CommandState.FAILED: ("failed", "bad"),
    CommandState.TIMED_OUT: ("timed out: nobody has answered", "bad"),
}


class StreamsDialog(QDialog):
    """Stays open beside the window; asks anew every second."""

    refresh_requested = pyqtSignal()
    shown_requested = pyqtSignal(object, bool)
    """StreamView that is not shown yet, and whether it is recorded"""
    record_requested = pyqtSignal(str, bool)
    """name of a source that is a stream, and whether it is recorded"""
    hide_requested = pyqtSignal(str)
    """name of the source"""
    command_requested = pyqtSignal(str, object)
    """name of the stream, and the value"""

    def __init__(self, font: QFont, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rights = Rights()
        self._chosen = ""
        self._outcomes: dict[str, tuple[str, str]] = {}
        """Of each stream: what became of the last command, and how that looks."""
        self.setWindowTitle("Streams")
        self.resize(960, 440)
        self.streams = StreamsModel(font, self)
        self.table = Table(self.streams, "Fetching …")
        self.table.setAccessibleName("Streams")
        self.table.set_widths(250, 270, 80, 90, 200, stretched=SHOWN)
        words = QLabel(
            "What scripts send to the server. A stream that is shown is plotted beside the boards; one that is "
            "recorded goes into each session, the running one included."
        )
        words.setWordWrap(True)
        words.setProperty("kind", "muted")
        self.record = _button("Show and &record")
        self.show_only = _button("Show &only")
        self.hide_it = _button("&Hide")
        self.hide_it.setToolTip("Neither show nor record it; what was recorded stays")
        self.record.clicked.connect(lambda: self._show(is_recorded=True))
        self.show_only.clicked.connect(lambda: self._show(is_recorded=False))
        self.hide_it.clicked.connect(self._hide)
        self.command_words = QLabel("&Command")
        self.value = QLineEdit()
        self.value.setPlaceholderText("21.5, true, or a word")
        self.value.returnPressed.connect(self._send)
        self.command_words.setBuddy(self.value)
        self.send = _button("&Send")
        self.send.clicked.connect(self._send)
        self.outcome = QLabel()
        self.outcome.setWordWrap(True)
        for label in (self.command_words, self.outcome):  # with what scripts have called something
            label.setTextFormat(Qt.PlainText)
        self._lay_out(words)
        # The selection goes with a row that moves, as rows do when a stream is shown.
        self.table.selectionModel().selectionChanged.connect(self._choose)
        self.streams.modelReset.connect(self._select_again)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.refresh_requested)
        self._timer.start(REFRESH_MS)
        self._show_target()

    @property
    def selected(self) -> StreamView | None:
        """The stream that is chosen."""
        row = self.streams.row_of(self._chosen)
        return None if row is None else self.streams.streams[row]

    def show_streams(self, streams: tuple[StreamView, ...] | None) -> None:
        """Take over what the server has; None: it does not say."""
        self.table.set_hint(_AWAY if streams is None else _NONE)
        self.streams.show(streams or ())
        self._show_target()

    def show_status(self, status: StatusRecord) -> None:
        """Take over which streams are sources."""
        self.streams.show_boards(status.boards)
        self._show_target()

    def show_rights(self, rights: Rights) -> None:
        """Take over what the operator may do."""
        self._rights = rights
        self._show_target()

    def take_command(self, name: str, command: StreamCommand | None, reason: str) -> None:
        """Show what became of a command; without one, why it was not sent."""
        if command is None:
            self._outcomes[name] = (f"not sent: {reason}", "bad")
        else:
            words, state = _STATES[command.state]
            why = f": {command.reason}" if command.reason else ""
            self._outcomes[name] = (f"{json.dumps(command.d, ensure_ascii=False)} {words}{why}", state)
        self._show_target()

    def _choose(self) -> None:
        rows = self.table.selectionModel().selectedRows()
        if rows and rows[0].row() < len(self.streams.streams):
            self._chosen = self.streams.streams[rows[0].row()].name
        self._show_target()

    def _select_again(self) -> None:
        row = self.streams.row_of(self._chosen)
        if row is None and self.streams.streams:
            row, self._chosen = 0, self.streams.streams[0].name
        if row is not None:
            self.table.selectRow(row)
        self._show_target()

    def _show_target(self) -> None:
        stream = self.selected
        board = None if stream is None else self.streams.board(stream)
        refusal = self._rights.refusal(Role.OPERATOR)
        permit(self.record, refusal, is_enabled=stream is not None and (board is None or not board.is_recorded))
        permit(self.show_only, refusal, is_enabled=stream is not None and (board is None or board.is_recorded))
        permit(self.hide_it, refusal, is_enabled=board is not None)
        self.record.setText("&Record" if board is not None else "Show and &record")
        takes_commands = stream is not None and stream.record.downlink
        for part in (self.command_words, self.value, self.send, self.outcome):
            part.setVisible(takes_commands)
        for part in (self.value, self.send):
            permit(part, refusal)
        self.command_words.setText(f"&Command to {self._chosen.replace('&', '&&')}")
        words, state = self._outcomes.get(self._chosen, ("", ""))
        self.outcome.setText(words)
        if self.outcome.property("state") != state:
            self.outcome.setProperty("state", state)
            self.outcome.style().unpolish(self.outcome)
            self.outcome.style().polish(self.outcome)

    def _show(self, *, is_recorded: bool) -> None:
        stream = self.selected
        if stream is None:
            return
        board = self.streams.board(stream)
        if board is None:
            self.shown_requested.emit(stream, is_recorded)
        else:
            self.record_requested.emit(board.name, is_recorded)

    def _hide(self) -> None:
        stream = self.selected
        board = None if stream is None else self.streams.board(stream)
        if board is not None:
            self.hide_requested.emit(board.name)

    def _send(self) -> None:
        text = self.value.text().strip()
        if text and self.send.isEnabled() and self.selected is not None:
            self._outcomes[self._chosen] = ("is being sent …", "")
            self.command_requested.emit(self._chosen, typed_value(text))
            self._show_target()

    def _lay_out(self, words: QLabel) -> None:
        buttons = QDialogButtonBox(QDialogButtonBox.Close)
        buttons.rejected.connect(self.reject)
        close = buttons.button(QDialogButtonBox.Close)
        close.setAutoDefault(False)
        row = QHBoxLayout()
        row.setSpacing(SPACE)
        for button in (self.record, self.show_only, self.hide_it):
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(buttons)
        command = QHBoxLayout()
        command.setSpacing(SPACE)
        self.value.setMaximumWidth(220)
        command.addWidget(self.command_words)
        command.addWidget(self.value)
        command.addWidget(self.send)
        command.addWidget(self.outcome, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, 2 * SPACE)
        column.setSpacing(SPACE)
        column.addWidget(words)
        column.addWidget(self.table, 1)
        column.addLayout(command)
        column.addLayout(row)


def typed_value(text: str) -> Any:
    """Return what a command's text means: JSON, or else a word.

    >>> typed_value("21.5"), typed_value("true"), typed_value("on"), typed_value("NaN")
    (21.5, True, 'on', 'NaN')
    """

    def refuse(constant: str) -> None:
        raise ValueError(constant)

    try:
        return json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError):
        return text


def _button(label: str) -> QPushButton:
    button = QPushButton(label)
    button.setAutoDefault(False)
    return button
