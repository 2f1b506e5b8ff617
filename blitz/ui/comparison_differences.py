"""How sessions that are laid upon each other differ from one of them. Knows no widget.

Computed from every reading in the cache, part by part, in a thread of the pool; a long session's curve is thinned, and
read anew for a short stretch of it.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blitz.data.database_client import DatabaseClient
from blitz.data.overview import min_max
from blitz.data.series import Series
from blitz.data.session_differences import (
    DifferenceNumbers,
    Differences,
    RunningDifferences,
    Tolerance,
    difference_parts,
    numbers_of,
)
from blitz.errors import DownloadCancelled
from blitz.ui.comparison import (
    IsCancelled,
    Member,
    Progress,
    part_edges,
    read_between,
    usual_channel_gap_ns,
)
from blitz.ui.lines import with_breaks

MOST_POINTS = 1 << 15
"""Of a curve that is kept: smallest and largest of so many columns."""


@dataclass(frozen=True, eq=False)
class Difference:
    """How one channel of a session differs from the reference's.

    :param times: seconds since the moment, shape (n,).
    :param values: other minus reference, shape (n,), NaN where the line breaks.
    :param is_thinned: whether the curve has only the extremes of short spans; the numbers are of every reading.
    """

    other_id: int
    reference_id: int
    label: str
    numbers: DifferenceNumbers
    times: NDArray[np.float64]
    values: NDArray[np.float64]
    is_thinned: bool
    gap_ns: int = 0
    """The longest gap of the other session that is bridged."""

    @property
    def key(self) -> tuple[int, int, str]:
        """Of what it is."""
        return self.other_id, self.reference_id, self.label


def find_difference(
    cache: DatabaseClient,
    other: Member,
    reference: Member,
    label: str,
    tolerance: Tolerance,
    progress: Progress = lambda done, total: None,
    is_cancelled: IsCancelled = lambda: False,
) -> Difference:
    """Compare a channel of two sessions over all that the reference has of it; both have their moment.

    :raises DownloadCancelled: if ``is_cancelled`` said so.
    """
    assert other.zero_ns is not None
    assert reference.zero_ns is not None
    messages = max(other.history.record.message_count, reference.history.record.message_count)
    edges = part_edges(reference.history, messages)
    if len(edges) < 2:
        return Difference(other.session_id, reference.session_id, label, numbers_of(()), *_no_curve(), False)
    running, curves = RunningDifferences(tolerance), []
    most = max(64, MOST_POINTS // (len(edges) - 1))
    is_thinned = False
    gap_ns = usual_channel_gap_ns(cache, other.history, label)
    for number, part in enumerate(_differences(cache, other, reference, label, edges, gap_ns)):
        if is_cancelled():
            raise DownloadCancelled("The comparison was cancelled.")
        progress(number, len(edges) - 1)
        running.add(part)
        times, values = _curve(part, reference.zero_ns)
        is_thinned = is_thinned or len(times) > most
        curves.append(min_max(times, values, most // 2))
    times, values = (np.concatenate(each) for each in zip(*curves, strict=True)) if curves else _no_curve()
    return Difference(
        other.session_id, reference.session_id, label, running.result(), times, values, is_thinned, gap_ns
    )


def difference_between(
    cache: DatabaseClient, other: Member, reference: Member, known: Difference, low: float, high: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the differences of a short stretch, every one of them.

    :param known: what is known of these two and the channel.
    :param low: seconds since the moment.
    """
    assert reference.zero_ns is not None
    edges = [reference.zero_ns + math.floor(low * 1e9), reference.zero_ns + math.ceil(high * 1e9)]
    for part in _differences(cache, other, reference, known.label, edges, known.gap_ns):
        return _curve(part, reference.zero_ns)
    return _no_curve()


def _differences(
    cache: DatabaseClient, other: Member, reference: Member, label: str, edges: Sequence[int], gap_ns: int
) -> Iterator[Differences]:
    assert other.zero_ns is not None
    assert reference.zero_ns is not None

    def read_other(begin_ns: int, end_ns: int) -> Series:
        return read_between(cache, other.history, label, begin_ns, end_ns)

    def read_reference(begin_ns: int, end_ns: int) -> Series:
        return read_between(cache, reference.history, label, begin_ns, end_ns)

    return difference_parts(read_other, read_reference, edges, reference.zero_ns - other.zero_ns, gap_ns)


def _curve(part: Differences, zero_ns: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return differences as a line, broken where there are none."""
    series = with_breaks((part.time_ns - zero_ns) / 1e9, part.difference[:, np.newaxis])
    return series.times, series.values[:, 0]


def _no_curve() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.empty(0), np.empty(0)
