"""Says, before the window closes, that recording goes on on the server."""

from PyQt5.QtWidgets import QMessageBox, QWidget

from blitz.data.records import SessionRecord
from blitz.ui.models.sessions import session_title


def confirm_close(window: QWidget, session: SessionRecord, *, is_recording: bool) -> bool:
    """Ask whether to close the window while a session runs.

    :param is_recording: False: it was running when the connection was lost.
    """
    box = QMessageBox(window)
    box.setIcon(QMessageBox.Information)
    box.setWindowTitle("Close Blitz")
    title = session_title(session)
    if is_recording:
        box.setText("Recording goes on on the server.")
        words = f"“{title}” keeps recording after this window is closed."
    else:
        box.setText("Recording probably goes on on the server.")
        words = f"“{title}” was recording when the connection ended; closing this window does not stop it."
    box.setInformativeText(f"{words} Open Blitz again to watch or stop it.")
    close = box.addButton("Close the window", QMessageBox.AcceptRole)
    box.addButton(QMessageBox.Cancel)
    box.setDefaultButton(close)
    box.exec_()
    return box.clickedButton() is close
