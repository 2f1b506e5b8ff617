"""What of a table need not be read, as the conditions of a query tell. Pure: nothing is opened.

Arrow knows how to tell, of the parts of a data set, which cannot hold a row that a condition wants. The parts here are
sessions, channels and blocks; each says what is the same in all its rows, or between which values they lie.
"""

import bisect
import functools
import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs

T = TypeVar("T")

TIME_TYPE = pa.timestamp("us", "UTC")

_TIMES_US = range(-(1 << 63) // 1000, (1 << 63) // 1000)
_FORMAT = ds.IpcFileFormat()
_NOWHERE = pyarrow.fs.LocalFileSystem()


def holds(**values: object) -> Any:
    """Say that columns have these values in every row.

    >>> str(holds(session=7, channel="angle"))
    '((session == 7) and (channel == "angle"))'
    """
    return functools.reduce(operator.and_, (pc.field(name) == value for name, value in values.items()))


def lies(column: str, least: object, most: object) -> Any:
    """Say that a column's values lie between two, both included.

    >>> str(lies("seq", 0, 16383))
    '((seq >= 0) and (seq <= 16383))'
    """
    return (pc.field(column) >= least) & (pc.field(column) <= most)


def possible(schema: pa.Schema, condition: Any | None, parts: Sequence[T], facts: Iterable[Any]) -> Iterator[T]:
    """Iterate over the parts that may hold rows for which a condition is true, in their order.

    :param condition: an Arrow expression over the schema; None for every row.
    :param facts: what is true of each part, an Arrow expression.

    >>> schema = pa.schema([("session", pa.int64()), ("value", pa.float64())])
    >>> condition = (pc.field("session") == 8) & (pc.field("value") > 3)
    >>> list(possible(schema, condition, ["old", "new"], [holds(session=7), holds(session=8)]))
    ['new']
    """
    if condition is None:
        return iter(parts)
    fragments = [
        _FORMAT.make_fragment(str(place), filesystem=_NOWHERE, partition_expression=fact)
        for place, fact in enumerate(facts)
    ]
    kept = ds.FileSystemDataset(fragments, schema, _FORMAT, _NOWHERE).get_fragments(condition)
    return iter([parts[place] for place in sorted(int(fragment.path) for fragment in kept)])


def is_possible(schema: pa.Schema, condition: Any | None, fact: Any) -> bool:
    """Whether a condition may be true of a row of which the fact is."""
    return any(possible(schema, condition, [True], [fact]))


def possible_times(schema: pa.Schema, condition: Any | None, fact: Any) -> tuple[int, int] | None:
    """Return between which times a condition may be true of rows of which the fact is: start, and stop behind the last.

    :returns: nanoseconds since the Unix epoch; equal where it never is, None where any time is possible.

    >>> schema = pa.schema([("session", pa.int64()), ("time", TIME_TYPE)])
    >>> condition = lies("time", pa.scalar(5, TIME_TYPE), pa.scalar(8, TIME_TYPE))
    >>> possible_times(schema, condition, holds(session=7))
    (5000, 9000)
    """

    def may_be_until(time_us: int) -> bool:
        return is_possible(schema, condition, fact & (pc.field("time") <= pa.scalar(time_us, TIME_TYPE)))

    def is_over_from(time_us: int) -> bool:
        return not is_possible(schema, condition, fact & (pc.field("time") >= pa.scalar(time_us, TIME_TYPE)))

    if condition is None or (may_be_until(_TIMES_US[0]) and not is_over_from(_TIMES_US[-1])):
        return None
    # An expression cannot be taken apart, but asked: fifty questions find each end.
    start = bisect.bisect_left(_TIMES_US, True, key=may_be_until)
    stop = bisect.bisect_left(_TIMES_US, True, lo=start, key=is_over_from)
    return (_TIMES_US[0] + start) * 1000, (_TIMES_US[0] + stop) * 1000
