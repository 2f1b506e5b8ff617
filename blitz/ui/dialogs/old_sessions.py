"""Asks which old sessions are to be read by a calibration that was made later."""

from collections.abc import Sequence

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QListWidget, QListWidgetItem, QPushButton, QWidget

from blitz.data.old_sessions import OldSession
from blitz.ui.dialogs.form import Form
from blitz.ui.formats import format_moment
from blitz.ui.models.sessions import session_title
from blitz.ui.theme import SPACE

_WORDS = (
    "What the device sent stays as it was recorded. Each session that you tick gets a version of its definitions, and "
    "is read by the calibration from then on; its page goes back to the recording's at any time. Only sessions on this "
    "computer are listed: download others first."
)


class OldSessionsDialog(Form):
    """Accepted with at least one session.

    :param what: the channel, such as ``pressure of rig``.
    """

    def __init__(self, what: str, sessions: Sequence[OldSession], reason: str, parent: QWidget | None = None) -> None:
        super().__init__(f"Read old sessions anew: {what}", "&Read anew", _WORDS, parent)
        self.reason = QLineEdit(reason)
        self.reason.setToolTip("Why, for those who look at the sessions later")
        self.add("&Why", self.reason)
        self.list = QListWidget()
        self.list.setAccessibleName("Sessions")
        for old in sessions:
            row = QListWidgetItem(f"{session_title(old.record)}, {format_moment(old.record.started_at)}")
            row.setData(Qt.UserRole, old.record.id)
            if old.is_calibrated:
                row.setText(f"{row.text()} (is read by it already)")
                row.setFlags(Qt.NoItemFlags)
            else:
                row.setFlags(Qt.ItemIsEnabled | Qt.ItemIsSelectable | Qt.ItemIsUserCheckable)
                row.setCheckState(Qt.Unchecked)
            self.list.addItem(row)
        self.list.itemChanged.connect(lambda _: self._show())
        self.count = QLabel()
        self.count.setProperty("kind", "muted")
        below = QWidget()
        buttons = QHBoxLayout(below)
        buttons.setContentsMargins(0, 0, 0, 0)
        buttons.setSpacing(SPACE)
        for words, is_on in (("&All", True), ("&None", False)):
            button = QPushButton(words)
            button.setProperty("kind", "quiet")
            button.setAutoDefault(False)
            button.clicked.connect(lambda _=False, is_on=is_on: self.tick_all(is_on))
            buttons.addWidget(button)
        buttons.addStretch(1)
        buttons.addWidget(self.count)
        self.put_below(self.list)
        self.put_below(below)
        self.resize(560, 460)
        self._show()
        self.list.setFocus()
        if self.list.count():
            self.list.setCurrentRow(0)

    @property
    def chosen(self) -> tuple[int, ...]:
        """Ids of the sessions that are ticked."""
        return tuple(row.data(Qt.UserRole) for row in self._rows() if row.checkState() == Qt.Checked)

    def tick_all(self, is_on: bool) -> None:
        """Tick all sessions that can be, or none."""
        for row in self._rows():
            if row.flags() & Qt.ItemIsUserCheckable:
                row.setCheckState(Qt.Checked if is_on else Qt.Unchecked)

    def _show(self) -> None:
        count = len(self.chosen)
        self.count.setText(f"{count} of {self.list.count()}" if self.list.count() else "No session here has it.")
        self.accept_button.setEnabled(bool(count))

    def _rows(self) -> list[QListWidgetItem]:
        rows = (self.list.item(place) for place in range(self.list.count()))
        return [row for row in rows if row is not None]
