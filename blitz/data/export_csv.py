"""CSV files, wide and long."""

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from blitz.data.csv_formulas import as_it_is, defused
from blitz.data.csv_times import seconds_since
from blitz.data.export_file import HashedFile
from blitz.data.export_parts import Column, Contents, Part
from blitz.data.export_spelling import Spelling

_LONG = ("source", "channel", "unit", "value")


class CsvFile:
    """A CSV file in UTF-8 with ``\\n`` at the end of lines, wide or long.

    Numbers are the shortest text that reads as the same number; what is absent is empty.
    """

    def __init__(self, path: Path, contents: Contents, layout: str, spelling: Spelling) -> None:
        self._started_ns = contents.started_ns
        self._spelling = spelling
        word: Callable[[str], str] = defused if spelling.is_defused else as_it_is
        names = _LONG if layout == "long" else [word(column.header) for column in contents.columns]
        self._rows = self._long_rows if layout == "long" else self._wide_rows
        self._names = _three_cells(contents.columns, word, spelling.separator)
        self._options = pyarrow.csv.WriteOptions(
            include_header=False, delimiter=spelling.separator, quoting_style="none", batch_size=1 << 16
        )
        self._file = HashedFile(path)
        mark = "\ufeff" if spelling.has_mark else ""
        header = csv_line([spelling.time_header, "seconds", *names], spelling.separator)
        self._file.write(f"{mark}{header}\n".encode())

    @property
    def sha256(self) -> str:
        """Of what was written."""
        return self._file.sha256

    def prepare(self, part: Part) -> Any:
        """Return the text of a part; in any thread."""
        return self._rows(part) if len(part.time_ns) else b""

    def write(self, text: Any) -> None:
        """Add a text."""
        self._file.write(text)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def abandon(self) -> None:
        """Close the file as it is."""
        self._file.close()

    def _wide_rows(self, part: Part) -> Any:
        return self._text([*self._heads(part), *(self._numbers(column) for column in part.values)])

    def _long_rows(self, part: Part) -> Any:
        row, column, value = long_rows(part)
        heads = (pc.take(head, row) for head in map(_as_text, self._heads(part)))
        cells = *heads, pc.take(self._names, column), _as_text(self._numbers(value))
        lines = pc.binary_join_element_wise(*cells, self._spelling.separator)
        return _bytes_of(pc.binary_join_element_wise(lines, "", "\n"))

    def _heads(self, part: Part) -> tuple[Any, Any]:
        seconds = seconds_since(part.time_ns, self._started_ns)
        return self._spelling.times(part.time_ns), self._with_decimal(seconds)

    def _numbers(self, values: Any) -> Any:
        return self._with_decimal(pa.array(values, from_pandas=True))

    def _with_decimal(self, numbers: Any) -> Any:
        if self._spelling.decimal == ".":
            return numbers
        return pc.replace_substring(_as_text(numbers), ".", ",")

    def _text(self, columns: Sequence[Any]) -> Any:
        batch = pa.record_batch(list(columns), names=[str(number) for number in range(len(columns))])
        sink = pa.BufferOutputStream()
        pyarrow.csv.write_csv(batch, sink, self._options)
        return sink.getvalue()


def long_rows(part: Part) -> tuple[Any, Any, Any]:
    """Return the rows of a long table: of each reading its row in the part, its column and its value, row by row."""
    row, column = np.nonzero(~np.isnan(part.values.T))
    return row, column, part.values[column, row]


def csv_line(cells: Sequence[str], separator: str = ",") -> str:
    """Return a line of CSV without its end.

    >>> csv_line(["time", 'a "b", c'])
    'time,"a ""b"", c"'
    """
    line = io.StringIO()
    writer = csv.writer(line, delimiter=separator, lineterminator="\r\n")  # which makes it quote both characters
    writer.writerow(cells)
    return line.getvalue().removesuffix("\r\n")


def _three_cells(columns: Sequence[Column], word: Callable[[str], str], separator: str) -> Any:
    """Return the three cells that are the same for each reading of a channel, quoted once."""
    texts = ([word(column.source), word(column.channel), word(column.unit)] for column in columns)
    return pa.array([csv_line(three, separator) for three in texts], pa.string())


def _as_text(column: Any) -> Any:
    return pc.fill_null(pc.cast(column, pa.string()), "")


def _bytes_of(lines: Any) -> bytes | memoryview:
    if not len(lines):
        return b""
    _, offset_buffer, text = lines.buffers()
    offsets = np.frombuffer(offset_buffer, np.int32)
    return memoryview(text)[offsets[lines.offset] : offsets[lines.offset + len(lines)]]
