"""One SQL query over tables, in an engine of its own (DuckDB) that can reach nothing else.

The engine lives in memory and ends with the query. It is closed to files, network, extensions, settings and Python's
variables; it may put what does not fit into its memory into a folder that goes with it.
"""

import difflib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np
import pyarrow as pa

from blitz.data.query_scan import Scans
from blitz.data.unfinished_file import UnfinishedFile
from blitz.errors import BlitzError, DownloadCancelled, QueryError

T = TypeVar("T")
Parameters = Sequence[object] | Mapping[str, object]

MEMORY_LIMIT = "512MB"
"""What a query may take before it uses the disk, besides what it reads and what it gives."""

DISK_LIMIT = "16GB"

_BATCH_ROWS = 65536
_TICK_S = 0.1
_CLOSED: dict[str, Any] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
    "memory_limit": MEMORY_LIMIT,
    "max_temp_directory_size": DISK_LIMIT,
}
_SETTINGS: dict[str, Any] = {
    "TimeZone": "'UTC'",
    # After two seconds it would print a bar into what a command writes.
    "enable_progress_bar_print": "false",
    # The engine cannot know how long a scanned table is and takes it for a row: below these numbers of rows it compares
    # each with each, which for two channels of a session never ends.
    "asof_loop_join_threshold": 0,
    "nested_loop_join_threshold": 0,
    "merge_join_threshold": 0,
}
_TABLE_NAME = re.compile(r'"table_name":("(?:[^"\\]|\\.)*")')
_BEHIND_REASON = re.compile(r"\n\nLINE |\nDid you mean|\n\tCandidate functions")
_NO_TABLE = re.compile(r"Table with name (.+?) does not exist")


class QueryTables:
    """What a query sees.

    :param tables: Arrow tables, or tables that are scanned, by name.
    :param views: SQL of views on them, by name.
    :param channels: SQL of further views, of which only those are made that a query names.
    :param reads: what the tables are, in words.
    :param listing: which table tells what there is, as a sentence.
    """

    def __init__(
        self,
        tables: Mapping[str, Any],
        views: Mapping[str, str],
        channels: Mapping[str, str],
        listing: str = "The table channels lists the channels, by label.",
        reads: str = "the cached sessions",
    ) -> None:
        self.reads = reads
        self.listing = listing
        self.tables = tables
        self.views = views
        self.channels = channels

    def channel_named(self, name: str) -> str | None:
        """Return the label of the channel that a name in SQL means: SQL does not tell capitals from small letters.

        :raises QueryError: if it may mean several.
        """
        if name in self.channels:
            return name
        same = [label for label in self.channels if label.casefold() == name.casefold()]
        if len(same) > 1:
            raise QueryError(f"{name} may be the channel {' or '.join(map(_quoted, same))}: write it as it is.")
        return same[0] if same else None

    def names(self) -> list[str]:
        """Return the names of all tables and channels."""
        return [*self.tables, *self.views, *self.channels]


