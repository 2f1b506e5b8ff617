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

RUN = 64
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class History:
    """A whole session, decoded."""

    record: SessionRecord
    channels: tuple[LiveChannel, ...]
    series: dict[int, Series]
    """By source index; lines broken where readings are missing."""
    coarse: dict[int, Series]
    """By source index: minimum and maximum of each :data:`RUN` readings, for views of many."""

    @property
    def time_limits(self) -> tuple[float, float] | None:
        """Times of the first and the last reading, in seconds since the Unix epoch; None without readings."""
        firsts = [series.times[0] for series in self.series.values() if len(series.times)]
        lasts = [series.times[-1] for series in self.series.values() if len(series.times)]
        return (float(min(firsts)), float(max(lasts))) if firsts else None

    def between(self, source_index: int, low: float, high: float, columns: int) -> Series | None:
        """Return what a view needs of a source, coarse where a column of it holds many readings.

        :param low: left edge in seconds since the Unix epoch; one reading beyond each edge is returned, too.
        :param columns: of pixels.
        """
        series = self.series.get(source_index)
        if series is None:
            return None
        part = _between(series, low, high)
        if len(part.times) > 4 * RUN * columns:
            return _between(self.coarse[source_index], low, high)
        return part


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
    coarse = {index: _coarsen(whole) for index, whole in series.items()}
    return History(record, _channels(record.sources), series, coarse)


def _between(series: Series, low: float, high: float) -> Series:
    first = max(0, int(np.searchsorted(series.times, low)) - 1)
    stop = int(np.searchsorted(series.times, high, "right")) + 1
    return Series(series.times[first:stop], series.values[first:stop])


def _coarsen(series: Series) -> Series:
    """Replace each run of readings by its minimum and maximum, and a break where it has one."""
    runs = len(series.times) // RUN
    used = runs * RUN
    grouped = series.values[:used].reshape(runs, RUN, series.values.shape[1])
    times = series.times[:used].reshape(runs, RUN)[:, [0, -1]].ravel()
    values = np.empty((2 * runs, series.values.shape[1]))
    values[0::2] = np.fmin.reduce(grouped, axis=1) if runs else 0
    values[1::2] = np.fmax.reduce(grouped, axis=1) if runs else 0
    is_broken = np.any(np.all(np.isnan(grouped), axis=2), axis=1)
    breaks = 2 * np.flatnonzero(is_broken) + 1
    times = np.insert(times, breaks, times[breaks - 1])
    values = np.insert(values, breaks, np.nan, axis=0)
    return Series(np.concatenate([times, series.times[used:]]), np.concatenate([values, series.values[used:]]))


def _channels(sources: tuple[Source, ...]) -> tuple[LiveChannel, ...]:
    labels = channel_labels(sources)
    return tuple(
        LiveChannel(source, column, channel, labels[source.index, channel.name])
        for source in sources
        if source.definition is not None
        for column, channel in enumerate(source.definition.channels)
    )
