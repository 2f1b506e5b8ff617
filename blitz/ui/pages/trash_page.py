"""The page of the trash: what was deleted, and can be restored or deleted for good."""

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from blitz.data.records import Role, SessionRecord
from blitz.ui.models.trash import NAME, TrashModel
from blitz.ui.rights import Rights
from blitz.ui.theme import SPACE, number_font
from blitz.ui.widgets.permitted import permit
from blitz.ui.widgets.table import Table

_EMPTY = "The trash is empty."
_ABOUT = "The server deletes these sessions for good when their time in the trash is over."


class TrashPage(QWidget):
    """Asks by signals, each carrying a session's record."""

    restore_requested = pyqtSignal(object)
    delete_requested = pyqtSignal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rights = Rights()
        self.trash = TrashModel(self)
        self.trash.number_font = number_font(self.font())
        self.table = Table(self.trash, _EMPTY)
        self.table.setAccessibleName("Trash")
        self.table.set_widths(64, 240, 172, 104, 300, 172, 150, stretched=NAME)
        self.table.selectionModel().selectionChanged.connect(self._show_actions)
        self.restore = QPushButton("&Restore")
        self.restore.setToolTip("Put the session back into the list")
        self.restore.clicked.connect(lambda: self._ask(self.restore_requested))
        self.delete = QPushButton("Delete for &good…")
        self.delete.setToolTip("Delete the session and its messages now; asks first")
        self.delete.clicked.connect(lambda: self._ask(self.delete_requested))
        about = QLabel(_ABOUT)
        about.setProperty("kind", "muted")
        about.setWordWrap(True)
        row = QHBoxLayout()
        row.setSpacing(SPACE)
        row.addWidget(self.restore)
        row.addWidget(self.delete)
        row.addStretch(1)
        page = QVBoxLayout(self)
        page.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, SPACE)
        page.setSpacing(SPACE)
        page.addLayout(row)
        page.addWidget(self.table, 1)
        page.addWidget(about)
        self._show_actions()

    @property
    def selected(self) -> SessionRecord | None:
        """The selected session."""
        rows = self.table.selectionModel().selectedRows()
        return self.trash.records[rows[0].row()] if rows and rows[0].row() < len(self.trash.records) else None

    def select(self, session_id: int) -> None:
        """Select a session's row."""
        for row, record in enumerate(self.trash.records):
            if record.id == session_id:
                self.table.selectRow(row)

    def show_trash(self, records: tuple[SessionRecord, ...] | None) -> None:
        """Take over the server's list; the selection stays with its session."""
        selected = self.selected
        self.trash.show(records or ())
        if self.trash.records:
            self.table.selectRow(0)
        if selected is not None:
            self.select(selected.id)
        self._show_actions()

    def show_rights(self, rights: Rights) -> None:
        """Take over what the operator may do."""
        self._rights = rights
        self._show_actions()

    def _ask(self, signal: object) -> None:
        if self.selected is not None:
            signal.emit(self.selected)  # type: ignore[attr-defined]  # a bound signal

    def _show_actions(self) -> None:
        is_any = self.selected is not None
        permit(self.restore, self._rights.refusal(Role.OPERATOR), is_enabled=is_any)
        permit(self.delete, self._rights.refusal(Role.ADMIN), is_enabled=is_any)
