"""Which version of the definitions a historic session is read by, and whether another one is drawn beside it."""

from collections.abc import Sequence

from PyQt5.QtCore import pyqtSignal
from PyQt5.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QPushButton, QWidget

from blitz.data.definition_versions import DefinitionVersionRecord
from blitz.ui.formats import format_moment
from blitz.ui.theme import SPACE
from blitz.ui.widgets.choice import Choice

_LONGEST_REASON = 40


class VersionRow(QWidget):
    """A choice of versions, where there are any, and the way to make one.

    :param version: the one that is shown; 0 is the recording's.
    """

    chosen = pyqtSignal(int)
    """The number of the version that the session is to be read by."""
    compared = pyqtSignal(int)
    """The number of the version to draw as well; -1 for none."""
    reread_requested = pyqtSignal()
    deletion_requested = pyqtSignal()
    """Of the version that is shown."""

    def __init__(
        self, version: int, versions: Sequence[DefinitionVersionRecord], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.version = version
        self.numbers = (0, *(each.number for each in versions))
        self.choice = Choice()
        self.choice.setAccessibleName("Definitions")
        self.choice.setToolTip("By which definitions of its channels the session is read")
        self.choice.addItems(["the recording's", *map(_words, versions)])
        self.choice.setCurrentIndex(self.numbers.index(version))
        self.choice.activated.connect(self._choose)
        self.compare = QCheckBox(f"&Compare with {self._other_words()}")
        self.compare.setToolTip("Draw the curves of the other definitions, too, thin and dashed")
        self.compare.toggled.connect(lambda is_on: self.compared.emit(self.other if is_on else -1))
        self.reread = QPushButton("Read &anew…")
        self.reread.setToolTip("Correct scale, zero, unit or names of channels; what was recorded is not changed")
        self.reread.clicked.connect(self.reread_requested)
        self.delete = QPushButton("Delete…")
        self.delete.setToolTip("Delete this version of the definitions; the recording's own stay")
        self.delete.clicked.connect(self.deletion_requested)
        caption = QLabel("&Definitions")
        caption.setBuddy(self.choice)
        caption.setProperty("kind", "muted")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE)
        for widget in (caption, self.choice, self.compare):
            widget.setVisible(bool(versions))
            row.addWidget(widget)
        self.delete.setVisible(version > 0)
        row.insertWidget(2, self.delete)
        row.addWidget(self.reread)

    @property
    def other(self) -> int:
        """The version to compare with: the recording's, or beside that the newest."""
        return 0 if self.version else self.numbers[-1]

    def _other_words(self) -> str:
        return "the recording" if self.version else f"version {self.numbers[-1]}"

    def _choose(self, place: int) -> None:
        if self.numbers[place] != self.version:
            self.chosen.emit(self.numbers[place])


def _words(version: DefinitionVersionRecord) -> str:
    reason = version.reason if len(version.reason) <= _LONGEST_REASON else f"{version.reason[: _LONGEST_REASON - 1]}…"
    return f"version {version.number}, {reason or format_moment(version.created_at)}"
