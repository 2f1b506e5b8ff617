"""Closing the window while a session runs: asks, and stops the session before where that is wanted."""

from collections.abc import Callable

from PyQt5.QtCore import QObject
from PyQt5.QtWidgets import QWidget

from blitz.data.records import StatusRecord
from blitz.ui.dialogs.closing import ClosingQuestion
from blitz.ui.feed import ConnectionState, Feed, RequestFailure
from blitz.ui.widgets.header import Header


class Closing(QObject):
    """Asked by the window whether it may close.

    :param owns: whether the server at an address was started by this program.
    """

    def __init__(self, feed: Feed, header: Header, owns: Callable[[str], bool], window: QWidget) -> None:
        super().__init__(window)
        self._feed = feed
        self._header = header
        self._owns = owns
        self.ends_with_window = ""
        """Address of a server that whoever opened this window ends with it, as `make run` does."""
        self._window = window
        self._address = ""
        self._question: ClosingQuestion | None = None
        self._is_decided = False
        self._stopping: int | None = None
        feed.connection_changed.connect(self._take_connection)
        feed.status_received.connect(self._take_status)
        feed.request_failed.connect(self._take_failure)

    def may_close(self) -> bool:
        """Return whether nothing is to be asked; else ask, and close the window if that is the answer."""
        session = self._header.session
        if session is None or self._is_decided:
            return True
        if self._question is None and self._stopping is None:
            question = ClosingQuestion(
                session,
                is_recording=self._header.is_recording,
                is_own_server=self._owns(self._address),
                ends_with_window=bool(self.ends_with_window) and self._address == self.ends_with_window,
                parent=self._window,
            )
            self._question = question
            question.finished.connect(lambda: self._take_answer(question, session.id))
            question.open()
        return False

    def _take_answer(self, question: ClosingQuestion, session_id: int) -> None:
        self._question = None
        clicked = question.clickedButton()
        question.deleteLater()
        if clicked is question.leave:
            self._close()
        elif question.stop is not None and clicked is question.stop:
            self._stopping = session_id
            self._header.wait()
            self._feed.stop_session(session_id)

    def _close(self) -> None:
        self._is_decided = True
        self._window.close()

    def _take_connection(self, state: ConnectionState) -> None:
        self._address = state.address

    def _take_status(self, status: StatusRecord) -> None:
        if self._stopping is not None and (status.session is None or status.session.id != self._stopping):
            self._close()

    def _take_failure(self, failure: RequestFailure) -> None:
        if failure.is_of_recording:
            self._stopping = None  # why it goes on stands in the notices
