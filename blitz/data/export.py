"""Writing a cached session as a file that other programs read: CSV, Parquet, Feather, HDF5, Excel.

Works part by part with whole columns, so that memory stays flat whatever a session's length. The file appears under its
name only when it is whole, and its sidecar beside it.
"""

import logging
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blitz.data.blocks import MessageBlock
from blitz.data.computed import ComputedChannel
from blitz.data.database_client import DatabaseClient
from blitz.data.export_about import definitions_sha256
from blitz.data.export_ahead import prepared_ahead
from blitz.data.export_file import replacing
from blitz.data.export_formats import FileFormat, Layout, Order, OutputFile, Preset, format_of, open_file
from blitz.data.export_missing import missing_sentence
from blitz.data.export_parts import Contents, Part, message_contents
from blitz.data.export_rows import row_contents
from blitz.data.export_spelling import Spelling, local_offsets, repeated_hours, spreadsheet_spelling
from blitz.data.export_steps import at_steps
from blitz.data.series_request import Moment, Range, wanted_range
from blitz.data.sidecar import (
    ExportedColumn,
    LocalOffset,
    RawBlock,
    Sidecar,
    block_sha256,
    check_sidecar_place,
    drop_sidecar,
    write_sidecar,
)
from blitz.errors import DownloadCancelled, ExportError, SessionNotFound

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]

SHEET_ROWS = 1_048_576
"""So many rows, the header included, does a spreadsheet program take."""
SHEET_STEP_S = 1.0
_LOCAL_FORMATS = (FileFormat.CSV, FileFormat.XLSX)


def export_session(
    cache: DatabaseClient,
    session_id: int,
    path: Path,
    *,
    format: FileFormat | str | None = None,
    layout: Layout = "wide",
    channels: str | Iterable[str] | None = None,
    start: Moment | None = None,
    stop: Moment | None = None,
    first: int | None = None,
    count: int | None = None,
    preset: Preset = "analysis",
    step_s: float | None = None,
    spelling: Spelling | None = None,
    version: int | None = None,
    computed: Iterable[ComputedChannel] = (),
    sidecar: bool = True,
    progress: Progress | None = None,
    is_cancelled: Callable[[], bool] | None = None,
    warn: Callable[[str], None] | None = None,
) -> Path:
    """Write a session that the cache has, or a range of it, into a file; a file of that name is replaced at the end.

    Wide: a row a message, in order of seq, with a column a channel; or a row a step of time. Long: a row a reading.
    What a row does not carry is absent. ``docs/export.md`` describes what each format has.

    :param format: that of the name's ending when absent.
    :param channels: labels, or plain names where only one channel bears the name; all when absent.
    :param start: leave out what is earlier: an aware datetime, a numpy datetime64 in UTC, or Unix seconds.
    :param stop: leave out what is at that time, or later.
    :param first: leave out the messages before this sequence number.
    :param count: take so many messages.
    :param preset: ``analysis``: every message, UTC, exact values. ``spreadsheet``: a row a second, local time, and CSV
        as the spreadsheet of this user's language wants it.
    :param step_s: a row for so many seconds each, whole multiples since 1970, with the nearest readings.
    :param spelling: of text files; that of the preset when absent.
    :param version: of the definitions, 0 for those of the recording; None for the newest.
    :param computed: channels that are computed, such as :func:`~blitz.data.kept_computed.kept_channels` gives; those
        that the session has are channels like its own, with the values that they have over the whole of it.
    :param sidecar: write ``FILE.json``, by which the file can be verified.
    :param progress: called with (messages gone through, messages in all), first with none.
    :param is_cancelled: asked once a part.
    :param warn: told in a sentence what the file lacks where the copy is not whole, and what a spreadsheet program will
        not like; it goes to the log when absent.
    :returns: the absolute path.
    :raises SessionNotFound: if the session is not in the cache, or nothing of it is, or no such version.
    :raises SeriesError: if there is no such channel, or the range has no meaning.
    :raises ExportError: if the file cannot be written.
    :raises PackageMissing: if the format needs a package that is not installed.
    :raises DownloadCancelled: if ``is_cancelled`` said so; a file that was there before is as it was.
    :raises BlockError: if a block is damaged.
    """
    path = Path(path).expanduser().absolute()
    order = Order(
        FileFormat(format) if format is not None else format_of(path),
        layout,
        preset,
        _step_ns(step_s, preset),
        spelling or (spreadsheet_spelling() if preset == "spreadsheet" else Spelling()),
        warn or (lambda sentence: log.warning("%s: %s", path, sentence)),
    )
    wanted = wanted_range(start, stop, first, count, None)
    contents = _contents(cache, session_id, channels, wanted, version, computed)
    if order.step_ns is not None:
        contents = replace(contents, parts=at_steps(contents.parts, order.step_ns))
    written = _Written(missing=missing_sentence(cache, contents.record, wanted) if contents.sources else "")
    if written.missing:
        order.warn(written.missing)
    if sidecar:
        check_sidecar_place(path)

    def begin_sidecar() -> None:
        if sidecar:
            written.about = _sidecar(cache, path, contents, order, wanted, version)

    with replacing(path) as part:
        file = open_file(part, contents, order)
        try:
            _write(file, contents, order, written, progress, is_cancelled, begin_sidecar)
            file.close()
        except BaseException:
            file.abandon()
            raise
        sha256, size = file.sha256, part.stat().st_size
    if written.about is None:
        drop_sidecar(path)
    else:
        write_sidecar(path, written.about.model_copy(update=written.found(order) | {"size": size, "sha256": sha256}))
    return path


