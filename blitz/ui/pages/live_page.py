"""The page of live values: the plot with its bar, and the side panel of tables."""

import time
from collections.abc import Callable
from dataclasses import replace

from PyQt5.QtCore import Qt, QTimer, pyqtSignal
from PyQt5.QtWidgets import QHBoxLayout, QSplitter, QVBoxLayout, QWidget

from blitz.data.records import BoardRecord, Gap, LinkState, Marker, Role, StatusRecord
from blitz.ui.feed import Connection, ConnectionState
from blitz.ui.live_store import LiveStore
from blitz.ui.live_view import Span
from blitz.ui.models.variables import VariablesModel
from blitz.ui.pages.hints import NO_BOARDS, away_words
from blitz.ui.plots.live_plot import LivePlot
from blitz.ui.plots.marker_marks import time_words
from blitz.ui.plots.marker_menu import MarkerMenu
from blitz.ui.plots.panels import PlotPanels
from blitz.ui.rights import Rights
from blitz.ui.theme import SPACE, Appearance, Theme
from blitz.ui.widgets.channel_side import ChannelSide
from blitz.ui.widgets.offer_bar import NAME_CHANNELS, Offer, OfferBar, channel_offers, place_offers
from blitz.ui.widgets.permitted import permit
from blitz.ui.widgets.plot_bar import PlotBar
from blitz.ui.widgets.reference_bar import ReferenceBar
from blitz.ui.widgets.trigger_panel import TriggerPanel
from blitz.ui.windows import PlotWindow

_WAITING = "Boards are connected.\nTheir values appear here as soon as they send some."
_HIDDEN = "No channel is chosen.\nClick a square in the table of variables."
_NO_SESSION = "Markers belong to a session: none is recorded."
_GONE = (LinkState.AWAY, LinkState.SILENT)
MOST_FAULTS = 3
FRAME_MS = 16
DRAWING_SHARE = 0.5
"""How much of the time is for drawing at most."""
TABLES_MS = 250
_SIZES = [828, 420]
"""Of plot and side panel, at a width of 1280."""
_HEIGHTS = [300, 300]
"""Of plot and triggers."""


