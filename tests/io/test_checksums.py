import binascii

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blitz.errors import ConfigError
from blitz.io.checksums import Checksum, catalogue_name, checksum_names

CATALOGUE_CHECKS = {
    "CRC-8/AUTOSAR": 0xDF,
    "CRC-8/BLUETOOTH": 0x26,
    "CRC-8/CDMA2000": 0xDA,
    "CRC-8/DARC": 0x15,
    "CRC-8/DVB-S2": 0xBC,
    "CRC-8/GSM-A": 0x37,
    "CRC-8/GSM-B": 0x94,
    "CRC-8/I-432-1": 0xA1,
    "CRC-8/I-CODE": 0x7E,
    "CRC-8/LTE": 0xEA,
    "CRC-8/MAXIM-DOW": 0xA1,
    "CRC-8/MIFARE-MAD": 0x99,
    "CRC-8/NRSC-5": 0xF7,
    "CRC-8/OPENSAFETY": 0x3E,
    "CRC-8/ROHC": 0xD0,
    "CRC-8/SAE-J1850": 0x4B,
    "CRC-8/SMBUS": 0xF4,
    "CRC-8/TECH-3250": 0x97,
    "CRC-8/WCDMA": 0x25,
    "CRC-16/ARC": 0xBB3D,
    "CRC-16/CDMA2000": 0x4C06,
    "CRC-16/CMS": 0xAEE7,
    "CRC-16/DDS-110": 0x9ECF,
    "CRC-16/DECT-R": 0x007E,
    "CRC-16/DECT-X": 0x007F,
    "CRC-16/DNP": 0xEA82,
    "CRC-16/EN-13757": 0xC2B7,
    "CRC-16/GENIBUS": 0xD64E,
    "CRC-16/GSM": 0xCE3C,
    "CRC-16/IBM-3740": 0x29B1,
    "CRC-16/IBM-SDLC": 0x906E,
    "CRC-16/ISO-IEC-14443-3-A": 0xBF05,
    "CRC-16/KERMIT": 0x2189,
    "CRC-16/LJ1200": 0xBDF4,
    "CRC-16/MAXIM-DOW": 0x44C2,
    "CRC-16/MCRF4XX": 0x6F91,
    "CRC-16/MODBUS": 0x4B37,
    "CRC-16/NRSC-5": 0xA066,
    "CRC-16/OPENSAFETY-A": 0x5D38,
    "CRC-16/OPENSAFETY-B": 0x20FE,
    "CRC-16/PROFIBUS": 0xA819,
    "CRC-16/RIELLO": 0x63D0,
    "CRC-16/SPI-FUJITSU": 0xE5CC,
    "CRC-16/T10-DIF": 0xD0DB,
    "CRC-16/TELEDISK": 0x0FB3,
    "CRC-16/TMS37157": 0x26B1,
    "CRC-16/UMTS": 0xFEE8,
    "CRC-16/USB": 0xB4C8,
    "CRC-16/XMODEM": 0x31C3,
    "CRC-32/AIXM": 0x3010BF7F,
    "CRC-32/AUTOSAR": 0x1697D06A,
    "CRC-32/BASE91-D": 0x87315576,
    "CRC-32/BZIP2": 0xFC891918,
    "CRC-32/CD-ROM-EDC": 0x6EC2EDC4,
    "CRC-32/CKSUM": 0x765E7680,
    "CRC-32/ISCSI": 0xE3069283,
    "CRC-32/ISO-HDLC": 0xCBF43926,
    "CRC-32/JAMCRC": 0x340BC6D9,
    "CRC-32/MPEG-2": 0x0376E6E7,
    "CRC-32/XFER": 0xBD0BE338,
}
"""The check values of https://reveng.sourceforge.io/crc-catalogue/all.htm: each CRC of the text 123456789."""

OTHERS = ["XOR-8", "SUM-8", "SUM-8/NEGATED", "SUM-8/INVERTED", "SUM-16", "NMEA"]


@pytest.mark.parametrize(("name", "check"), CATALOGUE_CHECKS.items())
def test_each_crc_has_the_catalogues_check_value(name: str, check: int) -> None:
    checksum = Checksum(name)
    assert checksum.name == name
    assert checksum.value(b"123456789") == check
    assert checksum.size == {"CRC-8": 1, "CRC-16": 2, "CRC-32": 4}[name.split("/")[0]]
    assert checksum.of(b"123456789") == check.to_bytes(checksum.size, "little")
    assert Checksum(name, "big").of(b"123456789") == check.to_bytes(checksum.size, "big")


def test_every_checksum_that_is_offered_is_tested() -> None:
    assert checksum_names() == [*CATALOGUE_CHECKS, *OTHERS]


