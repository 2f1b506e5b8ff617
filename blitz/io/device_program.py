"""What runs on a simulated device that is no Blitz board: it prints, or sends binary frames, and hears a few commands.

Pure: it is told the time and the bytes that came, and gives messages back, each with its framing. Each message bears
its number, so that loss and repetition show, the device's milliseconds in most kinds, and the same quantities:

=============  =====================================================================================================
kind           a message
=============  =====================================================================================================
plain          ``512,498,730``; the third number is the message's number, modulo 1024
csv            ``number,x,y,temp``, as ``17,512,498,21.50``
csv-header     the same behind a line ``number,x,y,temp (°C)``
csv-time       ``number,ms,x,y,temp`` behind a line that names them, ``time (ms)`` being the clock
semicolon      as csv, with ``;``
tab            as csv, with tabs
spaces         as csv, with spaces
cr             as csv, lines ending with CR only
pairs          ``number:17,x:512,y:498,temp:21.50``
json           ``{"number":17,"ms":1700,"adc":{"x":512,"y":498},"temp":21.50}``
nmea           ``$BLZ,17,512,498,21.50*hh``, hh being the XOR of what stands between ``$`` and ``*``
silent         as csv, but only in answer to the line ``?``
cobs           COBS, ended by 00; content and its CRC-16/IBM-3740, low byte first
cobs-plain     COBS, ended by 00
slip           SLIP (RFC 1055), ended by c0
slip-crc       SLIP; content and its CRC-32/ISO-HDLC, low byte first
start-length   ``aa 55``, length of the content (1 byte), content, CRC-16/IBM-3740 of the content, low byte first
start-fixed    ``a5 5a``, content, CRC-16/IBM-3740 of the content, low byte first
struct         the content alone: no mark, no checksum
=============  =====================================================================================================

The content of binary messages is little endian: number u32, milliseconds u32, x i16, y i16, temp f32.

Commands are lines: ``off`` and ``on`` stop and start the stream, ``t`` takes the present values as zero and is answered
``tared`` by devices that print, ``?`` asks for one message. Devices that print answer ``unknown`` to everything else.
"""

import binascii
import math
import random
import struct
from collections import deque
from collections.abc import Callable
from functools import reduce
from operator import xor
from typing import NamedTuple

from cobs import cobs

_CONTENT = struct.Struct("<IIhhf")
_NOISE_COUNT = 1021
_LONGEST_COMMAND = 80
_SLIP_END, _SLIP_ESCAPE = b"\xc0", b"\xdb"


class Sample(NamedTuple):
    """What the device measures at one time."""

    number: int
    ms: int
    x: int
    y: int
    temp: float

    @property
    def content(self) -> bytes:
        """The binary message within its frame."""
        return _CONTENT.pack(self.number & 0xFFFFFFFF, self.ms & 0xFFFFFFFF, self.x, self.y, self.temp)

    def joined(self, separator: str) -> str:
        """The text."""
        return separator.join((str(self.number), str(self.x), str(self.y), f"{self.temp:.2f}"))


def _nmea(sample: Sample) -> bytes:
    sentence = f"BLZ,{sample.joined(',')}".encode()
    return b"$%s*%02X\r\n" % (sentence, reduce(xor, sentence))


def _crc16(content: bytes) -> bytes:
    return binascii.crc_hqx(content, 0xFFFF).to_bytes(2, "little")


def _slip(content: bytes) -> bytes:
    escaped = content.replace(_SLIP_ESCAPE, _SLIP_ESCAPE + b"\xdd").replace(_SLIP_END, _SLIP_ESCAPE + b"\xdc")
    return escaped + _SLIP_END


def _json(sample: Sample) -> bytes:
    head = f'"number":{sample.number},"ms":{sample.ms}'
    return f'{{{head},"adc":{{"x":{sample.x},"y":{sample.y}}},"temp":{sample.temp:.2f}}}\r\n'.encode()


