"""The table of boards, as the server's status tells them."""

from typing import Any

from PyQt5.QtCore import QModelIndex, QObject, Qt
from PyQt5.QtGui import QColor, QFont

from blitz.data.framing_rule import FramingKind
from blitz.data.records import BoardRecord, LinkState
from blitz.ui.formats import MISSING, format_count, format_rate
from blitz.ui.models.columns import ColumnsModel
from blitz.ui.theme import LIGHT, Theme

COLUMNS = ("Name", "Board", "Port", "State", "Format", "Rate", "Messages", "Bad frames", "Error")
NAME, BOARD, PORT, STATE, FORMAT, RATE, MESSAGES, BAD_FRAMES, ERROR = range(9)
_UNSURE = (LinkState.SILENT, LinkState.IDENTIFYING, LinkState.RELEASED, LinkState.AMBIGUOUS)
_NUMBERS = (RATE, MESSAGES, BAD_FRAMES)


class BoardsModel(ColumnsModel):
    """One row a device."""

    column_names = COLUMNS
    number_columns = _NUMBERS

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._boards: tuple[BoardRecord, ...] = ()
        self.theme: Theme = LIGHT
        self.number_font: QFont | None = None

    @property
    def boards(self) -> tuple[BoardRecord, ...]:
        """The devices, in the order of the rows."""
        return self._boards

    def show(self, boards: tuple[BoardRecord, ...]) -> None:
        """Take over the server's list; rows stay where they are while the names are the same."""
        if [board.name for board in boards] != [board.name for board in self._boards]:
            self.beginResetModel()
            self._boards = boards
            self.endResetModel()
        elif boards != self._boards:
            self._boards = boards
            self.dataChanged.emit(self.index(0, 0), self.index(len(boards) - 1, len(COLUMNS) - 1))

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """One row a device."""
        return 0 if parent.isValid() else len(self._boards)

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Return what a cell shows."""
        if not index.isValid() or index.row() >= len(self._boards):
            return None
        board, column = self._boards[index.row()], index.column()
        if role in (Qt.DisplayRole, Qt.ToolTipRole):
            return _text(board, column)
        if role == Qt.TextAlignmentRole and column in _NUMBERS:
            return int(Qt.AlignRight | Qt.AlignVCenter)
        if role == Qt.FontRole and column in _NUMBERS:
            return self.number_font
        if role == Qt.ForegroundRole:
            if column == STATE:
                return QColor(self._state_colour(board))
            if column == ERROR:
                return QColor(self.theme.recording)
        return None

    def _state_colour(self, board: BoardRecord) -> str:
        if board.error or board.state is LinkState.AWAY:
            return self.theme.recording
        if board.state in _UNSURE:
            return self.theme.warning
        return self.theme.okay


def _text(board: BoardRecord, column: int) -> str:
    kind = f"{board.board_name} ({board.board_id})" if board.board_id else board.board_name
    texts = {
        NAME: board.name,
        BOARD: kind or MISSING,
        PORT: board.link if "://" in board.link or not board.baud else f"{board.link} · {board.baud}",
        STATE: str(board.state),
        FORMAT: format_words(board),
        RATE: format_rate(board.rate_hz),
        MESSAGES: format_count(board.message_count),
        BAD_FRAMES: format_count(board.bad_frames),
        ERROR: board.error or "",
    }
    return texts[column]


def format_words(board: BoardRecord) -> str:
    """Say how a board's messages are laid out, how its bytes are cut, and whether it is asked for them.

    >>> format_words(BoardRecord(name="a", link="a", baud=1, state="ready", format="columns", is_guessed=True))
    'columns, guessed'
    """
    words = [board.format] if board.format else []
    if board.is_guessed:
        words.append("guessed")
    rule = board.framing
    if rule is not None and (rule.kind is not FramingKind.LINES or rule.checksum):
        kind = rule.kind.value.replace("_", " + ")
        words.append(f"{kind} + {rule.checksum}" if rule.checksum else kind)
    if board.mode == "polled":
        words.append("polled")
    elif board.mode == "streaming" and board.format in ("", "blitz"):
        words.append("streaming")
    return ", ".join(words) or MISSING
