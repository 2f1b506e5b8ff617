"""The table of variables: columns that fit its width or the operator's choice, names and units typed in place."""

from collections.abc import Callable

from PyQt5.QtCore import QModelIndex, QPoint, Qt, pyqtSignal
from PyQt5.QtGui import QContextMenuEvent, QFontMetrics, QKeyEvent, QResizeEvent
from PyQt5.QtWidgets import QAbstractItemView, QHeaderView, QMenu, QWidget

from blitz.ui.live_store import LiveChannel
from blitz.ui.models.variable_rows import VariableRows
from blitz.ui.models.variables import (
    AGE,
    CHANNEL,
    COLUMNS,
    HIGH,
    LIMITS,
    LOW,
    SOURCE,
    TREND,
    UNIT,
    VALUE,
    VariablesModel,
)
from blitz.ui.theme import number_font
from blitz.ui.widgets.quick_cells import NameDelegate, QuickDelegate, TrendDelegate
from blitz.ui.widgets.table import DENSE_ROW_HEIGHT, Table

_EMPTY = "Values appear here as soon as a board sends some."
_NO_MATCH = "No channel has all of these words."
_LEAST = {VALUE: "-0000", UNIT: "Unit", LOW: "-0000", HIGH: "-0000", LIMITS: "▲ high", SOURCE: "Source", AGE: "0.0 s"}
"""Texts that columns have room for at least; they grow with their texts and never shrink, so that nothing jumps."""
_MOST = {UNIT: "mmmmmm", SOURCE: "mmmmmmmmmm"}
_TREND_WIDTH, _NARROW_TREND_WIDTH = 76, 44
_PADDING = 13
_NAME, _NARROW_NAME = "m" * 9, "m" * 7
"""What there should be room for in the column of names before other columns are shown, and when space is scarce."""
_LEFT_OUT = ((), (SOURCE,), (SOURCE, LOW, HIGH))
"""Columns that are left out where there is no room for them, the least important first."""


