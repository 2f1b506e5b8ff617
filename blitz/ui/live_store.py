"""What has arrived and may be drawn: bounded arrays a source, however long the session is.

Knows neither Qt nor the network. Each source has a ring of its newest readings at full resolution, and an overview of
the whole session: minima and maxima of equal runs of readings, whose runs double in length when they become too many.
One thread uses it: arrival stores, a timer draws.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from blitz.data.boards import Channel, Readings, channel_labels
from blitz.data.records import Gap, Marker, Source
from blitz.ui.live_rings import Overview, Ring, Run, Series
from blitz.ui.source_rows import Conversion, ShownAs, find_conversion, latest_rows, shown_rows
from blitz.ui.windows import PlotWindow

RECENT_READINGS = 1 << 17
OVERVIEW_RUNS = 4096


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


class LiveStore:
    """The live readings of one session, or of the preview.

    :param recent: how many readings a source keeps at full resolution.
    :param overview: how many runs of readings a source keeps at most as minimum and maximum.
    """

    def __init__(self, recent: int = RECENT_READINGS, overview: int = OVERVIEW_RUNS) -> None:
        self._recent = recent
        self._overview = overview
        self._rings: dict[int, Ring] = {}
        self._overviews: dict[int, Overview] = {}
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

    def clear(self) -> None:
        """Forget everything: nothing is followed."""
        self._rings.clear()
        self._overviews.clear()
        self._table.clear()
        self._shown.clear()
        self._gaps.clear()
        self._gaps_by_row = None
        self.session_id = None
        self.sources = ()
        self.channels = ()
        self.markers = ()
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
        if shown.row not in self._rings:
            self._rings[shown.row] = Ring(self._recent, width)
            self._overviews[shown.row] = Overview(self._overview, width)
        ring, times = self._rings[shown.row], readings.time_ns / 1e9
        if ring.count and times[0] < ring.newest_time:
            times = np.maximum(times, ring.newest_time)  # two rows of a device have two clocks
        run = Run(readings.seq, times, shown.conversion.apply(readings.values))
        ring.add(run)
        self._overviews[shown.row].add(run)
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
        ring = self._rings.get(source_index)
        return ring.count if ring else 0

    def last(self, source_index: int, count: int) -> Series:
        """Return the newest readings of a source, oldest first, without the marks of gaps."""
        ring = self._rings.get(source_index)
        if ring is None:
            return Series(np.empty(0), np.empty((0, 0)))
        run = ring.last(count + 8)
        known = ~np.isnan(run.values).all(axis=1)
        return Series(run.times[known][-count:], run.values[known][-count:])

    def newest_time(self) -> float | None:
        """Return the time of the newest reading of any source, in seconds since the Unix epoch."""
        times = [ring.newest_time for ring in self._rings.values() if ring.count]
        return max(times) if times else None

    def series(self, source_index: int, window: PlotWindow) -> Series:
        """Return what a window shows of a source, its line broken where readings are missing."""
        ring = self._rings.get(source_index)
        if ring is None or not ring.count:
            return Series(np.empty(0), np.empty((0, 0)))
        gaps = self.gaps(source_index)
        if window.count is not None:
            return ring.last(window.count).broken(gaps)
        newest = self.newest_time() or 0.0
        start = -np.inf if window.seconds is None else newest - window.seconds
        if ring.has_dropped and start < ring.oldest_time:
            return self._overviews[source_index].series(start, gaps)
        return ring.since(start).broken(gaps)

    def _move_readings(self, before: dict[int, Source], table: dict[int, Source]) -> None:
        """Put what is kept under the rows that show it now."""
        rings, overviews = {}, {}
        for index, ring in self._rings.items():
            shown, conversion = self._shown.get(index), _row_change(before.get(index), table.get(index))
            if shown is None or conversion is None or ring.width != len(conversion.factor):
                continue
            whole = conversion.then(shown.conversion)
            if not whole.is_identity:
                ring.convert(whole.factor, whole.offset)
                self._overviews[index].convert(whole.factor, whole.offset)
            rings[shown.row], overviews[shown.row] = ring, self._overviews[index]
        self._rings, self._overviews = rings, overviews


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
