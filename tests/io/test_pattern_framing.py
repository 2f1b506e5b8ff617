import struct
from typing import Any

from blitz.data.framing_rule import FramingRule
from blitz.io.checksums import Checksum
from blitz.io.framing import make_framing
from blitz.io.pattern_framing import FixedFraming, StartFraming


def start(**fields: Any) -> StartFraming:
    framing = make_framing(FramingRule(**fields))
    assert isinstance(framing, StartFraming)
    return framing


def fixed(**fields: Any) -> FixedFraming:
    framing = make_framing(FramingRule(kind="fixed", **fields))
    assert isinstance(framing, FixedFraming)
    return framing


def test_a_tfmini_distance_sensor_is_read() -> None:
    """Two start bytes, six of values (the first two are 70 cm), the sum of them all."""
    framing = start(kind="start_fixed", start="5959", size=7, checksum="SUM-8", checksum_covers_start=True)
    frame = bytes.fromhex("595946001e0d4109")
    frame = frame + Checksum("SUM-8").of(frame)
    assert framing.feed(b"\x59" + frame + frame) == [frame[2:8]] * 2
    assert [bad.raw for bad in framing.bad_frames] == [b"\x59"]


def test_a_plantower_dust_sensor_is_read() -> None:
    """42 4d, a length that counts values and sum, 13 words, the sum of all before it, all big endian."""
    framing = start(
        kind="start_length",
        start="424d",
        length_bytes=2,
        byte_order="big",
        checksum="SUM-16",
        checksum_covers_start=True,
    )
    head = struct.pack(">2sH13H", b"BM", 28, *range(13))
    frame = head + struct.pack(">H", sum(head))
    assert framing.feed(frame[:20]) == []
    assert framing.feed(frame[20:] + frame) == [struct.pack(">13H", *range(13))] * 2


def test_bytes_between_start_and_length_are_part_of_the_message() -> None:
    """As in an AX-12 servo's status packet: ff ff, id, length (which counts the checksum), ~sum from the id on."""
    framing = start(
        kind="start_length", start="ffff", length_offset=1, checksum="SUM-8/INVERTED", checksum_covers_length=True
    )
    # The example of the maker's manual: servo 1 answers with 20 hex as its temperature.
    assert framing.feed(bytes.fromhex("ffff01030020db")) == [b"\x01\x00\x20"]
    assert framing.discarded["start pattern and length"] == 3


def test_a_start_pattern_by_chance_costs_no_frame_with_a_checksum() -> None:
    framing = start(kind="start_length", start="7e", length_adds=1, checksum="XOR-8")
    frame = b"\x7e\x02\x10\x20\x30"
    assert framing.feed(b"\x7e\x07" + frame + frame) == [b"\x10\x20"] * 2
    assert list(framing.bad_frames) == [(b"\x7e\x07", "checksum is 10, expected 00")]
    assert framing.pending_bytes == 0


def test_an_impossible_length_is_known_before_its_bytes_come() -> None:
    framing = start(kind="start_length", start="7e", length_bytes=4, length_adds=-2, limit_bytes=100)
    assert framing.feed(b"\x7e\xff\xff\xff\xff\x7e\x03\x00\x00\x00A\x7e\x01\x00\x00\x00") == [b"A"]
    assert [bad.reason for bad in framing.bad_frames] == [
        "4294967293 bytes behind its length is impossible",
        "-1 bytes behind its length is impossible",
    ]


def test_a_start_pattern_that_begins_in_a_broken_frame_is_found_with_its_rest() -> None:
    framing = start(kind="start_fixed", start="aa55", size=3, checksum="SUM-8")
    assert framing.feed(b"\xaa\x55\x01\x02\xaa") == []
    assert list(framing.bad_frames) == [(b"\xaa\x55\x01\x02", "checksum is aa, expected 03")]
    assert framing.feed(b"\x55\x01\x02\x03") == [b"\x01\x02"]


def test_a_frame_may_be_larger_than_the_limit_if_its_size_is_fixed() -> None:
    assert fixed(size=100, limit_bytes=16).feed(bytes(100)) == [bytes(100)]
    assert start(kind="start_fixed", start="7e", size=100, limit_bytes=16).feed(b"\x7e" + bytes(100)) == [bytes(100)]


FRAMES = [
    bytes([n, n + 1, 7 * n % 256]) + Checksum("CRC-16/MODBUS").of(bytes([n, n + 1, 7 * n % 256])) for n in range(9)
]
STREAM = b"".join(FRAMES)


def test_fixed_frames_are_found_by_their_checksum_wherever_the_stream_begins() -> None:
    for begin in range(1, 5):
        framing = fixed(size=5, checksum="CRC-16/MODBUS")
        assert framing.feed(STREAM[begin:]) == [frame[:3] for frame in FRAMES[1:]]
        assert framing.discarded["between frames"] == 5 - begin
        assert framing.bad_count == 0


def test_a_broken_fixed_frame_is_kept_and_a_lost_byte_is_slid_over() -> None:
    framing = fixed(size=5, checksum="CRC-16/MODBUS")
    assert framing.feed(STREAM[:10] + b"\xff" + STREAM[11:]) == [frame[:3] for frame in FRAMES[:2] + FRAMES[3:]]
    assert [bad.raw for bad in framing.bad_frames] == [b"\xff" + FRAMES[2][1:]]
    assert framing.discarded["between frames"] == 0
    assert framing.feed(STREAM[:10] + STREAM[11:]) == [frame[:3] for frame in FRAMES[:2] + FRAMES[3:]]
    assert framing.bad_count == 1
    assert framing.discarded["between frames"] == 4


def test_a_one_byte_checksum_is_believed_only_with_the_next_one() -> None:
    framing = fixed(size=3, checksum="SUM-8")
    assert framing.feed(b"\x09\x0a\x0b\x01\x02\x03") == []
    assert framing.pending_bytes == 3
    assert framing.feed(b"\x05\x06\x0b\x07\x08") == [b"\x01\x02", b"\x05\x06"]
    assert framing.discarded["between frames"] == 3


def test_a_silence_begins_a_fixed_frame_without_checksum_anew() -> None:
    framing = fixed(size=4)
    assert framing.feed(b"\x01\x02\x03\x04\x05\x06") == [b"\x01\x02\x03\x04"]
    assert framing.flush() == []
    assert list(framing.bad_frames) == [(b"\x05\x06", "2 of 4 bytes before a silence on the line")]
    assert framing.feed(b"\x01\x02\x03\x04") == [b"\x01\x02\x03\x04"]
    assert framing.flush() == []
    assert framing.bad_count == 1
