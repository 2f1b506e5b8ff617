"""Binary messages: numbers of fixed types at fixed bytes.

Pure. Where all messages have one length the numbers are read through strided views, without copying the messages.
"""

import numpy as np
from numpy.typing import NDArray

from blitz.data.board_definition import BoardDefinition, Channel, Clock
from blitz.data.layout import Decoded, Rows

SIZES = {name: int(name[1:]) // 8 for name in ("u8", "i8", "u16", "i16", "u24", "i24", "u32", "i32", "u64", "i64")}
SIZES |= {"f32": 4, "f64": 8}
"""Bytes of each type."""


class StructLayout:
    """Decodes one definition's messages. Bytes behind the last number that is named may be anything."""

    def __init__(self, definition: BoardDefinition) -> None:
        self._parts: list[Channel | Clock] = [*definition.channels]
        if definition.clock is not None:
            self._parts.append(definition.clock)
        self._has_clock = definition.clock is not None
        self._needed = max([(part.offset or 0) + SIZES[part.type or "u8"] for part in self._parts], default=0)

    def decode(self, rows: Rows) -> Decoded:
        """Decode messages; one that is too short for the layout is a row of NaN."""
        numbers = np.full((len(self._parts), len(rows)), np.nan)
        long_enough = np.flatnonzero(rows.lengths >= self._needed)
        if len(long_enough) and self._needed:
            raw = rows.matrix(self._needed, long_enough)
            everywhere = len(long_enough) == len(rows)
            for row, part in enumerate(self._parts):
                numbers[row, slice(None) if everywhere else long_enough] = _numbers(raw, part)
        if self._has_clock:
            return Decoded(numbers[:-1].T, numbers[-1])
        return Decoded(numbers.T)


def _numbers(raw: NDArray[np.uint8], part: Channel | Clock) -> NDArray[np.float64]:
    name, start = part.type or "u8", part.offset or 0
    order = ">" if part.byte_order == "big" else "<"
    size = SIZES[name]
    if size == 3:
        return _three_bytes(raw[:, start : start + 3], is_big=order == ">", is_signed=name == "i24")
    kind = np.dtype(f"{order}{name[0]}{size}")
    with np.errstate(invalid="ignore"):  # signalling NaN
        column: NDArray[np.float64] = raw[:, start : start + size].view(kind)[:, 0].astype(np.float64)
    return column


def _three_bytes(raw: NDArray[np.uint8], *, is_big: bool, is_signed: bool) -> NDArray[np.float64]:
    low, middle, high = (2, 1, 0) if is_big else (0, 1, 2)
    wide = raw.astype(np.int32)
    together = wide[:, low] | wide[:, middle] << 8 | wide[:, high] << 16
    if is_signed:
        together = (together ^ 0x800000) - 0x800000
    return together.astype(np.float64)
