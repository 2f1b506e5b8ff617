"""What the lines of a device that prints mean: separated columns, ``label:value`` pairs, JSON objects.

Pure. The reading is tolerant, since a device also greets, complains and repeats its header, and the first line heard
may lack its beginning; but lines that are none of these, such as debug prints, are left alone.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from blitz.data.board_definition import BoardDefinition, Channel, Clock, Format
from blitz.data.text_lines import pairs_of
from blitz.io.doctor_names import Title, clean, make_channel, make_clock, read_title, unique_titles
from blitz.io.protocol import LineKind, classify

Row = Mapping[int | str, float]
"""The numbers of one line, by column, label or key."""

_SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", " ": "spaces"}
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_SPACES = " \t\r\n\v\f"
"""What decoding takes for spaces around a number; str.strip() takes more."""
_MISSING = frozenset({"", "nan", "-nan", "inf", "-inf", "ovf", "null", "none", "na", "n/a", "-", "--"})
_LONGEST_LABEL = 80
# Bounded on both sides of the spaces, so that no line, however long, takes long to search.
_PAIR = re.compile(
    rf"(?P<label>[^\W\d][^:,;\t{{}}\"]{{0,{_LONGEST_LABEL}}}?)\s{{0,9}}:\s*"
    rf"(?P<number>{_NUMBER.pattern}|-?nan|-?inf)(?=[\s,;]|$)",
    re.I,
)
_DECIMAL_COMMA = re.compile(r"[0-9],[0-9]+(?:;[ \t]*|[ \t]+)[+-]?[0-9]+(?![0-9:./-])")
"""Of two numbers: a comma between them stands alone, or with spaces behind it."""
_COMMENT = re.compile(r"^(#|//|%)\s*")
_GREETINGS = frozenset(
    {"ready", "ok", "hello", "hi", "start", "started", "starting", "done", "begin"}
    | {"setup", "boot", "booting", "reset", "init", "initialized", "running"}
)
_FEWEST_ROWS = 2
_MOST_CHANNELS = 512
_MOST_SPACES = 2
"""In a label; with more it is a sentence."""


class TextReading(NamedTuple):
    """How lines can be read."""

    definition: BoardDefinition
    rows: list[Row | None]
    """One entry a line; None where the line does not fit."""
    has_header: bool = False

    @property
    def fitting(self) -> int:
        """How many lines fit."""
        return sum(row is not None for row in self.rows)


def guess_definition(lines: Sequence[bytes]) -> BoardDefinition | None:
    """Propose what the lines of a device that prints mean.

    The same lines give the same definition. Only numbers become channels.

    :param lines: some lines without their endings, in the order heard; the first may lack its beginning.
    :returns: a definition called ``columns``, ``pairs`` or ``json``; None where the lines are none of these.

    >>> guess_definition([b"2,498,730", b"512,498,730", b"513,497,731"]).name
    '3 columns, comma'
    >>> [channel.name for channel in guess_definition([b"a,b", b"1,2", b"3,4"]).channels]
    ['a', 'b']
    >>> guess_definition([b"Setup...", b"WiFi connected", b"Ready"])
    """
    reading = read_lines(lines)
    return reading.definition if reading is not None else None


def read_lines(lines: Sequence[bytes]) -> TextReading | None:
    """Read lines as :func:`guess_definition` does, and tell which of them fit."""
    texts = [_text(line) for line in lines]
    if sum(classify(line.strip()).kind is LineKind.DATA for line in lines) * 2 > len(lines):
        return None
    for read in (_read_json, _read_pairs, _read_columns):
        reading = read(texts)
        if reading is not None and _is_enough(reading.rows, texts):
            return reading
    return None


def have_decimal_commas(lines: Sequence[bytes]) -> bool:
    """Whether the numbers of most lines seem to be written with a comma where others write a point.

    >>> have_decimal_commas([b"21,5;40,3", b"21,6;40,2"]), have_decimal_commas([b"21.5, 40", b"21,40"])
    (True, False)
    """
    return _have_decimal_commas([_text(line) for line in lines])


def _have_decimal_commas(texts: Sequence[str]) -> bool:
    return 2 * sum(_DECIMAL_COMMA.search(text) is not None for text in texts) > len(texts)


def numbers_left_out(reading: TextReading, lines: Sequence[bytes]) -> list[int]:
    """Return which columns of separated text hold digits, but no numbers, and are no channels therefore."""
    definition = reading.definition
    if definition.format is not Format.COLUMNS or not definition.separator:
        return []
    used = {part.column for part in (*definition.channels, definition.clock) if part is not None}
    rows = [_split(_text(line), definition.separator) for line, row in zip(lines, reading.rows, strict=True) if row]
    return [
        column
        for column in range(min(map(len, rows), default=0))
        if column not in used and 2 * sum(any(char.isdigit() for char in row[column]) for row in rows) > len(rows)
    ]


def parse_number(text: str) -> float | None:
    """Return a field's number, NaN where the device has none to tell, None where it is something else."""
    text = text.strip(_SPACES)
    if _NUMBER.fullmatch(text):
        return _finite(float(text))
    return math.nan if text.lower() in _MISSING else None


