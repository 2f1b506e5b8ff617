"""What holds for every framing, whatever the stream: see the contract in blitz/io/framing.py."""

import binascii
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from cobs import cobs
from hypothesis import assume, given
from hypothesis import strategies as st

from blitz.data.framing_rule import FramingRule
from blitz.io.framing import DISCARD_REASONS, Framing, make_framing

LIMIT_BYTES = 64


@dataclass(frozen=True)
class Wire:
    """A protocol as a device would speak it, written independently of what is tested."""

    rule: FramingRule
    messages: st.SearchStrategy[bytes]
    encode: Callable[[bytes], bytes]
    alphabet: list[bytes]
    """What noise is made of: pieces that mean something in this protocol."""
    pause: bytes | None = None
    """Behind noise, what a device sends so that no frame is lost; None where frames must be lost."""


def modbus(payload: bytes) -> bytes:
    crc = 0xFFFF
    for byte in payload:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc.to_bytes(2, "little")


def hqx(payload: bytes) -> bytes:
    return binascii.crc_hqx(payload, 0xFFFF).to_bytes(2, "big")


def xor(payload: bytes) -> bytes:
    value = 0
    for byte in payload:
        value ^= byte
    return bytes([value])


def slip(payload: bytes) -> bytes:
    return b"".join({0xC0: b"\xdb\xdc", 0xDB: b"\xdb\xdd"}.get(byte, bytes([byte])) for byte in payload) + b"\xc0"


def crc32(payload: bytes, byte_order: Literal["big", "little"]) -> bytes:
    return binascii.crc32(payload).to_bytes(4, byte_order)


def with_length(message: bytes) -> bytes:
    body = message[:2] + len(message[2:]).to_bytes(2, "big") + message[2:]
    return b"\xb5\x62" + body + crc32(body, "big")


def rule(**fields: Any) -> FramingRule:
    return FramingRule(limit_bytes=LIMIT_BYTES, **fields)


BITS = [b"\0", b"\1", b"\2", b"\xff", b"a"]
text = st.text("0189abf,.-", min_size=1, max_size=30).map(str.encode)
binary = st.lists(st.sampled_from([*BITS, b"\xc0", b"\xdb", b"\xdc", b"\xdd"]), min_size=1, max_size=30).map(b"".join)
eight = st.binary(min_size=8, max_size=8)
starts = st.lists(st.sampled_from([*BITS, b"\xaa", b"\x55", b"\xb5", b"\x62"]), min_size=8, max_size=30).map(b"".join)

WIRES = {
    "crlf": Wire(rule(), text, lambda m: m + b"\r\n", [*BITS, b"\r", b"\n", b"\r\n"], b"\n"),
    "cr": Wire(rule(), text, lambda m: m + b"\r", [*BITS, b"\r", b"\n"], b"\r"),
    "semicolon": Wire(rule(delimiter="3b"), text, lambda m: m + b";", [*BITS, b";"], b";"),
    "long delimiter": Wire(
        rule(delimiter="0d0a0d"), text, lambda m: m + b"\r\n\r", [*BITS, b"\r", b"\n", b"\r\n\r"], b"..\r\n\r"
    ),
    "nmea": Wire(
        rule(checksum="NMEA"),
        text,
        lambda m: b"$%b*%02X\r\n" % (m, xor(m)[0]),
        [*BITS, b"$", b"*", b"*00", b"\n"],
        b"\n",
    ),
    "cobs": Wire(rule(kind="cobs"), binary, lambda m: cobs.encode(m) + b"\0", BITS, b"\0"),
    "cobs crc": Wire(
        rule(kind="cobs", checksum="CRC-16/MODBUS"), binary, lambda m: cobs.encode(m + modbus(m)) + b"\0", BITS, b"\0"
    ),
    "slip": Wire(rule(kind="slip"), binary, slip, [*BITS, b"\xc0", b"\xdb", b"\xdb\xdc"], b"\xc0"),
    "slip crc": Wire(
        rule(kind="slip", checksum="CRC-16/IBM-3740", byte_order="big"),
        binary,
        lambda m: slip(m + hqx(m)),
        [*BITS, b"\xc0", b"\xdb", b"\xdb\xdc"],
        b"\xc0",
    ),
    "start": Wire(
        rule(kind="start_fixed", start="aa55", size=8), eight, lambda m: b"\xaa\x55" + m, [*BITS, b"\xaa", b"\x55"]
    ),
    "start crc": Wire(
        rule(kind="start_fixed", start="aaaa", size=12, checksum="CRC-32", checksum_covers_start=True),
        eight,
        lambda m: b"\xaa\xaa" + m + crc32(b"\xaa\xaa" + m, "little"),
        [*BITS, b"\xaa", b"\xaa\xaa"],
        b"",
    ),
    "length": Wire(
        rule(kind="start_length", start="aa55"),
        starts,
        lambda m: b"\xaa\x55" + bytes([len(m)]) + m,
        [*BITS, b"\xaa", b"\x55", b"\xaa\x55"],
    ),
    "length crc": Wire(
        rule(
            kind="start_length",
            start="b562",
            length_offset=2,
            length_bytes=2,
            length_adds=4,
            byte_order="big",
            checksum="CRC-32",
            checksum_covers_length=True,
        ),
        starts,
        with_length,
        [*BITS, b"\xb5", b"\x62", b"\xb5\x62"],
        b"",
    ),
    "fixed": Wire(rule(kind="fixed", size=8), eight, lambda m: m, BITS),
    "fixed crc": Wire(rule(kind="fixed", size=10, checksum="CRC-16/MODBUS"), eight, lambda m: m + modbus(m), BITS),
}


