"""Bits of hex lines, for many messages at once.

Pure. Bit positions count from the start of the line, most significant first; a digit is four bits.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

HEAD_DIGITS = 12
"""Id (2 digits), meta (2), timestamp (8); the payload follows."""

NO_DIGIT = 16
"""What :func:`hex_digits` gives for a byte that is no hex digit."""

_VALUES = np.full(256, NO_DIGIT, np.uint8)
_VALUES[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)
_VALUES[np.frombuffer(b"ABCDEF", np.uint8)] = np.arange(10, 16)


def hex_digits(raw: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the values of hex digits, upper or lower case, by position: what is read together lies together.

    :param raw: characters, shape (n, width).
    :returns: shape (width, n), 0 to 15 or :data:`NO_DIGIT`.
    """
    # Looked up first and turned then: faster than to look up what lies apart. Clipping does nothing, but fast.
    values: NDArray[np.uint8] = np.take(_VALUES, raw, mode="clip")
    return np.ascontiguousarray(values.T)


def number(
    digits: NDArray[np.uint8], first_bit: int, bits: int, signed: bool = False, is_little: bool = False
) -> NDArray[np.integer[Any]]:
    """Put together the integer that begins at ``first_bit``; it means nothing where a digit is none.

    :param digits: shape (width, n).
    :param bits: 1 to 64.
    :param signed: two's complement.
    :param is_little: the bytes stand in the order of a little-endian computer; ``bits`` is a multiple of eight.
    :returns: shape (n,).

    >>> number(hex_digits(np.frombuffer(b"0cf2", np.uint8).reshape(1, 4)), 4, 8).tolist()
    [207]
    >>> number(hex_digits(np.frombuffer(b"0102", np.uint8).reshape(1, 4)), 0, 16, is_little=True).tolist()
    [513]
    """
    stop = first_bit + bits
    first, last = first_bit // 4, (stop - 1) // 4
    spare = 4 * (last + 1) - stop
    kind = np.uint32 if bits <= 32 else np.uint64
    together: NDArray[np.integer[Any]] = (digits[first] & (0xF >> first_bit % 4)).astype(kind)
    if first == last:
        together >>= kind(spare)
    for place in range(first + 1, last + 1):
        # Of the last digit only the upper bits are taken in, so that 64 bits never overflow.
        shift = 4 - spare if place == last else 4
        together <<= kind(shift)
        together |= digits[place] >> (4 - shift)
    unused = 64 - bits
    if is_little:
        together = (together.astype(np.uint64) << np.uint64(unused)).byteswap()
    if not signed:
        return together
    extended: NDArray[np.int64] = (together.astype(np.uint64) << np.uint64(unused)).view(np.int64) >> np.int64(unused)
    return extended


def timestamps(digits: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Read bits 16-47, milliseconds of the device's clock.

    :param digits: shape (at least HEAD_DIGITS, n).
    :returns: shape (n,), -1 where a digit is none.
    """
    together = np.zeros(digits.shape[1], np.int64)
    for place in range(4, HEAD_DIGITS):
        together = together << 4 | digits[place]
    together[(digits[4:HEAD_DIGITS] == NO_DIGIT).any(axis=0)] = -1
    return together
