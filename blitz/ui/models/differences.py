"""How each session differs from the reference, a row a session and channel."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PyQt5.QtCore import QModelIndex, QObject, Qt

from blitz.data.session_differences import DifferenceNumbers
from blitz.ui.formats import MISSING, format_count
from blitz.ui.models.columns import ColumnsModel

COLUMNS = ("Session", "Channel", "Compared", "Without", "Mean", "RMS", "Largest", "At", "Outside")
OUTSIDE = 8
"""The column that has no meaning without a tolerance."""
_TIPS = (
    "",
    "",
    "Values of the reference that the session has something to compare with",
    "Values of the reference at which the session has none near enough: gaps are not bridged",
    "Mean of session minus reference",
    "Root of the mean square of the differences",
    "The difference that is farthest from zero, with its sign",
    "When that was, counted from where the sessions are aligned",
    "Share of the compared values that were farther from the reference than the tolerance",
)


@dataclass(frozen=True)
class DifferenceRow:
    """One row.

    :param numbers: None while they are computed.
    :param note: what stands instead of numbers.
    """

    session: str
    label: str
    unit: str = ""
    numbers: DifferenceNumbers | None = None
    zero_ns: int = 0
    note: str = "computing…"


class DifferencesModel(ColumnsModel):
    """Numbers stand with the channel's unit; the tolerance's column is empty where there is none."""

    column_names = COLUMNS
    number_columns = tuple(range(2, len(COLUMNS)))

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._rows: tuple[DifferenceRow, ...] = ()

    @property
    def rows(self) -> tuple[DifferenceRow, ...]:
        """What is listed."""
        return self._rows

    def show(self, rows: Sequence[DifferenceRow]) -> None:
        """List these."""
        rows = tuple(rows)
        if rows == self._rows:
            return
        if len(rows) == len(self._rows):
            self._rows = rows
            self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, len(COLUMNS) - 1))
            return
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """One row a session and channel."""
        return 0 if parent.isValid() else len(self._rows)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.DisplayRole) -> Any:
        """Return names, and what they mean."""
        if role == Qt.ToolTipRole and orientation == Qt.Horizontal and 0 <= section < len(_TIPS):
            return _TIPS[section] or None
        return super().headerData(section, orientation, role)

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Return the words of a cell."""
        if not index.isValid():
            return None
        if role == Qt.DisplayRole:
            return cell_words(self._rows[index.row()], index.column())
        if role == Qt.TextAlignmentRole and index.column() in self.number_columns:
            return int(Qt.AlignRight | Qt.AlignVCenter)
        if role == Qt.ToolTipRole:
            return cell_words(self._rows[index.row()], index.column())
        return None


def cell_words(row: DifferenceRow, column: int) -> str:
    """Return what a cell says."""
    if column < 2:
        return (row.session, row.label)[column]
    numbers = row.numbers
    if numbers is None:
        return row.note if column == 2 else ""
    if column == 2:
        return format_count(numbers.count) if numbers.count else "nothing in common"
    if column == 3:
        return format_count(numbers.missing)
    if not numbers.count:
        return MISSING
    if column == 7:
        return MISSING if numbers.largest_ns is None else seconds_words((numbers.largest_ns - row.zero_ns) / 1e9)
    if column == OUTSIDE:
        share = numbers.outside_share
        return "" if share is None else share_words(share, numbers.outside or 0)
    value = (numbers.mean, numbers.rms, numbers.largest)[column - 4]
    sign = "" if column == 5 else "+"
    words = f"{value:{sign}.5g} {row.unit}".rstrip()
    return f"−{words[1:]}" if words.startswith("-") else words


def seconds_words(seconds: float) -> str:
    """Write a time since a moment.

    >>> seconds_words(2.5), seconds_words(-61.25), seconds_words(3725)
    ('2.500 s', '−1:01.250', '1:02:05.000')
    """
    sign, seconds = ("−", -seconds) if seconds < 0 else ("", seconds)
    if seconds < 60:
        return f"{sign}{seconds:.3f} s"
    minutes, rest = divmod(round(seconds, 3), 60)
    if minutes < 60:
        return f"{sign}{minutes:.0f}:{rest:06.3f}"
    return f"{sign}{minutes // 60:.0f}:{minutes % 60:02.0f}:{rest:06.3f}"


def share_words(share: float, count: int) -> str:
    """Write a share, and of a small one how many they were.

    >>> share_words(0.25, 100), share_words(0.0, 0), share_words(0.0001, 3)
    ('25.0 %', 'none', '0.010 % (3)')
    """
    if not count:
        return "none"
    return f"{100 * share:.1f} %" if share >= 0.01 else f"{100 * share:.3f} % ({format_count(count)})"
