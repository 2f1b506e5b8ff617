"""Messages that are text: separated columns, and ``label:value`` pairs.

Pure. Small blocks are read line by line; of large ones, the lines that are alike are read as a table, and only the
others (headers, debug lines, damaged ones) line by line. Both ways give the same.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from blitz.data.board_definition import BoardDefinition, Channel, Clock
from blitz.data.layout import Decoded, Rows
from blitz.data.text_lines import Alike, alike, pairs_of, split, split_alike
from blitz.data.text_numbers import ARROW_FIELDS, ARROW_PAIRS, NOTHING, numbers_of, read_table


class ColumnsLayout:
    """Separated text. A line with fewer fields than the channels need is a row of NaN: its beginning may be lost."""

    def __init__(self, definition: BoardDefinition) -> None:
        parts = _parts(definition)
        self._columns = [int(part.column or 0) for part in parts]
        self._needed = max(self._columns, default=0) + 1
        self._is_plain = len(parts) == self._needed and self._columns == list(range(self._needed))
        self._separator = _separator(definition)
        self._has_clock = definition.clock is not None

    def decode(self, rows: Rows) -> Decoded:
        """Decode lines; a field that is no number is NaN."""
        width = len(self._columns)
        is_small = len(rows) * width < ARROW_FIELDS
        numbers = self.from_lines(rows.messages()).T if is_small else _as_table(rows, width, self)
        return _decoded(numbers, self._has_clock)

    def from_lines(self, lines: Sequence[bytes]) -> NDArray[np.float64]:
        """Read lines in plain Python; shape (n, n_numbers)."""
        together = split_alike(lines, self._separator)
        if together is None:
            return self._from_each(lines)
        fields, width = together
        if width < self._needed:
            return np.full((len(lines), len(self._columns)), np.nan)
        if self._is_plain and width == self._needed:
            return numbers_of(fields).reshape(len(lines), width)
        chosen = list(chain.from_iterable(fields[column::width] for column in self._columns))
        return numbers_of(chosen).reshape(len(self._columns), len(lines)).T

    def _from_each(self, lines: Sequence[bytes]) -> NDArray[np.float64]:
        nothing = [NOTHING] * len(self._columns)
        fields: list[bytes] = []
        for line in lines:
            cut = split(line, self._separator)
            fields += [cut[column] for column in self._columns] if len(cut) >= self._needed else nothing
        return numbers_of(fields).reshape(len(lines), len(self._columns))

    def from_table(self, rows: Rows, numbers: NDArray[np.float64]) -> NDArray[np.int64]:
        """Read what is alike into ``numbers``, shape (n_numbers, n), and return which messages these are."""
        for only_numbers in (False, True):
            lines = alike(rows, self._separator, only_numbers=only_numbers)
            if lines is None:
                break
            if lines.width < self._needed:
                return lines.places
            table = read_table(lines.text, lines.delimiter, lines.width, set(self._columns))
            if table is not None:
                for row, column in enumerate(self._columns):
                    numbers[row, lines.places] = table[column]
                return lines.places
        return _NOWHERE


class PairsLayout:
    """``label:value`` pairs, as the Arduino plotter reads them. Values without a label are left out."""

    def __init__(self, definition: BoardDefinition) -> None:
        parts = _parts(definition)
        self._labels = [_encodings(str(part.column).strip()) for part in parts]
        self._separator = _separator(definition)
        self._has_clock = definition.clock is not None

    def decode(self, rows: Rows) -> Decoded:
        """Decode lines; a label that is missing, or whose value is no number, is NaN."""
        width = len(self._labels)
        is_small = len(rows) * width < ARROW_PAIRS
        numbers = self.from_lines(rows.messages()).T if is_small else _as_table(rows, width, self)
        return _decoded(numbers, self._has_clock)

    def from_lines(self, lines: Sequence[bytes]) -> NDArray[np.float64]:
        """Read lines in plain Python; shape (n, n_numbers)."""
        labels, separator = self._labels, self._separator
        fields: list[bytes] = []
        for line in lines:
            pairs = pairs_of(line, separator)
            fields += [pairs[label] if label in pairs else pairs.get(other, NOTHING) for label, other in labels]
        return numbers_of(fields).reshape(len(lines), len(labels))

    def from_table(self, rows: Rows, numbers: NDArray[np.float64]) -> NDArray[np.int64]:
        """Read what is alike into ``numbers``, shape (n_numbers, n), and return which messages these are."""
        lines = alike(rows, self._separator, are_pairs=True)
        if lines is None:
            return _NOWHERE
        seen = _first_labels(lines)
        last = {label.strip(): 2 * pair + 1 for pair, label in enumerate(seen)}
        wanted = {
            row: last[label] if label in last else last[other]
            for row, (label, other) in enumerate(self._labels)
            if label in last or other in last
        }
        names = range(0, lines.width, 2)
        table = read_table(lines.text, lines.delimiter, lines.width, set(wanted.values()), names)
        if table is None:
            return _NOWHERE
        fits = np.ones(len(lines.places), np.bool_)
        for column, label in zip(names, seen, strict=True):
            fits &= _equal(table[column], label)
        places = lines.places[fits]
        for row, column in wanted.items():
            numbers[row, places] = table[column][fits]
        return places


_NOWHERE = np.empty(0, np.int64)


def _parts(definition: BoardDefinition) -> list[Channel | Clock]:
    return [*definition.channels, *([definition.clock] if definition.clock else [])]


def _separator(definition: BoardDefinition) -> bytes:
    return definition.separator.encode()


def _encodings(label: str) -> tuple[bytes, bytes]:
    """Return a label as UTF-8, and as Latin-1 where it can be."""
    try:
        return label.encode(), label.encode("latin-1")
    except UnicodeEncodeError:
        return label.encode(), label.encode()


def _decoded(numbers: NDArray[np.float64], has_clock: bool) -> Decoded:
    return Decoded(numbers[:-1].T, numbers[-1]) if has_clock else Decoded(numbers.T)


def _as_table(rows: Rows, width: int, layout: ColumnsLayout | PairsLayout) -> NDArray[np.float64]:
    """Read a block as a table, and what is left line by line; shape (width, n)."""
    numbers = np.full((width, len(rows)), np.nan)
    is_left = np.ones(len(rows), np.bool_)
    is_left[layout.from_table(rows, numbers)] = False
    left = np.flatnonzero(is_left)
    if len(left):
        numbers[:, left] = layout.from_lines(rows.take(left).messages()).T
    return numbers


def _first_labels(lines: Alike) -> list[bytes]:
    first = lines.text[: int(np.argmax(lines.text == ord("\n")))].tobytes()
    return first.split(lines.delimiter)[::2]


def _equal(column: Any, label: bytes) -> NDArray[np.bool_]:
    return np.asarray(pc.equal(column, pa.scalar(label, pa.binary())).to_numpy(zero_copy_only=False), np.bool_)
