"""The Blitz protocol on one open link: requests and answers, and messages that come in between.

Used by one thread. Hands messages on as they come, stamped once a read; never parses values, never sends an empty
line, never waits for a line that is longer in coming than it was told to wait.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from blitz.errors import BoardTimeout, CommandRefused
from blitz.io import protocol
from blitz.io.framing import Framing
from blitz.io.ledger import ANSWERS, Ledger, Tally
from blitz.io.link import Link
from blitz.io.protocol import LineKind
from blitz.io.talk import Talk

ANSWER_S = 1.0
"""How long a board may take to answer, or to go on with a long answer."""
LAST_ANSWER_S = 0.5
"""How long one may take to begin its answer when the link is about to be closed."""
COMMAND_S = 2.0
"""The same for an operator's command: a motor may have to get there first."""
NO_BLITZ_LINE = "not a line of the Blitz protocol"


class Answer(NamedTuple):
    """What came of a request: the messages, and the code of the short line that ended it (None: no end came)."""

    message_count: int
    code: int | None


class Conversation(Talk):
    """Speak with a Blitz board on an open link; see :class:`~blitz.io.talk.Talk` for the parameters.

    :param complain: takes a sentence about an error that the board sent, asked or not.
    """

    def __init__(
        self,
        link: Link,
        framing: Framing,
        ledger: Ledger,
        deliver: Callable[[Sequence[bytes], int], None],
        now_ns: Callable[[], int],
        is_wanted_elsewhere: Callable[[], bool],
        stop: threading.Event,
        settled: Callable[[Tally], None],
        complain: Callable[[str], None],
    ) -> None:
        super().__init__(link, framing, ledger, deliver, now_ns, is_wanted_elsewhere, stop, settled)
        self.takes_every_line = False
        """The device only prints: whatever it says is a message."""
        self._complain = complain

    def request(self, request: bytes) -> int | None:
        """Send a request; return the code of the board's short answer, None if none came in time."""
        self.send(request)
        return self.finish_answer(is_transmitting=False).code

    def transmit(self, board_id: str) -> Answer:
        """Ask for all that the board has logged since the last time."""
        self.send(protocol.transmit(board_id))
        return self.finish_answer()

    def finish_answer(self, *, is_transmitting: bool = True) -> Answer:
        """Read up to the end of an answer; each part of it may take a second.

        A board that logs faster than its line can carry never comes to the end. What a board has begun to say is heard
        out even when the link is about to be closed: it does not keep what it has sent.

        :param is_transmitting: TRANSMIT is what was asked.
        """
        count = 0
        started_s = time.monotonic()
        deadline_s = started_s + ANSWER_S
        while (remaining_s := deadline_s - time.monotonic()) > 0:
            waited_s = time.monotonic() - started_s
            if self._is_wanted_elsewhere() and waited_s > ANSWER_S:
                break
            if self._stop.is_set() and not count:
                remaining_s = min(remaining_s, LAST_ANSWER_S - waited_s)
                if remaining_s <= 0:
                    break
            lines = self.receive(remaining_s)
            if not lines:
                continue
            deadline_s = time.monotonic() + ANSWER_S
            code = self.take(lines, is_transmitting=is_transmitting)
            self.settle()
            count += len(lines)
            if code is not None:
                return Answer(count - 1, code)
        return Answer(count, None)

    def command(self, line: bytes, *, is_polled: bool) -> str:
        """Send an operator's line and return the board's answer; messages that come in between are kept.

        :raises CommandRefused: if the board answers with an error.
        :raises BoardTimeout: if it does not answer in two seconds.
        """
        is_status = line[2:4] == b"83"
        self.send(line)
        for received in self.lines(COMMAND_S):
            parsed = protocol.classify(received)
            is_status_answer = is_status and (is_polled or parsed.code == protocol.STATUS_ANSWER)
            if parsed.kind in (LineKind.ACK, LineKind.SHORT, LineKind.ERROR) or (
                parsed.kind is LineKind.DATA and is_status_answer
            ):
                self.discard_answer(received)
                if parsed.kind is LineKind.ERROR:
                    raise CommandRefused(protocol.describe_error(int(parsed.code or 0)))
                return received.decode("ascii")
            self.take([received])
        shown = str(line.strip(), "latin-1")
        raise BoardTimeout(f"The board did not answer {shown!r} within {COMMAND_S:g} seconds.")

    def take(self, frames: Sequence[bytes], *, is_transmitting: bool = False) -> int | None:
        """Deliver the messages, keep the bad lines, tell of errors; return the code of the first ACK or error.

        Any other short line ends no answer: it comes late, from when the board was asked who it is.

        :param is_transmitting: TRANSMIT was asked: that the board is not logging is an answer, and no error.
        """
        if self.takes_every_line or protocol.is_data_run(frames):
            return super().take(frames)
        code: int | None = None
        messages: list[bytes] = []
        answers: list[bytes] = []
        for line in frames:
            parsed = protocol.classify(line)
            if parsed.kind is LineKind.DATA:
                messages.append(line)
            elif parsed.kind is LineKind.OTHER:
                self.framing.keep_bad(line, NO_BLITZ_LINE)
            else:
                answers.append(line)
                if parsed.kind is LineKind.SHORT:
                    continue
                is_answer = is_transmitting and code is None and parsed.code == protocol.NOT_LOGGING
                if parsed.kind is LineKind.ERROR and not is_answer:
                    self._complain(protocol.describe_error(int(parsed.code or 0)))
                code = parsed.code if code is None else code
        if answers:
            self._ledger.discard(answers, ANSWERS)
        super().take(messages)
        return code
