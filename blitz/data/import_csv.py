"""Reading text tables that are imported: wide, a column a channel, or long, a row a reading. In flat memory."""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from blitz.data.import_dialect import NO_VALUES, Dialect, is_no_value, is_number, sniff
from blitz.data.import_long import Words
from blitz.data.import_table import Column, ImportOptions, ImportTable, Roles, TableChannel, TableRows, roles_of
from blitz.data.import_times import TimeRule, WrongTimeError, rule_for_text
from blitz.errors import ImportFileError

_HEAD_BYTES = 1 << 18
_FEW_LINES = 4
_BLOCK_BYTES = 1 << 21
_WIDTH = re.compile(r"CSV parse error: Row #(?P<line>\d+): Expected (?P<wanted>\d+) columns, got (?P<found>\d+)")
_CELL = re.compile(
    r"In CSV column #(?P<place>\d+): Row #(?P<line>\d+): CSV conversion error to \w+: invalid value '(?P<cell>.*)'",
    re.DOTALL,
)


def csv_table(path: Path, options: ImportOptions) -> ImportTable:
    """Look at the beginning of a text table, and return it ready to be read.

    :raises ImportFileError: if it is none, as a reason without the file's name.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        if len(head.splitlines()) < _FEW_LINES:  # of thousands of columns
            head += file.read(_FEW_LINES * _BLOCK_BYTES)
        is_whole = not file.read(1)
    if not head.strip():
        raise ImportFileError("it is empty")
    return _CsvTable(path, sniff(head, is_whole=is_whole), options).table()


class _CsvTable:
    def __init__(self, path: Path, dialect: Dialect, options: ImportOptions) -> None:
        self._path = path
        self._dialect = dialect
        if not dialect.sample:
            raise ImportFileError("it has no rows of values")
        columns = [self._column(place) for place in range(len(dialect.headings))]
        self._roles = roles_of(columns, options)
        self._clock = _clock_column(self._roles, columns, dialect)
        self._times = self._rule(options)
        self._words = None if self._roles.words is None else Words(path.stem)

    def table(self) -> ImportTable:
        """Return what is to be imported; of a long table, which channels it has takes reading it once."""
        if self._words is None:
            channels = tuple(TableChannel(self._path.stem, c.name, c.unit) for c in self._roles.values)
        else:
            for batch in self._batches([c for c in self._roles.words or () if c is not None], lambda _: None):
                self._words.learn(*self._texts(batch))
            channels = self._words.channels
        return ImportTable(
            channels=channels,
            is_long=self._words is not None,
            times=self._times,
            left_out=tuple(name for name in self._roles.left_out if not self._clock or name != self._clock.heading),
            size_bytes=self._path.stat().st_size,
            rows=self._rows,
        )

    def _column(self, place: int) -> Column:
        dialect = self._dialect
        cells = dialect.column(place)
        kind: Literal["number", "moment", "text", "empty"] = "text"
        if not cells:
            kind = "empty"
        elif 2 * sum(map(is_number, cells)) > len(cells):  # what is none among them is an error, and told with its line
            kind = "number"
        else:
            try:
                kind = "moment" if rule_for_text(cells[:1], decimal=dialect.decimal) is not None else "text"
            except ImportFileError:  # dates that can be read in two ways
                kind = "moment"
        return Column.of(place, dialect.headings[place], dialect.units[place] if dialect.units else "", kind)

    def _rule(self, options: ImportOptions) -> TimeRule:
        time = self._roles.time
        cells = [row[time.place] for row in self._dialect.sample]
        if self._clock is not None:
            cells = [
                f"{cell.strip()} {row[self._clock.place].strip()}"
                for cell, row in zip(cells, self._dialect.sample, strict=True)
            ]
        cells = [cell for cell in cells if not is_no_value(cell)]
        zone = time.zone(options.timezone) if time.kind == "moment" else "UTC"

        def rule_for(sample: Sequence[str]) -> TimeRule | None:
            return rule_for_text(
                sample,
                unit=options.unit or time.time_unit,
                zone=zone,
                start_ns=options.start_ns,
                day_first=options.day_first,
                decimal=self._dialect.decimal,
            )

        # Where one of them is wrong, reading tells its line.
        rule = rule_for(cells) or rule_for(cells[:1])
        if rule is None:
            raise ImportFileError(
                f"the column {time.heading!r} holds no times; it begins with {cells[0]!r}"
                if cells
                else f"the column {time.heading!r} is empty"
            )
        return rule

    def _rows(self, report: Callable[[int], None]) -> Iterator[TableRows]:
        first_row = 0
        times = [column for column in (self._roles.time, self._clock) if column is not None]
        words = [column for column in self._roles.words or () if column is not None]
        for batch in self._batches([*times, *words, *self._roles.values], report):
            try:
                time_ns = self._times.nanoseconds(self._joined(batch, times))
            except WrongTimeError as error:
                line = self._line_of(first_row + error.place)
                raise ImportFileError(f"line {line}: {error}") from error
            values = np.column_stack([_floats(batch.column(_name(column))) for column in self._roles.values])
            code = None if self._words is None else self._words.codes(*self._texts(batch))
            first_row += len(batch)
            yield TableRows(time_ns, code, values)

    def _joined(self, batch: Any, times: Sequence[Column]) -> Any:
        columns = [batch.column(_name(column)) for column in times]
        return columns[0] if len(columns) == 1 else pc.binary_join_element_wise(*columns, " ")

    def _texts(self, batch: Any) -> list[Any]:
        assert self._roles.words is not None
        return [None if column is None else batch.column(_name(column)) for column in self._roles.words]

    def _batches(self, columns: Sequence[Column], report: Callable[[int], None]) -> Iterator[Any]:
        dialect = self._dialect
        numbers = {column.place for column in self._roles.values}
        types = {_name(c): pa.float64() if c.place in numbers else pa.string() for c in columns}
        with (
            self._faults(columns),
            pa.OSFile(str(self._path)) as file,
            pa_csv.open_csv(
                file,
                read_options=pa_csv.ReadOptions(
                    column_names=[f"c{place}" for place in range(len(dialect.headings))],
                    skip_rows=dialect.skipped_lines,
                    block_size=_BLOCK_BYTES,
                    use_threads=False,
                    encoding=dialect.encoding,
                ),
                parse_options=pa_csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True),
                convert_options=pa_csv.ConvertOptions(
                    column_types=types,
                    include_columns=list(types),
                    null_values=NO_VALUES,
                    decimal_point=dialect.decimal,
                ),
            ) as reader,
        ):
            for batch in reader:
                report(file.tell())
                yield batch

    @contextmanager
    def _faults(self, columns: Sequence[Column]) -> Iterator[None]:
        """Say what Arrow does not understand in the words of the file."""
        try:
            yield
        except (pa.ArrowException, UnicodeError) as error:
            raise ImportFileError(self._fault(str(error), columns)) from error

    def _fault(self, text: str, columns: Sequence[Column]) -> str:
        if width := _WIDTH.match(text):
            return f"line {width['line']} has {width['found']} columns, the rows before it have {width['wanted']}"
        if cell := _CELL.match(text):
            heading = columns[int(cell["place"])].heading
            return f"line {cell['line']}: {cell['cell'][:60]!r} in the column {heading!r} is no number"
        if "straddl" in text:
            return f"a line is longer than {_BLOCK_BYTES >> 20} MB, or a quotation mark is never closed"
        return text.partition("\n")[0].rstrip(".")

    def _line_of(self, row: int) -> int:
        """Return the number of the line on which a row of values begins, from 1; lines without anything are none."""
        with self._path.open(encoding=self._dialect.encoding, errors="replace", newline="") as file:
            for _ in range(self._dialect.skipped_lines):
                file.readline()
            reader = csv.reader(file, delimiter=self._dialect.delimiter)
            before = found = 0
            for cells in reader:
                if cells:
                    if found == row:
                        break
                    found += 1
                before = reader.line_num
        return self._dialect.skipped_lines + before + 1


def _clock_column(roles: Roles, columns: Sequence[Column], dialect: Dialect) -> Column | None:
    """Return the column with the time of day, where the chosen one has the date only."""
    dates = dialect.column(roles.time.place)
    if not dates or any(":" in cell for cell in dates) or roles.time.kind != "moment":
        return None
    for column in columns:
        cells = dialect.column(column.place)
        if (
            column is not roles.time
            and cells
            and all(re.fullmatch(r"\s*\d?\d:\d\d(:\d\d([.,]\d+)?)?\s*", c) for c in cells)
        ):
            return column
    return None


def _name(column: Column) -> str:
    return f"c{column.place}"


def _floats(column: Any) -> Any:
    return column.to_numpy(zero_copy_only=False)
