"""The newest reading of each channel and its extremes over short spans, of the last minute. Pure.

For whoever glances at what is measured: it costs a fixed amount of memory, and what is asked for is small, however
fast the devices send.
"""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from blitz.data.boards import BoardDefinition, Readings
from blitz.data.series_request import ChannelPart

SPAN_NS = 250_000_000
KEPT_SPANS = 240


class Newest(NamedTuple):
    """The newest finite value of a channel."""

    value: float
    time_ns: int


class Span(NamedTuple):
    """The extremes of one channel over a span of time."""

    number: int
    """Of the span: its beginning, in spans since the Unix epoch."""
    low: float
    high: float


class _SourceSpan:
    """The extremes of all channels of a source over a span."""

    __slots__ = ("high", "low", "number", "revision")

    def __init__(self, number: int, low: NDArray[np.float64], high: NDArray[np.float64], revision: int) -> None:
        self.number = number
        self.low = low
        self.high = high
        self.revision = revision


class _SourceReadings:
    def __init__(self, definition: BoardDefinition | None, columns: int) -> None:
        self.definition = definition
        self.spans: deque[_SourceSpan] = deque(maxlen=KEPT_SPANS)
        self.values = np.full(columns, np.nan)
        self.times_ns = np.zeros(columns, np.int64)


class LatestReadings:
    """Takes readings as they come; told apart by the source's row in the source table."""

    def __init__(self) -> None:
        self._sources: dict[int, _SourceReadings] = {}

    def take(self, readings: Readings, revision: int) -> None:
        """Take what was decoded.

        :param revision: rises from call to call; see :meth:`spans`.
        """
        if not len(readings):
            return
        kept = self._kept(readings)
        values = np.where(np.isfinite(readings.values), readings.values, np.nan)
        is_there = ~np.isnan(values)
        rows = len(values) - 1 - np.argmax(is_there[::-1], axis=0)
        has_any = is_there.any(axis=0)
        kept.values[has_any] = values[rows, np.arange(values.shape[1])][has_any]
        kept.times_ns[has_any] = readings.time_ns[rows][has_any]
        for number, low, high in zip(*extremes(readings.time_ns, values, SPAN_NS), strict=True):
            last = kept.spans[-1] if kept.spans else None
            if last is not None and number <= last.number:
                last.low, last.high = np.fmin(last.low, low), np.fmax(last.high, high)
                last.revision = revision
            else:
                kept.spans.append(_SourceSpan(int(number), low, high, revision))

    def newest(self, parts: Sequence[ChannelPart]) -> Newest | None:
        """Return the newest value of a channel; None while it has none."""
        found = [
            Newest(float(kept.values[part.column]), int(kept.times_ns[part.column]))
            for part, kept in self._kept_parts(parts)
            if not np.isnan(kept.values[part.column])
        ]
        return max(found, key=lambda newest: newest.time_ns, default=None)

    def spans(self, parts: Sequence[ChannelPart], after: int = -1) -> list[Span]:
        """Return a channel's spans, by time, that have changed since a revision; those without a value are left out."""
        found = [
            Span(span.number, float(span.low[part.column]), float(span.high[part.column]))
            for part, kept in self._kept_parts(parts)
            for span in kept.spans
            if span.revision > after and not np.isnan(span.low[part.column])
        ]
        return sorted(found)

    def _kept_parts(self, parts: Sequence[ChannelPart]) -> list[tuple[ChannelPart, _SourceReadings]]:
        found = [(part, self._sources.get(part.source_index)) for part in parts]
        return [(part, kept) for part, kept in found if kept is not None and part.column < len(kept.values)]

    def _kept(self, readings: Readings) -> _SourceReadings:
        """Return what is known of a source; a preview's may have been given another definition."""
        index, definition = readings.source.index, readings.source.definition
        kept = self._sources.get(index)
        if kept is None or (kept.definition is not definition and kept.definition != definition):
            kept = self._sources[index] = _SourceReadings(definition, readings.values.shape[1])
        return kept


def extremes(
    time_ns: NDArray[np.int64], values: NDArray[np.float64], width_ns: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the smallest and largest values of each span of time that has readings.

    :param time_ns: shape (n,), never falling.
    :param values: shape (n, n_channels); NaN is no value.
    :returns: the spans' numbers, shape (m,), and lows and highs, shape (m, n_channels), NaN where there is no value.

    >>> numbers, low, high = extremes(np.array([1, 5, 12]), np.array([[3.0], [1.0], [7.0]]), 10)
    >>> numbers.tolist(), low.tolist(), high.tolist()
    ([0, 1], [[1.0], [7.0]], [[3.0], [7.0]])
    """
    numbers = time_ns // width_ns
    begins = np.flatnonzero(np.diff(numbers, prepend=numbers[:1] - 1))
    return numbers[begins], np.fmin.reduceat(values, begins, axis=0), np.fmax.reduceat(values, begins, axis=0)
