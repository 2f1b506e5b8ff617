"""A query's result as a file: CSV, JSON or Arrow, batch by batch."""

import csv
import io
import json
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from blitz.data.query_engine import QueryBatches


def write_csv(batches: QueryBatches, file: BinaryIO) -> int:
    """Write CSV (UTF-8, comma, ``\\n``) with a header, and return the number of rows. NULL is empty, no text ``""``."""
    header = io.StringIO()
    csv.writer(header, lineterminator="\n").writerow(batches.columns)
    file.write(header.getvalue().encode())
    count = 0
    for batch in batches:
        cells = (_quoted(texts(column)) for column in batch.columns)
        lines = pc.binary_join_element_wise(pc.binary_join_element_wise(*cells, ","), "", "\n")
        file.write("".join(lines.to_pylist()).encode())
        count += batch.num_rows
    return count


def write_json(batches: QueryBatches, file: BinaryIO) -> int:
    """Write a JSON array of an object a row, each on a line of its own, and return the number of rows."""
    count = 0
    for batch in batches:
        for cells in zip(*map(_plain_column, batch.columns), strict=True):
            row = json.dumps(dict(zip(batches.columns, cells, strict=True)), ensure_ascii=False)
            file.write(f"{',' if count else '['}\n{row}".encode())
            count += 1
    file.write(b"\n]\n" if count else b"[]\n")
    return count


def write_arrow(batches: QueryBatches, file: BinaryIO) -> int:
    """Write an Arrow IPC stream, and return the number of rows."""
    count = 0
    with pa.ipc.new_stream(file, batches.schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            count += batch.num_rows
    return count


def texts(column: pa.Array) -> pa.Array:
    """Return cells as text: times in ISO 8601, bytes as latin-1; NULL stays.

    >>> texts(pa.array([1_500_000_000_123_456], pa.timestamp("us", "UTC"))).to_pylist()
    ['2017-07-14T02:40:00.123456Z']
    """
    kind = column.type
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return pc.strftime(column.cast(pa.timestamp(kind.unit)), format="%Y-%m-%dT%H:%M:%SZ")
    if pa.types.is_primitive(kind) and not pa.types.is_interval(kind):
        return column.cast(pa.string())
    if pa.types.is_string(kind):
        return column
    return pa.array([None if value is None else _spelled(value) for value in column.to_pylist()], pa.string())


def _quoted(cells: pa.Array) -> pa.Array:
    in_quotes = pc.binary_join_element_wise('"', pc.replace_substring(cells, '"', '""'), '"', "")
    needs_quotes = pc.match_substring_regex(cells, '[",\r\n]|^$')
    return pc.fill_null(pc.if_else(needs_quotes, in_quotes, cells), "")


def _spelled(value: Any) -> str:
    value = _plain(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _plain_column(column: pa.Array) -> list[Any]:
    if pa.types.is_integer(column.type) or pa.types.is_boolean(column.type) or pa.types.is_string(column.type):
        return column.to_pylist()  # type: ignore[no-any-return]
    if pa.types.is_timestamp(column.type):
        return texts(column).to_pylist()  # type: ignore[no-any-return]
    return [_plain(value) for value in column.to_pylist()]


def _plain(value: Any) -> Any:
    """Return what JSON has: no NaN, no infinity."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, pa.MonthDayNano):  # ISO 8601
        return f"P{value.months}M{value.days}DT{value.nanoseconds / 1e9:.12g}S"
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if type(value) in (list, tuple):
        return [_plain(part) for part in value]
    return str(value)


WRITERS: Mapping[str, Callable[[QueryBatches, BinaryIO], int]] = {
    "csv": write_csv,
    "json": write_json,
    "arrow": write_arrow,
}
