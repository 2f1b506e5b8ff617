"""The channels, or the commands, of a definition as it is typed: a table whose cells are fields of its text."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from PyQt5.QtCore import QModelIndex, QObject, Qt, pyqtSignal
from PyQt5.QtGui import QColor

from blitz.data.board_definition import Format
from blitz.ui.definition_draft import parse_number
from blitz.ui.definition_text import DefinitionText, Parts
from blitz.ui.models.columns import ColumnsModel
from blitz.ui.theme import LIGHT, Theme

_ESCAPES = (("\r", "\\r"), ("\n", "\\n"), ("\t", "\\t"))


class Kind(Enum):
    """What is typed in a cell."""

    TEXT = "text"
    NUMBER = "number"
    PLACE = "number or name"
    ENDING = "text with \\n"
    TICK = "tick"


@dataclass(frozen=True)
class Field:
    """One column: a field of each part."""

    title: str
    path: tuple[str, ...]
    kind: Kind = Kind.TEXT
    words: str = ""
    usual: Any = ""
    """What holds where nothing is typed."""
    width: int = 80


_NUMBER, _TICK = Kind.NUMBER, Kind.TICK
_NAME = Field("Name", ("name",), words="What the channel is called in tables and files", width=130)
_MEANING = (
    Field("Unit", ("unit",), words="Such as kPa or °C", width=62),
    Field("Zero", ("zero",), _NUMBER, "The number at zero: it is subtracted first", 0, 62),
    Field("Scale", ("scale",), _NUMBER, "value = (number − zero) × scale / divisor", 1, 66),
    Field("Divisor", ("divisor",), _NUMBER, "value = (number − zero) × scale / divisor", 1, 72),
    Field("Label", ("label",), words="What people read instead of the name", width=100),
    Field("Decimals", ("decimals",), _NUMBER, "Digits behind the point; chosen where absent", width=80),
    Field("Limit from", ("limit_low",), _NUMBER, "Drawn as a band; smaller values are readings all the same", width=86),
    Field("to", ("limit_high",), _NUMBER, "Drawn as a band; larger values are readings all the same", width=66),
    Field("Valid from", ("valid_low",), _NUMBER, "A smaller value is no reading", width=86),
    Field("to", ("valid_high",), _NUMBER, "A larger value is no reading", width=66),
    Field("Colour", ("color",), words="Of its curve, such as #1f77b4; chosen where absent", width=84),
    Field("Shown", ("shown",), _TICK, "Whether a plot begins with it", True, 60),
    Field("Counts", ("counts_messages",), _TICK, "It rises by one a message: losses are told exactly", False, 64),
)
_SIGNED = Field("Signed", ("signed",), _TICK, "Two's complement", False, 64)
_ORDER = Field("Byte order", ("byte_order",), words="big or little", width=84)
_WHERE: dict[Format, tuple[Field, ...]] = {
    Format.COLUMNS: (Field("Column", ("column",), Kind.PLACE, "Which field of the line, from 0", width=70),),
    Format.PAIRS: (Field("In message", ("column",), words="The label in the message", width=100),),
    Format.JSON: (Field("Key", ("column",), words="Dots lead into objects and arrays: imu.x", width=120),),
    Format.STRUCT: (
        Field("Offset", ("offset",), _NUMBER, "Its first byte in the message", width=62),
        Field("Type", ("type",), words="u8 i8 u16 i16 u24 i24 u32 i32 u64 i64 f32 f64", width=56),
        _ORDER,
    ),
    Format.BLITZ: (
        Field("Bit", ("bit",), _NUMBER, "Its first bit in the payload, or in the flags", width=48),
        Field("Bits", ("bits",), _NUMBER, "How many", width=48),
        Field("Flag", ("is_flag",), _TICK, "It stands in the flags of the head, not in the payload", False, 50),
        _SIGNED,
    ),
    Format.PLUGIN: (),
}
COMMANDS = (
    Field("Name", ("name",), words="What stands on the button", width=130),
    Field("Sends", ("send",), words="Text, or hex digits; {value} or {value:04X} is where a number goes", width=190),
    Field("Hex", ("is_hex",), _TICK, "What is sent is hex digits; nothing is sent behind them", False, 48),
    Field("Ending", ("ending",), Kind.ENDING, "Sent behind the text: \\n, \\r\\n, or nothing", "\n", 66),
    Field("Answer", ("answer",), words="A regular expression that a line of the answer matches", width=110),
    Field("Waits (s)", ("timeout_s",), _NUMBER, "How long the answer is waited for", 2, 76),
    Field("Moves", ("is_actuator",), _TICK, "It moves or heats something: never sent unasked", False, 62),
    Field("From", ("parameter", "min"), _NUMBER, "Of a command with a number: the smallest", width=60),
    Field("to", ("parameter", "max"), _NUMBER, "Of a command with a number: the largest", width=60),
    Field("Step", ("parameter", "step"), _NUMBER, "Of a command with a number", 1, 56),
    Field("Unit", ("parameter", "unit"), words="Of a command with a number", width=62),
)


def channel_fields(kind: Format) -> tuple[Field, ...]:
    """Return the columns of a format's channels."""
    return (_NAME, *_WHERE[kind], *_MEANING)


