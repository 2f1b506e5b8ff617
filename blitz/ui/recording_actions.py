"""Starting and stopping sessions: asks the operator for a name and what the server demands, then the feed."""

from collections.abc import Callable, Iterable
from datetime import datetime

from PyQt5.QtCore import QObject
from PyQt5.QtWidgets import QWidget

from blitz.data.records import StatusRecord
from blitz.data.session_words import SessionWords
from blitz.ui.dialogs.session_words import SessionWordsDialog
from blitz.ui.feed import Feed
from blitz.ui.starting import Starting
from blitz.ui.widgets.header import Header


class RecordingActions(QObject):
    """Serves the header's buttons.

    :param names: gives those of the sessions that are known, after which the next one is named.
    """

    def __init__(self, feed: Feed, header: Header, names: Callable[[], Iterable[str]], window: QWidget) -> None:
        super().__init__(window)
        self._feed = feed
        self._header = header
        self._names = names
        self._window = window
        self._starting = Starting()
        header.start_requested.connect(self._start)
        header.stop_requested.connect(self._stop)

    def show_status(self, status: StatusRecord) -> None:
        """Follow what the server wants to know of a new session."""
        self._starting = self._starting.follow(status)

    def start(self, name: str = "", notes: str = "", fields: dict[str, str] | None = None) -> None:
        """Ask the server to record; without a name it gets the default one, which the server may make."""
        if not self._starting.makes_names:
            name = name or default_session_name()
        self._feed.start_session(name, notes, SessionWords(fields=fields) if fields else None)

    def ask(self) -> None:
        """Let the operator type name, notes and own fields, then start."""
        if not self._header.start.isEnabled():
            return
        self._ask_for_words(self._header.name.text())

    def default_name(self) -> str:
        """Return the name of a session that is given none."""
        if not self._starting.makes_names:
            return default_session_name()
        return self._starting.example(self._names())

    def _start(self, name: str) -> None:
        if self._starting.required_fields:
            self._header.stop_waiting()
            self._ask_for_words(name)
        else:
            self.start(name)

    def _ask_for_words(self, name: str) -> None:
        starting = self._starting
        dialog = SessionWordsDialog(
            "Start a session",
            "&Start",
            name=name,
            placeholder=self.default_name(),
            fields=starting.asked_fields,
            required=starting.required_fields,
            parent=self._window,
        )

        def start() -> None:
            starting.remember(dialog.fields)
            self.start(dialog.name, dialog.notes, dialog.fields)

        dialog.accepted.connect(start)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _stop(self) -> None:
        session = self._header.session
        self._feed.stop_session(session.id if session else None)


def default_session_name() -> str:
    """Return the name of a session that no one named: date and time."""
    return datetime.now().astimezone().strftime("Session %Y-%m-%d %H:%M")
