"""Points of a stream: what a script gets, and what can be computed of them.

A point is a dict with ``t``, seconds since the Unix epoch, and ``d``, any value that JSON has. Pure.
"""

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any, Self, SupportsIndex, TypeAlias, overload

from blitz.errors import BlockError, SeriesError

Point: TypeAlias = dict[str, Any]
Number: TypeAlias = int | float


class Points(list[Point]):
    """Points in the order of their times: a list that is cut, added up, moved in time and merged.

    >>> points = Points([{"t": 1.0, "d": 20}, {"t": 2.0, "d": 21}, {"t": 3.0, "d": 25}])
    >>> points.sum(), points.mean(), points.min(), points.max()
    (66, 22.0, 20, 25)
    >>> points[-2:].d()
    [21, 25]
    """

    @overload
    def __getitem__(self, place: SupportsIndex) -> Point: ...

    @overload
    def __getitem__(self, place: "slice[Any, Any, Any]") -> Self: ...

    def __getitem__(self, place: "SupportsIndex | slice[Any, Any, Any]") -> "Point | Self":
        """Return a point, or those of a slice."""
        if isinstance(place, slice):
            return type(self)(super().__getitem__(place))
        return super().__getitem__(place)

    def t(self) -> list[float]:
        """Return the times, in seconds since the Unix epoch."""
        return [point["t"] for point in self]

    def d(self) -> list[Any]:
        """Return the values."""
        return [point["d"] for point in self]

    def sum(self) -> Number:
        """Return the sum of the values: of whole numbers a whole one, else rounded once; 0 where there is no point.

        True counts as 1, False as 0.

        >>> Points([{"t": n, "d": 0.1} for n in range(10)]).sum()
        1.0

        :raises SeriesError: if a value is no number.
        """
        values = self._numbers("sum")
        if all(isinstance(value, int) for value in values):
            return sum(values)
        try:
            return math.fsum(values)
        except OverflowError:  # beyond the largest number
            return sum(values)

    def mean(self) -> float:
        """Return the mean of the values.

        :raises SeriesError: if there is no point, or if a value is no number.
        """
        values = self._numbers("mean", is_for_none=False)
        try:
            return math.fsum(values) / len(values)
        except OverflowError:  # the sum is beyond the largest number, the mean is not
            return math.fsum(value / len(values) for value in values)

    def min(self) -> Number:
        """Return the smallest value.

        :raises SeriesError: as :meth:`mean`.
        """
        return min(self._numbers("min", is_for_none=False))

    def max(self) -> Number:
        """Return the largest value.

        :raises SeriesError: as :meth:`mean`.
        """
        return max(self._numbers("max", is_for_none=False))

    def shifted(self, seconds: float) -> Self:
        """Return copies of the points, so much later, or earlier where it is below 0.

        >>> Points([{"t": 100.0, "d": "on"}]).shifted(-0.5)
        [{'t': 99.5, 'd': 'on'}]

        :raises SeriesError: if it is not a finite number.
        """
        if not _is_number(seconds) or not math.isfinite(seconds):
            raise SeriesError(f"Cannot shift points by {seconds!r}: give a finite number of seconds.")
        return type(self)(point | {"t": point["t"] + seconds} for point in self)

    def merged(self, other: Iterable[Point]) -> Self:
        """Return these points and others by time; of equal times these come first, and each keeps its order.

        >>> Points([{"t": 1, "d": "a"}, {"t": 3, "d": "b"}]).merged([{"t": 1, "d": "c"}, {"t": 2, "d": "d"}]).d()
        ['a', 'c', 'd', 'b']
        """
        return type(self)(sorted([*self, *other], key=lambda point: point["t"]))

    @classmethod
    def from_messages(cls, messages: Sequence[bytes], first: int = 0) -> Self:
        """Read points from the messages of a stream.

        >>> Points.from_messages([b'{"t":1.5,"d":20}', b'{"t":2,"d":null}'])
        [{'t': 1.5, 'd': 20}, {'t': 2, 'd': None}]

        :param first: the place of the first of them in the stream, for errors.
        :raises BlockError: if one is no point.
        """
        try:
            # One text takes a fraction of the time of many.
            points = json.loads(b"[" + b",".join(messages) + b"]")
        except (ValueError, RecursionError):
            points = []
        if len(points) != len(messages) or not all(map(_is_point, points)):
            points = [_read_point(message, index) for index, message in enumerate(messages, first)]
        return cls(points)

    def _numbers(self, what: str, *, is_for_none: bool = True) -> list[Number]:
        values = [point["d"] for point in self]
        if not values and not is_for_none:
            raise SeriesError(f"There is no {what}() of no points.")
        if not all(map(_is_number, values)):
            index = next(index for index, value in enumerate(values) if not _is_number(value))
            raise SeriesError(
                f"{what}() needs numbers, but point {index}, at {self[index]['t']} s, is {_shortened(values[index])}."
            )
        return values


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)


def _is_point(point: object) -> bool:
    return type(point) is dict and "t" in point and "d" in point


def _read_point(message: bytes, index: int) -> Point:
    try:
        point = json.loads(message)
    except (ValueError, RecursionError):
        point = None
    if not _is_point(point):
        raise BlockError(
            f"Message {index} of the stream is no point but {_shortened(message)}: "
            "something else than Blitz wrote it into the store."
        )
    found: Point = point
    return found


def _shortened(value: object) -> str:
    words = repr(value)
    return words if len(words) <= 60 else f"{words[:57]}..."
