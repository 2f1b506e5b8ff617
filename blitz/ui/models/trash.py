"""The table of what is in the trash."""

from typing import Any

from PyQt5.QtCore import QModelIndex, QObject, Qt
from PyQt5.QtGui import QFont

from blitz.data.records import SessionRecord
from blitz.ui.formats import MISSING, format_count, format_moment
from blitz.ui.models.columns import ColumnsModel
from blitz.ui.models.sessions import session_title, state_words

COLUMNS = ("No.", "Name", "Started", "Messages", "State", "Deleted", "Owner")
NUMBER, NAME, STARTED, MESSAGES, STATE, DELETED, OWNER = range(7)
_NUMBERS = (NUMBER, MESSAGES)


class TrashModel(ColumnsModel):
    """One row a session, what was deleted last first."""

    column_names = COLUMNS
    number_columns = _NUMBERS

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.records: tuple[SessionRecord, ...] = ()
        self.number_font: QFont | None = None

    def show(self, records: tuple[SessionRecord, ...]) -> None:
        """Take over the server's list."""
        self.beginResetModel()
        self.records = tuple(sorted(records, key=_deleted_s, reverse=True))
        self.endResetModel()

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """One row a session."""
        return 0 if parent.isValid() else len(self.records)

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Return what a cell shows."""
        if not index.isValid() or index.row() >= len(self.records):
            return None
        record, column = self.records[index.row()], index.column()
        if role in (Qt.DisplayRole, Qt.ToolTipRole):
            return _text(record, column)
        if role == Qt.TextAlignmentRole and column in _NUMBERS:
            return int(Qt.AlignRight | Qt.AlignVCenter)
        if role == Qt.FontRole and column in (*_NUMBERS, STARTED, DELETED):
            return self.number_font
        return None


def _text(record: SessionRecord, column: int) -> str:
    if column == NUMBER:
        return str(record.id)
    if column == NAME:
        return session_title(record)
    if column == STARTED:
        return format_moment(record.started_at)
    if column == MESSAGES:
        return format_count(record.message_count)
    if column == STATE:
        return state_words(record)
    if column == DELETED:
        return format_moment(record.trashed_at) if record.trashed_at is not None else MISSING
    return record.owner


def _deleted_s(record: SessionRecord) -> float:
    return record.trashed_at.timestamp() if record.trashed_at is not None else 0.0
