"""A historic session as arrays, read from the cache in a thread of the pool. Knows no widget.

A short session is decoded into memory; a long one is read view by view, see :mod:`blitz.ui.long_history`.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from blitz.data import series as data_series
from blitz.data.boards import Readings
from blitz.data.database_client import DatabaseClient
from blitz.data.definition_versions import DefinitionVersionRecord
from blitz.data.reading_blocks import decoded_blocks
from blitz.data.records import Gap, SessionRecord
from blitz.errors import DownloadCancelled
from blitz.ui.lines import Series, gap_places, with_breaks
from blitz.ui.live_store import LiveChannel, list_channels
from blitz.ui.source_rows import ShownAs, name_order, shown_rows

RUN = 64
MOST_IN_MEMORY = 1 << 17
"""Messages of a session that is decoded into memory."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class History:
    """A whole session, decoded."""

    record: SessionRecord
    channels: tuple[LiveChannel, ...]
    series: dict[int, Series]
    """By source index; lines broken where readings are missing. Rows that were only renamed are one."""
    coarse: dict[int, Series]
    """By source index: minimum and maximum of each :data:`RUN` readings, for views of many."""
    version: int = 0
    """Of the definitions by which it is read; 0 are those of the recording."""
    versions: tuple[DefinitionVersionRecord, ...] = ()
    """All that there are besides the recording's, oldest first."""
    place: str = ""
    """The cache that it was read from: its path or URL; empty where that does not matter."""
    computed: dict[int, data_series.Series] = field(default_factory=dict)
    """By source index: channels that the window computes of it. They stand in :attr:`series`, too, to be drawn."""

    def show_computed(self, computed: dict[int, data_series.Series]) -> None:
        """Have exactly these computed channels."""
        for index in self.computed:
            del self.series[index], self.coarse[index]
        self.computed.clear()
        for index, found in computed.items():
            self.computed[index] = found
            self.series[index] = with_breaks(found.time_ns / 1e9, found.values[:, np.newaxis])
            self.coarse[index] = _coarsen(self.series[index])

    @property
    def is_quick(self) -> bool:
        """Whether views come at once."""
        return True

    @cached_property
    def time_limits(self) -> tuple[float, float] | None:
        """Times of the first and the last reading, in seconds since the Unix epoch; None without readings."""
        firsts = [series.times[0] for series in self.series.values() if len(series.times)]
        lasts = [series.times[-1] for series in self.series.values() if len(series.times)]
        return (float(min(firsts)), float(max(lasts))) if firsts else None

    def gaps(self, source_indices: set[int]) -> tuple[Gap, ...]:
        """Return the gaps of these sources, under whatever definition."""
        return tuple(gap for gap in self.record.gaps if self.row_of(gap.source) in source_indices)

    def row_of(self, source_index: int) -> int:
        """Return the row of the source table under which a row's readings are shown."""
        return _row(self._rows, source_index)

    @cached_property
    def _rows(self) -> dict[int, ShownAs]:
        return shown_rows(self.record.sources, converted=False)

    def close(self) -> None:
        """Let go of what it is read from."""

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


def load_history(
    cache_path: Path | str,
    session_id: int,
    progress: Progress,
    is_cancelled: Callable[[], bool],
    version: int | None = None,
) -> History:
    """Read a session that is whole in the cache.

    :param version: of its definitions, 0 for those of the recording; None for the newest.
    :param progress: called with messages read and messages in all.
    :raises DownloadCancelled: if ``is_cancelled`` said so.
    """
    with ExitStack() as held:
        cache = held.enter_context(DatabaseClient(path=str(cache_path)))
        versions = tuple(cache.definition_versions(session_id))
        if version is None:
            version = versions[-1].number if versions else 0
        opened = cache.open_session(session_id, version)
        record = cache.session_record(session_id).model_copy(update={"sources": opened.sources})
        if opened.key.message_count > MOST_IN_MEMORY:
            pyramid = cache.make_overview(session_id, version, progress, is_cancelled)
            if pyramid is not None:
                from blitz.ui.long_history import LongHistory  # it is a History, too

                channels = _channels(record)
                held.pop_all()  # the cache stays open as long as the history is looked at
                return LongHistory(
                    record,
                    channels,
                    {},
                    {},
                    version,
                    versions,
                    str(cache_path),
                    cache=cache,
                    opened=opened,
                    pyramid=pyramid,
                )
        decoded = _decoded(cache, record, version, versions, progress, is_cancelled)
        return replace(decoded, place=str(cache_path))


def _decoded(
    cache: DatabaseClient,
    record: SessionRecord,
    version: int,
    versions: tuple[DefinitionVersionRecord, ...],
    progress: Progress,
    is_cancelled: Callable[[], bool],
) -> History:
    parts: dict[int, list[Readings]] = {}
    shown = shown_rows(record.sources, converted=False)
    for block, decoded in decoded_blocks(cache, record.id, version=version):
        if is_cancelled():
            raise DownloadCancelled(f"Opening session {record.id} was cancelled.")
        for readings in decoded:
            parts.setdefault(_row(shown, readings.source.index), []).append(readings)
        progress(block.next_seq, record.message_count)
    series = {
        index: join_readings(readings, [gap for gap in record.gaps if _row(shown, gap.source) == index])
        for index, readings in parts.items()
    }
    coarse = {index: _coarsen(whole) for index, whole in series.items()}
    return History(record, _channels(record), series, coarse, version, versions)


def _channels(record: SessionRecord) -> tuple[LiveChannel, ...]:
    shown = shown_rows(record.sources, converted=False)
    rows = (source for source in record.sources if _row(shown, source.index) == source.index)
    return list_channels(sorted(rows, key=name_order))


def _row(shown: dict[int, ShownAs], index: int) -> int:
    return shown[index].row if index in shown else index


def join_readings(parts: list[Readings], gaps: list[Gap]) -> Series:
    """Join what was decoded of one device, its line broken where readings are missing; at least one part."""
    seqs = np.concatenate([part.seq for part in parts])
    # Two rows of one device have two clocks, which may differ by a little.
    times = np.maximum.accumulate(np.concatenate([part.time_ns for part in parts]) / 1e9)
    values = np.concatenate([part.values for part in parts])
    return with_breaks(times, values, gap_places(gaps, seqs, times))


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
