"""Bits of hex lines, for many messages at once.

Pure. Bit positions count from the start of the line, most significant first; a digit is four bits.
"""

import binascii
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

HEAD_DIGITS = 12
"""Id (2 digits), meta (2), timestamp (8); the payload follows."""

_ZERO = ord("0")
_ARE_DIGITS = np.zeros(256, np.bool_)
_ARE_DIGITS[np.frombuffer(b"0123456789abcdefABCDEF", np.uint8)] = True


class HexLines(NamedTuple):
    """Lines of equal length as the bytes that their digits spell.

    :param content: uint8, shape (n, width // 2 or one more): two digits a byte. A digit 0 stands in the place of every
        character that is none, and behind the last digit of a line that has an odd number of them.
    :param are_digits: bool, shape (n, width): which characters are hex digits; None where all are.
    """

    content: NDArray[np.uint8]
    are_digits: NDArray[np.bool_] | None


def read_hex(raw: NDArray[np.uint8]) -> HexLines:
    """Read hex digits, upper or lower case.

    :param raw: characters, shape (n, width).

    >>> read_hex(np.frombuffer(b"0cF", np.uint8).reshape(1, 3)).content.tolist()
    [[12, 240]]
    """
    count, width = raw.shape
    if width % 2:
        padded = np.full((count, width + 1), _ZERO, np.uint8)
        padded[:, :width] = raw
    else:
        padded = np.ascontiguousarray(raw)
    are_digits = None
    try:
        content = binascii.unhexlify(padded.data)
    except binascii.Error:
        are_digits = _ARE_DIGITS[padded]
        content = binascii.unhexlify(np.where(are_digits, padded, np.uint8(_ZERO)).data)
        are_digits = are_digits[:, :width]
    return HexLines(np.frombuffer(content, np.uint8).reshape(count, -(-width // 2)), are_digits)


def number(
    content: NDArray[np.uint8], first_bit: int, bits: int, signed: bool = False, is_little: bool = False
) -> NDArray[np.integer[Any]]:
    """Put together the integer that begins at ``first_bit``.

    :param content: what lines spell, shape (n, width), ``width`` at least eight, or four if ``bits`` lie within these.
    :param bits: 1 to 64.
    :param signed: two's complement.
    :param is_little: the bytes stand in the order of a little-endian computer; ``bits`` is a multiple of eight.
    :returns: shape (n,).

    >>> lines = np.frombuffer(b"\\x0c\\xf2\\x01\\x02\\0\\0\\0\\0", np.uint8).reshape(1, 8)
    >>> number(lines, 4, 8).tolist(), number(lines, 16, 16, is_little=True).tolist()
    ([207], [513])
    """
    together = _unsigned(content, first_bit, bits)
    unused = together.itemsize * 8 - bits
    if is_little:
        together = (together << together.dtype.type(unused)).byteswap()
    if not signed:
        return together
    top = (together << together.dtype.type(unused)).view(f"i{together.itemsize}")
    extended: NDArray[np.signedinteger[Any]] = top >> top.dtype.type(unused)
    return extended


def timestamps(content: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Read bits 16-47, milliseconds of the device's clock.

    :param content: what lines spell, shape (n, at least HEAD_DIGITS / 2).
    :returns: shape (n,).
    """
    return number(content, 16, 32).astype(np.int64)


def _unsigned(content: NDArray[np.uint8], first_bit: int, bits: int) -> NDArray[np.unsignedinteger[Any]]:
    stop = first_bit + bits
    first = first_bit // 8
    span = (stop - 1) // 8 + 1 - first
    if span > 8:
        high = _unsigned(content, first_bit, bits - 32).astype(np.uint64)
        return high << np.uint64(32) | _unsigned(content, stop - 32, 32)
    size = 4 if span <= 4 else 8
    begin = min(first, content.shape[1] - size)
    window: NDArray[np.unsignedinteger[Any]] = content[:, begin : begin + size].view(f">u{size}")[:, 0]
    together = window.astype(f"u{size}")
    kind = together.dtype.type
    together >>= kind(8 * (begin + size) - stop)
    if bits < 8 * size:
        together &= kind((1 << bits) - 1)
    return together
