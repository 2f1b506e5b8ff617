"""Computed channels of the live view: fed with the readings as they come. Knows no widget."""

import logging
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from blitz.data.boards import Readings
from blitz.data.computed import ComputedChannel, ComputedStream
from blitz.data.computed_formulas import written_out
from blitz.data.records import Source
from blitz.errors import SeriesError
from blitz.ui.computed_channels import by_label, computed_source, missing_words
from blitz.ui.live_store import LiveChannel, LiveStore
from blitz.ui.source_rows import latest_rows

log = logging.getLogger(__name__)


class LiveComputed:
    """The computed channels of what is followed."""

    def __init__(self) -> None:
        self._row = 0
        self._followed: list[_Followed] = []

    def follow(self, channels: Iterable[ComputedChannel], sources: Iterable[Source]) -> tuple[Source, ...]:
        """Begin anew with these; returns the sources that they stand as."""
        known = by_label(latest_rows(sources))
        self._followed = []
        there = list(channels)
        for kept in there:
            try:
                computed = written_out(kept, there, known)
            except SeriesError:
                continue  # the dialog tells
            if not missing_words(computed, known) and not computed.live_refusal:
                self._row += 1
                wanted = {label: known[label] for label in computed.channels}
                self._followed.append(_Followed(computed_source(self._row, kept), computed, wanted))
        return tuple(each.source for each in self._followed)

    def fill(self, store: LiveStore) -> None:
        """Compute what the store has of the past at full resolution, and put it there."""
        for each in self._followed:
            for row in each.rows:
                columns = {label: channel for label, channel in each.wanted.items() if channel.source.index == row}
                found = {label: store.column(row, channel.column) for label, channel in columns.items()}
                time_ns = next(iter(found.values()))[0].copy()
                if len(time_ns):
                    store.add(each.computed(time_ns, {label: part[1].copy() for label, part in found.items()}, store))

    def take(self, readings: Readings, store: LiveStore) -> None:
        """Compute what has come, and put it into the store."""
        for each in self._followed:
            values = {
                label: readings.values[:, channel.column]
                for label, channel in each.wanted.items()
                if channel.source.index == readings.source.index and channel.column < readings.values.shape[1]
            }
            if values and len(readings):
                store.add(each.computed(readings.time_ns, values, store))


class _Followed:
    def __init__(self, source: Source, computed: ComputedChannel, wanted: dict[str, LiveChannel]) -> None:
        self.source = source
        self.wanted = wanted
        self.rows = tuple(dict.fromkeys(channel.source.index for channel in wanted.values()))
        self._stream = ComputedStream(computed)
        self._count = 0

    def computed(
        self, time_ns: NDArray[np.int64], values: dict[str, NDArray[np.float64]], store: LiveStore
    ) -> Readings:
        """Return what follows of these readings."""
        try:
            found_ns, found = self._stream.add(time_ns, values)
        except SeriesError:  # a formula that fits cannot be refused; if it is, the board's own channels go on
            log.exception("Computing %s", self.source.name)
            found_ns, found = np.empty(0, np.int64), np.empty(0)
        seq = np.arange(self._count, self._count + len(found))
        self._count += len(found)
        nothing = np.zeros(len(found), np.int64)
        return Readings(store.session_id or 0, self.source, seq, found_ns, found[:, np.newaxis], nothing)