class ChannelTable(Table):
    """Shows the channels of a :class:`VariablesModel`."""

    menu_requested = pyqtSignal(object, object)
    """LiveChannel, and QPoint on the screen: a menu for that row is wanted"""
    columns_changed = pyqtSignal()
    """The operator has chosen columns."""
    columns_fitted = pyqtSignal()
    refused = pyqtSignal(str)
    """Why a name or unit cannot be typed."""

    def __init__(self, variables: VariablesModel, parent: QWidget | None = None) -> None:
        self.variables = variables
        self.rows = VariableRows(variables)
        self._chosen: dict[str, bool] = {}
        self._widths: dict[int, int] = {}
        super().__init__(self.rows, _EMPTY, parent)
        self.rows.setParent(self)
        self._number_metrics = QFontMetrics(number_font(self.font()))
        self.setProperty("kind", "dense")
        self.setAccessibleName("Variables")
        self.setSelectionMode(QAbstractItemView.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.DoubleClicked | QAbstractItemView.EditKeyPressed)
        self.setTextElideMode(Qt.ElideMiddle)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarAlwaysOff)
        self.verticalHeader().setDefaultSectionSize(DENSE_ROW_HEIGHT + 2)
        self.setItemDelegate(QuickDelegate(self))
        self.setItemDelegateForColumn(CHANNEL, NameDelegate(self))
        self.setItemDelegateForColumn(TREND, TrendDelegate(self))
        header = self.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.Fixed)
        header.setSectionResizeMode(CHANNEL, QHeaderView.Stretch)
        header.setContextMenuPolicy(Qt.CustomContextMenu)
        header.customContextMenuRequested.connect(lambda place: self.columns_menu().popup(header.mapToGlobal(place)))
        header.setToolTip("A right click chooses the columns")
        self.activated.connect(self._turn)
        self.rows.modelAboutToBeReset.connect(self._remember_place)
        self.rows.modelReset.connect(self._take_rows)
        self.rows.dataChanged.connect(self._measure)
        variables.shown_changed.connect(self._fit_columns)  # other channels, perhaps with limits now
        self._place: tuple[str, int, int] | None = None
        self._take_rows()

    @property
    def chosen_columns(self) -> str:
        """Which columns the operator chose, as a text for :meth:`choose_columns`."""
        return " ".join(f"{'+' if is_on else '-'}{name}" for name, is_on in self._chosen.items())

    def choose_columns(self, chosen: str) -> None:
        """Take over what :attr:`chosen_columns` said; unknown names are left out."""
        parts = [(part[1:], part[:1] == "+") for part in chosen.split()]
        self._chosen = {name: is_on for name, is_on in parts if name in COLUMNS}
        self._fit_columns()

    def choose_column(self, column: int, is_shown: bool) -> None:
        """Show or hide a column, whatever the width."""
        self._chosen[COLUMNS[column]] = is_shown
        self._fit_columns()
        self.columns_changed.emit()

    def filter(self, text: str) -> None:
        """Show the channels only that have these words."""
        self.set_hint(_NO_MATCH if text.strip() else _EMPTY)
        self.rows.filter(text)

    def channel_at(self, index: QModelIndex) -> LiveChannel | None:
        """Return the channel of a row; None for the head of a board."""
        origin = self.rows.origin(index)
        return self.variables.channels[origin.row()] if origin.isValid() else None

    @property
    def selected_channels(self) -> list[LiveChannel]:
        """The channels of the selected rows."""
        found = [self.channel_at(index) for index in self.selectionModel().selectedRows()]
        return [channel for channel in found if channel is not None]

    def edit_cell(self, channel: LiveChannel, column: int) -> None:
        """Let a name or unit be typed where it stands; says why that cannot be."""
        row = self.rows.row_of(channel.source.name, channel.column)
        if row is None:
            return
        if self.variables.refusal:
            self.refused.emit(self.variables.refusal)
            return
        if self.isColumnHidden(column):
            self.choose_column(column, True)
        self.setCurrentIndex(self.rows.index(row, column))
        self.edit(self.rows.index(row, column))

    def columns_menu(self) -> QMenu:
        """Return the menu that shows and hides columns."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WA_DeleteOnClose)
        for column in range(VALUE, len(COLUMNS)):
            action = menu.addAction(COLUMNS[column])
            action.setCheckable(True)
            action.setChecked(not self.isColumnHidden(column))
            action.triggered.connect(_with(self.choose_column, column))
        menu.addSeparator()
        usual = menu.addAction("As fits the width")
        usual.setEnabled(bool(self._chosen))
        usual.triggered.connect(self._choose_usual)
        return menu

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """F2 renames the row's channel, Space shows or hides it, whichever cell is current."""
        index = self.currentIndex()
        channel = self.channel_at(index)
        if channel is not None and event.key() == Qt.Key_F2:
            self.edit_cell(channel, index.column() if index.column() == UNIT else CHANNEL)
        elif channel is not None and event.key() in (Qt.Key_Space, Qt.Key_Select):
            self._turn(index)
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Ask for the menu of the row."""
        is_key = event.reason() == QContextMenuEvent.Keyboard
        index = self.currentIndex() if is_key else self.indexAt(event.pos())
        channel = self.channel_at(index)
        if channel is None:
            return
        corner = self.viewport().mapToGlobal(self.visualRect(index).bottomLeft()) if is_key else event.globalPos()
        self.menu_requested.emit(channel, QPoint(corner))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Choose the columns that have room."""
        super().resizeEvent(event)
        self._fit_columns()

    def _turn(self, index: QModelIndex) -> None:
        """Show or hide a row's channel in the plot; a double click on a name that cannot be typed says why."""
        origin = self.rows.origin(index).siblingAtColumn(CHANNEL)
        if origin.isValid():
            is_shown = origin.data(Qt.CheckStateRole) == Qt.Checked
            self.variables.setData(origin, Qt.Unchecked if is_shown else Qt.Checked, Qt.CheckStateRole)

    def _choose_usual(self) -> None:
        self._chosen.clear()
        self._fit_columns()
        self.columns_changed.emit()

    def _fit_columns(self) -> None:
        """Show what was chosen, and of the others those that leave room for the names."""
        usual, is_narrow = self._usual_columns()
        if is_narrow != self.rows.is_narrow:
            self.rows.is_narrow = is_narrow
            self.rows.headerDataChanged.emit(Qt.Horizontal, LIMITS, TREND)
        for column in range(VALUE, len(COLUMNS)):
            self.setColumnHidden(column, not self._chosen.get(COLUMNS[column], column in usual))
            self.setColumnWidth(column, self._width(column, is_narrow))
        self.columns_fitted.emit()

    def _usual_columns(self) -> tuple[set[int], bool]:
        """Return the columns that are shown where nothing was chosen, and whether they must be narrow."""
        columns = set(range(VALUE, len(COLUMNS)))
        if not self.variables.has_limits:
            columns.remove(LIMITS)
        for left_out in _LEFT_OUT:
            if self._room(columns.difference(left_out), is_narrow=False) >= self._text_width(_NAME):
                return columns.difference(left_out), False
        columns.difference_update(_LEFT_OUT[-1])
        if self._room(columns, is_narrow=True) < self._text_width(_NARROW_NAME):
            columns.remove(TREND)
        return columns, True

    def _room(self, usual: set[int], *, is_narrow: bool) -> int:
        """Return how much of the width is left for the names."""
        shown = [column for column in range(VALUE, len(COLUMNS)) if self._chosen.get(COLUMNS[column], column in usual)]
        return self.viewport().width() - sum(self._width(column, is_narrow) for column in shown)

    def _width(self, column: int, is_narrow: bool) -> int:
        if column == TREND:
            return _NARROW_TREND_WIDTH if is_narrow else _TREND_WIDTH
        if column == LIMITS and is_narrow:
            return self._text_width("▲") - _PADDING // 2
        return self._widths.get(column, 0)

    def _text_width(self, text: str) -> int:
        advance = max(metrics.horizontalAdvance(text) for metrics in (self.fontMetrics(), self._number_metrics))
        return advance + _PADDING

    def _measure(self) -> None:
        """Give texts that have become longer their room."""
        before = dict(self._widths)
        for column, least in _LEAST.items():
            texts = {self.variables.index(row, column).data() or "" for row in range(self.variables.rowCount())}
            longest = max(map(len, texts), default=0)
            longer = [text for text in texts if len(text) == longest]
            needed = max(self._text_width(text) for text in (least, COLUMNS[column], *longer))
            most = self._text_width(_MOST[column]) if column in _MOST else needed
            self._widths[column] = max(before.get(column, 0), min(needed, most))
        if self._widths != before:
            self._fit_columns()

    def _remember_place(self) -> None:
        channel = self.channel_at(self.currentIndex())
        if channel is not None:
            self._place = channel.source.name, channel.column, self.currentIndex().column()

    def _take_rows(self) -> None:
        """Give heads their whole row, and the current cell back its place."""
        self.clearSpans()
        for row in self.rows.heads:
            self.setSpan(row, 0, 1, len(COLUMNS))
        self._measure()
        self._fit_columns()
        if self._place is not None:
            source, column, cell = self._place
            place = self.rows.row_of(source, column)
            if place is not None:
                self.setCurrentIndex(self.rows.index(place, cell))


def _with(choose: Callable[[int, bool], None], column: int) -> Callable[[bool], None]:
    return lambda is_on: choose(column, is_on)
