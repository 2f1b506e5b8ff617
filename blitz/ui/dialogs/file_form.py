"""The form of all that is written of a session into a file: what of it, and where."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from PyQt5.QtCore import Qt
from PyQt5.QtGui import QShowEvent
from PyQt5.QtWidgets import QFileDialog, QHBoxLayout, QLabel, QLineEdit, QPushButton, QSizePolicy, QWidget

from blitz.ui.dialogs.form import Form
from blitz.ui.theme import SPACE
from blitz.ui.widgets.channel_ticks import ChannelTicks
from blitz.ui.widgets.choice import Choice


class FileForm(Form):
    """Range, channels and file; those who make one add them, and what is theirs, in their order.

    :param verb: what the first button does, such as ``Export``.
    :param file: what is proposed.
    :param labels: the session's channels.
    :param shown_s: what of the session a plot shows, in seconds since the Unix epoch; None where there is no plot.
    :param caution: what is to be known before anything is written.
    """

    def __init__(
        self,
        title: str,
        verb: str,
        file: Path,
        labels: Sequence[str],
        shown_s: tuple[float, float] | None,
        caution: str,
        parent: QWidget | None,
    ) -> None:
        super().__init__(title, f"&{verb}", parent=parent)
        self._verb = verb
        self._shown_s = shown_s
        self._replaced: Path | None = None
        self.range = make_choice(["Whole session", "What the plot shows"])
        self.range.setEnabled(shown_s is not None)
        if shown_s is None:
            self.range.setToolTip(f"To write a part, view the session, zoom to it, and press {verb}… there")
        self.ticks = ChannelTicks(labels)
        self.channels, self.all, self.none = self.ticks.list, self.ticks.all, self.ticks.none
        self.file = QLineEdit(str(file))
        self.place = with_browse(self.file, self._browse)
        if caution:
            self.add("", _warning(caution))
        self.setMinimumWidth(72 * SPACE)
        self.ticks.changed.connect(self._check)
        self.file.textChanged.connect(self._check)

    @property
    def path(self) -> Path:
        """Where it is to be written."""
        return Path(self.file.text().strip()).expanduser()

    @property
    def span_s(self) -> tuple[float, float] | None:
        """From and to, in seconds since the Unix epoch; None for the whole session."""
        return self._shown_s if self.range.currentIndex() == 1 else None

    def showEvent(self, event: QShowEvent) -> None:
        """Be high enough for sentences that take several lines: Qt reckons with one."""
        super().showEvent(event)
        self.resize(self.width(), max(self.height(), self.layout().heightForWidth(self.width())))

    def accept(self) -> None:
        """Close; but ask once before a file that is there is replaced."""
        path = self.path
        if os.path.isdir(path):
            self.say_wrong(f"“{path}” is a folder: name a file in it.")
        elif not os.path.isdir(path.parent):
            self.say_wrong(f"There is no folder “{path.parent}”: make it, or choose another one.")
            self.file.setFocus()
        elif os.path.exists(path) and path != self._replaced:  # not Path.exists: names that cannot be raise there
            self._replaced = path
            self.say_wrong(f"“{path.name}” is there already. Press {self._verb} once more to replace it.")
        else:
            super().accept()

    def _check(self) -> None:
        self.say_wrong("" if self.ticks.has_any else "Choose a channel, or there is nothing to write.")
        self.accept_button.setEnabled(self.ticks.has_any and bool(self.file.text().strip()))

    def _browse(self) -> None:
        dialog = QFileDialog(self, f"{self._verb} to", str(Path(self.file.text()).parent))
        dialog.setAcceptMode(QFileDialog.AcceptSave)
        dialog.selectFile(Path(self.file.text()).name)
        dialog.fileSelected.connect(self._take_file)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _take_file(self, name: str) -> None:
        """Take over what was browsed to; that asks itself before a file is replaced."""
        self._replaced = Path(name)
        self.file.setText(name)


def with_browse(field: QLineEdit, browse: Callable[[], object], label: str = "&Browse…") -> QWidget:
    """Put a button behind a field for a file."""
    button = QPushButton(label)
    button.clicked.connect(browse)
    place = QWidget()
    row = QHBoxLayout(place)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(SPACE)
    row.addWidget(field, 1)
    row.addWidget(button)
    place.setFocusProxy(field)
    return place


def make_choice(words: Sequence[str]) -> Choice:
    """Return a choice of these."""
    choice = Choice()
    choice.addItems(words)
    choice.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
    return choice


def _warning(words: str) -> QLabel:
    label = QLabel(words)
    label.setTextFormat(Qt.PlainText)
    label.setWordWrap(True)
    label.setProperty("state", "preview")
    return label