def test_sums_and_xor_are_what_devices_send() -> None:
    assert Checksum("XOR-8").of(b"\x01\x02\x07") == b"\x04"
    assert Checksum("SUM-8").of(b"\xff\x03") == b"\x02"
    assert Checksum("SUM-16", "big").of(b"\xff\x03") == b"\x01\x02"
    # The Intel HEX record :0300300002337A1E of its article in Wikipedia.
    assert Checksum("SUM-8/NEGATED").of(bytes.fromhex("0300300002337A")) == b"\x1e"
    # The XBee frame of Digi's manual: 7E 00 02 23 11 CB.
    assert Checksum("SUM-8/INVERTED").of(bytes.fromhex("2311")) == b"\xcb"
    assert Checksum("NMEA").of(b"GPGGA,123519,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,") == b"*47"


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("crc-16/modbus", "CRC-16/MODBUS"),
        ("CRC16_MODBUS", "CRC-16/MODBUS"),
        ("modbus", "CRC-16/MODBUS"),
        ("CRC-8", "CRC-8/SMBUS"),
        ("CRC8", "CRC-8/SMBUS"),
        ("CRC-16", "CRC-16/ARC"),
        ("CRC-16/CCITT-FALSE", "CRC-16/IBM-3740"),
        ("crc-ccitt", "CRC-16/KERMIT"),
        ("X-25", "CRC-16/IBM-SDLC"),
        ("CRC-32", "CRC-32/ISO-HDLC"),
        ("crc32c", "CRC-32/ISCSI"),
        ("xor", "XOR-8"),
        ("Sum 8", "SUM-8"),
        ("nmea", "NMEA"),
    ],
)
def test_a_checksum_is_found_by_the_names_that_people_use(alias: str, name: str) -> None:
    assert catalogue_name(alias) == name


def test_an_unknown_checksum_is_refused_with_those_that_read_alike() -> None:
    with pytest.raises(ConfigError, match=r"no checksum 'CRC-16/MODBUSS'. Did you mean CRC-16/MODBUS"):
        Checksum("CRC-16/MODBUSS")
    with pytest.raises(ConfigError, match=r"no checksum '#'. Known are"):
        Checksum("#")


@pytest.mark.parametrize("byte_order", ["big", "little"])
@pytest.mark.parametrize("name", checksum_names())
@given(payload=st.binary(max_size=40), damage=st.integers(1, 255), place=st.integers(0))
def test_a_right_checksum_fits_and_no_single_broken_byte_does(
    name: str, byte_order: str, payload: bytes, damage: int, place: int
) -> None:
    checksum = Checksum(name, byte_order)  # type: ignore[arg-type]
    frame = payload + checksum.of(payload)
    assert checksum.fits(frame)
    assert checksum.fault(frame) is None
    broken = bytearray(frame)
    broken[place % len(frame)] ^= damage
    if name == "NMEA" and bytes(broken).upper() == frame:
        return
    assert not checksum.fits(bytes(broken))
    assert checksum.fault(bytes(broken)) is not None


@pytest.mark.parametrize("byte_order", ["big", "little"])
@pytest.mark.parametrize("name", checksum_names())
def test_frames_that_are_too_short_never_fit(name: str, byte_order: str) -> None:
    checksum = Checksum(name, byte_order)  # type: ignore[arg-type]
    for short in (b"", b"\0", b"\0\0", b"\0\0\0", b"\xff\xff\xff"):
        if len(short) < checksum.size:
            assert not checksum.fits(short)
            assert checksum.contents([short]) is None
            assert "too short" in (checksum.fault(short) or "")


@pytest.mark.parametrize("byte_order", ["big", "little"])
@pytest.mark.parametrize("name", checksum_names())
@given(payloads=st.lists(st.binary(min_size=1, max_size=20), max_size=5), which=st.integers(0))
def test_many_frames_are_checked_at_once_with_the_same_result(
    name: str, byte_order: str, payloads: list[bytes], which: int
) -> None:
    checksum = Checksum(name, byte_order)  # type: ignore[arg-type]
    frames = [payload + checksum.of(payload) for payload in payloads]
    assert checksum.contents(frames) == payloads
    if frames:
        broken = frames[which % len(frames)]
        frames[which % len(frames)] = bytes([broken[0] ^ 1]) + broken[1:]
        assert checksum.contents(frames) is None


def test_a_fault_shows_both_checksums_as_they_stand_in_the_frame() -> None:
    crc = binascii.crc_hqx(b"abc", 0)
    frame = b"abc" + (crc ^ 1).to_bytes(2, "big")
    assert Checksum("CRC-16/XMODEM", "big").fault(frame) == f"checksum is {crc ^ 1:04x}, expected {crc:04x}"
    assert Checksum("NMEA").fault(b"A*42") == "checksum is 42, expected 41"
    assert Checksum("NMEA").fault(b"A412") == "no checksum at the end"
