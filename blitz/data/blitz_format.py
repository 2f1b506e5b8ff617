"""Messages of the Blitz protocol: hex digits in which channels are bits.

Pure. Bit positions follow the serial protocol: most significant first, the payload beginning at bit 48 of the line.
"""

import numpy as np
from numpy.typing import NDArray

from blitz.data.bits import HEAD_DIGITS, NO_DIGIT, hex_digits, number, timestamps
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
    digits = hex_digits(raw)
    return calibrate(definition.channels, _numbers(definition, digits, _are_of_board(definition, digits)))


def device_ms(raw: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Read the timestamps of messages of equal length.

    :param raw: hex digits, shape (n, width).
    :returns: shape (n,), milliseconds of the device's clock, 0 to 2**32 - 1; -1 where unreadable.
    """
    if raw.shape[1] < HEAD_DIGITS:
        return np.full(len(raw), -1, np.int64)
    return timestamps(hex_digits(raw[:, :HEAD_DIGITS]))


class BlitzLayout:
    """Decodes one definition's messages."""

    def __init__(self, definition: BoardDefinition) -> None:
        self._definition = definition
        self._needed = definition.needed_digits

    def decode(self, rows: Rows) -> Decoded:
        """Decode lines of any length; those that are short, another board's, or no hex digits are rows of NaN."""
        numbers = np.full((len(rows), len(self._definition.channels)), np.nan)
        clock = np.full(len(rows), -1, np.int64)
        even_length = rows.even_length  # of nearly all blocks: sorting lengths would take as long as decoding
        for length in np.unique(rows.lengths).tolist() if even_length is None else [even_length]:
            if length < LINE_DIGITS:
                continue
            places = slice(None) if even_length is not None else np.flatnonzero(rows.lengths == length)
            digits = hex_digits(rows.matrix(length, None if isinstance(places, slice) else places))
            if length >= self._needed:
                numbers[places] = _numbers(self._definition, digits, _are_of_board(self._definition, digits))
            head = digits[:HEAD_DIGITS]
            clock[places] = np.where(_are_of_board(self._definition, head), timestamps(head), -1)
        return Decoded(numbers, clock if self._definition.has_clock else None)


def _numbers(
    definition: BoardDefinition, digits: NDArray[np.uint8], are_ours: NDArray[np.bool_]
) -> NDArray[np.float64]:
    numbers = np.empty((digits.shape[1], len(definition.channels)))
    for column, channel in enumerate(definition.channels):
        is_little = channel.byte_order == "little"
        numbers[:, column] = number(digits, channel.first_bit, channel.bits or 0, channel.signed, is_little)
    if not are_ours.all():
        numbers[~are_ours] = np.nan
    return numbers


def _are_of_board(definition: BoardDefinition, digits: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tell which messages, columns of ``digits``, bear the board's id and consist of hex digits."""
    high, low = (int(digit, 16) for digit in definition.id)
    are_ours: NDArray[np.bool_] = (digits[0] == high) & (digits[1] == low)
    if digits.size and digits.max() == NO_DIGIT:
        are_ours &= (digits != NO_DIGIT).all(axis=0)
    return are_ours
