"""The table of all readings of a cache, decoded while it is scanned."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from blitz.data.blocks import GRID_MESSAGES
from blitz.data.boards import Readings, channel_labels
from blitz.data.pyramid_reading import PyramidReader
from blitz.data.query_pruning import TIME_TYPE, holds, possible, possible_times
from blitz.data.query_scan import ScannedTable, Scans
from blitz.data.reading_blocks import decoded_blocks
from blitz.data.records import Source
from blitz.data.series_request import Range

if TYPE_CHECKING:
    from blitz.data.query_sessions import SessionQueries

_TEXT = pa.dictionary(pa.int8(), pa.string())
SCHEMA = pa.schema(
    [
        ("session", pa.int64()),
        ("source", _TEXT),
        ("channel", _TEXT),
        ("unit", _TEXT),
        ("time", TIME_TYPE),
        ("value", pa.float64()),
        ("label", _TEXT),
    ]
)


@dataclass(frozen=True)
class ReadChannel:
    """One channel of one session: what is the same in all its readings.

    :param source_index: row of the session's source table, and :param column: the place among its channels; both are
        absent where readings were added one by one.
    """

    session: int
    source: str
    channel: str
    unit: str
    label: str
    source_index: int | None = None
    column: int = 0

    @property
    def fact(self) -> Any:
        """What is true of all its readings, for :func:`~blitz.data.query_pruning.possible`."""
        return holds(session=self.session, source=self.source, channel=self.channel, unit=self.unit, label=self.label)

    @property
    def view(self) -> str:
        """SQL for the channel as a table of its own, of all sessions that have one of its label."""
        label = self.label.replace("'", "''")
        return f"select time, value, session from labelled_readings where label = '{label}'"

    def batch(self, time_us: NDArray[np.int64], value: NDArray[np.float64]) -> pa.RecordBatch:
        """Return readings as rows; NaN is NULL."""
        count = len(value)
        session, same = np.full(count, self.session), pa.array(np.zeros(count, np.int8))
        source, channel, unit, label = (
            pa.DictionaryArray.from_arrays(same, pa.array([text], pa.string()))
            for text in (self.source, self.channel, self.unit, self.label)
        )
        time = pa.array(time_us).cast(TIME_TYPE)
        columns = [pa.array(session), source, channel, unit, time, pa.array(value, from_pandas=True), label]
        return pa.record_batch(columns, schema=SCHEMA)


def read_channels(session_id: int, sources: Sequence[Source]) -> list[ReadChannel]:
    """Return the channels of a downloaded session, by source and place."""
    labels = channel_labels(sources)
    return [
        ReadChannel(
            session_id,
            source.name,
            channel.name,
            channel.unit,
            labels[source.index, channel.name],
            source.index,
            column,
        )
        for source in sources
        if source.definition is not None
        for column, channel in enumerate(source.definition.channels)
    ]


class ReadingsTable(ScannedTable):
    """A row a reading, of every session that has any. A message without a value of a channel makes none."""

    def __init__(
        self, cache: "SessionQueries", scans: Scans, sessions: dict[int, list[ReadChannel]], counts: dict[int, int]
    ) -> None:
        """Called by :mod:`~blitz.data.query_engine`.

        :param sessions: the channels of each session, by id.
        :param counts: messages of each downloaded session.
        """
        super().__init__(scans, SCHEMA)
        self._cache = cache
        self._sessions = sessions
        self._counts = counts

    def batches(self, condition: Any | None) -> Iterator[pa.RecordBatch]:
        """Read session by session, block by block, channel by channel."""
        ids = list(self._sessions)
        wanted = []
        for session_id in possible(SCHEMA, condition, ids, [holds(session=session_id) for session_id in ids]):
            channels = self._sessions[session_id]
            wanted.append(list(possible(SCHEMA, condition, channels, [channel.fact for channel in channels])))
        wanted = [channels for channels in wanted if channels]
        self._scans.expect(sum(self._counts.get(channels[0].session, 0) for channels in wanted))
        for channels in wanted:
            yield from self._rows([channel for channel in channels if channel.source_index is None])
            yield from self._decoded([channel for channel in channels if channel.source_index is not None], condition)

    def _rows(self, channels: list[ReadChannel]) -> Iterator[pa.RecordBatch]:
        for channel in channels:
            for times_ms, values in self._cache.row_columns(channel.session, channel.channel):
                yield channel.batch(times_ms * 1000, values)

    def _decoded(self, channels: list[ReadChannel], condition: Any | None) -> Iterator[pa.RecordBatch]:
        if not channels:
            return
        session_id = channels[0].session
        by_source: dict[int, list[ReadChannel]] = {}
        for channel in channels:
            by_source.setdefault(channel.source_index or 0, []).append(channel)
        first, stop = self._wanted_seqs(session_id, by_source, condition)
        self._scans.advance(self._counts[session_id] - (stop - first))
        if first == stop:
            return
        for block, decoded in decoded_blocks(self._cache, session_id, first=first, stop=stop, only=by_source):
            for readings in decoded:
                yield from _batches(readings, by_source[readings.source.index])
            self._scans.advance(len(block))

    def _wanted_seqs(self, session_id: int, indices: Collection[int], condition: Any | None) -> tuple[int, int]:
        """Return between which messages the readings of these sources lie for which a condition may be true.

        The overview tells it, and from where on to decode; it is made, if the session is long enough.
        """
        count = self._counts[session_id]
        times = possible_times(SCHEMA, condition, holds(session=session_id))
        if times is None or count <= GRID_MESSAGES:
            return 0, count
        pyramid = self._cache.make_overview(session_id, is_cancelled=lambda: self._scans.is_cancelled)
        if pyramid is None:
            return 0, count
        reader = PyramidReader(pyramid, lambda first, stop, only: iter(()))
        wanted = Range(start_ns=times[0], stop_ns=times[1])
        spans = [span for span in (reader.seqs(index, wanted) for index in indices) if span[0] < span[1]]
        return min((first for first, _ in spans), default=0), max((stop for _, stop in spans), default=0)


def _batches(readings: Readings, channels: Sequence[ReadChannel]) -> Iterator[pa.RecordBatch]:
    time_us = readings.time_ns // 1000
    for channel in channels:
        value = np.ascontiguousarray(readings.values[:, channel.column])
        is_none = np.isnan(value)
        if is_none.all():
            continue
        if is_none.any():
            yield channel.batch(time_us[~is_none], value[~is_none])
        else:
            yield channel.batch(time_us, value)
