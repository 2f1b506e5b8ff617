"""All servers in one window: how each is, and the sessions of all of them in one list."""

import time
from collections.abc import Sequence

from PyQt5.QtCore import QSize, Qt, pyqtSignal
from PyQt5.QtGui import QFont, QGuiApplication
from PyQt5.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from blitz.ui.last_values import LastValue
from blitz.ui.models.all_servers import NAME, RECORDING, AllSessionsModel, ServerRow, ServersModel, SessionRow
from blitz.ui.models.last_values import CHANNEL, LastValuesModel
from blitz.ui.theme import SPACE
from blitz.ui.widgets.table import Table

_NO_SERVER = (
    "No server is known yet.\n\nThose that you connect to are listed here, those that announce themselves on the "
    "network, and those of “blitz profile add”."
)
_NO_SESSION = "No session."
_NO_VALUE = "Last values of the chosen server."


class AllServersDialog(QDialog):
    """Stays open beside the window."""

    server_chosen = pyqtSignal(object)
    """ServerRow whose values are to be shown, or None"""
    switch_requested = pyqtSignal(object)
    """ServerRow: the window shall be connected to it"""
    change_requested = pyqtSignal(object)
    """ServerRow of the window's own list"""
    remove_requested = pyqtSignal(object)
    """ServerRow of the window's own list"""
    open_requested = pyqtSignal(object)
    """SessionRow"""
    download_requested = pyqtSignal(object)
    """SessionRow"""

    def __init__(self, font: QFont, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("All servers")
        room = QGuiApplication.primaryScreen().availableSize() if parent is None else parent.size()
        self.resize(QSize(1440, 760).boundedTo(room - QSize(40, 120)))
        self._rows: tuple[ServerRow, ...] = ()
        self._session_key: tuple[str, int] | None = None
        self._server_key = ""
        self.servers = ServersModel(font, self)
        self.servers_table = Table(self.servers, _NO_SERVER)
        self.servers_table.setAccessibleName("Servers")
        self.servers_table.set_widths(120, 120, 150, 84, 80, 110, 90, 124, stretched=RECORDING)
        self.values = LastValuesModel(font, self)
        self.values_table = Table(self.values, _NO_VALUE)
        self.values_table.setAccessibleName("Last values")
        self.values_table.set_widths(72, 120, 104, 62, stretched=CHANNEL)
        self.sessions = AllSessionsModel(font, self)
        self.sessions_table = Table(self.sessions, _NO_SESSION)
        self.sessions_table.setAccessibleName("Sessions of all servers")
        self.sessions_table.set_widths(170, 56, 240, 170, 80, 110, 320, stretched=NAME)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Search: server, name, notes, tag, owner")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._show_sessions)
        self.switch = _button("S&witch to this server")
        self.switch.setToolTip("Connect the window to it (double click); nothing changes on either server")
        self.change = _button("&Change…")
        self.remove = _button("&Remove…")
        self.open_it = _button("&Open the session")
        self.open_it.setToolTip("Connect the window to its server, bring the session here, and plot it (double click)")
        self.download = _button("&Download")
        self.download.setToolTip("Bring the session into the cache of its server here, and stay where we are")
        self.told = QLabel()
        self.told.setTextFormat(Qt.PlainText)
        self.told.setWordWrap(True)
        self._listen()
        self._lay_out()
        self._show_actions()

    @property
    def selected_server(self) -> ServerRow | None:
        """The server that is chosen."""
        row = self.servers.row_of(self._server_key)
        return None if row is None else self.servers.rows[row]

    @property
    def selected_session(self) -> SessionRow | None:
        """The session that is chosen."""
        row = None if self._session_key is None else self.sessions.row_of(self._session_key)
        return None if row is None else self.sessions.rows[row]

    def show_servers(self, rows: Sequence[ServerRow]) -> None:
        """Take over how all servers are."""
        self._rows = tuple(rows)
        self.servers.show(self._rows)
        self.values.let_age(time.time())
        if not self._server_key and self._rows:
            current = next((number for number, row in enumerate(self._rows) if row.is_current), 0)
            self.servers_table.selectRow(current)
        self._show_sessions()

    def show_values(self, address: str, values: tuple[LastValue, ...], now_s: float) -> None:
        """Take over the last values of the server that is chosen.

        :param now_s: this computer's time, in seconds since the Unix epoch.
        """
        if address == self._server_key:
            self.values.show(values, now_s)

    def say(self, words: str) -> None:
        """Say in a line what is going on."""
        self.told.setText(words)

    def _show_sessions(self) -> None:
        self.sessions.show(self._rows, self.search.text())
        self._show_actions()

    def _choose_server(self) -> None:
        rows = self.servers_table.selectionModel().selectedRows()
        if rows and rows[0].row() < len(self.servers.rows):
            chosen = self.servers.rows[rows[0].row()]
            if chosen.address != self._server_key:
                self._server_key = chosen.address
                self.values.show((), time.time())
            self.server_chosen.emit(chosen)
        self._show_actions()

    def _choose_session(self) -> None:
        rows = self.sessions_table.selectionModel().selectedRows()
        if rows and rows[0].row() < len(self.sessions.rows):
            self._session_key = self.sessions.rows[rows[0].row()].key
        self._show_actions()

    def _select_server_again(self) -> None:
        row = self.servers.row_of(self._server_key)
        if row is not None:
            self.servers_table.selectRow(row)

    def _select_session_again(self) -> None:
        row = None if self._session_key is None else self.sessions.row_of(self._session_key)
        if row is not None:
            self.sessions_table.selectRow(row)

    def _show_actions(self) -> None:
        server, session = self.selected_server, self.selected_session
        self.switch.setEnabled(server is not None and not server.is_current)
        why_not = _why_not(server)
        self.change.setEnabled(not why_not)
        self.change.setToolTip(why_not or "Give it another name, address or token")
        if not why_not and server is not None and server.is_current:
            why_not = "The window is connected to it: switch to another one first"
        self.remove.setEnabled(not why_not)
        self.remove.setToolTip(why_not or "Take it out of this list, and its token; asks first")
        for button in (self.open_it, self.download):
            button.setEnabled(session is not None and session.row.status is not None)

    def _listen(self) -> None:
        # A selection goes with its row, as rows come and go.
        self.servers_table.selectionModel().selectionChanged.connect(self._choose_server)
        self.sessions_table.selectionModel().selectionChanged.connect(self._choose_session)
        self.servers.modelReset.connect(self._select_server_again)
        self.sessions.modelReset.connect(self._select_session_again)
        self.servers_table.activated.connect(lambda _: self._ask_to_switch())
        self.sessions_table.activated.connect(lambda _: self._ask_to_open())
        self.switch.clicked.connect(self._ask_to_switch)
        self.change.clicked.connect(lambda: self.change_requested.emit(self.selected_server))
        self.remove.clicked.connect(lambda: self.remove_requested.emit(self.selected_server))
        self.open_it.clicked.connect(self._ask_to_open)
        self.download.clicked.connect(self._ask_to_download)

    def _ask_to_switch(self) -> None:
        if self.selected_server is not None:
            self.switch_requested.emit(self.selected_server)

    def _ask_to_open(self) -> None:
        if self.selected_session is not None and self.open_it.isEnabled():
            self.open_requested.emit(self.selected_session)

    def _ask_to_download(self) -> None:
        if self.selected_session is not None:
            self.download_requested.emit(self.selected_session)

    def _lay_out(self) -> None:
        buttons = QDialogButtonBox(QDialogButtonBox.Close)
        buttons.rejected.connect(self.reject)
        buttons.button(QDialogButtonBox.Close).setAutoDefault(False)
        upper, lower = QWidget(), QWidget()
        first, second = QVBoxLayout(upper), QVBoxLayout(lower)
        for column in (first, second):
            column.setContentsMargins(0, 0, 0, 0)
            column.setSpacing(SPACE)
        beside = QSplitter(Qt.Horizontal)
        beside.addWidget(self.servers_table)
        beside.addWidget(self.values_table)
        beside.setChildrenCollapsible(False)
        beside.setSizes([850, 370])
        first.addWidget(beside, 1)
        first.addLayout(_row(self.switch, self.change, self.remove))
        self.search.setMinimumWidth(320)
        second.addLayout(_row(self.search))
        second.addWidget(self.sessions_table, 1)
        splitter = QSplitter(Qt.Vertical)
        splitter.addWidget(upper)
        splitter.addWidget(lower)
        splitter.setChildrenCollapsible(False)
        splitter.setSizes([300, 340])
        bottom = _row(self.open_it, self.download)
        bottom.insertWidget(2, self.told, 1)
        bottom.addWidget(buttons)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, 2 * SPACE)
        column.setSpacing(SPACE)
        column.addWidget(splitter, 1)
        column.addLayout(bottom)


def _why_not(server: ServerRow | None) -> str:
    """Say why a server cannot be changed here; nothing, where it can."""
    if server is None:
        return "Choose a server first"
    return "" if server.is_stored else f"It is not in the window's own list: {server.origin}"


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(SPACE)
    for widget in widgets:
        row.addWidget(widget)
    row.addStretch(1)
    return row


def _button(label: str) -> QPushButton:
    button = QPushButton(label)
    button.setAutoDefault(False)
    return button
