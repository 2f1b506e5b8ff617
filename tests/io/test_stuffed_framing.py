import pytest
from cobs import cobs

from blitz.io.checksums import Checksum
from blitz.io.stuffed_framing import CobsFraming, SlipFraming


def run(first: int, last: int) -> bytes:
    return bytes(range(first, last + 1))


COBS_TABLE = [
    ("00", "01 01 00"),
    ("00 00", "01 01 01 00"),
    ("00 11 00", "01 02 11 01 00"),
    ("11 22 00 33", "03 11 22 02 33 00"),
    ("11 22 33 44", "05 11 22 33 44 00"),
    ("11 00 00 00", "02 11 01 01 01 00"),
    (run(0x01, 0xFE).hex(), "ff" + run(0x01, 0xFE).hex() + "00"),
    (run(0x00, 0xFE).hex(), "01 ff" + run(0x01, 0xFE).hex() + "00"),
    (run(0x01, 0xFF).hex(), "ff" + run(0x01, 0xFE).hex() + "02 ff 00"),
    (run(0x02, 0xFF).hex() + "00", "ff" + run(0x02, 0xFF).hex() + "01 01 00"),
    (run(0x03, 0xFF).hex() + "00 01", "fe" + run(0x03, 0xFF).hex() + "02 01 00"),
]
"""The table of https://en.wikipedia.org/wiki/Consistent_Overhead_Byte_Stuffing#Encoding_examples."""


@pytest.mark.parametrize(("content", "encoded"), COBS_TABLE)
def test_wikipedias_table_of_cobs_is_read(content: str, encoded: str) -> None:
    framing = CobsFraming()
    received = bytes.fromhex(encoded)
    assert framing.feed(received) == [bytes.fromhex(content)]
    assert framing.discarded["delimiters"] == 1
    assert framing.discarded["stuffing"] == len(received) - 1 - len(bytes.fromhex(content))
    assert [frame for byte in received for frame in framing.feed(bytes([byte]))] == [bytes.fromhex(content)]


def test_frames_that_are_not_cobs_are_kept_as_they_were_received() -> None:
    framing = CobsFraming()
    assert framing.feed(b"\x02\x11\x00\x05\x11\x22\x00\x02\x33\x00") == [b"\x11", b"\x33"]
    assert framing.bad_frames[0].raw == b"\x05\x11\x22"
    assert framing.bad_frames[0].reason.startswith("not COBS: ")
    assert (framing.discarded["stuffing"], framing.discarded["delimiters"], framing.bad_bytes) == (2, 3, 3)


def test_noise_without_a_delimiter_costs_the_frame_that_it_runs_into_and_no_more() -> None:
    framing = CobsFraming(checksum=Checksum("CRC-16/MODBUS"))
    frame = cobs.encode(b"abc" + Checksum("CRC-16/MODBUS").of(b"abc")) + b"\0"
    assert framing.feed(frame + b"\x11\x22" + frame + frame) == [b"abc", b"abc"]
    assert [bad.raw for bad in framing.bad_frames] == [b"\x11\x22" + frame[:-1]]


def test_a_frame_too_short_for_its_checksum_is_bad_even_where_its_crc_is_right_by_chance() -> None:
    framing = CobsFraming(checksum=Checksum("CRC-16/XMODEM"))
    assert framing.feed(b"\x01\x00\x01\x01\x00") == []
    assert [bad.reason for bad in framing.bad_frames] == [
        "only 0 bytes, too short for its checksum",
        "only 1 bytes, too short for its checksum",
    ]


def test_a_binary_frame_may_be_empty() -> None:
    framing = CobsFraming(checksum=Checksum("CRC-16/XMODEM"))
    assert framing.feed(cobs.encode(b"\0\0") + b"\0") == [b""]
    assert CobsFraming().feed(b"\x01\x00") == [b""]


@pytest.mark.parametrize(
    ("content", "received"),
    [
        (b"abc", b"abc\xc0"),
        (b"abc", b"\xc0abc\xc0"),
        (b"a\xc0c", b"a\xdb\xdcc\xc0"),
        (b"a\xdbc", b"a\xdb\xddc\xc0"),
        (b"\xc0\xdb\xdc\xdd", b"\xdb\xdc\xdb\xdd\xdc\xdd\xc0"),
        (b"\xdb\xdb\xdc", b"\xdb\xdd\xdb\xdd\xdc\xc0"),
    ],
)
def test_slip_is_read_as_rfc_1055_writes_it(content: bytes, received: bytes) -> None:
    assert SlipFraming().feed(received) == [content]
    framing = SlipFraming()
    assert [frame for byte in received for frame in framing.feed(bytes([byte]))] == [content]
    assert framing.discarded["stuffing"] == content.count(b"\xc0") + content.count(b"\xdb")


def test_an_end_before_the_frame_shakes_off_noise_as_the_rfc_advises() -> None:
    framing = SlipFraming()
    assert framing.feed(b"\x01\xdb\x02\xc0abc\xc0") == [b"abc"]
    assert list(framing.bad_frames) == [(b"\x01\xdb\x02", "not SLIP: db is followed by neither dc nor dd")]


@pytest.mark.parametrize("received", [b"\xdb\xc0", b"a\xdba\xc0", b"\xdb\xdb\xdc\xc0"])
def test_an_escape_of_nothing_is_a_bad_frame(received: bytes) -> None:
    framing = SlipFraming()
    assert framing.feed(received + b"abc\xc0") == [b"abc"]
    assert [bad.raw for bad in framing.bad_frames] == [received[:-1]]