class LivePage(QWidget):
    """Reads a :class:`LiveStore`; a timer draws, at most 60 times a second and only what changed."""

    channels_requested = pyqtSignal(str)
    """A board whose channels are to be named."""
    boards_requested = pyqtSignal()
    """The page of boards is to be shown."""
    marker_requested = pyqtSignal(float)
    """A marker is to be written with words at that time, in seconds since the Unix epoch."""
    mark_requested = pyqtSignal(float)
    """A marker is to be written at once at that time."""
    marker_chosen = pyqtSignal(object)
    """Marker that is to be changed."""
    window_chosen = pyqtSignal(object)
    """PlotWindow"""

    def __init__(self, store: LiveStore, appearance: Appearance, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._clock_offset_s = 0.0
        self._rights = Rights()
        self._is_preview = True
        self._playback: Callable[[], float] | None = None
        self._held = ""
        self.variables = VariablesModel(store, lambda index: appearance.theme.channel_colour(index), self)
        self.plot = LivePlot(store, self.variables)
        self.triggers = TriggerPanel(store, self.variables)
        self.side = ChannelSide(store, self.variables)
        self.bar = PlotBar(is_live=True)
        self.marker = self.bar.marker
        self.reference = ReferenceBar()
        self.offers = OfferBar(self._take_offer)
        self.marker_menu = MarkerMenu(self.plot.plot)
        self.marker_menu.add_requested.connect(self.marker_requested)
        self.marker_menu.chosen.connect(self.marker_chosen)
        self.splitter = self._lay_out()
        self._listen_to_bar()
        appearance.changed.connect(self.set_theme)
        self._frames = QTimer(self)
        self._frames.setTimerType(Qt.PreciseTimer)
        self._frames.setSingleShot(True)
        self._frames.timeout.connect(self._draw)
        self._frames.start(FRAME_MS)
        self._tables = QTimer(self)
        self._tables.timeout.connect(self.refresh)
        self._tables.start(TABLES_MS)

    @property
    def server_now_s(self) -> float:
        """The server's clock, in seconds since the Unix epoch, as far as it is known."""
        return time.time() + self._clock_offset_s

    @property
    def marked_s(self) -> float:
        """The time that a marker is written at: where the crosshair stands in a picture that stands still.

        Else that of the newest reading drawn, so that a marker is at what the operator saw.
        """
        at_s = self.plot.crosshair.at_s
        if at_s is not None and not self.plot.view.is_following:
            return at_s
        return self.server_now_s if self.plot.drawn_s is None else self.plot.drawn_s

    @property
    def drawing(self) -> PlotPanels:
        """What is drawn, without what stands around it."""
        return self.plot.plot

    @property
    def shown_times(self) -> Span:
        """Times of the left and right edge."""
        return self.plot.plot.time_range

    def refusal(self, role: Role) -> str:
        """Why somebody may not do what takes this role; empty where one may."""
        return self._rights.refusal(role)

    def show_playback(self, clock: Callable[[], float] | None, start_s: float | None, refusal: str) -> None:
        """Say that what is shown was recorded before; markers are off meanwhile.

        :param clock: gives the time that is played, in seconds since the Unix epoch; None: live again.
        :param start_s: when the session began.
        :param refusal: why nothing can be marked.
        """
        self._playback, self._held = clock, refusal
        self.plot.start_s = start_s
        if clock is not None:
            self.plot.show_badge("PLAYBACK – NOT LIVE")
            self.plot.show_hint("")
            self.plot.show_open_gaps(())
        self._show_marker_button()

    def show_rights(self, rights: Rights) -> None:
        """Take over what the operator may do: nothing is offered that would be refused."""
        self._rights = rights
        self._show_marker_button()

    def ask_for_marker(self) -> None:
        """Ask for a marker at what is drawn, if a session is recorded."""
        at_s = self.marked_s
        if self.marker.isEnabled():
            self.marker_requested.emit(at_s)

    def mark(self) -> None:
        """Write a marker at what is drawn, if a session is recorded."""
        at_s = self.marked_s
        if self.marker.isEnabled():
            self.mark_requested.emit(at_s)
        else:
            self.plot.strip.tell(self.marker_menu.refusal)

    def tell_marked(self, marker: Marker) -> None:
        """Say that a marker was written at once, and offer to say more."""
        when = time_words(marker).partition(".")[0]
        self.plot.strip.tell(f"{marker.text} at {when}", "Add words…", lambda: self.marker_chosen.emit(marker))

    def set_server_clock(self, now_s: float) -> None:
        """Take over the server's clock: ages are counted by it."""
        self._clock_offset_s = now_s - time.time()

    def show_window(self, window: PlotWindow) -> None:
        """Choose how much the plot shows."""
        self.bar.windows.show_window(window)
        self.plot.show_window(window)

    def set_stacked(self, is_stacked: bool) -> None:
        """Give each channel a panel of its own, or lay them over each other."""
        self.bar.stacked.setChecked(is_stacked)
        self.plot.set_stacked(is_stacked)

    def set_relative(self, is_relative: bool) -> None:
        """Count time from the session's start, or show the clock."""
        self.bar.relative.setChecked(is_relative)
        self.plot.set_relative(is_relative)

    def set_triggered(self, is_shown: bool) -> None:
        """Show what passes a level, laid over each other."""
        self.bar.analysis.setChecked(is_shown)
        self.triggers.setVisible(is_shown)

    def reset_zoom(self) -> None:
        """Show the window that was chosen last again, and all values."""
        self.plot.reset_zoom()

    def set_box(self, is_box: bool) -> None:
        """Let dragging draw a box to zoom into, or move the times."""
        self.bar.box.setChecked(is_box)
        self.plot.plot.drags_box = is_box

    def show_words(self, state: ConnectionState, status: StatusRecord | None, is_preview: bool) -> None:
        """Say over the plot what an operator must know: whether it is recorded, how old it is, why it is empty."""
        if self._playback is not None:
            self.plot.show_hint(_HIDDEN if self.plot.is_bare else "")
            return
        has_values = self._store.newest_time() is not None
        badge = hint = ""
        if has_values and state.connection is not Connection.OFFLINE:
            if state.connection is not Connection.ONLINE:
                badge = "NO CONNECTION – OLD VALUES"
            elif is_preview:
                badge = "PREVIEW – NOT RECORDED"
            hint = _HIDDEN if self.plot.is_bare else ""
        elif status is None or state.connection is not Connection.ONLINE:
            hint = away_words(state)
        else:
            hint = _waiting_words(status)
        can_answer = state.connection is Connection.ONLINE and not self._rights.refusal(Role.OPERATOR)
        boards = status.boards if status is not None and can_answer else ()
        self.offers.show_offers([*self._place_offers(boards), *channel_offers(boards)])
        self._is_preview = is_preview or state.connection is not Connection.ONLINE
        session = status.session if status is not None else None
        self.plot.start_s = session.started_at.timestamp() if session is not None and not is_preview else None
        self._show_marker_button()
        gaps = self._open_gaps(status) if status is not None and session is not None and not is_preview else ()
        self.plot.show_open_gaps(gaps)
        self.plot.show_badge(badge)
        self.plot.show_hint(hint)

    def refresh(self) -> None:
        """Bring the tables up to date; ages go on even when nothing arrives."""
        if self.isVisible():
            self.side.refresh(self.server_now_s if self._playback is None else self._playback())

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self.plot.set_theme(theme)
        self.triggers.set_theme(theme)
        self.bar.set_theme(theme)
        self.side.set_theme(theme)

    def _open_gaps(self, status: StatusRecord) -> list[Gap]:
        """What is missing by now of boards that are away or silent: from their last reading to this moment."""
        gaps = []
        reasons = {board.name: board.error or "" for board in status.boards if board.state in _GONE}
        for source in self._store.sources:
            last = self._store.last(source.index, 1).times
            if source.name in reasons and len(last) and last[0] < self.server_now_s:
                from_ns, to_ns = round(last[0] * 1e9), round(self.server_now_s * 1e9)
                reason = f"and going on: {reasons[source.name]}"
                gaps.append(Gap(source=source.index, seq=0, from_ns=from_ns, to_ns=to_ns, reason=reason))
        return gaps

    def _show_marker_button(self) -> None:
        refusal = self._rights.refusal(Role.OPERATOR)
        refusal = self._held or refusal or (_NO_SESSION if self._is_preview else "")
        permit(self.marker, refusal)
        self.marker_menu.refusal = refusal

    def _place_offers(self, boards: tuple[BoardRecord, ...]) -> list[Offer]:
        return [replace(offer, choices=(("Say which one…", ""),)) for offer in place_offers(boards)]

    def _take_offer(self, offer: Offer, choice: str) -> None:
        if choice == NAME_CHANNELS:
            self.channels_requested.emit(offer.board)
        else:
            self.boards_requested.emit()

    def _draw(self) -> None:
        begun_s = time.perf_counter()
        has_drawn = self.isVisible() and self.plot.draw()
        if not self.plot.view.is_paused:
            self.triggers.refresh()
        drawing_s = time.perf_counter() - begun_s
        # A slow machine draws less often: most of the time is for the operator's clicks and what else there is to do.
        whole_s = (drawing_s + self.plot.plot.painting_s) / DRAWING_SHARE if has_drawn else 0.0
        self._frames.start(max(round(1000 * (whole_s - drawing_s)), FRAME_MS))

    def _listen_to_bar(self) -> None:
        bar, plot = self.bar, self.plot
        bar.windows.chosen.connect(self.plot.show_window)
        bar.windows.chosen.connect(self.window_chosen)
        plot.strip.follow.clicked.connect(plot.follow)
        bar.pause_clicked.connect(plot.turn_pause)
        bar.stacked_chosen.connect(plot.set_stacked)
        bar.relative_chosen.connect(plot.set_relative)
        bar.box_chosen.connect(self.set_box)
        bar.analysis_chosen.connect(self.set_triggered)
        bar.reset_clicked.connect(plot.reset_zoom)
        bar.marker_clicked.connect(self.mark)
        bar.marker_asked.connect(self.ask_for_marker)
        plot.view_changed.connect(self._show_view)
        self._show_view()

    def _show_view(self) -> None:
        view = self.plot.view
        self.bar.show_paused(is_paused=view.is_paused)
        self.plot.strip.follow.setVisible(not view.is_following)
        self.bar.windows.show_window(view.window)
        self.bar.reset.setEnabled(view.held is not None or self.plot.plot.values_zoomed)

    def _lay_out(self) -> QSplitter:
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE // 2)
        column.addWidget(self.offers)
        column.addWidget(self.bar)
        column.addWidget(self.reference)
        stack = QSplitter(Qt.Vertical)
        stack.setHandleWidth(SPACE)
        stack.addWidget(self.plot)
        stack.addWidget(self.triggers)
        stack.setSizes(_HEIGHTS)
        stack.setChildrenCollapsible(False)
        self.triggers.hide()
        column.addWidget(stack, 1)
        splitter = QSplitter()
        splitter.setHandleWidth(2 * SPACE)
        splitter.addWidget(left)
        splitter.addWidget(self.side)
        splitter.setStretchFactor(0, 5)
        splitter.setStretchFactor(1, 3)
        splitter.setSizes(_SIZES)
        splitter.setChildrenCollapsible(False)
        page = QHBoxLayout(self)
        page.setContentsMargins(2 * SPACE, SPACE, 2 * SPACE, SPACE)
        page.addWidget(splitter)
        self.setFocusProxy(self.plot)
        return splitter


def _waiting_words(status: StatusRecord) -> str:
    """Say why nothing comes: no boards, what is wrong with all of them, or that they have not sent anything yet."""
    if not status.boards:
        return NO_BOARDS
    away = [board for board in status.boards if board.state in (LinkState.AWAY, LinkState.SILENT) and board.error]
    if len(away) == len(status.boards):
        return "\n\n".join(f"{board.name}: {board.error}" for board in away[:MOST_FAULTS])
    return _WAITING
