"""The page of boards: how each is doing and why, its account, what can be sent to it and done with its port."""

from PyQt5.QtCore import QModelIndex, Qt, pyqtSignal
from PyQt5.QtGui import QShowEvent
from PyQt5.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QSplitter, QVBoxLayout, QWidget

from blitz.data.records import BoardRecord, LinkState, Role, StatusRecord, TimelineEntry
from blitz.ui.board_causes import Remedy, Severity
from blitz.ui.board_watch import RATES_KEPT
from blitz.ui.feed import CommandOutcome, Connection, ConnectionState
from blitz.ui.models.boards import FAULTS, PORT, RATES_ROLE, TREND, BoardsModel
from blitz.ui.pages.hints import NO_BOARDS, OFFLINE, away_words
from blitz.ui.rights import Rights
from blitz.ui.theme import SPACE, Appearance, Theme, number_font
from blitz.ui.widgets.account_view import AccountView
from blitz.ui.widgets.cause_bar import CauseBar
from blitz.ui.widgets.command_panel import CommandPanel
from blitz.ui.widgets.offer_bar import Offer, OfferBar, place_offers
from blitz.ui.widgets.permitted import permit
from blitz.ui.widgets.rate_delegate import RateDelegate
from blitz.ui.widgets.table import ROW_HEIGHT, EndDelegate, Table

_ROWS_OF_HINT, _FEWEST_ROWS = 6, 3
_RELEASE = "Lends the port, for flashing a sketch or another program; it is taken again by itself."


