"""Parquet and Feather (Arrow IPC) files, wide and long."""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from blitz.data.export_about import about_session, column_facts, unique_names
from blitz.data.export_csv import long_rows
from blitz.data.export_file import HashedFile
from blitz.data.export_parts import Contents, Part

_GROUP_ROWS = 131_072
_GROUP_CELLS = 1 << 22
"""Of one row group, at most: 32 MB, as long as its rows are gathered."""
_BUFFER_BYTES = 1 << 20
"""Writers give out a page at a time, and each has to wait for the interpreter, which decodes meanwhile."""
_TIME = pa.timestamp("ns", tz="UTC")
_NAMES = ("source", "channel", "unit")
_NAME = pa.dictionary(pa.int32(), pa.string())


class _Sink(Protocol):
    def write_table(self, table: Any) -> None: ...
    def close(self) -> None: ...


class _Names(NamedTuple):
    """A text of each column, as a dictionary of those that differ."""

    codes: NDArray[np.int32]
    texts: Any

    @classmethod
    def of(cls, texts: Sequence[str]) -> "_Names":
        differing = list(dict.fromkeys(texts))
        codes = np.array([differing.index(text) for text in texts], np.int32)
        return cls(codes, pa.array(differing, pa.string()))


class ArrowFile:
    """A Parquet or a Feather file with a column ``time`` (nanoseconds, UTC), and then a column a channel, or long.

    Metadata: the schema's ``blitz`` is what is known of the session, as JSON; each channel's column has ``label``,
    ``unit``, ``source`` and ``channel``. What is absent is null. Compressed by zstd.
    """

    def __init__(self, path: Path, contents: Contents, layout: str, *, is_parquet: bool) -> None:
        self._is_long = layout == "long"
        fields = ([getattr(column, name) for column in contents.columns] for name in _NAMES)
        self._names = [_Names.of(texts) for texts in fields]
        self._schema = _schema(contents, is_long=self._is_long)
        self._file = HashedFile(path)
        make_sink = _parquet_sink if is_parquet else _IpcSink
        self._buffered = pa.BufferedOutputStream(pa.PythonFile(self._file, "w"), _BUFFER_BYTES)
        self._sink: _Sink = make_sink(self._buffered, self._schema)
        self._group_rows = max(1, min(_GROUP_ROWS, _GROUP_CELLS // len(self._schema)))
        self._gathered: list[Any] = []
        self._gathered_rows = 0

    @property
    def sha256(self) -> str:
        """Of what was written."""
        return self._file.sha256

    def prepare(self, part: Part) -> Any:
        """Return a part as a record batch; in any thread."""
        columns = self._long_columns(part) if self._is_long else self._wide_columns(part)
        return pa.record_batch(columns, schema=self._schema)

    def write(self, batch: Any) -> None:
        """Add a batch; it is written with others."""
        if not len(batch):
            return
        self._gathered.append(batch)
        self._gathered_rows += len(batch)
        if self._gathered_rows >= self._group_rows:
            self._flush()

    def close(self) -> None:
        """Write what is left and the file's end."""
        self._flush()
        self._sink.close()
        self._buffered.close()
        self._file.close()

    def abandon(self) -> None:
        """Close the file as it is."""
        # The writers would add the file's end when they are forgotten.
        with suppress(OSError, ValueError):
            self._sink.close()
        with suppress(OSError, ValueError):
            self._buffered.close()
        self._file.close()

    def _flush(self) -> None:
        if self._gathered:
            self._sink.write_table(pa.Table.from_batches(self._gathered, self._schema))
        self._gathered, self._gathered_rows = [], 0

    def _wide_columns(self, part: Part) -> list[Any]:
        # To have Arrow look for NaN takes several times as long, and makes a mask where there is none.
        has_nan = bool(np.isnan(part.values).any())
        return [_times(part.time_ns), *(pa.array(column, pa.float64(), from_pandas=has_nan) for column in part.values)]

    def _long_columns(self, part: Part) -> list[Any]:
        row, column, value = long_rows(part)
        names = (pa.DictionaryArray.from_arrays(names.codes[column], names.texts) for names in self._names)
        return [_times(part.time_ns[row]), *names, pa.array(value, pa.float64())]


class _IpcSink:
    """Writes Feather version 2, which is the Arrow IPC file."""

    def __init__(self, file: Any, schema: Any) -> None:
        options = pa.ipc.IpcWriteOptions(compression="zstd", unify_dictionaries=True)
        self._writer = pa.ipc.new_file(file, schema, options=options)

    def write_table(self, table: Any) -> None:
        self._writer.write_table(table.combine_chunks())

    def close(self) -> None:
        self._writer.close()


def _parquet_sink(file: Any, schema: Any) -> _Sink:
    # Times differ from row to row, and by nearly the same: a dictionary of them would double the size of the file.
    others = [field.name for field in schema if field.name != "time"]
    sink: _Sink = pyarrow.parquet.ParquetWriter(
        file, schema, compression="zstd", use_dictionary=others, column_encoding={"time": "DELTA_BINARY_PACKED"}
    )
    return sink


def _schema(contents: Contents, *, is_long: bool) -> Any:
    about = {"blitz": json.dumps(about_session(contents), ensure_ascii=False)}
    time = pa.field("time", _TIME)
    if is_long:
        names = [pa.field(name, _NAME) for name in _NAMES]
        return pa.schema([time, *names, pa.field("value", pa.float64())], about)
    labels = unique_names([column.label for column in contents.columns], ["time"])
    fields = [
        pa.field(name, pa.float64(), metadata=column_facts(each))
        for name, each in zip(labels, contents.columns, strict=True)
    ]
    return pa.schema([time, *fields], about)


def _times(time_ns: Any) -> Any:
    return pa.array(np.ascontiguousarray(time_ns), pa.int64()).view(_TIME)