def _pairs(sample: Sample) -> bytes:
    return f"number:{sample.number},x:{sample.x},y:{sample.y},temp:{sample.temp:.2f}\r\n".encode()


def _separated(separator: str, ending: str = "\r\n") -> Callable[[Sample], bytes]:
    return lambda sample: (sample.joined(separator) + ending).encode()


_MESSAGES: dict[str, Callable[[Sample], bytes]] = {
    "plain": lambda sample: b"%d,%d,%d\r\n" % (sample.x, sample.y, sample.number % 1024),
    "csv": _separated(","),
    "csv-header": _separated(","),
    "csv-time": lambda s: f"{s.number},{s.ms},{s.x},{s.y},{s.temp:.2f}\r\n".encode(),
    "semicolon": _separated(";"),
    "tab": _separated("\t"),
    "spaces": _separated(" "),
    "cr": _separated(",", "\r"),
    "pairs": _pairs,
    "json": _json,
    "nmea": _nmea,
    "silent": _separated(","),
    "cobs": lambda sample: cobs.encode(sample.content + _crc16(sample.content)) + b"\0",
    "cobs-plain": lambda sample: cobs.encode(sample.content) + b"\0",
    "slip": lambda sample: _slip(sample.content),
    "slip-crc": lambda sample: _slip(sample.content + binascii.crc32(sample.content).to_bytes(4, "little")),
    "start-length": lambda s: b"\xaa\x55" + bytes([len(s.content)]) + s.content + _crc16(s.content),
    "start-fixed": lambda sample: b"\xa5\x5a" + sample.content + _crc16(sample.content),
    "struct": lambda sample: sample.content,
}
_HEADERS = {
    "csv-header": "number,x,y,temp (°C)\r\n".encode(),
    "csv-time": "number,time (ms),x,y,temp (°C)\r\n".encode(),
}
KINDS = tuple(_MESSAGES)
"""The devices that can be simulated."""
BINARY_KINDS = frozenset({"cobs", "cobs-plain", "slip", "slip-crc", "start-length", "start-fixed", "struct"})
"""Those that do not print."""


