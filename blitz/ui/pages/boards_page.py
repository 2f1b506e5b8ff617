"""The page of boards: how each is doing, its account, what can be sent to it and done with its port."""

from PyQt5.QtCore import QModelIndex, Qt, pyqtSignal
from PyQt5.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QSplitter, QVBoxLayout, QWidget

from blitz.data.records import BoardRecord, LinkState, Role, StatusRecord
from blitz.ui.feed import Connection, ConnectionState
from blitz.ui.models.boards import ERROR, PORT, BoardsModel
from blitz.ui.pages.hints import NO_BOARDS, OFFLINE
from blitz.ui.rights import Rights
from blitz.ui.theme import SPACE, Appearance, Theme, number_font
from blitz.ui.widgets.account_view import AccountView
from blitz.ui.widgets.command_panel import CommandPanel
from blitz.ui.widgets.offer_bar import Offer, OfferBar, place_offers
from blitz.ui.widgets.permitted import permit
from blitz.ui.widgets.table import EndDelegate, Table

_RELEASE = "Lends the port, for flashing a sketch or another program; it is taken again by itself."


class BoardsPage(QWidget):
    """A table of boards; below it the account of the one that is selected, and what can be sent to it."""

    command_requested = pyqtSignal(str, object)
    """board and BoardCommand, as typed"""
    named_command_requested = pyqtSignal(str, object)
    """board and Command of its definition"""
    channels_requested = pyqtSignal(str)
    bad_frames_requested = pyqtSignal(str)
    release_requested = pyqtSignal(str)
    retake_requested = pyqtSignal(str)
    attach_requested = pyqtSignal(str, str)
    """board and port"""

    def __init__(self, appearance: Appearance, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rights = Rights()
        self.boards = BoardsModel(self)
        self.boards.number_font = number_font(self.font())
        self.table = Table(self.boards, OFFLINE)
        self.table.setAccessibleName("Boards")
        self.table.setItemDelegateForColumn(PORT, EndDelegate(self.table))  # there it stands what tells them apart
        self.table.set_widths(100, 170, 190, 100, 184, 76, 96, 100, 150, stretched=ERROR)
        self.table.selectionModel().selectionChanged.connect(self._show_target)
        self.table.activated.connect(self._open_channels)
        self.boards.modelReset.connect(self._select_one)
        self.offers = OfferBar(self._choose_port)
        self.account = AccountView()
        self.account_title = QLabel()
        self.account_title.setProperty("kind", "title")
        self.port_words = QLabel()
        self.port_words.setProperty("kind", "muted")
        self.commands = CommandPanel()
        self.line, self.answers = self.commands.line, self.commands.answers
        self.commands.line_sent.connect(lambda command: self._ask(self.command_requested, command))
        self.commands.command_chosen.connect(lambda command: self._ask(self.named_command_requested, command))
        self.channels = _button("Cha&nnels…", "Names, units and scales of what the board sends (Enter in the table)")
        self.channels.clicked.connect(lambda: self._ask(self.channels_requested))
        self.bad_frames = _button("&Bad frames…", "The last frames that were no message")
        self.bad_frames.clicked.connect(lambda: self._ask(self.bad_frames_requested))
        self.release = _button("&Release", _RELEASE)
        self.release.clicked.connect(lambda: self._ask(self.release_requested))
        self.retake = _button("Re&take", "Take the port again now")
        self.retake.clicked.connect(lambda: self._ask(self.retake_requested))
        self._lay_out()
        self._show_target()
        appearance.changed.connect(self.set_theme)

    @property
    def selected(self) -> BoardRecord | None:
        """The selected board."""
        rows = self.table.selectionModel().selectedRows()
        return self.boards.boards[rows[0].row()] if rows and rows[0].row() < len(self.boards.boards) else None

    @property
    def selected_board(self) -> str | None:
        """The name of the selected board."""
        board = self.selected
        return board.name if board else None

    def show_connection(self, state: ConnectionState) -> None:
        """Without a server there are no boards."""
        if state.connection is not Connection.ONLINE:
            self.table.set_hint(OFFLINE)
            self.boards.show(())
            self.offers.show_offers([])
            self._show_target()

    def show_status(self, status: StatusRecord) -> None:
        """Take over the server's list."""
        self.table.set_hint(NO_BOARDS)
        selected = self.selected_board
        self.boards.show(status.boards)
        names = [board.name for board in status.boards]
        if selected in names and selected != self.selected_board:
            self.table.selectRow(names.index(selected))
        can_say = not self._rights.refusal(Role.OPERATOR)
        self.offers.show_offers(place_offers(status.boards) if can_say else [])
        self._show_target()

    def show_rights(self, rights: Rights) -> None:
        """Take over what the operator may do."""
        self._rights = rights
        self.commands.show_rights(rights)
        self._show_target()

    def show_answer(self, board: str, sent: str, answer: str) -> None:
        """Add an answer, or the sentence that says why there is none."""
        self.commands.show_answer(board, sent, answer)

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self.boards.theme = theme

    def _ask(self, signal: object, *about: object) -> None:
        board = self.selected_board
        if board is not None:
            signal.emit(board, *about)  # type: ignore[attr-defined]  # a bound signal

    def _open_channels(self, index: QModelIndex) -> None:
        if self.channels.isEnabled():
            self._ask(self.channels_requested)

    def _choose_port(self, offer: Offer, port: str) -> None:
        self.attach_requested.emit(offer.board, port)

    def _select_one(self) -> None:
        if self.boards.boards:
            self.table.selectRow(0)
        self._show_target()

    def _show_target(self) -> None:
        board = self.selected
        self.commands.show_board(board)
        self.account.show_account(board.account if board else None)
        self.account_title.setText(f"Account of {board.name}" if board else "Account")
        is_lent = board is not None and board.state is LinkState.RELEASED
        refusal = self._rights.refusal(Role.OPERATOR)
        permit(self.channels, refusal, is_enabled=board is not None and board.definition is not None)
        bad = board.bad_frames if board else 0
        self.bad_frames.setText(f"&Bad frames ({bad})…" if bad else "&Bad frames…")
        self.bad_frames.setEnabled(board is not None)
        permit(self.release, refusal, is_enabled=board is not None)
        permit(self.retake, refusal)
        self.release.setVisible(not is_lent)
        self.retake.setVisible(is_lent)
        self.port_words.setText(_lent_words(board) if board is not None and is_lent else _RELEASE)

    def _lay_out(self) -> None:
        below = QSplitter()
        below.setHandleWidth(3 * SPACE)
        below.addWidget(self._account_side())
        below.addWidget(self.commands)
        below.setStretchFactor(0, 1)
        below.setStretchFactor(1, 1)
        below.setSizes([640, 580])
        below.setChildrenCollapsible(False)
        page = QVBoxLayout(self)
        page.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, SPACE)
        page.setSpacing(SPACE)
        page.addWidget(self.offers)
        page.addWidget(self.table, 4)
        page.addSpacing(SPACE)
        page.addWidget(below, 5)

    def _account_side(self) -> QWidget:
        scroll = QScrollArea()
        scroll.setWidget(self.account)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.NoFrame)
        scroll.setFocusPolicy(Qt.NoFocus)
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACE)
        for button in (self.channels, self.bad_frames, self.release, self.retake):
            buttons.addWidget(button)
        buttons.addStretch(1)
        self.port_words.setWordWrap(True)
        side = QWidget()
        column = QVBoxLayout(side)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE)
        column.addWidget(self.account_title)
        column.addWidget(scroll, 1)
        column.addLayout(buttons)
        column.addWidget(self.port_words)
        return side


def _button(label: str, words: str) -> QPushButton:
    button = QPushButton(label)
    button.setToolTip(words)
    return button


def _lent_words(board: BoardRecord) -> str:
    until = f" until {board.retake_at.astimezone().strftime('%H:%M:%S')}" if board.retake_at else ""
    return f"{board.link} is lent to other programs{until}, then taken again by itself."
