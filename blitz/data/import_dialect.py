"""How a text table is written: encoding, delimiter, decimal sign, where its columns begin and what they are called.

Pure: the beginning of a file in, what was found out.
"""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from blitz.errors import ImportFileError

_DELIMITERS = "\t;|,"
"""In order of preference: a comma may be a decimal sign."""
_MOST_LINES = 200
_NUMBER = re.compile(r"\s*[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?\s*|\s*[+-]?(inf|infinity|nan)\s*", re.IGNORECASE)
_MOMENT = re.compile(r"\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T,].*)?")
_COMMA_NUMBER = re.compile(r"\s*[+-]?\d*,\d+([eE][+-]?\d+)?\s*")
_UNIT = re.compile(r"(?P<name>.*\S)\s*(\[(?P<square>[^\[\]]*)\]|\((?P<round>[^()]*)\))")
_NO_VALUES = frozenset(("", "#n/a", "n/a", "na", "nan", "null", "none", "-", "--"))

NO_VALUES = tuple(word for bare in sorted(_NO_VALUES) for word in dict.fromkeys((bare, bare.upper(), bare.title())))
"""Cells that hold no number, in the spellings that occur."""


@dataclass(frozen=True)
class Dialect:
    """How the file is to be read.

    :param skipped_lines: before the first row of values.
    :param headings: a heading a column, unique; made up where the file has none.
    :param units: a unit a column, from a line of units below the headings; empty where there is none.
    :param sample: the first rows of values, as text.
    """

    encoding: str
    delimiter: str
    decimal: str
    skipped_lines: int
    headings: tuple[str, ...]
    units: tuple[str, ...]
    sample: tuple[tuple[str, ...], ...]

    def column(self, place: int) -> list[str]:
        """Return the cells of one column of the sample that hold something."""
        return [row[place] for row in self.sample if not is_no_value(row[place])]


def sniff(head: bytes, *, is_whole: bool) -> Dialect:
    """Find out how a file is written.

    :param head: the beginning of the file.
    :param is_whole: whether that is all of it; else the last line is taken for unfinished.
    :raises ImportFileError: if it is no table of text.

    >>> found = sniff(b"time;flow [l/min]\\n1,5;2,25\\n", is_whole=True)
    >>> found.delimiter, found.decimal, found.headings
    (';', ',', ('time', 'flow [l/min]'))
    """
    encoding = _encoding(head)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head)
    if "\0" in text:
        raise ImportFileError(
            "it holds zero bytes and is no text; a session that 'blitz pack' wrote is for 'blitz unpack'"
        )
    lines = text.splitlines()
    if not is_whole and len(lines) > 1:
        lines.pop()
    lines = lines[:_MOST_LINES]
    delimiter, first = _preamble(lines)
    if not any(line.strip() for line in lines[first:]):
        raise ImportFileError("it is empty")
    if delimiter is None:
        delimiter = max(_DELIMITERS, key=lambda one: _fitness(lines[first:], one))
    return _layout(encoding, delimiter, lines, first)


def name_and_unit(heading: str) -> tuple[str, str]:
    """Split a heading into a name and the unit that stands in brackets behind it.

    >>> name_and_unit("flow [l/min]"), name_and_unit("T (°C)"), name_and_unit("[V]")
    (('flow', 'l/min'), ('T', '°C'), ('[V]', ''))
    """
    match = _UNIT.fullmatch(heading.strip())
    unit = "" if match is None else (match["square"] or match["round"] or "").strip()
    if match is None or unit.isdecimal():  # the second of two columns with one name
        return heading.strip(), ""
    return match["name"], unit


def is_number(cell: str) -> bool:
    """Whether a cell is a number, with whatever decimal sign."""
    return _NUMBER.fullmatch(cell) is not None


def is_no_value(cell: str) -> bool:
    """Whether a cell says that there is no value."""
    return cell.strip().lower() in _NO_VALUES


def unique(names: Sequence[str]) -> list[str]:
    """Give names that occur twice a number.

    >>> unique(["a", "b", "a"])
    ['a', 'b', 'a (2)']
    """
    taken: set[str] = set()
    found = []
    for name in names:
        number, candidate = 1, name
        while candidate in taken:
            number += 1
            candidate = f"{name} ({number})"
        taken.add(candidate)
        found.append(candidate)
    return found


def _encoding(head: bytes) -> str:
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if head.startswith(mark):
            return encoding
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _preamble(lines: Sequence[str]) -> tuple[str | None, int]:
    """Return the delimiter, where a line says so, and how many lines of comments there are before the table."""
    delimiter, first = None, 0
    for line in lines:
        said = re.fullmatch(r'"?sep=(.)"?', line.strip("\ufeff\r\n"))
        if said is not None:
            delimiter = said[1]
        elif line.strip() and not line.startswith("#"):
            break
        first += 1
    return delimiter, first


def _rows(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    try:
        return list(csv.reader(lines, delimiter=delimiter))
    except csv.Error as error:
        if "field limit" in str(error):
            raise ImportFileError(
                f"a heading or cell in it is longer than {csv.field_size_limit()} characters, or a quotation mark is "
                "never closed"
            ) from error
        raise ImportFileError(f"it is no table: {error}") from error


def _fitness(lines: Sequence[str], delimiter: str) -> tuple[int, int]:
    """Tell how well a delimiter fits: in how many rows, headings included, one width of at least two recurs."""
    try:
        rows = _rows(lines, delimiter)
    except ImportFileError:  # such as a line of thousands of cells, taken for one
        return 0, 0
    widths = Counter(len(row) for row in rows if len(row) > 1)
    if not widths:
        return 0, 0
    width, count = widths.most_common(1)[0]
    return count, 0 if width < 2 else 1


def _layout(encoding: str, delimiter: str, lines: list[str], first: int) -> Dialect:
    rows = _rows(lines[first:], delimiter)
    widths = Counter(len(row) for row in rows if row)
    width = max(widths, key=lambda one: (widths[one], one))
    # What stands above the table, such as the name of an instrument, has other widths than the table.
    top = next(place for place, row in enumerate(rows) if len(row) == width)
    headings: list[str] | None = None
    units: list[str] = []
    below = top
    if not any(_is_value(cell) for cell in rows[top]):
        headings, below = rows[top], top + 1
        second = rows[below] if below < len(rows) else []
        third = rows[below + 1] if below + 1 < len(rows) else []
        if len(second) == width and not any(map(_is_value, second)) and any(map(_is_value, third)):
            units, below = [unit.strip(" []()") for unit in second], below + 1
    values = [tuple(row) for row in rows[below:] if len(row) == width]
    names = [(heading or "").strip() or f"column {place + 1}" for place, heading in enumerate(headings or [""] * width)]
    comma = delimiter != "," and any(_COMMA_NUMBER.fullmatch(cell) for row in values for cell in row)
    return Dialect(
        encoding=encoding,
        delimiter=delimiter,
        decimal="," if comma else ".",
        skipped_lines=first + _line_of(rows, lines[first:], below),
        headings=tuple(unique(names)),
        units=tuple(units),
        sample=tuple(values),
    )


def _line_of(rows: Sequence[Sequence[str]], lines: Sequence[str], place: int) -> int:
    """Return how many lines the rows before ``place`` take: a quoted cell may go over several."""
    if len(rows) == len(lines):
        return place
    reader = csv.reader(lines)
    for _ in range(place):
        next(reader)
    return reader.line_num


def _is_value(cell: str) -> bool:
    return is_number(cell) or _MOMENT.fullmatch(cell) is not None