def _finite(number: float) -> float:
    """Return NaN for what no float can hold: the decoder makes no reading of it either."""
    return number if math.isfinite(number) else math.nan


def _text(line: bytes) -> str:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        text = line.decode("latin-1")
    return text.strip(" \r\n\0\ufeff")


def _is_enough(rows: Sequence[Row | None], texts: Sequence[str]) -> bool:
    """Whether the lines that fit are most of them, or all since the device has begun to print numbers."""
    fitting = sum(row is not None for row in rows)
    trailing = next((count for count, row in enumerate(reversed(rows)) if row is None), len(rows))
    written = sum(bool(text) for text in texts)
    return fitting >= _FEWEST_ROWS and (2 * fitting >= written or trailing > _FEWEST_ROWS)


def _read_json(texts: Sequence[str]) -> TextReading | None:
    rows = [_json_row(text) for text in texts]
    keys = _keys(rows)
    if not keys:
        return None
    channels, clock = _channels(keys, [Title(clean(str(key))) for key in keys], rows, "key")
    name = f"JSON, {_count(len(channels), 'key')}"
    return TextReading(_definition("json", name, Format.JSON, channels, clock), rows)


def _json_row(text: str) -> Row | None:
    if not text.startswith("{"):
        return None
    try:
        document = json.loads(text, parse_int=float)
    except (ValueError, RecursionError):
        return None
    return dict(_json_numbers(document, "")) if isinstance(document, dict) else None


