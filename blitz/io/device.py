"""What a link's thread asks of a kind of device."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from blitz.data.answer_pattern import AnswerPattern
from blitz.io.conversation import Conversation

Mode = Literal["polled", "streaming", "unknown"]


class Placement(NamedTuple):
    """Where a device is now: at a port, or nowhere for a reason; or at one of several that look alike."""

    port: str | None
    why: str = ""
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True)
class WireCommand:
    """What an operator or a program sends to a device.

    :param payload: the bytes on the wire.
    :param answer: a line that it matches ends the wait; None: whatever the kind of device answers by itself.
    """

    payload: bytes
    answer: AnswerPattern | None = None
    timeout_s: float = 2.0


class Device(Protocol):
    """One kind of device on an open link. Called in the link's thread only."""

    def begin(self, talk: Conversation) -> None:
        """The link was opened: find out what is there, and tell the owner. Returns when that is leaving, too."""

    def start(self, talk: Conversation) -> None:
        """Messages go to another session, or to the preview, from now on."""

    def work(self, talk: Conversation) -> None:
        """Do one round: listen for a while, or poll."""

    def settle(self, talk: Conversation, *, goes_on: bool = False) -> None:
        """Fetch what belongs to the session that is delivered to, and end it on the device, unless that goes on."""

    def command(self, talk: Conversation, request: WireCommand) -> str | None:
        """Send an operator's command and return the answer; None where none is waited for."""

    def lose(self) -> None:
        """The link is gone."""
