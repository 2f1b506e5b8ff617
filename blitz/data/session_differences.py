"""How a channel of one session differs from the same one of another, as a curve and as numbers.

Pure. One session is the reference: differences are known at its times, and only where the other one, shifted upon it,
has values near enough by the rules of :mod:`blitz.data.aligning`. Nothing is invented across gaps.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from blitz.data.aligning import How, at_times, usual_gap_ns
from blitz.data.series import Series
from blitz.errors import SeriesError

ReadPart = Callable[[int, int], Series]
"""Gives the values of a channel from a time on up to another, itself not included; nanoseconds since the Unix epoch."""


@dataclass(frozen=True)
class Tolerance:
    """How far a value may be from its reference; of the two the larger one counts, as in alarms.

    :param absolute: in the channel's unit.
    :param relative: a share of the reference's value, whatever its sign.
    """

    absolute: float = 0.0
    relative: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.absolute < math.inf and 0 <= self.relative < math.inf):
            raise SeriesError("A tolerance is a number, and not below zero.")

    @property
    def is_none(self) -> bool:
        """Whether nothing is tolerated, because nobody said what is."""
        return not self.absolute and not self.relative

    def around(self, reference: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how far from each reference value is tolerated, shape (n,).

        >>> Tolerance(0.5, 0.1).around(np.array([0.0, -10.0])).tolist()
        [0.5, 1.0]
        """
        with np.errstate(over="ignore"):
            return np.maximum(self.absolute, self.relative * np.abs(reference))


class Differences(NamedTuple):
    """Other minus reference at the reference's times.

    :param time_ns: int64, shape (n,), by the reference's clock.
    :param reference: float64, shape (n,).
    :param difference: float64, shape (n,), NaN where one of the two has no value.
    """

    time_ns: NDArray[np.int64]
    reference: NDArray[np.float64]
    difference: NDArray[np.float64]


@dataclass(frozen=True)
class DifferenceNumbers:
    """What differences come to; numbers are NaN where there was none.

    :param count: values of the reference that could be compared.
    :param missing: values of the reference for which the other session has none near enough.
    :param mean: of other minus reference.
    :param rms: the root of the mean square of the differences.
    :param largest: the difference that is farthest from zero, with its sign; of equal ones the first.
    :param largest_ns: when that was, by the reference's clock; None where there was no difference.
    :param outside: how many were farther away than tolerated; None without a tolerance.
    """

    count: int = 0
    missing: int = 0
    mean: float = math.nan
    rms: float = math.nan
    largest: float = math.nan
    largest_ns: int | None = None
    outside: int | None = None

    @property
    def outside_share(self) -> float | None:
        """Which share of the values was outside the tolerance, 0 to 1; None without a tolerance or values."""
        return None if self.outside is None or not self.count else self.outside / self.count


def differences(
    other: Series, reference: Series, shift_ns: int, how: How = "linear", max_gap_ns: int | None = None
) -> Differences:
    """Return how a series differs from its reference.

    :param shift_ns: what is added to the other's times to lay them upon the reference's.
    :param how: how the other is brought to the reference's times, see :func:`blitz.data.aligning.at_times`.
    :param max_gap_ns: the longest gap of the other that is bridged; None: five of its usual steps.
    :raises SeriesError: if one of them is thinned, or there is no such way.
    """
    if other.is_thinned or reference.is_thinned:
        raise SeriesError("Thinned series have no differences: they are not all that there is.")
    shifted = replace(other, time_ns=other.time_ns + shift_ns)
    gap_ns = usual_gap_ns(other) if max_gap_ns is None else max_gap_ns
    values = at_times(shifted, reference.time_ns, how, gap_ns)
    with np.errstate(invalid="ignore"):
        return Differences(reference.time_ns, reference.values, values - reference.values)


def difference_parts(
    read_other: ReadPart,
    read_reference: ReadPart,
    edges_ns: Sequence[int],
    shift_ns: int,
    max_gap_ns: int,
    how: How = "linear",
) -> Iterator[Differences]:
    """Compare sessions of any length part by part; together the parts are what :func:`differences` gives at once.

    :param edges_ns: where the parts begin and end, rising, by the reference's clock: one more than there are parts.
    :param shift_ns: what is added to the other's times to lay them upon the reference's.
    :param max_gap_ns: the longest gap of the other that is bridged.
    """
    for begin_ns, end_ns in itertools.pairwise(edges_ns):
        reference = read_reference(begin_ns, end_ns)
        if len(reference):
            # What is nearest to the edges lies within the longest gap, or does not count.
            other = read_other(begin_ns - shift_ns - max_gap_ns, end_ns - shift_ns + max_gap_ns + 1)
            yield differences(other, reference, shift_ns, how, max_gap_ns)


class RunningDifferences:
    """Numbers of differences that go by part by part, in constant memory."""

    def __init__(self, tolerance: Tolerance | None = None) -> None:
        self._tolerance = None if tolerance is None or tolerance.is_none else tolerance
        self._count = self._missing = self._outside = 0
        self._sum = self._squares = 0.0
        self._largest, self._largest_ns = math.nan, 0

    def add(self, part: Differences) -> None:
        """Add differences, in the order of their times."""
        known = ~np.isnan(part.difference)
        self._missing += int((~np.isnan(part.reference)).sum()) - int((known & ~np.isnan(part.reference)).sum())
        values = part.difference[known]
        if not len(values):
            return
        self._sum += math.fsum(values) if np.isfinite(values).all() else float(values.sum())
        with np.errstate(over="ignore"):
            self._squares += float(np.square(values).sum())
        place = int(np.abs(values).argmax())
        if not self._count or abs(values[place]) > abs(self._largest):
            self._largest, self._largest_ns = float(values[place]), int(part.time_ns[known][place])
        self._count += len(values)
        if self._tolerance is not None:
            self._outside += int((np.abs(values) > self._tolerance.around(part.reference[known])).sum())

    def result(self) -> DifferenceNumbers:
        """Return what the differences so far come to."""
        outside = None if self._tolerance is None else self._outside
        if not self._count:
            return DifferenceNumbers(missing=self._missing, outside=outside)
        rms = math.sqrt(self._squares / self._count)
        mean = self._sum / self._count
        return DifferenceNumbers(self._count, self._missing, mean, rms, self._largest, self._largest_ns, outside)


def numbers_of(parts: Iterable[Differences], tolerance: Tolerance | None = None) -> DifferenceNumbers:
    """Return what differences come to.

    :param parts: in the order of their times.
    """
    running = RunningDifferences(tolerance)
    for part in parts:
        running.add(part)
    return running.result()
