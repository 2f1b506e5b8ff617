"""The head of the window: what the server is doing, and Start and Stop.

It shows what the server said last, never what was clicked: a click only greys the button until the server answers.
"""

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtGui import QFont
from PyQt5.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from blitz.data.records import Role, SessionRecord, StatusRecord
from blitz.ui.feed import Connection, ConnectionState
from blitz.ui.formats import MISSING, format_count, format_duration, format_rate, room_words
from blitz.ui.models.sessions import session_title
from blitz.ui.rights import Rights
from blitz.ui.theme import LIGHT, SPACE, Theme, number_font
from blitz.ui.widgets.permitted import permit
from blitz.ui.widgets.recording_light import RecordingLight


class Header(QFrame):
    """Light, state, session, elapsed time, messages, rate; name, Start and Stop."""

    start_requested = pyqtSignal(str)
    """The name typed; empty for the default one."""
    stop_requested = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("header")
        self._theme = LIGHT
        self._connection = ConnectionState(Connection.OFFLINE)
        self._session: SessionRecord | None = None
        self._session_address = ""
        self._has_status = False
        self._is_preview = False
        self._room = ""
        self._rights = Rights()
        self._is_waiting = False
        self.light = RecordingLight()
        self.state = QLabel()
        self.detail = QLabel()
        self.detail.setProperty("kind", "caption")
        self.elapsed = _Figure("Elapsed", "0:00:00", self)
        self.messages = _Figure("Messages", "0 000 000", self)
        self.rate = _Figure("Rate", "10 000/s", self)
        self.name = QLineEdit()
        self.name.setMaxLength(200)
        self.name.setClearButtonEnabled(True)
        self.name.setMinimumWidth(236)
        self.name.setMaximumWidth(320)
        self.name.setAccessibleName("Name of the next session")
        self.name.setToolTip("Name of the next session; leave it empty for the one shown")
        self.name.returnPressed.connect(self._start)
        self.start = QPushButton("Start")
        self.start.setProperty("kind", "start")
        self.start.setToolTip("Begin a session on the server (F5); with notes: Ctrl+F5")
        self.start.clicked.connect(self._start)
        self.stop = QPushButton("Stop")
        self.stop.setProperty("kind", "stop")
        self.stop.setToolTip("End the session on the server (Shift+F5)")
        self.stop.clicked.connect(self._stop)
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

    def show_connection(self, state: ConnectionState) -> None:
        """Take over how the connection is doing."""
        self._connection = state
        if state.connection is not Connection.ONLINE:
            self._has_status = False
        if state.connection is Connection.CONNECTING and state.address != self._session_address:
            self._session = None  # another server's
        self._show()

    def show_status(self, status: StatusRecord) -> None:
        """Take over what the server says."""
        self._has_status = True
        self._is_waiting = False
        if status.session is not None and status.session.name == self.name.text().strip():
            self.name.clear()  # it has its session; a name that was refused stays for another try
        self._session = status.session
        self._session_address = self._connection.address
        self._is_preview = status.preview
        self._room = room_words(status.room) if status.room is not None else ""
        self.messages.show_text(format_count(status.session.message_count) if status.session else MISSING)
        self.rate.show_text(format_rate(status.rate_hz))
        self._show()

    def show_elapsed(self, now_s: float) -> None:
        """Show how long the session runs, by the server's clock."""
        session = self._session
        self.elapsed.show_text(format_duration(now_s - session.started_at.timestamp()) if session else MISSING)

    def show_default_name(self, name: str) -> None:
        """Show the name that a session gets when none is typed."""
        self.name.setPlaceholderText(name)

    def show_rights(self, rights: Rights) -> None:
        """Take over what the operator may do."""
        self._rights = rights
        self._show()

    def stop_waiting(self) -> None:
        """The server refused or did not answer: Start and Stop can be pressed again."""
        self._is_waiting = False
        self._show()

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self._theme = theme
        self._show()

    def _start(self) -> None:
        if self.start.isEnabled():
            self._is_waiting = True
            self._show()
            self.start_requested.emit(self.name.text().strip())

    def _stop(self) -> None:
        if self.stop.isEnabled():
            self._is_waiting = True
            self._show()
            self.stop_requested.emit()

    def _show(self) -> None:
        kind, text, detail = self._words()
        colours = {"recording": self._theme.recording, "preview": self._theme.warning, "offline": self._theme.muted}
        self.light.show_state(colours[kind], kind == "recording")
        self.state.setText(text)
        self.detail.setText(detail)
        self.detail.setToolTip(detail)
        if self.state.property("state") != kind:
            self.state.setProperty("state", kind)
            self.state.style().unpolish(self.state)
            self.state.style().polish(self.state)
        is_online = self._connection.connection is Connection.ONLINE and self._has_status
        for figure in (self.elapsed, self.messages):
            figure.setVisible(is_online and self._session is not None)
        self.rate.setVisible(is_online)
        self.name.setVisible(self._session is None)
        refusal = self._rights.refusal(Role.OPERATOR)
        can_act = is_online and not self._is_waiting
        permit(self.name, refusal, is_enabled=can_act)
        permit(self.start, refusal, is_enabled=can_act and self._session is None)
        permit(self.stop, refusal, is_enabled=can_act and self._session is not None)

    def _words(self) -> tuple[str, str, str]:
        state = self._connection
        if state.connection is Connection.OFFLINE:
            return "offline", "Not connected", "Server ▸ Connect… (Ctrl+K)"
        if state.connection is not Connection.ONLINE or not self._has_status:
            words = "Reconnecting…" if state.connection is Connection.WAITING else "Connecting…"
            if self._session is not None:
                return "offline", words, f"last seen recording “{session_title(self._session)}”"
            return "offline", words, state.address
        if self._session is not None:
            by = f" · by {self._session.owner}" if self._session.owner else ""
            return "recording", "Recording", f"{session_title(self._session)}{by}"
        preview = "Preview: values are shown, not kept" if self._is_preview else "Preview is off"
        return "preview", "Not recording", " · ".join(part for part in (preview, self._room) if part)

    def _lay_out(self) -> None:
        font = QFont(self.font())
        font.setPointSizeF(font.pointSizeF() + 5)
        self.state.setFont(font)
        self.detail.setSizePolicy(QSizePolicy.Ignored, QSizePolicy.Preferred)
        self.detail.setMinimumWidth(120)
        words = QVBoxLayout()
        words.setSpacing(1)
        words.addWidget(self.state)
        words.addWidget(self.detail)
        row = QHBoxLayout(self)
        row.setContentsMargins(2 * SPACE, SPACE + 2, 2 * SPACE, SPACE + 2)
        row.setSpacing(SPACE)
        row.addWidget(self.light)
        row.addSpacing(SPACE // 2)
        row.addLayout(words, 1)
        for figure in (self.elapsed, self.messages, self.rate):
            row.addWidget(figure)
            row.addSpacing(SPACE)
        row.addWidget(self.name)
        row.addWidget(self.start)
        row.addWidget(self.stop)


class _Figure(QWidget):
    """A number with its name above it, as wide as its widest text."""

    def __init__(self, caption: str, widest: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._number = QLabel(MISSING)
        self._number.setFont(number_font(self.font(), self.font().pointSizeF() + 4))
        self._number.setMinimumWidth(self._number.fontMetrics().horizontalAdvance(widest))
        name = QLabel(caption)
        name.setProperty("kind", "caption")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(1)
        column.addWidget(name)
        column.addWidget(self._number)

    @property
    def text(self) -> str:
        """What is shown."""
        return self._number.text()

    def show_text(self, text: str) -> None:
        """Set what is shown."""
        self._number.setText(text)