class QueryBatches:
    """A query that is ready to run, as an iterator of Arrow record batches; nothing is read before the first.

    To be closed, or used in a ``with`` block. One thread reads it; :meth:`cancel` and :attr:`counts` are for any. The
    engine works in threads of the query's own.
    """

    def __init__(
        self,
        tables: QueryTables,
        scans: Scans,
        sql: str,
        parameters: Parameters = (),
        *,
        spill: Path | None = None,
        progress: Callable[[int, int], None] | None = None,
        is_cancelled: Callable[[], bool] | None = None,
    ) -> None:
        """Called by :meth:`~blitz.data.query_sessions.SessionQueries.query_batches`.

        :param spill: the folder in which to put what does not fit into memory, as long as the query lasts.
        """
        self._tables = tables
        self._scans = scans
        self._spill = None if spill is None else _spill_into(spill)
        self._progress = progress
        self._asks = is_cancelled
        self._told = (0, 0)
        self._reader: Any = None
        try:
            self._engine = _open_engine(None if self._spill is None else self._spill.scratch)
        except BaseException:
            if self._spill is not None:
                self._spill.close()
            raise
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="blitz-query")
        try:
            with self._faults_as_sentences():
                self._prepare(sql)
                # Bound, not run: wrong SQL is told at once.
                self._relation = self._engine.sql(sql, params=_plain_parameters(parameters))
        except BaseException:
            self.close()
            raise

    @property
    def columns(self) -> list[str]:
        """The names of the result's columns."""
        return list(self._relation.columns)

    @property
    def schema(self) -> pa.Schema:
        """The result's columns and types. The query runs until its first rows."""
        return self._running().schema

    @property
    def counts(self) -> tuple[int, int]:
        """How many messages were read, and how many there are to read, as far as that is known."""
        return self._scans.counts

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        reader = self._running()
        while True:
            batch = self._await(lambda: next(reader, None))
            if batch is None:
                return
            yield batch

    def to_arrow(self) -> pa.Table:
        """Read all that is left of the result into memory."""
        return pa.Table.from_batches(self, self.schema)

    def cancel(self) -> None:
        """End the query, from any thread: whoever reads it gets :class:`~blitz.errors.DownloadCancelled`."""
        self._scans.is_cancelled = True
        self._engine.interrupt()

    def close(self) -> None:
        """Release what the query holds. A second call does nothing."""
        self._thread.shutdown()
        if self._reader is not None:
            self._reader.close()
        self._reader = self._relation = None
        self._engine.close()
        if self._spill is not None:
            self._spill.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _prepare(self, sql: str) -> None:
        import duckdb

        statements = self._engine.extract_statements(sql)
        if len(statements) != 1:
            raise QueryError(f"A query is one SELECT; {len(statements) or 'no'} statements were given.")
        if statements[0].type != duckdb.StatementType.SELECT:
            raise QueryError(
                f"A query may only read: SELECT, DESCRIBE, SUMMARIZE and the like, not {statements[0].type.name}."
            )
        for name, table in self._tables.tables.items():
            self._engine.register(name, table)
        for name, select in {**self._tables.views, **self._channels_in(sql)}.items():
            self._engine.execute(f"create view {_quoted(name)} as {select}").fetchall()

    def _channels_in(self, sql: str) -> dict[str, str]:
        """Return the views of the channels that a query names. Making one takes a millisecond; there may be many."""
        tree = self._engine.execute("select json_serialize_sql($1::varchar)", [sql]).fetchall()[0][0]
        known = {name.casefold() for name in (*self._tables.tables, *self._tables.views)}
        meant: dict[str, str] = {}
        for name in sorted({json.loads(found) for found in _TABLE_NAME.findall(tree)}):
            label = None if name.casefold() in known or not name else self._tables.channel_named(name)
            if label is not None and meant.setdefault(name.casefold(), label) != label:
                raise QueryError(
                    f"The channels {_quoted(meant[name.casefold()])} and {_quoted(label)} differ in capitals only, "
                    "which SQL does not tell apart in one query: take them from the table readings."
                )
        return {label: self._tables.channels[label] for label in meant.values()}

    def _running(self) -> Any:
        if self._reader is None:
            self._reader = self._await(lambda: self._relation.to_arrow_reader(_BATCH_ROWS))
        return self._reader

    def _await(self, step: Callable[[], T]) -> T:
        """Let the engine do a step in a thread of its own: what waits in its code does not hear Ctrl-C."""
        if self._scans.is_cancelled:
            raise _cancelled()
        future = self._thread.submit(step)
        try:
            while not wait([future], timeout=_TICK_S).done:
                self._tell()
        except BaseException:
            while not future.done():
                self.cancel()  # again, since the engine forgets it where it has not begun yet
                wait([future], timeout=_TICK_S)
            raise
        self._tell()
        with self._faults_as_sentences():
            return future.result()

    def _tell(self) -> None:
        counts = self._scans.counts
        if self._progress is not None and counts != self._told:
            self._told = counts
            self._progress(*counts)
        if self._scans.is_cancelled or (self._asks is not None and self._asks()):
            raise _cancelled()

    @contextmanager
    def _faults_as_sentences(self) -> Iterator[None]:
        import duckdb

        try:
            yield
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            fault = self._scans.fault
            if self._scans.is_cancelled:
                raise _cancelled() from error
            if isinstance(fault, BlitzError):
                raise fault from error
            if fault is not None:
                raise fault from None
            raise QueryError(self._sentence(str(error))) from error

    def _sentence(self, text: str) -> str:
        """Return what the engine says, without its drawing of the place, as one sentence."""
        reason = _BEHIND_REASON.split(re.sub(r"^[A-Za-z ]*Error: ", "", text), maxsplit=1)[0]
        reason = " ".join(reason.split()).rstrip(".!")
        line = re.search(r"\nLINE (\d+):", text)
        where = f", in line {line[1]}" if line and line[1] != "1" else ""
        if reason[1:2].islower():
            reason = reason[0].lower() + reason[1:]
        return f"The query cannot run: {reason}{where}.{self._remedy(text)}"

    def _remedy(self, text: str) -> str:
        if text.startswith("Permission Error"):
            return f" A query reads {self._tables.reads} only: no files, and no network."
        missing = _NO_TABLE.search(text)
        if missing is None:
            return ""
        near = difflib.get_close_matches(missing[1].strip('"'), self._tables.names(), 1)
        hint = f" Did you mean {_quoted(near[0])}?" if near else ""
        return f"{hint} {self._tables.listing}"


def _cancelled() -> DownloadCancelled:
    return DownloadCancelled("The query was cancelled.")


def _spill_into(folder: Path) -> UnfinishedFile | None:
    try:
        return UnfinishedFile(folder)
    except OSError:  # a query that fits into memory needs none
        return None


def _open_engine(spill: Path | None) -> Any:
    import duckdb

    settings = {**_CLOSED, "temp_directory": "" if spill is None else str(spill)}
    engine = duckdb.connect(":memory:", config=settings)
    for name, value in {**_SETTINGS, "lock_configuration": "true"}.items():
        engine.execute(f"set {name} = {value}").fetchall()
    return engine


def _plain_parameters(parameters: Parameters) -> list[object] | dict[str, object] | None:
    if isinstance(parameters, Mapping):
        return {name: _plain(value) for name, value in parameters.items()} or None
    return [_plain(value) for value in parameters] or None


def _plain(value: object) -> object:
    """Return what the engine takes in place of numpy's numbers and, as everywhere in Blitz in UTC, its times."""
    if isinstance(value, np.datetime64):
        moment = value.astype("datetime64[us]").item()
        return None if moment is None else moment.replace(tzinfo=UTC)
    return value.item() if isinstance(value, np.generic) else value


def _quoted(name: str) -> str:
    r"""Return a name as SQL takes it, whatever is in it.

    >>> print(_quoted('2" valve'))
    "2"" valve"
    """
    return '"' + name.replace('"', '""') + '"'
