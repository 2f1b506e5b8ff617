"""The table of boards, as the server's status tells them."""

from datetime import UTC, datetime
from typing import Any

from PyQt5.QtCore import QModelIndex, QObject, Qt
from PyQt5.QtGui import QColor, QFont, QIcon

from blitz.data.calibration_due import CalibrationDue
from blitz.data.framing_rule import FramingKind
from blitz.data.records import BoardRecord, LinkState, Notice, StatusRecord
from blitz.ui.board_causes import Cause, Severity, cause_of, heard_words
from blitz.ui.board_watch import BoardWatch, Watched, faults_words
from blitz.ui.formats import MISSING, format_rate
from blitz.ui.icons import icon
from blitz.ui.models.columns import ColumnsModel
from blitz.ui.theme import LIGHT, Theme

COLUMNS = ("Source", "Board", "Port", "State", "Rate", "Trend", "Faults", "Last heard", "Format")
SOURCE, BOARD, PORT, STATE, RATE, TREND, FAULTS, HEARD, FORMAT = range(len(COLUMNS))
RATES_ROLE = int(Qt.UserRole) + 1
"""The last rates of a row's board, oldest first, in Hz."""
_NUMBERS = (RATE,)
_HEADS = {
    RATE: "Messages a second, over the last few seconds",
    TREND: "The rate of the last minute",
    FAULTS: "What is wrong, or what was lost: of the running session, else since the link was made",
    HEARD: "How long ago something came",
    FORMAT: "How its messages are laid out and cut",
}
_NOTHING = Watched()
_LOST = (LinkState.AWAY, LinkState.SILENT)
_ICONS = {
    LinkState.AWAY: "power-plug-off",
    LinkState.IDENTIFYING: "magnify",
    LinkState.READY: "check-circle-outline",
    LinkState.RECORDING: "record-circle",
    LinkState.SILENT: "volume-off",
    LinkState.RELEASED: "hand-extended-outline",
    LinkState.AMBIGUOUS: "help-circle-outline",
    LinkState.DISABLED: "cancel",
}


