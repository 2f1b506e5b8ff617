"""The table of all raw messages of a cache, read while it is scanned."""

import bisect
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from blitz.data.blocks import GRID_MESSAGES, MessageBlock
from blitz.data.query_pruning import TIME_TYPE, holds, lies, possible, possible_times
from blitz.data.query_scan import ScannedTable, Scans

if TYPE_CHECKING:
    from blitz.data.session_copies import SessionCopies

SCHEMA = pa.schema(
    [
        ("session", pa.int64()),
        ("seq", pa.int64()),
        ("time", TIME_TYPE),
        ("source", pa.dictionary(pa.int32(), pa.string())),
        ("raw", pa.binary()),
    ]
)


class MessagesTable(ScannedTable):
    """A row a message of every downloaded session: when it arrived, from which source, and what the device sent."""

    def __init__(
        self, cache: "SessionCopies", scans: Scans, counts: dict[int, int], names: dict[int, dict[int, str]]
    ) -> None:
        """Called by :mod:`~blitz.data.query_engine`.

        :param counts: messages of each downloaded session.
        :param names: the names of each session's sources, by index.
        """
        super().__init__(scans, SCHEMA)
        self._cache = cache
        self._counts = counts
        self._names = names

    def batches(self, condition: Any | None) -> Iterator[pa.RecordBatch]:
        """Read session by session, block by block."""
        ids = list(self._counts)
        for session_id in possible(SCHEMA, condition, ids, [holds(session=session_id) for session_id in ids]):
            names = self._names[session_id]
            places = np.zeros(1 << 16, np.int32)
            for place, index in enumerate(names, start=1):
                places[index] = place
            source_names = pa.array(["", *names.values()], pa.string())
            for block in self._blocks(session_id, condition):
                yield _batch(block, pa.DictionaryArray.from_arrays(pa.array(places[block.source]), source_names))

    def _blocks(self, session_id: int, condition: Any | None) -> Iterator[MessageBlock]:
        """Read the blocks in which the condition may be true. Arrivals never fall, so times bound them as seq does."""
        here, count = holds(session=session_id), self._counts[session_id]
        starts = range(0, count, GRID_MESSAGES)
        wanted = list(possible(SCHEMA, condition, starts, (here & _seq(start) for start in starts)))
        times = possible_times(SCHEMA, condition, here)
        if times is not None:
            wanted = wanted[
                bisect.bisect_left(wanted, times[0], key=lambda first: self._last_arrival(session_id, first)) :
            ]
        left = sum(min(GRID_MESSAGES, count - start) for start in wanted)
        self._scans.expect(left)
        for first, stop in _runs(wanted):
            for block in self._cache.session_blocks(session_id, first, min(stop, count)):
                if times is not None and block.arrived_ns[0] >= times[1]:
                    self._scans.advance(left)
                    return
                left -= len(block)
                self._scans.advance(len(block))
                yield block

    def _last_arrival(self, session_id: int, first: int) -> int:
        block = next(self._cache.session_blocks(session_id, first, first + GRID_MESSAGES))
        return int(block.arrived_ns[-1])


def _seq(start: int) -> Any:
    return lies("seq", start, start + GRID_MESSAGES - 1)


def _runs(starts: list[int]) -> Iterator[tuple[int, int]]:
    """Join blocks on the grid that follow each other.

    >>> list(_runs([0, 16384, 49152]))
    [(0, 32768), (49152, 65536)]
    """
    for _, run in itertools.groupby(enumerate(starts), lambda entry: entry[1] - entry[0] * GRID_MESSAGES):
        blocks = [start for _, start in run]
        yield blocks[0], blocks[-1] + GRID_MESSAGES


def _batch(block: MessageBlock, source: pa.DictionaryArray) -> pa.RecordBatch:
    count = len(block)
    columns = [
        pa.array(np.full(count, block.session_id, np.int64)),
        pa.array(np.arange(block.first_seq, block.next_seq)),
        pa.array(block.arrived_ns // 1000).cast(TIME_TYPE),
        source,
        block.raw,
    ]
    return pa.record_batch(columns, schema=SCHEMA)
