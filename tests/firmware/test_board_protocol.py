"""What our Arduino library answers on the wire, line by line, without a server between."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import serial

from blitz.io import protocol

BAUD = 57_600
CAPACITY = 90
"""Of the sketch Numbered on an ATmega328P."""


class Wire:
    """The server's end of a board's serial line."""

    def __init__(self, port: str) -> None:
        self.port = serial.Serial(port, BAUD, timeout=20, exclusive=True)
        self.wait_until_awake()

    def wait_until_awake(self) -> None:
        """Opening has reset the board, and its boot loader swallows what comes meanwhile."""
        self.port.timeout = 0.5
        deadline_s = time.monotonic() + 20
        while not self.ask(b"0081\n"):
            assert time.monotonic() < deadline_s
        self.port.timeout = 20
        self.port.write(b"?\n")
        while not self.read().endswith(b"61"):  # answers that came late
            pass

    def ask(self, request: bytes) -> bytes:
        self.port.write(request)
        return self.read()

    def read(self) -> bytes:
        line: bytes = self.port.readline()
        assert not line or line.endswith(b"\r\n")
        return line.strip()

    def transmit(self) -> list[bytes]:
        """All messages up to the ACK."""
        self.port.write(b"00C0\n")
        messages = []
        while len(line := self.read()) == 28:
            messages.append(line)
        assert line[2:] == b"40"
        return messages


@pytest.fixture
def wire(run_chip: Callable[..., Any]) -> Iterator[Wire]:
    wire = Wire(run_chip("atmega328p", "Numbered", BAUD).port)
    yield wire
    wire.port.close()


def _numbers(messages: list[bytes]) -> list[int]:
    return [int(message[12:20], 16) for message in messages]


def _wait_for_messages(wire: Wire, count: int) -> None:
    """Until the ring's write index has come so far since START; it must not go round meanwhile."""
    deadline_s = time.monotonic() + 20
    while protocol.parse_status(wire.ask(b"1a83\n")).write_index < count:
        assert time.monotonic() < deadline_s


ANSWERS = {
    b"0081": b"1a82",
    b"1ac0": b"1a66",
    b"1AC0": b"1a66",
    b"1": b"1a61",
    b"1a0": b"1a61",
    b"0" * 29: b"1a62",
    b"1a85" + b"0" * 23: b"1a63",
    b"1a88" + b"0" * 23: b"1a63",
    b"1a40": b"1a64",
    b"1aa0": b"1a64",
    b"what?": b"1a64",
    b"1a89": b"1a65",
    b"1a80": b"1a65",
    b"1a20": b"1a40",
    b"1a00": b"1a40",
    b"1A20\r": b"1a40",
    b"0000" + b"0" * 24: b"1a40",
}


def test_board_answers_each_request_with_its_own_short_line(wire: Wire) -> None:
    assert {request: wire.ask(request + b"\n") for request in ANSWERS} == ANSWERS


def test_status_tells_whether_the_board_logs_and_where_its_ring_stands(wire: Wire) -> None:
    idle = wire.ask(b"1a83\n")
    assert idle[:4] == b"1a84"
    assert protocol.parse_status(idle) == (False, 0, 0)
    wire.ask(b"1a00\n")
    _wait_for_messages(wire, 10)
    fetched = len(wire.transmit())
    status = protocol.parse_status(wire.ask(b"1a83\n"))
    assert status.is_logging
    assert status.send_index == fetched <= status.write_index


def test_numbers_begin_at_start_and_nothing_comes_twice(wire: Wire) -> None:
    for _ in range(2):
        wire.ask(b"1a00\n")
        numbers: list[int] = []
        while len(numbers) < 50:
            numbers += _numbers(wire.transmit())
        assert numbers == list(range(len(numbers)))


def test_empty_line_is_neither_answered_nor_taken_for_start(wire: Wire) -> None:
    wire.ask(b"1a00\n")
    _wait_for_messages(wire, 10)
    assert wire.ask(b"\n\r\n\r\r\n0081\n") == b"1a82"
    numbers = _numbers(wire.transmit())
    assert len(numbers) >= 10
    assert numbers == list(range(len(numbers)))


def test_rest_of_an_overlong_line_is_no_request(wire: Wire) -> None:
    assert wire.ask(b"0" * 28 + b"0000" * 8 + b"\n") == b"1a62"
    assert wire.ask(b"1ac0\n") == b"1a66", "the zeros behind the 28th digit were taken for START"


def test_request_may_come_digit_by_digit(wire: Wire) -> None:
    for digit in (b"0", b"0", b"8", b"1"):
        wire.port.write(digit)
        wire.port.flush()
    assert wire.ask(b"\n") == b"1a82"


def test_full_ring_drops_the_oldest_and_counts_them(wire: Wire) -> None:
    wire.ask(b"1a00\n")
    started_ms = int(wire.ask(b"1a83\n")[4:12], 16)
    deadline_s = time.monotonic() + 30
    while int(wire.ask(b"1a83\n")[4:12], 16) - started_ms < 2000:
        assert time.monotonic() < deadline_s
    messages = wire.transmit()
    numbers = _numbers(messages)
    assert numbers[0] > CAPACITY // 2
    # While the answer is under way the board goes on, and drops what it could not send in time.
    assert CAPACITY // 2 < len(numbers) <= CAPACITY
    assert numbers == sorted(set(numbers))
    assert int(messages[-1][24:28], 16) == CAPACITY, "the ring was not full"
    assert int(messages[-1][20:24], 16) == numbers[-1] - CAPACITY


def test_instruction_moves_only_where_the_sketch_obeys_it(run_chip: Callable[..., Any]) -> None:
    wire = Wire(run_chip("atmega328p", "SetPoint", BAUD, 2500).port)
    try:
        assert wire.ask(protocol.set_point("09", 20)) == b"0940"
        assert wire.ask(b"098500000000002900000000000\n") == b"0965"
        assert wire.ask(protocol.set_angle("09", 20)) == b"0963"
        assert wire.ask(b"09850000\n") == b"0961"
        wire.ask(b"0900\n")
        deadline_s = time.monotonic() + 20
        while not (messages := wire.transmit()) or int(messages[-1][16:20], 16) != 20:
            assert time.monotonic() < deadline_s
        assert int(messages[-1][12:16], 16) in (511, 512), "A0, half of its reference"
        assert int(messages[-1][20:24], 16) == 20
    finally:
        wire.port.close()
