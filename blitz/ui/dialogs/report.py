"""Asks what a session's report is to show, who makes it, and where it is written."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PyQt5.QtWidgets import QFileDialog, QLineEdit, QWidget

from blitz.data.report_choice import PlotsBy
from blitz.ui.dialogs.file_form import FileForm, make_choice, with_browse

_PLOTS = (
    (PlotsBy.UNIT, "Channels of one unit in a plot"),
    (PlotsBy.CHANNEL, "A plot for each channel"),
    (PlotsBy.NONE, "No plots"),
)
_TEMPLATE_WORDS = (
    "Your laboratory's own page, or a folder with a report.html in it.\n"
    "“blitz report --write-template FILE” writes the usual one, to be changed."
)


@dataclass(frozen=True)
class ReportWish:
    """What an operator wants of a report.

    :param channels: labels; None for all.
    :param span_s: from and to, in seconds since the Unix epoch; None for the whole session.
    :param version: of the definitions; None for the newest.
    :param template: None for the usual page.
    """

    path: Path
    plots: PlotsBy = PlotsBy.UNIT
    channels: tuple[str, ...] | None = None
    span_s: tuple[float, float] | None = None
    version: int | None = None
    template: Path | None = None
    author: str = ""


class ReportDialog(FileForm):
    """Plots, range, channels, template, author and file.

    :param file: what is proposed.
    :param labels: the session's channels.
    :param shown_s: what of the session a plot shows, as for :class:`ReportWish`; None where there is no plot.
    :param caution: what is to be known before anything is written.
    """

    def __init__(
        self,
        title: str,
        file: Path,
        labels: Sequence[str],
        shown_s: tuple[float, float] | None = None,
        version: int | None = None,
        parent: QWidget | None = None,
        *,
        caution: str = "",
    ) -> None:
        super().__init__(f"Report of {title}", "Report", file, labels, shown_s, caution, parent)
        self._version = version
        self.plots = make_choice([words for _, words in _PLOTS])
        self.author = QLineEdit()
        self.author.setPlaceholderText("Nobody is named")
        self.template = QLineEdit()
        self.template.setPlaceholderText("The usual page")
        self.template.setToolTip(_TEMPLATE_WORDS)
        self.template.setClearButtonEnabled(True)
        for label, field in (
            ("&Plots", self.plots),
            ("Ran&ge", self.range),
            ("&Channels", self.ticks),
            ("Te&mplate", with_browse(self.template, self._browse_template, "Bro&wse…")),
            ("Made b&y", self.author),
            ("&To", self.place),
        ):
            self.add(label, field)
        self._check()

    def prefer(self, plots: str, template: str, author: str) -> None:
        """Begin with what was chosen before; what is no choice any more is passed over."""
        names = [each.value for each, _ in _PLOTS]
        self.plots.setCurrentIndex(names.index(plots) if plots in names else 0)
        self.template.setText(template)
        self.author.setText(author)

    @property
    def wish(self) -> ReportWish:
        """What was chosen."""
        template = self.template.text().strip()
        return ReportWish(
            self.path,
            _PLOTS[self.plots.currentIndex()][0],
            self.ticks.chosen,
            self.span_s,
            self._version,
            Path(template).expanduser() if template else None,
            self.author.text().strip(),
        )

    def _browse_template(self) -> None:
        place = self.template.text() or str(Path.home())
        dialog = QFileDialog(self, "Template of the report", place, "Templates (*.html *.j2);;All files (*)")
        dialog.setFileMode(QFileDialog.ExistingFile)
        dialog.fileSelected.connect(self.template.setText)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
