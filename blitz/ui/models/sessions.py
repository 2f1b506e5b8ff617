"""The table of sessions: what the server has, what is here, and downloads under way."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from PyQt5.QtCore import QModelIndex, QObject, Qt
from PyQt5.QtGui import QFont

from blitz.data.records import SessionRecord
from blitz.data.sync_progress import Progress
from blitz.ui.feed import SessionList
from blitz.ui.formats import MISSING, format_bytes, format_count, format_duration, format_moment, format_start
from blitz.ui.models.columns import ColumnsModel

COLUMNS = ("★", "No.", "Name", "Tags", "Started", "Length", "Messages", "Size", "State", "Copy", "Owner")
STAR, NUMBER, NAME, TAGS, STARTED, LENGTH, MESSAGES, SIZE, STATE, COPY, OWNER = range(11)
SORT_ROLE = Qt.UserRole
PROGRESS_ROLE = Qt.UserRole + 1
"""Share of a download that is done, 0 to 1; None without one."""
_NUMBERS = (NUMBER, LENGTH, MESSAGES, SIZE)

_COPY_NOTES = {
    "in the trash": "Here, and in the server's trash",
    "a part is here": "Here is an older state of it: Download brings the rest",
    "here": "On this computer, whole",
    "on the server": "On the server only: Download brings it here",
}
_BALANCED = ", account balances"
ALL_WELL = f"no gaps, nothing lost{_BALANCED}"
"""What servers say of a session that went perfectly; in a narrow place its middle is enough."""
_FEW = 20
"""With more rows changed, all of them are told at once: each telling makes the table look for its order anew."""


@dataclass(frozen=True)
class _Download:
    done: int = 0
    total: int = 0
    left_s: float | None = None

    @property
    def share(self) -> float:
        return self.done / self.total if self.total else 0.0


class SessionsModel(ColumnsModel):
    """One row a session."""

    column_names = COLUMNS
    number_columns = _NUMBERS

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._records: tuple[SessionRecord, ...] = ()
        self._local_ids: frozenset[int] = frozenset()
        self._gone_ids: frozenset[int] = frozenset()
        self._older_ids: frozenset[int] = frozenset()
        self._chosen_ids: frozenset[int] = frozenset()
        self._trashed_ids: frozenset[int] = frozenset()
        self._downloads: dict[int, _Download] = {}
        self._sizes: dict[int, int] = {}
        self._rows: dict[int, int] = {}
        self.number_font: QFont | None = None

    def show(self, sessions: SessionList) -> None:
        """Take over the server's list."""
        self._local_ids, self._gone_ids = sessions.local_ids, sessions.gone_ids
        self._older_ids, self._chosen_ids = sessions.older_ids, sessions.chosen_ids
        if self._remove_all_but(sessions.records) and self._insert_before(sessions.records):
            self._records = sessions.records
            self._tell_all()
            return
        self.beginResetModel()
        self._take(sessions.records)
        self.endResetModel()

    def _take(self, records: tuple[SessionRecord, ...]) -> None:
        self._records = records
        self._rows = {record.id: row for row, record in enumerate(records)}

    def _remove_all_but(self, records: tuple[SessionRecord, ...]) -> bool:
        """Take away the rows that are not listed any more; False where they are many: a new list is quicker then."""
        kept = {record.id for record in records}
        gone = [row for row, record in enumerate(self._records) if record.id not in kept]
        if len(gone) > _FEW:
            return False
        for row in reversed(gone):
            self.beginRemoveRows(QModelIndex(), row, row)
            self._take((*self._records[:row], *self._records[row + 1 :]))
            self.endRemoveRows()
        return True

    def _insert_before(self, records: tuple[SessionRecord, ...]) -> bool:
        """Put in what is new at the front; False where the list differs otherwise."""
        count = len(records) - len(self._records)
        known = [record.id for record in self._records]
        if not 0 <= count <= _FEW or [record.id for record in records[count:]] != known:
            return False
        if count:
            self.beginInsertRows(QModelIndex(), 0, count - 1)
            self._take(records)
            self.endInsertRows()
        return True

    def show_trash(self, records: tuple[SessionRecord, ...]) -> None:
        """Take over what lies in the server's trash; of some of it there may be a copy here."""
        self._trashed_ids = frozenset(record.id for record in records)
        self._tell_all()

    def show_sizes(self, sizes: dict[int, int]) -> None:
        """Take over how many bytes copies take here."""
        before, self._sizes = self._sizes, sizes
        changed = [row for number, row in self._rows.items() if sizes.get(number) != before.get(number)]
        if len(changed) > _FEW:
            self._tell_all()
        else:
            self._tell(changed)

    def update(self, record: SessionRecord) -> None:
        """Take over a newer record of one session, if it is in the list."""
        row = self._rows.get(record.id)
        if row is not None and self._records[row] != record:
            self._records = (*self._records[:row], record, *self._records[row + 1 :])
            self._tell([row])

    def set_progress(self, session_id: int, done: int, total: int, left_s: float | None = None) -> None:
        """Show how far a download is."""
        self._downloads[session_id] = _Download(done, total, left_s)
        self._tell_session(session_id)

    def measure(self, session_id: int, progress: Progress) -> None:
        """Show how far a download is, and how long it will take."""
        self.set_progress(session_id, progress.done, progress.total, progress.left_s)

    def end_progress(self, session_id: int) -> None:
        """Show no download any more."""
        self._downloads.pop(session_id, None)
        self._tell_session(session_id)

    @property
    def records(self) -> tuple[SessionRecord, ...]:
        """All sessions, as they are listed."""
        return self._records

    def record(self, row: int) -> SessionRecord:
        """Return the session of a row."""
        return self._records[row]

    def find(self, session_id: int) -> SessionRecord | None:
        """Return a session by its id."""
        row = self._rows.get(session_id)
        return None if row is None else self._records[row]

    def row_of(self, session_id: int) -> int | None:
        """Return the row of a session; None where it is not in the list."""
        return self._rows.get(session_id)

    def is_local(self, session_id: int) -> bool:
        """Whether the session is whole in the cache."""
        return session_id in self._local_ids

    def is_gone(self, session_id: int) -> bool:
        """Whether only the cache has the session left."""
        return session_id in self._gone_ids

    def is_last(self, session_id: int) -> bool:
        """Whether what this computer has of the session is all that there is: not even a trash has more."""
        return session_id in self._gone_ids and session_id not in self._trashed_ids

    def is_trashed(self, session_id: int) -> bool:
        """Whether the session lies in the server's trash."""
        return session_id in self._trashed_ids

    def is_chosen(self, session_id: int) -> bool:
        """Whether synchronisation keeps it here."""
        return session_id in self._chosen_ids

    def is_downloading(self, session_id: int) -> bool:
        """Whether the session is on its way."""
        return session_id in self._downloads

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.DisplayRole) -> Any:
        """Return the name of a column; the star stands above its stars."""
        if role == Qt.TextAlignmentRole and section == STAR and orientation == Qt.Horizontal:
            return int(Qt.AlignCenter)
        return super().headerData(section, orientation, role)

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """One row a session."""
        return 0 if parent.isValid() else len(self._records)

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Return what a cell shows, or sorts by."""
        if not index.isValid() or index.row() >= len(self._records):
            return None
        record, column = self._records[index.row()], index.column()
        if role == Qt.DisplayRole:
            return self._text(record, column)
        if role == SORT_ROLE:
            return self._sort_key(record, column)
        if role == PROGRESS_ROLE and column == COPY:
            download = self._downloads.get(record.id)
            return download.share if download else None
        if role == Qt.TextAlignmentRole and column in _NUMBERS:
            return int(Qt.AlignRight | Qt.AlignVCenter)
        if role == Qt.TextAlignmentRole and column == STAR:
            return int(Qt.AlignCenter)
        if role == Qt.AccessibleTextRole and column == STAR:
            return "starred" if record.starred else "not starred"
        if role == Qt.FontRole:
            return self._font(record, column)
        if role == Qt.ToolTipRole:
            return self._tip(record, column)
        return None

    def _font(self, record: SessionRecord, column: int) -> QFont | None:
        """Of what only this computer has, the whole row leans."""
        font = self.number_font if column in (*_NUMBERS, STARTED) else None
        if self.is_last(record.id):
            font = QFont() if font is None else QFont(font)
            font.setItalic(True)
        return font

    def _tip(self, record: SessionRecord, column: int) -> str | None:
        if column == NAME:
            note = [self.copy_note(record)] if self.is_last(record.id) else []
            return "\n".join([*note, *([record.notes] if record.notes else []), *own_words(record)]) or None
        if column == STAR:
            kept = "Starred: kept, whatever its age" if record.starred else "Not starred"
            return f"{kept}. Click to change it."
        if column == STATE:
            return record.stop_reason or state_words(record)
        if column == COPY:
            return self.copy_note(record)
        if column == STARTED:
            return format_moment(record.started_at)
        if column == SIZE and record.id not in self._sizes:
            return "What it takes on this computer is known when it is here"
        return self._text(record, column)

    def _text(self, record: SessionRecord, column: int) -> str:
        if column == STAR:
            return "★" if record.starred else "☆"
        if column == NUMBER:
            return str(record.id)
        if column == NAME:
            return session_title(record)
        if column == TAGS:
            return ", ".join(record.tags)
        if column == STARTED:
            return format_start(record.started_at.astimezone(), datetime.now().astimezone())
        if column == LENGTH:
            length = session_length_s(record)
            return MISSING if length is None else format_duration(length)
        if column == MESSAGES:
            return format_count(record.message_count)
        if column == SIZE:
            return format_bytes(self._sizes[record.id]) if record.id in self._sizes else MISSING
        if column == STATE:
            # Where an account does not balance, that is among the words.
            return state_words(record).replace(ALL_WELL, "nothing lost").removesuffix(_BALANCED)
        if column == COPY:
            return self._copy_text(record)
        return record.owner

    def _copy_text(self, record: SessionRecord) -> str:
        download = self._downloads.get(record.id)
        if download is not None:
            if not download.total:
                return "waiting"
            left = "" if download.left_s is None else f", {format_duration(download.left_s)} left"
            return f"{100 * download.share:.0f} %{left}"
        if record.id in self._trashed_ids:
            return "in the trash"
        if record.id in self._gone_ids:
            return "only here, a part" if record.id in self._older_ids else "only here"
        if record.id in self._older_ids:
            return "a part is here"
        return "here" if record.id in self._local_ids else "on the server"

    def copy_note(self, record: SessionRecord) -> str:
        """Say what a copy's words in the row mean for who might delete it."""
        words = self._copy_text(record)
        if not self.is_last(record.id):
            return _COPY_NOTES.get(words, words)
        whose = "The server no longer has this session" if record.id > 0 else "No server has this session"
        part = ", and not all of it came" if record.id in self._older_ids else ""
        return f"{words[0].upper()}{words[1:]}. {whose}{part}: what is here is the last of it."

    def _sort_key(self, record: SessionRecord, column: int) -> Any:
        if column in (NUMBER, STARTED):
            return record.id if column == NUMBER else record.started_ms
        if column == LENGTH:
            length = session_length_s(record)
            return float("inf") if length is None else length
        if column == MESSAGES:
            return record.message_count
        if column == SIZE:
            return self._sizes.get(record.id, -1)
        return self._text(record, column).casefold()

    def _tell_session(self, session_id: int) -> None:
        row = self._rows.get(session_id)
        self._tell([] if row is None else [row])

    def _tell_all(self) -> None:
        if self._records:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._records) - 1, len(COLUMNS) - 1))

    def _tell(self, rows: Iterable[int]) -> None:
        for row in rows:
            self.dataChanged.emit(self.index(row, 0), self.index(row, len(COLUMNS) - 1))


def session_title(record: SessionRecord) -> str:
    """Return the session's name, or what stands for it where it has none."""
    return record.name or f"Session {record.id}"


def state_words(record: SessionRecord) -> str:
    """Say how a session is, or how it went: gaps, losses, and whether the account balances."""
    resumed = f"resumed {'once' if record.resumed == 1 else f'{record.resumed} times'}" if record.resumed else ""
    if record.is_running:
        return ", ".join(part for part in ("recording", resumed) if part)
    how = "interrupted" if record.interrupted else "stopped by itself" if record.stop_reason else ""
    return ", ".join(part for part in (how, resumed, record.verdict) if part) or "complete"


def own_words(record: SessionRecord) -> list[str]:
    """Return a session's tags and own fields, as they are read."""
    tags = [f"Tags: {', '.join(record.tags)}"] if record.tags else []
    return tags + [f"{name}: {value}" for name, value in record.fields.items()]


def session_length_s(record: SessionRecord) -> float | None:
    """Return how long a session was; None while it runs or where no one knows its end."""
    return None if record.stopped_at is None else (record.stopped_at - record.started_at).total_seconds()
