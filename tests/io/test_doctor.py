import json
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cobs import cobs
from hypothesis import given
from hypothesis import strategies as st

from blitz.data.board_definition import BoardDefinition, Format, load_definitions
from blitz.data.framing_rule import LINES, FramingKind
from blitz.io.board_program import BoardProgram, Traits
from blitz.io.checksums import Checksum
from blitz.io.device_program import DeviceProgram, device_message_number
from blitz.io.diagnosis import Confidence, Diagnosis
from blitz.io.doctor import diagnose
from blitz.io.framing import make_framing

KNOWN = load_definitions()
CAPTURE = Path(__file__).parents[2] / "fixtures" / "captures" / "board08.jsonl"


def stream_of(kind: str, seconds: float = 5.0, rate_hz: float = 50.0, seed: int = 1) -> bytes:
    program = DeviceProgram(kind, rate_hz, seed=seed)
    program.power_up(0.0)
    if kind == "silent":
        return b"".join(program.receive(b"?\n", step * 0.1)[0][0] for step in range(20))
    return b"".join(program.advance(seconds))


def blitz_stream(board_id: str = "08", seconds: float = 3.0, *, signed_char: bool = False) -> bytes:
    traits = Traits(streaming=True, signed_char=signed_char)
    program = BoardProgram(board_id, 20.0, 60, traits=traits, count=None)
    program.power_up(0.0)
    return b"".join(program.advance(seconds))


def definition_of(diagnosis: Diagnosis) -> BoardDefinition:
    assert diagnosis.definition is not None, diagnosis
    return diagnosis.definition


def names_of(diagnosis: Diagnosis) -> list[str]:
    return [channel.name for channel in definition_of(diagnosis).channels]


# Devices that print


@pytest.mark.parametrize(
    ("kind", "separator", "names"),
    [
        ("plain", ",", ["column_1", "column_2", "column_3"]),
        ("csv", ",", ["column_1", "column_2", "column_3", "column_4"]),
        ("semicolon", ";", ["column_1", "column_2", "column_3", "column_4"]),
        ("tab", "\t", ["column_1", "column_2", "column_3", "column_4"]),
        ("spaces", " ", ["column_1", "column_2", "column_3", "column_4"]),
        ("cr", ",", ["column_1", "column_2", "column_3", "column_4"]),
        ("silent", ",", ["column_1", "column_2", "column_3", "column_4"]),
        ("csv-header", ",", ["number", "x", "y", "temp"]),
        ("csv-time", ",", ["number", "x", "y", "temp"]),
    ],
)
def test_columns(kind: str, separator: str, names: list[str]) -> None:
    diagnosis = diagnose(stream_of(kind), KNOWN)
    definition = definition_of(diagnosis)
    assert diagnosis.confidence is Confidence.SURE
    assert (definition.format, definition.separator, diagnosis.framing) == (Format.COLUMNS, separator, LINES)
    assert names_of(diagnosis) == names
    assert definition.channels[0].counts_messages == (kind != "plain")
    assert (definition.clock is not None) == (kind == "csv-time")
    assert None not in diagnosis.rows()[-1]


@pytest.mark.parametrize("kind", ["plain", "csv", "semicolon", "tab", "pairs", "json", "nmea", "cobs", "start-length"])
@pytest.mark.parametrize("begin", [1, 5, 13, 40])
def test_a_stream_that_begins_in_mid_message_is_the_same(kind: str, begin: int) -> None:
    whole, cut = diagnose(stream_of(kind), KNOWN), diagnose(stream_of(kind)[begin:], KNOWN)
    assert cut.confidence is Confidence.SURE
    assert (cut.framing, cut.definition) == (whole.framing, whole.definition)


def test_a_column_that_counts_milliseconds_is_a_clock_if_the_time_agrees() -> None:
    stream = b"".join(b"%d,%d\r\n" % (5000 + 20 * n, 500 + n % 7) for n in range(250))
    clock = definition_of(diagnose(stream, KNOWN, duration_s=5.02)).clock
    assert clock is not None
    assert (clock.column, clock.unit) == (0, "ms")
    assert definition_of(diagnose(stream, KNOWN, duration_s=60.0)).clock is None
    without = diagnose(stream, KNOWN)
    assert definition_of(without).clock is None
    assert "column_1 rises steadily: perhaps it is a clock." in without.reasons


