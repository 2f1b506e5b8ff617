"""The side panel of the live page: the table of variables, and the last ten readings."""

from collections.abc import Callable

from PyQt5.QtCore import Qt, pyqtSignal
from PyQt5.QtGui import QKeyEvent
from PyQt5.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from blitz.ui.live_store import LiveStore
from blitz.ui.models.last_readings import LastReadingsModel
from blitz.ui.models.variables import HIGH, LOW, VariablesModel
from blitz.ui.theme import SPACE, Theme, number_font
from blitz.ui.widgets.channel_table import ChannelTable
from blitz.ui.widgets.table import DENSE_ROW_HEIGHT, Table

REFRESH_MS = 250
"""How often :meth:`ChannelSide.refresh` is worth a call."""
FILTER_FROM = 13
"""From so many channels on there is a field to filter them."""
LEAST_WIDTH = 340


class ChannelSide(QWidget):
    """Tabs with the tables; the page that it stands on calls :meth:`refresh` and :meth:`set_theme`.

    :param variables: which channels the plot shows, shared with it.
    """

    reset_requested = pyqtSignal(object)
    """list[LiveChannel], of which the smallest and largest reading are to begin anew"""

    def __init__(self, store: LiveStore, variables: VariablesModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._seen_version = -1
        self.variables = variables
        self.last_readings = LastReadingsModel(store, self)
        self.variables_table = ChannelTable(variables)
        self.last_table = Table(self.last_readings, "The last ten readings of each channel appear here.")
        self.filter = _FilterField()
        self.filter.setPlaceholderText("Filter channels")
        self.filter.setAccessibleName("Filter channels")
        self.filter.setToolTip("Words of names, units or boards; Escape shows all again")
        self.filter.setClearButtonEnabled(True)
        self.filter.textChanged.connect(self.variables_table.filter)
        self.buttons: dict[str, QPushButton] = {}
        self.tabs = QTabWidget()
        self._lay_out()
        self._set_up_last()
        variables.number_font = number_font(self.font())
        variables.modelReset.connect(self._show_filter)
        variables.shown_changed.connect(self._show_filter)
        self.tabs.currentChanged.connect(lambda _: self._refresh_last())
        self.variables_table.columns_fitted.connect(self._show_reset)
        self.setMinimumWidth(LEAST_WIDTH)
        self._show_filter()

    def refresh(self, now_s: float) -> None:
        """Bring the tables up to date; ages go on even when nothing arrives.

        :param now_s: the server's time, in seconds since the Unix epoch.
        """
        self.variables.refresh(now_s)
        if self.last_table.isVisible():
            self._refresh_last()

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self.variables.set_theme(theme)

    def _refresh_last(self) -> None:
        if self._store.version != self._seen_version:
            self._seen_version = self._store.version
            self.last_readings.refresh()

    def _show_filter(self) -> None:
        is_long = len(self.variables.channels) >= FILTER_FROM
        self.filter.setVisible(is_long)
        if not is_long:
            self.filter.clear()

    def _show_reset(self) -> None:
        table = self.variables_table
        self.buttons["Reset min/max"].setVisible(not (table.isColumnHidden(LOW) and table.isColumnHidden(HIGH)))

    def _lay_out(self) -> None:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, SPACE, 0, 0)
        column.setSpacing(SPACE // 2)
        column.addLayout(self._button_row())
        column.addWidget(self.filter)
        column.addWidget(self.variables_table, 1)
        last = QWidget()
        last_column = QVBoxLayout(last)
        last_column.setContentsMargins(0, SPACE, 0, 0)
        last_column.addWidget(self.last_table)
        self.tabs.addTab(page, "Variables")
        self.tabs.addTab(last, "Last ten readings")
        self.tabs.setDocumentMode(True)
        self.tabs.tabBar().setDrawBase(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.tabs)

    def _button_row(self) -> QHBoxLayout:
        variables = self.variables
        choices: tuple[tuple[str, str, Callable[[], object]], ...] = (
            ("All", "Show every channel in the plot", lambda: variables.show_only(variables.labels)),
            ("None", "Show no channel in the plot", lambda: variables.show_only(set())),
            ("Usual", "Show the channels that the boards' definitions choose", lambda: variables.show_only(None)),
            (
                "Reset min/max",
                "Let the smallest and largest reading of every channel begin anew",
                lambda: self.reset_requested.emit(list(variables.channels)),
            ),
        )
        row = QHBoxLayout()
        row.setSpacing(0)
        for label, words, act in choices:
            button = QPushButton(label)
            button.setProperty("kind", "quiet")
            button.setToolTip(words)
            button.clicked.connect(_without_state(act))
            if label == "Reset min/max":
                row.addStretch(1)
            row.addWidget(button)
            self.buttons[label] = button
        return row

    def _set_up_last(self) -> None:
        self.last_readings.number_font = number_font(self.font())
        table, rows = self.last_table, self.last_table.verticalHeader()
        table.setAccessibleName("Last ten readings")
        table.setProperty("kind", "dense")
        table.setSelectionMode(Table.ExtendedSelection)
        rows.show()
        rows.setDefaultAlignment(Qt.AlignLeft | Qt.AlignVCenter)
        rows.setTextElideMode(Qt.ElideMiddle)
        rows.setMaximumWidth(150)
        rows.setDefaultSectionSize(DENSE_ROW_HEIGHT)
        table.horizontalHeader().setSectionResizeMode(QHeaderView.Fixed)
        self.last_readings.grew.connect(self._widen_columns)
        self._widen_columns(4)

    def _widen_columns(self, digits: int) -> None:
        metrics = self.last_table.fontMetrics()
        width = max(metrics.horizontalAdvance("0") * digits, metrics.horizontalAdvance("Last")) + 15
        self.last_table.horizontalHeader().setDefaultSectionSize(width)


class _FilterField(QLineEdit):
    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key_Escape and self.text():
            self.clear()
        else:
            super().keyPressEvent(event)


def _without_state(act: Callable[[], object]) -> Callable[[bool], None]:
    return lambda _: (act(), None)[1]
