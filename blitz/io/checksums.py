"""Checksums of frames, by their names in the CRC catalogue (https://reveng.sourceforge.io/crc-catalogue/all.htm).

CRCs are fastcrc's; XOR, the sums and NMEA's are a line each. Pure. What they are called stands in
:mod:`blitz.data.checksum_names`.
"""

import functools
import operator
import re
from collections.abc import Callable
from typing import Literal

from fastcrc import crc8, crc16, crc32

from blitz.data.checksum_names import CHECKSUM_SIZES, NMEA, catalogue_name

_Function = Callable[[bytes], int]


def _xor(payload: bytes) -> int:
    return functools.reduce(operator.xor, payload, 0)


_LIBRARIES = {1: crc8, 2: crc16, 4: crc32}

_FUNCTIONS: dict[str, _Function] = {
    name: getattr(_LIBRARIES[size], name.partition("/")[2].lower().replace("-", "_"))
    for name, size in CHECKSUM_SIZES.items()
    if name.startswith("CRC-")
} | {
    "XOR-8": _xor,
    "SUM-8": lambda payload: sum(payload) & 0xFF,
    "SUM-8/NEGATED": lambda payload: -sum(payload) & 0xFF,
    "SUM-8/INVERTED": lambda payload: ~sum(payload) & 0xFF,
    "SUM-16": lambda payload: sum(payload) & 0xFFFF,
    NMEA: _xor,
}


def checksum_names() -> list[str]:
    """Return the catalogue names of all checksums that there are; aliases are not among them."""
    return list(_FUNCTIONS)


class Checksum:
    r"""One checksum, as it stands at the end of a frame.

    >>> checksum = Checksum("crc-16/modbus")
    >>> checksum.name, checksum.size, checksum.of(b"123456789")
    ('CRC-16/MODBUS', 2, b'7K')
    >>> Checksum("NMEA").of(b"GPGLL,5300.97914,N,00259.98174,E,125926,A")
    b'*28'

    :param name: its name in the catalogue, or another that people use for it.
    :param byte_order: in which it stands in the frame.
    :raises ConfigError: if there is no such checksum.
    """

    def __init__(self, name: str, byte_order: Literal["big", "little"] = "little") -> None:
        self.name = catalogue_name(name)
        self.byte_order = byte_order
        self.size, self.value = CHECKSUM_SIZES[self.name], _FUNCTIONS[self.name]
        """``size``: bytes in the frame, with the ``*`` of NMEA. ``value``: the number, of the bytes covered."""
        self.residue = self._find_residue()
        """``value`` of any frame with its right checksum behind it, and of no other that is at least ``size`` long.
        None where that depends on the frame."""

    def of(self, payload: bytes) -> bytes:
        """Return the checksum of ``payload`` as it stands in the frame."""
        if self.name == NMEA:
            return b"*%02X" % self.value(payload)
        return self.value(payload).to_bytes(self.size, self.byte_order)

    def fits(self, frame: bytes) -> bool:
        """Return whether ``frame`` ends with the right checksum."""
        if len(frame) < self.size:
            return False
        if self.residue is not None:
            return self.value(frame) == self.residue
        return self._found(frame) == self.of(frame[: -self.size])

    def fault(self, frame: bytes) -> str | None:
        """Return what is wrong with the checksum that ``frame`` ends with, None if it is right."""
        if len(frame) < self.size:
            return f"only {len(frame)} bytes, too short for its checksum"
        if self.fits(frame):
            return None
        found, expected = self._found(frame), self.of(frame[: -self.size])
        if self.name != NMEA:
            return f"checksum is {found.hex()}, expected {expected.hex()}"
        if not re.fullmatch(rb"\*[0-9A-F]{2}", found):
            return "no checksum at the end"
        return f"checksum is {found[1:].decode()}, expected {expected[1:].decode()}"

    def contents(self, frames: list[bytes]) -> list[bytes] | None:
        """Return the frames without their checksums, fast; None if one of them has to be looked at with ``fault``."""
        value, residue, cut = self.value, self.residue, -self.size
        if residue is not None:
            contents = [frame[:cut] for frame in frames if value(frame) == residue]
        elif self.name == NMEA:
            contents = [frame[:cut] for frame in frames if self.fits(frame)]
        else:
            number, order = int.from_bytes, self.byte_order
            contents = [frame[:cut] for frame in frames if value(frame[:cut]) == number(frame[cut:], order)]
        # A frame that is too short may have the residue; nothing is left of it either.
        return contents if len(contents) == len(frames) and all(contents) else None

    def _found(self, frame: bytes) -> bytes:
        found = frame[-self.size :]
        return found.upper() if self.name == NMEA else found

    def _find_residue(self) -> int | None:
        """Look for the constant that a CRC gives over a frame with its checksum, as Ross Williams' guide explains.

        It is one only in the byte order in which the CRC's register is shifted out; a sum has none.
        """
        if self.name == NMEA:
            return None
        residues = {
            self.value(payload + self.of(payload)) for payload in (b"", b"\x01", b"123456789", bytes(range(256)))
        }
        return residues.pop() if len(residues) == 1 else None