def test_the_time_of_a_long_sample_is_that_of_all_of_it() -> None:
    stream = b"".join(b"%d,%d\r\n" % (5000 + 20 * n, 500 + n % 7) for n in range(10_000))
    clock = definition_of(diagnose(stream, KNOWN, duration_s=200.0)).clock
    assert clock is not None
    assert clock.unit == "ms"
    frames = b"".join(b"\xaa\x55" + struct.pack("<IH", 5000 + 20 * n, 500 + n % 7) for n in range(10_000))
    clock = definition_of(diagnose(frames, KNOWN, duration_s=200.0)).clock
    assert clock is not None
    assert clock.unit == "ms"


def test_labels_with_values() -> None:
    diagnosis = diagnose(stream_of("pairs"), KNOWN)
    assert definition_of(diagnosis).format is Format.PAIRS
    assert names_of(diagnosis) == ["number", "x", "y", "temp"]
    assert diagnosis.rows()[-1][0] == 249


def test_json_objects() -> None:
    diagnosis = diagnose(stream_of("json"), KNOWN)
    assert definition_of(diagnosis).format is Format.JSON
    assert names_of(diagnosis) == ["number", "adc.x", "adc.y", "temp"]
    clock = definition_of(diagnosis).clock
    assert clock is not None
    assert (clock.column, clock.unit) == ("ms", "ms")


def test_nmea_sentences_are_proved_by_their_checksum() -> None:
    diagnosis = diagnose(stream_of("nmea"), KNOWN)
    assert diagnosis.framing is not None
    assert (diagnosis.framing.checksum, diagnosis.confidence) == ("NMEA", Confidence.SURE)
    assert definition_of(diagnosis).framing == diagnosis.framing
    assert names_of(diagnosis) == ["column_2", "column_3", "column_4", "column_5"]


@pytest.mark.parametrize("delimiter", [b";", b"|", b"\0"])
def test_messages_without_line_ends_are_parted_by_another_delimiter(delimiter: bytes) -> None:
    stream = delimiter.join(b"%d,%d" % (500 + n % 9, n) for n in range(100))
    diagnosis = diagnose(stream, KNOWN)
    assert diagnosis.framing is not None
    assert diagnosis.framing.delimiter == delimiter.hex()
    assert len(names_of(diagnosis)) == 2
    assert diagnosis.rows()[-1] == [500 + 98 % 9, 98]


def test_a_greeting_at_another_rate_does_no_harm() -> None:
    diagnosis = diagnose(random.Random(1).randbytes(300) + stream_of("csv"), KNOWN)
    assert (diagnosis.confidence, len(names_of(diagnosis))) == (Confidence.SURE, 4)
    assert diagnosis.reasons[-1].startswith("The beginning is none of this")


@pytest.mark.parametrize("parity", ["even", "odd"])
@pytest.mark.parametrize("kind", ["plain", "nmea", "pairs"])
def test_parity_bits_are_told_from_data_bits(kind: str, parity: str) -> None:
    is_odd = parity == "odd"
    plain = stream_of(kind)
    stream = bytes(byte | 0x80 if byte.bit_count() % 2 != is_odd else byte for byte in plain)
    diagnosis = diagnose(stream[5:], KNOWN)
    assert (diagnosis.parity, diagnosis.confidence) == (parity, Confidence.SURE)
    assert diagnosis.definition == diagnose(plain[5:], KNOWN).definition
    assert diagnose(plain, KNOWN).parity == "none"


def test_debug_prints_are_lines_without_a_meaning() -> None:
    states = [b"all well", b"waiting for the valve", b"door is open", b"calibrating, please wait"]
    stream = b"".join(b"[%d] loop done: %s\r\n" % (n, random.Random(n).choice(states)) for n in range(20))
    diagnosis = diagnose(b"Booting\r\n" + stream, KNOWN)
    assert (diagnosis.confidence, diagnosis.framing, diagnosis.definition) == (Confidence.LIKELY, LINES, None)


# Blitz boards


@pytest.mark.parametrize("is_upper", [False, True])
@pytest.mark.parametrize("signed_char", [False, True])
@pytest.mark.parametrize("board_id", ["08", "09"])
def test_blitz_board_that_sends_by_itself(board_id: str, signed_char: bool, is_upper: bool) -> None:
    stream = blitz_stream(board_id, signed_char=signed_char)[9:]
    diagnosis = diagnose(stream.upper() if is_upper else stream, KNOWN)
    assert (diagnosis.confidence, diagnosis.board_id) == (Confidence.SURE, board_id)
    assert diagnosis.definition == KNOWN[board_id]
    assert any("upper case" in reason for reason in diagnosis.reasons) == is_upper
    assert any("type ff" in reason for reason in diagnosis.reasons) == signed_char
    assert diagnosis.rows()


