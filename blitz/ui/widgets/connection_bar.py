"""A thin bar while there is no connection: since when, when it is tried again, and what can be done meanwhile."""

import time
from collections.abc import Callable

from PyQt5.QtCore import QTimer
from PyQt5.QtWidgets import QWidget

from blitz.ui.feed import Connection, ConnectionState
from blitz.ui.formats import format_age
from blitz.ui.widgets.message_bar import MessageBar

TICK_MS = 500


class ConnectionBar(MessageBar):
    """Hidden while there is a connection, and where none is wanted.

    :param next_try_s: tells when it is tried again, by ``time.monotonic``; None: just now.
    :param retry: tries it at once.
    :param choose: lets the operator choose another server.
    """

    def __init__(
        self,
        next_try_s: Callable[[], float | None],
        retry: Callable[[], object],
        choose: Callable[[], object],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._next_try_s = next_try_s
        self._choices = (("&Retry now", retry), ("Servers…", choose))
        self._state = ConnectionState(Connection.OFFLINE)
        self._name = ""
        self._is_recording = False
        self._lost_s = 0.0
        self._reached = ""
        """The address of the server that was heard last."""
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self.refresh)

    @property
    def is_lost(self) -> bool:
        """Whether there was a connection to this server, and is none now."""
        return self._is_away(self._state) and self._state.address == self._reached

    @property
    def away_s(self) -> float:
        """For how long there has been no connection."""
        return time.monotonic() - self._lost_s

    def show_connection(self, state: ConnectionState, name: str, *, is_recording: bool) -> None:
        """Take over how the connection is doing.

        :param name: how the server is called.
        :param is_recording: whether a session ran when the server was heard last.
        """
        was_away, before = self._is_away(self._state), self._state
        self._state, self._name, self._is_recording = state, name, is_recording
        if state.connection is Connection.ONLINE:
            self._reached = state.address
        elif state.connection is Connection.OFFLINE:
            self._reached = ""
        if not self._is_away(state):
            self._timer.stop()
            self.clear()
            return
        if not was_away or before.address != state.address:
            self._lost_s = time.monotonic()
            self.say("warning", self.sentence(), self._choices)
            self._timer.start()
        self.refresh()

    def refresh(self) -> None:
        """Count on."""
        self.words.setText(self.sentence())

    def sentence(self) -> str:
        """Return what is to be said now."""
        at_s = self._next_try_s()
        left_s = 0.0 if at_s is None else at_s - time.monotonic()
        trying = f"Trying again in {left_s:.0f} s" if left_s >= 1 else "Trying again now"
        if self.is_lost:
            goes_on = "; recording there goes on." if self._is_recording else "."
            return f"No connection to {self._name} for {format_age(round(self.away_s))}. {trying}{goes_on}"
        return f"{self._name} does not answer. {trying}. {self._state.reason}"

    @staticmethod
    def _is_away(state: ConnectionState) -> bool:
        return state.connection is Connection.WAITING or (
            state.connection is Connection.CONNECTING and bool(state.reason)
        )
