"""What of a cached session goes into a file: its columns, and its rows part by part.

A wide table is the common ground of all formats: a row a message, a column a channel. What a long file has is made
of it. A part is small enough for a few of them to lie in memory, however many channels a session has.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.boards import Readings, channel_labels
from blitz.data.computed import ComputedChannel
from blitz.data.database_client import DatabaseClient
from blitz.data.export_computed import ComputedColumns, inserted
from blitz.data.reading_blocks import decode_part
from blitz.data.records import SessionRecord, Source
from blitz.data.series_request import Range, choose_channels
from blitz.data.session_computed import SessionChannel, computed_pieces, fitting_channels

_CELLS = 1 << 20
"""Of one part, at most: 8 MB."""
_FEWEST_ROWS = 256
_MOST_DRIFT_NS = 600 * 1_000_000_000
"""A reading's time is that of its arrival or before, but for what a device's clock is fitted to; with much to spare."""
_MOST_DELAY_NS = 86_400 * 1_000_000_000
"""A device may keep messages while it is away, and send them so much later."""


@dataclass(frozen=True)
class Column:
    """One channel, as a file has it.

    :param label: as people know the channel in this session, see :func:`~blitz.data.boards.channel_labels`.
    :param source: the source's name; empty, as is the unit, for readings that were added one by one.
    :param computed: how it is computed; None for a channel of a device.
    """

    label: str
    unit: str
    source: str
    channel: str
    computed: ComputedChannel | None = None

    @property
    def header(self) -> str:
        """Label and unit."""
        return f"{self.label} [{self.unit}]" if self.unit else self.label


class Part(NamedTuple):
    """Some rows of the table.

    :param time_ns: int64, shape (n,), nanoseconds since the Unix epoch.
    :param values: float64, shape (n_columns, n), NaN where a row has no value.
    :param done: how many of the session's messages, or readings, have been gone through with it.
    :param block: the raw messages that it was made of; None where there are none, or another part has them.
    """

    time_ns: NDArray[np.int64]
    values: NDArray[np.float64]
    done: int
    block: MessageBlock | None = None


@dataclass(frozen=True)
class Contents:
    """What is written.

    :param sources: the source table with the definitions by which the session is read.
    :param started_ns: the session's start.
    :param total: how many messages, or readings, are gone through.
    """

    record: SessionRecord
    sources: tuple[Source, ...]
    columns: tuple[Column, ...]
    started_ns: int
    parts: Iterator[Part]
    total: int


def message_contents(
    cache: DatabaseClient,
    record: SessionRecord,
    channels: str | Iterable[str] | None,
    wanted: Range,
    version: int | None,
    computed: Iterable[ComputedChannel] = (),
) -> Contents:
    """Return what a downloaded session has.

    Without a choice of channels there is a row for every message, also of sources that nobody can decode; with one, for
    the messages of their sources.

    :param computed: channels that are computed, as far as the session has what they are made of.

    :raises SessionNotFound: if the session is not downloaded, or has no such version.
    :raises SeriesError: if there is no such channel.
    """
    opened = cache.open_session(record.id, version)
    fitting = {each.label: each for each in fitting_channels(computed, opened.channels, opened.sources)}
    there = (*opened.channels.values(), *(each.wanted for each in fitting.values()))
    chosen = [channel.label for channel in choose_channels(there, channels)]
    columns, places = _columns(opened.sources, chosen)
    made = {
        len(columns) + place: fitting[label] for place, label in enumerate(each for each in chosen if each in fitting)
    }
    columns += tuple(Column(*_words(each), each.kept) for each in made.values())
    for index in (index for each in made.values() for index in each.rows):
        places.setdefault(index, _Places(np.empty(0, np.int64), np.empty(0, np.int64)))
    held = opened.key.message_count
    stop = held if wanted.stop is None else min(wanted.stop, held)
    first = max(min(wanted.first, stop), _first_near(cache, record.id, wanted.start_ns, stop))
    pyramid = cache.overviews.find(opened.key) if first else None
    blocks = decode_part(cache, opened, pyramid, first, stop, None, is_ahead=False)
    computing = ComputedColumns(
        made,
        lambda each: computed_pieces(cache, record.id, each, version),
        (wanted.start_ns, wanted.stop_ns),
        len(columns),
    )
    rows = _Rows(columns, places, wanted, computing if made else None, has_all=channels is None)
    parts = _split(rows.parts(blocks, first), len(columns))
    return Contents(record, opened.sources, columns, nanoseconds(record), parts, stop - first)


def nanoseconds(record: SessionRecord) -> int:
    """Return a session's start in nanoseconds since the Unix epoch."""
    # In two parts: one float would round to some hundred nanoseconds.
    whole_s = int(record.started_at.replace(microsecond=0).timestamp())
    return whole_s * 1_000_000_000 + record.started_at.microsecond * 1000


def _words(channel: SessionChannel) -> tuple[str, str, str, str]:
    return channel.label, channel.wanted.unit, channel.wanted.source, channel.wanted.name


class _Places(NamedTuple):
    """Of one row of the source table: which of its channels go into which columns."""

    columns: NDArray[np.int64]
    channels: NDArray[np.int64]


def _columns(sources: Sequence[Source], chosen: Sequence[str]) -> tuple[tuple[Column, ...], dict[int, _Places]]:
    """Return the columns, and by index of the source table where they come from.

    A device whose definition was changed has two rows in the source table; its channels go on in their columns, but
    for those whose unit was changed.
    """
    labels = channel_labels(sources)
    wanted = set(chosen)
    numbers: dict[Column, int] = {}
    pairs: dict[int, list[tuple[int, int]]] = {}
    for source in sources:
        for place, channel in enumerate(source.definition.channels if source.definition else ()):
            label = labels[source.index, channel.name]
            if label in wanted:
                column = Column(label, channel.unit, source.name, channel.name)
                number = numbers.setdefault(column, len(numbers))
                pairs.setdefault(source.index, []).append((number, place))
    places = {index: _Places(*np.array(found, np.int64).reshape(-1, 2).T) for index, found in pairs.items()}
    return tuple(numbers), places


