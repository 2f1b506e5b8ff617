"""What runs on a simulated board: clock, ring of unsent messages, requests and answers.

Pure: it is told the time and the bytes that came, and gives lines back. The facts are those of a real expansion board
(see the serial protocol page), its traps included. :mod:`blitz.io.simulator` connects it to a pseudo terminal.
"""

import math
import random
from collections import deque
from dataclasses import dataclass

from blitz.io.protocol import (
    ACK,
    DATA_DIGITS,
    ID_ANSWER,
    MAX_ANGLE,
    NOT_LOGGING,
    SHORT_DIGITS,
    STATUS_ANSWER,
    Instruction,
    MessageType,
    is_hex,
)

RINGS = {"08": 180, "09": 60}
"""The boards that can be simulated, and how many unsent messages each keeps when nobody chose otherwise."""

_TOO_SHORT, _TOO_LONG, _NOT_IMPLEMENTED, _UNKNOWN_MESSAGE, _UNKNOWN_INSTRUCTION = range(0x61, 0x66)
_DATA_META = MessageType.DATA << 5
_SIGNED_CHAR_META = 0xFF
_RING_INDEX_LIMIT = 1 << 10
_MOTOR = "09"
_INSTRUCTIONS = frozenset(int(code) for code in Instruction)
_SINE = tuple(math.sin(2 * math.pi * step / 1024) for step in range(1024))


@dataclass(frozen=True)
class Traits:
    """How a board program behaves where boards in the field differ.

    :param streaming: sends data lines unasked, from power-up on.
    :param start_resets_clock: timestamps count from START, not from power-up.
    :param empty_line_starts: an empty line acts as START after its error 61, as on older boards.
    :param signed_char: the compiler treats ``char`` as signed: data lines say ``ff`` where ``a0`` was meant.
    """

    streaming: bool = False
    start_resets_clock: bool = True
    empty_line_starts: bool = True
    signed_char: bool = False


