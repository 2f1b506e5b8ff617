"""Tables that queries read while they run, as Arrow data sets that hold nothing.

The query engine asks such a table for columns and a condition, as often as its SQL names it; each time the cache is
read anew, block by block, and only what the condition may want.
"""

from abc import abstractmethod
from collections.abc import Iterator
from threading import Lock
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds


class Scans:
    """What the scans of one query have in common: how far they are, what went wrong, and whether to go on."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._done = self._total = 0
        self.is_cancelled = False
        """Set when nobody wants the result any more."""
        self.fault: BaseException | None = None
        """What a scan raised; the engine knows its text only."""

    def expect(self, message_count: int) -> None:
        """Count messages that a scan is going to read."""
        with self._lock:
            self._total += message_count

    def advance(self, message_count: int) -> None:
        """Count messages that were read, or need not be."""
        with self._lock:
            self._done += message_count

    @property
    def counts(self) -> tuple[int, int]:
        """Messages read, and messages to be read by the scans that have begun."""
        with self._lock:
            return self._done, self._total


class ScanCancelled(Exception):  # noqa: N818 - reads as what happened
    """Ends a scan; never leaves the query."""


class ScannedTable(ds.Dataset):  # type: ignore[misc] # pyarrow is untyped
    """A table as the query engine takes it: a data set of pyarrow, scanned afresh each time."""

    def __init__(self, scans: Scans, columns: pa.Schema) -> None:
        self._scans = scans
        self._columns = columns

    @property
    def schema(self) -> pa.Schema:
        """Names and types of all columns."""
        return self._columns

    def scanner(self, columns: list[str] | None = None, filter: Any = None) -> "ds.Scanner | _Whole":
        """Begin a scan; called by the query engine, in one of its threads.

        :param columns: the wanted ones; None for all.
        :param filter: an Arrow expression that must be true of all rows that are given.
        """
        batches = self._watched(filter)
        if filter is None:
            chosen = self._columns.names if columns is None else columns
            schema = pa.schema([self._columns.field(name) for name in chosen])
            return _Whole(pa.RecordBatchReader.from_batches(schema, (batch.select(chosen) for batch in batches)))
        reader = pa.RecordBatchReader.from_batches(self._columns, batches)
        return ds.Scanner.from_batches(
            reader, columns=columns, filter=filter, batch_readahead=1, fragment_readahead=1, use_threads=False
        )

    @abstractmethod
    def batches(self, condition: Any | None) -> Iterator[pa.RecordBatch]:
        """Read all rows for which the condition may be true, and perhaps others."""

    def _watched(self, condition: Any | None) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self.batches(condition):
                if self._scans.is_cancelled:
                    raise ScanCancelled
                yield batch
        except Exception as error:
            self._scans.fault = self._scans.fault or error
            raise


class _Whole:
    """What the engine uses of a scanner, where nothing is to be left out."""

    def __init__(self, reader: pa.RecordBatchReader) -> None:
        self._reader = reader

    def to_reader(self) -> pa.RecordBatchReader:
        return self._reader