def _json_numbers(value: Any, place: str) -> Iterator[tuple[str, float]]:
    """Give the numbers of a JSON value, by their keys joined with dots; those in a list by their number."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _json_numbers(part, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _json_numbers(part, f"{place}.{index}")
    elif isinstance(value, float):
        yield place, _finite(value)
    elif isinstance(value, str) and _NUMBER.fullmatch(value.strip(_SPACES)):
        yield place, _finite(float(value))


def _read_pairs(texts: Sequence[str]) -> TextReading | None:
    rows = [_pairs_row(text) for text in texts]
    keys = _keys(rows)
    if not keys:
        return None
    channels, clock = _channels(keys, [read_title(str(key)) for key in keys], rows, "label")
    name = f"{_count(len(channels), 'label')} with values"
    return TextReading(_definition("pairs", name, Format.PAIRS, channels, clock), rows)


def _pairs_row(text: str) -> Row | None:
    end = 0
    for found in _PAIR.finditer(text):
        if text[end : found.start()].strip(" \t,;") or found["label"].count(" ") > _MOST_SPACES:
            return None
        end = found.end()
    if end == 0 or text[end:].strip(" \t,;"):
        return None
    # What a label is, is the decoder's decision: between spaces it is one word.
    pairs = pairs_of(text.encode())
    numbers = {label.decode(): parse_number(value.decode()) for label, value in pairs.items() if label}
    return {label: number for label, number in numbers.items() if number is not None} or None


def _read_columns(texts: Sequence[str]) -> TextReading | None:
    readings = (_read_separated(texts, separator) for separator in _SEPARATORS)
    found = [reading for reading in readings if reading is not None]
    # max() keeps the first of equals, and so the order of the separators.
    return max(found, key=lambda reading: (reading.fitting, len(reading.definition.channels)), default=None)


def _read_separated(texts: Sequence[str], separator: str) -> TextReading | None:
    if separator == "," and _have_decimal_commas(texts):
        return None
    fields = [_split(text, separator) for text in texts]
    # A first line that lacks its beginning has fewer columns than the others, or a wrong number in the first.
    widths = Counter(len(parts) for parts in fields if any(_is_number(part) for part in parts))
    if not widths:
        return None
    width = max(widths, key=lambda width: (widths[width], width))
    candidates = [parts if len(parts) == width else None for parts in fields]
    columns = _numeric_columns([parts for parts in candidates if parts is not None], width)
    if not columns or len(columns) > _MOST_CHANNELS or (separator == " " and not _are_columns(columns, width)):
        return None
    rows = [_columns_row(parts, columns) if parts is not None else None for parts in candidates]
    header = _header(fields, rows, width, columns)
    titles = [read_title(header[column]) if header else Title("") for column in columns]
    titles = [
        title if title.name else Title(f"column_{column + 1}") for column, title in zip(columns, titles, strict=True)
    ]
    channels, clock = _channels(columns, titles, rows, "column")
    is_single = width == 1
    name = "1 column" if is_single else f"{_count(width, 'column')}, {_SEPARATORS[separator]}"
    definition = _definition("columns", name, Format.COLUMNS, channels, clock, "" if is_single else separator)
    return TextReading(definition, rows, header is not None)


def _split(text: str, separator: str) -> list[str]:
    parts = text.split() if separator == " " else text.split(separator)
    if separator != " " and len(parts) > 1 and not parts[-1].strip():
        parts.pop()  # a separator behind the last value
    return [part.strip() for part in parts]


def _are_columns(columns: Sequence[int], width: int) -> bool:
    """Tell numbers between spaces from numbers in a sentence: one word before them, or behind them, is all there is."""
    return width - len(columns) <= 1 and (len(columns) > 1 or columns[0] == 0)


def _is_number(text: str) -> bool:
    return _NUMBER.fullmatch(text) is not None


def _numeric_columns(table: Sequence[Sequence[str]], width: int) -> list[int]:
    """Return the columns with numbers in most lines: names in a header, or a complaint, are no numbers."""
    rows = [parts for parts in table if any(map(_is_number, parts))]
    numeric = []
    for column in range(width):
        numbers = sum(_is_number(parts[column]) for parts in rows)
        others = sum(parse_number(parts[column]) is None for parts in rows)
        if numbers and others * 4 <= len(rows):
            numeric.append(column)
    return numeric if len(numeric) > 1 or width < 3 else []


def _columns_row(parts: Sequence[str], columns: Sequence[int]) -> Row | None:
    numbers = {column: parse_number(parts[column]) for column in columns}
    if None in numbers.values() or all(number != number for number in numbers.values()):
        return None
    return {column: number for column, number in numbers.items() if number is not None}


def _header(
    fields: Sequence[Sequence[str]], rows: Sequence[Row | None], width: int, columns: Sequence[int]
) -> list[str] | None:
    """Return the last line before the numbers that has a name for each of their columns."""
    first = next((index for index, row in enumerate(rows) if row is not None), 0)
    # The first line may be the end of a line of numbers, with the header behind it.
    for index in reversed(range(max(first, 2))):
        if index >= len(rows) or rows[index] is not None or len(fields[index]) != width:
            continue
        parts = [*fields[index]]
        parts[0] = _COMMENT.sub("", parts[0])
        names = [read_title(parts[column]).name for column in columns]
        is_greeting = width == 1 and (names[0].lower().strip(".!:") in _GREETINGS or " " in names[0])
        if all(names) and not any(_is_number(name) for name in names) and not is_greeting:
            return parts
    return None


def _keys(rows: Sequence[Row | None]) -> list[int | str]:
    """Return the keys that stand in at least half of the rows, in the order of the fullest row."""
    fitting = [row for row in rows if row is not None]
    counts = Counter(key for row in fitting for key in row)
    # The first line may lack its beginning, so the last of equals decides.
    fullest = max(reversed(fitting), key=len, default={})
    ordered = dict.fromkeys([*fullest, *counts])
    return [key for key in ordered if 2 * counts[key] >= len(fitting)][:_MOST_CHANNELS]


def _channels(
    keys: Sequence[int | str], titles: Sequence[Title], rows: Sequence[Row | None], stem: str
) -> tuple[list[Channel], Clock | None]:
    channels: list[Channel] = []
    clock: Clock | None = None
    for key, title in zip(keys, unique_titles(titles, stem), strict=True):
        # The first line may lack the first digits of its first number.
        numbers = [row[key] for row in rows[1:] if row is not None and key in row and row[key] == row[key]]
        if clock is None and len(keys) > 1:
            clock = make_clock(key, title, numbers)
            if clock is not None:
                continue
        channels.append(make_channel(key, title, numbers))
    return channels, clock


def _definition(
    identity: str, name: str, layout: Format, channels: Sequence[Channel], clock: Clock | None, separator: str = ""
) -> BoardDefinition:
    return BoardDefinition(
        id=identity,
        name=name,
        format=layout,
        separator=separator,
        clock=clock,
        channels=tuple(channels),
    )


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
