"""Imported rows as messages: what a session needs so that everything else reads it as if a server had recorded it.

A message is one row: its numbers as 64-bit floats, little-endian, by a definition of the format "struct", so that each
value comes back bit by bit. Pure.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.board_definition import BoardDefinition, Channel, Format
from blitz.data.import_dialect import unique
from blitz.data.import_table import TableChannel, TableRows
from blitz.data.records import Source
from blitz.errors import ImportFileError

_MOST_SHARED = 32
"""Channels of a long table whose values share a message: with more, most of it would be empty."""
_VALUE_BYTES = 8


class ImportLayout:
    """Where each channel of a table stands in messages.

    :param channels: of the table.
    :param is_long: whether a row has the value of one channel.
    :param link: what the sources' links are called.
    """

    def __init__(self, channels: Sequence[TableChannel], link: str, *, is_long: bool) -> None:
        self._is_long = is_long
        groups = _groups(channels, is_long=is_long)
        if len(groups) > 1 << 16:
            raise ImportFileError(f"it has {len(groups)} sources; a session has at most {1 << 16}")
        self._source_of = np.zeros(len(channels), np.int64)
        self._place_of = np.zeros(len(channels), np.int64)
        self._widths = np.array([len(group) for group in groups], np.int64)
        for index, group in enumerate(groups):
            self._source_of[group] = index
            self._place_of[group] = np.arange(len(group))
        self.sources = tuple(
            _source(index, [channels[code] for code in group], link) for index, group in enumerate(groups)
        )

    def blocks(self, rows: Iterable[TableRows], session_id: int, store_id: str) -> Iterator[MessageBlock]:
        """Give the messages of rows, which must come by time, as blocks on the grid."""
        waiting: MessageBlock | None = None
        for part in self._whole_messages(rows) if self._is_long else rows:
            first_seq = 0 if waiting is None else waiting.next_seq
            block = self._block(part, session_id, first_seq, store_id)
            if waiting is not None and len(waiting):
                block = MessageBlock.concatenate([waiting, block])
            end = block.next_seq // GRID_MESSAGES * GRID_MESSAGES
            yield from block.between(0, end).on_grid()
            waiting = block.between(end, block.next_seq)
        if waiting is not None and len(waiting):
            yield waiting

    def _whole_messages(self, rows: Iterable[TableRows]) -> Iterator[TableRows]:
        """Keep back the rows of the last message: the next part may have more of it."""
        waiting: TableRows | None = None
        for part in rows:
            joined = part if waiting is None else TableRows.join([waiting, part])
            begins = np.flatnonzero(self._begins(joined))
            last = int(begins[-1]) if len(begins) else 0
            waiting = joined.take(slice(last, None))
            if last:
                yield joined.take(slice(0, last))
        if waiting is not None and len(waiting):
            yield waiting

    def _begins(self, rows: TableRows) -> NDArray[np.bool_]:
        """Tell which rows begin a message: another time or source, or a channel that the message has already."""
        source, place = self._source_of[rows.code], self._place_of[rows.code]
        begins = np.ones(len(rows), np.bool_)
        begins[1:] = (np.diff(rows.time_ns) != 0) | (np.diff(source) != 0) | (np.diff(place) <= 0)
        return begins

    def _block(self, rows: TableRows, session_id: int, first_seq: int, store_id: str) -> MessageBlock:
        if not self._is_long:
            widths = np.full(len(rows), rows.values.shape[1], np.int64)
            source = np.zeros(len(rows), np.uint16)
            return MessageBlock(
                session_id, first_seq, rows.time_ns, source, _binary(rows.values.ravel(), widths), store_id
            )
        begins = self._begins(rows)
        sources = self._source_of[rows.code][begins]
        widths = self._widths[sources]
        starts = np.cumsum(widths) - widths
        numbers = np.full(int(widths.sum()), np.nan)
        numbers[starts[np.cumsum(begins) - 1] + self._place_of[rows.code]] = rows.values[:, 0]
        raw = _binary(numbers, widths)
        return MessageBlock(session_id, first_seq, rows.time_ns[begins], sources.astype(np.uint16), raw, store_id)


def _groups(channels: Sequence[TableChannel], *, is_long: bool) -> list[list[int]]:
    """Return which channels share messages, by their places."""
    if not is_long:
        return [list(range(len(channels)))]
    by_source: dict[str, list[int]] = {}
    for code, channel in enumerate(channels):
        by_source.setdefault(channel.source, []).append(code)
    groups = []
    for codes in by_source.values():
        names = [channels[code].name for code in codes]
        # A channel that has two units has a source of its own for each, under the same name.
        is_shared = len(codes) <= _MOST_SHARED and len(set(names)) == len(names)
        groups += [codes] if is_shared else [[code] for code in codes]
    return groups


def _source(index: int, channels: Sequence[TableChannel], link: str) -> Source:
    names = unique([channel.name for channel in channels])
    definition = BoardDefinition(
        id="imported",
        name="Imported values",
        format=Format.STRUCT,
        channels=tuple(
            Channel(name=name, unit=channel.unit, offset=_VALUE_BYTES * place, type="f64")
            for place, (name, channel) in enumerate(zip(names, channels, strict=True))
        ),
    )
    return Source(index=index, name=channels[0].source, link=link, board_id=None, definition=definition)


def _binary(numbers: NDArray[np.float64], widths: NDArray[np.int64]) -> pa.BinaryArray:
    """Return an Arrow binary array of which each element has some of the numbers."""
    ends = np.zeros(len(widths) + 1, np.int64)
    np.cumsum(widths * _VALUE_BYTES, out=ends[1:])
    if ends[-1] >= 1 << 31:
        raise ImportFileError("its rows are too wide")
    buffers = [None, pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(np.ascontiguousarray(numbers, "<f8"))]
    return pa.BinaryArray.from_buffers(pa.binary(), len(widths), buffers)
