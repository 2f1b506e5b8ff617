"""Numbers as devices print them, many at once.

Pure. There are two ways from text to numbers, which give the same: plain Python, field by field, and Arrow's CSV
reader, whose start costs a quarter of a millisecond, and which then is several times as fast.
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

ARROW_FIELDS = 5000
"""From so many numbers a block on Arrow reads columns: where the two ways broke even, with 3 and with 10 a line."""

ARROW_PAIRS = 900
"""The same for ``label:value``, which take plain Python longer."""

NOTHING = b"nan"
"""A field for a number that is not there."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def number_of(field: bytes) -> float:
    """Read one field: sign, digits, point, exponent, spaces around; NaN where it is something else.

    >>> [number_of(field) for field in (b" +5.", b"-.5e-3", b"1_000", b"0x10", b"ready")]
    [5.0, -0.0005, nan, nan, nan]
    """
    if b"_" in field:  # float() takes it for a thousands separator
        return np.nan
    try:
        return float(field)
    except ValueError:
        return np.nan


def numbers_of(fields: Sequence[bytes]) -> NDArray[np.float64]:
    """Read fields, each as :func:`number_of` does.

    >>> numbers_of([b"512", b"", b" 7 "]).tolist()
    [512.0, nan, 7.0]
    """
    try:
        numbers = np.fromiter(map(float, fields), np.float64, len(fields))
        if b"_" not in b"".join(fields):
            return numbers
    except ValueError:
        pass
    return np.fromiter(map(number_of, fields), np.float64, len(fields))


def read_table(
    text: NDArray[np.uint8], delimiter: bytes, width: int, number_columns: Collection[int], names: Collection[int] = ()
) -> dict[int, Any] | None:
    """Read lines of equal width with Arrow.

    :param text: lines that end with a line feed, each with ``width - 1`` delimiters, and no other line break.
    :param delimiter: one character.
    :param number_columns: which columns to read as numbers, from 0.
    :param names: which columns to read as they stand, as Arrow binary arrays.
    :returns: by column; None if a field of ``number_columns`` is no number, which :func:`number_of` has to judge.
    """
    from pyarrow import csv

    if text[:3].tobytes() == _BYTE_ORDER_MARK:  # Arrow would skip it
        return None
    types = {str(column): pa.float64() for column in number_columns} | {str(column): pa.binary() for column in names}
    try:
        table = csv.read_csv(
            pa.py_buffer(text),
            csv.ReadOptions(
                column_names=[str(column) for column in range(width)], use_threads=False, block_size=len(text) + 1
            ),
            csv.ParseOptions(
                delimiter=delimiter.decode(), quote_char=False, escape_char=False, ignore_empty_lines=False
            ),
            csv.ConvertOptions(
                column_types=types,
                include_columns=list(types),
                null_values=[""],
                strings_can_be_null=False,
                check_utf8=False,
            ),
        )
    except pa.ArrowInvalid:
        return None
    columns: dict[int, Any] = {
        column: np.asarray(table[str(column)].to_numpy(), np.float64) for column in number_columns
    }
    return columns | {column: table[str(column)].combine_chunks() for column in names}
