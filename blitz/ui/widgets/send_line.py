"""A line to send to a board: what is typed, its ending, hex, and what was sent before by the arrow keys."""

from collections.abc import Iterable

from PyQt5.QtCore import QEvent, QObject, Qt, pyqtSignal
from PyQt5.QtGui import QFont, QKeyEvent
from PyQt5.QtWidgets import QCheckBox, QHBoxLayout, QLineEdit, QPushButton, QWidget

from blitz.data.records import BoardRecord, LinkState, Role
from blitz.ui.feed import BoardCommand
from blitz.ui.rights import Rights
from blitz.ui.theme import SPACE
from blitz.ui.widgets.choice import Choice
from blitz.ui.widgets.permitted import permit

_ENDINGS = (("LF", "\n"), ("CR LF", "\r\n"), ("CR", "\r"), ("no ending", ""))
_MOST_REMEMBERED = 50
_CLOSED = {
    LinkState.AWAY: "{} is away: nothing can be sent to it.",
    LinkState.RELEASED: "{} is lent to another program: take its port again first, on the page Boards.",
    LinkState.DISABLED: "{} is disabled: enable it first, on the page Boards.",
    LinkState.AMBIGUOUS: "Several devices may be {}: say first which it is, on the page Boards.",
}


class LineHistory:
    """Lines that were sent, the newest last, each once.

    >>> history = LineHistory(["0081", "0085"])
    >>> history.older("02"), history.older("0085"), history.older("0081"), history.newer(), history.newer()
    ('0085', '0081', '0081', '0085', '02')
    """

    def __init__(self, lines: Iterable[str] = ()) -> None:
        self.lines = list(lines)[-_MOST_REMEMBERED:]
        self._place = len(self.lines)
        self._typed = ""

    def add(self, line: str) -> None:
        """Remember a line that is sent."""
        self.lines = [*(known for known in self.lines if known != line), line][-_MOST_REMEMBERED:]
        self._place, self._typed = len(self.lines), ""

    def older(self, typed: str) -> str:
        """Return the line before; what was typed comes back with :meth:`newer`."""
        if self._place == len(self.lines):
            self._typed = typed
        self._place = max(0, self._place - 1)
        return self._at_place()

    def newer(self) -> str:
        """Return the line behind, and behind the last one what was typed."""
        self._place = min(len(self.lines), self._place + 1)
        return self._at_place()

    def _at_place(self) -> str:
        return self.lines[self._place] if self._place < len(self.lines) else self._typed


class SendLine(QWidget):
    """Asks by a signal; who uses it knows to which board."""

    line_sent = pyqtSignal(object)
    """BoardCommand, as typed"""

    key_words = (("Up, Down", "In the line to send: bring back what was sent before"),)

    def __init__(self, history: LineHistory | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.history = history or LineHistory()
        self.line = QLineEdit()
        self.line.setAccessibleName("Line to send")
        self.line.setFont(fixed_font(self.font()))
        self.line.returnPressed.connect(self._send)
        self.line.installEventFilter(self)
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
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE)
        row.addWidget(self.line, 1)
        for widget in (self.ending, self.hexadecimal, self.send):
            row.addWidget(widget)
        self.show_board(None)

    def show_board(self, board: BoardRecord | None, refusal: str = "") -> None:
        """Show what can be typed for this board.

        :param refusal: why nothing can be sent to it; empty where it can.
        """
        is_blitz = board is not None and board.format in ("", "blitz")
        self.line.setPlaceholderText("such as 0985000000000014 – motor to 20" if is_blitz else "a line of text")
        permit(self.line, "")
        self.line.setToolTip(
            "A line of the serial protocol in hex digits; the server sends it between two polls"
            if is_blitz
            else "Sent as it stands, with the ending chosen; the arrow keys bring back what was sent before"
        )
        if refusal:
            self.line.setPlaceholderText(refusal)
        for widget in (self.line, self.send):
            permit(widget, refusal, is_enabled=board is not None)
        for option in (self.ending, self.hexadecimal):
            option.setVisible(board is not None and not is_blitz)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Bring back what was sent before."""
        if watched is self.line and event.type() == QEvent.KeyPress and isinstance(event, QKeyEvent):
            if event.key() == Qt.Key_Up:
                self.line.setText(self.history.older(self.line.text()))
                return True
            if event.key() == Qt.Key_Down:
                self.line.setText(self.history.newer())
                return True
        return super().eventFilter(watched, event)

    def _send(self) -> None:
        # Blanks at the ends may matter to a device that is no Blitz board.
        is_plain = self.ending.isHidden()
        line = self.line.text().strip() if is_plain else self.line.text()
        if not self.line.isEnabled() or not line:
            return
        self.history.add(line)
        if is_plain:
            self.line_sent.emit(BoardCommand(line))
        else:
            is_hex = self.hexadecimal.isChecked()
            self.line_sent.emit(BoardCommand(line, is_hex=is_hex, ending=self.ending.currentData()))
        self.line.selectAll()


def sending_refusal(board: BoardRecord | None, rights: Rights) -> str:
    """Say why nothing can be sent to a board; empty where it can, and where there is none."""
    if board is None:
        return ""
    return rights.refusal(Role.OPERATOR) or _CLOSED.get(board.state, "").format(board.name)


def fixed_font(base: QFont) -> QFont:
    """Return a font whose characters are all equally wide."""
    font = QFont(base)
    font.setFamily("monospace")
    font.setStyleHint(QFont.Monospace)
    return font
