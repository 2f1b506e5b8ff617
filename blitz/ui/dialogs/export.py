"""Asks what of a session is written, as what, and where."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PyQt5.QtCore import Qt
from PyQt5.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from blitz.data.export_formats import FileFormat, Layout, Preset
from blitz.ui.dialogs.form import Form
from blitz.ui.theme import SPACE
from blitz.ui.widgets.channel_delegate import ChannelDelegate
from blitz.ui.widgets.choice import Choice

FORMATS = (
    (FileFormat.CSV, "CSV: text, for any program"),
    (FileFormat.XLSX, "Excel"),
    (FileFormat.PARQUET, "Parquet: small and fast, for analysis"),
    (FileFormat.FEATHER, "Feather (Arrow): fast, for analysis"),
    (FileFormat.HDF5, "HDF5: for MATLAB and others"),
)
_PRESETS: tuple[tuple[Preset, str], ...] = (
    ("analysis", "Analysis: every message, UTC, exact values"),
    ("spreadsheet", "Spreadsheet: a row a second, local time"),
)
_LAYOUTS: tuple[tuple[Layout, str], ...] = (
    ("wide", "Wide: a column a channel"),
    ("long", "Long: a row a reading"),
)
_SIDECAR_WORDS = (
    "Beside the file, with .json at its end: units, markers and definitions, and a checksum by which\n"
    "“blitz verify” tells whether the file is still as it was written."
)
_SHEETS = (FileFormat.CSV, FileFormat.XLSX)
"""Formats that people open with a spreadsheet program: asked for one of them, the preset is for that."""


@dataclass(frozen=True)
class ExportWish:
    """What an operator wants written.

    :param channels: labels; None for all.
    :param span_s: from and to, in seconds since the Unix epoch; None for the whole session.
    :param version: of the definitions; None for the newest.
    """

    path: Path
    format: FileFormat = FileFormat.CSV
    layout: Layout = "wide"
    preset: Preset = "analysis"
    channels: tuple[str, ...] | None = None
    span_s: tuple[float, float] | None = None
    version: int | None = None
    has_sidecar: bool = True


class ExportDialog(Form):
    """Format, preset, layout, range, channels and file.

    :param stem: name of the file without its ending.
    :param labels: the session's channels.
    :param shown_s: what of the session a plot shows, as for :class:`ExportWish`; None where there is no plot.
    :param caution: what is to be known before anything is written.
    """

    def __init__(
        self,
        title: str,
        folder: Path,
        stem: str,
        labels: Sequence[str],
        shown_s: tuple[float, float] | None = None,
        version: int | None = None,
        parent: QWidget | None = None,
        *,
        caution: str = "",
    ) -> None:
        super().__init__(f"Export {title}", "&Export", parent=parent)
        self._labels = tuple(labels)
        self._shown_s = shown_s
        self._version = version
        self._replaced: Path | None = None
        self.format = _choice([words for _, words in FORMATS])
        self.preset = _choice([words for _, words in _PRESETS])
        self.layout_ = _choice([words for _, words in _LAYOUTS])
        self.range = _choice(["Whole session", "What the plot shows"])
        self.range.setEnabled(shown_s is not None)
        if shown_s is None:
            self.range.setToolTip("To write a part, view the session, zoom to it, and press Export… there")
        self.channels = self._list()
        self.all, self.none = QPushButton("&All"), QPushButton("&None")
        self.file = QLineEdit(str(folder / f"{stem}{FileFormat.CSV.suffix}"))
        self.sidecar = QCheckBox("Write a sidecar &file, too")
        self.sidecar.setChecked(True)
        self.sidecar.setToolTip(_SIDECAR_WORDS)
        browse = QPushButton("&Browse…")
        browse.clicked.connect(self._browse)
        place = QWidget()
        row = QHBoxLayout(place)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(SPACE)
        row.addWidget(self.file, 1)
        row.addWidget(browse)
        if caution:
            self.add("", _warning(caution))
        for label, field in (
            ("For&mat", self.format),
            ("&Preset", self.preset),
            ("&Layout", self.layout_),
            ("&Range", self.range),
            ("&Channels", self._with_all_and_none()),
            ("&To", place),
            ("", self.sidecar),
        ):
            self.add(label, field)
        self.setMinimumWidth(72 * SPACE)
        self.format.currentIndexChanged.connect(self._take_format)
        self.file.textChanged.connect(self._take_ending)
        self.file.textChanged.connect(self._check)
        self.channels.itemChanged.connect(self._check)
        self._check()

    def prefer(self, format: str, preset: str) -> None:
        """Begin with this format and preset."""
        self.format.setCurrentIndex(next(place for place, each in enumerate(FORMATS) if each[0].value == format))
        if self.preset.isEnabled():
            self.preset.setCurrentIndex(next(place for place, each in enumerate(_PRESETS) if each[0] == preset))

    @property
    def wish(self) -> ExportWish:
        """What was chosen."""
        chosen = tuple(item.text() for item in self._entries() if item.checkState() == Qt.Checked)
        return ExportWish(
            Path(self.file.text().strip()).expanduser(),
            FORMATS[self.format.currentIndex()][0],
            _LAYOUTS[self.layout_.currentIndex()][0],
            _PRESETS[self.preset.currentIndex()][0],
            None if chosen == self._labels else chosen,
            self._shown_s if self.range.currentIndex() == 1 else None,
            self._version,
            self.sidecar.isChecked(),
        )

    def accept(self) -> None:
        """Close; but ask once before a file that is there is replaced."""
        path = self.wish.path
        if os.path.isdir(path):
            self.say_wrong(f"“{path}” is a folder: name a file in it.")
        elif os.path.exists(path) and path != self._replaced:  # not Path.exists: names that cannot be raise there
            self._replaced = path
            self.say_wrong(f"“{path.name}” is there already. Press Export once more to replace it.")
        else:
            super().accept()

    def _list(self) -> QListWidget:
        names = QListWidget()
        names.setAccessibleName("Channels")
        names.setSelectionMode(QAbstractItemView.NoSelection)
        names.setItemDelegate(ChannelDelegate(names))
        names.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Preferred)
        names.setMinimumHeight(14 * SPACE)
        for label in self._labels:
            entry = QListWidgetItem(label, names)
            entry.setFlags(Qt.ItemIsEnabled | Qt.ItemIsUserCheckable)
            entry.setCheckState(Qt.Checked)
        return names

    def _with_all_and_none(self) -> QWidget:
        """Put buttons below the list that turn over all of it."""
        box = QWidget()
        box.setFocusProxy(self.channels)
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE)
        column.addWidget(self.channels)
        row = QHBoxLayout()
        row.setSpacing(SPACE)
        for button, state in ((self.all, Qt.Checked), (self.none, Qt.Unchecked)):
            button.setAutoDefault(False)
            button.clicked.connect(lambda _=False, state=state: self._tick_all(state))
            button.setVisible(len(self._labels) > 1)
            row.addWidget(button)
        row.addStretch(1)
        column.addLayout(row)
        return box

    def _tick_all(self, state: Qt.CheckState) -> None:
        for entry in self._entries():
            entry.setCheckState(state)

    def _entries(self) -> list[QListWidgetItem]:
        entries = (self.channels.item(row) for row in range(self.channels.count()))
        return [entry for entry in entries if entry is not None]

    def _take_format(self, index: int) -> None:
        """Let the file's ending follow; Excel is for a spreadsheet, the others are for programs."""
        chosen = FORMATS[index][0]
        path = Path(self.file.text().strip())
        if path.suffix in {each.suffix for each in FileFormat}:
            self.file.setText(str(path.with_suffix(chosen.suffix)))
        self.preset.setEnabled(chosen in _SHEETS)
        self.preset.setCurrentIndex(1 if chosen is FileFormat.XLSX else 0)

    def _take_ending(self, text: str) -> None:
        """Let the format follow the file's ending, or a file called .csv would hold something else."""
        suffix = Path(text.strip()).suffix
        for place, (format_, _) in enumerate(FORMATS):
            if suffix == format_.suffix and place != self.format.currentIndex():
                self.format.setCurrentIndex(place)

    def _check(self) -> None:
        has_channel = not self._labels or any(entry.checkState() == Qt.Checked for entry in self._entries())
        self.say_wrong("" if has_channel else "Choose a channel, or there is nothing to write.")
        self.accept_button.setEnabled(has_channel and bool(self.file.text().strip()))

    def _browse(self) -> None:
        dialog = QFileDialog(self, "Export to", str(Path(self.file.text()).parent))
        dialog.setAcceptMode(QFileDialog.AcceptSave)
        dialog.selectFile(Path(self.file.text()).name)
        dialog.fileSelected.connect(self._take_file)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _take_file(self, name: str) -> None:
        """Take over what was browsed to; that asks itself before a file is replaced."""
        self._replaced = Path(name)
        self.file.setText(name)


def _warning(words: str) -> QLabel:
    label = QLabel(words)
    label.setTextFormat(Qt.PlainText)
    label.setWordWrap(True)
    label.setProperty("state", "preview")
    return label


def _choice(words: Sequence[str]) -> Choice:
    choice = Choice()
    choice.addItems(words)
    choice.setSizePolicy(QSizePolicy.Expanding, QSizePolicy.Fixed)
    return choice
