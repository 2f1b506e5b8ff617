"""The table of statistics of a stretch: a row a channel."""

from PyQt5.QtGui import QGuiApplication
from PyQt5.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from blitz.data.range_statistics import RangeStatistics
from blitz.ui.formats import format_count
from blitz.ui.models.text_rows import TextRows
from blitz.ui.theme import SPACE, number_font
from blitz.ui.widgets.analysis_tabs import NO_CHANNEL, AnalysisTab, Work, number_words
from blitz.ui.widgets.table import Table

_COLUMNS = (
    "Channel",
    "Unit",
    "Count",
    "No value",
    "Min",
    "Max",
    "Mean",
    "Std. dev.",
    "RMS",
    "Slope [/s]",
    "Integral [·s]",
)
_TIPS = {
    2: "Readings with a value",
    3: "Readings without a value",
    7: "Standard deviation, of a sample: divided by count − 1",
    8: "Root of the mean square",
    9: "Of the straight line with the least squares, in the unit a second",
    10: "By trapezoids over time, in the unit times seconds. A step longer than five usual ones adds nothing.",
}


class StatisticsTab(AnalysisTab):
    """A row a channel."""

    title = "Statistics"

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows = TextRows(_COLUMNS, range(2, len(_COLUMNS)), _TIPS, self)
        self.table = Table(self.rows, NO_CHANNEL)
        self.table.setAccessibleName("Statistics")
        self.table.setProperty("kind", "dense")
        self.table.set_widths(130, 54, 62, 72, 82, 82, 102, 82, 82, 96, 100)
        self.table.share_room(*range(len(_COLUMNS)))
        self.table.setSelectionMode(Table.ExtendedSelection)
        self.rows.number_font = number_font(self.font(), self.font().pointSizeF())
        self.copy = QPushButton("Copy")
        self.copy.setProperty("kind", "small")
        self.copy.setToolTip("Copy the whole table, for a spreadsheet")
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.rows.text))
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(self.copy)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(SPACE // 2)
        column.addWidget(self.table, 1)
        column.addLayout(foot)

    def work(self) -> Work | None:
        """Compute all channels."""
        wanted = [shown.channel for shown in self.channels]
        return (lambda stretch: stretch.statistics(wanted)) if wanted else None

    def show_result(self, result: list[RangeStatistics]) -> None:
        """Show a row a channel."""
        self.rows.show([statistics_row(found) for found in result])
        is_empty = all(found.count == found.nan_count == 0 for found in result)
        self.tell(("There is no reading here.",) if is_empty else ("Every reading counts.",))

    def show_refusal(self, text: str) -> None:
        """Say why there is nothing."""
        self.rows.show(())
        self.table.set_hint(text or NO_CHANNEL)
        self.tell(())


def statistics_row(found: RangeStatistics) -> tuple[str, ...]:
    """Return a row of the table of statistics."""
    numbers = (
        found.minimum,
        found.maximum,
        found.mean,
        found.standard_deviation,
        found.rms,
        found.slope,
        found.integral,
    )
    counts = format_count(found.count), format_count(found.nan_count)
    return (found.label, found.unit, *counts, *(number_words(number) for number in numbers))
