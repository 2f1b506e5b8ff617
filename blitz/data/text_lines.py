"""How a line of text is cut into fields, and which lines of a block are so alike that they can be read as a table.

Pure. :func:`split` and :func:`pairs_of` are the rule; :func:`alike` picks the lines of a large block for which reading
a table gives the same.
"""

import csv
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from blitz.data.layout import Rows

SPACES = b" "
"""The separator that stands for any run of spaces and tabs."""

_AROUND_COLON = re.compile(rb"\s*:\s*")
_SPACE, _TAB, _FEED, _COLON, _QUOTE = b' \t\n:"'

_BREAKS = np.zeros(256, np.bool_)
_BREAKS[np.frombuffer(b"\n\r\x0b\x0c", np.uint8)] = True
_NO_NUMBER = np.zeros(256, np.bool_)
_NO_NUMBER[
    [*range(0, 9), *range(10, 32), *range(127, 256), *b"ABCDFGHIJKLMNOPQRSTUVWXYZabcdfghijklmnopqrstuvwxyz_"]
] = True


def separator_of(line: bytes) -> bytes:
    """Tell what separates the values of a line: a semicolon, else a comma, else a tab, else spaces.

    A semicolon comes first since with it a comma may stand within; behind the last value it separates nothing.

    >>> [separator_of(line) for line in (b"1;2", b"1,2;", b"1\\t2", b"1  2", b"1")]
    [b';', b',', b'\\t', b' ', b' ']
    """
    if b";" in line and b";" in line.rstrip(b"; \t\r\n\x0b\x0c"):
        return b";"
    for separator in (b",", b"\t"):
        if separator in line:
            return separator
    return SPACES


def split(line: bytes, separator: bytes = b"") -> list[bytes]:
    """Cut a line into fields.

    :param separator: empty: :func:`separator_of` tells.

    A separator within a field that begins and ends with quotation marks, as tables have them, separates nothing.

    >>> split(b"512,498,730"), split(b" 1   2 "), split(b"1;;3"), split(b'"a,b",2')
    ([b'512', b'498', b'730'], [b'1', b'2'], [b'1', b'', b'3'], [b'a,b', b'2'])
    """
    if not separator:
        separator, line = _resolved(line)
    if separator == SPACES:
        return line.split()
    return _unquoted(line, separator) if b'"' in line else line.split(separator)


def _unquoted(line: bytes, separator: bytes) -> list[bytes]:
    """Cut a line with quotation marks into fields."""
    if len(separator) > 1 or separator == b'"':
        return line.split(separator)
    text = line.decode("latin-1")
    try:
        (fields,) = csv.reader([text.replace("\r", " ").replace("\n", " ")], delimiter=separator.decode("latin-1"))
    except (csv.Error, ValueError, TypeError):  # a separator that no table has
        return line.split(separator)
    return [field.encode("latin-1") for field in fields]


def split_alike(lines: Sequence[bytes], separator: bytes = b"") -> tuple[list[bytes], int] | None:
    """Cut lines that all have the same separator and number of fields, all at once; several times as fast.

    :returns: the fields of all lines, and how many a line; None where :func:`split` has to cut them one by one.

    >>> split_alike([b"1,2", b"3,4"]), split_alike([b"1,2", b"3"])
    (([b'1', b'2', b'3', b'4'], 2), None)
    """
    if not lines:
        return None
    is_free = not separator
    separator = separator or separator_of(lines[0])
    if len(separator) != 1 or (is_free and separator == b";"):
        return None
    # A field of its own between two lines: where all of these stand as far apart, the lines are alike.
    mark = b"|" if separator == b";" else b";"
    text = (separator + mark + separator).join(lines)
    if text.count(mark) != len(lines) - 1 or b'"' in text:
        return None
    if is_free and ((separator != b"," and b"," in text) or (separator == SPACES and b"\t" in text)):
        return None
    fields = text.split() if separator == SPACES else text.split(separator)
    width = fields.index(mark) if len(lines) > 1 else len(fields)
    if fields[width :: width + 1] != [mark] * (len(lines) - 1) or len(fields) != len(lines) * (width + 1) - 1:
        return None
    if is_free and separator != SPACES and width < 2:
        return None
    del fields[width :: width + 1]
    return fields, width


def pairs_of(line: bytes, separator: bytes = b"") -> dict[bytes, bytes]:
    """Read the ``label:value`` pairs of a line; what has no label is left out, the last of one label counts.

    >>> pairs_of(b"temp: 21.5 hum:40"), pairs_of(b"room temp:21.5, hum:40, 7")
    ({b'temp': b'21.5', b'hum': b'40'}, {b'room temp': b'21.5', b'hum': b'40'})
    """
    if not separator:
        separator, line = _resolved(line)
    fields = _AROUND_COLON.sub(b":", line).split() if separator == SPACES else line.split(separator)
    pairs = {}
    for field in fields:
        label, colon, value = field.partition(b":")
        if colon:
            pairs[label.strip()] = value
    return pairs


