"""The page of numbers: values to be read from three metres, and whether they are recorded."""

import time
from collections.abc import Callable

from PyQt5.QtCore import Qt, QTimer, pyqtSignal
from PyQt5.QtGui import QFont, QKeyEvent
from PyQt5.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from blitz.data.records import StatusRecord
from blitz.ui.feed import Connection, ConnectionState
from blitz.ui.formats import format_duration
from blitz.ui.live_store import LiveChannel
from blitz.ui.models.channel_values import ChannelNow
from blitz.ui.models.variables import VariablesModel
from blitz.ui.pages.hints import NO_BOARDS, away_words
from blitz.ui.recording_words import Doing, head_words
from blitz.ui.theme import LIGHT, SPACE, Theme, number_font
from blitz.ui.widgets.number_grid import NumberGrid
from blitz.ui.widgets.number_tile import TileWords
from blitz.ui.widgets.recording_light import RecordingLight

REFRESH_MS = 200
MOST_TILES = 32
_STATES = {
    Doing.RECORDING: "RECORDING",
    Doing.SPOOLING: "RECORDING TO DISK",
    Doing.PREVIEW: "NOT RECORDED",
    Doing.STOPPED: "NOT RECORDED",
    Doing.OFFLINE: "NOT CONNECTED",
    Doing.CONNECTING: "CONNECTING",
}
_NOTHING_SHOWN = "The plot shows no channel.\n\nChoose the channels to show here: Channels… (Enter)"
_WAITING = "Boards are connected.\n\nTheir values appear here as soon as they send some."