class DeviceProgram:
    """The program of one device; see :class:`~blitz.io.simulated_port.SimulatedProgram` for its methods.

    Messages are numbered from 0 on, over resets.

    :param count: how many messages are made at all; None: no limit.
    :param quiet: sends nothing until it is told ``on``, after each reset.
    """

    def __init__(
        self, kind: str, rate_hz: float, *, seed: int = 0, count: int | None = None, quiet: bool = False
    ) -> None:
        self.kind = kind
        self.rate_hz = rate_hz
        self.ring: deque[bytes] = deque()
        self.generated = 0
        self.overwritten = 0
        self.forgotten = 0
        self.is_logging = False
        self._message = _MESSAGES[kind]
        self._is_quiet = quiet or kind == "silent"
        self._count = math.inf if count is None else count
        self._is_held = False
        self._clock_zero_s = 0.0
        self._schedule_zero_s = 0.0
        self._scheduled = 0
        self._greeting: list[bytes] = []
        self._typed = bytearray()
        self._zero = (0, 0)
        chance = random.Random(seed)
        self._phase = chance.random()
        self._noise = [chance.gauss(0, 1) for _ in range(_NOISE_COUNT)]

    def power_up(self, now_s: float) -> None:
        """Begin anew, as after a reset: nothing is kept but the numbering."""
        self._typed.clear()
        self._zero = (0, 0)
        self._clock_zero_s = now_s
        self.is_logging = not self._is_quiet
        self._greeting = [_HEADERS[self.kind]] if self.kind in _HEADERS else []
        self._schedule(now_s)

    def hold(self, now_s: float, is_held: bool) -> list[bytes]:
        """Suspend the stream, or go on with the next number; return what :meth:`advance` does."""
        messages = self.advance(now_s)
        self._is_held = is_held
        self._schedule(now_s)
        return messages

    def advance(self, now_s: float) -> list[bytes]:
        """Return the messages that are due by now, oldest first."""
        if not self.is_logging or self._is_held:
            return []
        due = int((now_s - self._schedule_zero_s) * self.rate_hz + 1e-6) - self._scheduled
        due = int(min(due, self._count - self.generated))
        return [self._next() for _ in range(due)]

    def next_due_s(self) -> float:
        """When the next message is due; infinity while there is no stream."""
        if not self.is_logging or self._is_held or self.generated >= self._count:
            return math.inf
        return self._schedule_zero_s + (self._scheduled + 1) / self.rate_hz

    def receive(self, chunk: bytes, now_s: float) -> list[tuple[bytes, bool]]:
        """Take bytes from whoever reads; return what to answer, and whether each is a message."""
        answers: list[tuple[bytes, bool]] = []
        for byte in chunk:
            if byte not in b"\r\n":
                self._typed.append(byte)
                del self._typed[:-_LONGEST_COMMAND]
            elif self._typed:
                answers += self._answer(self._typed.decode("latin-1").strip().lower(), now_s)
                self._typed.clear()
        return answers

    def sample_at(self, at_s: float, number: int) -> Sample:
        """Return what is measured: a slow sine, a triangle with noise, and a temperature that wanders."""
        noise = self._noise[number % _NOISE_COUNT]
        turns = at_s * 0.2 + self._phase
        x = int(512 + 400 * math.sin(2 * math.pi * turns)) - self._zero[0]
        y = int(100 + 800 * abs(1 - turns / 2 % 2) + 3 * noise) - self._zero[1]
        temp = 21.5 + 2 * math.sin(2 * math.pi * turns / 7) + 0.05 * noise
        return Sample(number, int((at_s - self._clock_zero_s) * 1000 + 1e-6), x, y, temp)

    def _next(self) -> bytes:
        self._scheduled += 1
        return self._made(self._schedule_zero_s + self._scheduled / self.rate_hz)

    def _made(self, at_s: float) -> bytes:
        message = self._message(self.sample_at(at_s, self.generated))
        self.generated += 1
        # The header goes out with the first message: the device's transmitter counts messages.
        greeting, self._greeting = b"".join(self._greeting), []
        return greeting + message

    def _answer(self, command: str, now_s: float) -> list[tuple[bytes, bool]]:
        prints = self.kind not in BINARY_KINDS
        if command in ("on", "off"):
            self.is_logging = command == "on"
            self._schedule(now_s)
        elif command == "?" and self.generated < self._count:
            return [(self._made(now_s), True)]
        elif command == "t":
            self._zero = (0, 0)
            sample = self.sample_at(now_s, self.generated)
            self._zero = (sample.x, sample.y)
            return [(b"tared\r\n", False)] if prints else []
        elif prints:
            return [(b"unknown\r\n", False)]
        return []

    def _schedule(self, now_s: float) -> None:
        self._schedule_zero_s = now_s
        self._scheduled = 0


def device_message_number(kind: str, message: bytes) -> int:
    """Read back the number of a message, which is without its framing and checksum.

    Of ``plain`` devices it is modulo 1024, of binary ones modulo 2**32.

    >>> device_message_number("csv", b"17,512,498,21.50"), device_message_number("plain", b"512,498,730")
    (17, 730)
    >>> device_message_number("json", b'{"number":17,"ms":1700}'), device_message_number("pairs", b"number:17,x:512")
    (17, 17)
    """
    if kind in BINARY_KINDS:
        return int.from_bytes(message[:4], "little")
    if kind == "plain":
        return int(message.split(b",")[2])
    text = message.decode("latin-1").removeprefix("$").removeprefix("BLZ,")
    digits = text.lstrip('{"number:')
    return int(digits[: len(digits) - len(digits.lstrip("0123456789"))])
