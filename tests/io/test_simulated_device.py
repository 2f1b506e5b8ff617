import binascii
import os
import select
import struct
import time
from functools import reduce
from operator import xor

import pytest
from cobs import cobs

from blitz.io.device_program import KINDS, DeviceProgram
from blitz.io.simulated_device import SimulatedDevice, device_message_number

DEADLINE_S = 20.0


def test_each_message_bears_its_number_through_a_reset() -> None:
    for kind in KINDS:
        program = DeviceProgram(kind, 100.0, seed=3, count=500)
        program.power_up(1.0)
        program.receive(b"on\n", 1.0)
        messages = program.advance(3.0)
        program.power_up(4.0)
        program.receive(b"on\r\n", 4.0)
        messages += program.advance(4.5)
        numbers = [device_message_number(kind, content_of(kind, message)) for message in messages]
        assert numbers == list(range(250)), kind
        assert program.next_due_s() == pytest.approx(4.51)
        assert len(program.advance(100.0)) == 250
        assert program.next_due_s() == float("inf")


def content_of(kind: str, message: bytes) -> bytes:
    """Undo the framing, checking its checksum, independently of the product's framing."""
    if kind in ("cobs", "cobs-plain"):
        assert message.index(b"\0") == len(message) - 1
        content = cobs.decode(message[:-1])
        return checked_crc16(content) if kind == "cobs" else content
    if kind in ("slip", "slip-crc"):
        assert message.index(b"\xc0") == len(message) - 1
        content = message[:-1].replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")
        if kind == "slip-crc":
            assert binascii.crc32(content[:-4]) == int.from_bytes(content[-4:], "little")
            content = content[:-4]
        return content
    if kind == "start-length":
        assert message[:3] == bytes([0xAA, 0x55, len(message) - 5])
        return checked_crc16(message[3:])
    if kind == "start-fixed":
        assert message[:2] == b"\xa5\x5a"
        return checked_crc16(message[2:])
    if kind == "struct":
        return message
    line = message.strip().splitlines()[-1]
    if kind == "nmea":
        sentence, _, check = line[1:].partition(b"*")
        assert int(check, 16) == reduce(xor, sentence)
    return line


def checked_crc16(content: bytes) -> bytes:
    assert binascii.crc_hqx(content[:-2], 0xFFFF) == int.from_bytes(content[-2:], "little")
    return content[:-2]


def test_values_are_the_same_for_the_same_seed_and_differ_for_others() -> None:
    def first(seed: int) -> list[bytes]:
        program = DeviceProgram("csv", 10.0, seed=seed)
        program.power_up(0.0)
        return program.advance(5.0)

    assert first(1) == first(1) != first(2)


def test_binary_content_has_number_clock_and_values() -> None:
    program = DeviceProgram("struct", 10.0)
    program.power_up(0.0)
    number, ms, x, y, temp = struct.unpack("<IIhhf", program.advance(1.0)[-1])
    assert (number, ms) == (9, 1000)
    assert 100 < x < 950
    assert 50 < y < 950
    assert 18 < temp < 25


def test_commands_stop_start_and_tare() -> None:
    program = DeviceProgram("csv", 10.0)
    program.power_up(0.0)
    assert program.receive(b"of", 1.0) == []
    assert program.receive(b"f\n", 1.0) == []
    assert program.advance(2.0) == []
    assert program.receive(b"on\r\n", 2.0) == []
    assert [line.split(b",")[0] for line in program.advance(2.25)] == [b"0", b"1"]
    assert program.receive(b"t\nfly\n\n", 2.25) == [(b"tared\r\n", False), (b"unknown\r\n", False)]
    _, x, y, _ = program.advance(2.35)[0].split(b",")
    assert abs(int(x)) < 100
    assert abs(int(y)) < 100


def test_silent_device_speaks_when_asked() -> None:
    program = DeviceProgram("silent", 10.0, count=1)
    program.power_up(0.0)
    assert program.advance(5.0) == []
    ((line, is_message),) = program.receive(b"?\n", 6.0)
    assert (line.split(b",")[0], is_message) == (b"0", True)
    assert program.receive(b"?\n", 6.0) == [(b"unknown\r\n", False)]


def read_until(port: int, length: int) -> bytes:
    received = b""
    deadline_s = time.monotonic() + DEADLINE_S
    while len(received) < length:
        assert time.monotonic() < deadline_s, received
        if select.select([port], [], [], 0.2)[0]:
            received += os.read(port, 4096)
    return received


@pytest.mark.parametrize("kind", ["csv-header", "cobs", "struct"])
def test_device_on_a_port_sends_each_message_once(kind: str) -> None:
    with SimulatedDevice(kind, rate_hz=500, silence_s=0, count=100, waits_for_reader=True) as device:
        port = os.open(device.path, os.O_RDWR | os.O_NOCTTY)
        try:
            wanted = DeviceProgram(kind, 500, count=100)
            wanted.power_up(0.0)
            received = read_until(port, 1600)
            deadline_s = time.monotonic() + DEADLINE_S
            while device.sent < 100:
                assert time.monotonic() < deadline_s
                received += os.read(port, 4096) if select.select([port], [], [], 0.05)[0] else b""
            while select.select([port], [], [], 0.2)[0]:
                received += os.read(port, 4096)
        finally:
            os.close(port)
        assert (device.generated, device.dropped) == (100, 0)
    if kind == "csv-header":
        lines = received.splitlines()
        assert lines[0] == "number,x,y,temp (°C)".encode()
        assert [int(line.split(b",")[0]) for line in lines[1:]] == list(range(100))
    elif kind == "cobs":
        frames = [content_of(kind, frame + b"\0") for frame in received.split(b"\0")[:-1]]
        assert [device_message_number(kind, frame) for frame in frames] == list(range(100))
    else:
        assert [number for number, *_ in struct.iter_unpack("<IIhhf", received)] == list(range(100))


def test_a_device_that_is_unplugged_comes_back_with_the_next_numbers() -> None:
    with SimulatedDevice("csv", rate_hz=200, silence_s=0) as device:
        with open(device.path, "rb") as port:
            first = int(port.readline().split(b",")[0])
            device.unplug(mid_line=True)
        device.replug()
        with open(device.path, "rb") as port:
            assert int(port.readline().split(b",")[0]) > first


def test_unknown_kind_is_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"There is no simulated device 'toaster'\. Allowed are: plain, csv, "):
        SimulatedDevice("toaster")