def wires(are_meant: Callable[[Wire], bool]) -> pytest.MarkDecorator:
    names = [name for name, wire in WIRES.items() if are_meant(wire)]
    return pytest.mark.parametrize("wire", [WIRES[name] for name in names], ids=names)


every_wire = wires(lambda wire: True)


class Account:
    """Feeds a framing and checks after each step that every byte is accounted for."""

    def __init__(self, wire: Wire) -> None:
        self.framing: Framing = make_framing(wire.rule)
        self.frames: list[bytes] = []
        self.fed_bytes = self.framed_bytes = self.bad_count = 0

    def feed(self, *chunks: bytes) -> "Account":
        for chunk in chunks:
            frames = self.framing.feed(chunk)
            self.frames += frames
            self.framed_bytes += sum(map(len, frames))
            self.fed_bytes += len(chunk)
            self.check()
        return self

    def check(self) -> None:
        framing = self.framing
        discarded_bytes = sum(framing.discarded.values())
        assert self.fed_bytes == self.framed_bytes + framing.bad_bytes + discarded_bytes + framing.pending_bytes
        assert framing.pending_bytes < 2 * LIMIT_BYTES
        if framing.bad_count != self.bad_count:
            self.bad_count = framing.bad_count
            assert len(framing.bad_frames) == min(self.bad_count, 100)
            assert len(framing.bad_frames[-1].raw) <= LIMIT_BYTES
            assert framing.bad_frames[-1].reason

    @property
    def result(self) -> tuple[object, ...]:
        """All that must not depend on how the stream was cut."""
        framing = self.framing
        assert tuple(framing.discarded) == DISCARD_REASONS
        assert min(framing.discarded.values()) >= 0
        return (
            self.frames,
            framing.bad_count,
            framing.bad_bytes,
            list(framing.bad_frames),
            framing.discarded,
            framing.pending_bytes,
        )


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:stop] for start, stop in itertools.pairwise(bounds)]


def is_in_order_in(part: list[bytes], whole: list[bytes]) -> bool:
    rest = iter(whole)
    return all(frame in rest for frame in part)


def draw_messages(drawing: st.DataObject, wire: Wire) -> list[bytes]:
    return drawing.draw(st.lists(wire.messages, max_size=6), label="messages")


def draw_places(drawing: st.DataObject) -> list[int]:
    return drawing.draw(st.lists(st.integers(0, 1000), max_size=10), label="cut at")


def draw_noise(drawing: st.DataObject, wire: Wire) -> bytes:
    return b"".join(drawing.draw(st.lists(st.sampled_from(wire.alphabet), max_size=9), label="noise"))


