"""From what an operator wants to be sent to what goes over the wire, and back to an answer."""

from concurrent.futures import wait
from typing import NamedTuple

from blitz.data.answer_pattern import AnswerPattern
from blitz.data.source_records import CommandRequest
from blitz.errors import BoardTimeout, CommandRefused
from blitz.io.device import WireCommand
from blitz.io.device_link import DeviceLink

COMMAND_WAIT_S = 6.0


class Sending(NamedTuple):
    """Something to be sent."""

    wire: WireCommand
    shown: str
    """For the records: the text, or hex digits."""
    label: str
    """For sentences."""


def make_sending(link: DeviceLink, request: CommandRequest) -> Sending:
    """Return what goes over the wire.

    :raises CommandRefused: if there is no command of that name, or its value is not possible.
    :raises ValueError: if it must not be sent: boards take an empty line for START.
    """
    if request.command is not None:
        return _named(link, request, request.command)
    line = request.line or ""
    may_be_board = link.board_id is not None or link.mode == "unknown"
    if may_be_board and not request.is_hex and not (line.strip() and line.isascii() and line.isprintable()):
        raise ValueError(f"Cannot send {line!r}: a command is one line of printable ASCII, and never empty.")
    payload = bytes.fromhex(line) if request.is_hex else (line + request.ending).encode("latin-1")
    if may_be_board and not all(part.strip() for part in payload.splitlines() or [b""]):
        raise ValueError(f"Cannot send {line!r}: boards take an empty line for START.")
    if not payload:
        raise ValueError("There is nothing to send.")
    shown = payload.hex(" ") if request.is_hex else line
    return Sending(WireCommand(payload, _pattern(request.answer), request.timeout_s), shown, repr(shown))


def send(link: DeviceLink, sending: Sending) -> str | None:
    """Send it when the link's turn comes, and return the answer where one is waited for.

    :raises BoardTimeout: if the device does not answer, or was not sent anything.
    :raises CommandRefused: if it answers with an error.
    :raises LinkError: if the link is away.
    """
    answer = link.send(sending.wire)
    wait([answer], COMMAND_WAIT_S)
    if not answer.done() and answer.cancel():
        raise BoardTimeout(f"{link.name} is busy or away: {sending.label} was not sent. Try again when it is back.")
    wait([answer], COMMAND_WAIT_S + sending.wire.timeout_s)  # it is being sent at this moment
    if not answer.done():
        raise BoardTimeout(f"{link.name} was sent {sending.label}, but nothing is known of its answer.")
    return answer.result()


def _named(link: DeviceLink, request: CommandRequest, name: str) -> Sending:
    command = link.definition.command(name) if link.definition else None
    if command is None:
        known = ", ".join(c.name for c in link.definition.commands) if link.definition else ""
        raise CommandRefused(f"{link.name} has no command {name!r}. It has: {known or 'none'}.")
    try:
        filled = command.with_value(request.value)
    except ValueError as error:
        raise CommandRefused(f"{link.name} was sent nothing: {error}.") from error
    wire = WireCommand(filled.payload, _pattern(request.answer or command.answer), command.timeout_s)
    words = command.name if request.value is None else f"{command.name} {request.value:g}"
    return Sending(wire, filled.send, f"{words} ({filled.send})")


def _pattern(text: str | None) -> AnswerPattern | None:
    return None if text is None else AnswerPattern(text)