class BoardsModel(ColumnsModel):
    """One row a device."""

    column_names = COLUMNS
    number_columns = _NUMBERS

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._boards: tuple[BoardRecord, ...] = ()
        self._watch = BoardWatch()
        self._watched: dict[str, Watched] = {}
        self._due: dict[str, tuple[CalibrationDue, ...]] = {}
        self._now = datetime.now(UTC)
        self._icons: dict[tuple[LinkState, str], QIcon] = {}
        self.theme: Theme = LIGHT
        self.number_font: QFont | None = None

    @property
    def boards(self) -> tuple[BoardRecord, ...]:
        """The devices, in the order of the rows."""
        return self._boards

    def show_status(self, status: StatusRecord) -> None:
        """Take over the server's list, and compare it with the one before."""
        self._watch.take(status)
        self._now = status.now
        self._watched = {board.name: self._watch.view(board.name) for board in status.boards}
        self._due = {
            board.name: tuple(due for due in status.calibrations if due.source == board.name) for board in status.boards
        }
        self._show(status.boards)

    def take_notice(self, notice: Notice) -> None:
        """Note when the server told of trouble."""
        self._watch.take_notice(notice)

    def clear(self) -> None:
        """Without a server there are no boards."""
        self._watch.clear()
        self._show(())

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self.theme = theme
        self._icons.clear()
        if self._boards:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._boards) - 1, len(COLUMNS) - 1))

    def watched(self, board: BoardRecord) -> Watched:
        """Return what is known of a board besides its record."""
        return self._watched.get(board.name, _NOTHING)

    def cause(self, board: BoardRecord) -> Cause:
        """Say how a board is doing."""
        return cause_of(board, self.watched(board), self._now, self._due.get(board.name, ()))

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """One row a device."""
        return 0 if parent.isValid() else len(self._boards)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.DisplayRole) -> Any:
        """Return the name of a column, and what it means."""
        if role == Qt.ToolTipRole and orientation == Qt.Horizontal:
            return _HEADS.get(section)
        return super().headerData(section, orientation, role)

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Return what a cell shows."""
        if not index.isValid() or index.row() >= len(self._boards):
            return None
        board, column = self._boards[index.row()], index.column()
        if role == Qt.DisplayRole:
            return self._text(board, column)
        if role == Qt.ToolTipRole:
            return self._tooltip(board, column)
        if role == Qt.TextAlignmentRole and column in _NUMBERS:
            return int(Qt.AlignRight | Qt.AlignVCenter)
        if role == Qt.FontRole and column in _NUMBERS:
            return self.number_font
        if role == RATES_ROLE and column == TREND:
            return self.watched(board).rates
        if role == Qt.DecorationRole and column == STATE:
            return self._icon(board)
        if role == Qt.ForegroundRole:
            colour = self._colour(board, column)
            return QColor(colour) if colour else None
        return None

    def _show(self, boards: tuple[BoardRecord, ...]) -> None:
        """Rows stay where they are while the names are the same."""
        if [board.name for board in boards] != [board.name for board in self._boards]:
            self.beginResetModel()
            self._boards = boards
            self.endResetModel()
        elif boards:
            self._boards = boards
            self.dataChanged.emit(self.index(0, 0), self.index(len(boards) - 1, len(COLUMNS) - 1))

    def _text(self, board: BoardRecord, column: int) -> str:
        if column == BOARD:
            return (f"{board.board_name} ({board.board_id})" if board.board_id else board.board_name) or MISSING
        if column == PORT:
            return board.link if "://" in board.link or not board.baud else f"{board.link} · {board.baud}"
        if column == FAULTS:
            return board.error or faults_words(board)
        if column == HEARD:
            return heard_words(board, self.watched(board), self._now)
        if column == TREND:
            return ""
        is_shown_only = board.state is LinkState.READY and not board.is_recorded
        state = "shown" if is_shown_only else str(board.state)
        texts = {SOURCE: board.name, STATE: state, RATE: format_rate(board.rate_hz)}
        return texts.get(column) or format_words(board)

    def _tooltip(self, board: BoardRecord, column: int) -> str:
        watched = self.watched(board)
        if column in (RATE, TREND) and watched.usual_hz:
            return f"Usual is {format_rate(watched.usual_hz)}"
        if column == STATE:
            return self.cause(board).sentence
        if column == FAULTS:
            text = self._text(board, column)
            at = watched.fault_at.astimezone().strftime("%H:%M:%S") if watched.fault_at else ""
            return f"{text}\nLast fault: {watched.fault}, at {at}" if at else text
        return self._text(board, column)

    def _colour(self, board: BoardRecord, column: int) -> str:
        if column == STATE:
            return self._state_colour(board)
        if column == FAULTS and board.state is LinkState.DISABLED:
            return self.theme.muted
        if column == FAULTS and board.error:
            return self.theme.warning if board.state is LinkState.RELEASED else self.theme.recording
        if column in (RATE, HEARD) and self.watched(board).is_slow(board):
            return self.theme.warning
        if column == FAULTS:
            is_fine = self.cause(board).severity is Severity.FINE or faults_words(board) == "none"
            return "" if is_fine else self.theme.warning
        return ""

    def _state_colour(self, board: BoardRecord) -> str:
        if board.state is LinkState.DISABLED:
            return self.theme.muted
        if board.state in (LinkState.IDENTIFYING, LinkState.RELEASED, LinkState.AMBIGUOUS):
            return self.theme.warning
        return self.theme.recording if board.error or board.state in _LOST else self.theme.okay

    def _icon(self, board: BoardRecord) -> QIcon:
        colour = self._state_colour(board)
        key = (board.state, colour)
        if key not in self._icons:
            self._icons[key] = icon(_ICONS[board.state], self.theme, colour)
        return self._icons[key]


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
