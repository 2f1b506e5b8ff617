"""Checksums of frames, by their names in the CRC catalogue (https://reveng.sourceforge.io/crc-catalogue/all.htm).

CRCs are fastcrc's; XOR, the sums and NMEA's are a line each. Pure.
"""

import difflib
import functools
import operator
import re
from collections.abc import Callable
from typing import Literal

from fastcrc import crc8, crc16, crc32

from blitz.errors import ConfigError

NMEA = "NMEA"
"""The XOR of what stands between ``$`` and ``*``, as two hex digits behind the ``*``."""

_Function = Callable[[bytes], int]


def _xor(payload: bytes) -> int:
    return functools.reduce(operator.xor, payload, 0)


_FUNCTIONS: dict[str, tuple[int, _Function]] = {
    f"CRC-{8 * size}/{algorithm.upper().replace('_', '-')}": (size, getattr(library, algorithm))
    for size, library in ((1, crc8), (2, crc16), (4, crc32))
    for algorithm in sorted(library.algorithms_available)
} | {
    "XOR-8": (1, _xor),
    "SUM-8": (1, lambda payload: sum(payload) & 0xFF),
    "SUM-8/NEGATED": (1, lambda payload: -sum(payload) & 0xFF),
    "SUM-8/INVERTED": (1, lambda payload: ~sum(payload) & 0xFF),
    "SUM-16": (2, lambda payload: sum(payload) & 0xFFFF),
    NMEA: (3, _xor),
}
"""Size in bytes and function by name."""

# fastcrc's second name for a CRC of the catalogue.
_FUNCTIONS.pop("CRC-16/AUTOSAR", None)

_ALIASES = {
    "CRC-8": "CRC-8/SMBUS",
    "CRC-8/ITU": "CRC-8/I-432-1",
    "CRC-8/MAXIM": "CRC-8/MAXIM-DOW",
    "CRC-8/DALLAS": "CRC-8/MAXIM-DOW",
    "DOW-CRC": "CRC-8/MAXIM-DOW",
    "CRC-8/AES": "CRC-8/TECH-3250",
    "CRC-8/EBU": "CRC-8/TECH-3250",
    "CRC-16": "CRC-16/ARC",
    "ARC": "CRC-16/ARC",
    "CRC-16/LHA": "CRC-16/ARC",
    "CRC-16/IBM": "CRC-16/ARC",
    "CRC-IBM": "CRC-16/ARC",
    "CRC-16/DARC": "CRC-16/GENIBUS",
    "CRC-16/EPC": "CRC-16/GENIBUS",
    "CRC-16/EPC-C1G2": "CRC-16/GENIBUS",
    "CRC-16/I-CODE": "CRC-16/GENIBUS",
    "CRC-16/AUTOSAR": "CRC-16/IBM-3740",
    "CRC-16/CCITT-FALSE": "CRC-16/IBM-3740",
    "CRC-16/X-25": "CRC-16/IBM-SDLC",
    "CRC-16/ISO-HDLC": "CRC-16/IBM-SDLC",
    "CRC-16/ISO-IEC-14443-3-B": "CRC-16/IBM-SDLC",
    "CRC-B": "CRC-16/IBM-SDLC",
    "X-25": "CRC-16/IBM-SDLC",
    "CRC-A": "CRC-16/ISO-IEC-14443-3-A",
    "CRC-16/CCITT": "CRC-16/KERMIT",
    "CRC-16/CCITT-TRUE": "CRC-16/KERMIT",
    "CRC-16/BLUETOOTH": "CRC-16/KERMIT",
    "CRC-CCITT": "CRC-16/KERMIT",
    "KERMIT": "CRC-16/KERMIT",
    "CRC-16/MAXIM": "CRC-16/MAXIM-DOW",
    "MODBUS": "CRC-16/MODBUS",
    "CRC-16/AUG-CCITT": "CRC-16/SPI-FUJITSU",
    "CRC-16/BUYPASS": "CRC-16/UMTS",
    "CRC-16/VERIFONE": "CRC-16/UMTS",
    "CRC-16/ACORN": "CRC-16/XMODEM",
    "CRC-16/LTE": "CRC-16/XMODEM",
    "XMODEM": "CRC-16/XMODEM",
    "ZMODEM": "CRC-16/XMODEM",
    "CRC-32Q": "CRC-32/AIXM",
    "CRC-32D": "CRC-32/BASE91-D",
    "CRC-32/AAL5": "CRC-32/BZIP2",
    "CRC-32/POSIX": "CRC-32/CKSUM",
    "CKSUM": "CRC-32/CKSUM",
    "CRC-32C": "CRC-32/ISCSI",
    "CRC-32/CASTAGNOLI": "CRC-32/ISCSI",
    "CRC-32": "CRC-32/ISO-HDLC",
    "CRC-32/ADCCP": "CRC-32/ISO-HDLC",
    "CRC-32/V-42": "CRC-32/ISO-HDLC",
    "CRC-32/XZ": "CRC-32/ISO-HDLC",
    "PKZIP": "CRC-32/ISO-HDLC",
    "JAMCRC": "CRC-32/JAMCRC",
    "XFER": "CRC-32/XFER",
    "XOR": "XOR-8",
    "BCC": "XOR-8",
    "SUM": "SUM-8",
}


def _key(name: str) -> str:
    """What is left of a name when writing it in another way makes no difference: crc16_modbus, CRC-16/MODBUS.

    >>> _key("crc-16/ccitt_false")
    'CRC16CCITTFALSE'
    """
    return re.sub("[^A-Z0-9]", "", name.upper())


_NAMES = {_key(name): name for name in _FUNCTIONS} | {_key(alias): name for alias, name in _ALIASES.items()}


def checksum_names() -> list[str]:
    """Return the catalogue names of all checksums that there are; aliases are not among them."""
    return list(_FUNCTIONS)


def catalogue_name(name: str) -> str:
    """Return the catalogue name of a checksum by any name that people use for it.

    >>> catalogue_name("crc-16/ccitt-false")
    'CRC-16/IBM-3740'

    :raises ConfigError: if there is no such checksum; names those that read alike.
    """
    found = _NAMES.get(_key(name))
    if found is not None:
        return found
    alike = difflib.get_close_matches(name.upper(), [*_FUNCTIONS, *_ALIASES], n=3, cutoff=0.6)
    advice = (
        f"Did you mean {' or '.join(alike)}?" if alike else "Known are, among others, CRC-16/MODBUS, XOR-8 and SUM-8."
    )
    raise ConfigError(f"There is no checksum {name!r}. {advice}")


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
        self.size, self.value = _FUNCTIONS[self.name]
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
