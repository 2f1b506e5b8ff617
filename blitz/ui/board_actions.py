"""What can be done with a board: name its channels, send to it, lend its port, say which one it is, see bad frames.

Asks the operator and the feed.
"""

from collections.abc import Callable

from PyQt5.QtCore import QObject, pyqtSignal
from PyQt5.QtWidgets import QInputDialog, QMessageBox, QWidget

from blitz.data.board_definition import BoardDefinition, Command
from blitz.data.records import BoardRecord, StatusRecord
from blitz.ui.dialogs.bad_frames import BadFramesDialog
from blitz.ui.dialogs.channels import ChannelsDialog, Sample
from blitz.ui.feed import BoardCommand, Feed
from blitz.ui.live_store import LiveStore
from blitz.ui.pages.boards_page import BoardsPage
from blitz.ui.widgets.send_line import fixed_font


class BoardActions(QObject):
    """Knows the boards as the server's status told them last."""

    definition_requested = pyqtSignal(str, object)
    """board, and BoardDefinition as it was typed elsewhere; None: as it is in force"""

    def __init__(self, feed: Feed, store: LiveStore, window: QWidget) -> None:
        super().__init__(window)
        self._feed = feed
        self._store = store
        self._window = window
        self._status: StatusRecord | None = None
        feed.status_received.connect(self._take_status)

    def serve(self, page: BoardsPage) -> None:
        """Do what the page of boards asks for."""
        page.command_requested.connect(self._feed.send_command)
        page.attach_requested.connect(self._feed.attach_port)
        page.retake_requested.connect(self._feed.retake_port)
        page.named_command_requested.connect(self.run_command)
        page.channels_requested.connect(self.name_channels)
        page.bad_frames_requested.connect(self.show_bad_frames)
        page.release_requested.connect(self.release)
        page.value_requested.connect(self.send_value)
        page.definition_requested.connect(lambda board: self.definition_requested.emit(board, None))
        page.look_requested.connect(self._feed.look_for_boards)
        page.rename_requested.connect(self.rename)
        page.deletion_requested.connect(self.delete)
        page.enabling_requested.connect(self.enable)
        self._feed.command_settled.connect(page.take_outcome)
        self._feed.notice_received.connect(page.boards.take_notice)
        self._feed.timeline_received.connect(page.take_entry)

    def find(self, board: str) -> BoardRecord | None:
        """Return a board by its name."""
        boards = self._status.boards if self._status else ()
        return next((record for record in boards if record.name == board), None)

    def name_channels(self, board: str) -> None:
        """Let the operator say what a board's channels are."""
        record = self.find(board)
        if record is None or record.definition is None:
            return
        dialog = ChannelsDialog(
            board,
            record.definition,
            lambda: self._sample(board),
            newest=lambda: self._definition(board),
            is_guessed=record.is_guessed,
            parent=self._window,
        )
        dialog.accepted.connect(lambda: self._feed.set_definition(board, dialog.definition))
        # Accepted, it waits out of sight for the server's answer: what was typed must not be lost with a refusal.
        self._feed.definition_answered.connect(dialog.take_answer)
        dialog.rejected.connect(dialog.deleteLater)
        dialog.definition_requested.connect(lambda typed: self.definition_requested.emit(board, typed))
        dialog.open()

    def run_command(self, board: str, command: Command) -> None:
        """Send a named command; one that moves or heats something only after a question."""
        if not command.is_actuator:
            self._feed.send_command(board, BoardCommand(command=command.name))
            return
        self._ask(
            f"{command.name} on {board}",
            "Moves or heats something. Send?",
            f"“{command.name}” goes to {board} as soon as you press Send.",
            "Send",
            lambda: self._feed.send_command(board, BoardCommand(command=command.name)),
        )

    def send_value(self, board: str, command: Command, value: float) -> None:
        """Send what a command's value was turned to: turning it was the decision, also for an actuator."""
        self._feed.send_command(board, BoardCommand(command=command.name, value=value))

    def rename(self, board: str) -> None:
        """Ask for another name of a source."""
        dialog = QInputDialog(self._window)
        dialog.setWindowTitle(f"Rename {board}")
        dialog.setLabelText("Its readings go on under the new name; what was recorded keeps the old one.")
        dialog.setTextValue(board)
        dialog.setOkButtonText("Rename")

        def take(name: str) -> None:
            if name.strip() and name.strip() != board:
                self._feed.rename_source(board, name.strip())

        dialog.textValueSelected.connect(take)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def delete(self, board: str) -> None:
        """Let the server forget a source, after a question that says what is lost."""
        record = self.find(board)
        link = f" at {record.link}" if record else ""
        is_recorded = self._status is not None and self._status.session is not None
        running = " The running session goes on without it." if is_recorded else ""
        self._ask(
            f"Delete {board}",
            f"Delete the source {board}{link}?",
            f"Its settings are forgotten, and the names and units of its channels with them. What was recorded of it "
            f"stays.{running}",
            "Delete",
            lambda: self._feed.delete_source(board),
        )

    def enable(self, board: str, is_enabled: bool) -> None:
        """Let a source be read again, or not any more; asks first where a session would miss it."""
        session = self._status.session if self._status else None
        if is_enabled or session is None:
            self._feed.enable_source(board, is_enabled)
            return
        self._ask(
            f"Disable {board}",
            f"A session is being recorded. Disable {board}?",
            "What it sends until it is enabled again is not recorded. The gap is written down; the others go on.",
            "Disable",
            lambda: self._feed.enable_source(board, False),
        )

    def release(self, board: str) -> None:
        """Lend a board's port; asks first while a session runs."""
        session = self._status.session if self._status else None
        if session is None:
            self._feed.release_port(board)
            return
        self._ask(
            f"Release {board}",
            f"A session is being recorded. Release {board}?",
            "What it sends while its port is lent is not recorded. The gap is written down; the others go on.",
            "Release",
            lambda: self._feed.release_port(board),
        )

    def show_bad_frames(self, board: str) -> None:
        """Open the last bad frames of a board."""
        dialog = BadFramesDialog(board, fixed_font(self._window.font()), self._window)
        dialog.refresh_requested.connect(self._feed.ask_bad_frames)
        self._feed.bad_frames_received.connect(dialog.show_frames)
        dialog.show()
        self._feed.ask_bad_frames(board)

    def _take_status(self, status: StatusRecord) -> None:
        self._status = status

    def _definition(self, board: str) -> BoardDefinition | None:
        record = self.find(board)
        return None if record is None else record.definition

    def _sample(self, board: str) -> Sample | None:
        source = next((source for source in self._store.sources if source.name == board), None)
        if source is None or source.definition is None:
            return None
        newest = self._store.last(source.index, 1)
        return Sample(source.definition, newest.values[-1]) if len(newest.times) else None

    def _ask(self, title: str, text: str, details: str, yes: str, act: Callable[[], None]) -> None:
        """Open a question; only its first button does what is asked, Enter cancels."""
        box = QMessageBox(QMessageBox.Warning, title, text, parent=self._window)
        box.setInformativeText(details)
        do = box.addButton(yes, QMessageBox.AcceptRole)
        cancel = box.addButton(QMessageBox.Cancel)
        box.setDefaultButton(cancel)
        box.setEscapeButton(cancel)

        def answer() -> None:
            if box.clickedButton() is do:
                act()
            box.deleteLater()

        box.finished.connect(answer)
        box.open()
        # A default button alone does not have the focus: Enter would press the first one.
        cancel.setFocus()