def export_csv(
    cache: DatabaseClient,
    session_id: int,
    path: Path,
    *,
    layout: Layout = "wide",
    defuse: bool = False,
    progress: Progress | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> Path:
    """Write a whole session as CSV for programs, without a sidecar; see :func:`export_session`.

    :param defuse: names and units that a spreadsheet would take for a formula begin with an apostrophe.
    """
    return export_session(
        cache,
        session_id,
        path,
        format=FileFormat.CSV,
        layout=layout,
        spelling=Spelling(is_defused=defuse),
        sidecar=False,
        progress=progress,
        is_cancelled=is_cancelled,
    )


@dataclass
class _Written:
    """What has gone into the file."""

    missing: str = ""
    about: Sidecar | None = None
    """What was known before: all but what is found."""
    rows: int = 0
    times_ns: tuple[int, int] | None = None
    raw: list[RawBlock] = field(default_factory=list)

    def take_times(self, time_ns: NDArray[np.int64]) -> None:
        """Note from when to when the file goes."""
        if len(time_ns):
            known = self.times_ns or (int(time_ns[0]), int(time_ns[0]))
            self.times_ns = min(known[0], int(time_ns.min())), max(known[1], int(time_ns.max()))

    def local_offsets(self, order: Order) -> list[tuple[int, int]]:
        """Return by how much the file's local times are ahead of UTC, and since when; empty where they are UTC."""
        if self.times_ns is None or not order.spelling.is_local or order.format not in _LOCAL_FORMATS:
            return []
        return local_offsets(*self.times_ns, order.spelling.zone)

    def found(self, order: Order) -> dict[str, Any]:
        """Return the fields of the sidecar that are known when all has gone into the file."""
        offsets = (LocalOffset(from_s=at, ahead_of_utc_s=ahead) for at, ahead in self.local_offsets(order))
        return {
            "is_whole": not self.missing,
            "missing": self.missing or None,
            "rows": self.rows,
            "local_offsets": tuple(offsets) or None,
            "raw": tuple(self.raw),
        }


def _step_ns(step_s: float | None, preset: Preset) -> int | None:
    if step_s is None:
        step_s = SHEET_STEP_S if preset == "spreadsheet" else None
    if step_s is None:
        return None
    if not (math.isfinite(step_s) and 1e-6 <= step_s <= 1e9):
        raise ExportError(f"A step of {step_s} s has no meaning: say a number of seconds, at least 0.000001.")
    return round(step_s * 1_000_000_000)


def _contents(
    cache: DatabaseClient,
    session_id: int,
    channels: str | Iterable[str] | None,
    wanted: Range,
    version: int | None,
    computed: Iterable[ComputedChannel],
) -> Contents:
    record = cache.session_record(session_id)
    try:
        return message_contents(cache, record, channels, wanted, version, computed)
    except SessionNotFound:
        if version or not cache.count_rows(session_id):
            raise
        return row_contents(cache, record, channels, wanted)


def _write(
    file: OutputFile,
    contents: Contents,
    order: Order,
    written: _Written,
    progress: Progress | None,
    is_cancelled: Callable[[], bool] | None,
    meanwhile: Callable[[], None],
) -> None:
    def prepare(part: Part) -> tuple[Any, int]:
        rows = np.count_nonzero(~np.isnan(part.values)) if order.layout == "long" else len(part.time_ns)
        return file.prepare(part), int(rows)

    if progress is not None:
        progress(0, contents.total)
    threads = 2 if order.format is FileFormat.CSV or order.layout == "long" else 1
    prepared = prepared_ahead(contents.parts, prepare, threads=threads, meanwhile=meanwhile)
    try:
        for part, (lines, rows) in prepared:
            if is_cancelled is not None and is_cancelled():
                raise DownloadCancelled(
                    f"The export of session {contents.record.id} was cancelled; no file was written."
                )
            file.write(lines)
            written.rows += rows
            written.take_times(part.time_ns)
            if part.block is not None:
                written.raw.append(_raw_block(part.block))
            if progress is not None:
                progress(part.done, max(contents.total, part.done))
    finally:
        prepared.close()
    if repeated := repeated_hours(written.local_offsets(order)):
        order.warn(repeated)
    if order.preset == "spreadsheet" and order.format is FileFormat.CSV and written.rows >= SHEET_ROWS:
        order.warn(
            f"The file has {written.rows} rows, and a spreadsheet program takes {SHEET_ROWS}: choose a longer step, or "
            "a range."
        )


def _raw_block(block: MessageBlock) -> RawBlock:
    return RawBlock(first=block.first_seq, count=len(block), sha256=block_sha256(block))


def _sidecar(
    cache: DatabaseClient,
    path: Path,
    contents: Contents,
    order: Order,
    wanted: Range,
    version: int | None,
) -> Sidecar:
    """Return what is known of a file before it is written."""
    return Sidecar(
        program=installed_version("blitz"),
        file=path.name,
        size=0,
        sha256="",
        format=order.format.value,
        layout=order.layout,
        preset=order.preset,
        step_s=None if order.step_ns is None else order.step_ns / 1e9,
        start_ns=wanted.start_ns if wanted.start_ns != Range().start_ns else None,
        stop_ns=wanted.stop_ns if wanted.stop_ns != Range().stop_ns else None,
        first=wanted.first,
        count=None if wanted.stop is None else wanted.stop - wanted.first,
        rows=0,
        columns=tuple(
            ExportedColumn(
                label=each.label,
                unit=each.unit,
                source=each.source,
                channel=each.channel,
                computed=None if each.computed is None else each.computed.to_plain(),
            )
            for each in contents.columns
        ),
        store_id=cache.store_id,
        session=contents.record.model_copy(update={"sources": contents.sources}),
        definition_version=_version(cache, contents, version),
        definitions_sha256=definitions_sha256(contents.sources),
    )


def _version(cache: DatabaseClient, contents: Contents, version: int | None) -> int | None:
    """Return which version of the definitions was meant; None for readings that were added one by one."""
    if version is not None or not contents.sources:
        return version
    return max((each.number for each in cache.definition_versions(contents.record.id)), default=0)
