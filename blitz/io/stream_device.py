"""A device that sends by itself, in whatever framing: listened to, told to begin where that is needed, never asked."""

import logging
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from blitz.data.board_definition import Format
from blitz.data.framing_rule import LINES
from blitz.data.records import LinkState
from blitz.errors import BoardTimeout, CommandRefused
from blitz.io import protocol
from blitz.io.conversation import Conversation
from blitz.io.device import WireCommand

if TYPE_CHECKING:
    from blitz.io.device_link import DeviceLink

log = logging.getLogger(__name__)

IDLE_S = 0.5
BOOT_S = 2.0
"""How long a device that is reset by opening its port may say nothing, nor hear."""
GUESS_LINES = 5
GUESS_S = 1.0
"""A few lines tell what they mean; a device that prints seldom is known by what comes later."""
SILENT_S = 5.0


class StreamDevice:
    """A device whose every frame is a message. See :class:`~blitz.io.device.Device`."""

    def __init__(self, owner: "DeviceLink") -> None:
        self._owner = owner
        self._count = -1
        self._changed_s = 0.0
        self._unread: list[bytes] = []
        """Lines of which it is not known yet what they mean."""

    def begin(self, talk: Conversation) -> None:
        """Wait for the first frame, then send what switches the stream on."""
        owner = self._owner
        owner.keep_waiting()
        owner.mode = "streaming"
        if not self._is_to_be_guessed:
            owner.make_known(owner.config.board_id, ())
        boot_s = 0.0 if "://" in owner.port else BOOT_S
        self._hear(talk, 1, time.monotonic() + boot_s)
        if self._is_to_be_guessed:
            self._hear(talk, GUESS_LINES, time.monotonic() + GUESS_S)
            owner.make_known(_board_id(talk.heard), talk.heard)
            self._unread = talk.heard[:GUESS_LINES]
        definition = owner.definition
        talk.takes_every_line = definition is None or definition.format is not Format.BLITZ
        owner.be_back()
        talk.take_heard()
        talk.settle()
        send_on_connecting(owner, talk)
        self._changed_s = time.monotonic()

    @property
    def _is_to_be_guessed(self) -> bool:
        return self._owner.config.definition is None and self._owner.config.rule == LINES

    def _hear(self, talk: Conversation, count: int, deadline_s: float) -> None:
        while len(talk.heard) < count and time.monotonic() < deadline_s and not self._owner.is_wanted_elsewhere:
            talk.hear(talk.receive(deadline_s - time.monotonic()))

    def start(self, talk: Conversation) -> None:
        """Nothing to say: it sends by itself."""

    def work(self, talk: Conversation) -> None:
        """Listen; say so when nothing comes."""
        owner = self._owner
        if self._is_to_be_guessed and owner.definition is None and len(self._unread) < GUESS_LINES:
            self._read_on(talk)
        else:
            talk.listen(IDLE_S)
        count = owner.ledger.messages_read
        if count != self._count:
            self._count, self._changed_s = count, time.monotonic()
            if owner.state is LinkState.SILENT:
                owner.set_state(owner.working_state)
        elif time.monotonic() - self._changed_s > SILENT_S and owner.state is not LinkState.SILENT:
            owner.set_state(LinkState.SILENT, f"{owner.name} is open, but sends nothing that is a message.")

    def _read_on(self, talk: Conversation) -> None:
        """Guess once more, as soon as there are more lines."""
        lines = talk.receive(IDLE_S)
        self._unread += lines
        if lines:
            self._owner.make_known(self._owner.board_id, self._unread)
        talk.take(lines)
        talk.settle()

    def settle(self, talk: Conversation, *, goes_on: bool = False) -> None:
        """Take what is still on its way."""
        talk.take_rest()

    def command(self, talk: Conversation, request: WireCommand) -> str | None:
        """Send a command, and wait for the answer if the device gives one."""
        return send_to_stream(talk, request)

    def lose(self) -> None:
        """Nothing to forget."""


def _board_id(lines: Sequence[bytes]) -> str | None:
    """Return the id of the Blitz board that these are lines of; None if they are not.

    A recording of a board that was asked begins with its answers. The first line may lack its beginning.
    """
    found = (protocol.classify(line) for line in lines if len(line) == protocol.DATA_DIGITS)
    return next((line.board_id for line in found if line.kind is protocol.LineKind.DATA), None)


def send_to_stream(talk: Conversation, request: WireCommand) -> str | None:
    """Send something; what comes before the answer are messages.

    :raises BoardTimeout: if no line that matches the pattern comes in time.
    """
    talk.send(request.payload)
    if request.answer is None:
        return None
    for frame in talk.lines(request.timeout_s):
        text = str(frame, "latin-1")
        if request.answer.fits(text):
            talk.discard_answer(frame)
            talk.settle()
            return text
        talk.take([frame])
        talk.settle()
    raise BoardTimeout(
        f"The device was sent {_shown(request.payload)}, but no line that matches {request.answer.pattern!r} came "
        f"within {request.timeout_s:g} seconds."
    )


def send_on_connecting(owner: "DeviceLink", talk: Conversation) -> None:
    """Send what the source is configured to be sent whenever its link is opened, but nothing that moves or heats."""
    for line, payload in _connection_lines(owner):
        if payload is None:
            owner.notice("warning", f"{owner.name} is not sent {line!r} on connecting: it needs a value.")
        elif _is_forbidden(owner, payload):
            owner.notice("warning", f"{owner.name} is not sent {line!r} on connecting: it moves or heats something.")
        elif (owner.board_id is not None or owner.mode == "unknown") and not payload.strip():
            owner.notice("warning", f"{owner.name} is not sent an empty line on connecting: boards take it for START.")
        else:
            log.info("%s is sent %s on connecting", owner.name, _shown(payload))
            _send(owner, talk, payload)


def _send(owner: "DeviceLink", talk: Conversation, payload: bytes) -> None:
    if owner.board_id is None or owner.mode != "polled":
        talk.send(payload)
        return
    try:  # its answer must not be taken for that to the first poll
        talk.command(payload, is_polled=True)
    except (BoardTimeout, CommandRefused) as error:
        if not owner.is_leaving:
            owner.complain(str(error))
    talk.settle()


def _connection_lines(owner: "DeviceLink") -> Iterator[tuple[str, bytes | None]]:
    """Yield what is to be sent; None for a command that cannot be sent without a value."""
    definition = owner.definition
    for line in (*(definition.on_connect if definition else ()), *owner.config.on_connect):
        command = definition.command(line) if definition else None
        if command is None:
            yield line, (line + "\n").encode("latin-1", "replace")
        else:
            yield line, None if command.parameter is not None else command.payload


def _is_forbidden(owner: "DeviceLink", payload: bytes) -> bool:
    """Whether it, or a line of it, is a command of an actuator, by its name or in the device's own words."""
    definition = owner.definition
    actuators = [known for known in definition.commands if known.is_actuator] if definition else []
    is_board = definition is not None and definition.format is Format.BLITZ
    is_board = is_board or owner.board_id is not None or owner.mode == "unknown"
    lines = [payload.strip(), *(line.strip() for line in payload.splitlines())]
    moves = any(known.is_said_by(line) for known in actuators for line in lines)
    return moves or (is_board and any(protocol.moves_something(line) for line in lines))


def _shown(payload: bytes) -> str:
    text = str(payload, "latin-1").strip()
    return repr(text) if text.isprintable() and text.isascii() else payload.hex(" ")
