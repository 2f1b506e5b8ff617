"""Times as Arrow columns, whole columns at a time: what CSV files have in their first two columns."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_MICRO = 1_000_000
_POWERS = 10 ** np.arange(5, -1, -1)


def iso_times(time_ns: NDArray[np.int64]) -> Any:
    """Return ISO 8601 in UTC with microseconds, an Arrow array of strings; what is finer is cut off.

    >>> iso_times(np.array([1_500_000_000_123_456_789])).to_pylist()
    ['2017-07-14T02:40:00.123456Z']
    """
    seconds, micros = np.divmod(time_ns // 1000, _MICRO)
    # Whole seconds repeat: each is spelled once.
    spelled, which = np.unique(seconds, return_inverse=True)
    text = np.datetime_as_string(spelled.astype("datetime64[s]")).astype("S19")
    wide = np.empty((len(time_ns), 27), np.uint8)
    wide[:, :19] = text.view(np.uint8).reshape(-1, 19)[which]
    wide[:, 19] = ord(".")
    wide[:, 20:26] = (micros[:, np.newaxis] // _POWERS % 10 + ord("0")).astype(np.uint8)
    wide[:, 26] = ord("Z")
    count, width = wide.shape
    offsets = np.arange(count + 1, dtype=np.int32) * np.int32(width)
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(wide))


def seconds_since(time_ns: NDArray[np.int64], start_ns: int) -> Any:
    """Return seconds since a start with six decimals, an Arrow array of decimal numbers; what is finer is cut off.

    >>> seconds_since(np.array([1_500_000_000, 900_000_000]), 1_000_000_000).cast(pa.string()).to_pylist()
    ['0.500000', '-0.100000']
    """
    micros = (time_ns - start_ns) // 1000
    number = np.empty((len(micros), 2), "<i8")  # the low and the high half of 128 bits
    number[:, 0] = micros
    number[:, 1] = micros >> 63
    return pa.Array.from_buffers(pa.decimal128(19, 6), len(micros), [None, pa.py_buffer(number)])