def _resolved(line: bytes) -> tuple[bytes, bytes]:
    """Return a line's separator, and the line without the semicolon behind its end."""
    separator = separator_of(line)
    if separator != b";" and b";" in line:
        line = line.rstrip(b"; \t\r\n\x0b\x0c")
    return separator, line


class Alike(NamedTuple):
    """Lines of a block that can be read as a table."""

    places: NDArray[np.int64]
    """Which messages they are, rising."""
    text: NDArray[np.uint8]
    """They, with a line feed behind each."""
    delimiter: bytes
    width: int
    """Columns; of pairs, two a pair."""


def alike(rows: Rows, separator: bytes, *, are_pairs: bool = False, only_numbers: bool = False) -> Alike | None:
    """Find the lines that are separated in one way and have the most frequent number of fields.

    :param separator: empty: whichever the middle one of the lines has.
    :param are_pairs: only lines of ``label:value`` without exception; labels and values are columns of their own.
    :param only_numbers: leave out lines with letters that no number has, such as a header.
    :returns: None where there are none, or where the separator is not one ASCII character.
    """
    if not len(rows):
        return None
    is_free = not separator
    separator = separator or separator_of(rows.message(len(rows) // 2))
    if len(separator) != 1 or not separator.isascii() or separator in b'\n\r\x0b\x0c\0:"':
        return None
    places = np.flatnonzero(~_rows_with(rows, _foreign(separator, is_free=is_free, only_numbers=only_numbers)))
    usable = rows.take(places)
    text = usable.lines()
    ends = usable.offsets[1:] + np.arange(len(usable))
    if separator == SPACES and _SPACE in text:
        text = _squeezed(text, are_pairs=are_pairs)
        ends = np.flatnonzero(text == _FEED)
    counts = _counts(text == ord(separator), ends)
    fits = np.ones(len(ends), np.bool_)
    if is_free and separator != SPACES:
        fits = counts > 0
        if separator == b";":
            fits &= ~np.isin(text[ends - 1], np.frombuffer(b"; \t", np.uint8))
    if are_pairs:
        fits &= _counts(text == _COLON, ends) == counts + 1
    if not fits.any():
        return None
    count = int(np.bincount(counts[fits]).argmax())
    text, places = _kept(text, places, fits & (counts == count))
    if not are_pairs:
        return Alike(places, text, separator, count + 1)
    marks = text[(text == _COLON) | (text == ord(separator))].reshape(len(places), 2 * count + 1)
    alternate = (marks[:, ::2] == _COLON).all(axis=1)
    text, places = _kept(text, places, alternate)
    if not len(places):
        return None
    table = np.frombuffer(text.tobytes().replace(b":", separator), np.uint8)
    return Alike(places, table, separator, 2 * count + 2)


def _foreign(separator: bytes, *, is_free: bool, only_numbers: bool) -> NDArray[np.bool_]:
    """Return which bytes a line must not hold."""
    foreign = _BREAKS | _NO_NUMBER if only_numbers else _BREAKS.copy()
    foreign[_QUOTE] = separator != SPACES
    if is_free:
        stronger = {b";": b"", b",": b";", b"\t": b";,", SPACES: b";,"}[separator]
        foreign[list(stronger)] = True
    if separator == SPACES:
        foreign[_TAB] = True
    return foreign


def _rows_with(rows: Rows, wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which messages hold one of the wanted bytes."""
    have = np.zeros(len(rows), np.bool_)
    few = np.flatnonzero(wanted).tolist()
    if len(few) < 8:  # looking for each of them first is faster
        everything = rows.data.tobytes()
        if not any(byte in everything for byte in few):
            return have
    found = np.flatnonzero(wanted[rows.data])
    have[np.searchsorted(rows.offsets, found, "right") - 1] = True
    return have


def _counts(is_wanted: NDArray[np.bool_], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count the wanted bytes of each line, given where the lines end."""
    return np.diff(np.searchsorted(np.flatnonzero(is_wanted), ends), prepend=0)


def _kept(
    text: NDArray[np.uint8], places: NDArray[np.int64], is_kept: NDArray[np.bool_]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return text and places of some of the lines."""
    if is_kept.all():
        return text, places
    lengths = np.diff(np.flatnonzero(text == _FEED), prepend=-1)
    return text[np.repeat(is_kept, lengths)], places[is_kept]


def _squeezed(text: NDArray[np.uint8], *, are_pairs: bool) -> NDArray[np.uint8]:
    """Make one space of each run, and none at a line's ends; of pairs, none beside a colon."""
    for behind in (True, False):
        is_space = text == _SPACE
        needless = is_space | (text == _FEED) if behind else text == _FEED
        if are_pairs:
            needless |= text == _COLON
        beside = np.ones_like(needless)
        if behind:
            beside[1:] = needless[:-1]
        else:
            beside[:-1] = needless[1:]
        text = text[~(is_space & beside)]
    return text