class PartsModel(ColumnsModel):
    """Shows what is typed, right or wrong; a change is told by a signal, and comes back with the new text."""

    edited = pyqtSignal(tuple, object)
    """place and value; None removes the field"""

    def __init__(self, what: Parts, fields: Sequence[Field], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._what = what
        self._text = DefinitionText("")
        self.theme: Theme = LIGHT
        self.is_enabled = True
        self.set_fields(fields)

    def set_fields(self, fields: Sequence[Field]) -> None:
        """Change the columns."""
        self.beginResetModel()
        self.fields = tuple(fields)
        self.column_names = [field.title for field in self.fields]
        self.number_columns = [n for n, field in enumerate(self.fields) if field.kind is Kind.NUMBER]
        self.endResetModel()

    def show(self, text: DefinitionText) -> None:
        """Take over what is typed; rows stay where they are while their number is the same."""
        if len(text.parts(self._what)) != self.rowCount():
            self.beginResetModel()
            self._text = text
            self.endResetModel()
            return
        self._text = text
        if self.rowCount():
            self.dataChanged.emit(self.index(0, 0), self.index(self.rowCount() - 1, self.columnCount() - 1))

    def rowCount(self, parent: QModelIndex = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        """One row a channel or command."""
        return 0 if parent.isValid() else len(self._text.parts(self._what))

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.DisplayRole) -> Any:
        """Return the name of a column, and what it means."""
        if role == Qt.ToolTipRole and orientation == Qt.Horizontal:
            return self.fields[section].words
        return super().headerData(section, orientation, role)

    def flags(self, index: QModelIndex) -> Qt.ItemFlags:
        """Cells are typed in, or ticked."""
        flags = super().flags(index)
        if not self.is_enabled or not index.isValid():
            return flags
        is_tick = self.fields[index.column()].kind is Kind.TICK
        return flags | (Qt.ItemIsUserCheckable if is_tick else Qt.ItemIsEditable)

    def data(self, index: QModelIndex, role: int = Qt.DisplayRole) -> Any:
        """Return what a cell shows."""
        if not index.isValid() or index.row() >= self.rowCount():
            return None
        field = self.fields[index.column()]
        value = self._value(index.row(), field)
        if role == Qt.CheckStateRole and field.kind is Kind.TICK:
            return Qt.Checked if (field.usual if value is None else value) is True else Qt.Unchecked
        if role == Qt.DisplayRole and field.kind is not Kind.TICK:
            is_usual = value is None and (len(field.path) == 1 or self._has(index.row(), field.path[0]))
            return _shown(field.usual if is_usual else "" if value is None else value)
        if role == Qt.EditRole:
            return "" if value is None else _shown(value)
        fault = self._fault(index.row(), field)
        if role == Qt.ToolTipRole:
            return fault or field.words
        if role == Qt.BackgroundRole and fault:
            return QColor(self.theme.error_back)
        if role == Qt.ForegroundRole and value is None and field.kind is not Kind.TICK:
            return QColor(self.theme.muted)
        if role == Qt.DecorationRole and field.path == ("color",) and value and QColor(str(value)).isValid():
            return QColor(str(value))
        if role == Qt.TextAlignmentRole and field.kind is Kind.NUMBER:
            return int(Qt.AlignRight | Qt.AlignVCenter)
        return None

    def setData(self, index: QModelIndex, value: Any, role: int = Qt.EditRole) -> bool:
        """Tell what was typed; what is as usual is left out of the text."""
        field = self.fields[index.column()]
        if role == Qt.CheckStateRole and field.kind is Kind.TICK:
            is_on = value == Qt.Checked
            self.edited.emit((self._what, index.row(), *field.path), None if is_on == field.usual else is_on)
            return True
        if role != Qt.EditRole or value == self.data(index, Qt.EditRole):
            return False
        self.edited.emit((self._what, index.row(), *field.path), _typed(field, str(value)))
        return True

    def _value(self, row: int, field: Field) -> Any:
        node: Any = self._text.parts(self._what)[row]
        for key in field.path:
            node = node.get(key) if isinstance(node, dict) else None
        return node

    def _has(self, row: int, key: str) -> bool:
        return key in self._text.parts(self._what)[row]

    def _fault(self, row: int, field: Field) -> str:
        place = (self._what, row)
        found = self._text.fault_at((*place, *field.path))
        if found or field.path != ("name",):
            return found
        shown = {known.path for known in self.fields}
        of_row = (fault for fault in self._text.faults if fault.place[:2] == place)
        return next((fault.sentence for fault in of_row if fault.place[2:] not in shown), "")


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.12g}"
    text = str(value)
    for char, words in _ESCAPES:
        text = text.replace(char, words)
    return text


def _typed(field: Field, text: str) -> Any:
    """Return what stands in the definition for what was typed: a number where it is one, else the text itself."""
    if field.kind is Kind.ENDING:
        for char, words in _ESCAPES:
            text = text.replace(words, char)
        return text
    text = text.strip()
    if not text:
        return None
    if field.kind in (Kind.NUMBER, Kind.PLACE):
        number = parse_number(text)
        if number is not None:
            return int(number) if number.is_integer() and abs(number) < 1 << 53 else number
    return text
