"""Asks for a cache of its own for an experiment: its name, what it is for, and where it lies."""

from dataclasses import dataclass
from pathlib import Path

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtWidgets import QCheckBox, QFileDialog, QHBoxLayout, QLineEdit, QPushButton, QWidget

from blitz.ui.dialogs.form import Form
from blitz.ui.theme import SPACE

_WIDTH_PX = 600


@dataclass(frozen=True)
class CacheWish:
    """What was typed; nothing of it has been tried."""

    name: str
    address: str | None
    description: str
    is_used: bool


class NewCacheDialog(Form):
    """Stays open until :meth:`take_answer` says that the cache is there: a database may be far away."""

    wanted = pyqtSignal(object)
    """CacheWish"""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(
            "New cache",
            "&Make it",
            "Sessions of an experiment, kept apart from all others. The cache belongs to the first server that it is "
            "filled from.",
            parent,
        )
        self.setMinimumWidth(_WIDTH_PX)
        self.name = QLineEdit()
        self.name.setPlaceholderText("experiment")
        self.name.setToolTip("A letter, then letters, digits, - and _")
        self.description = QLineEdit()
        self.description.setPlaceholderText("what it is for")
        self.place = QLineEdit()
        self.place.setPlaceholderText("a file of its own beside the others")
        self.place.setToolTip(
            "A file, such as on a stick, or the address of a database, such as postgresql://ada@dbhost/blitz.\n"
            "Better than a password in it is a line in ~/.pgpass."
        )
        self.browse = QPushButton("Browse…")
        self.browse.setAutoDefault(False)
        self.browse.clicked.connect(self._browse)
        self.use_it = QCheckBox("&Use it from now on")
        self.use_it.setChecked(True)
        box = QWidget()
        box.setFocusProxy(self.place)
        row = QHBoxLayout(box)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE)
        row.addWidget(self.place, 1)
        row.addWidget(self.browse)
        self.add("&Name", self.name)
        self.add("&Description", self.description)
        self.add("&File or address", box)
        self.add("", self.use_it)

    @property
    def wish(self) -> CacheWish:
        """What stands in the fields."""
        return CacheWish(
            self.name.text().strip(),
            self.place.text().strip() or None,
            self.description.text().strip(),
            self.use_it.isChecked(),
        )

    def accept(self) -> None:
        """Ask for the cache; the answer closes the dialog."""
        if not self.wish.name:
            self.say_wrong("Give it a name.")
            self.name.setFocus()
            return
        self._wait(True)
        self.say_wrong("")
        self.wanted.emit(self.wish)

    def take_answer(self, problem: str) -> None:
        """Close, or say why there is no such cache."""
        self._wait(False)
        self.say_wrong(problem)
        if not problem:
            super().accept()

    def _wait(self, is_waiting: bool) -> None:
        if is_waiting:
            self.place.setFocus()  # a button that is greyed gives it, and what Enter does, to the next one
        self.accept_button.setEnabled(not is_waiting)
        self.accept_button.setText("Opening …" if is_waiting else "&Make it")
        self.accept_button.setDefault(True)

    def _browse(self) -> None:
        dialog = QFileDialog(self, "New cache", str(Path.home()), "Caches (*.db);;All files (*)")
        dialog.setAcceptMode(QFileDialog.AcceptSave)
        dialog.setOption(QFileDialog.DontConfirmOverwrite)  # one that is there is taken as it is
        dialog.setDefaultSuffix("db")
        dialog.fileSelected.connect(self.place.setText)
        dialog.setAttribute(Qt.WA_DeleteOnClose)
        dialog.open()
