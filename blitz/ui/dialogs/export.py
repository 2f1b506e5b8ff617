"""Asks what of a session is written, as what, and where."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PyQt5.QtWidgets import QCheckBox, QWidget

from blitz.data.export_formats import FileFormat, Layout, Preset
from blitz.ui.dialogs.file_form import FileForm, make_choice

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


class ExportDialog(FileForm):
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
        file = folder / f"{stem}{FileFormat.CSV.suffix}"
        super().__init__(f"Export {title}", "Export", file, labels, shown_s, caution, parent)
        self._version = version
        self.format = make_choice([words for _, words in FORMATS])
        self.preset = make_choice([words for _, words in _PRESETS])
        self.layout_ = make_choice([words for _, words in _LAYOUTS])
        self.sidecar = QCheckBox("Write a sidecar &file, too")
        self.sidecar.setChecked(True)
        self.sidecar.setToolTip(_SIDECAR_WORDS)
        for label, field in (
            ("For&mat", self.format),
            ("&Preset", self.preset),
            ("&Layout", self.layout_),
            ("&Range", self.range),
            ("&Channels", self.ticks),
            ("&To", self.place),
            ("", self.sidecar),
        ):
            self.add(label, field)
        self.format.currentIndexChanged.connect(self._take_format)
        self.file.textChanged.connect(self._take_ending)
        self._check()

    def prefer(self, format: str, preset: str) -> None:
        """Begin with this format and preset."""
        self.format.setCurrentIndex(next(place for place, each in enumerate(FORMATS) if each[0].value == format))
        if self.preset.isEnabled():
            self.preset.setCurrentIndex(next(place for place, each in enumerate(_PRESETS) if each[0] == preset))

    @property
    def wish(self) -> ExportWish:
        """What was chosen."""
        return ExportWish(
            self.path,
            FORMATS[self.format.currentIndex()][0],
            _LAYOUTS[self.layout_.currentIndex()][0],
            _PRESETS[self.preset.currentIndex()][0],
            self.ticks.chosen,
            self.span_s,
            self._version,
            self.sidecar.isChecked(),
        )

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
