"""The page of sessions: the list, and what can be done with one."""

from datetime import datetime
from typing import Any

from PyQt5.QtCore import QModelIndex, QPoint, QSortFilterProxyModel, Qt, QTimer, pyqtSignal
from PyQt5.QtWidgets import (
    QAction,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from blitz.data.records import Role, SessionRecord
from blitz.data.session_search import SEARCH_LENGTH, SessionSearch
from blitz.ui.feed import Connection, ConnectionState, SessionList
from blitz.ui.formats import format_count, format_moment
from blitz.ui.models.sessions import (
    COPY,
    NAME,
    NUMBER,
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
from blitz.ui.pages.hints import NO_MATCH, NO_SESSIONS, OFFLINE
from blitz.ui.rights import Rights
from blitz.ui.theme import SPACE, number_font
from blitz.ui.widgets.permitted import permit
from blitz.ui.widgets.table import ProgressDelegate, Table

_SEARCH_WORDS = (
    'Every word must be found, whatever its case and accents.\ntag:warm-up   sample:"brass 4"   owner:ada   starred'
)


ASK_AFTER_MS = 250
"""Words are looked for on the server when nothing more was typed for so long."""
STATE_WIDTH = 296
"""For “1 gap, about 5400 lost, account balances”."""


class SessionsPage(QWidget):
    """Asks by signals, each carrying a session's id; a :class:`SessionActions` does it."""

    view_requested = pyqtSignal(int)
    download_requested = pyqtSignal(int)
    cancel_requested = pyqtSignal(int)
    export_requested = pyqtSignal(int)
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
    delete_requested = pyqtSignal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rights = Rights()
        self._hint = OFFLINE
        self._synchronised_at: datetime | None = None
        self.sessions = SessionsModel(self)
        self.sessions.number_font = number_font(self.font())
        self.proxy = _SortedSessions(self)
        self.proxy.setSourceModel(self.sessions)
        self.proxy.setSortRole(SORT_ROLE)
        self.table = Table(self.proxy, OFFLINE)
        self.table.setAccessibleName("Sessions")
        self.table.sortByColumn(NUMBER, Qt.DescendingOrder)
        self.table.setSortingEnabled(True)
        # Qt's arrow lies on right-aligned titles; the proxy writes one.
        self.table.horizontalHeader().setSortIndicatorShown(False)
        self.table.set_widths(40, 64, 220, 120, 172, 84, 104, STATE_WIDTH, 168, 120, stretched=NAME)
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
        self.search.setPlaceholderText("Search name, notes, tags, fields, markers")
        self.search.setToolTip(_SEARCH_WORDS)
        self.search.setMaxLength(SEARCH_LENGTH)
        self.search.setClearButtonEnabled(True)
        self.search.setMaximumWidth(320)
        self.search.textChanged.connect(self._search_for)
        self.about = QLabel()
        self.about.setProperty("kind", "muted")
        self.about.setTextFormat(Qt.PlainText)
        self.about.setWordWrap(True)
        self.about.setTextInteractionFlags(Qt.TextSelectableByMouse)
        self.trash = QPushButton("Trash…")
        self.trash.setToolTip("Sessions that were deleted, and can be restored")
        self.trash.clicked.connect(lambda: self.trash_requested.emit())
        self.trash.hide()
        self.actions_by_name = self._make_actions()
        self._lay_out()
        self._show_tags(False)
        self._show_actions()

    @property
    def selected(self) -> SessionRecord | None:
        """The selected session."""
        rows = self.table.selectionModel().selectedRows()
        return self.sessions.record(self.proxy.mapToSource(rows[0]).row()) if rows else None

    def select(self, session_id: int) -> None:
        """Select a session's row."""
        for row in range(self.sessions.rowCount()):
            if self.sessions.record(row).id == session_id:
                self.table.selectRow(self.proxy.mapFromSource(self.sessions.index(row, 0)).row())

    def show_sessions(self, sessions: SessionList) -> None:
        """Take over the server's list; the selection stays with its session."""
        selected = self.selected
        self._hint = NO_SESSIONS
        self._synchronised_at = sessions.synchronised_at
        self.sessions.show(sessions)
        self.search_again()
        self._show_hint()
        self._show_tags(any(record.tags for record in sessions.records))
        if selected is not None:
            self.select(selected.id)
        elif sessions.records:
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
        words = "Move the session to the trash; asks first" if records is not None else "Delete the session; asks first"
        permit(self.actions_by_name["delete"], "")
        self.actions_by_name["delete"].setToolTip(f"{words} (Del)")
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

    def search_again(self) -> None:
        """Ask soon for what is looked for: what is written of a session may have changed."""
        if self.search.text().strip():
            self._asking.start(ASK_AFTER_MS)

    def _search_for(self, text: str) -> None:
        self.proxy.search_for(text)
        self._asking.stop()
        self.search_again()
        self._show_hint()

    def _show_hint(self) -> None:
        """Say why the table is empty: there is nothing, or nothing of it was found."""
        self.table.set_hint(NO_MATCH if self.sessions.rowCount() else self._hint)

    def _make_actions(self) -> dict[str, QAction]:
        plan = (
            ("view", "&View", "Return", "Plot the session; it is downloaded first if need be", self.view_requested),
            ("download", "&Download", "Ctrl+D", "Bring the session to this computer", self.download_requested),
            ("cancel", "&Cancel download", "", "Stop; what has come is kept for going on later", self.cancel_requested),
            ("keep", "&Keep here", "", "Bring the session now, and later what is new of it", self.keep_requested),
            ("export", "&Export…", "Ctrl+E", "Write the session to a file", self.export_requested),
            ("rename", "&Rename…", "F2", "Change name and notes", self.rename_requested),
            (
                "details",
                "De&tails…",
                "Ctrl+I",
                "What is written of it, and what it was before",
                self.details_requested,
            ),
            ("star", "&Star", "*", "Keep the session, whatever its age", self.star_requested),
            ("delete", "De&lete…", "Del", "Delete the session; asks first", self.delete_requested),
        )
        actions = {}
        for name, label, key, words, signal in plan:
            action = QAction(label, self.table)
            action.setToolTip(f"{words} ({key})" if key else words)
            if key and key != "Return":  # the table's own key, as `activated`
                action.setShortcut(key)
                action.setShortcutContext(Qt.WidgetShortcut)
            action.triggered.connect(lambda _=False, signal=signal: self._ask(signal))
            self.table.addAction(action)
            actions[name] = action
        return actions

    def _ask(self, signal: object) -> None:
        if self.selected is not None:
            signal.emit(self.selected.id)  # type: ignore[attr-defined]  # a bound signal

    def _click(self, index: QModelIndex) -> None:
        if index.column() == STAR and self.actions_by_name["star"].isEnabled():
            self._ask(self.star_requested)

    def _activate(self, index: QModelIndex) -> None:
        if index.column() == STAR:
            return  # a double click is two clicks
        if self.actions_by_name["view"].isEnabled():
            self._ask(self.view_requested)

    def _show_menu(self, place: QPoint) -> None:
        if self.selected is None:
            return
        menu = QMenu(self.table)
        menu.setToolTipsVisible(True)
        menu.addActions([action for action in self.actions_by_name.values() if action.isVisible()])
        menu.setAttribute(Qt.WA_DeleteOnClose)
        menu.popup(self.table.viewport().mapToGlobal(place))

    def _show_actions(self) -> None:
        record = self.selected
        self._show_about()
        is_loading = record is not None and self.sessions.is_downloading(record.id)
        is_local = record is not None and self.sessions.is_local(record.id)
        is_done = record is not None and not record.is_running
        self.actions_by_name["view"].setEnabled(is_done and not is_loading)
        self.actions_by_name["download"].setEnabled(is_done and not is_local)
        self.actions_by_name["download"].setVisible(not is_loading)
        self.actions_by_name["cancel"].setVisible(is_loading)
        is_chosen = record is not None and self.sessions.is_chosen(record.id)
        self.actions_by_name["keep"].setText("No longer &kept here" if is_chosen else "&Keep here")
        self.actions_by_name["keep"].setEnabled(is_done and record is not None and not self.sessions.is_gone(record.id))
        self.actions_by_name["export"].setEnabled(is_done and not is_loading)
        refusal = self._rights.refusal(Role.OPERATOR)
        is_there = record is not None and not self.sessions.is_gone(record.id)
        permit(self.actions_by_name["rename"], refusal, is_enabled=record is not None)
        self.actions_by_name["details"].setEnabled(record is not None)
        permit(self.actions_by_name["star"], refusal, is_enabled=is_there)
        self.actions_by_name["star"].setText("Un&star" if record is not None and record.starred else "&Star")
        # The copy here is everybody's own to delete.
        is_mine = is_local and record is not None and self.sessions.is_gone(record.id)
        permit(self.actions_by_name["delete"], "" if is_mine else refusal, is_enabled=is_done and not is_loading)

    def _show_about(self) -> None:
        """Say of the selected session what its row has no room for."""
        record = self.selected
        words = [session_title(record), state_words(record), record.stop_reason, record.notes] if record else []
        words += own_words(record) if record else []
        if record is not None and record.archived_count:
            words.append(f"{format_count(record.archived_count)} messages in the archive")
        if record is not None and self._synchronised_at is not None:
            words.append(f"synchronised {format_moment(self._synchronised_at)}")
        self.about.setText("  ·  ".join(part for part in words if part))

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setSpacing(SPACE)
        for name, action in self.actions_by_name.items():
            if name != "keep":  # rarely wanted: in the menu only
                row.addWidget(_button(action))
        row.addStretch(1)
        row.addWidget(self.search, 1)
        row.addWidget(self.trash)
        page = QVBoxLayout(self)
        page.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, SPACE)
        page.setSpacing(SPACE)
        page.addLayout(row)
        page.addWidget(self.table, 1)
        page.addWidget(self.about)


class _SortedSessions(QSortFilterProxyModel):
    _search = SessionSearch("")
    _found: frozenset[int] = frozenset()

    def search_for(self, text: str) -> None:
        """Show only the sessions that a search finds in what the list knows of them."""
        self._search, self._found = SessionSearch(text), frozenset()
        self.invalidateFilter()

    def take_found(self, session_ids: frozenset[int]) -> None:
        """Show those, too, that were found in what the list does not know, such as markers."""
        self._found = session_ids
        self.invalidateFilter()

    def filterAcceptsRow(self, row: int, parent: QModelIndex) -> bool:
        model = self.sourceModel()
        assert isinstance(model, SessionsModel)
        record = model.record(row)
        return record.id in self._found or self._search.matches(record)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.DisplayRole) -> Any:
        text = super().headerData(section, orientation, role)
        if role == Qt.DisplayRole and orientation == Qt.Horizontal and section == self.sortColumn():
            return f"{text} {'▴' if self.sortOrder() == Qt.AscendingOrder else '▾'}"
        return text


def _button(action: QAction) -> QPushButton:
    button = QPushButton(action.text())
    button.clicked.connect(action.trigger)

    def follow() -> None:
        button.setEnabled(action.isEnabled())
        button.setVisible(action.isVisible())
        button.setToolTip(action.toolTip())

    action.changed.connect(follow)
    follow()
    return button
