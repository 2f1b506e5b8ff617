"""Channels of a session as arrays. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from blitz.data.aligning import Aligned, How
    from blitz.data.range_statistics import RangeStatistics


@dataclass(frozen=True, eq=False)
class Series:
    """Values of one channel over time; unpacks into ``time, values``.

    :param label: the channel as people know it in this session, see :func:`blitz.data.boards.channel_labels`.
    :param time_ns: int64, shape (n,), nanoseconds since the Unix epoch, never falling.
    :param values: float64, shape (n,), NaN where there is none.
    :param is_thinned: whether these are the smallest and largest values of short spans, not all that there are.
    """

    session_id: int
    source: str
    channel: str
    label: str
    unit: str
    time_ns: NDArray[np.int64] = field(repr=False)
    values: NDArray[np.float64] = field(repr=False)
    is_thinned: bool = False

    @property
    def time(self) -> NDArray[Any]:
        """The times as datetime64[ns], UTC, shape (n,)."""
        return self.time_ns.view("datetime64[ns]")

    def __len__(self) -> int:
        return len(self.time_ns)

    def __iter__(self) -> Iterator[NDArray[Any]]:
        yield self.time
        yield self.values


class SeriesSet(Mapping[str, Series]):
    """Channels of one session, by label, in the order of the session's channels."""

    def __init__(self, series: Iterable[Series] = ()) -> None:
        self._series = {each.label: each for each in series}

    def __getitem__(self, label: str) -> Series:
        return self._series[label]

    def __iter__(self) -> Iterator[str]:
        return iter(self._series)

    def __len__(self) -> int:
        return len(self._series)

    def __repr__(self) -> str:
        return f"SeriesSet({', '.join(f'{label}: {len(series)}' for label, series in self._series.items())})"

    def aligned(self, step_s: float, how: "How" = "nearest", *, max_gap_s: float | None = None) -> "Aligned":
        """Return the channels at common times, one each step; nothing is invented where there are no values for long.

        :param step_s: between two times, which are whole multiples of it since 1970.
        :param how: ``nearest``, ``previous`` or ``linear``, see :func:`blitz.data.aligning.at_times`.
        :param max_gap_s: the longest gap that is bridged; None: five usual steps of each channel.
        :raises SeriesError: if an argument has no meaning, or the result would be too large.
        """
        from blitz.data.aligning import aligned

        return aligned(self.values(), step_s, how, max_gap_s=max_gap_s)

    def statistics(self) -> "dict[str, RangeStatistics]":
        """Return count, mean, extremes and more of each channel, by label.

        :raises SeriesError: if the channels are thinned.
        """
        from blitz.data.range_statistics import statistics_of

        return {label: statistics_of(series) for label, series in self.items()}

    def to_arrow(self, *, wide: bool = False) -> Any:
        """Return a :class:`pyarrow.Table`.

        :param wide: a column ``time`` and one a channel, its unit in the field's metadata; otherwise a row a reading:
            session, source, channel, unit, time, value.
        """
        from blitz.data.frames import long_table, wide_table

        return wide_table(self.values()) if wide else long_table(self.values())

    def to_pandas(self, *, wide: bool = False) -> Any:
        """Return a :class:`pandas.DataFrame`; when wide, indexed by time, with the units in ``attrs["units"]``.

        :raises PackageMissing: if pandas is not installed.
        """
        from blitz.data.frames import long_pandas, wide_pandas

        return wide_pandas(self.to_arrow(wide=True)) if wide else long_pandas(self.to_arrow())

    def to_polars(self, *, wide: bool = False) -> Any:
        """Return a :class:`polars.DataFrame`, the columns as in :meth:`to_arrow`.

        :raises PackageMissing: if polars is not installed.
        """
        from blitz.data.frames import as_polars

        return as_polars(self.to_arrow(wide=wide))
