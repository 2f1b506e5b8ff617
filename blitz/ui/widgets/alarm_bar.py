"""The bar below the head of the window: what is alarming, and one click to say that it was seen."""

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from blitz.data.alarm_rule import Severity
from blitz.data.records import Role
from blitz.ui.alarm_view import AlarmView
from blitz.ui.rights import Rights
from blitz.ui.theme import SPACE
from blitz.ui.widgets.elided import ElidedLabel
from blitz.ui.widgets.permitted import permit


class AlarmBar(QWidget):
    """Hidden while there is no alarm that nobody has seen."""

    acknowledge_requested = pyqtSignal()
    """Of all."""
    show_requested = pyqtSignal()
    silence_requested = pyqtSignal(bool)
    """No sound from now on, or sound again"""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rights = Rights()
        self.head = QLabel()
        self.head.setProperty("kind", "title")
        self.text = ElidedLabel(least=160)
        self.silence = QPushButton("Si&lence")
        self.silence.setCheckable(True)
        self.silence.setToolTip("No sound for alarms in this window, until it is released (Ctrl+Shift+U)")
        self.silence.toggled.connect(self.silence_requested)
        self.look = QPushButton("Sho&w")
        self.look.setToolTip("Open the page of alarms")
        self.look.clicked.connect(self.show_requested)
        self.seen = QPushButton("Ac&knowledge")
        self.seen.clicked.connect(self.acknowledge_requested)
        self._frame = QFrame()
        self._frame.setProperty("severity", "warning")
        row = QHBoxLayout(self._frame)
        row.setContentsMargins(SPACE + 4, 4, 4, 4)
        row.setSpacing(SPACE)
        row.addWidget(self.head)
        row.addWidget(self.text, 1, Qt.AlignVCenter)
        for button in (self.silence, self.look, self.seen):
            button.setProperty("kind", "small")
            row.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(2 * SPACE, SPACE, 2 * SPACE, 0)
        column.addWidget(self._frame)
        self.hide()

    def show_alarms(self, view: AlarmView) -> None:
        """Take over what there is."""
        worst, count = view.worst, view.counts.unacknowledged
        self.setVisible(worst is not None)
        if worst is None:
            return
        self.head.setText("1 alarm" if count == 1 else f"{count} alarms")
        over = f", over since {worst.cleared_at.astimezone():%H:%M:%S}" if worst.cleared_at is not None else ""
        self.text.setText(f"{worst.words}, since {worst.raised_at.astimezone():%H:%M:%S}{over}")
        self.text.set_tip("\n".join(part for part in (worst.words, worst.rule.advice) if part))
        self.seen.setText("Ac&knowledge" if count == 1 else "Ac&knowledge all")
        severity = {Severity.CRITICAL: "error", Severity.WARNING: "warning"}.get(worst.severity, "info")
        if self._frame.property("severity") != severity:
            self._frame.setProperty("severity", severity)
            self._frame.style().unpolish(self._frame)
            self._frame.style().polish(self._frame)
        self._show_right()

    def show_rights(self, rights: Rights) -> None:
        """Take over what the operator may do."""
        self._rights = rights
        self._show_right()

    def _show_right(self) -> None:
        permit(self.seen, self._rights.refusal(Role.OPERATOR), is_enabled=True)
        if self.seen.isEnabled():
            self.seen.setToolTip("Say that you have seen what there is (Ctrl+J)")
