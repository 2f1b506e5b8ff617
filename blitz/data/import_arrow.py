"""Reading Parquet and Feather files that are imported. In flat memory."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from blitz.data.import_long import Words
from blitz.data.import_table import Column, ImportOptions, ImportTable, TableChannel, TableRows, roles_of
from blitz.data.import_times import TimeRule, WrongTimeError, rule_for_numbers, rule_for_text
from blitz.errors import ImportFileError

_CELLS = 1 << 19
"""Of one batch."""


def arrow_table(path: Path, options: ImportOptions) -> ImportTable:
    """Look into a Parquet or Feather file, and return it ready to be read.

    :raises ImportFileError: if it is none, as a reason without the file's name.
    """
    with _faults():
        return _ArrowTable(path, options).table()


class _ArrowTable:
    def __init__(self, path: Path, options: ImportOptions) -> None:
        self._path = path
        with _opened(path) as file:
            self._schema = file.schema
            sample = next(file.batches(list(range(len(self._schema))), 256), None)
        if sample is None or not len(sample):
            raise ImportFileError("it has no rows")
        columns = [_column(place, field) for place, field in enumerate(self._schema)]
        self._roles = roles_of(columns, options)
        self._times = self._rule(sample.column(self._roles.time.place), options)
        self._words = None if self._roles.words is None else Words(path.stem)

    def table(self) -> ImportTable:
        if self._words is None:
            channels = tuple(TableChannel(self._path.stem, c.name, c.unit) for c in self._roles.values)
        else:
            words = [column for column in self._roles.words or () if column is not None]
            for batch, places in self._batches(words, lambda _: None):
                self._words.learn(*self._texts(batch, places))
            channels = self._words.channels
        return ImportTable(
            channels=channels,
            is_long=self._words is not None,
            times=self._times,
            left_out=self._roles.left_out,
            size_bytes=self._path.stat().st_size,
            rows=self._rows,
        )

    def _rule(self, sample: Any, options: ImportOptions) -> TimeRule:
        time = self._roles.time
        zone = time.zone(options.timezone)
        if pa.types.is_timestamp(sample.type) or pa.types.is_date(sample.type):
            return TimeRule("iso", zone=zone)
        unit = options.unit or time.time_unit
        if time.kind == "number":
            numbers = pc.drop_null(sample).cast(pa.float64()).to_numpy(zero_copy_only=False)
            return rule_for_numbers(numbers, unit=unit, start_ns=options.start_ns)
        cells = pc.drop_null(sample.cast(pa.string())).to_pylist()
        rule = rule_for_text(cells, unit=unit, zone=zone, start_ns=options.start_ns, day_first=options.day_first)
        if rule is None:
            raise ImportFileError(f"the column {time.heading!r} holds no times")
        return rule

    def _rows(self, report: Callable[[int], None]) -> Iterator[TableRows]:
        words = [column for column in self._roles.words or () if column is not None]
        first_row = 0
        with _faults():
            for batch, places in self._batches([self._roles.time, *words, *self._roles.values], report):
                times = batch.column(places[self._roles.time.place])
                if pa.types.is_date(times.type):
                    times = times.cast(pa.timestamp("ms"))
                elif pa.types.is_dictionary(times.type) or pa.types.is_large_string(times.type):
                    times = times.cast(pa.string())
                try:
                    time_ns = self._times.nanoseconds(times)
                except WrongTimeError as error:
                    raise ImportFileError(f"row {first_row + error.place + 1}: {error}") from error
                columns = [_floats(batch.column(places[column.place])) for column in self._roles.values]
                code = None if self._words is None else self._words.codes(*self._texts(batch, places))
                first_row += len(batch)
                yield TableRows(time_ns, code, np.column_stack(columns))

    def _texts(self, batch: Any, places: dict[int, int]) -> list[Any]:
        assert self._roles.words is not None
        return [None if c is None else batch.column(places[c.place]).cast(pa.string()) for c in self._roles.words]

    def _batches(
        self, columns: Sequence[Column], report: Callable[[int], None]
    ) -> Iterator[tuple[Any, dict[int, int]]]:
        """Give batches of some columns, and at which place of them each column of the file stands."""
        wanted = sorted({column.place for column in columns})
        places = {place: number for number, place in enumerate(wanted)}
        size_bytes = self._path.stat().st_size
        with _opened(self._path) as file:
            for batch in file.batches(wanted, max(1024, _CELLS // len(wanted))):
                report(int(size_bytes * file.done))
                yield batch, places


class _Parquet:
    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as pq

        self._file = pq.ParquetFile(path)
        self.schema = self._file.schema_arrow
        self.done = 0.0

    def batches(self, places: Sequence[int], rows: int) -> Iterator[Any]:
        names = [self.schema.names[place] for place in places]
        row_count = max(self._file.metadata.num_rows, 1)
        read = 0
        for batch in self._file.iter_batches(rows, columns=names, use_threads=False):
            read += len(batch)
            self.done = read / row_count
            yield batch

    def close(self) -> None:
        self._file.close()


class _Feather:
    def __init__(self, path: Path) -> None:
        self._source = pa.memory_map(str(path))
        self._file = pa.ipc.open_file(self._source)
        self.schema = self._file.schema
        self.done = 0.0

    def batches(self, places: Sequence[int], rows: int) -> Iterator[Any]:
        for number in range(self._file.num_record_batches):
            batch = self._file.get_batch(number).select(list(places))
            self.done = (number + 1) / self._file.num_record_batches
            for start in range(0, len(batch), rows):
                yield batch.slice(start, rows)

    def close(self) -> None:
        self._source.close()


@contextmanager
def _opened(path: Path) -> Iterator[_Parquet | _Feather]:
    with path.open("rb") as file:
        is_parquet = file.read(4) == b"PAR1"
    opened = _Parquet(path) if is_parquet else _Feather(path)
    try:
        names = opened.schema.names
        if len(set(names)) != len(names):
            raise ImportFileError("several of its columns have one name")
        yield opened
    finally:
        opened.close()


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise ImportFileError(
            f"it is damaged or none of its kind: {str(error).partition(chr(10))[0].rstrip('.')}"
        ) from error


def _column(place: int, field: Any) -> Column:
    said = {key: value.decode("utf-8", "replace") for key, value in (field.metadata or {}).items()}
    if b"unit" in said:  # our own, and others that say it
        return Column(place, field.name, said.get(b"label", field.name), said[b"unit"], _kind(field.type))
    return Column.of(place, field.name, "", _kind(field.type))


def _kind(kind: Any) -> Literal["number", "moment", "text", "empty"]:
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return "moment"
    if any(
        is_kind(kind)
        for is_kind in (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean)
    ):
        return "number"
    return "empty" if pa.types.is_null(kind) else "text"


def _floats(column: Any) -> Any:
    # Not a cast that is checked: integers above 2 ** 53 lose their last digits, as every reading does.
    numbers = column if pa.types.is_float64(column.type) else pc.cast(column, pa.float64(), safe=False)
    return numbers.to_numpy(zero_copy_only=False)