class BoardsPage(QWidget):
    """A table of boards; below it how the selected one is doing, its account, and what can be sent to it."""

    command_requested = pyqtSignal(str, object)
    """board and BoardCommand, as typed"""
    named_command_requested = pyqtSignal(str, object)
    """board and Command of its definition"""
    value_requested = pyqtSignal(str, object, float)
    """board, Command of its definition, and its value"""
    channels_requested = pyqtSignal(str)
    calibration_requested = pyqtSignal(str)
    definition_requested = pyqtSignal(str)
    bad_frames_requested = pyqtSignal(str)
    release_requested = pyqtSignal(str)
    retake_requested = pyqtSignal(str)
    attach_requested = pyqtSignal(str, str)
    """board and port"""
    rename_requested = pyqtSignal(str)
    deletion_requested = pyqtSignal(str)
    enabling_requested = pyqtSignal(str, bool)
    """board, and whether it is to be read again"""
    look_requested = pyqtSignal()
    """Devices are to be looked for, and silent ones asked again."""
    new_device_requested = pyqtSignal()
    streams_requested = pyqtSignal()

    def __init__(self, appearance: Appearance, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rights = Rights()
        self._status: StatusRecord | None = None
        self._seen_red: set[str] = set()
        self.boards = BoardsModel(self)
        self.boards.number_font = number_font(self.font())
        self.table = Table(self.boards, OFFLINE)
        self.table.setAccessibleName("Boards")
        self.table.setItemDelegateForColumn(PORT, EndDelegate(self.table))  # there it stands what tells them apart
        self.table.setItemDelegateForColumn(TREND, RateDelegate(RATES_ROLE, RATES_KEPT, self.table))
        self.table.setMinimumHeight((_FEWEST_ROWS + 1) * ROW_HEIGHT)
        self.table.set_widths(110, 150, 166, 128, 80, 100, 200, 112, 146, stretched=FAULTS)
        self.table.selectionModel().selectionChanged.connect(self._show_target)
        self.table.activated.connect(self._open_channels)
        self.boards.modelReset.connect(self._select_one)
        self.offers = OfferBar(self._choose_port)
        self.cause = CauseBar()
        self.cause.chosen.connect(self._mend)
        self.cause.port_chosen.connect(lambda port: self._ask(self.attach_requested, port))
        self.account = AccountView()
        self.account_title = QLabel()
        self.account_title.setProperty("kind", "title")
        self.port_words = QLabel()
        self.port_words.setProperty("kind", "muted")
        self.commands = CommandPanel()
        self.line, self.answers = self.commands.line, self.commands.answers
        self.commands.line_sent.connect(lambda command: self._ask(self.command_requested, command))
        self.commands.command_chosen.connect(lambda command: self._ask(self.named_command_requested, command))
        self.commands.value_chosen.connect(lambda command, value: self._ask(self.value_requested, command, value))
        self._make_buttons()
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

    def select(self, board: str) -> None:
        """Select a board by its name."""
        names = [known.name for known in self.boards.boards]
        if board in names:
            self.table.selectRow(names.index(board))

    def showEvent(self, event: QShowEvent) -> None:
        """Go to a board with which something went wrong since the page was last looked at."""
        super().showEvent(event)
        new = self._red() - self._seen_red
        if new and self.selected_board not in self._red():
            self.select(next(board.name for board in self.boards.boards if board.name in new))
        self._seen_red = self._red()

    def show_connection(self, state: ConnectionState) -> None:
        """Without a server there are no boards."""
        if state.connection is not Connection.ONLINE:
            self._status = None
            self.table.set_hint(away_words(state))
            self.commands.forget_wishes()
            self.boards.clear()
            self.offers.show_offers([])
            self._show_target()

    def show_status(self, status: StatusRecord) -> None:
        """Take over the server's list."""
        self._status = status
        self.table.set_hint(NO_BOARDS)
        selected = self.selected_board
        self.boards.show_status(status)
        if selected is not None and selected != self.selected_board:
            self.select(selected)
        if self.isVisible():
            self._seen_red = self._red()
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

    def take_outcome(self, outcome: CommandOutcome) -> None:
        """Show beside a value that was turned what became of it."""
        self.commands.take_outcome(outcome)

    def take_entry(self, session_id: int, entry: TimelineEntry) -> None:
        """Show what somebody else has sent, where a value is known by it."""
        self.commands.take_entry(entry)

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self.boards.set_theme(theme)

    def _red(self) -> set[str]:
        return {board.name for board in self.boards.boards if self.boards.cause(board).severity is Severity.ERROR}

    def _ask(self, signal: object, *about: object) -> None:
        board = self.selected_board
        if board is not None:
            signal.emit(board, *about)  # type: ignore[attr-defined]  # a bound signal

    def _open_channels(self, index: QModelIndex) -> None:
        if self.channels.isEnabled():
            self._ask(self.channels_requested)

    def _choose_port(self, offer: Offer, port: str) -> None:
        self.attach_requested.emit(offer.board, port)

    def _mend(self, remedy: Remedy) -> None:
        if remedy is Remedy.RETRY:
            self.look_requested.emit()
            return
        asks = {
            Remedy.RETAKE: self.retake_requested,
            Remedy.RELEASE: self.release_requested,
            Remedy.BAD_FRAMES: self.bad_frames_requested,
            Remedy.CHANNELS: self.channels_requested,
            Remedy.CALIBRATE: self.calibration_requested,
        }
        self._ask(asks[remedy])

    def _select_one(self) -> None:
        """Select the first board with which something is wrong, or else the first."""
        severities = [self.boards.cause(board).severity for board in self.boards.boards]
        if severities:
            self.table.selectRow(severities.index(Severity.ERROR) if Severity.ERROR in severities else 0)
        rows = max(len(severities), _FEWEST_ROWS) if severities else _ROWS_OF_HINT
        self.table.setMaximumHeight(self.table.horizontalHeader().height() + rows * ROW_HEIGHT + SPACE)
        self._show_target()

    def _show_target(self) -> None:
        board = self.selected
        self.commands.show_board(board)
        self.account.show_account(board.account if board else None)
        self.account_title.setText(f"Account of {board.name}" if board else "Account")
        refusal = self._rights.refusal(Role.OPERATOR)
        self.cause.show_cause(board, self.boards.cause(board) if board else None, refusal)
        is_lent = board is not None and board.state is LinkState.RELEASED
        for button in (self.channels, self.calibrate):
            permit(button, refusal, is_enabled=board is not None and board.definition is not None)
        bad = board.bad_frames if board else 0
        self.bad_frames.setText(f"&Bad frames ({bad})…" if bad else "&Bad frames…")
        self.bad_frames.setEnabled(board is not None)
        is_disabled = board is not None and board.state is LinkState.DISABLED
        for button in (self.definition, self.rename, self.delete, self.disable):
            permit(button, refusal, is_enabled=board is not None)
        permit(self.release, refusal, is_enabled=board is not None and not is_disabled)
        permit(self.enable, refusal)
        self.disable.setVisible(not is_disabled)
        self.enable.setVisible(is_disabled)
        permit(self.retake, refusal)
        for button in (self.look, self.add):
            permit(button, refusal, is_enabled=self._status is not None)
        self.streams.setEnabled(self._status is not None)
        self.release.setVisible(not is_lent)
        self.retake.setVisible(is_lent)
        self.port_words.setText("" if is_lent else _RELEASE)  # until when it is lent stands in the line above

    def _make_buttons(self) -> None:
        asking = self._asking_button
        self.channels = asking("Cha&nnels…", self.channels_requested, "Names, units and scales (Enter in the table)")
        self.definition = asking(
            "De&finition…", self.definition_requested, "Format, channels and commands, with what they make of messages"
        )
        self.calibrate = asking(
            "&Calibrate…", self.calibration_requested, "Compare a channel with known values, and correct it"
        )
        self.bad_frames = asking("&Bad frames…", self.bad_frames_requested, "The last frames that were no message")
        self.release = asking("&Release", self.release_requested, _RELEASE)
        self.retake = asking("Re&take", self.retake_requested, "Take the port again now")
        self.rename = asking("Rena&me…", self.rename_requested, "Give the selected source another name")
        self.disable = _button(
            "D&isable", "Close the selected source, and keep it: nobody reads it until it is enabled"
        )
        self.disable.clicked.connect(lambda: self._ask(self.enabling_requested, False))
        self.enable = _button("Enable", "Read the selected source again")
        self.enable.clicked.connect(lambda: self._ask(self.enabling_requested, True))
        self.delete = asking("&Delete…", self.deletion_requested, "Forget the selected source")
        self.add = _button("&Add a device…", "Let the server read another device")
        self.add.clicked.connect(self.new_device_requested)
        self.add.hide()  # until somebody serves it
        self.streams = _button("Str&eams…", "What scripts send to the server: show it beside the boards, record it")
        self.streams.clicked.connect(self.streams_requested)
        self.streams.hide()
        self.look = _button("&Look for devices", "Look for devices now, and ask silent ones again (up to 5 s)")
        self.look.clicked.connect(self.look_requested)

    def _asking_button(self, label: str, signal: object, words: str) -> QPushButton:
        button = _button(label, words)
        button.clicked.connect(lambda: self._ask(signal))
        return button

    def _lay_out(self) -> None:
        sources = QHBoxLayout()
        sources.setSpacing(SPACE)
        for button in (self.add, self.streams, self.look):
            sources.addWidget(button)
        sources.addStretch(1)
        for button in (self.rename, self.disable, self.enable, self.delete):
            sources.addWidget(button)
        below = QSplitter()
        below.setHandleWidth(3 * SPACE)
        below.addWidget(self._account_side())
        below.addWidget(self.commands)
        below.setStretchFactor(0, 1)
        below.setStretchFactor(1, 1)
        below.setSizes([600, 620])
        below.setChildrenCollapsible(False)
        page = QVBoxLayout(self)
        page.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, SPACE)
        page.setSpacing(SPACE)
        page.addWidget(self.offers)
        page.addLayout(sources)
        page.addWidget(self.table, 4)
        page.addWidget(self.cause)
        page.addSpacing(SPACE // 2)
        page.addWidget(below, 5)

    def _account_side(self) -> QWidget:
        scroll = QScrollArea()
        scroll.setWidget(self.account)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.NoFrame)
        scroll.setFocusPolicy(Qt.NoFocus)
        buttons = QHBoxLayout()
        buttons.setSpacing(SPACE)
        for button in (self.channels, self.calibrate, self.definition, self.bad_frames, self.release, self.retake):
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
