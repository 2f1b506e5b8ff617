"""Starting and stopping sessions: asks the operator where something has to be known or decided, then the feed."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from PyQt5.QtCore import QObject, pyqtSignal
from PyQt5.QtWidgets import QDialog, QMessageBox, QWidget

from blitz.data.access_records import WhoRecord
from blitz.data.records import Notice, RunWishes, SessionRecord, StatusRecord
from blitz.data.session_words import SessionWords
from blitz.io.calls import default_owner
from blitz.ui.checklist import CLOCK_STEP_S, Checklist, ClockComparison, check_server
from blitz.ui.dialogs.plan_change import PlanChangeDialog
from blitz.ui.dialogs.red_checks import RedChecksDialog
from blitz.ui.dialogs.start import StartDialog, StartWish
from blitz.ui.dialogs.stop_question import StopQuestion
from blitz.ui.feed import Connection, ConnectionState, Feed, RequestFailure
from blitz.ui.starting import Starting
from blitz.ui.theme import Theme
from blitz.ui.widgets.header import LOST_WORDS, Header

_CLOCK_SET = "The computer's clock was set"
"""How the server's notice of it begins."""


class RecordingActions(QObject):
    """Serves the header's buttons, and keeps the checklist.

    :param records: gives the sessions that are known, newest first.
    """

    boards_requested = pyqtSignal()
    """Somebody wants to see the boards."""

    def __init__(
        self, feed: Feed, header: Header, records: Callable[[], Sequence[SessionRecord]], window: QWidget
    ) -> None:
        super().__init__(window)
        self._feed = feed
        self._header = header
        self._records = records
        self._window = window
        self._starting = Starting()
        self._own_name = default_owner()
        self._status: StatusRecord | None = None
        self._status_at_s = 0.0
        self._expected: frozenset[str] | None = None
        self._clocks = ClockComparison()
        self._clock_set: Notice | None = None
        self.checklist = Checklist()
        self._dialog: QDialog | None = None
        self._asked: StartWish | None = None
        self._refused: StartWish | None = None
        header.start_requested.connect(self._start)
        header.words_requested.connect(self.ask)
        header.stop_requested.connect(self._stop)
        header.cancel_requested.connect(feed.cancel_planned)
        header.plan_requested.connect(self.change_plan)
        header.ready.boards_requested.connect(self.boards_requested)
        feed.connection_changed.connect(self._take_connection)
        feed.identity_received.connect(self._take_identity)
        feed.expected_told.connect(self._take_expected)
        feed.notice_received.connect(self._take_notice)
        feed.request_failed.connect(self._take_failure)

    @property
    def now(self) -> datetime:
        """The server's time."""
        if self._status is None:
            return datetime.now(UTC)
        at_s = self._status.now.timestamp() + time.monotonic() - self._status_at_s
        return datetime.fromtimestamp(at_s, UTC)

    def show_status(self, status: StatusRecord) -> None:
        """Follow what the server wants to know of a new session, and whether all is ready for one."""
        self._starting = self._starting.follow(status)
        self._status, self._status_at_s = status, time.monotonic()
        behind_s = self._clocks.add(status.now.timestamp(), time.time())
        notice = self._clock_set
        is_fresh = notice is not None and (status.now - notice.time).total_seconds() < CLOCK_STEP_S
        self.checklist = check_server(
            status, self._expected, behind_s, notice.text if notice is not None and is_fresh else ""
        )
        self._header.ready.show_checklist(self.checklist)
        dialog = self._dialog
        if isinstance(dialog, StartDialog | RedChecksDialog):
            dialog.show_checklist(self.checklist)
        running = status.session.id if status.session is not None else None
        if running is not None or status.planned:
            self._asked = None
        if isinstance(dialog, StopQuestion | PlanChangeDialog) and dialog.session_id != running:
            dialog.reject()  # it has ended meanwhile

    def set_theme(self, theme: Theme) -> None:
        """Let the marks of a checklist that is open take over colours."""
        if isinstance(self._dialog, StartDialog | RedChecksDialog):
            self._dialog.checks.set_theme(theme)

    def start(self, name: str = "", notes: str = "", fields: dict[str, str] | None = None) -> None:
        """Ask the server to record; without a name it gets the default one, which the server may make."""
        self._carry_out(StartWish(name, notes, SessionWords(fields=fields or {}), RunWishes()))

    def ask(self) -> None:
        """Let the operator type words and wishes, then start."""
        if self._header.start.isEnabled():
            self._ask_for_words(self._header.name.text())

    def stop(self) -> None:
        """Stop the session, as the button does; say what holds where that cannot be."""
        if self._header.stop.isEnabled():
            self._header.stop.click()
        elif self._header.session is not None and self._status is None and self._dialog is None:
            self._open(QMessageBox(QMessageBox.Information, "Stop", LOST_WORDS, parent=self._window), lambda: None)

    def change_plan(self) -> None:
        """Let the operator say when the running session stops."""
        session = self._status.session if self._status is not None else None
        if session is None or self._dialog is not None:
            return
        dialog = PlanChangeDialog(session, lambda: self.now, self._window)

        def change() -> None:
            if dialog.changes:
                self._feed.change_plan(dialog.session_id, dialog.changes)

        self._open(dialog, change)

    def default_name(self) -> str:
        """Return the name of a session that is given none."""
        return self._starting.default_name(self._names())

    def _start(self, name: str) -> None:
        if self._starting.required_fields:
            self._ask_for_words(name)
        elif self.checklist.red:
            self._ask_about_red(name)
        else:
            self.start(name)

    def _ask_about_red(self, name: str) -> None:
        if self._dialog is not None:
            return
        dialog = RedChecksDialog(self.checklist, self._header.theme, self._window)
        dialog.boards_requested.connect(self.boards_requested)
        self._open(dialog, lambda: self.start(name))

    def _ask_for_words(self, name: str) -> None:
        if self._dialog is not None:
            return
        starting, records = self._starting, self._records()
        starting.recall(records, self._own_name)
        last = next((record for record in records if record.id > 0), None)  # others were imported
        dialog = StartDialog(
            name=name,
            placeholder=self.default_name(),
            fields=starting.asked_fields,
            required=starting.required_fields,
            last=starting.same_as(last, self._names()) if last is not None else None,
            known_tags=(tag for record in records for tag in record.tags),
            now=lambda: self.now,
            theme=self._header.theme,
            parent=self._window,
        )
        dialog.show_checklist(self.checklist)
        if self._refused is not None:
            dialog.fill(self._refused)

        def start() -> None:
            wish = dialog.wish
            starting.remember(wish.words.fields)
            self._asked, self._refused = wish, None
            self._carry_out(wish)

        self._open(dialog, start)

    def _carry_out(self, wish: StartWish) -> None:
        name = wish.name
        if not self._starting.makes_names:
            name = name or self.default_name()
        words = wish.words if wish.words != SessionWords() else None
        run = None if wish.run.is_open else wish.run
        self._header.wait()
        if wish.start_at is not None:
            self._feed.plan_session(wish.start_at, wish.name, wish.notes, words, run)
        else:
            self._feed.start_session(name, wish.notes, words, run)

    def _stop(self) -> None:
        session = self._header.session
        if session is None or session.owner == self._own_name:
            self._header.wait()
            self._feed.stop_session(session.id if session else None)
        elif self._dialog is None:
            runs_s = (self.now - session.started_at).total_seconds()
            question = StopQuestion(session, runs_s, self._window)

            def stop() -> None:
                if question.clickedButton() is question.stop:
                    self._header.wait()
                    self._feed.stop_session(question.session_id)

            self._open(question, stop, is_told_by_button=True)
            question.focus_cancel()

    def _open(self, dialog: QDialog, act: Callable[[], None], *, is_told_by_button: bool = False) -> None:
        """Open a dialog; there is one at a time."""
        self._dialog = dialog

        def close() -> None:
            self._dialog = None
            dialog.deleteLater()

        (dialog.finished if is_told_by_button else dialog.accepted).connect(act)
        dialog.finished.connect(close)
        dialog.open()

    def _names(self) -> list[str]:
        return [record.name for record in self._records()]

    def _take_connection(self, state: ConnectionState) -> None:
        if state.connection is Connection.ONLINE:
            return
        self._status, self._clock_set, self._clocks = None, None, ClockComparison()
        if state.connection is not Connection.WAITING:
            self._expected = None  # another server's
        if isinstance(self._dialog, StopQuestion | PlanChangeDialog | RedChecksDialog):
            self._dialog.reject()

    def _take_identity(self, who: WhoRecord) -> None:
        self._own_name = who.name or default_owner()

    def _take_expected(self, names: frozenset[str]) -> None:
        self._expected = names

    def _take_failure(self, failure: RequestFailure) -> None:
        if failure.is_of_recording and self._asked is not None:
            self._refused, self._asked = self._asked, None  # what was typed is not lost

    def _take_notice(self, notice: Notice) -> None:
        if notice.text.startswith(_CLOCK_SET):
            self._clock_set = notice
