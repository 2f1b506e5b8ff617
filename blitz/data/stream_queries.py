"""SQL over the streams of a store: each stream that a query names is a table ``(time, value)``.

The engine, and what it may not do, is :mod:`blitz.data.query_engine`'s. Owns how points become tables, and results the
answer ``{name: [[time, value], ...]}``.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from blitz.data.blocks import GRID_MESSAGES
from blitz.data.optional_packages import optional_package
from blitz.data.query_pruning import TIME_TYPE
from blitz.data.time_precision import TimePrecision, from_microseconds
from blitz.errors import QueryError

if TYPE_CHECKING:
    from blitz.data.database_server import DatabaseServer

MOST_POINTS = 5_000_000
"""So many a query may read: they lie in memory while it runs."""
MOST_ROWS = 500_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TABLE_NAME = re.compile(r'"table_name":("(?:[^"\\]|\\.)*")')
_NO_MEMORY = re.compile(r"(?i)could not allocate|out of memory")
_LARGEST = 2**63
_NAMES = ("name", "stream")
"""A column of this name says which series a row belongs to."""

Answer = dict[str, list[list[Any]]]


def query_streams(store: "DatabaseServer", sql: str, precision: TimePrecision = TimePrecision.SECOND) -> Answer:
    """Run one SELECT over the streams of a store.

    Streams stand in it by name: ``select * from "some_measurement"``; ``streams`` lists them. ``time`` is a timestamp
    in UTC, ``value`` a number where all values are numbers, likewise truth values and texts, else JSON text.

    :returns: by name; one value column of one stream goes by the stream's name, others by the column's. Without a
        column of times, times are None.
    :raises QueryError: if the SQL is wrong, does not only read, or wants more than a query may have.
    :raises PackageMissing: if the engine is not installed.
    """
    optional_package("duckdb", "A query over streams", "blitz[analysis]")
    from blitz.data.query_engine import MEMORY_LIMIT, QueryBatches, QueryTables
    from blitz.data.query_scan import Scans

    streams = store.streams.streams()
    named = _named_in(sql, [record.name for record in streams])
    wanted = [record for record in streams if record.name in named]
    count = sum(record.point_count for record in wanted)
    if count > MOST_POINTS:
        raise QueryError(
            f"The streams of this query have {count} points together; a query may read {MOST_POINTS}. Read them by "
            "time instead, with stream(t1=..., t2=...)."
        )
    tables = {record.name: _points_table(store, record.id, record.point_count) for record in wanted}
    if "streams" not in tables:
        tables["streams"] = _streams_table(streams)
    listing = "The table streams lists the streams, by name."
    try:
        with QueryBatches(QueryTables(tables, {}, {}, listing, "streams"), Scans(), sql) as batches:
            return _answer(batches, [record.name for record in wanted], precision)
    except QueryError as error:
        if not _NO_MEMORY.search(str(error)):
            raise
        raise QueryError(
            f"The query needs more memory than it may have ({MEMORY_LIMIT}). Ask for less, by time or by LIMIT."
        ) from error


def _named_in(sql: str, names: Sequence[str]) -> set[str]:
    """Return the streams that a query names; SQL does not tell capitals from small letters.

    :raises QueryError: if a name may mean several.
    """
    import duckdb

    with duckdb.connect(":memory:") as engine:
        tree = engine.execute("select json_serialize_sql($1::varchar)", [sql]).fetchall()[0][0]
    found: set[str] = set()
    for written in {json.loads(text) for text in _TABLE_NAME.findall(tree)}:
        same = [name for name in names if name.casefold() == written.casefold()]
        if written in same and len(same) == 1:
            found.add(written)
        elif len(same) > 1:
            raise QueryError(
                f"The streams {' and '.join(map(repr, same))} differ in capitals only, which SQL does not tell apart."
            )
        else:
            found.update(same)
    return found


def _points_table(store: "DatabaseServer", session_id: int, count: int) -> pa.Table:
    times: list[pa.Array] = []
    values: list[list[Any]] = []
    for first in range(0, count, GRID_MESSAGES):
        raw = store.messages(session_id, first, min(GRID_MESSAGES, count - first)).messages()
        points = json.loads(b"[" + b",".join(map(bytes, raw)) + b"]")
        times.append(pa.array([round(point["t"] * 1e6) for point in points], pa.int64()).cast(TIME_TYPE))
        values.append([point["d"] for point in points])
    kind = _kind_of(values)
    columns = [pa.array(_as(kind, chunk), kind) for chunk in values]
    return pa.table([pa.chunked_array(times, TIME_TYPE), pa.chunked_array(columns, kind)], names=["time", "value"])


def _kind_of(chunks: Sequence[Sequence[Any]]) -> pa.DataType:
    kinds = {type(value) for chunk in chunks for value in chunk} - {type(None)}
    if kinds <= {bool} and kinds:
        return pa.bool_()
    if kinds <= {int} and kinds:
        fits = all(-_LARGEST <= value < _LARGEST for chunk in chunks for value in chunk if value is not None)
        return pa.int64() if fits else pa.float64()
    if kinds <= {int, float}:
        return pa.float64()
    return pa.string()


def _as(kind: pa.DataType, values: Sequence[Any]) -> Sequence[Any]:
    if kind == pa.float64():
        return [None if value is None else float(value) for value in values]
    if kind == pa.string():
        return [value if isinstance(value, str | None) else json.dumps(value) for value in values]
    return values


def _streams_table(streams: Sequence[Any]) -> pa.Table:
    rows = [
        {
            "name": record.name,
            "nickname": record.nickname,
            "description": record.description,
            "unit": record.unit,
            "point_count": record.point_count,
        }
        for record in streams
    ]
    schema = pa.schema([(name, pa.string()) for name in ("name", "nickname", "description", "unit")])
    return pa.Table.from_pylist(rows, schema.append(pa.field("point_count", pa.int64())))


def _answer(batches: Any, streams: Sequence[str], precision: TimePrecision) -> Answer:
    """Return the rows by series."""
    schema = batches.schema
    columns = list(range(len(schema.names)))
    time_column = next((n for n in columns if pa.types.is_timestamp(schema.types[n])), None)
    name_column = next(
        (n for n in columns if schema.names[n].lower() in _NAMES and pa.types.is_string(schema.types[n])), None
    )
    value_columns = [n for n in columns if n not in (time_column, name_column)]
    if not value_columns and name_column is not None:
        value_columns, name_column = [name_column], None
    labels = [schema.names[n] for n in value_columns]
    if len(labels) == 1 and len(streams) == 1 and name_column is None:
        labels = [streams[0]]
    answer: Answer = {} if name_column is not None else {label: [] for label in labels}
    for row in _rows(batches):
        time = None if time_column is None else _time(row[time_column], precision)
        for column, label in zip(value_columns, labels, strict=True):
            name = label
            if name_column is not None:
                name = str(row[name_column]) if len(labels) == 1 else f"{row[name_column]}.{label}"
            answer.setdefault(name, []).append([time, _plain(row[column])])
    return answer


def _rows(batches: Any) -> Iterator[Sequence[Any]]:
    count = 0
    for batch in batches:
        count += len(batch)
        if count > MOST_ROWS:
            raise QueryError(f"The result has more than {MOST_ROWS} rows: take fewer, by LIMIT, by time, or in groups.")
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _time(moment: datetime | None, precision: TimePrecision) -> int | float | None:
    if moment is None:
        return None
    since = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH
    return from_microseconds((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds, precision)


def _plain(value: Any) -> Any:
    """Return what JSON has a word for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value if isinstance(value, str | int | None) else str(value)
