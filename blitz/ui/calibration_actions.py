"""Calibrating channels: opens the dialog, brings it what boards send, saves, and reads old sessions anew.

Asks the operator, the feed, the cache and the pool.
"""

from datetime import UTC, date, datetime

from PyQt5.QtCore import QObject
from PyQt5.QtWidgets import QWidget

from blitz.data.access_records import WhoRecord
from blitz.data.blocks import MessageBlock
from blitz.data.old_sessions import Applied, ChannelCalibration, OldSession, apply_calibration, find_old_sessions
from blitz.data.records import Role, Source, StatusRecord
from blitz.io.calls import default_owner
from blitz.ui.calibration_desk import CalibrationDesk
from blitz.ui.dialogs.calibrate import CalibrateDialog
from blitz.ui.dialogs.old_sessions import OldSessionsDialog
from blitz.ui.feed import Feed, RequestFailure
from blitz.ui.jobs import Jobs
from blitz.ui.models.sessions import SessionsModel
from blitz.ui.pages.boards_page import BoardsPage
from blitz.ui.rights import Rights
from blitz.ui.theme import Appearance, Theme
from blitz.ui.widgets.notices import NoticesArea


class CalibrationActions(QObject):
    """One dialog at a time."""

    def __init__(
        self,
        feed: Feed,
        sessions: SessionsModel,
        jobs: Jobs,
        notices: NoticesArea,
        appearance: Appearance,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._feed = feed
        self._sessions = sessions
        self._jobs = jobs
        self._notices = notices
        self._appearance = appearance
        self._window = window
        self._status: StatusRecord | None = None
        self._rights = Rights()
        self._tables: dict[int, tuple[Source, ...]] = {}
        self.dialog: CalibrateDialog | None = None
        feed.status_received.connect(self._take_status)
        feed.sources_received.connect(self._take_sources)
        feed.raw_received.connect(self._take_block)
        feed.definition_answered.connect(self._take_answer)
        feed.identity_received.connect(self._take_identity)
        appearance.changed.connect(self._take_theme)

    def serve(self, page: BoardsPage) -> None:
        """Do what the page of boards asks for."""
        page.calibration_requested.connect(lambda board: self.open(board))

    def open(self, source: str, column: int = 0) -> CalibrateDialog:
        """Calibrate a channel, in the dialog that is open already, or a new one."""
        dialog = self.dialog
        if dialog is None:
            dialog = self.dialog = self._make_dialog()
            dialog.show()
        dialog.choose(source, column)
        dialog.raise_()
        dialog.activateWindow()
        return dialog

    def ask_old_sessions(self, calibration: ChannelCalibration) -> None:
        """Look for cached sessions with the channel, and ask which of them are to be read anew."""
        path = self._feed.cache_path
        if path is None:
            self._notices.tell("warning", "There is no cache yet: connect to a server first.")
            return
        here = [record for record in self._sessions.records if self._sessions.is_local(record.id)]
        job = self._jobs.run(
            f"Looking for sessions with {calibration.words}",
            lambda progress, is_cancelled: find_old_sessions(path, here, calibration, progress, is_cancelled),
        )
        job.succeeded.connect(lambda found: self.choose_sessions(calibration, found))
        job.failed.connect(lambda error: self._fail("Old sessions were not looked for", error))

    def choose_sessions(self, calibration: ChannelCalibration, found: list[OldSession]) -> OldSessionsDialog | None:
        """Ask which sessions are to be read anew; None where there are none."""
        if not found:
            self._notices.tell("info", f"No session on this computer has {calibration.words}. Download some first.")
            return None
        reason = f"Calibration of {calibration.words}, {_today()}"
        dialog = OldSessionsDialog(calibration.words, found, reason, self.dialog or self._window)
        dialog.accepted.connect(lambda: self._apply(calibration, dialog.chosen, dialog.reason.text().strip()))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
        return dialog

    def _apply(self, calibration: ChannelCalibration, session_ids: tuple[int, ...], reason: str) -> None:
        path = self._feed.cache_path
        assert path is not None
        job = self._jobs.run(
            f"Reading {calibration.words} anew",
            lambda progress, is_cancelled: apply_calibration(
                path, session_ids, calibration, reason, default_owner(), progress, is_cancelled
            ),
        )
        job.succeeded.connect(lambda applied: self._tell(calibration, applied))
        job.failed.connect(lambda error: self._fail("Old sessions were not all read anew", error))

    def _tell(self, calibration: ChannelCalibration, applied: Applied) -> None:
        count = len(applied.done)
        whose = "1 session is" if count == 1 else f"{count} sessions are"
        if count:
            self._notices.tell("info", f"{whose} read by the new calibration of {calibration.words}: open them anew.")
        for fault in applied.faults:
            self._notices.tell("error", fault)

    def _make_dialog(self) -> CalibrateDialog:
        desk = CalibrationDesk()
        desk.show_boards(self._status.boards if self._status else ())
        desk.show_tables(self._tables)
        dialog = CalibrateDialog(desk, self._appearance.theme, default_owner(), _today, self._window)
        dialog.save_requested.connect(lambda definition: self._feed.set_definition(desk.source, definition))
        dialog.old_sessions_requested.connect(lambda: self._ask_for(dialog))
        dialog.finished.connect(self._forget)
        dialog.finished.connect(dialog.deleteLater)
        dialog.show_refusal(self._rights.refusal(Role.OPERATOR))
        dialog.show_recording(self._status is not None and self._status.session is not None)
        return dialog

    def _ask_for(self, dialog: CalibrateDialog) -> None:
        desk = dialog.desk
        if desk.wanted is not None and desk.draft is not None:
            self.ask_old_sessions(ChannelCalibration(desk.source, desk.wanted, desk.draft.column))

    def _take_status(self, status: StatusRecord) -> None:
        self._status = status
        if self.dialog is not None:
            self.dialog.desk.show_boards(status.boards)
            self.dialog.show_recording(status.session is not None)

    def _take_sources(self, session_id: int, sources: tuple[Source, ...]) -> None:
        self._tables[session_id] = sources
        for old in [known for known in self._tables if known not in (0, session_id)]:
            del self._tables[old]
        if self.dialog is not None:
            self.dialog.desk.show_tables(self._tables)

    def _take_block(self, block: MessageBlock) -> None:
        if self.dialog is not None and self.dialog.desk.take_block(block):
            self.dialog.take_progress()

    def _take_answer(self, board: str, reason: str) -> None:
        if self.dialog is not None and board == self.dialog.desk.source:
            self.dialog.take_answer(reason)

    def _take_identity(self, who: WhoRecord) -> None:
        self._rights = Rights.of(who)
        if self.dialog is not None:
            self.dialog.show_refusal(self._rights.refusal(Role.OPERATOR))

    def _take_theme(self, theme: Theme) -> None:
        if self.dialog is not None:
            self.dialog.pane.plot.set_theme(theme)

    def _forget(self) -> None:
        self.dialog = None

    def _fail(self, action: str, error: Exception) -> None:
        self._notices.tell("error", RequestFailure(action, error).sentence)


def _today() -> date:
    return datetime.now(UTC).astimezone().date()
