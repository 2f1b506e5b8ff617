"""A cached session's readings as a sequence, decoded while it is read.

A session of a hundred million readings is not put into a list: its messages are decoded block by block. Decoding goes
from the session's start, since the devices' clocks are followed from there; a copy of the decoder kept for each block
makes any place reachable afterwards.
"""

import bisect
import copy
import math
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm.attributes import manager_of_class

from blitz.data import boards
from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.models import Category, Reading
from blitz.data.records import Source

if TYPE_CHECKING:
    from blitz.data.database_client import DatabaseClient

_PAGE_READINGS = 1024
_READING_MANAGER = manager_of_class(Reading)
_EVERY_READING: Any = object()


class ReadingColumns(NamedTuple):
    """Readings of one block in order: by message, and within a message by channel. What was NaN is left out."""

    time_ns: NDArray[np.int64]
    label: NDArray[np.int64]
    """Places in :attr:`SessionDecoding.labels`."""
    value: NDArray[np.float64]

    def between(self, start: int, stop: int) -> "ReadingColumns":
        """Return a part of them."""
        return ReadingColumns(self.time_ns[start:stop], self.label[start:stop], self.value[start:stop])


class SessionDecoding:
    """Turns a session's blocks, in order from the first, into columns of readings."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._decoder = boards.SessionDecoder(sources)
        names = boards.channel_labels(sources)
        # A device whose definition was changed has two rows in the source table, and each label once.
        self.labels = list(dict.fromkeys(names.values()))
        places = {label: place for place, label in enumerate(self.labels)}
        self._places = {
            source.index: np.array(
                [places[names[source.index, channel.name]] for channel in source.definition.channels], np.int64
            )
            for source in sources
            if source.definition is not None
        }

    def fork(self) -> "SessionDecoding":
        """Return a copy that goes on from here by itself."""
        twin = copy.copy(self)
        twin._decoder = self._decoder.fork()
        return twin

    def decode(self, block: MessageBlock) -> ReadingColumns:
        """Decode the next block."""
        seq, parts = [], []
        for readings in self._decoder.decode(block):
            places = self._places[readings.source.index]
            seq.append(np.repeat(readings.seq, len(places)))
            parts.append((np.repeat(readings.time_ns, len(places)), np.tile(places, len(readings)), readings.values))
        if not parts:
            return ReadingColumns(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float64))
        times, labels, values = zip(*parts, strict=True)
        columns = (np.concatenate(times), np.concatenate(labels), np.concatenate([part.ravel() for part in values]))
        order = np.argsort(np.concatenate(seq), kind="stable")
        order = order[~np.isnan(columns[2][order])]
        return ReadingColumns(columns[0][order], columns[1][order], columns[2][order])


class SessionReadings(Sequence[Reading]):
    """The readings of one session: first the rows added one by one, by time, then those of the download, by seq.

    Iterating takes the memory of one block. The first length, or index, decodes the session once to learn how many
    readings each block has. Readings of a download are made when they are asked for and have no id. Usable from
    several threads; raises what :meth:`~blitz.data.session_copies.SessionCopies.session_blocks` raises.
    """

    def __init__(self, cache: "DatabaseClient", session_id: int, sources: Sequence[Source] | None) -> None:
        """Called by :meth:`~blitz.data.database_client.DatabaseClient.get_session_readings`.

        :param sources: those of the downloaded copy; None where there is none.
        """
        self._cache = cache
        self._session_id = session_id
        self._sources = sources
        self._lock = threading.Lock()
        self._categories: list[Category] | None = None
        self._ends: list[int] | None = None
        self._forks: list[SessionDecoding] = []
        self._recent: tuple[int, ReadingColumns] | None = None

    def __len__(self) -> int:
        ends = self._block_ends()
        return self._cache.count_rows(self._session_id) + (ends[-1] if ends else 0)

    def __bool__(self) -> bool:
        return next(iter(self), None) is not None

    def count(self, value: Reading = _EVERY_READING) -> int:
        """Return the number of readings, or how many equal ``value``."""
        return len(self) if value is _EVERY_READING else super().count(value)

    def __iter__(self) -> Iterator[Reading]:
        yield from self._cache.iterate_rows(self._session_id)
        if self._sources is None:
            return
        decoding = SessionDecoding(self._sources)
        for block in self._cache.session_blocks(self._session_id):
            columns = decoding.decode(block)
            for start in range(0, len(columns.value), _PAGE_READINGS):
                yield from self._readings(columns.between(start, start + _PAGE_READINGS))

    @overload
    def __getitem__(self, place: int) -> Reading: ...
    @overload
    def __getitem__(self, place: slice) -> list[Reading]: ...
    def __getitem__(self, place: int | slice) -> Reading | list[Reading]:
        length = len(self)
        if isinstance(place, slice):
            wanted = range(*place.indices(length))
            if not wanted:
                return []
            low, high = min(wanted[0], wanted[-1]), max(wanted[0], wanted[-1]) + 1
            between = self._between(low, high)
            return [between[position - low] for position in wanted]
        position = place + length if place < 0 else place
        if not 0 <= position < length:
            raise IndexError(f"Reading {place} was asked for; session {self._session_id} has {length}.")
        return self._between(position, position + 1)[0]

    def latest_of_blocks(self) -> list[Reading]:
        """Return the last reading of each variable of the download, in the order of the session's columns."""
        if self._sources is None:
            return []
        decoding = SessionDecoding(self._sources)
        times = np.zeros(len(decoding.labels), np.int64)
        values = np.full(len(decoding.labels), math.nan)
        for block in self._cache.session_blocks(self._session_id):
            columns = decoding.decode(block)
            # Where a place occurs several times, numpy keeps the last assignment, which is the latest reading.
            times[columns.label] = columns.time_ns
            values[columns.label] = columns.value
        seen = np.flatnonzero(~np.isnan(values))
        return self._readings(ReadingColumns(times[seen], seen, values[seen]))

    def _between(self, low: int, high: int) -> list[Reading]:
        row_count = self._cache.count_rows(self._session_id)
        found = self._cache.rows_between(self._session_id, low, min(high, row_count)) if low < row_count else []
        low, high = max(low - row_count, 0), high - row_count
        ends = self._block_ends()
        while low < high:
            number = bisect.bisect_right(ends, low)
            start = ends[number - 1] if number else 0
            stop = min(high, ends[number])
            found += self._readings(self._columns(number).between(low - start, stop - start))
            low = stop
        return found

    def _block_ends(self) -> list[int]:
        """Return, for each block, how many readings there are up to its end."""
        with self._lock:
            if self._ends is None:
                ends: list[int] = []
                if self._sources is not None:
                    decoding = SessionDecoding(self._sources)
                    for block in self._cache.session_blocks(self._session_id):
                        self._forks.append(decoding.fork())
                        ends.append((ends[-1] if ends else 0) + len(decoding.decode(block).value))
                self._ends = ends
            return self._ends

    def _columns(self, number: int) -> ReadingColumns:
        with self._lock:
            if self._recent is None or self._recent[0] != number:
                first = number * GRID_MESSAGES
                block = next(self._cache.session_blocks(self._session_id, first, first + GRID_MESSAGES))
                self._recent = (number, self._forks[number].fork().decode(block))
            return self._recent[1]

    def _readings(self, columns: ReadingColumns) -> list[Reading]:
        categories = self._labelled_categories()
        times_ms = (columns.time_ns // 1_000_000).tolist()
        return [
            _make_reading(self._session_id, time_ms, categories[label], value)
            for time_ms, label, value in zip(times_ms, columns.label.tolist(), columns.value.tolist(), strict=True)
        ]

    def _labelled_categories(self) -> list[Category]:
        if self._categories is None:
            labels = SessionDecoding(self._sources or ()).labels
            self._categories = self._cache.categories_named(labels)
        return self._categories


def _make_reading(session_id: int, time_ms: int, category: Category, value: float) -> Reading:
    # As SQLAlchemy makes objects that it loads: six times as fast as the constructor, and nothing counts as changed.
    reading: Reading = _READING_MANAGER.new_instance()
    reading.__dict__.update(
        session_id=session_id, time_logged=time_ms, category_id=category.id, value=value, category=category
    )
    return reading
