"""A historic session as arrays, read from the cache in a thread of the pool. Knows no widget."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from blitz.data.boards import SessionDecoder, channel_labels
from blitz.data.database_client import DatabaseClient
from blitz.data.records import SessionRecord, Source
from blitz.errors import DownloadCancelled
from blitz.ui.live_store import LiveChannel, Series, with_breaks

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class History:
    """A whole session, decoded."""

    record: SessionRecord
    channels: tuple[LiveChannel, ...]
    series: dict[int, Series]
    """By source index; lines broken where readings are missing."""

    @property
    def time_limits(self) -> tuple[float, float] | None:
        """Times of the first and the last reading, in seconds since the Unix epoch; None without readings."""
        firsts = [series.times[0] for series in self.series.values() if len(series.times)]
        lasts = [series.times[-1] for series in self.series.values() if len(series.times)]
        return (float(min(firsts)), float(max(lasts))) if firsts else None


def load_history(cache_path: Path, session_id: int, progress: Progress, is_cancelled: Callable[[], bool]) -> History:
    """Read a session that is whole in the cache.

    :param progress: called with messages read and messages in all.
    :raises DownloadCancelled: if ``is_cancelled`` said so.
    """
    cache = DatabaseClient(path=str(cache_path))
    try:
        record = cache.session_record(session_id)
        decoder = SessionDecoder(record.sources)
        times: dict[int, list[NDArray[np.float64]]] = {}
        values: dict[int, list[NDArray[np.float64]]] = {}
        for block in cache.session_blocks(session_id):
            if is_cancelled():
                raise DownloadCancelled(f"Opening session {session_id} was cancelled.")
            for readings in decoder.decode(block):
                times.setdefault(readings.source.index, []).append(readings.time_ns / 1e9)
                values.setdefault(readings.source.index, []).append(readings.values)
            progress(block.next_seq, record.message_count)
    finally:
        cache.close()
    series = {
        index: with_breaks(np.concatenate(parts), np.concatenate(values[index])) for index, parts in times.items()
    }
    return History(record, _channels(record.sources), series)


def _channels(sources: tuple[Source, ...]) -> tuple[LiveChannel, ...]:
    labels = channel_labels(sources)
    return tuple(
        LiveChannel(source, column, channel, labels[source.index, channel.name])
        for source in sources
        if source.definition is not None
        for column, channel in enumerate(source.definition.channels)
    )
