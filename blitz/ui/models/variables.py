"""The table of variables: what is known of each channel now. A tick shows it in the plot; names and units are typed."""

from collections.abc import Callable
from functools import cache
from itertools import count
from typing import Any, NamedTuple

from PyQt5.QtCore import QModelIndex, QObject, Qt, pyqtSignal
from PyQt5.QtGui import QColor, QFont

from blitz.ui.channel_state import LimitState, limit_words
from blitz.ui.live_store import LiveChannel, LiveStore
from blitz.ui.models.channel_values import ChannelNow, ChannelValues
from blitz.ui.models.columns import ColumnsModel
from blitz.ui.theme import LIGHT, Theme

COLUMNS = ("Channel", "Value", "Unit", "Min", "Max", "Limits", "Trend", "Source", "Age")
CHANNEL, VALUE, UNIT, LOW, HIGH, LIMITS, TREND, SOURCE, AGE = range(len(COLUMNS))
NUMBERS = (VALUE, LOW, HIGH, AGE)
TREND_ROLE = int(Qt.UserRole) + 1
"""The last readings of a row's channel, oldest first, an array (n,)."""
LOOK_ROLE = int(Qt.UserRole) + 3
""":class:`CellLook`: all that is painted of a cell, in one call."""
_RIGHT = int(Qt.AlignRight | Qt.AlignVCenter)
_HEADS = {
    LOW: "Smallest reading since the session began or this window connected, or since it was reset",
    HIGH: "Largest reading since the session began or this window connected, or since it was reset",
    LIMITS: "Whether the value is within the limits of its channel",
    TREND: "The last hundred readings",
    AGE: "How long ago the value came",
}


class CellLook(NamedTuple):
    """What a cell of the table shows; no colour: that of usual text."""

    text: str
    colour: QColor | None = None
    is_number: bool = False
    is_head: bool = False


