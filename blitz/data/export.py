"""Writing a cached session as CSV, wide or long.

Works block by block with whole columns, so that memory stays flat and no Python loop goes over rows. The file appears
under its name only when it is whole.
"""

import csv
import io
import os
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from blitz.data.blocks import MessageBlock
from blitz.data.boards import Channel, Readings, SessionDecoder, channel_labels
from blitz.data.csv_formulas import as_it_is, defused
from blitz.data.csv_times import iso_times, seconds_since
from blitz.data.database_client import DatabaseClient
from blitz.data.export_rows import Part, long_parts, wide_parts
from blitz.data.records import SessionRecord, Source
from blitz.errors import DownloadCancelled, ExportError, SessionNotFound

Layout = Literal["wide", "long"]


def export_csv(
    cache: DatabaseClient,
    session_id: int,
    path: Path,
    *,
    layout: Layout = "wide",
    defuse: bool = False,
    progress: Callable[[int, int], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> Path:
    """Write a downloaded session as CSV (UTF-8, comma, ``\\n``), replacing a file of that name when all is written.

    Wide: a row a message, in order of seq: ``time_utc`` (ISO 8601, microseconds), ``seconds`` since the session's
    start, then a column a channel, its unit in the header. What a message does not carry is empty: the channels of
    other sources, values that could not be decoded. Long: a row a reading, which is
    ``time_utc,seconds,source,channel,unit,value``. A session whose readings were added one by one has no
    messages: there a wide row is what was read at one time.

    :param defuse: for spreadsheets: names and units that one would take for a formula begin with an apostrophe.
    :param progress: called with (messages written, messages in all), first with none.
    :param is_cancelled: asked once a block.
    :returns: the absolute path.
    :raises SessionNotFound: if the session is not in the cache, or nothing of it is.
    :raises ExportError: if the file cannot be written.
    :raises DownloadCancelled: if ``is_cancelled`` said so; a file that was there before is as it was.
    :raises BlockError: if a block is damaged.
    """
    path = path.expanduser().absolute()
    record = cache.session_record(session_id)
    parts, total = _parts(cache, record, layout, defused if defuse else as_it_is)
    with _replacing(path) as file:
        for text, written in parts:
            if is_cancelled is not None and is_cancelled():
                raise DownloadCancelled(f"The export of session {session_id} was cancelled; no file was written.")
            file.write(text)
            if progress is not None:
                progress(written, max(total, written))
    return path


def _parts(
    cache: DatabaseClient, record: SessionRecord, layout: Layout, word: Callable[[str], str]
) -> tuple[Iterator[Part], int]:
    """Return the file's text, part by part, and how many messages, or readings, there are in all."""
    try:
        blocks = cache.session_blocks(record.id)
    except SessionNotFound:
        total = cache.count_rows(record.id)
        if not total:
            raise
        parts = wide_parts if layout == "wide" else long_parts
        return parts(cache, record.id, _nanoseconds(record), word), total
    kind = _Wide if layout == "wide" else _Long
    return _message_parts(blocks, record, kind(record, word)), record.message_count


def _message_parts(blocks: Iterator[MessageBlock], record: SessionRecord, layout: "_Layout") -> Iterator[Part]:
    yield _csv_line(layout.header) + b"\n", 0
    decoder = SessionDecoder(record.sources)
    for block in blocks:
        yield _bytes_of(layout.lines(block, decoder.decode(block))), block.next_seq


class _Column(NamedTuple):
    """One channel of one source."""

    source: Source
    channel: Channel
    place: int
    """Its place among the source's channels."""

    @classmethod
    def of(cls, sources: Sequence[Source]) -> list["_Column"]:
        return [
            cls(source, channel, place)
            for source in sources
            if source.definition is not None
            for place, channel in enumerate(source.definition.channels)
        ]


class _Layout(Protocol):
    header: list[str]

    def lines(self, block: MessageBlock, decoded: list[Readings]) -> Any:
        """Return the block's rows, an Arrow array of strings that end with a newline."""


class _Wide:
    def __init__(self, record: SessionRecord, word: Callable[[str], str]) -> None:
        self._started_ns = _nanoseconds(record)
        labels = channel_labels(record.sources)
        # A device whose definition was changed has two rows in the source table; its channels go on in their columns.
        columns: dict[str, int] = {}
        self._places: dict[int, list[int]] = {}
        for column in _Column.of(record.sources):
            label, unit = labels[column.source.index, column.channel.name], column.channel.unit
            place = columns.setdefault(f"{label} [{unit}]" if unit else label, len(columns))
            self._places.setdefault(column.source.index, []).append(place)
        self.header = ["time_utc", "seconds", *map(word, columns)]

    def lines(self, block: MessageBlock, decoded: list[Readings]) -> Any:
        values = np.full((len(self.header) - 2, len(block)), np.nan)
        for readings in decoded:
            rows = np.array(self._places.get(readings.source.index, []), np.int64)
            values[rows[:, np.newaxis], readings.seq - block.first_seq] = readings.values.T
        cells = (_text(column) for column in values)
        return _joined(*_heads(_times(block, decoded), self._started_ns), *cells)


class _Long:
    header: list[str]

    def __init__(self, record: SessionRecord, word: Callable[[str], str]) -> None:
        self.header = ["time_utc", "seconds", "source", "channel", "unit", "value"]
        self._started_ns = _nanoseconds(record)
        columns = _Column.of(record.sources)
        self._first: dict[int, int] = {}
        for number, column in enumerate(columns):
            self._first.setdefault(column.source.index, number)
        # The three cells that are the same for each reading of a channel, quoted once.
        texts = [(c.source.name, c.channel.name, c.channel.unit) for c in columns]
        names = [_csv_line([word(text) for text in three]).decode() for three in texts]
        self._names = pa.array(names, pa.string())

    def lines(self, block: MessageBlock, decoded: list[Readings]) -> Any:
        if not decoded:
            return pa.array([], pa.string())
        seq = np.concatenate([np.repeat(part.seq, part.values.shape[1]) for part in decoded])
        value = np.concatenate([part.values.ravel() for part in decoded])
        name = np.concatenate(
            [
                np.tile(np.arange(part.values.shape[1]) + self._first[part.source.index], len(part.seq))
                for part in decoded
            ]
        )
        order = np.argsort(seq, kind="stable")
        order = order[~np.isnan(value[order])]
        rows = pa.array(seq[order] - block.first_seq)
        heads = (pc.take(column, rows) for column in _heads(_times(block, decoded), self._started_ns))
        return _joined(*heads, pc.take(self._names, pa.array(name[order])), _text(value[order]))


def _times(block: MessageBlock, decoded: list[Readings]) -> NDArray[np.int64]:
    """Return each message's time: its reading's, else that of its arrival."""
    time_ns = np.array(block.arrived_ns, np.int64)
    for readings in decoded:
        time_ns[readings.seq - block.first_seq] = readings.time_ns
    return time_ns


def _heads(time_ns: NDArray[np.int64], started_ns: int) -> tuple[Any, Any]:
    return iso_times(time_ns), seconds_since(time_ns, started_ns)


def _nanoseconds(record: SessionRecord) -> int:
    # In two parts: one float would round to some hundred nanoseconds.
    whole_s = int(record.started_at.replace(microsecond=0).timestamp())
    return whole_s * 1_000_000_000 + record.started_at.microsecond * 1000


def _text(values: NDArray[np.float64]) -> Any:
    """Return the shortest text that reads as the same number, empty for NaN."""
    return pc.fill_null(pc.cast(pa.array(values, from_pandas=True), pa.string()), "")


def _joined(*cells: Any) -> Any:
    return pc.binary_join_element_wise(pc.binary_join_element_wise(*cells, ","), "", "\n")


def _bytes_of(lines: Any) -> bytes:
    if not len(lines):
        return b""
    _, offset_buffer, text = lines.buffers()
    offsets = np.frombuffer(offset_buffer, np.int32)
    return bytes(memoryview(text)[offsets[lines.offset] : offsets[lines.offset + len(lines)]])


def _csv_line(cells: Sequence[str]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)  # which makes it quote both characters
    return line.getvalue().removesuffix("\r\n").encode()


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """Give a file beside ``path`` that takes its place at the end, or goes when an error leaves the block.

    A link is followed, so that the file it names is replaced and not the link.
    """
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            # Root could replace /dev/null by a file of that name.
            raise ExportError(f"Cannot write {path}: it is a device or a pipe. Name a file.")
        if path.is_symlink():
            path = path.resolve()
        part = path.with_name(f".blitz-{uuid.uuid4().hex[:8]}.part")
        try:
            with part.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        if isinstance(error, ExportError):
            raise
        reason = (error.strerror or str(error)).lower()
        raise ExportError(
            f"Cannot write {path}: {reason}. Check the folder and its free space, and close programs that use the file."
        ) from error