class BoardProgram:
    """The program of one board. All times are seconds of one monotonic clock.

    Messages are numbered from 0 on, over resets, so that loss and repetition show. Each message ends in exactly one of
    the lists that this returns, in the ring, or in one of the counters ``overwritten`` (the ring was full) and
    ``forgotten`` (START or a reset came first).

    :param count: how many messages are logged at all; None: no limit.
    """

    def __init__(
        self,
        board_id: str,
        rate_hz: float,
        ring: int,
        *,
        traits: Traits | None = None,
        seed: int = 0,
        count: int | None,
    ) -> None:
        self.board_id = board_id
        self.rate_hz = rate_hz
        self.traits = traits or Traits()
        self.ring: deque[bytes] = deque(maxlen=ring)
        self.generated = 0
        self.overwritten = 0
        self.forgotten = 0
        self.is_logging = False
        self._count = math.inf if count is None else count
        self._is_held = False
        self._clock_zero_s = 0.0
        self._schedule_zero_s = 0.0
        self._scheduled = 0
        self._send_index = 0
        self._typed = bytearray()
        self._quantities = _Quantities(board_id, seed)

    def power_up(self, now_s: float) -> None:
        """Begin anew, as after a reset: nothing is kept but the numbering."""
        self._forget()
        self._typed.clear()
        self._clock_zero_s = now_s
        self.is_logging = self.traits.streaming
        self._schedule(now_s)

    def hold(self, now_s: float, is_held: bool) -> list[bytes]:
        """Suspend logging, or go on with the next number; return what :meth:`advance` does."""
        lines = self.advance(now_s)
        self._is_held = is_held
        self._schedule(now_s)
        return lines

    def advance(self, now_s: float) -> list[bytes]:
        """Log what is due by now; return the lines that a streaming board sends, oldest first."""
        if not self.is_logging or self._is_held:
            return []
        due = int((now_s - self._schedule_zero_s) * self.rate_hz + 1e-6) - self._scheduled
        due = min(due, int(min(self._count - self.generated, 1 << 62)))
        if due <= 0:
            return []
        if self.traits.streaming:
            return self._log(due)
        ring_size = self.ring.maxlen or 0
        skipped = max(due - ring_size, 0)
        self.generated += skipped
        self._scheduled += skipped
        lost = max(len(self.ring) + due - ring_size, 0)
        self.overwritten += lost
        self._send_index += lost
        self.ring.extend(self._log(due - skipped))
        return []

    def next_due_s(self) -> float:
        """When :meth:`advance` will have something to send; infinity on a board that waits to be asked."""
        if not (self.traits.streaming and self.is_logging) or self._is_held or self.generated >= self._count:
            return math.inf
        return self._schedule_zero_s + (self._scheduled + 1) / self.rate_hz

    def receive(self, chunk: bytes, now_s: float) -> list[tuple[bytes, bool]]:
        """Take bytes from the server; return the lines to answer, and whether each is a message."""
        answers: list[tuple[bytes, bool]] = []
        for byte in chunk.replace(b"\r", b""):
            if byte == ord("\n"):
                line = bytes(self._typed)
                self._typed.clear()
                answers += self._answer(line, now_s)
            elif len(self._typed) == DATA_DIGITS:
                # Measured: the digit that overflows is lost, what follows is read as a new line.
                self._typed.clear()
                answers.append(self._short(_TOO_LONG))
            else:
                self._typed.append(byte)
        return answers

    def _answer(self, line: bytes, now_s: float) -> list[tuple[bytes, bool]]:
        if not line and self.traits.empty_line_starts:
            return [self._short(_TOO_SHORT), *self._start(now_s)]
        if len(line) < SHORT_DIGITS:
            return [self._short(_TOO_SHORT)]
        if not is_hex(line):
            return [self._short(_UNKNOWN_MESSAGE)]
        # Boards do not look at the id that a request is addressed to: their line has no other board.
        meta = int(line[2:4], 16)
        match meta >> 5:
            case MessageType.START:
                return self._start(now_s)
            case MessageType.STOP:
                self.is_logging = False
                return [self._short(ACK)]
            case MessageType.TRANSMIT:
                return self._transmit()
            case MessageType.INSTRUCTION:
                return [self._instruct(meta, line, now_s)]
            case _:
                return [self._short(_UNKNOWN_MESSAGE)]

    def _start(self, now_s: float) -> list[tuple[bytes, bool]]:
        self._forget()
        if self.traits.start_resets_clock:
            self._clock_zero_s = now_s
        self.is_logging = True
        self._schedule(now_s)
        return [self._short(ACK)]

    def _transmit(self) -> list[tuple[bytes, bool]]:
        if not self.is_logging:
            return [self._short(NOT_LOGGING)]
        messages = [(line, True) for line in self.ring]
        self._send_index += len(messages)
        self.ring.clear()
        return [*messages, self._short(ACK)]

    def _instruct(self, meta: int, line: bytes, now_s: float) -> tuple[bytes, bool]:
        if meta == 0x81:
            return self._short(ID_ANSWER)
        if meta == 0x83:
            return self._status(now_s)
        if meta not in _INSTRUCTIONS:
            return self._short(_UNKNOWN_INSTRUCTION)
        if self.board_id != _MOTOR:
            return self._short(_NOT_IMPLEMENTED)
        if meta == Instruction.SET_SPEED:
            if len(line) < SHORT_DIGITS + 8 + 4:
                return self._short(_TOO_SHORT)
            angle = int(line[12:16], 16)
            if angle > MAX_ANGLE:
                return self._short(_UNKNOWN_INSTRUCTION)
            self._quantities.move(angle, now_s)
        return self._short(ACK)

    def _status(self, now_s: float) -> tuple[bytes, bool]:
        # One slot of a ring stays free, so that a full one can be told from an empty one.
        slots = min((self.ring.maxlen or 0) + 1, _RING_INDEX_LIMIT)
        write_index = (self._send_index + len(self.ring)) % slots
        send_index = self._send_index % slots
        bits = self.is_logging << 31 | write_index << 21 | send_index << 11
        meta = _SIGNED_CHAR_META if self.traits.signed_char else STATUS_ANSWER
        return f"{self.board_id}{meta:02x}{self._device_ms(now_s):08x}{bits:08x}{0:08x}\r\n".encode(), False

    def _short(self, meta: int) -> tuple[bytes, bool]:
        return f"{self.board_id}{meta:02x}\r\n".encode(), False

    def _log(self, count: int) -> list[bytes]:
        lines = []
        for _ in range(count):
            self._scheduled += 1
            at_s = self._schedule_zero_s + self._scheduled / self.rate_hz
            flags, payload = self._quantities.at(at_s, self.generated)
            meta = _SIGNED_CHAR_META if self.traits.signed_char else _DATA_META | flags
            lines.append(f"{self.board_id}{meta:02x}{self._device_ms(at_s):08x}{payload:016x}\r\n".encode())
            self.generated += 1
        return lines

    def _device_ms(self, at_s: float) -> int:
        return int((at_s - self._clock_zero_s) * 1000 + 1e-6) & 0xFFFFFFFF

    def _schedule(self, now_s: float) -> None:
        self._schedule_zero_s = now_s
        self._scheduled = 0

    def _forget(self) -> None:
        self.forgotten += len(self.ring)
        self._send_index = 0
        self.ring.clear()


