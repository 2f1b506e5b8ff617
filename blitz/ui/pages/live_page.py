"""The page of live values: plot, variables, the last ten readings."""

import time
from dataclasses import replace

from PyQt5.QtCore import QModelIndex, Qt, QTimer, pyqtSignal
from PyQt5.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QPushButton,
    QSplitter,
    QVBoxLayout,
    QWidget,
)

from blitz.data.records import BoardRecord, LinkState, Role, StatusRecord
from blitz.ui.feed import Connection, ConnectionState
from blitz.ui.live_store import LiveStore
from blitz.ui.models.last_readings import LastReadingsModel
from blitz.ui.models.variables import CHANNEL, VariablesModel
from blitz.ui.pages.hints import NO_BOARDS, OFFLINE
from blitz.ui.plots.live_plot import LivePlot
from blitz.ui.plots.marker_menu import MarkerMenu
from blitz.ui.rights import Rights
from blitz.ui.theme import SPACE, Appearance, Theme, number_font
from blitz.ui.widgets.channel_delegate import ChannelDelegate
from blitz.ui.widgets.offer_bar import NAME_CHANNELS, Offer, OfferBar, channel_offers, place_offers
from blitz.ui.widgets.permitted import permit
from blitz.ui.widgets.table import DENSE_ROW_HEIGHT, Table
from blitz.ui.windows import PlotWindow

_WAITING = "Boards are connected.\nTheir values appear here as soon as they send some."
_HIDDEN = "No channel is chosen.\nClick a square in the table of variables."
MOST_FAULTS = 3
FRAME_MS = 40
TABLES_MS = 200


