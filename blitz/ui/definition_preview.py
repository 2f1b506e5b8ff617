"""What a definition that is being typed makes of messages: values, and where there are none, why. Pure."""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from blitz.data.board_definition import BoardDefinition, Channel, Clock, Format
from blitz.data.boards import layout_of
from blitz.data.calibration import calibrate
from blitz.data.json_format import find
from blitz.data.layout import Rows
from blitz.data.struct_format import SIZES
from blitz.data.text_lines import pairs_of, split
from blitz.errors import BlitzError
from blitz.ui.formats import fitting_decimals, format_value

_LONGEST = 40
_HEX = frozenset("0123456789abcdefABCDEF")


@dataclass(frozen=True)
class RawMessage:
    """One message as it came."""

    arrived_ns: int
    raw: bytes


@dataclass(frozen=True)
class Cell:
    """One channel of one message."""

    text: str
    fault: str = ""
    """Why there is no value."""


@dataclass(frozen=True)
class PreviewRow:
    """One message, and what it means."""

    message: RawMessage
    cells: tuple[Cell, ...]
    fault: str = ""
    """Why the message is none of this board's; empty where a value was read."""


def preview(definition: BoardDefinition, messages: Sequence[RawMessage]) -> tuple[PreviewRow, ...]:
    """Decode messages as the server would, in their order.

    >>> scale = BoardDefinition(id="s", name="S", format="columns", channels=[{"name": "kg", "column": 1}])
    >>> [row.cells[0] for row in preview(scale, [RawMessage(0, b"7,2.5"), RawMessage(0, b"7,OK")])]
    [Cell(text='2.5', fault=''), Cell(text='–', fault="field 1 is 'OK', no number")]
    """
    if not messages:
        return ()
    try:
        decoded = layout_of(definition).decode(Rows.of_messages([message.raw for message in messages]))
    except BlitzError as error:  # a plug-in that cannot be used
        return tuple(PreviewRow(message, (), str(error)) for message in messages)
    numbers = np.array(decoded.numbers, np.float64)
    values = calibrate(definition.channels, numbers.copy())
    rows = []
    for place, message in enumerate(messages):
        cells = tuple(
            _cell(definition, channel, message.raw, float(numbers[place, column]), values[:, column], place)
            for column, channel in enumerate(definition.channels)
        )
        rows.append(PreviewRow(message, cells, _common_fault(cells)))
    return tuple(rows)


def shown_raw(raw: bytes, *, is_text: bool) -> str:
    r"""Return a message for the eye, as text or as hex digits.

    >>> shown_raw(b"1,2\r", is_text=True), shown_raw(b"\x01\xff", is_text=False)
    ('1,2·', '01 ff')
    """
    return "".join(c if c.isprintable() else "·" for c in str(raw, "latin-1")) if is_text else raw.hex(" ")


def _cell(
    definition: BoardDefinition, channel: Channel, raw: bytes, number: float, column: np.ndarray, place: int
) -> Cell:
    value = float(column[place])
    if math.isfinite(value):
        return Cell(format_value(value, fitting_decimals(channel, [value])))
    if math.isfinite(number):
        return Cell("–", _invalid_words(channel, number))
    return Cell("–", _WHY[definition.format](definition, channel, raw))


def _common_fault(cells: Sequence[Cell]) -> str:
    """Return why there is no value at all: once if it is the same everywhere."""
    if not cells or not all(cell.fault for cell in cells):
        return ""
    faults = list(dict.fromkeys(cell.fault for cell in cells))
    return faults[0] if len(faults) == 1 else f"{faults[0]}; and {len(cells) - 1} more"


def _invalid_words(channel: Channel, number: float) -> str:
    """Say why a number that was read became no reading."""
    free = channel.model_copy(update={"valid_low": None, "valid_high": None})
    value = float(calibrate([free], np.array([[number]]))[0, 0])
    if not math.isfinite(value):
        return f"{number:g} becomes no finite value"
    if channel.valid_low is not None and value < channel.valid_low:
        return f"{value:g} is less than valid_low, {channel.valid_low:g}"
    return f"{value:g} is more than valid_high, {channel.valid_high:g}"


def _columns_words(definition: BoardDefinition, channel: Channel, raw: bytes) -> str:
    fields = split(raw, definition.separator.encode())
    needed = max(int(part.column or 0) for part in _parts(definition)) + 1
    if len(fields) < needed:
        return f"{_counted(len(fields), 'field')}, and the channels need {needed}"
    return _no_number(f"field {channel.column}", fields[int(channel.column or 0)])


def _pairs_words(definition: BoardDefinition, channel: Channel, raw: bytes) -> str:
    pairs = {str(label, "latin-1"): value for label, value in pairs_of(raw, definition.separator.encode()).items()}
    label = str(channel.column).strip()
    found = pairs.get(label, pairs.get(str(label.encode(), "latin-1")))
    if found is not None:
        return _no_number(label, found)
    return f"no label {label!r}; there {_listed(pairs)}"


def _json_words(definition: BoardDefinition, channel: Channel, raw: bytes) -> str:
    try:
        parsed = json.loads(raw.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        return f"no JSON: {error}"
    if not isinstance(parsed, dict):
        return "JSON, but no object in { }"
    found = find(parsed, str(channel.column))
    if found is None:
        return f"no key {channel.column!r}; there {_listed(parsed)}"
    return f"{channel.column} is {_cut(repr(found))}, no number"


def _struct_words(definition: BoardDefinition, channel: Channel, raw: bytes) -> str:
    needed = max((part.offset or 0) + SIZES[part.type or "u8"] for part in _parts(definition))
    if len(raw) < needed:
        return f"{_counted(len(raw), 'byte')}, and the channels need {needed}"
    return "no finite number"


def _blitz_words(definition: BoardDefinition, channel: Channel, raw: bytes) -> str:
    text = str(raw, "latin-1")
    wrong = next((char for char in text if char not in _HEX), "")
    if wrong:
        return f"{wrong!r} is no hex digit"
    if text[:2].lower() != definition.id:
        return f"begins with {text[:2].lower()!r}, not with {definition.id!r}: another board's"
    if len(text) < definition.needed_digits:
        return f"{_counted(len(text), 'digit')}, and the channels need {definition.needed_digits}"
    return "cannot be read"


_WHY: dict[Format, Callable[[BoardDefinition, Channel, bytes], str]] = {
    Format.COLUMNS: _columns_words,
    Format.PAIRS: _pairs_words,
    Format.JSON: _json_words,
    Format.STRUCT: _struct_words,
    Format.BLITZ: _blitz_words,
    Format.PLUGIN: lambda definition, channel, raw: f"the plug-in {definition.plugin!r} reads nothing here",
}


def _parts(definition: BoardDefinition) -> list[Channel | Clock]:
    return [*definition.channels, *([definition.clock] if definition.clock else [])]


def _no_number(where: str, field: bytes) -> str:
    text = str(field, "latin-1").strip()
    return f"{where} is {_cut(repr(text))}, no number" if text else f"{where} is empty"


def _listed(names: Iterable[str]) -> str:
    shown = [repr(name) for name in names][:6]
    return f"are {', '.join(shown)}" if len(shown) > 1 else f"is {shown[0]}" if shown else "is none"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
