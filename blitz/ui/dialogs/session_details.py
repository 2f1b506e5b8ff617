"""What is written of a session, to read and to change: name, notes, tags, own fields, markers, and what they were."""

from datetime import datetime

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPlainTextEdit,
    QTableWidget,
    QTableWidgetItem,
    QTabWidget,
    QWidget,
)

from blitz.data.markers import with_marker
from blitz.data.records import Marker, SessionChange, SessionRecord
from blitz.data.session_words import NAME_LENGTH, SessionWords, check_required, checked_fields, checked_tags
from blitz.ui.dialogs.form import Form
from blitz.ui.formats import format_moment
from blitz.ui.models.sessions import session_title
from blitz.ui.plots.marker_marks import marker_words, time_words

_SPARE_ROWS = 2


class SessionDetailsDialog(Form):
    """Shows a session; ``words`` are what was changed when it is accepted.

    :param required: own fields that must not be left empty.
    :param refusal: why nothing can be changed; empty where it can.
    """

    marker_chosen = pyqtSignal(object)
    """Marker: somebody wants to change it."""

    def __init__(
        self,
        record: SessionRecord,
        *,
        required: tuple[str, ...] = (),
        refusal: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(session_title(record), "&Save", refusal, parent)
        self.setMinimumWidth(680)
        self._record = record
        self._required = required
        self._can_change = not refusal
        self.name = QLineEdit(record.name)
        self.name.setMaxLength(NAME_LENGTH)
        self.notes = QPlainTextEdit(record.notes)
        self.notes.setTabChangesFocus(True)
        self.notes.setFixedHeight(96)
        self.tags = QLineEdit(", ".join(record.tags))
        self.tags.setPlaceholderText("warm-up, rig 2")
        self.tags.setToolTip("Words to find it by, with commas between")
        self.fields = self._field_table()
        self.markers = QListWidget()
        self.markers.setAccessibleName("Markers")
        self.markers.setMinimumHeight(170)
        self.markers.setAlternatingRowColors(True)
        self.markers.itemActivated.connect(self._choose_marker)
        self.pages = QTabWidget()
        self.pages.addTab(self.fields, "&Fields")
        self.pages.addTab(self.markers, "&Markers")
        self.pages.addTab(_history_table(record.changes), f"&History ({len(record.changes)})")
        self.add("&Name", self.name)
        self.add("N&otes", self.notes)
        self.add("&Tags", self.tags)
        self.put_below(self.pages)
        self._show_markers()
        for field in (self.name, self.notes, self.tags):
            field.setReadOnly(bool(refusal))
        self.accept_button.setEnabled(not refusal)
        self.accept_button.setToolTip(refusal)

    @property
    def session_id(self) -> int:
        """Of which session it tells."""
        return self._record.id

    @property
    def words(self) -> SessionWords:
        """What was changed; nothing of what is as before.

        :raises ValueError: if tags or fields cannot be.
        """
        record = self._record
        name, notes = self.name.text().strip(), self.notes.toPlainText().strip()
        tags = checked_tags(word for word in self.tags.text().split(",") if word.strip())
        typed = checked_fields(self._typed_fields())
        gone = {known: "" for known in record.fields if known not in typed}
        check_required(
            self._required, {**record.fields, **typed, **gone} if self._touches(typed, gone) else record.fields
        )
        changed = {key: value for key, value in {**typed, **gone}.items() if value != record.fields.get(key, "")}
        return SessionWords(
            None if name == record.name else name,
            None if notes == record.notes.strip() else notes,
            None,
            None if tags == record.tags else tags,
            changed,
        )

    def accept(self) -> None:
        """Close, unless something is wrong with what was typed."""
        try:
            _ = self.words
        except ValueError as error:
            self.say_wrong(str(error))
        else:
            super().accept()

    def take_marker(self, marker: Marker) -> None:
        """Show what became of a marker."""
        self._record = self._record.model_copy(update={"markers": with_marker(self._record.markers, marker)})
        self._show_markers()

    def _touches(self, typed: dict[str, str], gone: dict[str, str]) -> bool:
        """Whether a field that is demanded was changed: an old session may have been without it all along."""
        after = {**typed, **gone}
        return any(after.get(name, "") != self._record.fields.get(name, "") for name in self._required)

    def _show_markers(self) -> None:
        self.markers.clear()
        for marker in self._record.markers:
            more = "  ·  ".join(part for part in (marker.source, marker.who) if part)
            text = " ".join(marker.text.split())
            row = QListWidgetItem(f"{time_words(marker)}   {text}{f'  ·  {more}' if more else ''}")
            row.setToolTip(f"{marker_words(marker)}\n\nEnter or a double click changes it.")
            row.setData(Qt.UserRole, marker.id)
            self.markers.addItem(row)
        if not self._record.markers:
            row = QListWidgetItem("No markers. They are written on the plots: Ctrl+M, or a right click.")
            row.setFlags(Qt.NoItemFlags)
            self.markers.addItem(row)
        self.pages.setTabText(1, f"&Markers ({len(self._record.markers)})")

    def _choose_marker(self, row: QListWidgetItem) -> None:
        for marker in self._record.markers:
            if marker.id == row.data(Qt.UserRole) and self._can_change:
                self.marker_chosen.emit(marker)

    def _field_table(self) -> QTableWidget:
        names = dict.fromkeys((*self._required, *self._record.fields))
        table = QTableWidget(len(names) + (_SPARE_ROWS if self._can_change else 0), 2)
        table.setHorizontalHeaderLabels(["Field", "Text"])
        table.setAccessibleName("Fields")
        table.verticalHeader().hide()
        table.horizontalHeader().setSectionResizeMode(1, QHeaderView.Stretch)
        table.setColumnWidth(0, 180)
        table.horizontalHeader().setDefaultAlignment(Qt.AlignLeft | Qt.AlignVCenter)
        table.setAlternatingRowColors(True)
        table.setMinimumHeight(170)
        table.setToolTip("Type into an empty row for one more field; an empty text takes a field away")
        for row, name in enumerate(names):
            table.setItem(row, 0, QTableWidgetItem(name))
            table.setItem(row, 1, QTableWidgetItem(self._record.fields.get(name, "")))
        if not self._can_change:
            table.setEditTriggers(QAbstractItemView.NoEditTriggers)
        table.cellChanged.connect(self._keep_spare_rows)
        return table

    def _keep_spare_rows(self, row: int, _: int) -> None:
        if row >= self.fields.rowCount() - _SPARE_ROWS + 1:
            self.fields.setRowCount(row + 1 + _SPARE_ROWS)

    def _typed_fields(self) -> dict[str, str]:
        fields = {}
        for row in range(self.fields.rowCount()):
            name, text = (item.text().strip() if (item := self.fields.item(row, column)) else "" for column in (0, 1))
            if name:
                fields[name] = text
            elif text:
                raise ValueError(f"“{text}” stands in a field without a name: give it one.")
        return fields


def _history_table(changes: tuple[SessionChange, ...]) -> QTableWidget:
    table = QTableWidget(len(changes), 5)
    table.setHorizontalHeaderLabels(["When", "Who", "What", "Before", "After"])
    table.setAccessibleName("History")
    table.verticalHeader().hide()
    table.setEditTriggers(QAbstractItemView.NoEditTriggers)
    for column in (3, 4):
        table.horizontalHeader().setSectionResizeMode(column, QHeaderView.Stretch)
    for column, width in ((0, 180), (1, 100), (2, 80)):
        table.setColumnWidth(column, width)
    table.horizontalHeader().setDefaultAlignment(Qt.AlignLeft | Qt.AlignVCenter)
    table.setMinimumHeight(170)
    for row, change in enumerate(reversed(changes)):
        cells = (_when(change.changed_at), change.who, change.name, change.before, change.after)
        for column, text in enumerate(cells):
            cell = QTableWidgetItem(" ".join(text.split())[:300])
            cell.setToolTip(text[:2000])
            table.setItem(row, column, cell)
    return table


def _when(moment: datetime) -> str:
    return format_moment(moment)