class LivePage(QWidget):
    """Reads a :class:`LiveStore`; a timer draws, at most 25 times a second and only what changed."""

    channels_requested = pyqtSignal(str)
    """A board whose channels are to be named."""
    boards_requested = pyqtSignal()
    """The page of boards is to be shown."""
    marker_requested = pyqtSignal(float)
    """A marker is to be written at that time, in seconds since the Unix epoch."""
    marker_chosen = pyqtSignal(object)
    """Marker that is to be changed."""

    def __init__(self, store: LiveStore, appearance: Appearance, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._seen_version = -1
        self._clock_offset_s = 0.0
        self._rights = Rights()
        self._is_preview = True
        self.variables = VariablesModel(store, lambda index: appearance.theme.channel_colour(index), self)
        self.last_readings = LastReadingsModel(store, self)
        self.plot = LivePlot(store, self.variables)
        self.variables_table = Table(self.variables, "Values appear here as soon as a board sends some.")
        self.variables_table.setAccessibleName("Variables")
        self.last_table = Table(self.last_readings, "The last ten readings of each channel appear here.")
        self.last_table.setAccessibleName("Last ten readings")
        self.offers = OfferBar(self._take_offer)
        self.marker = QPushButton("Marker…")
        self.marker.setToolTip("Write a note at this moment of the session (Ctrl+M); a right click writes one there")
        self.marker.clicked.connect(self.ask_for_marker)
        self.marker_menu = MarkerMenu(self.plot.plot)
        self.marker_menu.add_requested.connect(self._ask_for_marker_at)
        self.marker_menu.chosen.connect(self.marker_chosen)
        self.window_buttons: dict[PlotWindow, QPushButton] = {}
        self.splitter = self._lay_out()
        self._set_up_tables()
        self.variables_table.activated.connect(self._turn_channel)
        appearance.changed.connect(self.set_theme)
        self._frames = QTimer(self)
        self._frames.timeout.connect(self._draw)
        self._frames.start(FRAME_MS)
        self._tables = QTimer(self)
        self._tables.timeout.connect(self.refresh)
        self._tables.start(TABLES_MS)

    @property
    def server_now_s(self) -> float:
        """The server's clock, in seconds since the Unix epoch, as far as it is known."""
        return time.time() + self._clock_offset_s

    def show_rights(self, rights: Rights) -> None:
        """Take over what the operator may do: nothing is offered that would be refused."""
        self._rights = rights
        self._show_marker_button()

    def ask_for_marker(self) -> None:
        """Ask for a marker at the present, if a session is recorded."""
        if self.marker.isEnabled():
            self.marker_requested.emit(self.server_now_s)

    def set_server_clock(self, now_s: float) -> None:
        """Take over the server's clock: ages are counted by it."""
        self._clock_offset_s = now_s - time.time()

    def show_window(self, window: PlotWindow) -> None:
        """Choose how much the plot shows."""
        self.window_buttons[window].setChecked(True)
        self.plot.show_window(window)

    def show_words(self, state: ConnectionState, status: StatusRecord | None, is_preview: bool) -> None:
        """Say over the plot what an operator must know: whether it is recorded, how old it is, why it is empty."""
        has_values = self._store.newest_time() is not None
        badge = hint = ""
        if state.connection is Connection.OFFLINE:
            hint = OFFLINE
        elif has_values:
            if state.connection is not Connection.ONLINE:
                badge = "NO CONNECTION – OLD VALUES"
            elif is_preview:
                badge = "PREVIEW – NOT RECORDED"
            hint = "" if self.variables.shown_channels else _HIDDEN
        elif status is None:
            hint = f"Connecting to {state.address} …"
        else:
            hint = _waiting_words(status)
        can_answer = state.connection is Connection.ONLINE and not self._rights.refusal(Role.OPERATOR)
        boards = status.boards if status is not None and can_answer else ()
        self.offers.show_offers([*self._place_offers(boards), *channel_offers(boards)])
        self._is_preview = is_preview or state.connection is not Connection.ONLINE
        self._show_marker_button()
        self.plot.show_badge(badge)
        self.plot.show_hint(hint)

    def _show_marker_button(self) -> None:
        refusal = self._rights.refusal(Role.OPERATOR)
        permit(self.marker, refusal, is_enabled=not self._is_preview)
        self.marker_menu.refusal = refusal or ("Markers belong to a session: none is recorded." * self._is_preview)

    def _ask_for_marker_at(self, at_s: float) -> None:
        self.marker_requested.emit(at_s)

    def _place_offers(self, boards: tuple[BoardRecord, ...]) -> list[Offer]:
        return [replace(offer, choices=(("Say which one…", ""),)) for offer in place_offers(boards)]

    def _take_offer(self, offer: Offer, choice: str) -> None:
        if choice == NAME_CHANNELS:
            self.channels_requested.emit(offer.board)
        else:
            self.boards_requested.emit()

    def refresh(self) -> None:
        """Bring the tables up to date; ages go on even when nothing arrives."""
        if not self.isVisible():
            return
        self.variables.refresh(self.server_now_s)
        if self._store.version != self._seen_version:
            self._seen_version = self._store.version
            self.last_readings.refresh()

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self.plot.set_theme(theme)
        self.variables.recolour()

    def _turn_channel(self, index: QModelIndex) -> None:
        """Enter or a double click shows or hides a row's channel."""
        channel = index.siblingAtColumn(CHANNEL)
        is_shown = channel.data(Qt.CheckStateRole) == Qt.Checked
        self.variables.setData(channel, Qt.Unchecked if is_shown else Qt.Checked, Qt.CheckStateRole)

    def _draw(self) -> None:
        if self.isVisible():
            self.plot.draw()

    def _lay_out(self) -> QSplitter:
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE)
        column.addWidget(self.offers)
        column.addLayout(self._window_row())
        column.addWidget(self.plot, 1)
        tables = QSplitter(Qt.Vertical)
        tables.setHandleWidth(SPACE)
        tables.setMinimumWidth(440)
        tables.addWidget(self._titled("Variables", self.variables_table, self._channel_buttons()))
        tables.addWidget(self._titled("Last ten readings", self.last_table, []))
        tables.setStretchFactor(0, 1)
        tables.setStretchFactor(1, 1)
        tables.setChildrenCollapsible(False)
        splitter = QSplitter()
        splitter.setHandleWidth(2 * SPACE)
        splitter.addWidget(left)
        splitter.addWidget(tables)
        splitter.setStretchFactor(0, 1)
        splitter.setStretchFactor(1, 0)
        splitter.setSizes([560, 690])  # of 1280: all ten readings of a 12-bit channel fit beside the plot
        splitter.setChildrenCollapsible(False)
        page = QHBoxLayout(self)
        page.setContentsMargins(2 * SPACE, SPACE, 2 * SPACE, SPACE)
        page.addWidget(splitter)
        return splitter

    def _window_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(0)
        row.addWidget(_title("Plot"))
        row.addStretch(1)
        row.addWidget(self.marker)
        row.addSpacing(SPACE)
        group = QButtonGroup(self)
        for window in PlotWindow:
            button = QPushButton(window.label)
            button.setProperty("kind", "segment")
            button.setCheckable(True)
            button.setToolTip(_window_words(window))
            button.clicked.connect(lambda _=False, chosen=window: self.plot.show_window(chosen))
            group.addButton(button)
            row.addWidget(button)
            self.window_buttons[window] = button
        return row

    def _channel_buttons(self) -> list[QPushButton]:
        choices = (
            ("All", "Show every channel in the plot", lambda: self.variables.show_only(self.variables.labels)),
            ("None", "Show no channel in the plot", lambda: self.variables.show_only(set())),
            ("Usual", "Show the channels that the boards' definitions choose", lambda: self.variables.show_only(None)),
        )
        buttons = []
        for label, words, act in choices:
            button = QPushButton(label)
            button.setProperty("kind", "quiet")
            button.setToolTip(words)
            button.clicked.connect(lambda _=False, act=act: act())
            buttons.append(button)
        return buttons

    def _titled(self, title: str, table: Table, buttons: list[QPushButton]) -> QWidget:
        row = QHBoxLayout()
        row.addWidget(_title(title))
        row.addStretch(1)
        for button in buttons:
            row.addWidget(button)
        box = QWidget()
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE // 2)
        column.addLayout(row)
        column.addWidget(table)
        return box

    def _set_up_tables(self) -> None:
        numbers = number_font(self.font())
        self.variables.number_font = numbers
        self.last_readings.number_font = numbers
        self.variables_table.set_widths(200, 78, 64, 80, 72, stretched=CHANNEL)
        self.variables_table.setItemDelegateForColumn(CHANNEL, ChannelDelegate(self.variables_table))
        self.last_table.setProperty("kind", "dense")
        rows = self.last_table.verticalHeader()
        rows.show()
        rows.setDefaultAlignment(Qt.AlignLeft | Qt.AlignVCenter)
        rows.setMaximumWidth(220)
        rows.setDefaultSectionSize(DENSE_ROW_HEIGHT)
        self.last_table.horizontalHeader().setSectionResizeMode(QHeaderView.Fixed)
        self.last_readings.grew.connect(self._widen_columns)
        self._widen_columns(4)

    def _widen_columns(self, digits: int) -> None:
        digit = self.last_table.fontMetrics().horizontalAdvance("0")
        least = self.last_table.fontMetrics().horizontalAdvance("Last")
        self.last_table.horizontalHeader().setDefaultSectionSize(max(digit * digits, least) + 15)


def _title(text: str) -> QLabel:
    label = QLabel(text)
    label.setProperty("kind", "title")
    return label


def _waiting_words(status: StatusRecord) -> str:
    """Say why nothing comes: no boards, what is wrong with all of them, or that they have not sent anything yet."""
    if not status.boards:
        return NO_BOARDS
    away = [board for board in status.boards if board.state in (LinkState.AWAY, LinkState.SILENT) and board.error]
    if len(away) == len(status.boards):
        return "\n\n".join(f"{board.name}: {board.error}" for board in away[:MOST_FAULTS])
    return _WAITING


def _window_words(window: PlotWindow) -> str:
    if window.count is not None:
        return f"Show the last {window.count} readings of each channel"
    if window.seconds is not None:
        return f"Show the last {window.seconds:.0f} seconds"
    return "Show everything that came since this window connected"
