"""The head of the window: what the server is doing, and Start and Stop.

It shows what the server said last, never what was clicked: a click only greys the button until the server answers.
"""

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtGui import QFont, QResizeEvent
from PyQt5.QtWidgets import QFrame, QHBoxLayout, QLineEdit, QProgressBar, QPushButton, QVBoxLayout, QWidget

from blitz.data.records import Role, SessionRecord, StatusRecord
from blitz.ui.feed import Connection, ConnectionState
from blitz.ui.formats import MISSING, format_count, format_duration, format_rate
from blitz.ui.recording_words import head_words, losses_of
from blitz.ui.rights import Rights
from blitz.ui.theme import LIGHT, SPACE, Theme
from blitz.ui.timed_words import countdown_of, planned_words
from blitz.ui.widgets.checklist_view import ReadyButton
from blitz.ui.widgets.elided import ElidedLabel
from blitz.ui.widgets.figure import Figure
from blitz.ui.widgets.permitted import permit
from blitz.ui.widgets.recording_light import RecordingLight
from blitz.ui.widgets.states import set_state

_LOSSES_PX = 250
_LONG_LOSSES_PX = 370
"""For “1 gap, about 76 lost, 180 recovered”, where nothing is counted down beside it."""
_WIDE_PX = 1200


class Header(QFrame):
    """Light, state, session, what is left of it, elapsed time, messages, rate, losses; name, Start and Stop."""

    start_requested = pyqtSignal(str)
    """The name typed; empty for the default one."""
    words_requested = pyqtSignal()
    """Start with notes, tags and more."""
    stop_requested = pyqtSignal()
    cancel_requested = pyqtSignal(int)
    """The id of a planned start that is not wanted any more."""
    plan_requested = pyqtSignal()
    """Let what is planned for the running session be changed."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("header")
        self._theme = LIGHT
        self._connection = ConnectionState(Connection.OFFLINE)
        self._session: SessionRecord | None = None
        self._session_address = ""
        self._status: StatusRecord | None = None
        self._rights = Rights()
        self._held = ""
        self._is_waiting = False
        self._now_s = 0.0
        self.light = RecordingLight()
        self.state = ElidedLabel(least=280)
        self.detail = ElidedLabel(least=110)
        self.detail.setProperty("kind", "caption")
        self.left = Figure("Stops in", "00:00:00", self)
        self.elapsed = Figure("Elapsed", "0:00:00", self)
        self.messages = Figure("Messages", "0 000 000", self)
        self.rate = Figure("Rate", "10 000/s", self)
        self.losses = Figure("Losses", "nothing lost", self, is_number=False)
        self.progress = QProgressBar()
        self.cancel_planned = QPushButton("Cancel")
        self.change_plan = QPushButton("Change…")
        self.name = QLineEdit()
        self.start = QPushButton("Start")
        self.start_more = QPushButton("▾")
        self.stop = QPushButton("Stop")
        self.ready = ReadyButton()
        self._prepare()
        self._lay_out()
        self._show()

    @property
    def is_recording(self) -> bool:
        """Whether the server records, as far as is known."""
        return self._connection.connection is Connection.ONLINE and self._session is not None

    @property
    def session(self) -> SessionRecord | None:
        """The running session, as the server told last; the connection may have been lost since."""
        return self._session

    @property
    def theme(self) -> Theme:
        """The colours in force."""
        return self._theme

    def show_connection(self, state: ConnectionState) -> None:
        """Take over how the connection is doing."""
        self._connection = state
        if state.connection is not Connection.ONLINE:
            self._status = None
            self._is_waiting = False
        if state.connection is Connection.CONNECTING and state.address != self._session_address:
            self._session = None  # another server's
        self._show()

    def show_status(self, status: StatusRecord) -> None:
        """Take over what the server says."""
        self._status = status
        self._is_waiting = False
        if status.session is not None and status.session.name == self.name.text().strip():
            self.name.clear()  # it has its session; a name that was refused stays for another try
        self._session = status.session
        self._session_address = self._connection.address
        self._now_s = max(self._now_s, status.now.timestamp()) if status.session else status.now.timestamp()
        self.messages.show_text(format_count(status.session.message_count) if status.session else MISSING)
        self.rate.show_text(format_rate(status.rate_hz))
        losses = losses_of(status)
        # Where an account does not balance, that is among the words.
        self.losses.show_text(losses.words.removesuffix(", account balances"), "\n".join(losses.by_source))
        self.losses.show_state("bad" if losses.is_bad else "")
        self._show()

    def show_elapsed(self, now_s: float) -> None:
        """Show how long the session runs and what is left of it, by the server's clock."""
        self._now_s = now_s
        session = self._session
        self.elapsed.show_text(format_duration(now_s - session.started_at.timestamp()) if session else MISSING)
        self._show_words()
        self._show_left()

    def show_default_name(self, name: str) -> None:
        """Show the name that a session gets when none is typed."""
        self.name.setPlaceholderText(name)

    def show_rights(self, rights: Rights) -> None:
        """Take over what the operator may do."""
        self._rights = rights
        self._show()

    @property
    def refusal(self) -> str:
        """Why nothing can be started or stopped here; empty where it can."""
        return self._held or self._rights.refusal(Role.OPERATOR)

    def hold(self, refusal: str) -> None:
        """Grey Start and Stop, and say why; an empty text: as the rights have it."""
        self._held = refusal
        self._show()

    def stop_waiting(self) -> None:
        """The server refused or did not answer: Start and Stop can be pressed again."""
        self._is_waiting = False
        self._show()

    def wait(self) -> None:
        """Something was asked of the server: Start and Stop are grey until it answers."""
        self._is_waiting = True
        self._show()

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self._theme = theme
        self.ready.set_theme(theme)
        self._show()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Give the losses what room there is besides the session's name."""
        super().resizeEvent(event)
        self._fit_losses()

    def _fit_losses(self) -> None:
        least_px = _LOSSES_PX if self.left.isVisibleTo(self) else _LONG_LOSSES_PX
        self.losses.limit_width(max(least_px, self.width() - _WIDE_PX))

    def _start(self) -> None:
        if self.start.isEnabled():
            self.start_requested.emit(self.name.text().strip())

    def _stop(self) -> None:
        if self.stop.isEnabled():
            self.stop_requested.emit()

    def _cancel_planned(self) -> None:
        if self._status is not None and self._status.planned:
            self.cancel_requested.emit(self._status.planned[0].id)

    def _show(self) -> None:
        self._show_words()
        self._show_left()
        is_online = self._connection.connection is Connection.ONLINE and self._status is not None
        is_running = self._session is not None
        recording, idle = (self.elapsed, self.messages, self.losses), (self.name, self.start, self.start_more)
        shown = dict.fromkeys(recording, is_online and is_running) | dict.fromkeys(idle, not is_running)
        shown |= {self.rate: is_online, self.ready: is_online and not is_running}
        # What goes is hidden first: both together would not fit, and widen the window.
        for part in sorted(shown, key=lambda part: shown[part]):
            part.setVisible(shown[part])
        refusal = self.refusal
        can_act = is_online and not self._is_waiting
        for part in idle:
            permit(part, refusal, is_enabled=can_act and not is_running)
        permit(self.stop, refusal, is_enabled=can_act and is_running)
        permit(self.cancel_planned, refusal, is_enabled=is_online)
        permit(self.change_plan, refusal, is_enabled=is_online)
        if not refusal:
            self.stop.setToolTip(LOST_WORDS if is_running and not is_online else _STOP_TIP)

    def _show_words(self) -> None:
        words = head_words(self._connection, self._status, self._session, self._rights.name)
        planned = self._status.planned if self._status is not None else ()
        detail = words.detail
        if planned:
            more = f", and {len(planned) - 1} more" if len(planned) > 1 else ""
            first = planned_words(planned[0], self._now_s) + more
            detail = f"{detail} · {first}" if self._session is not None else first
        self.detail.set_tip("\n".join(planned_words(start, self._now_s) for start in planned))
        self.cancel_planned.setVisible(bool(planned))
        self.light.show_state(words.doing, self._theme)
        self.state.setText(words.state)
        self.detail.setText(detail)
        set_state(self.state, words.doing.value)

    def _show_left(self) -> None:
        session = self._session if self._status is not None else None
        countdown = countdown_of(session, self._now_s) if session is not None else None
        self.left.setVisible(countdown is not None)
        self.change_plan.setVisible(countdown is not None)
        self._fit_losses()
        self.progress.setValue(round(1000 * countdown.share) if countdown is not None else 0)
        set_state(self.progress, "" if countdown is not None else "empty")
        if countdown is not None:
            self.left.show_caption(countdown.caption)
            self.left.show_text(countdown.figure, "\n".join(countdown.sentences))

    def _prepare(self) -> None:
        self.name.setMaxLength(200)
        self.name.setClearButtonEnabled(True)
        self.name.setMinimumWidth(262)
        self.name.setMaximumWidth(320)
        self.name.setAccessibleName("Name of the next session")
        self.name.setToolTip("Name of the next session; leave it empty for the one shown")
        self.name.returnPressed.connect(self._start)
        self.start.setProperty("kind", "start")
        self.start.setProperty("joined", True)
        self.start.setToolTip("Begin a session on the server (F5)")
        self.start.clicked.connect(self._start)
        self.start_more.setProperty("kind", "start-more")
        self.start_more.setToolTip("Start with notes, tags, a time to stop and more (Ctrl+F5)")
        self.start_more.setAccessibleName("Start with…")
        self.start_more.clicked.connect(self.words_requested)
        self.stop.setProperty("kind", "stop")
        self.stop.setToolTip(_STOP_TIP)
        self.stop.clicked.connect(self._stop)
        self.cancel_planned.setProperty("kind", "inline")
        self.cancel_planned.setToolTip("Do not start the planned session")
        self.cancel_planned.clicked.connect(self._cancel_planned)
        self.change_plan.setProperty("kind", "inline")
        self.change_plan.setToolTip("Change when the session stops by itself")
        self.change_plan.clicked.connect(self.plan_requested)
        self.progress.setRange(0, 1000)
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(3)
        self.progress.setProperty("kind", "thin")
        self.progress.setAccessibleName("How much of the session is over")

    def _lay_out(self) -> None:
        font = QFont(self.font())
        font.setPointSizeF(font.pointSizeF() + 5)
        self.state.setFont(font)
        below = QHBoxLayout()
        below.setSpacing(SPACE)
        below.addWidget(self.detail)
        below.addWidget(self.cancel_planned)
        below.addStretch(1)
        words = QVBoxLayout()
        words.setSpacing(1)
        words.addWidget(self.state)
        words.addLayout(below)
        row = QHBoxLayout()
        row.setContentsMargins(2 * SPACE, SPACE + 2, 2 * SPACE, SPACE - 1)
        row.setSpacing(SPACE)
        row.addWidget(self.light)
        row.addSpacing(SPACE // 2)
        row.addLayout(words, 1)
        row.addWidget(self.left)
        row.addWidget(self.change_plan)
        for figure in (self.elapsed, self.messages, self.rate, self.losses):
            row.addWidget(figure)
            row.addSpacing(SPACE)
        row.addWidget(self.ready)
        row.addWidget(self.name)
        start = QHBoxLayout()
        start.setSpacing(0)
        start.addWidget(self.start)
        start.addWidget(self.start_more)
        row.addLayout(start)
        row.addWidget(self.stop)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(row)
        column.addWidget(self.progress)


_STOP_TIP = "End the session on the server (Shift+F5)"
LOST_WORDS = "There is no connection: the server goes on recording. Stop works again when it is back."
"""Why Stop is grey while the connection is lost."""