def test_blitz_board_without_a_definition_is_known_as_one() -> None:
    diagnosis = diagnose(blitz_stream("08").replace(b"\n08", b"\n77"), KNOWN)
    assert (diagnosis.board_id, diagnosis.definition) == ("77", None)


def test_a_polled_board_is_known_by_its_answer() -> None:
    assert diagnose(b"0882\r\n", KNOWN, is_asked=True).board_id == "08"
    assert diagnose(b"0882\r\n", KNOWN).board_id is None


def test_the_recording_of_a_real_board_is_known() -> None:
    rows = [json.loads(line) for line in CAPTURE.read_text().splitlines()]
    stream = b"".join(bytes.fromhex(row["hex"]) for row in rows if row.get("dir") == "rx")
    diagnosis = diagnose(stream, KNOWN, is_asked=True)
    assert (diagnosis.board_id, diagnosis.definition) == ("08", KNOWN["08"])


# Binary frames


@pytest.mark.parametrize(
    ("kind", "framing", "checksum", "confidence"),
    [
        ("cobs", FramingKind.COBS, "CRC-16/IBM-3740", Confidence.SURE),
        ("cobs-plain", FramingKind.COBS, None, Confidence.LIKELY),
        ("slip", FramingKind.SLIP, None, Confidence.LIKELY),
        ("slip-crc", FramingKind.SLIP, "CRC-32/ISO-HDLC", Confidence.SURE),
        ("start-length", FramingKind.START_LENGTH, "CRC-16/IBM-3740", Confidence.SURE),
        ("start-fixed", FramingKind.START_FIXED, "CRC-16/IBM-3740", Confidence.SURE),
        ("struct", FramingKind.FIXED, None, Confidence.GUESS),
    ],
)
@pytest.mark.parametrize(("rate_hz", "seed"), [(10, 0), (50, 3), (200, 5)])
def test_binary_frames(
    kind: str, framing: FramingKind, checksum: str | None, confidence: Confidence, rate_hz: float, seed: int
) -> None:
    diagnosis = diagnose(stream_of(kind, 5.0, rate_hz, seed), KNOWN, 5.0)
    rule = diagnosis.framing
    assert rule is not None
    assert (rule.kind, rule.checksum, diagnosis.confidence) == (framing, checksum, confidence)
    if framing in (FramingKind.START_LENGTH, FramingKind.START_FIXED):
        assert rule.start == {"start-length": "aa55", "start-fixed": "a55a"}[kind]
    definition = definition_of(diagnosis)
    assert definition.format is Format.STRUCT
    places = [(channel.offset, (channel.type or "").replace("i", "u")) for channel in definition.channels]
    assert places == [(0, "u32"), (8, "u16"), (10, "u16"), (12, "f32")]
    assert definition.channels[0].counts_messages
    assert definition.clock is not None
    assert (definition.clock.offset, definition.clock.unit) == (4, "ms")


