"""Statistics of a range of readings, at once or block by block.

Pure. The sums are of differences from a running mean (Chan, Golub, LeVeque: Updating Formulae and a Pairwise Algorithm
for Computing Sample Variances, 1979), so that values of 1e9 that differ by 0.001 keep their standard deviation.
"""

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from blitz.data.boards import channel_labels
from blitz.data.range_trends import RunningTrend
from blitz.data.series import Series
from blitz.data.transforms_checks import require_all_points

if TYPE_CHECKING:
    from blitz.data.blocks import MessageBlock
    from blitz.data.boards import Readings
    from blitz.data.records import Source


@dataclass(frozen=True)
class RangeStatistics:
    """What a channel did in a range; numbers are NaN, and times None, where there was no value.

    :param count: values, NaN not counted.
    :param nan_count: messages without a value.
    :param standard_deviation: of a sample (divided by count - 1), as pandas has it; NaN below two values.
    :param median: None where it is not known, because the values went by block by block.
    :param rms: the root of the mean square.
    :param rate_hz: values a second, from the first to the last.
    :param minimum_ns: when the smallest value was there first, nanoseconds since the Unix epoch.
    :param slope: of the straight line with the least squares, a second; NaN without two times.
    :param integral: by trapezoids over time, in the unit times seconds; what lies within a step of more than five usual
        ones adds nothing, a NaN is bridged where the values beside it are nearer. NaN below two values.
    """

    label: str
    unit: str
    count: int = 0
    nan_count: int = 0
    mean: float = math.nan
    standard_deviation: float = math.nan
    minimum: float = math.nan
    maximum: float = math.nan
    median: float | None = None
    rms: float = math.nan
    first: float = math.nan
    last: float = math.nan
    rate_hz: float = math.nan
    minimum_ns: int | None = None
    maximum_ns: int | None = None
    first_ns: int | None = None
    last_ns: int | None = None
    slope: float = math.nan
    integral: float = math.nan

    @property
    def minimum_at(self) -> datetime | None:
        """When the smallest value was there first, to the microsecond."""
        return _moment(self.minimum_ns)

    @property
    def maximum_at(self) -> datetime | None:
        """When the largest value was there first, to the microsecond."""
        return _moment(self.maximum_ns)


class RunningStatistics:
    """Statistics of one channel, to which values are added in the order of their times, in constant memory."""

    def __init__(self, label: str = "", unit: str = "") -> None:
        self._label = label
        self._unit = unit
        self._count = 0
        self._nan_count = 0
        self._mean = 0.0
        self._squares = 0.0
        self._minimum = self._maximum = self._first = self._last = math.nan
        self._minimum_ns = self._maximum_ns = self._first_ns = self._last_ns = 0
        self._trend = RunningTrend()

    def add(self, time_ns: NDArray[np.int64], values: NDArray[np.float64]) -> None:
        """Add values, NaN among them, and their times."""
        is_value = ~np.isnan(values)
        count = int(is_value.sum())
        self._nan_count += len(values) - count
        if not count:
            return
        if count < len(values):
            time_ns, values = time_ns[is_value], values[is_value]
        self._add_sums(values)
        self._trend.add(time_ns, values)
        smallest, largest = int(values.argmin()), int(values.argmax())
        if not self._count or values[smallest] < self._minimum:
            self._minimum, self._minimum_ns = float(values[smallest]), int(time_ns[smallest])
        if not self._count or values[largest] > self._maximum:
            self._maximum, self._maximum_ns = float(values[largest]), int(time_ns[largest])
        if not self._count:
            self._first, self._first_ns = float(values[0]), int(time_ns[0])
        self._last, self._last_ns = float(values[-1]), int(time_ns[-1])
        self._count += count

    def result(self, median: float | None = None) -> RangeStatistics:
        """Return what the values so far come to.

        :param median: where somebody else knows it.
        """
        count = self._count
        if not count:
            return RangeStatistics(self._label, self._unit, nan_count=self._nan_count, median=median)
        span_s = (self._last_ns - self._first_ns) / 1e9
        with np.errstate(all="ignore"):
            mean_square = np.float64(self._squares) / count + np.square(np.float64(self._mean))
        return RangeStatistics(
            self._label,
            self._unit,
            count,
            self._nan_count,
            self._mean,
            math.sqrt(self._squares / (count - 1)) if count > 1 else math.nan,
            self._minimum,
            self._maximum,
            median,
            math.sqrt(mean_square),
            self._first,
            self._last,
            (count - 1) / span_s if span_s > 0 else math.nan,
            self._minimum_ns,
            self._maximum_ns,
            self._first_ns,
            self._last_ns,
            self._trend.slope,
            self._trend.integral,
        )

    def _add_sums(self, values: NDArray[np.float64]) -> None:
        count = len(values)
        with np.errstate(all="ignore"):  # infinite values make what follows NaN or infinite, which is what it is
            mean = values[0] + (values - values[0]).mean()
            squares = float(np.square(values - mean).sum())
            difference = mean - self._mean
            total = self._count + count
            self._squares += squares + float(difference * difference) * self._count * count / total
            self._mean = float(self._mean + difference * (count / total)) if self._count else float(mean)


def statistics_of(series: Series) -> RangeStatistics:
    """Return the statistics of all values of a series, the median included.

    :raises SeriesError: if the series is thinned: its mean would be none.
    """
    require_all_points(series)
    running = RunningStatistics(series.label, series.unit)
    running.add(series.time_ns, series.values)
    values = series.values[~np.isnan(series.values)]
    with np.errstate(invalid="ignore"):
        return running.result(float(np.median(values)) if len(values) else math.nan)


def statistics_of_blocks(
    blocks: "Iterable[tuple[MessageBlock, list[Readings]]]",
    sources: "Iterable[Source]",
    channels: Collection[str] | None = None,
    *,
    start_ns: int | None = None,
    stop_ns: int | None = None,
) -> dict[str, RangeStatistics]:
    """Return the statistics of a session of any length, in the memory of one block; the medians are left out.

    :param blocks: such as :func:`blitz.data.reading_blocks.decoded_blocks` gives, in their order.
    :param sources: the session's, by which the blocks were decoded.
    :param channels: labels; None for all.
    :param start_ns: leave out readings before this time.
    :param stop_ns: leave out readings from this time on.
    :returns: by label, in the order of the session's channels; all that were asked for and exist.
    """
    sources = tuple(sources)
    labels = channel_labels(sources)
    running: dict[str, RunningStatistics] = {}
    for source in sources:
        for channel in source.definition.channels if source.definition else ():
            label = labels[source.index, channel.name]
            if (channels is None or label in channels) and label not in running:
                running[label] = RunningStatistics(label, channel.unit)
    for _, decoded in blocks:
        for readings in decoded:
            first = 0 if start_ns is None else int(readings.time_ns.searchsorted(start_ns))
            stop = len(readings) if stop_ns is None else int(readings.time_ns.searchsorted(stop_ns))
            for column, channel in enumerate(readings.channels):
                label = labels[readings.source.index, channel.name]
                if label in running:
                    running[label].add(readings.time_ns[first:stop], readings.values[first:stop, column])
    return {label: each.result() for label, each in running.items()}


def _moment(time_ns: int | None) -> datetime | None:
    return None if time_ns is None else datetime.fromtimestamp(time_ns // 1000 / 1e6, UTC)
