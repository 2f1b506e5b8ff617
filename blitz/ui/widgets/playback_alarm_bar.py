"""A line below the bar of a playback: which alarms there would have been at the place that is played. No sound."""

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from blitz.data.alarm_records import AlarmOccurrence
from blitz.ui.formats import format_count
from blitz.ui.theme import SPACE
from blitz.ui.widgets.elided import ElidedLabel


class PlaybackAlarmBar(QFrame):
    """Hidden while nothing is played."""

    previous_requested = pyqtSignal()
    next_requested = pyqtSignal()
    list_requested = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("severity", "info")
        badge = QLabel("SILENCED")
        badge.setProperty("kind", "badge")
        badge.setToolTip(
            "What the server's rules, as they are now, would have raised in this session. It makes no sound, and "
            "nobody is told."
        )
        self.head = QLabel()
        self.head.setProperty("kind", "title")
        self.text = ElidedLabel(least=160)
        self.previous = QPushButton("Pre&vious alarm")
        self.previous.setToolTip("Go back to where the last alarm before this place is raised (Shift+N)")
        self.previous.clicked.connect(self.previous_requested)
        self.next = QPushButton("Ne&xt alarm")
        self.next.setToolTip("Go on to where the next alarm is raised (N)")
        self.next.clicked.connect(self.next_requested)
        self.list = QPushButton("L&ist")
        self.list.setToolTip("Open the page of alarms, with those that were raised so far in what is played")
        self.list.clicked.connect(self.list_requested)
        row = QHBoxLayout(self)
        row.setContentsMargins(2 * SPACE, 3, 2 * SPACE, 3)
        row.setSpacing(SPACE)
        row.addWidget(badge)
        row.addWidget(self.head)
        row.addWidget(self.text, 1, Qt.AlignVCenter)
        for button in (self.previous, self.next, self.list):
            button.setProperty("kind", "small")
            row.addWidget(button)
        self.hide()

    def show_words(self, words: str, tip: str = "") -> None:
        """Say why there are no alarms, or not yet."""
        self.head.hide()
        self.text.setText(words)
        self.text.set_tip(tip)
        for button in (self.previous, self.next, self.list):
            button.hide()
        self.show()

    def show_alarms(self, active: list[AlarmOccurrence], count: int, tip: str) -> None:
        """Show what is an alarm now.

        :param active: what matters most first.
        :param count: how many there are in the session; at least one.
        :param tip: what else is to be said.
        """
        self.head.setText("" if not active else "1 alarm" if len(active) == 1 else f"{len(active)} alarms")
        self.head.setVisible(bool(active))
        if active:
            worst = active[0]
            self.text.setText(f"{worst.words}, since {worst.raised_at.astimezone():%H:%M:%S}")
            tip = "\n".join([*(each.words for each in active[:10]), *([tip] if tip else [])])
        else:
            self.text.setText(f"No alarm here; {format_count(count)} in the session")
        self.text.set_tip(tip)
        for button in (self.previous, self.next, self.list):
            button.show()
        self.show()

    def show_ways(self, has_previous: bool, has_next: bool) -> None:
        """Say whether there are alarms before this place, and behind it."""
        self.previous.setEnabled(has_previous)
        self.next.setEnabled(has_next)
