"""The table of boards, as the server's status tells them."""

from typing import Any

from PyQt5.QtCore import QModelIndex, QObject, Qt
from PyQt5.QtGui import QColor, QFont

from blitz.data.records import BoardRecord, LinkState
from blitz.ui.formats import MISSING, format_count, format_rate
from blitz.ui.models.columns import ColumnsModel
from blitz.ui.theme import LIGHT, Theme

COLUMNS = ("Name", "Board", "Port", "State", "Mode", "Rate", "Messages", "Bad frames", "Error")
NAME, BOARD, PORT, STATE, MODE, RATE, MESSAGES, BAD_FRAMES, ERROR = range(9)
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
        if board.state in (LinkState.SILENT, LinkState.IDENTIFYING):
            return self.theme.warning
        return self.theme.okay


def _text(board: BoardRecord, column: int) -> str:
    kind = f"{board.board_name} ({board.board_id})" if board.board_id else board.board_name
    texts = {
        NAME: board.name,
        BOARD: kind or MISSING,
        PORT: f"{board.link} · {board.baud}",
        STATE: str(board.state),
        MODE: board.mode if board.mode != "unknown" else MISSING,
        RATE: format_rate(board.rate_hz),
        MESSAGES: format_count(board.message_count),
        BAD_FRAMES: format_count(board.bad_frames),
        ERROR: board.error or "",
    }
    return texts[column]