@pytest.mark.parametrize("kind", ["cobs", "slip-crc", "start-length", "start-fixed"])
def test_the_proposed_rule_cuts_every_message_that_follows(kind: str) -> None:
    stream = stream_of(kind, 10.0)
    rule = diagnose(stream[33 : len(stream) // 2], KNOWN).framing
    assert rule is not None
    numbers = [device_message_number(kind, frame) for frame in make_framing(rule).feed(stream)]
    assert numbers == list(range(500))


def messages_of_many_sizes(count: int = 150) -> list[bytes]:
    chance = random.Random(7)
    return [struct.pack("<H", n) + chance.randbytes(chance.randrange(3, 30)) for n in range(count)]


@pytest.mark.parametrize("checksum", ["CRC-16/MODBUS", "CRC-8/SMBUS", "XOR-8", "SUM-8", "CRC-32/ISO-HDLC", None])
@pytest.mark.parametrize("covers", ["content", "length", "start"])
@pytest.mark.parametrize("order", ["little", "big"])
def test_start_pattern_with_lengths_that_vary(checksum: str | None, covers: str, order: Any) -> None:
    check = Checksum(checksum, order) if checksum else None
    stream = b"??"
    for message in messages_of_many_sizes():
        length = (len(message)).to_bytes(2, order) if order == "big" else bytes([len(message)])
        covered = {"content": b"", "length": length, "start": b"\x7e\x42" + length}[covers] + message
        stream += b"\x7e\x42" + length + message + (check.of(covered) if check else b"")
    diagnosis = diagnose(stream, KNOWN)
    rule = diagnosis.framing
    assert rule is not None
    assert (rule.kind, rule.checksum) == (FramingKind.START_LENGTH, checksum), diagnosis
    frames = make_framing(rule).feed(stream)
    assert [struct.unpack("<H", frame[:2])[0] for frame in frames] == list(range(150))


@pytest.mark.parametrize("checksum", ["CRC-16/MODBUS", "CRC-16/XMODEM", "CRC-8/MAXIM-DOW", "XOR-8"])
@pytest.mark.parametrize("order", ["little", "big"])
def test_checksums_in_cobs_frames_of_many_sizes(checksum: str, order: Any) -> None:
    check = Checksum(checksum, order)
    stream = b"".join(cobs.encode(message + check.of(message)) + b"\0" for message in messages_of_many_sizes())
    rule = diagnose(stream, KNOWN).framing
    assert rule is not None
    assert (rule.kind, rule.checksum) == (FramingKind.COBS, checksum)


@pytest.mark.parametrize("layout", [">BHHhI", "<HHHH", "<Hff", ">IhhhH", "<BBBB"])
def test_fields_of_plain_structs_are_found(layout: str) -> None:
    stream = b"".join(struct.pack(layout, *smooth_values(layout, number)) for number in range(300))
    diagnosis = diagnose(stream, KNOWN)
    assert (diagnosis.confidence, diagnosis.framing and diagnosis.framing.size) == (
        Confidence.GUESS,
        struct.calcsize(layout),
    )
    definition = definition_of(diagnosis)
    sizes = {"B": "u8", "H": "u16", "I": "u32", "h": "i16", "f": "f32"}
    found = {part.offset: part.type for part in [*definition.channels, definition.clock] if part is not None}
    assert list(dict(sorted(found.items())).values()) == [sizes[letter] for letter in layout[1:]]


def smooth_values(layout: str, number: int) -> Iterator[int | float]:
    chance = random.Random(number)
    for place, letter in enumerate(layout[1:]):
        wave = float(np.sin(number / 40 + place))
        if place == 0:
            yield number % 256 if letter == "B" else number
        else:
            yield {
                "B": int(100 + 50 * wave + chance.gauss(0, 1)),
                "H": int(2000 + 900 * wave + chance.gauss(0, 5)),
                "h": int(900 * wave + chance.gauss(0, 5)),
                "I": 1000 + 20 * number,
                "f": 20 + 3 * wave + chance.gauss(0, 0.05),
            }[letter]


# What it does not know


@pytest.mark.parametrize("length", [1, 10, 300, 5000, 60_000])
@pytest.mark.parametrize("seed", range(3))
def test_noise_is_not_known(length: int, seed: int) -> None:
    diagnosis = diagnose(random.Random(seed).randbytes(length), KNOWN, 5.0)
    assert (diagnosis.confidence, diagnosis.framing, diagnosis.definition) == (Confidence.UNKNOWN, None, None)
    assert diagnosis.summary == "I do not know what this is"
    assert diagnosis.reasons[0].startswith(f"{length} bytes came, ")


def test_silence_is_not_known() -> None:
    assert diagnose(b"", KNOWN).summary == "nothing came"


@given(st.binary(max_size=400))
def test_any_bytes_have_a_diagnosis(sample: bytes) -> None:
    diagnosis = diagnose(sample, KNOWN)
    diagnosis.rows()
    assert diagnosis.reasons


def heard_at(stream: bytes, sent_baud: int, heard_baud: int) -> bytes:
    """Model of a UART at the wrong rate: wait for a start bit, then look at the middle of each bit."""
    bits = np.ones((len(stream), 10), np.uint8)
    bits[:, 0] = 0
    bits[:, 1:9] = np.unpackbits(np.frombuffer(stream, np.uint8)[:, np.newaxis], axis=1, bitorder="little")
    line = bits.ravel()
    heard = bytearray()
    ratio = sent_baud / heard_baud
    low = np.flatnonzero(line == 0)
    place = 0.0
    while True:
        if int(place) < len(line) and line[int(place)] == 0:
            begin = place
        else:
            after = low[np.searchsorted(low, int(place)) :]
            if not len(after):
                return bytes(heard)
            begin = float(after[0])
        middles = [int(begin + (number + 0.5) * ratio) for number in range(10)]
        if middles[-1] >= len(line):
            return bytes(heard)
        heard.append(sum(int(line[middle]) << number for number, middle in enumerate(middles[1:9])))
        place = begin + 9.5 * ratio
        # Without a stop bit the receiver waits for the line to rise before it looks for the next start.
        while int(place) < len(line) and line[middles[-1]] == 0 and line[int(place)] == 0:
            place = int(place) + 1.0


RATES = [(9600, 57600), (115200, 57600), (9600, 115200), (57600, 9600), (115200, 250000)]
KINDS_AT_RATES = [
    # Each kind and each pair of rates is tried each time; all kinds at all rates take long.
    pytest.param(kind, *rates, marks=[pytest.mark.soak] if (row + column) % 3 else [])
    for row, kind in enumerate(["plain", "csv", "json", "pairs", "cobs", "start-length"])
    for column, rates in enumerate(RATES)
]


@pytest.mark.parametrize(("kind", "sent_baud", "heard_baud"), KINDS_AT_RATES)
def test_the_right_rate_is_told_from_a_wrong_one(kind: str, sent_baud: int, heard_baud: int) -> None:
    stream = stream_of(kind, 2.5)
    assert heard_at(stream[:500], 9600, 9600) == stream[:500]
    right, wrong = diagnose(stream, KNOWN), diagnose(heard_at(stream, sent_baud, heard_baud), KNOWN)
    assert right.is_sure
    assert not wrong.is_sure
    assert wrong.evidence < right.evidence


def printed(lines: list[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()


@pytest.mark.parametrize(
    "lines",
    [
        [f"T = 21.{count % 10}, H = {40 + count % 3}" for count in range(40)],
        ["AT", "OK", "AT+CSQ", "+CSQ: 21,99", "OK"] * 8,
        [f"The temperature is 21.{count % 10} degrees" for count in range(40)],
        [f"AA:BB:CC:DD:EE:{count:02X} -{40 + count % 9}" for count in range(40)],
        [f"[{count % 7},2.5]" for count in range(40)],
    ],
    ids=["assignments", "modem", "sentences", "addresses", "lists"],
)
def test_lines_of_one_length_are_no_frames_with_a_start_pattern(lines: list[str]) -> None:
    diagnosis = diagnose(printed(lines), KNOWN)
    assert diagnosis.summary == "lines of text, such as debug prints"
    assert diagnosis.confidence is Confidence.LIKELY


@pytest.mark.parametrize("between", [";", " ", "\t", "; "])
def test_decimal_commas_are_not_taken_for_columns(between: str) -> None:
    lines = [f"{21 + count % 3},{count % 10}{between}{40 + count},{count % 7}" for count in range(40)]
    diagnosis = diagnose(printed(lines))
    assert diagnosis.definition is None
    assert "Numbers seem to have a decimal comma, which is not read: let the device print a point." in diagnosis.reasons


def test_hex_digits_that_begin_differently_are_no_board() -> None:
    chance = random.Random(1)
    diagnosis = diagnose(printed([f"{chance.getrandbits(112):028x}" for _ in range(40)]), KNOWN)
    assert diagnosis.board_id is None
    assert not diagnosis.is_sure


def test_a_column_whose_numbers_are_left_out_is_told_and_makes_less_sure() -> None:
    diagnosis = diagnose(printed([f"2026-11-21 12:00:{count:02d},21.{count % 10},40" for count in range(40)]))
    assert diagnosis.channels == ("column_2", "column_3")
    assert diagnosis.confidence is Confidence.LIKELY
    assert "Not all of column 1 is a number: it is left out." in diagnosis.reasons


def test_upper_bytes_of_a_counter_are_no_start_pattern() -> None:
    chance = random.Random(1)
    frames = [
        struct.pack("<IIHH", count, count * 20, 500 + chance.randrange(20), 300 + chance.randrange(20))
        for count in range(0x210, 0x210 + 100)
    ]
    diagnosis = diagnose(b"".join(frames))
    assert diagnosis.framing is not None
    assert (diagnosis.framing.kind.value, diagnosis.framing.size) == ("fixed", 12)
