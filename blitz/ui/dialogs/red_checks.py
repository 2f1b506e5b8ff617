"""Asks whether to start although something is not as it should be."""

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QDialog, QDialogButtonBox, QLabel, QVBoxLayout, QWidget

from blitz.ui.checklist import Checklist
from blitz.ui.theme import SPACE, Theme
from blitz.ui.widgets.checklist_view import ChecklistView


class RedChecksDialog(QDialog):
    """Accepted, it is started anyway; Enter cancels. What is red is kept up to date while it is open."""

    boards_requested = pyqtSignal()

    def __init__(self, checklist: Checklist, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Start")
        self._head = QLabel()
        self._head.setProperty("kind", "title")
        self.checks = ChecklistView(theme, 460)
        self._advice = QLabel("What is away is missing in the session until it comes back; the rest is recorded.")
        self._advice.setWordWrap(True)
        self._advice.setProperty("kind", "muted")
        self.buttons = QDialogButtonBox()
        self.start = self.buttons.addButton("&Start anyway", QDialogButtonBox.AcceptRole)
        self.boards = self.buttons.addButton("Show the &boards", QDialogButtonBox.ActionRole)
        self.cancel = self.buttons.addButton(QDialogButtonBox.Cancel)
        self.start.setAutoDefault(False)
        self.boards.setAutoDefault(False)
        self.boards.clicked.connect(self._show_boards)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * SPACE, 2 * SPACE, 2 * SPACE, 2 * SPACE)
        column.setSpacing(2 * SPACE)
        for part in (self._head, self.checks, self._advice, self.buttons):
            column.addWidget(part)
        self.cancel.setDefault(True)
        self.setMinimumWidth(520)
        self.show_checklist(checklist)
        self.cancel.setFocus()

    def show_checklist(self, checklist: Checklist) -> None:
        """Take over how things stand now."""
        count = len(checklist.red)
        names = {0: "All is ready now. Start?", 1: "1 thing is not ready. Start anyway?"}
        self._head.setText(names.get(count, f"{count} things are not ready. Start anyway?"))
        self.start.setText("&Start anyway" if count else "&Start")
        self.checks.show_checks(checklist.red)
        self._advice.setVisible(any(check.board is not None for check in checklist.red))

    def _show_boards(self) -> None:
        self.boards_requested.emit()
        self.reject()
