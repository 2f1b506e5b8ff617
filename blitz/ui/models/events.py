"""The table of what happened, newest first: those lines that pass the filter."""

from typing import Any

from PyQt5.QtCore import QModelIndex, QObject, Qt
from PyQt5.QtGui import QColor, QFont, QIcon

from blitz.ui.event_log import EventLine, EventLog, Severity
from blitz.ui.icons import icon
from blitz.ui.models.columns import ColumnsModel
from blitz.ui.theme import LIGHT, Theme

COLUMNS = ("Time", "Severity", "About", "What happened")
TIME, SEVERITY, SOURCE, TEXT = range(4)
_ICONS = {
    Severity.INFO: "information-outline",
    Severity.WARNING: "alert-outline",
    Severity.ERROR: "alert-circle",
}


class EventsModel(ColumnsModel):
    """One row an event that passes the filter.

    :param log: changed by somebody else, who then calls :meth:`refresh`.
    """

    column_names = COLUMNS

    def __init__(self, log: EventLog, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._log = log
        self._lines: tuple[EventLine, ...] = ()
        self._severities: frozenset[Severity] = frozenset(Severity)
        self._words = ""
        self._icons: dict[Severity, QIcon] = {}
        self.theme: Theme = LIGHT

    @property
    def lines(self) -> tuple[EventLine, ...]:
        """What the rows show."""
        return self._lines

    def set_theme(self, theme: Theme) -> None:
        """Take over a theme's colours."""
        self.theme = theme
        self._icons.clear()
        self._tell_changed()

    def filter(self, severities: frozenset[Severity], words: str) -> None:
        """Show what is of these severities and has all of the words."""
        self._severities, self._words = severities, words
        self.refresh()

    def refresh(self) -> None:
        """Take over what the log has; rows stay selected where they are still there."""
        lines = tuple(line for line in self._log.lines if line.severity in self._severities and line.has(self._words))
        before = self._lines
        added = len(lines) - len(before)
        if added > 0 and lines[added:] == before:
            self.beginInsertRows(QModelIndex(), 0, added - 1)
            self._lines = lines
            self.endInsertRows()
        elif added == 0:
            self._lines = lines
            if lines != before:
                self._tell_changed()
        else:
            self.beginResetModel()
            self._lines = lines
            self.endResetModel()

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """One row an event."""
        return 0 if parent.isValid() else len(self._lines)

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Return what a cell shows."""
        if not index.isValid() or index.row() >= len(self._lines):
            return None
        line, column = self._lines[index.row()], index.column()
        if role == Qt.DisplayRole or (role == Qt.ToolTipRole and column == TEXT):
            return _text(line, column)
        if role == Qt.DecorationRole and column == SEVERITY:
            return self._icon(line.severity)
        if role == Qt.ForegroundRole and column in (TIME, SEVERITY):
            return QColor(self._colour(line.severity) if column == SEVERITY else self.theme.muted)
        if role == Qt.FontRole and not line.is_read and line.severity.is_trouble:
            bold = QFont()
            bold.setBold(True)
            return bold
        return None

    def _icon(self, severity: Severity) -> QIcon:
        if severity not in self._icons:
            self._icons[severity] = icon(_ICONS[severity], self.theme, self._colour(severity))
        return self._icons[severity]

    def _colour(self, severity: Severity) -> str:
        colours = {Severity.ERROR: self.theme.recording, Severity.WARNING: self.theme.warning}
        return colours.get(severity, self.theme.muted)

    def _tell_changed(self) -> None:
        if self._lines:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._lines) - 1, len(COLUMNS) - 1))


def _text(line: EventLine, column: int) -> str:
    if column == TIME:
        return line.time.astimezone().strftime("%m-%d %H:%M:%S")
    if column == SEVERITY:
        return line.severity.value
    if column == SOURCE:
        return line.source
    return f"{line.text} (×{line.count})" if line.count > 1 else line.text
