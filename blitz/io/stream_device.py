"""A device that sends by itself, in whatever framing: listened to, told to begin where that is needed, never asked."""

import logging
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from blitz.data.board_definition import Format
from blitz.data.records import LinkState
from blitz.errors import BoardTimeout
from blitz.io import protocol
from blitz.io.conversation import Conversation
from blitz.io.device import WireCommand

if TYPE_CHECKING:
    from blitz.io.device_link import DeviceLink

log = logging.getLogger(__name__)

IDLE_S = 0.5
BOOT_S = 2.0
"""How long a device that is reset by opening its port may say nothing, nor hear."""
SILENT_S = 5.0


class StreamDevice:
    """A device whose every frame is a message. See :class:`~blitz.io.device.Device`."""

    def __init__(self, owner: "DeviceLink") -> None:
        self._owner = owner
        self._count = -1
        self._changed_s = 0.0

    def begin(self, talk: Conversation) -> None:
        """Wait for the first frame, then send what switches the stream on."""
        owner = self._owner
        talk.takes_every_line = True
        owner.keep_waiting()
        owner.mode = "streaming"
        owner.make_known(owner.config.board_id, ())
        deadline_s = time.monotonic() + (0.0 if "://" in owner.port else BOOT_S)
        frames: list[bytes] = []
        while not frames and time.monotonic() < deadline_s and not owner.is_wanted_elsewhere:
            frames = talk.receive(max(deadline_s - time.monotonic(), 0.0))
        owner.be_back()
        talk.take(frames)
        talk.settle()
        send_on_connecting(owner, talk)
        self._changed_s = time.monotonic()

    def start(self, talk: Conversation) -> None:
        """Nothing to say: it sends by itself."""

    def work(self, talk: Conversation) -> None:
        """Listen; say so when nothing comes."""
        owner = self._owner
        talk.listen(IDLE_S)
        count = owner.ledger.messages_read
        if count != self._count:
            self._count, self._changed_s = count, time.monotonic()
            if owner.state is LinkState.SILENT:
                owner.set_state(owner.working_state)
        elif time.monotonic() - self._changed_s > SILENT_S and owner.state is not LinkState.SILENT:
            owner.set_state(LinkState.SILENT, f"{owner.name} is open, but sends nothing that is a message.")

    def settle(self, talk: Conversation, *, goes_on: bool = False) -> None:
        """Take what is still on its way."""
        talk.take_rest()

    def command(self, talk: Conversation, request: WireCommand) -> str | None:
        """Send a command, and wait for the answer if the device gives one."""
        return send_to_stream(talk, request)

    def lose(self) -> None:
        """Nothing to forget."""


def send_to_stream(talk: Conversation, request: WireCommand) -> str | None:
    """Send something; what comes before the answer are messages.

    :raises BoardTimeout: if no line that matches the pattern comes in time.
    """
    talk.send(request.payload)
    if request.answer is None:
        return None
    for frame in talk.lines(request.timeout_s):
        text = str(frame, "latin-1")
        if request.answer.search(text):
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
    for payload in _connection_lines(owner):
        log.info("%s is sent %s on connecting", owner.name, _shown(payload))
        talk.send(payload)


def _connection_lines(owner: "DeviceLink") -> Iterator[bytes]:
    definition = owner.definition
    for line in (*(definition.on_connect if definition else ()), *owner.config.on_connect):
        command = definition.command(line) if definition else None
        payload = (line + "\n").encode("latin-1", "replace") if command is None else command.payload
        actuators = [known.payload for known in definition.commands if known.is_actuator] if definition else []
        is_blitz = definition is not None and definition.format is Format.BLITZ
        if payload in actuators or (is_blitz and protocol.moves_something(payload)):
            owner.notice("warning", f"{owner.name} is not sent {line!r} on connecting: it moves or heats something.")
        else:
            yield payload


def _shown(payload: bytes) -> str:
    text = str(payload, "latin-1").strip()
    return repr(text) if text.isprintable() and text.isascii() else payload.hex(" ")
