"""The Blitz serial protocol as text on the wire: requests to boards, and what kind of line an answer is.

Pure: builds and reads lines, opens nothing, waits for nothing. What a data line's bits mean is the business of
:mod:`blitz.data.boards`. A line is ASCII hex in upper or lower case; the server ends one with ``\\n``, a board with
``\\r\\n``. Its first byte is the board's id, the second, *meta*, holds the type in its top three bits and flags below.
"""

from collections.abc import Sequence
from enum import IntEnum, StrEnum
from typing import NamedTuple

SHORT_DIGITS = 4
"""Length of a line without timestamp: id and meta."""

DATA_DIGITS = 28
"""Length of a data line; a longer one is an extended data line."""

INSTRUCTION_DIGITS = 27
"""Instructions with a payload are padded to this length: one digit fewer than the longest that a board reads."""

ACK = 0x40
"""Meta byte of "done", which also ends the answer to TRANSMIT."""

ID_ANSWER = 0x82
"""Meta byte of the answer to :func:`identify`, unless something else was pending."""

STATUS_ANSWER = 0x84
"""Meta byte of the answer to :func:`status`; boards with a signed ``char`` send ff."""

NOT_LOGGING = 0x66
"""Meta byte of the error that answers TRANSMIT while the board does not log."""

MAX_ANGLE = 40
"""Largest set point of the motor board, in degrees."""

_HEX_DIGITS = b"0123456789abcdefABCDEF"

_ERRORS = {
    0x61: "the line was too short",
    0x62: "the line was too long",
    0x63: "the board does not implement this",
    0x64: "the board does not know this kind of message",
    0x65: "the board does not know this instruction",
    0x66: "the board is not logging",
}


class MessageType(IntEnum):
    """The top three bits of the meta byte."""

    START = 0
    STOP = 1
    ACK = 2
    ERROR = 3
    INSTRUCTION = 4
    DATA = 5
    TRANSMIT = 6
    EXTENDED = 7


class Instruction(IntEnum):
    """Meta bytes of the instructions that carry a payload."""

    SET_SPEED = 0x85
    """On the motor board: the set point."""
    SET_ANGLE = 0x86
    MOTOR_HOME = 0x87
    CALIBRATION_STEP = 0x88


class LineKind(StrEnum):
    """What a line from a device is, as far as its form tells."""

    DATA = "data"
    """28 hex digits or more, whatever the type says: some boards send ``ff`` where ``a0`` was meant."""
    ACK = "ack"
    ERROR = "error"
    SHORT = "short"
    """Any other line of four hex digits, such as the answer to :func:`identify`."""
    OTHER = "other"
    """Not a line of this protocol."""


class ParsedLine(NamedTuple):
    """A line's kind and, where it is one of the protocol, its head.

    ``board_id`` is two hex digits in lower case, ``code`` the meta byte.
    """

    kind: LineKind
    board_id: str | None = None
    code: int | None = None


class BoardStatus(NamedTuple):
    """What a board answers to :func:`status`."""

    is_logging: bool
    write_index: int
    send_index: int


def start(board_id: str) -> bytes:
    """Ask the board to log. It forgets what it has not sent.

    >>> start("08")
    b'0800\\n'
    """
    return _request(board_id, MessageType.START << 5)


def stop(board_id: str) -> bytes:
    """Ask the board to stop logging.

    >>> stop("08")
    b'0820\\n'
    """
    return _request(board_id, MessageType.STOP << 5)


def transmit(board_id: str) -> bytes:
    """Ask for every message logged since the last one; an ACK ends the answer.

    >>> transmit("0a")
    b'0AC0\\n'
    """
    return _request(board_id, MessageType.TRANSMIT << 5)


def identify() -> bytes:
    """Ask any board for a short line, whose first two digits are its id.

    >>> identify()
    b'0081\\n'
    """
    return b"0081\n"


def status(board_id: str) -> bytes:
    """Ask whether the board logs and where its ring stands; see :func:`parse_status`.

    >>> status("08")
    b'0883\\n'
    """
    return _request(board_id, 0x83)


def set_point(board_id: str, angle: int) -> bytes:
    """Move the motor of a motor board. Nobody but an operator may cause this.

    :param angle: degrees, 0 to 40.
    :raises ValueError: if the angle is beyond these.

    >>> set_point("09", 20)
    b'098500000000001400000000000\\n'
    """
    if not 0 <= angle <= MAX_ANGLE:
        raise ValueError(f"A set point of {angle} is not possible: it must be 0 to {MAX_ANGLE} degrees.")
    return instruction(board_id, Instruction.SET_SPEED, angle)


def set_speed(board_id: str, speed: int) -> bytes:
    """Set a motor's speed; the motor board of every installation takes it as its set point."""
    return instruction(board_id, Instruction.SET_SPEED, speed)


def set_angle(board_id: str, angle: int) -> bytes:
    """Set a motor's angle."""
    return instruction(board_id, Instruction.SET_ANGLE, angle)


def motor_home(board_id: str) -> bytes:
    """Drive a motor to its home position."""
    return instruction(board_id, Instruction.MOTOR_HOME)


def calibration_step(board_id: str, step: int = 0) -> bytes:
    """Do one step of a motor's calibration."""
    return instruction(board_id, Instruction.CALIBRATION_STEP, step)


