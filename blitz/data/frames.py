"""Series as tables of other libraries: Arrow, pandas, polars; long (a row a reading) or wide (a column a channel).

Pure. Arrow is always there; pandas and polars are imported when they are used. Times are datetime64[ns] in UTC.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from blitz.data.optional_packages import optional_package
from blitz.data.series import Series

if TYPE_CHECKING:
    from blitz.data.aligning import Aligned

TIME_TYPE = pa.timestamp("ns", "UTC")
_TEXT = pa.dictionary(pa.int32(), pa.string())
LONG_SCHEMA = pa.schema(
    [
        pa.field("session", pa.int64(), nullable=False),
        pa.field("source", _TEXT, nullable=False),
        pa.field("channel", _TEXT, nullable=False),
        pa.field("unit", _TEXT, nullable=False),
        pa.field("time", TIME_TYPE, nullable=False),
        pa.field("value", pa.float64(), nullable=False),
    ]
)
"""A row a reading, by channel and then by time; ``channel`` is the label, which is unique in the session."""


def long_table(series: Iterable[Series]) -> Any:
    """Return series as one :class:`pyarrow.Table` with :data:`LONG_SCHEMA`; NaN stays NaN."""
    chosen = list(series)
    lengths = [len(each) for each in chosen]
    columns = [
        np.repeat(np.array([each.session_id for each in chosen], np.int64), lengths),
        _repeated([each.source for each in chosen], lengths),
        _repeated([each.label for each in chosen], lengths),
        _repeated([each.unit for each in chosen], lengths),
        times_array(_joined([each.time_ns for each in chosen], np.int64)),
        _joined([each.values for each in chosen], np.float64),
    ]
    return pa.table(columns, schema=LONG_SCHEMA)


def wide_table(series: Iterable[Series]) -> Any:
    """Return series as one :class:`pyarrow.Table`: a column ``time``, and one a channel with its unit in the field.

    Readings of one time share a row. Where channels have different times, as those of two boards do, there is a row
    for each time, and null where a channel has nothing; to bring them to common times is another thing, see
    :func:`blitz.data.aligning.aligned`. Where a channel has several readings at one time, so many rows have it.
    """
    chosen = list(series)
    clocks: list[NDArray[np.int64]] = []
    clock_of: list[int] = []
    for each in chosen:
        place = next((n for n, clock in enumerate(clocks) if _are_equal(clock, each.time_ns)), len(clocks))
        if place == len(clocks):
            clocks.append(each.time_ns)
        clock_of.append(place)
    time_ns, rows = _merged(clocks)
    columns = []
    for each, place in zip(chosen, clock_of, strict=True):
        if len(clocks) == 1:
            columns.append(pa.array(each.values, pa.float64()))
            continue
        values, is_null = np.zeros(len(time_ns)), np.ones(len(time_ns), bool)
        values[rows[place]], is_null[rows[place]] = each.values, False
        columns.append(pa.array(values, pa.float64(), mask=is_null))
    return _table(time_ns, [each.label for each in chosen], [each.unit for each in chosen], columns)


def aligned_table(aligned: "Aligned") -> Any:
    """Return aligned channels as :class:`pyarrow.Table`: a column ``time``, and one a channel with its unit."""
    columns = [pa.array(aligned.values[:, n].copy(), pa.float64()) for n in range(len(aligned.labels))]
    return _table(aligned.time_ns, aligned.labels, aligned.units, columns)


def wide_pandas(table: Any) -> Any:
    """Return a wide table as :class:`pandas.DataFrame`, indexed by time; units by column in ``attrs["units"]``."""
    optional_package("pandas", "to_pandas()", "blitz[analysis]")
    frame = table.to_pandas().set_index("time")
    frame.attrs["units"] = table_units(table)
    return frame


def long_pandas(table: Any) -> Any:
    """Return a long table as :class:`pandas.DataFrame`; source, channel and unit are categories."""
    optional_package("pandas", "to_pandas()", "blitz[analysis]")
    return table.to_pandas()


def as_polars(table: Any) -> Any:
    """Return a table as :class:`polars.DataFrame`."""
    return optional_package("polars", "to_polars()", "polars").from_arrow(table)


def table_units(table: Any) -> dict[str, str]:
    """Return the units of a wide table's columns, by name."""
    return {field.name: str((field.metadata or {}).get(b"unit", b""), "utf-8") for field in list(table.schema)[1:]}


def times_array(time_ns: NDArray[np.int64]) -> Any:
    """Return times as Arrow has them."""
    return pa.array(time_ns, pa.int64()).view(TIME_TYPE)


def _table(time_ns: NDArray[np.int64], labels: Sequence[str], units: Sequence[str], columns: list[Any]) -> Any:
    names = [label if label != "time" else "time (channel)" for label in labels]
    fields = [pa.field("time", TIME_TYPE, nullable=False)]
    fields += [pa.field(name, pa.float64(), metadata={"unit": unit}) for name, unit in zip(names, units, strict=True)]
    return pa.table([times_array(time_ns), *columns], schema=pa.schema(fields))


def _merged(clocks: list[NDArray[np.int64]]) -> tuple[NDArray[np.int64], list[NDArray[np.intp]]]:
    """Return all times of several clocks, rising, and by clock which of them are its own.

    The second reading of a clock at one time goes with the second one of another clock at that time.
    """
    if len(clocks) < 2:
        time_ns = clocks[0] if clocks else np.empty(0, np.int64)
        return time_ns, [np.arange(len(time_ns))]
    times = np.concatenate(clocks)
    nth = np.concatenate([np.arange(len(clock)) - np.searchsorted(clock, clock) for clock in clocks])
    order = np.lexsort((nth, times))
    is_new = np.ones(len(times), bool)
    is_new[1:] = (np.diff(times[order]) != 0) | (np.diff(nth[order]) != 0)
    row = np.empty(len(times), np.intp)
    row[order] = np.cumsum(is_new) - 1
    return times[order][is_new], np.split(row, np.cumsum([len(clock) for clock in clocks])[:-1])


def _repeated(texts: list[str], lengths: list[int]) -> Any:
    indices = pa.array(np.repeat(np.arange(len(texts), dtype=np.int32), lengths), pa.int32())
    distinct = list(dict.fromkeys(texts))
    if len(distinct) < len(texts):
        place = np.array([distinct.index(text) for text in texts], np.int32)
        indices = pa.array(np.repeat(place, lengths), pa.int32())
    return pa.DictionaryArray.from_arrays(indices, pa.array(distinct, pa.string()))


def _joined(arrays: list[NDArray[Any]], kind: Any) -> NDArray[Any]:
    return np.concatenate(arrays) if arrays else np.empty(0, kind)


def _are_equal(first: NDArray[np.int64], second: NDArray[np.int64]) -> bool:
    return first is second or np.array_equal(first, second)