class _Rows:
    """Makes rows of decoded blocks."""

    def __init__(
        self,
        columns: Sequence[Column],
        places: dict[int, _Places],
        wanted: Range,
        computing: ComputedColumns | None,
        *,
        has_all: bool,
    ) -> None:
        self._count = len(columns)
        self._computing = computing
        self._places = places
        # Sources whose channels, all of them and in their order, are the columns: nothing has to be put in place.
        every = np.arange(len(columns))
        self._whole = {
            index
            for index, place in places.items()
            if np.array_equal(place.columns, every) and np.array_equal(place.channels, every)
        }
        self._wanted = wanted
        self._has_all = has_all

    def parts(self, blocks: Iterable[tuple[MessageBlock, list[Readings]]], first: int) -> Iterator[Part]:
        """Give a part a block, an empty one where a block has no row in the range."""
        if self._computing is None:
            yield from self._parts(blocks, first)
            return
        done, is_begun = 0, not self._wanted.first
        try:
            for part in self._parts(blocks, first):
                done = part.done
                if len(part.time_ns):
                    if not is_begun:  # what is computed begins where the messages that are wanted do
                        self._computing.rows_before(int(part.time_ns.min()))
                    is_begun = True
                    rows = self._computing.rows_before(int(part.time_ns.max()) + 1)
                    part = part._replace(**inserted(rows, part.time_ns, part.values)._asdict())
                yield part
            if is_begun and self._wanted.stop is None:
                yield Part(*self._computing.rows_before(self._wanted.stop_ns), done)
        finally:
            self._computing.close()

    def _parts(self, blocks: Iterable[tuple[MessageBlock, list[Readings]]], first: int) -> Iterator[Part]:
        awaited = set(self._places)
        for block, decoded in blocks:
            yield self._part(block, decoded, block.next_seq - first)
            # A source's times never fall: what has reached the end of the range is done.
            awaited.difference_update(
                readings.source.index for readings in decoded if readings.time_ns[-1] >= self._wanted.stop_ns
            )
            late_ns = int(block.arrived_ns[-1]) - self._wanted.stop_ns
            if late_ns >= (_MOST_DELAY_NS if awaited else 0):
                return

    def _part(self, block: MessageBlock, decoded: list[Readings], done: int) -> Part:
        time_ns, is_wanted = self._times(block, decoded)
        if time_ns.min() < self._wanted.start_ns or time_ns.max() >= self._wanted.stop_ns or not is_wanted.all():
            is_wanted &= (time_ns >= self._wanted.start_ns) & (time_ns < self._wanted.stop_ns)
        if not is_wanted.any():
            return Part(np.empty(0, np.int64), np.empty((self._count, 0)), done)
        values = self._values(block, decoded)
        if is_wanted.all():
            return Part(time_ns, values, done, block)
        return Part(time_ns[is_wanted], values[:, is_wanted], done, block)

    def _times(self, block: MessageBlock, decoded: list[Readings]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return each message's time, its reading's or else that of its arrival, and whether its source is wanted."""
        if len(decoded) == 1 and len(decoded[0]) == len(block) and decoded[0].source.index in self._places:
            return decoded[0].time_ns, np.ones(len(block), bool)
        time_ns = np.array(block.arrived_ns, np.int64)
        is_wanted = np.full(len(block), self._has_all)
        for readings in decoded:
            rows = readings.seq - block.first_seq
            time_ns[rows] = readings.time_ns
            is_wanted[rows] |= readings.source.index in self._places
        return time_ns, is_wanted

    def _values(self, block: MessageBlock, decoded: list[Readings]) -> NDArray[np.float64]:
        if len(decoded) == 1 and decoded[0].source.index in self._whole:
            of_one = decoded[0].values.T
            if of_one.shape == (self._count, len(block)):
                return of_one
        values = np.full((self._count, len(block)), np.nan)
        for readings in decoded:
            places = self._places.get(readings.source.index)
            if places is not None:
                rows = readings.seq - block.first_seq
                values[places.columns[:, np.newaxis], rows] = readings.values.T[places.channels]
        if self._computing is not None:
            self._computing.fill(block, values)
        return values


def _split(parts: Iterable[Part], columns: int) -> Iterator[Part]:
    """Cut parts that would have too many cells."""
    most = max(_FEWEST_ROWS, _CELLS // (columns + 1))
    for part in parts:
        if len(part.time_ns) <= most:
            yield part
            continue
        for start in range(0, len(part.time_ns), most):
            rows = slice(start, start + most)
            yield Part(part.time_ns[rows], part.values[:, rows], part.done, None if start else part.block)


def _first_near(cache: DatabaseClient, session_id: int, start_ns: int, stop: int) -> int:
    """Return a seq before which no reading has a time from ``start_ns`` on; near it where that is cheap to know."""
    low, high = 0, -(-stop // GRID_MESSAGES)
    if start_ns == Range().start_ns:
        return 0
    while low < high:
        middle = (low + high) // 2
        first = middle * GRID_MESSAGES
        block = next(cache.session_blocks(session_id, first, min(first + GRID_MESSAGES, stop)), None)
        if block is None or not len(block) or block.arrived_ns[-1] + _MOST_DRIFT_NS >= start_ns:
            high = middle
        else:
            low = middle + 1
    return min(low * GRID_MESSAGES, stop)
