"""A NetScanner, the Ethernet pressure scanner: initialised, then polled for its 16 pressures.

Its answers have neither length nor ending: an answer to a poll is complete when it has 16 numbers and the line is
quiet. A message is such an answer as it came, the last channel first, in kPa; the built-in definition ``netscanner``
turns the order round. Values below -2 kPa, which the boards' protocol has no room for, come through like any other.
"""

import logging
import time
from typing import TYPE_CHECKING

from blitz.data.records import LinkState
from blitz.errors import BoardTimeout, CommandRefused, LinkError
from blitz.io.conversation import Conversation
from blitz.io.device import WireCommand
from blitz.io.frame_account import UNFINISHED

if TYPE_CHECKING:
    from blitz.io.device_link import DeviceLink

log = logging.getLogger(__name__)

CHANNELS = 16
POLL = b"rFFFF0"
KPA_PER_PSI = b"6.894757"
INITIALISE = (b"A", b"B", b"v01101 " + KPA_PER_PSI)
ANSWER_S = 2.0
QUIET_S = 0.03
"""After the sixteenth number: longer than the parts of one answer are apart."""
PATIENCE = 3
"""So many polls in a row without an answer, and the connection is made anew."""
LATE = "late or unasked answers"


class NetScanner:
    """See :class:`~blitz.io.device.Device`."""

    def __init__(self, owner: "DeviceLink") -> None:
        self._owner = owner
        self._missed = 0

    def begin(self, talk: Conversation) -> None:
        """Initialise: connect, reset, kilopascals.

        :raises LinkError: if it does not acknowledge: another device may answer at that address.
        """
        owner = self._owner
        owner.keep_waiting()
        owner.mode = "polled"
        talk.takes_every_line = True  # none of them is one of the Blitz protocol
        for request in INITIALISE:
            answer = self._ask(talk, request)
            talk.discard_answer(answer)
            if answer != b"A":
                said = f"answered {str(answer, 'latin-1')!r}" if answer else "did not answer"
                raise LinkError(
                    f"The scanner at {owner.port} {said} to {str(request, 'ascii')!r}, and not 'A'. "
                    "Check the address, and that no other program uses it."
                )
        self._missed = 0
        owner.make_known(None, ())
        owner.be_back()

    def start(self, talk: Conversation) -> None:
        """Nothing to say: it answers polls, whether or not a session runs."""

    def work(self, talk: Conversation) -> None:
        """Poll once."""
        owner = self._owner
        if not owner.may_start:
            owner.stopping.wait(0.1)
            return
        next_s = time.monotonic() + (owner.config.poll_interval_s or owner.options.poll_interval_s)
        self._poll(talk)
        while (remaining_s := next_s - time.monotonic()) > 0 and not owner.is_wanted_elsewhere:
            owner.stopping.wait(min(remaining_s, 0.05))

    def _poll(self, talk: Conversation) -> None:
        owner = self._owner
        answer = self._ask(talk, POLL, CHANNELS)
        if len(answer.split()) == CHANNELS and _is_whole(answer):
            self._missed = 0
            talk.take([answer])
            if owner.state is LinkState.SILENT:
                owner.set_state(owner.working_state)
        else:
            self._missed += 1
            said = f"refused with {str(answer, 'latin-1')}" if answer.startswith(b"N") else f"not {CHANNELS} numbers"
            if answer:
                talk.framing.keep_bad(answer, said)
            elif not owner.is_leaving:
                said = "no answer"
            owner.set_state(LinkState.SILENT, f"{owner.name} does not answer with {CHANNELS} pressures: {said}.")
        talk.settle()
        if self._missed >= PATIENCE:
            raise LinkError(f"{owner.name} at {owner.port} has not answered {PATIENCE} polls.")

    def settle(self, talk: Conversation, *, goes_on: bool = False) -> None:
        """Nothing is held back: what was polled is delivered."""
        talk.settle()

    def command(self, talk: Conversation, request: WireCommand) -> str | None:
        """Send a request of the operator's and return the answer.

        :raises CommandRefused: if it is refused: ``N`` and a code.
        :raises BoardTimeout: if no answer comes in time.
        """
        answer = self._ask(talk, request.payload.strip(), wait_s=request.timeout_s)
        if not answer:
            raise BoardTimeout(f"The scanner did not answer within {request.timeout_s:g} seconds.")
        talk.discard_answer(answer)
        talk.settle()
        if answer.startswith(b"N"):
            raise CommandRefused(f"The scanner refused with {str(answer, 'latin-1')}.")
        return str(answer, "latin-1")

    def lose(self) -> None:
        """Nothing to forget: it is initialised anew."""

    def _ask(self, talk: Conversation, request: bytes, numbers: int = 0, wait_s: float = ANSWER_S) -> bytes:
        """Send a request; return the answer, perhaps incomplete, whose bytes have no place yet.

        :param numbers: how many an answer has; 0 for one that is over when the line is quiet.
        """
        late = talk.receive_bytes(0.0)
        if late:
            talk.discard(late, LATE)
        talk.send(request)
        deadline_s = time.monotonic() + wait_s
        answer = b""
        try:
            while (remaining_s := deadline_s - time.monotonic()) > 0 and not self._owner.stopping.is_set():
                is_complete = len(answer.split()) >= numbers and _is_whole(answer) if numbers else bool(answer)
                is_complete = is_complete or answer.startswith(b"N")
                part = talk.receive_bytes(min(remaining_s, QUIET_S) if is_complete else remaining_s)
                answer += part
                if is_complete and not part:
                    break
        except LinkError:
            if numbers and len(answer.split()) == numbers and _is_whole(answer):
                return answer  # its end came through; the next question finds out
            if answer:
                talk.framing.keep_bad(answer, UNFINISHED)
            raise
        return answer


def _is_whole(answer: bytes) -> bool:
    """Whether no number is cut off: all have as many decimals as the first.

    >>> _is_whole(b" -2.345678 1.000000"), _is_whole(b" -2.345678 1.0000"), _is_whole(b" -2.345678 ")
    (True, False, False)
    """
    decimals = {len(number.partition(b".")[2]) for number in answer.split()}
    return len(decimals) == 1 and not answer.endswith(b" ")
