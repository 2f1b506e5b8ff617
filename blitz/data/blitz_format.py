"""Messages of the Blitz protocol: hex digits in which channels are bits.

Pure. Bit positions follow the serial protocol: most significant first, the payload beginning at bit 48 of the line.
"""

import numpy as np
from numpy.typing import NDArray

from blitz.data.bits import HEAD_DIGITS, HexLines, number, read_hex, timestamps
from blitz.data.board_definition import LINE_DIGITS, BoardDefinition, load_definitions
from blitz.data.calibration import calibrate
from blitz.data.layout import Decoded, Rows
from blitz.errors import BoardMismatch

__all__ = ["BlitzLayout", "decode_values", "device_ms", "load_definitions"]


def decode_values(definition: BoardDefinition, raw: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Convert messages of equal length to readings in each channel's unit.

    :param raw: hex digits in upper or lower case, shape (n, width).
    :returns: shape (n, n_channels), NaN where the message is not this board's or a digit is none.
    :raises BoardMismatch: if a message is shorter than the board's layout needs.

    >>> line = np.frombuffer(b"057500005555cccccccc00000000", np.uint8).reshape(1, -1)
    >>> decode_values(load_definitions()["08"].model_copy(update={"id": "05"}), line)[0, :5].tolist()
    [3276.0, 3276.0, 3264.0, 0.0, 0.0]
    """
    width = raw.shape[1]
    if width < definition.needed_digits:
        raise BoardMismatch(
            f"A message of {width} digits is too short for board {definition.id}, {definition.name}: "
            f"its layout needs {definition.needed_digits}."
        )
    lines = read_hex(raw)
    return calibrate(definition.channels, _numbers(definition, lines, _are_of_board(definition, lines)).T)


def device_ms(raw: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Read the timestamps of messages of equal length.

    :param raw: hex digits, shape (n, width).
    :returns: shape (n,), milliseconds of the device's clock, 0 to 2**32 - 1; -1 where unreadable.
    """
    if raw.shape[1] < HEAD_DIGITS:
        return np.full(len(raw), -1, np.int64)
    lines = read_hex(raw[:, :HEAD_DIGITS])
    clock = timestamps(lines.content)
    if lines.are_digits is not None:
        clock[~lines.are_digits[:, 4:].all(axis=1)] = -1
    return clock


class BlitzLayout:
    """Decodes one definition's messages."""

    def __init__(self, definition: BoardDefinition) -> None:
        self._definition = definition
        self._needed = definition.needed_digits
        self._width = len(definition.channels)

    def decode(self, rows: Rows) -> Decoded:
        """Decode lines of any length; those that are short, another board's, or no hex digits are rows of NaN."""
        if rows.even_length is not None:  # nearly all blocks: sorting lengths would take as long as decoding
            numbers, clock = self._decode_even(rows.matrix(rows.even_length))
        else:
            numbers = np.full((self._width, len(rows)), np.nan)
            clock = np.full(len(rows), -1, np.int64)
            for length in np.unique(rows.lengths).tolist():
                places = np.flatnonzero(rows.lengths == length)
                numbers[:, places], clock[places] = self._decode_even(rows.matrix(length, places))
        return Decoded(numbers.T, clock if self._definition.has_clock else None)

    def _decode_even(self, raw: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the numbers, shape (n_channels, n), and the clock of messages of one length."""
        count, length = raw.shape
        if length < LINE_DIGITS:
            return np.full((self._width, count), np.nan), np.full(count, -1, np.int64)
        lines = read_hex(raw)
        are_ours = have_our_head = _are_of_board(self._definition, lines)
        if lines.are_digits is not None:
            have_our_head = _are_of_board(self._definition, lines, HEAD_DIGITS)
        clock = timestamps(lines.content)
        clock[~have_our_head] = -1
        if length < self._needed:
            return np.full((self._width, count), np.nan), clock
        return _numbers(self._definition, lines, are_ours), clock


def _numbers(definition: BoardDefinition, lines: HexLines, are_ours: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the numbers that stand in lines, a row a channel."""
    numbers = np.empty((len(definition.channels), len(lines.content)))
    for row, channel in enumerate(definition.channels):
        is_little = channel.byte_order == "little"
        numbers[row] = number(lines.content, channel.first_bit, channel.bits or 0, channel.signed, is_little)
    if not are_ours.all():
        numbers[:, ~are_ours] = np.nan
    return numbers


def _are_of_board(definition: BoardDefinition, lines: HexLines, digits: int | None = None) -> NDArray[np.bool_]:
    """Tell which lines bear the board's id and begin with so many hex digits; consist of them where none is given."""
    are_ours: NDArray[np.bool_] = lines.content[:, 0] == int(definition.id, 16)
    if lines.are_digits is not None:
        are_ours &= lines.are_digits[:, :digits].all(axis=1)
    return are_ours
