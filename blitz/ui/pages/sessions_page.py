"""The page of sessions: the list, and what can be done with one."""

from datetime import datetime

from PyQt5.QtCore import QItemSelection, QItemSelectionModel, QModelIndex, QPoint, Qt, QTimer, pyqtSignal
from PyQt5.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from blitz.data.records import SessionRecord
from blitz.data.session_search import SEARCH_LENGTH
from blitz.ui.feed import Connection, ConnectionState, SessionList
from blitz.ui.formats import format_count, format_moment
from blitz.ui.models.found_sessions import FoundSessions, Period
from blitz.ui.models.sessions import (
    COPY,
    NAME,
    NUMBER,
    OWNER,
    PROGRESS_ROLE,
    SORT_ROLE,
    STAR,
    STATE,
    TAGS,
    SessionsModel,
    own_words,
    session_title,
    state_words,
)
from blitz.ui.pages.hints import NO_MATCH, NO_MATCH_THEN, NO_SESSIONS, OFFLINE
from blitz.ui.pages.row_actions import RowActions
from blitz.ui.rights import Rights
from blitz.ui.theme import SPACE, number_font
from blitz.ui.widgets.choice import Choice
from blitz.ui.widgets.table import ProgressDelegate, Table

_SEARCH_WORDS = (
    "Looks into name, notes, tags, fields, owner, markers and date.\n"
    'Every word must be found, whatever its case and accents.\ntag:warm-up   sample:"brass 4"   owner:ada   starred'
)


ASK_AFTER_MS = 250
"""Words are looked for on the server when nothing more was typed for so long."""
STATE_WIDTH = 296
"""For “1 gap, about 5400 lost, account balances”."""


