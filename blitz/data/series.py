"""Channels of a session as arrays. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


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
