"""Asks, before the window closes, what is to become of the session that runs."""

from PyQt5.QtWidgets import QMessageBox, QPushButton, QWidget

from blitz.data.records import SessionRecord
from blitz.ui.models.sessions import session_title

_OPEN_AGAIN = "Open Blitz again to watch or stop it."


class ClosingQuestion(QMessageBox):
    """Its first button closes the window and leaves the session alone.

    :param is_recording: False: it was running when the connection was lost.
    :param is_own_server: the server was started by this program: it ends by itself when nobody needs it.
    :param ends_with_window: the server is that of a demonstration, which ends when the window is closed.
    """

    def __init__(
        self,
        session: SessionRecord,
        *,
        is_recording: bool,
        is_own_server: bool,
        ends_with_window: bool = False,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(QMessageBox.Information, "Close Blitz", "", parent=parent)
        title = session_title(session)
        self.stop: QPushButton | None = None
        if ends_with_window:
            text = "The demonstration ends with this window."
            words = f"“{title}” is stopped, and kept: the next demonstration shows it again."
        elif not is_recording:
            text = "Recording probably goes on on the server."
            words = (
                f"“{title}” was recording when the connection ended; closing this window does not stop it. "
                f"{_OPEN_AGAIN}"
            )
        elif is_own_server:
            text = "Recording goes on in the background."
            words = (
                f"The server that Blitz started here keeps recording “{title}” until somebody stops it, and ends then. "
                f"{_OPEN_AGAIN}"
            )
        else:
            text = "Recording goes on on the server."
            words = f"“{title}” keeps recording after this window is closed. {_OPEN_AGAIN}"
        self.setText(text)
        self.setInformativeText(words)
        self.setStyleSheet("QLabel#qt_msgbox_label, QLabel#qt_msgbox_informativelabel { min-width: 430px; }")
        self.leave = self.addButton("Close the window", QMessageBox.AcceptRole)
        if is_recording and is_own_server:
            self.leave.setText("Keep recording and close")
            self.stop = self.addButton("Stop the session and close", QMessageBox.DestructiveRole)
        self.cancel = self.addButton(QMessageBox.Cancel)
        self.setDefaultButton(self.leave)
        self.setEscapeButton(self.cancel)