def instruction(board_id: str, code: Instruction, word: int = 0) -> bytes:
    """Build an instruction with timestamp 0 and ``word`` (16 bits) as the first word of its payload."""
    if not 0 <= word <= 0xFFFF:
        raise ValueError(f"{word} does not fit the 16 bits of an instruction's payload: it must be 0 to 65535.")
    digits = f"{_checked(board_id)}{code:02X}{0:08X}{word:04X}"
    return digits.ljust(INSTRUCTION_DIGITS, "0").encode() + b"\n"


def moves_something(line: bytes) -> bool:
    """Whether a line is an instruction to a motor: set speed, set angle, home, calibration step.

    >>> moves_something(set_point("09", 20)), moves_something(start("09"))
    (True, False)
    """
    return line[2:4].isdigit() and int(line[2:4], 16) in set(Instruction)


def is_hex(line: bytes) -> bool:
    """Whether there is nothing but hex digits in the line, upper or lower case."""
    return not line.translate(None, _HEX_DIGITS)


def classify(line: bytes) -> ParsedLine:
    """Tell what a line without its ending is.

    A status answer cannot be told from a data line by its form (boards send either with ``ff``): whoever asked knows.

    >>> classify(b"0840")
    ParsedLine(kind=<LineKind.ACK: 'ack'>, board_id='08', code=64)
    >>> classify(b"057500005555cccccccc00000000").kind
    <LineKind.DATA: 'data'>
    >>> classify(b"512,498,730")
    ParsedLine(kind=<LineKind.OTHER: 'other'>, board_id=None, code=None)
    """
    length = len(line)
    if (length != SHORT_DIGITS and length < DATA_DIGITS) or not is_hex(line):
        return ParsedLine(LineKind.OTHER)
    board_id = line[:2].decode("ascii").lower()
    code = int(line[2:4], 16)
    if length >= DATA_DIGITS:
        return ParsedLine(LineKind.DATA, board_id, code)
    kind = {MessageType.ACK: LineKind.ACK, MessageType.ERROR: LineKind.ERROR}.get(MessageType(code >> 5))
    return ParsedLine(kind or LineKind.SHORT, board_id, code)


class Recognition(NamedTuple):
    """What a device turned out to be: one that answers, or one that prints; with a board's id if it has one."""

    is_polled: bool
    board_id: str | None


def recognise(heard: Sequence[bytes], *, is_asked: bool) -> Recognition | None:
    """Tell from the lines heard since the port was opened what the device is; None while that is not sure.

    The very first line may have lost its beginning, so that a device which prints is known by its second line.

    :param is_asked: :func:`identify` was sent, so that a short line is an answer.

    >>> recognise([b"9519500000000"], is_asked=False)
    >>> recognise([b"9519500000000", b"08ff00000c801951951950000000"], is_asked=False)
    Recognition(is_polled=False, board_id='08')
    >>> recognise([b"0882"], is_asked=True)
    Recognition(is_polled=True, board_id='08')
    """
    last = classify(heard[-1])
    if last.kind is LineKind.DATA:
        is_sure = len(heard) > 1 or len(heard[0]) == DATA_DIGITS
        return Recognition(False, last.board_id) if is_sure else None
    if is_asked and last.board_id is not None:
        return Recognition(True, last.board_id)
    return Recognition(False, None) if len(heard) > 1 else None


def is_data_run(lines: Sequence[bytes]) -> bool:
    """Whether all lines are data lines; much faster than to classify each.

    >>> is_data_run([b"08ff00000c801951951950000000"] * 3), is_data_run([b"08ff00000c801951951950000000", b"0840"])
    (True, False)
    """
    return not lines or (min(map(len, lines)) >= DATA_DIGITS and is_hex(b"".join(lines)))


def parse_status(line: bytes) -> BoardStatus:
    """Read the answer to :func:`status`: logging 1 bit, write index 10 bits, send index 10 bits of the payload.

    :raises ValueError: if it is not a line of at least 28 hex digits.

    >>> parse_status(b"08ff00003d998180600000000000")
    BoardStatus(is_logging=True, write_index=12, send_index=12)
    """
    if len(line) < DATA_DIGITS or not is_hex(line):
        raise ValueError(f"{line!r} is not the answer to a status request: it has less than {DATA_DIGITS} hex digits.")
    bits = int(line[12:20], 16)
    return BoardStatus(bool(bits >> 31), bits >> 21 & 0x3FF, bits >> 11 & 0x3FF)


def describe_error(code: int) -> str:
    """Say in words what a board's error means.

    >>> describe_error(0x66)
    'The board answered with error 66: the board is not logging.'
    """
    meaning = _ERRORS.get(code, "the protocol does not define this one")
    return f"The board answered with error {code:02x}: {meaning}."


def _request(board_id: str, meta: int) -> bytes:
    return f"{_checked(board_id)}{meta:02X}\n".encode()


def _checked(board_id: str) -> str:
    if len(board_id) != 2 or not is_hex(board_id.encode("utf-8")):
        raise ValueError(f"{board_id!r} is not a board's id: it must be two hex digits, such as 08.")
    return board_id.upper()
