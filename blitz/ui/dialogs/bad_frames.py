"""Shows the last bad frames of a board: when, why, and what came."""

from datetime import datetime
from typing import Any

from PyQt5.QtCore import QModelIndex, QObject, Qt, pyqtSignal
from PyQt5.QtGui import QFont
from PyQt5.QtWidgets import QCheckBox, QDialog, QDialogButtonBox, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from blitz.data.records import BadFrameRecord
from blitz.ui.models.columns import ColumnsModel
from blitz.ui.theme import SPACE
from blitz.ui.widgets.table import Table

COLUMNS = ("Time", "Why", "Bytes", "What came")
TIME, REASON, BYTES, CONTENT = range(4)


class BadFramesModel(ColumnsModel):
    """One row a frame, the newest first."""

    column_names = COLUMNS
    number_columns = (BYTES,)

    def __init__(self, font: QFont, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._frames: tuple[BadFrameRecord, ...] = ()
        self._font = font
        self.is_hex = True

    def show(self, frames: tuple[BadFrameRecord, ...]) -> None:
        """Show these frames, given oldest first."""
        self.beginResetModel()
        self._frames = tuple(reversed(frames))
        self.endResetModel()

    def show_hex(self, is_hex: bool) -> None:
        """Show bytes as hex digits, or as text."""
        self.is_hex = is_hex
        if self._frames:
            self.dataChanged.emit(self.index(0, CONTENT), self.index(len(self._frames) - 1, CONTENT))

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """One row a frame."""
        return 0 if parent.isValid() else len(self._frames)

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Return what a cell shows; the tooltip of its content is the other way of writing it."""
        if not index.isValid() or index.row() >= len(self._frames):
            return None
        frame, column = self._frames[index.row()], index.column()
        if role == Qt.DisplayRole:
            if column == TIME:
                return datetime.fromtimestamp(frame.time_ns / 1e9).astimezone().strftime("%H:%M:%S.%f")[:-3]
            if column == REASON:
                return frame.reason
            return str(len(frame.raw) // 2) if column == BYTES else _content(frame, self.is_hex)
        if role == Qt.ToolTipRole:
            return frame.reason if column != CONTENT else f"{_content(frame, True)}\n{_content(frame, False)}"
        if role == Qt.TextAlignmentRole and column == BYTES:
            return int(Qt.AlignRight | Qt.AlignVCenter)
        return self._font if role == Qt.FontRole and column in (TIME, CONTENT) else None


class BadFramesDialog(QDialog):
    """Stays open beside the window; asks anew on request."""

    refresh_requested = pyqtSignal(str)

    def __init__(self, board: str, font: QFont, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.board = board
        self.setWindowTitle(f"Bad frames of {board}")
        self.resize(920, 420)
        self.setAttribute(Qt.WA_DeleteOnClose)
        self.frames = BadFramesModel(font, self)
        self.table = Table(self.frames, "Fetching …")
        self.table.setAccessibleName("Bad frames")
        self.table.set_widths(120, 330, 76, 300, stretched=CONTENT)
        words = QLabel("What the device sent and is no message: counted and kept, the last 100. The newest is on top.")
        words.setProperty("kind", "muted")
        self.hexadecimal = QCheckBox("As &hex digits")
        self.hexadecimal.setChecked(True)
        self.hexadecimal.toggled.connect(self.frames.show_hex)
        refresh = QPushButton("&Refresh")
        refresh.setAutoDefault(False)
        refresh.clicked.connect(lambda: self.refresh_requested.emit(board))
        buttons = QDialogButtonBox(QDialogButtonBox.Close)
        buttons.rejected.connect(self.reject)
        row = QHBoxLayout()
        row.setSpacing(SPACE)
        row.addWidget(self.hexadecimal)
        row.addStretch(1)
        row.addWidget(refresh)
        row.addWidget(buttons)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, 2 * SPACE)
        column.setSpacing(SPACE)
        column.addWidget(words)
        column.addWidget(self.table, 1)
        column.addLayout(row)

    def show_frames(self, board: str, frames: tuple[BadFrameRecord, ...] | None) -> None:
        """Take over what the server sent, if it is of this board; None: it could not be asked."""
        if board == self.board and frames is None:
            self.table.set_hint("They could not be fetched. Press Refresh when the server is back.")
        elif board == self.board and frames is not None:
            self.table.set_hint("No bad frame came: all that the device sent was understood.")
            self.frames.show(frames)


def _content(frame: BadFrameRecord, is_hex: bool) -> str:
    if not is_hex:
        return frame.text
    return bytes.fromhex(frame.raw).hex(" ")