class SessionsPage(QWidget):
    """Asks by signals, each carrying a session's id; a :class:`SessionActions` does it."""

    view_requested = pyqtSignal(int)
    reference_requested = pyqtSignal(int)
    """It is to lie under the live plot."""
    play_requested = pyqtSignal(int)
    """It is to be played back on the live pages."""
    download_requested = pyqtSignal(int)
    compare_requested = pyqtSignal(object)
    """tuple[int, ...], those that are to be laid upon each other"""
    cancel_requested = pyqtSignal(int)
    export_requested = pyqtSignal(int)
    report_requested = pyqtSignal(int)
    pack_requested = pyqtSignal(int)
    """It is to be written into a file for another computer."""
    keep_requested = pyqtSignal(int)
    """It is to be kept on this computer, or no longer."""
    rename_requested = pyqtSignal(int)
    details_requested = pyqtSignal(int)
    """All that is written of it is to be shown."""
    star_requested = pyqtSignal(int)
    search_requested = pyqtSignal(str)
    """It is to be found out in which sessions these words are: the list does not have their markers."""
    trash_requested = pyqtSignal()
    """The trash is to be shown."""
    delete_requested = pyqtSignal(object)
    """tuple[int, ...], those that are to be deleted"""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rights = Rights()
        self._hint = OFFLINE
        self._synchronised_at: datetime | None = None
        self.sessions = SessionsModel(self)
        self.sessions.number_font = number_font(self.font())
        self.proxy = FoundSessions(self)
        self.proxy.setSourceModel(self.sessions)
        self.proxy.setSortRole(SORT_ROLE)
        self.table = Table(self.proxy, OFFLINE)
        self.table.setAccessibleName("Sessions")
        self.table.setSelectionMode(QAbstractItemView.ExtendedSelection)
        self.table.sortByColumn(NUMBER, Qt.DescendingOrder)
        self.table.setSortingEnabled(True)
        # Qt's arrow lies on right-aligned titles; the proxy writes one.
        self.table.horizontalHeader().setSortIndicatorShown(False)
        self.table.set_widths(36, 64, 220, 126, 140, 80, 100, 80, STATE_WIDTH, 156, 110, stretched=NAME)
        self.table.setItemDelegateForColumn(COPY, ProgressDelegate(PROGRESS_ROLE, self.table))
        self.table.setContextMenuPolicy(Qt.CustomContextMenu)
        self.table.customContextMenuRequested.connect(self._show_menu)
        self.table.activated.connect(self._activate)
        self.table.clicked.connect(self._click)
        self.table.selectionModel().selectionChanged.connect(self._show_actions)
        self.sessions.dataChanged.connect(self._show_actions)
        self.sessions.modelReset.connect(self._show_actions)
        self._asking = QTimer(self)
        self._asking.setSingleShot(True)
        self._asking.timeout.connect(lambda: self.search_requested.emit(self.search.text()))
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search names, tags, markers…")
        self.search.setToolTip(_SEARCH_WORDS)
        self.search.setMaxLength(SEARCH_LENGTH)
        self.search.setClearButtonEnabled(True)
        self.search.setMaximumWidth(320)
        self.search.textChanged.connect(self._search_for)
        self.period = Choice()
        self.period.setAccessibleName("Day")
        self.period.setToolTip("Show only the sessions that began then")
        for period in Period:
            self.period.addItem(period.label, period)
        self.period.currentIndexChanged.connect(self._choose_period)
        self.about = QLabel()
        self.about.setProperty("kind", "muted")
        self.about.setTextFormat(Qt.PlainText)
        self.about.setWordWrap(True)
        self.about.setTextInteractionFlags(Qt.TextSelectableByMouse)
        self.trash = QPushButton("Trash…")
        self.trash.setToolTip("Sessions that were deleted, and can be restored")
        self.trash.clicked.connect(lambda: self.trash_requested.emit())
        self.trash.hide()
        self._row_actions = RowActions(self.table, self._ask)
        self.actions_by_name = self._row_actions.by_name
        self._lay_out()
        self._show_tags(False)
        self._show_actions()

    @property
    def selected(self) -> SessionRecord | None:
        """The selected session; of several the one that was chosen first."""
        return next(iter(self.selected_records), None)

    @property
    def selected_records(self) -> list[SessionRecord]:
        """All sessions that are selected."""
        rows = self.table.selectionModel().selectedRows()
        return [self.sessions.record(self.proxy.mapToSource(row).row()) for row in rows]

    def select(self, session_id: int) -> None:
        """Select a session's row, and nothing else."""
        row = self.sessions.row_of(session_id)
        if row is not None:
            self.table.selectRow(self.proxy.mapFromSource(self.sessions.index(row, 0)).row())

    def show_sessions(self, sessions: SessionList) -> None:
        """Take over the server's list; the selection stays with its session."""
        selected = [record.id for record in self.selected_records]
        self._hint = NO_SESSIONS
        self._synchronised_at = sessions.synchronised_at
        self.sessions.show(sessions)
        self.search_again()
        self._show_hint()
        self._show_tags(any(record.tags for record in sessions.records))
        self.table.setColumnHidden(OWNER, len({record.owner for record in sessions.records}) < 2)
        if [record.id for record in self.selected_records] != selected:
            self._select_all_of(selected)
        if not selected and sessions.records:
            self.select(sessions.records[0].id)

    def show_rights(self, rights: Rights) -> None:
        """Take over what the operator may do."""
        self._rights = rights
        self._show_actions()

    def show_trash(self, records: tuple[SessionRecord, ...] | None) -> None:
        """Offer to look into the trash, where the server has one."""
        self.sessions.show_trash(records or ())
        self.trash.setVisible(records is not None)
        self.trash.setText(f"Trash ({len(records)})…" if records else "Trash…")
        self._row_actions.show_trash(records is not None)
        self._show_actions()

    def show_connection(self, state: ConnectionState) -> None:
        """The list of a server that was left is no longer true."""
        if state.connection is Connection.OFFLINE:
            self.trash.hide()
            self._hint = OFFLINE
            self.sessions.show(SessionList())
            self._show_hint()
        self._show_actions()

    def _show_tags(self, has_tags: bool) -> None:
        """Show the column where a session has any; what it takes, the state's words give."""
        self.table.setColumnHidden(TAGS, not has_tags)
        mode = QHeaderView.Stretch if has_tags else QHeaderView.Interactive
        self.table.horizontalHeader().setSectionResizeMode(STATE, mode)
        if not has_tags:
            self.table.setColumnWidth(STATE, STATE_WIDTH)

    def take_found(self, words: str, session_ids: frozenset[int]) -> None:
        """Show these sessions, too, if they are what is looked for now."""
        if words == self.search.text():
            self.proxy.take_found(session_ids)
            self._select_something()

    def search_again(self) -> None:
        """Ask soon for what is looked for: what is written of a session may have changed."""
        if self.search.text().strip():
            self._asking.start(ASK_AFTER_MS)

    def _search_for(self, text: str) -> None:
        self.proxy.search_for(text)
        self._asking.stop()
        self.search_again()
        self._select_something()
        self._show_hint()

    def _select_something(self) -> None:
        """Where the selected session is not shown any more, the first one is selected."""
        if self.selected is None and self.proxy.rowCount():
            self.table.selectRow(0)

    def _show_hint(self) -> None:
        """Say why the table is empty: there is nothing, or nothing of it was found."""
        nothing = NO_MATCH if self.proxy.period is Period.ANY else NO_MATCH_THEN
        self.table.set_hint(nothing if self.sessions.rowCount() else self._hint)

    def _ask(self, name: str) -> None:
        wanted = self.selected_records
        if name in ("delete", "compare"):
            getattr(self, f"{name}_requested").emit(tuple(record.id for record in wanted))
            return
        if len(wanted) > 1:
            wanted = [record for record in wanted if self._is_of_use(name, record)]
        for record in wanted:
            getattr(self, f"{name}_requested").emit(record.id)

    def _is_of_use(self, name: str, record: SessionRecord) -> bool:
        """Of several sessions, those that have a star keep it when others get one, and so on."""
        sessions = self.sessions
        if name == "star":
            return record.starred == (self.actions_by_name["star"].text() == "Un&star")
        if name == "keep":
            return sessions.is_chosen(record.id) == (self.actions_by_name["keep"].text() != "&Keep here")
        if name == "download":
            return not record.is_running and not sessions.is_local(record.id)
        return name != "cancel" or sessions.is_downloading(record.id)

    def _select_all_of(self, session_ids: list[int]) -> None:
        chosen = QItemSelection()
        for row in (self.sessions.row_of(session_id) for session_id in session_ids):
            place = QModelIndex() if row is None else self.proxy.mapFromSource(self.sessions.index(row, 0))
            if place.isValid():
                chosen.select(place, place)
        flags = QItemSelectionModel.ClearAndSelect | QItemSelectionModel.Rows
        self.table.selectionModel().select(chosen, flags)

    def _choose_period(self) -> None:
        self.proxy.show_period(self.period.currentData())
        self._select_something()
        self._show_hint()

    def _click(self, index: QModelIndex) -> None:
        if index.column() == STAR and self.actions_by_name["star"].isEnabled():
            self._ask("star")

    def _activate(self, index: QModelIndex) -> None:
        if index.column() == STAR:
            return  # a double click is two clicks
        if self.actions_by_name["view"].isEnabled():
            self._ask("view")

    def _show_menu(self, place: QPoint) -> None:
        if not self.selected_records:
            return
        menu = QMenu(self.table)
        menu.setToolTipsVisible(True)
        menu.addActions(self._row_actions.visible())
        menu.setAttribute(Qt.WA_DeleteOnClose)
        menu.popup(self.table.viewport().mapToGlobal(place))

    def _show_actions(self) -> None:
        self._show_about()
        self._row_actions.show(self.selected_records, self.sessions, self._rights)

    def _show_about(self) -> None:
        """Say of the selected session what its row has no room for."""
        selected = self.selected_records
        if len(selected) > 1:
            self.about.setText(_together(selected))
            return
        record = next(iter(selected), None)
        words = [session_title(record), state_words(record), record.stop_reason, record.notes] if record else []
        words += own_words(record) if record else []
        if record is not None and self.sessions.is_last(record.id):
            words.insert(1, self.sessions.copy_note(record))
        if record is not None and record.archived_count:
            words.append(f"{format_count(record.archived_count)} messages in the archive")
        if record is not None and self._synchronised_at is not None:
            words.append(f"synchronised {format_moment(self._synchronised_at)}")
        self.about.setText("  ·  ".join(part for part in words if part))

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(SPACE)
        for button in self._row_actions.buttons():
            row.addWidget(button)
        row.addStretch(1)
        row.addWidget(self.period)
        row.addWidget(self.search, 1)
        row.addWidget(self.trash)
        page = QVBoxLayout(self)
        page.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, SPACE)
        page.setSpacing(SPACE)
        page.addLayout(row)
        page.addWidget(self.table, 1)
        page.addWidget(self.about)


def _together(records: list[SessionRecord]) -> str:
    count = sum(record.message_count for record in records)
    return f"{len(records)} sessions selected  ·  {format_count(count)} messages"