class NumbersPage(QWidget):
    """Reads the model of variables; a timer draws, while the page is seen, and only what changed."""

    channels_wanted = pyqtSignal()
    """The operator wants to choose the channels."""
    full_screen_wanted = pyqtSignal()

    def __init__(self, variables: VariablesModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._variables = variables
        self._chosen: tuple[str, ...] | None = None
        self._connection = ConnectionState(Connection.OFFLINE)
        self._status: StatusRecord | None = None
        self._clock_offset_s = 0.0
        self._theme = LIGHT
        self._playback: Callable[[], float] | None = None
        self._played = ("", 0.0)
        self.light = RecordingLight()
        self.state = QLabel()
        self.session = QLabel()
        self.session.setProperty("kind", "muted")
        self.session.setSizePolicy(QSizePolicy.Ignored, QSizePolicy.Preferred)
        self.elapsed = QLabel()
        self.hint = QLabel()
        self.hint.setProperty("kind", "muted")
        self.hint.setAlignment(Qt.AlignCenter)
        self.hint.setWordWrap(True)
        self.grid = NumberGrid()
        self.grid.chosen.connect(self.channels_wanted)
        self.channels = QPushButton("&Channels…")
        self.channels.setToolTip("Choose which channels are shown here (Enter, or a double click)")
        self.channels.clicked.connect(self.channels_wanted)
        self.full_screen = QPushButton("&Full screen")
        self.full_screen.setToolTip("Only the numbers, on the whole screen (F11; Esc leaves it)")
        self.full_screen.clicked.connect(self.full_screen_wanted)
        self.setFocusPolicy(Qt.StrongFocus)
        self._lay_out()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.refresh)
        self._timer.start(REFRESH_MS)
        self._show_state()

    @property
    def chosen(self) -> tuple[str, ...] | None:
        """The labels of the channels chosen for this page; None: those that the plot shows."""
        return self._chosen

    def choose(self, labels: tuple[str, ...] | None) -> None:
        """Show these channels, whatever the plot shows; None shows those of the plot."""
        self._chosen = labels
        self.refresh()

    @property
    def shown(self) -> tuple[LiveChannel, ...]:
        """The channels that are shown: those chosen that there are, else those of the plot."""
        every = self._variables.channels
        chosen = tuple(channel for channel in every if self._chosen and channel.label in self._chosen)
        return (chosen or self._variables.shown_channels)[:MOST_TILES]

    def show_status(self, status: StatusRecord) -> None:
        """Take over what the server says."""
        self._status = status
        self._clock_offset_s = status.now.timestamp() - time.time()
        self._show_state()

    def show_connection(self, state: ConnectionState) -> None:
        """Take over how the connection is doing."""
        self._connection = state
        if state.connection is Connection.OFFLINE:
            self._status = None
        self._show_state()

    def show_playback(self, clock: Callable[[], float] | None, start_s: float | None, title: str) -> None:
        """Show that what is shown was recorded before.

        :param clock: gives the time that is played, in seconds since the Unix epoch; None: live again.
        :param start_s: when the session began.
        :param title: of the session.
        """
        self._playback, self._played = clock, (title, start_s or 0.0)
        self._show_state()
        self.refresh()

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self._theme = theme
        self.grid.set_theme(theme)
        self._show_state()
        self.refresh()

    def refresh(self) -> None:
        """Show the newest values."""
        if not self.isVisible():
            return
        now_s = time.time() + self._clock_offset_s if self._playback is None else self._playback()
        self._variables.refresh(now_s)
        shown = {channel.key for channel in self.shown}
        latest = [now for now in self._variables.latest if now.channel.key in shown]
        self.grid.show_words([self._words(now) for now in latest])
        self._show_hint(is_empty=not latest)
        self._show_elapsed(now_s)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter chooses the channels."""
        if event.key() in (Qt.Key_Return, Qt.Key_Enter):
            self.channels_wanted.emit()
        else:
            super().keyPressEvent(event)

    def _words(self, now: ChannelNow) -> TileWords:
        return TileWords(
            now.channel.label,
            now.channel.channel.unit,
            now.text,
            self._variables.colour(now.channel),
            now.limit,
            now.age if now.is_silent else "",
        )

    def _show_hint(self, *, is_empty: bool) -> None:
        self.grid.setVisible(not is_empty)
        self.hint.setVisible(is_empty)
        if is_empty:
            self.hint.setText(self._hint_words())

    def _hint_words(self) -> str:
        is_offline = self._connection.connection is Connection.OFFLINE
        if self._variables.channels and not is_offline:
            return _NOTHING_SHOWN
        if self._status is None or is_offline:
            return away_words(self._connection)
        return _WAITING if self._status.boards else NO_BOARDS

    def _show_elapsed(self, now_s: float) -> None:
        session = self._status.session if self._status else None
        is_online = self._connection.connection is Connection.ONLINE
        began_s = session.started_at.timestamp() if session is not None and is_online else None
        if self._playback is not None:
            began_s = self._played[1]
        words = format_duration(now_s - began_s) if began_s is not None else ""
        if words != self.elapsed.text():
            self.elapsed.setText(words)
        self.elapsed.setVisible(bool(words))

    def _show_state(self) -> None:
        status, session = self._status, self._status.session if self._status else None
        words = head_words(self._connection, status, session)
        is_old = words.doing is Doing.CONNECTING and bool(self._variables.channels)
        is_recording = words.doing in (Doing.RECORDING, Doing.SPOOLING)
        self.light.show_state(words.doing, self._theme)
        self.light.setVisible(self._playback is None)
        if self._playback is not None:
            is_recording = False
        self.state.setText("NO CONNECTION – OLD VALUES" if is_old else _STATES[words.doing])
        if self._playback is not None:
            self.state.setText("PLAYBACK – NOT LIVE")
        detail = words.detail if is_recording or words.doing is Doing.CONNECTING else ""
        detail = detail if self._playback is None else self._played[0]
        self.session.setText(detail)
        self.session.setToolTip(detail)
        is_offline = words.doing is Doing.OFFLINE and self._playback is None
        look = ("", "recording") if is_recording else ("", "offline") if is_offline else ("badge", "")
        if (self.state.property("kind"), self.state.property("state")) != look:
            for label in (self.state, self.elapsed):
                label.setProperty("kind", look[0])
                label.setProperty("state", look[1])
                label.style().unpolish(label)
                label.style().polish(label)

    def _lay_out(self) -> None:
        large = QFont(self.font())
        large.setPointSizeF(large.pointSizeF() + 8)
        self.state.setFont(large)
        self.session.setFont(large)
        self.elapsed.setFont(number_font(self.font(), large.pointSizeF()))
        row = QHBoxLayout()
        row.setSpacing(SPACE)
        row.addWidget(self.light)
        row.addWidget(self.state)
        row.addSpacing(SPACE)
        row.addWidget(self.elapsed)
        row.addSpacing(SPACE)
        row.addWidget(self.session, 1)
        row.addWidget(self.channels)
        row.addWidget(self.full_screen)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * SPACE, SPACE, 2 * SPACE, SPACE)
        column.setSpacing(SPACE)
        column.addLayout(row)
        column.addWidget(self.hint, 1)
        column.addWidget(self.grid, 1)
