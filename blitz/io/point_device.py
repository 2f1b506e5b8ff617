"""A stream of the store as a device: every point is a message, and silence is nothing that an operator has to mend."""

import time
from typing import TYPE_CHECKING

from blitz.errors import CommandRefused
from blitz.io.conversation import Conversation
from blitz.io.device import WireCommand

if TYPE_CHECKING:
    from blitz.io.device_link import DeviceLink

IDLE_S = 0.5
SETTLE_S = 1.0


class PointDevice:
    """A stream on an open :class:`~blitz.io.stream_link.StreamLink`. See :class:`~blitz.io.device.Device`."""

    def __init__(self, owner: "DeviceLink") -> None:
        self._owner = owner

    def begin(self, talk: Conversation) -> None:
        """Take the stream for what its schema or its points say; one that is empty waits for the first."""
        owner = self._owner
        owner.keep_waiting()
        owner.mode = "streaming"
        talk.takes_every_line = True
        if owner.definition is not None:
            owner.make_known(None, ())
        owner.identified.set()
        owner.be_back()

    def start(self, talk: Conversation) -> None:
        """Nothing to say: points come when somebody has one."""

    def work(self, talk: Conversation) -> None:
        """Listen."""
        owner = self._owner
        if owner.delivery.source is not None:
            talk.listen(IDLE_S)
            return
        points = talk.receive(IDLE_S)
        if points:
            owner.make_known(None, points)
        talk.take(points)
        talk.settle()

    def settle(self, talk: Conversation, *, goes_on: bool = False) -> None:
        """Take what is in the stream by now."""
        deadline_s = time.monotonic() + SETTLE_S
        points = talk.receive(0.0)
        while points:
            if self._owner.delivery.source is None:
                self._owner.make_known(None, points)
            talk.take(points)
            points = talk.receive(0.0) if time.monotonic() < deadline_s else []
        talk.settle()

    def command(self, talk: Conversation, request: WireCommand) -> str | None:
        """Refuse.

        :raises CommandRefused: always.
        """
        name = self._owner.name
        raise CommandRefused(f"{name} is a stream: what it is to be told goes to its downlink.")

    def lose(self) -> None:
        """Nothing to forget."""