class VariablesModel(ColumnsModel):
    """Reads a :class:`LiveStore`; :meth:`refresh` is called by a timer.

    :param colours: gives the colour of the n-th channel in the theme in force.
    """

    column_names = COLUMNS
    number_columns = NUMBERS

    shown_changed = pyqtSignal()
    change_requested = pyqtSignal(object, object)
    """LiveChannel, and dict[str, object], what its fields are to be; see :func:`blitz.ui.channel_edits.changed`"""

    def __init__(self, store: LiveStore, colours: Callable[[int], str], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._colours = colours
        self._values = ChannelValues(store)
        self._rows: tuple[LiveChannel, ...] = ()
        self._seen: tuple[object, ...] = ()
        self._shown: dict[str, bool] = {}
        self._order: dict[tuple[int, int], int] = {}
        self._known_places: dict[tuple[str, int], int] = {}
        self.number_font: QFont | None = None
        self.theme: Theme = LIGHT
        self.refusal = ""
        """Why names and units cannot be typed; empty where they can."""

    @property
    def channels(self) -> tuple[LiveChannel, ...]:
        """All channels, in the order of the rows."""
        return self._rows

    @property
    def latest(self) -> tuple[ChannelNow, ...]:
        """All channels as they were at the last :meth:`refresh`, in the order of the rows."""
        return self._values.rows

    @property
    def shown_channels(self) -> tuple[LiveChannel, ...]:
        """The channels that the plot shows."""
        return tuple(row for row in self._rows if self.is_shown(row))

    @property
    def labels(self) -> set[str]:
        """The labels of all channels."""
        return {row.label for row in self._rows}

    @property
    def has_limits(self) -> bool:
        """Whether any channel has limits."""
        return any(row.channel.limit_low is not None or row.channel.limit_high is not None for row in self._rows)

    def is_shown(self, channel: LiveChannel) -> bool:
        """Whether the plot shows a channel: as chosen by its label, else as its definition says."""
        return self._shown.get(channel.label, channel.channel.shown)

    def colour(self, channel: LiveChannel) -> str:
        """Return a channel's colour: its own, else one of the theme in force."""
        return channel.channel.color or self._colours(self.colour_index(channel))

    def colour_index(self, channel: LiveChannel) -> int:
        """Return a channel's place in the order of colours: those shown by default come first, as they came."""
        return self._order.get(channel.key, 0)

    def refresh(self, now_s: float) -> None:
        """Read the newest values.

        :param now_s: the server's time, in seconds since the Unix epoch.
        """
        if self._store.channels != self._rows:
            self._take_channels(now_s)
            return
        self._values.read(now_s)
        if self._note_texts() and self._rows:
            self.dataChanged.emit(self.index(0, VALUE), self.index(len(self._rows) - 1, AGE))

    def set_theme(self, theme: Theme) -> None:
        """Take over colours."""
        self.theme = theme
        self.recolour()

    def recolour(self) -> None:
        """Read the colours again, after a change of theme."""
        if self._rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._rows) - 1, AGE))

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """One row a channel."""
        return 0 if parent.isValid() else len(self._rows)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.DisplayRole) -> Any:
        """Return the name of a column, what it means as tooltip."""
        if role == Qt.ToolTipRole and orientation == Qt.Horizontal:
            return _HEADS.get(section)
        return super().headerData(section, orientation, role)

    def flags(self, index: QModelIndex) -> Qt.ItemFlags:
        """Channels can be ticked; names and units can be typed, unless that would be refused."""
        flags = super().flags(index)
        if index.column() == CHANNEL:
            flags |= Qt.ItemIsUserCheckable
        return flags | Qt.ItemIsEditable if index.column() in (CHANNEL, UNIT) and not self.refusal else flags

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Return what a cell shows."""
        if not index.isValid() or index.row() >= len(self._values.rows):
            return None
        now, column = self._values.rows[index.row()], index.column()
        if role == LOOK_ROLE:
            return self.look(index.row(), column)
        if role in (Qt.DisplayRole, Qt.EditRole):
            return self._text(now, column)
        if role == Qt.ForegroundRole:
            return self._ink(now, column)
        if role == TREND_ROLE:
            return self._values.trend(now.channel)
        if role == Qt.ToolTipRole:
            return _tooltip(now, column)
        if column in NUMBERS and role in (Qt.TextAlignmentRole, Qt.FontRole):
            return _RIGHT if role == Qt.TextAlignmentRole else self.number_font
        if column == CHANNEL and role == Qt.CheckStateRole:
            return Qt.Checked if self.is_shown(now.channel) else Qt.Unchecked
        if role == Qt.DecorationRole and column == CHANNEL:
            return QColor(self.colour(now.channel))
        return None

    def setData(self, index: QModelIndex, value: Any, role: int = Qt.EditRole) -> bool:
        """Show or hide a channel in the plot, or ask for another name or unit."""
        row = self._rows[index.row()]
        if role == Qt.EditRole and index.column() in (CHANNEL, UNIT):
            if value != index.data(Qt.EditRole):
                self.change_requested.emit(row, {"display_name" if index.column() == CHANNEL else "unit": value})
            return True
        if role != Qt.CheckStateRole or index.column() != CHANNEL:
            return False
        self._shown[row.label] = value == Qt.Checked
        self.dataChanged.emit(index, index, [Qt.CheckStateRole])
        self.shown_changed.emit()
        return True

    def show_only(self, labels: set[str] | None) -> None:
        """Tick exactly these channels; None ticks them as their definitions say."""
        self._shown = {} if labels is None else {row.label: row.label in labels for row in self._rows}
        if self._rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._rows) - 1, 0), [Qt.CheckStateRole])
        self.shown_changed.emit()

    def look(self, row: int, column: int) -> CellLook:
        """Return what is painted of a cell."""
        now = self._values.rows[row]
        return CellLook(self._text(now, column), self._ink(now, column), column in NUMBERS)

    def _text(self, now: ChannelNow, column: int) -> str:
        channel = now.channel
        if column == VALUE:
            return now.text
        if column == AGE:
            return now.age
        if column in (LOW, HIGH):
            return now.extreme(now.low if column == LOW else now.high)
        if column == LIMITS:
            return now.limit.value
        if column == CHANNEL:
            return channel.channel.display_name
        if column == UNIT:
            return channel.channel.unit
        return channel.source.name if column == SOURCE else ""

    def _ink(self, now: ChannelNow, column: int) -> QColor | None:
        if now.is_silent:
            return _ink(self.theme.warning if column == AGE else self.theme.muted)
        if column in (VALUE, LIMITS) and now.limit.is_exceeded:
            return _ink(self.theme.recording)
        if column == LIMITS and now.limit is LimitState.OK:
            return _ink(self.theme.okay)
        return _ink(self.theme.muted) if column in (UNIT, LOW, HIGH, SOURCE, AGE) else None

    def _note_texts(self) -> bool:
        """Tell whether a cell has another text than when last asked."""
        seen = self._store.version, tuple((now.age, now.is_silent) for now in self._values.rows)
        is_new, self._seen = seen != self._seen, seen
        return is_new

    def _take_channels(self, now_s: float) -> None:
        """Read what the channels are now; rows stay where they are while the same columns come of the same sources."""
        before, rows = [_place(row) for row in self._rows], self._store.channels
        is_same = before == [_place(row) for row in rows]
        names = {_place(row): row.label for row in self._rows}
        if not is_same:
            self.beginResetModel()
        self._rows = rows
        for row in rows:  # a renamed channel stays as it was ticked
            old = names.get(_place(row), row.label)
            if old != row.label and old in self._shown and row.label not in self._shown:
                self._shown[row.label] = self._shown[old]
        self._give_colours()
        self._values.read(now_s)
        self._note_texts()
        if not is_same:
            self.endResetModel()
        elif rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(rows) - 1, AGE))
        self.shown_changed.emit()

    def _give_colours(self) -> None:
        """Let channels that are shown keep their places in the order of colours, whatever comes beside them."""
        wanted = [row for row in self._rows if row.channel.shown or self.is_shown(row)]
        places: dict[tuple[int, int], int] = {}
        for row in wanted:
            known = self._known_places.get(_place(row))
            if known is not None and known not in places.values():
                places[row.key] = known
        free = (place for place in count() if place not in places.values())
        for row in (*wanted, *self._rows):
            if row.key not in places:
                places[row.key] = next(free)
        self._order = places
        self._known_places |= {_place(row): places[row.key] for row in self._rows}


@cache
def _ink(colour: str) -> QColor:
    return QColor(colour)


def _place(row: LiveChannel) -> tuple[str, int]:
    return row.source.name, row.column


def _tooltip(now: ChannelNow, column: int) -> str:
    row = now.channel
    board = row.source.definition.name if row.source.definition else "unknown board"
    words = [row.label if not row.channel.label else f"{row.label} ({row.channel.name})"]
    words.append(f"{board} on {row.source.link}")
    if column == LIMITS:
        words.append(f"Limits: {limit_words(row.channel)}. A right click changes them.")
    elif now.is_silent:
        words.append(f"Silent for {now.age}: this is its last value.")
    elif column == CHANNEL:
        words.append("A click on the square, or Enter, shows or hides it in the plot. F2 renames it.")
    return "\n".join(words)