class _Quantities:
    """What the simulated board measures: something worth looking at, and the message's number."""

    def __init__(self, board_id: str, seed: int) -> None:
        self._at = self._motor if board_id == _MOTOR else self._basic
        chance = random.Random(seed)
        self._noise = [chance.gauss(0, 1) for _ in range(1021)]
        self._set_point = MAX_ANGLE // 2
        self._moved_from = 0.0
        self._moved_at_s: float | None = None

    def at(self, at_s: float, number: int) -> tuple[int, int]:
        """Return flags (5 bits) and payload (64 bits) of message ``number``, which is logged at ``at_s``."""
        return self._at(at_s, number)

    def move(self, set_point: int, at_s: float) -> None:
        """Give the motor a new set point, in degrees."""
        self._moved_from = self._angle(at_s)
        self._moved_at_s = at_s
        self._set_point = set_point

    def _basic(self, at_s: float, number: int) -> tuple[int, int]:
        noise = self._noise[number % len(self._noise)]
        sine = 2048 + 1500 * _SINE[int(at_s * 0.2 * 1024) % 1024]
        steps = 500 + 700 * (int(at_s / 2) % 5)
        triangle = 4095 * abs(1 - at_s / 15 % 2)
        payload = int(sine)
        payload = payload << 12 | min(max(int(1024 + 120 * noise), 0), 4095)
        payload = payload << 12 | steps
        payload = payload << 12 | int(triangle)
        payload = payload << 12 | number % 4096
        # flag1 toggles each second, flag2 each two seconds, and so on.
        seconds = int(at_s)
        flags = sum((seconds >> place & 1) << (4 - place) for place in range(5))
        return flags, payload << 4 | number // 4096 % 16

    def _motor(self, at_s: float, number: int) -> tuple[int, int]:
        angle = self._angle(at_s)
        raw_adc = 100 + 20 * angle + 2 * self._noise[number % len(self._noise)]
        payload = max(int(raw_adc), 0)
        payload = payload << 16 | max(round(angle), 0)
        payload = payload << 16 | self._set_point
        return 0, payload << 16 | number % 65536

    def _angle(self, at_s: float) -> float:
        """The motor swings into its set point: a damped oscillation of 0.4 Hz."""
        if self._moved_at_s is None:
            self._moved_at_s = at_s
        since_s = at_s - self._moved_at_s
        swing = math.exp(-since_s / 1.2) * math.cos(2 * math.pi * 0.4 * since_s)
        return self._set_point + (self._moved_from - self._set_point) * swing


def message_number(line: bytes) -> int:
    """Read back the number that a simulated board put into a message, modulo 65536.

    Board 08 has number mod 4096 in channel five and the next four bits in the four spare bits behind it; board 09 has
    the number in the spare last word.

    >>> message_number(b"08a00000000000000000000000fff1"), message_number(b"09a00000000000000000000001f4")
    (8191, 500)
    """
    word = int(line.rstrip()[-4:], 16)
    return word if line[:2] == _MOTOR.encode() else word >> 4 | (word & 0xF) << 12