@every_wire
@given(drawing=st.data())
def test_frames_come_out_the_same_whole_cut_anywhere_and_byte_by_byte(wire: Wire, drawing: st.DataObject) -> None:
    messages = draw_messages(drawing, wire)
    stream = b"".join(map(wire.encode, messages))
    for chunks in ([stream], cut(stream, draw_places(drawing)), [bytes([byte]) for byte in stream]):
        account = Account(wire).feed(*chunks)
        assert account.frames == messages
        assert (account.framing.bad_count, account.framing.pending_bytes) == (0, 0)


@every_wire
@given(drawing=st.data())
def test_noise_between_frames_has_the_same_effect_however_the_stream_is_cut(wire: Wire, drawing: st.DataObject) -> None:
    pieces = [
        piece for message in draw_messages(drawing, wire) for piece in (draw_noise(drawing, wire), wire.encode(message))
    ]
    stream = b"".join(pieces) + draw_noise(drawing, wire)
    whole = Account(wire).feed(stream)
    assert Account(wire).feed(*pieces, stream[sum(map(len, pieces)) :]).result == whole.result
    assert Account(wire).feed(*cut(stream, draw_places(drawing))).result == whole.result
    assert Account(wire).feed(*(bytes([byte]) for byte in stream)).result == whole.result


@wires(lambda wire: wire.pause is not None)
@given(drawing=st.data())
def test_noise_costs_no_frame_that_it_does_not_touch(wire: Wire, drawing: st.DataObject) -> None:
    """Where there is a delimiter, the noise ends with one; where there is none, frames have a checksum."""
    assert wire.pause is not None
    messages = draw_messages(drawing, wire)
    stream = b"".join(draw_noise(drawing, wire) + wire.pause + wire.encode(message) for message in messages)
    # Whatever noise announced at the end is found not to come.
    account = Account(wire).feed(stream, b"\x03" * 2 * LIMIT_BYTES, wire.pause)
    assert is_in_order_in(messages, account.frames)


@every_wire
@given(drawing=st.data())
def test_after_a_lost_link_the_next_frame_is_whole(wire: Wire, drawing: st.DataObject) -> None:
    messages = draw_messages(drawing, wire)
    stream = b"".join(map(wire.encode, messages))
    stream = stream[: drawing.draw(st.integers(0, len(stream)), label="lost at")]
    account = Account(wire).feed(stream)
    pending_bytes, bad_count = account.framing.pending_bytes, account.framing.bad_count
    account.framing.reset()
    assert account.framing.pending_bytes == 0
    assert account.framing.bad_count == bad_count + (pending_bytes > 0)
    account.check()
    message = drawing.draw(wire.messages, label="next message")
    framed = len(account.frames)
    assert account.feed(wire.encode(message)).frames[framed:] == [message]


@wires(lambda wire: wire.rule.checksum is not None)
@given(drawing=st.data(), damage=st.integers(1, 127))
def test_a_broken_frame_is_kept_and_costs_no_other(wire: Wire, drawing: st.DataObject, damage: int) -> None:
    before, behind = drawing.draw(wire.messages), drawing.draw(wire.messages)
    damaged = bytes([ord("d") ^ damage])
    assume(damaged not in b"\0\r\n$!*")
    frame = wire.encode(b"abcdefgh").replace(b"d", damaged)
    account = Account(wire).feed(wire.encode(before) + frame + wire.encode(behind))
    assert account.frames == [before, behind]
    assert account.framing.bad_count == 1
    assert "expected" in account.framing.bad_frames[0].reason


@every_wire
def test_a_device_that_never_ends_a_frame_takes_no_memory(wire: Wire) -> None:
    for piece in wire.alphabet:
        account = Account(wire)
        for _ in range(20):
            account.feed(piece * 5000)


@every_wire
def test_a_silence_on_the_line_matters_only_to_frames_that_have_no_other_mark(wire: Wire) -> None:
    account = Account(wire)
    frame = wire.encode(b"12345678")
    account.feed(frame[:-2])
    assert account.framing.flush() == []
    account.check()
    account.feed(frame[-2:] + frame)
    has_mark = wire.rule.kind != "fixed" or wire.rule.checksum
    assert account.frames == ([b"12345678"] * 2 if has_mark else [b"78123456"])
