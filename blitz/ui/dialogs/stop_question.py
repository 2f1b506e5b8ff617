"""Asks before somebody else's session is stopped."""

from PyQt5.QtWidgets import QMessageBox, QWidget

from blitz.data.records import SessionRecord
from blitz.ui.models.sessions import session_title
from blitz.ui.recording_words import long_words, owner_words


class StopQuestion(QMessageBox):
    """Only its first button stops; Enter cancels.

    :param runs_s: for how long the session has run.
    """

    def __init__(self, session: SessionRecord, runs_s: float, parent: QWidget | None = None) -> None:
        super().__init__(QMessageBox.Warning, "Stop", "", parent=parent)
        self.session_id = session.id
        owner = owner_words(session.owner)
        self.setText(f"{owner[:1].upper()}{owner[1:]} started this {long_words(runs_s)} ago. Stop it for everybody?")
        self.setInformativeText(f"“{session_title(session)}” ends for all who watch it; what was recorded is kept.")
        self.setStyleSheet("QLabel#qt_msgbox_label, QLabel#qt_msgbox_informativelabel { min-width: 430px; }")
        self.stop = self.addButton("Stop it for everybody", QMessageBox.AcceptRole)
        self.cancel = self.addButton(QMessageBox.Cancel)
        self.setDefaultButton(self.cancel)
        self.setEscapeButton(self.cancel)

    def focus_cancel(self) -> None:
        """Let Enter cancel: a default button alone does not have the focus. To be called when it is open."""
        self.cancel.setFocus()
