"""Checksums by name: those of the CRC catalogue (https://reveng.sourceforge.io/crc-catalogue/all.htm) and a few others.

Pure; knows their names and sizes only, so that a definition can be judged anywhere. The checksums are the business of
:mod:`blitz.io.checksums`.
"""

import difflib
import re

from blitz.errors import ConfigError

NMEA = "NMEA"
"""The XOR of what stands between ``$`` and ``*``, as two hex digits behind the ``*``."""

_CRC_NAMES = {
    1: """
    AUTOSAR BLUETOOTH CDMA2000 DARC DVB-S2 GSM-A GSM-B I-432-1 I-CODE LTE MAXIM-DOW MIFARE-MAD NRSC-5
    OPENSAFETY ROHC SAE-J1850 SMBUS TECH-3250 WCDMA
    """,
    2: """
    ARC CDMA2000 CMS DDS-110 DECT-R DECT-X DNP EN-13757 GENIBUS GSM IBM-3740 IBM-SDLC ISO-IEC-14443-3-A
    KERMIT LJ1200 MAXIM-DOW MCRF4XX MODBUS NRSC-5 OPENSAFETY-A OPENSAFETY-B PROFIBUS RIELLO SPI-FUJITSU
    T10-DIF TELEDISK TMS37157 UMTS USB XMODEM
    """,
    4: """
    AIXM AUTOSAR BASE91-D BZIP2 CD-ROM-EDC CKSUM ISCSI ISO-HDLC JAMCRC MPEG-2 XFER
    """,
}

CHECKSUM_SIZES = {f"CRC-{8 * size}/{name}": size for size, names in _CRC_NAMES.items() for name in names.split()} | {
    "XOR-8": 1,
    "SUM-8": 1,
    "SUM-8/NEGATED": 1,
    "SUM-8/INVERTED": 1,
    "SUM-16": 2,
    NMEA: 3,
}
"""Bytes in the frame by catalogue name, with the ``*`` of NMEA."""

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


_NAMES = {_key(name): name for name in CHECKSUM_SIZES} | {_key(alias): name for alias, name in _ALIASES.items()}


def catalogue_name(name: str) -> str:
    """Return the catalogue name of a checksum by any name that people use for it.

    >>> catalogue_name("crc-16/ccitt-false")
    'CRC-16/IBM-3740'

    :raises ConfigError: if there is no such checksum; names those that read alike.
    """
    found = _NAMES.get(_key(name))
    if found is not None:
        return found
    alike = difflib.get_close_matches(name.upper(), [*CHECKSUM_SIZES, *_ALIASES], n=3, cutoff=0.6)
    advice = (
        f"Did you mean {' or '.join(alike)}?" if alike else "Known are, among others, CRC-16/MODBUS, XOR-8 and SUM-8."
    )
    raise ConfigError(f"There is no checksum {name!r}. {advice}")
