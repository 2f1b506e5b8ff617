"""What has arrived and may be drawn: bounded arrays a source, however long the session is.

Knows neither Qt nor the network. Each source has its newest readings at full resolution, and coarser and coarser runs
of what came before. One thread uses it: arrival stores, a timer draws.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blitz.data.boards import Channel, Readings, channel_labels
from blitz.data.pyramid_runs import Runs
from blitz.data.records import Gap, Marker, Source
from blitz.ui.lines import Extremes, Series, in_columns, line_of, strokes_of
from blitz.ui.live_levels import LiveLevels
from blitz.ui.source_rows import COMPUTED, Conversion, ShownAs, find_conversion, latest_rows, shown_rows
from blitz.ui.windows import PlotWindow

RECENT_READINGS = 1 << 17
COLUMNS = 2048
"""Of pixels, where nobody says how many there are."""
AROUND = 32
"""So many readings before and after a time are looked at to tell what was usual there."""

_NOTHING = Series(np.empty(0), np.empty((0, 0)))


@dataclass(frozen=True)
class LiveChannel:
    """One channel of one source of what is being followed."""

    source: Source
    column: int
    channel: Channel
    label: str

    @property
    def key(self) -> tuple[int, int]:
        """Source index and column: where its values stand."""
        return self.source.index, self.column


@dataclass(frozen=True, eq=False)
class ResetExtremes:
    """Smallest and largest readings that are no longer counted."""

    session_id: int | None
    by_source: dict[int, Extremes]


class LiveStore:
    """The live readings of one session, or of the preview.

    :param recent: how many readings a source keeps at full resolution.
    :param runs: how many runs of each length a source keeps; None chooses by its channels.
    """

    def __init__(self, recent: int = RECENT_READINGS, runs: int | None = None) -> None:
        self._recent = recent
        self._runs = runs
        self._levels: dict[int, LiveLevels] = {}
        self._extremes: dict[int, Extremes] = {}
        self._table: dict[int, Source] = {}
        self._shown: dict[int, ShownAs] = {}
        self._gaps: dict[tuple[int, int], Gap] = {}
        self._gaps_by_row: dict[int, tuple[Gap, ...]] | None = None
        self.session_id: int | None = None
        self.sources: tuple[Source, ...] = ()
        """The devices that are live: of rows that share a name, the last one."""
        self.channels: tuple[LiveChannel, ...] = ()
        self.markers: tuple[Marker, ...] = ()
        """Of what is followed, by time."""
        self.version = 0
        """Rises with every change: a drawer that saw this version has nothing to do."""
        self.message_count = 0
        """How many messages of what is followed have arrived here."""

    def exchange(self, other: "LiveStore") -> None:
        """Let two stores change places: each has what the other one had, and whoever draws it sees that."""
        version = max(self.version, other.version) + 1
        self.__dict__, other.__dict__ = other.__dict__, self.__dict__
        self.version = other.version = version

    def clear(self) -> None:
        """Forget everything: nothing is followed."""
        self._levels.clear()
        self._extremes.clear()
        self._table.clear()
        self._shown.clear()
        self._gaps.clear()
        self._gaps_by_row = None
        self.session_id = None
        self.sources = ()
        self.channels = ()
        self.markers = ()
        self.message_count = 0
        self.version += 1

    def follow(self, session_id: int, sources: Iterable[Source]) -> None:
        """Set the source table. Another session than before begins empty.

        The same one keeps its readings, where the newest definitions tell how they are shown now.
        """
        if session_id != self.session_id:
            self.clear()
            self.session_id = session_id
        table = {source.index: source for source in sources}
        self.sources = latest_rows(table.values())
        live = {source.index for source in self.sources}
        self._shown = {index: row for index, row in shown_rows(table.values()).items() if row.row in live}
        self._move_readings(self._table, table)
        self._table = table
        self._gaps_by_row = None
        self.channels = list_channels(self.sources)
        self.version += 1

    def add(self, readings: Readings) -> None:
        """Store readings of the followed session; those of another, or by a definition given up, are dropped."""
        shown = self._shown.get(readings.source.index)
        if readings.session_id != self.session_id or shown is None or not len(readings):
            return
        width = readings.values.shape[1]
        if width != len(shown.conversion.factor):
            return
        if shown.row not in self._levels:
            self._levels[shown.row] = LiveLevels(width, self._recent, self._runs)
            self._extremes[shown.row] = Extremes.none(width)
        levels, time_ns = self._levels[shown.row], readings.time_ns
        if levels.count and time_ns[0] < levels.newest_ns:
            time_ns = np.maximum(time_ns, levels.newest_ns)  # two rows of a device have two clocks
        values = shown.conversion.apply(readings.values)
        levels.add(time_ns, readings.seq, values)
        self._extremes[shown.row] = self._extremes[shown.row].with_values(values)
        if readings.source.link != COMPUTED:
            self.message_count += len(values)
        self.version += 1

    def mark_gap(self, gap: Gap) -> None:
        """Break the source's lines: messages are known to be missing here. Of one gap the last word counts."""
        self._gaps[gap.source, gap.from_ns] = gap
        self._gaps_by_row = None
        self.version += 1

    def show_markers(self, markers: tuple[Marker, ...]) -> None:
        """Take over the markers of what is followed."""
        self.markers = markers
        self.version += 1

    def gaps(self, source_index: int) -> tuple[Gap, ...]:
        """Return the gaps of a live source."""
        if self._gaps_by_row is None:
            by_row: dict[int, list[Gap]] = {}
            for gap in self._gaps.values():
                if gap.source in self._shown:
                    by_row.setdefault(self._shown[gap.source].row, []).append(gap)
            self._gaps_by_row = {row: tuple(gaps) for row, gaps in by_row.items()}
        return self._gaps_by_row.get(source_index, ())

    def count(self, source_index: int) -> int:
        """Return how many readings of a source are kept at full resolution."""
        levels = self._levels.get(source_index)
        return levels.count if levels else 0

    def last(self, source_index: int, count: int) -> Series:
        """Return the newest readings of a source, oldest first, without the marks of gaps."""
        levels = self._levels.get(source_index)
        if levels is None:
            return _NOTHING
        runs = _last(levels.readings, count + 8)
        known = ~runs.has_nan.all(axis=0)
        return Series(runs.first_ns[known][-count:] / 1e9, runs.low.T.astype(np.float64, copy=False)[known][-count:])

    def column(self, source_index: int, column: int) -> tuple[NDArray[np.int64], NDArray[np.float64], int]:
        """Return a channel's readings that are kept at full resolution, and how many there were before them.

        :returns: times in nanoseconds, shape (n,), values, NaN where there is none; both are only to be read, at once.
        """
        levels = self._levels.get(source_index)
        if levels is None or not levels.count or column >= levels.channels:
            return np.empty(0, np.int64), np.empty(0), 0
        runs = levels.readings
        return runs.first_ns, runs.low[column].astype(np.float64, copy=False), int(runs.first_place[0])

    def extremes(self, source_index: int) -> Extremes | None:
        """Return the smallest and largest readings of a source since it began to come, or since they were reset."""
        return self._extremes.get(source_index)

    def reset_extremes(self, channels: Iterable[LiveChannel]) -> ResetExtremes:
        """Let smallest and largest begin anew; returns those so far, for :meth:`join_extremes`."""
        before: dict[int, Extremes] = {}
        for channel in channels:
            index, known = channel.source.index, self._extremes.get(channel.source.index)
            if known is None or channel.column >= len(known.low):
                continue
            kept = before.setdefault(index, Extremes.none(len(known.low)))
            self._extremes[index] = known.moved(channel.column, kept)
        self.version += 1
        return ResetExtremes(self.session_id, before)

    def join_extremes(self, before: ResetExtremes) -> None:
        """Count what was reset again, unless another session or definition is shown by now."""
        for index, extremes in before.by_source.items() if before.session_id == self.session_id else ():
            known = self._extremes.get(index)
            if known is not None and len(known.low) == len(extremes.low):
                self._extremes[index] = known.joined(extremes)
        self.version += 1

    def newest_time(self) -> float | None:
        """Return the time of the newest reading of any source, in seconds since the Unix epoch."""
        return max((levels.newest_ns / 1e9 for levels in self._levels.values() if levels.count), default=None)

    def series(
        self, source_index: int, window: PlotWindow, until: float | None = None, columns: int = COLUMNS
    ) -> Series:
        """Return what a window shows of a source, its line broken where readings are missing.

        :param until: time of the newest reading that counts, in seconds since the Unix epoch; None: of the newest one.
        :param columns: of pixels; where there are more readings, minimum and maximum of each column stand for them.
        """
        levels = self._levels.get(source_index)
        if levels is None or not levels.count:
            return _NOTHING
        stop = (self.newest_time() or 0.0) if until is None else until
        if window.count is not None:
            known = levels.readings
            if until is not None:
                known = _until(known, until)
            if len(known):
                return line_of(_last(known, window.count), self.gaps(source_index))
        if window.seconds is not None:
            series = self.between(source_index, stop - window.seconds, stop, until, columns)
            begin = int(np.searchsorted(series.times, stop - window.seconds))
            return Series(series.times[begin:], series.values[begin:], series.is_coarse)
        start = levels.first_ns / 1e9
        # A grid of columns that stays while the session grows.
        columns = columns if stop <= start else math.ceil(columns / 2 ** (-math.log2((stop - start) / columns) % 1))
        return self.between(source_index, start, stop, until, columns)

    def between(
        self, source_index: int, low: float, high: float, until: float | None = None, columns: int = COLUMNS
    ) -> Series:
        """Return a source's readings of a range of time, its line broken where readings are missing.

        Where there are more than columns of pixels, or not all are kept at full resolution, minima and maxima stand for
        them. One reading beyond each edge is returned, too, so that lines reach it.

        :param until: time of the newest reading that counts; None: every one does.
        """
        levels = self._levels.get(source_index)
        if levels is None or not levels.count:
            return _NOTHING
        low_ns, high_ns = _ns(low), _ns(high if until is None else min(high, until))
        parts = levels.between(low_ns, high_ns, columns)
        if until is not None:
            parts = [part for part in (_until(part, until) for part in parts) if len(part)]
        if not parts:
            return _NOTHING
        runs, gaps = Runs.joined(parts), self.gaps(source_index)
        if len(runs) <= 2 * columns and (runs.first_ns == runs.last_ns).all():
            return line_of(runs, gaps)
        return strokes_of(in_columns(runs, (_ns(high) - low_ns) // columns), gaps)

    def around(self, source_index: int, at_s: float) -> Series:
        """Return a few of a source's readings before and after a time, its line broken where readings are missing."""
        levels = self._levels.get(source_index)
        if levels is None or not levels.count:
            return _NOTHING
        runs, gaps = levels.around(_ns(at_s), AROUND), self.gaps(source_index)
        return line_of(runs, gaps) if (runs.first_ns == runs.last_ns).all() else strokes_of(runs, gaps)

    def _move_readings(self, before: dict[int, Source], table: dict[int, Source]) -> None:
        """Put what is kept under the rows that show it now."""
        kept, extremes = {}, {}
        for index, levels in self._levels.items():
            shown, conversion = self._shown.get(index), _row_change(before.get(index), table.get(index))
            if shown is None or conversion is None or levels.channels != len(conversion.factor):
                continue
            whole = conversion.then(shown.conversion)
            if not whole.is_identity:
                levels.convert(whole.factor, whole.offset)
            kept[shown.row] = levels
            extremes[shown.row] = self._extremes[index].converted(whole.factor, whole.offset)
        self._levels, self._extremes = kept, extremes


def list_channels(sources: Iterable[Source]) -> tuple[LiveChannel, ...]:
    """Return the channels of sources, with their labels."""
    sources = tuple(sources)
    labels = channel_labels(sources)
    return tuple(
        LiveChannel(source, column, channel, _label(labels[source.index, channel.name], channel))
        for source in sources
        if source.definition is not None
        for column, channel in enumerate(source.definition.channels)
    )


def _label(label: str, channel: Channel) -> str:
    return label.removesuffix(channel.name) + channel.display_name if channel.label else label


def _row_change(before: Source | None, after: Source | None) -> Conversion | None:
    """Return how readings change whose row got another definition; None where they cannot be kept."""
    if before is None or after is None or before.definition is None or after.definition is None:
        return None
    return find_conversion(before.definition, after.definition)


def _last(runs: Runs, count: int) -> Runs:
    return runs.part(max(len(runs) - count, 0), len(runs))


def _until(runs: Runs, until: float) -> Runs:
    # Seconds since 1970 as a float are exact to a quarter of a microsecond.
    return runs.part(0, int(np.searchsorted(runs.last_ns, _ns(until) + 500, "right")))


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
