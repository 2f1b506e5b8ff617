"""Importing files as sessions of the cache: whole or not at all, in flat memory.

What files look like stands in ``import_dialect``, ``import_times`` and ``import_table``, how they are read in
``import_csv``, ``import_arrow`` and ``import_series``, what messages are made of them in ``import_blocks``.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from blitz.data.blocks import MessageBlock
from blitz.data.import_arrow import arrow_table
from blitz.data.import_blocks import ImportLayout
from blitz.data.import_csv import csv_table
from blitz.data.import_order import OutOfOrder, nearly_ordered, sorted_rows
from blitz.data.import_series import series_table
from blitz.data.import_table import ImportOptions, ImportTable, TableChannel
from blitz.data.records import SessionRecord
from blitz.data.sidecar import read_sidecar
from blitz.errors import BlitzError, DownloadCancelled, ImportFileError

if TYPE_CHECKING:
    from blitz.data.imported_sessions import ImportedSessions

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]

_BLOCKS_AT_ONCE = 4


@dataclass(frozen=True)
class ImportPlan:
    """What an import would bring.

    :param channels: label, source and unit of each.
    :param times: how the times were understood, as words for people.
    :param first: the time of the first row of the file, where it was looked at.
    :param is_dateless: whether times count from a beginning that nobody told, which is taken for 1970.
    :param left_out: headings of columns that are not taken.
    """

    name: str
    channels: tuple[TableChannel, ...]
    is_long: bool
    times: str
    is_dateless: bool
    first: datetime | None
    left_out: tuple[str, ...]


def plan_import(path: Path, options: ImportOptions | None = None) -> ImportPlan:
    """Say what an import would bring, from the beginning of the file; nothing is written.

    :raises ImportFileError: if the file is wrong.
    """
    options = options or ImportOptions()
    with _naming(path):
        table = _open(path, options)
        first = next(table.rows(lambda _: None), None)
        if first is None or not len(first):
            raise ImportFileError("it has no rows of values")
        return _plan(path, options, table, _moment(int(first.time_ns[0])))


def import_file(
    cache: "ImportedSessions",
    path: Path,
    options: ImportOptions | None = None,
    *,
    progress: Progress | None = None,
    is_cancelled: Callable[[], bool] | None = None,
    tell: Callable[[ImportPlan], None] | None = None,
) -> SessionRecord:
    """Read a file into the cache; see :meth:`~blitz.data.imported_sessions.ImportedSessions.import_file`.

    :param tell: called with what is going to be imported.
    """
    options = options or ImportOptions()
    with _naming(path):
        table = _open(path, options)
        if tell is not None:
            tell(_plan(path, options, table, None))
        layout = ImportLayout(table.channels, f"file:{path.name}", is_long=table.is_long)
        try:
            return _written(cache, path, options, table, layout, _Watch(table, progress, is_cancelled), is_sorted=True)
        except OutOfOrder:
            log.info("%s is not in the order of time, and is sorted", path)
            return _written(cache, path, options, table, layout, _Watch(table, progress, is_cancelled), is_sorted=False)


def _plan(path: Path, options: ImportOptions, table: ImportTable, first: datetime | None) -> ImportPlan:
    rule = table.times
    words = f"numbers in {rule.unit}" if rule.kind == "number" else "date and time"
    if rule.kind != "number" and not rule.is_zoned:
        words += f", {rule.zone}"
    if rule.is_relative:
        words += " since the beginning"
    name = options.name or path.stem
    is_dateless = rule.is_relative and options.start is None
    return ImportPlan(name, table.channels, table.is_long, words, is_dateless, first, table.left_out)


class _Watch:
    """Reports how far the file is read, and asks whether to go on."""

    def __init__(self, table: ImportTable, progress: Progress | None, is_cancelled: Callable[[], bool] | None) -> None:
        self._total = table.size_bytes
        self._progress = progress
        self._is_cancelled = is_cancelled

    def __call__(self, done: int) -> None:
        if self._is_cancelled is not None and self._is_cancelled():
            raise DownloadCancelled("The import was cancelled; nothing was imported.")
        if self._progress is not None:
            self._progress(min(done, self._total), self._total)


def _written(
    cache: "ImportedSessions",
    path: Path,
    options: ImportOptions,
    table: ImportTable,
    layout: ImportLayout,
    watch: _Watch,
    *,
    is_sorted: bool,
) -> SessionRecord:
    session_id = cache.begin_import(0)
    try:
        rows = table.rows(watch)
        ordered = nearly_ordered(rows) if is_sorted else sorted_rows(rows)
        with contextlib.closing(ordered):
            first, last = None, None
            waiting: list[MessageBlock] = []
            for block in layout.blocks(ordered, session_id, cache.store_id or ""):
                first, last = first or block, block
                waiting.append(block)
                if len(waiting) == _BLOCKS_AT_ONCE:
                    watch(table.size_bytes)
                    cache.store_imported(session_id, waiting)
                    waiting = []
            if waiting:
                cache.store_imported(session_id, waiting)
        if first is None or last is None:
            raise ImportFileError("it has no rows of values")
        return cache.finish_import(_record(session_id, path, options, layout, first, last))
    except BaseException:
        with contextlib.suppress(BlitzError):
            cache.abandon_import(session_id)
        raise


def _record(
    session_id: int, path: Path, options: ImportOptions, layout: ImportLayout, first: MessageBlock, last: MessageBlock
) -> SessionRecord:
    told = _told_beside(path)
    return SessionRecord(
        id=session_id,
        name=options.name or (told.name if told else "") or path.stem,
        **({} if told is None else {name: getattr(told, name) for name in ("notes", "owner", "tags", "markers")}),
        started_at=_moment(int(first.arrived_ns[0])),
        stopped_at=_moment(int(last.arrived_ns[-1])),
        message_count=last.next_seq,
        fields={**(told.fields if told else {}), "imported from": path.name},
        sources=layout.sources,
    )


def _told_beside(path: Path) -> SessionRecord | None:
    """Return what the sidecar of one of our own exports says of the session."""
    try:
        sidecar = read_sidecar(path)
    except BlitzError:
        return None
    return sidecar.session if sidecar.file == path.name else None


def _open(path: Path, options: ImportOptions) -> ImportTable:
    """Look at what a file is, by its content, and return it ready to be read."""
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith((b"PAR1", b"ARROW1")):
        return arrow_table(path, options)
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return series_table(path, options)
    if head.startswith((b"PK\x03\x04", b"\x89HDF", b"\x1f\x8b")):
        raise ImportFileError("it is no CSV, Parquet, Feather or JSON file; save it as one of these")
    return csv_table(path, options)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    try:
        yield
    except ImportFileError as error:
        reason = str(error).rstrip(".")
        raise ImportFileError(f"Cannot import {path}: {reason}{'' if reason.endswith('?') else '.'}") from error
    except OSError as error:
        if isinstance(error, BlitzError):
            raise
        raise ImportFileError(f"Cannot import {path}: {(error.strerror or str(error)).lower()}.") from error


def _moment(time_ns: int) -> datetime:
    # Not fromtimestamp: Windows knows no times before 1970.
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_ns // 1000)
