"""Pages of decoded readings: what one answer of the server holds.

Owns the columns of these answers and where one page ends and the next begins. A page is bounded in rows, in messages
that were looked at, and in time; it says with which message the next one begins, also where it has no row at all: the
messages before a late range must be read once, to follow the clocks.
"""

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from blitz.data.boards import Readings
from blitz.data.frames import TIME_TYPE, times_array
from blitz.data.records import SessionRecord
from blitz.data.series_request import Range, WantedChannel
from blitz.data.spans import Columns, Spans, Steps, gathered, merged_spans
from blitz.io.session_decoding import SessionDecoding

PAGE_ROWS = 131_072
_PAGE_MESSAGES = 1 << 20
_PAGE_S = 2.0
HEADER = b"blitz"
"""Where an Arrow answer has, as JSON, its session, its channels, and the cursors `first` and `next`."""

_TEXT = pa.dictionary(pa.int32(), pa.string())
READING_SCHEMA = pa.schema(
    [
        pa.field("seq", pa.int64(), nullable=False),
        pa.field("time", TIME_TYPE, nullable=False),
        pa.field("source", _TEXT, nullable=False),
        pa.field("channel", _TEXT, nullable=False),
        pa.field("unit", _TEXT, nullable=False),
        pa.field("value", pa.float64(), nullable=False),
    ]
)
SPAN_SCHEMA = pa.schema(
    [
        pa.field("time", TIME_TYPE, nullable=False),
        pa.field("source", _TEXT, nullable=False),
        pa.field("channel", _TEXT, nullable=False),
        pa.field("unit", _TEXT, nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("mean", pa.float64(), nullable=False),
        pa.field("minimum", pa.float64(), nullable=False),
        pa.field("maximum", pa.float64(), nullable=False),
    ]
)


@dataclass(frozen=True)
class PageLimits:
    """Where a page ends at the latest.

    :param messages: looked at, wanted or not.
    """

    rows: int = PAGE_ROWS
    messages: int = _PAGE_MESSAGES
    seconds: float = _PAGE_S


@dataclass(frozen=True)
class Page:
    """What was found, and where to go on.

    :param next_seq: None when there is no more.
    """

    session_id: int
    channels: tuple[WantedChannel, ...]
    first: int
    next_seq: int | None
    columns: tuple[Any, ...] = field(repr=False)
    schema: Any = field(repr=False)
    more: dict[str, str] = field(default_factory=dict)
    """What else the request for the next page has to say."""

    def table(self) -> Any:
        """Return the page as :class:`pyarrow.Table`, the header in its schema's metadata."""
        channels = [
            {"label": channel.label, "source": channel.source, "name": channel.name, "unit": channel.unit}
            for channel in self.channels
        ]
        header = {"session": self.session_id, "channels": channels, "first": self.first, "next": self.next_seq}
        header["more"] = self.more
        return pa.table(list(self.columns), schema=self.schema.with_metadata({HEADER: json.dumps(header)}))


class _Walk:
    """Goes through the readings that are wanted, in pieces, as far as one answer may go.

    :ivar next_seq: where to go on; None at the end of what is wanted.
    """

    def __init__(
        self,
        decoding: SessionDecoding,
        session: SessionRecord,
        channels: Sequence[WantedChannel],
        wanted: Range,
        limits: PageLimits,
    ) -> None:
        self.next_seq: int | None = wanted.first
        self.places: dict[int, list[tuple[int, int]]] = {}
        """By source: column of the readings, and number of the channel."""
        for number, channel in enumerate(channels):
            for part in channel.parts:
                self.places.setdefault(part.source_index, []).append((part.column, number))
        self._decoding = decoding
        self._session = session
        self._wanted = wanted
        self._limits = limits

    def __iter__(self) -> Iterator[list[Readings]]:
        wanted, until_s = self._wanted, time.monotonic() + self._limits.seconds
        stop = self._session.message_count if wanted.stop is None else min(wanted.stop, self._session.message_count)
        widest = max(map(len, self.places.values()), default=1)
        at_once = max(self._limits.rows // 2 // widest, 1)
        looked_at, waiting = 0, set(self.places)
        if wanted.first >= stop or not waiting:
            self.next_seq = None
            return
        with closing(self._decoding.decoded(self._session, wanted.first, wanted.start_ns)) as blocks:
            for block, decoded in blocks:
                looked_at += len(block)
                for begin in range(max(wanted.first, block.first_seq), min(stop, block.next_seq), at_once):
                    behind = min(begin + at_once, block.next_seq, stop)
                    self.next_seq = behind if behind < stop else None
                    yield [_cut(each, begin, behind, wanted) for each in decoded if each.source.index in self.places]
                # A source's times never fall: one that has reached the end has nothing more.
                waiting -= {each.source.index for each in decoded if each.time_ns[-1] >= wanted.stop_ns}
                if block.next_seq >= stop or not waiting:
                    self.next_seq = None
                    return
                if looked_at >= self._limits.messages or time.monotonic() >= until_s:
                    return
        self.next_seq = None


def reading_page(
    decoding: SessionDecoding,
    session: SessionRecord,
    channels: Sequence[WantedChannel],
    wanted: Range,
    limits: PageLimits | None = None,
) -> Page:
    """Return readings as they are, by message, and within one by channel."""
    limits = limits or PageLimits()
    walk = _Walk(decoding, session, channels, wanted, limits)
    seqs: list[NDArray[np.int64]] = []
    times: list[NDArray[np.int64]] = []
    numbers: list[NDArray[np.int32]] = []
    values: list[NDArray[np.float64]] = []
    rows = 0
    for piece in walk:
        for readings in piece:
            own = walk.places[readings.source.index]
            seqs.append(np.repeat(readings.seq, len(own)))
            times.append(np.repeat(readings.time_ns, len(own)))
            numbers.append(np.tile(np.array([number for _, number in own], np.int32), len(readings)))
            values.append(readings.values[:, [column for column, _ in own]].ravel())
            rows += len(seqs[-1])
        if rows >= limits.rows // 2:
            break
    seq = _joined(seqs, np.int64)
    order = np.argsort(seq, kind="stable")
    columns = (
        pa.array(seq[order], pa.int64()),
        times_array(_joined(times, np.int64)[order]),
        *_named(channels, _joined(numbers, np.int32)[order]),
        pa.array(_joined(values, np.float64)[order], pa.float64()),
    )
    return Page(session.id, tuple(channels), wanted.first, walk.next_seq, columns, READING_SCHEMA)


def span_page(
    decoding: SessionDecoding,
    session: SessionRecord,
    channels: Sequence[WantedChannel],
    wanted: Range,
    division: Steps | Columns,
    limits: PageLimits | None = None,
) -> Page:
    """Return readings over spans of time, by channel; a span that goes on in the next page comes in two parts."""
    limits = limits or PageLimits()
    walk = _Walk(decoding, session, channels, wanted, limits)
    parts: dict[int, list[Spans]] = {}
    rows = 0
    for piece in walk:
        for readings in piece:
            for column, number in walk.places[readings.source.index]:
                channel, values = channels[number], readings.values[:, column]
                found = gathered(channel.label, channel.source, channel.unit, readings.time_ns, values, division)
                parts.setdefault(number, []).append(found)
        rows = sum(len(each) for some in parts.values() for each in some)
        if rows >= limits.rows // 2:
            parts = {number: [merged_spans(some)] for number, some in parts.items()}
            rows = sum(len(some[0]) for some in parts.values())
            if rows >= limits.rows // 2:
                break
    whole = {number: merged_spans(parts[number]) for number in sorted(parts)}
    numbers = np.repeat(np.array(list(whole), np.int32), [len(each) for each in whole.values()])
    columns = (
        times_array(_joined([each.time_ns for each in whole.values()], np.int64)),
        *_named(channels, numbers),
        pa.array(_joined([each.count for each in whole.values()], np.int64), pa.int64()),
        *(
            pa.array(_joined([getattr(each, name) for each in whole.values()], np.float64), pa.float64())
            for name in ("mean", "minimum", "maximum")
        ),
    )
    return Page(session.id, tuple(channels), wanted.first, walk.next_seq, columns, SPAN_SCHEMA)


def page_header(table: Any) -> dict[str, Any]:
    """Return the header of a page.

    :raises ValueError: if it has none.
    """
    header = json.loads((table.schema.metadata or {}).get(HEADER, b"null"))
    if not isinstance(header, dict):
        raise ValueError("the answer has no header of Blitz")
    return header


def seconds_text(time_ns: int) -> str:
    """Return a time as exact seconds, as requests have it.

    >>> seconds_text(1_790_000_000_000_000_001)
    '1790000000.000000001'
    """
    return f"{'-' if time_ns < 0 else ''}{abs(time_ns) // 10**9}.{abs(time_ns) % 10**9:09d}"


def _cut(readings: Readings, first: int, behind: int, wanted: Range) -> Readings:
    begin, end = np.searchsorted(readings.seq, [first, behind]).tolist()
    early, late = np.searchsorted(readings.time_ns, [wanted.start_ns, wanted.stop_ns]).tolist()
    rows = slice(max(begin, early), max(min(end, late), begin, early))
    return replace(
        readings,
        seq=readings.seq[rows],
        time_ns=readings.time_ns[rows],
        values=readings.values[rows],
        uncertainty_ns=readings.uncertainty_ns[rows],
    )


def _named(channels: Sequence[WantedChannel], number: NDArray[np.int32]) -> Iterator[Any]:
    """Return source, label and unit of each row."""
    for name in ("source", "label", "unit"):
        texts = [getattr(channel, name) for channel in channels]
        distinct = list(dict.fromkeys(texts))
        place = np.array([distinct.index(text) for text in texts], np.int32)
        indices = place[number] if len(place) else number
        yield pa.DictionaryArray.from_arrays(pa.array(indices, pa.int32()), pa.array(distinct, pa.string()))


def _joined(arrays: Iterable[NDArray[Any]], kind: Any) -> NDArray[Any]:
    arrays = list(arrays)
    return np.concatenate(arrays) if arrays else np.empty(0, kind)
