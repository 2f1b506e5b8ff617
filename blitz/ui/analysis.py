"""What a stretch of a historic session comes to: statistics, spectra, distributions, triggers. Knows no widget.

Everything here is called in a thread, and looks often whether somebody still wants it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blitz.data.aligning import usual_gap_ns
from blitz.data.database_client import DatabaseClient
from blitz.data.distributions import Histogram, Pairs, histogram, pairs
from blitz.data.range_statistics import RangeStatistics, RunningStatistics
from blitz.data.series import Series
from blitz.data.session_ranges import readings_between
from blitz.data.spectra import Spectrum, fft, welch
from blitz.data.spectrum_peaks import MOST_POINTS, Peak, even_series, spectrum_peaks
from blitz.data.triggers import Trigger
from blitz.errors import BlitzError, SeriesError
from blitz.ui.history import History
from blitz.ui.live_store import LiveChannel
from blitz.ui.plots.curves import value_limits
from blitz.ui.triggered import Sweep, TriggerWish, find_sweeps

MOST_VALUES = 1 << 22
"""Of a channel that are held at once; of more, the first ones."""


class NotWantedError(BlitzError):
    """Nobody wants it any more."""


@dataclass(frozen=True, eq=False)
class Stretch:
    """A part of a session.

    :param low_s: its edges, in seconds since the Unix epoch; both belong to it.
    :param channels: those that are looked at: of a channel whose definition was changed in mid-session, all that bear
        its label.
    """

    history: History
    low_s: float
    high_s: float
    is_cancelled: Callable[[], bool] = lambda: False
    channels: tuple[LiveChannel, ...] = ()

    def parts(self, channels: Iterable[LiveChannel]) -> Iterator[tuple[str, NDArray[np.int64], NDArray[np.float64]]]:
        """Iterate over what the channels were, block by block: label, times and values."""
        wanted: dict[int, list[LiveChannel]] = {}
        for channel in channels:
            wanted.setdefault(channel.source.index, []).append(channel)
        for row, time_ns, values in self._rows(set(wanted)):
            if self.is_cancelled():
                raise NotWantedError("Another stretch is wanted.")
            for channel in wanted.get(row, ()):
                if channel.column < values.shape[1]:
                    yield channel.label, time_ns, values[:, channel.column]

    def statistics(self, channels: Sequence[LiveChannel]) -> list[RangeStatistics]:
        """Return the statistics of channels, of every reading, however many there are."""
        running = {channel.label: RunningStatistics(channel.label, channel.channel.unit) for channel in channels}
        for label, time_ns, values in self.parts(channels):
            running[label].add(time_ns, values)
        return [each.result() for each in running.values()]

    def series(self, channels: Sequence[LiveChannel], most: int = MOST_VALUES) -> "Held":
        """Return channels as series, the first values of more than so many."""
        found: dict[str, list[tuple[NDArray[np.int64], NDArray[np.float64]]]] = {c.label: [] for c in channels}
        counts = dict.fromkeys(found, 0)
        remarks: list[str] = []
        alike = {each.key: each for each in (*channels, *self.channels) if each.label in found}
        for label, time_ns, values in self.parts(alike.values()):
            room = most - counts[label]
            if len(values) > room and not remarks:
                length_s = (int(time_ns[max(room - 1, 0)]) / 1e9) - self.low_s
                remarks.append(f"Only the first {most} values are used, {length_s:.4g} s of what is marked.")
            if room > 0:
                found[label].append((time_ns[:room], values[:room].copy()))
                counts[label] += min(len(values), room)
            if all(count >= most for count in counts.values()) and remarks:
                break
        by_label = {channel.label: channel for channel in channels}
        return Held({label: self._joined(by_label[label], parts) for label, parts in found.items()}, tuple(remarks))

    def _joined(self, channel: LiveChannel, parts: list[tuple[NDArray[np.int64], NDArray[np.float64]]]) -> Series:
        # Two rows of one device have two clocks, which may differ by a little.
        time_ns = np.maximum.accumulate(np.concatenate([np.empty(0, np.int64), *(part[0] for part in parts)]))
        values = np.concatenate([np.empty(0), *(part[1] for part in parts)])
        wanted = channel.channel
        return Series(
            self.history.record.id, channel.source.name, wanted.name, channel.label, wanted.unit, time_ns, values
        )

    def _rows(self, rows: set[int]) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.float64]]]:
        history = self.history
        # Seconds since 1970 as a float are exact to a quarter of a microsecond: the last reading belongs to it.
        low_ns, stop_ns = round(self.low_s * 1e9) - 500, round(self.high_s * 1e9) + 501
        for row in rows & set(history.computed):
            found = history.computed[row]
            begin, end = np.searchsorted(found.time_ns, [low_ns, stop_ns]).tolist()
            yield row, found.time_ns[begin:end], found.values[begin:end, np.newaxis]
        rows -= set(history.computed)
        if not rows:
            return
        if not history.place:
            for row, series in history.series.items():
                if row in rows:
                    is_reading = ~np.isnan(series.values).all(axis=1)  # the others only break the line
                    time_ns, values = (
                        np.rint(series.times[is_reading] * 1e9).astype(np.int64),
                        series.values[is_reading],
                    )
                    begin, end = np.searchsorted(time_ns, [low_ns, stop_ns]).tolist()
                    yield row, time_ns[begin:end], values[begin:end]
            return
        indices = {source.index for source in history.record.sources if history.row_of(source.index) in rows}
        with closing(DatabaseClient(path=history.place)) as cache:
            for readings, part in readings_between(
                cache, history.record.id, low_ns, stop_ns, version=history.version, only=indices
            ):
                yield history.row_of(readings.source.index), readings.time_ns[part], readings.values[part]


@dataclass(frozen=True, eq=False)
class Held:
    """Channels of a stretch as series, by label, and what is to be known of them."""

    series: dict[str, Series]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class SpectrumFound:
    """A spectrum, its peaks, and sentences about how it was made."""

    spectrum: Spectrum
    peaks: tuple[Peak, ...]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class HistogramFound:
    """A histogram, and sentences about how it was made."""

    histogram: Histogram
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class PairsFound:
    """Two channels against each other, and sentences about how that was made."""

    pairs: Pairs
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class SweepsFound:
    """What was around each trigger, the last ones; what was looked for; and how many triggers there were."""

    sweeps: tuple[Sweep, ...]
    trigger: Trigger
    count: int
    unit: str
    remarks: tuple[str, ...] = ()


def find_spectrum(stretch: Stretch, channel: LiveChannel, *, is_averaged: bool) -> SpectrumFound:
    """Return the spectrum of a channel.

    :param is_averaged: a power density, averaged over pieces; otherwise amplitudes, as fine as the stretch is long.
    :raises SeriesError: if there are too few values.
    """
    held = stretch.series([channel], MOST_POINTS)
    even = even_series(held.series[channel.label])
    found = even.restored(welch(even.series) if is_averaged else fft(even.series))
    return SpectrumFound(found, spectrum_peaks(found), (*held.remarks, *even.remarks))


def find_histogram(stretch: Stretch, channel: LiveChannel) -> HistogramFound:
    """Return how a channel's values are spread.

    :raises SeriesError: if there is none.
    """
    held = stretch.series([channel])
    found = histogram(held.series[channel.label])
    left_out = (f"{found.left_out} readings without a value are left out.",) if found.left_out else ()
    return HistogramFound(found, (*held.remarks, *left_out))


def find_pairs(stretch: Stretch, x: LiveChannel, y: LiveChannel) -> PairsFound:
    """Return one channel against another.

    :raises SeriesError: if there is no time at which both have a value.
    """
    held = stretch.series([x, y] if x.label != y.label else [x])
    found = pairs(held.series[x.label], held.series[y.label])
    if not np.isfinite(found.x).any():
        raise SeriesError(f"There is no time here at which both {x.label!r} and {y.label!r} have a value.")
    words = f"{y.label} is taken at the times of {x.label}, on straight lines between its readings."
    return PairsFound(found, (*held.remarks, *((words,) if found.is_aligned else ())))


def find_triggers(stretch: Stretch, channel: LiveChannel, wish: TriggerWish) -> SweepsFound:
    """Return what was around each time at which a channel passed a level; not within a gap, where nobody knows when.

    :raises SeriesError: if there is no value.
    """
    held = stretch.series([channel])
    series = held.series[channel.label]
    limits = value_limits([series.values])
    if limits is None:
        raise SeriesError(f"{channel.label!r} has no value here.")
    trigger = wish.trigger(limits, usual_gap_ns(series))
    sweeps, count = find_sweeps(series, trigger, wish)
    return SweepsFound(sweeps, trigger, count, series.unit, held.remarks)
